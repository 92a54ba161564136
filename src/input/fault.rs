//! What is wrong with an event, in words.

use super::dead_letter::Reason;
use memchr::memchr2;
use serde::de::IgnoredAny;

/// Objects and arrays may lie this deep in one another; what is deeper could be parsed, but not printed.
pub const MAX_DEPTH: usize = 128;

/// What keeps these bytes from being an event: `None` if they are one JSON object in UTF-8, nested at most [`MAX_DEPTH`]
/// deep. Byte positions count from 1.
pub fn fault(event: &[u8]) -> Option<(Reason, String)> {
    if let Err(error) = std::str::from_utf8(event) {
        let byte = error.valid_up_to() + 1;
        return Some((Reason::NotUtf8, format!("not UTF-8: at byte {byte}")));
    }
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(event) {
        let text = error.to_string();
        let message = text.split(" at line ").next().unwrap_or(&text);
        let byte = byte_position(event, error.line(), error.column());
        return Some((
            Reason::NotJson,
            format!("not valid JSON: {message} at byte {byte}"),
        ));
    }
    let kind = match event.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') if depth(event) > MAX_DEPTH => {
            return Some((
                Reason::TooDeep,
                format!("nested more than {MAX_DEPTH} deep"),
            ));
        }
        Some(b'{') => return None,
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    };
    Some((Reason::NotAnObject, format!("not a JSON object but {kind}")))
}

/// serde_json counts lines and bytes in the line.
fn byte_position(text: &[u8], line: usize, column: usize) -> usize {
    let before = memchr::memchr_iter(b'\n', text)
        .nth(line.saturating_sub(2))
        .filter(|_| line > 1)
        .map_or(0, |newline| newline + 1);
    (before + column).clamp(1, text.len().max(1))
}

/// How deep the valid JSON text is nested.
fn depth(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    let mut bytes = text;
    while let Some((byte, rest)) = bytes.split_first() {
        bytes = rest;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => bytes = after_string(bytes),
            _ => {}
        }
    }
    deepest
}

/// What follows a string, given what follows its opening quote; nothing if it does not end.
pub(super) fn after_string(mut bytes: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', bytes) {
        match bytes.get(at..) {
            Some([b'"', rest @ ..]) => return rest,
            Some([b'\\', _, rest @ ..]) => bytes = rest,
            _ => return &[],
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(event: impl AsRef<[u8]>, words: &str) {
        let fault = fault(event.as_ref()).map(|(_, words)| words);
        assert_eq!(fault.unwrap_or_default(), words);
    }

    #[test]
    fn an_object_is_fine() {
        check(r#"{"a": "}{\"\\"}"#, "");
        check(" {} ", "");
    }

    #[test]
    fn not_json() {
        check(r#"{"a":}"#, "not valid JSON: expected value at byte 6");
        check("hello", "not valid JSON: expected value at byte 1");
        check("{\n\"a\":\n}", "not valid JSON: expected value at byte 8");
        check("{} {}", "not valid JSON: trailing characters at byte 4");
        check(
            r#"{"a"#,
            "not valid JSON: EOF while parsing a string at byte 3",
        );
        check("", "not valid JSON: EOF while parsing a value at byte 1");
    }

    #[test]
    fn not_an_object() {
        check("[{}]", "not a JSON object but an array");
        check("12", "not a JSON object but a number");
        check("null", "not a JSON object but null");
        check("\"{\"", "not a JSON object but a string");
    }

    #[test]
    fn not_utf8() {
        check(b"{\"a\":\"\xFF\"}", "not UTF-8: at byte 7");
    }

    #[test]
    fn deep() {
        let nested = |depth| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        check(nested(127), "");
        check(nested(128), "nested more than 128 deep");
        check(nested(100_000), "nested more than 128 deep");
        check(
            "[".repeat(100_000),
            "not valid JSON: EOF while parsing a list at byte 100000",
        );
    }
}
