//! `workwechat`: posts to a bot's webhook.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#workwechat>.

use super::AlerterEntry;
use super::http::{ACCEPT_JSON, Request, Route};
use super::options::{info, text_or};
use super::requests::Requests;
use crate::alert::BodyStyle;
use crate::config::opt;
use serde_json::json;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "workwechat",
    aliases: &[],
    doc: "Posts to the webhook of a WorkWechat bot.",
    options: &[
        opt("work_wechat_bot_id")
            .required()
            .secret()
            .doc("The bot."),
        opt("work_wechat_msgtype")
            .one_of(&["text", "markdown"])
            .default("text")
            .doc("How WorkWechat reads the text."),
    ],
    build: |properties, build| {
        let bot = text_or(properties, "work_wechat_bot_id", "");
        let url = format!("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={bot}");
        let kind = text_or(properties, "work_wechat_msgtype", "text");
        let route = Route::read(properties, "work_wechat", build);
        let info = info("workwechat", [("work_wechat_webhook_url", json!(url))]);
        Ok(Requests::built(build, info, move |alert| {
            let content = json!({"content": alert.body(BodyStyle::default())?});
            let body = json!({"msgtype": kind, &kind: content});
            Ok(vec![
                Request::post(&url, body, &route).header("Accept", ACCEPT_JSON),
            ])
        }))
    },
};
