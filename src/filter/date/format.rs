//! Date formats by name or pattern, several joined by `||`, as the `format` of a mapping or a `range`.

use super::civil::Civil;
use super::pattern::{self, Element};
use super::zone::Zone;
use super::zone_form::ZoneForm;

/// The `format` of a date field or clause: the first alternative that fits a text reads it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::filter) struct DateFormat {
    alternatives: Vec<Alternative>,
}

#[derive(Debug, Clone, PartialEq)]
enum Alternative {
    EpochMillis,
    EpochSecond,
    Pattern(Vec<Element>),
}

impl DateFormat {
    /// Reads a format. The error says what is not known in it.
    pub(in crate::filter) fn parse(format: &str) -> Result<Self, String> {
        let mut alternatives = Vec::new();
        for part in format.split("||") {
            match part {
                "epoch_millis" => alternatives.push(Alternative::EpochMillis),
                "epoch_second" => alternatives.push(Alternative::EpochSecond),
                "" => return Err("a date format is empty".to_owned()),
                "strict_date_optional_time"
                | "strict_date_optional_time_nanos"
                | "iso8601"
                | "rfc3339_lenient" => {
                    alternatives.push(Alternative::Pattern(optional_time(true)));
                }
                "date_optional_time" => {
                    alternatives.push(Alternative::Pattern(optional_time(false)))
                }
                part => match named(part) {
                    None => alternatives.push(Alternative::Pattern(pattern::compile(part)?)),
                    Some(texts) => {
                        let digits = if part.ends_with("millis") && !part.starts_with("strict") {
                            3
                        } else {
                            9
                        };
                        let zone = if part == "date_time" {
                            ZoneForm::OFFSET
                        } else {
                            ZoneForm::NAMED
                        };
                        for text in texts {
                            let mut elements = if part.starts_with("date") {
                                lenient_year(&text)
                            } else {
                                pattern::compile(&text)?
                            };
                            widen(&mut elements, digits, zone);
                            alternatives.push(Alternative::Pattern(elements));
                        }
                    }
                },
            }
        }
        Ok(Self { alternatives })
    }

    /// The default of a date field: `strict_date_optional_time||epoch_millis`.
    pub(in crate::filter) fn default_field() -> Self {
        Self::parse("strict_date_optional_time||epoch_millis").unwrap_or(Self {
            alternatives: vec![Alternative::EpochMillis],
        })
    }

    /// The same with `epoch_millis` as a last resort: what dynamic mapping gives to a field found by another format.
    pub(in crate::filter) fn with_epoch_millis(mut self) -> Self {
        self.alternatives.push(Alternative::EpochMillis);
        self
    }

    /// Whether a text is a date in it.
    pub(in crate::filter) fn reads(&self, text: &str) -> bool {
        self.instant(text, false, &Zone::UTC).is_some()
    }

    /// The instant of a text in nanoseconds since 1970 UTC. Missing units become the first moment, or the last with `up`; `zone` serves texts
    /// without their own.
    pub(in crate::filter) fn instant(&self, text: &str, up: bool, zone: &Zone) -> Option<i128> {
        self.alternatives
            .iter()
            .find_map(|alternative| match alternative {
                // With a zone an epoch is taken as that zone's local time: odd, but so it is.
                Alternative::EpochMillis => epoch(text, 1_000_000, up)
                    .map(|nanos| zone.to_instant(Civil::from_nanos(nanos))),
                Alternative::EpochSecond => epoch(text, 1_000_000_000, up)
                    .map(|nanos| zone.to_instant(Civil::from_nanos(nanos))),
                Alternative::Pattern(elements) => {
                    let fields = pattern::read(elements, text)?;
                    let civil = fields.civil(up)?;
                    Some(fields.zone.as_ref().unwrap_or(zone).to_instant(civil))
                }
            })
    }
}

/// The last second of the last year that Java's `Instant` knows.
const LAST_SECOND: i128 = 31_556_889_864_403_199;

/// `-12.5` of a unit given in nanoseconds.
fn epoch(text: &str, unit: i128, up: bool) -> Option<i128> {
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, text),
    };
    let (whole, fraction) = match body.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (body, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 19 || !all_digits(whole) {
        return None;
    }
    let mut nanos = i128::from(whole.parse::<i64>().ok()?) * unit;
    if nanos / 1_000_000_000 > LAST_SECOND {
        return None;
    }
    // No more digits than nanoseconds have.
    let digits = if unit == 1_000_000 { 6 } else { 9 };
    match fraction {
        Some(fraction) => {
            if fraction.len() > digits || !all_digits(fraction) {
                return None;
            }
            let mut step = unit;
            for digit in fraction.bytes() {
                step /= 10;
                nanos += i128::from(digit - b'0') * step;
            }
        }
        None if up => nanos += unit - 1,
        None => {}
    }
    Some(if negative { -nanos } else { nanos })
}

/// A date down to any unit, a time behind whatever it is, and a zone after the hour at the earliest. Not strict, units may have one digit, a zone needs a
/// minute before it, and minutes may have fractions.
fn optional_time(strict: bool) -> Vec<Element> {
    use Element::{Fraction, Literal, Optional};
    let compile = |text: &str| pattern::compile(text).unwrap_or_default();
    let then = |mut head: Vec<Element>, inner: Vec<Element>| {
        head.push(Optional(inner));
        head
    };
    let fraction = |point| vec![Literal(point), Fraction { min: 1, max: 9 }];
    let [month, day, hour, minute, second] = if strict {
        ["-MM", "-dd", "HH", ":mm", ":ss"]
    } else {
        ["-M", "-d", "H", ":m", ":s"]
    };
    // UTC+0100 is a zone and an offset, of which the zone counts.
    let with_zone = |mut time: Vec<Element>| {
        time.push(Optional(vec![Element::Zone(ZoneForm::NAMED)]));
        time.push(Optional(compile("xx")));
        time
    };
    let with_fraction = |time| then(then(time, fraction('.')), fraction(','));
    let hour = if strict {
        let minute = then(compile(minute), with_fraction(compile(second)));
        with_zone(then(compile(hour), minute))
    } else {
        let minute = with_fraction(then(compile(minute), compile(second)));
        then(compile(hour), with_zone(minute))
    };
    let time = then(compile("'T'"), hour);
    let year = if strict {
        compile("uuuu")
    } else {
        lenient_year("u")
    };
    let mut date = then(year, then(compile(month), compile(day)));
    date.push(Optional(time));
    date
}

/// A pattern in which years written as `u` have up to five digits.
fn lenient_year(pattern: &str) -> Vec<Element> {
    let mut elements = pattern::compile(pattern).unwrap_or_default();
    for element in &mut elements {
        if let Element::Number {
            field: pattern::Field::PlainYear,
            max,
            ..
        } = element
        {
            *max = 5;
        }
    }
    elements
}

/// In formats with a name, fractions of a second have any number of digits up to so many, and zones stand for offsets as well.
fn widen(elements: &mut [Element], digits: usize, zone: ZoneForm) {
    for element in elements {
        match element {
            Element::Fraction { min, max } => (*min, *max) = (1, digits),
            Element::Zone(form) => *form = zone,
            Element::Optional(inner) => widen(inner, digits, zone),
            _ => {}
        }
    }
}

/// The patterns of a named format, best first.
fn named(name: &str) -> Option<Vec<String>> {
    let (strict, base) = match name.strip_prefix("strict_") {
        // Of the basic ones, only those with weeks have a strict kind.
        Some(base) if base.starts_with("basic_") && !base.starts_with("basic_week") => return None,
        Some(base) => (true, base),
        None => (false, name),
    };
    let pattern = match base {
        "basic_date" => "uuuuMMdd",
        "basic_date_time" => "uuuuMMdd'T'HHmmss.SSSX",
        "basic_date_time_no_millis" => "uuuuMMdd'T'HHmmssX",
        "basic_ordinal_date" => "uuuuDDD",
        "basic_ordinal_date_time" => "uuuuDDD'T'HHmmss.SSSX",
        "basic_ordinal_date_time_no_millis" => "uuuuDDD'T'HHmmssX",
        "basic_time" => "HHmmss.SSSX",
        "basic_time_no_millis" => "HHmmssX",
        "basic_t_time" => "'T'HHmmss.SSSX",
        "basic_t_time_no_millis" => "'T'HHmmssX",
        "basic_week_date" => "YYYY'W'wwe",
        "basic_week_date_time" => "YYYY'W'wwe'T'HHmmss.SSSX",
        "basic_week_date_time_no_millis" => "YYYY'W'wwe'T'HHmmssX",
        "date" if strict => "uuuu-MM-dd",
        "date" => "uuuu[-MM[-dd]]",
        "year_month_day" if strict => "uuuu[-MM[-dd]]",
        "year_month_day" => "uuuu-MM-dd",
        "date_hour" | "date_hour_minute" | "date_hour_minute_second" if strict => match base {
            "date_hour" => "uuuu-MM-dd'T'HH",
            "date_hour_minute" => "uuuu-MM-dd'T'HH:mm",
            _ => "uuuu-MM-dd'T'HH:mm:ss",
        },
        "date_hour" => "uuuu[-MM[-dd]]'T'HH",
        "date_hour_minute" => "uuuu[-MM[-dd]]'T'HH:mm",
        "date_hour_minute_second" => "uuuu[-MM[-dd]]'T'HH:mm:ss",
        "date_hour_minute_second_fraction" | "date_hour_minute_second_millis" => {
            "uuuu[-MM[-dd]]'T'HH:mm:ss.SSS"
        }
        "date_time" if strict => "uuuu[-MM[-dd]]'T'HH:mm:ss[.SSS]X",
        "date_time" => "uuuu[-MM[-dd]]'T'HH:mm[:ss.SSS]X",
        "date_time_no_millis" => "uuuu[-MM[-dd]]'T'HH:mm:ssX",
        "hour" => "HH",
        "hour_minute" => "HH:mm",
        "hour_minute_second" => "HH:mm:ss",
        "hour_minute_second_fraction" | "hour_minute_second_millis" => "HH:mm:ss.SSS",
        "ordinal_date" => "uuuu-DDD",
        "ordinal_date_time" => "uuuu-DDD'T'HH:mm[:ss.SSS]X",
        "ordinal_date_time_no_millis" => "uuuu-DDD'T'HH:mm:ssX",
        "time" => "HH:mm:ss.SSSX",
        "time_no_millis" => "HH:mm:ssX",
        "t_time" => "'T'HH:mm:ss.SSSX",
        "t_time_no_millis" => "'T'HH:mm:ssX",
        "week_date" => "YYYY-'W'ww-e",
        "week_date_time" => "YYYY-'W'ww-e'T'HH:mm:ss.SSSX",
        "week_date_time_no_millis" => "YYYY-'W'ww-e'T'HH:mm:ssX",
        // The server knows them and reads no date in them: a year of weeks has no first day there.
        "weekyear" | "week_year" | "weekyear_week" => return Some(Vec::new()),
        "weekyear_week_day" => "YYYY-'W'ww-e",
        "year" => "uuuu",
        "year_month" => "uuuu-MM",
        _ => return None,
    };
    // The lenient kind also takes single digits, and years without a sign.
    let pattern = if strict || base.starts_with("basic") || base.starts_with("ordinal") {
        pattern.to_owned()
    } else {
        pattern.replace("uuuu", "u")
    };
    let mut patterns = vec![pattern.clone()];
    if !strict && !base.starts_with("basic") {
        let lenient = pattern
            .replace("DDD", "D")
            .replace("-MM", "-M")
            .replace("-dd", "-d")
            .replace("HH", "H")
            .replace(":mm", ":m")
            .replace(":ss", ":s")
            .replace("ww", "w");
        if base == "date_time_no_millis" {
            patterns.push(lenient.replace(":s", "[:s]").replace("X", "[X]"));
        }
        patterns.push(lenient);
    }
    Some(patterns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: &str, text: &str, up: bool, expected: Option<i128>) {
        let format = DateFormat::parse(format).unwrap();
        let found = format.instant(text, up, &Zone::UTC);
        assert_eq!(
            found.map(|nanos| nanos.div_euclid(1_000_000)),
            expected,
            "{text}"
        );
    }

    #[test]
    fn optional_times() {
        let format = "strict_date_optional_time||epoch_millis";
        check(format, "2024-05-05", false, Some(1_714_867_200_000));
        check(format, "2024-05-05", true, Some(1_714_953_599_999));
        check(format, "2024-05", true, Some(1_714_607_999_999));
        check(format, "2024-05-05T10Z", false, Some(1_714_903_200_000));
        check(
            format,
            "2024-05-05T10:00+09:00",
            false,
            Some(1_714_870_800_000),
        );
        check(format, "1714867200000", false, Some(1_714_867_200_000));
        for bad in [
            "2024-5-5",
            "2024-02-30",
            "2024-01-01 00:00:00",
            "2024-01-01T24:00:00Z",
            "x",
            "",
        ] {
            check(format, bad, false, None);
        }
    }

    #[test]
    fn patterns() {
        check(
            "dd/MMM/yyyy:HH:mm:ss Z",
            "15/Jan/2024:10:30:00 +0000",
            false,
            Some(1_705_314_600_000),
        );
        check(
            "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd",
            "2024/05/05",
            false,
            Some(1_714_867_200_000),
        );
        check("yyyyMMdd", "20240505", false, Some(1_714_867_200_000));
        check("epoch_second", "1705314600", false, Some(1_705_314_600_000));
        assert!(DateFormat::parse("bogus!!").is_err());
    }

    /// What an OpenSearch took for dates.
    #[test]
    fn named_formats() {
        for (format, dates, others) in [
            (
                "date",
                "2024 2024-5 2024-05-05 24-5-5",
                "20240505 2024-05-05T10",
            ),
            ("strict_date", "2024-05-05", "2024-05 2024-5-5"),
            (
                "strict_year_month_day",
                "2024 2024-05 2024-05-05",
                "2024-5-5",
            ),
            (
                "date_time",
                "2024-05-05T10:00:00.1Z 2024-05-05T10:00:00.123456Z",
                "2024-05-05T10:00:00Z",
            ),
            (
                "strict_date_time",
                "2024-05-05T10:00:00Z 2024-05-05T10:00:00.123456789Z",
                "2024-05-05T10:00Z",
            ),
            (
                "date_time_no_millis",
                "2024-05-05T10:00 2024-05-05T1:2:3 2024-05-05T10:00:00Z",
                "2024-05-05T10:00:00.1Z",
            ),
            ("ordinal_date", "2024-126 2024-5", "2024"),
            (
                "ordinal_date_time",
                "2024-126T10:59Z 2024-126T10:59:59.1+01 2024-126T1:2Europe/Berlin",
                "2024-126T10:59 2024-126T10:59:59Z",
            ),
            (
                "date_time",
                "2024-05T10:59:59.1Z 2024T10:59Z 2024-05-05T10:59:59.1+01",
                "2024-05-05T10:59:59.1UTC 2024-05-05T10:59:59.1",
            ),
            (
                "strict_date_time",
                "2024-05T10:59:59Z 2024-05-05T10:59:59.1UTC",
                "2024-05T10:59Z 2024-5T10:59:59Z",
            ),
            ("date_hour", "2024-05T10 2024T1", "2024-05-05T10:00"),
            ("strict_date_hour", "2024-05-05T10", "2024-05T10"),
            (
                "basic_t_time",
                "T105959.1+01 T105959.1+0100 T105959.1+01:00 T105959.1Z",
                "T105959.1 T105959Z T105959.1+1",
            ),
            (
                "weekyear||weekyear_week||year_month",
                "2024-05",
                "2024 2024-W18",
            ),
            (
                "strict_date_optional_time",
                "2024T10 2024-05T10:00 +20245-01-01",
                "20245-01-01 2024-5-5",
            ),
            (
                "date_optional_time",
                "2024T1 20245 5-5-5T1:2 -2024-05-05 2024-05-05T10:59.5Z",
                "+20245-01-01 202456 2024-05-05T10Z",
            ),
            ("date", "99999-01-01 24-5-5", "+99999-01-01 120240505-05"),
            ("year_month", "120240505-05", "+12024-05"),
            (
                "epoch_millis",
                "-3 60.001001 9223372036854775807",
                "60.0010001 9223372036854775808",
            ),
            ("epoch_second", "1.123456789", "9223372036854775807"),
        ] {
            let format = DateFormat::parse(format).unwrap();
            assert!(dates.split(' ').all(|text| format.reads(text)), "{dates}");
            assert!(
                !others.split(' ').any(|text| format.reads(text)),
                "{others}"
            );
        }
    }
}
