//! Date patterns in the letters of Java's `DateTimeFormatter`, and reading texts by them.

use super::civil::{Civil, Ymd, first_week, month_length};
use super::zone::Zone;
use super::zone_form::ZoneForm;

/// One piece of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Element {
    Number {
        field: Field,
        min: usize,
        max: usize,
    },
    /// Digits after the point of a second.
    Fraction {
        min: usize,
        max: usize,
    },
    Literal(char),
    Month {
        long: bool,
    },
    Weekday {
        long: bool,
    },
    AmPm,
    Zone(ZoneForm),
    Optional(Vec<Element>),
}

/// What a number in a pattern means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// Of more than four digits only with a sign.
    Year,
    /// Of any number of digits, without a plus.
    PlainYear,
    Month,
    Day,
    DayOfYear,
    WeekYear,
    Week,
    Weekday,
    Hour,
    HalfHour,
    Minute,
    Second,
    MilliOfDay,
}

/// What was read so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    week_year: Option<i64>,
    week: Option<i64>,
    weekday: Option<i64>,
    hour: Option<i64>,
    half_hour: Option<i64>,
    pm: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    nanos: Option<i64>,
    milli_of_day: Option<i64>,
    pub(super) zone: Option<Zone>,
}

/// How deep `[…]` may nest in a pattern.
const MAX_DEPTH: usize = 16;

/// Reads a pattern. The error says which letter is not known.
pub(super) fn compile(pattern: &str) -> Result<Vec<Element>, String> {
    let mut stack: Vec<Vec<Element>> = vec![Vec::new()];
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let mut count = 1;
        if c.is_ascii_alphabetic() {
            while chars.next_if_eq(&c).is_some() {
                count += 1;
            }
        }
        let mut here = Vec::new();
        match c {
            '\'' if chars.next_if_eq(&'\'').is_some() => here.push(Element::Literal('\'')),
            '\'' => loop {
                match chars.next() {
                    Some('\'') if chars.next_if_eq(&'\'').is_none() => break,
                    Some(c) => here.push(Element::Literal(c)),
                    None => return Err("a quote is not closed".to_owned()),
                }
            },
            '[' if stack.len() > MAX_DEPTH => return Err("too many brackets".to_owned()),
            '[' => stack.push(Vec::new()),
            ']' if stack.len() < 2 => {
                return Err("a bracket is closed that was not opened".to_owned());
            }
            ']' => here.extend(stack.pop().map(Element::Optional)),
            '{' | '}' | '#' => return Err(format!("{c:?} is reserved")),
            c if c.is_ascii_alphabetic() => here.push(letters(c, count)?),
            c => here.push(Element::Literal(c)),
        }
        if let Some(top) = stack.last_mut() {
            top.extend(here);
        }
    }
    // An optional part left open reaches to the end.
    while stack.len() > 1 {
        let inner = stack.pop().unwrap_or_default();
        if let Some(top) = stack.last_mut() {
            top.push(Element::Optional(inner));
        }
    }
    Ok(fix_widths(stack.pop().unwrap_or_default()))
}

/// Numbers that touch share their digits: all but the first have their own width only.
fn fix_widths(mut elements: Vec<Element>) -> Vec<Element> {
    let next_is_number: Vec<bool> = elements
        .iter()
        .skip(1)
        .map(|next| matches!(next, Element::Number { .. } | Element::Fraction { .. }))
        .collect();
    for (element, touches) in elements.iter_mut().zip(next_is_number) {
        if let Element::Number { min, max, .. } = element
            && touches
        {
            *max = *min;
        }
    }
    elements
}

fn letters(letter: char, count: usize) -> Result<Element, String> {
    let number = |field, min, max| Ok(Element::Number { field, min, max });
    let wide = |field| number(field, count, if count == 1 { 19 } else { count });
    match letter {
        'y' | 'u' if count == 2 => Err("years of two digits are not supported".to_owned()),
        'y' | 'u' if count == 1 => number(Field::PlainYear, 1, 19),
        'y' | 'u' => number(Field::Year, count, 10),
        'Y' => number(Field::WeekYear, count, 10),
        'M' | 'L' if count <= 2 => wide(Field::Month),
        'M' | 'L' => Ok(Element::Month { long: count > 3 }),
        'd' => wide(Field::Day),
        'D' => number(Field::DayOfYear, count, 3),
        'w' => wide(Field::Week),
        'e' if count <= 2 => wide(Field::Weekday),
        'E' => Ok(Element::Weekday { long: count > 3 }),
        'H' | 'k' => wide(Field::Hour),
        'h' | 'K' => wide(Field::HalfHour),
        'm' => wide(Field::Minute),
        's' => wide(Field::Second),
        'S' => Ok(Element::Fraction {
            min: count,
            max: count,
        }),
        'A' => number(Field::MilliOfDay, count, 19),
        'a' => Ok(Element::AmPm),
        'X' | 'x' | 'Z' | 'O' | 'z' | 'V' => ZoneForm::of_letters(letter, count)
            .map(Element::Zone)
            .ok_or_else(|| format!("{count} of the pattern letter {letter:?} stand for nothing")),
        other => Err(format!("the pattern letter {other:?} is not known")),
    }
}

/// Reads a whole text; `None` when it does not follow the pattern.
pub(super) fn read(elements: &[Element], text: &str) -> Option<Fields> {
    let mut fields = Fields::default();
    let rest = read_some(elements, text, &mut fields)?;
    rest.is_empty().then_some(fields)
}

fn read_some<'t>(elements: &[Element], mut text: &'t str, fields: &mut Fields) -> Option<&'t str> {
    for element in elements {
        text = match element {
            Element::Optional(inner) => {
                let mut attempt = fields.clone();
                match read_some(inner, text, &mut attempt) {
                    Some(rest) => {
                        *fields = attempt;
                        rest
                    }
                    None => text,
                }
            }
            Element::Literal(c) => text.strip_prefix(*c)?,
            Element::Number { field, min, max } => read_number(*field, *min, *max, text, fields)?,
            Element::Fraction { min, max } => {
                let (digits, rest) = digits(text, *max);
                if digits.len() < *min {
                    return None;
                }
                let scale =
                    10_i64.checked_pow(u32::try_from(9_usize.checked_sub(digits.len())?).ok()?)?;
                fields.nanos = Some(digits.parse::<i64>().ok()? * scale);
                rest
            }
            Element::Month { long } => {
                let (at, rest) = name(&MONTHS, *long, text)?;
                fields.month = Some(at + 1);
                rest
            }
            Element::Weekday { long } => {
                let (at, rest) = name(&WEEKDAYS, *long, text)?;
                fields.weekday = Some(at + 1);
                rest
            }
            Element::AmPm => {
                let half = text.get(..2)?;
                fields.pm = Some(match half {
                    "AM" => false,
                    "PM" => true,
                    _ => return None,
                });
                text.get(2..)?
            }
            Element::Zone(form) => {
                let (zone, rest) = form.read(text)?;
                fields.zone.get_or_insert(zone);
                rest
            }
        };
    }
    Some(text)
}

fn digits(text: &str, max: usize) -> (&str, &str) {
    let count = text
        .bytes()
        .take(max)
        .take_while(u8::is_ascii_digit)
        .count();
    text.split_at_checked(count).unwrap_or(("", text))
}

fn read_number<'t>(
    field: Field,
    min: usize,
    max: usize,
    text: &'t str,
    fields: &mut Fields,
) -> Option<&'t str> {
    let is_year = matches!(field, Field::Year | Field::WeekYear);
    let (sign, body) = match text.as_bytes().first()? {
        b'-' if is_year || field == Field::PlainYear => (-1, text.get(1..)?),
        b'+' if is_year => (1, text.get(1..)?),
        _ => (1, text),
    };
    let (found, rest) = digits(body, max);
    // A plus is for years longer than their width, and those need a sign.
    let is_long = found.len() > min.max(4);
    let sign_fits = !is_year || text.starts_with('-') || is_long == text.starts_with('+');
    if found.len() < min || !sign_fits {
        return None;
    }
    let value = sign * found.parse::<i64>().ok()?;
    let slot = match field {
        Field::Year | Field::PlainYear => &mut fields.year,
        Field::Month => &mut fields.month,
        Field::Day => &mut fields.day,
        Field::DayOfYear => &mut fields.day_of_year,
        Field::WeekYear => &mut fields.week_year,
        Field::Week => &mut fields.week,
        Field::Weekday => &mut fields.weekday,
        Field::Hour => &mut fields.hour,
        Field::HalfHour => &mut fields.half_hour,
        Field::Minute => &mut fields.minute,
        Field::Second => &mut fields.second,
        Field::MilliOfDay => &mut fields.milli_of_day,
    };
    *slot = Some(value);
    Some(rest)
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

fn name<'t>(names: &[&str], long: bool, text: &'t str) -> Option<(i64, &'t str)> {
    names.iter().zip(0..).find_map(|(name, at)| {
        let name = if long { name } else { name.get(..3)? };
        Some((at, text.strip_prefix(name)?))
    })
}

impl Fields {
    /// The date and time on the clock it was written for; what is missing becomes the first or the last moment.
    pub(super) fn civil(&self, up: bool) -> Option<Civil> {
        let day = if let Some(day_of_year) = self.day_of_year {
            let first = Ymd::new(self.year?, 1, 1)?.to_day();
            let last = Ymd::new(self.year?, 12, 31)?.to_day();
            let day = first + day_of_year - 1;
            (first..=last).contains(&day).then_some(day)?
        } else if let Some(year) = self.week_year {
            let week = self.week.unwrap_or(1);
            let weekday = self.weekday.unwrap_or(1);
            let day = first_week(year) + (week - 1) * 7 + weekday - 1;
            let valid = (1..=7).contains(&weekday)
                && week >= 1
                && first_week(year) + (week - 1) * 7 < first_week(year + 1);
            valid.then_some(day)?
        } else {
            let (year, month) = (self.year.unwrap_or(1970), self.month.unwrap_or(1));
            let mut day = self.day.unwrap_or(1);
            // Elasticsearch's rounding parser is the lenient one: the 31st of a shorter month is its last day.
            if up && (1..=12).contains(&month) && (1..=31).contains(&day) {
                day = day.min(month_length(year, month));
            }
            Ymd::new(year, month, day)?.to_day()
        };
        if let Some(millis) = self.milli_of_day {
            let valid = (0..86_400_000).contains(&millis);
            return valid.then_some(Civil {
                day,
                nanos: i128::from(millis) * 1_000_000,
            });
        }
        let hour = match (self.hour, self.half_hour) {
            (Some(hour), _) => Some(hour),
            (None, Some(half)) => Some(half % 12 + if self.pm? { 12 } else { 0 }),
            (None, None) => None,
        };
        let fill = |value: Option<i64>, last: i64| value.unwrap_or(if up { last } else { 0 });
        let (hour, minute, second) = (fill(hour, 23), fill(self.minute, 59), fill(self.second, 59));
        let nanos = fill(self.nanos, 999_999_999);
        let valid =
            (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
        valid.then_some(Civil {
            day,
            nanos: i128::from(hour * 3600 + minute * 60 + second) * 1_000_000_000
                + i128::from(nanos),
        })
    }
}
