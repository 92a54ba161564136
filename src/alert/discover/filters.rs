//! The filters a link opens the page with: the rule's own, and one per query key.

use super::{Discover, Product};
use crate::alert::lookup::ArgumentPath;
use crate::config::Properties;
use crate::event::dumps::Dumps;
use crate::event::{Document, python};
use serde_json::{Value, json};

impl Discover {
    /// The rule's filter as the program shows it.
    pub(super) fn rule_filter(&self, filter: &Value) -> Value {
        let must = json!({ "must": filter });
        let (key, shown) = match self.product {
            Product::Kibana => ("bool", must.clone()),
            Product::OpenSearch => ("query", json!({ "bool": must })),
        };
        let mut out = json!({
            "$state": {"store": "appState"},
            "meta": {
                "alias": "filter",
                "disabled": false,
                "index": self.index,
                "key": key,
                "negate": false,
                "type": "custom",
                "value": COMPACT.to_text(&shown),
            },
        });
        if let Some(members) = out.as_object_mut() {
            members.insert(key.to_owned(), if key == "bool" { must } else { shown });
        }
        out
    }

    /// A filter for the match's own value of a query key.
    pub(super) fn key_filter(&self, key: &ArgumentPath, matched: &Document) -> Value {
        let value = key.get(matched).ok().flatten();
        let value = match self.product {
            Product::Kibana => value.and_then(|value| normalised(&value)),
            Product::OpenSearch => value.map(std::borrow::Cow::into_owned),
        };
        let key = key.as_str();
        let Some(value) = value else {
            let mut meta = json!({
                "alias": null,
                "disabled": false,
                "index": self.index,
                "key": key,
                "negate": true,
                "type": "exists",
                "value": "exists",
            });
            if self.product == Product::OpenSearch
                && let Some(members) = meta.as_object_mut()
            {
                members.insert("view".to_owned(), "discover".into());
            }
            return json!({"$state": {"store": "appState"}, "exists": {"field": key}, "meta": meta});
        };
        let phrase = json!({"query": value, "type": "phrase"});
        json!({
            "$state": {"store": "appState"},
            "meta": {
                "alias": null,
                "disabled": false,
                "index": self.index,
                "key": key,
                "negate": false,
                "params": phrase,
                "type": "phrase",
                "value": python::str(&value),
            },
            "query": {"match": {key: phrase}},
        })
    }
}

const COMPACT: Dumps = Dumps {
    indent: None,
    sort_keys: false,
    ascii: true,
    compact: true,
};

/// The rule's filter entries, those inside `query` taken out of it; `None` when there are none.
pub(super) fn filter_of(properties: &Properties) -> Option<Value> {
    let entries = properties.get("filter")?.as_seq()?;
    let entries: Vec<Value> = entries
        .iter()
        .map(|entry| entry.get("query").unwrap_or(entry).to_value())
        .collect();
    (!entries.is_empty()).then_some(Value::Array(entries))
}

/// What Kibana's links take for a value: empty ones are absent, a list with one value is that value.
fn normalised(value: &Value) -> Option<Value> {
    let is_empty = |value: &Value| value.is_null() || value.as_str() == Some("");
    if is_empty(value) {
        return None;
    }
    let Some(items) = value.as_array() else {
        return Some(value.clone());
    };
    let full: Vec<&Value> = items.iter().filter(|item| !is_empty(item)).collect();
    match full.as_slice() {
        [] => None,
        [one] => Some((*one).clone()),
        _ => Some(value.clone()),
    }
}
