//! Tickets that are there already.

use super::{Jira, STYLE};
use crate::alert::{Alert, BodyStyle};
use crate::alerter::SendError;
use crate::event::time::parse_iso;
use crate::event::{Timestamp, WallTime, python};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::time::Duration;

/// When an alert is a comment on an older ticket.
#[derive(Debug)]
pub(super) struct Bump {
    pub(super) max_age: Duration,
    pub(super) inactivity: Duration,
    pub(super) in_statuses: Vec<String>,
    pub(super) not_in_statuses: Vec<String>,
    pub(super) ignore_in_title: Option<String>,
    pub(super) transition: Option<String>,
}

/// A ticket.
struct Ticket {
    key: String,
    updated: Option<Timestamp>,
}

impl Ticket {
    /// Whether somebody has changed it since.
    fn is_newer(&self, time: WallTime) -> bool {
        self.updated.is_some_and(|updated| updated.micros >= time.0)
    }
}

impl Bump {
    /// The search for tickets with this title.
    fn query(&self, project: &str, title: &str, alert: &Alert<'_>) -> String {
        let mut title = title.to_owned();
        let ignored = self.ignore_in_title.as_ref();
        if let Some(ignored) = ignored.and_then(|field| alert.matches.first()?.get(field)) {
            let ignored = python::str(ignored);
            if !ignored.is_empty() {
                title = title.replace(&ignored, "");
            }
        }
        let title = title.replace(" - ", " ");
        let title = title.replace('\\', "\\\\").replace('"', "\\\"");
        let since = Timestamp {
            micros: alert.now.minus(self.max_age).0,
            offset_seconds: 0,
        };
        let since = since.civil().strftime("%Y-%m-%d");
        let mut query =
            format!("project={project} AND summary~\"{title}\" and created >= \"{since}\"");
        for (word, statuses) in [("in", &self.in_statuses), ("not in", &self.not_in_statuses)] {
            if !statuses.is_empty() {
                let statuses: Vec<_> = statuses.iter().map(|status| quoted(status)).collect();
                query.push_str(&format!(" and status {word} ({})", statuses.join(",")));
            }
        }
        query
    }
}

fn quoted(status: &str) -> String {
    if status.contains(' ') {
        format!("\"{status}\"")
    } else {
        status.to_owned()
    }
}

impl Jira {
    /// Comments on the ticket there is; its key if there is one.
    pub(super) async fn bumped(
        &self,
        bump: &Bump,
        alert: &Alert<'_>,
    ) -> Result<Option<String>, SendError> {
        let title = if self.has_subject {
            alert.subject("")?
        } else {
            self.title(alert, true)?
        };
        let query = bump.query(&self.project, &title, alert);
        let Some(ticket) = self.find(&query).await else {
            return Ok(None);
        };
        if ticket.is_newer(alert.now.minus(bump.inactivity)) {
            return Ok(Some(ticket.key));
        }
        for matched in alert.matches {
            let alone = Alert {
                matches: std::slice::from_ref(matched),
                ..*alert
            };
            let text = alone.body(BodyStyle {
                summary: false,
                ..STYLE
            })?;
            let time = alert.rule.time.path.get(matched).unwrap_or(&Value::Null);
            let time = alert.template.times().pretty(time, Duration::ZERO);
            let body = format!("This alert was triggered again at {time}\n{text}");
            let path = format!("api/2/issue/{}/comment", ticket.key);
            self.post(&path, json!({"body": body})).await?;
        }
        if let Some(name) = &bump.transition {
            self.transition(&ticket.key, name).await?;
        }
        Ok(Some(ticket.key))
    }

    /// The first ticket a search finds. A search that fails finds none, so that a ticket is made.
    async fn find(&self, query: &str) -> Option<Ticket> {
        let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
        let path = format!("api/2/search/jql?jql={query}&fields=updated&maxResults=1");
        let found = self.get(&path).await.ok()?;
        let ticket = found.get("issues")?.get(0)?;
        let updated = ticket.pointer("/fields/updated").and_then(Value::as_str);
        Some(Ticket {
            key: ticket.get("key")?.as_str()?.to_owned(),
            updated: updated.and_then(parse_iso),
        })
    }

    /// Moves a ticket to the status of this name, if it can go there.
    async fn transition(&self, key: &str, name: &str) -> Result<(), SendError> {
        let path = format!("api/2/issue/{key}/transitions");
        let answer = self.get(&path).await?;
        let transitions = answer.get("transitions").and_then(Value::as_array);
        let mut transitions = transitions.into_iter().flatten();
        let wanted = transitions
            .find(|transition| transition.get("name").and_then(Value::as_str) == Some(name));
        if let Some(id) = wanted.and_then(|transition| transition.get("id")) {
            let body = json!({"fields": {}, "transition": {"id": id}});
            self.post(&path, body).await?;
        }
        Ok(())
    }
}
