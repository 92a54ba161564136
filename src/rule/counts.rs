//! What is counted per rule.

use serde::{Deserialize, Serialize};

/// Counts of one rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events that passed its filter.
    pub hits: u64,
    /// Matches.
    pub matches: u64,
    /// Alerts sent off.
    pub alerts: u64,
    /// Matches held back by a silence.
    pub silenced: u64,
    /// Events too late to change a window.
    pub late: u64,
    /// Events too far in the future to change a window.
    pub future: u64,
    /// Events that passed its filter but have no usable time.
    pub untimed: u64,
}

impl Counts {
    /// Adds other counts to these.
    pub fn add(&mut self, other: Self) {
        self.hits += other.hits;
        self.matches += other.matches;
        self.alerts += other.alerts;
        self.silenced += other.silenced;
        self.late += other.late;
        self.future += other.future;
        self.untimed += other.untimed;
    }
}
