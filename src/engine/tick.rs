//! Ticks. When many keys are due a tick takes long: it is done in parts, between which events, outcomes and errors are taken in.
//!
//! What comes between does not overtake it: an event that reaches a key which the tick has still to look at has that looked at first, and everything but
//! events waits for the tick's end. So each key comes to the same as if the tick were not divided. Whatever is found is of the time at which it began.

use super::failing::guarded;
use super::held::HeldEvent;
use super::{Cell, Counts, Engine, Note, Outcome, ProgramRule, Record};
use crate::event::{EventTime, WallTime};
use crate::rule::{Evaluator, Hit, Match, Part, Verdict};
use std::sync::Arc;
use std::time::Duration;

/// What a rule costs, a match, and a record that follows from it or is of a status document, in the steps of a [`Part`].
const RULE: u64 = 1;
const MATCH: u64 = 4;
const RECORD: u64 = 8;
/// A rule is gone on with for so many steps before what it found is looked at: alerts cost more than their keys.
const PIECE: u64 = 64;

/// A tick that is not over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticking {
    /// When it began.
    pub(super) now: WallTime,
    /// The same for the rules; `None`: it is the time on the wall.
    as_of: Option<EventTime>,
    /// The time it tells of.
    span: (WallTime, WallTime),
    busy: Duration,
    /// How many rules it has come past.
    rules: usize,
}

impl Ticking {
    fn time(&self) -> EventTime {
        self.as_of.unwrap_or(self.now.as_event_time())
    }
}

/// How far the tick under way has come with a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Told {
    /// The rule does not know of it.
    Nothing,
    /// It has keys to look at.
    Begun,
    #[default]
    Over,
}

impl Engine {
    /// Whether a tick is not over.
    pub fn is_ticking(&self) -> bool {
        self.ticking.is_some()
    }

    pub(super) fn tick(&mut self, now: WallTime, busy: Duration, out: &mut Outcome) {
        let as_of = self.stream;
        let program = Arc::clone(&self.program);
        for (position, entry) in program.rules.iter().enumerate() {
            self.let_in(entry, position, now, out);
        }
        // Of those that were let in.
        self.finish_work(out);
        self.begin_tick(now, as_of, busy);
        // Nobody waits for a stream, which must come to the same however it is cut into batches.
        let steps = as_of.map_or(self.options.tick_part, |_| u64::MAX);
        self.go_on_with_tick(steps, out);
    }

    fn begin_tick(&mut self, now: WallTime, as_of: Option<EventTime>, busy: Duration) {
        let (last, end) = match as_of {
            None => (self.last_tick, now),
            Some(time) => (self.watched.map(|last| WallTime(last.0)), WallTime(time.0)),
        };
        let start = last.unwrap_or_else(|| end.minus(self.options.run_every));
        for cell in &mut self.cells {
            cell.told = Told::Nothing;
        }
        self.ticking = Some(Ticking {
            now,
            as_of,
            span: (start, end),
            busy,
            rules: 0,
        });
    }

    /// Goes on with the tick under way for so many steps.
    pub(super) fn go_on_with_tick(&mut self, steps: u64, out: &mut Outcome) {
        let program = Arc::clone(&self.program);
        let (mut left, mut acts) = (steps.max(1), 0);
        while let Some(ticking) = self.ticking {
            if left == 0 {
                // Before the part, with which intervals end.
                self.record_counts(out);
                return out.records.push(Record::TickPart {
                    now: ticking.now,
                    busy: ticking.busy,
                    rules: ticking.rules as u64,
                    acts,
                });
            }
            let mut piece = Part::of_steps(left.min(PIECE));
            let records = out.records.len();
            let is_over = match program.rules.get(ticking.rules) {
                Some(entry) => self.tell_of_tick(entry, &ticking, &mut piece, out),
                None => self.silences.forget(ticking.now, &mut piece),
            };
            let followed = out.records.len().saturating_sub(records) as u64;
            left = left.saturating_sub(piece.used() + followed * RECORD);
            acts += piece.acted();
            if is_over {
                acts = 0;
                self.passed(out, program.rules.len());
            }
        }
    }

    /// The tick has come past a rule, or past what follows the last.
    fn passed(&mut self, out: &mut Outcome, rules: usize) {
        let Some(ticking) = self.ticking.as_mut() else {
            return;
        };
        ticking.rules += 1;
        if ticking.rules <= rules {
            return;
        }
        let Ticking { now, as_of, .. } = *ticking;
        self.end_tick();
        self.record_counts(out);
        out.records.push(match as_of {
            None => Record::Tick { now },
            Some(time) => Record::TickAsOf { time, now },
        });
    }

    /// What follows when every rule has been told of a tick.
    fn end_tick(&mut self) {
        let Some(ticking) = self.ticking.take() else {
            return;
        };
        self.last_tick = Some(ticking.now);
        self.count_kept();
        self.watched = Some(ticking.time());
        self.forget_daily(ticking.time());
    }

    /// Goes on with what a tick is to the rule that it has come to. Whether that is over.
    fn tell_of_tick(
        &mut self,
        entry: &ProgramRule,
        ticking: &Ticking,
        part: &mut Part,
        out: &mut Outcome,
    ) -> bool {
        let position = ticking.rules;
        if !self.is_to_be_told(entry, position) {
            return true;
        }
        let mut matches = Vec::new();
        let told = if self.has_begun(position) {
            Ok(true)
        } else {
            self.show_tick(position, part, &mut matches, Evaluator::go_on)
        };
        part.spend(RULE + MATCH * matches.len() as u64);
        let told = self.found(entry, position, told, &mut matches, out);
        if told != Some(true) {
            // A rule that failed rests before this tick is over: its interval goes on, as for whoever reads the journal.
            return told.is_none();
        }
        let Some(cell) = self.cells.get_mut(position) else {
            return true;
        };
        cell.told = Told::Over;
        let counts = std::mem::take(&mut cell.interval);
        let (start, end) = ticking.span;
        if counts.hits > 0 || counts.matches > 0 {
            self.write_status(&entry.rule, counts, ticking.span, ticking.busy, out);
        }
        out.notes.push(Note::Ran {
            rule: entry.rule.name.clone(),
            start,
            end,
            counts,
            busy: ticking.busy,
        });
        true
    }

    /// Takes what the tick under way has found; `None`: the rule failed.
    fn found<T>(
        &mut self,
        entry: &ProgramRule,
        position: usize,
        found: Result<T, String>,
        matches: &mut Vec<Match>,
        out: &mut Outcome,
    ) -> Option<T> {
        let ticking = self.ticking?;
        let cell = self.cells.get(position)?;
        cell.believe(entry, ticking.time(), matches);
        match &found {
            Ok(_) => self.all_matched(entry, position, matches, ticking.now, out),
            Err(error) => self.failed(entry, position, error, ticking.now, out),
        }
        let has_failed = |cell: &Cell| cell.told == Told::Over;
        found
            .ok()
            .filter(|_| !self.cells.get(position).is_some_and(has_failed))
    }

    /// Whether the tick under way is not over for a rule. It is for those that did not run when it began.
    fn is_to_be_told(&mut self, entry: &ProgramRule, position: usize) -> bool {
        let runs = self
            .ticking
            .is_some_and(|ticking| self.runs(entry, ticking.now));
        let Some(cell) = self.cells.get_mut(position) else {
            return false;
        };
        if cell.told == Told::Nothing && !runs {
            cell.told = Told::Over;
        }
        cell.told != Told::Over
    }

    /// Shows a rule's memory the tick under way, of which it may know already.
    fn show_tick<T>(
        &mut self,
        position: usize,
        part: &mut Part,
        matches: &mut Vec<Match>,
        act: impl FnOnce(&mut Evaluator, &mut Part, &mut Vec<Match>) -> T,
    ) -> Result<T, String> {
        let nothing = || "there is no tick".to_owned();
        let time = self.ticking.ok_or_else(nothing)?.time();
        let cell = self.cells.get_mut(position).ok_or_else(nothing)?;
        let begins = cell.told == Told::Nothing;
        cell.told = Told::Begun;
        let evaluator = &mut cell.evaluator;
        let kept = evaluator.kept_bytes();
        let shown = guarded(|| {
            if begins {
                evaluator.begin_tick(time, part, matches);
            }
            act(evaluator, part, matches)
        });
        self.kept_bytes = self.kept_bytes.saturating_sub(kept) + evaluator.kept_bytes();
        shown
    }

    /// Whether the tick has been told as far as an event needs.
    fn show_before(
        &mut self,
        entry: &ProgramRule,
        position: usize,
        hit: &Hit,
        rule_time: EventTime,
        part: &mut Part,
        matches: &mut Vec<Match>,
    ) -> Result<bool, String> {
        if !self.is_to_be_told(entry, position) || self.has_begun(position) {
            return Ok(true);
        }
        self.show_tick(position, part, matches, |evaluator, part, matches| {
            if evaluator.waits_for_ticks() {
                return evaluator.go_on(part, matches);
            }
            evaluator.settle(hit, rule_time, matches);
            true
        })
    }

    /// Before a rule's memory is shown an event: what the tick under way has still to find of what the event changes. The event, and when that is more than may be
    /// done at once, so that the event has to wait, how many acts were. `None`: the rule failed over them, and the event is held.
    pub(super) fn settle(
        &mut self,
        entry: &ProgramRule,
        position: usize,
        hit: Hit,
        rule_time: EventTime,
        now: WallTime,
        out: &mut Outcome,
    ) -> Option<(Hit, Option<u64>)> {
        if self.ticking.is_none() {
            return Some((hit, None));
        }
        let (mut part, mut matches) = (Part::of_steps(self.options.event_part), Vec::new());
        let settled = self.show_before(entry, position, &hit, rule_time, &mut part, &mut matches);
        let acts = |is_settled: bool| (!is_settled).then(|| part.acted());
        if let Ok(is_settled) = settled
            && matches.is_empty()
        {
            return Some((hit, acts(is_settled)));
        }
        if let Some(is_settled) = self.found(entry, position, settled, &mut matches, out) {
            return Some((hit, acts(is_settled)));
        }
        let held = HeldEvent {
            time: hit.time,
            verdict: Verdict::Sample(hit.sample),
            event: hit.event?,
            came: now,
        };
        let held = self.holds(entry, held, now, out)?;
        // It has rested already.
        let cell = self.cells.get_mut(position)?;
        cell.newest = cell.newest.max(Some(held.time));
        let Verdict::Sample(sample) = held.verdict else {
            return None;
        };
        let hit = Hit {
            time: held.time,
            sample,
            event: Some(held.event),
        };
        Some((hit, None))
    }

    /// The same while the journal is replayed. Matches found again were decided before.
    pub(super) fn restore_settled(
        &mut self,
        entry: &ProgramRule,
        position: usize,
        hit: &Hit,
        rule_time: EventTime,
    ) -> Result<(), String> {
        if self.ticking.is_none() {
            return Ok(());
        }
        let (part, matches) = (&mut Part::whole(), &mut Vec::new());
        self.show_before(entry, position, hit, rule_time, part, matches)
            .map(drop)
    }

    /// What is left of a tick, or all of it.
    pub(super) fn restore_tick(&mut self, now: WallTime, as_of: Option<EventTime>) {
        if self.ticking.is_none() {
            self.begin_tick(now, as_of, Duration::ZERO);
        }
        for position in 0..self.cells.len() {
            self.restore_told(position);
        }
        self.silences.forget(now, &mut Part::whole());
        self.end_tick();
    }

    /// A part of a tick: it came past so many rules, and did so much for the next.
    pub(super) fn restore_part(&mut self, now: WallTime, busy: Duration, rules: u64, acts: u64) {
        if self.ticking.is_none() {
            self.begin_tick(now, None, busy);
        }
        let reached = usize::try_from(rules).unwrap_or(usize::MAX);
        let past = self.ticking.map_or(0, |ticking| ticking.rules)..reached;
        for rule in past {
            if let Some(position) = self.places.now(rule) {
                self.restore_told(position);
            }
        }
        let mut part = Part::of_acts(acts);
        if reached >= self.places.count(self.cells.len()) {
            self.silences.forget(now, &mut part);
        } else if let Some(position) = self.places.now(reached) {
            self.restore_acts(position, &mut part);
        }
        self.go_on_from_rule(reached);
    }

    /// The first rules have been told, or are to be asked again.
    pub(super) fn go_on_from_rule(&mut self, rule: usize) {
        if let Some(ticking) = &mut self.ticking {
            ticking.rules = rule;
        }
    }

    /// A rule is told of all that is left of the tick.
    fn restore_told(&mut self, position: usize) {
        if self.restore_acts(position, &mut Part::whole())
            && let Some(cell) = self.cells.get_mut(position)
        {
            cell.interval = Counts::default();
            cell.told = Told::Over;
        }
    }

    /// Some of the tick is done for a rule; whether it runs. By options that were edited since it may come to less than it did then: only when the journal says
    /// that the tick has come past the rule its interval ends.
    pub(super) fn restore_acts(&mut self, position: usize, part: &mut Part) -> bool {
        let program = Arc::clone(&self.program);
        let Some(entry) = program.rules.get(position) else {
            return false;
        };
        if !part.has_room() || !self.is_to_be_told(entry, position) {
            return false;
        }
        let is_foreign = self.cells.get(position).is_some_and(|cell| cell.is_foreign);
        if !is_foreign
            && !self.has_begun(position)
            && self
                .show_tick(position, part, &mut Vec::new(), Evaluator::go_on)
                .is_err()
        {
            self.reset(entry, position);
        }
        true
    }
}
