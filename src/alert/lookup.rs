//! Fields of a match as texts name them (`elastalert.util.lookup_es_key`), list indices included.

use super::TextError;
use crate::event::{Document, FieldPath};
use serde_json::Value;
use std::borrow::Cow;

/// A path with its list indices taken apart, once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ArgumentPath {
    text: String,
    /// Each path but the last is followed by an index.
    steps: Vec<(FieldPath, Option<u8>)>,
}

impl ArgumentPath {
    /// Parses a path; every text is one. `name[d]` takes an element of a list, and what follows the bracket is looked up inside it
    /// without a dot (`list[1]a.b`), as in ElastAlert.
    pub(crate) fn new(text: &str) -> Self {
        let mut steps = Vec::new();
        let mut rest = text;
        while let Some((path, index, after)) = split_index(rest) {
            steps.push((FieldPath::new(path), Some(index)));
            rest = after;
        }
        if !rest.is_empty() || steps.is_empty() {
            steps.push((FieldPath::new(rest), None));
        }
        Self {
            text: text.to_owned(),
            steps,
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
        let mut object = document;
        let mut steps = self.steps.iter().peekable();
        while let Some((path, index)) = steps.next() {
            let Some(value) = path.get(object) else {
                return Ok(None);
            };
            let Some(index) = index else {
                return Ok(some(Cow::Borrowed(value)));
            };
            let found = match value {
                Value::Array(items) => items.get(usize::from(*index)).map(Cow::Borrowed),
                Value::String(text) => text
                    .chars()
                    .nth(usize::from(*index))
                    .map(|c| Cow::Owned(Value::String(c.to_string()))),
                _ => None,
            };
            let found = found.ok_or_else(|| {
                TextError(format!(
                    "the field \"{}\" has no element [{index}]",
                    self.text
                ))
            })?;
            if steps.peek().is_none() {
                return Ok(some(found));
            }
            match found {
                Cow::Borrowed(Value::Object(members)) => object = members,
                _ => return Ok(None),
            }
        }
        Ok(None)
    }
}

fn some(value: Cow<'_, Value>) -> Option<Cow<'_, Value>> {
    (!value.is_null()).then_some(value)
}

/// Splits at the first `[d]`.
fn split_index(text: &str) -> Option<(&str, u8, &str)> {
    text.match_indices('[').find_map(|(at, _)| {
        let (path, bracket) = text.split_at(at);
        let &[_, digit @ b'0'..=b'9', b']'] = bracket.as_bytes().get(..3)? else {
            return None;
        };
        Some((path, digit - b'0', bracket.get(3..)?))
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
        check("list[0]a", Ok(None));
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
