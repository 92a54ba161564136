//! The state of types that decide every event alone.

use crate::event::EventTime;
use crate::rule::{Hit, Match, Part, RuleState, StateSize};

/// Nothing is remembered.
pub(super) struct Stateless;

impl RuleState for Stateless {
    fn add(&mut self, _: &Hit, _: EventTime, _: &mut Part, _: &mut Vec<Match>) -> bool {
        true
    }

    fn tick(&mut self, _: EventTime, _: &mut Part, _: &mut Vec<Match>) {}

    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    fn load(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn judge_like(&mut self, _: &dyn RuleState) {}

    fn size(&self) -> StateSize {
        StateSize::default()
    }
}
