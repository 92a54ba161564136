//! Alternatives that ask about the same values, as one question: `country:(JP OR GB OR KR)` cuts the country into terms once.

use crate::filter::plan::{ByEvent, Leaf, Names, Plan, StringTest, Test, Variant};
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// Alternatives, those that look at the same place of an event joined. An event fulfils one of them exactly when it fulfils one of these.
pub(super) fn joined(of: &[Plan]) -> Vec<Cow<'_, Plan>> {
    let mut groups: Vec<Vec<&Plan>> = Vec::new();
    for plan in of {
        let same = groups
            .iter_mut()
            .find(|group| group.first().is_some_and(|first| look_at_same(first, plan)));
        match same {
            Some(group) => group.push(plan),
            None => groups.push(vec![plan]),
        }
    }
    groups.into_iter().map(|group| join(&group)).collect()
}

fn look_at_same(one: &Plan, other: &Plan) -> bool {
    match (one, other) {
        (Plan::Leaf(one), Plan::Leaf(other)) => Arc::ptr_eq(&one.field, &other.field),
        (Plan::ByEvent(one), Plan::ByEvent(other)) => {
            matches!(*one.names, Names::One { .. })
                && one.names == other.names
                && one.mapping.types_like(&other.mapping)
        }
        _ => false,
    }
}

fn join<'p>(group: &[&'p Plan]) -> Cow<'p, Plan> {
    match group {
        [only] => Cow::Borrowed(*only),
        [Plan::Leaf(first), ..] => {
            let tests = group.iter().filter_map(|plan| match plan {
                Plan::Leaf(leaf) => Some(&leaf.test),
                _ => None,
            });
            Cow::Owned(Plan::Leaf(Box::new(Leaf {
                field: Arc::clone(&first.field),
                test: any_test(tests),
            })))
        }
        [Plan::ByEvent(first), ..] => {
            let all: Vec<&ByEvent> = group
                .iter()
                .filter_map(|plan| match plan {
                    Plan::ByEvent(by_event) => Some(&**by_event),
                    _ => None,
                })
                .collect();
            // A member becomes the same candidate for all of them.
            let variant = |at: usize| {
                let variants = all.iter().filter_map(|by_event| by_event.variants.get(at));
                Arc::new(any_variant(&variants.map(Arc::as_ref).collect::<Vec<_>>()))
            };
            Cow::Owned(Plan::ByEvent(Arc::new(ByEvent {
                names: Arc::clone(&first.names),
                variants: (0..first.variants.len()).map(variant).collect(),
                mapping: Arc::clone(&first.mapping),
                pieces: OnceLock::new(),
            })))
        }
        // Others never come together.
        others => Cow::Owned(Plan::any(
            others.iter().map(|plan| (*plan).clone()).collect(),
        )),
    }
}

fn any_variant(of: &[&Variant]) -> Variant {
    let mut sub_fields: Vec<(Arc<str>, Plan)> = Vec::new();
    for (name, _) in of.iter().flat_map(|variant| &variant.sub_fields) {
        if sub_fields.iter().all(|(known, _)| known != name) {
            let all = of.iter().flat_map(|variant| &variant.sub_fields);
            let plans = all.filter(|(other, _)| other == name);
            sub_fields.push((Arc::clone(name), any(plans.map(|(_, plan)| plan))));
        }
    }
    Variant {
        main: any(of.iter().map(|variant| &variant.main)),
        sub_fields: sub_fields.into(),
    }
}

fn any<'p>(plans: impl Iterator<Item = &'p Plan>) -> Plan {
    let plans: Vec<Plan> = plans.cloned().collect();
    Plan::any(joined(&plans).into_iter().map(Cow::into_owned).collect())
}

/// One test that values pass which pass one of several.
fn any_test<'t>(tests: impl Iterator<Item = &'t Test>) -> Test {
    let mut others = Vec::new();
    let mut texts = hashbrown::HashSet::new();
    for test in tests {
        match test {
            Test::Term(StringTest::Is(text)) => _ = texts.insert(text.clone()),
            Test::Term(StringTest::IsOneOf(all)) => texts.extend(all.iter().cloned()),
            other => others.push(other.clone()),
        }
    }
    let texts = (!texts.is_empty()).then(|| Test::Term(StringTest::IsOneOf(Arc::new(texts))));
    match (texts, others.is_empty()) {
        (Some(texts), true) => texts,
        (texts, _) => Test::AnyOf(texts.into_iter().chain(others).collect()),
    }
}
