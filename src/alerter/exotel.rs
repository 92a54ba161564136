//! `exotel`: sends a text message.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#exotel>. elastalert2 takes every answer for a failure; here 200 is a success.

use super::AlerterEntry;
use super::http::{Request, Route};
use super::options::{info, text_or};
use super::requests::Requests;
use crate::config::opt;
use serde_json::json;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "exotel",
    aliases: &[],
    doc: "Sends a text message through Exotel.",
    options: &[
        opt("exotel_account_sid").required().doc("The account."),
        opt("exotel_auth_token")
            .required()
            .secret()
            .doc("Its token."),
        opt("exotel_to_number")
            .required()
            .doc("Who gets the message."),
        opt("exotel_from_number").required().doc("Who sends it."),
        opt("exotel_message_body").doc("What follows the rule's name in the message."),
    ],
    build: |properties, build| {
        let account = text_or(properties, "exotel_account_sid", "");
        let token = text_or(properties, "exotel_auth_token", "");
        let url = format!("https://twilix.exotel.in/v1/Accounts/{account}/Sms/send.json");
        let to = text_or(properties, "exotel_to_number", "");
        let from = text_or(properties, "exotel_from_number", "");
        let text = text_or(properties, "exotel_message_body", "");
        let route = Route::read(properties, "exotel", build);
        let info = info("exotel", [("exotel_account", json!(account))]);
        Ok(Requests::built(build, info, move |alert| {
            let form = [
                ("From", from.clone()),
                ("To", to.clone()),
                ("Body", format!("{}{text}", alert.rule.name)),
                ("EncodingType", "plain".to_owned()),
                ("Priority", "normal".to_owned()),
            ];
            let form = form.map(|(name, value)| (name.to_owned(), value)).to_vec();
            let request = Request::post_form(&url, form, &route);
            Ok(vec![request.basic_auth(&account, &token)])
        }))
    },
};
