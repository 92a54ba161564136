//! From matches to words.

use crate::config::{Problem, Properties};
use crate::event::{Document, WallTime};
use crate::rule::Rule;

/// How a rule's alerts read: its text options, checked.
#[derive(Debug)]
pub struct Template {}

/// Something in a text that cannot be rendered: a missing argument, a bad format.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TextError(pub String);

impl Template {
    /// Reads a rule's (or an alerter's overriding) text options.
    ///
    /// # Errors
    /// What in them cannot be used.
    pub fn new(_properties: &Properties) -> Result<Self, Vec<Problem>> {
        Ok(Self {})
    }
}

/// One alert as an alerter gets it.
#[derive(Debug)]
pub struct Alert<'a> {
    /// Names the alert, the same at every attempt: services use it to tell repeats.
    pub id: &'a str,
    /// The rule.
    pub rule: &'a Rule,
    /// How its alerts read.
    pub template: &'a Template,
    /// The matches; never empty.
    pub matches: &'a [Document],
    /// ElastAlert's `alert_time`.
    pub time: WallTime,
    /// The time of the attempt.
    pub now: WallTime,
}

/// How the body is laid out for an alerter (summary table width and fences).
#[derive(Debug, Clone, Copy)]
pub struct BodyStyle {
    /// Width of the summary table, in columns.
    pub table_width: usize,
    /// What stands around the summary table.
    pub fence: Option<(&'static str, &'static str)>,
    /// Whether the summary table is part of the body.
    pub summary: bool,
}

impl Default for BodyStyle {
    fn default() -> Self {
        Self {
            table_width: 80,
            fence: None,
            summary: true,
        }
    }
}

impl Alert<'_> {
    /// The subject; `default` when the rule has no `alert_subject`.
    ///
    /// # Errors
    /// The subject cannot be rendered.
    pub fn subject(&self, default: &str) -> Result<String, TextError> {
        Ok(default.to_owned())
    }

    /// The body.
    ///
    /// # Errors
    /// The text cannot be rendered.
    pub fn body(&self, _style: BodyStyle) -> Result<String, TextError> {
        Ok(String::new())
    }
}
