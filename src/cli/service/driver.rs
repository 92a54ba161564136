//! The engine's thread: takes inputs, applies them in batches, commits the journal, and only then lets effects and answers go.

use super::Finished;
use super::decide::DecidedBatch;
use super::look::Seen;
use super::reports::Reports;
use super::time::Time;
use super::writer::Writer;
use crate::alerter::sending::Ended;
use crate::engine::{
    Coming, Delivery, Effect, Engine, Input, Look, Memory, Outcome, Program, Record,
};
use crate::event::WallTime;
use crate::input::{IntakeGauge, Receipt};
use crate::store::{Journal, JournalError, SpillFiles};
use crate::telemetry::{Clock, Readiness};
use std::collections::{BTreeMap, VecDeque};
use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, sleep_until};

/// Batches that share one commit at most: enough to make fsync cheap, few enough to keep the answer soon.
const COMMIT_BATCHES: usize = 256;
/// With so many events a commit takes no more batches: what it needs stays small enough for memory to be used again and again.
const COMMIT_EVENTS: usize = 2048;
/// With this many alerts under way no more events are taken: senders wait instead of memory filling up.
const MOST_UNDELIVERED: usize = 100_000;
/// A journal longer than this, and than the latest snapshot, is replaced by a snapshot: what is written for snapshots is never more than what is journalled.
const JOURNAL_LENGTH: u64 = 64 << 20;
/// Of that, where events had to be left out for want of room on disk: a snapshot gives back what no rule needs any longer.
const LENGTH_WHEN_FULL: u64 = 8;
/// Bodies without an answer that are remembered over an orderly end.
const MOST_UNANSWERED: usize = 1024;
/// A journal that commits failed for is tried again this often.
const RETRY_COMMIT: Duration = Duration::from_millis(500);

/// What reaches the engine beside events.
#[derive(Debug)]
pub(super) enum Control {
    /// Rules were loaded anew; answered when the engine goes by them.
    Program {
        program: Arc<Program>,
        done: oneshot::Sender<()>,
    },
    /// An operator wants something; answered when it is journalled.
    Operator {
        input: Input,
        done: oneshot::Sender<()>,
    },
    /// What rules remember is asked for.
    State {
        look: Look,
        done: oneshot::Sender<Seen>,
    },
    /// Rules are to remember the past; answered with their names when it is journalled.
    Warm {
        memories: Vec<Memory>,
        done: oneshot::Sender<Vec<String>>,
    },
    /// The silences in force are asked for: their keys and ends. Answered when the documents written so far can be read.
    Silences {
        done: oneshot::Sender<Vec<(String, WallTime)>>,
    },
}

/// Where the driver's inputs come from and its effects go.
pub(super) struct Channels {
    /// Batches, decided; in any order, numbered.
    pub(super) batches: mpsc::Receiver<DecidedBatch>,
    pub(super) outcomes: mpsc::Receiver<Ended>,
    pub(super) control: mpsc::Receiver<Control>,
    pub(super) deliveries: mpsc::Sender<Delivery>,
    pub(super) readiness: watch::Sender<Readiness>,
    /// Set when the program is to end: how long deliveries may still take.
    pub(super) stop: watch::Receiver<Option<Duration>>,
}

/// What must survive; nothing does with `--debug`.
pub(super) struct Durable {
    pub(super) journal: Journal,
    /// Where events go that memory has no room for.
    pub(super) spill: Arc<SpillFiles>,
    pub(super) writer: Writer,
}

impl Durable {
    /// One group commit. Spilled events are safe before the records that name them.
    fn commit(&mut self, records: &[Record]) -> Result<(), JournalError> {
        self.spill.make_safe()?;
        self.journal.commit(records)
    }

    /// Goes on in a new journal: its number.
    fn rotate(&mut self) -> Result<u64, JournalError> {
        let number = self.journal.rotate()?;
        self.spill.begin(number);
        Ok(number)
    }
}

/// The engine's thread.
pub(super) struct Driver {
    pub(super) engine: Engine,
    pub(super) durable: Option<Durable>,
    pub(super) channels: Channels,
    pub(super) reports: Reports,
    pub(super) gauge: IntakeGauge,
    pub(super) clock: Clock,
    pub(super) time: Time,
    pub(super) run_every: Duration,
    /// Batches that came before an earlier one.
    pub(super) early: BTreeMap<u64, DecidedBatch>,
    /// The number of the next batch.
    pub(super) next: u64,
    /// Deliveries that the sending task could not take yet.
    pub(super) backlog: VecDeque<Delivery>,
    /// Deliveries without an outcome.
    pub(super) under_way: usize,
    /// Time spent on evaluating since the last tick.
    pub(super) busy: Duration,
    /// Fingerprints of bodies whose senders were gone before the answer.
    pub(super) unanswered: VecDeque<u128>,
}

/// What the thread woke up for.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is taken apart at once"
)]
enum Wake {
    Outcome(Ended),
    Control(Control),
    Room,
    Batch(Option<DecidedBatch>),
    Tick,
    Due,
    Stop,
}

/// What one commit answers for.
#[derive(Default)]
pub(super) struct Commit {
    pub(super) outcome: Outcome,
    /// How many events it takes in.
    events: usize,
    answered: Vec<(DecidedBatch, usize)>,
    operators: Vec<Box<dyn FnOnce() + Send>>,
    /// Dropped once the outcomes of deliveries in it are journalled.
    journalled: Vec<oneshot::Sender<()>>,
}

impl Driver {
    /// Runs until the inputs have ended and their alerts are delivered, or the deadline for that has passed. The engine as it is then.
    pub(super) async fn run(mut self) -> Finished {
        let mut tick = tokio::time::Instant::now() + self.run_every;
        let mut open = true;
        let mut has_ended = false;
        let mut deadline = None;
        let mut commit = Commit::default();
        self.engine.resume(&mut commit.outcome);
        self.begin(&mut commit);
        self.finish(&mut commit).await;
        self.collect();
        let deliveries = self.channels.deliveries.clone();
        loop {
            let wall = self.clock.now();
            let due = self
                .engine
                .next_due()
                .map(|due| tokio::time::Instant::now() + due.since(wall));
            let may_take = self.engine.undelivered() < MOST_UNDELIVERED;
            if may_take {
                self.look(wall, &mut commit);
            }
            let channels = &mut self.channels;
            // All branches lose nothing when another wins: `recv`, `reserve`, `changed` and `sleep_until` are cancel safe.
            let wake = tokio::select! {
                biased;
                Some(outcome) = channels.outcomes.recv() => Wake::Outcome(outcome),
                // Operators wait until what is done in parts is over: it need not be done in one piece for them.
                Some(control) = channels.control.recv(), if !self.engine.is_at_work() => {
                    Wake::Control(control)
                }
                // The rule that is at work on events may never be through with them.
                () = sleep_until(tick + self.run_every), if !self.engine.is_ticking() => Wake::Tick,
                // Batches that are there have their turn with each part, see `take_more`.
                () = ready(()), if self.engine.is_at_work() => Wake::Due,
                Ok(_room) = deliveries.reserve(), if !self.backlog.is_empty() => Wake::Room,
                batch = channels.batches.recv(), if open && may_take => Wake::Batch(batch),
                () = sleep_until(tick) => Wake::Tick,
                () = sleep_until(due.unwrap_or(tick)), if due.is_some() => Wake::Due,
                () = sleep_until(deadline.unwrap_or(tick)), if deadline.is_some() => break,
                Ok(()) = channels.stop.changed(), if deadline.is_none() => Wake::Stop,
            };
            match wake {
                Wake::Outcome(outcome) => self.apply_outcome(outcome, &mut commit),
                Wake::Control(control) => self.apply_control(control, &mut commit),
                // `finish` hands over what waits.
                Wake::Room => {}
                Wake::Batch(Some(batch)) => self.take_batch(batch, &mut commit),
                Wake::Batch(None) => open = false,
                Wake::Tick => {
                    // Ticks that were missed while the journal could not be written are not made up for.
                    tick = (tick + self.run_every).max(tokio::time::Instant::now());
                    // While nothing is taken, silence means nothing: the watch finds the gap afterwards.
                    if may_take {
                        self.tick(&mut commit);
                    }
                }
                Wake::Due => self
                    .engine
                    .apply(Input::Due, self.clock.now(), &mut commit.outcome),
                Wake::Stop => {
                    let wait = *self.channels.stop.borrow_and_update();
                    deadline = wait.map(|wait| tokio::time::Instant::now() + wait);
                }
            }
            self.take_more(may_take, &mut commit);
            self.finish(&mut commit).await;
            if !open && !std::mem::replace(&mut has_ended, true) {
                // What it alerts is waited for with all else: an alert whose outcome nobody takes would be sent again at the next start.
                self.last_tick(&mut commit);
                self.engine.finish_work(&mut commit.outcome);
                self.finish(&mut commit).await;
            }
            if !open && self.under_way == 0 && self.backlog.is_empty() {
                break;
            }
        }
        self.engine.finish_work(&mut commit.outcome);
        self.finish(&mut commit).await;
        self.close();
        Finished {
            engine: self.engine,
            reports: self.reports,
        }
    }

    /// Takes what else is there already, so that one commit serves it too.
    fn take_more(&mut self, may_take: bool, commit: &mut Commit) {
        while let Ok(outcome) = self.channels.outcomes.try_recv() {
            self.apply_outcome(outcome, commit);
        }
        if !may_take {
            return;
        }
        for _ in 0..COMMIT_BATCHES {
            if commit.events >= COMMIT_EVENTS {
                break;
            }
            let Ok(batch) = self.channels.batches.try_recv() else {
                break;
            };
            self.take_batch(batch, commit);
        }
    }

    /// Applies a batch and those that waited for it.
    fn take_batch(&mut self, batch: DecidedBatch, commit: &mut Commit) {
        self.early.insert(batch.number, batch);
        while let Some(batch) = self.early.remove(&self.next) {
            self.next += 1;
            self.apply_batch(batch, commit);
        }
    }

    fn apply_batch(&mut self, mut batch: DecidedBatch, commit: &mut Commit) {
        let started = Instant::now();
        let now = self.clock.now();
        commit.events += batch.batch.events.len();
        let accepted = batch.batch.events.len().saturating_sub(batch.rejected());
        self.take_decided(&mut batch, now, commit);
        if let Some(fingerprint) = batch.batch.fingerprint {
            self.engine
                .apply(Input::Body(fingerprint), now, &mut commit.outcome);
        }
        self.busy += batch.took + started.elapsed();
        commit.answered.push((batch, accepted));
    }

    fn apply_outcome(&mut self, ended: Ended, commit: &mut Commit) {
        self.under_way = self.under_way.saturating_sub(1);
        self.engine.apply(
            Input::Outcome(ended.outcome),
            self.clock.now(),
            &mut commit.outcome,
        );
        commit.journalled.push(ended.journalled);
    }

    fn apply_control(&mut self, control: Control, commit: &mut Commit) {
        let now = self.clock.now();
        match control {
            Control::Program { program, done } => {
                self.engine
                    .apply(Input::Program(program), now, &mut commit.outcome);
                let _nobody_waits = done.send(());
            }
            Control::Operator { input, done } => {
                self.engine.apply(input, now, &mut commit.outcome);
                commit.operators.push(Box::new(|| {
                    let _gone = done.send(());
                }));
            }
            Control::State { look, done } => {
                let time = self.rule_time(now);
                let rules = self.engine.views(&look, time, now);
                let live = true;
                let seen = Seen { live, time, rules };
                commit.operators.push(Box::new(|| drop(done.send(seen))));
            }
            Control::Warm { memories, done } => {
                let coming = Coming::Now(now);
                let taken = self.engine.warm(memories, coming, &mut commit.outcome);
                commit.operators.push(Box::new(|| drop(done.send(taken))));
            }
            Control::Silences { done } => {
                let silences = self.engine.silences(now);
                let silences = silences.map(|(key, silence)| (key.to_owned(), silence.until));
                let silences = silences.collect();
                let answer = move || drop(done.send(silences));
                match &self.durable {
                    Some(durable) => durable.writer.then(answer),
                    None => answer(),
                }
            }
        }
    }

    /// Commits, then lets effects and answers go.
    async fn finish(&mut self, commit: &mut Commit) {
        let mut outcome = std::mem::take(&mut commit.outcome);
        commit.events = 0;
        self.commit(&outcome.records).await;
        commit.journalled.clear();
        for effect in outcome.effects.drain(..) {
            match effect {
                Effect::Deliver(delivery) => {
                    self.under_way += 1;
                    self.backlog.push_back(delivery);
                }
                Effect::Write(number, write) => match &self.durable {
                    Some(durable) => {
                        self.reports.written(&write);
                        durable.writer.write(number, write);
                    }
                    None => self.reports.not_written(&write),
                },
            }
        }
        while let Some(delivery) = self.backlog.pop_front() {
            if let Err(mpsc::error::TrySendError::Full(delivery)) =
                self.channels.deliveries.try_send(delivery)
            {
                self.backlog.push_front(delivery);
                break;
            }
        }
        for note in outcome.notes.drain(..) {
            self.reports.note(note);
        }
        for (batch, accepted) in commit.answered.drain(..) {
            self.reports.batch(&batch);
            let rejected = batch.rejections();
            if let Some(reply) = batch.batch.reply {
                // A sender that no longer waits will come again, and be recognised.
                if reply.send(Receipt { accepted, rejected }).is_err()
                    && let Some(fingerprint) = batch.batch.fingerprint
                {
                    if self.unanswered.len() >= MOST_UNANSWERED {
                        self.unanswered.pop_front();
                    }
                    self.unanswered.push_back(fingerprint);
                }
            }
        }
        for answer in commit.operators.drain(..) {
            answer();
        }
        outcome.clear();
        commit.outcome = outcome;
        self.snapshot_if_long();
    }

    /// Writes the journal. While it cannot be written nothing goes on: no effect, no answer; senders are told to come back.
    async fn commit(&mut self, records: &[Record]) {
        let Some(durable) = &mut self.durable else {
            return;
        };
        let started = Instant::now();
        let mut failed = false;
        while let Err(error) = durable.commit(records) {
            self.reports.journal_failed(&error);
            self.channels
                .readiness
                .send_replace(Readiness::JournalBroken);
            failed = true;
            sleep(RETRY_COMMIT).await;
        }
        if failed {
            self.channels.readiness.send_replace(Readiness::Ready);
        }
        if !records.is_empty() {
            self.reports.committed(started.elapsed());
        }
    }

    /// The start: what a crash kept from being given back of spilled events. From now on the journal says under which rules it goes on, so that a
    /// rule that is not there loses what it kept.
    fn collect(&self) {
        if let Some(durable) = &self.durable {
            let (spill, number) = (Arc::clone(&durable.spill), durable.journal.number());
            let spilled = self.engine.spilled();
            let collect = move || spill.collect(number, &spilled);
            durable.writer.then(collect);
        }
    }

    /// Begins a new journal when this one has become long: the snapshot with which it begins is made beside the engine, out of the old one.
    fn snapshot_if_long(&mut self) {
        let Some(durable) = &mut self.durable else {
            return;
        };
        let length = durable.journal.length() + durable.spill.length();
        let parts = if durable.spill.was_full() {
            LENGTH_WHEN_FULL
        } else {
            1
        };
        let is_long = |last: u64| length > JOURNAL_LENGTH.max(last) / parts;
        // Of what is done in parts and not over nothing is in a snapshot: it waits for the end.
        if self.engine.is_at_work() {
            return;
        }
        if !durable.writer.last_snapshot().is_some_and(is_long) {
            return;
        }
        match durable.rotate() {
            Ok(number) => {
                let (options, program) = self.engine.origin();
                durable.writer.make_snapshot(number, options, program);
            }
            Err(error) => self.reports.journal_failed(&error),
        }
    }

    /// Begins a new journal with a snapshot of the engine as it is. How many bytes it has.
    fn snapshot(&mut self) -> Option<usize> {
        let durable = self.durable.as_mut()?;
        let snapshot = match self.engine.snapshot().encode() {
            Ok(snapshot) => snapshot,
            Err(error) => {
                self.reports.snapshot_failed(&error);
                return None;
            }
        };
        let bytes = snapshot.len();
        match durable.rotate() {
            Ok(number) => {
                let spilled = self.engine.spilled();
                durable.writer.snapshot(number, snapshot, spilled);
                Some(bytes)
            }
            Err(error) => {
                self.reports.journal_failed(&error);
                None
            }
        }
    }

    /// The end: everything in one snapshot, so that the next start is quick. It takes as long as there is to write; who kills us meanwhile leaves the journal.
    fn close(&mut self) {
        let unanswered = &self.unanswered;
        self.engine
            .keep_bodies(|fingerprint| unanswered.contains(&fingerprint));
        let started = Instant::now();
        let bytes = self.snapshot();
        if let Some(durable) = self.durable.take() {
            durable.writer.finish();
        }
        if let Some(bytes) = bytes {
            let milliseconds = started.elapsed().as_millis();
            tracing::info!(bytes, milliseconds, "what rules remember is written down");
        }
    }
}
