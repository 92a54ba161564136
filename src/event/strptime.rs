//! Python's `datetime.strptime`: the times of `timestamp_type: custom`.

use super::Timestamp;
use jiff::civil::{Date, ISOWeekDate, Weekday, date};
use regex::{Captures, Regex};

/// A compiled `strptime` pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// Monday first.
pub(super) const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
/// January first.
pub(super) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// What a directive's letter stands for in the text, as a group of a regular expression named by the letter. The alternatives and their
/// order are Python's, since the first that fits wins.
fn directive(letter: char) -> Option<String> {
    let names = |names: &[&str], length: usize| {
        let names: Vec<&str> = names
            .iter()
            .map(|name| name.get(..length).unwrap_or(name))
            .collect();
        names.join("|")
    };
    let body = match letter {
        'd' => "3[01]|[12][0-9]|0[1-9]|[1-9]| [1-9]".to_owned(),
        'f' => "[0-9]{1,6}".to_owned(),
        'H' => "2[0-3]|[01][0-9]|[0-9]".to_owned(),
        'I' => "1[0-2]|0[1-9]|[1-9]".to_owned(),
        'G' | 'Y' => "[0-9]{4}".to_owned(),
        'j' => "36[0-6]|3[0-5][0-9]|[12][0-9][0-9]|0[1-9][0-9]|00[1-9]|[1-9][0-9]|0[1-9]|[1-9]"
            .to_owned(),
        'm' => "1[0-2]|0[1-9]|[1-9]".to_owned(),
        'M' => "[0-5][0-9]|[0-9]".to_owned(),
        'S' => "6[01]|[0-5][0-9]|[0-9]".to_owned(),
        'U' | 'W' => "5[0-3]|[0-4][0-9]|[0-9]".to_owned(),
        'w' => "[0-6]".to_owned(),
        'u' => "[1-7]".to_owned(),
        'V' => "5[0-3]|0[1-9]|[1-4][0-9]|[0-9]".to_owned(),
        'y' => "[0-9]{2}".to_owned(),
        'z' => r"[+-][0-9]{2}:?[0-5][0-9](?::?[0-5][0-9](?:\.[0-9]{1,6})?)?|(?-i:Z)".to_owned(),
        'Z' => "utc|gmt".to_owned(),
        'A' => names(&WEEKDAYS, usize::MAX),
        'a' => names(&WEEKDAYS, 3),
        'B' => names(&MONTHS, usize::MAX),
        'b' => names(&MONTHS, 3),
        'p' => "am|pm".to_owned(),
        _ => return None,
    };
    Some(format!("(?P<{letter}>{body})"))
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// In words, the directive that is unknown or used twice.
    pub fn new(text: &str) -> Result<Self, String> {
        let expanded = text
            .replace("%c", "%a %b %d %H:%M:%S %Y")
            .replace("%x", "%m/%d/%y")
            .replace("%X", "%H:%M:%S");
        let mut source = "(?i)^".to_owned();
        let mut used = String::new();
        let mut letters = expanded.chars().peekable();
        while let Some(c) = letters.next() {
            if c.is_whitespace() {
                while letters.next_if(|c| c.is_whitespace()).is_some() {}
                source.push_str(r"\s+");
            } else if c != '%' {
                source.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
            } else {
                match letters.next() {
                    Some('%') => source.push('%'),
                    Some(letter) if used.contains(letter) => {
                        return Err(format!("%{letter} appears twice in the time pattern"));
                    }
                    Some(letter) => {
                        let group = directive(letter);
                        let unknown = || format!("%{letter} in the time pattern is unknown");
                        source.push_str(&group.ok_or_else(unknown)?);
                        used.push(letter);
                    }
                    None => return Err("the time pattern ends with %".to_owned()),
                }
            }
        }
        let regex = Regex::new(&source).map_err(|error| error.to_string())?;
        let text = text.to_owned();
        Ok(Self { text, regex })
    }

    /// Reads a text; without a zone it is UTC. `None`: it does not fit, or there is no such time.
    pub fn read(&self, text: &str) -> Option<Timestamp> {
        let found = self.regex.captures(text)?;
        if found.get(0)?.end() != text.len() {
            return None;
        }
        let date = read_date(&found)?;
        let number = |letter| number(&found, letter);
        let mut hour = number("H").unwrap_or(0);
        if let Some(twelfth) = number("I") {
            let afternoon = found
                .name("p")
                .is_some_and(|p| p.as_str().eq_ignore_ascii_case("pm"));
            hour = twelfth % 12 + if afternoon { 12 } else { 0 };
        }
        // Python takes 60 and 61 for leap seconds at first, and then finds that there is no such time.
        let second = number("S").unwrap_or(0);
        if second > 59 {
            return None;
        }
        let micros = found
            .name("f")
            .map_or(0, |digits| fraction(digits.as_str()));
        let offset_seconds = found
            .name("z")
            .map_or(Some(0), |zone| offset(zone.as_str()))?;
        let days = date
            .duration_since(jiff::civil::date(1970, 1, 1))
            .as_hours()
            / 24;
        let seconds = days * 86_400 + hour * 3600 + number("M").unwrap_or(0) * 60 + second;
        Some(Timestamp {
            micros: (seconds - i64::from(offset_seconds)) * 1_000_000 + micros,
            offset_seconds,
        })
    }
}

fn number(found: &Captures<'_>, letter: &str) -> Option<i64> {
    found.name(letter)?.as_str().trim_start().parse().ok()
}

fn small<T: TryFrom<i64>>(value: i64) -> Option<T> {
    T::try_from(value).ok()
}

/// The place of a name, by its first three letters.
fn name_place(found: &Captures<'_>, letters: [&str; 2], names: &[&str]) -> Option<i64> {
    let name = letters.iter().find_map(|letter| found.name(letter))?;
    let name = name.as_str().to_lowercase();
    let place = names
        .iter()
        .position(|full| full.get(..3) == name.get(..3))?;
    i64::try_from(place).ok()
}

/// The date, from whichever directives give one; the year is 1900 and month and day 1 where nothing else is said.
fn read_date(found: &Captures<'_>) -> Option<Date> {
    let number = |letter| number(found, letter);
    let short_year = number("y").map(|year| if year <= 68 { 2000 + year } else { 1900 + year });
    let year = number("Y").or(short_year);
    // Monday is 0.
    let weekday = name_place(found, ["A", "a"], &WEEKDAYS)
        .or(number("w").map(|day| (day + 6) % 7))
        .or(number("u").map(|day| day - 1));
    if let (Some(iso_year), Some(week)) = (number("G"), number("V")) {
        let weekday = Weekday::from_monday_zero_offset(small(weekday?)?).ok()?;
        return Some(
            ISOWeekDate::new(small(iso_year)?, small(week)?, weekday)
                .ok()?
                .date(),
        );
    }
    let year: i16 = small(year.unwrap_or(1900))?;
    let first = date(year, 1, 1);
    let plus_days = |days: i64| {
        first
            .checked_add(jiff::Span::new().try_days(days).ok()?)
            .ok()
    };
    if let Some(day_of_year) = number("j") {
        return plus_days(day_of_year - 1);
    }
    if let (Some(week), Some(weekday)) = (number("U").or(number("W")), weekday) {
        let sunday_first = found.name("U").is_some();
        let shift = i64::from(sunday_first);
        let first_weekday = (i64::from(first.weekday().to_monday_zero_offset()) + shift) % 7;
        let weekday = (weekday + shift) % 7;
        let week_zero = (7 - first_weekday) % 7;
        return plus_days(week_zero + 7 * (week - 1) + weekday);
    }
    let month = name_place(found, ["B", "b"], &MONTHS)
        .map(|place| place + 1)
        .or(number("m"));
    Date::new(
        year,
        small(month.unwrap_or(1))?,
        small(number("d").unwrap_or(1))?,
    )
    .ok()
}

/// Up to six digits after the point, as microseconds.
fn fraction(digits: &str) -> i64 {
    format!("{digits:0<6}").parse().unwrap_or(0)
}

fn offset(zone: &str) -> Option<i32> {
    if zone == "Z" {
        return Some(0);
    }
    let digits: String = zone.chars().filter(char::is_ascii_digit).take(6).collect();
    let part = |at: usize| {
        digits
            .get(at..at + 2)
            .map_or(Some(0), |two| two.parse::<i32>().ok())
    };
    let seconds = part(0)? * 3600 + part(2)? * 60 + part(4)?;
    Some(if zone.starts_with('-') {
        -seconds
    } else {
        seconds
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: Option<&str>) {
        let read = Pattern::new(pattern)
            .unwrap()
            .read(text)
            .map(Timestamp::to_text);
        assert_eq!(read.as_deref(), expected, "{pattern} {text}");
    }

    #[test]
    fn texts_are_read_as_python_reads_them() {
        check(
            "%Y/%m/%d %H:%M:%S",
            "2026/03/02 00:00:01",
            Some("2026-03-02T00:00:01Z"),
        );
        check(
            "%Y/%m/%d %H:%M:%S",
            "2026/3/2   0:0:1",
            Some("2026-03-02T00:00:01Z"),
        );
        check(
            "%d/%b/%Y:%H:%M:%S %z",
            "02/mar/2026:13:00:00 +0100",
            Some("2026-03-02T13:00:00+01:00"),
        );
        check(
            "%B %d, %Y %I:%M %p",
            "March 2, 2026 12:05 AM",
            Some("2026-03-02T00:05:00Z"),
        );
        check(
            "%Y-%m-%dT%H:%M:%S.%fZ",
            "2026-03-02T00:00:00.5Z",
            Some("2026-03-02T00:00:00.500Z"),
        );
        check("%y%j", "26061", Some("2026-03-02T00:00:00Z"));
        check("%G-W%V-%u", "2026-W10-1", Some("2026-03-02T00:00:00Z"));
        check("%Y %W %a", "2026 09 Mon", Some("2026-03-02T00:00:00Z"));
        check("%Y %U %w", "2026 09 1", Some("2026-03-02T00:00:00Z"));
        check(
            "%c",
            "Mon Mar  2 00:00:00 2026",
            Some("2026-03-02T00:00:00Z"),
        );
        check(
            "%Y-%m-%d %Z",
            "2026-03-02 UTC",
            Some("2026-03-02T00:00:00Z"),
        );
        check("%H:%M", "00:01", Some("1900-01-01T00:01:00Z"));
    }

    #[test]
    fn what_does_not_fit_is_no_time() {
        check("%Y-%m-%d", "2026-03-02T00:00:00", None);
        check("%Y-%m-%d", "2026-02-30", None);
        check("%S", "60", None);
        check("%Y", "26", None);
        assert!(
            Pattern::new("%Q").is_err()
                && Pattern::new("%Y %Y").is_err()
                && Pattern::new("%").is_err()
        );
    }
}
