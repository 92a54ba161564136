//! Reading state from a server: for a first start where ElastAlert has run before.

use super::client::{Client, EsError};
use super::index_name;
use super::search::{Hit, Request};
use crate::engine::Index;
use crate::event::{Document, WallTime};
use crate::store::documents::Silence;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Documents per request.
const PAGE: usize = 1000;

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
        let request = Request {
            index: index_name(writeback_index, Index::Silence),
            query: json!({"range": {"until": {"gt": since.to_text()}}}),
            time_field: "until".to_owned(),
            page_size: PAGE,
        };
        let mut last = BTreeMap::new();
        for hit in self.all(request).await? {
            if let Some(silence) = Silence::of(&hit.source) {
                last.insert(silence.key.clone(), silence);
            }
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
        let request = Request {
            index: index_name(writeback_index, Index::Alerts),
            query: json!({"bool": {"filter": [
                {"term": {"alert_sent": false}},
                {"range": {"alert_time": {"gte": now.minus(alert_time_limit).to_text()}}},
            ]}}),
            time_field: "alert_time".to_owned(),
            page_size: PAGE,
        };
        let hits = self.all(request).await?;
        Ok(hits
            .into_iter()
            .map(|hit| PendingDocument {
                id: hit.id,
                document: hit.source,
            })
            .collect())
    }

    async fn all(&self, request: Request) -> Result<Vec<Hit>, EsError> {
        let mut pages = self.search(request).await?;
        let mut hits = Vec::new();
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(hits);
            }
            hits.extend(page);
        }
    }
}
