//! `flashduty`: pushes an event.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#flashduty>.

use super::AlerterEntry;
use super::http::{Request, Route};
use super::options::text_or;
use super::requests::Requests;
use crate::alert::BodyStyle;
use crate::config::opt;
use crate::event::Document;
use serde_json::{Value, json};

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "flashduty",
    aliases: &[],
    doc: "Pushes an event to Flashduty.",
    options: &[
        opt("flashduty_integration_key")
            .required()
            .secret()
            .doc("The integration's key."),
        opt("flashduty_title")
            .default("ElastAlert Alert")
            .doc("The event's title."),
        opt("flashduty_description").doc("The event's description."),
        opt("flashduty_event_status")
            .one_of(&["Info", "Warning", "Critical", "Ok"])
            .default("Info")
            .doc("How bad it is."),
        opt("flashduty_alert_key").doc("Names the alert: events of one key belong together."),
        opt("flashduty_check").doc("A label."),
        opt("flashduty_service").doc("A label."),
        opt("flashduty_cluster").doc("A label."),
        opt("flashduty_resource").doc("A label."),
        opt("flashduty_metric").doc("A label."),
        opt("flashduty_group").doc("A label."),
        opt("flashduty_env").doc("A label."),
        opt("flashduty_app").doc("A label."),
    ],
    build: |properties, build| {
        let value = |name: &str| {
            properties
                .value(&format!("flashduty_{name}"))
                .unwrap_or_default()
        };
        let key = text_or(properties, "flashduty_integration_key", "");
        let url =
            format!("https://api.flashcat.cloud/event/push/alert/standard?integration_key={key}");
        let title = text_or(properties, "flashduty_title", "ElastAlert Alert");
        let status = text_or(properties, "flashduty_event_status", "Info");
        let mut info = Document::from_iter([
            ("type".to_owned(), json!("flashduty")),
            ("flashduty_integration_key".to_owned(), json!(key)),
            ("flashduty_title".to_owned(), json!(title)),
            ("flashduty_event_status".to_owned(), json!(status)),
        ]);
        let mut labels = Document::new();
        for name in [
            "check", "service", "cluster", "resource", "metric", "group", "env", "app",
        ] {
            labels.insert(name.to_owned(), value(name));
            info.insert(format!("flashduty_{name}"), value(name));
        }
        let description = value("description");
        let alert_key = value("alert_key");
        info.insert("flashduty_description".to_owned(), description.clone());
        info.insert("flashduty_alert_key".to_owned(), alert_key.clone());
        let route = Route::read(properties, "flashduty", build);
        Ok(Requests::built(build, info, move |alert| {
            let mut labels = labels.clone();
            let text = alert.body(BodyStyle::default())?;
            labels.insert("information".to_owned(), Value::String(text));
            let body = json!({
                "title": title,
                "description": description,
                "event_status": status,
                "alert_key": alert_key,
                "labels": labels,
            });
            Ok(vec![Request::post(&url, body, &route)])
        }))
    },
};
