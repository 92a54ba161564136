//! The single writer: one deterministic state machine without clock, sockets or randomness.
//!
//! `apply(input, now)` takes a batch of decided events, a tick, an operator's command or the outcome of a delivery, and says what is to be done
//! ([`Effect`]), what must be journalled before that is done ([`Record`]), and what is worth telling people ([`Note`]).
//!
//! Two kinds of memory are journalled differently. What the rule types remember is journalled as their inputs and replayed. What follows
//! a match (silences, aggregations, alerts under way, writeback documents) is journalled as what was decided and put back literally, so that
//! recovery never decides anew and never sends anew what was sent.

mod adopt;
mod aggregate;
mod behind;
mod bodies;
mod documents;
mod effect;
mod failing;
mod held;
mod kept;
mod matches;
mod notice;
mod outbox;
mod program;
mod record;
mod reload;
mod seen;
mod silence;
mod snapshot;
#[cfg(test)]
mod tests;
mod tick;
mod time;
mod view;
mod warm;

pub use adopt::{Found, Unsent};
pub use effect::{
    AlertId, Delivery, DeliveryOutcome, Effect, Index, Note, Op, PendingAlert, Write,
};
pub use kept::KeptEvent;
use kept::LastKept;
pub use notice::{NOTICES, Notices, is_exception};
pub use outbox::Progress;
pub use program::{AlerterFacts, Prepare, Program, ProgramRule, TicketUse};
pub(crate) use record::in_one_piece;
pub use record::{Record, StoredEvent};
pub use silence::Silence;
pub use snapshot::{Snapshot, SnapshotError};
pub use view::{AggregationView, Look, RuleView};
pub use warm::{Coming, Memory};

use crate::event::json::parse_document;
use crate::event::{Document, EventTime, WallTime};
pub use crate::rule::Counts;
use crate::rule::{Decided, Decision, Evaluator, Hit, Match, Part, Room, Spill, Verdict};
use aggregate::Aggregates;
use behind::Waiting;
use failing::{Failing, guarded};
use held::{Held, HeldEvent};
use outbox::Outbox;
pub use seen::Seen;
use silence::Silences;
use snapshot::Places;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tick::{Ticking, Told};

/// What holds for all rules.
#[derive(Debug, Clone)]
pub struct Options {
    /// `run_every`: the interval between ticks.
    pub run_every: Duration,
    /// An event this much older than the rule's newest changes no window.
    pub lateness: Duration,
    /// An event this far in the future changes no window.
    pub future_tolerance: Duration,
    /// Wait before the first retry of a failed delivery; doubles with each.
    pub retry_first: Duration,
    /// The longest wait between retries.
    pub retry_longest: Duration,
    /// `add_metadata_alert`.
    pub add_metadata: bool,
    /// `replace_dots_in_field_names`.
    pub replace_dots: bool,
    /// Bytes of events that the rules together keep in memory for later matches at most. Beyond, events go where [`Engine::set_spill`] says; where they
    /// cannot, windows go on counting and keep no further events until some have left: a match then prints the newest of its events that is there, and
    /// `related_events` lacks some.
    pub most_kept: u64,
    /// The steps of a part of a tick, see [`crate::rule::Part`]: so much is done between two batches of events at most.
    pub tick_part: u64,
    /// The steps that an event may take of its rule at once; the rest is done in parts like those of a tick.
    pub event_part: u64,
    /// What makes this store's ids differ from other stores' ids.
    pub instance: String,
}

/// What the engine takes in.
#[derive(Debug)]
pub enum Input {
    /// A batch of events, decided as far as that goes without memory.
    Events(Decided),
    /// `run_every` has passed.
    Tick {
        /// Time spent on evaluating rules since the last tick.
        busy: Duration,
    },
    /// Events could not come until now: the program starts, the machine slept, the clock was set, or nothing could be taken.
    Resumed {
        /// Until when they came, by the rules' clock; `None`: as far as the engine remembers.
        since: Option<EventTime>,
    },
    /// Something that waits for its time is due, the next part of what is done in parts for one: see [`Engine::next_due`].
    Due,
    /// A delivery ended.
    Outcome(DeliveryOutcome),
    /// An operator silences a rule or key.
    Silence {
        /// The silence key: `<rule>._silence`, or `<realert_key>.<value>`.
        key: String,
        /// Until when.
        until: WallTime,
        /// What the operator says about it: kept in the document.
        comment: Option<String>,
    },
    /// An operator ends a silence.
    Expire {
        /// The silence key.
        key: String,
        /// The documents that tell of it, with their ids.
        written: Vec<(Arc<str>, Document)>,
    },
    /// Another installation left this.
    Adopt(Found),
    /// Something that the engine did not see itself went wrong with a rule.
    Trouble {
        /// The rule, or its file.
        rule: String,
        /// What to write down; see [`is_exception`].
        message: String,
    },
    /// Rules were loaded anew.
    Program(Arc<Program>),
    /// A body with this fingerprint belongs to the same commit.
    Body(u128),
}

/// What an input led to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is to be done, after the records are safe.
    pub effects: Vec<Effect>,
    /// What must be journalled.
    pub records: Vec<Record>,
    /// What people may want to know.
    pub notes: Vec<Note>,
    /// The event that the records tell of last.
    kept: LastKept,
}

impl Outcome {
    /// Begins anew, with the room it has.
    pub fn clear(&mut self) {
        let Self {
            effects,
            records,
            notes,
            kept,
        } = self;
        effects.clear();
        records.clear();
        notes.clear();
        *kept = LastKept::default();
    }
}

/// What the engine holds of one rule.
struct Cell {
    /// The rule's name, as records and notes have it.
    name: Arc<str>,
    evaluator: Evaluator,
    /// What of the events seen is counted.
    seen: Seen,
    /// The newest event time seen.
    newest: Option<EventTime>,
    /// Since when events have come without a gap that matters to it; `None`: always.
    since: Option<EventTime>,
    /// Until when it was watched in the past that it was warmed with.
    warmed: Option<EventTime>,
    /// Since the last tick.
    interval: Counts,
    /// Since the store began.
    total: Counts,
    /// Since this run of the program began.
    run: Counts,
    /// Not journalled yet: one record a rule and input is enough.
    unrecorded: Counts,
    /// While the journal is replayed: what it says of the rule is about another version of it.
    is_foreign: bool,
    /// Of the tick under way.
    told: Told,
    /// Events that wait, in their order; the rule may have begun with the first.
    waiting: VecDeque<Waiting>,
    /// Over more than one of them there is much to do.
    is_slow: bool,
}

/// The state machine.
pub struct Engine {
    options: Options,
    program: Arc<Program>,
    cells: Vec<Cell>,
    silences: Silences,
    aggregates: Aggregates,
    held: Held,
    failing: Failing,
    outbox: Outbox,
    bodies: VecDeque<(WallTime, u128)>,
    next_alert: u64,
    next_write: u64,
    last_tick: Option<WallTime>,
    ticking: Option<Ticking>,
    /// The positions of cells for which events wait, in the order in which they are gone on with.
    behind: VecDeque<usize>,
    /// How many events have come to wait with this input.
    came_behind: u64,
    /// Until when events have come, by the rules' clock.
    watched: Option<EventTime>,
    /// The day up to which rules have let go of what they know no longer; `None`: they keep it all, as in a test of a rule.
    forgotten: Option<i64>,
    /// While an input is applied: what time it is for the rules, where that is not the time on the wall.
    stream: Option<EventTime>,
    /// The positions of cells with unrecorded counts.
    counted: Vec<usize>,
    /// Bytes of events that rules keep in memory for later matches.
    kept_bytes: u64,
    /// Where those go that there is no room for.
    spill: Option<Arc<dyn Spill>>,
    /// The journal is replayed, or has been by a command that leaves what goes on to the service.
    is_at_rest: bool,
    /// While the journal is replayed: the event that it told of last.
    restored: LastKept,
    /// While the journal is replayed: where the rules are that it counts.
    places: Places,
}

impl Engine {
    /// An engine that remembers nothing.
    pub fn new(options: Options, program: Arc<Program>) -> Self {
        let rules = program.rules.iter();
        let cells = rules.map(|rule| Cell::new(rule, None)).collect();
        Self {
            options,
            program,
            cells,
            silences: Silences::default(),
            aggregates: Aggregates::default(),
            held: Held::default(),
            failing: Failing::new(),
            outbox: Outbox::default(),
            bodies: VecDeque::new(),
            next_alert: 0,
            next_write: 1,
            last_tick: None,
            ticking: None,
            behind: VecDeque::new(),
            came_behind: 0,
            watched: None,
            forgotten: None,
            stream: None,
            counted: Vec::new(),
            kept_bytes: 0,
            spill: None,
            is_at_rest: false,
            restored: LastKept::default(),
            places: Places::default(),
        }
    }

    /// Takes one input in.
    pub fn apply(&mut self, input: Input, now: WallTime, out: &mut Outcome) {
        match input {
            Input::Events(_)
            | Input::Due
            | Input::Outcome(_)
            | Input::Trouble { .. }
            | Input::Body(_) => {}
            _ => self.finish_work(out),
        }
        match input {
            Input::Events(decided) => self.events(decided, now, out),
            Input::Tick { busy } => self.tick(now, busy, out),
            Input::Resumed { since } => self.resumed(since, now, out),
            Input::Due => self.due(now, out),
            Input::Outcome(outcome) => self.delivered(outcome, now, out),
            Input::Silence {
                key,
                until,
                comment,
            } => self.operator_silences(&key, until, comment, now, out),
            Input::Expire { key, written } => self.operator_expires(&key, written, now, out),
            Input::Adopt(found) => self.adopt(found, now, out),
            Input::Trouble { rule, message } => self.write_error(&rule, &message, now, out),
            Input::Program(program) => self.reload(program, now, out),
            Input::Body(fingerprint) => {
                self.remember_body(fingerprint, now);
                out.records.push(Record::Body { fingerprint, now });
            }
        }
        self.record_counts(out);
    }

    /// Numbers writes above what the documents' store has seen, whatever the journal says.
    pub fn number_writes_after(&mut self, applied: u64) {
        self.next_write = self.next_write.max(applied + 1);
    }

    /// Takes over a silence that somebody else wrote down; one that lasts longer already stays.
    pub fn adopt_silence(&mut self, key: &str, silence: Silence, out: &mut Outcome) {
        if self
            .silences
            .get(key)
            .is_some_and(|ours| ours.until >= silence.until)
        {
            return;
        }
        self.remember_silence(key, silence, self.forget_at(key, silence), out);
    }

    /// When [`Input::Due`] is wanted next; in the past, at once.
    pub fn next_due(&self) -> Option<WallTime> {
        if let Some(ticking) = &self.ticking {
            return Some(ticking.now);
        }
        if !self.behind.is_empty() {
            return Some(WallTime(i64::MIN));
        }
        [
            self.aggregates.next_due(),
            self.outbox.next_due(),
            self.held.next_due(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn events(&mut self, decided: Decided, now: WallTime, out: &mut Outcome) {
        let program = Arc::clone(&self.program);
        // A batch decided under rules that have been replaced meanwhile: rules are found again by name.
        let moved = (decided.rules.generation != program.generation)
            .then(|| program.positions(&decided.rules));
        let place = |position: usize| match &moved {
            None => Some(position),
            Some(moved) => moved.get(position).copied().flatten(),
        };
        for (position, counts) in decided.counts {
            let Some(position) = place(position) else {
                continue;
            };
            self.count(position, counts);
        }
        for Decision {
            rule,
            time,
            verdict,
            event,
        } in decided.decisions
        {
            let Some(position) = place(rule) else {
                continue;
            };
            let Some(entry) = program.rules.get(position) else {
                continue;
            };
            let held = HeldEvent {
                time,
                verdict,
                event,
                came: now,
            };
            let Some(current) = self.holds(entry, held, now, out) else {
                continue;
            };
            self.let_in(entry, position, now, out);
            // What waited may have made the rule fail.
            if let Some(current) = self.holds(entry, current, now, out) {
                self.evaluate(entry, position, current, now, out);
            }
        }
        self.keep_up(out);
    }

    /// Shows a rule's memory an event.
    fn evaluate(
        &mut self,
        entry: &ProgramRule,
        position: usize,
        decided: HeldEvent,
        now: WallTime,
        out: &mut Outcome,
    ) {
        let HeldEvent {
            time,
            verdict,
            event,
            ..
        } = decided;
        let Some(cell) = self.cells.get_mut(position) else {
            return;
        };
        if let Some(stream) = &mut self.stream
            && time <= now.as_event_time().plus(self.options.future_tolerance)
        {
            *stream = time.max(*stream);
        }
        let rule_time = self.stream.unwrap_or(now.as_event_time());
        if let Some(counted) = &entry.rule.counted
            && let Ok(document) = parse_document(&event.bytes)
        {
            let fields = counted.pick(&document);
            let rule = entry.rule.name.clone();
            cell.seen.add(time, fields.clone(), counted.keep);
            out.records.push(Record::Seen { rule, time, fields });
        }
        let mut matches = Vec::new();
        let mut evaluated = Ok(());
        match verdict {
            Verdict::Nothing => {}
            Verdict::Match => matches.push(Match::of_event(Some(&event), Document::new())),
            Verdict::Sample(sample) => {
                // Matches without memory stand on their own, however late; windows must not be moved by a wrong clock.
                if let Err(left_out) = cell.in_time(time, now, &self.options) {
                    return self.count(position, left_out);
                }
                let rule = Arc::clone(&cell.name);
                let hit = Hit {
                    time,
                    sample,
                    event: Some(event),
                };
                let settled = self.settle(entry, position, hit, rule_time, now, out);
                let Some((hit, ticked)) = settled else {
                    return;
                };
                if ticked.is_some() || self.is_behind(position) {
                    let waiting = Waiting::new(hit, rule_time, now);
                    return self.waits(position, waiting, ticked, None, out);
                }
                let kept = hit.event.as_ref();
                let (room, kept) = match kept.filter(|_| entry.rule.kind.keeps_events()) {
                    Some(event) => self.find_room(event, &mut out.kept),
                    None => (Room::Memory, KeptEvent::None),
                };
                if room == Room::None {
                    let rule = entry.rule.name.clone();
                    out.notes.push(Note::NotKept { rule });
                }
                let steps = self.stream.map_or(self.options.event_part, |_| u64::MAX);
                let mut part = Part::of_steps(steps);
                let shown = self.show(position, &hit, room, rule_time, &mut part, &mut matches);
                if shown == Ok(false) {
                    let begun = Some(part.acted());
                    let waiting = Waiting::new(hit, rule_time, now);
                    self.waits(position, waiting, None, begun, out);
                } else {
                    out.records.push(Record::Hit {
                        rule,
                        time,
                        sample: hit.sample,
                        event: kept,
                        now: rule_time,
                    });
                }
                evaluated = shown.map(drop);
            }
        }
        if let Some(cell) = self.cells.get(position) {
            cell.believe(entry, rule_time, &mut matches);
        }
        match evaluated {
            Ok(()) => self.all_matched(entry, position, &matches, now, out),
            Err(error) => self.failed(entry, position, &error, now, out),
        }
    }

    /// Shows a rule's memory one event, which it may keep where there is room, as far as there is some in the part. Whether that is over.
    fn show(
        &mut self,
        position: usize,
        hit: &Hit,
        room: Room,
        rule_time: EventTime,
        part: &mut Part,
        matches: &mut Vec<Match>,
    ) -> Result<bool, String> {
        let Some(Cell { evaluator, .. }) = self.cells.get_mut(position) else {
            return Ok(true);
        };
        evaluator.set_room(room);
        let kept = evaluator.kept_bytes();
        let shown = guarded(|| evaluator.on_hit(hit, rule_time, part, matches));
        self.kept_bytes = self.kept_bytes.saturating_sub(kept) + evaluator.kept_bytes();
        shown
    }

    /// Takes the matches of one evaluation.
    fn all_matched(
        &mut self,
        entry: &ProgramRule,
        position: usize,
        matches: &[Match],
        now: WallTime,
        out: &mut Outcome,
    ) {
        for matched in matches {
            if let Err(error) = self.matched(entry, position, matched, now, out) {
                return self.failed(entry, position, &error, now, out);
            }
        }
        self.went_well(entry, now, out);
    }

    /// Counts, to be journalled with the input that led to it.
    fn count(&mut self, position: usize, counts: Counts) {
        let Some(cell) = self.cells.get_mut(position) else {
            return;
        };
        if cell.unrecorded == Counts::default() {
            self.counted.push(position);
        }
        cell.unrecorded.add(counts);
        cell.count(counts);
    }

    fn record_counts(&mut self, out: &mut Outcome) {
        for position in self.counted.drain(..) {
            if let Some(cell) = self.cells.get_mut(position) {
                out.records.push(Record::Counts {
                    rule: Arc::clone(&cell.name),
                    counts: std::mem::take(&mut cell.unrecorded),
                });
            }
        }
    }
}

impl Cell {
    fn new(entry: &ProgramRule, spill: Option<&Arc<dyn Spill>>) -> Self {
        let mut evaluator = Evaluator::new(&entry.rule);
        evaluator.set_spill(spill.cloned());
        Self {
            name: entry.rule.name.as_str().into(),
            evaluator,
            seen: Seen::default(),
            newest: None,
            since: None,
            warmed: None,
            interval: Counts::default(),
            total: Counts::default(),
            run: Counts::default(),
            unrecorded: Counts::default(),
            is_foreign: false,
            told: Told::Over,
            waiting: VecDeque::new(),
            is_slow: false,
        }
    }

    fn count(&mut self, counts: Counts) {
        self.interval.add(counts);
        self.total.add(counts);
        self.run.add(counts);
    }
}
