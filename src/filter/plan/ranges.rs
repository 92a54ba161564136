//! Values and bounds in the types of fields: what a clause's text or number means there.

use super::super::date::{DateError, DateExpression, DateFormat, Rounding, Zone};
use super::super::dsl::{Range, Relation, Scalar};
use super::super::ip;
use super::super::mapping::Kind;
use super::numbers::{
    boolean, finite, float_range, has_fraction, unsigned_range, unsigned_term, whole_bound,
    whole_range,
};
use super::strings::{Between, StringTest};
use super::test::{Bound, DateTest, RangeTest, Test};
use crate::event::WallTime;
use std::borrow::Cow;
use std::sync::Arc;

/// Why a clause cannot be used on a field. Nobody reads it where a field may turn out to be of another type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldError {
    reason: Reason,
    pub(super) help: Option<Cow<'static, str>>,
}

/// The most frequent ones are put into words only when they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    Text(Cow<'static, str>),
    NoNumber(Box<str>),
    NoDate(DateError),
}

impl FieldError {
    pub(super) fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self::of(Reason::Text(message.into()))
    }

    pub(super) fn of(reason: Reason) -> Self {
        Self { reason, help: None }
    }

    /// The same, said of a field.
    pub(super) fn on(self, field: &str) -> Self {
        let message = format!("field {field:?}: {}", self.message());
        Self {
            reason: Reason::Text(message.into()),
            ..self
        }
    }

    pub(super) fn message(&self) -> Cow<'_, str> {
        match &self.reason {
            Reason::Text(message) => Cow::Borrowed(message),
            Reason::NoNumber(text) => {
                format!("{text:?} is not a number, and the field holds numbers").into()
            }
            Reason::NoDate(error) => error.to_string().into(),
        }
    }

    pub(super) fn help(mut self, help: impl Into<Cow<'static, str>>) -> Self {
        self.help = Some(help.into());
        self
    }
}

pub(super) type Outcome = Result<Test, FieldError>;

/// A value that a field's value must be equal to.
pub(super) fn term(kind: &Kind, value: &Scalar, ignore_case: bool) -> Outcome {
    if ignore_case && !matches!(kind, Kind::Text(_) | Kind::Keyword { .. } | Kind::Boolean) {
        return Err(FieldError::new(format!(
            "case_insensitive does not work on {} fields",
            kind.name()
        ))
        .help("leave case_insensitive out"));
    }
    match kind {
        Kind::Text(_) | Kind::Keyword { .. } => {
            let text: Box<str> = normalized(kind, &value.text()).into();
            if ignore_case && text.is_empty() {
                return Ok(Test::Never(
                    "an empty text is not found when case is ignored",
                ));
            }
            Ok(Test::Term(if ignore_case {
                StringTest::IsIgnoringCase(text)
            } else {
                StringTest::Is(text)
            }))
        }
        Kind::Whole { .. } if has_fraction(value) => {
            Ok(Test::Never("the field holds whole numbers only"))
        }
        Kind::Whole { whole, .. } => match whole_bound(*whole, value)? {
            (_, true) => Ok(Test::Never("the field holds whole numbers only")),
            (number, false) => Ok(Test::Whole {
                first: number,
                last: number,
            }),
        },
        Kind::UnsignedLong { .. } => unsigned_term(value),
        Kind::Float(exact) => {
            let value = exact.round(finite(kind, *exact, value)?);
            let bound = Bound {
                value,
                includes: true,
            };
            Ok(Test::Float(Box::new((bound, bound))))
        }
        Kind::Boolean => {
            let value = i64::from(boolean(value)?);
            Ok(Test::Whole {
                first: value,
                last: value,
            })
        }
        Kind::Date(format) | Kind::DateNanos(format) => {
            // Most texts are no dates.
            DateExpression::parse(&value.text(), format, Rounding::Down, &Zone::UTC)
                .map_err(not_a_date)?;
            range(kind, &exactly(value), &Zone::UTC)
        }
        Kind::Ip => {
            let (first, last) = ip::range(&value.text()).map_err(not_an_address)?;
            Ok(Test::Ip(Box::new((first, last))))
        }
        Kind::Range(inner) => {
            if matches!(**inner, Kind::Whole { .. }) && has_fraction(value) {
                return Err(FieldError::new(format!(
                    "{} has a fraction, the range holds whole numbers",
                    value.text()
                )));
            }
            let other = match &**inner {
                Kind::Ip => {
                    let address = ip::address(&value.text()).ok_or_else(|| {
                        not_an_address(format!("{:?} is not an IP address", value.text()))
                    })?;
                    Test::Ip(Box::new((address, address)))
                }
                Kind::Date(_) | Kind::DateNanos(_) => {
                    return self::range(kind, &exactly(value), &Zone::UTC);
                }
                inner => term(inner, value, false)?,
            };
            Ok(Test::Range(Arc::new(RangeTest {
                relation: Relation::Intersects,
                other,
            })))
        }
        Kind::Binary => Err(FieldError::new("binary fields cannot be searched")),
        Kind::Geo => Err(FieldError::new(
            "geographic fields cannot be compared with a value",
        )),
        Kind::Object | Kind::Disabled | Kind::Nested => Ok(Test::Never("the field is an object")),
    }
}

/// From a value to itself: dates stand for their whole unit.
fn exactly(value: &Scalar) -> Range {
    Range {
        lower: Some(value.clone()),
        upper: Some(value.clone()),
        includes_lower: true,
        includes_upper: true,
        format: None,
        time_zone: None,
        relation: Relation::Intersects,
    }
}

/// Any of several values.
pub(super) fn terms(kind: &Kind, values: &[Scalar]) -> Outcome {
    let tests = values
        .iter()
        .map(|value| term(kind, value, false))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(any_of(tests))
}

/// One test in place of several, hashed where it pays.
pub(super) fn any_of(mut tests: Vec<Test>) -> Test {
    tests.retain(|test| !matches!(test, Test::Never(_)));
    let texts: Option<Vec<&str>> = tests
        .iter()
        .map(|test| match test {
            Test::Term(StringTest::Is(text)) => Some(&**text),
            _ => None,
        })
        .collect();
    let numbers: Option<Vec<i64>> = tests
        .iter()
        .map(|test| match test {
            Test::Whole { first, last } if first == last => Some(*first),
            _ => None,
        })
        .collect();
    if tests.len() > 1 {
        if let Some(texts) = texts {
            let set = texts.into_iter().map(Box::from).collect();
            return Test::Term(StringTest::IsOneOf(Arc::new(set)));
        }
        if let Some(numbers) = numbers {
            return Test::WholeOneOf(Arc::new(numbers.into_iter().collect()));
        }
        return Test::AnyOf(tests.into());
    }
    tests
        .pop()
        .unwrap_or(Test::Never("there is no value to compare with"))
}

/// A range of values.
pub(super) fn range(kind: &Kind, range: &Range, zone: &Zone) -> Outcome {
    match kind {
        Kind::Text(_) | Kind::Keyword { .. } => {
            let bound = |value: &Option<Scalar>, includes| {
                let text = normalized(kind, &value.as_ref()?.text());
                Some((text.into(), includes))
            };
            Ok(Test::Term(StringTest::Between(Box::new(Between {
                lower: bound(&range.lower, range.includes_lower),
                upper: bound(&range.upper, range.includes_upper),
            }))))
        }
        Kind::Whole { whole, .. } => whole_range(*whole, range),
        Kind::UnsignedLong { .. } => unsigned_range(range),
        Kind::Float(exact) => float_range(kind, *exact, range),
        Kind::Boolean => {
            let first = match &range.lower {
                Some(value) => i64::from(boolean(value)?) + i64::from(!range.includes_lower),
                None => 0,
            };
            let last = match &range.upper {
                Some(value) => i64::from(boolean(value)?) - i64::from(!range.includes_upper),
                None => 1,
            };
            Ok(Test::Whole { first, last })
        }
        Kind::Date(format) => {
            date_range(format, range, zone, 1_000_000).map(|test| Test::Date(Arc::new(test)))
        }
        Kind::DateNanos(format) => {
            let test = date_range(format, range, zone, 1)?;
            for (expression, _) in test.lower.iter().chain(&test.upper) {
                if let DateExpression::Fixed(nanos) = expression
                    && *nanos < 0
                {
                    return Err(FieldError::new(
                        "date_nanos fields hold no dates before 1970",
                    ));
                }
            }
            Ok(Test::Date(Arc::new(test)))
        }
        Kind::Ip => ip_range(range),
        Kind::Range(inner) => {
            let bounds = range.lower.iter().chain(&range.upper);
            if matches!(**inner, Kind::Whole { .. }) && bounds.clone().any(has_fraction) {
                return Err(FieldError::new(
                    "the field holds ranges of whole numbers only",
                ));
            }
            let other = self::range(inner, range, zone)?;
            let upside_down = match &other {
                Test::Never(_) => true,
                Test::Date(test) => {
                    let (first, last) = test.bounds(WallTime(0));
                    first > last && !test.is_relative()
                }
                Test::Float(bounds) => bounds.0.value > bounds.1.value,
                Test::Ip(span) => span.0 > span.1,
                _ => false,
            };
            if upside_down {
                return Err(FieldError::new("the lower bound is above the upper one"));
            }
            // Without bounds only whether there is a range is asked.
            let relation = match bounds.count() {
                0 => Relation::Intersects,
                _ => range.relation,
            };
            Ok(Test::Range(Arc::new(RangeTest { relation, other })))
        }
        Kind::Binary | Kind::Geo => Err(FieldError::new(format!(
            "{} fields have no order",
            kind.name()
        ))),
        Kind::Object | Kind::Disabled | Kind::Nested => Ok(Test::Never("the field is an object")),
    }
}

/// A text in the form that a keyword field with a normalizer keeps.
pub(super) fn normalized(kind: &Kind, text: &str) -> String {
    match kind {
        Kind::Keyword {
            normalizer: Some(normalizer),
            ..
        } => normalizer.normalize(text).into_owned(),
        _ => text.to_owned(),
    }
}

fn date_range(
    format: &Arc<DateFormat>,
    range: &Range,
    zone: &Zone,
    unit: i128,
) -> Result<DateTest, FieldError> {
    let own = match &range.format {
        Some(format) => Some(DateFormat::parse(format).map_err(FieldError::new)?),
        None => None,
    };
    let format = own.as_ref().unwrap_or(format);
    let own_zone = range.time_zone.as_deref().and_then(Zone::parse);
    let zone = own_zone.as_ref().unwrap_or(zone);
    let read = |value: &Option<Scalar>, rounding, includes| match value {
        None => Ok(None),
        Some(value) => DateExpression::parse(&value.text(), format, rounding, zone)
            .map(|expression| Some((expression, includes)))
            .map_err(not_a_date),
    };
    let lower_rounding = if range.includes_lower {
        Rounding::Down
    } else {
        Rounding::Up
    };
    let upper_rounding = if range.includes_upper {
        Rounding::Up
    } else {
        Rounding::Down
    };
    let mut written = String::new();
    for (value, includes, sign) in [
        (&range.lower, range.includes_lower, '>'),
        (&range.upper, range.includes_upper, '<'),
    ] {
        if let Some(value) = value {
            let joint = if written.is_empty() { "" } else { " and " };
            let equals = if includes { "=" } else { "" };
            written.push_str(&format!("{joint}{sign}{equals} {}", value.text()));
        }
    }
    Ok(DateTest {
        lower: read(&range.lower, lower_rounding, range.includes_lower)?,
        upper: read(&range.upper, upper_rounding, range.includes_upper)?,
        unit,
        written,
    })
}

fn not_a_date(error: DateError) -> FieldError {
    FieldError::of(Reason::NoDate(error)).help(
        "write dates as 2024-05-05T10:00:00Z, epoch milliseconds or date math, or give \"format\"",
    )
}

fn not_an_address(message: String) -> FieldError {
    FieldError::new(message).help("ip fields take addresses and CIDR blocks such as 10.0.0.0/8")
}

fn ip_range(range: &Range) -> Outcome {
    let read = |value: &Scalar| {
        let text = value.text();
        ip::address(&text).ok_or_else(|| not_an_address(format!("{text:?} is not an IP address")))
    };
    let nothing = Ok(Test::Never("no address is in the range"));
    let mut first = 0;
    let mut last = u128::MAX;
    if let Some(value) = &range.lower {
        match read(value)?.checked_add((!range.includes_lower).into()) {
            Some(address) => first = address,
            None => return nothing,
        }
    }
    if let Some(value) = &range.upper {
        match read(value)?.checked_sub((!range.includes_upper).into()) {
            Some(address) => last = address,
            None => return nothing,
        }
    }
    Ok(Test::Ip(Box::new((first, last))))
}
