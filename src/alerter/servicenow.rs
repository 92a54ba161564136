//! `servicenow`: creates an incident.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#servicenow>.

use super::AlerterEntry;
use super::http::{ACCEPT_JSON, Request, Route};
use super::options::{info, text_or};
use super::requests::Requests;
use crate::alert::{Alert, BodyStyle};
use crate::config::{Kind, opt};
use serde_json::{Map, Value, json};

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "servicenow",
    aliases: &[],
    doc: "Creates an incident in ServiceNow.",
    options: &[
        opt("servicenow_rest_url")
            .required()
            .doc("The URL of the table API."),
        opt("username").required().doc("The user."),
        opt("password")
            .required()
            .secret()
            .doc("The user's password."),
        opt("short_description")
            .required()
            .doc("The incident in a few words."),
        opt("comments").required().doc("Comments."),
        opt("assignment_group").required().doc("Who works on it."),
        opt("category").required().doc("Its category."),
        opt("subcategory").required().doc("Its subcategory."),
        opt("cmdb_ci").required().doc("What it is about."),
        opt("caller_id").required().doc("Who reports it."),
        opt("servicenow_impact").int().doc("1 to 3."),
        opt("servicenow_urgency").int().doc("1 to 3."),
        opt("service_now_additional_fields")
            .kind(Kind::Map)
            .doc("Further members; they win over the others."),
        opt("servicenow_proxy").doc("A proxy for https."),
    ],
    build: |properties, build| {
        let url = text_or(properties, "servicenow_rest_url", "");
        let user = text_or(properties, "username", "");
        let password = text_or(properties, "password", "");
        let mut fixed = Map::new();
        for name in [
            "short_description",
            "comments",
            "assignment_group",
            "category",
            "subcategory",
            "cmdb_ci",
            "caller_id",
        ] {
            fixed.insert(name.to_owned(), properties.value(name).unwrap_or_default());
        }
        for (option, name) in [
            ("servicenow_impact", "impact"),
            ("servicenow_urgency", "urgency"),
        ] {
            if let Some(value) = properties.value(option) {
                fixed.insert(name.to_owned(), value);
            }
        }
        let additional = properties.value("service_now_additional_fields");
        let route = Route::read(properties, "servicenow", build);
        let info = info("ServiceNow", [("self.servicenow_rest_url", json!(url))]);
        Ok(Requests::built(build, info, move |alert| {
            // Of several matches the last, as elastalert2 does.
            let last = Alert {
                matches: alert.matches.last().map_or(&[], std::slice::from_ref),
                ..*alert
            };
            let text = last.body(BodyStyle {
                summary: false,
                ..BodyStyle::default()
            })?;
            let mut body = fixed.clone();
            body.insert("description".to_owned(), Value::String(text));
            if let Some(Value::Object(members)) = &additional {
                body.extend(members.clone());
            }
            let request = Request::post(&url, Value::Object(body), &route)
                .header("Accept", ACCEPT_JSON)
                .basic_auth(&user, &password);
            Ok(vec![request])
        }))
    },
};
