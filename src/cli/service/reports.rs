//! What the engine's thread tells: log lines, metrics, dead letters, and the sums for the closing table.

use super::decide::DecidedBatch;
use crate::engine::{Counts, Engine, Index, Note, Op, SnapshotError, Write};
use crate::event::WallTime;
use crate::event::json::EventError;
use crate::input::IntakeGauge;
use crate::input::dead_letter::{DeadLetters, Reason, Rejected};
use crate::store::JournalError;
use crate::telemetry::{
    Allowed, Clock, Metrics, RateLimit, RuleMetrics, RuleRun, SkipReason, Statsd,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Tells people and metrics.
pub(super) struct Reports {
    metrics: Arc<Metrics>,
    dead_letters: DeadLetters,
    clock: Clock,
    /// `--verbose`: one line per busy rule and tick.
    verbose: bool,
    /// `statsd_host`.
    statsd: Option<Statsd>,
    rules: HashMap<String, PerRule>,
    journal_failed: RateLimit,
    not_told: RateLimit,
    /// What came in, for the closing lines.
    pub(super) events: u64,
    /// Events that were none.
    pub(super) bad: u64,
    /// Bytes of events.
    pub(super) bytes: u64,
}

struct PerRule {
    metrics: RuleMetrics,
    silenced: RateLimit,
    held: RateLimit,
    not_kept: RateLimit,
    /// Whether it was said that the rule remembers very many keys.
    is_known_large: bool,
    left_out: [LeftOut; 3],
}

/// Events that were left out for one reason.
struct LeftOut {
    reason: SkipReason,
    problem: &'static str,
    told: RateLimit,
    /// How many were not told yet.
    untold: u64,
}

const A_MINUTE: Duration = Duration::from_secs(60);

/// A rule that remembers more keys than this is worth a warning.
const MANY_KEYS: u64 = 1_000_000;

/// Why events are left out, in the order of [`Counts`].
const LEFT_OUT: [(SkipReason, &str); 3] = [
    (
        SkipReason::Late,
        "events later than `lateness` allows were left out of the rule's window",
    ),
    (
        SkipReason::Future,
        "events further ahead of the clock than `future_tolerance` allows were left out of the rule's window",
    ),
    (
        SkipReason::NoTimestamp,
        "events without a usable timestamp_field were left out",
    ),
];

impl Reports {
    pub(super) fn new(
        metrics: Arc<Metrics>,
        dead_letters: DeadLetters,
        clock: Clock,
        verbose: bool,
        statsd: Option<Statsd>,
    ) -> Self {
        Self {
            metrics,
            dead_letters,
            clock,
            verbose,
            statsd,
            rules: HashMap::new(),
            journal_failed: RateLimit::new(1, Duration::from_secs(10)),
            not_told: RateLimit::new(1, Duration::from_secs(60)),
            events: 0,
            bad: 0,
            bytes: 0,
        }
    }

    fn rule(&mut self, rule: &str) -> &mut PerRule {
        self.rules
            .entry(rule.to_owned())
            .or_insert_with(|| PerRule {
                metrics: self.metrics.rule(rule),
                silenced: RateLimit::new(1, A_MINUTE),
                left_out: LEFT_OUT.map(|(reason, problem)| LeftOut {
                    reason,
                    problem,
                    told: RateLimit::new(1, A_MINUTE),
                    untold: 0,
                }),
                held: RateLimit::new(1, A_MINUTE),
                not_kept: RateLimit::new(1, A_MINUTE),
                is_known_large: false,
            })
    }

    /// A batch is done.
    pub(super) fn batch(&mut self, batch: &DecidedBatch) {
        self.events += batch.batch.events.len() as u64;
        self.bytes += batch.batch.size() as u64;
        self.bad += batch.rejected() as u64;
        for (at, error) in batch.rejects() {
            let event = batch
                .batch
                .events
                .get(*at)
                .map(|event| event.bytes.as_ref())
                .unwrap_or_default();
            self.dead_letters.put(&Rejected {
                input: &batch.batch.origin.input,
                reason: reason(error),
                detail: &error.to_string(),
                event,
                at: Some(*at),
            });
        }
    }

    /// The journal has a commit.
    pub(super) fn committed(&self, took: Duration) {
        self.metrics.journal_committed(took);
    }

    /// The journal could not be written.
    pub(super) fn journal_failed(&self, error: &JournalError) {
        if let Some(Allowed { .. }) = self.journal_failed.allow(self.clock.now()) {
            tracing::error!(%error, "the journal cannot be written: nothing is acknowledged or sent until it can");
        }
    }

    /// A clock was set, the machine slept, or this process stood still.
    pub(super) fn jumped(&self, since: WallTime, now: WallTime) {
        let (since, now) = (since.to_text(), now.to_text());
        tracing::warn!(
            since,
            now,
            "no events could come for a while, or the clock was set: silence in that time counts for nothing"
        );
    }

    /// No snapshot could be made.
    pub(super) fn snapshot_failed(&self, error: &SnapshotError) {
        tracing::error!(%error, "no snapshot; the journal is kept");
    }

    /// A document goes to the writeback.
    pub(super) fn written(&mut self, write: &Write) {
        if let (Index::Silence, Op::Put(document)) = (write.index, &write.op)
            && let Some(key) = document
                .get("rule_name")
                .and_then(serde_json::Value::as_str)
        {
            self.rule(key).metrics.silenced();
        }
    }

    /// So much rules remember now.
    pub(super) fn remembered(&mut self, engine: &Engine) {
        self.metrics.kept(engine.kept_bytes());
        for (rule, size, bytes) in engine.sizes() {
            let per_rule = self.rule(rule);
            per_rule.metrics.remembers(size.keys, size.events, bytes);
            if size.keys > MANY_KEYS && !per_rule.is_known_large {
                per_rule.is_known_large = true;
                tracing::warn!(
                    rule,
                    keys = size.keys,
                    bytes,
                    "the rule remembers more than {MANY_KEYS} keys or values, and memory for each of them: is its field one with few values?"
                );
            }
        }
    }

    /// Rules are told the time; batches and bytes wait.
    pub(super) fn ticks(&self, gauge: &IntakeGauge) {
        self.metrics.ticked();
        if let Some((batches, bytes)) = gauge.read() {
            self.metrics.queue(batches, bytes);
        }
    }

    /// `--debug`: a document that would have been written.
    pub(super) fn not_written(&self, write: &Write) {
        if let Op::Put(document) = &write.op {
            let document = serde_json::to_string(document).unwrap_or_default();
            tracing::info!("Skipping writing to ES: {document}");
        }
    }

    /// Something people may want to know.
    pub(super) fn note(&mut self, note: Note) {
        match note {
            Note::Silenced { rule, key } => {
                let now = self.clock.now();
                let per_rule = self.rule(&rule);
                per_rule.metrics.match_silenced();
                if let Some(Allowed { suppressed }) = per_rule.silenced.allow(now) {
                    let key = key.as_str();
                    tracing::info!(key, suppressed, "Ignoring match for silenced rule {rule}");
                }
            }
            Note::Alerting { rule, matches } => {
                self.rule(&rule).metrics.alert();
                if self.verbose {
                    tracing::info!(rule, matches, "alert");
                } else {
                    tracing::debug!(rule, matches, "alert");
                }
            }
            Note::Aggregated { rule, due } => {
                tracing::debug!(rule, due = due.to_text(), "New aggregation for {rule}");
            }
            Note::Dropped { rule } => tracing::debug!(rule, "alert dropped by its enhancements"),
            Note::NotPrepared { rule, error } => {
                self.metrics.error();
                tracing::error!(
                    rule,
                    error,
                    "a match could not be prepared as the rule says"
                );
            }
            Note::Delivered {
                rule,
                alerter,
                sent,
            } => {
                self.metrics
                    .delivery(alerter, if sent { "sent" } else { "failed" });
                let metrics = &self.rule(&rule).metrics;
                if sent {
                    metrics.alert_sent();
                } else {
                    metrics.alert_not_sent();
                    self.metrics.error();
                }
            }
            Note::WillRetry { rule, error, at } => {
                tracing::warn!(
                    rule,
                    error,
                    retry_at = at.to_text(),
                    "alert not delivered, will retry"
                );
            }
            Note::GaveUp { rule, error } => {
                tracing::error!(
                    rule,
                    error,
                    "alert not delivered within alert_time_limit, given up"
                );
            }
            Note::Ran {
                rule,
                start,
                end,
                counts,
                busy,
            } => self.ran(&rule, start, end, counts, busy),
            Note::RuleFailed { rule, error, until } => {
                self.metrics.error();
                self.rule(&rule).metrics.failed();
                tracing::error!(
                    rule,
                    error,
                    rests_until = until.to_text(),
                    "the rule failed: it has forgotten its windows, and its events wait for a while; please report this"
                );
            }
            Note::RuleRecovered { rule } => {
                self.rule(&rule).metrics.recovered();
                tracing::info!(rule, "the rule runs again");
            }
            Note::Adopted { silences, alerts } => {
                if silences + alerts > 0 {
                    tracing::info!(silences, alerts, "taken over from Elasticsearch");
                }
            }
            Note::NotTold => {
                if let Some(Allowed { suppressed }) = self.not_told.allow(self.clock.now()) {
                    tracing::warn!(
                        suppressed,
                        "too many messages about errors wait to be sent: more are not told"
                    );
                }
            }
            Note::HeldTooMany { rule, dropped } => {
                let now = self.clock.now();
                let per_rule = self.rule(&rule);
                per_rule.metrics.skipped(SkipReason::OutsideHours, dropped);
                if let Some(Allowed { suppressed }) = per_rule.held.allow(now) {
                    tracing::error!(
                        rule,
                        dropped,
                        suppressed,
                        "too many events wait for the hours of limit_execution: the oldest were let go"
                    );
                }
            }
            Note::NotKept { rule } => {
                let now = self.clock.now();
                let per_rule = self.rule(&rule);
                per_rule.metrics.not_kept();
                if let Some(Allowed { suppressed }) = per_rule.not_kept.allow(now) {
                    tracing::warn!(
                        rule,
                        suppressed,
                        "the rules keep as many bytes of events as they may: further ones are counted, and matches will lack them"
                    );
                }
            }
            // One line for each of a thousand rules that nobody touched would hide the others.
            Note::RuleKept { rule } => tracing::debug!(rule, "rule kept"),
            Note::RuleMigrated { rule, edited } => {
                let edited = edited.join(", ");
                tracing::info!(
                    rule,
                    edited,
                    "rule migrated: it goes on with what it remembers"
                );
            }
            Note::RuleReset { rule, because } => {
                let because = because.join(", ");
                tracing::info!(
                    rule,
                    because,
                    "rule reset: what it remembered means something else now and was dropped"
                );
            }
            Note::RuleAdded { rule } => tracing::info!(rule, "rule added"),
            Note::RuleGone { rule } => tracing::info!(rule, "rule removed"),
        }
    }

    /// Events that a rule picked and could not look at: counted at once, told once a minute.
    fn left_out(&mut self, rule: &str, counts: Counts) {
        let now = self.clock.now();
        let per_rule = self.rule(rule);
        for (count, left_out) in [counts.late, counts.future, counts.untimed]
            .into_iter()
            .zip(&mut per_rule.left_out)
            .filter(|(count, _)| *count > 0)
        {
            per_rule.metrics.skipped(left_out.reason, count);
            left_out.untold += count;
            if left_out.told.allow(now).is_some() {
                let count = std::mem::take(&mut left_out.untold);
                tracing::warn!(rule, count, "{}", left_out.problem);
            }
        }
    }

    fn ran(&mut self, rule: &str, start: WallTime, end: WallTime, counts: Counts, busy: Duration) {
        self.rule(rule)
            .metrics
            .interval(counts.hits, counts.matches, busy);
        self.left_out(rule, counts);
        if let Some(statsd) = &self.statsd {
            statsd.ran(&RuleRun {
                rule,
                took: busy,
                hits: counts.hits,
                matches: counts.matches,
                alerts: counts.alerts,
            });
        }
        if self.verbose {
            let Counts {
                hits,
                matches,
                alerts,
                ..
            } = counts;
            let (start, end) = (start.to_text(), end.to_text());
            tracing::info!(
                "Ran {rule} from {start} to {end}: {hits} query hits (0 already seen), {matches} matches, {alerts} alerts sent"
            );
        }
    }
}

fn reason(error: &EventError) -> Reason {
    match error {
        EventError::NotUtf8 { .. } => Reason::NotUtf8,
        EventError::NotJson { .. } => Reason::NotJson,
        EventError::TooDeep => Reason::TooDeep,
        EventError::NotAnObject { .. } => Reason::NotAnObject,
    }
}
