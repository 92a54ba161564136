//! `telegram`: sends a message through a bot.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#telegram>.

use super::http::{Request, Route};
use super::options::text_or;
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport, crop};
use crate::alert::{Alert, BodyStyle};
use crate::config::{Kind, Problem, Properties, opt};
use crate::event::Document;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "telegram",
    aliases: &[],
    doc: "Sends a message through a Telegram bot.",
    options: &[
        opt("telegram_bot_token")
            .required()
            .secret()
            .doc("The bot's token."),
        opt("telegram_room_id")
            .kind(Kind::AnyOf(&[Kind::Str, Kind::Int]))
            .required()
            .doc("The chat."),
        opt("telegram_thread_id")
            .kind(Kind::AnyOf(&[Kind::Str, Kind::Int]))
            .doc("The topic in the chat."),
        opt("telegram_parse_mode")
            .one_of(&["markdown", "markdownV2", "html"])
            .default("markdown")
            .doc("How Telegram reads the text."),
        opt("telegram_api_url")
            .default("api.telegram.org")
            .doc("The host of the API."),
        opt("telegram_proxy").doc("A proxy for https."),
        opt("telegram_proxy_login").doc("The user for the proxy."),
        opt("telegram_proxy_pass")
            .secret()
            .doc("The password for the proxy."),
    ],
    build,
};

/// Telegram takes messages of 4096 characters; the closing fence needs room.
const MAX_CHARS: usize = 4095;
const CROPPED_TO: usize = 4000;
const CROPPED: &str = "\n⚠ *message was cropped according to telegram limits!* ⚠";

#[derive(Debug)]
struct Telegram {
    url: String,
    room: String,
    thread: Value,
    parse_mode: String,
    route: Route,
    transport: Arc<dyn Transport>,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let host = text_or(properties, "telegram_api_url", "api.telegram.org");
    let token = text_or(properties, "telegram_bot_token", "");
    Ok(Telegram {
        url: format!("https://{host}/bot{token}/sendMessage"),
        room: text_or(properties, "telegram_room_id", ""),
        thread: properties.value("telegram_thread_id").unwrap_or_default(),
        parse_mode: text_or(properties, "telegram_parse_mode", "markdown"),
        route: Route::read(properties, "telegram", build).proxy_login(
            properties,
            "telegram_proxy_login",
            "telegram_proxy_pass",
        ),
        transport: Arc::clone(&build.transport),
    }
    .into())
}

impl Telegram {
    fn text(&self, alert: &Alert<'_>) -> Result<String, SendError> {
        let title = alert.subject(&alert.rule.name)?;
        let body = alert.body(BodyStyle {
            summary: false,
            ..BodyStyle::default()
        })?;
        let html = self.parse_mode == "html";
        let text = if html {
            format!("⚠ {title} ⚠ \n{body}")
        } else {
            format!("⚠ *{title}* ⚠ ```\n{body}")
        };
        let text = crop::crop(text, MAX_CHARS, CROPPED_TO, CROPPED);
        Ok(if html { text } else { text + " ```" })
    }
}

impl Alerter for Telegram {
    fn info(&self) -> Document {
        Document::from_iter([
            ("type".to_owned(), json!("telegram")),
            ("telegram_room_id".to_owned(), json!(self.room)),
        ])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let body = json!({
                "chat_id": self.room,
                "text": self.text(alert)?,
                "parse_mode": self.parse_mode,
                "disable_web_page_preview": true,
                "message_thread_id": self.thread,
            });
            let request = Request::post(&self.url, body, &self.route);
            self.transport.deliver(request).await?;
            Ok(())
        })
    }
}
