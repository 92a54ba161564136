//! `gelf`: sends a message to Graylog, over HTTP or TCP.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#gelf>. Unlike in elastalert2, `gelf_log_level` can be set, and an HTTP
//! status of 400 or more is a failure.

use super::http::{Request, Route};
use super::options::{CERTIFICATES, filled, info, port, text_or};
use super::tcp::{Exchange, Expected, Step};
use super::tls::Verify;
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::Alert;
use crate::config::{Kind, Node, Problem, Properties, opt};
use crate::event::Document;
use crate::event::dumps::Dumps;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "gelf",
    aliases: &[],
    doc: "Sends a message to Graylog, over HTTP or TCP.",
    options: &[
        opt("gelf_type")
            .one_of(&["http", "tcp"])
            .required()
            .doc("How the message is sent."),
        opt("gelf_endpoint").doc("The URL, for http."),
        opt("gelf_host").doc("The server, for tcp."),
        opt("gelf_port").int().doc("Its port."),
        opt("gelf_version")
            .default("1.1")
            .doc("The version of the format."),
        opt("gelf_log_level")
            .int()
            .default("5")
            .doc("The level, 0 to 7."),
        opt("gelf_payload")
            .kind(Kind::Map)
            .doc("What the message says: name and member of the match."),
        opt("gelf_http_headers")
            .kind(Kind::Map)
            .secret()
            .doc("Headers, for http."),
        opt("gelf_timeout")
            .int()
            .default("30")
            .doc("Seconds until a request is given up."),
        opt("gelf_ca_cert")
            .kind(CERTIFICATES)
            .doc("`true`, or the PEM file of the authorities to trust."),
        opt("gelf_http_ignore_ssl_errors")
            .bool()
            .default("false")
            .doc("Whether any certificate is accepted."),
    ],
    build,
};

#[derive(Debug)]
struct Gelf {
    way: Way,
    version: String,
    level: i64,
    /// Names and members of the match.
    payload: Vec<(String, String)>,
    transport: Arc<dyn Transport>,
}

#[derive(Debug)]
enum Way {
    Http {
        endpoint: String,
        headers: Vec<(String, String)>,
        route: Route,
    },
    Tcp {
        host: String,
        port: u16,
    },
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let needed = |option: &str| {
        filled(properties, option).ok_or_else(|| {
            let message = format!("the option `{option}` is missing");
            vec![Problem::error("E0202", &build.span, message)]
        })
    };
    let level = properties.int("gelf_log_level").unwrap_or(5);
    if !(0..=7).contains(&level) {
        let span = properties
            .get("gelf_log_level")
            .map_or(&build.span, |node| &node.span);
        let message = format!("gelf_log_level is {level}, but levels are 0 to 7");
        return Err(vec![Problem::error("E0312", span, message)]);
    }
    let way = if properties.text("gelf_type").as_deref() == Some("tcp") {
        needed("gelf_port")?;
        Way::Tcp {
            host: needed("gelf_host")?,
            port: port(properties, "gelf_port", 0, &build.span)?,
        }
    } else {
        let seconds = properties.int("gelf_timeout").unwrap_or(30);
        Way::Http {
            endpoint: needed("gelf_endpoint")?,
            headers: pairs(properties, "gelf_http_headers"),
            route: Route {
                timeout: Duration::from_secs(u64::try_from(seconds).unwrap_or(30)),
                verify: Verify::read(
                    properties,
                    "gelf_ca_cert",
                    "gelf_http_ignore_ssl_errors",
                    &build.working_directory,
                ),
                proxy: None,
            },
        }
    };
    Ok(Gelf {
        way,
        version: text_or(properties, "gelf_version", "1.1"),
        level,
        payload: pairs(properties, "gelf_payload"),
        transport: Arc::clone(&build.transport),
    }
    .into())
}

fn pairs(properties: &Properties, option: &str) -> Vec<(String, String)> {
    let map = properties.get(option).and_then(Node::as_map);
    let members = map.into_iter().flat_map(|map| map.iter());
    members
        .map(|(name, value)| (name.key_text(), value.key_text()))
        .collect()
}

impl Gelf {
    fn message(&self, alert: &Alert<'_>) -> Value {
        let mut text = Map::from_iter([("Title".to_owned(), json!(alert.rule.name))]);
        for document in alert.matches {
            for (name, member) in &self.payload {
                text.insert(
                    name.clone(),
                    document.get(member).cloned().unwrap_or_default(),
                );
            }
        }
        json!({
            "version": self.version,
            "host": self.transport.host_name(),
            "short_message": Dumps { ascii: true, ..Dumps::default() }.to_text(&Value::Object(text)),
            "level": self.level,
        })
    }
}

impl Alerter for Gelf {
    fn info(&self) -> Document {
        let kind = match self.way {
            Way::Http { .. } => "http",
            Way::Tcp { .. } => "tcp",
        };
        info("gelf", [("gelf_type", json!(kind))])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let message = self.message(alert);
            match &self.way {
                Way::Http {
                    endpoint,
                    headers,
                    route,
                } => {
                    let request = Request::post(endpoint, message, route);
                    let headers = headers.iter();
                    let request = headers.fold(request, |request, (name, value)| {
                        request.header(name, value)
                    });
                    self.transport.deliver(request).await?;
                }
                Way::Tcp { host, port } => {
                    let mut send = message.to_string().into_bytes();
                    send.push(0);
                    let exchange = Exchange {
                        host: host.clone(),
                        port: *port,
                        steps: vec![Step {
                            send,
                            answer: Expected::Nothing,
                        }],
                    };
                    self.transport.tcp(exchange).await?;
                }
            }
            Ok(())
        })
    }
}
