//! `ms_power_automate`: posts adaptive cards to Power Automate workflows, the way into Microsoft Teams.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#ms-power-automate>.

use super::http::{Request, Route, check_urls};
use super::options::{CERTIFICATES, filled, is_set, text_or};
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::{Alert, BodyStyle};
use crate::config::{Kind, Node, Problem, Properties, opt};
use crate::event::{Document, FieldPath, python};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "ms_power_automate",
    aliases: &[],
    doc: "Posts adaptive cards to Power Automate workflows, the way into Microsoft Teams.",
    options: &[
        opt("ms_power_automate_webhook_url")
            .texts()
            .required()
            .secret()
            .doc("The workflow's URL, or several."),
        opt("ms_power_automate_webhook_url_from_field")
            .doc("A field of the match with the URLs, separated by commas, used instead."),
        opt("ms_power_automate_alert_summary")
            .default("the alert's subject")
            .doc("The card's title."),
        opt("ms_power_automate_summary_text_size")
            .default("large")
            .doc("The title's size."),
        opt("ms_power_automate_body_text_size").doc("The text's size."),
        opt("ms_power_automate_alert_facts")
            .kind(Kind::List(&Kind::Map))
            .doc("Facts to show: a list of `name` and `value`, a field of the match or a text."),
        opt("ms_power_automate_kibana_discover_attach_url")
            .bool()
            .default("false")
            .doc("Whether the match's link to Kibana is a button."),
        opt("ms_power_automate_kibana_discover_color")
            .default("default")
            .doc("The button's style: default, positive or destructive."),
        opt("ms_power_automate_kibana_discover_title")
            .default("Discover in Kibana")
            .doc("The button's text."),
        opt("ms_power_automate_opensearch_discover_attach_url")
            .bool()
            .default("false")
            .doc("Whether the match's link to OpenSearch Dashboards is a button."),
        opt("ms_power_automate_opensearch_discover_color")
            .default("default")
            .doc("The button's style."),
        opt("ms_power_automate_opensearch_discover_title")
            .default("Discover in opensearch")
            .doc("The button's text."),
        opt("ms_power_automate_teams_card_width_full")
            .bool()
            .default("false")
            .doc("Whether Teams shows the card in full width."),
        opt("ms_power_automate_proxy").doc("A proxy for https."),
        opt("ms_power_automate_ca_certs")
            .kind(CERTIFICATES)
            .doc("`true`, or the PEM file of the authorities to trust."),
        opt("ms_power_automate_ignore_ssl_errors")
            .bool()
            .default("false")
            .doc("Whether any certificate is accepted."),
    ],
    build,
};

#[derive(Debug)]
struct PowerAutomate {
    webhooks: Vec<String>,
    webhooks_field: Option<FieldPath>,
    route: Route,
    summary: Option<String>,
    summary_size: String,
    body_size: Option<String>,
    facts: Option<Vec<(Value, String)>>,
    buttons: Vec<Button>,
    full_width: bool,
    transport: Arc<dyn Transport>,
}

/// A link of the match as a button.
#[derive(Debug)]
struct Button {
    field: FieldPath,
    title: String,
    style: String,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let option = |name: &str| format!("ms_power_automate_{name}");
    let mut buttons = Vec::new();
    for (product, title) in [
        ("kibana", "Discover in Kibana"),
        ("opensearch", "Discover in opensearch"),
    ] {
        if is_set(
            properties,
            &option(&format!("{product}_discover_attach_url")),
        ) {
            buttons.push(Button {
                field: FieldPath::new(format!("{product}_discover_url")),
                title: text_or(
                    properties,
                    &option(&format!("{product}_discover_title")),
                    title,
                ),
                style: text_or(
                    properties,
                    &option(&format!("{product}_discover_color")),
                    "default",
                ),
            });
        }
    }
    let facts = properties
        .get(&option("alert_facts"))
        .and_then(Node::as_seq);
    let power_automate = PowerAutomate {
        webhooks: properties.texts(&option("webhook_url")),
        webhooks_field: properties
            .text(&option("webhook_url_from_field"))
            .map(FieldPath::new),
        route: Route::read(properties, "ms_power_automate", build),
        summary: filled(properties, &option("alert_summary")),
        summary_size: text_or(properties, &option("summary_text_size"), "large"),
        body_size: filled(properties, &option("body_text_size")),
        facts: facts
            .filter(|facts| !facts.is_empty())
            .map(|facts| facts.iter().filter_map(fact).collect()),
        buttons,
        full_width: is_set(properties, &option("teams_card_width_full")),
        transport: Arc::clone(&build.transport),
    };
    Ok(Built {
        warnings: check_urls(properties, "ms_power_automate_webhook_url"),
        ..power_automate.into()
    })
}

fn fact(node: &Node) -> Option<(Value, String)> {
    let name = node.get("name").map(Node::to_value).unwrap_or_default();
    Some((name, node.get("value")?.key_text()))
}

impl PowerAutomate {
    fn urls(&self, first: Option<&Document>) -> Vec<String> {
        let field = self.webhooks_field.as_ref();
        match field.zip(first).and_then(|(field, first)| field.get(first)) {
            Some(Value::String(urls)) => urls.split(',').map(|url| url.trim().to_owned()).collect(),
            _ => self.webhooks.clone(),
        }
    }

    fn card(&self, alert: &Alert<'_>) -> Result<Value, SendError> {
        let first = alert.matches.first();
        let find = |path: &FieldPath| first.and_then(|first| path.get_some(first));
        let summary = match &self.summary {
            Some(summary) => summary.clone(),
            None => alert.subject(&alert.rule.name)?,
        };
        let mut text = json!({
            "type": "TextBlock",
            "text": alert.body(BodyStyle::default())?,
            "spacing": "Large",
            "wrap": true,
        });
        if let (Some(size), Value::Object(text)) = (&self.body_size, &mut text) {
            text.insert("size".to_owned(), json!(size));
        }
        let mut body = vec![
            json!({
                "type": "TextBlock",
                "text": summary,
                "weight": "Bolder",
                "wrap": true,
                "size": self.summary_size,
            }),
            text,
        ];
        if let Some(facts) = &self.facts {
            let facts = facts.iter().map(|(name, value)| {
                let found = find(&FieldPath::new(value.as_str())).cloned();
                json!({"title": name, "value": found.unwrap_or_else(|| json!(value))})
            });
            body.push(json!({"type": "FactSet", "facts": facts.collect::<Vec<_>>()}));
        }
        let buttons = self.buttons.iter().filter_map(|button| {
            let url = find(&button.field).filter(|url| python::is_truthy(url))?;
            Some(json!({
                "type": "Action.OpenUrl",
                "title": button.title,
                "url": url,
                "style": button.style,
            }))
        });
        let mut card = json!({
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": body,
            "actions": buttons.collect::<Vec<_>>(),
        });
        if let (true, Value::Object(card)) = (self.full_width, &mut card) {
            card.insert("msteams".to_owned(), json!({"width": "Full"}));
        }
        Ok(json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "content": card,
            }],
        }))
    }
}

impl Alerter for PowerAutomate {
    fn info(&self) -> Document {
        Document::from_iter([
            ("type".to_owned(), json!("ms_power_automate")),
            (
                "ms_power_automate_webhook_url".to_owned(),
                json!(self.webhooks),
            ),
        ])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let card = self.card(alert)?;
            for url in self.urls(alert.matches.first()) {
                let request = Request::post(&url, card.clone(), &self.route);
                self.transport.deliver(request).await?;
            }
            Ok(())
        })
    }
}
