//! An input's `index:`, which may be a Logstash sprintf such as `log-%{type}-%{+yyyy.MM.dd}`.
//!
//! Follows Logstash's "sprintf format": `%{field}`, `%{[object][field]}`, `%{+FORMAT}` with Joda-Time letters, `%{{FORMAT}}`
//! with java.time's, `%{+%s}`. Dates are those of `@timestamp` in UTC. A field that is missing leaves its reference standing
//! as it was written, as Logstash does, so that the mistake can be seen.

use crate::event::{Document, EventTime, Timestamp, time};
use jiff::civil::{DateTime, Weekday};
use serde_json::Value;
use std::str::Chars;

/// A parsed `index:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexName {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field { path: Vec<String>, written: String },
    Date { pieces: Vec<Piece>, written: String },
}

/// A part of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Year,
    WeekYear,
    Century,
    Month,
    Week,
    DayOfMonth,
    DayOfYear,
    Weekday,
    WeekdayName,
    HalfDay,
    /// 0 to 23.
    Hour,
    /// 1 to 24.
    ClockHour,
    /// 0 to 11.
    HourOfHalfDay,
    /// 1 to 12.
    ClockHourOfHalfDay,
    Minute,
    Second,
    Fraction,
    Offset,
    Zone,
    Era,
    EpochSeconds,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A unit and how many times its letter stands there.
    Unit(Unit, usize),
}

/// An `index:` that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexNameError {
    /// A letter of a date that means nothing.
    #[error(
        "unknown letter {letter:?} in the date format {format:?}; text in it stands in single quotes"
    )]
    UnknownLetter {
        /// The letter.
        letter: char,
        /// The format.
        format: String,
    },
}

impl IndexName {
    /// Parses a name.
    ///
    /// # Errors
    /// A date in it has a letter that means nothing.
    pub fn parse(text: &str) -> Result<Self, IndexNameError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, reference, after)) = next_reference(rest) {
            push_text(&mut parts, before);
            parts.push(reference.parse()?);
            rest = after;
        }
        push_text(&mut parts, rest);
        Ok(Self { parts })
    }

    /// The name, if it is the same for every event.
    pub fn fixed(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The fields that [`IndexName::resolve`] asks for, each as the members to go down through; `@timestamp` not among them.
    pub fn fields(&self) -> impl Iterator<Item = &[String]> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field { path, .. } => Some(path.as_slice()),
            Part::Text(_) | Part::Date { .. } => None,
        })
    }

    /// The name for one event, given its fields and its `@timestamp`.
    pub fn resolve(
        &self,
        mut field: impl FnMut(&[String]) -> Option<Value>,
        timestamp: Option<EventTime>,
    ) -> String {
        let time = timestamp.map(|time| Timestamp {
            micros: time.0,
            offset_seconds: 0,
        });
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Field { path, written } => match field(path) {
                    None | Some(Value::Null) => name.push_str(written),
                    Some(value) => push_value(&mut name, &value),
                },
                Part::Date { pieces, written } => match time {
                    None => name.push_str(written),
                    Some(time) => push_date(&mut name, pieces, time),
                },
            }
        }
        name
    }

    /// The name for a document that has been parsed.
    pub fn resolve_document(&self, document: &Document) -> String {
        let timestamp = document.get("@timestamp").and_then(Value::as_str);
        let time = timestamp.and_then(time::parse_iso);
        let field = |path: &[String]| {
            let (last, objects) = path.split_last()?;
            let mut object = document;
            for name in objects {
                object = object.get(name)?.as_object()?;
            }
            object.get(last).cloned()
        };
        self.resolve(field, time.map(Timestamp::event_time))
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
}

/// What stands between `%{` and `}`.
struct Reference<'a> {
    written: &'a str,
    inner: &'a str,
    is_java: bool,
}

/// The text before the first reference, the reference, and the text after it. One that does not end is text.
fn next_reference(text: &str) -> Option<(&str, Reference<'_>, &str)> {
    let start = text.find("%{")?;
    let (before, found) = text.split_at(start);
    let (inner, close, is_java) = match found.strip_prefix("%{{") {
        Some(inner) => (inner, "}}", true),
        None => (found.strip_prefix("%{")?, "}", false),
    };
    let (inner, after) = inner.split_once(close)?;
    let written = found.strip_suffix(after)?;
    let reference = Reference {
        written,
        inner,
        is_java,
    };
    Some((before, reference, after))
}

impl Reference<'_> {
    fn parse(&self) -> Result<Part, IndexNameError> {
        let written = self.written.to_owned();
        let date = if self.is_java {
            Some(self.inner)
        } else {
            self.inner.strip_prefix('+')
        };
        if let Some(format) = date {
            let pieces = date_pieces(format, self.is_java)?;
            return Ok(Part::Date { pieces, written });
        }
        let bracketed = self
            .inner
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let path = match bracketed {
            Some(names) => names.split("][").map(str::to_owned).collect(),
            None => vec![self.inner.to_owned()],
        };
        Ok(Part::Field { path, written })
    }
}

fn date_pieces(format: &str, is_java: bool) -> Result<Vec<Piece>, IndexNameError> {
    if format == "%s" {
        return Ok(vec![Piece::Unit(Unit::EpochSeconds, 1)]);
    }
    let mut pieces = Vec::new();
    let mut chars = format.chars();
    while let Some(letter) = chars.next() {
        match letter {
            '\'' => pieces.push(Piece::Text(quoted(&mut chars))),
            letter if letter.is_ascii_alphabetic() => {
                let unit = unit(letter, is_java).ok_or_else(|| IndexNameError::UnknownLetter {
                    letter,
                    format: format.to_owned(),
                })?;
                let rest = chars.as_str();
                let others = rest.len() - rest.trim_start_matches(letter).len();
                chars = rest.trim_start_matches(letter).chars();
                pieces.push(Piece::Unit(unit, others + 1));
            }
            other => pieces.push(Piece::Text(other.to_string())),
        }
    }
    Ok(pieces)
}

/// The text up to the closing quote; two quotes are one.
fn quoted(chars: &mut Chars<'_>) -> String {
    let mut text = String::new();
    while let Some(char) = chars.next() {
        if char == '\'' {
            match chars.as_str().strip_prefix('\'') {
                Some(rest) => *chars = rest.chars(),
                None => {
                    return if text.is_empty() {
                        "'".to_owned()
                    } else {
                        text
                    };
                }
            }
        }
        text.push(char);
    }
    text
}

fn unit(letter: char, is_java: bool) -> Option<Unit> {
    Some(match (letter, is_java) {
        ('y', _) | ('u', true) | ('Y', false) => Unit::Year,
        ('x', false) | ('Y', true) => Unit::WeekYear,
        ('C', false) => Unit::Century,
        ('M', _) | ('L', true) => Unit::Month,
        ('w', _) => Unit::Week,
        ('d', _) => Unit::DayOfMonth,
        ('D', _) => Unit::DayOfYear,
        ('e', _) => Unit::Weekday,
        ('E', _) => Unit::WeekdayName,
        ('a', _) => Unit::HalfDay,
        ('H', _) => Unit::Hour,
        ('k', _) => Unit::ClockHour,
        ('K', _) => Unit::HourOfHalfDay,
        ('h', _) => Unit::ClockHourOfHalfDay,
        ('m', _) => Unit::Minute,
        ('s', _) => Unit::Second,
        ('S', _) => Unit::Fraction,
        ('Z', _) => Unit::Offset,
        ('z', _) => Unit::Zone,
        ('G', _) => Unit::Era,
        _ => return None,
    })
}

fn push_value(name: &mut String, value: &Value) {
    match value {
        Value::String(text) => name.push_str(text),
        Value::Array(values) => {
            for (position, value) in values.iter().enumerate() {
                if position > 0 {
                    name.push(',');
                }
                push_value(name, value);
            }
        }
        other => name.push_str(&other.to_string()),
    }
}

fn push_date(name: &mut String, pieces: &[Piece], time: Timestamp) {
    let civil = time.civil();
    for piece in pieces {
        match piece {
            Piece::Text(text) => name.push_str(text),
            Piece::Unit(unit, count) => push_unit(name, *unit, *count, civil, time),
        }
    }
}

fn push_unit(name: &mut String, unit: Unit, count: usize, civil: DateTime, time: Timestamp) {
    let date = civil.date();
    let number = match unit {
        Unit::Month if count >= 3 => {
            name.push_str(&name_of(&civil, "%B", count == 3));
            return;
        }
        Unit::WeekdayName => {
            name.push_str(&name_of(&civil, "%A", count <= 3));
            return;
        }
        Unit::HalfDay => {
            name.push_str(if civil.hour() < 12 { "AM" } else { "PM" });
            return;
        }
        Unit::Fraction => {
            let digits = format!("{:06}", time.micros.rem_euclid(1_000_000));
            let padded = format!("{digits:0<count$}");
            name.push_str(padded.get(..count).unwrap_or_default());
            return;
        }
        Unit::Offset => {
            name.push_str(if count == 2 { "+00:00" } else { "+0000" });
            return;
        }
        Unit::Zone => {
            name.push_str("UTC");
            return;
        }
        Unit::Era => {
            name.push_str("AD");
            return;
        }
        Unit::Year => year(date.year(), count),
        Unit::WeekYear => year(date.iso_week_date().year(), count),
        Unit::Century => i64::from(date.year() / 100),
        Unit::Month => i64::from(date.month()),
        Unit::Week => i64::from(date.iso_week_date().week()),
        Unit::DayOfMonth => i64::from(date.day()),
        Unit::DayOfYear => i64::from(date.day_of_year()),
        Unit::Weekday => i64::from(Weekday::to_monday_one_offset(date.weekday())),
        Unit::Hour => i64::from(civil.hour()),
        Unit::ClockHour => (i64::from(civil.hour()) + 23) % 24 + 1,
        Unit::HourOfHalfDay => i64::from(civil.hour()) % 12,
        Unit::ClockHourOfHalfDay => (i64::from(civil.hour()) + 11) % 12 + 1,
        Unit::Minute => i64::from(civil.minute()),
        Unit::Second => i64::from(civil.second()),
        Unit::EpochSeconds => time.micros.div_euclid(1_000_000),
    };
    name.push_str(&format!("{number:0count$}"));
}

/// Two letters are the year in its century.
fn year(year: i16, count: usize) -> i64 {
    let year = i64::from(year);
    if count == 2 {
        year.rem_euclid(100)
    } else {
        year
    }
}

fn name_of(civil: &DateTime, format: &str, is_short: bool) -> String {
    let mut name = civil.strftime(format).to_string();
    if is_short {
        name.truncate(3);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(index: &str, event: &str, expected: &str) {
        let document: Document = serde_json::from_str(event).unwrap();
        assert_eq!(
            IndexName::parse(index).unwrap().resolve_document(&document),
            expected
        );
    }

    const EVENT: &str = r#"{"@timestamp": "2018-04-06T05:07:14.025Z", "type": "asm-message", "n": 7, "ok": true,
        "tags": ["a", 1], "a.b": "dotted", "geoip": {"country": {"code": "JP"}}, "null": null}"#;

    #[test]
    fn fixed() {
        let name = IndexName::parse("log-virocana-asm").unwrap();
        assert_eq!(name.fixed(), Some("log-virocana-asm"));
        check("log-virocana-asm", "{}", "log-virocana-asm");
        assert_eq!(IndexName::parse("%{type}").unwrap().fixed(), None);
    }

    #[test]
    fn fields() {
        check("log-%{type}-%{n}", EVENT, "log-asm-message-7");
        check("%{[geoip][country][code]}%{[type]}", EVENT, "JPasm-message");
        check("%{a.b} %{tags} %{ok}", EVENT, "dotted a,1 true");
        check("%{[geoip][country]}", EVENT, r#"{"code":"JP"}"#);
        let name = IndexName::parse("%{a}-%{+yyyy}-%{[b][c]}").unwrap();
        assert_eq!(
            name.fields().collect::<Vec<_>>(),
            [&["a".to_owned()][..], &["b".to_owned(), "c".to_owned()]]
        );
    }

    #[test]
    fn what_is_missing_stays_as_written() {
        check("log-%{missing}", EVENT, "log-%{missing}");
        check(
            "log-%{null}-%{[geoip][x][y]}",
            EVENT,
            "log-%{null}-%{[geoip][x][y]}",
        );
        check("log-%{+yyyy.MM.dd}", "{}", "log-%{+yyyy.MM.dd}");
        check("log-%{unclosed", EVENT, "log-%{unclosed");
        check("100%", EVENT, "100%");
    }

    #[test]
    fn dates() {
        check(
            "log-%{type}-%{+yyyy.MM.dd}",
            EVENT,
            "log-asm-message-2018.04.06",
        );
        check(
            "%{+YYYY.MM.dd.HH} %{+yy} %{+M/d}",
            EVENT,
            "2018.04.06.05 18 4/6",
        );
        check("%{+xxxx.ww} %{+e} %{+DDD}", EVENT, "2018.14 5 096");
        check("%{+EEE EEEE MMM MMMM}", EVENT, "Fri Friday Apr April");
        check(
            "%{+hh:mm:ss.SSS a} %{+kk} %{+KK}",
            EVENT,
            "05:07:14.025 AM 05 05",
        );
        check("%{+yyyy'year''s'Z}", EVENT, "2018year's+0000");
        check("%{+%s}", EVENT, "1522991234");
        check(
            "%{{yyyy.MM.dd}} %{{uuuu-'W'ww}}",
            EVENT,
            "2018.04.06 2018-W14",
        );
    }

    #[test]
    fn week_years_differ_from_years() {
        check(
            "%{+xxxx.ww} %{+YYYY.ww}",
            r#"{"@timestamp": "2018-12-31T00:00:00Z"}"#,
            "2019.01 2018.01",
        );
    }

    #[test]
    fn midnight() {
        let event = r#"{"@timestamp": "2018-12-31T00:30:00Z"}"#;
        check("%{+H k K h a}", event, "0 24 0 12 AM");
    }

    #[test]
    fn unknown_letters_are_told() {
        let error = IndexName::parse("log-%{+yyyy.bb}").unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"unknown letter 'b' in the date format "yyyy.bb"; text in it stands in single quotes"#
        );
    }
}
