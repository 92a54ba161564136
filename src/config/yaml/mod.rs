//! YAML as ElastAlert reads it: PyYAML's `FullLoader`, which is YAML 1.1 with Python's idea of equality.
//!
//! Only the grammar comes from a parser (granit-parser's events); what a scalar means, merge keys, duplicates and tags are decided
//! here, because plain `yes` and quoted `"yes"` must not look alike. Differences from PyYAML, all to the kinder side: a tab where it
//! refuses one is a warning, an empty key is null, U+0085 and U+2028 are no line breaks; sets are objects with empty values, tuples are
//! lists. To the stricter side: Python names (`!!python/name:`), complex numbers and a value that contains itself are refused.

mod compose;
mod hint;
mod mapping;
mod resolve;
#[cfg(test)]
mod tests;
mod timestamp;

use super::env::{self, Environment, Expanded};
use super::{Node, Problem, SourceFile, Span};
use std::ops::Range;
use std::sync::Arc;

/// Reads a document. `environment`: what variables are put in from; `None` leaves the text as it is.
///
/// `None` comes with an error. An empty file is null.
pub fn parse(
    file: &Arc<SourceFile>,
    environment: Option<Environment<'_>>,
) -> (Option<Node>, Vec<Problem>) {
    let expanded = match environment {
        Some(environment) => env::expand(file.text(), environment),
        None => Expanded::verbatim(file.text()),
    };
    let source = Source {
        file,
        expanded: &expanded,
    };
    if let Some(problem) = source.unprintable() {
        return (None, vec![problem]);
    }
    compose::compose(&source)
}

/// The text that is read, and the way back to the file.
struct Source<'a> {
    file: &'a Arc<SourceFile>,
    expanded: &'a Expanded,
}

impl Source<'_> {
    fn text(&self) -> &str {
        &self.expanded.text
    }

    fn span(&self, range: Range<usize>) -> Span {
        let range = self.expanded.original(range);
        Span {
            file: Arc::clone(self.file),
            start: range.start,
            end: range.end,
        }
    }

    /// The first character PyYAML's reader refuses anywhere.
    fn unprintable(&self) -> Option<Problem> {
        let printable = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..);
        let (at, c) = self.text().char_indices().find(|(_, c)| !printable(*c))?;
        let message = format!(
            "the character U+{:04X} may not stand in a YAML file",
            u32::from(c)
        );
        Some(
            Problem::error("E0103", &self.span(at..at + c.len_utf8()), message)
                .help("remove it, or write it as an escape in double quotes"),
        )
    }

    /// A warning of the first tab where PyYAML takes none: anywhere but in comments and in quoted and block texts, which are `allowed`.
    fn tab(&self, mut allowed: Vec<Range<usize>>) -> Option<Problem> {
        allowed.sort_by_key(|range| range.start);
        let mut tabs = self.text().match_indices('\t').map(|(at, _)| at);
        let at = tabs.find(|at| !holds(&allowed, *at))?;
        let message = "a tab stands here; ElastAlert refuses such a file";
        Some(Problem::warning("W0112", &self.span(at..at + 1), message).help("use blanks"))
    }

    /// What is worth saying about the variables named in the text, but not in comments.
    fn variables(&self, comments: &[Range<usize>]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for variable in &self.expanded.variables {
            let span = Span {
                file: Arc::clone(self.file),
                start: variable.original.start,
                end: variable.original.end,
            };
            let in_comment = holds(comments, variable.expanded.start);
            let is_name = !variable.name.is_empty()
                && variable
                    .name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if in_comment || !is_name {
                continue;
            }
            let name = &variable.name;
            if !variable.is_set && variable.braces {
                problems.push(
                    Problem::warning(
                        "W0113",
                        &span,
                        format!("the environment variable `{name}` is not set"),
                    )
                    .help("the text stays as it is written"),
                );
            } else if variable.is_set && !variable.braces {
                problems.push(Problem {
                    severity: super::Severity::Note,
                    ..Problem::warning(
                        "N0114",
                        &span,
                        format!("`${name}` was replaced by the environment variable `{name}`"),
                    )
                });
            }
        }
        problems
    }
}

/// Whether one of these ranges, in order and apart, holds a byte.
fn holds(ranges: &[Range<usize>], at: usize) -> bool {
    let before = ranges.partition_point(|range| range.start <= at);
    before
        .checked_sub(1)
        .and_then(|i| ranges.get(i))
        .is_some_and(|range| range.contains(&at))
}
