//! `change`: a match when the values of some fields differ from those of the key's last event.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#change>. Each rule has its own memory; ElastAlert's change rules share part of theirs.

use super::keyed::Keyed;
use super::size;
use crate::config::{Problem, Properties, opt};
use crate::event::{Document, EventTime, FieldPath, python};
use crate::rule::{
    Built, Common, Hit, Match, Observed, Part, QueryKey, RuleState, RuleType, RuleTypeEntry,
    Sample, StateSize, Verdict, Wanted, WindowView, saved,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

pub(super) const ENTRY: RuleTypeEntry = RuleTypeEntry {
    name: "change",
    doc: "Matches when a field changes between two events of the same key.",
    options: &[
        opt("compare_key")
            .names_fields()
            .texts()
            .required()
            .doc("The fields whose values are compared with those of the key's last event."),
        opt("ignore_null")
            .bool()
            .required()
            .doc("Whether events where one of the fields is missing or empty are passed over; 0 counts as empty."),
        opt("timeframe")
            .duration()
            .doc("How much time may lie between the two events at most; without it, any."),
    ],
    build,
    advice: super::no_advice,
};

#[derive(Debug)]
struct Change {
    query_key: QueryKey,
    /// The key's fields, then the compared ones.
    fields: Vec<FieldPath>,
    ignore_null: bool,
    timeframe: Option<Duration>,
}

fn build(properties: &Properties, common: &Common) -> Built {
    let compared = properties.texts("compare_key");
    let problem = |message: &str| Problem::error("E0422", &common.span, message);
    let mut problems = Vec::new();
    if common.query_key.is_none() {
        problems.push(
            problem("change needs query_key: whose values are compared with each other")
                .help("name the field that tells apart what changes, such as user or host"),
        );
    }
    if compared.is_empty() {
        problems.push(problem("change needs compare_key: the field that changes"));
    }
    let Some(ignore_null) = properties.bool("ignore_null") else {
        let help = "ignore_null: true passes over events without the field, ignore_null: false compares them too";
        problems.push(problem("change needs ignore_null").help(help));
        return Err(problems);
    };
    match &common.query_key {
        Some(query_key) if problems.is_empty() => {
            let compared = compared.iter().map(FieldPath::new);
            Ok(Arc::new(Change {
                fields: query_key.fields.iter().cloned().chain(compared).collect(),
                query_key: query_key.clone(),
                ignore_null,
                timeframe: common.timeframe,
            }))
        }
        _ => Err(problems),
    }
}

impl RuleType for Change {
    fn fields(&self) -> &[FieldPath] {
        &self.fields
    }

    fn sample(&self, event: &Observed<'_>) -> Verdict {
        let compared = self.query_key.fields.len()..self.fields.len();
        let values: Vec<Value> = compared
            .map(|position| event.fields.field(position).to_value())
            .collect();
        let is_empty = |value: &Value| !value.is_boolean() && !python::is_truthy(value);
        if self.ignore_null && values.iter().any(is_empty) {
            return Verdict::Nothing;
        }
        Verdict::Sample(Sample {
            key: self.query_key.value(event.fields),
            values,
        })
    }

    fn state(&self) -> Box<dyn RuleState> {
        Box::new(State {
            timeframe: self.timeframe,
            cells: Keyed::default(),
        })
    }
}

struct State {
    timeframe: Option<Duration>,
    cells: Keyed<Last>,
}

/// A key's last event.
#[derive(Serialize, Deserialize)]
struct Last {
    time: EventTime,
    /// A list of the values as JSON: there may be millions of keys, and values take several times as much memory.
    values: Box<str>,
}

impl RuleState for State {
    fn add(&mut self, hit: &Hit, _: EventTime, _: &mut Part, out: &mut Vec<Match>) -> bool {
        let values = hit.sample.values.as_slice();
        let written = serde_json::to_string(values).unwrap_or_default();
        let now = Last {
            time: hit.time,
            // Copied: what was written into is larger, and cutting it down would leave holes in memory.
            values: written.as_str().into(),
        };
        let Some(slot) = self.cells.find(&hit.sample.key) else {
            self.cells.add_new(hit.sample.key.clone(), now);
            return true;
        };
        let Some(cell) = self.cells.cell(slot) else {
            return true;
        };
        let is_as_written = cell.values == now.values;
        let last = std::mem::replace(cell, now);
        let in_time = self
            .timeframe
            .is_none_or(|timeframe| hit.time <= last.time.plus(timeframe));
        if is_as_written || !in_time {
            return true;
        }
        let last: Vec<Value> = serde_json::from_str(&last.values).unwrap_or_default();
        let is_same =
            last.len() == values.len() && last.iter().zip(values).all(|(a, b)| python::equal(a, b));
        if !is_same {
            let added = Document::from_iter([
                ("old_value".to_owned(), Value::Array(last)),
                ("new_value".to_owned(), Value::from(values)),
            ]);
            out.push(Match::of_event(hit.event.as_ref(), added));
        }
        true
    }

    fn tick(&mut self, _: EventTime, _: &mut Part, _: &mut Vec<Match>) {}

    fn save(&self) -> Vec<u8> {
        saved::save(2, &self.cells)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        self.cells = saved::load(2, saved)?;
        Ok(())
    }

    fn views(&self, wanted: &Wanted<'_>) -> Vec<WindowView> {
        let cells = self.cells.wanted(wanted).into_iter();
        cells
            .map(|(key, last)| {
                let values: Vec<Value> = serde_json::from_str(&last.values).unwrap_or_default();
                let values: Vec<String> = values.iter().map(Value::to_string).collect();
                let says = format!("last was {}; another value matches", values.join(", "));
                WindowView {
                    oldest: Some(last.time),
                    newest: Some(last.time),
                    expires: self.timeframe.map(|timeframe| last.time.plus(timeframe)),
                    ..WindowView::new(key, 1, says)
                }
            })
            .collect()
    }

    fn judge_like(&mut self, empty: &dyn RuleState) {
        if let Some(empty) = empty.as_type::<Self>() {
            self.timeframe = empty.timeframe;
        }
    }

    fn size(&self) -> StateSize {
        size(self.cells.len(), 0)
    }
}
