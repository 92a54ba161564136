//! Writeback to Elasticsearch and OpenSearch.
//!
//! The embedded store ([`crate::store::documents`]) always has the documents; here they are copied to a server in the background
//! ([`Forwarder`]), read back when the embedded store is new ([`state`]), and the indices are made ([`indices`]). Elasticsearch 7 and
//! later and every OpenSearch are spoken to without types.

mod backoff;
mod bulk;
mod client;
mod config;
mod field_mapping;
mod forwarder;
pub mod indices;
pub mod search;
pub mod state;
#[cfg(test)]
mod tests;
mod trace;
mod values;

pub use crate::config::{Credentials, EsConfig};
pub use backoff::Backoff;
pub use client::{Client, EsError, Generation, Version};
pub use config::ConfigError;
pub use forwarder::{Forwarder, Progress};
pub use trace::Trace;

use crate::engine::Index;

/// The name of a writeback index on the server.
pub fn index_name(writeback_index: &str, index: Index) -> String {
    format!("{writeback_index}{}", index.suffix())
}
