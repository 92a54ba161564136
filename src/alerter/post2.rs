//! `post2`: posts JSON made with Jinja templates, one request per match.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#http-post-2>.

use super::http::{Request, Route, check_urls};
use super::options::CERTIFICATES;
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::Alert;
use crate::config::{Data, Kind, Problem, Properties, opt};
use crate::event::dumps::Dumps;
use crate::event::{Document, FieldPath, python};
use futures_util::future::BoxFuture;
use minijinja::Environment;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "post2",
    aliases: &[],
    doc: "Posts JSON made with Jinja templates, one request per match.",
    options: &[
        opt("http_post2_url").texts().required().doc("Where to post to, one URL or several."),
        opt("http_post2_payload").kind(Kind::AnyOf(&[Kind::Str, Kind::Map])).doc("The members to send, an object or a text that is one in JSON; keys and values are Jinja templates."),
        opt("http_post2_raw_fields").kind(Kind::Map).doc("Members to send as they are: name and field of the match."),
        opt("http_post2_all_values").bool().default("true without `http_post2_payload`").doc("Whether all members of the match are sent too."),
        opt("http_post2_headers").kind(Kind::Map).doc("Headers; keys and values are Jinja templates."),
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
    /// JSON text with templates in it.
    payload: Option<String>,
    headers: Option<String>,
    raw_fields: Vec<(String, FieldPath)>,
    all_values: bool,
    /// `jinja_root_name`: under which name templates find the whole match.
    root: String,
    transport: Arc<dyn Transport>,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let payload = template(properties, PAYLOAD);
    let headers = template(properties, HEADERS);
    let mut warnings = check_urls(properties, "http_post2_url");
    for (option, template) in [(PAYLOAD, &payload), (HEADERS, &headers)] {
        let text = template.as_deref().unwrap_or_default();
        if let Err(error) = environment().template_from_str(text) {
            let span = properties
                .get(option)
                .map_or(&build.span, |node| &node.span);
            let message = format!("no alert can be sent with this {option}: {error}");
            warnings.push(Problem::warning("W0321", span, message));
        }
    }
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
        root: properties
            .text("jinja_root_name")
            .unwrap_or_else(|| "_data".to_owned()),
        transport: Arc::clone(&build.transport),
    };
    Ok(Built {
        warnings,
        ..post.into()
    })
}

/// An option's value as JSON text; a text is taken as it is. `None` where Python takes it for false.
fn template(properties: &Properties, option: &str) -> Option<String> {
    let node = properties.get(option)?;
    match &node.data {
        Data::Str(text) => (!text.is_empty()).then(|| text.clone()),
        _ => {
            let value = node.to_value();
            let ascii = Dumps {
                ascii: true,
                ..Dumps::default()
            };
            python::is_truthy(&value).then(|| ascii.to_text(&value))
        }
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment
}

impl Post2 {
    /// Renders a template and reads the object it makes.
    fn render(
        &self,
        option: &'static str,
        template: Option<&String>,
        context: &Value,
    ) -> Result<Map<String, Value>, SendError> {
        let Some(template) = template else {
            return Ok(Map::new());
        };
        let text = environment()
            .render_str(template, {
                let _ = context;
                minijinja::Value::from(())
            })
            .map_err(|error| SendError::Content(format!("{option}: {error}")))?;
        serde_json::from_str(&text).map_err(|error| {
            SendError::Content(format!("{option} does not make a JSON object: {error}"))
        })
    }

    /// What templates see: the match's members and, under its own name, all of it.
    fn context(&self, document: &Document) -> Value {
        let escaped = Value::Object(
            document
                .iter()
                .map(|(name, value)| (name.clone(), escape(value)))
                .collect(),
        );
        let mut context = escaped.clone();
        if let Value::Object(members) = &mut context {
            members.insert(self.root.clone(), escaped);
        }
        context
    }

    fn body(&self, document: &Document, context: &Value) -> Result<Map<String, Value>, SendError> {
        let mut body = if self.all_values {
            document.clone()
        } else {
            Map::new()
        };
        body.extend(self.render(PAYLOAD, self.payload.as_ref(), context)?);
        for (name, path) in &self.raw_fields {
            let value = path.get(document).cloned().unwrap_or_default();
            body.insert(name.clone(), value);
        }
        Ok(body)
    }

    fn requests(&self, alert: &Alert<'_>) -> Result<Vec<Request>, SendError> {
        let mut requests = Vec::new();
        for document in alert.matches {
            let context = self.context(document);
            let body = Value::Object(self.body(document, &context)?);
            let headers = self.render(HEADERS, self.headers.as_ref(), &context)?;
            for url in &self.urls {
                let mut request = Request::post(url, body.clone(), &self.route)
                    .header("Accept", "application/json;charset=utf-8");
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
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), escape(value)))
                .collect(),
        ),
        other => other.clone(),
    }
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
