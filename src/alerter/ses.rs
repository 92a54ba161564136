//! `ses`: sends a mail with Amazon's mail service.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#amazon-ses-amazon-simple-email-service>.

use super::aws::{self, Aws, Service};
use super::options::text_or;
use super::recipients::Recipients;
use super::{AlerterEntry, title};
use crate::alert::{Alert, BodyStyle};
use crate::config::opt;
use serde_json::json;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "ses",
    aliases: &[],
    doc: "Sends a mail with Amazon SES.",
    options: &[
        opt("ses_email")
            .texts()
            .required()
            .doc("Who gets the mail."),
        opt("ses_email_from_field").doc(
            "A field of the match with the address, or addresses, used instead of `ses_email`.",
        ),
        opt("ses_email_add_domain")
            .doc("What is added to names found in `ses_email_from_field`: `@example.com`."),
        opt("ses_cc").texts().doc("Who gets a copy."),
        opt("ses_bcc")
            .texts()
            .doc("Who gets a copy without being named."),
        opt("ses_from_addr").required().doc("The sender."),
        opt("ses_email_reply_to").doc("Who gets the answers."),
        opt("ses_aws_region")
            .default("us-east-1")
            .doc("The region."),
        opt("ses_aws_access_key_id")
            .doc("The access key; without it, the environment's, the profile's or the role's."),
        opt("ses_aws_secret_access_key").secret().doc("Its secret."),
        opt("ses_aws_profile")
            .doc("A profile in `~/.aws/credentials` or `~/.aws/config`, used instead."),
    ],
    build: |properties, build| {
        let recipients = Recipients::read(properties, "ses_email");
        let about = [("recipients", json!(recipients.fixed))];
        let from = text_or(properties, "ses_from_addr", "");
        let cc = properties.texts("ses_cc");
        let bcc = properties.texts("ses_bcc");
        let reply_to = properties.texts("ses_email_reply_to");
        let service = Service::read(properties, "ses", "ses", "email");
        let make = move |alert: &Alert<'_>, service: &Service| {
            let one = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let mut pairs = vec![one("Source", &from)];
            for (name, addresses) in [
                ("Destination.ToAddresses", &recipients.of(alert)),
                ("Destination.CcAddresses", &cc),
                ("Destination.BccAddresses", &bcc),
                ("ReplyToAddresses", &reply_to),
            ] {
                let members = addresses.iter().zip(1..);
                pairs.extend(
                    members.map(|(address, n)| one(&format!("{name}.member.{n}"), address)),
                );
            }
            let subject = alert.subject(&title::with_query_key("ElastAlert 2", alert))?;
            let body = alert.body(BodyStyle::default())?;
            for (part, text) in [("Message.Subject", subject), ("Message.Body.Text", body)] {
                pairs.push(one(&format!("{part}.Charset"), "UTF-8"));
                pairs.push((format!("{part}.Data"), text));
            }
            Ok(aws::query(&service.url(), "SendEmail", "2010-12-01", pairs))
        };
        Ok(Aws::built((properties, "ses", build), about, service, make))
    },
};
