//! Decides a batch of events as far as that goes without memory.
//!
//! Stateless, so that many threads can do it at once. What leaves here is small: counts, and for the few events that a rule's memory or an
//! alert needs, what is needed of them.

use super::pace::Pace;
use super::{Counts, Observed, Rule, RuleSet, RuleType, TimeField, Verdict};
use crate::event::json::EventError;
use crate::event::project::{Projected, ProjectedFields, Projection};
use crate::event::{EventTime, FieldPath, Meta, RawEvent, WallTime};
use crate::filter::{Filter, Memory, Program, ProjectedEvent};
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A batch, decided.
#[derive(Debug)]
pub struct Decided {
    /// The rules it was decided under.
    pub rules: Arc<RuleSet>,
    /// By position in `rules`: what was counted.
    pub counts: Vec<(usize, Counts)>,
    /// What the engine must look at, in the order of the events.
    pub decisions: Vec<Decision>,
    /// Events that are none: position in the batch, and why.
    pub rejected: Vec<(usize, EventError)>,
}

/// An event that a rule's memory or an alert needs.
#[derive(Debug)]
pub struct Decision {
    /// The rule's position.
    pub rule: usize,
    /// The event's time by the rule's clock.
    pub time: EventTime,
    /// What the rule type found.
    pub verdict: Verdict,
    /// The event; its index and id are filled in as far as they are known.
    pub event: Arc<RawEvent>,
}

/// Decides batches under one set of rules.
#[derive(Debug)]
pub struct Decider {
    rules: Arc<RuleSet>,
    /// The filters; those of rules first, in their order, then those that types have.
    program: Program,
    /// What is needed of each rule, side by side: most of what a hit costs with thousands of rules is waiting for memory.
    needed: Vec<Needed>,
    /// The different clocks, with their slots.
    clocks: Vec<(TimeField, usize)>,
    /// `--start` and `--end`: events outside are left out.
    bounds: Bounds,
}

/// What deciding an event needs of a rule.
#[derive(Debug)]
struct Needed {
    kind: Arc<dyn RuleType>,
    /// The slots of the fields that its type looks at.
    slots: Box<[usize]>,
    /// Its type's own filter.
    inner: Option<usize>,
    /// The position of its clock.
    clock: usize,
    /// Whether it has hours in which it runs.
    has_hours: bool,
    /// Whether events are counted for it that trip nothing.
    counts: bool,
}

/// What deciding needs besides the rules. Kept from batch to batch, so that the steady state allocates nothing for events that no rule wants.
#[derive(Debug, Default)]
pub struct Workspace {
    projection: Projection,
    memory: Memory,
    /// By clock: the event's time, once somebody asked.
    times: Vec<Option<Option<EventTime>>>,
    /// By rule.
    counts: Vec<Counts>,
    /// The rules that were counted.
    touched: Vec<usize>,
    /// How many decisions the batch before led to: as many are likely.
    expected: usize,
}

/// The times between which events are looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// Not before this time.
    pub start: Option<EventTime>,
    /// Not after this time.
    pub end: Option<EventTime>,
}

/// What is known of the event that is being decided.
struct Current<'e> {
    event: &'e RawEvent,
    index: Option<&'e str>,
    /// By rule: whether it looks at the index.
    selection: Option<&'e [bool]>,
    /// What is known of an event of the batch about which its sender said nothing.
    meta: &'e Arc<Meta>,
    /// The event as decisions carry it, once somebody needs it.
    shared: Option<Arc<RawEvent>>,
}

impl Decider {
    /// Compiles the rules.
    pub fn new(rules: Arc<RuleSet>) -> Self {
        let mut fields: Vec<FieldPath> = Vec::new();
        let mut known: HashMap<FieldPath, usize> = HashMap::new();
        let mut slot_of = |path: &FieldPath| {
            *known.entry(path.clone()).or_insert_with(|| {
                fields.push(path.clone());
                fields.len() - 1
            })
        };
        let mut clocks: Vec<(TimeField, usize)> = Vec::new();
        let mut needed = Vec::with_capacity(rules.rules.len());
        let mut others = Vec::new();
        for rule in &rules.rules {
            let slots = rule.kind.fields().iter().map(&mut slot_of).collect();
            let clock = clocks
                .iter()
                .position(|(time, _)| *time == *rule.time)
                .unwrap_or_else(|| {
                    clocks.push((TimeField::clone(&rule.time), slot_of(&rule.time.path)));
                    clocks.len() - 1
                });
            let inner = rule.kind.inner_filter().map(|filter| {
                others.push(filter);
                rules.rules.len() + others.len() - 1
            });
            needed.push(Needed {
                kind: Arc::clone(&rule.kind),
                slots,
                inner,
                clock,
                has_hours: rule.hours.is_some(),
                counts: rule.counted.is_some(),
            });
        }
        let filters: Vec<&Filter> = rules.rules.iter().map(|rule| &rule.filter).collect();
        let program = Program::new(&filters, &others, fields);
        Self {
            rules,
            program,
            needed,
            clocks,
            bounds: Bounds::default(),
        }
    }

    /// Leaves out events outside of these times.
    #[must_use]
    pub fn within(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// The fields that are looked at, by their full names.
    pub fn fields(&self) -> Vec<String> {
        let fields = self.program.fields().iter().map(FieldPath::as_str);
        let names = fields.chain(self.program.names()).map(str::to_owned);
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The rules whose filters must be asked for every event, since nothing can be said of an event that they pick.
    pub fn asked_for_every_event(&self) -> impl Iterator<Item = &Rule> {
        let positions = self.program.unsifted();
        positions.filter_map(|position| self.rules.rules.get(position).map(Arc::as_ref))
    }

    /// The rules.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Decides a batch. `index` is where its events go unless an event says otherwise; `now` is what date math means by it.
    pub fn decide(&self, events: &[RawEvent], index: Option<&str>, now: WallTime) -> Decided {
        self.decide_in(&mut Workspace::default(), events, index, now)
    }

    /// The same, in a workspace that is used again.
    pub fn decide_in(
        &self,
        workspace: &mut Workspace,
        events: &[RawEvent],
        index: Option<&str>,
        now: WallTime,
    ) -> Decided {
        self.decide_at(workspace, events, index, now, None)
    }

    /// The same for events that may be old, and what each of them led to. Date math means by now an event's own time when that is older than
    /// `old`.
    pub fn decide_stream(
        &self,
        workspace: &mut Workspace,
        events: &[RawEvent],
        index: Option<&str>,
        now: WallTime,
        old: EventTime,
    ) -> (Decided, Pace) {
        let mut pace = Pace::new(old);
        let decided = self.decide_at(workspace, events, index, now, Some(&mut pace));
        (decided, pace)
    }

    fn decide_at(
        &self,
        workspace: &mut Workspace,
        events: &[RawEvent],
        index: Option<&str>,
        now: WallTime,
        mut pace: Option<&mut Pace>,
    ) -> Decided {
        let Workspace {
            projection,
            memory,
            times,
            counts,
            touched,
            expected,
        } = workspace;
        times.resize(self.clocks.len(), None);
        // All are zero but while a batch is decided.
        counts.resize(self.rules.rules.len(), Counts::default());
        let mut tally = Tally {
            counts,
            touched,
            decisions: Vec::with_capacity(*expected),
        };
        let mut rejected = Vec::new();
        let mut selections = Selections {
            rules: &self.rules.rules,
            known: HashMap::new(),
        };
        let batch_meta = Arc::new(Meta {
            index: index.map(str::to_owned),
            id: None,
        });
        for (at, event) in events.iter().enumerate() {
            let projected = match self.program.project(&event.bytes, projection) {
                Ok(projected) => projected,
                Err(error) => {
                    rejected.push((at, error));
                    continue;
                }
            };
            let meta = event.meta.as_deref();
            let index = meta.and_then(|meta| meta.index.as_deref()).or(index);
            let selection = selections.of(index);
            let current = Current {
                event,
                index,
                selection: selection.as_deref(),
                meta: &batch_meta,
                shared: None,
            };
            times.fill(None);
            let now = pace.as_mut().map_or(now, |pace| {
                pace.begin(self.any_time(projected, times)).unwrap_or(now)
            });
            let filtered = ProjectedEvent {
                projected,
                bytes: &event.bytes,
                index,
                id: meta.and_then(|meta| meta.id.as_deref()),
                now,
            };
            self.program.sift(&filtered, memory);
            self.decide_event(current, &filtered, memory, times, &mut tally);
            if let Some(pace) = &mut pace {
                pace.end(&mut tally);
            }
        }
        let decisions = tally.decisions;
        *expected = decisions.len();
        let counts = touched
            .drain(..)
            .filter_map(|rule| Some((rule, std::mem::take(counts.get_mut(rule)?))))
            .collect();
        Decided {
            rules: Arc::clone(&self.rules),
            counts,
            decisions,
            rejected,
        }
    }

    /// Decides an event for the rules whose filters could pick it.
    fn decide_event(
        &self,
        mut current: Current<'_>,
        filtered: &ProjectedEvent<'_>,
        memory: &mut Memory,
        times: &mut [Option<Option<EventTime>>],
        tally: &mut Tally<'_>,
    ) {
        let Bounds { start, end } = self.bounds;
        let mut next = 0;
        while let Some(position) = self.program.candidate(next, memory) {
            next = position + 1;
            if !is_selected(current.selection, position)
                || !self.program.matches(position, filtered, memory)
            {
                continue;
            }
            let (Some(rule), Some(counts)) = (self.needed.get(position), tally.of(position)) else {
                continue;
            };
            let Some(time) = self.time_by(rule.clock, filtered.projected, times) else {
                counts.untimed += 1;
                continue;
            };
            if start.is_some_and(|start| time < start) || end.is_some_and(|end| time > end) {
                continue;
            }
            if rule.has_hours && self.ignores(position, time, filtered.now) {
                continue;
            }
            counts.hits += 1;
            let verdict = rule.kind.sample(&Observed {
                fields: &ProjectedFields {
                    projected: filtered.projected,
                    slots: &rule.slots,
                },
                inner: rule
                    .inner
                    .is_none_or(|filter| self.program.matches(filter, filtered, memory)),
                index: filtered.index,
                id: filtered.id,
                bytes: filtered.bytes,
            });
            if verdict != Verdict::Nothing || rule.counts {
                tally.decisions.push(Decision {
                    rule: position,
                    time,
                    verdict,
                    event: current.shared(),
                });
            }
        }
    }

    /// Whether an event lies outside of a rule's hours and is not to wait for them.
    fn ignores(&self, position: usize, time: EventTime, now: WallTime) -> bool {
        let rule = self.rules.rules.get(position);
        let hours = rule.and_then(|rule| rule.hours.as_ref());
        hours.is_some_and(|hours| hours.ignore(time, now))
    }

    /// An event's time by the first clock that can tell it.
    fn any_time(
        &self,
        event: Projected<'_>,
        times: &mut [Option<Option<EventTime>>],
    ) -> Option<EventTime> {
        (0..self.clocks.len()).find_map(|clock| self.time_by(clock, event, times))
    }

    fn time_by(
        &self,
        clock: usize,
        event: Projected<'_>,
        times: &mut [Option<Option<EventTime>>],
    ) -> Option<EventTime> {
        let known = times.get_mut(clock)?;
        if known.is_none() {
            let (time, slot) = self.clocks.get(clock)?;
            let read = time.read(event.field(*slot));
            *known = Some(read.ok().map(|time| time.event_time()));
        }
        known.flatten()
    }
}

/// What has been found so far in a batch.
pub(super) struct Tally<'w> {
    pub(super) counts: &'w mut [Counts],
    pub(super) touched: &'w mut Vec<usize>,
    pub(super) decisions: Vec<Decision>,
}

impl Tally<'_> {
    /// The counts of a rule.
    fn of(&mut self, rule: usize) -> Option<&mut Counts> {
        let counts = self.counts.get_mut(rule)?;
        if *counts == Counts::default() {
            self.touched.push(rule);
        }
        Some(counts)
    }
}

fn is_selected(selection: Option<&[bool]>, position: usize) -> bool {
    selection.is_none_or(|selection| selection.get(position).copied().unwrap_or(false))
}

impl Current<'_> {
    /// The event as decisions carry it: its index filled in.
    fn shared(&mut self) -> Arc<RawEvent> {
        let shared = self.shared.get_or_insert_with(|| {
            let meta = match &self.event.meta {
                None => Arc::clone(self.meta),
                Some(meta) if meta.index.as_deref() == self.index => Arc::clone(meta),
                Some(meta) => Arc::new(Meta {
                    index: self.index.map(str::to_owned),
                    id: meta.id.clone(),
                }),
            };
            Arc::new(RawEvent {
                // A rule may remember the event for long: a part of the batch would keep all of it in memory.
                bytes: Bytes::copy_from_slice(&self.event.bytes),
                meta: Some(meta),
            })
        });
        Arc::clone(shared)
    }
}

/// Which rules look at an index, remembered for the batch.
struct Selections<'r> {
    rules: &'r [Arc<Rule>],
    known: HashMap<String, Arc<[bool]>>,
}

impl Selections<'_> {
    /// By rule: whether it looks at the index. `None`: all do, since the index is not known.
    fn of(&mut self, index: Option<&str>) -> Option<Arc<[bool]>> {
        let index = index?;
        if let Some(known) = self.known.get(index) {
            return Some(Arc::clone(known));
        }
        let selection: Arc<[bool]> = self
            .rules
            .iter()
            .map(|rule| rule.index.matches(index))
            .collect();
        self.known.insert(index.to_owned(), Arc::clone(&selection));
        Some(selection)
    }
}
