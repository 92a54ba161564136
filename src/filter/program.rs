//! The filters of all rules as one program: what several of them ask is asked once.
//!
//! Plans are taken apart into conditions, and equal conditions become one. An event is projected to the values that any of them
//! looks at; the sieve says which filters could pick it; for those the conditions are decided, each at most once for an event. What a projection cannot
//! decide (nested objects, names with `*`) is decided on the parsed document, for the filters that need it.

use super::anchor::anchors;
use super::mapping::{Field, Kind, Mapping, Source};
use super::matcher::{self, Place, visit_text};
use super::plan::{ByEvent, Leaf, Names, Plan, StringTest, Test, Variant};
use super::sieve::{Candidates, Sieve};
use super::values::{Path, Visit};
use super::{Filter, FilterEvent};
use crate::event::json::{EventError, parse_document};
use crate::event::project::{Item, Projected, Projection, Projector};
use crate::event::{Document, FieldPath, WallTime};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::hash::{BuildHasher as _, Hash, Hasher};
use std::sync::Arc;

/// The filters of many rules, ready to decide.
#[derive(Debug)]
pub struct Program {
    projector: Projector,
    sieve: Sieve,
    conditions: Vec<Condition>,
    leaves: Vec<Probe>,
    typings: Vec<Typing>,
    /// By filter: its condition.
    filters: Vec<ConditionId>,
    /// How many of them the sieve looks for.
    sifted: usize,
}

/// The number of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ConditionId(u32);

/// Something that holds for an event or does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Condition {
    Always,
    Never,
    /// All of these.
    Every(Box<[ConditionId]>),
    /// At least so many of these.
    AtLeast(usize, Box<[ConditionId]>),
    Not(ConditionId),
    /// A test on values; a position in the list of probes.
    Probe(usize),
    /// What holds depends on the type that dynamic mapping gives to a member; a position in the list of typings, and a condition for each type.
    ByType(usize, Box<[ConditionId]>),
    /// Decided on the parsed document; a position in the list of probes.
    Document(usize),
}

/// A test, and what it is made on.
#[derive(Debug)]
enum Probe {
    Values {
        values: Values,
        field: Arc<Field>,
        test: Test,
    },
    Document {
        plan: Plan,
        /// Its number in the sieve.
        number: usize,
    },
}

/// Where values come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Values {
    /// From these slots of the projection.
    Slots(Box<[usize]>),
    Id,
    Index,
}

/// A member whose type depends on its value.
#[derive(Debug)]
struct Typing {
    slot: usize,
    name: Box<str>,
    mapping: Arc<Mapping>,
}

/// What is known of one event so far, begun by [`Program::sift`]. Kept and used again, so that the steady state allocates nothing.
#[derive(Debug, Default)]
pub struct Memory {
    /// Counts events.
    event: u32,
    /// Filters that could pick the event, and then documents that are worth parsing.
    found: Candidates,
    /// By condition: the event for which it was decided, shifted by one, and whether it holds.
    conditions: Vec<u32>,
    /// By typing: the event, and the type found.
    types: Vec<(u32, Option<usize>)>,
    /// The event, parsed, once somebody needed it.
    document: Option<Document>,
}

/// An event as the program sees it.
#[derive(Debug, Clone, Copy)]
pub struct ProjectedEvent<'e> {
    /// What the program's projection found.
    pub projected: Projected<'e>,
    /// The event's JSON text.
    pub bytes: &'e [u8],
    /// The index it belongs to, when known.
    pub index: Option<&'e str>,
    /// Its id there, when known.
    pub id: Option<&'e str>,
    /// What `now` means in date math.
    pub now: WallTime,
}

impl Memory {
    /// Forgets the last event.
    fn begin(&mut self) {
        self.document = None;
        self.event += 1;
        if self.event > u32::MAX >> 1 {
            *self = Self {
                event: 1,
                ..Self::default()
            };
        }
    }
}

impl Program {
    /// Compiles filters. The sieve looks for those of `filters`; `others` follow them in numbering and are only decided when asked for.
    /// `fields` are found beside what filters look at.
    pub fn new(filters: &[&Filter], others: &[&Filter], fields: Vec<FieldPath>) -> Self {
        let mut compiler = Compiler::default();
        let conditions = filters
            .iter()
            .chain(others)
            .map(|filter| compiler.condition(&filter.plan, None))
            .collect();
        let mut anchored: Vec<_> = filters.iter().map(|filter| anchors(&filter.plan)).collect();
        for probe in &mut compiler.probes {
            if let Probe::Document { plan, number } = probe {
                *number = anchored.len();
                anchored.push(anchors(plan));
            }
        }
        let sieve = Sieve::of(&anchored, &mut |name| compiler.slot(name));
        Self {
            projector: Projector::new(fields, &compiler.names),
            sieve,
            conditions: compiler.conditions,
            leaves: compiler.probes,
            typings: compiler.typings,
            filters: conditions,
            sifted: filters.len(),
        }
    }

    /// The fields asked for beside what filters look at.
    pub fn fields(&self) -> &[FieldPath] {
        self.projector.fields()
    }

    /// The names whose values filters look at.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.projector.values().iter().map(Path::as_str)
    }

    /// The filters that the sieve can leave out for no event.
    pub fn unsifted(&self) -> impl Iterator<Item = usize> {
        self.sieve.always().filter(|filter| *filter < self.sifted)
    }

    /// Finds in an event what [`Program::sift`] and [`Program::matches`] look at.
    ///
    /// # Errors
    /// It is no event.
    pub fn project<'p>(
        &self,
        bytes: &'p [u8],
        into: &'p mut Projection,
    ) -> Result<Projected<'p>, EventError> {
        self.projector.project(bytes, into)
    }

    /// Begins with an event: finds the filters that could pick it.
    pub fn sift(&self, event: &ProjectedEvent<'_>, memory: &mut Memory) {
        memory.begin();
        memory.conditions.resize(self.conditions.len(), 0);
        memory.types.resize(self.typings.len(), (0, None));
        self.sieve.sift(event, &mut memory.found);
    }

    /// The first filter from this number on that could pick the event; all between do not.
    pub fn candidate(&self, from: usize, memory: &Memory) -> Option<usize> {
        memory
            .found
            .next(from)
            .filter(|filter| *filter < self.sifted)
    }

    /// Whether the filter of that number picks the event that [`Program::sift`] began with.
    pub fn matches(&self, filter: usize, event: &ProjectedEvent<'_>, memory: &mut Memory) -> bool {
        let condition = self.filters.get(filter);
        condition.is_some_and(|condition| self.holds(*condition, event, memory))
    }

    fn holds(&self, id: ConditionId, event: &ProjectedEvent<'_>, memory: &mut Memory) -> bool {
        let at = id.0 as usize;
        let (Some(condition), Some(&known)) = (self.conditions.get(at), memory.conditions.get(at))
        else {
            return false;
        };
        if known >> 1 == memory.event {
            return known & 1 == 1;
        }
        let holds = |id: ConditionId, memory: &mut Memory| self.holds(id, event, memory);
        let outcome = match condition {
            Condition::Always => return true,
            Condition::Never => return false,
            Condition::Every(of) => of.iter().all(|id| holds(*id, memory)),
            Condition::AtLeast(1, of) => of.iter().any(|id| holds(*id, memory)),
            Condition::AtLeast(count, of) => {
                let mut missing = *count;
                of.iter().enumerate().any(|(at, id)| {
                    // Too few are left.
                    if missing > of.len() - at {
                        return false;
                    }
                    missing -= usize::from(holds(*id, memory));
                    missing == 0
                })
            }
            Condition::Not(id) => !holds(*id, memory),
            Condition::ByType(typing, variants) => {
                let variant = self
                    .kind_of(*typing, event, memory)
                    .and_then(|at| variants.get(at));
                variant.is_some_and(|id| holds(*id, memory))
            }
            Condition::Probe(probe) | Condition::Document(probe) => {
                let probe = self.leaves.get(*probe);
                probe.is_some_and(|probe| probe.passes(event, memory))
            }
        };
        if let Some(known) = memory.conditions.get_mut(at) {
            *known = memory.event << 1 | u32::from(outcome);
        }
        outcome
    }

    /// What dynamic mapping makes of a member.
    fn kind_of(
        &self,
        typing: usize,
        event: &ProjectedEvent<'_>,
        memory: &mut Memory,
    ) -> Option<usize> {
        let (of, kind) = memory.types.get_mut(typing)?;
        if *of != memory.event {
            let Typing {
                slot,
                name,
                mapping,
            } = self.typings.get(typing)?;
            *of = memory.event;
            *kind = event.projected.members(*slot).find_map(|mut member| {
                let first = member.find(|item| *item != Item::Null)?;
                mapping.candidate_of(name, first)
            });
        }
        *kind
    }
}

impl Probe {
    fn passes(&self, event: &ProjectedEvent<'_>, memory: &mut Memory) -> bool {
        match self {
            Self::Values {
                values,
                field,
                test,
            } => matcher::passes(field, test, event.now, &|visit| values.show(event, visit)),
            Self::Document { plan, number } => {
                if !memory.found.contains(*number) {
                    return false;
                }
                let document = memory
                    .document
                    // What is no event was told when it was projected.
                    .get_or_insert_with(|| parse_document(event.bytes).unwrap_or_default());
                plan.matches(Place::of(&FilterEvent {
                    document,
                    index: event.index,
                    id: event.id,
                    now: event.now,
                }))
            }
        }
    }
}

impl Values {
    fn show(&self, event: &ProjectedEvent<'_>, visit: &mut dyn FnMut(Item<'_>) -> Visit) -> Visit {
        match self {
            Self::Slots(slots) => {
                for slot in slots {
                    for item in event.projected.items(*slot) {
                        if visit(item) == Visit::Stop {
                            return Visit::Stop;
                        }
                    }
                }
                Visit::Continue
            }
            Self::Id => visit_text(event.id, visit),
            Self::Index => visit_text(event.index, visit),
        }
    }
}

/// Takes plans apart.
#[derive(Default)]
struct Compiler {
    names: Vec<String>,
    slots: HashMap<String, usize, FixedState>,
    conditions: Vec<Condition>,
    known: HashMap<Condition, ConditionId, FixedState>,
    probes: Vec<Probe>,
    /// By hash: the probes that may be equal.
    known_probes: HashMap<u64, Vec<usize>, FixedState>,
    typings: Vec<Typing>,
    known_typings: HashMap<usize, Vec<usize>, FixedState>,
    /// By hash: plans that may be equal, with their conditions.
    by_event: HashMap<u64, Vec<(Arc<ByEvent>, ConditionId)>, FixedState>,
}

impl Compiler {
    fn slot(&mut self, name: &str) -> usize {
        let next = self.names.len();
        let slot = *self.slots.entry_ref(name).or_insert(next);
        if slot == next {
            self.names.push(name.to_owned());
        }
        slot
    }

    fn intern(&mut self, condition: Condition) -> ConditionId {
        if let Some(&known) = self.known.get(&condition) {
            return known;
        }
        let id = ConditionId(u32::try_from(self.conditions.len()).unwrap_or(u32::MAX));
        self.conditions.push(condition.clone());
        self.known.insert(condition, id);
        id
    }

    /// The condition for a plan; `current` is the slot of the member that is being typed by its own value.
    fn condition(&mut self, plan: &Plan, current: Option<usize>) -> ConditionId {
        let condition = match plan {
            Plan::All => Condition::Always,
            Plan::None(_) => Condition::Never,
            plan if !is_projectable(plan) => {
                self.probes.push(Probe::Document {
                    plan: plan.clone(),
                    number: 0,
                });
                Condition::Document(self.probes.len() - 1)
            }
            Plan::Every(of) => Condition::Every(self.each(of, current)),
            Plan::AtLeast { count, of } => Condition::AtLeast(*count, self.each(of, current)),
            Plan::Not(inner) => Condition::Not(self.condition(inner, current)),
            Plan::Leaf(leaf) => self.leaf(leaf, current),
            Plan::ByEvent(by_event) => return self.by_event(by_event),
            // Not projectable, see above.
            Plan::Nested { .. } | Plan::TermsSet { .. } => Condition::Never,
        };
        self.intern(condition)
    }

    fn each(&mut self, plans: &[Plan], current: Option<usize>) -> Box<[ConditionId]> {
        plans
            .iter()
            .map(|plan| self.condition(plan, current))
            .collect()
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

    fn by_event(&mut self, by_event: &Arc<ByEvent>) -> ConditionId {
        let Names::One { path, parent } = &by_event.names else {
            // Not projectable.
            return self.intern(Condition::Never);
        };
        let hash = hash_of(by_event);
        let alike = self.by_event.get(&hash).into_iter().flatten();
        let same = alike.clone().find(|(other, _)| other == by_event);
        if let Some((_, id)) = same {
            return *id;
        }
        let itself = self.typed(path, by_event, &|variant| Some(&variant.main));
        let below = parent.as_ref().map(|(parent, end)| {
            self.typed(parent, by_event, &|variant| {
                let mut sub_fields = variant.sub_fields.iter();
                sub_fields
                    .find(|(name, _)| name == end)
                    .map(|(_, plan)| plan)
            })
        });
        let id = match below {
            None => itself,
            Some(below) => self.intern(Condition::AtLeast(1, [itself, below].into())),
        };
        self.by_event
            .entry(hash)
            .or_default()
            .push((Arc::clone(by_event), id));
        id
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
            let variants = by_event.variants.iter();
            let mut plans = variants.flat_map(|variant| {
                let sub_fields = variant.sub_fields.iter().map(|(_, plan)| plan);
                std::iter::once(&variant.main).chain(sub_fields)
            });
            matches!(by_event.names, Names::One { .. }) && plans.all(is_all_projectable)
        }
        Plan::Nested { .. } | Plan::TermsSet { .. } => false,
    }
}

/// The same for a plan and everything in it.
fn is_all_projectable(plan: &Plan) -> bool {
    match plan {
        Plan::Every(of) | Plan::AtLeast { of, .. } => of.iter().all(is_all_projectable),
        Plan::Not(inner) => is_all_projectable(inner),
        plan => is_projectable(plan),
    }
}

/// A number that is the same for equal plans.
fn hash_of(by_event: &ByEvent) -> u64 {
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

fn hash_test(test: &Test, hasher: &mut impl Hasher) {
    std::mem::discriminant(test).hash(hasher);
    match test {
        Test::Term(test) => match test {
            StringTest::Is(text)
            | StringTest::IsIgnoringCase(text)
            | StringTest::StartsWith { start: text, .. }
            | StringTest::Wildcard { pattern: text, .. }
            | StringTest::Regexp { pattern: text, .. }
            | StringTest::Near { term: text, .. } => text.hash(hasher),
            StringTest::IsOneOf(texts) => texts.len().hash(hasher),
            StringTest::Between { lower, upper } => (lower, upper).hash(hasher),
        },
        Test::Phrase(phrase) => phrase.terms.hash(hasher),
        Test::Whole { first, last } => (first, last).hash(hasher),
        Test::Unsigned { first, last } => (first, last).hash(hasher),
        Test::WholeOneOf(numbers) => numbers.len().hash(hasher),
        Test::Float { lower, upper } => {
            (lower.value.to_bits(), upper.value.to_bits()).hash(hasher);
        }
        Test::Date(date) => date.written.hash(hasher),
        Test::Ip { first, last } => (first, last).hash(hasher),
        Test::AnyOf(tests) => tests.iter().for_each(|test| hash_test(test, hasher)),
        Test::Exists | Test::Range(_) | Test::Never(_) => {}
    }
}
