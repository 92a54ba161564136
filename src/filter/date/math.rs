//! Date math: `now-1d/d`, `2024-05-05||+1M`.

use super::civil::{Civil, DAY, Ymd, monday};
use super::format::DateFormat;
use super::zone::Zone;

/// Which moment of a unit a date stands for when finer units are missing or rounded away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::filter) enum Rounding {
    /// The first.
    Down,
    /// The last millisecond.
    Up,
}

/// Why a text is no date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::filter) enum DateError {
    /// It does not follow the format.
    #[error("{text:?} is not a date in the format of the field")]
    Format {
        /// The text.
        text: String,
    },
    /// There is no text.
    #[error("an empty text is no date")]
    Empty,
    /// The part after `now` or `||` is wrong.
    #[error("date math {text:?}: {reason}")]
    Math {
        /// The date math.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// A date with date math, read once; only what is counted from `now` must wait.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::filter) enum DateExpression {
    /// Nanoseconds since 1970 UTC.
    Fixed(i128),
    /// Counted from `now`.
    FromNow(Math),
}

/// Steps of date math.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::filter) struct Math {
    steps: Vec<Step>,
    rounding: Rounding,
    zone: Zone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    kind: StepKind,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StepKind {
    Add(i64),
    Round,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

impl DateExpression {
    /// Reads a date or date math.
    pub(in crate::filter) fn parse(
        text: &str,
        format: &DateFormat,
        rounding: Rounding,
        zone: &Zone,
    ) -> Result<Self, DateError> {
        let read = |text: &str, up| {
            if text.is_empty() {
                return Err(DateError::Empty);
            }
            format
                .instant(text, up, zone)
                .ok_or_else(|| DateError::Format {
                    text: text.to_owned(),
                })
        };
        if let Some(math) = text.strip_prefix("now") {
            return Ok(Self::FromNow(Math::parse(math, rounding, zone)?));
        }
        let Some((date, math)) = text.split_once("||") else {
            return Ok(Self::Fixed(read(text, rounding == Rounding::Up)?));
        };
        let start = read(date, false)?;
        Ok(Self::Fixed(Math::parse(math, rounding, zone)?.apply(start)))
    }

    /// The instant in nanoseconds since 1970 UTC.
    pub(in crate::filter) fn resolve(&self, now: i128) -> i128 {
        match self {
            Self::Fixed(instant) => *instant,
            Self::FromNow(math) => math.apply(now.div_euclid(1_000_000) * 1_000_000),
        }
    }
}

impl Math {
    fn parse(text: &str, rounding: Rounding, zone: &Zone) -> Result<Self, DateError> {
        let error = |reason| DateError::Math {
            text: text.to_owned(),
            reason,
        };
        let mut steps = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(operator) = chars.next() {
            let sign = match operator {
                '/' => None,
                '+' => Some(1),
                '-' => Some(-1),
                _ => return Err(error("an operator is +, - or /")),
            };
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            let count: i64 = if digits.is_empty() {
                1
            } else {
                digits
                    .parse::<i32>()
                    .map_err(|_| error("the number is too large"))?
                    .into()
            };
            let kind = match sign {
                Some(sign) => StepKind::Add(sign * count),
                None if count == 1 => StepKind::Round,
                None => return Err(error("rounding takes a single unit")),
            };
            let unit = match chars.next() {
                Some('y') => Unit::Year,
                Some('M') => Unit::Month,
                Some('w') => Unit::Week,
                Some('d') => Unit::Day,
                Some('h' | 'H') => Unit::Hour,
                Some('m') => Unit::Minute,
                Some('s') => Unit::Second,
                Some(_) => return Err(error("a unit is one of y M w d h H m s")),
                None => return Err(error("a unit is missing at the end")),
            };
            steps.push(Step { kind, unit });
        }
        Ok(Self {
            steps,
            rounding,
            zone: zone.clone(),
        })
    }

    fn apply(&self, start: i128) -> i128 {
        let mut instant = start;
        for step in &self.steps {
            instant = match step.kind {
                StepKind::Add(count) => self.add(instant, step.unit, count),
                StepKind::Round => {
                    let floor = self.floor(instant, step.unit);
                    match self.rounding {
                        Rounding::Down => floor,
                        Rounding::Up => self.add(floor, step.unit, 1) - 1_000_000,
                    }
                }
            };
        }
        instant
    }

    fn add(&self, instant: i128, unit: Unit, count: i64) -> i128 {
        let nanos = match unit {
            Unit::Hour => 3_600_000_000_000,
            Unit::Minute => 60_000_000_000,
            Unit::Second => 1_000_000_000,
            Unit::Year | Unit::Month | Unit::Week | Unit::Day => {
                let civil = self.zone.to_civil(instant);
                let date = Ymd::from_day(civil.day);
                let day = match unit {
                    Unit::Year => date.plus_months(count.saturating_mul(12)).to_day(),
                    Unit::Month => date.plus_months(count).to_day(),
                    Unit::Week => civil.day.saturating_add(count.saturating_mul(7)),
                    _ => civil.day.saturating_add(count),
                };
                return self.zone.to_instant(Civil { day, ..civil });
            }
        };
        instant + nanos * i128::from(count)
    }

    fn floor(&self, instant: i128, unit: Unit) -> i128 {
        let civil = self.zone.to_civil(instant);
        let date = Ymd::from_day(civil.day);
        let within = |nanos: i128| Civil {
            nanos: civil.nanos - civil.nanos.rem_euclid(nanos),
            ..civil
        };
        let midnight = |day| Civil { day, nanos: 0 };
        let floor = match unit {
            Unit::Year => midnight(
                Ymd {
                    month: 1,
                    day: 1,
                    ..date
                }
                .to_day(),
            ),
            Unit::Month => midnight(Ymd { day: 1, ..date }.to_day()),
            Unit::Week => midnight(monday(civil.day)),
            Unit::Day => within(DAY),
            Unit::Hour => within(3_600_000_000_000),
            Unit::Minute => within(60_000_000_000),
            Unit::Second => within(1_000_000_000),
        };
        self.zone.to_instant(floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, rounding: Rounding, expected: &str) {
        let format = DateFormat::default_field();
        let read = |text: &str, rounding| {
            DateExpression::parse(text, &format, rounding, &Zone::UTC)
                .unwrap()
                .resolve(1_714_903_200_123_000_000)
        };
        assert_eq!(
            read(text, rounding),
            read(expected, Rounding::Down),
            "{text}"
        );
    }

    #[test]
    fn date_math() {
        use Rounding::{Down, Up};
        check("now", Down, "2024-05-05T10:00:00.123");
        check("now-1d/d", Down, "2024-05-04");
        check("now/d", Up, "2024-05-05T23:59:59.999");
        check("now/w", Down, "2024-04-29");
        check("2024-01-31||+1M", Down, "2024-02-29");
        check("2024-05||/M", Up, "2024-05-31T23:59:59.999");
        check("2024-05-05||+1d-2h", Down, "2024-05-05T22:00");
        for bad in ["now-1D", "now-", "now||", "2024-01-01||/2d", "nowx", ""] {
            let format = DateFormat::default_field();
            assert!(
                DateExpression::parse(bad, &format, Down, &Zone::UTC).is_err(),
                "{bad}"
            );
        }
    }
}
