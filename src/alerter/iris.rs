//! `iris`: creates an alert or a case in DFIR-IRIS.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#dfir-iris>. Unlike in elastalert2, repeats of a case have the same number.

use super::http::{Answer, Request, Route};
use super::options::{CERTIFICATES, filled, info, is_set, text_or};
use super::tls::Verify;
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::{Alert, BodyStyle, property};
use crate::config::{Kind, Node, Problem, Properties, opt};
use crate::event::{Document, FieldPath, python};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "iris",
    aliases: &[],
    doc: "Creates an alert or a case in DFIR-IRIS.",
    options: &[
        opt("iris_host").required().doc("The server."),
        opt("iris_api_token")
            .required()
            .secret()
            .doc("The API key."),
        opt("iris_type")
            .one_of(&["alert", "case"])
            .default("alert")
            .doc("What is created."),
        opt("iris_customer_id")
            .int()
            .default("1")
            .doc("The customer."),
        opt("iris_description")
            .default("the alert's body")
            .doc("The description."),
        opt("iris_overwrite_timestamp")
            .bool()
            .default("false")
            .doc("Whether the alert's time is the match's."),
        opt("iris_case_template_id")
            .int()
            .doc("The template of a case."),
        opt("iris_alert_note").doc("A note."),
        opt("iris_alert_source")
            .default("ElastAlert2")
            .doc("Where the alert comes from."),
        opt("iris_alert_source_link").doc("A link to there."),
        opt("iris_alert_tags").doc("Tags, separated by commas."),
        opt("iris_alert_status_id")
            .int()
            .default("2")
            .doc("The status, 1 to 7."),
        opt("iris_alert_severity_id")
            .int()
            .default("1")
            .doc("The severity, 1 to 6."),
        opt("iris_alert_context")
            .kind(Kind::Map)
            .doc("Context: name and field of the match."),
        opt("iris_iocs")
            .kind(Kind::List(&Kind::Map))
            .doc("Indicators of compromise; `ioc_value` is a field of the match."),
        opt("iris_ca_cert")
            .kind(CERTIFICATES)
            .doc("`true`, or the PEM file of the authorities to trust."),
        opt("iris_ignore_ssl_errors")
            .bool()
            .default("false")
            .doc("Whether any certificate is accepted."),
    ],
    build,
};

#[derive(Debug)]
struct Iris {
    url: String,
    authorization: String,
    is_case: bool,
    customer: Value,
    description: Option<String>,
    match_time: bool,
    case_template: Option<Value>,
    /// The alert's members that are the same for all alerts.
    fixed: Map<String, Value>,
    context: Option<Vec<(String, FieldPath)>>,
    indicators: Option<Vec<Map<String, Value>>>,
    route: Route,
    transport: Arc<dyn Transport>,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let number = |name: &str, default: i64| json!(properties.int(name).unwrap_or(default));
    let mut fixed = Map::from_iter([
        (
            "alert_source".to_owned(),
            json!(text_or(properties, "iris_alert_source", "ElastAlert2")),
        ),
        (
            "alert_severity_id".to_owned(),
            number("iris_alert_severity_id", 1),
        ),
        (
            "alert_status_id".to_owned(),
            number("iris_alert_status_id", 2),
        ),
        (
            "alert_customer_id".to_owned(),
            number("iris_customer_id", 1),
        ),
        (
            "alert_note".to_owned(),
            json!(properties.text("iris_alert_note")),
        ),
        (
            "alert_tags".to_owned(),
            json!(properties.text("iris_alert_tags")),
        ),
    ]);
    if let Some(link) = filled(properties, "iris_alert_source_link") {
        fixed.insert("alert_source_link".to_owned(), json!(link));
    }
    let context = properties.get("iris_alert_context").and_then(Node::as_map);
    let indicators = match properties.value("iris_iocs") {
        Some(Value::Array(items)) => Some(items),
        _ => None,
    };
    Ok(Iris {
        url: format!("https://{}", text_or(properties, "iris_host", "")),
        authorization: format!("Bearer {}", text_or(properties, "iris_api_token", "")),
        is_case: properties.text("iris_type").as_deref() == Some("case"),
        customer: number("iris_customer_id", 1),
        description: filled(properties, "iris_description"),
        match_time: is_set(properties, "iris_overwrite_timestamp"),
        case_template: properties.value("iris_case_template_id"),
        fixed,
        context: context.map(|map| {
            map.iter()
                .map(|(name, path)| (name.key_text(), FieldPath::new(path.key_text())))
                .collect()
        }),
        indicators: indicators.map(|items| {
            items
                .into_iter()
                .filter_map(|item| item.as_object().cloned())
                .collect()
        }),
        route: Route {
            verify: Verify::read(
                properties,
                "iris_ca_cert",
                "iris_ignore_ssl_errors",
                &build.working_directory,
            ),
            ..Route::default()
        },
        transport: Arc::clone(&build.transport),
    }
    .into())
}

impl Iris {
    /// Sends a request that must be answered with exactly 200.
    async fn post(&self, path: &str, body: Value) -> Result<Answer, SendError> {
        let request = Request::post(&format!("{}{path}", self.url), body, &self.route)
            .header("Authorization", &self.authorization);
        let answer = self.transport.deliver(request).await?;
        if answer.status == 200 {
            Ok(answer)
        } else {
            Err(SendError::Content(format!(
                "iris answered with status {}",
                answer.status
            )))
        }
    }

    fn alert(&self, alert: &Alert<'_>) -> Result<Value, SendError> {
        let none = Document::new();
        let first = alert.matches.first().unwrap_or(&none);
        let mut body = self.fixed.clone();
        let title = alert.subject(&alert.rule.name)?;
        body.insert("alert_title".to_owned(), Value::String(title));
        let description = match &self.description {
            Some(description) => description.clone(),
            None => alert.body(BodyStyle::default())?,
        };
        body.insert("alert_description".to_owned(), Value::String(description));
        let time = if self.match_time {
            first.get("@timestamp").cloned().unwrap_or_default()
        } else {
            let now = jiff::Timestamp::from_microsecond(alert.now.0).unwrap_or_default();
            Value::String(now.strftime("%Y-%m-%dT%H:%M:%S").to_string())
        };
        body.insert("alert_source_event_time".to_owned(), time);
        if self.indicators.is_some() {
            let indicators = Value::Array(self.indicators(first));
            body.insert("alert_iocs".to_owned(), indicators);
        }
        if let Some(context) = &self.context {
            let context: Map<String, Value> = context
                .iter()
                .map(|(name, path)| {
                    (
                        name.clone(),
                        Value::String(context_text(alert, first, path)),
                    )
                })
                .collect();
            body.insert("alert_context".to_owned(), Value::Object(context));
        }
        Ok(Value::Object(body))
    }

    /// The indicators with the match's values; those it has no value for are left out.
    fn indicators(&self, first: &Document) -> Vec<Value> {
        let indicators = self.indicators.iter().flatten().filter_map(|entry| {
            let path = FieldPath::new(python::str(entry.get("ioc_value")?));
            let mut entry = entry.clone();
            entry.insert("ioc_value".to_owned(), path.get_some(first)?.clone());
            Some(Value::Object(entry))
        });
        indicators.collect()
    }

    async fn send_case(&self, alert: &Alert<'_>) -> Result<(), SendError> {
        let mut hasher = DefaultHasher::new();
        alert.id.hash(&mut hasher);
        let mut body = Map::from_iter([
            (
                "case_soc_id".to_owned(),
                json!(format!("SOC_{:06x}", hasher.finish() >> 40)),
            ),
            ("case_customer".to_owned(), self.customer.clone()),
            ("case_name".to_owned(), json!(alert.rule.name)),
            ("case_description".to_owned(), json!(self.description)),
        ]);
        if let Some(template) = &self.case_template {
            body.insert("case_template_id".to_owned(), template.clone());
        }
        let answer = self.post("/manage/cases/add", Value::Object(body)).await?;
        let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let case = answer.get("data").and_then(|data| data.get("case_id"));
        let none = Document::new();
        for mut indicator in self.indicators(alert.matches.first().unwrap_or(&none)) {
            let case = case
                .ok_or_else(|| SendError::Content("iris did not say the case's id".to_owned()))?;
            if let Value::Object(members) = &mut indicator {
                members.insert("cid".to_owned(), case.clone());
            }
            self.post("/case/ioc/add", indicator).await?;
        }
        Ok(())
    }
}

/// The text of a field of the match, else of an option of the rule, else nothing.
fn context_text(alert: &Alert<'_>, first: &Document, path: &FieldPath) -> String {
    match path.get_some(first) {
        Some(value) => python::str(value),
        None => property(alert.rule, path.as_str()).map_or_else(String::new, |value| value.str()),
    }
}

impl Alerter for Iris {
    fn info(&self) -> Document {
        info("IrisAlerter", [("iris_api_endpoint", json!(self.url))])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            if self.is_case {
                return self.send_case(alert).await;
            }
            self.post("/alerts/add", self.alert(alert)?).await?;
            Ok(())
        })
    }
}
