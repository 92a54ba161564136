//! `top_count_keys`: the values seen most often around a match.

use super::lookup::ArgumentPath;
use crate::config::{OptionSpec, Properties, opt};
use crate::event::{Document, EventTime, python};
use crate::rule::Rule;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const OPTIONS: &[OptionSpec] = &[
    opt("top_count_keys")
        .names_fields()
        .kind(crate::config::Kind::List(&crate::config::Kind::Str))
        .doc("Fields whose most frequent values are added to every match."),
    opt("top_count_number")
        .int()
        .default("5")
        .doc("How many values of each field are listed."),
    opt("raw_count_keys")
        .bool()
        .default("true")
        .doc("Count the field's .keyword, that is, whole texts only."),
];

/// Members with this prefix hold top counts.
pub(super) const PREFIX: &str = "top_events_";

/// Elasticsearch does not index longer texts as keywords.
const KEYWORD_LENGTH: usize = 256;

/// Documents to count: those a rule has seen lately.
pub trait TopCounts {
    /// Shows every document of the rule's index that passes the rule's filter and has a time after `after` and not later than `until`.
    fn visit(
        &self,
        rule: &Rule,
        after: EventTime,
        until: EventTime,
        visitor: &mut dyn FnMut(&Document),
    );
}

/// A rule's top counts.
#[derive(Debug)]
pub(super) struct Counting {
    /// The fields, as counted and as named.
    keys: Vec<String>,
    number: usize,
    before: Duration,
    /// `query_key`: only documents with the match's own values are counted.
    own: Vec<ArgumentPath>,
}

/// How long after a match events are counted, and before it when the rule has no `timeframe`.
const AROUND: Duration = Duration::from_secs(600);

impl Counting {
    /// The rule's top counts; `None` without `top_count_keys`.
    pub(super) fn new(properties: &Properties) -> Option<Self> {
        let keyword = properties.bool("raw_count_keys").unwrap_or(true);
        let keys: Vec<String> = properties
            .texts("top_count_keys")
            .into_iter()
            .map(|key| {
                if keyword && !key.ends_with(".keyword") {
                    key + ".keyword"
                } else {
                    key
                }
            })
            .collect();
        if keys.is_empty() {
            return None;
        }
        let timeframe = properties.duration("timeframe").unwrap_or(AROUND);
        // Before a flatline match there was little to count.
        let flatline = properties.text("type").as_deref() == Some("flatline");
        Some(Self {
            keys,
            number: properties
                .int("top_count_number")
                .and_then(|number| usize::try_from(number).ok())
                .filter(|number| *number > 0)
                .unwrap_or(5),
            before: timeframe * if flatline { 2 } else { 1 },
            own: properties
                .texts("query_key")
                .iter()
                .map(|key| ArgumentPath::new(key))
                .collect(),
        })
    }

    /// Adds the counts to a match.
    pub(super) fn add(
        &self,
        rule: &Rule,
        matched: &mut Document,
        documents: &dyn TopCounts,
    ) -> Result<(), String> {
        let time = rule
            .match_time(matched)
            .ok_or_else(|| format!("no top counts: the match has no time in {}", rule.time.path))?
            .event_time();
        let own: Vec<(&ArgumentPath, Value)> = self
            .own
            .iter()
            .filter_map(|key| Some((key, key.get(matched).ok()??.into_owned())))
            .collect();
        let mut counts = vec![BTreeMap::<String, u64>::new(); self.keys.len()];
        documents.visit(
            rule,
            time.minus(self.before),
            time.plus(AROUND),
            &mut |document| {
                let same = own
                    .iter()
                    .all(|(key, value)| has_term(document, key.as_str(), value));
                if !same {
                    return;
                }
                for (key, counts) in self.keys.iter().zip(&mut counts) {
                    for term in terms(document, key) {
                        *counts.entry(term).or_default() += 1;
                    }
                }
            },
        );
        for (key, counts) in self.keys.iter().zip(counts) {
            let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
            counts.sort_by_key(|(_, count)| Reverse(*count));
            counts.truncate(self.number);
            let counts: Document = counts
                .into_iter()
                .map(|(term, count)| (term, Value::from(count)))
                .collect();
            matched.insert(format!("{PREFIX}{key}"), Value::Object(counts));
        }
        Ok(())
    }
}

/// The terms of a field in one document, each once. `name.keyword` has the texts of `name`; a plain name also has numbers and booleans.
fn terms(document: &Document, key: &str) -> Vec<String> {
    let (path, keyword) = match key.strip_suffix(".keyword") {
        Some(path) => (path, true),
        None => (key, false),
    };
    let mut terms: Vec<String> = Vec::new();
    collect(document, path, &mut |value| {
        let term = match value {
            Value::String(text) if !keyword || text.chars().count() <= KEYWORD_LENGTH => {
                text.clone()
            }
            Value::Number(_) | Value::Bool(_) if !keyword => python::str(value),
            _ => return,
        };
        if !terms.contains(&term) {
            terms.push(term);
        }
    });
    terms
}

fn has_term(document: &Document, path: &str, wanted: &Value) -> bool {
    let mut found = false;
    let path = path.strip_suffix(".keyword").unwrap_or(path);
    collect(document, path, &mut |value| {
        found |= python::str(value) == python::str(wanted);
    });
    found
}

/// Visits the values of a field as Elasticsearch indexes them: through lists, and whether names are dotted or nested.
fn collect(object: &Document, path: &str, visitor: &mut dyn FnMut(&Value)) {
    for (name, value) in object {
        if name == path {
            leaves(value, &mut |value| visitor(value));
        } else if let Some(rest) = path
            .strip_prefix(name.as_str())
            .and_then(|rest| rest.strip_prefix('.'))
        {
            leaves(value, &mut |value| {
                if let Value::Object(members) = value {
                    collect(members, rest, visitor);
                }
            });
        }
    }
}

fn leaves(value: &Value, visitor: &mut dyn FnMut(&Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(item, visitor)),
        other => visitor(other),
    }
}
