//! `lark`: posts to a bot's webhook.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#lark>.

use super::AlerterEntry;
use super::http::{ACCEPT_JSON, Request, Route};
use super::options::{info, text_or};
use super::requests::Requests;
use crate::alert::BodyStyle;
use crate::config::opt;
use serde_json::json;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "lark",
    aliases: &[],
    doc: "Posts to the webhook of a Lark bot.",
    options: &[
        opt("lark_bot_id").required().secret().doc("The bot."),
        opt("lark_msgtype")
            .one_of(&["text"])
            .default("text")
            .doc("The kind of message."),
    ],
    build: |properties, build| {
        let bot = text_or(properties, "lark_bot_id", "");
        let url = format!("https://open.feishu.cn/open-apis/bot/v2/hook/{bot}");
        let kind = text_or(properties, "lark_msgtype", "text");
        let route = Route::read(properties, "lark", build);
        let info = info("lark", [("lark_webhook_url", json!(url))]);
        Ok(Requests::built(build, info, move |alert| {
            let content = json!({
                "title": alert.subject(&alert.rule.name)?,
                "text": alert.body(BodyStyle::default())?,
            });
            let body = json!({"msg_type": kind, "content": content});
            Ok(vec![
                Request::post(&url, body, &route).header("Accept", ACCEPT_JSON),
            ])
        }))
    },
};
