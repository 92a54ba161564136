//! What enters the windows of `frequency`, `spike` and `flatline`: events, or what `use_count_query` and `use_terms_query` make of them.
//!
//! A polling program may ask how many events there were instead of which. Looked at event by event, the answer to a count query is 1, now; the answer
//! to a terms query is 1, now, for each value of the event's `query_key`. The events themselves are never seen.

use crate::config::{Kind, OptionSpec, Problem, Properties, opt};
use crate::event::{Document, EventTime, Field, FieldPath, RawEvent, Timestamp};
use crate::rule::{Common, Hit, Key, Observed, QueryKey, Sample, Verdict};
use serde_json::Value;
use std::sync::Arc;

pub(super) const COUNT_QUERY: OptionSpec = opt("use_count_query")
    .bool()
    .default("false")
    .doc("Look at the number of events only: query_key is not looked at, and matches carry the time alone.");
pub(super) const TERMS_QUERY: OptionSpec = opt("use_terms_query")
    .bool()
    .default("false")
    .doc("Look at the number of events per value of query_key only: matches carry the time and the value.");
pub(super) const TERMS_SIZE: OptionSpec = opt("terms_size")
    .int()
    .no_effect("every event is looked at, so no value of query_key is ever left out")
    .doc("How many values of query_key a terms query asks for.");
pub(super) const MIN_DOC_COUNT: OptionSpec = opt("min_doc_count")
    .may_be_empty()
    .int()
    .no_effect("every event is looked at, so a value of query_key counts from its first event on")
    .doc("How many events a value of query_key needs to be in a terms query's answer.");
pub(super) const DOC_TYPE: OptionSpec = opt("doc_type")
    .kind(Kind::Any)
    .no_effect("Elasticsearch 7 did away with document types")
    .doc("The document type to ask for.");

/// What enters the windows.
#[derive(Debug)]
pub(super) struct Source {
    mode: Mode,
    query_key: Option<QueryKey>,
    fields: Vec<FieldPath>,
    time_name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Events,
    Counts,
    Terms,
}

/// One thing that enters a window.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) key: &'a Key,
    pub(super) time: EventTime,
    pub(super) event: Option<&'a Arc<RawEvent>>,
}

impl Source {
    /// Reads the options.
    pub(super) fn load(properties: &Properties, common: &Common) -> Result<Self, Vec<Problem>> {
        let mode = if properties.bool("use_count_query") == Some(true) {
            Mode::Counts
        } else if properties.bool("use_terms_query") == Some(true) {
            Mode::Terms
        } else {
            Mode::Events
        };
        let fields = match (mode, &common.query_key) {
            (Mode::Terms, None) => {
                let message = "use_terms_query needs query_key: the field whose values are counted";
                return Err(vec![Problem::error("E0421", &common.span, message)]);
            }
            (Mode::Counts, _) | (_, None) => Vec::new(),
            (Mode::Terms, Some(key)) => vec![FieldPath::new(&key.name)],
            (Mode::Events, Some(key)) => key.fields.clone(),
        };
        Ok(Self {
            mode,
            query_key: common.query_key.clone(),
            fields,
            time_name: common.time.path.as_str().to_owned(),
        })
    }

    /// The fields it looks at: first those of the key.
    pub(super) fn fields(&self) -> &[FieldPath] {
        &self.fields
    }

    /// Whether matches print events.
    pub(super) fn has_events(&self) -> bool {
        self.mode == Mode::Events
    }

    /// Whether windows are told apart by a key.
    pub(super) fn is_keyed(&self) -> bool {
        self.query_key.is_some() && self.mode != Mode::Counts
    }

    /// Whether the rule has a `query_key`, looked at or not.
    pub(super) fn has_query_key(&self) -> bool {
        self.query_key.is_some()
    }

    /// What is needed of an event.
    pub(super) fn sample(&self, event: &Observed<'_>) -> Verdict {
        Verdict::Sample(match (self.mode, &self.query_key) {
            (Mode::Terms, _) => {
                let values = elements(event.fields.field(0));
                if values.is_empty() {
                    return Verdict::Nothing;
                }
                Sample {
                    key: Key::All,
                    values,
                }
            }
            (Mode::Events, Some(key)) => Sample {
                key: key.value(event.fields),
                values: Vec::new(),
            },
            (Mode::Counts, _) | (Mode::Events, None) => Sample::default(),
        })
    }

    /// Calls with what an event puts into windows.
    pub(super) fn each_entry(&self, hit: &Hit, now: EventTime, mut each: impl FnMut(Entry<'_>)) {
        let mut bare = |key: &Key| {
            each(Entry {
                key,
                time: now,
                event: None,
            });
        };
        match self.mode {
            Mode::Events => each(Entry {
                key: &hit.sample.key,
                time: hit.time,
                event: hit.event.as_ref(),
            }),
            Mode::Counts => bare(&Key::All),
            Mode::Terms => hit
                .sample
                .values
                .iter()
                .map(Key::from)
                .for_each(|key| bare(&key)),
        }
    }

    /// The document of an entry without an event: the time and, with keys, the key.
    pub(super) fn document(&self, key: &Key, time: EventTime) -> Document {
        let mut document = self.time_document(time);
        if let Some(query_key) = self.query_key.as_ref().filter(|_| self.is_keyed()) {
            document.insert(query_key.name.clone(), key.to_value());
        }
        document
    }

    /// The same as one of `related_events`: what ElastAlert leaves an instant JSON prints in Python's form.
    pub(super) fn related(&self, key: &Key, time: EventTime) -> Value {
        let mut document = self.document(key, time);
        let time = Value::from(timestamp(time).isoformat());
        document.insert(self.time_name.clone(), time);
        Value::Object(document)
    }

    /// A document with nothing but a time.
    pub(super) fn time_document(&self, time: EventTime) -> Document {
        time_document(&self.time_name, time)
    }
}

/// A document with nothing but a time, as [`crate::rule::Rule::match_document`] writes times.
pub(super) fn time_document(name: &str, time: EventTime) -> Document {
    let time = Value::from(timestamp(time).to_text());
    Document::from_iter([(name.to_owned(), time)])
}

fn timestamp(time: EventTime) -> Timestamp {
    Timestamp {
        micros: time.0,
        offset_seconds: 0,
    }
}

/// The values of a field as aggregations in Elasticsearch see them: a list's elements, each once, without nulls and objects.
pub(super) fn elements(field: Field<'_>) -> Vec<Value> {
    let mut found = Vec::new();
    collect(field.to_value(), &mut found);
    found
}

fn collect(value: Value, found: &mut Vec<Value>) {
    match value {
        Value::Null | Value::Object(_) => {}
        Value::Array(items) => items.into_iter().for_each(|item| collect(item, found)),
        scalar => {
            let key = Key::from(&scalar);
            if !found.iter().any(|other| Key::from(other) == key) {
                found.push(scalar);
            }
        }
    }
}
