//! Equal parts of the plans of many rules, kept once.
//!
//! Rules that belong together ask much the same. What is asked of a field that the mapping does not name takes most of a plan: a test for each type that
//! it may turn out to have.

use super::{ByEvent, Names, Plan, StringTest, Test};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher as _, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

/// The parts that rules loaded together can share; several threads may load at once.
#[derive(Debug, Default)]
pub struct Shared(Mutex<HashTable<Arc<ByEvent>>>);

impl Shared {
    /// Puts those parts into a plan, in place of its own equal ones, and remembers the ones that are new.
    pub(in crate::filter) fn put_into(&self, plan: &mut Plan) {
        // Nothing is left half done by a thread that panics.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        share(plan, &mut known);
    }
}

fn share(plan: &mut Plan, known: &mut HashTable<Arc<ByEvent>>) {
    match plan {
        Plan::All | Plan::None(_) | Plan::Leaf(_) => {}
        Plan::Every(of) | Plan::AtLeast { of, .. } | Plan::TermsSet { of, .. } => {
            of.shrink_to_fit();
            of.iter_mut().for_each(|plan| share(plan, known));
        }
        Plan::Not(inner) | Plan::Nested { inner, .. } => share(inner, known),
        Plan::ByEvent(by_event) => {
            let same = |other: &Arc<ByEvent>| {
                other.mapping.is_same(&by_event.mapping) && other == by_event
            };
            let hash = |by_event: &Arc<ByEvent>| hash_of(by_event);
            *by_event = known
                .entry(hash_of(by_event), same, hash)
                .or_insert_with(|| Arc::clone(by_event))
                .get()
                .clone();
        }
    }
}

/// A number that is the same for equal plans.
pub(in crate::filter) fn hash_of(by_event: &ByEvent) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    if let Names::One { path, .. } = &by_event.names {
        path.as_str().hash(&mut hasher);
    }
    for variant in &by_event.variants {
        hash_plan(&variant.main, &mut hasher);
        for (_, plan) in &variant.sub_fields {
            hash_plan(plan, &mut hasher);
        }
    }
    hasher.finish()
}

fn hash_plan(plan: &Plan, hasher: &mut impl Hasher) {
    match plan {
        Plan::Leaf(leaf) => hash_test(&leaf.test, hasher),
        Plan::Every(of) | Plan::AtLeast { of, .. } => {
            of.len().hash(hasher);
            of.iter().for_each(|plan| hash_plan(plan, hasher));
        }
        Plan::Not(inner) => hash_plan(inner, hasher),
        Plan::All
        | Plan::None(_)
        | Plan::ByEvent(_)
        | Plan::Nested { .. }
        | Plan::TermsSet { .. } => std::mem::discriminant(plan).hash(hasher),
    }
}

pub(in crate::filter) fn hash_test(test: &Test, hasher: &mut impl Hasher) {
    std::mem::discriminant(test).hash(hasher);
    match test {
        Test::Term(test) => match test {
            StringTest::Is(text)
            | StringTest::IsIgnoringCase(text)
            | StringTest::StartsWith { start: text, .. }
            | StringTest::Wildcard { pattern: text, .. }
            | StringTest::Regexp { pattern: text, .. }
            | StringTest::Near { term: text, .. } => text.hash(hasher),
            StringTest::IsOneOf(texts) => hash_all(texts.iter(), hasher),
            StringTest::Between { lower, upper } => (lower, upper).hash(hasher),
        },
        Test::Phrase(phrase) => phrase.terms.hash(hasher),
        Test::Whole { first, last } => (first, last).hash(hasher),
        Test::Unsigned { first, last } => (first, last).hash(hasher),
        Test::WholeOneOf(numbers) => hash_all(numbers.iter(), hasher),
        Test::Float { lower, upper } => {
            (lower.value.to_bits(), upper.value.to_bits()).hash(hasher);
        }
        Test::Date(date) => date.written.hash(hasher),
        Test::Ip { first, last } => (first, last).hash(hasher),
        Test::AnyOf(tests) => tests.iter().for_each(|test| hash_test(test, hasher)),
        Test::Exists | Test::Range(_) | Test::Never(_) => {}
    }
}

/// Hashes what is in a set, whatever its order.
fn hash_all<T: Hash>(of: impl Iterator<Item = T>, hasher: &mut impl Hasher) {
    let one = FixedState::default();
    let sum = of.fold(0_u64, |sum, item| sum.wrapping_add(one.hash_one(item)));
    sum.hash(hasher);
}
