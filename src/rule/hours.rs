//! `limit_execution`: the minutes in which a rule runs.

use super::Schedule;
use crate::event::{EventTime, WallTime};

/// When a rule runs, and what becomes of events at other times.
#[derive(Debug, Clone, PartialEq)]
pub struct Hours {
    /// The minutes in which it runs.
    pub schedule: Schedule,
    /// What becomes of events outside.
    pub outside: Outside,
}

/// What becomes of events outside of a rule's hours (`limit_execution_coverage`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// They wait until the rule runs next.
    Wait,
    /// They are not looked at: neither those that come outside, nor those whose own time lies outside.
    Ignored,
}

impl Hours {
    /// Whether the rule runs now.
    pub fn run(&self, now: WallTime) -> bool {
        self.schedule.names(now)
    }

    /// Whether an event that comes now is to be left out.
    pub(super) fn ignore(&self, time: EventTime, now: WallTime) -> bool {
        self.outside == Outside::Ignored
            && !(self.schedule.names(now) && self.schedule.names(WallTime(time.0)))
    }
}
