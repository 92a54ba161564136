//! Equal parts of the plans of many rules, kept once.
//!
//! Rules that belong together ask much the same. What is asked of a field that the mapping does not name takes most of a plan: a test for each type that
//! it may turn out to have.

use super::strings::Compiled;
use super::{ByEvent, Names, Plan, StringTest, Test, Variant};
use crate::filter::regexp::Automaton;
use crate::filter::wildcard::Wildcard;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

/// The parts that rules loaded together can share; several threads may load at once.
#[derive(Debug, Default)]
pub struct Shared(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_event: HashTable<Arc<ByEvent>>,
    names: HashTable<Arc<Names>>,
    variants: HashTable<Arc<Variant>>,
    wildcards: HashTable<Arc<Compiled<Wildcard>>>,
    regexps: HashTable<Arc<Compiled<Automaton>>>,
}

impl Shared {
    /// Puts those parts into a plan, in place of its own equal ones, and remembers the ones that are new.
    pub(in crate::filter) fn put_into(&self, plan: &mut Plan) {
        // Nothing is left half done by a thread that panics.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.share(plan);
    }
}

/// The known one that is the same, or this one, which is known from now on.
fn one<T: PartialEq>(known: &mut HashTable<Arc<T>>, value: &mut Arc<T>, hash: impl Fn(&T) -> u64) {
    let same = |other: &Arc<T>| **other == **value;
    let entry = known.entry(hash(value), same, |other| hash(other));
    *value = entry.or_insert_with(|| Arc::clone(value)).get().clone();
}

impl Known {
    fn share(&mut self, plan: &mut Plan) {
        match plan {
            Plan::All | Plan::None(_) => {}
            Plan::Leaf(leaf) => self.share_test(&mut leaf.test),
            Plan::Every(of) | Plan::AtLeast { of, .. } => {
                of.iter_mut().for_each(|plan| self.share(plan));
            }
            Plan::TermsSet(set) => set.of.iter_mut().for_each(|plan| self.share(plan)),
            Plan::Not(inner) | Plan::Nested { inner, .. } => self.share(inner),
            Plan::ByEvent(by_event) => self.share_by_event(by_event),
        }
    }

    fn share_by_event(&mut self, by_event: &mut Arc<ByEvent>) {
        let same =
            |other: &Arc<ByEvent>| other.mapping.is_same(&by_event.mapping) && other == by_event;
        let hash = hash_of(by_event);
        if let Some(known) = self.by_event.find(hash, same) {
            *by_event = Arc::clone(known);
            return;
        }
        if let Some(ByEvent {
            names, variants, ..
        }) = Arc::get_mut(by_event)
        {
            one(&mut self.names, names, hash_names);
            for variant in variants {
                if let Some(new) = Arc::get_mut(variant) {
                    self.share(&mut new.main);
                    let sub_fields = new.sub_fields.iter_mut();
                    sub_fields.for_each(|(_, plan)| self.share(plan));
                }
                one(&mut self.variants, variant, hash_variant);
            }
        }
        let again = |other: &Arc<ByEvent>| hash_of(other);
        self.by_event
            .insert_unique(hash, Arc::clone(by_event), again);
    }

    fn share_test(&mut self, test: &mut Test) {
        match test {
            Test::Term(StringTest::Wildcard(wildcard)) => {
                one(&mut self.wildcards, wildcard, hash_written);
            }
            Test::Term(StringTest::Regexp(regexp)) => {
                one(&mut self.regexps, regexp, hash_written);
            }
            Test::AnyOf(tests) => tests.iter_mut().for_each(|test| self.share_test(test)),
            _ => {}
        }
    }
}

fn hash_written<T>(compiled: &Compiled<T>) -> u64 {
    hash_text(&compiled.text)
}

fn hash_text(text: &str) -> u64 {
    FixedState::default().hash_one(text)
}

/// A number that is the same for equal plans.
pub(in crate::filter) fn hash_of(by_event: &ByEvent) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hash_names(&by_event.names).hash(&mut hasher);
    for variant in &by_event.variants {
        hash_parts(variant, &mut hasher);
    }
    hasher.finish()
}

fn hash_names(names: &Names) -> u64 {
    match names {
        Names::One { path, .. } | Names::Below(path) => hash_text(path.as_str()),
        Names::Like(pattern) => hash_text(pattern),
    }
}

fn hash_variant(variant: &Variant) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hash_parts(variant, &mut hasher);
    hasher.finish()
}

fn hash_parts(variant: &Variant, hasher: &mut impl Hasher) {
    hash_plan(&variant.main, hasher);
    for (_, plan) in &variant.sub_fields {
        hash_plan(plan, hasher);
    }
}

fn hash_plan(plan: &Plan, hasher: &mut impl Hasher) {
    match plan {
        Plan::Leaf(leaf) => hash_test(&leaf.test, hasher),
        Plan::Every(of) | Plan::AtLeast { of, .. } => {
            of.len().hash(hasher);
            of.iter().for_each(|plan| hash_plan(plan, hasher));
        }
        Plan::Not(inner) => hash_plan(inner, hasher),
        Plan::All | Plan::None(_) | Plan::ByEvent(_) | Plan::Nested { .. } | Plan::TermsSet(_) => {
            std::mem::discriminant(plan).hash(hasher)
        }
    }
}

pub(in crate::filter) fn hash_test(test: &Test, hasher: &mut impl Hasher) {
    std::mem::discriminant(test).hash(hasher);
    match test {
        Test::Term(test) => match test {
            StringTest::Is(text)
            | StringTest::IsIgnoringCase(text)
            | StringTest::StartsWith { start: text, .. } => text.hash(hasher),
            StringTest::Wildcard(wildcard) => wildcard.text.hash(hasher),
            StringTest::Regexp(regexp) => regexp.text.hash(hasher),
            StringTest::Near(near) => near.text.hash(hasher),
            StringTest::IsOneOf(texts) => hash_all(texts.iter(), hasher),
            StringTest::Between(between) => (&between.lower, &between.upper).hash(hasher),
        },
        Test::Phrase(phrase) => phrase.terms.hash(hasher),
        Test::Whole { first, last } => (first, last).hash(hasher),
        Test::Unsigned { first, last } => (first, last).hash(hasher),
        Test::WholeOneOf(numbers) => hash_all(numbers.iter(), hasher),
        Test::Float(bounds) => {
            let (lower, upper) = &**bounds;
            (lower.value.to_bits(), upper.value.to_bits()).hash(hasher);
        }
        Test::Date(date) => date.written.hash(hasher),
        Test::Ip(span) => span.hash(hasher),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::tests::node;
    use crate::filter::{Filter, Mapping};
    use serde_json::json;

    /// What a filter asks of the first member that its event types.
    fn by_event(query: &str, mapping: &Mapping, shared: &Shared) -> Arc<ByEvent> {
        let clause = node(&json!({"query_string": {"query": query}}));
        let mut filter = Filter::load(&[clause], mapping).unwrap();
        filter.share(shared);
        match &*filter.plan {
            Plan::ByEvent(by_event) => Arc::clone(by_event),
            plan => panic!("{plan:?}"),
        }
    }

    /// The patterns in it, of texts and of their sub-fields.
    fn wildcards(by_event: &ByEvent) -> Vec<Arc<Compiled<Wildcard>>> {
        let variants = by_event.variants.iter();
        let plans = variants.flat_map(|variant| {
            let sub_fields = variant.sub_fields.iter().map(|(_, plan)| plan);
            sub_fields.chain([&variant.main])
        });
        let wildcard = |plan: &Plan| match plan {
            Plan::Leaf(leaf) => match &leaf.test {
                Test::Term(StringTest::Wildcard(wildcard)) => Some(Arc::clone(wildcard)),
                _ => None,
            },
            _ => None,
        };
        plans.filter_map(wildcard).collect()
    }

    #[test]
    fn what_is_equal_is_there_once() {
        let (mapping, shared) = (Mapping::dynamic(), Shared::default());
        let one = by_event("a.keyword:*x?y*", &mapping, &shared);
        let same = by_event("a.keyword:*x?y*", &mapping, &shared);
        assert!(Arc::ptr_eq(&one, &same));
        let other = by_event("a.keyword:*z*", &mapping, &shared);
        assert!(!Arc::ptr_eq(&one, &other));
        assert!(Arc::ptr_eq(&one.names, &other.names));
        let elsewhere = by_event("b.keyword:*x?y*", &mapping, &shared);
        let found = [wildcards(&one), wildcards(&elsewhere)].concat();
        assert!(found.len() >= 4, "{found:?}");
        let first = found.first().unwrap();
        assert!(found.iter().all(|wildcard| Arc::ptr_eq(wildcard, first)));
    }
}
