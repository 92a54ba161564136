//! What the program tells about itself: metrics, rate-limited log lines, readiness.
//!
//! An occurrence that is both counted and logged has one function here that does both, so that the two can't drift apart.

mod metrics;
mod rate_limit;
mod statsd;

pub use metrics::{InputMetrics, Metrics, OpenConnection, RuleMetrics, SkipReason};
pub use rate_limit::{Allowed, RateLimit};
pub use statsd::{RuleRun, Statsd};

use crate::event::WallTime;
use std::sync::Arc;

/// Tells the time. The program has one, which reads the clock on the wall; tests have their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> WallTime + Send + Sync>);

impl Clock {
    /// A clock that asks `now`.
    pub fn new(now: impl Fn() -> WallTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    pub fn now(&self) -> WallTime {
        (self.0)()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Clock({:?})", self.now())
    }
}

/// Whether events are taken, for `/readyz` and for senders, who are told to come back otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Recovering state; no events yet.
    Starting,
    /// Taking events.
    Ready,
    /// The journal cannot be written: nothing can be promised.
    JournalBroken,
    /// Stopping.
    Draining,
}

impl Readiness {
    /// In words, for answers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::JournalBroken => "the journal cannot be written",
            Self::Draining => "draining",
        }
    }
}
