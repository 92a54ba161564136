//! What is forgotten, and when.

use super::facts::number;
use super::tables::{FREE, Tables};
use super::{Commit, Documents, StoreError};
use crate::engine::Index;
use crate::event::WallTime;
use redb::ReadableTable;
use std::time::Duration;

/// How long documents are kept. A silence still in force and an alert still to be sent are never removed.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// `store.keep`: documents older than this are removed. A silence's age counts from its end.
    pub keep: Duration,
    /// The size of all documents in bytes above which the oldest are removed, status documents first.
    pub max_size: u64,
    /// `alert_time_limit`: an unsent alert older than this is given up and ages like any other.
    pub alert_time_limit: Duration,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Documents.
    pub documents: usize,
    /// Those among them that Elasticsearch has never seen: it has been away for longer than documents are kept.
    pub never_forwarded: usize,
}

/// The order in which indices give way when the store is too large.
const DISPENSABLE: [Index; 5] = [
    Index::Status,
    Index::Past,
    Index::Error,
    Index::Alerts,
    Index::Silence,
];

impl Documents {
    /// Removes at most `limit` documents that are too old or too many, oldest first; call it again while it removes that many.
    /// Elasticsearch's copies stay.
    ///
    /// # Errors
    /// The disk.
    pub fn remove_old(
        &self,
        now: WallTime,
        retention: &Retention,
        limit: usize,
    ) -> Result<Removed, StoreError> {
        let transaction = self.begin(Commit::Lazy)?;
        let mut removed = Removed::default();
        {
            let mut tables = Tables::open(&transaction)?;
            let mut choice = Choice {
                before: now.minus(retention.keep),
                now,
                given_up: now.minus(retention.alert_time_limit),
            };
            for index in Index::ALL {
                for id in tables.oldest(index, &choice, limit - removed.documents)? {
                    tables.forget(index, &id, &mut removed)?;
                }
            }
            choice.before = WallTime(i64::MAX);
            for index in DISPENSABLE {
                if tables.meta("bytes")? <= retention.max_size {
                    break;
                }
                for id in tables.oldest(index, &choice, limit - removed.documents)? {
                    if tables.meta("bytes")? <= retention.max_size {
                        break;
                    }
                    tables.forget(index, &id, &mut removed)?;
                }
            }
        }
        if removed.documents == 0 {
            transaction.abort()?;
        } else {
            transaction.commit()?;
        }
        Ok(removed)
    }
}

/// Which documents may go.
struct Choice {
    /// Those with a time before this.
    before: WallTime,
    /// Silences must have ended by now.
    now: WallTime,
    /// Unsent alerts must have been due before this.
    given_up: WallTime,
}

impl Tables<'_> {
    /// The ids of the oldest documents of an index that may go.
    fn oldest(
        &self,
        index: Index,
        choice: &Choice,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let free_before = match index {
            Index::Silence => choice.now.0,
            Index::Alerts => choice.given_up.0,
            Index::Status | Index::Error | Index::Past => i64::MAX,
        };
        let n = number(index);
        let mut found = Vec::new();
        for entry in self
            .times
            .range((n, i64::MIN, "")..(n, choice.before.0, ""))?
        {
            if found.len() >= limit {
                break;
            }
            let key = entry?.0;
            let (_, _, id) = key.value();
            let held = self
                .documents
                .get((n, id))?
                .map_or(FREE, |document| document.value().1);
            if held == FREE || held < free_before {
                found.push(id.to_owned());
            }
        }
        Ok(found)
    }

    fn forget(&mut self, index: Index, id: &str, removed: &mut Removed) -> Result<(), StoreError> {
        removed.documents += usize::from(self.remove(number(index), id)?);
        removed.never_forwarded += usize::from(self.dequeue(number(index), id)?);
        Ok(())
    }
}
