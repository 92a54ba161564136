//! `victorops`: raises an incident.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#splunk-on-call-formerly-victorops>.

use super::AlerterEntry;
use super::http::{Request, Route};
use super::options::{filled, info, text_or};
use super::requests::Requests;
use crate::alert::BodyStyle;
use crate::config::opt;
use serde_json::{Map, Value, json};

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "victorops",
    aliases: &[],
    doc: "Raises an incident in Splunk On-Call.",
    options: &[
        opt("victorops_api_key")
            .required()
            .secret()
            .doc("The API key."),
        opt("victorops_routing_key")
            .required()
            .doc("Who is called."),
        opt("victorops_message_type")
            .one_of(&["INFO", "WARNING", "ACKNOWLEDGEMENT", "CRITICAL", "RECOVERY"])
            .required()
            .doc("What becomes of the incident."),
        opt("victorops_entity_id").doc("Names the incident: alerts of one id belong together."),
        opt("victorops_entity_display_name")
            .default("the alert's subject")
            .doc("What the incident is called."),
        opt("victorops_proxy").doc("A proxy for https."),
    ],
    build: |properties, build| {
        let key = text_or(properties, "victorops_api_key", "");
        let routing_key = text_or(properties, "victorops_routing_key", "");
        let url = format!(
            "https://alert.victorops.com/integrations/generic/20131114/alert/{key}/{routing_key}"
        );
        let message_type = text_or(properties, "victorops_message_type", "");
        let display_name = filled(properties, "victorops_entity_display_name");
        let entity_id = filled(properties, "victorops_entity_id");
        let route = Route::read(properties, "victorops", build);
        let info = info("victorops", [("victorops_routing_key", json!(routing_key))]);
        Ok(Requests::built(build, info, move |alert| {
            let display_name = match &display_name {
                Some(name) => name.clone(),
                None => alert.subject(&alert.rule.name)?,
            };
            let mut body = Map::from_iter([
                ("message_type".to_owned(), json!(message_type)),
                ("entity_display_name".to_owned(), json!(display_name)),
                ("monitoring_tool".to_owned(), json!("ElastAlert")),
                (
                    "state_message".to_owned(),
                    json!(alert.body(BodyStyle::default())?),
                ),
            ]);
            // The match's members win over all but the id.
            body.extend(alert.matches.first().cloned().unwrap_or_default());
            if let Some(id) = &entity_id {
                body.insert("entity_id".to_owned(), json!(id));
            }
            Ok(vec![Request::post(&url, Value::Object(body), &route)])
        }))
    },
};
