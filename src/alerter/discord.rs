//! `discord`: posts to a webhook.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#discord>.

use super::http::{Request, Route, check_urls};
use super::options::text_or;
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport, crop};
use crate::alert::{Alert, BodyStyle};
use crate::config::{Problem, Properties, opt};
use crate::event::Document;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "discord",
    aliases: &[],
    doc: "Posts to a Discord webhook.",
    options: &[
        opt("discord_webhook_url")
            .required()
            .secret()
            .doc("The webhook."),
        opt("discord_emoji_title")
            .default(":warning:")
            .doc("An emoji on both sides of the title."),
        opt("discord_embed_color")
            .int()
            .default("16777215")
            .doc("The colour at the edge: red, green and blue as one number."),
        opt("discord_embed_footer").doc("A text below."),
        opt("discord_embed_icon_url").doc("A picture beside the footer."),
        opt("discord_proxy").doc("A proxy for https."),
        opt("discord_proxy_login").doc("The user for the proxy."),
        opt("discord_proxy_password")
            .secret()
            .doc("The password for the proxy."),
    ],
    build,
};

/// Discord takes descriptions of 2048 characters.
const MAX_CHARS: usize = 2047;
const CROPPED_TO: usize = 1950;
const CROPPED: &str = "\n *message was cropped according to discord embed description limits!*";

#[derive(Debug)]
struct Discord {
    webhook: String,
    emoji: String,
    /// The embed's members that are the same for all alerts.
    embed: Map<String, Value>,
    route: Route,
    transport: Arc<dyn Transport>,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let color = properties.int("discord_embed_color").unwrap_or(0xff_ff_ff);
    let mut embed = Map::from_iter([("color".to_owned(), json!(color))]);
    if let Some(text) = properties.text("discord_embed_footer") {
        let icon = properties.text("discord_embed_icon_url");
        embed.insert("footer".to_owned(), json!({"text": text, "icon_url": icon}));
    }
    let discord = Discord {
        webhook: text_or(properties, "discord_webhook_url", ""),
        emoji: text_or(properties, "discord_emoji_title", ":warning:"),
        embed,
        route: Route::read(properties, "discord", build).proxy_login(
            properties,
            "discord_proxy_login",
            "discord_proxy_password",
        ),
        transport: Arc::clone(&build.transport),
    };
    Ok(Built {
        warnings: check_urls(properties, "discord_webhook_url"),
        ..discord.into()
    })
}

impl Alerter for Discord {
    fn info(&self) -> Document {
        Document::from_iter([
            ("type".to_owned(), json!("discord")),
            ("discord_webhook_url".to_owned(), json!(self.webhook)),
        ])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let title = alert.subject(&alert.rule.name)?;
            let text = alert.body(BodyStyle {
                summary: false,
                ..BodyStyle::default()
            })?;
            let text = crop::crop(text, MAX_CHARS, CROPPED_TO, CROPPED);
            let mut embed = self.embed.clone();
            embed.insert("description".to_owned(), Value::String(text));
            let content = format!("{} {title} {}", self.emoji, self.emoji);
            let body = json!({"content": content, "embeds": [embed]});
            let request = Request::post(&self.webhook, body, &self.route);
            self.transport.deliver(request).await?;
            Ok(())
        })
    }
}
