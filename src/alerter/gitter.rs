//! `gitter`: posts to a webhook.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#gitter>.

use super::AlerterEntry;
use super::http::{Request, Route};
use super::options::{info, text_or};
use super::requests::Requests;
use crate::alert::BodyStyle;
use crate::config::opt;
use serde_json::json;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "gitter",
    aliases: &[],
    doc: "Posts to a Gitter webhook.",
    options: &[
        opt("gitter_webhook_url")
            .required()
            .secret()
            .doc("The webhook."),
        opt("gitter_msg_level")
            .one_of(&["error", "info"])
            .default("error")
            .doc("The message's level."),
        opt("gitter_proxy").doc("A proxy for https."),
    ],
    build: |properties, build| {
        let url = text_or(properties, "gitter_webhook_url", "");
        let level = text_or(properties, "gitter_msg_level", "error");
        let route = Route::read(properties, "gitter", build);
        let info = info("gitter", [("gitter_webhook_url", json!(url))]);
        Ok(Requests::built(build, info, move |alert| {
            let body = json!({"message": alert.body(BodyStyle::default())?, "level": level});
            Ok(vec![Request::post(&url, body, &route)])
        }))
    },
};
