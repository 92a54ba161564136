//! `indexer`: writes a document into an index.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#indexer>.

use super::http::{Request, Route};
use super::options::{filled, info};
use super::tls::Verify;
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::{Alert, ArgumentPath, property};
use crate::config::{Kind, Problem, Properties, opt, process_environment, read_yaml};
use crate::event::format::Argument;
use crate::event::{Document, Timestamp, python};
use futures_util::future::BoxFuture;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "indexer",
    aliases: &[],
    doc: "Writes a document into an index of Elasticsearch or OpenSearch.",
    options: &[
        opt("indexer_alert_config").kind(Kind::Map).required().doc(
            "The document: each value names a field of the match or an option of the rule, or stands for itself; a list of `name` and `value` makes an object.",
        ),
        opt("indexer_connection").kind(Kind::Map).secret().doc(
            "Where to: `es_host`, `es_port`, `es_url_prefix`, `use_ssl`, `verify_certs`, `ca_certs`, `es_username`, `es_password`, `es_conn_timeout`, and the index, `indexer_alerts_name`.",
        ),
        opt("indexer_config").doc("A YAML file with the same, used without `indexer_connection`."),
        opt("indexer_alerts_name")
            .no_effect("the index is named in `indexer_connection` or in the file of `indexer_config`")
            .doc("The index."),
    ],
    build,
};

struct Indexer {
    /// Or why there is none: alerts then fail.
    connection: Result<Connection, String>,
    /// The document's members, before the match is looked at.
    members: Map<String, Value>,
    transport: Arc<dyn Transport>,
}

struct Connection {
    url: String,
    login: Option<(String, String)>,
    route: Route,
}

impl fmt::Debug for Indexer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Indexer")
    }
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let connection = connection(properties, build);
    let warnings = connection.as_ref().err().map(|message| {
        let span = properties
            .get("indexer_connection")
            .or_else(|| properties.get("indexer_config"))
            .map_or(&build.span, |node| &node.span);
        Problem::warning("W0321", span, message.clone())
            .help("alerts through `indexer` will fail until this is mended")
    });
    let members = match properties.value("indexer_alert_config") {
        Some(Value::Object(members)) if !members.is_empty() => members,
        _ => {
            let span = properties.get("indexer_alert_config");
            let span = span.map_or(&build.span, |node| &node.span);
            let message = "indexer_alert_config names no member of the document";
            return Err(vec![Problem::error("E0312", span, message)]);
        }
    };
    let warnings = warnings.into_iter().collect();
    Ok(Built {
        warnings,
        ..Indexer {
            connection,
            members,
            transport: Arc::clone(&build.transport),
        }
        .into()
    })
}

/// What an index's name keeps in a path.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'+');

fn connection(properties: &Properties, build: &Build) -> Result<Connection, String> {
    let (place, options) = match properties.get("indexer_connection") {
        Some(node) => ("indexer_connection".to_owned(), node.as_map().cloned()),
        None => {
            let file = filled(properties, "indexer_config")
                .ok_or("neither `indexer_connection` nor `indexer_config` is there")?;
            let path = build.working_directory.join(file);
            let (node, problems) = read_yaml(path.as_path(), &process_environment);
            if let Some(problem) = problems.iter().find(|problem| problem.is_error()) {
                return Err(problem.message.clone());
            }
            let options = node.and_then(|node| node.as_map().cloned());
            (path.display().to_string(), options)
        }
    };
    let options = Properties::new(options.unwrap_or_default());
    let needed = |name| filled(&options, name).ok_or(format!("{place} has no `{name}`"));
    let scheme = match options.bool("use_ssl") {
        Some(true) => "https",
        _ => "http",
    };
    let port = options.int("es_port").unwrap_or(9200);
    let prefix = filled(&options, "es_url_prefix").unwrap_or_default();
    let prefix = match prefix.trim_matches('/') {
        "" => String::new(),
        prefix => format!("/{prefix}"),
    };
    let host = needed("es_host")?;
    let index = needed("indexer_alerts_name")?;
    let index = utf8_percent_encode(&index, KEPT);
    let seconds = options.int("es_conn_timeout").unwrap_or(20);
    Ok(Connection {
        url: format!("{scheme}://{host}:{port}{prefix}/{index}/_doc?refresh=true"),
        login: filled(&options, "es_username").zip(options.text("es_password")),
        route: Route {
            timeout: Duration::from_secs(u64::try_from(seconds).unwrap_or(20)),
            verify: verify(&options, &build.working_directory),
            ..Route::default()
        },
    })
}

fn verify(options: &Properties, working_directory: &Path) -> Verify {
    let bundle = filled(options, "ca_certs").or_else(|| filled(options, "ca_cert"));
    match (options.bool("verify_certs"), bundle) {
        (Some(false), _) => Verify::Nothing,
        (_, Some(path)) => Verify::Bundle(working_directory.join(path)),
        (_, None) => Verify::System,
    }
}

impl Indexer {
    fn request(&self, alert: &Alert<'_>) -> Result<Request, SendError> {
        let connection = self.connection.as_ref();
        let connection = connection.map_err(|message| SendError::Content(message.clone()))?;
        let document = Value::Object(self.document(alert)?);
        let request = Request::post(&connection.url, document, &connection.route);
        Ok(match &connection.login {
            Some((user, password)) => request.basic_auth(user, password),
            None => request,
        })
    }

    fn document(&self, alert: &Alert<'_>) -> Result<Document, SendError> {
        let now = Timestamp {
            micros: alert.now.0,
            offset_seconds: 0,
        };
        let now = now.civil().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        let mut members = Map::from_iter([("@timestamp".to_owned(), Value::String(now))]);
        members.extend(self.members.clone());
        let mut filled = Map::new();
        for (name, value) in flat(members) {
            let value = match value {
                Value::String(text) => look_up(&text, alert)?,
                Value::Array(fields) => Value::Object(object(&fields, alert)?),
                other => other,
            };
            filled.insert(name, value);
        }
        let mut document = Document::new();
        for (name, value) in flat(filled) {
            // A name that stands for nothing.
            if value.as_str() == Some(&name) {
                continue;
            }
            put(&mut document, &name, value)
                .ok_or_else(|| content(format!("{name:?} is below a member that is no object")))?;
        }
        Ok(document)
    }
}

fn content(message: impl Into<String>) -> SendError {
    SendError::Content(message.into())
}

/// Members of members, their names joined by dots.
fn flat(members: Map<String, Value>) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in members {
        match value {
            Value::Object(inner) => {
                let inner = flat(inner).into_iter();
                all.extend(inner.map(|(end, value)| (format!("{name}.{end}"), value)));
            }
            value => {
                all.insert(name, value);
            }
        }
    }
    all
}

/// Puts a value where a dotted name leads; `None`: a value is in the way.
fn put(document: &mut Document, name: &str, value: Value) -> Option<()> {
    let (path, last) = match name.rsplit_once('.') {
        Some((path, last)) => (Some(path), last),
        None => (None, name),
    };
    let mut place = document;
    for step in path.into_iter().flat_map(|path| path.split('.')) {
        place = place
            .entry(step)
            .or_insert_with(|| Value::Object(Map::new()))
            .as_object_mut()?;
    }
    place.insert(last.to_owned(), value);
    Some(())
}

/// A field of the first match, else an option of the rule, else the text itself.
fn look_up(text: &str, alert: &Alert<'_>) -> Result<Value, SendError> {
    let path = ArgumentPath::new(text);
    let found = match alert.matches.first() {
        Some(first) => path.get(first)?,
        None => None,
    };
    let found = found.map(Argument::Value);
    Ok(match found.or_else(|| property(alert.rule, text)) {
        Some(Argument::Value(value)) => value.into_owned(),
        Some(Argument::Duration(duration)) => {
            Value::String(crate::event::time::duration_text(duration))
        }
        None => Value::String(text.to_owned()),
    })
}

/// A list of `name` and `value`, or of a name with such a list, as an object.
fn object(fields: &[Value], alert: &Alert<'_>) -> Result<Document, SendError> {
    let mut object = Document::new();
    for field in fields {
        let field = field.as_object();
        let field = field.ok_or_else(|| {
            content("a list in `indexer_alert_config` must hold objects with `name` and `value`")
        })?;
        match field.get("value").filter(|value| python::is_truthy(value)) {
            Some(value) => {
                let name = field.get("name").map(python::str);
                let name = name.ok_or_else(|| {
                    content("an item of `indexer_alert_config` has a `value`, but no `name`")
                })?;
                let value = match value {
                    Value::String(text) if text == "filter" => query(alert)?,
                    Value::String(text) => look_up(text, alert)?,
                    other => other.clone(),
                };
                object.insert(name, value);
            }
            None => {
                for (name, fields) in field {
                    let fields = fields.as_array();
                    let fields = fields.ok_or_else(|| {
                        content(format!(
                            "{name:?} in `indexer_alert_config` has neither a value nor a list"
                        ))
                    })?;
                    let fields = self::object(fields, alert)?;
                    object.insert(name.clone(), Value::Object(fields));
                }
            }
        }
    }
    Ok(object)
}

/// The query of the rule's first filter, which is written `query: {query_string: {query: …}}`.
fn query(alert: &Alert<'_>) -> Result<Value, SendError> {
    let filter = alert.rule.options.value("filter");
    let last = |value: &Value| value.as_object()?.values().next_back().cloned();
    let query = filter
        .as_ref()
        .and_then(|filter| last(filter.get(0)?))
        .and_then(|clause| last(&clause)?.get("query").cloned());
    query.ok_or_else(|| {
        content("the rule's first filter is not written `query: {query_string: {query: TEXT}}`")
    })
}

impl Alerter for Indexer {
    fn info(&self) -> Document {
        info("indexer", [])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            self.transport.deliver(self.request(alert)?).await?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn members(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn names_are_joined_and_taken_apart() {
        let flat = flat(members(&json!({"a": {"b": 1, "c": {"d": 2}}, "e.f": [3]})));
        assert_eq!(json!(flat), json!({"a.b": 1, "a.c.d": 2, "e.f": [3]}));
        let mut document = Document::new();
        for (name, value) in flat {
            assert!(put(&mut document, &name, value).is_some());
        }
        let nested = json!({"a": {"b": 1, "c": {"d": 2}}, "e": {"f": [3]}});
        assert_eq!(json!(document), nested);
    }

    #[test]
    fn a_value_can_be_in_the_way() {
        let mut document = members(&json!({"a": 1}));
        assert!(put(&mut document, "a.b", json!(2)).is_none());
    }
}
