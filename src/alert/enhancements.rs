//! `match_enhancements`: changes to a match before it is sent. In ElastAlert these are Python classes; here they are built in, a function
//! and a line in [`ENHANCEMENTS`] each.

use super::Times;
use crate::config::{OptionSpec, Problem, Properties, opt};
use crate::event::Document;

pub(super) const OPTIONS: &[OptionSpec] = &[
    opt("match_enhancements")
        .texts()
        .doc("Changes to make to each match before it is sent, by name."),
    opt("run_enhancements_first")
        .may_be_empty()
        .bool()
        .default("false")
        .doc("Make these changes when the rule matches instead of when the alert is sent."),
];

/// An enhancement's line in [`ENHANCEMENTS`].
#[derive(Debug)]
pub struct EnhancementEntry {
    /// The names it may be called by.
    pub names: &'static [&'static str],
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// Does it.
    pub run: fn(&mut Document, &Times) -> Result<Enhanced, String>,
}

/// What becomes of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enhanced {
    /// It goes on, changed perhaps.
    Kept,
    /// It is dropped (ElastAlert's `DropMatchException`).
    Dropped,
}

/// Every enhancement there is.
pub static ENHANCEMENTS: &[&EnhancementEntry] = &[&TIME];

/// ElastAlert's own.
static TIME: EnhancementEntry = EnhancementEntry {
    names: &["elastalert.enhancements.TimeEnhancement", "TimeEnhancement"],
    doc: "Writes @timestamp as local time, such as `2026-03-02 09:01 JST`.",
    run: |matched, times| {
        let time = matched
            .get_mut("@timestamp")
            .ok_or("the match has no @timestamp")?;
        *time = times
            .local(time)
            .ok_or_else(|| format!("@timestamp is no time: {time}"))?
            .into();
        Ok(Enhanced::Kept)
    },
};

/// The rule's enhancements, in order.
pub(super) fn load(
    properties: &Properties,
    registry: &[&'static EnhancementEntry],
) -> Result<Vec<&'static EnhancementEntry>, Vec<Problem>> {
    let span = super::text::span(properties, "match_enhancements");
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for name in properties.texts("match_enhancements") {
        let entry = registry
            .iter()
            .find(|entry| entry.names.contains(&name.as_str()));
        match entry {
            Some(entry) => found.push(*entry),
            None => problems.push(unknown(&name, &span)),
        }
    }
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(problems)
    }
}

fn unknown(name: &str, span: &crate::config::Span) -> Problem {
    Problem::error(
        "E0904",
        span,
        format!("the enhancement \"{name}\" is a Python class, and Python does not run here"),
    )
    .help(
        "remove it; to drop events use `filter`, to add fields do so in Logstash, to change the text use `alert_text_type: alert_text_jinja`",
    )
}
