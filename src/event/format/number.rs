//! The digits of numbers: fixed, scientific and general notation, other bases, thousands separators.

use super::{FormatError, MAX_DIGITS};
use crate::event::python::float_text;

/// How a float is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// `e`.
    Exponent,
    /// `f`.
    Fixed,
    /// `g`.
    General,
    /// No type letter: like `g`, but a whole number keeps `.0`.
    Plain,
    /// `%`: hundredfold, fixed.
    Percent,
}

/// A number taken apart, so that separators and padding can be put between its parts.
#[derive(Debug, Clone, Default)]
pub(super) struct Numeral {
    /// Below zero (or minus zero).
    pub(super) negative: bool,
    /// `0x` and the like.
    pub(super) prefix: &'static str,
    /// Digits before the point; `inf` or `nan`.
    pub(super) whole: String,
    /// Everything from the point or the exponent on.
    pub(super) rest: String,
    /// Whether `whole` is digits.
    pub(super) finite: bool,
}

/// A float in the given notation; without precision six digits, or the shortest text for `Plain`.
pub(super) fn float(
    value: f64,
    notation: Notation,
    precision: Option<usize>,
    alternate: bool,
) -> Numeral {
    let negative = value.is_sign_negative() && !value.is_nan();
    let value = value.abs();
    let value = if notation == Notation::Percent {
        value * 100.0
    } else {
        value
    };
    let percent = if notation == Notation::Percent {
        "%"
    } else {
        ""
    };
    if !value.is_finite() {
        return Numeral {
            negative,
            whole: if value.is_nan() { "nan" } else { "inf" }.to_owned(),
            rest: percent.to_owned(),
            ..Numeral::default()
        };
    }
    let text = match (notation, precision) {
        (Notation::Plain, None) => shortest(value, alternate),
        (Notation::Exponent, precision) => {
            exponent(&format!("{value:.*e}", precision.unwrap_or(6)), alternate)
        }
        (Notation::Fixed | Notation::Percent, precision) => {
            let text = format!("{value:.*}", precision.unwrap_or(6));
            if alternate && !text.contains('.') {
                text + "."
            } else {
                text
            }
        }
        (Notation::General, precision) => general(value, precision.unwrap_or(6), alternate, false),
        (Notation::Plain, Some(precision)) => general(value, precision, alternate, true),
    };
    let at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (whole, rest) = text.split_at(at);
    Numeral {
        negative,
        prefix: "",
        whole: whole.to_owned(),
        rest: format!("{rest}{percent}"),
        finite: true,
    }
}

/// The shortest text; with `#` it has a point whatever it is.
fn shortest(value: f64, alternate: bool) -> String {
    let text = float_text(value);
    match text.split_once('e') {
        Some((mantissa, power)) if alternate && !mantissa.contains('.') => {
            format!("{mantissa}.e{power}")
        }
        _ => text,
    }
}

/// Rust's `1.5e-7` as C writes it: `1.5e-07`.
fn exponent(text: &str, alternate: bool) -> String {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    let point = if alternate && !mantissa.contains('.') {
        "."
    } else {
        ""
    };
    format!("{mantissa}{point}e{sign}{digits:0>2}")
}

/// `g`: so many significant digits; scientific when the exponent is below -4 or not below the precision.
fn general(value: f64, precision: usize, alternate: bool, keep_point_zero: bool) -> String {
    let precision = precision.max(1);
    let scientific = format!("{value:.*e}", precision - 1);
    let power: i64 = scientific
        .split_once('e')
        .and_then(|(_, power)| power.parse().ok())
        .unwrap_or(0);
    let limit = i64::try_from(precision).unwrap_or(i64::MAX) - i64::from(keep_point_zero);
    let fixed = (-4..limit).contains(&power);
    let text = if fixed {
        let decimals = i64::try_from(precision).unwrap_or(i64::MAX) - 1 - power;
        format!("{value:.*}", usize::try_from(decimals).unwrap_or(0))
    } else {
        scientific
    };
    let (mantissa, power) = text
        .split_once('e')
        .map_or((text.as_str(), None), |(m, p)| (m, Some(p)));
    let mantissa = if alternate || !mantissa.contains('.') {
        mantissa
    } else {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    };
    match power {
        Some(power) => exponent(&format!("{mantissa}e{power}"), alternate),
        None if keep_point_zero && !mantissa.contains('.') => format!("{mantissa}.0"),
        None if alternate && !mantissa.contains('.') => format!("{mantissa}."),
        None => mantissa.to_owned(),
    }
}

/// An integer, given in decimal, in base 2, 8, 10 or 16.
pub(super) fn integer(decimal: &str, base: u32) -> Result<Numeral, FormatError> {
    let (negative, digits) = match decimal.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, decimal),
    };
    if digits.len() > MAX_DIGITS {
        return Err(FormatError::Invalid(format!(
            "an integer of {} digits is too long to print",
            digits.len()
        )));
    }
    let whole = if base == 10 {
        digits.to_owned()
    } else {
        in_base(digits, base)
    };
    Ok(Numeral {
        negative: negative && whole != "0",
        prefix: "",
        whole,
        rest: String::new(),
        finite: true,
    })
}

/// Long division of the decimal digits, because integers have any size.
fn in_base(decimal: &str, base: u32) -> String {
    let mut digits: Vec<u32> = decimal.chars().filter_map(|c| c.to_digit(10)).collect();
    let mut out = Vec::new();
    while !digits.is_empty() {
        let mut remainder = 0;
        let mut quotient = Vec::with_capacity(digits.len());
        for digit in digits {
            let value = remainder * 10 + digit;
            remainder = value % base;
            if !quotient.is_empty() || value >= base {
                quotient.push(value / base);
            }
        }
        out.extend(char::from_digit(remainder, base));
        digits = quotient;
    }
    if out.is_empty() {
        out.push('0');
    }
    out.iter().rev().collect()
}

/// Puts a separator between groups of digits, with leading zeros until the text is at least `min_width` long.
pub(super) fn grouped(digits: &str, separator: char, size: usize, min_width: usize) -> String {
    let grouped_len = |count: usize| count + count.saturating_sub(1) / size;
    let mut count = digits.len();
    while grouped_len(count) < min_width {
        count += 1;
    }
    let mut out = String::with_capacity(grouped_len(count));
    for (at, digit) in std::iter::repeat_n('0', count - digits.len())
        .chain(digits.chars())
        .enumerate()
    {
        if at > 0 && (count - at).is_multiple_of(size) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}
