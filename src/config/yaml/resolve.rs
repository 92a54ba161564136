//! What a scalar means: PyYAML's implicit resolvers (YAML 1.1) and constructors.

use super::timestamp;
use crate::config::Data;
use regex::Regex;
use std::sync::LazyLock;

/// The kinds of scalar PyYAML tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    Str,
    Binary,
    /// `<<`
    Merge,
    /// `=`
    Value,
}

/// Decimal digits Python converts at most (`sys.int_info.default_max_str_digits`).
const MAX_DIGITS: usize = 4300;

#[expect(
    clippy::expect_used,
    reason = "the patterns are constants, compiled by every test"
)]
fn pattern(text: &str) -> Regex {
    Regex::new(&format!("^(?:{text})$")).expect("a valid pattern")
}

static INT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+",
    )
});
static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|",
        r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    ))
});

/// What a plain scalar is.
pub(super) fn implicit(text: &str) -> Tag {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Tag::Null,
        "yes" | "Yes" | "YES" | "no" | "No" | "NO" | "true" | "True" | "TRUE" | "false"
        | "False" | "FALSE" | "on" | "On" | "ON" | "off" | "Off" | "OFF" => Tag::Bool,
        "<<" => Tag::Merge,
        "=" => Tag::Value,
        _ if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => Tag::Str,
        _ if FLOAT.is_match(text) => Tag::Float,
        _ if INT.is_match(text) => Tag::Int,
        _ if timestamp::is_implicit(text) => Tag::Timestamp,
        _ => Tag::Str,
    }
}

/// Builds the value; an error says what is wrong with it.
pub(super) fn construct(tag: Tag, text: &str) -> Result<Data, String> {
    match tag {
        Tag::Null => Ok(Data::Null),
        Tag::Str => Ok(Data::Str(text.to_owned())),
        Tag::Bool => boolean(text)
            .map(Data::Bool)
            .ok_or_else(|| format!("`{text}` is no boolean")),
        Tag::Int => integer(text).ok_or_else(|| format!("`{text}` is no integer")),
        Tag::Float => float(text)
            .map(Data::Float)
            .ok_or_else(|| format!("`{text}` is no number")),
        Tag::Timestamp => timestamp::text(text)
            .map(Data::Time)
            .ok_or_else(|| format!("`{text}` looks like a date but is none")),
        Tag::Binary => binary(text).map(Data::Bytes),
        Tag::Merge => Err("`<<` is for keys only".to_owned()),
        Tag::Value => Err("a lone `=` is no value in YAML 1.1".to_owned()),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "on" => Some(true),
        "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

fn integer(text: &str) -> Option<Data> {
    let text = text.replace('_', "");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let mut number = Decimal::default();
    if let Some(bits) = digits.strip_prefix("0b") {
        number.digits(bits, 2)?;
    } else if let Some(hex) = digits.strip_prefix("0x") {
        number.digits(hex, 16)?;
    } else if digits.starts_with('0') {
        number.digits(digits, 8)?;
    } else {
        let mut parts = digits.split(':');
        number.digits(parts.next()?.trim(), 10)?;
        for part in parts {
            number.multiply_add(60, part.parse().ok()?);
        }
    }
    let text = number.text();
    let text = if negative && text != "0" {
        format!("-{text}")
    } else {
        text
    };
    Some(match text.parse() {
        Ok(small) => Data::Int(small),
        Err(_) => Data::BigInt(text),
    })
}

/// A natural number of any size, least significant nine digits first.
#[derive(Default)]
struct Decimal(Vec<u32>);

impl Decimal {
    fn digits(&mut self, digits: &str, base: u32) -> Option<()> {
        if digits.is_empty() || digits.len() > MAX_DIGITS {
            return None;
        }
        for c in digits.chars() {
            self.multiply_add(base, c.to_digit(base)?);
        }
        Some(())
    }

    fn multiply_add(&mut self, factor: u32, summand: u32) {
        const LIMB: u64 = 1_000_000_000;
        let mut carry = u64::from(summand);
        for limb in &mut self.0 {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = u32::try_from(carry % LIMB).unwrap_or(0);
            carry /= LIMB;
        }
        while carry > 0 {
            self.0.push(u32::try_from(carry % LIMB).unwrap_or(0));
            carry /= LIMB;
        }
    }

    fn text(&self) -> String {
        let mut limbs = self.0.iter().rev().skip_while(|limb| **limb == 0);
        let Some(first) = limbs.next() else {
            return "0".to_owned();
        };
        limbs.fold(first.to_string(), |text, limb| format!("{text}{limb:09}"))
    }
}

fn float(text: &str) -> Option<f64> {
    let text = text.replace('_', "").to_lowercase();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(&text)),
    };
    match digits {
        ".inf" => return Some(sign * f64::INFINITY),
        ".nan" => return Some(f64::NAN),
        _ => {}
    }
    // From the last part up, as PyYAML adds them: the order decides the last bit.
    let mut value = 0.0;
    let mut base = 1.0;
    for part in digits.rsplit(':') {
        value += part.trim().parse::<f64>().ok()? * base;
        base *= 60.0;
    }
    Some(sign * value)
}

/// Base64 as Python's `decodebytes` reads it: what is no base64 character is skipped.
fn binary(text: &str) -> Result<Vec<u8>, String> {
    use base64::Engine as _;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    if !text.is_ascii() {
        return Err("binary data must be base64".to_owned());
    }
    let digits: String = text
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "+/=".contains(*c))
        .collect();
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&base64::alphabet::STANDARD, config)
        .decode(digits)
        .map_err(|error| format!("binary data must be base64: {error}"))
}
