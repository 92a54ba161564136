//! A rule's text options, checked.

use super::Process;
use super::summary::Summary;
use super::text::{Layout, Text, span};
use super::times::Times;
use super::trial::Places;
use crate::config::{Problem, Properties};
use std::borrow::Cow;

/// How a rule's alerts read: its text options, checked.
#[derive(Debug)]
pub struct Template {
    pub(super) subject: Option<Text>,
    pub(super) subject_max_len: i64,
    pub(super) text: Text,
    /// Whether the rule's name stands before the text: when the rule has no `alert_text`.
    pub(super) named: bool,
    pub(super) layout: Layout,
    pub(super) missing_value: Cow<'static, str>,
    pub(super) summary: Option<Box<Summary>>,
    pub(super) top_counts: bool,
    pub(super) times: Times,
    pub(super) places: Places,
    /// What will fail when an alert is sent, though the rule loads.
    pub warnings: Vec<Problem>,
}

impl Template {
    /// Reads a rule's (or an alerter's overriding) text options.
    ///
    /// # Errors
    /// What in them cannot be used.
    pub fn new(properties: &Properties, process: &Process) -> Result<Self, Vec<Problem>> {
        let layout = Layout::of(properties);
        let mut template = Self {
            subject: Text::subject(properties, layout),
            subject_max_len: properties.int("alert_subject_max_len").unwrap_or(2048),
            text: Text::body(properties, layout, process)?,
            named: !properties.contains("alert_text"),
            layout,
            missing_value: properties
                .text("alert_missing_value")
                .map_or(Cow::Borrowed("<MISSING VALUE>"), Cow::Owned),
            summary: Summary::new(properties).map(Box::new),
            top_counts: !properties.texts("top_count_keys").is_empty(),
            times: Times::new(properties, &process.zone),
            places: Places::of(properties),
            warnings: Vec::new(),
        };
        template.warnings = template.look_ahead(properties);
        Ok(template)
    }

    /// What fails whatever the match is. ElastAlert finds out only when it sends.
    fn look_ahead(&self, properties: &Properties) -> Vec<Problem> {
        let summary = self.summary.as_deref();
        let found = [
            (
                "alert_subject",
                self.subject.as_ref().and_then(Text::broken),
            ),
            ("alert_text", self.text.broken()),
            (
                "summary_table_fields",
                summary.and_then(Summary::repeated_header).map(|header| {
                    format!("two columns of an html table have the same header \"{header}\"")
                }),
            ),
        ];
        let warning = |(option, message): (&str, Option<String>)| {
            let problem = Problem::warning("W0902", &span(properties, option), message?);
            Some(problem.help("until it is mended, alerts carry a default text with the reason"))
        };
        found.into_iter().filter_map(warning).collect()
    }

    /// Whether it depends on nothing but text options.
    pub(super) fn is_any_rules(&self) -> bool {
        let reads_others = |text: &Text| matches!(text, Text::Jinja(_));
        !(reads_others(&self.text) || self.subject.as_ref().is_some_and(reads_others))
    }

    /// How the rule prints times.
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// `alert_missing_value`: what is printed for a field that is absent or null.
    pub fn missing_value(&self) -> &str {
        &self.missing_value
    }
}
