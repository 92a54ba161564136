//! What the filter fuzzers share: JSON as the loader's nodes, and one event to decide.

use serde_json::Value;
use tripline::config::{Data, Mapping as Members, Node, Span};
use tripline::event::WallTime;
use tripline::filter::{Filter, FilterEvent, Mapping};

pub fn node(value: &Value) -> Node {
    let data = match value {
        Value::Null => Data::Null,
        Value::Bool(value) => Data::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Data::Int(number),
            None => Data::Float(number.as_f64().unwrap_or(0.0)),
        },
        Value::String(text) => Data::Str(text.clone()),
        Value::Array(items) => Data::Seq(items.iter().map(node).collect()),
        Value::Object(members) => Data::Map(Members(
            members
                .iter()
                .map(|(key, value)| (node(&Value::String(key.clone())), node(value)))
                .collect(),
        )),
    };
    Node {
        data,
        span: Span::nowhere(),
    }
}

/// Loads a filter and, if that works, decides and explains an event with it.
pub fn run(filter: &Value, document: &str) {
    let Ok(document) = serde_json::from_str(document) else {
        return;
    };
    for mapping in [Mapping::dynamic(), Mapping::logstash()] {
        let Ok(filter) = Filter::load(&[node(filter)], &mapping) else {
            continue;
        };
        let event = FilterEvent {
            document: &document,
            index: Some("logs"),
            id: Some("1"),
            now: WallTime(1_714_903_200_000_000),
        };
        assert_eq!(filter.matches(&event), filter.explain(&event).matched());
    }
}
