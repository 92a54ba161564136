//! Keeps a flood of equal occurrences from becoming a flood of log lines.

use crate::event::WallTime;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Lets `burst` occurrences through per `interval`, and counts the others.
#[derive(Debug)]
pub struct RateLimit {
    burst: u32,
    interval: Duration,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    since: Option<WallTime>,
    allowed: u32,
    suppressed: u64,
}

/// An occurrence may be told.
#[derive(Debug, PartialEq, Eq)]
pub struct Allowed {
    /// How many since the last one told were not.
    pub suppressed: u64,
}

impl RateLimit {
    /// At most `burst` occurrences told in each `interval`.
    pub const fn new(burst: u32, interval: Duration) -> Self {
        Self {
            burst,
            interval,
            window: Mutex::new(Window {
                since: None,
                allowed: 0,
                suppressed: 0,
            }),
        }
    }

    /// Asks whether an occurrence at `now` may be told.
    pub fn allow(&self, now: WallTime) -> Option<Allowed> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back starts a new window, too: silence until it caught up would be worse.
        let over = window
            .since
            .is_none_or(|since| now < since || now.since(since) >= self.interval);
        if over {
            window.since = Some(now);
            window.allowed = 0;
        }
        if window.allowed >= self.burst {
            window.suppressed += 1;
            return None;
        }
        window.allowed += 1;
        Some(Allowed {
            suppressed: std::mem::take(&mut window.suppressed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_first_and_counts_the_rest() {
        let limit = RateLimit::new(2, Duration::from_secs(10));
        let at = |seconds: i64| WallTime(seconds * 1_000_000);
        assert_eq!(limit.allow(at(0)), Some(Allowed { suppressed: 0 }));
        assert_eq!(limit.allow(at(1)), Some(Allowed { suppressed: 0 }));
        assert_eq!(limit.allow(at(2)), None);
        assert_eq!(limit.allow(at(9)), None);
        assert_eq!(limit.allow(at(10)), Some(Allowed { suppressed: 2 }));
    }

    #[test]
    fn a_clock_set_back_does_not_silence() {
        let limit = RateLimit::new(1, Duration::from_secs(10));
        assert!(limit.allow(WallTime(50_000_000)).is_some());
        assert!(limit.allow(WallTime(1)).is_some());
    }
}
