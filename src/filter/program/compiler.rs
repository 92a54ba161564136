//! Takes plans apart into conditions, equal ones once.

use super::alternatives::joined;
use super::{Condition, ConditionId, List, Probe, Typing, Values};
use crate::filter::anchor::{anchors, is_vague};
use crate::filter::mapping::{Kind, Source};
use crate::filter::plan::{ByEvent, Leaf, Names, Plan, Variant, hash_of, hash_test};
use crate::filter::values::Path;
use foldhash::fast::FixedState;
use hashbrown::hash_table::Entry;
use hashbrown::{HashMap, HashTable};
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::Arc;

/// From how many alternatives on the sieve looks for each of them.
const LONG: usize = 8;

/// Takes plans apart.
#[derive(Default)]
pub(super) struct Compiler {
    pub(super) names: Vec<String>,
    slots: HashMap<String, usize, FixedState>,
    pub(super) conditions: Vec<Condition>,
    /// The conditions, found by what they are.
    known: HashTable<ConditionId>,
    pub(super) probes: Vec<Probe>,
    /// By hash: the probes that may be equal.
    known_probes: HashMap<u64, Vec<usize>, FixedState>,
    pub(super) typings: Vec<Typing>,
    known_typings: HashMap<usize, Vec<usize>, FixedState>,
    pub(super) lists: Vec<List>,
    /// By what is in them.
    known_lists: HashMap<Box<[ConditionId]>, usize, FixedState>,
    /// By hash: plans that may be equal, with their conditions.
    by_event: HashMap<u64, Vec<(Arc<ByEvent>, ConditionId)>, FixedState>,
}

impl Compiler {
    pub(super) fn slot(&mut self, name: &str) -> usize {
        let next = self.names.len();
        let slot = *self.slots.entry_ref(name).or_insert(next);
        if slot == next {
            self.names.push(name.to_owned());
        }
        slot
    }

    fn intern(&mut self, condition: Condition) -> ConditionId {
        let hashes = FixedState::default();
        let conditions = &self.conditions;
        let condition_of = |id: &ConditionId| conditions.get(id.0 as usize);
        let same = |id: &ConditionId| condition_of(id) == Some(&condition);
        let again = |id: &ConditionId| hashes.hash_one(condition_of(id).unwrap_or(&condition));
        match self.known.entry(hashes.hash_one(&condition), same, again) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(vacant) => {
                let id = ConditionId(u32::try_from(conditions.len()).unwrap_or(u32::MAX));
                vacant.insert(id);
                self.conditions.push(condition);
                id
            }
        }
    }

    /// The condition for a plan; `current` is the slot of the member that is being typed by its own value.
    pub(super) fn condition(&mut self, plan: &Plan, current: Option<usize>) -> ConditionId {
        let condition = match plan {
            Plan::All => Condition::Always,
            Plan::None(_) => Condition::Never,
            Plan::ByEvent(by_event) => return self.by_event(by_event),
            plan if !is_projectable(plan) => self.on_document(plan),
            Plan::Every(of) => self.every(of, current),
            Plan::AtLeast { count: 1, of } if current.is_none() && of.len() >= LONG => {
                self.one_of(&of.iter().collect::<Vec<_>>())
            }
            Plan::AtLeast { count: 1, of } => match &joined(of)[..] {
                [only] => return self.condition(only, current),
                several => {
                    let conditions = several.iter().map(|plan| self.condition(plan, current));
                    Condition::AtLeast(1, conditions.collect())
                }
            },
            Plan::AtLeast { count, of } => {
                Condition::AtLeast(*count as usize, self.each(of, current))
            }
            Plan::Not(inner) => Condition::Not(self.condition(inner, current)),
            Plan::Leaf(leaf) => self.leaf(leaf, current),
            // Not projectable, see above.
            Plan::Nested { .. } | Plan::TermsSet(_) => Condition::Never,
        };
        self.intern(condition)
    }

    fn each(&mut self, plans: &[Plan], current: Option<usize>) -> Box<[ConditionId]> {
        plans
            .iter()
            .map(|plan| self.condition(plan, current))
            .collect()
    }

    fn every(&mut self, of: &[Plan], current: Option<usize>) -> Condition {
        let excluded = |plan: &&Plan| matches!(plan, Plan::Not(_));
        if current.is_some() || of.iter().filter(excluded).count() < LONG {
            return Condition::Every(self.each(of, current));
        }
        // None of many is not one of many.
        let (mut all, mut none) = (Vec::new(), Vec::new());
        for plan in of {
            match plan {
                Plan::Not(inner) => none.push(&**inner),
                plan => all.push(self.condition(plan, None)),
            }
        }
        let one = self.one_of(&none);
        let one = self.intern(one);
        all.push(self.intern(Condition::Not(one)));
        Condition::Every(all.into())
    }

    fn one_of(&mut self, plans: &[&Plan]) -> Condition {
        let conditions: Box<[ConditionId]> = plans
            .iter()
            .map(|plan| self.condition(plan, None))
            .collect();
        if let Some(known) = self.known_lists.get(&conditions) {
            return Condition::OneOf(*known);
        }
        let (mut unsifted, mut sifted, mut found) = (Vec::new(), Vec::new(), Vec::new());
        for (plan, condition) in plans.iter().zip(&conditions) {
            // What is decided on the document asks the sieve by itself.
            let asks = matches!(
                self.conditions.get(condition.0 as usize),
                Some(Condition::Document(_))
            );
            let anchors = if asks { Vec::new() } else { anchors(plan) };
            if anchors.iter().all(is_vague) {
                unsifted.push(*condition);
            } else {
                sifted.push(*condition);
                found.push(anchors);
            }
        }
        self.known_lists.insert(conditions, self.lists.len());
        self.lists.push(List {
            unsifted: unsifted.into(),
            sifted: sifted.into(),
            anchors: found,
            first: 0,
        });
        Condition::OneOf(self.lists.len() - 1)
    }

    fn leaf(&mut self, leaf: &Leaf, current: Option<usize>) -> Condition {
        let values = match (&leaf.field.sources, current) {
            (Source::Paths(paths), _) => {
                let slots = paths.iter().map(|path| self.slot(path.as_str()));
                Values::Slots(slots.collect())
            }
            (Source::Current, Some(slot)) => Values::Slots([slot].into()),
            (Source::Current, None) => return Condition::Never,
            (Source::Id, _) => Values::Id,
            (Source::Index, _) => Values::Index,
        };
        let mut hasher = FixedState::default().build_hasher();
        values.hash(&mut hasher);
        hash_test(&leaf.test, &mut hasher);
        let alike = self.known_probes.entry(hasher.finish()).or_default();
        let same = alike.iter().copied().find(|&at| {
            matches!(self.probes.get(at), Some(Probe::Values { values: other, field, test })
                if *other == values
                    && field.kind == leaf.field.kind
                    && field.null_value == leaf.field.null_value
                    && *test == leaf.test)
        });
        Condition::Probe(same.unwrap_or_else(|| {
            self.probes.push(Probe::Values {
                values,
                field: Arc::clone(&leaf.field),
                test: leaf.test.clone(),
            });
            alike.push(self.probes.len() - 1);
            self.probes.len() - 1
        }))
    }

    fn on_document(&mut self, plan: &Plan) -> Condition {
        self.probes.push(Probe::Document {
            plan: plan.clone(),
            number: 0,
        });
        Condition::Document(self.probes.len() - 1)
    }

    fn by_event(&mut self, by_event: &Arc<ByEvent>) -> ConditionId {
        let hash = hash_of(by_event);
        let alike = self.by_event.get(&hash).into_iter().flatten();
        let is_named = matches!(*by_event.names, Names::One { .. });
        let same = alike.clone().find(|(other, _)| {
            // Which of many members are looked at depends on the names that the mapping has.
            other == by_event && (is_named || other.mapping.is_same(&by_event.mapping))
        });
        if let Some((_, id)) = same {
            return *id;
        }
        let id = match &*by_event.names {
            Names::One { path, parent } if is_typed_projectable(by_event) => {
                self.on_named(path, parent.as_ref(), by_event)
            }
            _ => {
                let condition = self.on_document(&Plan::ByEvent(Arc::clone(by_event)));
                self.intern(condition)
            }
        };
        let known = self.by_event.entry(hash).or_default();
        known.push((Arc::clone(by_event), id));
        id
    }

    /// On the member of a name, or on a sub-field of its parent.
    fn on_named(
        &mut self,
        path: &Path,
        parent: Option<&(Path, Arc<str>)>,
        by_event: &ByEvent,
    ) -> ConditionId {
        let itself = self.typed(path, by_event, &|variant| Some(&variant.main));
        let below = parent.map(|(parent, end)| {
            self.typed(parent, by_event, &|variant| {
                let mut sub_fields = variant.sub_fields.iter();
                sub_fields
                    .find(|(name, _)| name == end)
                    .map(|(_, plan)| plan)
            })
        });
        match below {
            None => itself,
            Some(below) => self.intern(Condition::AtLeast(1, [itself, below].into())),
        }
    }

    fn typed<'p>(
        &mut self,
        path: &Path,
        by_event: &'p ByEvent,
        plan: &dyn Fn(&'p Variant) -> Option<&'p Plan>,
    ) -> ConditionId {
        let slot = self.slot(path.as_str());
        let variants: Box<[ConditionId]> = by_event
            .variants
            .iter()
            .map(|variant| match plan(variant) {
                Some(plan) => self.condition(plan, Some(slot)),
                None => self.intern(Condition::Never),
            })
            .collect();
        let never = self.intern(Condition::Never);
        if variants.iter().all(|id| *id == never) {
            return never;
        }
        let alike = self.known_typings.entry(slot).or_default();
        let same = alike.iter().copied().find(|&at| {
            let typing = self.typings.get(at);
            typing.is_some_and(|typing| typing.mapping.types_like(&by_event.mapping))
        });
        let typing = same.unwrap_or_else(|| {
            self.typings.push(Typing {
                slot,
                name: path.as_str().into(),
                mapping: Arc::clone(&by_event.mapping),
            });
            alike.push(self.typings.len() - 1);
            self.typings.len() - 1
        });
        self.intern(Condition::ByType(typing, variants))
    }
}

/// Whether the values of named members decide a plan.
fn is_projectable(plan: &Plan) -> bool {
    match plan {
        Plan::All | Plan::None(_) => true,
        // Taken apart further.
        Plan::Every(_) | Plan::AtLeast { .. } | Plan::Not(_) => true,
        // A range of values is an object.
        Plan::Leaf(leaf) => !matches!(leaf.field.kind, Kind::Range(_)),
        Plan::ByEvent(by_event) => {
            matches!(*by_event.names, Names::One { .. }) && is_typed_projectable(by_event)
        }
        Plan::Nested { .. } | Plan::TermsSet(_) => false,
    }
}

/// Whether its values decide what is asked of a member, whatever its type.
fn is_typed_projectable(by_event: &ByEvent) -> bool {
    let variants = by_event.variants.iter();
    let mut plans = variants.flat_map(|variant| {
        let sub_fields = variant.sub_fields.iter().map(|(_, plan)| plan);
        std::iter::once(&variant.main).chain(sub_fields)
    });
    plans.all(is_all_projectable)
}

/// The same for a plan and everything in it.
fn is_all_projectable(plan: &Plan) -> bool {
    match plan {
        Plan::Every(of) | Plan::AtLeast { of, .. } => of.iter().all(is_all_projectable),
        Plan::Not(inner) => is_all_projectable(inner),
        plan => is_projectable(plan),
    }
}

#[cfg(test)]
mod tests {
    use crate::event::WallTime;
    use crate::event::json::parse_document;
    use crate::event::project::Projection;
    use crate::filter::tests::node;
    use crate::filter::{Filter, FilterEvent, Mapping, Memory, Program, ProjectedEvent};
    use serde_json::{Value, json};

    /// Whether the program picks documents, which the filter alone must say as well.
    #[track_caller]
    fn check(filter: &Value, documents: &[(Value, bool)]) {
        let filter = Filter::load(&[node(filter)], &Mapping::dynamic()).unwrap();
        let program = Program::new(&[&filter], &[], Vec::new());
        let (mut projection, mut memory) = (Projection::default(), Memory::default());
        for (document, expected) in documents {
            let bytes = document.to_string().into_bytes();
            let event = ProjectedEvent {
                projected: program.project(&bytes, &mut projection).unwrap(),
                bytes: &bytes,
                index: None,
                id: None,
                now: WallTime(0),
            };
            program.sift(&event, &mut memory);
            let found =
                program.candidate(0, &memory).is_some() && program.matches(0, &event, &mut memory);
            let alone = filter.matches(&FilterEvent {
                document: &parse_document(&bytes).unwrap(),
                index: None,
                id: None,
                now: WallTime(0),
            });
            assert_eq!((found, alone), (*expected, *expected), "{document}");
        }
    }

    fn joined(joint: &str) -> String {
        let names: Vec<String> = (0..50).map(|at| format!("host:\"web-{at}\"")).collect();
        names.join(joint)
    }

    #[test]
    fn alternatives_about_one_field() {
        check(
            &json!({"query_string": {"query": "a:(JP OR 7 OR \"x y\" OR z* OR [20 TO 30]) OR a.keyword:(\"Q q\" OR r)"}}),
            &[
                (json!({"a": "the jp"}), true),
                (json!({"a": ["no", "X, y"]}), true),
                (json!({"a": "x b y"}), false),
                (json!({"a": "zebra"}), true),
                (json!({"a": 7.0}), true),
                (json!({"a": [8, 25]}), true),
                (json!({"a": "Q q"}), true),
                (json!({"a": "q q"}), false),
                (json!({"a": true}), false),
                (json!({"a": {"keyword": "r"}}), true),
                (json!({"b": "jp"}), false),
            ],
        );
    }

    #[test]
    fn one_of_many() {
        let query = format!("{} OR size:>9 OR host:db* OR _id:x", joined(" OR "));
        check(
            &json!({"query_string": {"query": query}}),
            &[
                (json!({"host": "web-7"}), true),
                (json!({"host": ["mail", "the WEB 49"]}), true),
                (json!({"host": "web"}), false),
                (json!({"host": "web 1 7"}), true),
                (json!({"host": "web x 7", "size": 9}), false),
                (json!({"host": "7 web", "size": 10}), true),
                (json!({"host": "dbms"}), true),
                (json!({"size": 3}), false),
            ],
        );
    }

    #[test]
    fn none_of_many() {
        let query = format!("NOT {} AND NOT host:db* AND size:>9", joined(" AND NOT "));
        check(
            &json!({"query_string": {"query": query}}),
            &[
                (json!({"host": "web-7", "size": 10}), false),
                (json!({"host": "web-50", "size": 10}), true),
                (json!({"host": "web-50", "size": 9}), false),
                (json!({"host": "dbms", "size": 10}), false),
                (json!({"size": 10}), true),
            ],
        );
    }
}
