//! Time zones as Java's `ZoneId.of` reads them.

use super::civil::Civil;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A time zone.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::filter) enum Zone {
    /// A fixed offset, east positive, in seconds.
    Fixed(i32),
    /// A zone of the time-zone database.
    Named(TimeZone),
}

impl Zone {
    pub(in crate::filter) const UTC: Self = Self::Fixed(0);

    /// Reads `Z`, `+09:00`, `-0530`, `UTC+2`, `Europe/Berlin`; `None` when there is no such zone.
    pub(in crate::filter) fn parse(text: &str) -> Option<Self> {
        if text == "Z" {
            return Some(Self::UTC);
        }
        if text.starts_with(['+', '-']) {
            return offset(text).map(Self::Fixed);
        }
        for prefix in ["UTC", "GMT", "UT"] {
            match text.strip_prefix(prefix) {
                Some("") => return Some(Self::UTC),
                Some(rest) if rest.starts_with(['+', '-']) => return offset(rest).map(Self::Fixed),
                _ => {}
            }
        }
        let zone = TimeZone::get(text).ok()?;
        // Zone names are case-sensitive in Java, not in the database reader.
        (zone.iana_name() == Some(text)).then_some(Self::Named(zone))
    }

    /// The instant, in nanoseconds since 1970 UTC, at which this zone's clocks show `civil`. In a gap the time after it, in an overlap the
    /// earlier.
    pub(super) fn to_instant(&self, civil: Civil) -> i128 {
        let local = civil.to_nanos();
        match self {
            Self::Fixed(seconds) => local - nanos(*seconds),
            Self::Named(zone) => {
                let Some(datetime) = datetime(civil) else {
                    return local - nanos(self.offset_at(local));
                };
                zone.to_ambiguous_timestamp(datetime)
                    .compatible()
                    .map_or(local, Timestamp::as_nanosecond)
            }
        }
    }

    /// What this zone's clocks show at an instant.
    pub(super) fn to_civil(&self, instant: i128) -> Civil {
        Civil::from_nanos(instant + nanos(self.offset_at(instant)))
    }

    fn offset_at(&self, instant: i128) -> i32 {
        match self {
            Self::Fixed(seconds) => *seconds,
            Self::Named(zone) => {
                let clamped = instant.clamp(
                    Timestamp::MIN.as_nanosecond(),
                    Timestamp::MAX.as_nanosecond(),
                );
                Timestamp::from_nanosecond(clamped)
                    .map_or(0, |timestamp| zone.to_offset(timestamp).seconds())
            }
        }
    }
}

fn nanos(seconds: i32) -> i128 {
    i128::from(seconds) * 1_000_000_000
}

fn datetime(civil: Civil) -> Option<DateTime> {
    let epoch = jiff::civil::date(1970, 1, 1).to_datetime(jiff::civil::Time::midnight());
    // One after the other: a span has one sign for all of its units.
    let days = jiff::Span::new().try_days(civil.day).ok()?;
    let nanos = i64::try_from(civil.nanos).ok()?;
    let nanos = jiff::Span::new().try_nanoseconds(nanos).ok()?;
    epoch.checked_add(days).ok()?.checked_add(nanos).ok()
}

/// `+h`, `+hh`, `+hh:mm`, `+hhmm`, `+hh:mm:ss`, `+hhmmss` in seconds; at most 18 hours.
fn offset(text: &str) -> Option<i32> {
    let negative = text.starts_with('-');
    let body = text.get(1..)?;
    let two = |part: &str| -> Option<i32> {
        let fits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| part.parse().ok()).flatten()
    };
    let (hours, minutes, seconds) = match body.len() {
        1 => (
            body.parse().ok().filter(|_| body != "+" && body != "-")?,
            0,
            0,
        ),
        2 => (two(body)?, 0, 0),
        4 => (two(body.get(..2)?)?, two(body.get(2..)?)?, 0),
        5 if body.get(2..3) == Some(":") => (two(body.get(..2)?)?, two(body.get(3..)?)?, 0),
        6 => (
            two(body.get(..2)?)?,
            two(body.get(2..4)?)?,
            two(body.get(4..)?)?,
        ),
        8 if body.get(2..3) == Some(":") && body.get(5..6) == Some(":") => (
            two(body.get(..2)?)?,
            two(body.get(3..5)?)?,
            two(body.get(6..)?)?,
        ),
        _ => return None,
    };
    let total = hours * 3600 + minutes * 60 + seconds;
    (minutes < 60 && seconds < 60 && total <= 18 * 3600).then_some(if negative {
        -total
    } else {
        total
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_1970() {
        let zone = Zone::parse("America/New_York").unwrap();
        for instant in [-5_000_000, -1, 5_000_000] {
            let shown = zone.to_instant(Civil::from_nanos(instant));
            assert_eq!(shown, instant + 5 * 3_600_000_000_000, "{instant}");
        }
    }

    #[test]
    fn zones() {
        for (text, expected) in [
            ("Z", Some(Zone::UTC)),
            ("+09:00", Some(Zone::Fixed(32_400))),
            ("-0530", Some(Zone::Fixed(-19_800))),
            ("+9", Some(Zone::Fixed(32_400))),
            ("UTC+2", Some(Zone::Fixed(7200))),
            ("+19:00", None),
            ("Mars/Olympus", None),
            ("", None),
        ] {
            assert_eq!(Zone::parse(text), expected, "{text}");
        }
    }
}
