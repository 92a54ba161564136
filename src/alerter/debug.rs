//! `debug`: prints alerts.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#debug>; prints to standard output where elastalert2 writes to its log.

use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::{Alert, BodyStyle};
use crate::config::{Problem, Properties};
use crate::event::{Document, python};
use futures_util::future::BoxFuture;
use serde_json::json;
use std::sync::Arc;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "debug",
    aliases: &[],
    doc: "Prints alerts.",
    options: &[],
    build: |_: &Properties, build: &Build| -> Result<Built, Vec<Problem>> {
        Ok(Debug {
            transport: Arc::clone(&build.transport),
        }
        .into())
    },
};

/// Prints alerts.
#[derive(Debug)]
pub(super) struct Debug {
    pub(super) transport: Arc<dyn Transport>,
}

impl Alerter for Debug {
    fn info(&self) -> Document {
        Document::from_iter([("type".to_owned(), json!("debug"))])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            self.transport
                .print(&text(alert)?)
                .map_err(|source| SendError::File {
                    what: "standard output".to_owned(),
                    source,
                })
        })
    }
}

/// Per match a line that names it, and its text.
fn text(alert: &Alert<'_>) -> Result<String, SendError> {
    let mut out = String::new();
    for document in alert.matches {
        let name = &alert.rule.name;
        let time = alert.rule.time.path.get(document);
        let time = python::str(time.unwrap_or(&serde_json::Value::Null));
        let key = alert.rule.query_key.as_ref();
        match key.and_then(|key| document.get(&key.name)) {
            Some(value) => {
                let value = python::str(value);
                out.push_str(&format!("Alert for {name}, {value} at {time}:\n"));
            }
            None => out.push_str(&format!("Alert for {name} at {time}:\n")),
        }
        let alone = Alert {
            matches: std::slice::from_ref(document),
            ..*alert
        };
        out.push_str(&alone.body(BodyStyle {
            summary: false,
            ..BodyStyle::default()
        })?);
        if !out.ends_with('\n') {
            out.push('\n');
        }
    }
    Ok(out)
}
