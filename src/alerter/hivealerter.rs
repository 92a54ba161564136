//! `hivealerter`: creates an alert in TheHive.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#thehive>. Unlike in elastalert2, repeats of an alert have the same
//! `sourceRef`, by which TheHive tells them.

use super::AlerterEntry;
use super::http::{Proxy, Request, Route};
use super::options::{Formatted, info, text_or};
use super::requests::Requests;
use super::tls::Verify;
use crate::alert::{Alert, BodyStyle, TextError};
use crate::config::{Data, Kind, Properties, opt};
use crate::event::{Document, FieldPath, python};
use serde_json::{Map, Value, json};
use std::path::Path;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "hivealerter",
    aliases: &[],
    doc: "Creates an alert in TheHive.",
    options: &[
        opt("hive_connection")
            .kind(Kind::Map)
            .required()
            .secret()
            .doc("The server: `hive_host`, `hive_port` (9000), `hive_apikey`, `hive_proxies`, `hive_verify` (false)."),
        opt("hive_alert_config")
            .kind(Kind::Map)
            .required()
            .doc("The alert's members; `type`, `source`, `title` and `description` may have placeholders for fields in `type_args` and so on."),
        opt("hive_observable_data_mapping")
            .kind(Kind::List(&Kind::Map))
            .doc("Observables: a data type and the field with the value, and `tlp`, `message`, `tags`."),
    ],
    build: |properties, build| {
        let connection = object(properties, "hive_connection");
        let host = text_or(&connection, "hive_host", "http://localhost");
        let port = text_or(&connection, "hive_port", "9000");
        let url = format!("{host}:{port}/api/alert");
        let authorization = format!("Bearer {}", text_or(&connection, "hive_apikey", ""));
        let route = route(&connection, &build.working_directory);
        let parts = Parts::read(properties);
        let info = info("hivealerter", [("hive_host", json!(host))]);
        Ok(Requests::built(build, info, move |alert| {
            let request = Request::post(&url, Value::Object(parts.body(alert)?), &route);
            Ok(vec![request.header("Authorization", &authorization)])
        }))
    },
};

/// The members of an option that is an object.
fn object(properties: &Properties, option: &str) -> Properties {
    let map = properties.get(option).and_then(|node| node.as_map());
    Properties::new(map.cloned().unwrap_or_default())
}

fn route(connection: &Properties, working_directory: &Path) -> Route {
    let verify = match connection.get("hive_verify").map(|node| &node.data) {
        Some(Data::Bool(true)) => Verify::System,
        Some(Data::Str(path)) => Verify::Bundle(working_directory.join(path)),
        _ => Verify::Nothing,
    };
    let proxies = object(connection, "hive_proxies");
    let proxy = proxies.text("https").filter(|url| !url.is_empty());
    Route {
        proxy: proxy.map(|url| Proxy { url, login: None }),
        verify,
        ..Route::default()
    }
}

/// The members whose text may have values of the match in it.
const FORMATTED: [&str; 4] = ["title", "type", "source", "description"];

/// What an alert is made of.
struct Parts {
    /// `hive_alert_config`.
    config: Properties,
    /// The same, without arguments.
    members: Map<String, Value>,
    observables: Vec<Map<String, Value>>,
}

impl Parts {
    fn read(properties: &Properties) -> Self {
        let mut members = match properties.value("hive_alert_config") {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        };
        for name in FORMATTED {
            members.remove(&format!("{name}_args"));
        }
        let observables = match properties.value("hive_observable_data_mapping") {
            Some(Value::Array(entries)) => entries,
            _ => Vec::new(),
        };
        let observables = observables.into_iter().filter_map(|entry| match entry {
            Value::Object(entry) => Some(entry),
            _ => None,
        });
        Self {
            config: object(properties, "hive_alert_config"),
            members,
            observables: observables.collect(),
        }
    }

    fn body(&self, alert: &Alert<'_>) -> Result<Map<String, Value>, TextError> {
        let seconds = alert.now.0.div_euclid(1_000_000);
        let artifacts = alert.matches.iter().flat_map(|document| {
            self.observables
                .iter()
                .filter_map(|entry| observable(alert, document, entry))
        });
        let mut body = Map::from_iter([
            ("artifacts".to_owned(), Value::Array(artifacts.collect())),
            ("customFields".to_owned(), json!({})),
            ("date".to_owned(), json!(seconds * 1000)),
            (
                "description".to_owned(),
                json!(alert.body(BodyStyle::default())?),
            ),
            ("sourceRef".to_owned(), json!(alert.id)),
            ("title".to_owned(), json!(alert.subject(&alert.rule.name)?)),
        ]);
        body.extend(self.members.clone());
        for name in FORMATTED {
            let arguments = format!("{name}_args");
            if let (Some(Value::String(text)), true) =
                (body.get(name), self.config.contains(&arguments))
            {
                let missing = text_or(
                    &self.config,
                    &format!("{name}_missing_value"),
                    "<MISSING VALUE>",
                );
                let text = Formatted::new(&self.config, text.clone(), &arguments);
                body.insert(name.to_owned(), json!(text.render(alert, &missing)?));
            }
        }
        body.insert("tags".to_owned(), json!(self.tags(alert)));
        if let Some(Value::Array(fields)) = self.members.get("customFields") {
            let fields = custom_fields(alert, fields);
            body.insert("customFields".to_owned(), Value::Object(fields));
        }
        Ok(body)
    }

    /// The tags of all matches, each once.
    fn tags(&self, alert: &Alert<'_>) -> Vec<String> {
        let mut tags = Vec::new();
        for document in alert.matches {
            for tag in self.config.texts("tags") {
                let found = match find(alert, document, &tag) {
                    Some(Value::Array(items)) => items.iter().map(python::str).collect(),
                    Some(value) => vec![python::str(&value)],
                    None => vec![tag],
                };
                for tag in found {
                    if !tags.contains(&tag) {
                        tags.push(tag);
                    }
                }
            }
        }
        tags
    }
}

/// A field of the match, else an option of the rule.
fn find(alert: &Alert<'_>, document: &Document, name: &str) -> Option<Value> {
    let value = FieldPath::new(name).get_some(document).cloned();
    value.or_else(|| alert.rule.options.value(name))
}

/// An observable with the match's value; `None` without one.
fn observable(alert: &Alert<'_>, document: &Document, entry: &Map<String, Value>) -> Option<Value> {
    const OWN: [&str; 3] = ["tlp", "message", "tags"];
    let (kind, field) = entry
        .iter()
        .find(|(name, _)| !OWN.contains(&name.as_str()))?;
    let data = python::str(&find(alert, document, &python::str(field))?);
    if data.is_empty() {
        return None;
    }
    let mut observable = Map::from_iter([
        ("tlp".to_owned(), json!(2)),
        ("tags".to_owned(), json!([])),
        ("message".to_owned(), Value::Null),
    ]);
    for (name, value) in entry {
        if OWN.contains(&name.as_str()) {
            observable.insert(name.clone(), value.clone());
        }
    }
    observable.insert("dataType".to_owned(), json!(kind));
    observable.insert("data".to_owned(), Value::String(data));
    Some(Value::Object(observable))
}

/// Custom fields in their order, as TheHive takes them: `{name: {order, TYPE: value}}`.
fn custom_fields(alert: &Alert<'_>, fields: &[Value]) -> Map<String, Value> {
    let none = Document::new();
    let first = alert.matches.first().unwrap_or(&none);
    let mut members = Map::new();
    for (order, field) in fields.iter().enumerate() {
        let text = |name: &str| field.get(name).map(python::str);
        let (Some(name), Some(kind)) = (text("name"), text("type")) else {
            continue;
        };
        let value = match field.get("value") {
            Some(Value::String(text)) => find(alert, first, text).unwrap_or_else(|| json!(text)),
            other => other.cloned().unwrap_or_default(),
        };
        members.insert(name, json!({"order": order, &kind: value}));
    }
    members
}
