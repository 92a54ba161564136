//! `slack`: posts to incoming webhooks.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#slack>.

use super::http::{Request, Route, check_urls};
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::{Alert, BodyStyle};
use crate::config::{Kind, Problem, Properties, TEXTS, opt};
use crate::event::{Document, FieldPath, python};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Whether to verify, and with which certificates: `true` or a file.
const CERTIFICATES: Kind = Kind::AnyOf(&[Kind::Bool, Kind::Str]);

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

/// Members of the attachment that are there when their option is not empty.
const OPTIONAL: [(&str, &str); 9] = [
    ("slack_title_link", "title_link"),
    ("slack_msg_pretext", "pretext"),
    ("slack_footer", "footer"),
    ("slack_footer_icon", "footer_icon"),
    ("slack_image_url", "image_url"),
    ("slack_thumb_url", "thumb_url"),
    ("slack_author_name", "author_name"),
    ("slack_author_link", "author_link"),
    ("slack_author_icon", "author_icon"),
];

/// The summary table is as wide as Slack shows, and set in a fixed-width font.
const STYLE: BodyStyle = BodyStyle {
    table_width: 75,
    fence: Some(("```\n", "```\n")),
    summary: true,
};

#[derive(Debug)]
struct Slack {
    webhooks: Vec<String>,
    channels: Vec<String>,
    route: Route,
    username: String,
    /// The message's members that are the same for all alerts.
    message: Map<String, Value>,
    /// The first attachment's.
    attachment: Map<String, Value>,
    title: Option<String>,
    fields: Vec<(Map<String, Value>, Option<FieldPath>)>,
    links: Vec<Link>,
    transport: Arc<dyn Transport>,
}

/// A link of the match, attached.
#[derive(Debug)]
struct Link {
    field: FieldPath,
    color: String,
    title: String,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let or =
        |name: &str, default: &str| properties.text(name).unwrap_or_else(|| default.to_owned());
    let filled = |name: &str| properties.text(name).filter(|text| !text.is_empty());
    let username = or("slack_username_override", "elastalert");
    let mut message = Map::from_iter([
        ("username".to_owned(), json!(username)),
        (
            "parse".to_owned(),
            json!(or("slack_parse_override", "none")),
        ),
        ("text".to_owned(), json!(or("slack_text_string", ""))),
    ]);
    let (icon, value) = match filled("slack_icon_url_override") {
        Some(url) => ("icon_url", url),
        None => ("icon_emoji", or("slack_emoji_override", ":ghost:")),
    };
    message.insert(icon.to_owned(), Value::String(value));
    let mut attachment = Map::from_iter([
        ("color".to_owned(), json!(or("slack_msg_color", "danger"))),
        ("mrkdwn_in".to_owned(), json!(["text", "pretext"])),
    ]);
    for (option, member) in OPTIONAL {
        if let Some(text) = filled(option) {
            attachment.insert(member.to_owned(), Value::String(text));
        }
    }
    let mut channels = properties.texts("slack_channel_override");
    if !properties.contains("slack_channel_override") {
        channels.push(String::new());
    }
    let mut links = Vec::new();
    for (attach, product, name, title) in [
        (
            "slack_attach_kibana_discover_url",
            "kibana",
            "kibana_discover_url",
            "Discover in Kibana",
        ),
        (
            "slack_attach_opensearch_discover_url",
            "opensearch",
            "opensearch_discover_url",
            "Discover in Opensearch",
        ),
    ] {
        if properties.bool(attach) == Some(true) {
            links.push(Link {
                field: FieldPath::new(name),
                color: or(&format!("slack_{product}_discover_color"), "#ec4b98"),
                title: or(&format!("slack_{product}_discover_title"), title),
            });
        }
    }
    let slack = Slack {
        webhooks: properties.texts("slack_webhook_url"),
        channels,
        route: Route::read(properties, "slack", build),
        username,
        message,
        attachment,
        title: filled("slack_title"),
        fields: fields(properties),
        links,
        transport: Arc::clone(&build.transport),
    };
    Ok(Built {
        warnings: check_urls(properties, "slack_webhook_url"),
        ..slack.into()
    })
}

/// Each field's members as written, and where its value is found.
fn fields(properties: &Properties) -> Vec<(Map<String, Value>, Option<FieldPath>)> {
    let Some(Value::Array(entries)) = properties.value("slack_alert_fields") else {
        return Vec::new();
    };
    entries
        .into_iter()
        .filter_map(|entry| match entry {
            Value::Object(members) => {
                let path = members
                    .get("value")
                    .map(|path| FieldPath::new(python::str(path)));
                Some((members, path))
            }
            _ => None,
        })
        .collect()
}

impl Slack {
    fn body(&self, alert: &Alert<'_>) -> Result<Map<String, Value>, SendError> {
        let first = alert.matches.first();
        let mut attachment = self.attachment.clone();
        let title = match &self.title {
            Some(title) => title.clone(),
            None => alert.subject(&alert.rule.name)?,
        };
        attachment.insert("title".to_owned(), Value::String(title));
        attachment.insert("text".to_owned(), Value::String(alert.body(STYLE)?));
        let fields = self.fields.iter().map(|(members, path)| {
            let mut members = members.clone();
            if let Some(path) = path {
                let value = first.and_then(|first| path.get(first));
                members.insert("value".to_owned(), value.cloned().unwrap_or_default());
            }
            Value::Object(members)
        });
        attachment.insert("fields".to_owned(), Value::Array(fields.collect()));
        let mut attachments = vec![Value::Object(attachment)];
        for link in &self.links {
            let url = first.and_then(|first| link.field.get(first));
            if let Some(url) = url.filter(|url| python::is_truthy(url)) {
                attachments
                    .push(json!({"color": link.color, "title": link.title, "title_link": url}));
            }
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

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let mut body = self.body(alert)?;
            for webhook in &self.webhooks {
                for channel in &self.channels {
                    body.insert("channel".to_owned(), json!(channel));
                    let request = Request::post(webhook, Value::Object(body.clone()), &self.route);
                    self.transport.deliver(request).await?;
                }
            }
            Ok(())
        })
    }
}
