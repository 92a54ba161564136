//! The program's counters, by the names Prometheus sees.
//!
//! `elastalert_*` are ElastAlert 2's own names (its `prometheus_wrapper.py`), so that dashboards built on them go on working.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Input {
    input: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InputReason {
    input: String,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InputStatus {
    input: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rule {
    rule_name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleSkip {
    rule_name: String,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Delivery {
    alerter: String,
    outcome: &'static str,
}

/// Why a rule did not look at an event that its filter picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// Older than the newest by more than the lateness bound.
    Late,
    /// Ahead of the clock by more than `future_tolerance`.
    Future,
    /// No usable `timestamp_field`.
    NoTimestamp,
    /// Too many waited for the rule's hours.
    OutsideHours,
}

impl SkipReason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Future => "future",
            Self::NoTimestamp => "no_timestamp",
            Self::OutsideHours => "outside_hours",
        }
    }
}

/// All of the program's metrics. Cheap to share behind an `Arc`; every method may be called from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    events: Family<Input, Counter>,
    bytes: Family<Input, Counter>,
    rejected: Family<InputReason, Counter>,
    repeated: Family<Input, Counter>,
    requests: Family<InputStatus, Counter>,
    connections: Family<Input, Gauge>,
    refused_connections: Family<InputReason, Counter>,
    dead_letters_lost: Counter,
    queue_batches: Gauge,
    queue_bytes: Gauge,
    journal_commit: Histogram,
    ticks: Counter,
    deliveries: Family<Delivery, Counter>,
    rule_events_skipped: Family<RuleSkip, Counter>,
    rule_alerts: Family<Rule, Counter>,
    rule_matches_silenced: Family<Rule, Counter>,
    rule_failures: Family<Rule, Counter>,
    rule_resting: Family<Rule, Gauge>,
    rule_not_kept: Family<Rule, Counter>,
    kept_bytes: Gauge,
    spilled_bytes: Gauge,
    spilled_unreadable: Counter,
    rule_keys: Family<Rule, Gauge>,
    rule_held: Family<Rule, Gauge>,
    rule_bytes: Family<Rule, Gauge>,
    scrapes: Family<Rule, Counter>,
    hits: Family<Rule, Counter>,
    matches: Family<Rule, Counter>,
    time_taken: Family<Rule, Counter<f64, AtomicU64>>,
    alerts_sent: Family<Rule, Counter>,
    alerts_not_sent: Family<Rule, Counter>,
    alerts_silenced: Family<Rule, Counter>,
    errors: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All counters at zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        macro_rules! register {
            ($name:literal, $help:literal) => {
                register!($name, $help, Default::default())
            };
            ($name:literal, $help:literal, $metric:expr) => {{
                let metric = $metric;
                registry.register($name, $help, Clone::clone(&metric));
                metric
            }};
        }
        let events = register!("tripline_events", "Events received");
        let bytes = register!("tripline_event_bytes", "Bytes of events received");
        let rejected = register!(
            "tripline_events_rejected",
            "Events put to the dead-letter file"
        );
        let repeated = register!(
            "tripline_events_repeated",
            "Events that came again because their sender saw no answer"
        );
        let requests = register!("tripline_requests", "HTTP requests answered");
        let connections = register!("tripline_connections", "Open connections");
        let refused_connections = register!(
            "tripline_connections_refused",
            "Connections closed without serving them"
        );
        let dead_letters_lost = register!(
            "tripline_dead_letters_lost",
            "Rejected events that could not be written to the dead-letter file"
        );
        let queue_batches = register!("tripline_queue_batches", "Batches waiting to be evaluated");
        let queue_bytes = register!("tripline_queue_bytes", "Bytes waiting to be evaluated");
        // 50 µs to 1.6 s: a commit is one fsync, on anything from NVMe to a struggling network disk.
        let journal_commit = Histogram::new(exponential_buckets(0.000_05, 2.0, 16));
        registry.register_with_unit(
            "tripline_journal_commit",
            "Time for one group commit of the journal",
            Unit::Seconds,
            journal_commit.clone(),
        );
        let ticks = register!("tripline_ticks", "Times that rules were told the time");
        let deliveries = register!(
            "tripline_deliveries",
            "Deliveries of alerts, by alerter and outcome"
        );
        let rule_events_skipped = register!(
            "tripline_rule_events_skipped",
            "Events picked by a rule's filter that its window could not take"
        );
        let rule_alerts = register!("tripline_rule_alerts", "Alerts made for rule");
        let rule_matches_silenced = register!(
            "tripline_rule_matches_silenced",
            "Matches held back by a silence"
        );
        let rule_failures = register!(
            "tripline_rule_failures",
            "Failures of the rule's own code: it forgets its windows and rests"
        );
        let rule_resting = register!(
            "tripline_rule_resting",
            "1 while the rule rests after a failure; its events wait"
        );
        let rule_not_kept = register!(
            "tripline_rule_events_not_kept",
            "Events that a rule counted without keeping them for its matches, for want of room"
        );
        let kept_bytes = register!(
            "tripline_kept_event_bytes",
            "Bytes of memory that the events take that rules keep for their matches"
        );
        let spilled_bytes = register!(
            "tripline_spilled_event_bytes",
            "Bytes on disk that the others of these events take"
        );
        let spilled_unreadable = register!(
            "tripline_spilled_events_unreadable",
            "Events that a match lacks because they could not be read from disk"
        );
        let rule_keys = register!("tripline_rule_keys", "Keys that a rule remembers");
        let rule_held = register!("tripline_rule_events", "Events in a rule's windows");
        let rule_bytes = register!(
            "tripline_rule_bytes",
            "About how many bytes of memory a rule's windows take"
        );
        let scrapes = register!("elastalert_scrapes", "Number of scrapes for rule");
        let hits = register!("elastalert_hits", "Number of hits for rule");
        let matches = register!("elastalert_matches", "Number of matches for rule");
        let time_taken = register!("elastalert_time_taken", "Time taken to evaluate rule");
        let alerts_sent = register!("elastalert_alerts_sent", "Number of alerts sent for rule");
        let alerts_not_sent = register!("elastalert_alerts_not_sent", "Number of alerts not sent");
        let alerts_silenced = register!("elastalert_alerts_silenced", "Number of silenced alerts");
        let errors = register!("elastalert_errors", "Number of errors for rule");
        Self {
            registry,
            events,
            bytes,
            rejected,
            repeated,
            requests,
            connections,
            refused_connections,
            dead_letters_lost,
            queue_batches,
            queue_bytes,
            journal_commit,
            ticks,
            deliveries,
            rule_events_skipped,
            rule_alerts,
            rule_matches_silenced,
            rule_failures,
            rule_resting,
            rule_not_kept,
            kept_bytes,
            spilled_bytes,
            spilled_unreadable,
            rule_keys,
            rule_held,
            rule_bytes,
            scrapes,
            hits,
            matches,
            time_taken,
            alerts_sent,
            alerts_not_sent,
            alerts_silenced,
            errors,
        }
    }

    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// A metric could not be formatted.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }

    /// The counters of one input, looked up once.
    pub fn input(&self, name: &str) -> InputMetrics {
        let input = Input {
            input: name.to_owned(),
        };
        InputMetrics {
            events: self.events.get_or_create_owned(&input),
            bytes: self.bytes.get_or_create_owned(&input),
            repeated: self.repeated.get_or_create_owned(&input),
            connections: self.connections.get_or_create_owned(&input),
            requests: self.requests.clone(),
            refused: self.refused_connections.clone(),
            name: name.to_owned(),
        }
    }

    /// The counters of one rule, looked up once.
    pub fn rule(&self, name: &str) -> RuleMetrics {
        let rule = Rule {
            rule_name: name.to_owned(),
        };
        RuleMetrics {
            scrapes: self.scrapes.get_or_create_owned(&rule),
            hits: self.hits.get_or_create_owned(&rule),
            matches: self.matches.get_or_create_owned(&rule),
            time_taken: self.time_taken.get_or_create_owned(&rule),
            alerts: self.rule_alerts.get_or_create_owned(&rule),
            alerts_sent: self.alerts_sent.get_or_create_owned(&rule),
            alerts_not_sent: self.alerts_not_sent.get_or_create_owned(&rule),
            alerts_silenced: self.alerts_silenced.get_or_create_owned(&rule),
            matches_silenced: self.rule_matches_silenced.get_or_create_owned(&rule),
            failures: self.rule_failures.get_or_create_owned(&rule),
            resting: self.rule_resting.get_or_create_owned(&rule),
            skipped: self.rule_events_skipped.clone(),
            not_kept: self.rule_not_kept.get_or_create_owned(&rule),
            keys: self.rule_keys.get_or_create_owned(&rule),
            held: self.rule_held.get_or_create_owned(&rule),
            bytes: self.rule_bytes.get_or_create_owned(&rule),
            name: name.to_owned(),
        }
    }

    /// One event was put to the dead-letter file.
    pub(crate) fn event_rejected(&self, input: &str, reason: &'static str) {
        self.rejected
            .get_or_create(&InputReason {
                input: input.to_owned(),
                reason,
            })
            .inc();
    }

    /// One rejected event could not be kept.
    pub(crate) fn dead_letter_lost(&self) {
        self.dead_letters_lost.inc();
    }

    /// What waits in the queue now.
    pub fn queue(&self, batches: usize, bytes: usize) {
        self.queue_batches
            .set(i64::try_from(batches).unwrap_or(i64::MAX));
        self.queue_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The events that rules keep in memory take so many bytes.
    pub fn kept(&self, bytes: u64) {
        self.kept_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The events that rules keep elsewhere take so many bytes on disk.
    pub(crate) fn spilled(&self, bytes: u64) {
        self.spilled_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// One of them could not be read.
    pub(crate) fn spilled_unreadable(&self) {
        self.spilled_unreadable.inc();
    }

    /// One group commit of the journal took this long.
    pub fn journal_committed(&self, took: Duration) {
        self.journal_commit.observe(took.as_secs_f64());
    }

    /// Rules were told the time.
    pub fn ticked(&self) {
        self.ticks.inc();
    }

    /// One attempt to deliver an alert ended; `outcome` is one of a few fixed words such as `sent`, `retry`, `failed`.
    pub fn delivery(&self, alerter: &str, outcome: &'static str) {
        self.deliveries
            .get_or_create(&Delivery {
                alerter: alerter.to_owned(),
                outcome,
            })
            .inc();
    }

    /// An error that ElastAlert would write to its error index.
    pub fn error(&self) {
        self.errors.inc();
    }
}

/// The counters of one input.
#[derive(Debug, Clone)]
pub struct InputMetrics {
    name: String,
    events: Counter,
    bytes: Counter,
    repeated: Counter,
    connections: Gauge,
    requests: Family<InputStatus, Counter>,
    refused: Family<InputReason, Counter>,
}

impl InputMetrics {
    /// Events were handed over for evaluation.
    pub fn received(&self, events: usize, bytes: usize) {
        self.events.inc_by(events as u64);
        self.bytes.inc_by(bytes as u64);
    }

    /// Events came again whose first coming counts.
    pub fn repeated(&self, events: usize) {
        self.repeated.inc_by(events as u64);
    }

    /// An HTTP request was answered.
    pub fn answered(&self, status: u16) {
        self.requests
            .get_or_create(&InputStatus {
                input: self.name.clone(),
                status,
            })
            .inc();
    }

    /// A connection was opened; it counts until the result is dropped.
    pub fn connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// A connection was closed unserved.
    pub fn refused(&self, reason: &'static str) {
        self.refused
            .get_or_create(&InputReason {
                input: self.name.clone(),
                reason,
            })
            .inc();
    }
}

/// Counts a connection as open until it is dropped.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The counters of one rule, for the thread that evaluates it: each call is one atomic addition.
#[derive(Debug, Clone)]
pub struct RuleMetrics {
    name: String,
    scrapes: Counter,
    hits: Counter,
    matches: Counter,
    time_taken: Counter<f64, AtomicU64>,
    alerts: Counter,
    alerts_sent: Counter,
    alerts_not_sent: Counter,
    alerts_silenced: Counter,
    matches_silenced: Counter,
    failures: Counter,
    resting: Gauge,
    skipped: Family<RuleSkip, Counter>,
    not_kept: Counter,
    keys: Gauge,
    held: Gauge,
    bytes: Gauge,
}

impl RuleMetrics {
    /// One `run_every` interval ended, which ElastAlert counts as a scrape: the hits and matches in it, and the time spent.
    pub fn interval(&self, hits: u64, matches: u64, took: Duration) {
        self.scrapes.inc();
        self.hits.inc_by(hits);
        self.matches.inc_by(matches);
        self.time_taken.inc_by(took.as_secs_f64());
    }

    /// An alert was made and goes to the rule's alerters.
    pub fn alert(&self) {
        self.alerts.inc();
    }

    /// An alert document was written with `alert_sent: true`.
    pub fn alert_sent(&self) {
        self.alerts_sent.inc();
    }

    /// An alert document was written with `alert_sent: false`.
    pub fn alert_not_sent(&self) {
        self.alerts_not_sent.inc();
    }

    /// A match was held back by a silence.
    pub fn match_silenced(&self) {
        self.matches_silenced.inc();
    }

    /// The rule failed, and rests.
    pub fn failed(&self) {
        self.failures.inc();
        self.resting.set(1);
    }

    /// The rule runs again.
    pub fn recovered(&self) {
        self.resting.set(0);
    }

    /// A silence document was written.
    pub fn silenced(&self) {
        self.alerts_silenced.inc();
    }

    /// So much a rule remembers now.
    pub fn remembers(&self, keys: u64, events: u64, bytes: u64) {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.keys.set(number(keys));
        self.held.set(number(events));
        self.bytes.set(number(bytes));
    }

    /// An event was counted and not kept.
    pub fn not_kept(&self) {
        self.not_kept.inc();
    }

    /// So many events could not be taken by the rule's window.
    pub fn skipped(&self, reason: SkipReason, count: u64) {
        self.skipped
            .get_or_create(&RuleSkip {
                rule_name: self.name.clone(),
                reason: reason.as_str(),
            })
            .inc_by(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_elastalert_s_own_names() {
        let metrics = Metrics::new();
        let rule = metrics.rule("Attack to WWW.BLUECORE.NET");
        rule.interval(7, 2, Duration::from_millis(1500));
        rule.alert_sent();
        rule.skipped(SkipReason::Late, 1);
        metrics.input("http").received(3, 600);
        let text = metrics.encode().unwrap();
        for line in [
            r#"elastalert_scrapes_total{rule_name="Attack to WWW.BLUECORE.NET"} 1"#,
            r#"elastalert_hits_total{rule_name="Attack to WWW.BLUECORE.NET"} 7"#,
            r#"elastalert_matches_total{rule_name="Attack to WWW.BLUECORE.NET"} 2"#,
            r#"elastalert_time_taken_total{rule_name="Attack to WWW.BLUECORE.NET"} 1.5"#,
            r#"elastalert_alerts_sent_total{rule_name="Attack to WWW.BLUECORE.NET"} 1"#,
            r#"elastalert_errors_total 0"#,
            r#"tripline_rule_events_skipped_total{rule_name="Attack to WWW.BLUECORE.NET",reason="late"} 1"#,
            r#"tripline_events_total{input="http"} 3"#,
            r#"tripline_event_bytes_total{input="http"} 600"#,
        ] {
            assert!(text.contains(line), "{line}\nnot in\n{text}");
        }
    }
}
