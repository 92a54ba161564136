//! Looking up a field as an index does: by every way that leads to it.

use serde_json::{Map, Value};

/// A full field name, prepared for looking it up.
///
/// Unlike [`super::FieldPath`], which follows ElastAlert's own lookup, every way to the field counts: `{"a.b": 1, "a": {"b": 2}}`
/// has two values for `a.b`, and lists of objects are flattened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EveryWay {
    text: Box<str>,
    /// Where each segment ends: the offsets of the dots, and the length.
    ends: Box<[usize]>,
}

/// Whether to go on with the next value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// Show the next value.
    Continue,
    /// Enough was seen.
    Stop,
}

impl EveryWay {
    /// Parses a name; every text is one.
    pub fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            ends: text
                .match_indices('.')
                .map(|(at, _)| at)
                .chain([text.len()])
                .collect(),
        }
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Shows every member reached by this path as it stands, lists unopened.
    pub fn members<'a>(
        &self,
        object: &'a Map<String, Value>,
        visit: &mut dyn FnMut(&'a Value) -> Visit,
    ) -> Visit {
        self.walk(object, 0, visit)
    }

    /// Shows every value at this path with lists opened: scalars, nulls and objects.
    pub fn values<'a>(
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
pub fn flatten<'a>(value: &'a Value, visit: &mut dyn FnMut(&'a Value) -> Visit) -> Visit {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: &str, path: &str, expected: &str) {
        let document: Map<String, Value> = serde_json::from_str(document).unwrap();
        let mut found = Vec::new();
        EveryWay::new(path).values(&document, &mut |value| {
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
}
