//! Fields of a match as texts name them (`elastalert.util.lookup_es_key`), list indices included.

use super::TextError;
use crate::event::{Document, FieldPath};
use serde_json::Value;
use std::borrow::Cow;

/// A path, list indices included.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ArgumentPath {
    text: String,
    /// A path without indices, parsed.
    plain: Option<FieldPath>,
}

impl ArgumentPath {
    /// Parses a path; every text is one. `name[d]` takes an element of a list, and what follows the bracket is looked up inside it
    /// without a dot (`list[1]a.b`), as in ElastAlert.
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            plain: (!text.contains('[')).then(|| FieldPath::new(text)),
        }
    }

    /// The path as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The value; `None` when it is absent or null.
    ///
    /// # Errors
    /// An index past the end of a list, or into something that is no list.
    pub(crate) fn get<'a>(
        &self,
        document: &'a Document,
    ) -> Result<Option<Cow<'a, Value>>, TextError> {
        let found = match &self.plain {
            Some(path) => path.get(document).map(Cow::Borrowed),
            None => lookup(document, &self.text)?,
        };
        Ok(found.filter(|value| !value.is_null()))
    }
}

/// The first prefix that is a member decides, the longest first. Where a value is reached that has no members, what is left of the path
/// is ignored, and an index with it.
fn lookup<'a>(object: &'a Document, path: &str) -> Result<Option<Cow<'a, Value>>, TextError> {
    let ends = path.match_indices('.').map(|(at, _)| at);
    for end in ends
        .chain([path.len()])
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        let (prefix, rest) = path.split_at(end);
        let (name, index, inside) = match split_index(prefix) {
            Some((name, index, inside)) => (name, Some(index), inside),
            None => (prefix, None, ""),
        };
        let Some(value) = object.get(name) else {
            continue;
        };
        let rest = if inside.is_empty() {
            rest.strip_prefix('.').unwrap_or(rest).to_owned()
        } else {
            format!("{inside}{rest}")
        };
        let inner = match index {
            Some(index) => {
                let element = element(value, index).ok_or_else(|| {
                    TextError(format!("the field \"{name}\" has no element [{index}]"))
                })?;
                if rest.is_empty() {
                    return Ok(Some(element));
                }
                match element {
                    Cow::Borrowed(element) => element,
                    Cow::Owned(_) => value,
                }
            }
            None => value,
        };
        return match inner {
            Value::Object(members) if !rest.is_empty() => lookup(members, &rest),
            _ => Ok(Some(Cow::Borrowed(value))),
        };
    }
    Ok(None)
}

/// An element of a list, or a character of a text.
fn element(value: &Value, index: usize) -> Option<Cow<'_, Value>> {
    match value {
        Value::Array(items) => items.get(index).map(Cow::Borrowed),
        Value::String(text) => {
            let character = text.chars().nth(index)?;
            Some(Cow::Owned(Value::String(character.to_string())))
        }
        _ => None,
    }
}

/// Splits at the first `[d]` that stands behind a name.
fn split_index(text: &str) -> Option<(&str, usize, &str)> {
    text.match_indices('[')
        .skip_while(|(at, _)| *at == 0)
        .find_map(|(at, _)| {
            let (name, bracket) = text.split_at(at);
            let &[_, digit @ b'0'..=b'9', b']'] = bracket.as_bytes().get(..3)? else {
                return None;
            };
            Some((name, usize::from(digit - b'0'), bracket.get(3..)?))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Result<Option<&str>, ()>) {
        let document = serde_json::from_str(
            r#"{"list": [1, {"a": {"b": 2}}, null], "user": {"name": "bob"}, "n": null}"#,
        )
        .unwrap();
        let found = ArgumentPath::new(path)
            .get(&document)
            .map(|found| found.map(|value| value.to_string()))
            .map_err(|_| ());
        assert_eq!(
            found.as_ref().map(|f| f.as_deref()),
            expected.as_ref().map(|e| *e),
            "{path}"
        );
    }

    #[test]
    fn indices() {
        check("list[0]", Ok(Some("1")));
        check("list[1]a", Ok(Some(r#"{"b":2}"#)));
        check("list[1]a.b", Ok(Some("2")));
        check("list[1].a", Ok(None));
        check("list[2]", Ok(None));
        check("list[12]", Ok(None));
        check("list[0]a", Ok(Some(r#"[1,{"a":{"b":2}},null]"#)));
        check("list[0].a", Ok(Some(r#"[1,{"a":{"b":2}},null]"#)));
        check("list.a[7]", Ok(Some(r#"[1,{"a":{"b":2}},null]"#)));
        check("user.name[0].x", Ok(Some("\"bob\"")));
        check("user.name[1]", Ok(Some("\"o\"")));
        check("nope[0]", Ok(None));
        check("list[9]", Err(()));
        check("user[0]", Err(()));
        check("n[0]", Err(()));
    }

    #[test]
    fn plain_paths() {
        check("user.name", Ok(Some("\"bob\"")));
        check("user.name.keyword", Ok(Some("\"bob\"")));
        check("n", Ok(None));
        check("", Ok(None));
    }
}
