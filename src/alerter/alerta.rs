//! `alerta`: creates an alert.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#alerta>. Texts may hold values of the first match: `%(user.name)s`, `{ip}`.
//! Unlike elastalert2, times are UTC as the `Z` after them says, and a resource taken from a query key is not kept for later alerts.

use super::AlerterEntry;
use super::http::{Request, Route};
use super::options::{info, is_set, text_or};
use super::requests::Requests;
use super::tls::Verify;
use crate::alert::{Alert, BodyStyle, TextError, resolve};
use crate::config::{Kind, OptionSpec, Properties, opt};
use crate::event::{Document, Field, FieldPath, WallTime, python};
use serde_json::{Map, Value, json};

const TEXTS: Kind = Kind::List(&Kind::Str);

const OPTIONS: &[OptionSpec] = &[
    opt("alerta_api_url").required().doc("The URL of the API."),
    opt("alerta_api_key").secret().doc("The API key."),
    opt("alerta_api_skip_ssl")
        .bool()
        .default("false")
        .doc("Whether any certificate is accepted."),
    opt("alerta_severity")
        .default("warning")
        .doc("How bad it is."),
    opt("alerta_timeout")
        .int()
        .default("86400")
        .doc("Seconds until the alert expires."),
    opt("alerta_type")
        .default("elastalert")
        .doc("The alert's type."),
    opt("alerta_resource")
        .default("elastalert")
        .doc("What is affected."),
    opt("alerta_environment")
        .default("Production")
        .doc("Where."),
    opt("alerta_origin")
        .default("elastalert")
        .doc("Who reports it."),
    opt("alerta_group").doc("The group."),
    opt("alerta_value").doc("The value."),
    opt("alerta_event")
        .default("elastalert")
        .doc("The event's name; empty: the rule's, with the query key's value."),
    opt("alerta_text")
        .default("elastalert")
        .doc("A text; empty: what the rule type says."),
    opt("alerta_service")
        .kind(TEXTS)
        .default("elastalert")
        .doc("The services affected."),
    opt("alerta_tags").kind(TEXTS).doc("Tags."),
    opt("alerta_correlate")
        .kind(TEXTS)
        .doc("Events that belong together."),
    opt("alerta_attributes_keys")
        .kind(TEXTS)
        .doc("Names of further attributes."),
    opt("alerta_attributes_values")
        .kind(TEXTS)
        .doc("Their values."),
    opt("alerta_use_qk_as_resource")
        .bool()
        .default("false")
        .doc("Whether the query key's value is what is affected."),
    opt("alerta_use_match_timestamp")
        .bool()
        .default("false")
        .doc("Whether the alert's time is the match's."),
];

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "alerta",
    aliases: &[],
    doc: "Creates an alert in Alerta.",
    options: OPTIONS,
    build: |properties, build| {
        let url = text_or(properties, "alerta_api_url", "");
        let key = properties.text("alerta_api_key");
        // `alerta_timeout` is the alert's, not the request's.
        let route = Route {
            verify: if is_set(properties, "alerta_api_skip_ssl") {
                Verify::Nothing
            } else {
                Verify::System
            },
            ..Route::default()
        };
        let texts = Texts::read(properties);
        let info = info("alerta", [("alerta_url", json!(url))]);
        Ok(Requests::built(build, info, move |alert| {
            let request = Request::post(&url, Value::Object(texts.body(alert)?), &route);
            Ok(vec![match &key {
                Some(key) => request.header("Authorization", format!("Key {key}")),
                None => request,
            }])
        }))
    },
};

/// What stands for a value the match does not have.
const MISSING: &str = "<MISSING VALUE>";

/// What the rule says, before values are put in.
struct Texts {
    severity: String,
    /// Members and their texts.
    members: Vec<(&'static str, String)>,
    lists: Vec<(&'static str, Vec<String>)>,
    attributes: Vec<(String, String)>,
    fixed: Map<String, Value>,
    event: String,
    text: String,
    key_as_resource: bool,
    match_time: bool,
    missing: String,
}

impl Texts {
    fn read(properties: &Properties) -> Self {
        let or = |name: &str, default: &str| text_or(properties, name, default);
        let services = if properties.contains("alerta_service") {
            properties.texts("alerta_service")
        } else {
            vec!["elastalert".to_owned()]
        };
        let names = properties.texts("alerta_attributes_keys").into_iter();
        let values = properties.texts("alerta_attributes_values");
        let timeout = properties.int("alerta_timeout").unwrap_or(86400);
        Self {
            severity: or("alerta_severity", "warning"),
            members: vec![
                ("resource", or("alerta_resource", "elastalert")),
                ("environment", or("alerta_environment", "Production")),
                ("origin", or("alerta_origin", "elastalert")),
                ("group", or("alerta_group", "")),
                ("value", or("alerta_value", "")),
            ],
            lists: vec![
                ("service", services),
                ("tags", properties.texts("alerta_tags")),
                ("correlate", properties.texts("alerta_correlate")),
            ],
            attributes: names.zip(values).collect(),
            fixed: Map::from_iter([
                ("timeout".to_owned(), json!(timeout)),
                ("type".to_owned(), json!(or("alerta_type", "elastalert"))),
            ]),
            event: or("alerta_event", "elastalert"),
            text: or("alerta_text", "elastalert"),
            key_as_resource: is_set(properties, "alerta_use_qk_as_resource"),
            match_time: is_set(properties, "alerta_use_match_timestamp"),
            missing: or("alert_missing_value", MISSING),
        }
    }

    fn body(&self, alert: &Alert<'_>) -> Result<Map<String, Value>, TextError> {
        let none = Document::new();
        let first = alert.matches.first().unwrap_or(&none);
        let fill = |text: &String| resolve(text, first, &self.missing);
        let mut body = self.fixed.clone();
        let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
        set("severity", json!(resolve(&self.severity, first, MISSING)?));
        for (name, text) in &self.members {
            set(name, json!(fill(text)?));
        }
        for (name, texts) in &self.lists {
            let texts = texts.iter().map(fill).collect::<Result<Vec<_>, _>>()?;
            set(name, json!(texts));
        }
        let mut attributes = Map::new();
        for (name, text) in &self.attributes {
            attributes.insert(name.clone(), json!(fill(text)?));
        }
        set("attributes", Value::Object(attributes));
        if let Some(resource) = self.resource(alert, first) {
            set("resource", json!(fill(&resource)?));
        }
        let event = match self.event.as_str() {
            "" => event_name(alert, first),
            _ => fill(&self.event)?,
        };
        set("event", json!(event));
        let text = match self.text.as_str() {
            "" => alert.rule_text(first),
            _ => fill(&self.text)?,
        };
        set("text", json!(text));
        set("rawData", json!(alert.body(BodyStyle::default())?));
        set("createTime", json!(self.time(alert, first)));
        Ok(body)
    }

    fn resource(&self, alert: &Alert<'_>, first: &Document) -> Option<String> {
        let key = alert.rule.query_key.as_ref();
        let path = FieldPath::new(key.filter(|_| self.key_as_resource)?.name.as_str());
        let value = path.get(first).filter(|value| python::is_truthy(value))?;
        Some(python::str(value))
    }

    /// The match's time, if the rule wants it and it can be read, else now.
    fn time(&self, alert: &Alert<'_>, first: &Document) -> String {
        let field = alert.rule.time.path.get_some(first);
        let of_match = || {
            let time = alert.rule.time.read(Field::Value(field?)).ok()?;
            Some(time.event_time().0)
        };
        let time = self.match_time.then(of_match).flatten();
        micros_text(WallTime(time.unwrap_or(alert.now.0)))
    }
}

/// The rule's name, with the value of the query key if the match has it at top level.
fn event_name(alert: &Alert<'_>, first: &Document) -> String {
    let name = &alert.rule.name;
    let key = alert.rule.query_key.as_ref();
    match key
        .and_then(|key| first.get(&key.name))
        .filter(|value| python::is_truthy(value))
    {
        Some(value) => format!("{name}.{}", python::str(value)),
        None => name.clone(),
    }
}

/// `2026-03-02T00:10:00.000000Z`.
fn micros_text(time: WallTime) -> String {
    jiff::Timestamp::from_microsecond(time.0).map_or_else(
        |_| String::new(),
        |time| time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
    )
}
