//! Numbers as Elasticsearch's numeric fields read them, from documents and from queries.

use crate::event::project::Item;
use std::borrow::Cow;

/// Why a value is no number for a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberError {
    /// It is not a number.
    NotANumber,
    /// It is beyond the field's range.
    OutOfRange,
}

/// The whole part of a decimal text (`12`, `-1.9`, `3e2`), as Java's `BigDecimal` reads it, and whether something was cut off.
pub(super) fn whole(text: &str) -> Result<(i128, bool), NumberError> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            exponent
                .strip_prefix('+')
                .unwrap_or(exponent)
                .parse::<i64>()
                .map_err(|_| NumberError::NotANumber)?,
        ),
        None => (digits, 0),
    };
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = integer.bytes().chain(fraction.bytes());
    if integer.len() + fraction.len() == 0 || !all.clone().all(|byte| byte.is_ascii_digit()) {
        return Err(NumberError::NotANumber);
    }
    let point = i64::try_from(integer.len())
        .unwrap_or(i64::MAX)
        .saturating_add(exponent);
    let mut value: i128 = 0;
    let mut cut = false;
    let mut at = 0_i64;
    for byte in all {
        if at < point {
            value = value
                .checked_mul(10)
                .and_then(|v| v.checked_add(i128::from(byte - b'0')))
                .ok_or(NumberError::OutOfRange)?;
        } else if byte != b'0' {
            cut = true;
        }
        at += 1;
    }
    if value != 0 {
        for _ in at..point {
            value = value.checked_mul(10).ok_or(NumberError::OutOfRange)?;
        }
    }
    Ok((if negative { -value } else { value }, cut))
}

/// Where the digits of other scripts begin, ten in a row.
const ZEROS: [u32; 36] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6,
    0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
];

/// The same of what only Java's doubles know (`0x1p3`, `5d`), as fields of 32 bits and less read it. What is not a number is zero for them.
pub(super) fn whole_of_double(text: &str) -> Result<(i128, bool), NumberError> {
    let number = double(text).ok_or(NumberError::NotANumber)?;
    let number = if number.is_nan() { 0.0 } else { number };
    whole(&format!("{number}"))
}

/// The text with the digits of any script as those of ASCII: Java reads 64-bit numbers of documents like that, and no others.
pub(super) fn with_ascii_digits(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let digit = |c: char| {
        let before = |zero: &u32| u32::from(c).checked_sub(*zero);
        let value = ZEROS.iter().filter_map(before).find(|value| *value < 10)?;
        char::from_digit(value, 10)
    };
    text.chars().map(|c| digit(c).unwrap_or(c)).collect()
}

/// A text as Java's `Double.parseDouble` reads it: blanks around it and a closing `d` or `f` are fine.
pub(super) fn double(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let unsigned = text.trim_start_matches(['+', '-']);
    if text.len() - unsigned.len() > 1 {
        return None;
    }
    let value = match unsigned {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        _ => {
            let digits = unsigned
                .strip_suffix(['d', 'D', 'f', 'F'])
                .unwrap_or(unsigned);
            if let Some(hexadecimal) = unsigned
                .strip_prefix(['0'])
                .and_then(|rest| rest.strip_prefix(['x', 'X']))
            {
                hexadecimal_double(hexadecimal)?
            } else if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
                digits.parse().ok()?
            } else {
                return None;
            }
        }
    };
    Some(if text.starts_with('-') { -value } else { value })
}

/// What follows the `0x` of a double in Java: hexadecimal digits, a point among them or not, and a power of two.
fn hexadecimal_double(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent = exponent
        .strip_suffix(['d', 'D', 'f', 'F'])
        .unwrap_or(exponent);
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = whole.chars().chain(fraction.chars());
    let steps = digits
        .map(|digit| digit.to_digit(16))
        .collect::<Option<Vec<_>>>()?;
    if steps.is_empty() {
        return None;
    }
    let value = steps
        .iter()
        .fold(0.0, |value, digit| value * 16.0 + f64::from(*digit));
    let places = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(value * 2_f64.powi(exponent.saturating_sub(places)))
}

/// The text of a scalar as it was written; `None` for null, lists and objects.
pub(super) fn scalar_text(value: Item<'_>) -> Option<&str> {
    match value {
        Item::Text(text) | Item::Number(text) => Some(text),
        Item::Bool(true) => Some("true"),
        Item::Bool(false) => Some("false"),
        Item::Null | Item::Object(_) => None,
    }
}

/// Java's `Double.toString`.
pub(super) fn java_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&magnitude) {
        let text = format!("{value}");
        return if text.contains('.') {
            text
        } else {
            format!("{text}.0")
        };
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if mantissa.contains('.') => format!("{mantissa}E{exponent}"),
        Some((mantissa, exponent)) => format!("{mantissa}.0E{exponent}"),
        None => text,
    }
}

/// Rounds to 16-bit floating point, half to even; infinite beyond its range.
pub(super) fn half_float(value: f32) -> f32 {
    let magnitude = value.abs();
    if !magnitude.is_finite() || magnitude == 0.0 {
        return value;
    }
    // 10 bits of mantissa above the smallest normal exponent of -14, a fixed step of 2^-24 below it.
    let exponent =
        (i32::from(u16::try_from(magnitude.to_bits() >> 23).unwrap_or(0)) - 127).max(-14);
    let step = 2_f32.powi(exponent - 10);
    let rounded = (magnitude / step).round_ties_even() * step;
    let rounded = if rounded > 65504.0 {
        f32::INFINITY
    } else {
        rounded
    };
    rounded.copysign(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_parts() {
        for (text, expected) in [
            ("12", Ok((12, false))),
            ("-1.9", Ok((-1, true))),
            ("3e2", Ok((300, false))),
            ("1.25E1", Ok((12, true))),
            ("1e-1", Ok((0, true))),
            ("5.0", Ok((5, false))),
            ("", Err(NumberError::NotANumber)),
            ("+", Err(NumberError::NotANumber)),
            (" 5", Err(NumberError::NotANumber)),
            ("1e400", Err(NumberError::OutOfRange)),
            ("0e999999999999", Ok((0, false))),
        ] {
            assert_eq!(whole(text), expected, "{text}");
        }
    }

    #[test]
    fn doubles_as_java_prints_them() {
        for (value, expected) in [
            (1.0, "1.0"),
            (0.001, "0.001"),
            (1e7, "1.0E7"),
            (1.25e-5, "1.25E-5"),
            (-0.5, "-0.5"),
        ] {
            assert_eq!(java_double(value), expected);
        }
    }

    #[test]
    fn doubles_as_java_reads_them() {
        for (text, expected) in [
            (" 1.5d ", Some(1.5)),
            ("0x10p2", Some(64.0)),
            ("-0X.8P1f", Some(-1.0)),
            ("0x1.8p-1", Some(0.75)),
            ("0x10", None),
            ("0xp1", None),
            ("--1", None),
            ("inf", None),
        ] {
            assert_eq!(double(text), expected, "{text}");
        }
        assert_eq!(whole_of_double("NaN"), Ok((0, false)));
        assert_eq!(whole_of_double("5.5f"), Ok((5, true)));
    }

    #[test]
    fn half_floats() {
        assert_eq!(half_float(35.6895), 35.6875);
        assert_eq!(half_float(2049.0), 2048.0);
        assert_eq!(half_float(70000.0), f32::INFINITY);
        assert_eq!(half_float(0.1), 0.099_975_586);
    }
}
