//! `slack`: posts to incoming webhooks.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#slack>.

use super::chat::{self, Field, Hooks, Link};
use super::http::check_urls;
use super::options::{CERTIFICATES, filled, is_set, text_or};
use super::{Alerter, AlerterEntry, Build, Built, SendError};
use crate::alert::Alert;
use crate::config::{Kind, Problem, Properties, TEXTS, opt};
use crate::engine::TicketUse;
use crate::event::Document;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "slack",
    aliases: &[],
    doc: "Posts to Slack's incoming webhooks.",
    options: &[
        opt("slack_webhook_url")
            .kind(TEXTS)
            .required()
            .secret()
            .doc("The webhook, or several."),
        opt("slack_channel_override")
            .kind(TEXTS)
            .default("the webhook's")
            .doc("The channel, or several: `#name` or `@name`."),
        opt("slack_username_override")
            .default("elastalert")
            .doc("Who posts."),
        opt("slack_emoji_override")
            .default(":ghost:")
            .doc("The poster's emoji."),
        opt("slack_icon_url_override").doc("The poster's picture; wins over the emoji."),
        opt("slack_msg_color")
            .one_of(&["good", "warning", "danger"])
            .default("danger")
            .doc("The colour at the edge."),
        opt("slack_parse_override")
            .one_of(&["none", "full"])
            .default("none")
            .doc("Whether Slack looks for links and names in the text."),
        opt("slack_text_string").doc("A text above the alert."),
        opt("slack_title")
            .default("the alert's subject")
            .doc("The title."),
        opt("slack_title_link").doc("Where the title leads."),
        opt("slack_msg_pretext").doc("A text between `slack_text_string` and the title."),
        opt("slack_footer").doc("A text below."),
        opt("slack_footer_icon").doc("A picture beside the footer."),
        opt("slack_image_url").doc("A picture in the message."),
        opt("slack_thumb_url").doc("A small picture."),
        opt("slack_author_name").doc("The author."),
        opt("slack_author_link").doc("Where the author's name leads."),
        opt("slack_author_icon").doc("The author's picture."),
        opt("slack_alert_fields")
            .kind(Kind::List(&Kind::Map))
            .doc("Fields of the match to show: a list of `title`, `value` (the field), `short`."),
        opt("slack_attach_kibana_discover_url")
            .bool()
            .default("false")
            .doc("Whether the match's link to Kibana is attached."),
        opt("slack_kibana_discover_color")
            .default("#ec4b98")
            .doc("The colour of that link."),
        opt("slack_kibana_discover_title")
            .default("Discover in Kibana")
            .doc("The text of that link."),
        opt("slack_attach_opensearch_discover_url")
            .bool()
            .default("false")
            .doc("Whether the match's link to OpenSearch Dashboards is attached."),
        opt("slack_opensearch_discover_color")
            .default("#ec4b98")
            .doc("The colour of that link."),
        opt("slack_opensearch_discover_title")
            .default("Discover in Opensearch")
            .doc("The text of that link."),
        opt("slack_attach_jira_ticket_url")
            .bool()
            .default("false")
            .doc("Whether the ticket a `jira` alerter of the same rule made is attached."),
        opt("slack_jira_ticket_color")
            .default("#ec4b98")
            .doc("The colour of that link."),
        opt("slack_jira_ticket_title")
            .default("Jira Ticket")
            .doc("The text of that link."),
        opt("slack_proxy").doc("A proxy for https."),
        opt("slack_timeout")
            .int()
            .default("10")
            .doc("Seconds until a request is given up."),
        opt("slack_ca_certs")
            .kind(CERTIFICATES)
            .doc("`true`, or the PEM file of the authorities to trust."),
        opt("slack_ignore_ssl_errors")
            .bool()
            .default("false")
            .doc("Whether any certificate is accepted."),
    ],
    build,
};

#[derive(Debug)]
struct Slack {
    hooks: Hooks,
    username: String,
    /// The message's members that are the same for all alerts.
    message: Map<String, Value>,
    /// The first attachment's.
    attachment: Map<String, Value>,
    title: Option<String>,
    fields: Vec<Field>,
    links: Vec<Link>,
    /// The colour and the title of the link to the alert's ticket, if that is to be shown.
    ticket: Option<(String, String)>,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let or = |name: &str, default: &str| text_or(properties, name, default);
    let username = or("slack_username_override", "elastalert");
    let message = Map::from_iter([
        ("username".to_owned(), json!(username)),
        (
            "parse".to_owned(),
            json!(or("slack_parse_override", "none")),
        ),
        ("text".to_owned(), json!(or("slack_text_string", ""))),
        chat::icon(properties, "slack"),
    ]);
    let mut attachment = chat::optional_members(properties, "slack");
    attachment.insert("color".to_owned(), json!(or("slack_msg_color", "danger")));
    attachment.insert("mrkdwn_in".to_owned(), json!(["text", "pretext"]));
    if let Some(text) = filled(properties, "slack_msg_pretext") {
        attachment.insert("pretext".to_owned(), Value::String(text));
    }
    let slack = Slack {
        hooks: Hooks::read(properties, "slack", build),
        username,
        message,
        attachment,
        title: filled(properties, "slack_title"),
        fields: Field::read(properties, "slack_alert_fields"),
        links: Link::read(properties, "slack", "Discover in Opensearch"),
        ticket: is_set(properties, "slack_attach_jira_ticket_url").then(|| {
            let color = or("slack_jira_ticket_color", "#ec4b98");
            (color, or("slack_jira_ticket_title", "Jira Ticket"))
        }),
    };
    Ok(Built {
        warnings: check_urls(properties, "slack_webhook_url"),
        ..slack.into()
    })
}

impl Slack {
    fn message(&self, alert: &Alert<'_>) -> Result<Map<String, Value>, SendError> {
        let first = alert.matches.first();
        let mut attachment = self.attachment.clone();
        let title = match &self.title {
            Some(title) => title.clone(),
            None => alert.subject(&alert.rule.name)?,
        };
        attachment.insert("title".to_owned(), Value::String(title));
        attachment.insert("text".to_owned(), Value::String(alert.body(chat::STYLE)?));
        let fields = self.fields.iter().map(|field| field.show(first)).collect();
        attachment.insert("fields".to_owned(), Value::Array(fields));
        let mut attachments = vec![Value::Object(attachment)];
        attachments.extend(self.links.iter().filter_map(|link| link.show(first)));
        if let (Some((color, title)), Some(ticket)) = (&self.ticket, alert.ticket) {
            attachments.push(json!({"color": color, "title": title, "title_link": ticket}));
        }
        let mut message = self.message.clone();
        message.insert("attachments".to_owned(), Value::Array(attachments));
        Ok(message)
    }
}

impl Alerter for Slack {
    fn info(&self) -> Document {
        Document::from_iter([
            ("type".to_owned(), json!("slack")),
            ("slack_username_override".to_owned(), json!(self.username)),
        ])
    }

    fn ticket_use(&self) -> TicketUse {
        match &self.ticket {
            Some(_) => TicketUse::Shows,
            None => TicketUse::None,
        }
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let message = self.message(alert)?;
            self.hooks.post(message).await
        })
    }
}
