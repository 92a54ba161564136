//! The tables in the file, and how one write changes them.

use super::facts::{Facts, Hold, number};
use super::{Forwarding, Silence, StoreError};
use crate::engine::{Index, Op, Write};
use crate::event::Document;
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

/// Numbers by name: `format`, `applied`, `bytes`, `queued` (the last position given in the outgoing queue).
pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// (index, id) → (time, the silence's end or the unsent alert's due time or [`FREE`], JSON text).
pub(super) const DOCUMENTS: TableDefinition<(u8, &str), (i64, i64, &str)> =
    TableDefinition::new("documents");
/// (index, time, id): the order of an index by time.
pub(super) const TIMES: TableDefinition<(u8, i64, &str), ()> = TableDefinition::new("times");
/// (silence key, until, id) → exponent.
pub(super) const SILENCES: TableDefinition<(&str, i64, &str), u32> =
    TableDefinition::new("silences");
/// (due, id): alerts not sent.
pub(super) const UNSENT: TableDefinition<(i64, &str), ()> = TableDefinition::new("unsent");
/// Position → (index, id): what Elasticsearch has not seen. What to do there is read off [`DOCUMENTS`]: write it if it is there, else delete.
pub(super) const OUTGOING: TableDefinition<u64, (u8, &str)> = TableDefinition::new("outgoing");
/// (index, id) → its position in [`OUTGOING`]: a document is queued once, however often it changed.
pub(super) const QUEUED: TableDefinition<(u8, &str), u64> = TableDefinition::new("queued");

/// In [`DOCUMENTS`]: nothing holds the document.
pub(super) const FREE: i64 = i64::MIN;

/// Every table, open for writing.
pub(super) struct Tables<'t> {
    pub(super) meta: Table<'t, &'static str, u64>,
    pub(super) documents: Table<'t, (u8, &'static str), (i64, i64, &'static str)>,
    pub(super) times: Table<'t, (u8, i64, &'static str), ()>,
    pub(super) silences: Table<'t, (&'static str, i64, &'static str), u32>,
    pub(super) unsent: Table<'t, (i64, &'static str), ()>,
    pub(super) outgoing: Table<'t, u64, (u8, &'static str)>,
    pub(super) queued: Table<'t, (u8, &'static str), u64>,
}

impl<'t> Tables<'t> {
    /// Opens all, making those that are not there.
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            documents: transaction.open_table(DOCUMENTS)?,
            times: transaction.open_table(TIMES)?,
            silences: transaction.open_table(SILENCES)?,
            unsent: transaction.open_table(UNSENT)?,
            outgoing: transaction.open_table(OUTGOING)?,
            queued: transaction.open_table(QUEUED)?,
        })
    }

    /// A number by name; 0 when it was never set.
    pub(super) fn meta(&self, name: &str) -> Result<u64, StoreError> {
        Ok(self.meta.get(name)?.map_or(0, |value| value.value()))
    }

    pub(super) fn set_meta(&mut self, name: &str, value: u64) -> Result<(), StoreError> {
        self.meta.insert(name, value)?;
        Ok(())
    }

    /// Applies one write, and queues it.
    pub(super) fn write(
        &mut self,
        write: &Write,
        forwarding: Forwarding,
    ) -> Result<(), StoreError> {
        self.remove(number(write.index), &write.id)?;
        if let Op::Put(document) = &write.op {
            self.insert(write.index, &write.id, document)?;
        }
        match forwarding {
            Forwarding::Queue => self.enqueue(number(write.index), &write.id),
            Forwarding::Off => Ok(()),
        }
    }

    fn insert(&mut self, index: Index, id: &str, document: &Document) -> Result<(), StoreError> {
        let facts = Facts::of(index, document);
        let index = number(index);
        let time = match facts.time {
            Some(time) => time,
            None => self.newest_time(index)?,
        };
        let held = match facts.hold {
            Hold::None => FREE,
            Hold::Silence(silence) => {
                let until = silence.until.0;
                self.silences
                    .insert((&*silence.key, until, id), silence.exponent)?;
                until
            }
            Hold::Unsent { due } => {
                self.unsent.insert((due, id), ())?;
                due
            }
        };
        let json = serde_json::to_string(document).unwrap_or_default();
        self.documents.insert((index, id), (time, held, &*json))?;
        self.times.insert((index, time, id), ())?;
        let bytes = self.meta("bytes")?.saturating_add(size(id, &json));
        self.set_meta("bytes", bytes)
    }

    /// Takes a document and all that points to it out of the tables, except of the queue. Whether there was one.
    pub(super) fn remove(&mut self, index: u8, id: &str) -> Result<bool, StoreError> {
        let Some(old) = self.documents.remove((index, id))? else {
            return Ok(false);
        };
        let (time, held, json) = old.value();
        let bytes = size(id, json);
        let silence_key = (index == number(Index::Silence) && held != FREE)
            .then(|| serde_json::from_str::<Document>(json).ok())
            .flatten()
            .and_then(|document| Silence::of(&document))
            .map(|silence| silence.key);
        drop(old);
        self.times.remove((index, time, id))?;
        if let Some(key) = silence_key {
            self.silences.remove((&*key, held, id))?;
        } else if held != FREE {
            self.unsent.remove((held, id))?;
        }
        let bytes = self.meta("bytes")?.saturating_sub(bytes);
        self.set_meta("bytes", bytes)?;
        Ok(true)
    }

    /// The newest time in an index: the place of a document without a time of its own.
    fn newest_time(&self, index: u8) -> Result<i64, StoreError> {
        let mut range = self
            .times
            .range((index, i64::MIN, "")..(index + 1, i64::MIN, ""))?;
        match range.next_back() {
            Some(entry) => Ok(entry?.0.value().1),
            None => Ok(0),
        }
    }

    fn enqueue(&mut self, index: u8, id: &str) -> Result<(), StoreError> {
        self.dequeue(index, id)?;
        let position = self.meta("queued")? + 1;
        self.set_meta("queued", position)?;
        self.outgoing.insert(position, (index, id))?;
        self.queued.insert((index, id), position)?;
        Ok(())
    }

    /// Takes a document out of the queue. Whether it was there.
    pub(super) fn dequeue(&mut self, index: u8, id: &str) -> Result<bool, StoreError> {
        let Some(position) = self.queued.remove((index, id))?.map(|old| old.value()) else {
            return Ok(false);
        };
        self.outgoing.remove(position)?;
        Ok(true)
    }

    pub(super) fn clear_outgoing(&mut self) -> Result<(), StoreError> {
        self.outgoing.retain(|_, _| false)?;
        self.queued.retain(|_, _| false)?;
        Ok(())
    }
}

/// What a document counts in `bytes`.
fn size(id: &str, json: &str) -> u64 {
    u64::try_from(id.len() + json.len()).unwrap_or(u64::MAX)
}
