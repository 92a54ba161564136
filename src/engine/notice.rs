//! What people are told of errors (`notify_email`, `notify_alert`): alerts of the program itself, which leave through the same outbox.

use super::program::ProgramRule;
use super::{Engine, Note, Outcome, PendingAlert};
use crate::event::{Document, Timestamp, WallTime};
use serde_json::Value;
use std::sync::Arc;

/// The name of the rule that the program's own alerts are of, as elastalert2 has it.
pub const NOTICES: &str = "ElastAlert 2 System Error Notification";

/// How the message begins of a rule that failed by an exception, or could not be loaded.
const EXCEPTIONS: [&str; 2] = ["Uncaught exception running rule ", "Could not load rule "];

/// So many of the program's own alerts wait to be sent at most: who cannot be reached is not to be told everything later.
const MOST_WAITING: usize = 100;

/// How people are told of errors.
#[derive(Clone)]
pub struct Notices {
    /// What stands for the program among the rules: its alerters tell.
    pub entry: Arc<ProgramRule>,
    /// `notify_all_errors`: every error is told, not only that a rule failed.
    pub all_errors: bool,
}

/// Whether a message is about a rule that failed by an exception: the mail has other words then.
pub fn is_exception(message: &str) -> bool {
    EXCEPTIONS.iter().any(|begin| message.starts_with(begin))
}

impl Engine {
    /// Writes down that a rule failed by an exception, and tells people.
    pub(super) fn write_exception(
        &mut self,
        rule: &str,
        error: &str,
        now: WallTime,
        out: &mut Outcome,
    ) {
        let message = format!("Uncaught exception running rule {rule}: {error}");
        self.write_error_document(rule, &message, now, out);
        self.tell(rule, &message, now, out);
    }

    /// Writes an error down; people are told if they want to hear of every one.
    pub(super) fn write_error(
        &mut self,
        rule: &str,
        message: &str,
        now: WallTime,
        out: &mut Outcome,
    ) {
        self.write_error_document(rule, message, now, out);
        let all = self.program.notices.as_ref();
        if all.is_some_and(|notices| notices.all_errors) || is_exception(message) {
            self.tell(rule, message, now, out);
        }
    }

    fn tell(&mut self, rule: &str, message: &str, now: WallTime, out: &mut Outcome) {
        let Some(notices) = self.program.notices.clone() else {
            return;
        };
        if self.outbox.notices() >= MOST_WAITING {
            return out.notes.push(Note::NotTold);
        }
        let id = self.new_alert_id();
        let matched = Document::from_iter([
            ("timestamp".to_owned(), Value::from(python_time(now))),
            ("message".to_owned(), message.into()),
            ("rule".to_owned(), rule.into()),
        ]);
        let alert = PendingAlert {
            id,
            rule: NOTICES.into(),
            matches: vec![matched],
            time: now,
        };
        self.open(&notices.entry, alert, now, out);
    }
}

/// A time as Python prints one with its zone.
fn python_time(at: WallTime) -> String {
    let civil = Timestamp {
        micros: at.0,
        offset_seconds: 0,
    }
    .civil();
    let fraction = match at.0.rem_euclid(1_000_000) {
        0 => String::new(),
        micros => format!(".{micros:06}"),
    };
    format!("{}{fraction}+00:00", civil.strftime("%Y-%m-%d %H:%M:%S"))
}
