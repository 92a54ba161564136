//! `googlechat`: posts to webhooks of spaces.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#googlechat>.

use super::http::{Request, Route, check_urls};
use super::options::{filled, text_or};
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::{Alert, BodyStyle};
use crate::config::{Problem, Properties, opt};
use crate::event::Document;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "googlechat",
    aliases: &[],
    doc: "Posts to webhooks of Google Chat spaces.",
    options: &[
        opt("googlechat_webhook_url")
            .texts()
            .required()
            .secret()
            .doc("The webhook, or several."),
        opt("googlechat_format")
            .one_of(&["basic", "card"])
            .default("basic")
            .doc("A text, or a card."),
        opt("googlechat_header_title").doc("The card's title."),
        opt("googlechat_header_subtitle").doc("The card's second title."),
        opt("googlechat_header_image").doc("The card's picture."),
        opt("googlechat_footer_kibanalink").doc("A link below the card."),
        opt("googlechat_proxy").doc("A proxy for https."),
    ],
    build,
};

#[derive(Debug)]
struct GoogleChat {
    webhooks: Vec<String>,
    /// `None`: the basic format.
    card: Option<Card>,
    route: Route,
    transport: Arc<dyn Transport>,
}

#[derive(Debug)]
struct Card {
    header: Option<Value>,
    footer: Option<Value>,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let card = || Card {
        header: filled(properties, "googlechat_header_title").map(|title| {
            json!({
                "title": title,
                "subtitle": properties.text("googlechat_header_subtitle"),
                "imageUrl": properties.text("googlechat_header_image"),
            })
        }),
        footer: filled(properties, "googlechat_footer_kibanalink").map(|url| {
            let button = json!({"text": "VISIT KIBANA", "onClick": {"openLink": {"url": url}}});
            json!({"widgets": [{"buttons": [{"textButton": button}]}]})
        }),
    };
    let format = text_or(properties, "googlechat_format", "basic");
    let googlechat = GoogleChat {
        webhooks: properties.texts("googlechat_webhook_url"),
        card: (format == "card").then(card),
        route: Route::read(properties, "googlechat", build),
        transport: Arc::clone(&build.transport),
    };
    Ok(Built {
        warnings: check_urls(properties, "googlechat_webhook_url"),
        ..googlechat.into()
    })
}

impl GoogleChat {
    fn message(&self, alert: &Alert<'_>) -> Result<Value, SendError> {
        let text = alert.body(BodyStyle::default())?;
        let Some(card) = &self.card else {
            return Ok(json!({"text": text}));
        };
        let mut sections = vec![json!({"widgets": [{"textParagraph": {"text": text}}]})];
        sections.extend(card.footer.clone());
        let mut message = json!({"sections": sections});
        if let (Some(header), Value::Object(message)) = (&card.header, &mut message) {
            message.insert("header".to_owned(), header.clone());
        }
        Ok(json!({"cards": [message]}))
    }
}

impl Alerter for GoogleChat {
    fn info(&self) -> Document {
        Document::from_iter([
            ("type".to_owned(), json!("googlechat")),
            ("googlechat_webhook_url".to_owned(), json!(self.webhooks)),
        ])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let message = self.message(alert)?;
            for webhook in &self.webhooks {
                let request = Request::post(webhook, message.clone(), &self.route);
                self.transport.deliver(request).await?;
            }
            Ok(())
        })
    }
}
