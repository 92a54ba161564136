//! `zabbix`: sends values to trapper items.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#zabbix>. The host `None` for a match without the field of
//! `zbx_host_from_field` is elastalert2's.

use super::options::{info, is_set, text_or};
use super::tcp::{Exchange, Expected, Step};
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::Alert;
use crate::config::{Problem, Properties, opt};
use crate::event::{Document, Field, FieldPath, python};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "zabbix",
    aliases: &[],
    doc: "Sends the value 1 to a trapper item in Zabbix, once per match.",
    options: &[
        opt("zbx_sender_host")
            .default("localhost")
            .doc("The Zabbix server or proxy."),
        opt("zbx_sender_port")
            .int()
            .default("10051")
            .doc("Its port."),
        opt("zbx_host").required().doc("The host with the item."),
        opt("zbx_key").required().doc("The item."),
        opt("zbx_host_from_field")
            .bool()
            .default("false")
            .doc("Whether `zbx_host` is a field of the match with the host's name."),
    ],
    build,
};

#[derive(Debug)]
struct Zabbix {
    server: String,
    port: u16,
    host: String,
    /// `zbx_host` as a field.
    field: Option<FieldPath>,
    key: String,
    transport: Arc<dyn Transport>,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let host = text_or(properties, "zbx_host", "");
    let field = is_set(properties, "zbx_host_from_field").then(|| FieldPath::new(host.as_str()));
    Ok(Zabbix {
        server: text_or(properties, "zbx_sender_host", "localhost"),
        port: super::options::port(properties, "zbx_sender_port", 10051, &build.span)?,
        host,
        field,
        key: text_or(properties, "zbx_key", ""),
        transport: Arc::clone(&build.transport),
    }
    .into())
}

impl Zabbix {
    fn packet(&self, alert: &Alert<'_>) -> Result<Vec<u8>, SendError> {
        let mut items = Vec::new();
        for document in alert.matches {
            let host = match &self.field {
                Some(field) => python::str(field.get(document).unwrap_or(&Value::Null)),
                None => self.host.clone(),
            };
            let time = alert.rule.time.path.get_some(document);
            let time = time.map_or(Field::Missing, Field::Value);
            let time = alert
                .rule
                .time
                .read(time)
                .map_err(|error| SendError::Content(error.to_string()))?;
            let clock = time.event_time().0.div_euclid(1_000_000);
            items.push(json!({"host": host, "key": self.key, "value": "1", "clock": clock}));
        }
        let text = json!({"request": "sender data", "data": items}).to_string();
        let length = u32::try_from(text.len())
            .map_err(|_| SendError::Content("the alert is too large for Zabbix".to_owned()))?;
        let mut packet = b"ZBXD\x01".to_vec();
        packet.extend(length.to_le_bytes());
        packet.extend([0; 4]);
        packet.extend(text.into_bytes());
        Ok(packet)
    }
}

impl Alerter for Zabbix {
    fn info(&self) -> Document {
        info("zabbix Alerter", [])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let exchange = Exchange {
                host: self.server.clone(),
                port: self.port,
                steps: vec![Step {
                    send: self.packet(alert)?,
                    answer: Expected::Zabbix,
                }],
            };
            let answers = self.transport.tcp(exchange).await?;
            let answer = answers.concat();
            let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
            // As in elastalert2: the server has the alert, what it makes of it is its configuration's business.
            let text = answer
                .get("info")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if !text.is_empty() && !text.contains("failed: 0") {
                tracing::warn!(rule = %alert.rule.name, answer = %super::reason::one_line(text), "zabbix did not take all values");
            }
            Ok(())
        })
    }
}
