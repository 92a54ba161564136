//! `twilio`: sends a text message.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#twilio>. The message is the rule's name.

use super::http::{Request, Route};
use super::options::{info, is_set, text_or};
use super::requests::Requests;
use super::{AlerterEntry, SendError};
use crate::config::opt;
use serde_json::json;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "twilio",
    aliases: &[],
    doc: "Sends a text message through Twilio.",
    options: &[
        opt("twilio_account_sid").required().doc("The account."),
        opt("twilio_auth_token")
            .required()
            .secret()
            .doc("Its token."),
        opt("twilio_to_number")
            .required()
            .doc("Who gets the message."),
        opt("twilio_from_number").doc("Who sends it; needed without `twilio_use_copilot`."),
        opt("twilio_use_copilot")
            .bool()
            .default("false")
            .doc("Whether a messaging service chooses the sender."),
        opt("twilio_message_service_sid").doc("The messaging service."),
    ],
    build: |properties, build| {
        let account = text_or(properties, "twilio_account_sid", "");
        let token = text_or(properties, "twilio_auth_token", "");
        let url = format!("https://api.twilio.com/2010-04-01/Accounts/{account}/Messages.json");
        let to = text_or(properties, "twilio_to_number", "");
        let from = properties.text("twilio_from_number");
        let info = info("twilio", [("twilio_client_name", json!(from))]);
        let (member, option, sender) = if is_set(properties, "twilio_use_copilot") {
            let service = properties.text("twilio_message_service_sid");
            ("MessagingServiceSid", "twilio_message_service_sid", service)
        } else {
            ("From", "twilio_from_number", from)
        };
        let route = Route::read(properties, "twilio", build);
        Ok(Requests::built(build, info, move |alert| {
            let sender = sender
                .clone()
                .ok_or_else(|| SendError::Content(format!("{option} is missing")))?;
            let form = vec![
                ("To".to_owned(), to.clone()),
                ("Body".to_owned(), alert.rule.name.clone()),
                (member.to_owned(), sender),
            ];
            let request = Request::post_form(&url, form, &route);
            Ok(vec![request.basic_auth(&account, &token)])
        }))
    },
};
