//! `tencent_sms`: sends a text message through Tencent Cloud.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#tencent-sms>. The message is a template of the account's.

use super::http::{Answer, Request, Route};
use super::options::{info, text_or};
use super::reason::one_line;
use super::signature::{self, Unsigned};
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::Alert;
use crate::config::{Kind, Problem, Properties, opt};
use crate::event::{Document, Timestamp, WallTime};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "tencent_sms",
    aliases: &[],
    doc: "Sends a text message through Tencent Cloud.",
    options: &[
        opt("tencent_sms_secret_id").required().doc("The key's id."),
        opt("tencent_sms_secret_key")
            .required()
            .secret()
            .doc("The key."),
        opt("tencent_sms_sdk_appid")
            .required()
            .doc("The application."),
        opt("tencent_sms_to_number")
            .kind(Kind::List(&Kind::Str))
            .required()
            .doc("Who gets the message: `+8613711112222`."),
        opt("tencent_sms_template_id")
            .required()
            .doc("The template of the message."),
        opt("tencent_sms_template_parm")
            .kind(Kind::List(&Kind::Str))
            .doc("What fills the template: JSON pointers into the match (`/user/name`)."),
        opt("tencent_sms_sign_name").doc("The signature; needed in mainland China."),
        opt("tencent_sms_region")
            .default("ap-guangzhou")
            .doc("The region."),
    ],
    build,
};

const HOST: &str = "sms.tencentcloudapi.com";

struct TencentSms {
    id: String,
    key: String,
    region: String,
    numbers: Vec<String>,
    application: String,
    template: String,
    pointers: Vec<String>,
    sign_name: Option<String>,
    transport: Arc<dyn Transport>,
}

impl fmt::Debug for TencentSms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TencentSms")
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "what every alerter's `build` returns"
)]
fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let text = |name| text_or(properties, name, "");
    Ok(TencentSms {
        id: text("tencent_sms_secret_id"),
        key: text("tencent_sms_secret_key"),
        region: text_or(properties, "tencent_sms_region", "ap-guangzhou"),
        numbers: properties.texts("tencent_sms_to_number"),
        application: text("tencent_sms_sdk_appid"),
        template: text("tencent_sms_template_id"),
        pointers: properties.texts("tencent_sms_template_parm"),
        sign_name: properties.text("tencent_sms_sign_name"),
        transport: Arc::clone(&build.transport),
    }
    .into())
}

impl TencentSms {
    fn body(&self, alert: &Alert<'_>) -> Result<Value, SendError> {
        let first = Value::Object(alert.matches.first().cloned().unwrap_or_default());
        let parameters = self.pointers.iter().map(|pointer| {
            let missing = || SendError::Content(format!("the match has nothing at {pointer:?}"));
            first.pointer(pointer).cloned().ok_or_else(missing)
        });
        let mut body = json!({
            "PhoneNumberSet": self.numbers,
            "SmsSdkAppId": self.application,
            "TemplateId": self.template,
            "TemplateParamSet": parameters.collect::<Result<Vec<_>, _>>()?,
            "ExtendCode": "",
        });
        if let (Value::Object(body), Some(name)) = (&mut body, &self.sign_name) {
            body.insert("SignName".to_owned(), json!(name));
        }
        Ok(body)
    }

    fn request(&self, body: Value, now: WallTime) -> Request {
        let route = Route {
            timeout: Duration::from_secs(30),
            ..Route::default()
        };
        let request = Request::post(&format!("https://{HOST}/"), body, &route);
        let seconds = now.0.div_euclid(1_000_000).to_string();
        let now = Timestamp {
            micros: now.0,
            offset_seconds: 0,
        };
        let signed = [("content-type", "application/json"), ("host", HOST)];
        let authorization = signature::TENCENT.authorization(
            &self.id,
            &self.key,
            &Unsigned {
                time: &seconds,
                scope: &[&now.civil().strftime("%Y-%m-%d").to_string(), "sms"],
                headers: &signed.map(|(name, value)| (name.to_owned(), value.to_owned())),
                body: request.body.to_text().as_bytes(),
            },
        );
        request
            .header("Authorization", authorization)
            .header("X-TC-Action", "SendSms")
            .header("X-TC-Version", "2021-01-11")
            .header("X-TC-Region", &self.region)
            .header("X-TC-Timestamp", seconds)
    }
}

/// An answer says for each number whether the message was taken.
fn check(answer: &Answer) -> Result<(), SendError> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let refused = |refusal: &Value| {
        let part = |name| refusal.get(name).and_then(Value::as_str).unwrap_or("?");
        let text = one_line(&format!("{}: {}", part("Code"), part("Message")));
        Err(SendError::Content(format!("{HOST}: {text}")))
    };
    if let Some(error) = body.pointer("/Response/Error") {
        return refused(error);
    }
    let Some(states) = body
        .pointer("/Response/SendStatusSet")
        .and_then(Value::as_array)
    else {
        let message = format!("{HOST}: the answer does not say whether the message was sent");
        return Err(SendError::Content(message));
    };
    match states
        .iter()
        .find(|state| state.get("Code") != Some(&json!("Ok")))
    {
        Some(state) => refused(state),
        None => Ok(()),
    }
}

impl Alerter for TencentSms {
    fn info(&self) -> Document {
        info("tencent sms", [("to_number", json!(self.numbers))])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let request = self.request(self.body(alert)?, alert.now);
            check(&self.transport.deliver(request).await?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_answer(body: &str, expected: &str) {
        let answer = Answer {
            status: 200,
            body: body.as_bytes().to_vec(),
        };
        let error = check(&answer).err().map(|error| error.to_string());
        assert_eq!(error.unwrap_or_default(), expected);
    }

    #[test]
    fn every_number_must_be_ok() {
        check_answer(r#"{"Response": {"SendStatusSet": [{"Code": "Ok"}]}}"#, "");
        check_answer(
            r#"{"Response": {"SendStatusSet": [{"Code": "Ok"}, {"Code": "LimitExceeded", "Message": "too\nmany"}]}}"#,
            "sms.tencentcloudapi.com: LimitExceeded: too many",
        );
        check_answer(
            r#"{"Response": {"Error": {"Code": "AuthFailure", "Message": "no"}, "RequestId": "r"}}"#,
            "sms.tencentcloudapi.com: AuthFailure: no",
        );
        check_answer(
            "<html>",
            "sms.tencentcloudapi.com: the answer does not say whether the message was sent",
        );
    }
}
