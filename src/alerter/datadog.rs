//! `datadog`: creates an event.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#datadog>.

use super::AlerterEntry;
use super::http::{Request, Route};
use super::options::{info, text_or};
use super::requests::Requests;
use crate::alert::BodyStyle;
use crate::config::opt;
use serde_json::json;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "datadog",
    aliases: &[],
    doc: "Creates an event in Datadog.",
    options: &[
        opt("datadog_api_key")
            .required()
            .secret()
            .doc("The API key."),
        opt("datadog_app_key")
            .required()
            .secret()
            .doc("The application key."),
        opt("datadog_api_url")
            .default("https://api.datadoghq.com/api/v1/events")
            .doc("The URL of the API."),
    ],
    build: |properties, build| {
        let url = text_or(
            properties,
            "datadog_api_url",
            "https://api.datadoghq.com/api/v1/events",
        );
        let api_key = text_or(properties, "datadog_api_key", "");
        let app_key = text_or(properties, "datadog_app_key", "");
        let route = Route::read(properties, "datadog", build);
        Ok(Requests::built(build, info("datadog", []), move |alert| {
            let body = json!({
                "title": alert.subject(&alert.rule.name)?,
                "text": alert.body(BodyStyle::default())?,
            });
            let request = Request::post(&url, body, &route)
                .header("DD-API-KEY", &api_key)
                .header("DD-APPLICATION-KEY", &app_key);
            Ok(vec![request])
        }))
    },
};
