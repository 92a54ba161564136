//! Field types, and what a document's value becomes in a field of that type.

use super::super::analysis::Analyzer;
use super::super::date::{DateFormat, Zone};
use super::super::number::{
    self, NumberError, half_float, scalar_text, whole, whole_of_double, with_ascii_digits,
};
use super::super::{ip, values};
use crate::event::project::Item;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// A field's type.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::filter) enum Kind {
    Text(Arc<Analyzer>),
    Keyword {
        /// Longer values, in UTF-16 units, are not searchable.
        ignore_above: Option<usize>,
        normalizer: Option<Arc<Analyzer>>,
    },
    Whole {
        whole: Whole,
        /// Whether fractions are cut off and texts of digits are read.
        coerce: bool,
    },
    UnsignedLong {
        coerce: bool,
    },
    Float(Exact),
    Boolean,
    Date(Arc<DateFormat>),
    DateNanos(Arc<DateFormat>),
    Ip,
    /// A range of another type: `integer_range`, `date_range`, `ip_range`, ….
    Range(Arc<Kind>),
    /// `geo_point`, `geo_shape`: only `exists`.
    Geo,
    Binary,
    Object,
    /// An object with `enabled: false`.
    Disabled,
    Nested,
}

/// Types of whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::filter) enum Whole {
    Byte,
    Short,
    Integer,
    Long,
}

/// Types of numbers with a fraction: how exactly a value is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::filter) enum Exact {
    Double,
    Float,
    HalfFloat,
    /// A whole number of steps of 1/factor.
    Scaled(f64),
}

/// A range of 64-bit numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::filter) struct Span64 {
    pub(in crate::filter) first: i64,
    pub(in crate::filter) last: i64,
}

/// What a value becomes in a field.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::filter) enum Reading<'v> {
    Text(Cow<'v, str>),
    Whole(i64),
    Unsigned(u64),
    Float(f64),
    Boolean(bool),
    /// Milliseconds since 1970 UTC; nanoseconds for `date_nanos`.
    Date(i64),
    Ip(u128),
    /// First and last value of a range, as bounds of the type they are of.
    Numbers(Span64),
    Floats(f64, f64),
    Ips(u128, u128),
    /// There, but nothing to compare with.
    Present,
    /// Nothing: an empty text in a number field, a value beyond `ignore_above`.
    Nothing,
}

/// Why a value does not fit a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::filter) struct Unfit;

impl Reading<'_> {
    /// The number it comes to when it says how many, fractions cut off.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a fraction is cut off, and nobody counts beyond 64 bits"
    )]
    pub(in crate::filter) fn count(&self) -> Option<i64> {
        match self {
            Self::Whole(number) | Self::Date(number) => Some(*number),
            Self::Unsigned(number) => Some(i64::try_from(*number).unwrap_or(i64::MAX)),
            Self::Float(number) => Some(*number as i64),
            Self::Boolean(value) => Some((*value).into()),
            Self::Text(_)
            | Self::Ip(_)
            | Self::Numbers(_)
            | Self::Floats(..)
            | Self::Ips(..)
            | Self::Present
            | Self::Nothing => None,
        }
    }
}

impl Whole {
    pub(in crate::filter) fn limits(self) -> Span64 {
        let (first, last) = match self {
            Self::Byte => (i8::MIN.into(), i8::MAX.into()),
            Self::Short => (i16::MIN.into(), i16::MAX.into()),
            Self::Integer => (i32::MIN.into(), i32::MAX.into()),
            Self::Long => (i64::MIN, i64::MAX),
        };
        Span64 { first, last }
    }
}

impl Exact {
    /// The value as it is kept; infinite when beyond the type.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding to 32 bits is the point"
    )]
    pub(in crate::filter) fn round(self, value: f64) -> f64 {
        match self {
            Self::Double => value,
            Self::Float => f64::from(value as f32),
            Self::HalfFloat => f64::from(half_float(value as f32)),
            Self::Scaled(factor) => {
                // Java's Math.round: halves go up, and no zero is negative.
                let steps = (value * factor + 0.5).floor() + 0.0;
                if steps.is_finite() { steps } else { value }
            }
        }
    }
}

impl Exact {
    /// A bound of a range in the form it is compared in: `half_float` bounds keep 32 bits.
    pub(in crate::filter) fn round_bound(self, value: f64) -> f64 {
        match self {
            Self::HalfFloat => Self::Float.round(value),
            other => other.round(value),
        }
    }
}

impl Kind {
    /// The type's name in a mapping.
    pub(in crate::filter) fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Keyword { .. } => "keyword",
            Self::Whole { whole, .. } => match whole {
                Whole::Byte => "byte",
                Whole::Short => "short",
                Whole::Integer => "integer",
                Whole::Long => "long",
            },
            Self::UnsignedLong { .. } => "unsigned_long",
            Self::Float(exact) => match exact {
                Exact::Double => "double",
                Exact::Float => "float",
                Exact::HalfFloat => "half_float",
                Exact::Scaled(_) => "scaled_float",
            },
            Self::Boolean => "boolean",
            Self::Date(_) => "date",
            Self::DateNanos(_) => "date_nanos",
            Self::Ip => "ip",
            Self::Range(_) => "range",
            Self::Geo => "geo",
            Self::Binary => "binary",
            Self::Object | Self::Disabled => "object",
            Self::Nested => "nested",
        }
    }

    /// Whether it holds numbers that can be counted with, dates and booleans among them.
    pub(in crate::filter) fn is_counted(&self) -> bool {
        matches!(
            self,
            Self::Whole { .. }
                | Self::UnsignedLong { .. }
                | Self::Float(_)
                | Self::Boolean
                | Self::Date(_)
                | Self::DateNanos(_)
        )
    }

    /// What a value (no list, no null) becomes in a field of this type.
    pub(in crate::filter) fn read<'v>(
        &self,
        value: impl Into<Item<'v>>,
    ) -> Result<Reading<'v>, Unfit> {
        let value = value.into();
        match self {
            Self::Text(_) => Ok(Reading::Text(scalar_text(value).ok_or(Unfit)?.into())),
            Self::Keyword {
                ignore_above,
                normalizer,
            } => {
                let text = scalar_text(value).ok_or(Unfit)?;
                if ignore_above.is_some_and(|most| is_longer(text, most)) {
                    return Ok(Reading::Nothing);
                }
                Ok(Reading::Text(match normalizer {
                    Some(normalizer) => normalizer.normalize(text),
                    None => text.into(),
                }))
            }
            Self::Whole { whole, coerce } => read_whole(*whole, *coerce, value),
            Self::UnsignedLong { coerce } => read_unsigned(*coerce, value),
            Self::Float(exact) => {
                let number = match value {
                    Item::Text("") => return Ok(Reading::Nothing),
                    Item::Text(text) => number::double(text),
                    Item::Number(number) => number.parse().ok(),
                    _ => None,
                };
                let kept = exact.round(number.ok_or(Unfit)?);
                if kept.is_finite() {
                    Ok(Reading::Float(kept))
                } else {
                    Err(Unfit)
                }
            }
            Self::Boolean => match value {
                Item::Bool(value) => Ok(Reading::Boolean(value)),
                Item::Text(text) => match text {
                    "true" => Ok(Reading::Boolean(true)),
                    "false" | "" => Ok(Reading::Boolean(false)),
                    _ => Err(Unfit),
                },
                _ => Err(Unfit),
            },
            Self::Date(format) => read_date(format, value, 1_000_000).map(Reading::Date),
            Self::DateNanos(format) => read_date(format, value, 1).map(Reading::Date),
            Self::Ip => match value {
                Item::Text(text) => ip::address(text).map(Reading::Ip).ok_or(Unfit),
                _ => Err(Unfit),
            },
            Self::Range(kind) => read_range(kind, value),
            Self::Geo | Self::Binary => Ok(Reading::Present),
            Self::Object | Self::Disabled | Self::Nested => Err(Unfit),
        }
    }
}

fn is_longer(text: &str, most: usize) -> bool {
    // A UTF-16 unit takes three bytes at most, an ASCII character one.
    text.len() > most
        && (text.len() > most.saturating_mul(3)
            || text.is_ascii()
            || text.encode_utf16().count() > most)
}

fn read_unsigned<'v>(coerce: bool, value: Item<'_>) -> Result<Reading<'v>, Unfit> {
    let text = match value {
        Item::Text("") if coerce => return Ok(Reading::Nothing),
        Item::Text(text) if coerce => text,
        Item::Number(text) => text,
        _ => return Err(Unfit),
    };
    let (number, cut) = whole(&with_ascii_digits(text)).map_err(|_| Unfit)?;
    if cut && !coerce {
        return Err(Unfit);
    }
    u64::try_from(number)
        .map(Reading::Unsigned)
        .map_err(|_| Unfit)
}

fn read_whole<'v>(of: Whole, coerce: bool, value: Item<'_>) -> Result<Reading<'v>, Unfit> {
    let text = match value {
        Item::Text(text) if text.is_empty() && coerce => return Ok(Reading::Nothing),
        Item::Text(text) if coerce => text,
        Item::Number(text) => text,
        _ => return Err(Unfit),
    };
    let written = match of {
        Whole::Long => with_ascii_digits(text),
        _ => text.into(),
    };
    let (number, cut) = match whole(&written) {
        Err(NumberError::NotANumber) if of != Whole::Long => {
            whole_of_double(text).map_err(|_| Unfit)?
        }
        read => read.map_err(|_| Unfit)?,
    };
    if cut && !coerce {
        return Err(Unfit);
    }
    let limits = of.limits();
    i64::try_from(number)
        .ok()
        .filter(|number| (limits.first..=limits.last).contains(number))
        .map(Reading::Whole)
        .ok_or(Unfit)
}

fn read_date(format: &DateFormat, value: Item<'_>, unit: i128) -> Result<i64, Unfit> {
    let text = match value {
        Item::Text(text) => text,
        Item::Number(text) => text,
        _ => return Err(Unfit),
    };
    let instant = format.instant(text, false, &Zone::UTC).ok_or(Unfit)?;
    // Nanoseconds are kept from 1970 on only.
    if unit == 1 && instant < 0 {
        return Err(Unfit);
    }
    i64::try_from(instant.div_euclid(unit)).map_err(|_| Unfit)
}

/// `{"gte": …, "lt": …}`, or a CIDR text for addresses.
fn read_range<'v>(kind: &Kind, value: Item<'_>) -> Result<Reading<'v>, Unfit> {
    if let (Kind::Ip, Item::Text(text)) = (kind, value) {
        let (first, last) = ip::range(text).map_err(|_| Unfit)?;
        return Ok(Reading::Ips(first, last));
    }
    let Item::Object(Some(bounds)) = value else {
        return Err(Unfit);
    };
    let bound = |keys: [&'static str; 3]| {
        keys.iter()
            .find_map(|key| Some((*key, bounds.get(*key)?)))
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| match kind.read(value)? {
                Reading::Nothing => Err(Unfit),
                reading => Ok((key, reading)),
            })
            .transpose()
    };
    let lower = bound(["gte", "gt", "from"])?;
    let upper = bound(["lte", "lt", "to"])?;
    let excludes =
        |side: &Option<(&str, Reading<'_>)>, key| side.as_ref().is_some_and(|(k, _)| *k == key);
    let (above, below) = (excludes(&lower, "gt"), excludes(&upper, "lt"));
    let (lower, upper) = (lower.map(|(_, l)| l), upper.map(|(_, u)| u));
    match kind {
        Kind::Ip => {
            let end = |side, open| match side {
                Some(Reading::Ip(address)) => address,
                _ => open,
            };
            Ok(Reading::Ips(
                end(lower, 0).saturating_add(u128::from(above)),
                end(upper, u128::MAX).saturating_sub(u128::from(below)),
            ))
        }
        Kind::Float(_) => {
            let end = |side, open| match side {
                Some(Reading::Float(number)) => number,
                _ => open,
            };
            let (first, last) = (end(lower, f64::NEG_INFINITY), end(upper, f64::INFINITY));
            Ok(Reading::Floats(
                if above { first.next_up() } else { first },
                if below { last.next_down() } else { last },
            ))
        }
        _ => {
            let end = |side, open| match side {
                Some(Reading::Whole(number) | Reading::Date(number)) => number,
                _ => open,
            };
            Ok(Reading::Numbers(Span64 {
                first: end(lower, i64::MIN).saturating_add(above.into()),
                last: end(upper, i64::MAX).saturating_sub(below.into()),
            }))
        }
    }
}

impl Kind {
    /// Whether a value of a list, an object or a scalar fits the type wherever it stands.
    pub(in crate::filter) fn accepts(&self, member: &Value) -> bool {
        let mut fits = true;
        if matches!(self, Self::Geo) {
            return !member
                .as_array()
                .is_some_and(|items| items.iter().any(Value::is_null));
        }
        values::flatten(member, &mut |value| {
            fits = value.is_null() || self.read(value).is_ok();
            if fits {
                values::Visit::Continue
            } else {
                values::Visit::Stop
            }
        });
        fits
    }
}
