//! Silences: `realert`, `exponential_realert`, and those an operator sets.

use crate::event::WallTime;
use crate::rule::{Part, Rule};
use serde::{Deserialize, Serialize};
use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Duration;

/// A silence: matches under its key are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Until when, exclusively.
    pub until: WallTime,
    /// `exponential_realert`'s exponent; -1 when even the first silence would have been longer than allowed.
    pub exponent: i32,
}

/// A silence, and when its key may be forgotten.
type Table = HashMap<Arc<str>, (Silence, WallTime)>;

/// How many tables hold the silences. Each grows by itself: one for all would stop everything while it grows.
const TABLES: usize = 256;

/// All silences by key.
#[derive(Debug)]
pub(super) struct Silences {
    tables: Vec<Table>,
    /// Says in which table a key is.
    hasher: RandomState,
    /// When a key may be forgotten.
    forget: BTreeSet<(WallTime, Arc<str>)>,
}

impl Default for Silences {
    fn default() -> Self {
        Self {
            tables: vec![Table::new(); TABLES],
            hasher: RandomState::new(),
            forget: BTreeSet::new(),
        }
    }
}

impl Silences {
    fn place(&self, key: &str) -> usize {
        let [byte, ..] = self.hasher.hash_one(key).to_le_bytes();
        usize::from(byte) % TABLES
    }

    fn find(&self, key: &str) -> Option<(Silence, WallTime)> {
        self.tables.get(self.place(key))?.get(key).copied()
    }

    pub(super) fn get(&self, key: &str) -> Option<Silence> {
        self.find(key).map(|(silence, _)| silence)
    }

    pub(super) fn is_silenced(&self, key: &str, now: WallTime) -> bool {
        self.get(key).is_some_and(|silence| now < silence.until)
    }

    /// Sets a silence; it is remembered until `forget_at`, which an exponential one needs to be longer than it lasts.
    pub(super) fn set(&mut self, key: &str, silence: Silence, forget_at: WallTime) {
        let key: Arc<str> = key.into();
        let place = self.place(&key);
        let table = self.tables.get_mut(place);
        let old = table.and_then(|table| table.insert(Arc::clone(&key), (silence, forget_at)));
        if let Some((_, old)) = old {
            self.forget.remove(&(old, Arc::clone(&key)));
        }
        self.forget.insert((forget_at, key));
    }

    /// Forgets what no longer matters, as far as there is room. Whether that is all.
    pub(super) fn forget(&mut self, now: WallTime, part: &mut Part) -> bool {
        while part.has_room() {
            let next = self.forget.first().filter(|(at, _)| *at < now);
            if next.is_none() {
                return true;
            }
            if let Some((_, key)) = self.forget.pop_first() {
                let place = self.place(&key);
                if let Some(table) = self.tables.get_mut(place) {
                    table.remove(&key);
                }
            }
            part.act(1);
        }
        false
    }

    /// Every silence with its key and the time it may be forgotten, in that order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Silence, WallTime)> {
        self.forget.iter().filter_map(|(_, key)| {
            let (silence, forget) = self.find(key)?;
            Some((key.as_ref(), silence, forget))
        })
    }
}

/// The silence a match starts; `None` when `realert` is zero.
///
/// The arithmetic of `exponential_realert` is elastalert2's: the first silence is `realert` even if that is above the limit; then whole
/// seconds, the exponent grows when the next alert comes soon after the last silence and shrinks with quiet time.
pub(super) fn next_silence(rule: &Rule, last: Option<Silence>, now: WallTime) -> Option<Silence> {
    if rule.realert.is_zero() {
        return None;
    }
    let (Some(limit), Some(last)) = (rule.exponential_realert, last) else {
        return Some(Silence {
            until: now.plus(rule.realert),
            exponent: 0,
        });
    };
    let wait = |exponent: i32| wait(rule, exponent);
    let mut exponent = last.exponent;
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds since a silence, far below 2^53"
    )]
    let mut quiet = (now.0 - last.until.0).div_euclid(1_000_000) as f64;
    if quiet < wait(exponent) {
        exponent = exponent.saturating_add(1);
    } else {
        while quiet > wait(exponent) && exponent > 0 {
            quiet -= wait(exponent);
            exponent -= 1;
        }
    }
    Some(if wait(exponent) >= limit.as_secs_f64() {
        Silence {
            until: now.plus(limit),
            exponent: exponent - 1,
        }
    } else {
        Silence {
            until: now.plus(seconds(wait(exponent))),
            exponent,
        }
    })
}

/// When an `exponential_realert` that is no longer than `realert` is forgotten. Such a one never starts anew, however long it is quiet; a key that
/// is quiet for this long does.
const NEVER_ANEW: Duration = Duration::from_secs(30 * 24 * 3600);

/// When a silence may be forgotten: at its end, unless `exponential_realert` of a rule goes on from it. Then after so much quiet time that
/// the exponent is back at zero and a new silence starts like a first one.
pub(super) fn forget_at<'r>(
    rules: impl Iterator<Item = &'r Rule>,
    key: &str,
    silence: Silence,
) -> WallTime {
    let quiet = rules
        .filter(|rule| key.starts_with(rule.realert_key()))
        .filter_map(|rule| {
            let limit = rule.exponential_realert?;
            Some(if limit <= rule.realert {
                NEVER_ANEW
            } else {
                seconds(wait(rule, silence.exponent.max(0).saturating_add(2)))
            })
        })
        .max();
    silence.until.plus(quiet.unwrap_or_default())
}

fn wait(rule: &Rule, exponent: i32) -> f64 {
    rule.realert.as_secs_f64().floor() * 2f64.powi(exponent)
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
