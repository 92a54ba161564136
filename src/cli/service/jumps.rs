//! Whether the driver has been watching all the time: it has not while the machine slept or the process stood still, and when a clock was set.

use crate::event::WallTime;
use std::time::Duration;

/// The clock on the wall and the steady one differ by less than this unless one of them was set, or slept.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Compares the clock on the wall with one that never jumps, each time the driver wakes up.
#[derive(Debug)]
pub(super) struct Watch {
    wall: WallTime,
    steady: Duration,
    /// The driver wakes up at least this often.
    longest: Duration,
}

impl Watch {
    /// Begins to watch. `steady` counts from any moment; the driver wakes up every `run_every` at the latest.
    pub(super) fn new(wall: WallTime, steady: Duration, run_every: Duration) -> Self {
        Self {
            wall,
            steady,
            longest: run_every * 2 + TOLERANCE,
        }
    }

    /// The driver woke up. When it was last watching by the clock on the wall, if it has not been all the time; that is later than `wall`
    /// when the clock was set back.
    pub(super) fn look(&mut self, wall: WallTime, steady: Duration) -> Option<WallTime> {
        let last = std::mem::replace(&mut self.wall, wall);
        let passed = steady.saturating_sub(std::mem::replace(&mut self.steady, steady));
        let expected = last.plus(passed);
        if wall < last && last.since(wall) > TOLERANCE {
            return Some(last);
        }
        if passed > self.longest {
            return Some(last);
        }
        let jumped = wall.since(expected);
        (jumped > TOLERANCE).then(|| wall.minus(jumped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000;
    const MINUTE: Duration = Duration::from_secs(60);

    /// What a watch finds after so many seconds on the wall and on the steady clock; a number of seconds after its last look.
    fn look(wall: i64, steady: u64) -> Option<i64> {
        let start = WallTime(1_000 * SECOND);
        let mut watch = Watch::new(start, Duration::from_secs(5), MINUTE);
        let now = WallTime(start.0 + wall * SECOND);
        let since = watch.look(now, Duration::from_secs(5 + steady))?;
        Some((since.0 - start.0) / SECOND)
    }

    #[test]
    fn a_minute_is_a_minute() {
        assert_eq!(look(60, 60), None);
        assert_eq!(look(0, 0), None);
        assert_eq!(look(61, 60), None);
    }

    #[test]
    fn sleep_and_a_clock_set_forward_are_gaps() {
        // The steady clock does not count sleep.
        assert_eq!(look(3600, 20), Some(20));
        assert_eq!(look(90, 30), Some(30));
    }

    #[test]
    fn a_clock_set_back_is_one() {
        assert_eq!(look(-3600, 20), Some(0));
        // Slower than it should be, but on.
        assert_eq!(look(30, 60), None);
    }

    #[test]
    fn standing_still_is_one() {
        assert_eq!(look(600, 600), Some(0));
    }

    proptest! {
        #[test]
        fn a_gap_is_found_at_the_next_look_and_only_there(steps in prop::collection::vec((1i64..60, prop_oneof![4 => Just(0i64), 1 => 2i64..100_000, 1 => -100_000i64..-61]), 1..50)) {
            let mut wall = WallTime(0);
            let mut steady = Duration::ZERO;
            let mut watch = Watch::new(wall, steady, MINUTE);
            for (seconds, jump) in steps {
                let before = wall;
                steady += Duration::from_secs(seconds.unsigned_abs());
                wall = WallTime(wall.0 + (seconds + jump) * SECOND);
                let found = watch.look(wall, steady);
                let expected = match jump {
                    0 => None,
                    1.. => Some(WallTime(before.0 + seconds * SECOND)),
                    _ => Some(before),
                };
                prop_assert_eq!(found, expected);
            }
        }
    }
}
