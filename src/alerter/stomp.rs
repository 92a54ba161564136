//! `stomp`: sends a message to a broker.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#stomp> and STOMP 1.1. Unlike elastalert2, it waits for the broker's receipt.

use super::options::{info, text_or};
use super::reason::one_line;
use super::tcp::{Exchange, Expected, Step};
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::{Alert, BodyStyle};
use crate::config::{Problem, Properties, opt};
use crate::event::{Document, FieldPath, python};
use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "stomp",
    aliases: &[],
    doc: "Sends a message to a broker that speaks STOMP: ActiveMQ, RabbitMQ.",
    options: &[
        opt("stomp_hostname").required().doc("The broker."),
        opt("stomp_hostport")
            .required()
            .doc("Its port, as text: `\"61613\"`."),
        opt("stomp_login").required().doc("The user."),
        opt("stomp_password")
            .required()
            .secret()
            .doc("The user's password."),
        opt("stomp_destination")
            .default("/queue/ALERT")
            .doc("Where the message goes."),
    ],
    build,
};

#[derive(Debug)]
struct Stomp {
    host: String,
    port: u16,
    login: super::smtp::Login,
    destination: String,
    transport: Arc<dyn Transport>,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let port = text_or(properties, "stomp_hostport", "");
    let port = port.parse().map_err(|_| {
        let span = properties
            .get("stomp_hostport")
            .map_or(&build.span, |node| &node.span);
        let message = format!("stomp_hostport is `{port}`, but ports are 1 to 65535");
        vec![Problem::error("E0311", span, message)]
    })?;
    Ok(Stomp {
        host: text_or(properties, "stomp_hostname", ""),
        port,
        login: super::smtp::Login {
            user: text_or(properties, "stomp_login", ""),
            password: text_or(properties, "stomp_password", ""),
        },
        destination: text_or(properties, "stomp_destination", "/queue/ALERT"),
        transport: Arc::clone(&build.transport),
    }
    .into())
}

impl Stomp {
    fn message(&self, alert: &Alert<'_>) -> Result<Value, SendError> {
        let name = &alert.rule.name;
        let key = alert
            .rule
            .query_key
            .as_ref()
            .map(|key| FieldPath::new(key.name.as_str()));
        let key_of = |document: &Document| Some(python::str(key.as_ref()?.get_some(document)?));
        let time_of = |document: &Document| {
            python::str(alert.rule.time.path.get(document).unwrap_or(&Value::Null))
        };
        let lines: Vec<String> = alert
            .matches
            .iter()
            .map(|document| match key_of(document) {
                Some(key) => format!("Alert for {name}, {key} at {}:", time_of(document)),
                None => format!("Rule {name} generated an alert at {}:", time_of(document)),
            })
            .collect();
        let last = alert.matches.last();
        let matched = last.map(|document| key_of(document).unwrap_or_else(|| time_of(document)));
        let text_of_last = Alert {
            matches: last.map_or(&[], std::slice::from_ref),
            ..*alert
        }
        .body(BodyStyle {
            summary: false,
            ..BodyStyle::default()
        })?;
        let now = jiff::Timestamp::from_microsecond(alert.now.0).unwrap_or_default();
        let now = TimeZone::system().to_datetime(now);
        Ok(json!({
            "rule": name,
            "rule_file": alert.rule.file.display().to_string(),
            "alerts": lines,
            "match": matched,
            "matching": text_of_last,
            "matches": alert.matches,
            "alertDate": now.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            "body": alert.body(BodyStyle::default())?,
        }))
    }

    fn exchange(&self, body: &str) -> Exchange {
        let connect = [
            ("accept-version", "1.1"),
            ("host", &self.host),
            ("login", &self.login.user),
            ("passcode", &self.login.password),
        ];
        let length = body.len().to_string();
        let send = [
            ("destination", self.destination.as_str()),
            ("content-type", "application/json"),
            ("content-length", &length),
            ("receipt", "alert"),
        ];
        let step = |send, answer| Step { send, answer };
        Exchange {
            host: self.host.clone(),
            port: self.port,
            steps: vec![
                step(frame("STOMP", &connect, ""), Expected::UntilNul),
                step(frame("SEND", &send, body), Expected::UntilNul),
                step(frame("DISCONNECT", &[], ""), Expected::Nothing),
            ],
        }
    }
}

/// A frame. Line breaks in headers, which would end them, become blanks.
fn frame(command: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut frame = format!("{command}\n");
    for (name, value) in headers {
        let value = value.replace(['\n', '\r', '\0'], " ");
        let value = match command {
            // The first frame is not escaped: the version is not agreed on yet.
            "STOMP" => value,
            _ => value.replace('\\', "\\\\").replace(':', "\\c"),
        };
        frame.push_str(&format!("{name}:{value}\n"));
    }
    frame.push('\n');
    frame.push_str(body);
    frame.push('\0');
    frame.into_bytes()
}

impl Alerter for Stomp {
    fn info(&self) -> Document {
        info("stomp", [])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let body = self.message(alert)?.to_string();
            let answers = self.transport.tcp(self.exchange(&body)).await?;
            for (answer, expected) in answers.iter().zip(["CONNECTED", "RECEIPT"]) {
                let answer = String::from_utf8_lossy(answer);
                if !answer.trim_start().starts_with(expected) {
                    let answer = one_line(&answer);
                    return Err(SendError::Content(format!(
                        "the broker answered {answer:?}"
                    )));
                }
            }
            Ok(())
        })
    }
}
