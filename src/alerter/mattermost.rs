//! `mattermost`: posts to incoming webhooks.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#mattermost>.

use super::chat::{self, Hooks, Link};
use super::http::check_urls;
use super::options::{Formatted, filled, text_or};
use super::{Alerter, AlerterEntry, Build, Built, SendError};
use crate::alert::Alert;
use crate::config::{Kind, Node, Problem, Properties, opt};
use crate::event::{Document, python};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "mattermost",
    aliases: &[],
    doc: "Posts to Mattermost's incoming webhooks.",
    options: &[
        opt("mattermost_webhook_url").texts().required().secret().doc("The webhook, or several."),
        opt("mattermost_channel_override").texts().default("the webhook's").doc("The channel, or several."),
        opt("mattermost_username_override").default("elastalert").doc("Who posts."),
        opt("mattermost_emoji_override").default(":ghost:").doc("The poster's emoji."),
        opt("mattermost_icon_url_override").doc("The poster's picture; wins over the emoji."),
        opt("mattermost_msg_color").one_of(&["good", "warning", "danger"]).default("danger").doc("The colour at the edge."),
        opt("mattermost_msg_pretext").doc("A text above the attachment."),
        opt("mattermost_msg_fields").kind(Kind::List(&Kind::Map)).doc("Fields to show: a list of `title`, `value`, `short`, and `args`, the fields of the match that replace the value's placeholders."),
        opt("mattermost_title").default("the alert's subject").doc("The title."),
        opt("mattermost_title_link").doc("Where the title leads."),
        opt("mattermost_footer").doc("A text below."),
        opt("mattermost_footer_icon").doc("A picture beside the footer."),
        opt("mattermost_image_url").doc("A picture in the message."),
        opt("mattermost_thumb_url").doc("A small picture."),
        opt("mattermost_author_name").doc("The author."),
        opt("mattermost_author_link").doc("Where the author's name leads."),
        opt("mattermost_author_icon").doc("The author's picture."),
        opt("mattermost_attach_kibana_discover_url").bool().default("false").doc("Whether the match's link to Kibana is attached."),
        opt("mattermost_kibana_discover_color").default("#ec4b98").doc("The colour of that link."),
        opt("mattermost_kibana_discover_title").default("Discover in Kibana").doc("The text of that link."),
        opt("mattermost_attach_opensearch_discover_url").bool().default("false").doc("Whether the match's link to OpenSearch Dashboards is attached."),
        opt("mattermost_opensearch_discover_color").default("#ec4b98").doc("The colour of that link."),
        opt("mattermost_opensearch_discover_title").default("Discover in opensearch").doc("The text of that link."),
        opt("mattermost_proxy").doc("A proxy for https."),
        opt("mattermost_ignore_ssl_errors").bool().default("false").doc("Whether any certificate is accepted."),
    ],
    build,
};

#[derive(Debug)]
struct Mattermost {
    hooks: Hooks,
    username: String,
    icon: (String, Value),
    pretext: String,
    attachment: Map<String, Value>,
    title: Option<String>,
    fields: Vec<Field>,
    /// `alert_text_type: alert_text_only`: the body belongs to the attachment.
    body_in_attachment: bool,
    links: Vec<Link>,
    missing: String,
}

/// A field whose value may hold values of the match.
#[derive(Debug)]
struct Field {
    members: Map<String, Value>,
    value: Option<Formatted>,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let or = |name: &str, default: &str| text_or(properties, name, default);
    let pretext = or("mattermost_msg_pretext", "");
    let mut attachment = chat::optional_members(properties, "mattermost");
    attachment.insert(
        "color".to_owned(),
        json!(or("mattermost_msg_color", "danger")),
    );
    attachment.insert("pretext".to_owned(), json!(pretext));
    let fields = properties
        .get("mattermost_msg_fields")
        .and_then(Node::as_seq);
    let mattermost = Mattermost {
        hooks: Hooks::read(properties, "mattermost", build),
        username: or("mattermost_username_override", "elastalert"),
        icon: chat::icon(properties, "mattermost"),
        pretext,
        attachment,
        title: filled(properties, "mattermost_title"),
        fields: fields
            .unwrap_or_default()
            .iter()
            .filter_map(field)
            .collect(),
        body_in_attachment: or("alert_text_type", "") == "alert_text_only",
        links: Link::read(properties, "mattermost", "Discover in opensearch"),
        missing: or("alert_missing_value", "<MISSING VALUE>"),
    };
    Ok(Built {
        warnings: check_urls(properties, "mattermost_webhook_url"),
        ..mattermost.into()
    })
}

fn field(node: &Node) -> Option<Field> {
    let members = Properties::new(node.as_map()?.clone());
    let Value::Object(mut object) = node.to_value() else {
        return None;
    };
    let arguments = object.remove("args").filter(python::is_truthy);
    let value = arguments.map(|arguments| {
        // Without a text the values stand below each other.
        let count = arguments.as_array().map_or(0, Vec::len);
        let text = members
            .text("value")
            .unwrap_or_else(|| vec!["{}"; count].join("\n"));
        Formatted::new(&members, text, "args")
    });
    Some(Field {
        members: object,
        value,
    })
}

impl Mattermost {
    fn message(&self, alert: &Alert<'_>) -> Result<Map<String, Value>, SendError> {
        let first = alert.matches.first();
        let subject = alert.subject(&alert.rule.name)?;
        let body = Value::String(alert.body(chat::STYLE)?);
        let mut attachment = self.attachment.clone();
        let fallback = format!("{subject}: {}", self.pretext);
        attachment.insert("fallback".to_owned(), Value::String(fallback));
        let title = self.title.clone().unwrap_or(subject);
        attachment.insert("title".to_owned(), Value::String(title));
        let mut fields = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let mut members = field.members.clone();
            if let Some(value) = &field.value {
                let text = value.render(alert, &self.missing)?;
                members.insert("value".to_owned(), Value::String(text));
            }
            fields.push(Value::Object(members));
        }
        attachment.insert("fields".to_owned(), Value::Array(fields));
        let (icon, picture) = self.icon.clone();
        let mut message = Map::from_iter([
            ("username".to_owned(), json!(self.username)),
            (icon, picture),
        ]);
        let place = if self.body_in_attachment {
            &mut attachment
        } else {
            &mut message
        };
        place.insert("text".to_owned(), body);
        let mut attachments = vec![Value::Object(attachment)];
        attachments.extend(self.links.iter().filter_map(|link| link.show(first)));
        message.insert("attachments".to_owned(), Value::Array(attachments));
        Ok(message)
    }
}

impl Alerter for Mattermost {
    fn info(&self) -> Document {
        Document::from_iter([
            ("type".to_owned(), json!("mattermost")),
            (
                "mattermost_username_override".to_owned(),
                json!(self.username),
            ),
            ("mattermost_webhook_url".to_owned(), json!(self.hooks.urls)),
        ])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let message = self.message(alert)?;
            self.hooks.post(message).await
        })
    }
}
