//! Passing over JSON text: where a value ends, and whether it is valid, without building anything.

use super::json::MAX_DEPTH;
use wide::u8x16;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What stands somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shape {
    #[default]
    Null,
    Bool(bool),
    /// A number; `true` when it has an exponent.
    Number(bool),
    /// A text with its quotes; `true` when it has escapes.
    Text(bool),
    List,
    Object,
}

/// The text cannot be passed over: it is no JSON, or nested too deeply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// Goes over a JSON text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t [u8], at: usize) -> Self {
        Self { text, at }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is no white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                next => return next.copied(),
            }
        }
    }

    /// Goes over a byte that must come next, after white space.
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Broken> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(Broken)
        }
    }

    /// Goes over a byte if it comes next, after white space.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        self.expect(byte).is_ok()
    }

    /// Goes over what may stand between two elements: true when another comes, false at the end.
    pub(super) fn another(&mut self, end: u8) -> Result<bool, Broken> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(Broken),
        }
    }

    /// Goes over a text; where it is, without its quotes, and whether it has escapes.
    pub(super) fn string(&mut self) -> Result<(Span, bool), Broken> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.skip_plain();
            match self.text.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                // The end, or a control character.
                _ => return Err(Broken),
            }
        }
        let span = Span {
            start,
            end: self.at,
        };
        self.at += 1;
        Ok((span, escaped))
    }

    /// Moves to the next quote, backslash or control character.
    fn skip_plain(&mut self) {
        while let Some(bytes) = self.text.get(self.at..).and_then(<[u8]>::first_chunk) {
            let bytes = u8x16::new(*bytes);
            // A quote becomes a blank, and a blank what comes after it: then a quote is next to the control characters.
            let turned = bytes ^ u8x16::splat(2);
            let special =
                turned.min(u8x16::splat(b' ')).simd_eq(turned) | bytes.simd_eq(u8x16::splat(b'\\'));
            let special = special.to_bitmask();
            if special != 0 {
                self.at += special.trailing_zeros() as usize;
                return;
            }
            self.at += 16;
        }
        while let Some(byte) = self.text.get(self.at)
            && !matches!(byte, b'"' | b'\\' | 0..0x20)
        {
            self.at += 1;
        }
    }

    fn escape(&mut self) -> Result<(), Broken> {
        match self.text.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.text.get(self.at + 2..self.at + 6).ok_or(Broken)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(Broken);
                }
                self.at += 6;
            }
            _ => return Err(Broken),
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Broken> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Broken) }
    }

    /// Goes over a number; whether it has an exponent.
    fn number(&mut self) -> Result<bool, Broken> {
        self.at += usize::from(self.text.get(self.at) == Some(&b'-'));
        if self.text.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if !matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            return Ok(false);
        }
        self.at += 1;
        self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
        self.digits().map(|()| true)
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Broken> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(Broken)
        }
    }

    /// What comes next. Anything but a list or an object is gone over.
    pub(super) fn scalar(&mut self) -> Result<Shape, Broken> {
        match self.peek() {
            Some(b'"') => self.string().map(|(_, escaped)| Shape::Text(escaped)),
            Some(b'{') => Ok(Shape::Object),
            Some(b'[') => Ok(Shape::List),
            Some(b't') => self.word(b"true").map(|()| Shape::Bool(true)),
            Some(b'f') => self.word(b"false").map(|()| Shape::Bool(false)),
            Some(b'n') => self.word(b"null").map(|()| Shape::Null),
            Some(b'-' | b'0'..=b'9') => self.number().map(Shape::Number),
            _ => Err(Broken),
        }
    }

    /// Goes over a value in a list or an object that is nested so deeply.
    pub(super) fn value(&mut self, depth: usize) -> Result<Shape, Broken> {
        let shape = self.scalar()?;
        match shape {
            Shape::List | Shape::Object if depth >= MAX_DEPTH => return Err(Broken),
            Shape::List => {
                self.at += 1;
                let mut more = !self.take(b']');
                while more {
                    self.value(depth + 1)?;
                    more = self.another(b']')?;
                }
            }
            Shape::Object => {
                self.at += 1;
                let mut more = !self.take(b'}');
                while more {
                    self.string()?;
                    self.expect(b':')?;
                    self.value(depth + 1)?;
                    more = self.another(b'}')?;
                }
            }
            Shape::Null | Shape::Bool(_) | Shape::Number(_) | Shape::Text(_) => {}
        }
        Ok(shape)
    }
}

/// Adds the text that a JSON text without its quotes stands for; half a surrogate pair becomes U+FFFD, as everywhere.
pub(super) fn unescape(json: &str, into: &mut String) {
    let mut rest = json;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        into.push_str(rest.get(..at).unwrap_or_default());
        let escape = rest.get(at..).unwrap_or_default();
        let (c, length) = match escape.as_bytes().get(1) {
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') => {
                let high = unit(escape);
                let low = unit(escape.get(6..).unwrap_or_default());
                match (high, low) {
                    (Some(high @ 0xd800..=0xdbff), Some(low @ 0xdc00..=0xdfff)) => {
                        let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                        (code.try_into().unwrap_or('\u{fffd}'), 12)
                    }
                    (Some(code), _) => (code.try_into().unwrap_or('\u{fffd}'), 6),
                    (None, _) => ('\u{fffd}', 6),
                }
            }
            Some(&byte) => (byte.into(), 2),
            None => ('\u{fffd}', 1),
        };
        into.push(c);
        rest = escape.get(length..).unwrap_or_default();
    }
    into.push_str(rest);
}

/// The number of `\uXXXX`.
fn unit(escape: &str) -> Option<u32> {
    u32::from_str_radix(escape.get(..6)?.strip_prefix("\\u")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: bool) {
        let mut scanner = Scanner::new(text.as_bytes(), 0);
        let whole = scanner.value(0).is_ok() && scanner.peek().is_none();
        assert_eq!(whole, expected, "{text}");
        let reference: Result<&serde_json::value::RawValue, _> = serde_json::from_str(text);
        assert_eq!(reference.is_ok(), expected, "{text}");
    }

    #[test]
    fn what_is_json_is_gone_over() {
        for text in [
            "{}",
            "[ ]",
            "0",
            "-0",
            "-1.5e-3",
            "1E+5",
            "true",
            "null ",
            r#"{"a" : [1 , {"b":"c\u00e9\"\\\/"}], "long name of a member": "text text text text"}"#,
            "\"\u{7f}\u{80}é😀 0123456789\"",
        ] {
            check(text, true);
        }
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "-",
            "tru",
            "nul",
            "\"abc",
            "\"a\u{1}\"",
            "\"1234567\n\"",
            r#""\x""#,
            r#""\u12g4""#,
            r#""\"#,
            "[1 2]",
            "{\"a\" 1}",
            "1 2",
            "{1:2}",
        ] {
            check(text, false);
        }
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(
            Scanner::new(nested(MAX_DEPTH).as_bytes(), 0)
                .value(0)
                .is_ok()
        );
        assert!(
            Scanner::new(nested(MAX_DEPTH + 1).as_bytes(), 0)
                .value(0)
                .is_err()
        );
    }

    #[test]
    fn escapes_become_what_they_stand_for() {
        for (json, expected) in [
            (r#"a\"b\\c\/d\b\f\n\r\t"#, "a\"b\\c/d\u{8}\u{c}\n\r\t"),
            (r"\u00e9\ud83d\ude00!", "é😀!"),
            (
                r"\ud800\ud83d\ude00\udc00x\ud800",
                "\u{fffd}😀\u{fffd}x\u{fffd}",
            ),
        ] {
            let mut text = String::new();
            unescape(json, &mut text);
            assert_eq!(text, expected);
        }
    }
}
