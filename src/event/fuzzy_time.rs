//! Times in any wording that dateutil's `parse` reads: `Apr 6, 2018 5:07 PM`, `06/Apr/2018:05:07:14 +0000`, `2018/04/06 05:07:14`.
//!
//! The slow path behind [`super::time::parse_iso`]. A text is cut into numbers, words and signs; numbers beside colons are the time of
//! day, the others the date, whose order is decided as dateutil does: a four-digit or too large number first is the year, a first number over
//! 12 is the day, otherwise the month comes first. Unlike dateutil, a text without year, month and day is no time: it would have to be
//! completed from today's date.

#[cfg(test)]
mod tests;
mod token;

use super::Timestamp;
use super::strptime::{MONTHS, WEEKDAYS};
use jiff::civil::{Date, date};
use token::{Token, tokens};

/// Words that say nothing.
const FILLERS: [&str; 10] = ["at", "on", "and", "ad", "m", "t", "of", "st", "nd", "rd"];

/// Longest text looked at: no way of writing a time is longer.
const MAX_LENGTH: usize = 128;

/// Reads a time; without a zone it is UTC. `None`: it is none.
pub fn parse(text: &str) -> Option<Timestamp> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let tokens = tokens(text)?;
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
        found: Found::default(),
    };
    while reader.at < tokens.len() {
        reader.step()?;
    }
    reader.found.timestamp()
}

#[derive(Default)]
struct Found {
    /// Numbers of the date, in the order written, with their digits.
    date: Vec<(i64, usize)>,
    /// A month given by name, and how many numbers of the date came before it.
    month: Option<(i64, usize)>,
    hour: Option<i64>,
    minute: i64,
    second: i64,
    micros: i64,
    zone: Option<i32>,
    named_zone: bool,
}

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    found: Found,
}

impl<'a> Reader<'a> {
    fn peek(&self, ahead: usize) -> Option<&'a Token<'a>> {
        self.tokens.get(self.at + ahead)
    }

    fn sign(&self, ahead: usize) -> Option<char> {
        match self.peek(ahead)? {
            Token::Sign(c) => Some(*c),
            _ => None,
        }
    }

    fn step(&mut self) -> Option<()> {
        match self.peek(0)? {
            Token::Number(digits) => self.number(digits),
            Token::Decimal(whole, decimals) => self.decimal(whole, decimals),
            Token::Word(word) => {
                self.at += 1;
                self.word(word)
            }
            Token::Sign(sign @ ('+' | '-'))
                if self.found.hour.is_some() && self.found.zone.is_none() =>
            {
                self.at += 1;
                self.offset(if *sign == '+' { 1 } else { -1 })
            }
            Token::Sign('.' | ',' | ';' | '-' | '/' | '\'' | ':' | '(' | ')') | Token::Blank => {
                self.at += 1;
                Some(())
            }
            Token::Sign(_) => None,
        }
    }

    fn number(&mut self, digits: &str) -> Option<()> {
        let value: i64 = digits.parse().ok()?;
        self.at += 1;
        if self.sign(0) == Some(':')
            && self.found.hour.is_none()
            && digits.len() <= 2
            && matches!(self.peek(1), Some(Token::Number(_)))
        {
            return self.clock(value);
        }
        if let Some(hour) = self.half_day(value) {
            self.found.hour = Some(hour?);
            return Some(());
        }
        if let Some(Token::Word(unit)) = self.peek(0) {
            let unit = unit.as_str();
            let part = match (unit, self.found.hour) {
                ("h" | "hour" | "hours", None) => self.found.hour.insert(value),
                ("m" | "min" | "minute" | "minutes", Some(_)) => &mut self.found.minute,
                ("s" | "sec" | "second" | "seconds", Some(_)) => &mut self.found.second,
                _ => return self.bare_number(digits),
            };
            *part = value;
            self.at += 1;
            return Some(());
        }
        self.bare_number(digits)
    }

    /// A number with nothing beside it that says what it is.
    fn bare_number(&mut self, digits: &str) -> Option<()> {
        let complete = self.found.date.len() + usize::from(self.found.month.is_some()) >= 3;
        match digits.len() {
            // hhmm or hhmmss after a whole date.
            4 | 6 if complete && self.found.hour.is_none() && !self.is_joined() => {
                self.packed_clock(digits)
            }
            8 | 12 | 14 if self.found.date.is_empty() && self.found.month.is_none() => {
                let (day, clock) = digits.split_at(8);
                self.push(day.get(..4)?)?;
                self.push(day.get(4..6)?)?;
                self.push(day.get(6..)?)?;
                if clock.is_empty() {
                    Some(())
                } else {
                    self.packed_clock(clock)
                }
            }
            6 if self.found.date.is_empty() && self.found.month.is_none() => {
                for two in [digits.get(..2)?, digits.get(2..4)?, digits.get(4..)?] {
                    self.push(two)?;
                }
                Some(())
            }
            1..=4 if !complete => self.push(digits),
            _ => None,
        }
    }

    /// Whether a sign stands right before the number just read, as between the parts of a date.
    fn is_joined(&self) -> bool {
        let before = self.at.checked_sub(2).and_then(|at| self.tokens.get(at));
        matches!(before, Some(Token::Sign(_)))
    }

    /// A number with decimals: `hhmmss.ffffff` after a whole date, or the seconds after a clock with a unit.
    fn decimal(&mut self, whole: &str, decimals: &str) -> Option<()> {
        self.at += 1;
        if whole.len() == 14 && self.found.date.is_empty() {
            self.number_at(whole)?;
        } else if whole.len() == 6 && self.found.hour.is_none() && self.found.date.len() >= 2 {
            self.packed_clock(whole)?;
        } else {
            return None;
        }
        self.found.micros = micros(decimals)?;
        Some(())
    }

    fn number_at(&mut self, digits: &str) -> Option<()> {
        self.at -= 1;
        self.number(digits)
    }

    fn push(&mut self, digits: &str) -> Option<()> {
        self.found.date.push((digits.parse().ok()?, digits.len()));
        self.skip_dash();
        Some(())
    }

    /// A dash between two parts of a date is no sign of an offset.
    fn skip_dash(&mut self) {
        let before_part = matches!(self.peek(1), Some(Token::Number(_) | Token::Word(_)));
        self.at += usize::from(self.sign(0) == Some('-') && before_part);
    }

    fn packed_clock(&mut self, digits: &str) -> Option<()> {
        let part = |at: usize| {
            digits
                .get(at..at + 2)
                .map_or(Some(0), |two| two.parse().ok())
        };
        self.found.hour = Some(part(0)?);
        self.found.minute = part(2)?;
        self.found.second = part(4)?;
        Some(())
    }

    /// `:mm`, `:mm:ss`, `:mm:ss.ffffff` after an hour, and perhaps am or pm.
    fn clock(&mut self, hour: i64) -> Option<()> {
        self.found.hour = Some(hour);
        self.at += 1;
        self.found.minute = self.digits()?;
        if self.sign(0) == Some(':') {
            match self.peek(1) {
                Some(Token::Decimal(second, decimals)) => {
                    self.found.second = second.parse().ok()?;
                    self.found.micros = micros(decimals)?;
                    self.at += 2;
                }
                Some(Token::Number(_)) => {
                    self.at += 1;
                    self.found.second = self.digits()?;
                }
                _ => {}
            }
        }
        if let Some(hour) = self.half_day(hour) {
            self.found.hour = Some(hour?);
        }
        Some(())
    }

    fn digits(&mut self) -> Option<i64> {
        let Some(Token::Number(digits)) = self.peek(0) else {
            return None;
        };
        self.at += 1;
        digits.parse().ok()
    }

    /// The hour when `am` or `pm` follows; the inner `None` when there is no such hour.
    fn half_day(&mut self, hour: i64) -> Option<Option<i64>> {
        let ahead = usize::from(self.peek(0) == Some(&Token::Blank));
        let Some(Token::Word(word)) = self.peek(ahead) else {
            return None;
        };
        let add = match word.to_lowercase().as_str() {
            "am" | "a" => 0,
            "pm" | "p" => 12,
            _ => return None,
        };
        self.at += ahead + 1;
        Some((1..=12).contains(&hour).then(|| hour % 12 + add))
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let lower = word.to_lowercase();
        if name_place(&lower, &WEEKDAYS).is_some() {
            return Some(());
        }
        if let Some(month) = name_place(&lower, &MONTHS) {
            if self.found.month.is_some() {
                return None;
            }
            self.found.month = Some((i64::try_from(month).ok()? + 1, self.found.date.len()));
            self.skip_dash();
            return Some(());
        }
        if FILLERS.contains(&lower.as_str()) || lower == "th" {
            return Some(());
        }
        // A zone by name: UTC is known, others are not and count as UTC, as for dateutil outside of them.
        let is_zone = word.len() <= 5 && word.bytes().all(|b| b.is_ascii_uppercase());
        if self.found.hour.is_none() || !(is_zone || lower == "z" || lower == "utc") {
            return None;
        }
        if let Some(sign @ ('+' | '-')) = self.sign(0) {
            // "GMT+3" says that this time plus three hours is GMT.
            self.at += 1;
            return self.offset(if sign == '+' { -1 } else { 1 });
        }
        let twice = std::mem::replace(&mut self.found.named_zone, true);
        (!twice).then_some(())
    }

    fn offset(&mut self, sign: i32) -> Option<()> {
        let Token::Number(digits) = self.peek(0)? else {
            return None;
        };
        self.at += 1;
        let part = |at: usize| {
            digits
                .get(at..at + 2)
                .map_or(Some(0), |two| two.parse::<i32>().ok())
        };
        let (hours, minutes) = match digits.len() {
            4 => (part(0)?, part(2)?),
            1 | 2 => {
                let mut minutes = 0;
                if self.sign(0) == Some(':') {
                    self.at += 1;
                    minutes = i32::try_from(self.digits()?).ok()?;
                }
                (digits.parse().ok()?, minutes)
            }
            _ => return None,
        };
        if hours > 23 || minutes > 59 {
            return None;
        }
        self.found.zone = Some(sign * (hours * 3600 + minutes * 60));
        Some(())
    }
}

/// Which of the names a word is, in full or by its first three letters.
fn name_place(word: &str, names: &[&str]) -> Option<usize> {
    let word = if word == "sept" { "sep" } else { word };
    let is_word = |name: &&str| *name == word || name.get(..3) == Some(word);
    names.iter().position(is_word)
}

fn micros(decimals: &str) -> Option<i64> {
    let digits: String = decimals.chars().chain("000000".chars()).take(6).collect();
    digits.parse().ok()
}

impl Found {
    fn timestamp(&self) -> Option<Timestamp> {
        let day = self.date()?;
        let hour = self.hour.unwrap_or(0);
        if !(0..24).contains(&hour)
            || !(0..60).contains(&self.minute)
            || !(0..60).contains(&self.second)
        {
            return None;
        }
        let offset_seconds = self.zone.unwrap_or(0);
        let days = day.duration_since(date(1970, 1, 1)).as_hours() / 24;
        let seconds = days * 86_400 + hour * 3600 + self.minute * 60 + self.second;
        let micros = (seconds - i64::from(offset_seconds)) * 1_000_000 + self.micros;
        Some(Timestamp {
            micros,
            offset_seconds,
        })
    }

    fn date(&self) -> Option<Date> {
        // A number that no day can be is the year; else the order of the country with the month first decides.
        let is_year = |number: (i64, usize)| number.0 > 31;
        let (year, month, day) = match (self.month, self.date.as_slice()) {
            (Some((month, 2)), &[a, b]) if is_year(b) => (b, month, a.0),
            (Some((month, 2)), &[a, b]) => (a, month, b.0),
            (Some((month, _)), &[a, b]) if is_year(a) => (a, month, b.0),
            (Some((month, _)), &[a, b]) => (b, month, a.0),
            (None, &[a, b, c]) if is_year(a) => (a, b.0, c.0),
            (None, &[a, b, c]) if a.0 > 12 => (c, b.0, a.0),
            (None, &[a, b, c]) => (c, a.0, b.0),
            _ => return None,
        };
        let year = match year {
            // dateutil takes the century that puts the year within fifty years of today.
            (year, 0..=2) => year + if year < 76 { 2000 } else { 1900 },
            (year, _) => year,
        };
        Date::new(
            i16::try_from(year).ok()?,
            i8::try_from(month).ok()?,
            i8::try_from(day).ok()?,
        )
        .ok()
    }
}
