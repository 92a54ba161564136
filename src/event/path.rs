//! Field paths as ElastAlert looks them up (`elastalert.util.lookup_es_key`).

use serde_json::{Map, Value};

/// A dotted field path, parsed once.
///
/// At each object the longest prefix of what is left that is a member wins, and there is no way back from it. Where a value that is
/// no object is reached, the rest of the path is ignored, so `user.keyword` finds `user`. `name[3]` at the
/// end is the fourth element of a list; with more path behind it ElastAlert finds nothing when the element is an object, else the list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath {
    text: Box<str>,
    /// Byte offsets of the dots in `text`, and its length, in ascending order.
    ends: Box<[usize]>,
}

impl FieldPath {
    /// Parses a path; every text is one.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into().into_boxed_str();
        let ends = text
            .match_indices('.')
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect();
        Self { text, ends }
    }

    /// The path to the member of the event itself with this name, dots included.
    pub fn member(name: impl Into<String>) -> Self {
        let text = name.into().into_boxed_str();
        let ends = [text.len()].into();
        Self { text, ends }
    }

    /// Whether the dots in this path are part of one name.
    pub(super) fn is_one_name(&self) -> bool {
        self.ends.len() == 1
    }

    /// Whether a value in the member of the event itself with this name is found at this path: behind a value that is no object the rest of a path is
    /// ignored.
    pub fn is_within(&self, member: &str) -> bool {
        match self.text.strip_prefix(member) {
            Some("") => true,
            Some(rest) => rest.starts_with('.') && !self.is_one_name(),
            None => false,
        }
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The value at this path; `None` when absent. A null is `Some(Null)`.
    pub fn get<'a>(&self, document: &'a Map<String, Value>) -> Option<&'a Value> {
        lookup(document, &self.text, &self.ends, 0)
    }

    /// Puts a value in the place of the member found at this path; false when there is none.
    pub fn replace(&self, document: &mut Map<String, Value>, value: Value) -> bool {
        let slot = lookup_mut(document, &self.text, &self.ends, 0);
        slot.map(|slot| *slot = value).is_some()
    }

    /// The value at this path unless it is null: for ElastAlert a null field and a missing one are the same.
    pub fn get_some<'a>(&self, document: &'a Map<String, Value>) -> Option<&'a Value> {
        self.get(document).filter(|value| !value.is_null())
    }
}

impl std::fmt::Display for FieldPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

fn lookup<'a>(
    object: &'a Map<String, Value>,
    text: &str,
    ends: &[usize],
    start: usize,
) -> Option<&'a Value> {
    for &end in ends.iter().rev().take_while(|&&end| end >= start) {
        let name = text.get(start..end)?;
        match object.get(name) {
            Some(Value::Object(inner)) if end < text.len() => {
                return lookup(inner, text, ends, end + 1);
            }
            Some(value) => return Some(value),
            None => {}
        }
        if let Some((list, found)) = element_in(object, name) {
            return match found {
                found if end == text.len() => Some(found),
                Value::Object(_) => None,
                _ => Some(list),
            };
        }
    }
    None
}

/// [`lookup`] of what can be changed: members, not elements of lists.
fn lookup_mut<'a>(
    object: &'a mut Map<String, Value>,
    text: &str,
    ends: &[usize],
    start: usize,
) -> Option<&'a mut Value> {
    let is_member = |end: &&usize| {
        let name = text.get(start..**end);
        **end >= start && name.is_some_and(|name| object.contains_key(name))
    };
    let end = *ends.iter().rev().find(is_member)?;
    let value = object.get_mut(text.get(start..end)?)?;
    if end == text.len() || !value.is_object() {
        return Some(value);
    }
    lookup_mut(value.as_object_mut()?, text, ends, end + 1)
}

/// The list under `name` of `name[d]`, and its element.
fn element_in<'a>(object: &'a Map<String, Value>, name: &str) -> Option<(&'a Value, &'a Value)> {
    let (name, place) = element(name)?;
    let list = object.get(name)?;
    Some((list, list.as_array()?.get(place)?))
}

/// `name[d]` as a name and a place.
fn element(name: &str) -> Option<(&str, usize)> {
    let open = name.len().checked_sub(3)?;
    let [b'[', digit @ b'0'..=b'9', b']'] = name.as_bytes().get(open..)? else {
        return None;
    };
    Some((name.get(..open)?, usize::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: &str, path: &str, expected: Option<&str>) {
        let document: Map<String, Value> = serde_json::from_str(document).unwrap();
        let found = FieldPath::new(path).get(&document).map(Value::to_string);
        assert_eq!(found.as_deref(), expected, "{path}");
    }

    #[test]
    fn the_longest_prefix_wins() {
        let document =
            r#"{"a.b": {"c": 1}, "a": {"b": {"c": 2}, "b.c": 3}, "x.y": {}, "x": {"y": {"z": 1}}}"#;
        check(document, "a.b.c", Some("1"));
        check(document, "a.b", Some(r#"{"c":1}"#));
        check(document, "x.y.z", None);
    }

    #[test]
    fn the_rest_after_a_scalar_is_ignored() {
        let document = r#"{"user": "bob", "tags": ["a", "b"], "n": null}"#;
        check(document, "user.keyword", Some("\"bob\""));
        check(document, "tags[1]", Some("\"b\""));
        check(document, "tags[2]", None);
        check(document, "tags[10]", None);
        check(document, "n", Some("null"));
        check(document, "tags[0].a", Some(r#"["a","b"]"#));
        check(r#"{"items": [{"id": 1}]}"#, "items[0].id", None);
        check(document, "missing.a", None);
    }
}
