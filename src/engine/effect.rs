//! What the engine wants done in the world.

use crate::event::{Document, WallTime};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::sync::Arc;

/// A writeback index, by what follows `writeback_index` in its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Index {
    /// The main index: alerts, sent and pending.
    Alerts,
    /// `_status`: a document per rule and tick.
    Status,
    /// `_silence`: a document per silence started.
    Silence,
    /// `_error`.
    Error,
    /// `_past`: created, never written.
    Past,
}

impl Index {
    /// Every index, in the order ElastAlert creates them.
    pub const ALL: [Self; 5] = [
        Self::Alerts,
        Self::Status,
        Self::Silence,
        Self::Error,
        Self::Past,
    ];

    /// What follows `writeback_index` in the index's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Alerts => "",
            Self::Status => "_status",
            Self::Silence => "_silence",
            Self::Error => "_error",
            Self::Past => "_past",
        }
    }
}

/// A change to the writeback indices. Doing it twice is the same as doing it once: the id is part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Which index.
    pub index: Index,
    /// The document's id there.
    pub id: Arc<str>,
    /// What happens to it.
    pub op: Op,
}

/// What happens to a writeback document.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// It is written, over what was there.
    Put(Document),
    /// It is removed.
    Delete,
}

/// Names an alert for as long as it lives, across restarts; also the id of its first writeback document. Older ones come first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AlertId(pub Arc<str>);

impl Ord for AlertId {
    fn cmp(&self, other: &Self) -> Ordering {
        // They end in a number that grows and has no leading zeros.
        let length = |id: &Self| id.0.len();
        length(self)
            .cmp(&length(other))
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for AlertId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An alert on its way out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PendingAlert {
    /// Its name.
    pub id: AlertId,
    /// The rule's name: the rule may be gone when it is sent.
    pub rule: Arc<str>,
    /// The matches it tells of, after enhancements; never empty.
    #[serde(with = "super::record::as_texts")]
    pub matches: Vec<Document>,
    /// ElastAlert's `alert_time`: when it was first due.
    pub time: WallTime,
}

/// One attempt to send an alert through one alerter.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// What to send.
    pub alert: Arc<PendingAlert>,
    /// Which of the rule's alerters, counted from 0.
    pub alerter: u16,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// The address of the ticket that another alerter made for the alert.
    pub ticket: Option<Arc<str>>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryOutcome {
    /// Which alert.
    pub alert: AlertId,
    /// Which of the rule's alerters.
    pub alerter: u16,
    /// Sent, with the address of the ticket that was made if any was; or why not.
    pub result: Result<Option<String>, String>,
}

/// What the engine wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Send an alert; the outcome comes back as an input.
    Deliver(Delivery),
    /// Change the writeback indices. The number grows with each change, across restarts.
    Write(u64, Write),
}

/// What people may want to know; becomes log lines and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A match was held back.
    Silenced {
        /// The rule.
        rule: String,
        /// The silence key.
        key: String,
    },
    /// An alert is on its way out for the first time.
    Alerting {
        /// The rule.
        rule: String,
        /// How many matches it tells of.
        matches: usize,
    },
    /// A match joined an aggregation.
    Aggregated {
        /// The rule.
        rule: String,
        /// When the alert is due.
        due: WallTime,
    },
    /// All matches of an alert were dropped by enhancements.
    Dropped {
        /// The rule.
        rule: String,
    },
    /// An enhancement, or another step before an alert, failed.
    NotPrepared {
        /// The rule.
        rule: String,
        /// Why.
        error: String,
    },
    /// An attempt to deliver ended.
    Delivered {
        /// The rule.
        rule: String,
        /// The alerter's name.
        alerter: &'static str,
        /// Whether it worked.
        sent: bool,
    },
    /// A delivery failed and will be tried again.
    WillRetry {
        /// The rule.
        rule: String,
        /// Why it failed.
        error: String,
        /// When.
        at: WallTime,
    },
    /// A delivery failed, and `alert_time_limit` has passed: no more attempts.
    GaveUp {
        /// The rule.
        rule: String,
        /// Why the last attempt failed.
        error: String,
    },
    /// A tick: what a rule did since the one before.
    Ran {
        /// The rule.
        rule: String,
        /// Begin of the interval.
        start: WallTime,
        /// End of the interval.
        end: WallTime,
        /// What happened in it.
        counts: super::Counts,
        /// Time spent on evaluating all rules in it.
        busy: std::time::Duration,
    },
    /// A rule failed, lost what it remembered, and rests.
    RuleFailed {
        /// The rule.
        rule: String,
        /// What it failed of.
        error: String,
        /// Until when it rests.
        until: WallTime,
    },
    /// A rule that had failed runs again.
    RuleRecovered {
        /// The rule.
        rule: String,
    },
    /// What another installation left was taken over.
    Adopted {
        /// Silences.
        silences: usize,
        /// Alerts that were not sent.
        alerts: usize,
    },
    /// Too many messages about errors wait to be sent: this one is not.
    NotTold,
    /// Too many events wait for a rule's hours: the oldest were let go.
    HeldTooMany {
        /// The rule.
        rule: String,
        /// How many.
        dropped: u64,
    },
    /// The rules keep as many bytes of events as they may: one was counted only.
    NotKept {
        /// The rule.
        rule: String,
    },
    /// A reload brought nothing new for the rule.
    RuleKept {
        /// The rule.
        rule: String,
    },
    /// A reload edited the rule, which goes on with what it remembers.
    RuleMigrated {
        /// The rule.
        rule: String,
        /// The options that were edited.
        edited: Vec<String>,
    },
    /// A reload changed what the rule's memory means: it starts anew.
    RuleReset {
        /// The rule.
        rule: String,
        /// The options whose edit did it, or why the memory cannot be used.
        because: Vec<String>,
    },
    /// A reload brought the rule.
    RuleAdded {
        /// The rule.
        rule: String,
    },
    /// A reload took the rule away.
    RuleGone {
        /// The rule.
        rule: String,
    },
}
