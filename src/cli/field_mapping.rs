//! Field mappings asked of the configured server, for rules with `mapping: elasticsearch`.

use crate::config::service::FieldMappings;
use crate::writeback::{Client, EsConfig};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Asks the server once for each index; what it answered is kept as long as this lives.
pub(super) fn field_mappings(es: Option<EsConfig>) -> FieldMappings {
    let known: Mutex<HashMap<String, Result<Value, String>>> = Mutex::default();
    FieldMappings::by(move |index| {
        let Some(es) = &es else {
            return Err("no es_host is configured".to_owned());
        };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .entry(index.to_owned())
            .or_insert_with(|| ask(es, index))
            .clone()
    })
}

/// Rules are loaded in and outside of the service's runtime, so the request has a thread and a runtime of its own.
fn ask(es: &EsConfig, index: &str) -> Result<Value, String> {
    let client = Client::new(es).map_err(|error| error.to_string())?;
    let answer = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| error.to_string())?;
            let answer = runtime.block_on(client.field_mapping(index));
            answer.map_err(|error| error.to_string())
        });
        asking.join()
    });
    answer.unwrap_or_else(|_| Err("the request broke off".to_owned()))
}
