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
    Wildcard(Arc<Compiled<Wildcard>>),
    Regexp(Arc<Compiled<Automaton>>),
    Near(Arc<Compiled<Fuzzy>>),
    /// By the order of UTF-8 bytes.
    Between(Box<Between>),
}

/// What is looked for, and what finds it.
#[derive(Debug, PartialEq)]
pub(in crate::filter) struct Compiled<T> {
    /// As it was written.
    pub(in crate::filter) text: Box<str>,
    pub(in crate::filter) finds: T,
}

impl<T> Compiled<T> {
    pub(in crate::filter) fn new(text: &str, finds: T) -> Arc<Self> {
        let text = text.into();
        Arc::new(Self { text, finds })
    }
}

/// Bounds, and whether they are included.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::filter) struct Between {
    pub(in crate::filter) lower: Option<(Box<str>, bool)>,
    pub(in crate::filter) upper: Option<(Box<str>, bool)>,
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
            Self::Wildcard(wildcard) => wildcard.finds.matches(term),
            Self::Regexp(regexp) => regexp.finds.matches(term),
            Self::Near(near) => near.finds.matches(term),
            Self::Between(between) => {
                let Between { lower, upper } = &**between;
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
        matches!(self, Self::Regexp(regexp) if regexp.finds.matches_all())
    }

    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Is(_) | Self::IsOneOf(_) => 1,
            Self::IsIgnoringCase(_) | Self::StartsWith { .. } | Self::Between(_) => 2,
            Self::Wildcard(_) => 6,
            Self::Regexp(_) => 12,
            Self::Near(_) => 20,
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
            Self::Wildcard(wildcard) => write!(f, "is like {:?}", wildcard.text),
            Self::Regexp(regexp) => write!(f, "matches /{}/", regexp.text),
            Self::Near(near) => write!(f, "is near {:?}", near.text),
            Self::Between(between) => {
                let Between { lower, upper } = &**between;
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
