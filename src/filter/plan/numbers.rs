//! Numbers and booleans of clauses in the types of fields.

use super::super::dsl::{Range, Scalar};
use super::super::mapping::{Exact, Kind, Whole};
use super::super::number::{NumberError, double, whole, whole_of_double};
use super::ranges::{FieldError, Outcome, Reason};
use super::test::{Bound, Test};

pub(super) fn has_fraction(value: &Scalar) -> bool {
    match value {
        Scalar::Float(number) => number.fract() != 0.0,
        Scalar::Text(text) => double(text).is_some_and(|number| number.fract() != 0.0),
        _ => false,
    }
}

/// A value for whole numbers cut toward zero, and whether something was cut off.
pub(super) fn whole_bound(of: Whole, value: &Scalar) -> Result<(i64, bool), FieldError> {
    let text = match value {
        Scalar::Float(number) => format!("{number}").into(),
        value => value.text(),
    };
    let read = match whole(&text) {
        Err(NumberError::NotANumber)
            if of != Whole::Long && !matches!(value, Scalar::Boolean(_)) =>
        {
            whole_of_double(&text)
        }
        read => read,
    };
    // Bytes and shorts are compared as 32-bit numbers.
    let limits = if of == Whole::Long {
        of
    } else {
        Whole::Integer
    }
    .limits();
    match read {
        Ok((number, cut)) => match i64::try_from(number) {
            Ok(number) if (limits.first..=limits.last).contains(&number) => Ok((number, cut)),
            _ => Err(out_of_range(&text)),
        },
        Err(NumberError::OutOfRange) => Err(out_of_range(&text)),
        Err(NumberError::NotANumber) => Err(not_a_number(&text)),
    }
}

/// A value for `unsigned_long` cut toward zero, and whether something was cut off.
fn unsigned_bound(value: &Scalar) -> Result<(u64, bool), FieldError> {
    let text = match value {
        Scalar::Float(number) => format!("{number}").into(),
        value => value.text(),
    };
    match whole(&text) {
        Ok((number, cut)) => match u64::try_from(number) {
            Ok(number) if number > 0 || !cut || is_positive(value) => Ok((number, cut)),
            _ => Err(out_of_range(&text)),
        },
        Err(NumberError::OutOfRange) => Err(out_of_range(&text)),
        Err(NumberError::NotANumber) => Err(not_a_number(&text)),
    }
}

pub(super) fn unsigned_term(value: &Scalar) -> Outcome {
    if has_fraction(value) {
        return Ok(Test::Never("the field holds whole numbers only"));
    }
    let (number, _) = unsigned_bound(value)?;
    Ok(Test::Unsigned {
        first: number,
        last: number,
    })
}

pub(super) fn unsigned_range(range: &Range) -> Outcome {
    let (mut first, mut last) = (0, u64::MAX);
    let nothing = Ok(Test::Never("no whole number is in the range"));
    if let Some(value) = &range.lower {
        let (number, cut) = unsigned_bound(value)?;
        match number.checked_add((cut || !range.includes_lower).into()) {
            Some(number) => first = number,
            None => return nothing,
        }
    }
    if let Some(value) = &range.upper {
        let (number, cut) = unsigned_bound(value)?;
        match number.checked_sub((!cut && !range.includes_upper).into()) {
            Some(number) => last = number,
            None => return nothing,
        }
    }
    if first > last {
        return nothing;
    }
    Ok(Test::Unsigned { first, last })
}

fn not_a_number(text: &str) -> FieldError {
    FieldError::of(Reason::NoNumber(text.into()))
        .help("compare with a number, or use the field's text form if it has one")
}

fn out_of_range(text: &str) -> FieldError {
    FieldError::new(format!("{text} is beyond the numbers the field can hold"))
}

pub(super) fn whole_range(of: Whole, range: &Range) -> Outcome {
    let mut first = i64::MIN;
    let mut last = i64::MAX;
    let nothing = Ok(Test::Never("no whole number is in the range"));
    if let Some(value) = &range.lower {
        let (number, cut) = whole_bound(of, value)?;
        let up = if cut {
            is_positive(value)
        } else {
            !range.includes_lower
        };
        match number.checked_add(up.into()) {
            Some(number) => first = number,
            None => return nothing,
        }
    }
    if let Some(value) = &range.upper {
        let (number, cut) = whole_bound(of, value)?;
        let down = if cut {
            !is_positive(value)
        } else {
            !range.includes_upper
        };
        match number.checked_sub(down.into()) {
            Some(number) => last = number,
            None => return nothing,
        }
    }
    if first > last {
        nothing
    } else {
        Ok(Test::Whole { first, last })
    }
}

fn is_positive(value: &Scalar) -> bool {
    !value.text().trim_start().starts_with('-')
}

pub(super) fn finite(kind: &Kind, exact: Exact, value: &Scalar) -> Result<f64, FieldError> {
    let number = match value {
        Scalar::Float(number) => Some(*number),
        Scalar::Boolean(_) => None,
        value => double(&value.text()),
    };
    let number = number.ok_or_else(|| not_a_number(&value.text()))?;
    let kept = if matches!(exact, Exact::Scaled(_)) {
        number
    } else {
        exact.round(number)
    };
    if kept.is_finite() {
        Ok(number)
    } else {
        Err(FieldError::new(format!(
            "{} is beyond the numbers a {} field can hold",
            value.text(),
            kind.name()
        )))
    }
}

pub(super) fn float_range(kind: &Kind, exact: Exact, range: &Range) -> Outcome {
    let mut lower = Bound {
        value: f64::NEG_INFINITY,
        includes: true,
    };
    let mut upper = Bound {
        value: f64::INFINITY,
        includes: true,
    };
    if let Some(value) = &range.lower {
        let number = finite(kind, exact, value)?;
        lower = match exact {
            // Steps are whole numbers, of which none is a negative zero.
            Exact::Scaled(factor) => Bound {
                value: if range.includes_lower {
                    (number * factor).ceil() + 0.0
                } else {
                    (number * factor).next_up().ceil() + 0.0
                },
                includes: true,
            },
            exact => Bound {
                value: exact.round_bound(number),
                includes: range.includes_lower,
            },
        };
    }
    if let Some(value) = &range.upper {
        let number = finite(kind, exact, value)?;
        upper = match exact {
            Exact::Scaled(factor) => Bound {
                value: if range.includes_upper {
                    (number * factor).floor() + 0.0
                } else {
                    (number * factor).next_down().floor() + 0.0
                },
                includes: true,
            },
            exact => Bound {
                value: exact.round_bound(number),
                includes: range.includes_upper,
            },
        };
    }
    Ok(Test::Float(Box::new((lower, upper))))
}

pub(super) fn boolean(value: &Scalar) -> Result<bool, FieldError> {
    match value {
        Scalar::Boolean(value) => Ok(*value),
        Scalar::Text(text) if text == "true" || text == "false" => Ok(text == "true"),
        value => Err(
            FieldError::new(format!("{:?} is not true or false", value.text()))
                .help("write true or false in small letters"),
        ),
    }
}
