//! `post`: posts JSON, one request per match.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#http-post>. Unlike elastalert2, the match itself stays as it is.

use super::http::{ACCEPT_JSON, Request, Route, check_urls};
use super::options::CERTIFICATES;
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::Alert;
use crate::config::{Kind, Problem, Properties, opt};
use crate::event::{Document, FieldPath};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "post",
    aliases: &[],
    doc: "Posts JSON, one request per match.",
    options: &[
        opt("http_post_url")
            .texts()
            .required()
            .secret()
            .doc("Where to post to, one URL or several."),
        opt("http_post_payload")
            .kind(Kind::Map)
            .doc("Members to send: name and field of the match."),
        opt("http_post_static_payload")
            .kind(Kind::Map)
            .doc("Members to send as they are."),
        opt("http_post_all_values")
            .bool()
            .default("true without `http_post_payload`")
            .doc("Whether all members of the match are sent too."),
        opt("http_post_headers")
            .kind(Kind::Map)
            .secret()
            .doc("Headers."),
        opt("http_post_proxy").doc("A proxy for https."),
        opt("http_post_timeout")
            .int()
            .default("10")
            .doc("Seconds until a request is given up."),
        opt("http_post_ca_certs")
            .kind(CERTIFICATES)
            .doc("`true`, or the PEM file of the authorities to trust."),
        opt("http_post_ignore_ssl_errors")
            .bool()
            .default("false")
            .doc("Whether any certificate is accepted."),
    ],
    build,
};

#[derive(Debug)]
struct Post {
    urls: Vec<String>,
    route: Route,
    headers: Vec<(String, String)>,
    all_values: bool,
    fixed: Map<String, Value>,
    fields: Vec<(String, FieldPath)>,
    transport: Arc<dyn Transport>,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let pairs = |option: &str| -> Vec<(String, String)> {
        let map = properties.get(option).and_then(|node| node.as_map());
        let members = map.into_iter().flat_map(|map| map.iter());
        members
            .map(|(name, value)| (name.key_text(), value.key_text()))
            .collect()
    };
    let fields = pairs("http_post_payload");
    let post = Post {
        urls: properties.texts("http_post_url"),
        route: Route::read(properties, "http_post", build),
        headers: pairs("http_post_headers"),
        all_values: properties
            .bool("http_post_all_values")
            .unwrap_or(fields.is_empty()),
        fixed: match properties.value("http_post_static_payload") {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        },
        fields: fields
            .into_iter()
            .map(|(name, path)| (name, FieldPath::new(path)))
            .collect(),
        transport: Arc::clone(&build.transport),
    };
    Ok(Built {
        warnings: check_urls(properties, "http_post_url"),
        ..post.into()
    })
}

impl Post {
    fn body(&self, document: &Document) -> Map<String, Value> {
        let mut body = if self.all_values {
            document.clone()
        } else {
            Map::new()
        };
        body.extend(self.fixed.clone());
        for (name, path) in &self.fields {
            let value = path.get(document).cloned().unwrap_or_default();
            body.insert(name.clone(), value);
        }
        body
    }
}

impl Alerter for Post {
    fn info(&self) -> Document {
        Document::from_iter([
            ("type".to_owned(), json!("http_post")),
            ("http_post_webhook_url".to_owned(), json!(self.urls)),
        ])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            for document in alert.matches {
                let body = Value::Object(self.body(document));
                for url in &self.urls {
                    let request =
                        Request::post(url, body.clone(), &self.route).header("Accept", ACCEPT_JSON);
                    let headers = self.headers.iter();
                    let request = headers.fold(request, |request, (name, value)| {
                        request.header(name, value)
                    });
                    self.transport.deliver(request).await?;
                }
            }
            Ok(())
        })
    }
}
