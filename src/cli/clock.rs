//! The program's one look at the clock on the wall.

use crate::event::WallTime;
use crate::telemetry::Clock;

/// The clock on the wall.
pub(super) fn wall_clock() -> Clock {
    Clock::new(now)
}

/// The time now.
#[expect(
    clippy::disallowed_methods,
    reason = "everything else is told the time, by this"
)]
pub(super) fn now() -> WallTime {
    WallTime(jiff::Timestamp::now().as_microsecond())
}
