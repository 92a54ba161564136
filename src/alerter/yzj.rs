//! `yzj`: posts to a robot's webhook.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#yzj>.

use super::AlerterEntry;
use super::http::{ACCEPT_JSON, Request, Route};
use super::options::{info, text_or};
use super::requests::Requests;
use crate::alert::BodyStyle;
use crate::config::{Problem, opt};
use serde_json::json;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "yzj",
    aliases: &[],
    doc: "Posts to the webhook of a YZJ robot.",
    options: &[
        opt("yzj_token")
            .required()
            .secret()
            .doc("The robot's token."),
        opt("yzj_type").int().default("0").doc("The robot's type."),
        opt("yzj_custom_loc")
            .default("www.yunzhijia.com")
            .doc("The host."),
        opt("yzj_proxy").doc("A proxy for https."),
    ],
    build: |properties, build| {
        let host = text_or(properties, "yzj_custom_loc", "www.yunzhijia.com");
        let kind = properties.int("yzj_type").unwrap_or(0);
        if kind != 0 {
            let span = properties
                .get("yzj_type")
                .map_or(&build.span, |node| &node.span);
            let message = format!("yzj_type is {kind}, but the only type there is is 0");
            return Err(vec![Problem::error("E0312", span, message)]);
        }
        let token = text_or(properties, "yzj_token", "");
        let url =
            format!("https://{host}/gateway/robot/webhook/send?yzjtype={kind}&yzjtoken={token}");
        let route = Route::read(properties, "yzj", build);
        let info = info("yzj", [("yzj_webhook_url", json!(url))]);
        Ok(Requests::built(build, info, move |alert| {
            let body = json!({"content": alert.body(BodyStyle::default())?});
            Ok(vec![
                Request::post(&url, body, &route).header("Accept", ACCEPT_JSON),
            ])
        }))
    },
};
