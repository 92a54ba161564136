//! The events that a rule has seen lately, for `top_count_keys`.

use crate::event::{Document, EventTime};
use std::collections::VecDeque;
use std::time::Duration;

/// More events than these are not kept for a rule: the oldest go first, and counts are of the rest.
const MAX_SEEN: usize = 100_000;

/// What of each event is counted, in order of arrival.
#[derive(Debug, Default)]
pub struct Seen {
    events: VecDeque<(EventTime, Document)>,
    newest: Option<EventTime>,
}

impl Seen {
    /// Adds an event, and forgets those that are older than the newest by more than `keep`.
    pub(super) fn add(&mut self, time: EventTime, fields: Document, keep: Duration) {
        let newest = self.newest.map_or(time, |newest| newest.max(time));
        self.newest = Some(newest);
        self.events.push_back((time, fields));
        let oldest = newest.minus(keep);
        while self.events.len() > MAX_SEEN
            || self.events.front().is_some_and(|(time, _)| *time < oldest)
        {
            self.events.pop_front();
        }
    }

    /// The events, with their times.
    pub fn iter(&self) -> impl Iterator<Item = (EventTime, &Document)> {
        self.events.iter().map(|(time, fields)| (*time, fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_events_are_forgotten() {
        let mut seen = Seen::default();
        for seconds in [0, 50, 61, 40] {
            let time = EventTime(seconds * 1_000_000);
            seen.add(time, Document::new(), Duration::from_secs(60));
        }
        let left: Vec<i64> = seen.iter().map(|(time, _)| time.0 / 1_000_000).collect();
        assert_eq!(left, [50, 61, 40]);
    }
}
