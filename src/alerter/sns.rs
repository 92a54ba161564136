//! `sns`: publishes to a topic of Amazon's notification service.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#amazon-sns-simple-notification-service>.

use super::AlerterEntry;
use super::aws::{self, Aws, Service};
use super::options::text_or;
use crate::alert::{Alert, BodyStyle};
use crate::config::opt;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "sns",
    aliases: &[],
    doc: "Publishes to a topic of Amazon SNS.",
    options: &[
        opt("sns_topic_arn")
            .required()
            .doc("The topic; not a FIFO topic."),
        opt("sns_aws_region")
            .default("us-east-1")
            .doc("The region; the topic's is not looked at."),
        opt("sns_aws_access_key_id")
            .doc("The access key; without it, the environment's, the profile's or the role's."),
        opt("sns_aws_secret_access_key").secret().doc("Its secret."),
        opt("sns_aws_profile")
            .doc("A profile in `~/.aws/credentials` or `~/.aws/config`, used instead."),
    ],
    build: |properties, build| {
        let topic = text_or(properties, "sns_topic_arn", "");
        let service = Service::read(properties, "sns", "sns", "sns");
        let make = move |alert: &Alert<'_>, service: &Service| {
            let pairs = [
                ("TopicArn".to_owned(), topic.clone()),
                ("Message".to_owned(), alert.body(BodyStyle::default())?),
                (
                    "Subject".to_owned(),
                    alert.subject(&format!("ElastAlert: {}", alert.rule.name))?,
                ),
            ];
            Ok(aws::query(&service.url(), "Publish", "2010-03-31", pairs))
        };
        Ok(Aws::built((properties, "sns", build), [], service, make))
    },
};
