//! The mail about an error (`notify_email`), in elastalert2's words.
//!
//! elastalert2 says nothing in it but that a rule has failed; here the error itself is in it, which is what elastalert2 prints a traceback for.

use super::email;
use super::mime;
use super::options::text_or;
use super::smtp::{Mail, Server};
use super::{Alerter, Build, SendError, Transport};
use crate::alert::Alert;
use crate::config::{Problem, Properties};
use crate::engine::is_exception;
use crate::event::Document;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// Sends mails about errors.
#[derive(Debug)]
pub struct NoticeMail {
    server: Arc<Server>,
    from: String,
    reply_to: Option<String>,
    /// Who is told of everything.
    everyone: Vec<String>,
    /// Who is told when a rule fails, by the rule's name.
    of_rule: HashMap<String, Vec<String>>,
    transport: Arc<dyn Transport>,
}

impl NoticeMail {
    /// From the configuration's options, and who is told beside `notify_email` when a rule fails.
    ///
    /// # Errors
    /// The mail server's options cannot be used.
    pub fn new(
        properties: &Properties,
        of_rule: HashMap<String, Vec<String>>,
        build: &Build,
    ) -> Result<Self, Vec<Problem>> {
        Ok(Self {
            server: Arc::new(email::server(properties, build)?),
            from: text_or(properties, "from_addr", "ElastAlert"),
            reply_to: properties.text("email_reply_to"),
            everyone: properties.texts("notify_email"),
            of_rule,
            transport: Arc::clone(&build.transport),
        })
    }

    fn mail(&self, alert: &Alert<'_>) -> Option<Mail> {
        let text = |name: &str| {
            let found = alert.matches.first()?.get(name)?.as_str()?;
            Some(found.to_owned())
        };
        let (message, rule) = (text("message")?, text("rule").unwrap_or_default());
        let mut to = self.everyone.clone();
        let (subject, body) = if is_exception(&message) {
            for address in self.of_rule.get(&rule).into_iter().flatten() {
                if !to.contains(address) {
                    to.push(address.clone());
                }
            }
            (
                format!("Uncaught exception in ElastAlert - {rule}"),
                format!("\n\nThe rule {rule} has raised an uncaught exception.\n\n{message}\n"),
            )
        } else {
            ("ElastAlert notification".to_owned(), message)
        };
        if to.is_empty() {
            return None;
        }
        let reply_to = match &self.reply_to {
            Some(address) => std::slice::from_ref(address),
            None => to.as_slice(),
        };
        let from = std::slice::from_ref(&self.from);
        let message = mime::Message {
            headers: vec![
                ("Subject", mime::text("Subject", &subject)),
                ("To", mime::addresses("To", &to, ", ")),
                ("From", mime::addresses("From", from, ", ")),
                ("Reply-To", mime::addresses("Reply-To", reply_to, ", ")),
                ("Date", mime::date(alert.now)),
            ],
            body,
            format: mime::Format::Plain,
        };
        Some(Mail {
            server: Arc::clone(&self.server),
            from: mime::address(&self.from),
            recipients: to.iter().map(|address| mime::address(address)).collect(),
            message: message.to_bytes(),
        })
    }
}

impl Alerter for NoticeMail {
    fn info(&self) -> Document {
        Document::from_iter([("type".to_owned(), Value::from("email"))])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            match self.mail(alert) {
                Some(mail) => Ok(self.transport.mail(mail).await?),
                None => Ok(()),
            }
        })
    }
}
