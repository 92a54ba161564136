//! `pagertree`: creates an incident.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#pagertree>. Unlike in elastalert2, repeats of an alert have the same id.

use super::AlerterEntry;
use super::http::{Request, Route};
use super::options::{info, text_or};
use super::requests::Requests;
use crate::alert::BodyStyle;
use crate::config::opt;
use serde_json::json;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "pagertree",
    aliases: &[],
    doc: "Creates an incident in PagerTree.",
    options: &[
        opt("pagertree_integration_url")
            .required()
            .secret()
            .doc("The integration's URL."),
        opt("pagertree_proxy").doc("A proxy for https."),
    ],
    build: |properties, build| {
        let url = text_or(properties, "pagertree_integration_url", "");
        let route = Route::read(properties, "pagertree", build);
        let info = info("pagertree", [("pagertree_integration_url", json!(url))]);
        Ok(Requests::built(build, info, move |alert| {
            let body = json!({
                "event_type": "create",
                "Id": alert.id,
                "Title": alert.subject(&alert.rule.name)?,
                "Description": alert.body(BodyStyle::default())?,
            });
            Ok(vec![Request::post(&url, body, &route)])
        }))
    },
};
