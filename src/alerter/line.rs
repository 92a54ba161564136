//! `line`: pushes a message through a bot.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#line>.

use super::http::{Request, Route};
use super::options::info;
use super::requests::Requests;
use super::{AlerterEntry, crop};
use crate::alert::BodyStyle;
use crate::config::opt;
use serde_json::json;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "line",
    aliases: &[],
    doc: "Pushes a message through a LINE bot.",
    options: &[
        opt("line_channel_access_token")
            .secret()
            .doc("The channel's token."),
        opt("line_to").doc("Who gets the message."),
    ],
    build: |properties, build| {
        let token = properties.text("line_channel_access_token");
        let to = properties.text("line_to");
        let authorization = format!("Bearer {}", token.as_deref().unwrap_or("None"));
        let route = Route::read(properties, "line", build);
        let members = [
            ("line_to", json!(to)),
            ("line_channel_access_token", json!(token)),
        ];
        Ok(Requests::built(
            build,
            info("line", members),
            move |alert| {
                let text = alert.body(BodyStyle {
                    summary: false,
                    ..BodyStyle::default()
                })?;
                let text = crop::crop(text, 4800, 4700, "\n\n(message cropped due to LINE limit)");
                let body = json!({"to": to, "messages": [{"type": "text", "text": text}]});
                let request =
                    Request::post("https://api.line.me/v2/bot/message/push", body, &route);
                Ok(vec![request.header("Authorization", &authorization)])
            },
        ))
    },
};
