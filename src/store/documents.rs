//! The embedded writeback store: ElastAlert's five writeback indices in one file, with or without Elasticsearch.
//!
//! Documents are kept as the JSON text they were written as. Beside them stand a few small tables that answer what the program asks at
//! start (which silences hold, which alerts are unsent), and the queue of changes that Elasticsearch has not seen yet. A batch of
//! writes, all these tables and the number of the last write applied change in one transaction, so a crash leaves them in step.

mod error;
mod facts;
mod outgoing;
mod retention;
mod tables;
#[cfg(test)]
mod tests;

use crate::engine::{Index, Write};
use crate::event::time::parse_iso;
use crate::event::{Document, WallTime};
use facts::number;
use redb::backends::FileBackend;
use redb::{
    Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, WriteTransaction,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use tables::{DOCUMENTS, META, SILENCES, TIMES, Tables, UNSENT};

pub use error::StoreError;
pub use outgoing::Outgoing;
pub use retention::{Removed, Retention};

/// The file's name in the store's directory.
const FILE: &str = "documents.redb";

/// The layout of the tables; raised when an older program could not read them any more.
const FORMAT: u64 = 1;

/// Memory for pages of the file. The store is written much and read little; redb's own default is 1 GiB.
const CACHE: usize = 16 * 1024 * 1024;

/// Whether changes are queued for Elasticsearch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// Every change is queued until it is acknowledged.
    Queue,
    /// There is no Elasticsearch: nothing is queued, and what an earlier run queued is forgotten.
    Off,
}

/// What a commit is worth when the machine loses power or the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// On the disk when the call returns.
    Durable,
    /// Visible at once, on the disk with the next durable commit. Costs no disk write; the space of overwritten documents is free again
    /// only after a durable commit.
    Lazy,
}

/// A document and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its id in the index.
    pub id: String,
    /// Its JSON text.
    pub json: String,
}

/// The silence of a key that ends last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// The silence key: the document's `rule_name`.
    pub key: String,
    /// Until when.
    pub until: WallTime,
    /// `exponential_realert`'s exponent.
    pub exponent: u32,
}

impl Silence {
    /// Reads a silence document; `None` when its key or end cannot be read.
    pub fn of(document: &Document) -> Option<Self> {
        let text = |name: &str| document.get(name)?.as_str();
        let exponent = document.get("exponent").and_then(Value::as_u64);
        Some(Self {
            key: text("rule_name")?.to_owned(),
            until: WallTime(parse_iso(text("until")?)?.micros),
            exponent: exponent
                .and_then(|exponent| u32::try_from(exponent).ok())
                .unwrap_or(0),
        })
    }
}

/// The embedded writeback store. All calls block on the disk at worst; several threads may use it at a time, writers one after another.
#[derive(Debug)]
pub struct Documents {
    database: Database,
    forwarding: Forwarding,
}

impl Documents {
    /// Opens the store of a directory, making both when they are not there. After a crash the file is brought back to the last durable
    /// commit first.
    ///
    /// # Errors
    /// Another process uses it, or the file cannot be read.
    pub fn open(directory: &Path, forwarding: Forwarding) -> Result<Self, StoreError> {
        std::fs::create_dir_all(directory).map_err(|source| StoreError::Io {
            path: directory.to_owned(),
            source,
        })?;
        let path = directory.join(FILE);
        let database = open_database(&path)?;
        let documents = Self {
            database,
            forwarding,
        };
        documents.prepare(&path)?;
        Ok(documents)
    }

    /// Whether a directory has a store.
    pub fn exist(directory: &Path) -> bool {
        directory.join(FILE).exists()
    }

    /// Removes the store of a directory, with all it holds.
    ///
    /// # Errors
    /// A process uses it, or the file cannot be removed.
    pub fn remove(directory: &Path) -> Result<(), StoreError> {
        let path = directory.join(FILE);
        // Held while the file goes, so that no other process begins to use it meanwhile. A damaged store may be removed, too.
        let _held = match open_database(&path) {
            Err(error @ (StoreError::InUse { .. } | StoreError::Io { .. })) => return Err(error),
            opened => opened,
        };
        std::fs::remove_file(&path).map_err(|source| StoreError::Io { path, source })
    }

    /// Makes the tables, and reads the format.
    fn prepare(&self, path: &Path) -> Result<(), StoreError> {
        let transaction = self.begin(Commit::Durable)?;
        {
            let mut tables = Tables::open(&transaction).map_err(|error| unreadable(path, error))?;
            match tables.meta("format")? {
                0 => tables.set_meta("format", FORMAT)?,
                FORMAT => {}
                found => {
                    return Err(StoreError::Format {
                        path: path.to_owned(),
                        found,
                    });
                }
            }
            if self.forwarding == Forwarding::Off {
                tables.clear_outgoing()?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn begin(&self, commit: Commit) -> Result<WriteTransaction, StoreError> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(match commit {
            Commit::Durable => Durability::Immediate,
            Commit::Lazy => Durability::None,
        })?;
        Ok(transaction)
    }

    /// Applies writes in order, in one transaction. Writes numbered up to the highest number applied before are skipped, so that a batch
    /// may be applied again after a crash. Writes of one batch may share a number. Returns how many were applied.
    ///
    /// # Errors
    /// The disk.
    pub fn apply(&self, writes: &[(u64, Write)], commit: Commit) -> Result<usize, StoreError> {
        let transaction = self.begin(commit)?;
        let mut count = 0;
        {
            let mut tables = Tables::open(&transaction)?;
            let applied = tables.meta("applied")?;
            let mut highest = applied;
            for (number, write) in writes.iter().filter(|(number, _)| *number > applied) {
                tables.write(write, self.forwarding)?;
                highest = highest.max(*number);
                count += 1;
            }
            tables.set_meta("applied", highest)?;
        }
        transaction.commit()?;
        Ok(count)
    }

    /// The highest number applied; 0 when there was none.
    ///
    /// # Errors
    /// The disk.
    pub fn applied(&self) -> Result<u64, StoreError> {
        self.meta("applied")
    }

    /// Puts everything applied so far on the disk.
    ///
    /// # Errors
    /// The disk.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.begin(Commit::Durable)?.commit()?;
        Ok(())
    }

    /// Per silence key the silence that ends last, over or not, as `is_silenced` in ElastAlert picks it.
    ///
    /// # Errors
    /// The disk.
    pub fn silences(&self) -> Result<Vec<Silence>, StoreError> {
        let table = self.database.begin_read()?.open_table(SILENCES)?;
        let mut last = BTreeMap::new();
        for entry in table.iter()? {
            let (key, exponent) = entry?;
            let (name, until, _) = key.value();
            last.insert(name.to_owned(), (WallTime(until), exponent.value()));
        }
        Ok(last
            .into_iter()
            .map(|(key, (until, exponent))| Silence {
                key,
                until,
                exponent,
            })
            .collect())
    }

    /// The documents of silences that end after `now`, by key.
    ///
    /// # Errors
    /// The disk.
    pub fn silence_documents(&self, now: WallTime) -> Result<Vec<Stored>, StoreError> {
        let transaction = self.database.begin_read()?;
        let (silences, documents) = (
            transaction.open_table(SILENCES)?,
            transaction.open_table(DOCUMENTS)?,
        );
        let mut found = Vec::new();
        for entry in silences.iter()? {
            let key = entry?.0;
            let (_, until, id) = key.value();
            if until > now.0
                && let Some(value) = documents.get((number(Index::Silence), id))?
            {
                found.push(Stored {
                    id: id.to_owned(),
                    json: value.value().2.to_owned(),
                });
            }
        }
        Ok(found)
    }

    /// The documents of alerts not sent (`alert_sent: false`), first due first: waiting in an aggregation, to be retried, or given up.
    ///
    /// # Errors
    /// The disk.
    pub fn unsent_alerts(&self) -> Result<Vec<Stored>, StoreError> {
        let transaction = self.database.begin_read()?;
        let (unsent, documents) = (
            transaction.open_table(UNSENT)?,
            transaction.open_table(DOCUMENTS)?,
        );
        let mut found = Vec::new();
        for entry in unsent.iter()? {
            let key = entry?.0;
            let (_, id) = key.value();
            if let Some(value) = documents.get((number(Index::Alerts), id))? {
                found.push(Stored {
                    id: id.to_owned(),
                    json: value.value().2.to_owned(),
                });
            }
        }
        Ok(found)
    }

    /// One document's JSON text.
    ///
    /// # Errors
    /// The disk.
    pub fn get(&self, index: Index, id: &str) -> Result<Option<String>, StoreError> {
        let table = self.database.begin_read()?.open_table(DOCUMENTS)?;
        Ok(table
            .get((number(index), id))?
            .map(|value| value.value().2.to_owned()))
    }

    /// The documents of an index, newest first, as they are now: later changes do not show.
    ///
    /// # Errors
    /// The disk; also for each document read.
    pub fn newest(
        &self,
        index: Index,
    ) -> Result<impl Iterator<Item = Result<Stored, StoreError>> + use<>, StoreError> {
        let transaction = self.database.begin_read()?;
        let (times, documents) = (
            transaction.open_table(TIMES)?,
            transaction.open_table(DOCUMENTS)?,
        );
        let index = number(index);
        let range = times.range((index, i64::MIN, "")..(index + 1, i64::MIN, ""))?;
        Ok(range.rev().filter_map(move |entry| {
            let read = || -> Result<Option<Stored>, StoreError> {
                let key = entry?.0;
                let (_, _, id) = key.value();
                Ok(documents.get((index, id))?.map(|value| Stored {
                    id: id.to_owned(),
                    json: value.value().2.to_owned(),
                }))
            };
            read().transpose()
        }))
    }

    /// How many documents an index has.
    ///
    /// # Errors
    /// The disk.
    pub fn count(&self, index: Index) -> Result<u64, StoreError> {
        let table = self.database.begin_read()?.open_table(TIMES)?;
        let index = number(index);
        let range = table.range((index, i64::MIN, "")..(index + 1, i64::MIN, ""))?;
        Ok(u64::try_from(range.count()).unwrap_or(u64::MAX))
    }

    /// The size of all documents' texts and ids, in bytes; the file is larger.
    ///
    /// # Errors
    /// The disk.
    pub fn size(&self) -> Result<u64, StoreError> {
        self.meta("bytes")
    }

    fn meta(&self, name: &str) -> Result<u64, StoreError> {
        let table = self.database.begin_read()?.open_table(META)?;
        Ok(table.get(name)?.map_or(0, |value| value.value()))
    }
}

/// Opens or makes the database file, readable by its owner only: alerts may hold secrets.
fn open_database(path: &Path) -> Result<Database, StoreError> {
    let io = |source| StoreError::Io {
        path: path.to_owned(),
        source,
    };
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(io)?;
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    // Reads the whole file once. Without it, a file damaged just so makes redb panic instead of answering an error.
    builder.set_check_integrity_on_open(true);
    let opened = FileBackend::new(file).and_then(|file| builder.create_with_backend(file));
    match opened {
        Ok(database) => Ok(database),
        Err(DatabaseError::DatabaseAlreadyOpen) => Err(StoreError::InUse {
            path: path.to_owned(),
        }),
        Err(DatabaseError::Storage(redb::StorageError::Io(error)))
            if !matches!(
                error.kind(),
                ErrorKind::InvalidData | ErrorKind::UnexpectedEof
            ) =>
        {
            Err(io(error))
        }
        Err(error) => Err(unreadable(path, error)),
    }
}

fn unreadable(path: &Path, reason: impl std::fmt::Display) -> StoreError {
    StoreError::Unreadable {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
