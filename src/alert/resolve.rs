//! Options of alerters that name fields of the match (`elastalert.util.resolve_string`).

use super::TextError;
use crate::event::format::percent::{self, Operand};
use crate::event::format::{Argument, Arguments, Format, FormatError};
use crate::event::{Document, python};
use serde_json::Value;

/// Replaces `%(user.name)s` and then `{ip}` by fields of a match; unknown ones by `missing`.
///
/// Braces that are no placeholders (`{"a": 1}`) leave all braces of the text as they are. Unlike in ElastAlert a value is never itself
/// taken for a format.
///
/// # Errors
/// A lone `%`, `{}`, `{0}`, a brace that is not closed, a format that does not fit its value.
pub fn resolve(text: &str, matched: &Document, missing: &str) -> Result<String, TextError> {
    let get = |key: &str| {
        Some(field(matched, key).map_or_else(|| Argument::text(missing), Argument::value))
    };
    let operand = Operand::Mapping(&get);
    let plain = percent::format(text, &operand)?;
    if !plain.contains(['{', '}']) {
        return Ok(plain);
    }
    // The same with the braces of values doubled: what the second step may interpret.
    let mut escaped = percent::format_with(text, &operand, &mut |value, out| {
        out.push_str(&value.replace('{', "{{").replace('}', "}}"));
    })?;
    let mut plain = plain;
    loop {
        match Format::new(&escaped).render(&Fields { matched, missing }) {
            Ok(text) => return Ok(text),
            Err(FormatError::NoArgument(name)) => {
                let name = python::repr(&Value::String(name));
                let placeholder = format!("{{{}}}", name.trim_matches('\''));
                if !escaped.contains(&placeholder) {
                    return Ok(plain);
                }
                escaped = escaped.replace(&placeholder, MISSING);
                plain = plain.replace(&placeholder, MISSING);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Stands for an unknown field.
const MISSING: &str = "{_missing_value}";

/// A match's members, and those of objects inside it by their dotted names.
struct Fields<'a> {
    matched: &'a Document,
    missing: &'a str,
}

impl Arguments for Fields<'_> {
    fn positional(&self, _index: usize) -> Option<Argument<'_>> {
        None
    }

    fn named(&self, name: &str) -> Option<Argument<'_>> {
        if name == "_missing_value" {
            return Some(Argument::text(self.missing));
        }
        field(self.matched, name).map(Argument::value)
    }
}

fn field<'a>(matched: &'a Document, key: &str) -> Option<&'a Value> {
    matched.get(key).or_else(|| flattened(matched, key))
}

/// A value that is no object by its dotted name; of several with the same name the last.
fn flattened<'a>(object: &'a Document, key: &str) -> Option<&'a Value> {
    object.iter().rev().find_map(|(name, value)| match value {
        Value::Object(members) => {
            let rest = key.strip_prefix(name.as_str())?.strip_prefix('.')?;
            flattened(members, rest)
        }
        other => (name == key).then_some(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Result<String, TextError> {
        let matched = serde_json::from_str(
            r#"{"ip": "10.0.0.1", "user": {"name": "bob", "n": 7}, "brace": "{ip}", "none": null}"#,
        )
        .unwrap();
        resolve(text, &matched, "<MISSING VALUE>")
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(run(text).unwrap(), expected, "{text}");
    }

    #[test]
    fn both_styles() {
        check(
            "%(ip)s %(user.name)s %(user.n)05d %%",
            "10.0.0.1 bob 00007 %",
        );
        check("{ip} {user[name]} {none}", "10.0.0.1 bob None");
        check(
            "%(nope)s {nope} {ip}",
            "<MISSING VALUE> <MISSING VALUE> 10.0.0.1",
        );
    }

    #[test]
    fn braces_that_are_no_placeholders_stay() {
        check(
            r#"{"a": {"b": {"c": "%(ip)s"}}} {ip}"#,
            r#"{"a": {"b": {"c": "10.0.0.1"}}} {ip}"#,
        );
        check("{nope[0]} {ip}", "{nope[0]} {ip}");
        check("{nope:>5} {ip}", "{nope:>5} {ip}");
    }

    #[test]
    fn values_are_text() {
        check("%(brace)s {ip}", "{ip} 10.0.0.1");
        check("{brace}", "{ip}");
    }

    #[test]
    fn errors() {
        for text in ["100%", "{}", "{0}", "{ip", "ip}", "{user.name}", "%(nope)d"] {
            assert!(run(text).is_err(), "{text}");
        }
    }
}
