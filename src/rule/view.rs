//! Windows as they stand, for people who want to know why a rule matches, or does not.

use super::Key;
use crate::event::EventTime;
use crate::event::time::duration_text;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// How many windows are looked at when none is named: a rule may have millions, and nothing waits for this.
pub const LOOKED_AT: usize = 4096;

/// Which windows are wanted, and as of when.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The key's value as text; `None`: any.
    pub key: Option<&'a str>,
    /// What time it is for the rule.
    pub now: EventTime,
}

/// One window as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowView {
    /// The key, as Python prints it; `None` in a rule without keys.
    pub key: Option<String>,
    /// What is in it: events, or values.
    pub count: u64,
    /// The time of the oldest.
    pub oldest: Option<EventTime>,
    /// The time of the newest.
    pub newest: Option<EventTime>,
    /// When time alone changes it next: the oldest leaves, or silence has lasted for long enough.
    pub expires: Option<EventTime>,
    /// How much is missing to a match, in what the type counts; none is missing at 0.
    pub distance: Option<f64>,
    /// The same in the type's own words.
    pub says: String,
}

impl WindowView {
    /// The view of a key that says something.
    pub(super) fn new(key: &Key, count: usize, says: String) -> Self {
        Self {
            key: (*key != Key::All).then(|| key.text()),
            count: u64::try_from(count).unwrap_or(u64::MAX),
            oldest: None,
            newest: None,
            expires: None,
            distance: None,
            says,
        }
    }
}

impl Wanted<'_> {
    /// The keys that may be meant: `1` is a number or a text.
    pub(super) fn keys(&self) -> Vec<Key> {
        let Some(text) = self.key else {
            return Vec::new();
        };
        let mut keys = vec![Key::Text(text.into())];
        match serde_json::from_str(text) {
            Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => {
                keys.push(Key::from(&value));
            }
            _ if text == "None" => keys.push(Key::Null),
            _ if text == "all" => keys.push(Key::All),
            _ => {}
        }
        keys
    }

    /// Whether a key is meant.
    pub(super) fn means(&self, key: &str) -> bool {
        self.key.is_none_or(|wanted| wanted == key)
    }
}

/// Those nearest to a match first.
pub(super) fn nearest(views: &mut [WindowView]) {
    let distance = |view: &WindowView| view.distance.unwrap_or(f64::INFINITY);
    views.sort_by(|one, other| {
        let by_key = || one.key.cmp(&other.key);
        distance(one).total_cmp(&distance(other)).then_with(by_key)
    });
}

/// `within 0:05:00`.
pub(super) fn within(timeframe: Duration) -> String {
    format!("within {}", duration_text(timeframe))
}

/// A number of things as a distance.
pub(super) fn distance(missing: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "no window holds 2^53 events")]
    let missing = missing as f64;
    Some(missing)
}

/// A count as a number that can be negative.
pub(super) fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
