//! `pagerduty`: triggers, acknowledges or resolves an incident.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#pagerduty>.

use super::http::{Request, Route};
use super::options::{CERTIFICATES, Formatted, text_or};
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::{Alert, BodyStyle};
use crate::config::{Kind, Problem, Properties, opt};
use crate::event::{Document, FieldPath, python};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const FIELDS: Kind = Kind::List(&Kind::Str);

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "pagerduty",
    aliases: &[],
    doc: "Triggers, acknowledges or resolves an incident in PagerDuty.",
    options: &[
        opt("pagerduty_service_key")
            .required()
            .secret()
            .doc("The integration's key."),
        opt("pagerduty_client_name")
            .required()
            .doc("Who reports the incident."),
        opt("pagerduty_api_version")
            .one_of(&["v1", "v2"])
            .default("v1")
            .doc("The version of the events API."),
        opt("pagerduty_event_type")
            .one_of(&["trigger", "resolve", "acknowledge", "none"])
            .default("trigger")
            .doc("What becomes of the incident."),
        opt("pagerduty_incident_key").doc(
            "Names the incident; `{0}` and so on are replaced by `pagerduty_incident_key_args`.",
        ),
        opt("pagerduty_incident_key_args")
            .kind(FIELDS)
            .doc("Fields for `pagerduty_incident_key`."),
        opt("pagerduty_v2_payload_class").doc("The kind of the event."),
        opt("pagerduty_v2_payload_class_args")
            .kind(FIELDS)
            .doc("Fields for it."),
        opt("pagerduty_v2_payload_component").doc("What is affected."),
        opt("pagerduty_v2_payload_component_args")
            .kind(FIELDS)
            .doc("Fields for it."),
        opt("pagerduty_v2_payload_group").doc("What it is part of."),
        opt("pagerduty_v2_payload_group_args")
            .kind(FIELDS)
            .doc("Fields for it."),
        opt("pagerduty_v2_payload_source")
            .default("ElastAlert")
            .doc("Where it happens."),
        opt("pagerduty_v2_payload_source_args")
            .kind(FIELDS)
            .doc("Fields for it."),
        opt("pagerduty_v2_payload_severity")
            .one_of(&["critical", "error", "warning", "info"])
            .default("critical")
            .doc("How bad it is."),
        opt("pagerduty_v2_payload_custom_details")
            .kind(Kind::Map)
            .doc("Details: name and field of the match."),
        opt("pagerduty_v2_payload_include_all_info")
            .bool()
            .default("true")
            .doc("Whether the body is among the details."),
        opt("pagerduty_proxy").doc("A proxy for https."),
        opt("pagerduty_ca_certs")
            .kind(CERTIFICATES)
            .doc("`true`, or the PEM file of the authorities to trust."),
        opt("pagerduty_ignore_ssl_errors")
            .bool()
            .default("false")
            .doc("Whether any certificate is accepted."),
    ],
    build,
};

#[derive(Debug)]
struct PagerDuty {
    key: String,
    client: String,
    event_type: String,
    incident: Option<Formatted>,
    /// `None`: version 1 of the API.
    payload: Option<Payload>,
    missing: String,
    route: Route,
    transport: Arc<dyn Transport>,
}

/// What version 2 of the API takes.
#[derive(Debug)]
struct Payload {
    class: Option<Formatted>,
    component: Option<Formatted>,
    group: Option<Formatted>,
    source: Option<Formatted>,
    severity: String,
    details: Vec<(String, FieldPath)>,
    include_all_info: bool,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let or = |name: &str, default: &str| text_or(properties, name, default);
    let payload = || {
        let part =
            |name: &str| Formatted::read(properties, &format!("pagerduty_v2_payload_{name}"));
        let details = properties.get("pagerduty_v2_payload_custom_details");
        let details = details.and_then(|node| node.as_map());
        let details = details.into_iter().flat_map(|map| map.iter());
        Payload {
            class: part("class"),
            component: part("component"),
            group: part("group"),
            source: part("source"),
            severity: or("pagerduty_v2_payload_severity", "critical"),
            details: details
                .map(|(name, path)| (name.key_text(), FieldPath::new(path.key_text())))
                .collect(),
            include_all_info: properties
                .bool("pagerduty_v2_payload_include_all_info")
                .unwrap_or(true),
        }
    };
    Ok(PagerDuty {
        key: or("pagerduty_service_key", ""),
        client: or("pagerduty_client_name", ""),
        event_type: or("pagerduty_event_type", "trigger"),
        incident: Formatted::read(properties, "pagerduty_incident_key"),
        payload: (or("pagerduty_api_version", "v1") == "v2").then(payload),
        missing: or("alert_missing_value", "<MISSING VALUE>"),
        route: Route::read(properties, "pagerduty", build),
        transport: Arc::clone(&build.transport),
    }
    .into())
}

impl PagerDuty {
    fn part(
        &self,
        alert: &Alert<'_>,
        part: Option<&Formatted>,
        default: &str,
    ) -> Result<String, SendError> {
        Ok(match part {
            Some(part) => part.render(alert, &self.missing)?,
            None => default.to_owned(),
        })
    }

    fn version_1(&self, alert: &Alert<'_>) -> Result<Value, SendError> {
        Ok(json!({
            "service_key": self.key,
            "description": alert.subject(&alert.rule.name)?,
            "event_type": self.event_type,
            "incident_key": self.part(alert, self.incident.as_ref(), "")?,
            "client": self.client,
            "details": {"information": alert.body(BodyStyle::default())?},
        }))
    }

    fn version_2(&self, alert: &Alert<'_>, payload: &Payload) -> Result<Value, SendError> {
        let mut details = Map::new();
        if payload.include_all_info {
            let body = alert.body(BodyStyle::default())?;
            details.insert("information".to_owned(), Value::String(body));
        }
        for document in alert.matches {
            for (name, path) in &payload.details {
                let value = path.get(document).filter(|value| python::is_truthy(value));
                let value = value.cloned().unwrap_or_else(|| json!(path.as_str()));
                details.insert(name.clone(), value);
            }
        }
        let mut members = json!({
            "class": self.part(alert, payload.class.as_ref(), "")?,
            "component": self.part(alert, payload.component.as_ref(), "")?,
            "group": self.part(alert, payload.group.as_ref(), "")?,
            "source": self.part(alert, payload.source.as_ref(), "ElastAlert")?,
            "severity": payload.severity,
            "summary": alert.subject(&alert.rule.name)?,
            "custom_details": details,
        });
        let first = alert.matches.first();
        let time = first.and_then(|first| alert.rule.time.path.get_some(first));
        if let (Some(time), Value::Object(members)) = (time, &mut members) {
            members.insert("timestamp".to_owned(), time.clone());
        }
        Ok(json!({
            "routing_key": self.key,
            "event_action": self.event_type,
            "dedup_key": self.part(alert, self.incident.as_ref(), "")?,
            "client": self.client,
            "payload": members,
        }))
    }
}

impl Alerter for PagerDuty {
    fn info(&self) -> Document {
        Document::from_iter([
            ("type".to_owned(), json!("pagerduty")),
            ("pagerduty_client_name".to_owned(), json!(self.client)),
        ])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let (url, body) = match &self.payload {
                None => (
                    "https://events.pagerduty.com/generic/2010-04-15/create_event.json",
                    self.version_1(alert)?,
                ),
                Some(payload) => (
                    "https://events.pagerduty.com/v2/enqueue",
                    self.version_2(alert, payload)?,
                ),
            };
            let request = Request::post(url, body, &self.route);
            self.transport.deliver(request).await?;
            Ok(())
        })
    }
}
