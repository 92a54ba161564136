//! Syntax errors in words that help: most of them are a text that should have been quoted.

use super::Source;
use crate::config::Problem;
use granit_parser::{ErrorKind, ScanError};
use std::ops::Range;

/// The problem for an error of the parser.
pub(super) fn syntax(source: &Source<'_>, error: &ScanError) -> Problem {
    let text = source.text();
    let at = error
        .marker()
        .byte_offset()
        .unwrap_or(text.len())
        .min(text.len());
    let end = text
        .get(at..)
        .and_then(|rest| rest.chars().next())
        .map_or(at, |c| at + c.len_utf8());
    let problem = Problem::error(
        "E0103",
        &source.span(at..end),
        format!("not valid YAML: {}", error.kind()),
    );
    match advice(line_at(text, at), error) {
        Some(advice) => problem.help(advice),
        None => problem,
    }
}

/// The problem for a key that is a list or an object.
pub(super) fn unhashable(source: &Source<'_>, place: Range<usize>, what: &str) -> Problem {
    let problem = Problem::error(
        "E0105",
        &source.span(place.clone()),
        format!("{what} cannot be a key"),
    );
    let line = line_at(source.text(), place.start);
    if line.contains("{{") {
        problem.help(format!(
            "put the whole value in quotes: `{{{{` begins an object{}",
            example(line)
        ))
    } else {
        problem
    }
}

/// The line a byte stands on.
fn line_at(text: &str, at: usize) -> &str {
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    let end = after.find(['\n', '\r']).map_or(text.len(), |i| at + i);
    text.get(start..end).unwrap_or_default()
}

/// The value on a line: what follows `key: ` or `- `.
fn value_of(line: &str) -> Option<(&str, &str)> {
    let at = line
        .find(": ")
        .map(|i| i + 2)
        .or_else(|| line.find("- ").map(|i| i + 2))?;
    let (before, value) = line.split_at_checked(at)?;
    let value = value.trim();
    (!value.is_empty()).then_some((before, value))
}

/// ` : KEY: 'VALUE'`, the line with its value in quotes.
fn example(line: &str) -> String {
    value_of(line).map_or_else(String::new, |(before, value)| {
        let before = before.trim_start();
        format!(": {before}'{}'", value.replace('\'', "''"))
    })
}

fn advice(line: &str, error: &ScanError) -> Option<String> {
    let quote = |why: &str| Some(format!("{why}, so quote it{}", example(line)));
    if line.trim_start_matches(' ').starts_with('\t') {
        return Some("indent with blanks, a tab is not allowed there".to_owned());
    }
    if let Some((_, value)) = value_of(line) {
        let mut characters = value.chars();
        match characters.next() {
            Some('*') => return quote("`*` begins an alias"),
            Some('&') => return quote("`&` begins an anchor"),
            Some('!') => return quote("`!` begins a tag"),
            Some('%') => return quote("a text cannot begin with `%`"),
            Some('@') => return quote("a text cannot begin with `@`"),
            Some('`') => return quote("a text cannot begin with a backtick"),
            Some('"') if value.contains('\\') => {
                return Some(
                    "in double quotes a backslash begins an escape: double it, or use single quotes".to_owned(),
                );
            }
            Some('"' | '\'') => {
                return Some(
                    "the text ends at the closing quote: is one missing, or one too many?"
                        .to_owned(),
                );
            }
            Some('{' | '[') => {
                return quote("`{` and `[` begin objects and lists, if that is not meant");
            }
            _ if value.contains(": ") => return quote("`: ` inside a text looks like a key"),
            _ => {}
        }
    }
    let about_keys = matches!(
        error.kind(),
        ErrorKind::SimpleKeyExpected
            | ErrorKind::InvalidSimpleKey
            | ErrorKind::MappingValueNotAllowed
            | ErrorKind::MappingKeyNotAllowed
            | ErrorKind::ExpectedBlockMappingKey
    );
    about_keys.then(|| {
        "is a `:` missing after a key here or on the line before, or is this line indented differently from its neighbours?"
            .to_owned()
    })
}
