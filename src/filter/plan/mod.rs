//! A filter resolved against a mapping: which places of a document are looked at, and which values there count.

mod absent;
mod compile;
mod exists;
mod field;
mod lucene;
mod numbers;
mod ranges;
mod several;
mod shared;
mod simple;
mod strings;
mod test;
mod words;

use super::mapping::{Field, Mapping};
use super::values::Path;
use indexmap::IndexSet;
use std::sync::{Arc, OnceLock};

pub(super) use absent::is_absent;
pub(super) use compile::{NOT_THERE, compile, problems_beside_absent};
pub use shared::Shared;
pub(super) use shared::{hash_of, hash_test};
#[cfg(test)]
pub(super) use strings::Compiled;
pub(super) use strings::StringTest;
pub(super) use test::{Phrase, Test};

/// What must hold for an event to match.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plan {
    /// Every event.
    All,
    /// No event, and why, for explanations.
    None(&'static str),
    /// All of these.
    Every(Box<[Plan]>),
    /// At least so many of these.
    AtLeast { count: u32, of: Box<[Plan]> },
    /// Not this.
    Not(Box<Plan>),
    /// A value of a field passes a test.
    Leaf(Box<Leaf>),
    /// Fields the mapping does not name: what is tested depends on what the event's value is.
    ByEvent(Arc<ByEvent>),
    /// An element of a nested object fulfils all of it.
    Nested { path: Box<Path>, inner: Box<Plan> },
    /// At least as many of these as a number in the document says.
    TermsSet(Box<TermsSet>),
}

/// See [`Plan::TermsSet`].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TermsSet {
    pub(super) minimum: Arc<Field>,
    pub(super) of: Box<[Plan]>,
}

/// There are many of them.
const _: () = assert!(size_of::<Plan>() <= 24);

/// A test on a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    pub(super) field: Arc<Field>,
    pub(super) test: Test,
}

/// What to test in fields the mapping does not name.
#[derive(Debug, Clone)]
pub(super) struct ByEvent {
    /// Which members of the event.
    pub(super) names: Arc<Names>,
    /// What to do with a member that became the candidate of that number; equal ones are one.
    pub(super) variants: Box<[Arc<Variant>]>,
    /// To tell what a member becomes.
    pub(super) mapping: Arc<Mapping>,
    /// Pieces of which a text must show one to pass, in capitals or not; found out when the first event is looked through.
    pub(super) pieces: OnceLock<Option<Box<[Box<str>]>>>,
}

/// Which members of an event a test looks at.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Names {
    /// The one of this name; and its parent, where the last part may be a sub-field such as `keyword`.
    One {
        path: Path,
        parent: Option<(Path, Arc<str>)>,
    },
    /// All whose names fit a pattern that the mapping does not name.
    Like(Arc<str>),
    /// Any below an object.
    Below(Path),
}

/// What is tested when a member turns out to be a certain type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Variant {
    /// On the field itself.
    pub(super) main: Plan,
    /// On its sub-fields, by the end of their names.
    pub(super) sub_fields: Box<[(Arc<str>, Plan)]>,
}

impl PartialEq for ByEvent {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
            && self.mapping.types_like(&other.mapping)
            && self.variants == other.variants
    }
}

impl Plan {
    /// Any one of several.
    pub(super) fn any(of: Vec<Self>) -> Self {
        Self::at_least(1, of)
    }

    /// At least so many of several, put in the simplest form.
    pub(super) fn at_least(count: usize, mut of: Vec<Self>) -> Self {
        if count == 0 {
            return Self::All;
        }
        if count == 1 {
            if of.iter().any(|plan| matches!(plan, Self::All)) {
                return Self::All;
            }
            of.retain(|plan| !matches!(plan, Self::None(_)));
        }
        if count > of.len() {
            return Self::None("fewer clauses are there than must match");
        }
        match (of.len(), of.pop()) {
            (1, Some(only)) => only,
            (_, Some(last)) => {
                of.push(last);
                of.sort_by_cached_key(Self::cost);
                Self::AtLeast {
                    count: u32::try_from(count).unwrap_or(u32::MAX),
                    of: of.into(),
                }
            }
            (_, None) => Self::None("there is nothing to match"),
        }
    }

    /// All of several, put in the simplest form, cheap ones first.
    pub(super) fn every(of: Vec<Self>) -> Self {
        let mut flat = Vec::new();
        for plan in of {
            match plan {
                Self::All => {}
                Self::Every(inner) => flat.extend(inner),
                plan => flat.push(plan),
            }
        }
        match (flat.len(), flat.pop()) {
            (_, None) => Self::All,
            (1, Some(only)) => only,
            (_, Some(last)) => {
                flat.push(last);
                flat.sort_by_cached_key(Self::cost);
                Self::Every(flat.into())
            }
        }
    }

    /// The opposite.
    pub(super) fn not(plan: Self) -> Self {
        match plan {
            Self::All => Self::None("it excludes everything"),
            Self::None(_) => Self::All,
            plan => Self::Not(Box::new(plan)),
        }
    }

    /// A guess of what it costs to decide, to try cheap ones first.
    fn cost(&self) -> usize {
        match self {
            Self::All | Self::None(_) => 0,
            Self::Leaf(leaf) => {
                leaf.test.cost()
                    * if leaf.field.kind.name() == "text" {
                        8
                    } else {
                        1
                    }
            }
            Self::Not(inner) => inner.cost() + 1,
            Self::ByEvent(by_event) => {
                let dearest = by_event.variants.iter().map(|v| v.main.cost()).max();
                let scan = if matches!(*by_event.names, Names::One { .. }) {
                    1
                } else {
                    50
                };
                dearest.unwrap_or(0).saturating_mul(scan)
            }
            Self::Every(of) | Self::AtLeast { of, .. } => {
                of.iter().map(Self::cost).sum::<usize>() + 1
            }
            Self::TermsSet(set) => set.of.iter().map(Self::cost).sum::<usize>() + 1,
            Self::Nested { inner, .. } => inner.cost().saturating_mul(4),
        }
    }

    /// The full names of the members that the outcome depends on, patterns as patterns.
    pub(super) fn fields(&self, into: &mut IndexSet<String>) {
        match self {
            Self::All | Self::None(_) => {}
            Self::Every(of) | Self::AtLeast { of, .. } => {
                of.iter().for_each(|plan| plan.fields(into))
            }
            Self::TermsSet(set) => {
                set.minimum.members(into);
                set.of.iter().for_each(|plan| plan.fields(into));
            }
            Self::Not(inner) | Self::Nested { inner, .. } => inner.fields(into),
            Self::Leaf(leaf) => leaf.field.members(into),
            Self::ByEvent(by_event) => match &*by_event.names {
                Names::One { path, parent } => {
                    into.insert(path.as_str().to_owned());
                    into.extend(parent.iter().map(|(path, _)| path.as_str().to_owned()));
                }
                Names::Like(pattern) => {
                    into.insert(pattern.to_string());
                }
                Names::Below(path) => {
                    into.insert(format!("{}.*", path.as_str()));
                }
            },
        }
    }
}
