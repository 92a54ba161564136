//! `sqs`: puts the alert into a queue of Amazon's queue service.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#amazon-sqs-simple-queue-service>.

use super::AlerterEntry;
use super::aws::{Aws, DEFAULT_REGION, Service};
use super::crop::crop;
use super::http::{Request, Route};
use super::options::{filled, text_or};
use crate::alert::{Alert, BodyStyle};
use crate::config::opt;
use crate::event::dumps::Dumps;
use serde_json::{Value, json};

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "sqs",
    aliases: &[],
    doc: "Puts the alert, JSON, into a queue of Amazon SQS.",
    options: &[
        opt("sqs_queue_url").required().doc("The queue."),
        opt("sqs_aws_region")
            .default("the queue's, else us-east-1")
            .doc("The region."),
        opt("sqs_aws_access_key_id")
            .doc("The access key; without it, the environment's, the profile's or the role's."),
        opt("sqs_aws_secret_access_key").secret().doc("Its secret."),
        opt("sqs_aws_profile")
            .doc("A profile in `~/.aws/credentials` or `~/.aws/config`, used instead."),
    ],
    build: |properties, build| {
        let queue = text_or(properties, "sqs_queue_url", "");
        let region = filled(properties, "sqs_aws_region")
            .or_else(|| region_of(&queue))
            .unwrap_or_else(|| DEFAULT_REGION.to_owned());
        let service = Service {
            name: "sqs",
            host: "sqs",
            region,
        };
        let make = move |alert: &Alert<'_>, service: &Service| {
            let matches: Vec<Value> = alert.matches.iter().cloned().map(Value::Object).collect();
            let text = alert.body(BodyStyle::default())?;
            let message = message(&alert.rule.name, &matches, text);
            let body = json!({"QueueUrl": queue, "MessageBody": message});
            let request = Request::post(&service.url(), body, &Route::default());
            Ok(request
                .header("Content-Type", "application/x-amz-json-1.0")
                .header("X-Amz-Target", "AmazonSQS.SendMessage"))
        };
        Ok(Aws::built((properties, "sqs", build), [], service, make))
    },
};

/// The region in the host of a queue's URL: `sqs.REGION.…`.
fn region_of(queue: &str) -> Option<String> {
    let url = reqwest::Url::parse(queue).ok()?;
    let region = url.host_str()?.strip_prefix("sqs.")?.split('.').next()?;
    Some(region.to_owned())
}

/// How many characters a message may have.
const MAX_MESSAGE: usize = 1_048_576;

/// The message: the text is cropped, and left out if the matches alone fill the message.
fn message(rule: &str, matches: &[Value], text: String) -> String {
    let note = "\n*message was cropped according to SQS limits!*";
    let text = crop(text, 800_000, 800_000, note);
    let ascii = Dumps {
        ascii: true,
        ..Dumps::default()
    };
    let mut message = json!({"rule_name": rule, "matches": matches, "text": text});
    let whole = ascii.to_text(&message);
    if whole.len() <= MAX_MESSAGE {
        return whole;
    }
    if let Some(text) = message.get_mut("text") {
        *text = json!("Text message omitted due to SQS size limit.");
    }
    ascii.to_text(&message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_knows_its_region() {
        let of_amazon = "https://sqs.eu-west-1.amazonaws.com/1/q";
        assert_eq!(region_of(of_amazon).as_deref(), Some("eu-west-1"));
        assert_eq!(region_of("http://127.0.0.1:9324/q"), None);
        assert_eq!(region_of("sqs.eu-west-1"), None);
    }

    #[test]
    fn long_texts_are_cropped_and_too_long_ones_left_out() {
        let ends = |text: String, end: &str| {
            let message = message("r", &[json!({})], text);
            assert!(
                message.len() <= MAX_MESSAGE && message.ends_with(end),
                "{end}"
            );
        };
        ends("x".repeat(800_000), "xxx\"}");
        ends("x".repeat(800_001), "cropped according to SQS limits!*\"}");
        let omitted = r#"{"rule_name": "r", "matches": [{}], "text": "Text message omitted due to SQS size limit."}"#;
        ends("é".repeat(800_000), omitted);
    }
}
