//! The bodies taken in lately.

use super::Engine;
use crate::event::WallTime;
use std::time::Duration;

/// How many bodies are remembered to recognise repeats after a crash, and for how long.
const RECENT_BODIES: usize = 65_536;
const RECENT_BODIES_AGE: Duration = Duration::from_secs(300);

impl Engine {
    /// Bodies taken in lately, for recognising repeats after a restart.
    pub fn recent_bodies(&self) -> impl Iterator<Item = u128> {
        self.bodies.iter().map(|&(_, fingerprint)| fingerprint)
    }

    /// At an orderly end: senders that were answered will not repeat a body; what is the same later is another one.
    pub fn keep_bodies(&mut self, unanswered: impl Fn(u128) -> bool) {
        self.bodies
            .retain(|&(_, fingerprint)| unanswered(fingerprint));
    }

    pub(super) fn remember_body(&mut self, fingerprint: u128, now: WallTime) {
        let oldest = now.minus(RECENT_BODIES_AGE);
        while self.bodies.len() >= RECENT_BODIES
            || self.bodies.front().is_some_and(|&(at, _)| at < oldest)
        {
            self.bodies.pop_front();
        }
        self.bodies.push_back((now, fingerprint));
    }
}
