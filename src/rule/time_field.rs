//! A rule's clock: `timestamp_field`, `timestamp_type`, and how an event's value becomes an instant.

use super::time_expression::TimeExpression;
use crate::config::{OptionSpec, Problem, Properties, Span, opt};
use crate::event::fuzzy_time::parse;
use crate::event::time::parse_iso;
use crate::event::{Field, FieldPath, Timestamp, python, strptime::Pattern};
use serde_json::Value;

/// The options [`TimeField::load`] reads.
pub const OPTIONS: &[OptionSpec] = &[
    opt("timestamp_field")
        .names_fields()
        .default("@timestamp")
        .doc("The field with the event's time."),
    opt("timestamp_type")
        .default("iso")
        .doc("How the time is written: iso, unix, unix_ms, unix_us (seconds, milliseconds, microseconds since 1970) or custom."),
    opt("timestamp_format")
        .default("%Y-%m-%dT%H:%M:%SZ")
        .doc("For custom times: Python's strptime pattern."),
    opt("timestamp_to_datetime_format_expr")
        .doc("For custom times: a Python expression over ts, the text, applied before the pattern: slices, concatenation, replace."),
    opt("timestamp_format_expr")
        .no_effect("it shapes the times in a query to Elasticsearch, and there are no queries here")
        .doc("For custom times: a Python expression that shapes times in queries."),
];

/// `timestamp_field` and how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeField {
    /// The field.
    pub path: FieldPath,
    /// `timestamp_type`.
    pub format: TimeFormat,
}

/// `timestamp_type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeFormat {
    /// ISO 8601, or whatever else dateutil reads.
    Iso,
    /// Seconds since 1970, perhaps with a fraction.
    Unix,
    /// Milliseconds since 1970.
    UnixMillis,
    /// Microseconds since 1970.
    UnixMicros,
    /// `timestamp_format`, after `timestamp_to_datetime_format_expr`.
    Custom(Box<CustomFormat>),
}

/// A `timestamp_type: custom`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomFormat {
    /// `timestamp_format`.
    pattern: Pattern,
    /// `timestamp_to_datetime_format_expr`.
    before: Option<TimeExpression>,
}

/// Why an event has no usable time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The field is missing or null.
    #[error("no field {0:?}")]
    Missing(String),
    /// Its value cannot be read as the rule says.
    #[error("{value} in field {field:?} is no time")]
    Unreadable {
        /// The field.
        field: String,
        /// Its value, as JSON.
        value: String,
    },
}

impl TimeField {
    /// Reads the options of [`OPTIONS`].
    ///
    /// # Errors
    /// An unknown `timestamp_type`, a pattern or an expression that cannot be used.
    pub fn load(properties: &Properties) -> Result<Self, Vec<Problem>> {
        let text =
            |name: &str, default: &str| properties.text(name).unwrap_or_else(|| default.to_owned());
        let kind = text("timestamp_type", "iso").trim().to_lowercase();
        let format = match kind.as_str() {
            "iso" => TimeFormat::Iso,
            "unix" => TimeFormat::Unix,
            "unix_ms" => TimeFormat::UnixMillis,
            "unix_us" => TimeFormat::UnixMicros,
            "custom" => TimeFormat::Custom(Box::new(CustomFormat::load(properties)?)),
            other => {
                let message = format!("unknown timestamp_type {other:?}");
                let problem = Problem::error("E0401", &span(properties, "timestamp_type"), message)
                    .help("use iso, unix, unix_ms, unix_us or custom");
                return Err(vec![problem]);
            }
        };
        Ok(Self {
            path: FieldPath::new(text("timestamp_field", "@timestamp")),
            format,
        })
    }

    /// The instant in the field, to the microsecond, with the offset it was written in.
    ///
    /// # Errors
    /// The event has no usable time.
    pub fn read(&self, field: Field<'_>) -> Result<Timestamp, TimeError> {
        if !field.is_some() {
            return Err(TimeError::Missing(self.path.as_str().to_owned()));
        }
        let read = match &self.format {
            TimeFormat::Iso => field
                .as_str()
                .and_then(|text| parse_iso(&text).or_else(|| parse(&text))),
            TimeFormat::Unix => unix(field, 1.0),
            TimeFormat::UnixMillis => unix(field, 1e3),
            TimeFormat::UnixMicros => unix(field, 1e6),
            TimeFormat::Custom(custom) => field.as_str().and_then(|text| custom.read(&text)),
        };
        read.ok_or_else(|| TimeError::Unreadable {
            field: self.path.as_str().to_owned(),
            value: field.to_value().to_string(),
        })
    }
}

impl CustomFormat {
    fn load(properties: &Properties) -> Result<Self, Vec<Problem>> {
        let pattern = properties
            .text("timestamp_format")
            .unwrap_or_else(|| "%Y-%m-%dT%H:%M:%SZ".to_owned());
        let pattern = Pattern::new(&pattern).map_err(|message| {
            vec![Problem::error(
                "E0402",
                &span(properties, "timestamp_format"),
                message,
            )]
        })?;
        let before = properties
            .text("timestamp_to_datetime_format_expr")
            .map(|text| TimeExpression::new(&text))
            .transpose()
            .map_err(|message| {
                let place = span(properties, "timestamp_to_datetime_format_expr");
                let help = "slices of ts, texts, + between them and .replace(a, b) are understood";
                vec![Problem::error("E0403", &place, message).help(help)]
            })?;
        Ok(Self { pattern, before })
    }

    fn read(&self, text: &str) -> Option<Timestamp> {
        match &self.before {
            Some(expression) => self.pattern.read(&expression.apply(text)?),
            None => self.pattern.read(text),
        }
    }
}

fn span(properties: &Properties, option: &str) -> Span {
    properties
        .get(option)
        .map_or_else(Span::nowhere, |node| node.span.clone())
}

/// Python's `datetime.fromtimestamp(float(value) / scale)`: the part below a second is rounded half to even.
fn unix(field: Field<'_>, scale: f64) -> Option<Timestamp> {
    let seconds = match field.to_value() {
        Value::String(text) => python_float(&text)?,
        number @ Value::Number(_) => python::number_value(&number)?,
        _ => return None,
    } / scale;
    let whole = seconds.trunc();
    let micros = whole * 1e6 + ((seconds - whole) * 1e6).round_ties_even();
    // The years 1 to 9999, which is all that Python's datetime and this program's printing know.
    if !(-62_135_596_800e6..253_402_300_800e6).contains(&micros) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole, and in the range just checked"
    )]
    let micros = micros as i64;
    Some(Timestamp {
        micros,
        offset_seconds: 0,
    })
}

/// Python's `float(text)`, without its infinities.
fn python_float(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: TimeFormat, json: &str, expected: Option<&str>) {
        let field = TimeField {
            path: FieldPath::new("t"),
            format,
        };
        let read = field.read(Field::Json(json)).ok().map(Timestamp::to_text);
        assert_eq!(read.as_deref(), expected, "{json}");
    }

    #[test]
    fn unix_times_may_be_text_and_have_a_fraction() {
        check(TimeFormat::Unix, "1772409600", Some("2026-03-02T00:00:00Z"));
        check(
            TimeFormat::Unix,
            "\"1772409600.25\"",
            Some("2026-03-02T00:00:00.250Z"),
        );
        check(
            TimeFormat::Unix,
            "1772409600.1234567",
            Some("2026-03-02T00:00:00.123457Z"),
        );
        check(
            TimeFormat::UnixMillis,
            "1772409600007",
            Some("2026-03-02T00:00:00.007Z"),
        );
        check(
            TimeFormat::UnixMicros,
            "1772409600000007",
            Some("2026-03-02T00:00:00.000007Z"),
        );
        check(TimeFormat::Unix, "1e300", None);
        check(TimeFormat::Unix, "\"nan\"", None);
        check(TimeFormat::Unix, "true", None);
    }

    #[test]
    fn iso_times_are_text() {
        check(
            TimeFormat::Iso,
            "\"2026-03-02T00:00:00\"",
            Some("2026-03-02T00:00:00Z"),
        );
        check(
            TimeFormat::Iso,
            "\"Mon, 02 Mar 2026 00:00:00 +0100\"",
            Some("2026-03-02T00:00:00+01:00"),
        );
        check(TimeFormat::Iso, "1772409600", None);
        check(TimeFormat::Iso, "\"soon\"", None);
    }
}
