//! Time in the engine: events too late or from the future, and times during which none could come.

use super::{Cell, Counts, Engine, Input, Options, Outcome, ProgramRule, Record};
use crate::event::{EventTime, WallTime};
use crate::rule::{Gap, Match};

/// In microseconds.
pub(super) const DAY: i64 = 86_400_000_000;

impl Engine {
    /// Takes one input in while it is another time for the rules than on the wall: old events are looked at as of their own time. A batch moves
    /// that time on to its newest event.
    pub fn apply_as_of(&mut self, input: Input, time: EventTime, now: WallTime, out: &mut Outcome) {
        self.stream = Some(time);
        self.apply(input, now, out);
        self.stream = None;
    }

    /// Until when events have come, by the rules' clock.
    pub fn watched(&self) -> Option<EventTime> {
        self.watched
    }

    /// Events come again: what was not watched must not be taken for silence.
    pub(super) fn resumed(&mut self, since: Option<EventTime>, now: WallTime, out: &mut Outcome) {
        let gap = Gap {
            from: since.or(self.watched),
            to: self.stream.unwrap_or(now.as_event_time()),
        };
        self.note_gap(None, gap);
        out.records.push(Record::Resumed { rule: None, gap });
        self.plan_retries_again(now, out);
    }

    /// Tells a rule, or all, of a gap.
    pub(super) fn note_gap(&mut self, rule: Option<&str>, gap: Gap) {
        for (entry, cell) in self.program.rules.iter().zip(&mut self.cells) {
            if rule.is_none_or(|rule| rule == entry.rule.name) {
                let from = gap.from.max(cell.warmed);
                cell.resume(entry, Gap { from, ..gap });
            }
        }
        self.count_kept();
        if rule.is_none() {
            self.watched = Some(gap.to);
            self.forgotten = Some(i64::MIN);
            self.forget_daily(gap.to);
        }
    }

    /// Once a day rules let go of what they know no longer.
    pub(super) fn forget_daily(&mut self, now: EventTime) {
        let today = now.0.div_euclid(DAY);
        if self.forgotten.is_some_and(|day| day != today) {
            self.forgotten = Some(today);
            for cell in &mut self.cells {
                cell.evaluator.forget(now);
            }
        }
    }
}

impl Cell {
    pub(super) fn resume(&mut self, entry: &ProgramRule, gap: Gap) {
        self.evaluator.resume(&gap);
        let horizon = entry.rule.kind.horizon();
        if horizon.is_some_and(|horizon| gap.breaks(horizon)) {
            self.since = Some(gap.to);
        }
        if gap.is_back() {
            // Events of the time that comes again are not late.
            self.newest = self.newest.map(|newest| newest.min(gap.to));
        }
    }

    /// Leaves only matches that do not rest on windows that were never full.
    pub(super) fn believe(&self, entry: &ProgramRule, now: EventTime, matches: &mut Vec<Match>) {
        let (Some(since), Some(horizon)) = (self.since, entry.rule.kind.horizon()) else {
            return;
        };
        if now < since.plus(horizon) {
            matches.retain(|matched| entry.rule.kind.is_certain(matched));
        }
    }

    /// Whether an event may change windows: neither too late nor too far in the future. If not, what is to be counted.
    pub(super) fn in_time(
        &mut self,
        time: EventTime,
        now: WallTime,
        options: &Options,
    ) -> Result<(), Counts> {
        if time > now.as_event_time().plus(options.future_tolerance) {
            return Err(Counts {
                future: 1,
                ..Counts::default()
            });
        }
        if self
            .newest
            .is_some_and(|newest| time < newest.minus(options.lateness))
        {
            return Err(Counts {
                late: 1,
                ..Counts::default()
            });
        }
        self.newest = self.newest.max(Some(time));
        Ok(())
    }
}
