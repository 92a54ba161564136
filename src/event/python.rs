//! How Python prints and compares JSON values: ElastAlert's texts and keys depend on it.

use serde_json::{Map, Number, Value};
use std::fmt::Write as _;

/// `str(value)`: text as it is, everything else as [`repr`].
pub fn str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => repr(other),
    }
}

/// `repr(value)`.
pub fn repr(value: &Value) -> String {
    let mut out = String::new();
    write_repr(value, &mut out);
    out
}

/// `repr` of a tuple.
pub fn tuple_repr(items: &[Value]) -> String {
    let mut out = String::from("(");
    write_items(items, &mut out);
    if items.len() == 1 {
        out.push(',');
    }
    out.push(')');
    out
}

fn write_items(items: &[Value], out: &mut String) {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write_repr(item, out);
    }
}

fn write_repr(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::String(text) => write_text_repr(text, out),
        Value::Array(items) => {
            out.push('[');
            write_items(items, out);
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (i, (key, item)) in members.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_text_repr(key, out);
                out.push_str(": ");
                write_repr(item, out);
            }
            out.push('}');
        }
    }
}

/// `repr` of a text: quotes and escapes as Python chooses them.
fn write_text_repr(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c => {
                let code = u32::from(c);
                let _infallible = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
}

/// Whether Python's `str.isprintable` holds: not a control, format, surrogate, private or unassigned character, and no separator but the blank.
fn is_printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        '\u{a0}' | '\u{ad}' => false,
        '\0'..='\u{9f}' => false,
        '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}' | '\u{1680}' => {
            false
        }
        '\u{2000}'..='\u{200f}'
        | '\u{2028}'..='\u{202f}'
        | '\u{205f}'..='\u{206f}'
        | '\u{3000}' => false,
        '\u{e000}'..='\u{f8ff}'
        | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{fffe}'..='\u{ffff}' => false,
        '\u{e0000}'..='\u{10ffff}' => false,
        _ => true,
    }
}

/// Whether a JSON number is an integer for Python: written without fraction and exponent.
pub fn is_integer(number: &Number) -> bool {
    !number
        .as_str()
        .bytes()
        .any(|b| matches!(b, b'.' | b'e' | b'E'))
}

/// How Python prints a number read from JSON: integers as they are (any size), floats in shortest form.
pub fn number_text(number: &Number) -> String {
    let text = number.as_str();
    if is_integer(number) {
        if text == "-0" {
            "0".to_owned()
        } else {
            text.to_owned()
        }
    } else {
        float_text(text.parse().unwrap_or(f64::NAN))
    }
}

/// `repr(float)`: the shortest text that reads back the same, with an exponent below -4 and from 16 on.
pub fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 {
            "inf".to_owned()
        } else {
            "-inf".to_owned()
        };
    }
    if value == 0.0 {
        return if value.is_sign_negative() {
            "-0.0".to_owned()
        } else {
            "0.0".to_owned()
        };
    }
    let shortest = format!("{value:e}");
    let Some((mantissa, exponent)) = shortest.split_once('e') else {
        return shortest;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        if plain.contains('.') {
            plain
        } else {
            plain + ".0"
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    }
}

/// Python's `type(value).__name__`.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if is_integer(number) => "int",
        Value::Number(_) => "float",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// Whether Python takes the value for true: not null, false, zero, nor empty.
pub fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// Python's `==`: `1`, `1.0` and `true` are equal, `"1"` is not; lists by order, objects without.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => objects_equal(a, b),
        (Value::Bool(_) | Value::Number(_), Value::Bool(_) | Value::Number(_)) => {
            numbers_equal(a, b)
        }
        _ => false,
    }
}

fn objects_equal(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a.len() == b.len()
        && a.iter()
            .all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
}

fn numbers_equal(a: &Value, b: &Value) -> bool {
    match (integer_text(a), integer_text(b)) {
        (Some(a), Some(b)) => a == b,
        _ => number_value(a) == number_value(b),
    }
}

fn integer_text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(b) => Some(u8::from(*b).to_string()),
        Value::Number(number) if is_integer(number) => Some(number_text(number)),
        _ => None,
    }
}

/// The value as a float, when it is a number or a boolean.
pub fn number_value(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(b) => Some(f64::from(u8::from(*b))),
        Value::Number(number) => number.as_str().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_repr(json: &str, expected: &str) {
        assert_eq!(repr(&serde_json::from_str(json).unwrap()), expected);
    }

    #[test]
    fn tuples_print_as_in_python() {
        for (items, expected) in [
            (&[][..], "()"),
            (&[Value::from("user")], "('user',)"),
            (&[Value::from("user"), Value::from(1)], "('user', 1)"),
        ] {
            assert_eq!(tuple_repr(items), expected);
        }
    }

    #[test]
    fn numbers_print_as_in_python() {
        for (json, expected) in [
            ("0.1", "0.1"),
            ("12.0", "12.0"),
            ("-0.0", "-0.0"),
            ("1e-07", "1e-07"),
            ("0.00001", "1e-05"),
            ("0.0001", "0.0001"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("1.5e22", "1.5e+22"),
            ("1e999", "inf"),
            ("-0", "0"),
            (
                "1000000000000000000000000000000",
                "1000000000000000000000000000000",
            ),
            ("123456789.123", "123456789.123"),
        ] {
            check_repr(json, expected);
        }
    }

    #[test]
    fn containers_print_as_in_python() {
        check_repr(
            r#"[1, 2.5, null, true, "ü", {"k": [1]}]"#,
            "[1, 2.5, None, True, 'ü', {'k': [1]}]",
        );
        check_repr(
            r#"["it's", "say \"x\"", "b\\oth'\"", "\u0001\n\u200b"]"#,
            r#"["it's", 'say "x"', 'b\\oth\'"', '\x01\n\u200b']"#,
        );
    }

    #[test]
    fn equality_is_pythons() {
        let equal = |a: &str, b: &str| {
            equal(
                &serde_json::from_str(a).unwrap(),
                &serde_json::from_str(b).unwrap(),
            )
        };
        assert!(
            equal("1", "1.0")
                && equal("true", "1")
                && equal("false", "0.0")
                && equal("[1,true]", "[1.0,1]")
        );
        assert!(equal(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#));
        assert!(
            !equal("1", "\"1\"")
                && !equal("null", "0")
                && !equal("9007199254740993", "9007199254740992")
        );
    }
}
