//! `alertmanager`: raises an alert in Prometheus Alertmanager.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#alertmanager>. Labels and annotations are Jinja templates over the match.

use super::http::{Request, Route};
use super::options::{CERTIFICATES, info, text_or};
use super::requests::Requests;
use super::{AlerterEntry, SendError};
use crate::alert::{Alert, BodyStyle, Jinja};
use crate::config::{Kind, Node, OptionSpec, Problem, Properties, opt};
use crate::event::dumps::Dumps;
use crate::event::{Document, FieldPath, Timestamp};
use serde_json::{Map, Value, json};
use std::time::Duration;

const OPTIONS: &[OptionSpec] = &[
    opt("alertmanager_hosts")
        .kind(Kind::List(&Kind::Str))
        .required()
        .doc("The servers' URLs."),
    opt("alertmanager_api_version")
        .one_of(&["v1", "v2"])
        .default("v1")
        .doc("The version of the API."),
    opt("alertmanager_alertname")
        .default("the rule's name")
        .doc("The label `alertname`."),
    opt("alertmanager_labels")
        .kind(Kind::Map)
        .doc("Labels; values are Jinja templates."),
    opt("alertmanager_annotations")
        .kind(Kind::Map)
        .doc("Annotations; values are Jinja templates."),
    opt("alertmanager_fields")
        .kind(Kind::Map)
        .doc("Labels with the values of fields: label and field."),
    opt("alertmanager_alert_subject_labelname")
        .default("summary")
        .doc("The annotation that holds the subject."),
    opt("alertmanager_alert_text_labelname")
        .default("description")
        .doc("The annotation that holds the body."),
    opt("alertmanager_resolve_time")
        .duration()
        .doc("After which time the alert counts as resolved."),
    opt("alertmanager_basic_auth_login").doc("The user."),
    opt("alertmanager_basic_auth_password")
        .secret()
        .doc("The user's password."),
    opt("alertmanager_proxy").doc("A proxy for https."),
    opt("alertmanager_timeout")
        .int()
        .default("10")
        .doc("Seconds until a request is given up."),
    opt("alertmanager_ca_certs")
        .kind(CERTIFICATES)
        .doc("`true`, or the PEM file of the authorities to trust."),
    opt("alertmanager_ignore_ssl_errors")
        .bool()
        .default("false")
        .doc("Whether any certificate is accepted."),
];

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "alertmanager",
    aliases: &[],
    doc: "Raises an alert in Prometheus Alertmanager.",
    options: OPTIONS,
    build: |properties, build| {
        let version = text_or(properties, "alertmanager_api_version", "v1");
        let hosts = properties.texts("alertmanager_hosts");
        let urls: Vec<String> = hosts
            .iter()
            .map(|host| format!("{host}/api/{version}/alerts"))
            .collect();
        let user = properties.text("alertmanager_basic_auth_login");
        let password = properties.text("alertmanager_basic_auth_password");
        let login = user.map(|user| (user, password.unwrap_or_default()));
        let route = Route::read(properties, "alertmanager", build);
        let mut warnings = Vec::new();
        let parts = Parts::read(properties, &mut warnings);
        let built = Requests::built(build, info("alertmanager", []), move |alert| {
            let body = parts.body(alert)?;
            let request = |url: &String| {
                let request = Request::post(url, body.clone(), &route);
                match &login {
                    Some((user, password)) => request.basic_auth(user, password),
                    None => request,
                }
            };
            Ok(urls.iter().map(request).collect())
        });
        Ok(super::Built { warnings, ..built })
    },
};

/// What an alert is made of.
struct Parts {
    /// `None`: the rule's name.
    name: Option<String>,
    labels: Vec<(String, Template)>,
    annotations: Vec<(String, Template)>,
    fields: Vec<(String, FieldPath)>,
    subject_name: String,
    text_name: String,
    resolve_after: Option<Duration>,
}

/// A template, or why it cannot be used: elastalert2 finds out when it sends.
type Template = Result<Jinja, String>;

impl Parts {
    fn read(properties: &Properties, warnings: &mut Vec<Problem>) -> Self {
        let fields = members(properties, "alertmanager_fields");
        Self {
            name: properties.text("alertmanager_alertname"),
            labels: templates(properties, "alertmanager_labels", warnings),
            annotations: templates(properties, "alertmanager_annotations", warnings),
            fields: fields
                .into_iter()
                .map(|(name, path)| (name, FieldPath::new(path.key_text())))
                .collect(),
            subject_name: text_or(
                properties,
                "alertmanager_alert_subject_labelname",
                "summary",
            ),
            text_name: text_or(
                properties,
                "alertmanager_alert_text_labelname",
                "description",
            ),
            resolve_after: properties.duration("alertmanager_resolve_time"),
        }
    }

    fn body(&self, alert: &Alert<'_>) -> Result<Value, SendError> {
        let none = Document::new();
        let first = alert.matches.first().unwrap_or(&none);
        let mut labels = render(&self.labels, first)?;
        for (name, path) in &self.fields {
            let text = match path.get(first) {
                Some(Value::String(text)) => text.clone(),
                other => ASCII.to_text(other.unwrap_or(&Value::Null)),
            };
            labels.insert(name.clone(), Value::String(text));
        }
        let rule_name = &alert.rule.name;
        let name = self.name.as_ref().unwrap_or(rule_name);
        labels.insert("alertname".to_owned(), json!(name));
        labels.insert("elastalert_rule".to_owned(), json!(rule_name));
        let mut annotations = render(&self.annotations, first)?;
        let subject = alert.subject(rule_name)?;
        annotations.insert(self.subject_name.clone(), Value::String(subject));
        let body = alert.body(BodyStyle::default())?;
        annotations.insert(self.text_name.clone(), Value::String(body));
        let mut payload = Map::from_iter([
            ("annotations".to_owned(), Value::Object(annotations)),
            ("labels".to_owned(), Value::Object(labels)),
        ]);
        if let Some(span) = self.resolve_after {
            let end = Timestamp {
                micros: alert.now.plus(span).0,
                offset_seconds: 0,
            };
            payload.insert("endsAt".to_owned(), Value::String(end.isoformat()));
        }
        Ok(json!([payload]))
    }
}

/// Python's `json.dumps`.
const ASCII: Dumps = Dumps {
    indent: None,
    sort_keys: false,
    ascii: true,
    compact: false,
};

fn members<'a>(properties: &'a Properties, option: &str) -> Vec<(String, &'a Node)> {
    let map = properties.get(option).and_then(Node::as_map);
    let members = map.into_iter().flat_map(|map| map.iter());
    members
        .map(|(name, node)| (name.key_text(), node))
        .collect()
}

fn templates(
    properties: &Properties,
    option: &str,
    warnings: &mut Vec<Problem>,
) -> Vec<(String, Template)> {
    let root = text_or(properties, "jinja_root_name", "_data");
    let mut templates = Vec::new();
    for (name, node) in members(properties, option) {
        let template = Jinja::new(&node.key_text(), &root, &Properties::default());
        let template = template.map_err(|broken| {
            let reasons: Vec<String> = broken.into_iter().map(|broken| broken.message).collect();
            let reason = format!("{option}.{name}: {}", reasons.join("; "));
            let message = format!("no alert can be sent with {reason}");
            warnings.push(Problem::warning("W0321", &node.span, message));
            reason
        });
        templates.push((name, template));
    }
    templates
}

fn render(
    templates: &[(String, Template)],
    first: &Document,
) -> Result<Map<String, Value>, SendError> {
    let mut values = Map::new();
    for (name, template) in templates {
        let template = template
            .as_ref()
            .map_err(|reason| SendError::Content(reason.clone()))?;
        values.insert(name.clone(), Value::String(template.render(first)?));
    }
    Ok(values)
}
