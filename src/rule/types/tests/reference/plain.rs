//! Types that look at values and not at windows of events.

use super::{Found, Options, Reference, Seen, document, elements, same, time_text};
use crate::event::{Document, python};
use indexmap::IndexMap;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// any, blacklist, whitelist.
pub(super) struct Alone(pub(super) Options);

impl Reference for Alone {
    fn event(&mut self, event: &Seen<'_>, _: i64) -> Vec<Found> {
        let rule = &self.0;
        let value = event.field(&rule.text("compare_key"));
        let listed = |name| rule.texts(name).iter().any(|entry| value == **entry);
        let matches = match rule.text("type").as_str() {
            "any" => true,
            "blacklist" => listed("blacklist"),
            _ if value.is_null() => !rule.flag("ignore_null"),
            _ => !listed("whitelist"),
        };
        let found = matches.then(|| Found::new(Some(event.id), Document::new()));
        found.into_iter().collect()
    }

    fn tick(&mut self, _: i64) -> Vec<Found> {
        Vec::new()
    }

    fn alive(&self) -> (usize, usize) {
        (0, 0)
    }
}

pub(super) struct Change {
    rule: Options,
    last: BTreeMap<String, (i64, Vec<Value>)>,
}

impl Change {
    pub(super) fn new(rule: Options) -> Self {
        let last = BTreeMap::new();
        Self { rule, last }
    }
}

impl Reference for Change {
    fn event(&mut self, event: &Seen<'_>, _: i64) -> Vec<Found> {
        let compared = self.rule.texts("compare_key");
        let values: Vec<Value> = compared.iter().map(|field| event.field(field)).collect();
        let empty = |value: &Value| !value.is_boolean() && !python::is_truthy(value);
        if self.rule.flag("ignore_null") && values.iter().any(empty) {
            return Vec::new();
        }
        let key = same(&event.key(&self.rule.query_key()));
        let Some((time, old)) = self.last.insert(key, (event.time, values.clone())) else {
            return Vec::new();
        };
        let all = |values: &[Value]| values.iter().map(same).collect::<Vec<_>>();
        let timeframe = self.rule.seconds("timeframe").unwrap_or(i64::MAX);
        if all(&old) == all(&values) || event.time - time > timeframe {
            return Vec::new();
        }
        let (old, new) = (Value::from(old), Value::from(values));
        let added = document([("old_value", old), ("new_value", new)]);
        vec![Found::new(Some(event.id), added)]
    }

    fn tick(&mut self, _: i64) -> Vec<Found> {
        Vec::new()
    }

    fn alive(&self) -> (usize, usize) {
        (self.last.len(), 0)
    }
}

pub(super) struct NewTerm {
    rule: Options,
    /// Each with its name in a match, and the fields it is made of.
    terms: Vec<(Value, Vec<String>)>,
    known: BTreeSet<(usize, Vec<String>)>,
}

impl NewTerm {
    pub(super) fn new(rule: Options) -> Self {
        let term = |name: &Value| match name {
            Value::Array(parts) => (name.clone(), parts.iter().map(python::str).collect()),
            one => (one.clone(), vec![python::str(one)]),
        };
        let terms = match rule.get("fields") {
            Value::Null => Vec::new(),
            Value::Array(fields) => fields.iter().map(term).collect(),
            field => vec![term(field)],
        };
        let known = BTreeSet::new();
        Self { rule, terms, known }
    }
}

impl Reference for NewTerm {
    fn event(&mut self, event: &Seen<'_>, now: i64) -> Vec<Found> {
        let key = self.rule.query_key();
        if self.rule.flag("use_terms_query") {
            let name = key.join(",");
            let mut found = Vec::new();
            for value in elements(event.field(&name)) {
                if self.known.insert((0, vec![same(&value)])) {
                    let added = document([
                        ("@timestamp", time_text(now)),
                        ("new_field", Value::from(name.as_str())),
                        (&name, value),
                    ]);
                    found.push(Found::new(None, added));
                }
            }
            return found;
        }
        let mut found = Vec::new();
        let mut added = Document::new();
        let whole_key = self.terms.is_empty();
        let mut tried: Vec<(Value, Vec<Value>)> = Vec::new();
        if whole_key {
            let value = match key.as_slice() {
                [one] => event.field(one),
                parts => event.key(parts),
            };
            tried.push((Value::from(key.join(",")), vec![value]));
        }
        for (name, fields) in &self.terms {
            let values = fields.iter().map(|field| event.field(field)).collect();
            tried.push((name.clone(), values));
        }
        for (at, (name, values)) in tried.into_iter().enumerate() {
            let what = if !values.iter().all(python::is_truthy) {
                self.rule
                    .flag("alert_on_missing_field")
                    .then_some("missing_field")
            } else {
                let is_new = self.known.insert((at, values.iter().map(same).collect()));
                is_new.then_some("new_field")
            };
            if let Some(what) = what {
                added.insert(what.to_owned(), name);
                found.push(Found::new(Some(event.id), added.clone()));
            }
        }
        found
    }

    fn tick(&mut self, _: i64) -> Vec<Found> {
        Vec::new()
    }

    fn alive(&self) -> (usize, usize) {
        (self.known.len(), 0)
    }
}

/// A key's values with the times they had last, its first time, and itself.
type Values = (BTreeMap<String, i64>, Option<i64>, Value);

pub(super) struct Cardinality {
    rule: Options,
    keys: IndexMap<String, Values>,
}

impl Cardinality {
    pub(super) fn new(rule: Options) -> Self {
        let keys = IndexMap::new();
        Self { rule, keys }
    }

    fn is_suspicious(&self, key: &str, now: i64) -> bool {
        let (values, first, _) = &self.keys[key];
        #[expect(clippy::cast_precision_loss, reason = "a few values")]
        let count = values.len() as f64;
        let elapsed = now - first.unwrap_or(now) > self.rule.timeframe();
        let max = self.rule.number("max_cardinality");
        let min = self.rule.number("min_cardinality");
        max.is_some_and(|max| count > max) || min.is_some_and(|min| count < min && elapsed)
    }

    fn clean(&mut self, now: i64) -> Vec<Found> {
        let timeframe = self.rule.timeframe();
        let mut found = Vec::new();
        for key in self.keys.keys().cloned().collect::<Vec<_>>() {
            let (values, _, shown) = &mut self.keys[&key];
            values.retain(|_, time| now - *time <= timeframe);
            let mut added = document([("@timestamp", time_text(now))]);
            if !self.rule.query_key().is_empty() {
                added.insert(self.rule.key_name(), shown.clone());
            }
            if self.rule.number("min_cardinality").is_some() && self.is_suspicious(&key, now) {
                self.keys[&key].1 = None;
                found.push(Found::new(None, added));
            }
        }
        found
    }
}

impl Reference for Cardinality {
    fn event(&mut self, event: &Seen<'_>, _: i64) -> Vec<Found> {
        let shown = event.key(&self.rule.query_key());
        let key = same(&shown);
        let new = || (BTreeMap::new(), None, shown);
        let (values, first, _) = self.keys.entry(key.clone()).or_insert_with(new);
        first.get_or_insert(event.time);
        let value = match event.field(&self.rule.text("cardinality_field")) {
            Value::Null => return Vec::new(),
            list @ (Value::Array(_) | Value::Object(_)) => Value::from(python::str(&list)),
            value => value,
        };
        values.insert(same(&value), event.time);
        if !self.is_suspicious(&key, event.time) {
            return Vec::new();
        }
        let mut found = self.clean(event.time);
        if self.is_suspicious(&key, event.time) {
            self.keys[&key].1 = None;
            found.push(Found::new(Some(event.id), Document::new()));
        }
        found
    }

    fn tick(&mut self, now: i64) -> Vec<Found> {
        self.clean(now)
    }

    fn alive(&self) -> (usize, usize) {
        let values: usize = self.keys.values().map(|(values, ..)| values.len()).sum();
        // A value takes as much memory as a key.
        (self.keys.len() + values, values)
    }
}
