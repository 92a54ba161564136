//! Finding the values of a field in a document, as Elasticsearch finds them when it indexes.

use serde_json::{Map, Value};

/// A full field name, prepared for looking it up.
///
/// Unlike [`crate::event::FieldPath`], which follows ElastAlert's own lookup, every way to the field counts: `{"a.b": 1, "a": {"b": 2}}`
/// has two values for `a.b`, and lists of objects are flattened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    text: Box<str>,
    /// Where each segment ends: the offsets of the dots, and the length.
    ends: Box<[usize]>,
}

/// Whether to go on with the next value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    /// Show the next value.
    Continue,
    /// Enough was seen.
    Stop,
}

impl Path {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            ends: text
                .match_indices('.')
                .map(|(at, _)| at)
                .chain([text.len()])
                .collect(),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Shows every member reached by this path as it stands, lists unopened.
    pub(super) fn members<'a>(
        &self,
        object: &'a Map<String, Value>,
        visit: &mut dyn FnMut(&'a Value) -> Visit,
    ) -> Visit {
        self.walk(object, 0, visit)
    }

    /// Shows every value at this path with lists opened: scalars, nulls and objects.
    pub(super) fn values<'a>(
        &self,
        object: &'a Map<String, Value>,
        visit: &mut dyn FnMut(&'a Value) -> Visit,
    ) -> Visit {
        self.members(object, &mut |member| flatten(member, visit))
    }

    fn walk<'a>(
        &self,
        object: &'a Map<String, Value>,
        start: usize,
        visit: &mut dyn FnMut(&'a Value) -> Visit,
    ) -> Visit {
        for &end in self.ends.iter().filter(|&&end| end >= start) {
            let Some(name) = self.text.get(start..end) else {
                continue;
            };
            let Some(member) = object.get(name).or_else(|| with_dots(object, name)) else {
                continue;
            };
            let seen = if end == self.text.len() {
                visit(member)
            } else {
                flatten(member, &mut |value| match value {
                    Value::Object(inner) => self.walk(inner, end + 1, visit),
                    _ => Visit::Continue,
                })
            };
            if seen == Visit::Stop {
                return Visit::Stop;
            }
        }
        Visit::Continue
    }
}

/// A member whose name ends in dots, which do not count.
fn with_dots<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object
        .iter()
        .find(|(key, _)| key.ends_with('.') && key.trim_end_matches('.') == name)
        .map(|(_, value)| value)
}

/// Shows the elements of a list, lists in lists opened; a value that is no list is shown itself.
pub(super) fn flatten<'a>(value: &'a Value, visit: &mut dyn FnMut(&'a Value) -> Visit) -> Visit {
    let Value::Array(items) = value else {
        return visit(value);
    };
    for item in items {
        if flatten(item, visit) == Visit::Stop {
            return Visit::Stop;
        }
    }
    Visit::Continue
}

/// The first element of a list that is not null, lists in lists opened; a value that is no list itself.
pub(super) fn first(value: &Value) -> Option<&Value> {
    let mut found = None;
    flatten(value, &mut |item| {
        if item.is_null() {
            return Visit::Continue;
        }
        found = Some(item);
        Visit::Stop
    });
    found
}

/// Shows every member of a document that is no object under its full name, lists of objects opened.
pub(super) fn leaves<'a>(
    object: &'a Map<String, Value>,
    visit: &mut dyn FnMut(&str, &'a Value) -> Visit,
) -> Visit {
    let mut name = String::new();
    walk_leaves(object, &mut name, visit)
}

fn walk_leaves<'a>(
    object: &'a Map<String, Value>,
    name: &mut String,
    visit: &mut dyn FnMut(&str, &'a Value) -> Visit,
) -> Visit {
    for (key, value) in object {
        let length = name.len();
        if length > 0 {
            name.push('.');
        }
        name.push_str(key);
        let seen = match first(value) {
            None => Visit::Continue,
            Some(Value::Object(_)) => flatten(value, &mut |item| match item {
                Value::Object(inner) => walk_leaves(inner, name, visit),
                _ => Visit::Continue,
            }),
            Some(_) => visit(name, value),
        };
        name.truncate(length);
        if seen == Visit::Stop {
            return Visit::Stop;
        }
    }
    Visit::Continue
}

/// Whether a name fits a pattern in which `*` stands for any run of characters.
pub(super) fn name_matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: &str, path: &str, expected: &str) {
        let document: Map<String, Value> = serde_json::from_str(document).unwrap();
        let mut found = Vec::new();
        Path::new(path).values(&document, &mut |value| {
            found.push(value.clone());
            Visit::Continue
        });
        assert_eq!(Value::Array(found).to_string(), expected, "{path}");
    }

    #[test]
    fn every_way_to_a_field_counts() {
        check(r#"{"a.b": 1, "a": {"b": [2, [3]]}}"#, "a.b", "[2,3,1]");
        check(r#"{"a": [{"b": 1}, {"b": null}, 7]}"#, "a.b", "[1,null]");
        check(r#"{"a": {"b": {"c": 1}}}"#, "a.b", r#"[{"c":1}]"#);
        check(r#"{"a": 1}"#, "a.keyword", "[]");
    }

    #[test]
    fn stars_in_names() {
        for (pattern, name, expected) in [
            ("a*", "abc", true),
            ("*", "", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("ab*ba", "aba", false),
            ("abc", "abc", true),
            ("abc", "abcd", false),
        ] {
            assert_eq!(name_matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
