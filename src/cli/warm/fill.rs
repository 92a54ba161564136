//! Fills what a rule remembers from events of the past, without alerting.

use crate::cli::service::stream::{Step, Stream};
use crate::cli::test_rule::timed::Timed;
use crate::config::service::Service as Config;
use crate::engine::Memory;
use crate::event::{EventTime, WallTime};
use crate::rule::{
    Counts, Decided, Decider, Evaluator, Match, Rule, RuleSet, StateSize, Workspace,
};
use std::sync::Arc;
use std::time::Duration;

/// Events decided together at most.
const BATCH: usize = 16_384;

/// A rule being filled.
pub(super) struct Filling {
    rule: Arc<Rule>,
    decider: Decider,
    workspace: Workspace,
    evaluator: Evaluator,
    stream: Stream,
    lateness: Duration,
    now: WallTime,
    since: Option<EventTime>,
    newest: Option<EventTime>,
    watched: Option<EventTime>,
    counts: Counts,
}

/// A rule that was filled.
pub(super) struct Filled {
    pub(super) memory: Memory,
    /// What was found; matches are those that would have been alerted on.
    pub(super) counts: Counts,
    pub(super) size: StateSize,
}

impl Filling {
    /// `span` is the time that is known about; `None`: that of the events.
    pub(super) fn new(
        rule: &Arc<Rule>,
        config: &Config,
        span: Option<WallTime>,
        now: WallTime,
    ) -> Self {
        let rules = RuleSet {
            generation: 0,
            rules: vec![Arc::clone(rule)],
        };
        let mut filling = Self {
            rule: Arc::clone(rule),
            decider: Decider::new(Arc::new(rules)),
            workspace: Workspace::default(),
            evaluator: Evaluator::new(rule),
            stream: Stream::new(
                config.run_every,
                config.lateness,
                config.future_tolerance,
                now,
            ),
            lateness: config.lateness,
            now,
            since: None,
            newest: None,
            watched: None,
            counts: Counts::default(),
        };
        if let Some(start) = span {
            let step = filling.stream.begin(start.as_event_time(), now);
            filling.pass(vec![step]);
        }
        filling
    }

    /// Whether the rule learns values instead of filling windows.
    pub(super) fn learns(&self) -> bool {
        self.rule.kind.learning().is_some()
    }

    /// Events of the past, in their order.
    pub(super) fn take(&mut self, timed: &Timed) {
        for events in timed.events.chunks(BATCH) {
            let old = self.now.as_event_time();
            let (decided, pace) =
                self.decider
                    .decide_stream(&mut self.workspace, events, None, self.now, old);
            if self.learns() {
                self.learn(decided);
            } else {
                let steps = self.stream.steps(decided, pace, self.now);
                self.pass(steps);
            }
        }
    }

    fn learn(&mut self, decided: Decided) {
        self.count(&decided);
        for decision in decided.decisions {
            self.newest = self.newest.max(Some(decision.time));
            self.evaluator.learn(
                Some(&decision.event),
                decision.time,
                decision.verdict,
                self.now.as_event_time(),
            );
        }
    }

    fn count(&mut self, decided: &Decided) {
        for (_, counts) in &decided.counts {
            self.counts.add(*counts);
        }
    }

    fn pass(&mut self, steps: Vec<Step>) {
        let mut matches = Vec::new();
        for step in steps {
            match step {
                Step::Begin(time, _) => self.since = Some(time),
                Step::Tick(time) => {
                    self.watched = Some(time);
                    self.evaluator.on_tick(time, &mut matches);
                    self.matched(&mut matches, time);
                }
                Step::Events(decided, mut now) => {
                    self.count(&decided);
                    for decision in decided.decisions {
                        let time = decision.time;
                        if !self.is_in_time(time) {
                            continue;
                        }
                        now = now.max(time);
                        self.watched = self.watched.max(Some(now));
                        let (event, verdict) = (Some(&decision.event), decision.verdict);
                        self.evaluator
                            .on_event(event, time, verdict, now, &mut matches);
                        self.matched(&mut matches, now);
                    }
                }
                Step::Timeless(decided) => self.count(&decided),
            }
        }
    }

    fn is_in_time(&mut self, time: EventTime) -> bool {
        let newest = self.newest.unwrap_or(time);
        if time > self.now.as_event_time() {
            self.counts.future += 1;
            return false;
        }
        if time < newest.minus(self.lateness) {
            self.counts.late += 1;
            return false;
        }
        self.newest = Some(newest.max(time));
        true
    }

    fn matched(&mut self, matches: &mut Vec<Match>, now: EventTime) {
        let kind = &self.rule.kind;
        let full = self
            .since
            .and_then(|since| Some(since.plus(kind.horizon()?)));
        for matched in matches.drain(..) {
            if full.is_none_or(|full| now >= full) || kind.is_certain(&matched) {
                self.counts.matches += 1;
            }
        }
    }

    /// Values, or combinations of values, of one of the rule's terms: the others' fields are null.
    pub(super) fn known(&mut self, values: Vec<serde_json::Value>) {
        self.counts.hits += 1;
        self.evaluator.know(values, self.now.as_event_time());
    }

    /// What the rule remembers then, when the time that is known about ends at `end`; `None`: with the events.
    pub(super) fn finish(mut self, end: Option<WallTime>) -> Filled {
        let end = end.map(WallTime::as_event_time).or(self.newest);
        if let (Some(end), false) = (end, self.learns()) {
            let steps = self.stream.until(end);
            self.pass(steps);
            self.watched = Some(end);
        }
        Filled {
            memory: Memory {
                rule: self.rule.name.clone(),
                fingerprint: self.rule.state_fingerprint,
                state: self.evaluator.save(),
                newest: self.newest,
                since: self.since.filter(|_| self.rule.kind.horizon().is_some()),
                watched: self.watched,
            },
            counts: self.counts,
            size: self.evaluator.size(),
        }
    }
}
