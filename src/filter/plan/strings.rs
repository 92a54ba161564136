//! Tests on the terms of text and keyword fields.

use super::super::fuzzy::Fuzzy;
use super::super::regexp::Automaton;
use super::super::wildcard::Wildcard;
use hashbrown::HashSet;
use std::fmt;
use std::sync::Arc;

/// Which terms pass.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::filter) enum StringTest {
    Is(Box<str>),
    IsOneOf(Arc<HashSet<Box<str>>>),
    IsIgnoringCase(Box<str>),
    StartsWith {
        start: Box<str>,
        ignore_case: bool,
    },
    Wildcard {
        pattern: Box<str>,
        wildcard: Arc<Wildcard>,
    },
    Regexp {
        pattern: Box<str>,
        automaton: Arc<Automaton>,
    },
    Near {
        term: Box<str>,
        fuzzy: Arc<Fuzzy>,
    },
    /// By the order of UTF-8 bytes.
    Between {
        lower: Option<(Box<str>, bool)>,
        upper: Option<(Box<str>, bool)>,
    },
}

impl StringTest {
    /// Whether a term passes.
    pub(in crate::filter) fn passes(&self, term: &str) -> bool {
        match self {
            Self::Is(wanted) => **wanted == *term,
            Self::IsOneOf(wanted) => wanted.contains(term),
            Self::IsIgnoringCase(wanted) => wanted.eq_ignore_ascii_case(term),
            Self::StartsWith {
                start,
                ignore_case: false,
            } => term.starts_with(&**start),
            Self::StartsWith {
                start,
                ignore_case: true,
            } => term
                .as_bytes()
                .get(..start.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes())),
            Self::Wildcard { wildcard, .. } => wildcard.matches(term),
            Self::Regexp { automaton, .. } => automaton.matches(term),
            Self::Near { fuzzy, .. } => fuzzy.matches(term),
            Self::Between { lower, upper } => {
                let above = lower.as_ref().is_none_or(|(bound, includes)| {
                    if *includes {
                        **bound <= *term
                    } else {
                        **bound < *term
                    }
                });
                above
                    && upper.as_ref().is_none_or(|(bound, includes)| {
                        if *includes {
                            *term <= **bound
                        } else {
                            *term < **bound
                        }
                    })
            }
        }
    }

    /// Whether it is a regular expression that every term passes.
    pub(super) fn passes_all(&self) -> bool {
        matches!(self, Self::Regexp { automaton, .. } if automaton.matches_all())
    }

    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Is(_) | Self::IsOneOf(_) => 1,
            Self::IsIgnoringCase(_) | Self::StartsWith { .. } | Self::Between { .. } => 2,
            Self::Wildcard { .. } => 6,
            Self::Regexp { .. } => 12,
            Self::Near { .. } => 20,
        }
    }
}

impl fmt::Display for StringTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = |ignore: bool| if ignore { ", case ignored" } else { "" };
        match self {
            Self::Is(wanted) => write!(f, "is {wanted:?}"),
            Self::IsOneOf(wanted) => {
                let mut sorted: Vec<_> = wanted.iter().collect();
                sorted.sort();
                let shown: Vec<String> = sorted
                    .iter()
                    .take(8)
                    .map(|term| format!("{term:?}"))
                    .collect();
                let more = if sorted.len() > 8 { ", …" } else { "" };
                write!(f, "is one of {}{more}", shown.join(", "))
            }
            Self::IsIgnoringCase(wanted) => write!(f, "is {wanted:?}{}", case(true)),
            Self::StartsWith { start, ignore_case } => {
                write!(f, "begins with {start:?}{}", case(*ignore_case))
            }
            Self::Wildcard { pattern, .. } => write!(f, "is like {pattern:?}"),
            Self::Regexp { pattern, .. } => write!(f, "matches /{pattern}/"),
            Self::Near { term, .. } => write!(f, "is near {term:?}"),
            Self::Between { lower, upper } => {
                let mut joint = "";
                if let Some((bound, includes)) = lower {
                    write!(f, "{} {bound:?}", if *includes { ">=" } else { ">" })?;
                    joint = " and ";
                }
                match upper {
                    Some((bound, includes)) => {
                        write!(f, "{joint}{} {bound:?}", if *includes { "<=" } else { "<" })
                    }
                    None if joint.is_empty() => f.write_str("has any value"),
                    None => Ok(()),
                }
            }
        }
    }
}
