//! Times during which no events could come, and what must not be concluded from them.

use super::{Cell, Engine, Outcome, ProgramRule, Record};
use crate::event::{EventTime, WallTime};
use crate::rule::{Gap, Match};

impl Engine {
    /// Events come again: what was not watched must not be taken for silence.
    pub(super) fn resumed(&mut self, since: Option<EventTime>, now: WallTime, out: &mut Outcome) {
        let gap = Gap {
            from: since.or(self.watched),
            to: self.stream.unwrap_or(now.as_event_time()),
        };
        self.note_gap(None, gap);
        out.records.push(Record::Resumed { rule: None, gap });
    }

    /// Tells a rule, or all, of a gap.
    pub(super) fn note_gap(&mut self, rule: Option<&str>, gap: Gap) {
        for (entry, cell) in self.program.rules.iter().zip(&mut self.cells) {
            if rule.is_none_or(|rule| rule == entry.rule.name) {
                cell.resume(entry, gap);
            }
        }
        if rule.is_none() {
            self.watched = Some(gap.to);
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
}
