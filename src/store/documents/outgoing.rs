//! The queue of changes that Elasticsearch has not seen.

use super::facts;
use super::tables::{DOCUMENTS, OUTGOING, Tables};
use super::{Commit, Documents, StoreError};
use crate::engine::Index;
use redb::{ReadableDatabase, ReadableTableMetadata};

/// One change on its way to Elasticsearch: the document as it is now, however often it changed before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its place in the queue; what [`Documents::acknowledge`] wants to hear.
    pub position: u64,
    /// Which index.
    pub index: Index,
    /// The document's id.
    pub id: String,
    /// Its JSON text; `None`: it is to be deleted.
    pub json: Option<String>,
}

impl Documents {
    /// The oldest changes behind a position (0: of all): at most `limit`, and no more than `max_bytes` of text but at least one.
    ///
    /// # Errors
    /// The disk.
    pub fn outgoing(
        &self,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Outgoing>, StoreError> {
        let transaction = self.database.begin_read()?;
        let (queue, documents) = (
            transaction.open_table(OUTGOING)?,
            transaction.open_table(DOCUMENTS)?,
        );
        let (mut found, mut bytes) = (Vec::new(), 0);
        for entry in queue.range(after.saturating_add(1)..)?.take(limit) {
            let (position, target) = entry?;
            let (number, id) = target.value();
            // An index this version does not know cannot be there: a newer file is refused when it is opened.
            let Some(index) = facts::index(number) else {
                continue;
            };
            let json = documents
                .get((number, id))?
                .map(|value| value.value().2.to_owned());
            bytes += json.as_ref().map_or(0, String::len);
            if bytes > max_bytes && !found.is_empty() {
                break;
            }
            found.push(Outgoing {
                position: position.value(),
                index,
                id: id.to_owned(),
                json,
            });
        }
        Ok(found)
    }

    /// Takes changes out of the queue. A document that changed again meanwhile has a new place and stays. Not on the disk before the next
    /// durable commit: a change acknowledged just before a crash is sent again, which does no harm.
    ///
    /// # Errors
    /// The disk.
    pub fn acknowledge(&self, positions: &[u64]) -> Result<(), StoreError> {
        let transaction = self.begin(Commit::Lazy)?;
        {
            let mut tables = Tables::open(&transaction)?;
            for position in positions {
                let target = tables.outgoing.remove(position)?.map(|target| {
                    let (index, id) = target.value();
                    (index, id.to_owned())
                });
                if let Some((index, id)) = target {
                    tables.queued.remove((index, &*id))?;
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// How many changes wait.
    ///
    /// # Errors
    /// The disk.
    pub fn outgoing_count(&self) -> Result<u64, StoreError> {
        Ok(self.database.begin_read()?.open_table(OUTGOING)?.len()?)
    }
}
