//! The writeback documents, field by field as ElastAlert writes them.

use super::failing::guarded;
use super::program::ProgramRule;
use super::{
    AlertId, Counts, Effect, Engine, Index, NOTICES, Op, Options, Outcome, PendingAlert, Record,
    Write,
};
use crate::event::time::parse_iso;
use crate::event::{Document, WallTime};
use crate::rule::Rule;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

impl Options {
    /// The id of the alert with this number: unique across restarts and stores.
    pub(super) fn alert_id(&self, number: u64) -> AlertId {
        AlertId(format!("{}-{number:x}", self.instance).into())
    }
}

/// The id of the document for the match at a position of an alert.
pub(super) fn document_id(alert: &AlertId, position: usize) -> Arc<str> {
    match position {
        0 => Arc::clone(&alert.0),
        n => format!("{}-{n}", alert.0).into(),
    }
}

/// What an alert's documents say of how it went.
pub(super) struct AlertState<'a> {
    /// Whether it is of a match that waits in an aggregation.
    pub(super) waits: bool,
    pub(super) time: WallTime,
    pub(super) sent: bool,
    /// `None`: no such field.
    pub(super) exception: Option<Value>,
    pub(super) aggregation_key: Option<&'a str>,
}

impl Engine {
    /// The id of the next alert.
    pub(super) fn new_alert_id(&mut self) -> AlertId {
        let id = self.options.alert_id(self.next_alert);
        self.next_alert += 1;
        id
    }

    /// Gives a write its number, journals it, and has it done.
    pub(super) fn write(&mut self, mut write: Write, out: &mut Outcome) {
        if let Op::Put(document) = &mut write.op
            && self.options.replace_dots
        {
            *document = without_dots(std::mem::take(document));
        }
        let number = self.next_write;
        self.next_write += 1;
        out.records.push(Record::Write {
            number,
            write: write.clone(),
        });
        out.effects.push(Effect::Write(number, write));
    }

    /// An id for a document that nothing refers to.
    pub(super) fn document_id(&self, now: WallTime) -> Arc<str> {
        format!(
            "{}-w{:x}-{:x}",
            self.options.instance, self.next_write, now.0
        )
        .into()
    }

    /// The document of a match that waits in an aggregation.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one document, used once"
    )]
    pub(super) fn waiting_document(
        &self,
        entry: &ProgramRule,
        id: &AlertId,
        position: usize,
        key: Option<&str>,
        matched: &Document,
        due: WallTime,
        now: WallTime,
    ) -> Write {
        let state = AlertState {
            waits: true,
            time: due,
            sent: false,
            exception: Some(Value::Null),
            aggregation_key: key,
        };
        self.alert_document(
            Some(entry),
            &entry.rule.name,
            id,
            position,
            matched,
            &state,
            now,
        )
    }

    /// Writes the documents of an alert that has been tried.
    pub(super) fn write_alert(
        &mut self,
        alert: &PendingAlert,
        sent: bool,
        error: Option<&str>,
        now: WallTime,
        out: &mut Outcome,
    ) {
        if *alert.rule == *NOTICES {
            return;
        }
        let program = Arc::clone(&self.program);
        let entry = program.find(&alert.rule).map(|(_, entry)| entry);
        let exception = if sent {
            None
        } else {
            Some(error.map_or(Value::Null, Value::from))
        };
        let state = AlertState {
            waits: false,
            time: alert.time,
            sent,
            exception,
            aggregation_key: None,
        };
        for (position, matched) in alert.matches.iter().enumerate() {
            let write = self.alert_document(
                entry,
                &alert.rule,
                &alert.id,
                position,
                matched,
                &state,
                now,
            );
            self.write(write, out);
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one document, used once"
    )]
    pub(super) fn alert_document(
        &self,
        entry: Option<&ProgramRule>,
        rule: &str,
        id: &AlertId,
        position: usize,
        matched: &Document,
        state: &AlertState<'_>,
        now: WallTime,
    ) -> Write {
        let mut document = Document::new();
        document.insert("match_body".to_owned(), Value::Object(matched.clone()));
        document.insert("rule_name".to_owned(), rule.into());
        // An alerter that cannot say what it is must not keep the document back.
        let info = entry.and_then(|entry| {
            let matches = std::slice::from_ref(matched);
            guarded(|| entry.prepare.alert_info(&entry.rule, matches, now)).ok()
        });
        document.insert(
            "alert_info".to_owned(),
            Value::Object(info.unwrap_or_default()),
        );
        document.insert("alert_sent".to_owned(), state.sent.into());
        document.insert("alert_time".to_owned(), state.time.to_text().into());
        if let Some(entry) = entry {
            if entry.match_in_root {
                let members = matched.iter().filter(|(name, _)| !name.starts_with('_'));
                document.extend(members.map(|(name, value)| (name.clone(), value.clone())));
            }
            if self.options.add_metadata {
                add_metadata(&entry.rule, &mut document);
            }
            if let Some(time) = entry.rule.time.path.get_some(matched) {
                // A nested time is an instant in a match and a text in what comes back from the store.
                let instant = if state.waits || entry.rule.aggregation.is_none() {
                    time.as_str().and_then(parse_iso)
                } else {
                    None
                };
                let time = instant.map_or_else(|| time.clone(), |time| time.to_text().into());
                document.insert("match_time".to_owned(), time);
            }
        }
        if let Some(exception) = &state.exception {
            document.insert("alert_exception".to_owned(), exception.clone());
        }
        if position > 0 {
            document.insert("aggregate_id".to_owned(), id.0.as_ref().into());
        }
        if let Some(key) = state.aggregation_key {
            document.insert("aggregation_key".to_owned(), key.into());
        }
        document
            .entry("@timestamp")
            .or_insert_with(|| now.to_text().into());
        Write {
            index: Index::Alerts,
            id: document_id(id, position),
            op: Op::Put(document),
        }
    }

    pub(super) fn write_error_document(
        &mut self,
        rule: &str,
        message: &str,
        now: WallTime,
        out: &mut Outcome,
    ) {
        let mut document = Document::new();
        document.insert("message".to_owned(), message.into());
        document.insert("traceback".to_owned(), Value::Array(Vec::new()));
        document.insert(
            "data".to_owned(),
            Value::Object(Map::from_iter([("rule".to_owned(), rule.into())])),
        );
        document.insert("@timestamp".to_owned(), now.to_text().into());
        let id = self.document_id(now);
        self.write(
            Write {
                index: Index::Error,
                id,
                op: Op::Put(document),
            },
            out,
        );
    }

    /// The status of a rule over an interval. `time_taken` is what all rules together took.
    pub(super) fn write_status(
        &mut self,
        rule: &Rule,
        counts: Counts,
        (start, now): (WallTime, WallTime),
        busy: Duration,
        out: &mut Outcome,
    ) {
        let mut document = Document::new();
        document.insert("rule_name".to_owned(), rule.name.as_str().into());
        document.insert("endtime".to_owned(), now.to_text().into());
        document.insert("starttime".to_owned(), start.to_text().into());
        document.insert("matches".to_owned(), counts.matches.into());
        document.insert("hits".to_owned(), counts.hits.into());
        document.insert("@timestamp".to_owned(), now.to_text().into());
        document.insert("time_taken".to_owned(), busy.as_secs_f64().into());
        let id = self.document_id(now);
        self.write(
            Write {
                index: Index::Status,
                id,
                op: Op::Put(document),
            },
            out,
        );
    }
}

/// `add_metadata_alert`.
fn add_metadata(rule: &Rule, document: &mut Document) {
    for (name, default) in [
        ("category", ""),
        ("description", ""),
        ("owner", ""),
        ("priority", "2"),
    ] {
        let value = rule.options.value(name).unwrap_or_else(|| default.into());
        document.insert(name.to_owned(), value);
    }
}

/// `replace_dots_in_field_names`: dots in member names become `_`, in objects inside objects too.
fn without_dots(document: Document) -> Document {
    document
        .into_iter()
        .map(|(name, value)| {
            let value = match value {
                Value::Object(inner) => Value::Object(without_dots(inner)),
                other => other,
            };
            (name.replace('.', "_"), value)
        })
        .collect()
}
