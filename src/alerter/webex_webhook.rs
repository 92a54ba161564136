//! `webex_webhook`: posts to an incoming webhook.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#webex-webhook>.

use super::AlerterEntry;
use super::http::{ACCEPT_JSON, Request, Route};
use super::options::{info, text_or};
use super::requests::Requests;
use crate::alert::BodyStyle;
use crate::config::opt;
use serde_json::json;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "webex_webhook",
    aliases: &[],
    doc: "Posts to a Webex webhook.",
    options: &[
        opt("webex_webhook_id")
            .required()
            .secret()
            .doc("The webhook."),
        opt("webex_webhook_msgtype")
            .one_of(&["text", "markdown"])
            .default("text")
            .doc("How Webex reads the text."),
    ],
    build: |properties, build| {
        let id = text_or(properties, "webex_webhook_id", "");
        let url = format!("https://webexapis.com/v1/webhooks/incoming/{id}");
        let kind = text_or(properties, "webex_webhook_msgtype", "text");
        let route = Route::read(properties, "webex_webhook", build);
        let members = [
            ("webex_webhook_msgtype", json!(kind)),
            ("webex_webhook_url", json!(url)),
        ];
        Ok(Requests::built(
            build,
            info("webex_webhook", members),
            move |alert| {
                let body = json!({&kind: alert.body(BodyStyle::default())?});
                Ok(vec![
                    Request::post(&url, body, &route).header("Accept", ACCEPT_JSON),
                ])
            },
        ))
    },
};
