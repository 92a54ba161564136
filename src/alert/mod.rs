//! From matches to words: subject, body, tables, links, enhancements.
//!
//! An alert becomes text in two steps. A rule's [`Preparation`] changes the matches (top counts, links, rule parameters, enhancements); it
//! is done once per alert. [`Alert::subject`] and [`Alert::body`] then make words of them, for each alerter with its own [`Template`].

mod body;
mod discover;
pub mod enhancements;
mod jinja;
mod lookup;
mod preparation;
mod resolve;
mod shared;
mod summary;
mod template;
mod text;
mod times;
mod top_counts;
mod trial;
mod wrap;

pub use discover::ShortLink;
pub(crate) use jinja::Jinja;
pub(crate) use lookup::ArgumentPath;
pub use preparation::{Preparation, Prepared};
pub use resolve::resolve;
pub use shared::SharedTexts;
pub use template::Template;
pub(crate) use text::property;
pub use times::Times;
pub use top_counts::TopCounts;

use crate::config::OptionSpec;
use crate::event::format::FormatError;
use crate::event::{Document, WallTime};
use crate::rule::Rule;
use enhancements::EnhancementEntry;
use jiff::tz::TimeZone;
use std::path::PathBuf;

/// Every option that shapes texts: any rule may have them, and an alerter's own options may override them.
pub static OPTIONS: &[&[OptionSpec]] = &[
    text::OPTIONS,
    summary::OPTIONS,
    times::OPTIONS,
    top_counts::OPTIONS,
    discover::OPTIONS,
    preparation::OPTIONS,
    enhancements::OPTIONS,
];

/// What texts depend on beside rule and matches.
#[derive(Debug, Clone)]
pub struct Process {
    /// The zone local times are printed in.
    pub zone: TimeZone,
    /// The directory `jinja_template_path` is relative to.
    pub working_directory: PathBuf,
    /// The enhancements there are: [`enhancements::ENHANCEMENTS`].
    pub enhancements: &'static [&'static EnhancementEntry],
}

/// Something in a text that cannot be rendered: a missing argument, a bad format.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TextError(pub String);

impl From<FormatError> for TextError {
    fn from(error: FormatError) -> Self {
        Self(error.to_string())
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
    /// The address of the ticket that another alerter made for the alert.
    pub ticket: Option<&'a str>,
}

/// How the body is laid out for an alerter (summary table width and fences).
#[derive(Debug, Clone, Copy)]
pub struct BodyStyle {
    /// Width of the summary table, in columns.
    pub table_width: usize,
    /// What stands around the summary table.
    pub fence: Option<(&'static str, &'static str)>,
    /// Whether the summary table is part of the body. Without it every match is printed, also with
    /// `alert_text_type: aggregation_summary_only`.
    pub summary: bool,
    /// What stands around the fields of a match, written as one JSON object; `None`: a line for each field.
    pub json: Option<(&'static str, &'static str)>,
}

impl Default for BodyStyle {
    fn default() -> Self {
        Self {
            table_width: 80,
            fence: None,
            summary: true,
            json: None,
        }
    }
}

#[cfg(test)]
mod tests;
