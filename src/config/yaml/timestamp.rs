//! Dates and date-times of YAML 1.1, in the text form Python's `str()` gives them.

use regex::Regex;
use std::fmt::Write as _;
use std::sync::LazyLock;

#[expect(
    clippy::expect_used,
    reason = "the pattern is a constant, compiled by every test"
)]
static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(?<year>[0-9]{4})-(?<month>[0-9]{1,2})-(?<day>[0-9]{1,2})",
        r"(?:(?:[Tt]|[ \t]+)(?<hour>[0-9]{1,2}):(?<minute>[0-9]{2}):(?<second>[0-9]{2})(?:\.(?<fraction>[0-9]*))?",
        r"(?:[ \t]*(?:Z|(?<sign>[-+])(?<zone_hour>[0-9]{1,2})(?::(?<zone_minute>[0-9]{2}))?))?)?$",
    ))
    .expect("a valid pattern")
});

/// Whether a plain scalar is one. A date without a time needs two digits everywhere.
pub(super) fn is_implicit(text: &str) -> bool {
    PATTERN
        .captures(text)
        .is_some_and(|found| found.name("hour").is_some() || text.len() == "2000-01-01".len())
}

/// The date as Python prints it: `2018-04-06`, `2018-04-06 05:07:14.100000+00:00`. `None`: there is no such date.
pub(super) fn text(text: &str) -> Option<String> {
    let found = PATTERN.captures(text)?;
    let number = |name: &str| -> Option<i8> {
        found
            .name(name)
            .map_or(Some(0), |part| part.as_str().parse().ok())
    };
    let year: i16 = found.name("year")?.as_str().parse().ok()?;
    let date = jiff::civil::Date::new(year, number("month")?, number("day")?).ok()?;
    if year == 0 {
        return None; // Python's calendar begins with year 1.
    }
    let mut out = date.to_string();
    if found.name("hour").is_none() {
        return Some(out);
    }
    let time =
        jiff::civil::Time::new(number("hour")?, number("minute")?, number("second")?, 0).ok()?;
    let _infallible = write!(
        out,
        " {:02}:{:02}:{:02}",
        time.hour(),
        time.minute(),
        time.second()
    );
    let fraction: String = found
        .name("fraction")
        .map(|f| f.as_str().chars().chain("000000".chars()).take(6).collect())
        .unwrap_or_default();
    if !fraction.is_empty() && fraction != "000000" {
        let _infallible = write!(out, ".{fraction}");
    }
    if let Some(sign) = found.name("sign") {
        let minutes = i32::from(number("zone_hour")?) * 60 + i32::from(number("zone_minute")?);
        if minutes >= 24 * 60 {
            return None;
        }
        let sign = if minutes == 0 { "+" } else { sign.as_str() };
        let _infallible = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
    } else if text.ends_with('Z') {
        out.push_str("+00:00");
    }
    Some(out)
}
