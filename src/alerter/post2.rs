//! `post2`: posts JSON made with Jinja templates, one request per match.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#http-post-2>.

use super::http::{ACCEPT_JSON, Request, Route, check_urls};
use super::options::{CERTIFICATES, text_or};
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::{Alert, Jinja};
use crate::config::{Data, Kind, Problem, Properties, opt};
use crate::event::dumps::Dumps;
use crate::event::{Document, FieldPath, python};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "post2",
    aliases: &[],
    doc: "Posts JSON made with Jinja templates, one request per match.",
    options: &[
        opt("http_post2_url").texts().required().secret().doc("Where to post to, one URL or several."),
        opt("http_post2_payload").kind(Kind::AnyOf(&[Kind::Str, Kind::Map])).doc("The members to send, an object or a text that is one in JSON; keys and values are Jinja templates."),
        opt("http_post2_raw_fields").kind(Kind::Map).doc("Members to send as they are: name and field of the match."),
        opt("http_post2_all_values").bool().default("true without `http_post2_payload`").doc("Whether all members of the match are sent too."),
        opt("http_post2_headers").kind(Kind::Map).secret().doc("Headers; keys and values are Jinja templates."),
        opt("http_post2_proxy").doc("A proxy for https."),
        opt("http_post2_timeout").int().default("10").doc("Seconds until a request is given up."),
        opt("http_post2_ca_certs").kind(CERTIFICATES).doc("`true`, or the PEM file of the authorities to trust."),
        opt("http_post2_ignore_ssl_errors").bool().default("false").doc("Whether any certificate is accepted."),
    ],
    build,
};

/// The options that hold templates.
const PAYLOAD: &str = "http_post2_payload";
const HEADERS: &str = "http_post2_headers";

#[derive(Debug)]
struct Post2 {
    urls: Vec<String>,
    route: Route,
    payload: Option<JsonTemplate>,
    headers: Option<JsonTemplate>,
    raw_fields: Vec<(String, FieldPath)>,
    all_values: bool,
    transport: Arc<dyn Transport>,
}

/// An object in JSON, with templates in its text.
#[derive(Debug)]
struct JsonTemplate {
    option: &'static str,
    /// Or why it cannot be used. Loading only warns: elastalert2 finds out when it sends, and the rule works without this alerter.
    template: Result<Jinja, String>,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let mut warnings = check_urls(properties, "http_post2_url");
    let payload = JsonTemplate::read(properties, PAYLOAD, &mut warnings);
    let headers = JsonTemplate::read(properties, HEADERS, &mut warnings);
    let raw_fields = properties
        .get("http_post2_raw_fields")
        .and_then(|node| node.as_map())
        .map(|map| {
            map.iter()
                .map(|(name, path)| (name.key_text(), FieldPath::new(path.key_text())))
                .collect()
        });
    let post = Post2 {
        urls: properties.texts("http_post2_url"),
        route: Route::read(properties, "http_post2", build),
        all_values: properties
            .bool("http_post2_all_values")
            .unwrap_or(payload.is_none()),
        payload,
        headers,
        raw_fields: raw_fields.unwrap_or_default(),
        transport: Arc::clone(&build.transport),
    };
    Ok(Built {
        warnings,
        ..post.into()
    })
}

impl JsonTemplate {
    /// The template in an option; `None` where Python takes the option for false.
    fn read(
        properties: &Properties,
        option: &'static str,
        warnings: &mut Vec<Problem>,
    ) -> Option<Self> {
        let node = properties.get(option)?;
        let text = match &node.data {
            Data::Str(text) => text.clone(),
            _ => {
                let ascii = Dumps {
                    ascii: true,
                    ..Dumps::default()
                };
                ascii.to_text(&node.to_value())
            }
        };
        if !python::is_truthy(&node.to_value()) {
            return None;
        }
        let root = text_or(properties, "jinja_root_name", "_data");
        let template = Jinja::new(&text, &root, &Properties::default()).map_err(|broken| {
            let mut reasons = Vec::new();
            for broken in broken {
                let message = format!(
                    "no alert can be sent with this {option}: {}",
                    broken.message
                );
                let mut warning = Problem::warning("W0321", &node.span, message);
                warning.help = broken.help;
                warnings.push(warning);
                reasons.push(broken.message);
            }
            reasons.join("; ")
        });
        Some(Self { option, template })
    }

    /// The object it makes of a match whose texts are escaped.
    fn render(&self, escaped: &Document) -> Result<Map<String, Value>, SendError> {
        let option = self.option;
        let template = self.template.as_ref();
        let template =
            template.map_err(|reason| SendError::Content(format!("{option}: {reason}")))?;
        let text = template.render(escaped)?;
        serde_json::from_str(&text).map_err(|error| {
            SendError::Content(format!("{option} does not make a JSON object: {error}"))
        })
    }
}

impl Post2 {
    fn body(
        &self,
        document: &Document,
        escaped: &Document,
    ) -> Result<Map<String, Value>, SendError> {
        let mut body = if self.all_values {
            document.clone()
        } else {
            Map::new()
        };
        if let Some(payload) = &self.payload {
            body.extend(payload.render(escaped)?);
        }
        for (name, path) in &self.raw_fields {
            let value = path.get(document).cloned().unwrap_or_default();
            body.insert(name.clone(), value);
        }
        Ok(body)
    }

    fn requests(&self, alert: &Alert<'_>) -> Result<Vec<Request>, SendError> {
        let mut requests = Vec::new();
        for document in alert.matches {
            let escaped = escape_members(document);
            let body = Value::Object(self.body(document, &escaped)?);
            let headers = match &self.headers {
                Some(headers) => headers.render(&escaped)?,
                None => Map::new(),
            };
            for url in &self.urls {
                let mut request =
                    Request::post(url, body.clone(), &self.route).header("Accept", ACCEPT_JSON);
                for (name, value) in &headers {
                    if matches!(value, Value::Null | Value::Array(_) | Value::Object(_)) {
                        return Err(SendError::Content(format!(
                            "{HEADERS}: the value of {name} is {}, but must be text",
                            python::type_name(value)
                        )));
                    }
                    request = request.header(name, python::str(value));
                }
                requests.push(request);
            }
        }
        Ok(requests)
    }
}

/// The value with every text in it escaped as inside a JSON text, so that it can stand between quotes in a template.
fn escape(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let quoted = Dumps::default().to_text(&json!(text));
            let inner = quoted
                .strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'));
            Value::String(inner.unwrap_or_default().to_owned())
        }
        Value::Array(items) => Value::Array(items.iter().map(escape).collect()),
        Value::Object(members) => Value::Object(escape_members(members)),
        other => other.clone(),
    }
}

fn escape_members(members: &Document) -> Document {
    members
        .iter()
        .map(|(name, value)| (name.clone(), escape(value)))
        .collect()
}

impl Alerter for Post2 {
    fn info(&self) -> Document {
        Document::from_iter([
            ("type".to_owned(), json!("http_post2")),
            ("http_post2_webhook_url".to_owned(), json!(self.urls)),
        ])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            for request in self.requests(alert)? {
                self.transport.deliver(request).await?;
            }
            Ok(())
        })
    }
}
