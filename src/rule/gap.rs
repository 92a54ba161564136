//! Times during which nobody watched: the program did not run, the machine slept, or the clock was set.

use crate::event::EventTime;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A time during which events could not come, so that silence in it means nothing.
///
/// When the clock was set back it ends before it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Until when events were taken; `None`: never before.
    pub from: Option<EventTime>,
    /// Since when events are taken again.
    pub to: EventTime,
}

impl Gap {
    /// Whether a window of this length has to be watched anew before its emptiness means something. A gap of a tenth of it or less does not
    /// matter: what came meanwhile comes late, and a rule over a day would otherwise never be judged where the program is started once a day.
    pub fn breaks(&self, window: Duration) -> bool {
        let Some(from) = self.from else { return true };
        let length = Duration::from_micros(self.to.0.abs_diff(from.0));
        length > window / 10
    }

    /// When the clock was set back so far that events of the time that comes again would hide those that come then: the time after which there
    /// must be none.
    pub fn undone(&self, window: Duration) -> Option<EventTime> {
        (self.is_back() && self.breaks(window)).then_some(self.to)
    }

    /// Whether time ran backwards.
    pub fn is_back(&self) -> bool {
        self.from.is_some_and(|from| self.to < from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_window_does_not_matter() {
        let gap = |from, to| Gap {
            from: Some(EventTime(from)),
            to: EventTime(to),
        };
        let window = Duration::from_micros(100);
        assert!(!gap(50, 60).breaks(window));
        assert!(gap(50, 61).breaks(window));
        assert!(!gap(60, 50).breaks(window) && gap(60, 50).is_back());
        assert!(gap(61, 50).breaks(window));
        let first = Gap {
            from: None,
            to: EventTime(0),
        };
        assert!(first.breaks(window) && !first.is_back());
    }
}
