//! Where field mappings come from that are kept by a server.

use serde_json::Value;
use std::fmt;
use std::sync::Arc;

type Fetch = dyn Fn(&str) -> Result<Value, String> + Send + Sync;

/// Asks Elasticsearch or OpenSearch for the mapping of an index. Whoever can reach one sets it; nobody does by default.
#[derive(Clone, Default)]
pub struct FieldMappings(Option<Arc<Fetch>>);

impl FieldMappings {
    /// Asks by calling this with an index name or pattern; it gives `{mappings, settings}`, or why there is none.
    pub fn by(fetch: impl Fn(&str) -> Result<Value, String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(fetch)))
    }

    /// The mapping of an index.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn of(&self, index: &str) -> Result<Value, String> {
        match &self.0 {
            Some(fetch) => fetch(index),
            None => Err("this command does not ask a server".to_owned()),
        }
    }
}

impl fmt::Debug for FieldMappings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "FieldMappings"
        } else {
            "none"
        })
    }
}
