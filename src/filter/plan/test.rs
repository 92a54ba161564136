//! Tests on the values of a field.

use super::super::date::DateExpression;
use super::super::mapping::Reading;
use super::strings::StringTest;
use crate::event::WallTime;
use hashbrown::HashSet;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Which values of a field pass.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::filter) enum Test {
    /// Any value that the field keeps.
    Exists,
    /// On the value of a keyword field, or each term of a text field.
    Term(StringTest),
    /// Terms in order, on text fields.
    Phrase(Arc<Phrase>),
    /// Whole numbers and booleans, both bounds included.
    Whole {
        first: i64,
        last: i64,
    },
    WholeOneOf(Arc<HashSet<i64>>),
    /// Numbers of `unsigned_long` fields, both bounds included.
    Unsigned {
        first: u64,
        last: u64,
    },
    Float(Box<(Bound, Bound)>),
    Date(Arc<DateTest>),
    /// Both bounds included.
    Ip(Box<(u128, u128)>),
    /// How a range in the document lies to another.
    Range(Arc<RangeTest>),
    /// One of several.
    AnyOf(Box<[Test]>),
    /// Nothing passes, and why.
    Never(&'static str),
}

/// There are many of them.
const _: () = assert!(size_of::<Test>() <= 24);

/// A bound of floating-point numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::filter) struct Bound {
    pub(in crate::filter) value: f64,
    pub(in crate::filter) includes: bool,
}

impl Bound {
    /// Whether a value is on this side of it. Minus zero is less than zero, as in an index.
    fn lets(&self, value: f64, side: Ordering) -> bool {
        match value.total_cmp(&self.value) {
            Ordering::Equal => self.includes,
            found => found == side,
        }
    }
}

/// A range of instants, in the unit the field keeps.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::filter) struct DateTest {
    pub(in crate::filter) lower: Option<(DateExpression, bool)>,
    pub(in crate::filter) upper: Option<(DateExpression, bool)>,
    /// The unit in nanoseconds.
    pub(in crate::filter) unit: i128,
    /// The bounds as they were written.
    pub(in crate::filter) written: String,
}

/// How a range in the document must lie to another.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::filter) struct RangeTest {
    pub(in crate::filter) relation: crate::filter::dsl::Relation,
    /// A test of the type the ranges are of, which says where the other range lies.
    pub(in crate::filter) other: Test,
}

/// Terms at certain distances.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::filter) struct Phrase {
    /// Each term and its place in the phrase.
    pub(in crate::filter) terms: Vec<(Box<str>, u32)>,
    /// How many places the terms may be moved in total.
    pub(in crate::filter) slop: u32,
    /// Whether the last term is a prefix.
    pub(in crate::filter) last_is_prefix: bool,
}

impl DateTest {
    /// Whether a bound is counted from `now`.
    pub(in crate::filter) fn is_relative(&self) -> bool {
        let mut bounds = self.lower.iter().chain(&self.upper);
        bounds.any(|(expression, _)| matches!(expression, DateExpression::FromNow(_)))
    }
    /// First and last instant, both included.
    pub(in crate::filter) fn bounds(&self, now: WallTime) -> (i128, i128) {
        let now = i128::from(now.0) * 1000;
        let at = |expression: &DateExpression| expression.resolve(now).div_euclid(self.unit);
        let lower = self
            .lower
            .as_ref()
            .map_or(i128::MIN, |(expression, includes)| {
                at(expression) + i128::from(!includes)
            });
        let upper = self
            .upper
            .as_ref()
            .map_or(i128::MAX, |(expression, includes)| {
                at(expression) - i128::from(!includes)
            });
        (lower, upper)
    }
}

impl Test {
    /// Whether a value that is no text passes. Texts are for the caller to cut into terms.
    pub(in crate::filter) fn passes(&self, reading: &Reading<'_>, now: WallTime) -> bool {
        match (self, reading) {
            (_, Reading::Nothing) | (Self::Never(_), _) => false,
            (Self::Exists, _) => true,
            (Self::AnyOf(tests), reading) => tests.iter().any(|test| test.passes(reading, now)),
            (Self::Term(test), Reading::Text(text)) => test.passes(text),
            (Self::Whole { first, last }, Reading::Whole(value)) => (first..=last).contains(&value),
            (Self::Whole { first, last }, Reading::Boolean(value)) => {
                (first..=last).contains(&&i64::from(*value))
            }
            (Self::WholeOneOf(wanted), Reading::Whole(value)) => wanted.contains(value),
            (Self::WholeOneOf(wanted), Reading::Boolean(value)) => {
                wanted.contains(&i64::from(*value))
            }
            (Self::Unsigned { first, last }, Reading::Unsigned(value)) => {
                (first..=last).contains(&value)
            }
            (Self::Float(bounds), Reading::Float(value)) => {
                let (lower, upper) = &**bounds;
                lower.lets(*value, Ordering::Greater) && upper.lets(*value, Ordering::Less)
            }
            (Self::Date(test), Reading::Date(value)) => {
                let (first, last) = test.bounds(now);
                (first..=last).contains(&i128::from(*value))
            }
            (Self::Ip(span), Reading::Ip(value)) => (span.0..=span.1).contains(value),
            (Self::Range(test), reading) => test.passes(reading, now),
            _ => false,
        }
    }

    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Never(_) => 0,
            Self::Exists
            | Self::Whole { .. }
            | Self::WholeOneOf(_)
            | Self::Unsigned { .. }
            | Self::Float(_) => 1,
            Self::Term(test) => test.cost(),
            Self::Ip(_) | Self::Date(_) | Self::Range(_) => 3,
            Self::Phrase(_) => 4,
            Self::AnyOf(tests) => tests.iter().map(Self::cost).sum(),
        }
    }
}

impl RangeTest {
    fn passes(&self, reading: &Reading<'_>, now: WallTime) -> bool {
        match (&self.other, reading) {
            (Test::Whole { first, last }, Reading::Numbers(span)) => {
                self.lies(&(span.first, span.last), &(*first, *last))
            }
            (Test::Date(test), Reading::Numbers(span)) => self.lies(
                &(i128::from(span.first), i128::from(span.last)),
                &test.bounds(now),
            ),
            (Test::Float(bounds), Reading::Floats(first, last)) => {
                let (lower, upper) = &**bounds;
                let low = if lower.includes {
                    lower.value
                } else {
                    lower.value.next_up()
                };
                let high = if upper.includes {
                    upper.value
                } else {
                    upper.value.next_down()
                };
                self.lies(&(*first, *last), &(low, high))
            }
            (Test::Ip(span), Reading::Ips(from, to)) => self.lies(&(*from, *to), span),
            (Test::AnyOf(others), reading) => others.iter().any(|other| {
                let test = Self {
                    relation: self.relation,
                    other: other.clone(),
                };
                test.passes(reading, now)
            }),
            _ => false,
        }
    }

    fn lies<T: PartialOrd>(&self, document: &(T, T), other: &(T, T)) -> bool {
        use crate::filter::dsl::Relation;
        if other.0 > other.1 {
            return false;
        }
        match self.relation {
            Relation::Intersects => document.0 <= other.1 && document.1 >= other.0,
            Relation::Within => document.0 >= other.0 && document.1 <= other.1,
            Relation::Contains => document.0 <= other.0 && document.1 >= other.1,
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("exists"),
            Self::Term(test) => test.fmt(f),
            Self::Phrase(phrase) => {
                let terms: Vec<&str> = phrase.terms.iter().map(|(term, _)| &**term).collect();
                let star = if phrase.last_is_prefix { "*" } else { "" };
                write!(f, "has the phrase \"{}{star}\"", terms.join(" "))?;
                if phrase.slop > 0 {
                    write!(f, " within {} moves", phrase.slop)
                } else {
                    Ok(())
                }
            }
            Self::Whole { first, last } if first == last => write!(f, "is {first}"),
            Self::Whole { first, last } => match (*first == i64::MIN, *last == i64::MAX) {
                (true, true) => f.write_str("is a number"),
                (true, false) => write!(f, "<= {last}"),
                (false, true) => write!(f, ">= {first}"),
                (false, false) => write!(f, "is from {first} to {last}"),
            },
            Self::WholeOneOf(wanted) => {
                let mut sorted: Vec<_> = wanted.iter().collect();
                sorted.sort();
                let shown: Vec<String> = sorted.iter().take(8).map(ToString::to_string).collect();
                write!(
                    f,
                    "is one of {}{}",
                    shown.join(", "),
                    if sorted.len() > 8 { ", …" } else { "" }
                )
            }
            Self::Unsigned { first, last } if first == last => write!(f, "is {first}"),
            Self::Unsigned { first, last } => write!(f, "is from {first} to {last}"),
            Self::Float(bounds) if bounds.0.value.to_bits() == bounds.1.value.to_bits() => {
                write!(f, "is {}", bounds.0.value)
            }
            Self::Float(bounds) => {
                let (lower, upper) = &**bounds;
                let mut joint = "";
                if lower.value.is_finite() {
                    write!(
                        f,
                        "{} {}",
                        if lower.includes { ">=" } else { ">" },
                        lower.value
                    )?;
                    joint = " and ";
                }
                if upper.value.is_finite() {
                    write!(
                        f,
                        "{joint}{} {}",
                        if upper.includes { "<=" } else { "<" },
                        upper.value
                    )?;
                }
                Ok(())
            }
            Self::Date(test) => write!(f, "is a date {}", test.written),
            Self::Ip(span) => {
                let (first, last) = &**span;
                use super::super::ip::text;
                if first == last {
                    write!(f, "is {}", text(*first))
                } else {
                    write!(f, "is from {} to {}", text(*first), text(*last))
                }
            }
            Self::Range(test) => write!(f, "meets a range that {}", test.other),
            Self::AnyOf(tests) => {
                let shown: Vec<String> = tests.iter().map(ToString::to_string).collect();
                f.write_str(&shown.join(" or "))
            }
            Self::Never(reason) => write!(f, "never matches: {reason}"),
        }
    }
}
