//! Analysis: how a text becomes the terms that are searched, as Elasticsearch's built-in analyzers do it.

mod english;
mod standard;
#[cfg(test)]
mod tests;

use super::values::Visit;
use std::borrow::Cow;
use std::sync::LazyLock;

/// How a text is cut and its terms changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Analyzer {
    tokenizer: Tokenizer,
    filters: Vec<TokenFilter>,
    /// The places that stand between two elements of a list (`position_increment_gap`).
    gap: u32,
}

/// How a text is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tokenizer {
    /// By Unicode's word boundaries, punctuation dropped.
    Standard,
    /// Runs of letters.
    Letter,
    /// At white space.
    Whitespace,
    /// Not at all.
    Keyword,
}

/// What happens to each term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenFilter {
    Lowercase,
    Uppercase,
    /// The most common English words are left out; their positions stay.
    EnglishStop,
    /// `'s` at the end is cut off.
    EnglishPossessive,
    /// Porter's stemmer.
    PorterStem,
}

/// A term of a text and its position in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) position: u32,
}

/// The longest term in UTF-16 units; what is longer is cut into pieces.
const MAX_TOKEN: usize = 255;
/// The gap of fields that name none.
const GAP: u32 = 100;

impl Analyzer {
    pub(super) fn new(tokenizer: Tokenizer, filters: Vec<TokenFilter>) -> Self {
        Self {
            tokenizer,
            filters,
            gap: GAP,
        }
    }

    /// The same with so many places between two elements of a list.
    pub(super) fn with_gap(self, gap: u32) -> Self {
        Self { gap, ..self }
    }

    /// The same for words between blanks.
    pub(super) fn at_blanks(&self) -> Self {
        Self {
            tokenizer: Tokenizer::Whitespace,
            ..self.clone()
        }
    }

    pub(super) fn gap(&self) -> u32 {
        self.gap
    }

    /// The analyzer of texts that name no other.
    pub(super) fn standard() -> Self {
        Self::new(Tokenizer::Standard, vec![TokenFilter::Lowercase])
    }

    /// One of the built-in analyzers.
    pub(super) fn named(name: &str) -> Option<Self> {
        use TokenFilter::{EnglishPossessive, EnglishStop, Lowercase, PorterStem};
        let (tokenizer, filters) = match name {
            "standard" | "default" => return Some(Self::standard()),
            "simple" => (Tokenizer::Letter, vec![Lowercase]),
            "whitespace" => (Tokenizer::Whitespace, vec![]),
            "keyword" => (Tokenizer::Keyword, vec![]),
            "stop" => (Tokenizer::Letter, vec![Lowercase, EnglishStop]),
            "english" => (
                Tokenizer::Standard,
                vec![EnglishPossessive, Lowercase, EnglishStop, PorterStem],
            ),
            _ => return None,
        };
        Some(Self::new(tokenizer, filters))
    }

    /// Whether a text is one term, whatever is in it, and changed as pieces of it would be.
    pub(super) fn is_keyword(&self) -> bool {
        let changes_letters = |filter: &TokenFilter| {
            matches!(filter, TokenFilter::Lowercase | TokenFilter::Uppercase)
        };
        self.tokenizer == Tokenizer::Keyword && self.filters.iter().all(changes_letters)
    }

    /// Whether its terms are pieces of the text, but for capitals.
    pub(super) fn only_cuts(&self) -> bool {
        self.filters.iter().all(|filter| match filter {
            TokenFilter::Lowercase | TokenFilter::EnglishStop | TokenFilter::EnglishPossessive => {
                true
            }
            TokenFilter::Uppercase | TokenFilter::PorterStem => false,
        })
    }

    /// Shows the terms of a text in order.
    pub(super) fn each(&self, text: &str, visit: &mut dyn FnMut(&str, u32) -> Visit) -> Visit {
        let mut position = 0;
        let only_lowercase = self.filters == [TokenFilter::Lowercase];
        let mut lower = [0; MAX_TOKEN];
        self.cut(text, &mut |word| {
            let at = position;
            position += 1;
            if only_lowercase && let Some(term) = ascii_lowercase(word, &mut lower) {
                return visit(term, at);
            }
            match self.filter(Cow::Borrowed(word)) {
                Some(term) => visit(&term, at),
                None => Visit::Continue,
            }
        })
    }

    /// The terms of a text.
    pub(super) fn tokens(&self, text: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        self.each(text, &mut |term, position| {
            tokens.push(Token {
                text: term.to_owned(),
                position,
            });
            Visit::Continue
        });
        tokens
    }

    /// Whether the last word of a text is a term and nothing comes after it.
    pub(super) fn ends_in_term(&self, text: &str) -> bool {
        let mut ends = false;
        self.cut(text, &mut |word| {
            ends = text.ends_with(word) && self.filter(Cow::Borrowed(word)).is_some();
            Visit::Continue
        });
        ends
    }

    /// A piece of a term (of a wildcard, a prefix, a bound) in the form that terms have: letters changed, nothing cut.
    pub(super) fn normalize<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.filters
            .iter()
            .fold(Cow::Borrowed(text), |text, filter| match filter {
                TokenFilter::Lowercase => lowercase(text),
                TokenFilter::Uppercase => uppercase(&text).into(),
                TokenFilter::EnglishStop
                | TokenFilter::EnglishPossessive
                | TokenFilter::PorterStem => text,
            })
    }

    fn filter<'t>(&self, word: Cow<'t, str>) -> Option<Cow<'t, str>> {
        let mut term = word;
        for filter in &self.filters {
            term = match filter {
                TokenFilter::Lowercase => lowercase(term),
                TokenFilter::Uppercase => uppercase(&term).into(),
                TokenFilter::EnglishStop if english::is_stop_word(&term) => return None,
                TokenFilter::EnglishStop => term,
                TokenFilter::EnglishPossessive => english::without_possessive(term),
                TokenFilter::PorterStem => english::stem(&term).into(),
            };
        }
        Some(term)
    }

    fn cut(&self, text: &str, visit: &mut dyn FnMut(&str) -> Visit) -> Visit {
        match self.tokenizer {
            Tokenizer::Standard => standard::each_word(text, visit),
            Tokenizer::Keyword => visit(text),
            Tokenizer::Letter => runs(letters(text), visit),
            Tokenizer::Whitespace => runs(text.split(is_java_whitespace), visit),
        }
    }
}

/// Java's `Character.isWhitespace`: no-break spaces are not.
fn is_java_whitespace(c: char) -> bool {
    match c {
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{85}' => false,
        '\u{1c}'..='\u{1f}' => true,
        c => c.is_whitespace(),
    }
}

/// Runs of letters by Unicode's category, which leaves out the vowel signs that Rust calls alphabetic.
fn letters(text: &str) -> impl Iterator<Item = &str> {
    static LETTERS: LazyLock<Option<regex::Regex>> =
        LazyLock::new(|| regex::Regex::new(r"\p{L}+").ok());
    LETTERS
        .iter()
        .flat_map(|letters| letters.find_iter(text))
        .map(|found| found.as_str())
}

fn runs<'t>(words: impl Iterator<Item = &'t str>, visit: &mut dyn FnMut(&str) -> Visit) -> Visit {
    for word in words {
        let mut rest = word;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cut_length(rest));
            if visit(piece) == Visit::Stop {
                return Visit::Stop;
            }
            rest = after;
        }
    }
    Visit::Continue
}

/// How many bytes of a word fit into one term.
fn cut_length(word: &str) -> usize {
    if word.len() <= MAX_TOKEN {
        return word.len();
    }
    let mut units = 0;
    for (at, c) in word.char_indices() {
        units += c.len_utf16();
        if units > MAX_TOKEN {
            return at;
        }
    }
    word.len()
}

/// Lower case, code point by code point as Lucene does it: `İ` becomes `i`, `Σ` always `σ`.
pub(super) fn lowercase(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.is_ascii() {
        if !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return text;
        }
        let mut owned = text.into_owned();
        owned.make_ascii_lowercase();
        return owned.into();
    }
    text.chars()
        .map(|c| c.to_lowercase().next().unwrap_or(c))
        .collect::<String>()
        .into()
}

/// An ASCII word in lower case, written into a buffer if that makes a difference.
fn ascii_lowercase<'w>(word: &'w str, buffer: &'w mut [u8]) -> Option<&'w str> {
    if !word.is_ascii() {
        return None;
    }
    if !word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(word);
    }
    let lower = buffer.get_mut(..word.len())?;
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    std::str::from_utf8(lower).ok()
}

fn uppercase(text: &str) -> String {
    text.chars()
        .map(|c| {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(upper), None) => upper,
                _ => c,
            }
        })
        .collect()
}
