//! What the engine wants done in the world.

use crate::event::{Document, WallTime};
use serde::{Deserialize, Serialize};
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

/// Names an alert for as long as it lives, across restarts; also the id of its first writeback document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertId(pub Arc<str>);

/// An alert on its way out.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingAlert {
    /// Its name.
    pub id: AlertId,
    /// The rule's name: the rule may be gone when it is sent.
    pub rule: Arc<str>,
    /// The matches it tells of, after enhancements; never empty.
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
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryOutcome {
    /// Which alert.
    pub alert: AlertId,
    /// Which of the rule's alerters.
    pub alerter: u16,
    /// Sent, or why not.
    pub result: Result<(), String>,
}

/// What the engine wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Send an alert; the outcome comes back as an input.
    Deliver(Delivery),
    /// Change the writeback indices.
    Write(Write),
}
