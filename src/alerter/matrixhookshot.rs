//! `matrixhookshot`: posts to webhooks of Matrix Hookshot.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#matrix-hookshot>.

use super::http::{Request, Route};
use super::options::{CERTIFICATES, filled, info};
use super::requests::Requests;
use super::{AlerterEntry, chat};
use crate::config::opt;
use serde_json::{Map, Value, json};

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "matrixhookshot",
    aliases: &[],
    doc: "Posts to webhooks of Matrix Hookshot.",
    options: &[
        opt("matrixhookshot_webhook_url")
            .texts()
            .required()
            .secret()
            .doc("The webhook, or several."),
        opt("matrixhookshot_username").doc("Who posts."),
        opt("matrixhookshot_text")
            .default("the alert's body")
            .doc("The text."),
        opt("matrixhookshot_html").doc("The text as HTML."),
        opt("matrixhookshot_proxy").doc("A proxy for https."),
        opt("matrixhookshot_timeout")
            .int()
            .default("10")
            .doc("Seconds until a request is given up."),
        opt("matrixhookshot_ca_certs")
            .kind(CERTIFICATES)
            .doc("`true`, or the PEM file of the authorities to trust."),
        opt("matrixhookshot_ignore_ssl_errors")
            .bool()
            .default("false")
            .doc("Whether any certificate is accepted."),
    ],
    build: |properties, build| {
        let webhooks = properties.texts("matrixhookshot_webhook_url");
        let text = filled(properties, "matrixhookshot_text");
        let mut fixed = Map::new();
        for (option, member) in [
            ("matrixhookshot_username", "username"),
            ("matrixhookshot_html", "html"),
        ] {
            if let Some(value) = filled(properties, option) {
                fixed.insert(member.to_owned(), Value::String(value));
            }
        }
        let route = Route::read(properties, "matrixhookshot", build);
        Ok(Requests::built(
            build,
            info("matrixhookshot", []),
            move |alert| {
                let text = match &text {
                    Some(text) => text.clone(),
                    None => alert.body(chat::STYLE)?,
                };
                let mut body = fixed.clone();
                body.insert("text".to_owned(), json!(text));
                let post = |url: &String| Request::post(url, Value::Object(body.clone()), &route);
                Ok(webhooks.iter().map(post).collect())
            },
        ))
    },
};
