//! Reading an event's JSON text into a document.
//!
//! Events carry what attackers wrote. Nothing in one may keep an alert from going out: half a surrogate pair is replaced instead of refused, and
//! member names that the JSON library uses inside itself are ordinary names here.

use super::Document;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::fmt;

/// How deeply objects and lists may be nested.
pub const MAX_DEPTH: usize = 127;

/// Why a text is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not UTF-8.
    #[error("not valid UTF-8 at byte {at}")]
    NotUtf8 {
        /// The first byte that does not fit.
        at: usize,
    },
    /// Not JSON.
    #[error("not valid JSON: {reason}")]
    NotJson {
        /// The parser's words, with the byte.
        reason: String,
    },
    /// Nested too deeply.
    #[error("nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// JSON, but no object.
    #[error("expected a JSON object, found {found}")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
}

/// The text of an event, after the checks that every way of reading it needs: UTF-8, an object, not nested too deeply.
///
/// # Errors
/// What is wrong with it. That it is valid JSON inside is not known yet.
pub fn check_text(bytes: &[u8]) -> Result<&str, EventError> {
    let text = text_of(bytes).map_err(|at| EventError::NotUtf8 { at })?;
    let found = match text.as_bytes().first() {
        Some(b'{') => {
            check_depth(text.as_bytes())?;
            return Ok(text);
        }
        None => "nothing",
        Some(b'[') => "a list",
        Some(b'"') => "text",
        Some(b't' | b'f') if serde_json::from_str::<bool>(text).is_ok() => "a boolean",
        Some(b'n') if text == "null" => "null",
        Some(b'-' | b'0'..=b'9') if text.parse::<Number>().is_ok() => "a number",
        Some(_) => {
            let reason = serde_json::from_str::<&RawValue>(text)
                .map_or_else(|error| error_text(&error), |_| "no value".to_owned());
            return Err(EventError::NotJson { reason });
        }
    };
    Err(EventError::NotAnObject { found })
}

/// The library's message with the place in bytes: an event is one line.
pub(super) fn error_text(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message
        .split(" at line ")
        .next()
        .unwrap_or(&message)
        .to_owned();
    format!("{message} at byte {}", error.column())
}

/// Refuses deep nesting. Brackets are counted first, text included: that is fast, and nearly always enough.
/// The text of an event without what may stand around it; an error is the first byte that is no UTF-8.
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, usize> {
    std::str::from_utf8(bytes)
        .map(|text| text.trim_start_matches('\u{feff}').trim_ascii())
        .map_err(|error| error.valid_up_to())
}

fn check_depth(bytes: &[u8]) -> Result<(), EventError> {
    if memchr::memchr2_iter(b'[', b'{', bytes)
        .nth(MAX_DEPTH)
        .is_none()
    {
        return Ok(());
    }
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for &byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(EventError::TooDeep);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Reads one event. Of a member that comes twice the last counts.
///
/// # Errors
/// What is wrong with it.
pub fn parse_document(bytes: &[u8]) -> Result<Document, EventError> {
    let text = check_text(bytes)?;
    match value(text).map_err(|error| EventError::NotJson {
        reason: error_text(&error),
    })? {
        Value::Object(document) => Ok(document),
        _ => Err(EventError::NotAnObject {
            found: "another value",
        }),
    }
}

/// Reads a JSON text whose depth has been checked.
pub(super) fn value(json: &str) -> Result<Value, serde_json::Error> {
    if json.starts_with('"') {
        return text_value(json).map(|text| Value::String(text.into_owned()));
    }
    if memchr::memmem::find(json.as_bytes(), b"$serde_json::").is_none()
        && let Ok(value) = serde_json::from_str(json)
    {
        return Ok(value);
    }
    slow_value(json)
}

/// Builds a value from the pieces' own texts: slower, but takes whatever is JSON by its grammar.
fn slow_value(json: &str) -> Result<Value, serde_json::Error> {
    let json = json.trim_ascii();
    Ok(match json.as_bytes().first() {
        Some(b'{') => {
            let mut document = Document::new();
            for (name, piece) in members(json)? {
                document.insert(name, slow_value(piece.get())?);
            }
            Value::Object(document)
        }
        Some(b'[') => {
            let pieces: Vec<&RawValue> = serde_json::from_str(json)?;
            Value::Array(
                pieces
                    .into_iter()
                    .map(|piece| slow_value(piece.get()))
                    .collect::<Result<_, _>>()?,
            )
        }
        Some(b'"') => Value::String(text_value(json)?.into_owned()),
        Some(b'-' | b'0'..=b'9') => Value::Number(json.parse()?),
        _ => serde_json::from_str(json)?,
    })
}

/// The members of an object with their texts.
fn members(json: &str) -> Result<Vec<(String, &RawValue)>, serde_json::Error> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(name) = map.next_key::<&RawValue>()? {
                let name = text_value(name.get())
                    .map_err(serde::de::Error::custom)?
                    .into_owned();
                members.push((name, map.next_value()?));
            }
            Ok(members)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let members = deserializer.deserialize_map(Members)?;
    deserializer.end()?;
    Ok(members)
}

/// A JSON text's value; half a surrogate pair becomes U+FFFD.
pub(super) fn text_value(json: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    if let Some(inner) = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        && !inner.contains('\\')
    {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str(json)
        .or_else(|error| {
            let mended = mend_surrogates(json);
            if mended == json {
                Err(error)
            } else {
                serde_json::from_str(&mended)
            }
        })
        .map(Cow::Owned)
}

/// Replaces each `\ud800`…`\udfff` that is no half of a pair by `\ufffd`.
fn mend_surrogates(json: &str) -> String {
    let unit = |at: usize| {
        let escape = json.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(escape, 16).ok()
    };
    let mut mended = String::with_capacity(json.len());
    let mut rest = 0;
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|tail| tail.find('\\')) {
        at += found;
        let lone = match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => {
                at += 12;
                continue;
            }
            Some(0xd800..=0xdfff) => true,
            _ => false,
        };
        if lone {
            mended.push_str(json.get(rest..at).unwrap_or_default());
            mended.push_str("\\ufffd");
            at += 6;
            rest = at;
        } else {
            at += 2;
        }
    }
    mended.push_str(json.get(rest..).unwrap_or_default());
    mended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(
            Value::Object(parse_document(text.as_bytes()).unwrap()).to_string(),
            expected
        );
    }

    #[test]
    fn numbers_keep_their_text_and_the_last_duplicate_counts() {
        check(
            r#"{"a": 1.0, "b": 123456789012345678901234567890, "c": 1e999, "a": 2}"#,
            r#"{"a":2,"b":123456789012345678901234567890,"c":1e+999}"#,
        );
    }

    #[test]
    fn half_surrogates_are_replaced() {
        check(
            r#"{"a\ud800": "x\udc00\ud83d\ude00\\ud800", "n": [1, {"b": "\ud83d"}]}"#,
            "{\"a\u{fffd}\":\"x\u{fffd}😀\\\\ud800\",\"n\":[1,{\"b\":\"\u{fffd}\"}]}",
        );
    }

    #[test]
    fn the_librarys_own_names_are_ordinary() {
        check(
            r#"{"a": {"$serde_json::private::Number": "x"}, "b": 1.50}"#,
            r#"{"a":{"$serde_json::private::Number":"x"},"b":1.50}"#,
        );
    }

    #[test]
    fn what_is_no_event_is_named() {
        for (text, expected) in [
            ("", "expected a JSON object, found nothing"),
            ("[1]", "expected a JSON object, found a list"),
            ("12", "expected a JSON object, found a number"),
            ("hello", "not valid JSON: expected value at byte 1"),
            (r#"{"a": }"#, "not valid JSON: expected value at byte 7"),
            (
                r#"{"a": 1} x"#,
                "not valid JSON: trailing characters at byte 10",
            ),
        ] {
            assert_eq!(
                parse_document(text.as_bytes()).unwrap_err().to_string(),
                expected,
                "{text}"
            );
        }
        assert_eq!(
            parse_document(b"{\"a\": \"\xff\"}").unwrap_err(),
            EventError::NotUtf8 { at: 7 }
        );
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(
            parse_document(deep.as_bytes()).unwrap_err(),
            EventError::TooDeep
        );
        let brackets_in_text = format!("{{\"a\":\"{}\"}}", "[".repeat(100_000));
        assert!(parse_document(brackets_in_text.as_bytes()).is_ok());
        let deepest = format!(
            "{{\"a\":{}{}}}",
            "[".repeat(MAX_DEPTH - 1),
            "]".repeat(MAX_DEPTH - 1)
        );
        assert!(parse_document(deepest.as_bytes()).is_ok());
    }
}
