//! Events through the engine, with time as the events tell it.
//!
//! Between two ticks events are decided together, as the service does, and then applied one by one, each at the newest time seen so far.

use super::console::Console;
use super::timed::{Origin, Timed};
use super::written::{Status, Written};
use crate::alerter::sending::{self, Outlet};
use crate::cli::rules::Loaded;
use crate::cli::service;
use crate::config::service::Service as Config;
use crate::engine::{
    Counts, Delivery, DeliveryOutcome, Effect, Engine, Index, Input, Note, Options, Outcome,
    PendingAlert, Prepare, Program, ProgramRule, Seen, Write,
};
use crate::event::{Document, EventTime, RawEvent, WallTime};
use crate::rule::{Decided, Decider, Decision, Rule};
use anyhow::Context as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Events decided together at most: enough to make it cheap, few enough for the progress bar to move.
const BATCH: usize = 16_384;
/// Events that take longer to decide than a thread takes to start.
const WORTH_A_THREAD: usize = 256;
/// Ticks in a gap between two events at most. In a longer one (one event from 1970 is enough) they are further apart.
const TICKS: u32 = 100_000;

/// How a run is to be.
pub(super) struct Setting {
    pub(super) start: WallTime,
    pub(super) origin: Origin,
    /// Whether alerts are sent, not printed.
    pub(super) alert: bool,
    pub(super) console: Arc<Console>,
}

/// A run.
pub(super) struct Replay {
    setting: Setting,
    engine: Engine,
    decider: Decider,
    rule: Arc<Rule>,
    outlet: Arc<Outlet>,
    runtime: Runtime,
    run_every: Duration,
    /// The newest time seen.
    now: WallTime,
    /// When the next tick is.
    tick: WallTime,
    written: Written,
    errors: usize,
    /// Whether the range has ended: what failed is not tried again.
    is_over: bool,
    started: Instant,
}

impl Replay {
    pub(super) fn new(
        loaded: &Loaded,
        config: &Config,
        rule: Arc<Rule>,
        setting: Setting,
    ) -> anyhow::Result<Self> {
        let outlet = loaded
            .outlets
            .get(&rule.name)
            .context("the rule has no alerters")?;
        let program = match setting.origin {
            Origin::Index => Arc::clone(&loaded.program),
            Origin::Elsewhere => Arc::new(without_index(&loaded.program)),
        };
        let options = Options {
            tick_part: u64::MAX,
            event_part: u64::MAX,
            ..service::options(config, "test".to_owned())
        };
        Ok(Self {
            engine: Engine::new(options, program),
            decider: Decider::new(Arc::clone(&loaded.rules)),
            rule,
            outlet: Arc::clone(outlet),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .context("the runtime cannot be started")?,
            run_every: config.run_every.max(Duration::from_millis(1)),
            now: setting.start,
            tick: setting.start.plus(config.run_every),
            written: Written::default(),
            errors: 0,
            is_over: false,
            started: Instant::now(),
            setting,
        })
    }

    /// Takes events in, in the order they have.
    pub(super) fn events(&mut self, timed: &Timed) {
        let (mut times, mut events) = (timed.times.as_slice(), timed.events.as_slice());
        while let Some(first) = times.first() {
            let first = WallTime(first.0);
            let count = if first < self.now {
                times
                    .iter()
                    .take(BATCH)
                    .take_while(|time| time.0 < self.now.0)
                    .count()
            } else {
                self.advance(first);
                self.rising(times)
            };
            let (these, others) = events.split_at(count.min(events.len()));
            self.batch(these);
            let (taken, left) = times.split_at(count.min(times.len()));
            let newest = taken.iter().max().map_or(self.now, |time| WallTime(time.0));
            self.now = self.now.max(newest);
            (times, events) = (left, others);
            self.setting.console.advance(these.len() as u64);
        }
    }

    /// How many events come before the next tick, none earlier than the one before it.
    fn rising(&self, times: &[EventTime]) -> usize {
        let mut newest = self.now.as_event_time();
        times
            .iter()
            .take(BATCH)
            .take_while(|time| {
                let rises = **time >= newest && **time <= self.tick.as_event_time();
                newest = newest.max(**time);
                rises
            })
            .count()
            // The clock was moved on to the first of them.
            .max(1)
    }

    fn batch(&mut self, events: &[RawEvent]) {
        for decided in decide(&self.decider, events, self.now) {
            let Decided {
                rules,
                counts,
                decisions,
                rejected,
            } = decided;
            let counted = Decided {
                rules: Arc::clone(&rules),
                counts,
                decisions: Vec::new(),
                rejected,
            };
            self.apply(Input::Events(counted), self.now);
            for decision in decisions {
                self.decision(&rules, decision);
            }
        }
    }

    fn decision(&mut self, rules: &Arc<crate::rule::RuleSet>, decision: Decision) {
        let now = self.now.max(WallTime(decision.time.0));
        self.due(now);
        self.now = now;
        let decided = Decided {
            rules: Arc::clone(rules),
            counts: Vec::new(),
            decisions: vec![decision],
            rejected: Vec::new(),
        };
        self.apply(Input::Events(decided), now);
    }

    /// Lets time pass up to an event: ticks before it, and what is due by then.
    fn advance(&mut self, to: WallTime) {
        let every = self.run_every.max(to.since(self.tick) / TICKS);
        while self.tick < to {
            self.due(self.tick);
            self.apply_tick(self.tick);
            self.tick = self.tick.plus(every);
        }
        self.due(to);
        self.now = self.now.max(to);
    }

    fn apply_tick(&mut self, at: WallTime) {
        let busy = Duration::ZERO;
        self.apply(Input::Tick { busy }, at);
    }

    /// Does what is due by a time.
    fn due(&mut self, by: WallTime) {
        while let Some(due) = self.engine.next_due().filter(|due| *due <= by) {
            self.apply(Input::Due, due.max(self.now));
            // The engine has taken what was due; if not, waiting for it would never end.
            if self.engine.next_due() == Some(due) {
                return;
            }
        }
    }

    /// The last tick, at the end of the range. Matches that wait in an aggregation are alerted, though their time would come later.
    /// What would have been written, and how many errors there were.
    pub(super) fn finish(mut self, end: WallTime, now: WallTime) -> (Written, usize) {
        self.advance(end);
        self.apply_tick(end);
        self.is_over = true;
        self.due(WallTime(i64::MAX));
        let counts = self.engine.run_counts().map(|(_, counts)| counts).next();
        let counts = counts.unwrap_or_default();
        self.warn_of_left_out(counts);
        self.written.status(&Status {
            rule: &self.rule.name,
            start: self.setting.start,
            end,
            counts,
            now,
            took: self.started.elapsed(),
        });
        (self.written, self.errors)
    }

    /// A run that could not come to its end.
    pub(super) fn abandon(self) -> Written {
        self.written
    }

    fn warn_of_left_out(&self, counts: Counts) {
        for (count, why) in [
            (counts.late, "came too late for the rule's window"),
            (counts.future, "are too far in the future"),
            (counts.untimed, "have no usable timestamp_field"),
        ] {
            if count > 0 {
                self.setting.console.log(
                    "WARNING",
                    &format!("{count} events were left out: they {why}"),
                );
            }
        }
    }

    fn apply(&mut self, input: Input, now: WallTime) {
        let mut out = Outcome::default();
        self.engine.apply(input, now, &mut out);
        while !out.notes.is_empty() || !out.effects.is_empty() {
            let Outcome { effects, notes, .. } = std::mem::take(&mut out);
            for note in notes {
                self.tell(note);
            }
            for effect in effects {
                match effect {
                    Effect::Write(_, write) => self.write(write),
                    Effect::Deliver(delivery) if self.is_over && delivery.attempt > 1 => {}
                    Effect::Deliver(delivery) => {
                        let outcome = DeliveryOutcome {
                            alert: delivery.alert.id.clone(),
                            alerter: delivery.alerter,
                            result: self.deliver(&delivery, now),
                        };
                        self.engine.apply(Input::Outcome(outcome), now, &mut out);
                    }
                }
            }
        }
    }

    fn write(&mut self, write: Write) {
        self.errors += usize::from(write.index == Index::Error);
        // Without --alert nothing is sent, and so there are no documents that say so.
        if write.index != Index::Alerts || self.setting.alert {
            self.written.take(write);
        }
    }

    /// Sends an alert through one of the rule's alerters, or prints its matches, once for all alerters.
    fn deliver(&mut self, delivery: &Delivery, now: WallTime) -> Result<Option<String>, String> {
        if self.setting.alert {
            let exit = self.outlet.exits.get(usize::from(delivery.alerter));
            let name = exit.map_or("", |exit| exit.name);
            let result = self.attempt(delivery, now);
            let console = &self.setting.console;
            match &result {
                Ok(_) => console.info(&format!("Alert sent to {name}")),
                Err(error) => {
                    console.log(
                        "ERROR",
                        &format!("Error while running alert {name}: {error}"),
                    );
                }
            }
            return result;
        }
        if delivery.alerter > 0 {
            return Ok(None);
        }
        for matched in &delivery.alert.matches {
            let alert = PendingAlert {
                id: delivery.alert.id.clone(),
                rule: Arc::clone(&delivery.alert.rule),
                matches: vec![matched.clone()],
                time: delivery.alert.time,
            };
            let alone = Delivery {
                alert: Arc::new(alert),
                ..delivery.clone()
            };
            if let Err(error) = self.attempt(&alone, now) {
                self.errors += 1;
                self.setting.console.log(
                    "ERROR",
                    &format!("Error while running alert debug: {error}"),
                );
            }
        }
        Ok(None)
    }

    fn attempt(&self, delivery: &Delivery, now: WallTime) -> Result<Option<String>, String> {
        self.runtime
            .block_on(sending::attempt(delivery, Some(&self.outlet), now))
    }

    fn tell(&self, note: Note) {
        let console = &self.setting.console;
        match note {
            Note::Silenced { key, .. } => {
                console.info(&format!("Ignoring match for silenced rule {key}"));
            }
            Note::Aggregated { rule, due } => console.info(&format!(
                "Adding alert for {rule} to aggregation, next alert at {}",
                due.to_text()
            )),
            Note::NotPrepared { error, .. } | Note::RuleFailed { error, .. } => {
                console.log("ERROR", &error)
            }
            Note::GaveUp { error, .. } => {
                console.log(
                    "ERROR",
                    &format!("not sent within alert_time_limit: {error}"),
                );
            }
            Note::Alerting { .. }
            | Note::Delivered { .. }
            | Note::Dropped { .. }
            | Note::WillRetry { .. }
            | Note::Ran { .. }
            | Note::HeldTooMany { .. }
            | Note::NotKept { .. }
            | Note::RuleRecovered { .. }
            | Note::NotTold
            | Note::Adopted { .. }
            | Note::RuleKept { .. }
            | Note::RuleMigrated { .. }
            | Note::RuleReset { .. }
            | Note::RuleAdded { .. }
            | Note::RuleGone { .. } => {}
        }
    }
}

/// Decides a batch, a large one on several threads; in the order of the events.
fn decide(decider: &Decider, events: &[RawEvent], now: WallTime) -> Vec<Decided> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let size = events.len().div_ceil(threads).max(WORTH_A_THREAD);
    if events.len() <= size {
        return vec![decider.decide(events, None, now)];
    }
    std::thread::scope(|scope| {
        let parts: Vec<_> = events
            .chunks(size)
            .map(|chunk| scope.spawn(move || decider.decide(chunk, None, now)))
            .collect();
        parts
            .into_iter()
            .map(|part| {
                part.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}

/// The rules, with alerts that name no index: documents from elsewhere are in none, whatever index the rule looks at.
fn without_index(program: &Program) -> Program {
    let rules = program.rules.iter().map(|entry| {
        Arc::new(ProgramRule {
            rule: Arc::clone(&entry.rule),
            alerters: entry.alerters.clone(),
            prepare: Arc::new(WithoutIndex(Arc::clone(&entry.prepare))),
            enhance_first: entry.enhance_first,
            match_in_root: entry.match_in_root,
        })
    });
    Program::new(program.generation, rules.collect())
}

struct WithoutIndex(Arc<dyn Prepare>);

impl Prepare for WithoutIndex {
    fn enhance(&self, matched: &mut Document) -> (bool, Vec<String>) {
        matched.shift_remove("_index");
        self.0.enhance(matched)
    }

    fn prepare(&self, rule: &Rule, matches: &mut Vec<Document>, seen: &Seen) -> Vec<String> {
        for matched in &mut *matches {
            matched.shift_remove("_index");
        }
        self.0.prepare(rule, matches, seen)
    }

    fn alert_info(&self, rule: &Rule, matches: &[Document], now: WallTime) -> Document {
        self.0.alert_info(rule, matches, now)
    }
}
