//! What a rule remembers, taken from one engine to another: `tripline warm` fills it from the past.

use super::record::{from_one_piece, in_one_piece};
use super::{Cell, Engine, Outcome, Record};
use crate::event::{EventTime, WallTime};
use crate::rule::{Gap, Rule};
use serde::{Deserialize, Serialize};

/// What one rule remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The rule.
    pub rule: String,
    /// Of its version: another means something else by it.
    pub fingerprint: u64,
    /// As [`crate::rule::Evaluator::save`] writes it.
    #[serde(serialize_with = "in_one_piece", deserialize_with = "from_one_piece")]
    pub state: Vec<u8>,
    /// The newest event time seen.
    pub newest: Option<EventTime>,
    /// Since when events have come without a gap.
    pub since: Option<EventTime>,
    /// Until when they have.
    pub watched: Option<EventTime>,
}

/// Whether events come at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coming {
    /// The service runs, and this is the time.
    Now(WallTime),
    /// They will when it starts.
    Later,
}

impl Engine {
    /// What a rule remembers.
    pub fn memory(&self, rule: &str) -> Option<Memory> {
        let (position, entry) = self.program.find(rule)?;
        let cell = self.cells.get(position)?;
        Some(cell.memory(&entry.rule, self.watched))
    }

    /// Lets rules remember what was found in the past. The names of those that took it; another version of a rule does not.
    pub fn warm(
        &mut self,
        memories: Vec<Memory>,
        coming: Coming,
        out: &mut Outcome,
    ) -> Vec<String> {
        self.finish_work(out);
        let mut warmed = Vec::new();
        for memory in memories {
            if !self.restore_memory(&memory) {
                continue;
            }
            let rule = memory.rule.clone();
            let watched = memory.watched;
            out.records.push(Record::Warmed(memory));
            if let Coming::Now(now) = coming {
                let gap = Gap {
                    from: watched,
                    to: now.as_event_time(),
                };
                self.note_gap(Some(&rule), gap);
                let rule = Some(rule.clone());
                out.records.push(Record::Resumed { rule, gap });
            }
            warmed.push(rule);
        }
        warmed
    }

    /// Whether the rule took it.
    pub(super) fn restore_memory(&mut self, memory: &Memory) -> bool {
        let Some((position, entry)) = self.program.find(&memory.rule) else {
            return false;
        };
        if entry.rule.state_fingerprint != memory.fingerprint {
            return false;
        }
        let Some(cell) = self.cells.get_mut(position) else {
            return false;
        };
        let took = cell.take(memory).is_ok();
        self.count_kept();
        took
    }
}

impl Cell {
    pub(super) fn memory(&self, rule: &Rule, watched: Option<EventTime>) -> Memory {
        Memory {
            rule: rule.name.clone(),
            fingerprint: rule.state_fingerprint,
            state: self.evaluator.save(),
            newest: self.newest,
            since: self.since,
            watched,
        }
    }

    fn take(&mut self, memory: &Memory) -> Result<(), String> {
        self.evaluator.absorb(&memory.state)?;
        self.newest = memory.newest;
        self.since = memory.since;
        self.warmed = memory.watched;
        Ok(())
    }
}
