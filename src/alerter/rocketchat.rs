//! `rocketchat`: posts to incoming webhooks.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#rocket-chat>.

use super::chat::{self, Field, Hooks, Link};
use super::http::check_urls;
use super::options::{CERTIFICATES, text_or};
use super::{Alerter, AlerterEntry, Build, Built, SendError};
use crate::alert::Alert;
use crate::config::{Kind, Problem, Properties, opt};
use crate::event::Document;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "rocketchat",
    aliases: &[],
    doc: "Posts to Rocket.Chat's incoming webhooks.",
    options: &[
        opt("rocket_chat_webhook_url")
            .texts()
            .required()
            .secret()
            .doc("The webhook, or several."),
        opt("rocket_chat_channel_override")
            .texts()
            .default("the webhook's")
            .doc("The channel, or several."),
        opt("rocket_chat_username_override")
            .default("elastalert2")
            .doc("Who posts."),
        opt("rocket_chat_emoji_override")
            .default(":ghost:")
            .doc("The poster's emoji."),
        opt("rocket_chat_msg_color")
            .one_of(&["good", "warning", "danger"])
            .default("danger")
            .doc("The colour at the edge."),
        opt("rocket_chat_text_string").doc("A text above the alert."),
        opt("rocket_chat_alert_fields")
            .kind(Kind::List(&Kind::Map))
            .doc("Fields of the match to show: a list of `title`, `value` (the field), `short`."),
        opt("rocket_chat_attach_kibana_discover_url")
            .bool()
            .default("false")
            .doc("Whether the match's link to Kibana is attached."),
        opt("rocket_chat_kibana_discover_color")
            .default("#ec4b98")
            .doc("The colour of that link."),
        opt("rocket_chat_kibana_discover_title")
            .default("Discover in Kibana")
            .doc("The text of that link."),
        opt("rocket_chat_attach_opensearch_discover_url")
            .bool()
            .default("false")
            .doc("Whether the match's link to OpenSearch Dashboards is attached."),
        opt("rocket_chat_opensearch_discover_color")
            .default("#ec4b98")
            .doc("The colour of that link."),
        opt("rocket_chat_opensearch_discover_title")
            .default("Discover in opensearch")
            .doc("The text of that link."),
        opt("rocket_chat_proxy").doc("A proxy for https."),
        opt("rocket_chat_timeout")
            .int()
            .default("10")
            .doc("Seconds until a request is given up."),
        opt("rocket_chat_ca_certs")
            .kind(CERTIFICATES)
            .doc("`true`, or the PEM file of the authorities to trust."),
        opt("rocket_chat_ignore_ssl_errors")
            .bool()
            .default("false")
            .doc("Whether any certificate is accepted."),
    ],
    build,
};

#[derive(Debug)]
struct RocketChat {
    hooks: Hooks,
    username: String,
    /// The message's members that are the same for all alerts.
    message: Map<String, Value>,
    color: String,
    fields: Vec<Field>,
    links: Vec<Link>,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let or = |name: &str, default: &str| text_or(properties, name, default);
    let username = or("rocket_chat_username_override", "elastalert2");
    let mut message = Map::from_iter([
        ("username".to_owned(), json!(username)),
        ("text".to_owned(), json!(or("rocket_chat_text_string", ""))),
    ]);
    let emoji = or("rocket_chat_emoji_override", ":ghost:");
    if !emoji.is_empty() {
        message.insert("emoji".to_owned(), Value::String(emoji));
    }
    let rocket_chat = RocketChat {
        hooks: Hooks::read(properties, "rocket_chat", build),
        username,
        message,
        color: or("rocket_chat_msg_color", "danger"),
        fields: Field::read(properties, "rocket_chat_alert_fields"),
        links: Link::read(properties, "rocket_chat", "Discover in opensearch"),
    };
    Ok(Built {
        warnings: check_urls(properties, "rocket_chat_webhook_url"),
        ..rocket_chat.into()
    })
}

impl RocketChat {
    fn message(&self, alert: &Alert<'_>) -> Result<Map<String, Value>, SendError> {
        let first = alert.matches.first();
        let fields: Vec<Value> = self.fields.iter().map(|field| field.show(first)).collect();
        let mut attachments = vec![json!({
            "color": self.color,
            "title": alert.subject(&alert.rule.name)?,
            "text": alert.body(chat::STYLE)?,
            "fields": fields,
        })];
        attachments.extend(self.links.iter().filter_map(|link| link.show(first)));
        let mut message = self.message.clone();
        message.insert("attachments".to_owned(), Value::Array(attachments));
        Ok(message)
    }
}

impl Alerter for RocketChat {
    fn info(&self) -> Document {
        Document::from_iter([
            ("type".to_owned(), json!("rocketchat")),
            (
                "rocket_chat_username_override".to_owned(),
                json!(self.username),
            ),
            ("rocket_chat_webhook_url".to_owned(), json!(self.hooks.urls)),
        ])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let message = self.message(alert)?;
            self.hooks.post(message).await
        })
    }
}
