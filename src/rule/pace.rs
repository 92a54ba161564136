//! What each event of a batch led to, so that time can pass between them: a stream of old events is looked at as of its own time.

use super::decide::Tally;
use super::{Counts, Decided, Decision, RuleSet};
use crate::event::{EventTime, WallTime};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// When each event of a batch was, and what it led to.
#[derive(Debug)]
pub struct Pace {
    /// Events older than this are of another time than the clock on the wall shows.
    old: EventTime,
    /// The newest time so far.
    newest: Option<EventTime>,
    moments: VecDeque<Moment>,
    /// What was counted, by rule, in the order of the events.
    counts: VecDeque<(usize, Counts)>,
}

/// One event.
#[derive(Debug)]
struct Moment {
    time: Option<EventTime>,
    /// How many counts and decisions there are up to its own.
    counts: usize,
    decisions: usize,
}

impl Pace {
    /// Of a batch whose events belong to another time than that on the wall when they are older than this.
    pub(super) fn new(old: EventTime) -> Self {
        Self {
            old,
            newest: None,
            moments: VecDeque::new(),
            counts: VecDeque::new(),
        }
    }

    /// An event begins. What time it is then, if that is not the time on the wall.
    pub(super) fn begin(&mut self, time: Option<EventTime>) -> Option<WallTime> {
        self.newest = self.newest.max(time);
        self.moments.push_back(Moment {
            time,
            counts: 0,
            decisions: 0,
        });
        let newest = self.newest.filter(|newest| *newest < self.old);
        newest.map(|newest| WallTime(newest.0))
    }

    /// An event ends.
    pub(super) fn end(&mut self, tally: &mut Tally<'_>) {
        for rule in tally.touched.drain(..) {
            if let Some(counts) = tally.counts.get_mut(rule) {
                self.counts.push_back((rule, std::mem::take(counts)));
            }
        }
        if let Some(moment) = self.moments.back_mut() {
            moment.counts = self.counts.len();
            moment.decisions = tally.decisions.len();
        }
    }

    /// The batch, to be taken piece by piece.
    pub fn over(self, decided: Decided) -> Passing {
        let Decided {
            rules,
            counts: _,
            decisions,
            rejected: _,
        } = decided;
        Passing {
            rules,
            moments: self.moments,
            counts: self.counts,
            counts_taken: 0,
            decisions: decisions.into(),
            decisions_taken: 0,
        }
    }
}

/// A batch that is taken piece by piece, while time passes.
#[derive(Debug)]
pub struct Passing {
    rules: Arc<RuleSet>,
    moments: VecDeque<Moment>,
    counts: VecDeque<(usize, Counts)>,
    counts_taken: usize,
    decisions: VecDeque<Decision>,
    decisions_taken: usize,
}

impl Passing {
    /// Whether all of it is taken.
    pub fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    /// The time of the first event that has one, not later than `latest`: times after that are wrong.
    pub fn first_time(&self, latest: EventTime) -> Option<EventTime> {
        let mut times = self.moments.iter().filter_map(|moment| moment.time);
        times.find(|time| *time <= latest)
    }

    /// Takes the events before the first one that is later than `tick`. What they led to, and the newest of their times.
    pub fn take_until(
        &mut self,
        tick: EventTime,
        latest: EventTime,
    ) -> (Decided, Option<EventTime>) {
        let mut newest = None;
        let (mut counts, mut decisions) = (self.counts_taken, self.decisions_taken);
        let is_before = |moment: &mut Moment| {
            let time = moment.time.filter(|time| *time <= latest);
            time.is_none_or(|time| time <= tick)
        };
        while let Some(moment) = self.moments.pop_front_if(is_before) {
            newest = newest.max(moment.time.filter(|time| *time <= latest));
            (counts, decisions) = (moment.counts, moment.decisions);
        }
        let mut summed: BTreeMap<usize, Counts> = BTreeMap::new();
        for (rule, counts) in self.counts.drain(..counts - self.counts_taken) {
            summed.entry(rule).or_default().add(counts);
        }
        let taken = self.decisions.drain(..decisions - self.decisions_taken);
        let decided = Decided {
            rules: Arc::clone(&self.rules),
            counts: summed.into_iter().collect(),
            decisions: taken.collect(),
            rejected: Vec::new(),
        };
        (self.counts_taken, self.decisions_taken) = (counts, decisions);
        (decided, newest)
    }
}
