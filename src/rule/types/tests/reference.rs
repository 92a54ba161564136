//! The rule types once more, from their description in ElastAlert's documentation: every event is kept, and all is computed anew each time. Slow, and
//! easy to compare with what is written there.

mod aggregation;
mod plain;
mod window;

use crate::event::{Document, EventTime, Timestamp, python};
use serde_json::{Value, json};

pub(super) const SECOND: i64 = 1_000_000;

/// What a reference puts out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// The event that stands for the match; `None`: only what was added.
    pub(super) event: Option<usize>,
    pub(super) added: Document,
    pub(super) related: Vec<usize>,
}

impl Found {
    fn new(event: Option<usize>, added: Document) -> Self {
        Self {
            event,
            added,
            related: Vec::new(),
        }
    }
}

/// An event as a reference sees it.
pub(super) struct Seen<'a> {
    pub(super) id: usize,
    pub(super) time: i64,
    pub(super) members: &'a Value,
    /// Whether the second filter holds.
    pub(super) inner: bool,
}

impl Seen<'_> {
    fn field(&self, path: &str) -> Value {
        let mut value = self.members;
        for name in path.split('.') {
            value = match value.get(name) {
                Some(value) => value,
                None => return Value::Null,
            };
        }
        value.clone()
    }

    /// What is compared of a key: `None` stands for itself, lists and objects for their text.
    fn key(&self, query_key: &[String]) -> Value {
        let text = |value: &Value| Value::from(python::str(value));
        match query_key {
            [] => json!("all"),
            [one] => match self.field(one) {
                list @ (Value::Array(_) | Value::Object(_)) => text(&list),
                value => value,
            },
            parts => {
                let parts = parts.iter().map(|part| python::str(&self.field(part)));
                Value::from(parts.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

pub(super) trait Reference {
    fn event(&mut self, event: &Seen<'_>, now: i64) -> Vec<Found>;
    fn tick(&mut self, now: i64) -> Vec<Found>;
    /// How many keys and events it holds at most, of those that matter still.
    fn alive(&self) -> (usize, usize);
}

/// The reference for a rule with these options.
pub(super) fn of(options: &Document) -> Box<dyn Reference> {
    let rule = Options(options.clone());
    match rule.text("type").as_str() {
        "any" | "blacklist" | "whitelist" => Box::new(plain::Alone(rule)),
        "change" => Box::new(plain::Change::new(rule)),
        "new_term" => Box::new(plain::NewTerm::new(rule)),
        "cardinality" => Box::new(plain::Cardinality::new(rule)),
        "frequency" => Box::new(window::Frequency::new(rule)),
        "flatline" => Box::new(window::Flatline::new(rule)),
        "spike" => Box::new(window::Spike::new(rule)),
        "metric_aggregation" | "percentage_match" => Box::new(aggregation::Violation::new(rule)),
        "spike_aggregation" => Box::new(aggregation::SpikeAggregation::new(rule)),
        other => unreachable!("{other}"),
    }
}

/// A rule's options, read as they are.
#[derive(Clone)]
struct Options(Document);

impl Options {
    fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    fn text(&self, name: &str) -> String {
        self.get(name).as_str().unwrap_or_default().to_owned()
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name) == &json!(true)
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.get(name).as_f64()
    }

    /// In microseconds.
    fn seconds(&self, name: &str) -> Option<i64> {
        Some(self.get(name).get("seconds")?.as_i64()? * SECOND)
    }

    fn timeframe(&self) -> i64 {
        self.seconds("timeframe").unwrap()
    }

    /// One text or several.
    fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Value::String(one) => vec![one.clone()],
            Value::Array(several) => several.iter().map(python::str).collect(),
            _ => Vec::new(),
        }
    }

    fn query_key(&self) -> Vec<String> {
        self.texts("query_key")
    }

    /// The name under which a match carries the key.
    fn key_name(&self) -> String {
        self.query_key().join(",")
    }
}

/// Values that Python takes for the same have the same.
fn same(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => format!("number {}", number(value).unwrap()),
        Value::String(text) => format!("text {text}"),
        Value::Array(_) | Value::Object(_) => format!("list {}", python::str(value)),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        value => value.as_f64(),
    }
}

fn time_text(time: i64) -> Value {
    Value::from(timestamp(time).to_text())
}

fn instant_text(time: i64) -> Value {
    Value::from(timestamp(time).isoformat())
}

fn timestamp(time: i64) -> Timestamp {
    Timestamp {
        micros: EventTime(time).0,
        offset_seconds: 0,
    }
}

fn document<const N: usize>(members: [(&str, Value); N]) -> Document {
    let members = members.into_iter();
    members
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The values of a field as an index has them.
fn elements(value: Value) -> Vec<Value> {
    match value {
        Value::Null | Value::Object(_) => Vec::new(),
        Value::Array(items) => items.into_iter().flat_map(elements).collect(),
        one => vec![one],
    }
}
