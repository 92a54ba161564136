//! Events: documents, field paths, times, and how Python would print or compare their values.

pub mod dumps;
pub mod every_way;
pub mod fields;
pub mod format;
pub mod fuzzy_time;
pub mod json;
pub mod path;
pub mod project;
pub mod python;
mod scan;
pub mod strptime;
pub mod time;

use bytes::Bytes;
use serde_json::{Map, Value};
use std::sync::Arc;

pub use fields::{DocumentFields, Field, Fields};
pub use path::FieldPath;
pub use time::{EventTime, Timestamp, WallTime};

/// An event's or a writeback's members, in the order they were written. Numbers keep their text (`1` is not `1.0`, and
/// integers have any size), as Python keeps them.
pub type Document = Map<String, Value>;

/// One event as it came in: the bytes of one JSON object, not yet looked at.
#[derive(Debug, Clone)]
pub struct RawEvent {
    /// The JSON text of one object.
    pub bytes: Bytes,
    /// What the sender said about it beside the object itself.
    pub meta: Option<Arc<Meta>>,
}

impl RawEvent {
    /// An event that was stored in parts: its JSON text, its index and its id. It has nothing else in memory than these.
    pub fn from_parts(json: &[u8], index: Option<&str>, id: Option<&str>) -> Self {
        let has_meta = index.is_some() || id.is_some();
        let meta = has_meta.then(|| {
            Arc::new(Meta {
                index: index.map(str::to_owned),
                id: id.map(str::to_owned),
            })
        });
        Self {
            bytes: Bytes::copy_from_slice(json),
            meta,
        }
    }
}

/// What a sender says about an event beside its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meta {
    /// Name of the index it goes to.
    pub index: Option<String>,
    /// The document id it has there.
    pub id: Option<String>,
}
