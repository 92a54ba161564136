//! The format specification mini-language: what stands after the colon in `{0:>8.2f}`.

use super::number::{self, Notation, Numeral};
use super::{Argument, FormatError, MAX_WIDTH};
use crate::event::python;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    Centre,
    /// Padding goes between sign and digits.
    AfterSign,
}

/// A parsed specification.
#[derive(Debug, Clone, Default)]
pub(super) struct Spec {
    pub(super) fill: Option<char>,
    pub(super) align: Option<Align>,
    /// `+`, `-` or a blank.
    pub(super) sign: Option<char>,
    /// `z`: no minus before a zero.
    pub(super) no_minus_zero: bool,
    /// `#`.
    pub(super) alternate: bool,
    /// `0` before the width.
    pub(super) zero: bool,
    pub(super) width: usize,
    pub(super) grouping: Option<char>,
    pub(super) precision: Option<usize>,
    pub(super) kind: Option<char>,
}

/// `format(argument, spec)`.
pub(super) fn apply(argument: &Argument<'_>, spec: &str) -> Result<String, FormatError> {
    if spec.is_empty() {
        return Ok(argument.str());
    }
    let Argument::Value(value) = argument else {
        return Err(unsupported(argument));
    };
    match value.as_ref() {
        Value::String(text) => Spec::parse(spec)?.text(text),
        Value::Bool(b) => Spec::parse(spec)?.integer(if *b { "1" } else { "0" }),
        Value::Number(n) if python::is_integer(n) => {
            Spec::parse(spec)?.integer(&python::number_text(n))
        }
        Value::Number(n) => {
            let spec = Spec::parse(spec)?;
            match spec.kind.map_or(Some(Notation::Plain), notation) {
                Some(notation) => spec.float(n.as_str().parse().unwrap_or(f64::INFINITY), notation),
                None => Err(spec.wrong_kind("float")),
            }
        }
        Value::Null | Value::Array(_) | Value::Object(_) => Err(unsupported(argument)),
    }
}

fn unsupported(argument: &Argument<'_>) -> FormatError {
    FormatError::Invalid(format!(
        "a {} takes no format specification",
        argument.type_name()
    ))
}

/// The notation a type letter asks for.
pub(super) fn notation(kind: char) -> Option<Notation> {
    match kind {
        'e' | 'E' => Some(Notation::Exponent),
        'f' | 'F' => Some(Notation::Fixed),
        'g' | 'G' | 'n' => Some(Notation::General),
        '%' => Some(Notation::Percent),
        _ => None,
    }
}

impl Spec {
    fn parse(text: &str) -> Result<Self, FormatError> {
        let mut spec = Self::default();
        let mut chars = text.chars().peekable();
        let mut ahead = text.chars();
        let (first, second) = (ahead.next(), ahead.next());
        if let Some(align) = second.and_then(align_of) {
            spec.fill = first;
            spec.align = Some(align);
            chars.nth(1);
        } else if let Some(align) = first.and_then(align_of) {
            spec.align = Some(align);
            chars.next();
        }
        spec.sign = chars.next_if(|c| matches!(c, '+' | '-' | ' '));
        spec.no_minus_zero = chars.next_if_eq(&'z').is_some();
        spec.alternate = chars.next_if_eq(&'#').is_some();
        spec.zero = spec.fill.is_none() && chars.next_if_eq(&'0').is_some();
        spec.width = digits(&mut chars)?.unwrap_or(0);
        spec.grouping = chars.next_if(|c| matches!(c, ',' | '_'));
        if spec.grouping.is_some() && chars.next_if(|c| matches!(c, ',' | '_')).is_some() {
            return Err(FormatError::Invalid(format!(
                "only one thousands separator is allowed in \"{text}\""
            )));
        }
        if chars.next_if_eq(&'.').is_some() {
            let precision = digits(&mut chars)?.ok_or_else(|| {
                FormatError::Invalid(format!("no digits after the point in \"{text}\""))
            })?;
            spec.precision = Some(precision);
        }
        spec.kind = chars.next();
        if chars.next().is_some() {
            return Err(FormatError::Invalid(format!(
                "invalid format specifier \"{text}\""
            )));
        }
        spec.check_grouping()?;
        Ok(spec)
    }

    fn check_grouping(&self) -> Result<(), FormatError> {
        match (self.grouping, self.kind) {
            (None, _)
            | (Some(_), None | Some('d' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%'))
            | (Some('_'), Some('b' | 'o' | 'x' | 'X')) => Ok(()),
            (Some(separator), Some(kind)) => Err(FormatError::Invalid(format!(
                "\"{separator}\" cannot be combined with \"{kind}\""
            ))),
        }
    }

    fn wrong_kind(&self, type_name: &str) -> FormatError {
        let kind = self.kind.unwrap_or_default();
        FormatError::Invalid(format!("a {type_name} cannot be formatted as \"{kind}\""))
    }

    fn text(&self, text: &str) -> Result<String, FormatError> {
        let refused = |what: &str| {
            Err(FormatError::Invalid(format!(
                "{what} is not allowed for text"
            )))
        };
        if !matches!(self.kind, None | Some('s')) {
            return Err(self.wrong_kind("str"));
        }
        if self.sign.is_some() || self.no_minus_zero {
            return refused("a sign");
        }
        if self.alternate {
            return refused("\"#\"");
        }
        if self.align == Some(Align::AfterSign) {
            return refused("\"=\"");
        }
        if self.grouping.is_some() {
            return refused("a thousands separator");
        }
        let text: String = match self.precision {
            Some(precision) => text.chars().take(precision).collect(),
            None => text.to_owned(),
        };
        let fill = if self.zero { Some('0') } else { self.fill };
        Ok(pad(
            &text,
            self.width,
            fill.unwrap_or(' '),
            self.align.unwrap_or(Align::Left),
        ))
    }

    pub(super) fn integer(&self, decimal: &str) -> Result<String, FormatError> {
        let kind = self.kind.unwrap_or('d');
        if let Some(notation) = notation(kind).filter(|_| kind != 'n') {
            let value: f64 = decimal.parse().unwrap_or(f64::INFINITY);
            return if value.is_finite() {
                self.float(value, notation)
            } else {
                Err(FormatError::Invalid(
                    "an integer too large for a float".to_owned(),
                ))
            };
        }
        if self.precision.is_some() {
            return Err(FormatError::Invalid(
                "a precision is not allowed for an integer".to_owned(),
            ));
        }
        if self.no_minus_zero {
            return Err(FormatError::Invalid(
                "\"z\" is not allowed for an integer".to_owned(),
            ));
        }
        let (base, prefix) = match kind {
            'd' | 'n' => (10, ""),
            'b' => (2, "0b"),
            'o' => (8, "0o"),
            'x' => (16, "0x"),
            'X' => (16, "0X"),
            'c' => return self.character(decimal),
            _ => return Err(self.wrong_kind("int")),
        };
        let mut numeral = number::integer(decimal, base)?;
        if self.alternate {
            numeral.prefix = prefix;
        }
        if kind == 'X' {
            numeral.whole.make_ascii_uppercase();
        }
        Ok(self.numeral(&numeral, if base == 10 { 3 } else { 4 }))
    }

    fn character(&self, decimal: &str) -> Result<String, FormatError> {
        if self.sign.is_some() || self.alternate {
            return Err(FormatError::Invalid(
                "sign and \"#\" are not allowed with \"c\"".to_owned(),
            ));
        }
        let c = decimal.parse().ok().and_then(char::from_u32);
        let c =
            c.ok_or_else(|| FormatError::Invalid(format!("{decimal} is no character's code")))?;
        let fill = if self.zero { Some('0') } else { self.fill };
        let align = self.align.unwrap_or(Align::Right);
        Ok(pad(
            c.encode_utf8(&mut [0; 4]),
            self.width,
            fill.unwrap_or(' '),
            align,
        ))
    }

    pub(super) fn float(&self, value: f64, notation: Notation) -> Result<String, FormatError> {
        let mut numeral = number::float(value, notation, self.precision, self.alternate);
        if self.no_minus_zero && is_zero(&numeral) {
            numeral.negative = false;
        }
        if matches!(self.kind, Some('E' | 'F' | 'G')) {
            numeral.whole.make_ascii_uppercase();
            numeral.rest.make_ascii_uppercase();
        }
        Ok(self.numeral(&numeral, 3))
    }

    /// Puts sign, prefix, separators and padding around a number's digits.
    fn numeral(&self, numeral: &Numeral, group: usize) -> String {
        let sign = match (numeral.negative, self.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(' ')) => " ",
            (false, _) => "",
        };
        let before = format!("{sign}{}", numeral.prefix);
        let fill = self.fill.unwrap_or(if self.zero { '0' } else { ' ' });
        let align = self.align.unwrap_or(if self.zero {
            Align::AfterSign
        } else {
            Align::Right
        });
        let whole = match self.grouping {
            Some(separator) if numeral.finite => {
                let room = if fill == '0' && align == Align::AfterSign {
                    self.width.saturating_sub(before.len() + numeral.rest.len())
                } else {
                    0
                };
                number::grouped(&numeral.whole, separator, group, room)
            }
            _ => numeral.whole.clone(),
        };
        let digits = format!("{whole}{}", numeral.rest);
        if align == Align::AfterSign {
            let room = self.width.saturating_sub(before.len());
            format!("{before}{}", pad(&digits, room, fill, Align::Right))
        } else {
            pad(&format!("{before}{digits}"), self.width, fill, align)
        }
    }
}

fn is_zero(numeral: &Numeral) -> bool {
    let mantissa = numeral.rest.split(['e', 'E']).next().unwrap_or_default();
    numeral.finite && numeral.whole == "0" && !mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'))
}

fn align_of(c: char) -> Option<Align> {
    match c {
        '<' => Some(Align::Left),
        '>' => Some(Align::Right),
        '^' => Some(Align::Centre),
        '=' => Some(Align::AfterSign),
        _ => None,
    }
}

/// Reads a run of digits; `None` when there is none.
pub(super) fn digits(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
) -> Result<Option<usize>, FormatError> {
    let mut value = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        let digit = usize::try_from(digit).unwrap_or(0);
        let sum = value.unwrap_or(0) * 10 + digit;
        if sum > MAX_WIDTH {
            return Err(FormatError::Invalid(format!(
                "widths and precisions beyond {MAX_WIDTH} are not supported"
            )));
        }
        value = Some(sum);
    }
    Ok(value)
}

/// Fills a text up to a width in code points.
pub(super) fn pad(text: &str, width: usize, fill: char, align: Align) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let left = match align {
        Align::Left => 0,
        Align::Right | Align::AfterSign => missing,
        Align::Centre => missing / 2,
    };
    let mut out = String::with_capacity(text.len() + missing * fill.len_utf8());
    out.extend(std::iter::repeat_n(fill, left));
    out.push_str(text);
    out.extend(std::iter::repeat_n(fill, missing - left));
    out
}
