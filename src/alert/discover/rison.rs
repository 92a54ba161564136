//! Rison, the notation of Kibana's links, as Python's `prison` writes it.

use crate::event::python::number_text;
use serde_json::Value;

/// A value as Rison; members of objects in the order of their keys.
pub(super) fn encode(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("!n"),
        Value::Bool(true) => out.push_str("!t"),
        Value::Bool(false) => out.push_str("!f"),
        Value::Number(number) => out.push_str(&number_text(number).replace('+', "")),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push_str("!(");
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(')');
        }
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            out.push('(');
            for (at, (key, item)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write(item, out);
            }
            out.push(')');
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    if is_bare(text) {
        out.push_str(text);
        return;
    }
    out.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '!') {
            out.push('!');
        }
        out.push(c);
    }
    out.push('\'');
}

/// Whether a text needs no quotes. `prison` looks at the first line only.
fn is_bare(text: &str) -> bool {
    let line = text.split('\n').next().unwrap_or_default();
    let allowed = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '_' | '-' | '.' | '/' | '~' | '%' | '+' | '\\')
            || c > '\u{7e}'
    };
    !line.is_empty()
        && !line.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && line.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values() {
        let value = json!({"b": [1, -2.5, 1e22, null, true], "a b": "it's !", "": "", "k": "x_y.z/~%+é", "n": "-1", "d": "1a", "l": "a\n b"});
        assert_eq!(
            encode(&value),
            "('':'','a b':'it!'s !!',b:!(1,-2.5,1e22,!n,!t),d:'1a',k:x_y.z/~%+é,l:a\n b,n:'-1')"
        );
    }
}
