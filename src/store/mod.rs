//! What survives a crash: journal, snapshot, and the embedded writeback store.
//!
//! A store directory holds `snapshot-N` (the engine's memory when journal N began), `journal-N` and later ones, `documents.redb` (the
//! writeback documents), `spill-N` (events that rules keep and memory has no room for), and `instance` (what makes this store's ids differ from other stores' ids).

pub mod documents;
mod journal;
mod spill;

pub use journal::{
    Journal, JournalError, Recovered, Recovery, read_before, recover, write_snapshot,
};
pub use spill::SpillFiles;
