//! The span of time a run looks at: `--start`, `--end`, `--days`, else the rule's `timeframe`, else a day.

use super::Args;
use crate::event::time::parse_iso;
use crate::event::{EventTime, WallTime};
use crate::rule::Rule;
use jiff::tz::TimeZone;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// A span of time: later than `start`, not later than `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Range {
    pub(in crate::cli) start: WallTime,
    pub(in crate::cli) end: WallTime,
    asked_for: AskedFor,
}

/// What the arguments say of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AskedFor {
    Nothing,
    End,
    Start,
}

impl Range {
    /// What the arguments ask for.
    ///
    /// # Errors
    /// A time that is none.
    pub(super) fn new(args: &Args, now: WallTime) -> anyhow::Result<Self> {
        let end = args.end.as_deref().map_or(Ok(now), |end| time(end, now))?;
        let start = match (&args.start, args.days) {
            (Some(start), _) => time(start, now)?,
            (None, 0) => end.minus(DAY),
            (None, days) => end.minus(DAY * days),
        };
        Ok(Self {
            start,
            end,
            asked_for: if args.start.is_some() || args.days > 0 {
                AskedFor::Start
            } else if args.end.is_some() {
                AskedFor::End
            } else {
                AskedFor::Nothing
            },
        })
    }

    /// Whether some argument says what it is to be.
    pub(super) fn is_asked_for(self) -> bool {
        self.asked_for != AskedFor::Nothing
    }

    /// That of documents from elsewhere.
    pub(super) fn of_data(first: EventTime, last: EventTime) -> Self {
        Self {
            start: WallTime(first.0),
            end: WallTime(last.0).plus(Duration::from_secs(1)),
            asked_for: AskedFor::Nothing,
        }
    }

    /// Between two times.
    pub(in crate::cli) fn between(start: WallTime, end: WallTime) -> Self {
        Self {
            start,
            end,
            asked_for: AskedFor::Start,
        }
    }

    /// What a rule is run over: unless the arguments say how long, one with a `timeframe` needs a little more than that.
    pub(super) fn for_run(self, rule: &Rule) -> Self {
        match rule.properties().duration("timeframe") {
            Some(timeframe) if self.asked_for != AskedFor::Start => Self {
                start: self.end.minus(timeframe + timeframe / 100),
                ..self
            },
            _ => self,
        }
    }
}

/// A time of the command line: ISO 8601, or `NOW`.
///
/// # Errors
/// It is none.
pub(in crate::cli) fn time(text: &str, now: WallTime) -> anyhow::Result<WallTime> {
    if text == "NOW" {
        return Ok(now);
    }
    let time = parse_iso(text).ok_or_else(|| {
        anyhow::anyhow!(
            "Input is not a valid ISO8601 timestamp (YYYY-MM-DDTHH:MM:SS+XX:00): {text}"
        )
    })?;
    Ok(WallTime(time.micros))
}

/// A time as ElastAlert logs it.
pub(super) fn shown(time: WallTime, zone: &TimeZone) -> String {
    jiff::Timestamp::from_microsecond(time.0).map_or_else(
        |_| time.to_text(),
        |instant| {
            let local = instant.to_zoned_datetime(zone.clone());
            local.strftime("%Y-%m-%d %H:%M %Z").to_string()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_iso_or_now() {
        let now = WallTime(1_000_000);
        assert_eq!(time("NOW", now).unwrap(), now);
        assert_eq!(
            time("1970-01-01T00:00:02Z", now).unwrap(),
            WallTime(2_000_000)
        );
        assert!(time("yesterday", now).is_err());
    }

    #[test]
    fn times_are_shown_without_seconds() {
        let shown = shown(WallTime(1_523_000_834_000_000), &TimeZone::UTC);
        assert_eq!(shown, "2018-04-06 07:47 UTC");
    }
}
