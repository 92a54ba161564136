//! A rule's text options, checked.

use super::Process;
use super::summary::Summary;
use super::text::{Layout, Text};
use super::times::Times;
use crate::config::{Problem, Properties};

/// How a rule's alerts read: its text options, checked.
#[derive(Debug)]
pub struct Template {
    pub(super) subject: Option<Text>,
    pub(super) subject_max_len: usize,
    pub(super) text: Text,
    /// Whether the rule's name stands before the text: when the rule has no `alert_text`.
    pub(super) named: bool,
    pub(super) layout: Layout,
    pub(super) missing_value: String,
    pub(super) summary: Option<Summary>,
    pub(super) top_counts: bool,
    pub(super) times: Times,
    /// `include_match_in_root`: the written document has the match's members beside its own.
    pub include_match_in_root: bool,
}

impl Template {
    /// Reads a rule's (or an alerter's overriding) text options.
    ///
    /// # Errors
    /// What in them cannot be used.
    pub fn new(properties: &Properties, process: &Process) -> Result<Self, Vec<Problem>> {
        Ok(Self {
            subject: Text::subject(properties),
            subject_max_len: properties
                .int("alert_subject_max_len")
                .and_then(|len| usize::try_from(len).ok())
                .unwrap_or(2048),
            text: Text::body(properties),
            named: !properties.contains("alert_text"),
            layout: Layout::of(properties),
            missing_value: properties
                .text("alert_missing_value")
                .unwrap_or_else(|| "<MISSING VALUE>".to_owned()),
            summary: Summary::new(properties),
            top_counts: !properties.texts("top_count_keys").is_empty(),
            times: Times::new(properties, &process.zone),
            include_match_in_root: properties.bool("include_match_in_root").unwrap_or(false),
        })
    }

    /// How the rule prints times.
    pub fn times(&self) -> &Times {
        &self.times
    }
}
