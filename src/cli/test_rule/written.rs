//! The writeback documents of a run, which are shown and not written.

use crate::engine::{Counts, Index, Op, Write};
use crate::event::time::parse_iso;
use crate::event::{Document, WallTime, python};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What ElastAlert calls them.
const SILENCE: &str = "silence";
const ALERT: &str = "elastalert";
const STATUS: &str = "elastalert_status";
const ERROR: &str = "elastalert_error";

/// The members that are instants in ElastAlert.
const INSTANTS: [&str; 5] = ["@timestamp", "alert_time", "until", "starttime", "endtime"];

/// The documents, in the order they were first written, each as it was last.
#[derive(Debug, Default)]
pub(super) struct Written {
    documents: IndexMap<Arc<str>, (&'static str, Value)>,
}

/// What a run's status document says.
pub(super) struct Status<'a> {
    pub(super) rule: &'a str,
    pub(super) start: WallTime,
    pub(super) end: WallTime,
    pub(super) counts: Counts,
    /// The time of the run itself.
    pub(super) now: WallTime,
    /// How long the run took.
    pub(super) took: Duration,
}

impl Written {
    /// Takes a write in. Statuses are left out: the run has one in the end.
    pub(super) fn take(&mut self, write: Write) {
        let kind = match write.index {
            Index::Alerts => ALERT,
            Index::Silence => SILENCE,
            Index::Error => ERROR,
            Index::Status | Index::Past => return,
        };
        match write.op {
            Op::Put(document) => {
                self.documents
                    .insert(write.id, (kind, Value::Object(document)));
            }
            Op::Delete => {
                self.documents.shift_remove(&write.id);
            }
        }
    }

    /// Adds the status of the whole run.
    pub(super) fn status(&mut self, status: &Status<'_>) {
        let document = json!({
            "rule_name": status.rule,
            "endtime": status.end.to_text(),
            "starttime": status.start.to_text(),
            "matches": status.counts.matches,
            "hits": status.counts.hits,
            "@timestamp": status.now.to_text(),
            "time_taken": status.took.as_secs_f64(),
        });
        self.documents.insert("status".into(), (STATUS, document));
    }

    /// Adds an error of the run.
    pub(super) fn failed(&mut self, message: &str, data: &Value, now: WallTime) {
        let document = json!({
            "message": message,
            "traceback": [],
            "data": data,
            "@timestamp": now.to_text(),
        });
        self.documents.insert("error".into(), (ERROR, document));
    }

    /// All of them, as Python prints them.
    pub(super) fn text(&self) -> String {
        let mut text = "\nWould have written the following documents to writeback index (default is elastalert_status):\n\n".to_owned();
        for (kind, document) in self.documents.values() {
            text.push_str(&format!("{kind} - {}\n\n", python::repr(document)));
        }
        text.pop();
        text
    }

    /// The last of each kind, instants as Python prints them.
    pub(super) fn last_of_each(&self) -> Value {
        let mut last = Map::new();
        for (kind, document) in self.documents.values() {
            let mut document = document.as_object().cloned().unwrap_or_default();
            write_instants(&mut document);
            last.insert((*kind).to_owned(), Value::Object(document));
        }
        Value::Object(last)
    }
}

fn write_instants(document: &mut Document) {
    for name in INSTANTS {
        if let Some(value) = document.get_mut(name)
            && let Some(time) = value.as_str().and_then(parse_iso)
        {
            *value = time.isoformat().replacen('T', " ", 1).into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(index: Index, id: &str, document: &Value) -> Write {
        let document = document.as_object().cloned().unwrap();
        Write {
            index,
            id: id.into(),
            op: Op::Put(document),
        }
    }

    #[test]
    fn documents_are_shown_as_they_are_in_the_end() {
        let mut written = Written::default();
        written.take(put(Index::Alerts, "a", &json!({"alert_sent": false})));
        written.take(put(
            Index::Silence,
            "s",
            &json!({"until": "2026-03-02T00:10:00.500Z"}),
        ));
        written.take(put(Index::Alerts, "a", &json!({"alert_sent": true})));
        written.take(put(Index::Alerts, "b", &json!({})));
        written.take(Write {
            index: Index::Alerts,
            id: "b".into(),
            op: Op::Delete,
        });
        written.take(put(Index::Status, "t", &json!({})));
        assert_eq!(
            written.text(),
            "\nWould have written the following documents to writeback index (default is elastalert_status):\n\n\
             elastalert - {'alert_sent': True}\n\nsilence - {'until': '2026-03-02T00:10:00.500Z'}\n"
        );
        assert_eq!(
            written.last_of_each(),
            json!({"elastalert": {"alert_sent": true}, "silence": {"until": "2026-03-02 00:10:00.500000+00:00"}})
        );
    }
}
