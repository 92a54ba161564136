//! Time as the driver sees it: ticks, streams with a time of their own, and times when nothing could come.

use super::decide::DecidedBatch;
use super::driver::{Commit, Driver};
use super::jumps::Watch;
use super::stream::{Liveness, Step, Stream};
use crate::engine::{Input, Outcome};
use crate::event::{EventTime, WallTime};
use std::time::{Duration, Instant};

/// What the driver knows of time beside the clock on the wall.
pub(super) struct Time {
    watch: Watch,
    started: Instant,
    /// In a run over the standard input alone.
    stream: Option<Stream>,
}

impl Time {
    pub(super) fn new(now: WallTime, run_every: Duration, stream: Option<Stream>) -> Self {
        Self {
            watch: Watch::new(now, Duration::ZERO, run_every),
            started: Instant::now(),
            stream,
        }
    }
}

impl Driver {
    /// Shows the engine what a batch led to, as of its time.
    pub(super) fn take_decided(
        &mut self,
        batch: &mut DecidedBatch,
        now: WallTime,
        commit: &mut Commit,
    ) {
        match (batch.take_decided(), &mut self.time.stream) {
            (Some((decided, Some(pace))), Some(stream)) => {
                let steps = stream.steps(decided, pace, batch.batch.received);
                self.take_steps(steps, &mut commit.outcome);
            }
            (Some((decided, _)), _) => {
                self.engine
                    .apply(Input::Events(decided), now, &mut commit.outcome);
            }
            (None, _) => {}
        }
    }

    /// What time it is for the rules.
    pub(super) fn rule_time(&self, now: WallTime) -> EventTime {
        let stream = self.time.stream.as_ref();
        let time = stream.and_then(|stream| stream.time(now));
        time.unwrap_or(now.as_event_time())
    }

    /// Events can come from now on; in a stream, from its first one on.
    pub(super) fn begin(&mut self, commit: &mut Commit) {
        if self.time.stream.is_none() {
            self.resume(None, commit);
        }
    }

    pub(super) fn tick(&mut self, commit: &mut Commit) {
        self.reports.ticks(&self.gauge);
        self.reports.remembered(&self.engine);
        let now = self.clock.now();
        match &mut self.time.stream {
            Some(stream) if stream.is_open(now) => {}
            Some(stream) if stream.time(now).is_some() => {
                let steps = stream.pass(now);
                self.take_steps(steps, &mut commit.outcome);
            }
            stream => {
                if stream.is_some() && self.engine.watched().is_none() {
                    let input = Input::Resumed { since: None };
                    self.engine.apply(input, now, &mut commit.outcome);
                }
                let busy = std::mem::take(&mut self.busy);
                self.engine
                    .apply(Input::Tick { busy }, now, &mut commit.outcome);
            }
        }
    }

    /// Once the inputs have ended time passes once more.
    pub(super) fn last_tick(&mut self, commit: &mut Commit) {
        let now = self.clock.now();
        let steps = self.time.stream.as_mut().map(|stream| stream.finish(now));
        match steps {
            Some(steps) => self.take_steps(steps, &mut commit.outcome),
            None => self.tick(commit),
        }
    }

    /// Lets time pass in a stream, and events come.
    fn take_steps(&mut self, steps: Vec<Step>, out: &mut Outcome) {
        let now = self.clock.now();
        for step in steps {
            match step {
                // Before the events of old streams there was nothing to be watched; what is remembered of earlier runs was.
                Step::Begin(time, liveness) => {
                    if liveness == Liveness::Live || self.engine.watched().is_some() {
                        let input = Input::Resumed { since: None };
                        self.engine.apply_as_of(input, time, now, out);
                    }
                }
                Step::Tick(time) => {
                    let busy = std::mem::take(&mut self.busy);
                    self.engine
                        .apply_as_of(Input::Tick { busy }, time, now, out);
                }
                Step::Events(decided, time) => {
                    self.engine
                        .apply_as_of(Input::Events(decided), time, now, out);
                }
                Step::Timeless(decided) => self.engine.apply(Input::Events(decided), now, out),
            }
        }
    }

    /// Finds out whether events could come all the time since the last look.
    pub(super) fn look(&mut self, wall: WallTime, commit: &mut Commit) {
        let steady = self.time.started.elapsed();
        let Some(since) = self.time.watch.look(wall, steady) else {
            return;
        };
        // In an old stream time stood still.
        if self.time.stream.as_ref().is_none_or(Stream::is_live) {
            self.reports.jumped(since, wall);
            self.resume(Some(since), commit);
        }
    }

    /// Events can come again.
    fn resume(&mut self, since: Option<WallTime>, commit: &mut Commit) {
        let now = self.clock.now();
        let out = &mut commit.outcome;
        match (&mut self.time.stream, since) {
            (Some(stream), Some(since)) if stream.time(now).is_some() => {
                if let Some(before) = stream.resume(since, now)
                    && let Some(time) = stream.time(now)
                {
                    let since = Some(before);
                    self.engine
                        .apply_as_of(Input::Resumed { since }, time, now, out);
                }
            }
            (_, since) => {
                let since = since.map(WallTime::as_event_time);
                self.engine.apply(Input::Resumed { since }, now, out);
            }
        }
    }
}
