//! `smseagle`: sends a text message, or calls.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#smseagle>.

use super::http::{Request, Route};
use super::options::{filled, info, text_or};
use super::requests::Requests;
use super::{AlerterEntry, SendError};
use crate::alert::BodyStyle;
use crate::config::{Kind, opt};
use serde_json::{Map, Value, json};

const PEOPLE: Kind = Kind::AnyOf(&[
    Kind::Str,
    Kind::Int,
    Kind::List(&Kind::AnyOf(&[Kind::Str, Kind::Int])),
]);

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "smseagle",
    aliases: &[],
    doc: "Sends a text message, or calls, through an SMSEagle device.",
    options: &[
        opt("smseagle_url").required().doc("The device's URL."),
        opt("smseagle_token").required().secret().doc("The access token."),
        opt("smseagle_message_type")
            .one_of(&["sms", "ring", "tts", "tts_adv"])
            .required()
            .doc("A text message, a call, a call that reads the text, or one with a voice of its own."),
        opt("smseagle_to").kind(PEOPLE).doc("Numbers."),
        opt("smseagle_contacts").kind(PEOPLE).doc("Contacts."),
        opt("smseagle_groups").kind(PEOPLE).doc("Groups."),
        opt("smseagle_text").default("the alert's body").doc("The text."),
        opt("smseagle_duration").int().default("10").doc("How many seconds a call rings."),
        opt("smseagle_voice_id").int().default("1").doc("The voice."),
    ],
    build: |properties, build| {
        let host = text_or(properties, "smseagle_url", "");
        let kind = text_or(properties, "smseagle_message_type", "sms");
        let path = match kind.as_str() {
            "ring" => "/api/v2/calls/ring",
            "tts" => "/api/v2/calls/tts",
            "tts_adv" => "/api/v2/calls/tts_advanced",
            _ => "/api/v2/messages/sms",
        };
        let mut fixed = Map::new();
        for (option, member) in [
            ("smseagle_to", "to"),
            ("smseagle_contacts", "contacts"),
            ("smseagle_groups", "groups"),
        ] {
            if let Some(people) = properties.value(option) {
                fixed.insert(member.to_owned(), people);
            }
        }
        let nobody = fixed.is_empty();
        if kind != "sms" {
            let duration = properties.int("smseagle_duration").unwrap_or(10);
            fixed.insert("duration".to_owned(), json!(duration));
        }
        if kind == "tts_adv" {
            let voice = properties.int("smseagle_voice_id").unwrap_or(1);
            fixed.insert("voice_id".to_owned(), json!(voice));
        }
        let text = filled(properties, "smseagle_text");
        let token = text_or(properties, "smseagle_token", "");
        let route = Route::read(properties, "smseagle", build);
        let url = format!("{host}{path}");
        Ok(Requests::built(build, info("smseagle", [("smseagle_url", json!(host))]), move |alert| {
            if nobody {
                return Err(SendError::Content(
                    "nobody to send to: smseagle_to, smseagle_contacts and smseagle_groups are empty".to_owned(),
                ));
            }
            let text = match &text {
                Some(text) => text.clone(),
                None => alert.body(BodyStyle::default())?,
            };
            let mut body = fixed.clone();
            body.insert("text".to_owned(), Value::String(text));
            let request = Request::post(&url, Value::Object(body), &route);
            Ok(vec![request.header("access-token", &token)])
        }))
    },
};
