//! Events that came outside of their rule's hours (`limit_execution`), or while it rests after a failure: they wait until the rule runs.

use super::program::ProgramRule;
use super::{Engine, Note, Outcome, Program, Record, StoredEvent};
use crate::event::{EventTime, RawEvent, WallTime};
use crate::rule::{Outside, Verdict};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How many events, and how many bytes of them, wait for one rule. When there are more, the oldest are let go, and that is told.
const MOST_EVENTS: usize = 100_000;
const MOST_BYTES: usize = 64 << 20;

/// An event that waits, decided as far as that goes without memory.
#[derive(Debug, Clone)]
pub(super) struct HeldEvent {
    pub(super) time: EventTime,
    pub(super) verdict: Verdict,
    pub(super) event: Arc<RawEvent>,
    /// When it came.
    pub(super) came: WallTime,
}

/// The events that wait for one rule, in the order they came.
#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<HeldEvent>,
    bytes: usize,
    /// When the rule runs next, as far as is known; `None`: never.
    opens: Option<WallTime>,
}

/// All events that wait, by rule.
#[derive(Debug, Default)]
pub(super) struct Held {
    queues: BTreeMap<String, Queue>,
}

impl Held {
    /// Adds an event, to be looked at again when the rule opens; how many had to go for it.
    pub(super) fn push(&mut self, rule: &str, opens: Option<WallTime>, held: HeldEvent) -> u64 {
        let queue = self.queues.entry(rule.to_owned()).or_default();
        queue.opens = opens;
        queue.bytes += held.event.bytes.len();
        queue.events.push_back(held);
        let mut dropped = 0;
        while (queue.events.len() > MOST_EVENTS || queue.bytes > MOST_BYTES)
            && let Some(oldest) = queue.events.pop_front()
        {
            queue.bytes -= oldest.event.bytes.len();
            dropped += 1;
        }
        dropped
    }

    /// Removes what waits for a rule: by time, as a query would bring it.
    pub(super) fn take(&mut self, rule: &str) -> Vec<HeldEvent> {
        let queue = self.queues.remove(rule).unwrap_or_default();
        let mut events = Vec::from(queue.events);
        events.sort_by_key(|held| held.time);
        events
    }

    fn is_waited_for(&self, rule: &str) -> bool {
        self.queues.contains_key(rule)
    }

    /// When the next rule opens.
    pub(super) fn next_due(&self) -> Option<WallTime> {
        self.queues.values().filter_map(|queue| queue.opens).min()
    }

    /// The hours of rules may be others now: each is to be asked again.
    pub(super) fn ask_again(&mut self, now: WallTime) {
        for queue in self.queues.values_mut() {
            queue.opens = Some(now);
        }
    }

    /// Every event with its rule, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &HeldEvent)> {
        self.queues.iter().flat_map(|(rule, queue)| {
            let events = queue.events.iter();
            events.map(move |held| (rule.as_str(), held))
        })
    }
}

impl Engine {
    /// Whether an event for this rule has to wait; if so, it does.
    pub(super) fn holds(
        &mut self,
        entry: &ProgramRule,
        held: HeldEvent,
        now: WallTime,
        out: &mut Outcome,
    ) -> Option<HeldEvent> {
        let opens = self.opens(Some(entry), now);
        if opens.is_some_and(|opens| opens <= now) {
            return Some(held);
        }
        let rule = &entry.rule.name;
        out.records.push(Record::Held {
            rule: rule.clone(),
            time: held.time,
            verdict: held.verdict.clone(),
            event: StoredEvent(Arc::clone(&held.event)),
            now: held.came,
        });
        let dropped = self.held.push(rule, opens, held);
        if dropped > 0 {
            out.notes.push(Note::HeldTooMany {
                rule: rule.clone(),
                dropped,
            });
        }
        None
    }

    /// Puts an event of the journal, or of a snapshot, back: the rule's hours may be others now.
    pub(super) fn restore_held(&mut self, rule: &str, held: HeldEvent) {
        let found = self.program.find(rule);
        let opens = self.opens(found.map(|(_, entry)| entry), held.came);
        self.held.push(rule, opens, held);
    }

    /// When a rule takes events, from a time on: that time if it does then. Without the rule they wait no longer than until it is asked for.
    fn opens(&self, entry: Option<&ProgramRule>, from: WallTime) -> Option<WallTime> {
        let Some(rule) = entry.map(|entry| &entry.rule) else {
            return Some(from);
        };
        let resting = self.failing.get(&rule.name);
        let from = resting.map_or(from, |resting| from.max(resting.until));
        match &rule.hours {
            Some(hours) if hours.outside == Outside::Wait && !hours.run(from) => {
                hours.schedule.next_after(from)
            }
            _ => Some(from),
        }
    }

    /// Evaluates what waits for a rule that runs now.
    pub(super) fn let_in(
        &mut self,
        entry: &ProgramRule,
        position: usize,
        now: WallTime,
        out: &mut Outcome,
    ) {
        let rule = &entry.rule;
        if !self.held.is_waited_for(&rule.name) || !self.runs(entry, now) {
            return;
        }
        out.records.push(Record::LetIn {
            rule: rule.name.clone(),
        });
        for held in self.held.take(&rule.name) {
            // One of them may make the rule fail: the others wait on.
            if let Some(held) = self.holds(entry, held, now, out) {
                self.evaluate(entry, position, held, now, out);
            }
        }
    }

    /// Evaluates what waits for rules that have begun to run.
    pub(super) fn open_hours(&mut self, now: WallTime, out: &mut Outcome) {
        let due: Vec<String> = self
            .held
            .queues
            .iter()
            .filter(|(_, queue)| queue.opens.is_some_and(|opens| opens <= now))
            .map(|(rule, _)| rule.clone())
            .collect();
        let program = Arc::clone(&self.program);
        for rule in due {
            let found = program.find(&rule);
            if let Some((position, entry)) = found {
                self.let_in(entry, position, now, out);
            }
            // Its hours have passed while the program did not run, or it is gone until its file is back.
            let opens = found.and_then(|(_, entry)| self.opens(Some(entry), now));
            if let Some(queue) = self.held.queues.get_mut(&rule) {
                queue.opens = opens;
            }
        }
    }

    /// Before a reload: what waits for a rule that means something else then was decided by another one, and goes.
    pub(super) fn reload_held(&mut self, program: &Program, now: WallTime, out: &mut Outcome) {
        for entry in &self.program.rules {
            let rule = &entry.rule;
            let goes_on = program
                .find(&rule.name)
                .is_some_and(|(_, new)| new.rule.state_fingerprint == rule.state_fingerprint);
            if !goes_on && self.failing.remove(&rule.name).is_some() {
                out.records.push(Record::Recovered {
                    rule: rule.name.clone(),
                });
            }
            if !goes_on && self.held.is_waited_for(&rule.name) {
                self.held.take(&rule.name);
                out.records.push(Record::LetIn {
                    rule: rule.name.clone(),
                });
            }
        }
        self.held.ask_again(now);
    }
}
