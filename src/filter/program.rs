//! The filters of all rules as one program: what several of them ask is asked once.
//!
//! Plans are taken apart into conditions, and equal conditions become one. An event is projected to the values that any of them
//! looks at; the sieve says which filters could pick it; for those the conditions are decided, each at most once for an event. What is asked of any member
//! (names with `*`) is decided on the members in which the sieve found what is asked for, and what a projection cannot decide (nested objects) on the
//! parsed document, for the filters that need it.

mod alternatives;
mod compiler;

use super::anchor::{Anchor, anchors};
use super::mapping::{Field, Mapping};
use super::matcher::{self, Place, visit_text};
use super::plan::{ByEvent, Names, Plan, Test};
use super::sieve::{Found, Sieve};
use super::values::{Path, Visit};
use super::{Filter, FilterEvent};
use crate::event::json::{EventError, parse_document};
use crate::event::project::{Item, Leaf, Leaves, Projected, Projection, Projector};
use crate::event::{Document, FieldPath, WallTime};
use compiler::Compiler;
use serde_json::Value;
use std::sync::Arc;

/// From how many filters on it pays to compile them on two threads.
const MANY: usize = 256;

/// The filters of many rules, ready to decide.
#[derive(Debug)]
pub struct Program {
    projector: Projector,
    sieve: Sieve,
    conditions: Vec<Condition>,
    leaves: Vec<Probe>,
    typings: Vec<Typing>,
    lists: Vec<List>,
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
    /// At least one of many; a position in the list of lists.
    OneOf(usize),
    /// A test on values; a position in the list of probes.
    Probe(usize),
    /// What holds depends on the type that dynamic mapping gives to a member; a position in the list of typings, and a condition for each type.
    ByType(usize, Box<[ConditionId]>),
    /// Decided on the leaves of the event or the parsed document; a position in the list of probes.
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

/// Many conditions of which one is enough: the sieve says which of them are worth deciding.
#[derive(Debug)]
struct List {
    /// Those of which the sieve can say nothing.
    unsifted: Box<[ConditionId]>,
    sifted: Box<[ConditionId]>,
    /// What an event must have for each of them, while the program is compiled.
    anchors: Vec<Vec<Anchor>>,
    /// The number of the first of them in the sieve; the others follow.
    first: usize,
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
    /// Filters that could pick the event, and then what is worth deciding on leaves or documents.
    found: Found,
    /// By condition: the event for which it was decided, shifted by one, and whether it holds.
    conditions: Vec<u32>,
    /// By condition: which of those that it consists of decided it last. It is asked first: events come in runs of the same kind.
    deciders: Vec<u32>,
    /// By typing: the event, and the type found.
    types: Vec<(u32, Option<usize>)>,
    /// The event, parsed, once somebody needed it.
    document: Option<Document>,
    /// The leaf that was looked at last, by its number, and its value.
    leaf: Option<(usize, Value)>,
    /// Its name.
    name: String,
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
    /// Whether one of those that a condition consists of turns out so.
    fn one_is(
        &mut self,
        outcome: bool,
        condition: usize,
        of: &[ConditionId],
        holds: impl Fn(ConditionId, &mut Self) -> bool,
    ) -> bool {
        let before = self.deciders.get(condition).copied().unwrap_or_default();
        if let Some(id) = of.get(before as usize)
            && holds(*id, self) == outcome
        {
            return true;
        }
        let decider = of.iter().position(|id| holds(*id, self) == outcome);
        if let (Some(at), Some(known)) = (decider, self.deciders.get_mut(condition)) {
            *known = u32::try_from(at).unwrap_or_default();
        }
        decider.is_some()
    }

    /// Forgets the last event.
    fn begin(&mut self) {
        self.document = None;
        self.leaf = None;
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
        let anchors_of_all = || filters.iter().map(|filter| anchors(&filter.plan)).collect();
        let (conditions, mut anchored) = std::thread::scope(|scope| {
            let anchored = (filters.len() >= MANY).then(|| scope.spawn(anchors_of_all));
            let conditions = filters
                .iter()
                .chain(others)
                .map(|filter| compiler.condition(&filter.plan, None))
                .collect();
            let anchored: Vec<_> = match anchored {
                Some(running) => running
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                None => anchors_of_all(),
            };
            (conditions, anchored)
        });
        for probe in &mut compiler.probes {
            if let Probe::Document { plan, number } = probe {
                *number = anchored.len();
                anchored.push(anchors(plan));
            }
        }
        for list in &mut compiler.lists {
            list.first = anchored.len();
            anchored.append(&mut list.anchors);
        }
        let sieve = Sieve::of(&anchored, &mut |name| compiler.slot(name));
        let mut projector = Projector::new(fields, &compiler.names);
        if compiler.probes.iter().any(Probe::looks_at_leaves) {
            projector = projector.with_leaves();
        }
        drop(anchored);
        compiler.conditions.shrink_to_fit();
        compiler.probes.shrink_to_fit();
        Self {
            projector,
            sieve,
            conditions: compiler.conditions,
            leaves: compiler.probes,
            typings: compiler.typings,
            lists: compiler.lists,
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
        memory.deciders.resize(self.conditions.len(), 0);
        memory.types.resize(self.typings.len(), (0, None));
        self.sieve.sift(event, &mut memory.found);
    }

    /// The first filter from this number on that could pick the event; all between do not.
    pub fn candidate(&self, from: usize, memory: &Memory) -> Option<usize> {
        let next = memory.found.filters.next(from);
        next.filter(|filter| *filter < self.sifted)
    }

    /// Whether the filter of that number picks the event that [`Program::sift`] began with.
    pub fn matches(&self, filter: usize, event: &ProjectedEvent<'_>, memory: &mut Memory) -> bool {
        let condition = self.filters.get(filter);
        condition.is_some_and(|condition| self.holds(*condition, event, memory))
    }

    /// Whether a condition holds.
    fn holds(&self, id: ConditionId, event: &ProjectedEvent<'_>, memory: &mut Memory) -> bool {
        match memory.conditions.get(id.0 as usize) {
            Some(known) if known >> 1 == memory.event => known & 1 == 1,
            _ => self.decide(id.0 as usize, event, memory),
        }
    }

    /// The same for one that was not decided yet.
    fn decide(&self, at: usize, event: &ProjectedEvent<'_>, memory: &mut Memory) -> bool {
        let Some(condition) = self.conditions.get(at) else {
            return false;
        };
        let holds = |id: ConditionId, memory: &mut Memory| self.holds(id, event, memory);
        let outcome = match condition {
            Condition::Always => true,
            Condition::Never => false,
            Condition::Every(of) => !memory.one_is(false, at, of, holds),
            Condition::AtLeast(1, of) => memory.one_is(true, at, of, holds),
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
            Condition::OneOf(list) => self.lists.get(*list).is_some_and(|list| {
                list.unsifted.iter().any(|id| holds(*id, memory)) || list.first_found(memory, holds)
            }),
            Condition::ByType(typing, variants) => {
                let variant = self
                    .kind_of(*typing, event, memory)
                    .and_then(|at| variants.get(at));
                variant.is_some_and(|id| holds(*id, memory))
            }
            Condition::Probe(probe) | Condition::Document(probe) => {
                let probe = self.leaves.get(*probe);
                probe.is_some_and(|probe| probe.passes(event, &self.sieve, memory))
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

impl List {
    /// Whether one of those holds that the sieve found.
    fn first_found(
        &self,
        memory: &mut Memory,
        holds: impl Fn(ConditionId, &mut Memory) -> bool,
    ) -> bool {
        let mut from = self.first;
        while let Some(number) = memory.found.filters.next(from) {
            let Some(id) = self.sifted.get(number - self.first) else {
                break;
            };
            if holds(*id, memory) {
                return true;
            }
            from = number + 1;
        }
        false
    }
}

impl Probe {
    /// Whether it asks of any of many members.
    fn looks_at_leaves(&self) -> bool {
        matches!(self, Self::Document { plan: Plan::ByEvent(by_event), .. }
            if !matches!(*by_event.names, Names::One { .. }))
    }

    fn passes(&self, event: &ProjectedEvent<'_>, sieve: &Sieve, memory: &mut Memory) -> bool {
        let (plan, number) = match self {
            Self::Values {
                values,
                field,
                test,
            } => {
                return matcher::passes(field, test, event.now, &|visit| values.show(event, visit));
            }
            Self::Document { plan, number } => (plan, *number),
        };
        if !memory.found.filters.contains(number) {
            return false;
        }
        if let (Plan::ByEvent(by_event), Some(leaves)) = (plan, event.projected.leaves())
            && self.looks_at_leaves()
        {
            let nothing = Document::new();
            let event = event.of(&nothing);
            let place = Place::of(&event);
            if let Some(passes) = any_leaf(by_event, number, place, leaves, sieve, memory) {
                return passes;
            }
        }
        let document = memory
            .document
            // What is no event was told when it was projected.
            .get_or_insert_with(|| parse_document(event.bytes).unwrap_or_default());
        plan.matches(Place::of(&event.of(document)))
    }
}

/// Whether one of an event's leaves fulfils what is asked of any; `None` where the document must say it, since letters may be hidden in the text, or since of
/// two members of one name one counts.
fn any_leaf(
    by_event: &ByEvent,
    number: usize,
    place: Place<'_>,
    leaves: Leaves<'_>,
    sieve: &Sieve,
    memory: &mut Memory,
) -> Option<bool> {
    let Memory {
        found, leaf, name, ..
    } = memory;
    let mut last = None;
    let mut passes = |here: &Leaf<'_>| {
        let number = here.number();
        if last.replace(number) == Some(number) {
            return false;
        }
        name.clear();
        here.write_name(name);
        if let Names::Below(object) = &*by_event.names
            && !name.starts_with(object.as_str())
        {
            return false;
        }
        if leaf.as_ref().is_none_or(|(known, _)| *known != number) {
            *leaf = Some((number, here.value()));
        }
        let value = leaf.as_ref();
        value.is_some_and(|(_, value)| by_event.picks_leaf(name, value, place))
    };
    let places = match &*by_event.names {
        // In the document no letters are hidden.
        Names::Like(_) if found.anywhere => return None,
        Names::Like(_) => sieve.places(number, found),
        // They are found by what is in names.
        Names::One { .. } | Names::Below(_) => None,
    };
    let passing = match places {
        Some(places) => places.filter_map(|at| leaves.at(at)).find(&mut passes),
        None => leaves.all().find(&mut passes),
    };
    match passing {
        Some(leaf) if leaf.is_replaced() => None,
        passing => Some(passing.is_some()),
    }
}

impl<'e> ProjectedEvent<'e> {
    /// The same event as the matcher sees it.
    fn of(&self, document: &'e Document) -> FilterEvent<'e> {
        FilterEvent {
            document,
            index: self.index,
            id: self.id,
            now: self.now,
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

#[cfg(test)]
mod tests;
