//! Reading state from a server: for a first start where ElastAlert has run before.

use super::client::{Client, EsError};
use super::index_name;
use super::search::{Hit, Request};
use crate::engine::{self, Found, Index, Unsent};
use crate::event::time::parse_iso;
use crate::event::{Document, WallTime};
use crate::store::documents::Silence;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
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

    /// What another installation left to be taken over.
    ///
    /// # Errors
    /// The server is not reachable or refuses.
    pub async fn left_behind(
        &self,
        writeback_index: &str,
        now: WallTime,
        alert_time_limit: Duration,
    ) -> Result<Found, EsError> {
        let silences = self.silences(writeback_index, now).await?;
        let pending = self
            .pending_alerts(writeback_index, now, alert_time_limit)
            .await?;
        Ok(Found {
            silences: silences
                .into_iter()
                .map(|found| {
                    let exponent = i32::try_from(found.exponent).unwrap_or(0);
                    let until = found.until;
                    (found.key, engine::Silence { until, exponent })
                })
                .collect(),
            alerts: alerts(pending),
        })
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

/// Puts the documents of each alert together: the first, and in the order they were written those that name it as their `aggregate_id`.
/// Documents that are no alert are left out.
fn alerts(documents: Vec<PendingDocument>) -> Vec<Unsent> {
    let mut order = Vec::new();
    let mut by_id: HashMap<String, Vec<PendingDocument>> = HashMap::new();
    for pending in documents {
        let text = |name: &str| pending.document.get(name).and_then(Value::as_str);
        let id = text("aggregate_id").unwrap_or(&pending.id).to_owned();
        let members = by_id.entry(id.clone()).or_default();
        if members.is_empty() {
            order.push(id);
        }
        members.push(pending);
    }
    order
        .into_iter()
        .filter_map(|id| {
            let mut members = by_id.remove(&id)?;
            members.sort_by_cached_key(|member| {
                let written = member.document.get("@timestamp").and_then(Value::as_str);
                (
                    member.id != id,
                    written.and_then(parse_iso).map(|at| at.micros),
                )
            });
            unsent(members)
        })
        .collect()
}

fn unsent(members: Vec<PendingDocument>) -> Option<Unsent> {
    let first = &members.first()?.document;
    let text = |name: &str| first.get(name).and_then(Value::as_str).map(str::to_owned);
    let (rule, due) = (text("rule_name")?, text("alert_time")?);
    let (key, error) = (text("aggregation_key"), text("alert_exception"));
    let time = WallTime(parse_iso(&due)?.micros);
    let matches: Vec<_> = members
        .into_iter()
        .filter_map(|mut member| match member.document.remove("match_body") {
            Some(Value::Object(matched)) => Some((member.id, matched)),
            _ => None,
        })
        .collect();
    (!matches.is_empty()).then_some(Unsent {
        rule,
        key,
        time,
        error,
        matches,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_one_alert_are_put_together() {
        let document = |id: &str, aggregate: Option<&str>, at: &str, i: u64| {
            let mut document = json!({
                "rule_name": "r", "alert_time": "2018-04-06T05:00:00Z", "alert_sent": false, "alert_exception": null,
                "aggregation_key": "k", "@timestamp": at, "match_body": {"i": i},
            });
            if let Some(aggregate) = aggregate {
                document["aggregate_id"] = aggregate.into();
            }
            PendingDocument {
                id: id.to_owned(),
                document: document.as_object().unwrap().clone(),
            }
        };
        let found = alerts(vec![
            document("c", Some("a"), "2018-04-06T04:59:03Z", 3),
            document("b", Some("a"), "2018-04-06T04:59:02Z", 2),
            document("a", None, "2018-04-06T04:59:04Z", 1),
            document("z", None, "2018-04-06T04:59:04Z", 9),
            PendingDocument {
                id: "no alert".to_owned(),
                document: Document::new(),
            },
        ]);
        let brief: Vec<_> = found
            .iter()
            .map(|alert| {
                let matches = alert.matches.iter();
                let matches = matches.map(|(id, one)| format!("{id}{}", one["i"]));
                (alert.key.as_deref(), matches.collect::<Vec<_>>())
            })
            .collect();
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            brief,
            [
                (Some("k"), texts(&["a1", "b2", "c3"])),
                (Some("k"), texts(&["z9"]))
            ]
        );
        assert_eq!(found[0].time.to_text(), "2018-04-06T05:00:00Z");
        assert_eq!(found[0].error, None);
    }
}
