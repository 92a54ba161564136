//! `dingtalk`: posts to a robot's webhook.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#dingtalk>.

use super::AlerterEntry;
use super::http::{ACCEPT_JSON, Request, Route};
use super::options::{filled, info, text_or};
use super::requests::Requests;
use crate::alert::BodyStyle;
use crate::config::{Kind, opt};
use crate::event::WallTime;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;
use serde_json::{Map, Value, json};

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "dingtalk",
    aliases: &[],
    doc: "Posts to the webhook of a DingTalk robot.",
    options: &[
        opt("dingtalk_access_token")
            .required()
            .secret()
            .doc("The robot's token."),
        opt("dingtalk_sign").secret().doc("The secret for signing."),
        opt("dingtalk_msgtype")
            .one_of(&["text", "markdown", "single_action_card", "action_card"])
            .default("text")
            .doc("The kind of message."),
        opt("dingtalk_single_title")
            .default("elastalert")
            .doc("The button's text in a `single_action_card`."),
        opt("dingtalk_single_url").doc("Where that button leads."),
        opt("dingtalk_btn_orientation")
            .doc("How buttons of an `action_card` stand: `0` below, `1` beside each other."),
        opt("dingtalk_btns")
            .kind(Kind::List(&Kind::Map))
            .doc("Buttons of an `action_card`: `title` and `actionURL`."),
        opt("dingtalk_proxy").doc("A proxy for https."),
        opt("dingtalk_proxy_login").doc("The user for the proxy."),
        opt("dingtalk_proxy_pass")
            .secret()
            .doc("The password for the proxy."),
    ],
    build: |properties, build| {
        let token = text_or(properties, "dingtalk_access_token", "");
        let url = format!("https://oapi.dingtalk.com/robot/send?access_token={token}");
        let target = Target {
            secret: filled(properties, "dingtalk_sign"),
            url,
        };
        let kind = text_or(properties, "dingtalk_msgtype", "text");
        let mut card = Map::new();
        match kind.as_str() {
            "single_action_card" => {
                let title = text_or(properties, "dingtalk_single_title", "elastalert");
                card.insert("singleTitle".to_owned(), json!(title));
                let link = text_or(properties, "dingtalk_single_url", "");
                card.insert("singleURL".to_owned(), json!(link));
            }
            "action_card" => {
                for (option, member) in [
                    ("dingtalk_btn_orientation", "btnOrientation"),
                    ("dingtalk_btns", "btns"),
                ] {
                    let value = properties.value(option);
                    if let Some(value) = value.filter(crate::event::python::is_truthy) {
                        card.insert(member.to_owned(), value);
                    }
                }
            }
            _ => {}
        }
        let route = Route::read(properties, "dingtalk", build).proxy_login(
            properties,
            "dingtalk_proxy_login",
            "dingtalk_proxy_pass",
        );
        let alert_info = |url: &str| info("dingtalk", [("dingtalk_webhook_url", json!(url))]);
        let info = alert_info(&target.url);
        let of_info = target.clone();
        let requests = Requests::new(build, info, move |alert| {
            let text = alert.body(BodyStyle::default())?;
            let body = match kind.as_str() {
                "text" => json!({"msgtype": "text", "text": {"content": text}}),
                "markdown" => {
                    let title = alert.subject(&alert.rule.name)?;
                    json!({"msgtype": "markdown", "markdown": {"title": title, "text": text}})
                }
                _ => {
                    let mut card = card.clone();
                    let title = alert.subject(&alert.rule.name)?;
                    card.insert("title".to_owned(), Value::String(title));
                    card.insert("text".to_owned(), Value::String(text));
                    json!({"msgtype": "actionCard", "actionCard": card})
                }
            };
            let request = Request::post(&target.url_at(alert.now), body, &route);
            Ok(vec![request.header("Accept", ACCEPT_JSON)])
        });
        let requests = requests.info_for(move |alert| alert_info(&of_info.url_at(alert.now)));
        Ok(requests.into())
    },
};

/// What Python's `quote_plus` leaves as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~');

/// Where messages are posted to.
#[derive(Clone)]
struct Target {
    url: String,
    secret: Option<String>,
}

impl Target {
    /// The URL, with the proof that the robot's secret is known.
    fn url_at(&self, now: WallTime) -> String {
        let Some(secret) = &self.secret else {
            return self.url.clone();
        };
        let timestamp = now.0.div_euclid(1000);
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, format!("{timestamp}\n{secret}").as_bytes());
        let sign = STANDARD.encode(tag);
        let sign = utf8_percent_encode(&sign, FORM);
        format!("{}&timestamp={timestamp}&sign={sign}", self.url)
    }
}
