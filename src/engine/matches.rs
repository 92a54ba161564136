//! What becomes of a match: silenced, aggregated, or an alert.

use super::aggregate::Join;
use super::failing::guarded;
use super::program::ProgramRule;
use super::silence::{forget_at, next_silence};
use super::{Counts, Engine, Index, Note, Op, Outcome, PendingAlert, Record, Silence, Write};
use crate::event::{Document, WallTime, python};
use crate::rule::{Match, Rule};
use serde_json::Value;
use std::sync::Arc;

impl Engine {
    /// Takes a match of a rule: silenced? start the silence; enhance first if so configured; alert now or aggregate.
    ///
    /// # Errors
    /// The rule's code failed over it.
    pub(super) fn matched(
        &mut self,
        entry: &ProgramRule,
        position: usize,
        matched: &Match,
        now: WallTime,
        out: &mut Outcome,
    ) -> Result<(), String> {
        let rule = &entry.rule;
        self.count(
            position,
            Counts {
                matches: 1,
                ..Counts::default()
            },
        );
        if self.silences.is_silenced(&rule.silence_key_of(None), now) {
            self.held_back(entry, position, rule.silence_key_of(None), out);
            return Ok(());
        }
        // Without a key the silence can be looked up before the document is built, which most matches then need not be.
        // (flatline has its key among what it adds.)
        let keyless =
            rule.query_key.is_none() && (rule.type_name != "flatline" || matched.added.is_empty());
        if keyless && self.silences.is_silenced(rule.realert_key(), now) {
            self.held_back(entry, position, rule.realert_key().to_owned(), out);
            return Ok(());
        }
        let Some(mut document) = guarded(|| rule.match_document(matched))? else {
            return Ok(());
        };
        let key = silence_key(rule, &document);
        if self.silences.is_silenced(&key, now) {
            self.held_back(entry, position, key, out);
            return Ok(());
        }
        if let Some(silence) = next_silence(rule, self.silences.get(&key), now) {
            self.remember_silence(&key, silence, self.forget_at(&key, silence), out);
            self.write_silence(&key, silence, now, out);
        }
        if let Some(cell) = self.cells.get(position) {
            document.insert("num_hits".to_owned(), cell.interval.hits.into());
            document.insert("num_matches".to_owned(), cell.interval.matches.into());
        }
        if entry.enhance_first {
            let as_it_was = document.clone();
            match guarded(|| entry.prepare.enhance(&mut document)) {
                Ok((kept, errors)) => {
                    self.not_enhanced(&rule.name, errors, now, out);
                    if !kept {
                        out.notes.push(Note::Dropped {
                            rule: rule.name.clone(),
                        });
                        return Ok(());
                    }
                }
                Err(error) => {
                    document = as_it_was;
                    self.write_exception(&rule.name, &error, now, out);
                }
            }
        }
        match &rule.aggregation {
            Some(aggregation) => {
                let next = self.next_alert;
                let join = self.aggregates.join(rule, aggregation, document, now, || {
                    self.options.alert_id(next)
                });
                self.joined(entry, join, now, out);
            }
            None => {
                let id = self.new_alert_id();
                let alert = PendingAlert {
                    id,
                    rule: rule.name.as_str().into(),
                    matches: vec![document],
                    time: now,
                };
                self.send(entry, position, alert, &[], now, out);
            }
        }
        Ok(())
    }

    fn held_back(&mut self, entry: &ProgramRule, position: usize, key: String, out: &mut Outcome) {
        self.count(
            position,
            Counts {
                silenced: 1,
                ..Counts::default()
            },
        );
        out.notes.push(Note::Silenced {
            rule: entry.rule.name.clone(),
            key,
        });
    }

    /// An operator's silence; of two under one key the one that ends last holds, as in ElastAlert.
    pub(super) fn operator_silences(
        &mut self,
        key: &str,
        until: WallTime,
        comment: Option<String>,
        now: WallTime,
        out: &mut Outcome,
    ) {
        let silence = Silence { until, exponent: 0 };
        if self
            .silences
            .get(key)
            .is_none_or(|ours| ours.until <= until)
        {
            self.remember_silence(key, silence, self.forget_at(key, silence), out);
        }
        let mut document = silence_document(key, silence, now);
        if let Some(comment) = comment {
            document.insert("comment".to_owned(), comment.into());
        }
        let id = self.document_id(now);
        self.put_silence(id, document, out);
    }

    /// An operator ends a silence. ElastAlert goes by the document that ends last, so every one that tells of it ends now.
    pub(super) fn operator_expires(
        &mut self,
        key: &str,
        written: Vec<(Arc<str>, Document)>,
        now: WallTime,
        out: &mut Outcome,
    ) {
        let silence = Silence {
            until: now,
            exponent: 0,
        };
        self.remember_silence(key, silence, now, out);
        if written.is_empty() {
            return self.write_silence(key, silence, now, out);
        }
        for (id, mut document) in written {
            document.insert("until".to_owned(), now.to_text().into());
            self.put_silence(id, document, out);
        }
    }

    /// When a silence may be forgotten, given the rules that run.
    pub(super) fn forget_at(&self, key: &str, silence: Silence) -> WallTime {
        forget_at(self.program.exponential(), key, silence)
    }

    pub(super) fn remember_silence(
        &mut self,
        key: &str,
        silence: Silence,
        forget: WallTime,
        out: &mut Outcome,
    ) {
        self.silences.set(key, silence, forget);
        out.records.push(Record::Silence {
            key: key.to_owned(),
            silence,
            forget,
        });
    }

    fn write_silence(&mut self, key: &str, silence: Silence, now: WallTime, out: &mut Outcome) {
        let id = self.document_id(now);
        self.put_silence(id, silence_document(key, silence, now), out);
    }

    fn put_silence(&mut self, id: Arc<str>, document: Document, out: &mut Outcome) {
        self.write(
            Write {
                index: Index::Silence,
                id,
                op: Op::Put(document),
            },
            out,
        );
    }

    fn joined(&mut self, entry: &ProgramRule, join: Join, now: WallTime, out: &mut Outcome) {
        let Join {
            id,
            opened,
            due,
            key,
            position,
            document,
        } = join;
        self.next_alert += u64::from(opened);
        let write =
            self.waiting_document(entry, &id, position, key.as_deref(), &document, due, now);
        out.records.push(Record::Joined {
            id,
            rule: entry.rule.name.clone(),
            key,
            due,
            document,
        });
        self.write(write, out);
        out.notes.push(Note::Aggregated {
            rule: entry.rule.name.clone(),
            due,
        });
    }

    /// Writes down what failed when matches were prepared.
    fn not_enhanced(&mut self, rule: &str, errors: Vec<String>, now: WallTime, out: &mut Outcome) {
        for error in errors {
            self.write_error(rule, &error, now, out);
            out.notes.push(Note::NotPrepared {
                rule: rule.to_owned(),
                error,
            });
        }
    }

    /// Repeats failed deliveries whose time has come, and goes on with what is done in parts. When nothing is: sends aggregated alerts that are due, and evaluates
    /// what waited for rules that have begun to run.
    pub(super) fn due(&mut self, now: WallTime, out: &mut Outcome) {
        let program = Arc::clone(&self.program);
        self.repeat_failed(now, out);
        if self.is_ticking() {
            return self.go_on_with_tick(self.options.tick_part, out);
        }
        if self.is_at_work() {
            return self.go_on_with_events(self.options.tick_part, 0, out);
        }
        self.open_hours(now, out);
        for group in self
            .aggregates
            .take_due(now, |rule| program.find(rule).is_some())
        {
            let Some((position, entry)) = program.find(&group.rule) else {
                continue;
            };
            let waiting: Vec<Arc<str>> = (0..group.matches.len())
                .map(|at| super::documents::document_id(&group.id, at))
                .collect();
            let most = entry
                .rule
                .aggregation
                .as_ref()
                .map_or(usize::MAX, |aggregation| aggregation.max.saturating_add(1));
            out.records.push(Record::GroupTaken {
                id: group.id.clone(),
            });
            let mut id = group.id;
            let mut matches = group.matches;
            let mut waiting = waiting.as_slice();
            loop {
                let rest = matches.split_off(most.min(matches.len()));
                let (these, others) = waiting.split_at(matches.len().min(waiting.len()));
                waiting = others;
                let alert = PendingAlert {
                    id,
                    rule: group.rule.as_str().into(),
                    matches,
                    time: group.due,
                };
                self.send(entry, position, alert, these, now, out);
                if rest.is_empty() {
                    break;
                }
                matches = rest;
                id = self.new_alert_id();
            }
        }
    }

    /// Sends an alert off. `waiting` names the documents that stood for its matches while they waited in an aggregation.
    fn send(
        &mut self,
        entry: &ProgramRule,
        position: usize,
        mut alert: PendingAlert,
        waiting: &[Arc<str>],
        now: WallTime,
        out: &mut Outcome,
    ) {
        let as_they_were = alert.matches.clone();
        let nothing = super::Seen::default();
        let seen = self.cells.get(position).map_or(&nothing, |cell| &cell.seen);
        match guarded(|| entry.prepare.prepare(&entry.rule, &mut alert.matches, seen)) {
            Ok(errors) => self.not_enhanced(&entry.rule.name, errors, now, out),
            // An alert that is not prepared is still an alert.
            Err(error) => {
                alert.matches = as_they_were;
                self.write_exception(&entry.rule.name, &error, now, out);
            }
        }
        let kept = alert.matches.len();
        for (at, id) in waiting.iter().enumerate() {
            // Documents of the same name are written over when the alert has been tried.
            if at >= kept || *id != super::documents::document_id(&alert.id, at) {
                self.write(
                    Write {
                        index: Index::Alerts,
                        id: Arc::clone(id),
                        op: Op::Delete,
                    },
                    out,
                );
            }
        }
        if alert.matches.is_empty() {
            out.notes.push(Note::Dropped {
                rule: entry.rule.name.clone(),
            });
            return;
        }
        self.count(
            position,
            Counts {
                alerts: 1,
                ..Counts::default()
            },
        );
        out.notes.push(Note::Alerting {
            rule: entry.rule.name.clone(),
            matches: kept,
        });
        self.open(entry, alert, now, out);
    }
}

fn silence_document(key: &str, silence: Silence, now: WallTime) -> Document {
    let mut document = Document::new();
    document.insert("exponent".to_owned(), silence.exponent.into());
    document.insert("rule_name".to_owned(), key.into());
    document.insert("@timestamp".to_owned(), now.to_text().into());
    document.insert("until".to_owned(), silence.until.to_text().into());
    document
}

/// The key a match is silenced under: `realert_key`, and the value of `query_key` if the match has one.
fn silence_key(rule: &Rule, document: &Document) -> String {
    // elastalert2's flatline names its key in the match instead of carrying an event; a missing key is the text `None`.
    let value = if rule.type_name == "flatline" && document.contains_key("key") {
        document.get("key").map(python::str)
    } else {
        rule.query_key
            .as_ref()
            .and_then(|key| match key.fields.as_slice() {
                [field] => field.get_some(document).map(python::str),
                _ => document
                    .get(&key.name)
                    .filter(|value| **value != Value::Null)
                    .map(python::str),
            })
    };
    match value {
        Some(value) => format!("{}.{value}", rule.realert_key()),
        None => rule.realert_key().to_owned(),
    }
}
