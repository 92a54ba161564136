//! Decides a batch of events as far as that goes without memory.
//!
//! Stateless, so that many threads can do it at once. What leaves here is small: counts, and for the few events that a rule's memory or an
//! alert needs, what is needed of them.

use super::{Counts, Observed, Rule, RuleSet, TimeField, Verdict};
use crate::event::json::EventError;
use crate::event::members::Members;
use crate::event::project::{ProjectedFields, Projection, Projector};
use crate::event::{Document, EventTime, Field, FieldPath, Meta, RawEvent, WallTime};
use crate::filter::{Candidates, Filter, FilterEvent, Sieve};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::HashMap;
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
    projector: Projector,
    /// By rule: the slots of the fields its type looks at.
    slots: Vec<Vec<usize>>,
    /// The different clocks, with their slots.
    clocks: Vec<(TimeField, usize)>,
    /// By rule: its clock.
    clock_of: Vec<usize>,
    /// The members that filters and types look at; `None`: no rule has a filter, and the projection is enough.
    members: Option<Members>,
    /// Which rules' filters could pick an event.
    sieve: Sieve,
    /// `--start` and `--end`: events outside are left out.
    bounds: Bounds,
}

/// The times between which events are looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// Not before this time.
    pub start: Option<EventTime>,
    /// Not after this time.
    pub end: Option<EventTime>,
}

/// What stays the same for all rules while one event is decided.
struct Current<'e> {
    event: &'e RawEvent,
    index: Option<&'e str>,
    now: WallTime,
    /// By clock: the event's time, once somebody asked.
    times: &'e mut [Option<Option<EventTime>>],
    /// The event as decisions carry it, once somebody needs it.
    shared: Option<Arc<RawEvent>>,
}

/// What has been decided so far of a batch.
struct Progress {
    counts: Vec<Counts>,
    touched: Vec<usize>,
    decisions: Vec<Decision>,
}

impl Decider {
    /// Compiles the rules.
    pub fn new(rules: Arc<RuleSet>) -> Self {
        let mut paths: Vec<FieldPath> = Vec::new();
        let mut known: HashMap<FieldPath, usize> = HashMap::new();
        let mut slot_of = |path: &FieldPath| {
            *known.entry(path.clone()).or_insert_with(|| {
                paths.push(path.clone());
                paths.len() - 1
            })
        };
        let mut clocks: Vec<(TimeField, usize)> = Vec::new();
        let mut clock_of = Vec::with_capacity(rules.rules.len());
        let mut slots = Vec::with_capacity(rules.rules.len());
        for rule in &rules.rules {
            slots.push(rule.kind.fields().iter().map(&mut slot_of).collect());
            let clock = clocks
                .iter()
                .position(|(time, _)| *time == rule.time)
                .unwrap_or_else(|| {
                    clocks.push((rule.time.clone(), slot_of(&rule.time.path)));
                    clocks.len() - 1
                });
            clock_of.push(clock);
        }
        let filters: Vec<&Filter> = rules
            .rules
            .iter()
            .flat_map(|rule| [Some(&rule.filter), rule.kind.inner_filter()])
            .flatten()
            .filter(|filter| !filter.is_match_all())
            .collect();
        let members = (!filters.is_empty()).then(|| {
            let read: Vec<String> = filters.iter().flat_map(|filter| filter.fields()).collect();
            Members::of(
                read.iter()
                    .map(String::as_str)
                    .chain(paths.iter().map(FieldPath::as_str)),
            )
        });
        let sieve = Sieve::of(rules.rules.iter().map(|rule| &rule.filter));
        let projector = Projector::new(paths);
        Self {
            rules,
            projector,
            slots,
            clocks,
            clock_of,
            members,
            sieve,
            bounds: Bounds::default(),
        }
    }

    /// Leaves out events outside of these times.
    #[must_use]
    pub fn within(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// The fields that are looked at, by their full names; a name with `*` stands for every one like it.
    pub fn fields(&self) -> Vec<String> {
        let rules = self.rules.rules.iter();
        let filters = rules.flat_map(|rule| [Some(&rule.filter), rule.kind.inner_filter()]);
        let mut names: Vec<String> = filters.flatten().flat_map(Filter::fields).collect();
        let paths = self.projector.paths().iter();
        names.extend(paths.map(|path| path.as_str().to_owned()));
        names.sort();
        names.dedup();
        names
    }

    /// The rules.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Decides a batch. `index` is where its events go unless an event says otherwise; `now` is what date math means by it.
    pub fn decide(&self, events: &[RawEvent], index: Option<&str>, now: WallTime) -> Decided {
        let mut progress = Progress {
            counts: vec![Counts::default(); self.rules.rules.len()],
            touched: Vec::new(),
            decisions: Vec::new(),
        };
        let mut rejected = Vec::new();
        let mut projection = Projection::default();
        let mut candidates = Candidates::default();
        let mut selections = Selections {
            rules: &self.rules.rules,
            known: HashMap::new(),
        };
        let mut times = vec![None; self.clocks.len()];
        for (at, event) in events.iter().enumerate() {
            times.fill(None);
            let index = event
                .meta
                .as_deref()
                .and_then(|meta| meta.index.as_deref())
                .or(index);
            let selection = selections.of(index);
            let mut current = Current {
                event,
                index,
                now,
                times: &mut times,
                shared: None,
            };
            let result = if let Some(members) = &self.members {
                members.read(&event.bytes).map(|document| {
                    self.sieve.sift(&document, &mut candidates);
                    self.decide_document(
                        &document,
                        &candidates,
                        selection.as_deref(),
                        &mut current,
                        &mut progress,
                    )
                })
            } else {
                self.projector
                    .project(&event.bytes, &mut projection)
                    .map(|()| {
                        self.decide_projection(
                            &projection,
                            selection.as_deref(),
                            &mut current,
                            &mut progress,
                        )
                    })
            };
            if let Err(error) = result {
                rejected.push((at, error));
            }
        }
        let Progress {
            counts,
            touched,
            decisions,
        } = progress;
        let counts = touched
            .into_iter()
            .filter_map(|rule| Some((rule, *counts.get(rule)?)))
            .collect();
        Decided {
            rules: Arc::clone(&self.rules),
            counts,
            decisions,
            rejected,
        }
    }

    fn decide_projection(
        &self,
        projection: &Projection<'_>,
        selection: Option<&[bool]>,
        current: &mut Current<'_>,
        progress: &mut Progress,
    ) {
        for (position, rule) in self.rules.rules.iter().enumerate() {
            if !is_selected(selection, position) {
                continue;
            }
            let slots = self.slots.get(position).map_or(&[][..], Vec::as_slice);
            let fields = ProjectedFields { projection, slots };
            let verdict = || {
                rule.kind.sample(&Observed {
                    fields: &fields,
                    inner: true,
                })
            };
            self.decide_rule(
                position,
                |slot| projection.field(slot),
                verdict,
                current,
                progress,
            );
        }
    }

    fn decide_document(
        &self,
        document: &Document,
        candidates: &Candidates,
        selection: Option<&[bool]>,
        current: &mut Current<'_>,
        progress: &mut Progress,
    ) {
        let id = current
            .event
            .meta
            .as_deref()
            .and_then(|meta| meta.id.as_deref());
        let filtered = FilterEvent {
            document,
            index: current.index,
            id,
            now: current.now,
        };
        for position in candidates.iter() {
            let Some(rule) = self.rules.rules.get(position) else {
                break;
            };
            if !is_selected(selection, position) || !rule.filter.matches(&filtered) {
                continue;
            }
            let field = |slot: usize| {
                let path = self.projector.paths().get(slot);
                path.and_then(|path| path.get_some(document))
                    .map_or(Field::Missing, Field::Value)
            };
            self.decide_rule(
                position,
                field,
                || rule.verdict(&filtered),
                current,
                progress,
            );
        }
    }

    /// Decides an event that passed a rule's filter.
    fn decide_rule<'f>(
        &self,
        position: usize,
        field: impl Fn(usize) -> Field<'f>,
        verdict: impl FnOnce() -> Verdict,
        current: &mut Current<'_>,
        progress: &mut Progress,
    ) {
        let Some(counts) = progress.counts.get_mut(position) else {
            return;
        };
        if *counts == Counts::default() {
            progress.touched.push(position);
        }
        let Some(time) = self.time(position, field, current) else {
            counts.untimed += 1;
            return;
        };
        let Bounds { start, end } = self.bounds;
        if start.is_some_and(|start| time < start) || end.is_some_and(|end| time > end) {
            return;
        }
        counts.hits += 1;
        let verdict = verdict();
        if verdict != Verdict::Nothing {
            let event = current.shared();
            progress.decisions.push(Decision {
                rule: position,
                time,
                verdict,
                event,
            });
        }
    }

    fn time<'f>(
        &self,
        position: usize,
        field: impl Fn(usize) -> Field<'f>,
        current: &mut Current<'_>,
    ) -> Option<EventTime> {
        let clock = *self.clock_of.get(position)?;
        let known = current.times.get_mut(clock)?;
        if known.is_none() {
            let (time, slot) = self.clocks.get(clock)?;
            *known = Some(time.read(field(*slot)).ok().map(|time| time.event_time()));
        }
        known.flatten()
    }
}

fn is_selected(selection: Option<&[bool]>, position: usize) -> bool {
    selection.is_none_or(|selection| selection.get(position).copied().unwrap_or(false))
}

impl Current<'_> {
    /// The event as decisions carry it: its index and id filled in. An event without an id gets one made of its content, so that the same
    /// event always has the same.
    fn shared(&mut self) -> Arc<RawEvent> {
        let shared = self.shared.get_or_insert_with(|| {
            let meta = self.event.meta.as_deref();
            let id = meta
                .and_then(|meta| meta.id.clone())
                .unwrap_or_else(|| content_id(&self.event.bytes));
            let meta = Meta {
                index: self.index.map(str::to_owned),
                id: Some(id),
            };
            Arc::new(RawEvent {
                bytes: self.event.bytes.clone(),
                meta: Some(Arc::new(meta)),
            })
        });
        Arc::clone(shared)
    }
}

/// Twenty letters, as Elasticsearch's own ids have.
fn content_id(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut id = URL_SAFE_NO_PAD.encode(digest);
    id.truncate(20);
    id
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
