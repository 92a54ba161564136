//! Cron expressions (`aggregation: {schedule: …}`, `limit_execution`), five fields, in UTC.

use crate::event::{Timestamp, WallTime};
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::{CivilDateTime, CronDateTime, Resolution, Weekday};
use jiff::civil::DateTime;
use jiff::{SignedDuration, tz::Offset};
use std::cmp::Ordering;

/// A parsed cron expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule(Box<Cron>);

impl Schedule {
    /// Parses five fields: minute, hour, day of month, month, day of week.
    ///
    /// # Errors
    /// In words, what is wrong with the expression.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        parser
            .parse(text)
            .map(|cron| Self(Box::new(cron)))
            .map_err(|error| error.to_string())
    }

    /// Whether the expression names the minute of this time.
    pub fn names(&self, at: WallTime) -> bool {
        const MINUTE: i64 = 60_000_000;
        let minute = civil(WallTime(at.0 - at.0.rem_euclid(MINUTE)));
        self.0.is_time_matching(&Utc(minute)).unwrap_or(false)
    }

    /// The first time after `now` that the expression names; `None` when there is none.
    pub fn next_after(&self, now: WallTime) -> Option<WallTime> {
        let civil = civil(now);
        let Utc(next) = self.0.find_next_occurrence(&Utc(civil), false).ok()?;
        Some(WallTime(
            Offset::UTC.to_timestamp(next).ok()?.as_microsecond(),
        ))
    }
}

fn civil(at: WallTime) -> DateTime {
    Timestamp {
        micros: at.0,
        offset_seconds: 0,
    }
    .civil()
}

/// A date and time in UTC, for the cron library.
#[derive(Clone)]
struct Utc(DateTime);

impl CronDateTime for Utc {
    fn to_civil(&self) -> CivilDateTime {
        let part = |part: i8| u32::try_from(part).unwrap_or_default();
        let Self(at) = self;
        let civil = CivilDateTime::from_ymd_hms_opt(
            i32::from(at.year()),
            part(at.month()),
            part(at.day()),
            part(at.hour()),
            part(at.minute()),
            part(at.second()),
        );
        #[expect(clippy::expect_used, reason = "jiff keeps every part in range")]
        civil.expect("a date and time of jiff's is one of croner's")
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(
            u32::try_from(self.0.weekday().to_sunday_zero_offset()).unwrap_or_default(),
        )
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let part = |part: u32| i8::try_from(part).map_err(|_| CronError::InvalidDate);
        let year = i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?;
        let (month, day) = (part(civil.month())?, part(civil.day())?);
        let (hour, minute, second) = (
            part(civil.hour())?,
            part(civil.minute())?,
            part(civil.second())?,
        );
        let civil = DateTime::new(year, month, day, hour, minute, second, 0)
            .map_err(|_| CronError::InvalidDate)?;
        Ok(Resolution::Single(Self(civil)))
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0
            .checked_add(SignedDuration::from_secs(seconds))
            .ok()
            .map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::time::parse_iso;

    #[test]
    fn the_next_time_is_after_now() {
        let wall = |text: &str| WallTime(parse_iso(text).unwrap().micros);
        for (cron, now, expected) in [
            (
                "*/5 * * * *",
                "2026-03-02T00:05:00Z",
                "2026-03-02T00:10:00Z",
            ),
            (
                "*/5 * * * *",
                "2026-03-02T00:05:00.001Z",
                "2026-03-02T00:10:00Z",
            ),
            (
                "30 8 * * mon-fri",
                "2026-03-06T09:00:00Z",
                "2026-03-09T08:30:00Z",
            ),
            (
                "0 0 1 jan *",
                "2026-03-06T09:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
        ] {
            let next = Schedule::parse(cron)
                .unwrap()
                .next_after(wall(now))
                .unwrap();
            assert_eq!(next.to_text(), expected, "{cron} after {now}");
        }
        assert!(Schedule::parse("61 * * * *").is_err());
        assert!(Schedule::parse("* * * *").is_err());
    }

    #[test]
    fn a_minute_is_named_from_its_first_to_its_last_moment() {
        let names = |cron: &str, at: &str| {
            let at = WallTime(parse_iso(at).unwrap().micros);
            Schedule::parse(cron).unwrap().names(at)
        };
        assert!(names("3-6 * * * *", "2026-03-02T00:03:00Z"));
        assert!(names("3-6 * * * *", "2026-03-02T00:06:59.999999Z"));
        assert!(!names("3-6 * * * *", "2026-03-02T00:07:00Z"));
        assert!(!names("3-6 * * * *", "2026-03-02T00:02:59.999999Z"));
        assert!(names("* 8-17 * * mon-fri", "2026-03-02T12:00:30Z"));
        assert!(!names("* 8-17 * * mon-fri", "2026-03-01T12:00:30Z"));
        assert!(names("59 23 31 12 *", "1969-12-31T23:59:30Z"));
    }
}
