//! Reading patterns.

use super::{Options, RegexpError};

/// The operators beyond the usual ones that a pattern may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::filter) struct Flags(u8);

impl Flags {
    const INTERSECTION: Self = Self(1);
    const COMPLEMENT: Self = Self(2);
    const EMPTY: Self = Self(4);
    const ANYSTRING: Self = Self(8);
    const AUTOMATON: Self = Self(16);
    const INTERVAL: Self = Self(32);
    /// All of them.
    pub(in crate::filter) const ALL: Self = Self(0xff);

    /// Reads `INTERSECTION|COMPLEMENT`; the error is the name that is not known.
    pub(in crate::filter) fn parse(text: &str) -> Result<Self, String> {
        let mut flags = 0;
        if text.is_empty() {
            return Ok(Self::ALL);
        }
        for name in text.split('|').filter(|name| !name.is_empty()) {
            flags |= match name.to_uppercase().as_str() {
                "INTERSECTION" => Self::INTERSECTION.0,
                "COMPLEMENT" => Self::COMPLEMENT.0,
                "EMPTY" => Self::EMPTY.0,
                "ANYSTRING" => Self::ANYSTRING.0,
                "INTERVAL" => Self::INTERVAL.0,
                "NONE" => 0,
                "ALL" => Self::ALL.0,
                _ => return Err(name.to_owned()),
            };
        }
        Ok(Self(flags))
    }

    /// From `flags_value`.
    pub(in crate::filter) fn from_bits(bits: i64) -> Self {
        u8::try_from(bits).map_or(Self::ALL, Self)
    }

    fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }
}

/// A pattern, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    /// No text at all, not even the empty one.
    Nothing,
    /// The empty text.
    Empty,
    AnyText,
    /// One character of these ranges.
    Ranges(Vec<(u32, u32)>),
    Concat(Vec<Expression>),
    Union(Vec<Expression>),
    Intersection(Box<Expression>, Box<Expression>),
    Complement(Box<Expression>),
    Repeat {
        inner: Box<Expression>,
        min: u32,
        max: Option<u32>,
    },
}

/// The highest code point.
pub(super) const MAX_CHAR: u32 = 0x10_ffff;

/// How deep brackets may nest.
const MAX_DEPTH: usize = 100;

const DIGITS: [(u32, u32); 1] = [(0x30, 0x39)];
const WORD: [(u32, u32); 4] = [(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)];
const SPACE: [(u32, u32); 3] = [(0x09, 0x0a), (0x0d, 0x0d), (0x20, 0x20)];

pub(super) fn parse(pattern: &str, options: Options) -> Result<Expression, RegexpError> {
    let mut parser = Parser {
        chars: pattern.chars().collect(),
        at: 0,
        depth: 0,
        options,
    };
    if parser.chars.is_empty() {
        return Ok(empty(options));
    }
    let expression = parser.union()?;
    if parser.at < parser.chars.len() {
        return Err(parser.error("the end of the pattern is expected"));
    }
    Ok(expression)
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
    options: Options,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn eat_if(&mut self, flag: Flags, c: char) -> bool {
        self.options.flags.has(flag) && self.eat(c)
    }

    fn next(&mut self) -> Result<char, RegexpError> {
        let c = self
            .peek()
            .ok_or_else(|| self.error("the pattern ends too early"))?;
        self.at += 1;
        Ok(c)
    }

    fn error(&self, message: impl Into<String>) -> RegexpError {
        RegexpError::Syntax {
            message: message.into(),
            at: self.at,
        }
    }

    fn union(&mut self) -> Result<Expression, RegexpError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(RegexpError::TooComplex);
        }
        let mut parts = vec![self.intersection()?];
        while self.eat('|') {
            parts.push(self.intersection()?);
        }
        self.depth -= 1;
        Ok(one_or(parts, Expression::Union))
    }

    fn intersection(&mut self) -> Result<Expression, RegexpError> {
        let mut whole = self.concat()?;
        while self.eat_if(Flags::INTERSECTION, '&') {
            whole = Expression::Intersection(Box::new(whole), Box::new(self.concat()?));
        }
        Ok(whole)
    }

    fn concat(&mut self) -> Result<Expression, RegexpError> {
        let mut parts = vec![self.repeat()?];
        while let Some(c) = self.peek() {
            if matches!(c, ')' | '|') || (c == '&' && self.options.flags.has(Flags::INTERSECTION)) {
                break;
            }
            parts.push(self.repeat()?);
        }
        Ok(match one_or(parts, Expression::Concat) {
            Expression::Empty => empty(self.options),
            expression => expression,
        })
    }

    fn repeat(&mut self) -> Result<Expression, RegexpError> {
        let mut inner = self.complement()?;
        loop {
            let (min, max) = if self.eat('?') {
                (0, Some(1))
            } else if self.eat('*') {
                (0, None)
            } else if self.eat('+') {
                (1, None)
            } else if self.eat('{') {
                let min = self.count()?;
                let max = if self.eat(',') {
                    match self.peek() {
                        Some(c) if c.is_ascii_digit() => Some(self.count()?),
                        _ => None,
                    }
                } else {
                    Some(min)
                };
                if !self.eat('}') {
                    return Err(self.error("\"}\" is expected"));
                }
                if max.is_some_and(|max| max < min) {
                    return Err(self.error("the repetitions are out of order"));
                }
                (min, max)
            } else {
                return Ok(inner);
            };
            inner = Expression::Repeat {
                inner: Box::new(inner),
                min,
                max,
            };
        }
    }

    fn count(&mut self) -> Result<u32, RegexpError> {
        let mut digits = String::new();
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            digits.push(digit);
            self.at += 1;
        }
        if digits.is_empty() {
            return Err(self.error("a whole number is expected"));
        }
        digits.parse().map_err(|_| RegexpError::TooComplex)
    }

    fn complement(&mut self) -> Result<Expression, RegexpError> {
        let mut negations = 0_usize;
        while self.eat_if(Flags::COMPLEMENT, '~') {
            negations += 1;
        }
        let inner = self.class()?;
        Ok(if negations % 2 == 1 {
            Expression::Complement(Box::new(inner))
        } else {
            inner
        })
    }

    fn class(&mut self) -> Result<Expression, RegexpError> {
        if !self.eat('[') {
            return self.simple();
        }
        let negated = self.eat('^');
        let mut ranges = self.class_item()?;
        while self.peek().is_some_and(|c| c != ']') {
            ranges.extend(self.class_item()?);
        }
        if !self.eat(']') {
            return Err(self.error("\"]\" is expected"));
        }
        Ok(Expression::Ranges(if negated {
            invert(ranges)
        } else {
            ranges
        }))
    }

    fn class_item(&mut self) -> Result<Vec<(u32, u32)>, RegexpError> {
        if let Some(ranges) = self.predefined()? {
            return Ok(ranges);
        }
        let first = self.character()?;
        if !self.eat('-') {
            return Ok(self.either_case(first));
        }
        let last = self.character()?;
        if first > last {
            return Err(self.error(format!("the range {first}-{last} is upside down")));
        }
        Ok(vec![(first.into(), last.into())])
    }

    /// `\d`, `\W`, …; a backslash before anything else but a letter makes it literal.
    fn predefined(&mut self) -> Result<Option<Vec<(u32, u32)>>, RegexpError> {
        if self.peek() != Some('\\') {
            return Ok(None);
        }
        let ranges = match self.chars.get(self.at + 1) {
            Some('d') => DIGITS.to_vec(),
            Some('D') => invert(DIGITS.to_vec()),
            Some('w') => WORD.to_vec(),
            Some('W') => invert(WORD.to_vec()),
            Some('s') => SPACE.to_vec(),
            Some('S') => invert(SPACE.to_vec()),
            Some(letter) if letter.is_ascii_alphabetic() => {
                return Err(self.error(format!(
                    "\\{letter} is not a character class (they are \\d \\w \\s \\D \\W \\S)"
                )));
            }
            _ => return Ok(None),
        };
        self.at += 2;
        Ok(Some(ranges))
    }

    fn character(&mut self) -> Result<char, RegexpError> {
        self.eat('\\');
        self.next()
    }

    fn either_case(&self, c: char) -> Vec<(u32, u32)> {
        let mut ranges = vec![(c.into(), c.into())];
        if self.options.ignore_case && c.is_ascii_alphabetic() {
            let other = if c.is_ascii_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            };
            ranges.push((other.into(), other.into()));
        }
        ranges
    }

    fn simple(&mut self) -> Result<Expression, RegexpError> {
        if self.eat('.') {
            return Ok(Expression::Ranges(vec![(0, MAX_CHAR)]));
        }
        if self.eat_if(Flags::EMPTY, '#') {
            return Ok(Expression::Nothing);
        }
        if self.eat_if(Flags::ANYSTRING, '@') {
            return Ok(Expression::AnyText);
        }
        if self.eat('"') {
            let mut parts = Vec::new();
            loop {
                match self.peek() {
                    None => return Err(self.error("a closing \" is expected")),
                    Some('"') => break,
                    Some(c) => parts.push(Expression::Ranges(self.either_case(c))),
                }
                self.at += 1;
            }
            self.at += 1;
            return Ok(Expression::Concat(parts));
        }
        if self.eat('(') {
            if self.eat(')') {
                return Ok(Expression::Empty);
            }
            let inner = self.union()?;
            if !self.eat(')') {
                return Err(self.error("\")\" is expected"));
            }
            return Ok(inner);
        }
        let angled =
            self.options.flags.has(Flags::INTERVAL) || self.options.flags.has(Flags::AUTOMATON);
        if angled && self.eat('<') {
            return self.interval();
        }
        if let Some(ranges) = self.predefined()? {
            return Ok(Expression::Ranges(ranges));
        }
        let c = self.character()?;
        Ok(Expression::Ranges(self.either_case(c)))
    }

    /// `<1-100>`: decimal numbers; of the bounds' length if both have the same, else with any number of zeros before.
    fn interval(&mut self) -> Result<Expression, RegexpError> {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let Some(length) = rest.iter().position(|&c| c == '>') else {
            return Err(self.error("\">\" is expected"));
        };
        let text: String = rest.iter().take(length).collect();
        let bound = |text: &str| {
            text.parse::<u32>()
                .ok()
                .filter(|n| i32::try_from(*n).is_ok())
        };
        let bounds = text
            .split_once('-')
            .and_then(|(min, max)| Some((min, max, bound(min)?, bound(max)?)));
        let Some((min_text, max_text, min, max)) = bounds else {
            return Err(self.error(format!("<{text}> is not an interval such as <1-100>")));
        };
        self.at += length + 1;
        let (min, max) = (min.min(max), min.max(max));
        if min_text.len() == max_text.len() {
            return Ok(decimal(min, max, min_text.len()));
        }
        let zeros = Expression::Repeat {
            inner: Box::new(Expression::Ranges(vec![(0x30, 0x30)])),
            min: 0,
            max: None,
        };
        let mut parts = Vec::new();
        let mut low = u64::from(min);
        while low <= u64::from(max) {
            let digits = low.to_string().len();
            let power = 10_u64.saturating_pow(u32::try_from(digits).unwrap_or(u32::MAX));
            let high = u64::from(max).min(power - 1);
            let as_u32 = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
            parts.push(decimal(as_u32(low), as_u32(high), digits));
            low = high + 1;
        }
        Ok(Expression::Concat(vec![
            zeros,
            one_or(parts, Expression::Union),
        ]))
    }
}

/// The empty text standing alone. With letters in either case Lucene builds a language without any text from it.
fn empty(options: Options) -> Expression {
    if options.ignore_case {
        Expression::Nothing
    } else {
        Expression::Empty
    }
}

fn one_or(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            parts.push(last);
            many(parts)
        }
        (_, None) => Expression::Nothing,
    }
}

/// Numbers from `min` to `max` written with exactly so many digits.
fn decimal(min: u32, max: u32, digits: usize) -> Expression {
    let (min, max) = (format!("{min:0digits$}"), format!("{max:0digits$}"));
    between(min.as_bytes(), max.as_bytes())
}

fn between(min: &[u8], max: &[u8]) -> Expression {
    let ([low, low_rest @ ..], [high, high_rest @ ..]) = (min, max) else {
        return Expression::Empty;
    };
    let digit = |first: u8, last: u8| Expression::Ranges(vec![(first.into(), last.into())]);
    let any = |length: usize| vec![digit(b'0', b'9'); length];
    if low == high {
        return Expression::Concat(vec![digit(*low, *low), between(low_rest, high_rest)]);
    }
    let nines = vec![b'9'; low_rest.len()];
    let zeros = vec![b'0'; high_rest.len()];
    let mut parts = vec![
        Expression::Concat(vec![digit(*low, *low), between(low_rest, &nines)]),
        Expression::Concat(vec![digit(*high, *high), between(&zeros, high_rest)]),
    ];
    if low + 1 < *high {
        let mut middle = vec![digit(low + 1, high - 1)];
        middle.extend(any(low_rest.len()));
        parts.push(Expression::Concat(middle));
    }
    Expression::Union(parts)
}

fn invert(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let mut inverted = Vec::new();
    let mut next = 0;
    for (first, last) in ranges {
        if first > next {
            inverted.push((next, first - 1));
        }
        next = next.max(last + 1);
    }
    if next <= MAX_CHAR {
        inverted.push((next, MAX_CHAR));
    }
    inverted
}
