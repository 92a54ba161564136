//! Events over which a rule has much to do, such as to look at all its keys: that is done in parts. Meanwhile events of other rules are taken in; the rule's
//! own wait behind it, and so do, for the end of a tick, those of rules that take none in before it. The rule is shown all of them in their order and
//! as of the time at which each came, so that it comes to the same as if nothing had been divided.

use super::{Engine, Outcome, ProgramRule, Record, StoredEvent};
use crate::engine::held::HeldEvent;
use crate::event::{EventTime, WallTime};
use crate::rule::{Hit, Part, Room, Verdict};
use std::sync::Arc;

/// What an event costs, a match of it, and a record that follows from it, in the steps of a [`Part`].
const EVENT: u64 = 4;
const MATCH: u64 = 4;
const RECORD: u64 = 8;
/// A rule is gone on with for so many steps before its matches are looked at.
const PIECE: u64 = 64;
/// For each event that comes to wait so many steps are done at once.
const FOR_ONE_MORE: u64 = 16;
/// With so many events waiting for a rule that has more than one over which there is much to do, senders wait for them: events are taken in more slowly than they come.
const MANY: usize = 1_000;
/// With so many they wait for the first one, too.
const MOST: usize = 50_000;

/// An event that waits for its rule.
#[derive(Debug)]
pub(super) struct Waiting {
    hit: Hit,
    /// What time it was for the rules when it came.
    time: EventTime,
    /// When it came.
    came: WallTime,
    progress: Progress,
}

/// How far a rule has come with an event that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Waits,
    Begun,
    /// While the journal is replayed: by edited options there is less to do than the journal says.
    Over,
}

impl Waiting {
    /// An event that came at a time, which was `time` for the rules.
    pub(super) fn new(hit: Hit, time: EventTime, came: WallTime) -> Self {
        Self {
            hit,
            time,
            came,
            progress: Progress::Waits,
        }
    }
}

impl Engine {
    /// Whether something is done in parts and not over: [`super::Input::Due`] goes on with it.
    pub fn is_at_work(&self) -> bool {
        self.is_ticking() || !self.behind.is_empty()
    }

    /// Does what is left of what is done in parts: before what must not come between, and before a snapshot. A command that uses the store while no service
    /// runs leaves it to the service: it may not have the rules.
    pub fn finish_work(&mut self, out: &mut Outcome) {
        if self.is_at_rest {
            return;
        }
        self.go_on_with_tick(u64::MAX, out);
        while !self.behind.is_empty() {
            self.go_on_with_events(u64::MAX, 0, out);
        }
        self.record_counts(out);
    }

    /// Whether events wait for a rule.
    pub(super) fn is_behind(&self, position: usize) -> bool {
        let cell = self.cells.get(position);
        cell.is_some_and(|cell| !cell.waiting.is_empty())
    }

    /// Whether a rule is at work on an event. If a tick is under way it was over for what the rule remembers before.
    pub(super) fn has_begun(&self, position: usize) -> bool {
        let first = self
            .cells
            .get(position)
            .and_then(|cell| cell.waiting.front());
        first.is_some_and(|first| first.progress != Progress::Waits)
    }

    /// An event waits, before which so many acts of the tick under way were done, or all; or the rule has begun with it and done so many acts.
    pub(super) fn waits(
        &mut self,
        position: usize,
        mut waiting: Waiting,
        ticked: Option<u64>,
        begun: Option<u64>,
        out: &mut Outcome,
    ) {
        let hit = &waiting.hit;
        let Some(cell) = self.cells.get(position) else {
            return;
        };
        let Some(event) = hit.event.clone().map(StoredEvent) else {
            return;
        };
        let rule = Arc::clone(&cell.name);
        out.records.push(Record::Waits {
            rule: Arc::clone(&rule),
            time: hit.time,
            sample: hit.sample.clone(),
            event,
            now: waiting.time,
            came: waiting.came,
            ticked,
        });
        if let Some(acts) = begun {
            let events = 0;
            out.records.push(Record::TakenIn { rule, events, acts });
            waiting.progress = Progress::Begun;
        }
        self.stand_behind(position, waiting);
        self.came_behind += 1;
    }

    fn stand_behind(&mut self, position: usize, waiting: Waiting) {
        let Some(cell) = self.cells.get_mut(position) else {
            return;
        };
        if cell.waiting.is_empty() {
            self.behind.push_back(position);
        }
        cell.waiting.push_back(waiting);
    }

    /// After a batch: so much as keeps up with the events of it that wait.
    pub(super) fn keep_up(&mut self, out: &mut Outcome) {
        let came = std::mem::take(&mut self.came_behind);
        if came == 0 {
            return;
        }
        if !self.is_ticking() {
            let taken = came + came / 8 + 1;
            self.go_on_with_events(came.saturating_mul(FOR_ONE_MORE), taken, out);
        } else if self.cells.iter().any(|cell| cell.waiting.len() > MOST) {
            self.finish_work(out);
        }
    }

    /// Goes on with events that wait, of one rule after the other: for so many steps, and until so many are taken in, if there is not much to do for one.
    pub(super) fn go_on_with_events(&mut self, steps: u64, events: u64, out: &mut Outcome) {
        let (mut steps, mut events) = (steps, events);
        for _ in 0..self.behind.len() {
            if steps == 0 && events == 0 {
                break;
            }
            let Some(position) = self.behind.pop_front() else {
                break;
            };
            let (used, taken) = self.take_in(position, steps, events, out);
            (steps, events) = (steps.saturating_sub(used), events.saturating_sub(taken));
            if self.is_behind(position) {
                self.behind.push_back(position);
            }
        }
    }

    /// Goes on with the events that wait for one rule. How many steps that took, and how many were taken in.
    fn take_in(
        &mut self,
        position: usize,
        steps: u64,
        at_least: u64,
        out: &mut Outcome,
    ) -> (u64, u64) {
        let program = Arc::clone(&self.program);
        let Some(entry) = program.rules.get(position) else {
            return (0, 0);
        };
        let failures = |engine: &Self| {
            let resting = engine.failing.get(&entry.rule.name);
            resting.map(|resting| resting.failures)
        };
        let (mut used, mut events, mut acts) = (0u64, 0, 0);
        while let Some(cell) = self.cells.get_mut(position) {
            let length = cell.waiting.len();
            let is_short = acts == 0 || (cell.is_slow && length > MANY) || length > MOST;
            if used >= steps && (events >= at_least || !is_short) {
                break;
            }
            let Some(mut first) = cell.waiting.pop_front() else {
                break;
            };
            let before = std::mem::replace(&mut first.progress, Progress::Begun);
            let (time, came) = (first.time, first.came);
            let left = Some(steps.saturating_sub(used)).filter(|left| *left > 0);
            let mut part = Part::of_steps(left.map_or(PIECE, |left| left.min(PIECE)));
            let mut matches = Vec::new();
            let shown = self.show(
                position,
                &first.hit,
                Room::None,
                time,
                &mut part,
                &mut matches,
            );
            let records = out.records.len();
            let is_over = *shown.as_ref().unwrap_or(&true);
            acts += part.acted();
            used = used.saturating_add(part.used() + MATCH * matches.len() as u64);
            if is_over {
                used = used.saturating_add(EVENT);
            }
            let failed_before = failures(self);
            if let Some(cell) = self.cells.get_mut(position) {
                if is_over {
                    cell.is_slow |= before == Progress::Begun;
                    cell.is_slow &= !cell.waiting.is_empty();
                    (events, acts) = (events + 1, 0);
                } else {
                    cell.waiting.push_front(first);
                }
                cell.believe(entry, time, &mut matches);
            }
            match shown {
                Ok(_) => self.all_matched(entry, position, &matches, came, out),
                Err(error) => self.failed(entry, position, &error, came, out),
            }
            let after = failures(self);
            if after.is_some() && after != failed_before {
                // Nothing of it is remembered, and what waited waits until the rule has rested.
                return (used, events);
            }
            let followed = out.records.len().saturating_sub(records) as u64;
            used = used.saturating_add(followed * RECORD);
        }
        out.records.push(Record::TakenIn {
            rule: entry.rule.name.as_str().into(),
            events,
            acts,
        });
        (used, events)
    }

    /// The rule has failed: what waits for it and was not begun with waits until it has rested.
    pub(super) fn hold_waiting(
        &mut self,
        entry: &ProgramRule,
        waiting: impl Iterator<Item = Waiting>,
        now: WallTime,
        out: &mut Outcome,
    ) {
        for Waiting { hit, came, .. } in waiting.filter(|one| one.progress == Progress::Waits) {
            let Some(event) = hit.event else {
                continue;
            };
            let held = HeldEvent {
                time: hit.time,
                verdict: Verdict::Sample(hit.sample),
                event,
                came,
            };
            self.holds(entry, held, now, out);
        }
    }

    /// An event waits, as the journal says.
    pub(super) fn restore_waits(
        &mut self,
        rule: &str,
        waiting: Waiting,
        ticked: Option<u64>,
    ) -> Option<()> {
        let (position, _) = self.program.find(rule)?;
        let mut part = ticked.map_or_else(Part::whole, Part::of_acts);
        self.restore_acts(position, &mut part);
        let cell = self.cells.get_mut(position)?;
        if !cell.is_foreign {
            cell.newest = cell.newest.max(Some(waiting.hit.time));
            self.stand_behind(position, waiting);
        }
        Some(())
    }

    /// A rule has taken in so many of the events that wait, and done so many acts for the next.
    pub(super) fn restore_taken_in(&mut self, rule: &str, events: u64, acts: u64) -> Option<()> {
        let (position, _) = self.program.find(rule)?;
        for _ in 0..events {
            self.restore_first(position, &mut Part::whole())?;
            self.cells.get_mut(position)?.waiting.pop_front();
        }
        if acts > 0 {
            self.restore_first(position, &mut Part::of_acts(acts))?;
        }
        self.leave_behind(position);
        Some(())
    }

    /// Goes on with the first event that waits. Matches found again were decided before.
    fn restore_first(&mut self, position: usize, part: &mut Part) -> Option<()> {
        let mut first = self.cells.get_mut(position)?.waiting.pop_front()?;
        if first.progress != Progress::Over {
            let matches = &mut Vec::new();
            let shown = self.show(position, &first.hit, Room::None, first.time, part, matches);
            first.progress = match shown {
                Ok(true) => Progress::Over,
                Ok(false) => Progress::Begun,
                Err(_) => {
                    let program = Arc::clone(&self.program);
                    self.reset(program.rules.get(position)?, position);
                    return None;
                }
            };
        }
        self.cells.get_mut(position)?.waiting.push_front(first);
        Some(())
    }

    /// The journal has been read: events with which there is nothing more to do are over.
    pub(super) fn end_restored_events(&mut self) {
        for position in std::mem::take(&mut self.behind) {
            if let Some(cell) = self.cells.get_mut(position) {
                let is_over = |first: &Waiting| first.progress == Progress::Over;
                if cell.waiting.front().is_some_and(is_over) {
                    cell.waiting.pop_front();
                }
                if !cell.waiting.is_empty() {
                    self.behind.push_back(position);
                }
            }
        }
    }

    /// Forgets a rule for which nothing waits any more.
    fn leave_behind(&mut self, position: usize) {
        let cell = self.cells.get(position);
        if cell.is_none_or(|cell| cell.waiting.is_empty()) {
            self.behind.retain(|other| *other != position);
        }
    }
}
