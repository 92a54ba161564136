//! Learning a mapping from documents, as an index does.

use super::dynamic::Policy;
use super::{Field, Kind, Mapping, Source};
use crate::event::Document;
use crate::filter::values::{Path, Visit, flatten};
use indexmap::IndexMap;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Why Elasticsearch would reject a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// A value does not fit its field's type.
    #[error("field {field:?} of type {kind} cannot hold the value")]
    Unfit {
        /// The field.
        field: String,
        /// Its type.
        kind: &'static str,
    },
    /// Two values of the document would give the field different types.
    #[error("field {field:?} cannot be of two types at once")]
    TwoTypes {
        /// The field.
        field: String,
    },
    /// A template gives an object the type of a single value.
    #[error("a dynamic template gives the object {field:?} the type of a value")]
    NoObject {
        /// The object.
        field: String,
    },
    /// A member's name is empty or made of dots.
    #[error("a field name is empty")]
    EmptyName,
    /// The mapping allows no unknown fields.
    #[error("field {field:?} is not in the mapping, which is strict")]
    Strict {
        /// The field.
        field: String,
    },
}

pub(super) fn learn(mapping: &mut Mapping, document: &Document) -> Result<(), Rejected> {
    let mut student = Student {
        mapping,
        found: IndexMap::new(),
    };
    student.object(document, "", mapping.dynamic.policy, None)?;
    let found = student.found;
    for (name, field) in found {
        Arc::make_mut(&mut mapping.fields)
            .entry(name.to_string())
            .or_insert_with(|| Arc::new(field));
    }
    Ok(())
}

/// What holds inside an object: the policy for unknown members, and the nested object it belongs to.
type Inside = (Policy, Option<Arc<str>>);

struct Student<'m> {
    mapping: &'m Mapping,
    /// Fields this document adds.
    found: IndexMap<Arc<str>, Field>,
}

impl Student<'_> {
    fn object(
        &mut self,
        object: &Map<String, Value>,
        prefix: &str,
        policy: Policy,
        nested: Option<&Arc<str>>,
    ) -> Result<(), Rejected> {
        for (key, value) in object {
            // Java's split leaves empty parts at the end out.
            let trimmed = key.trim_end_matches('.');
            if trimmed.split('.').any(|part| part.trim().is_empty()) {
                return Err(Rejected::EmptyName);
            }
            // Nothing at the end of a path makes no objects of the path.
            if value.is_null()
                && policy == Policy::Learn
                && let Some((first, _)) = trimmed.split_once('.')
                && self.known(&joined(prefix, first)).is_none()
            {
                continue;
            }
            let mut name = prefix.to_owned();
            let mut policy = policy;
            let mut nested = nested.cloned();
            let mut parts = trimmed.split('.').peekable();
            while let Some(part) = parts.next() {
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(part);
                if parts.peek().is_some() {
                    match self.enter(&name, policy, nested.as_ref())? {
                        Some(inside) => (policy, nested) = inside,
                        None => break,
                    }
                } else {
                    self.member(&name, value, policy, nested.as_ref())?;
                }
            }
        }
        Ok(())
    }

    /// Goes into an object of that name: its policy and nested object, or `None` when its content does not matter.
    fn enter(
        &mut self,
        name: &str,
        policy: Policy,
        nested: Option<&Arc<str>>,
    ) -> Result<Option<Inside>, Rejected> {
        match self.known(name) {
            Some(field) => match field.kind {
                Kind::Disabled => Ok(None),
                Kind::Object => Ok(Some((field.dynamic, field.nested.clone()))),
                Kind::Nested => Ok(Some((field.dynamic, Some(Arc::clone(&field.name))))),
                _ => Err(Rejected::Unfit {
                    field: name.to_owned(),
                    kind: field.kind.name(),
                }),
            },
            None => match policy {
                Policy::Ignore => Ok(None),
                Policy::Reject => Err(Rejected::Strict {
                    field: name.to_owned(),
                }),
                Policy::Learn if self.mapping.dynamic.makes_a_value_of(name) => {
                    Err(Rejected::NoObject {
                        field: name.to_owned(),
                    })
                }
                Policy::Learn => {
                    let mut field = Field::object(name, policy);
                    field.nested = nested.cloned();
                    self.found.insert(name.into(), field);
                    Ok(Some((policy, nested.cloned())))
                }
            },
        }
    }

    fn known(&self, name: &str) -> Option<&Field> {
        self.mapping
            .fields
            .get(name)
            .map(Arc::as_ref)
            .or_else(|| self.found.get(name))
    }

    fn member(
        &mut self,
        name: &str,
        member: &Value,
        policy: Policy,
        nested: Option<&Arc<str>>,
    ) -> Result<(), Rejected> {
        if let Some(field) = self.mapping.fields.get(name) {
            match field.kind {
                Kind::Disabled => return Ok(()),
                Kind::Object | Kind::Nested => {}
                Kind::Range(_) | Kind::Geo => {
                    return self.check(field, member);
                }
                _ => {
                    let takes = !field.alias && !field.is_sub_field;
                    if !takes && !member.is_null() {
                        return Err(unfit(field));
                    }
                    let field = Arc::clone(field);
                    self.check(&field, member)?;
                    return self.copy(&field, member);
                }
            }
        }
        let mut outcome = Ok(());
        flatten(member, &mut |value| {
            outcome = self.value(name, value, policy, nested);
            if outcome.is_ok() {
                Visit::Continue
            } else {
                Visit::Stop
            }
        });
        outcome
    }

    /// What the fields become that a field's values are copied to and that the mapping does not name.
    fn copy(&mut self, field: &Field, member: &Value) -> Result<(), Rejected> {
        for target in &field.copy_to {
            if self.mapping.fields.contains_key(target) {
                continue;
            }
            let policy = self.mapping.policy_for(target);
            let mut outcome = Ok(());
            flatten(member, &mut |value| {
                outcome = self.value(target, value, policy, None);
                if outcome.is_ok() {
                    Visit::Continue
                } else {
                    Visit::Stop
                }
            });
            outcome?;
        }
        Ok(())
    }

    fn check(&self, field: &Field, member: &Value) -> Result<(), Rejected> {
        if !field.kind.accepts(member) && !field.ignore_malformed {
            return Err(unfit(field));
        }
        let parts = self.mapping.fields_below(&field.name);
        for part in parts.filter(|part| part.is_sub_field) {
            if !part.kind.accepts(member) && !part.ignore_malformed {
                return Err(unfit(part));
            }
        }
        for copy in &field.copy_to {
            if let Some(target) = self.mapping.fields.get(copy) {
                self.check(target, member)?;
            }
        }
        Ok(())
    }

    fn value(
        &mut self,
        name: &str,
        value: &Value,
        policy: Policy,
        nested: Option<&Arc<str>>,
    ) -> Result<(), Rejected> {
        match value {
            Value::Null | Value::Array(_) => Ok(()),
            Value::Object(inner) => match self.enter(name, policy, nested)? {
                Some((policy, nested)) => self.object(inner, name, policy, nested.as_ref()),
                None => Ok(()),
            },
            scalar => {
                if let Some(field) = self.mapping.fields.get(name) {
                    return Err(unfit(field));
                }
                match policy {
                    Policy::Ignore => return Ok(()),
                    Policy::Reject => {
                        return Err(Rejected::Strict {
                            field: name.to_owned(),
                        });
                    }
                    Policy::Learn => {}
                }
                let candidate = self
                    .mapping
                    .candidate(name, scalar)
                    .and_then(|at| self.mapping.candidates().get(at));
                let Some(candidate) = candidate else {
                    return Ok(());
                };
                let mut field = at_path(&candidate.field, name, name, nested);
                if let Some(nested) = nested.and_then(|nested| self.known(nested)) {
                    field.included_in.clone_from(&nested.included_in);
                }
                if let (Some(from), Source::Paths(paths)) =
                    (self.mapping.copies.get(name), &mut field.sources)
                {
                    paths.extend(from.iter().cloned());
                }
                if let Some(earlier) = self.found.get(name) {
                    if earlier.kind != field.kind {
                        return Err(Rejected::TwoTypes {
                            field: name.to_owned(),
                        });
                    }
                } else {
                    for (end, sub_field) in &candidate.sub_fields {
                        let full = format!("{name}.{end}");
                        let mut sub_field = at_path(sub_field, &full, name, nested);
                        sub_field.sources.clone_from(&field.sources);
                        sub_field.included_in.clone_from(&field.included_in);
                        self.found.insert(full.into(), sub_field);
                    }
                    self.found.insert(name.into(), field.clone());
                }
                self.check(&field, scalar)
            }
        }
    }
}

fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

/// A candidate given its place.
fn at_path(candidate: &Field, name: &str, source: &str, nested: Option<&Arc<str>>) -> Field {
    let inside = nested
        .and_then(|nested| source.strip_prefix(&**nested)?.strip_prefix('.'))
        .unwrap_or(source);
    Field {
        name: name.into(),
        sources: Source::Paths(vec![Path::new(inside)]),
        nested: nested.cloned(),
        ..candidate.clone()
    }
}

fn unfit(field: &Field) -> Rejected {
    Rejected::Unfit {
        field: field.name.to_string(),
        kind: field.kind.name(),
    }
}
