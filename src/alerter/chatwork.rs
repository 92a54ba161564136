//! `chatwork`: posts to a room.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#chatwork>.

use super::http::{Request, Route};
use super::options::{info, text_or};
use super::requests::Requests;
use super::{AlerterEntry, crop};
use crate::alert::BodyStyle;
use crate::config::opt;
use serde_json::json;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "chatwork",
    aliases: &[],
    doc: "Posts to a Chatwork room.",
    options: &[
        opt("chatwork_apikey")
            .required()
            .secret()
            .doc("The API key."),
        opt("chatwork_room_id").required().doc("The room."),
        opt("chatwork_proxy").doc("A proxy for https."),
        opt("chatwork_proxy_login").doc("The user for the proxy."),
        opt("chatwork_proxy_pass")
            .secret()
            .doc("The password for the proxy."),
    ],
    build: |properties, build| {
        let key = text_or(properties, "chatwork_apikey", "");
        let room = text_or(properties, "chatwork_room_id", "");
        let url = format!("https://api.chatwork.com/v2/rooms/{room}/messages");
        let route = Route::read(properties, "chatwork", build).proxy_login(
            properties,
            "chatwork_proxy_login",
            "chatwork_proxy_pass",
        );
        let info = info("chatwork", [("chatwork_room_id", json!(room))]);
        Ok(Requests::built(build, info, move |alert| {
            let text = alert.body(BodyStyle {
                summary: false,
                ..BodyStyle::default()
            })?;
            let text = crop::crop(
                text,
                2047,
                1950,
                "\n *message was cropped according to chatwork embed description limits!*",
            );
            let form = vec![
                ("self_unread".to_owned(), "0".to_owned()),
                ("body".to_owned(), text),
            ];
            let request = Request::post_form(&url, form, &route)
                .header("X-ChatWorkToken", &key)
                .header("Accept", "application/json");
            Ok(vec![request])
        }))
    },
};
