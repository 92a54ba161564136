//! Finding the values of fields in a document, as Elasticsearch finds them when it indexes.

pub(super) use crate::event::every_way::{EveryWay as Path, Visit, flatten};
use serde_json::{Map, Value};

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
