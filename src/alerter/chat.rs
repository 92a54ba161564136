//! What Slack, Mattermost and Rocket.Chat messages have in common: the first attachment's optional members, fields of the match, links.

use super::http::{Request, Route};
use super::options::{filled, is_set, text_or};
use super::{Build, SendError, Transport};
use crate::alert::BodyStyle;
use crate::config::Properties;
use crate::event::{Document, FieldPath, python};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The summary table is as wide as these programs show, and set in a fixed-width font.
pub(super) const STYLE: BodyStyle = BodyStyle {
    table_width: 75,
    fence: Some(("```\n", "```\n")),
    summary: true,
    json: None,
};

/// Members of the first attachment that are there when their option, `PREFIX_NAME`, is not empty.
const OPTIONAL: [&str; 8] = [
    "title_link",
    "footer",
    "footer_icon",
    "image_url",
    "thumb_url",
    "author_name",
    "author_link",
    "author_icon",
];

/// The optional members of the first attachment that a rule has.
pub(super) fn optional_members(properties: &Properties, prefix: &str) -> Map<String, Value> {
    let members = OPTIONAL.iter().filter_map(|name| {
        let text = filled(properties, &format!("{prefix}_{name}"))?;
        Some(((*name).to_owned(), Value::String(text)))
    });
    members.collect()
}

/// The poster's picture: a URL, if the rule has one, else an emoji.
pub(super) fn icon(properties: &Properties, prefix: &str) -> (String, Value) {
    let option = |name: &str| format!("{prefix}_{name}");
    match filled(properties, &option("icon_url_override")) {
        Some(url) => ("icon_url".to_owned(), Value::String(url)),
        None => {
            let emoji = text_or(properties, &option("emoji_override"), ":ghost:");
            ("icon_emoji".to_owned(), Value::String(emoji))
        }
    }
}

/// A field of the match, shown in the message.
#[derive(Debug)]
pub(super) struct Field {
    /// `title`, `short` and whatever else is written.
    members: Map<String, Value>,
    path: FieldPath,
}

impl Field {
    /// The fields an option lists.
    pub(super) fn read(properties: &Properties, option: &str) -> Vec<Self> {
        let Some(Value::Array(entries)) = properties.value(option) else {
            return Vec::new();
        };
        let fields = entries.into_iter().filter_map(|entry| match entry {
            Value::Object(members) => {
                let path = FieldPath::new(python::str(members.get("value")?));
                Some(Self { members, path })
            }
            _ => None,
        });
        fields.collect()
    }

    /// The field with the match's value; null where it has none.
    pub(super) fn show(&self, first: Option<&Document>) -> Value {
        let value = first.and_then(|first| self.path.get(first));
        let mut members = self.members.clone();
        members.insert("value".to_owned(), value.cloned().unwrap_or_default());
        Value::Object(members)
    }
}

/// A link that the match carries, shown as an attachment of its own.
#[derive(Debug)]
pub(super) struct Link {
    field: FieldPath,
    color: String,
    title: String,
}

impl Link {
    /// The links to Kibana and OpenSearch Dashboards that a rule wants shown.
    pub(super) fn read(properties: &Properties, prefix: &str, opensearch_title: &str) -> Vec<Self> {
        let mut links = Vec::new();
        for (product, title) in [
            ("kibana", "Discover in Kibana"),
            ("opensearch", opensearch_title),
        ] {
            if is_set(
                properties,
                &format!("{prefix}_attach_{product}_discover_url"),
            ) {
                let option = |name: &str| format!("{prefix}_{product}_discover_{name}");
                links.push(Self {
                    field: FieldPath::new(format!("{product}_discover_url")),
                    color: text_or(properties, &option("color"), "#ec4b98"),
                    title: text_or(properties, &option("title"), title),
                });
            }
        }
        links
    }

    /// The attachment, if the match has the link.
    pub(super) fn show(&self, first: Option<&Document>) -> Option<Value> {
        let url = self.field.get(first?)?;
        python::is_truthy(url)
            .then(|| json!({"color": self.color, "title": self.title, "title_link": url}))
    }
}

/// The incoming webhooks that messages are posted to.
#[derive(Debug)]
pub(super) struct Hooks {
    pub(super) urls: Vec<String>,
    /// Without the option one, the webhook's own.
    channels: Vec<String>,
    route: Route,
    transport: Arc<dyn Transport>,
}

impl Hooks {
    /// Those that a rule has under the options that begin with `prefix`.
    pub(super) fn read(properties: &Properties, prefix: &str, build: &Build) -> Self {
        let channels = format!("{prefix}_channel_override");
        Self {
            urls: properties.texts(&format!("{prefix}_webhook_url")),
            channels: if properties.contains(&channels) {
                properties.texts(&channels)
            } else {
                vec![String::new()]
            },
            route: Route::read(properties, prefix, build),
            transport: Arc::clone(&build.transport),
        }
    }

    /// Posts a message to every channel of every webhook; the first failure ends it.
    pub(super) async fn post(&self, mut message: Map<String, Value>) -> Result<(), SendError> {
        for url in &self.urls {
            for channel in &self.channels {
                message.insert("channel".to_owned(), json!(channel));
                let request = Request::post(url, Value::Object(message.clone()), &self.route);
                self.transport.deliver(request).await?;
            }
        }
        Ok(())
    }
}
