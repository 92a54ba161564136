//! `json.dumps` as Python writes it: separators, escapes, order and floats.

use super::python::number_text;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The options of `json.dumps`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dumps {
    /// Blanks per level; `None`: on one line.
    pub indent: Option<usize>,
    /// Members in the order of their keys' code points.
    pub sort_keys: bool,
    /// Characters beyond ASCII as `\uNNNN`.
    pub ascii: bool,
    /// No blank after `,` and `:`.
    pub compact: bool,
}

impl Dumps {
    /// `json.dumps(value, …)`.
    pub fn to_text(self, value: &Value) -> String {
        let mut out = String::new();
        self.write_to(value, &mut out);
        out
    }

    /// Appends `json.dumps(value, …)`.
    pub fn write_to(self, value: &Value, out: &mut String) {
        self.write(value, 0, out);
    }

    fn write(self, value: &Value, level: usize, out: &mut String) {
        match value {
            Value::Null => out.push_str("null"),
            Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Value::Number(number) => out.push_str(&match number_text(number) {
                text if text == "inf" => "Infinity".to_owned(),
                text if text == "-inf" => "-Infinity".to_owned(),
                text => text,
            }),
            Value::String(text) => self.write_text(text, out),
            Value::Array(items) if items.is_empty() => out.push_str("[]"),
            Value::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    self.separate(at, level + 1, out);
                    self.write(item, level + 1, out);
                }
                self.new_line(level, out);
                out.push(']');
            }
            Value::Object(members) if members.is_empty() => out.push_str("{}"),
            Value::Object(members) => {
                out.push('{');
                for (at, (key, item)) in self.ordered(members).into_iter().enumerate() {
                    self.separate(at, level + 1, out);
                    self.write_text(key, out);
                    out.push_str(if self.compact { ":" } else { ": " });
                    self.write(item, level + 1, out);
                }
                self.new_line(level, out);
                out.push('}');
            }
        }
    }

    fn ordered(self, members: &Map<String, Value>) -> Vec<(&String, &Value)> {
        let mut members: Vec<_> = members.iter().collect();
        if self.sort_keys {
            members.sort_by_key(|(key, _)| *key);
        }
        members
    }

    fn separate(self, at: usize, level: usize, out: &mut String) {
        if at > 0 {
            out.push(',');
            if self.indent.is_none() && !self.compact {
                out.push(' ');
            }
        }
        self.new_line(level, out);
    }

    fn new_line(self, level: usize, out: &mut String) {
        if let Some(indent) = self.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent * level));
        }
    }

    fn write_text(self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\0'..='\u{1f}' => write_escape(c, out),
                '\u{80}'.. if self.ascii => write_escape(c, out),
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

/// `\uNNNN`, as a surrogate pair beyond U+FFFF.
fn write_escape(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _infallible = write!(out, "\\u{unit:04x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(dumps: Dumps, json: &str, expected: &str) {
        assert_eq!(
            dumps.to_text(&serde_json::from_str(json).unwrap()),
            expected
        );
    }

    #[test]
    fn one_line() {
        let json = r#"{"b": [1, 2.50, null], "a": {"é": "\u0001\u007f\n\"🚨"}, "e": [], "o": {}}"#;
        check(
            Dumps::default(),
            json,
            "{\"b\": [1, 2.5, null], \"a\": {\"é\": \"\\u0001\u{7f}\\n\\\"🚨\"}, \"e\": [], \"o\": {}}",
        );
        check(
            Dumps {
                ascii: true,
                compact: true,
                sort_keys: true,
                ..Dumps::default()
            },
            json,
            "{\"a\":{\"\\u00e9\":\"\\u0001\u{7f}\\n\\\"\\ud83d\\udea8\"},\"b\":[1,2.5,null],\"e\":[],\"o\":{}}",
        );
    }

    #[test]
    fn indented_and_sorted() {
        check(
            Dumps {
                indent: Some(4),
                sort_keys: true,
                ..Dumps::default()
            },
            r#"{"z": [1, {"k": []}], "a": 1e-7}"#,
            "{\n    \"a\": 1e-07,\n    \"z\": [\n        1,\n        {\n            \"k\": []\n        }\n    ]\n}",
        );
    }
}
