//! What survives a crash: journal, snapshot, and the embedded writeback store.

pub mod documents;
