//! The clock of a run over the standard input alone: whether the stream is live or old, and what time it is in it.
//!
//! A file of last week is looked at as of last week: its time is that of its newest event, and there are ticks between its events as there were
//! then. A stream whose events are as young as `lateness` allows is live: its time goes on while it says nothing. One may become the other, as
//! a log file does that is read from its beginning and then followed.

use crate::event::{EventTime, WallTime};
use crate::rule::{Decided, Pace};
use std::time::Duration;

/// Ticks in a gap between two events at most. In a longer one (one event from 1970 is enough) they are further apart.
const TICKS: u32 = 100_000;
/// How long a stream may say nothing at first before it is taken for a live one.
const FIRST_WORD: Duration = Duration::from_secs(60);

/// What the engine is to be told.
#[derive(Debug)]
pub(in crate::cli) enum Step {
    /// The stream begins, at this time; whether it is live.
    Begin(EventTime, Liveness),
    /// A tick, at this time.
    Tick(EventTime),
    /// Events came when it was at least so late.
    Events(Decided, EventTime),
    /// Events came without any time.
    Timeless(Decided),
}

/// Whether a stream's events are young.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Liveness {
    Live,
    Old,
}

/// The clock.
#[derive(Debug)]
pub(in crate::cli) struct Stream {
    run_every: Duration,
    lateness: Duration,
    future_tolerance: Duration,
    started: WallTime,
    moving: Option<Moving>,
}

/// The time in a stream that has begun.
#[derive(Debug)]
struct Moving {
    /// As late as it has ever been.
    time: EventTime,
    /// When the next tick is.
    tick: EventTime,
    /// The newest event.
    newest: EventTime,
    /// How old that was when it came.
    lag: Duration,
}

impl Stream {
    pub(in crate::cli) fn new(
        run_every: Duration,
        lateness: Duration,
        future_tolerance: Duration,
        now: WallTime,
    ) -> Self {
        Self {
            run_every: run_every.max(Duration::from_millis(1)),
            lateness,
            future_tolerance,
            started: now,
            moving: None,
        }
    }

    /// Whether the first event is still waited for, and may be of any time.
    pub(super) fn is_open(&self, now: WallTime) -> bool {
        self.moving.is_none() && now.since(self.started) < FIRST_WORD
    }

    /// What time it is; `None`: that on the wall.
    pub(super) fn time(&self, now: WallTime) -> Option<EventTime> {
        let moving = self.moving.as_ref()?;
        Some(match self.liveness(moving.lag) {
            Liveness::Live => moving.time.max(now.minus(moving.lag).as_event_time()),
            Liveness::Old => moving.time,
        })
    }

    fn liveness(&self, lag: Duration) -> Liveness {
        if lag <= self.lateness {
            Liveness::Live
        } else {
            Liveness::Old
        }
    }

    /// Whether time goes on without events.
    pub(super) fn is_live(&self) -> bool {
        let lag = self.moving.as_ref().map(|moving| moving.lag);
        lag.is_none_or(|lag| self.liveness(lag) == Liveness::Live)
    }

    /// A batch came: what happens, in order.
    pub(in crate::cli) fn steps(
        &mut self,
        decided: Decided,
        pace: Pace,
        now: WallTime,
    ) -> Vec<Step> {
        let latest = now.plus(self.future_tolerance).as_event_time();
        let mut steps = Vec::new();
        let mut batch = pace.over(decided);
        while !batch.is_empty() {
            let Some(first) = batch.first_time(latest) else {
                let (rest, _) = batch.take_until(latest, latest);
                steps.push(match self.time(now) {
                    Some(time) => Step::Events(rest, time),
                    None => Step::Timeless(rest),
                });
                break;
            };
            if self.moving.is_none() {
                steps.push(self.begin(first, now));
            }
            let Some(moving) = &mut self.moving else {
                break;
            };
            moving.advance(first, self.run_every, &mut steps);
            let since = moving.time;
            let (events, newest) = batch.take_until(moving.tick, latest);
            steps.push(Step::Events(events, since));
            let newest = newest.unwrap_or(first);
            moving.time = moving.time.max(newest);
            if newest >= moving.newest {
                moving.newest = newest;
                moving.lag = age(newest, now);
            }
        }
        steps
    }

    /// The stream begins at a time.
    pub(in crate::cli) fn begin(&mut self, time: EventTime, now: WallTime) -> Step {
        let lag = age(time, now);
        self.moving = Some(Moving {
            time,
            tick: time.plus(self.run_every),
            newest: time,
            lag,
        });
        Step::Begin(time, self.liveness(lag))
    }

    /// Time passed on the wall: the ticks that are due.
    pub(super) fn pass(&mut self, now: WallTime) -> Vec<Step> {
        let mut steps = Vec::new();
        if let (Some(time), Some(moving)) = (self.time(now), &mut self.moving) {
            moving.advance(time, self.run_every, &mut steps);
        }
        steps
    }

    /// Nothing could come for a while: ticks of that time are not made up for. What time it was at the end of watching, `since` on the wall.
    pub(super) fn resume(&mut self, since: WallTime, now: WallTime) -> Option<EventTime> {
        let before = self.time(since)?;
        let time = self.time(now)?;
        let moving = self.moving.as_mut()?;
        moving.time = time;
        moving.tick = time.plus(self.run_every);
        Some(before)
    }

    /// The stream has ended: the last ticks, one second after its newest event at the earliest.
    pub(super) fn finish(&mut self, now: WallTime) -> Vec<Step> {
        let mut steps = Vec::new();
        if let (Some(time), Some(moving)) = (self.time(now), &self.moving) {
            let end = time.max(moving.newest.plus(Duration::from_secs(1)));
            steps = self.until(end);
        }
        steps
    }

    /// Time passes until an end, and is told of there.
    pub(in crate::cli) fn until(&mut self, end: EventTime) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(moving) = &mut self.moving {
            moving.advance(end, self.run_every, &mut steps);
            steps.push(Step::Tick(end));
        }
        steps
    }
}

impl Moving {
    /// Lets time pass up to a moment: the ticks before it.
    fn advance(&mut self, to: EventTime, run_every: Duration, steps: &mut Vec<Step>) {
        let gap = WallTime(to.0).since(WallTime(self.tick.0));
        let every = run_every.max(gap / TICKS);
        while self.tick < to {
            steps.push(Step::Tick(self.tick));
            self.tick = self.tick.plus(every);
        }
        self.time = self.time.max(to);
    }
}

/// How old an event was when it came.
fn age(time: EventTime, now: WallTime) -> Duration {
    now.since(WallTime(time.0))
}

#[cfg(test)]
mod tests;
