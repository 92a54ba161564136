//! Picking a few fields out of an event's JSON text without building the document.
//!
//! The paths that rules ask for are laid out as a tree of objects. One pass over an object's text notes where the interesting members stand;
//! then each path is followed as [`FieldPath::get`] would, and an object inside is passed over only when a path leads into it. A text
//! is accepted exactly when [`super::json::parse_document`] accepts it.

use super::json::{EventError, check_text, error_text, text_value};
use super::{Field, FieldPath, Fields};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::de::{Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Finds a fixed set of fields in JSON texts.
#[derive(Debug, Default)]
pub struct Projector {
    paths: Vec<FieldPath>,
    /// For each path, what to try at the root, longest name first.
    routes: Vec<Vec<Step>>,
    /// The objects paths lead into; the first is the event itself.
    objects: Vec<Object>,
    /// How many interesting members there are in all objects together.
    members: usize,
}

/// One object's interesting members.
#[derive(Debug, Default)]
struct Object {
    /// Name to number.
    names: HashMap<String, usize, FixedState>,
    /// Bit `n` is set when a name of `n` bytes is interesting (63: or more).
    lengths: u64,
}

/// One way for a path to go on: the member under a name.
#[derive(Debug)]
struct Step {
    /// The member's number.
    member: usize,
    /// `name[3]`: the element of the list that the member is.
    element: Option<usize>,
    /// Where the path goes on when the member is an object: the object's number, and its steps. `None`: the path ends here.
    inner: Option<(usize, Vec<Step>)>,
}

/// The fields found in one event. Kept and used again, so that the steady state allocates nothing.
#[derive(Debug, Default)]
pub struct Projection<'a> {
    found: Vec<Option<&'a str>>,
    passed: Vec<bool>,
    slots: Vec<Option<&'a str>>,
}

impl Projector {
    /// A projector for these paths; a slot's number is the path's position.
    pub fn new(paths: Vec<FieldPath>) -> Self {
        let mut projector = Self {
            objects: vec![Object::default()],
            ..Self::default()
        };
        let mut inner = HashMap::with_hasher(FixedState::default());
        projector.routes = paths
            .iter()
            .map(|path| {
                let mut steps = projector.route(path.as_str(), 0, &mut inner);
                if path.is_one_name() {
                    steps.retain(|step| step.inner.is_none());
                }
                steps
            })
            .collect();
        projector.paths = paths;
        projector
    }

    /// The paths, by slot.
    pub fn paths(&self) -> &[FieldPath] {
        &self.paths
    }

    fn route(
        &mut self,
        rest: &str,
        object: usize,
        inner: &mut HashMap<usize, usize, FixedState>,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        let ends: Vec<usize> = rest
            .match_indices('.')
            .map(|(at, _)| at)
            .chain([rest.len()])
            .collect();
        for end in ends.into_iter().rev() {
            let (name, left) = rest.split_at(end);
            let mut add = |projector: &mut Self, name: &str, element| {
                let member = projector.member(object, name);
                let inner = left.strip_prefix('.').map(|left| {
                    let next = projector.objects.len();
                    let inside = *inner.entry(member).or_insert(next);
                    if inside == next {
                        projector.objects.push(Object::default());
                    }
                    // An element's members are not the member's: it gets no object of its own, see `follow`.
                    (inside, projector.route(left, inside, inner))
                });
                steps.push(Step {
                    member,
                    element,
                    inner,
                });
            };
            add(self, name, None);
            if let Some((list, element)) = element_of(name) {
                add(self, list, Some(element));
            }
        }
        steps
    }

    fn member(&mut self, object: usize, name: &str) -> usize {
        let next = self.members;
        let Some(object) = self.objects.get_mut(object) else {
            return next;
        };
        let member = *object.names.entry(name.to_owned()).or_insert(next);
        object.lengths |= 1 << name.len().min(63);
        self.members += usize::from(member == next);
        member
    }

    /// Finds the fields of one event.
    ///
    /// # Errors
    /// The text is no event.
    pub fn project<'a>(
        &self,
        bytes: &'a [u8],
        into: &mut Projection<'a>,
    ) -> Result<(), EventError> {
        let text = check_text(bytes)?;
        into.found.clear();
        into.found.resize(self.members, None);
        into.passed.clear();
        into.passed.resize(self.objects.len(), false);
        self.pass(0, text, into)
            .map_err(|error| EventError::NotJson {
                reason: error_text(&error),
            })?;
        into.slots.clear();
        for route in &self.routes {
            let slot = self.follow(route, into);
            into.slots.push(slot);
        }
        Ok(())
    }

    /// Notes where an object's interesting members stand.
    fn pass<'a>(
        &self,
        object: usize,
        json: &'a str,
        into: &mut Projection<'a>,
    ) -> Result<(), serde_json::Error> {
        let Some(object) = self.objects.get(object) else {
            return Ok(());
        };
        let mut deserializer = serde_json::Deserializer::from_str(json);
        deserializer.deserialize_map(Pass {
            object,
            found: &mut into.found,
        })?;
        deserializer.end()
    }

    fn follow<'a>(&self, route: &[Step], into: &mut Projection<'a>) -> Option<&'a str> {
        for step in route {
            let Some(json) = into.found.get(step.member).copied().flatten() else {
                continue;
            };
            if let Some(element) = step.element {
                let Some(found) = element_text(json, element) else {
                    continue;
                };
                return match &step.inner {
                    None => Some(found),
                    Some(_) if found.starts_with('{') => None,
                    Some(_) => Some(json),
                };
            }
            return match &step.inner {
                Some((object, inner)) if json.starts_with('{') => {
                    if let Some(passed) = into.passed.get_mut(*object)
                        && !std::mem::replace(passed, true)
                    {
                        self.pass(*object, json, into).ok()?;
                    }
                    self.follow(inner, into)
                }
                _ => Some(json),
            };
        }
        None
    }
}

/// `name[3]` as `name` and 3.
pub(super) fn element_of(name: &str) -> Option<(&str, usize)> {
    let (list, digit) = name.strip_suffix(']')?.rsplit_once('[')?;
    match digit.as_bytes() {
        [digit @ b'0'..=b'9'] => Some((list, usize::from(digit - b'0'))),
        _ => None,
    }
}

fn element_text(json: &str, element: usize) -> Option<&str> {
    let elements: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    elements.get(element).map(|raw| raw.get())
}

struct Pass<'p, 'f, 'a> {
    object: &'p Object,
    found: &'f mut [Option<&'a str>],
}

impl<'a> Visitor<'a> for Pass<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<&'a RawValue>()? {
            match self.object.find(name.get()).map_err(A::Error::custom)? {
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some(member) => {
                    let value = map.next_value::<&'a RawValue>()?.get();
                    if let Some(slot) = self.found.get_mut(member) {
                        *slot = Some(value);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Object {
    /// The number of the member with this name, given as JSON text.
    fn find(&self, name: &str) -> Result<Option<usize>, serde_json::Error> {
        let length = name.len().saturating_sub(2);
        if memchr::memchr(b'\\', name.as_bytes()).is_some() {
            return Ok(self.names.get(text_value(name)?.as_ref()).copied());
        }
        if self.lengths & (1 << length.min(63)) == 0 {
            return Ok(None);
        }
        Ok(name
            .get(1..=length)
            .and_then(|name| self.names.get(name))
            .copied())
    }
}

impl<'a> Projection<'a> {
    /// The field in a slot.
    pub fn field(&self, slot: usize) -> Field<'a> {
        match self.slots.get(slot).copied().flatten() {
            None | Some("null") => Field::Missing,
            Some(json) => Field::Json(json),
        }
    }
}

/// One rule's view of a projection: the slots of the fields it asked for, in its order.
#[derive(Debug, Clone, Copy)]
pub struct ProjectedFields<'p, 'a> {
    /// What was found.
    pub projection: &'p Projection<'a>,
    /// The rule's slots.
    pub slots: &'p [usize],
}

impl Fields for ProjectedFields<'_, '_> {
    fn field(&self, position: usize) -> Field<'_> {
        self.slots
            .get(position)
            .map_or(Field::Missing, |&slot| self.projection.field(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::json::parse_document;
    use proptest::prelude::*;

    const PATHS: &[&str] = &[
        "a",
        "a.b",
        "a.b.c",
        "b.a",
        "b[0]",
        "b[1].a",
        "a[0].b",
        "c",
        "a.a.a",
        "x.keyword",
        "a.c[0].a",
    ];

    #[track_caller]
    fn agrees(json: &str) {
        let projector = Projector::new(PATHS.iter().map(|path| FieldPath::new(*path)).collect());
        let mut projection = Projection::default();
        let projected = projector.project(json.as_bytes(), &mut projection);
        match parse_document(json.as_bytes()) {
            Ok(document) => {
                projected.unwrap();
                for (slot, path) in projector.paths().iter().enumerate() {
                    let expected = path.get_some(&document).cloned().unwrap_or_default();
                    assert_eq!(
                        projection.field(slot).to_value(),
                        expected,
                        "{path} in {json}"
                    );
                }
            }
            Err(error) => assert_eq!(projected, Err(error), "{json}"),
        }
    }

    #[test]
    fn fields_are_those_of_the_parsed_document() {
        for json in [
            r#"{"a": {"b": 1}, "a.b": {"c": 2}, "b": [1, {"a": 3}]}"#,
            r#"{"a": {"b": {"c": 1}}, "a": {"b": 2}, "x": "y"}"#,
            r#"{"a.b.c": null, "a": {"b.c": 1, "a": {"a": "\u0041\ud800"}}}"#,
            r#"{"\u0061": {"c": [{"a": 5}]}, "a[0]": {"b": 1}}"#,
            r#"{"a": [{"b": 1}], "b[1]": {"a": 1}}"#,
            r#"{"a": 1,}"#,
            r#"{"a": 1"#,
            r#"{"a": {"b": tru}}"#,
            r#"{"a": 1} {"a": 2}"#,
            r#"{"a": "\x"}"#,
        ] {
            agrees(json);
        }
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("1".to_owned()),
            Just("null".to_owned()),
            Just("\"t\\u0041\"".to_owned()),
            Just("1.50".to_owned()),
            Just("tru".to_owned())
        ];
        let name = prop_oneof![
            Just("a"),
            Just("b"),
            Just("c"),
            Just("a.b"),
            Just("b.a"),
            Just("a.b.c"),
            Just("b[0]"),
            Just("\\u0061"),
            Just("x")
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec((name.clone(), inner.clone()), 0..5).prop_map(object),
                prop::collection::vec(inner, 0..3)
                    .prop_map(|items| format!("[{}]", items.join(","))),
            ]
        })
    }

    fn object(members: Vec<(&str, String)>) -> String {
        let members: Vec<String> = members
            .into_iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    proptest! {
        #[test]
        fn projecting_and_parsing_agree(json in json()) {
            agrees(&json);
        }
    }
}
