//! Times: the event's own, the wall clock's, and how ElastAlert writes them.

use jiff::Timestamp as Instant;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An instant by the events' own clock (`timestamp_field`), in microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventTime(pub i64);

/// An instant by the clock on the wall, in microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WallTime(pub i64);

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl EventTime {
    /// This instant moved back.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// This instant moved on.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl WallTime {
    /// This instant moved back.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// This instant moved on.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// The time since an earlier instant; zero if it is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same instant taken as an event's time, as ticks do.
    pub fn as_event_time(self) -> EventTime {
        EventTime(self.0)
    }

    /// As ElastAlert writes it into documents: UTC, `Z`, no zero fraction.
    pub fn to_text(self) -> String {
        Timestamp {
            micros: self.0,
            offset_seconds: 0,
        }
        .to_text()
    }
}

/// An instant with the offset it was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    /// Microseconds since 1970 UTC.
    pub micros: i64,
    /// Offset from UTC, east positive, in seconds.
    pub offset_seconds: i32,
}

impl Timestamp {
    /// The instant alone.
    pub fn event_time(self) -> EventTime {
        EventTime(self.micros)
    }

    /// The date and time on the clock of its own offset.
    pub fn civil(self) -> DateTime {
        let offset = Offset::from_seconds(self.offset_seconds).unwrap_or(Offset::UTC);
        let instant = Instant::from_microsecond(self.micros).unwrap_or(if self.micros < 0 {
            Instant::MIN
        } else {
            Instant::MAX
        });
        offset.to_datetime(instant)
    }

    /// `elastalert.util.dt_to_ts`: no fraction when zero; UTC is `Z` with three digits for whole milliseconds, else six; another
    /// offset is written out, always with six digits.
    pub fn to_text(self) -> String {
        let base = self.civil().strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let fraction = self.micros.rem_euclid(1_000_000);
        if self.offset_seconds == 0 {
            return match fraction {
                0 => format!("{base}Z"),
                f if f % 1000 == 0 => format!("{base}.{:03}Z", f / 1000),
                f => format!("{base}.{f:06}Z"),
            };
        }
        let fraction = if fraction == 0 {
            String::new()
        } else {
            format!(".{fraction:06}")
        };
        format!("{base}{fraction}{}", offset_text(self.offset_seconds))
    }

    /// Python's `datetime.isoformat()`: UTC is `+00:00`, six digits unless the fraction is zero.
    pub fn isoformat(self) -> String {
        let base = self.civil().strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let fraction = self.micros.rem_euclid(1_000_000);
        let fraction = if fraction == 0 {
            String::new()
        } else {
            format!(".{fraction:06}")
        };
        format!("{base}{fraction}{}", offset_text(self.offset_seconds))
    }
}

fn offset_text(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if rest == 0 {
        format!("{sign}{hours:02}:{minutes:02}")
    } else {
        format!("{sign}{hours:02}:{minutes:02}:{rest:02}")
    }
}

/// Python's `str(timedelta)`: `0:05:00`, `1 day, 2:00:00`, `0:00:01.500000`.
pub fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes, secs) = (
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    );
    let days = match days {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        n => format!("{n} days, "),
    };
    let fraction = match duration.subsec_micros() {
        0 => String::new(),
        f => format!(".{f:06}"),
    };
    format!("{days}{hours}:{minutes:02}:{secs:02}{fraction}")
}

/// Reads an ISO 8601 date-time as dateutil's `parse` reads it in ElastAlert (`ts_to_dt`): without an offset it is UTC; `T` or a blank between date
/// and time; `,` works as `.`; digits beyond six are cut off; a date alone is its midnight. `None`: no such time.
pub fn parse_iso(text: &str) -> Option<Timestamp> {
    let bytes = text.trim().as_bytes();
    let mut at = Cursor { bytes, at: 0 };
    let year = at.digits(4)?;
    let dashed = at.eat(b'-');
    let month = at.digits(2)?;
    if dashed && !at.eat(b'-') {
        return None;
    }
    let day = at.digits(2)?;
    let (mut hour, mut minute, mut second, mut fraction) = (0, 0, 0, 0i64);
    let mut offset_seconds = 0;
    if at.eat(b'T') || at.eat(b't') || at.eat(b' ') {
        hour = at.digits(2)?;
        if at.eat(b':') || (at.peek().is_some_and(|b| b.is_ascii_digit())) {
            minute = at.digits(2)?;
            if at.eat(b':') || (at.peek().is_some_and(|b| b.is_ascii_digit())) {
                second = at.digits(2)?;
                if at.eat(b'.') || at.eat(b',') {
                    fraction = at.fraction()?;
                }
            }
        }
        at.eat(b' ');
        offset_seconds = at.offset()?;
    }
    if at.at != bytes.len() {
        return None;
    }
    let year = i16::try_from(year).ok()?;
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    let (hour, minute, second) = (
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second).ok()?,
    );
    let civil = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let seconds = civil
        .date()
        .duration_since(jiff::civil::date(1970, 1, 1))
        .as_secs()
        + i64::from(hour) * 3600
        + i64::from(minute) * 60
        + i64::from(second);
    Some(Timestamp {
        micros: (seconds - i64::from(offset_seconds)) * 1_000_000 + fraction,
        offset_seconds,
    })
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self, count: usize) -> Option<i32> {
        let mut value = 0;
        for _ in 0..count {
            let digit = self.peek().filter(u8::is_ascii_digit)?;
            value = value * 10 + i32::from(digit - b'0');
            self.at += 1;
        }
        Some(value)
    }

    /// Digits after the point, as microseconds.
    fn fraction(&mut self) -> Option<i64> {
        let start = self.at;
        let (mut value, mut scale) = (0, 100_000);
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            value += i64::from(digit - b'0') * scale;
            scale /= 10;
            self.at += 1;
        }
        (self.at > start).then_some(value)
    }

    fn offset(&mut self) -> Option<i32> {
        let sign = match self.peek() {
            None => return Some(0),
            Some(b'Z' | b'z') => {
                self.at += 1;
                return Some(0);
            }
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) => return None,
        };
        self.at += 1;
        let hours = self.digits(2)?;
        self.eat(b':');
        let minutes = if self.peek().is_some() {
            self.digits(2)?
        } else {
            0
        };
        Some(sign * (hours * 3600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_times_are_read_and_written_as_elastalert_does() {
        for (text, expected) in [
            ("2018-04-06T05:07:14Z", "2018-04-06T05:07:14Z"),
            ("2018-04-06 05:07:14", "2018-04-06T05:07:14Z"),
            ("2018-04-06T05:07:14,5Z", "2018-04-06T05:07:14.500Z"),
            (
                "2018-04-06T05:07:14.1234567+00:00",
                "2018-04-06T05:07:14.123456Z",
            ),
            (
                "2018-04-06T05:07:14.25-05:00",
                "2018-04-06T05:07:14.250000-05:00",
            ),
            ("2018-04-06T05:07:14+0900", "2018-04-06T05:07:14+09:00"),
            ("20180406T050714Z", "2018-04-06T05:07:14Z"),
            ("2018-04-06", "2018-04-06T00:00:00Z"),
        ] {
            assert_eq!(parse_iso(text).unwrap().to_text(), expected, "{text}");
        }
        for text in [
            "",
            "2018",
            "2018-13-01",
            "2018-04-06T25:00:00Z",
            "yesterday",
            "2018-04-06T05:07:14 EST",
            "2018-04-06T05:07:14.Z",
        ] {
            assert_eq!(parse_iso(text), None, "{text}");
        }
    }

    #[test]
    fn durations_print_as_in_python() {
        assert_eq!(duration_text(Duration::from_secs(300)), "0:05:00");
        assert_eq!(duration_text(Duration::from_secs(93_600)), "1 day, 2:00:00");
        assert_eq!(duration_text(Duration::from_millis(1500)), "0:00:01.500000");
    }
}
