//! Calendar arithmetic over the proleptic Gregorian calendar, for years far beyond four digits.

/// Nanoseconds of a day.
pub(super) const DAY: i128 = 86_400_000_000_000;

/// A date and time on some clock: days since 1970-01-01 and nanoseconds since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) day: i64,
    pub(super) nanos: i128,
}

/// A calendar date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ymd {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
}

impl Civil {
    /// From nanoseconds since 1970 on the same clock.
    pub(super) fn from_nanos(nanos: i128) -> Self {
        Self {
            day: i64::try_from(nanos.div_euclid(DAY)).unwrap_or(i64::MAX / 2),
            nanos: nanos.rem_euclid(DAY),
        }
    }

    pub(super) fn to_nanos(self) -> i128 {
        i128::from(self.day) * DAY + self.nanos
    }
}

impl Ymd {
    /// The date if there is such a day.
    pub(super) fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let exists = (1..=12).contains(&month) && (1..=month_length(year, month)).contains(&day);
        (exists && year.abs() <= 999_999_999).then_some(Self { year, month, day })
    }

    /// Days since 1970-01-01.
    pub(super) fn to_day(self) -> i64 {
        let year = if self.month <= 2 {
            self.year - 1
        } else {
            self.year
        };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month = (self.month + 9) % 12;
        let day_of_year = (153 * month + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    pub(super) fn from_day(day: i64) -> Self {
        let shifted = day.saturating_add(719_468);
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year, month, day }
    }

    /// Moved by months; the day is clipped to the month's length.
    pub(super) fn plus_months(self, months: i64) -> Self {
        let total = self
            .year
            .saturating_mul(12)
            .saturating_add(self.month - 1)
            .saturating_add(months);
        let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
        Self {
            year,
            month,
            day: self.day.min(month_length(year, month)),
        }
    }
}

/// Days of a month.
pub(super) fn month_length(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.rem_euclid(4) == 0
            && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) =>
        {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// The Monday on which a week-based year begins (ISO 8601: the week of January 4th).
pub(super) fn first_week(year: i64) -> i64 {
    let fourth = Ymd {
        year,
        month: 1,
        day: 4,
    }
    .to_day();
    monday(fourth)
}

/// The Monday of a day's week.
pub(super) fn monday(day: i64) -> i64 {
    // 1970-01-01 was a Thursday.
    day - (day + 3).rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree() {
        for day in (-800_000..800_000).step_by(97) {
            assert_eq!(Ymd::from_day(day).to_day(), day);
        }
        assert_eq!(Ymd::new(1970, 1, 1).unwrap().to_day(), 0);
        assert_eq!(Ymd::new(2024, 2, 29).unwrap().to_day(), 19_782);
        assert_eq!(Ymd::new(2023, 2, 29), None);
        let jan = Ymd::new(2024, 1, 31).unwrap();
        assert_eq!(jan.plus_months(1), Ymd::new(2024, 2, 29).unwrap());
        assert_eq!(jan.plus_months(-2), Ymd::new(2023, 11, 30).unwrap());
        assert_eq!(
            Ymd::from_day(first_week(2024)),
            Ymd::new(2024, 1, 1).unwrap()
        );
    }
}
