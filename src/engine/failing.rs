//! Rules that fail: a panic in a rule's code is that rule's affair alone.
//!
//! The rule loses what it remembered, which may be half changed, and the event it failed over; it rests for a while, longer each time it
//! fails again, and then goes on. Events that come meanwhile wait. All of this is journalled as decided, so that recovery comes to the same.

use super::program::ProgramRule;
use super::tick::Told;
use super::{Cell, Engine, Note, Outcome, Record};
use crate::event::WallTime;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A rule that rests after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resting {
    /// How many times it failed in a row.
    pub(super) failures: u32,
    /// Until when.
    pub(super) until: WallTime,
}

/// The rules that failed and have not run since.
pub(super) type Failing = BTreeMap<String, Resting>;

/// Runs code of a rule; the words of its panic if it fails. What it may have left half done, the caller drops.
pub(super) fn guarded<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| words(&*panic))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it failed without a word")
        .to_owned()
}

impl Engine {
    /// Whether a rule is evaluated now: it is within its hours, and does not rest.
    pub(super) fn runs(&self, entry: &ProgramRule, now: WallTime) -> bool {
        let rests = self.failing.get(&entry.rule.name);
        entry.runs(now) && rests.is_none_or(|resting| resting.until <= now)
    }

    /// A rule has failed: it starts anew after a rest.
    pub(super) fn failed(
        &mut self,
        entry: &ProgramRule,
        position: usize,
        error: &str,
        now: WallTime,
        out: &mut Outcome,
    ) {
        let rule = &entry.rule.name;
        let before = self.failing.get(rule);
        let failures = before
            .map_or(0, |resting| resting.failures)
            .saturating_add(1);
        let until = now.plus(self.wait_after(failures));
        let cell = self.cells.get_mut(position);
        let waiting = cell.map(|cell| std::mem::take(&mut cell.waiting));
        self.reset(entry, position);
        self.failing
            .insert(rule.clone(), Resting { failures, until });
        out.records.push(Record::Rests {
            rule: rule.clone(),
            failures,
            until,
        });
        self.hold_waiting(entry, waiting.into_iter().flatten(), now, out);
        self.write_exception(rule, error, now, out);
        out.notes.push(Note::RuleFailed {
            rule: rule.clone(),
            error: error.to_owned(),
            until,
        });
    }

    /// A rule has been evaluated without failing.
    pub(super) fn went_well(&mut self, entry: &ProgramRule, now: WallTime, out: &mut Outcome) {
        let rule = &entry.rule.name;
        if self.failing.is_empty() || self.failing.get(rule).is_none_or(|one| now < one.until) {
            return;
        }
        self.failing.remove(rule);
        out.records.push(Record::Recovered { rule: rule.clone() });
        out.notes.push(Note::RuleRecovered { rule: rule.clone() });
    }

    /// Lets a rule forget what it remembers.
    pub(super) fn reset(&mut self, entry: &ProgramRule, position: usize) {
        if let Some(cell) = self.cells.get_mut(position) {
            let fresh = Cell::new(entry, self.spill.as_ref());
            cell.evaluator = fresh.evaluator;
            cell.newest = None;
            // If a tick is under way, it is over for the rule.
            cell.told = Told::Over;
            cell.waiting.clear();
        }
        self.behind.retain(|other| *other != position);
        self.count_kept();
    }
}
