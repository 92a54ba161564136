//! Reading only those members of an event that somebody will look at.
//!
//! Most events are looked at by filters and rule types in a few fields and then forgotten. What is read here is the document with all other
//! top-level members left out; a text is accepted exactly when [`super::json::parse_document`] accepts it.

use super::Document;
use super::json::{EventError, check_text, error_text, parse_document, text_value, value};
use super::project::element_of;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use serde::de::{Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Which top-level members are read.
#[derive(Debug, Clone)]
pub struct Members {
    /// `None`: all.
    names: Option<HashSet<String, FixedState>>,
    /// Bit `n` is set when a name of `n` bytes is among them (63: or more).
    lengths: u64,
}

impl Members {
    /// The members that these field paths may lead through. A path with `*` may lead through any.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut members = Self {
            names: None,
            lengths: 0,
        };
        let mut names = HashSet::with_hasher(FixedState::default());
        for path in paths {
            if path.contains('*') {
                return members;
            }
            for end in path
                .match_indices('.')
                .map(|(at, _)| at)
                .chain([path.len()])
            {
                let Some(name) = path.get(..end) else {
                    continue;
                };
                let list = element_of(name).map(|(list, _)| list);
                for name in [Some(name), list].into_iter().flatten() {
                    members.lengths |= 1 << name.len().min(63);
                    names.insert(name.to_owned());
                }
            }
        }
        members.names = Some(names);
        members
    }

    /// Reads these members of an event.
    ///
    /// # Errors
    /// The text is no event.
    pub fn read(&self, bytes: &[u8]) -> Result<Document, EventError> {
        let Some(names) = &self.names else {
            return parse_document(bytes);
        };
        let text = check_text(bytes)?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let wanted = Wanted {
            names,
            lengths: self.lengths,
        };
        deserializer
            .deserialize_map(wanted)
            .and_then(|document| deserializer.end().map(|()| document))
            .map_err(|error| EventError::NotJson {
                reason: error_text(&error),
            })
    }
}

struct Wanted<'w> {
    names: &'w HashSet<String, FixedState>,
    lengths: u64,
}

impl<'a> Visitor<'a> for Wanted<'_> {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut document = Document::new();
        while let Some(name) = map.next_key::<&'a RawValue>()? {
            let json = name.get();
            let length = json.len().saturating_sub(2);
            let escaped = memchr::memchr(b'\\', json.as_bytes()).is_some();
            if !escaped && self.lengths & (1 << length.min(63)) == 0 {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let name = text_value(json).map_err(A::Error::custom)?;
            if self.names.contains(name.as_ref()) {
                let json: &RawValue = map.next_value()?;
                document.insert(
                    name.into_owned(),
                    value(json.get()).map_err(A::Error::custom)?,
                );
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::FieldPath;
    use proptest::prelude::*;

    const PATHS: &[&str] = &["a", "a.b", "b.a.c", "b[0]", "c[1].a", "x.keyword"];

    #[track_caller]
    fn agrees(json: &str) {
        let read = Members::of(PATHS.iter().copied()).read(json.as_bytes());
        match parse_document(json.as_bytes()) {
            Ok(whole) => {
                let read = read.unwrap();
                for path in PATHS.iter().map(|path| FieldPath::new(*path)) {
                    assert_eq!(path.get(&read), path.get(&whole), "{path} in {json}");
                }
            }
            Err(error) => assert_eq!(read, Err(error), "{json}"),
        }
    }

    #[test]
    fn members_that_paths_lead_through_are_read() {
        for json in [
            r#"{"a": {"b": 1}, "a.b": 2, "b.a": {"c": 3}, "b": {"a.c": 4}, "z": [1, {"a": 2}]}"#,
            r#"{"c": [1, {"a": 5}], "\u0061": "\ud800", "x": null, "a": 1.50}"#,
            r#"{"a": 1, "z": tru}"#,
            r#"{"a": 1"#,
        ] {
            agrees(json);
        }
        let read = Members::of(["a.b"])
            .read(br#"{"a": 1, "b": 2, "a.b": 3, "a.c": 4}"#)
            .unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["a", "a.b"]);
        let read = Members::of(["a", "b*"]).read(br#"{"z": 1}"#).unwrap();
        assert_eq!(read.len(), 1);
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("1".to_owned()),
            Just("null".to_owned()),
            Just("\"t\\u0041\"".to_owned()),
            Just("tru".to_owned())
        ];
        let name = prop_oneof![
            Just("a"),
            Just("b"),
            Just("c"),
            Just("a.b"),
            Just("b.a"),
            Just("b[0]"),
            Just("\\u0061"),
            Just("x")
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec((name.clone(), inner.clone()), 0..5).prop_map(|members| {
                    let members: Vec<String> = members
                        .into_iter()
                        .map(|(name, value)| format!("\"{name}\":{value}"))
                        .collect();
                    format!("{{{}}}", members.join(","))
                }),
                prop::collection::vec(inner, 0..3)
                    .prop_map(|items| format!("[{}]", items.join(","))),
            ]
        })
    }

    proptest! {
        #[test]
        fn reading_some_members_and_all_agree(json in json()) {
            agrees(&json);
        }
    }
}
