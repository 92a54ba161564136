//! Reading state from a server: for a first start where ElastAlert has run before.

use super::client::{Client, EsError, path_of};
use super::index_name;
use crate::engine::Index;
use crate::event::time::parse_iso;
use crate::event::{Document, WallTime};
use crate::store::documents::Silence;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The most documents read of an index: what one answer may hold without paging. ElastAlert itself reads 1000 pending alerts at a time.
const MOST: usize = 10_000;

/// A document of the main index that has not been sent.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingDocument {
    /// Its id there.
    pub id: String,
    /// The document; with `aggregate_id` it belongs to the alert of the document with that id.
    pub document: Document,
}

impl Client {
    /// Per silence key the silence that ends last, of those that end after `since`. No index: none.
    ///
    /// # Errors
    /// The server is not reachable or refuses.
    pub async fn silences(
        &self,
        writeback_index: &str,
        since: WallTime,
    ) -> Result<Vec<Silence>, EsError> {
        let body = json!({
            "size": MOST,
            "query": {"range": {"until": {"gt": since.to_text()}}},
            "sort": [{"until": {"order": "desc", "unmapped_type": "date"}}],
        });
        let hits = self
            .hits(&index_name(writeback_index, Index::Silence), &body)
            .await?;
        let mut last = BTreeMap::new();
        for (_, document) in hits {
            let text = |name: &str| document.get(name).and_then(Value::as_str);
            let (Some(key), Some(until)) = (text("rule_name"), text("until").and_then(parse_iso))
            else {
                continue;
            };
            let exponent = document
                .get("exponent")
                .and_then(Value::as_u64)
                .and_then(|exponent| u32::try_from(exponent).ok())
                .unwrap_or(0);
            last.entry(key.to_owned()).or_insert(Silence {
                key: key.to_owned(),
                until: WallTime(until.micros),
                exponent,
            });
        }
        Ok(last.into_values().collect())
    }

    /// The documents of alerts not sent that are due later or have been for less than `alert_time_limit`, first due first. No index: none.
    ///
    /// # Errors
    /// The server is not reachable or refuses.
    pub async fn pending_alerts(
        &self,
        writeback_index: &str,
        now: WallTime,
        alert_time_limit: Duration,
    ) -> Result<Vec<PendingDocument>, EsError> {
        let body = json!({
            "size": MOST,
            "query": {"bool": {"filter": [
                {"term": {"alert_sent": false}},
                {"range": {"alert_time": {"gte": now.minus(alert_time_limit).to_text()}}},
            ]}},
            "sort": [
                {"alert_time": {"order": "asc", "unmapped_type": "date"}},
                {"@timestamp": {"order": "asc", "unmapped_type": "date"}},
            ],
        });
        let hits = self
            .hits(&index_name(writeback_index, Index::Alerts), &body)
            .await?;
        Ok(hits
            .into_iter()
            .map(|(id, document)| PendingDocument { id, document })
            .collect())
    }

    async fn hits(&self, index: &str, body: &Value) -> Result<Vec<(String, Document)>, EsError> {
        let path = format!("{}/_search", path_of(index));
        let mut answer = match self.call(Method::POST, &path, Some(body)).await {
            Ok(answer) => answer,
            Err(error) if error.is_index_missing() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let Some(Value::Array(hits)) = answer.pointer_mut("/hits/hits").map(Value::take) else {
            return Err(self.odd("a search without hits"));
        };
        Ok(hits
            .into_iter()
            .filter_map(|mut hit| {
                let id = hit.get("_id")?.as_str()?.to_owned();
                match hit.get_mut("_source")?.take() {
                    Value::Object(document) => Some((id, document)),
                    _ => None,
                }
            })
            .collect())
    }
}
