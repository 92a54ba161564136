//! Durations as ElastAlert writes them: the arguments of Python's `timedelta`.

use super::{Data, Node};
use std::time::Duration;

/// The units a duration is made of.
pub(super) const UNITS: [&str; 7] = [
    "weeks",
    "days",
    "hours",
    "minutes",
    "seconds",
    "milliseconds",
    "microseconds",
];

/// The same in microseconds.
const MICROSECONDS: [f64; 7] = [604_800e6, 86_400e6, 3_600e6, 60e6, 1e6, 1e3, 1.0];

/// `timedelta(**node)`, rounded to microseconds. `None`: not an object of known units with numbers, or negative.
pub fn duration(node: &Node) -> Option<Duration> {
    let mut micros = 0.0;
    for (unit, amount) in node.as_map()?.iter() {
        let (_, scale) = UNITS
            .iter()
            .zip(MICROSECONDS)
            .find(|(name, _)| Some(**name) == unit.as_str())?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "durations beyond 2^53 microseconds (285 years) lose nothing that matters"
        )]
        let amount = match amount.data {
            Data::Int(value) => value as f64,
            Data::Float(value) => value,
            _ => return None,
        };
        micros += amount * scale;
    }
    Duration::try_from_secs_f64(micros.round() / 1e6).ok()
}

/// `5m`, `2 hours`, `300` as the object that was meant: `{minutes: 5}`.
pub(super) fn from_short_form(text: &str) -> Option<String> {
    let text = text.trim();
    let at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(at)?;
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim();
    let unit = match unit {
        "" => "seconds",
        "m" => "minutes",
        "ms" => "milliseconds",
        _ => UNITS
            .iter()
            .find(|name| name.starts_with(unit) || **name == format!("{unit}s"))?,
    };
    Some(format!("{{{unit}: {number}}}"))
}
