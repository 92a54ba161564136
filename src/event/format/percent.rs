//! `%` formatting: `'%.2f' % value`, `'%(name)s' % mapping`.

use super::number::Notation;
use super::spec::{Align, Spec, digits, notation, pad};
use super::{Argument, FormatError, ascii};
use crate::event::python;
use serde_json::{Number, Value};
use std::iter::Peekable;
use std::str::Chars;

/// What stands to the right of `%`.
pub enum Operand<'a> {
    /// One value, or several in a tuple.
    Values(&'a [Argument<'a>]),
    /// A mapping, asked by key.
    Mapping(&'a dyn Fn(&str) -> Option<Argument<'a>>),
}

/// `text % operand`.
///
/// # Errors
/// Too few or too many values, an unknown key, a letter that does not fit its value, an incomplete format.
pub fn format(text: &str, operand: &Operand<'_>) -> Result<String, FormatError> {
    format_with(text, operand, &mut |value, out| out.push_str(value))
}

/// As [`format`], but each value's text goes through `put`, so that the caller can tell it from the text around it.
pub(crate) fn format_with(
    text: &str,
    operand: &Operand<'_>,
    put: &mut dyn FnMut(&str, &mut String),
) -> Result<String, FormatError> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut taken = 0;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.next_if_eq(&'%').is_some() {
            out.push('%');
            continue;
        }
        let key = key(&mut chars)?;
        let mut next = || {
            let Operand::Values(values) = operand else {
                return Err(FormatError::Invalid(
                    "a % format needs a key here, such as %(field)s".to_owned(),
                ));
            };
            let value = values.get(taken).cloned();
            taken += 1;
            value.ok_or_else(|| {
                FormatError::Invalid("not enough values for the % formats".to_owned())
            })
        };
        let (spec, left) = spec(&mut chars, &mut next)?;
        if spec.kind == Some('%') {
            out.push('%');
            continue;
        }
        let value = match (key, operand) {
            (Some(key), Operand::Mapping(get)) => get(&key).ok_or(FormatError::NoArgument(key))?,
            (Some(_), Operand::Values(_)) => {
                return Err(FormatError::Invalid("a key needs a mapping".to_owned()));
            }
            (None, _) => next()?,
        };
        put(&convert(spec, left, &value)?, &mut out);
    }
    match operand {
        Operand::Values(values) if taken < values.len() => Err(FormatError::Invalid(
            "more values than % formats".to_owned(),
        )),
        _ => Ok(out),
    }
}

/// `(key)`, in which brackets may nest.
fn key(chars: &mut Peekable<Chars<'_>>) -> Result<Option<String>, FormatError> {
    if chars.next_if_eq(&'(').is_none() {
        return Ok(None);
    }
    let mut open = 1;
    let mut key = String::new();
    for c in chars {
        match c {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Ok(Some(key));
        }
        key.push(c);
    }
    Err(FormatError::Invalid(
        "a key in a % format has no end".to_owned(),
    ))
}

/// Flags, width, precision and letter; and whether `-` asks for left alignment.
fn spec<'v>(
    chars: &mut Peekable<Chars<'_>>,
    next: &mut dyn FnMut() -> Result<Argument<'v>, FormatError>,
) -> Result<(Spec, bool), FormatError> {
    let mut spec = Spec::default();
    let mut left = false;
    while let Some(flag) = chars.next_if(|c| matches!(c, '#' | '0' | '-' | ' ' | '+')) {
        match flag {
            '#' => spec.alternate = true,
            '0' => spec.zero = true,
            '-' => left = true,
            '+' => spec.sign = Some('+'),
            _ => spec.sign = spec.sign.or(Some(' ')),
        }
    }
    let mut amount = |chars: &mut Peekable<Chars<'_>>| -> Result<Option<i64>, FormatError> {
        if chars.next_if_eq(&'*').is_none() {
            return Ok(digits(chars)?.and_then(|n| i64::try_from(n).ok()));
        }
        match next()? {
            Argument::Value(value) => value.as_i64().filter(|n| n.unsigned_abs() <= 10_000),
            Argument::Duration(_) => None,
        }
        .map(Some)
        .ok_or_else(|| FormatError::Invalid("\"*\" wants an integer".to_owned()))
    };
    let width = amount(chars)?.unwrap_or(0);
    left |= width < 0;
    spec.width = usize::try_from(width.unsigned_abs()).unwrap_or(0);
    if chars.next_if_eq(&'.').is_some() {
        let precision = amount(chars)?.unwrap_or(0);
        spec.precision = Some(usize::try_from(precision).unwrap_or(0));
    }
    while chars.next_if(|c| matches!(c, 'h' | 'l' | 'L')).is_some() {}
    spec.kind = chars.next();
    if spec.kind.is_none() {
        return Err(FormatError::Invalid("a % format has no end".to_owned()));
    }
    Ok((spec, left))
}

fn convert(mut spec: Spec, left: bool, value: &Argument<'_>) -> Result<String, FormatError> {
    if left {
        spec.align = Some(Align::Left);
        spec.zero = false;
    }
    let kind = spec.kind.unwrap_or_default();
    let text_align = spec.align.unwrap_or(Align::Right);
    let text = |text: String| {
        let text: String = match spec.precision {
            Some(precision) => text.chars().take(precision).collect(),
            None => text,
        };
        Ok(pad(&text, spec.width, ' ', text_align))
    };
    match kind {
        's' => text(value.str()),
        'r' => text(value.repr()),
        'a' => text(ascii(&value.repr())),
        'c' => Ok(pad(&character(value)?, spec.width, ' ', text_align)),
        'd' | 'i' | 'u' | 'o' | 'x' | 'X' => {
            let decimal = whole(value, matches!(kind, 'd' | 'i' | 'u'))?;
            spec.kind = Some(if matches!(kind, 'i' | 'u') { 'd' } else { kind });
            integer(spec, &decimal)
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            let value = number(value)
                .ok_or_else(|| FormatError::Invalid(format!("%{kind} needs a number, not text")))?;
            spec.float(value, notation(kind).unwrap_or(Notation::General))
        }
        other => Err(FormatError::Invalid(format!(
            "unknown % format \"{other}\""
        ))),
    }
}

/// An integer; here a precision is the least number of digits.
fn integer(mut spec: Spec, decimal: &str) -> Result<String, FormatError> {
    let Some(precision) = spec.precision.take() else {
        return spec.integer(decimal);
    };
    let width = std::mem::take(&mut spec.width);
    let zero = std::mem::take(&mut spec.zero);
    let text = spec.integer(decimal)?;
    let at = match text.find(['x', 'X', 'o']) {
        Some(prefix) => prefix + 1,
        None => text.find(|c: char| c.is_ascii_hexdigit()).unwrap_or(0),
    };
    let (before, number) = text.split_at(at);
    let number = pad(number, precision, '0', Align::Right);
    match spec.align {
        None if zero => {
            let room = width.saturating_sub(before.len());
            Ok(format!("{before}{}", pad(&number, room, '0', Align::Right)))
        }
        align => Ok(pad(
            &format!("{before}{number}"),
            width,
            ' ',
            align.unwrap_or(Align::Right),
        )),
    }
}

/// A value as a decimal integer; floats are cut toward zero where Python does so.
fn whole(value: &Argument<'_>, cut: bool) -> Result<String, FormatError> {
    let Argument::Value(value) = value else {
        return Err(FormatError::Invalid("an integer is needed".to_owned()));
    };
    match value.as_ref() {
        Value::Bool(b) => Ok(u8::from(*b).to_string()),
        Value::Number(n) if python::is_integer(n) => Ok(python::number_text(n)),
        Value::Number(n) if cut => truncated(n),
        other => Err(FormatError::Invalid(format!(
            "an integer is needed, not {}",
            python::type_name(other)
        ))),
    }
}

fn truncated(number: &Number) -> Result<String, FormatError> {
    let value: f64 = number.as_str().parse().unwrap_or(f64::NAN);
    if !value.is_finite() {
        return Err(FormatError::Invalid(
            "a float without a finite value has no integer".to_owned(),
        ));
    }
    let text = format!("{:.0}", value.trunc());
    Ok(if text == "-0" { "0".to_owned() } else { text })
}

fn number(value: &Argument<'_>) -> Option<f64> {
    match value {
        Argument::Value(value) => python::number_value(value),
        Argument::Duration(_) => None,
    }
}

fn character(value: &Argument<'_>) -> Result<String, FormatError> {
    let Argument::Value(value) = value else {
        return Err(FormatError::Invalid("%c needs a character".to_owned()));
    };
    match value.as_ref() {
        Value::String(text) if text.chars().count() == 1 => Ok(text.clone()),
        Value::Bool(b) => Ok(char::from(u8::from(*b)).to_string()),
        other => other
            .as_u64()
            .and_then(|code| u32::try_from(code).ok())
            .and_then(char::from_u32)
            .map(String::from)
            .ok_or_else(|| FormatError::Invalid("%c needs a character".to_owned())),
    }
}
