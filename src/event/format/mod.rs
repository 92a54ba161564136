//! Python's two text formatting languages: `str.format` and `%`.
//!
//! `alert_text`, `alert_subject`, `metric_format_string` and `percentage_format_string` are written in them, so widths, signs, rounding
//! and errors follow Python's library reference ("Format String Syntax", "printf-style String Formatting").

mod number;
pub mod percent;
mod spec;
mod template;

pub use template::{Arguments, Format};

use super::{python, time::duration_text};
use serde_json::Value;
use std::borrow::Cow;
use std::time::Duration;

/// Why a text cannot be formatted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A placeholder names a value that is not there.
    #[error("there is no argument \"{0}\"")]
    NoArgument(String),
    /// The format is not well formed, or does not fit its value.
    #[error("{0}")]
    Invalid(String),
}

/// Widths and precisions beyond this are refused: they may come from an event, and a text of gigabytes helps nobody.
const MAX_WIDTH: usize = 10_000;

/// Integers beyond this are refused, as Python refuses to print them.
const MAX_DIGITS: usize = 4300;

/// A value to be put into a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument<'a> {
    /// A JSON value.
    Value(Cow<'a, Value>),
    /// A duration, Python's `timedelta`.
    Duration(Duration),
}

impl<'a> Argument<'a> {
    /// A JSON value.
    pub fn value(value: &'a Value) -> Self {
        Self::Value(Cow::Borrowed(value))
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Value(Cow::Owned(Value::String(text.into())))
    }

    /// Whether Python takes it for true.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Value(value) => python::is_truthy(value),
            Self::Duration(duration) => !duration.is_zero(),
        }
    }

    /// Python's `str()`.
    pub fn str(&self) -> String {
        match self {
            Self::Value(value) => python::str(value),
            Self::Duration(duration) => duration_text(*duration),
        }
    }

    /// Python's `repr()`.
    fn repr(&self) -> String {
        match self {
            Self::Value(value) => python::repr(value),
            Self::Duration(duration) => duration_repr(*duration),
        }
    }

    /// Python's `type(x).__name__`.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Value(value) => python::type_name(value),
            Self::Duration(_) => "datetime.timedelta",
        }
    }
}

fn duration_repr(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts: Vec<String> = [
        ("days", seconds / 86_400),
        ("seconds", seconds % 86_400),
        ("microseconds", u64::from(duration.subsec_micros())),
    ]
    .iter()
    .filter(|(_, amount)| *amount > 0)
    .map(|(unit, amount)| format!("{unit}={amount}"))
    .collect();
    let inside = if parts.is_empty() {
        "0".to_owned()
    } else {
        parts.join(", ")
    };
    format!("datetime.timedelta({inside})")
}

/// Python's `ascii()`: a `repr` whose characters beyond ASCII are escaped.
fn ascii(repr: &str) -> String {
    let mut out = String::with_capacity(repr.len());
    for c in repr.chars() {
        match u32::from(c) {
            0..=0x7f => out.push(c),
            code @ 0x80..=0xff => out.push_str(&format!("\\x{code:02x}")),
            code @ 0x100..=0xffff => out.push_str(&format!("\\u{code:04x}")),
            code => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests;
