//! What `top_count_keys` needs of the events that a rule has seen.

use super::{Aggregation, Due};
use crate::config::Properties;
use crate::event::Document;
use serde_json::Value;
use std::time::Duration;

/// How long around a match events are counted (`elastalert.ElastAlerter.send_alert`), without a `timeframe`.
const AROUND: Duration = Duration::from_secs(600);
/// How long matches may wait for an aggregation with a `schedule`, as far as counting goes.
const SCHEDULED: Duration = Duration::from_secs(24 * 3600);

/// What is kept of each event to count it later.
#[derive(Debug, Clone)]
pub struct Counted {
    /// The fields, without `.keyword`.
    fields: Vec<String>,
    /// How long an event is kept.
    pub keep: Duration,
}

impl Counted {
    /// `None`: the rule counts nothing.
    pub(super) fn of(properties: &Properties, aggregation: Option<&Aggregation>) -> Option<Self> {
        let keys = properties.texts("top_count_keys");
        if keys.is_empty() {
            return None;
        }
        let timeframe = properties.duration("timeframe").unwrap_or(AROUND);
        // The match is counted around when the alert is sent.
        let waits = match aggregation.map(|aggregation| &aggregation.due) {
            Some(Due::After(period)) => *period,
            Some(Due::Schedule(_)) => SCHEDULED,
            None => Duration::ZERO,
        };
        // Before the match of a flatline lie two timeframes.
        let keep = timeframe
            .saturating_mul(2)
            .saturating_add(AROUND)
            .saturating_add(waits);
        let fields = keys.into_iter().chain(properties.texts("query_key"));
        Some(Self {
            fields: fields
                .map(|field| field.strip_suffix(".keyword").unwrap_or(&field).to_owned())
                .collect(),
            keep,
        })
    }

    /// What of an event is kept: the fields to count, and those that tell whose event it is.
    pub fn pick(&self, event: &Document) -> Document {
        let fields: Vec<&str> = self.fields.iter().map(String::as_str).collect();
        pick(event, &fields)
    }
}

/// Names may be dotted or nested, as Elasticsearch takes them.
fn pick(object: &Document, fields: &[&str]) -> Document {
    let picked = |(name, value): (&String, &Value)| {
        if fields.contains(&name.as_str()) {
            return Some((name.clone(), value.clone()));
        }
        let inside: Vec<&str> = fields
            .iter()
            .filter_map(|field| field.strip_prefix(name.as_str())?.strip_prefix('.'))
            .collect();
        let value = inside_of(value, &inside)?;
        Some((name.clone(), value))
    };
    object.iter().filter_map(picked).collect()
}

fn inside_of(value: &Value, fields: &[&str]) -> Option<Value> {
    match value {
        Value::Object(members) if !fields.is_empty() => Some(Value::Object(pick(members, fields))),
        Value::Array(items) if !fields.is_empty() => Some(
            items
                .iter()
                .filter_map(|item| inside_of(item, fields))
                .collect(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_counted_is_kept() {
        let counted = Counted {
            fields: ["a.b", "c", "l.x"].map(str::to_owned).to_vec(),
            keep: AROUND,
        };
        let event = serde_json::json!({
            "a": {"b": 1, "other": 2}, "a.b": 3, "c": [4], "l": [{"x": 5, "y": 6}, 7], "z": 8
        });
        let kept = counted.pick(event.as_object().unwrap());
        let expected = serde_json::json!({"a": {"b": 1}, "a.b": 3, "c": [4], "l": [{"x": 5}]});
        assert_eq!(Value::Object(kept), expected);
    }
}
