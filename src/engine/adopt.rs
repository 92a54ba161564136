//! Taking over what another installation wrote down: silences, matches that wait in an aggregation, alerts that could not be sent.
//!
//! The documents of alerts are written anew under ids of ours, and the old ones removed, as ElastAlert does with every alert it sends.

use super::documents::AlertState;
use super::outbox::{InFlight, Progress};
use super::{
    AlertId, Engine, Index, Note, Op, Outcome, PendingAlert, ProgramRule, Record, Silence, Write,
};
use crate::event::{Document, WallTime};
use serde_json::Value;
use std::sync::Arc;

/// What was found of another installation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Silences by their keys.
    pub silences: Vec<(String, Silence)>,
    /// Alerts that were not sent, the first due first.
    pub alerts: Vec<Unsent>,
}

/// An alert that was not sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsent {
    /// The rule's name.
    pub rule: String,
    /// The value of `aggregation_key`.
    pub key: Option<String>,
    /// `alert_time`: when it is or was due.
    pub time: WallTime,
    /// Why it was not sent, if that was tried.
    pub error: Option<String>,
    /// Its matches, each with the id of its document.
    pub matches: Vec<(String, Document)>,
}

impl Engine {
    /// Takes over what was found. Of two silences under one key the one that lasts longer holds.
    pub(super) fn adopt(&mut self, found: Found, now: WallTime, out: &mut Outcome) {
        let (silences, alerts) = (found.silences.len(), found.alerts.len());
        for (key, silence) in found.silences {
            self.adopt_silence(&key, silence, out);
        }
        for unsent in found.alerts {
            // Asked late, a server tells of our own alerts too.
            let ours = |id: &str| {
                let rest = id.strip_prefix(self.options.instance.as_str());
                rest.is_some_and(|rest| rest.starts_with('-'))
            };
            if !unsent.matches.iter().any(|(id, _)| ours(id)) {
                self.adopt_alert(unsent, now, out);
            }
        }
        out.notes.push(Note::Adopted { silences, alerts });
    }

    fn adopt_alert(&mut self, unsent: Unsent, now: WallTime, out: &mut Outcome) {
        for (id, _) in &unsent.matches {
            let write = Write {
                index: Index::Alerts,
                id: id.as_str().into(),
                op: Op::Delete,
            };
            self.write(write, out);
        }
        let id = self.new_alert_id();
        let program = Arc::clone(&self.program);
        let entry = program.find(&unsent.rule).map(|(_, entry)| entry);
        match entry {
            // As elastalert2 tells them: a single match of a rule that does not aggregate was tried before.
            Some(entry) if unsent.matches.len() == 1 && entry.rule.aggregation.is_none() => {
                self.adopt_failed(entry, &id, unsent, now, out);
            }
            _ => self.adopt_group(entry, &id, unsent, now, out),
        }
    }

    /// An alert that was tried, and is to be tried again at once. Enhancements have changed its match already.
    fn adopt_failed(
        &mut self,
        entry: &ProgramRule,
        id: &AlertId,
        unsent: Unsent,
        now: WallTime,
        out: &mut Outcome,
    ) {
        let error = unsent.error.unwrap_or_default();
        let alert = Arc::new(PendingAlert {
            id: id.clone(),
            rule: unsent.rule.into(),
            matches: unsent.matches.into_iter().map(|(_, one)| one).collect(),
            time: unsent.time,
        });
        let failed = Progress::Failed {
            attempts: 1,
            next: now,
            error: error.clone(),
        };
        let alerters = vec![failed.clone(); entry.alerters.len()];
        out.records.push(Record::Opened {
            alert: Arc::clone(&alert),
            alerters: alerters.len(),
        });
        for alerter in 0..u16::try_from(alerters.len()).unwrap_or(u16::MAX) {
            self.set_progress(id, alerter, failed.clone(), out);
        }
        self.write_alert(&alert, alerters.is_empty(), Some(&error), now, out);
        if !alerters.is_empty() {
            self.outbox.insert(InFlight {
                alert,
                alerters,
                ticket: None,
            });
        }
    }

    /// Matches that wait to be sent together; of a rule that is gone, until it is back.
    fn adopt_group(
        &mut self,
        entry: Option<&ProgramRule>,
        id: &AlertId,
        unsent: Unsent,
        now: WallTime,
        out: &mut Outcome,
    ) {
        for (position, (_, document)) in unsent.matches.into_iter().enumerate() {
            let state = AlertState {
                waits: true,
                time: unsent.time,
                sent: false,
                exception: Some(unsent.error.clone().map_or(Value::Null, Value::from)),
                aggregation_key: unsent.key.as_deref(),
            };
            let write =
                self.alert_document(entry, &unsent.rule, id, position, &document, &state, now);
            self.write(write, out);
            let (rule, key) = (unsent.rule.clone(), unsent.key.clone());
            self.aggregates
                .add(id, &rule, key.clone(), unsent.time, document.clone());
            out.records.push(Record::Joined {
                id: id.clone(),
                rule,
                key,
                due: unsent.time,
                document,
            });
        }
    }
}
