//! Lucene's standard tokenizer: words by Unicode's text segmentation (UAX #29), as `StandardTokenizerImpl.jflex` states it.
//!
//! The grammar's rules compete by length: the longest match at a place wins. A lazy automaton that reports every match does just that;
//! plain ASCII, which most logs are, takes a short loop instead. A property test holds the two together.

use super::{MAX_TOKEN, Visit};
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::pool::Pool;
use regex_automata::{Anchored, Input, MatchKind};
use std::sync::LazyLock;

/// Shows the words of a text.
pub(super) fn each_word(text: &str, visit: &mut dyn FnMut(&str) -> Visit) -> Visit {
    if text.is_ascii() {
        each_ascii_word(text, visit)
    } else {
        each_unicode_word(text, visit)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    /// `_`
    Joiner,
    /// Between letters: `:`
    MidLetter,
    /// Between digits: `,` and `;`
    MidDigit,
    /// Between two letters or two digits: `.` and `'`
    MidBoth,
    Other,
}

fn class(byte: u8) -> Class {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
        b'0'..=b'9' => Class::Digit,
        b'_' => Class::Joiner,
        b':' => Class::MidLetter,
        b',' | b';' => Class::MidDigit,
        b'.' | b'\'' => Class::MidBoth,
        _ => Class::Other,
    }
}

fn each_ascii_word(text: &str, visit: &mut dyn FnMut(&str) -> Visit) -> Visit {
    let bytes = text.as_bytes();
    let mut start = 0;
    while start < bytes.len() {
        let limit = bytes.len().min(start + MAX_TOKEN);
        let class_at = |at: usize| match bytes.get(at) {
            Some(&byte) if at < limit => class(byte),
            _ => Class::Other,
        };
        let mut end = start;
        let mut is_word = false;
        let mut previous = Class::Other;
        loop {
            let this = class_at(end);
            let joins = match this {
                Class::Letter | Class::Digit => {
                    is_word = true;
                    true
                }
                Class::Joiner => true,
                Class::MidLetter => previous == Class::Letter && class_at(end + 1) == Class::Letter,
                Class::MidDigit => previous == Class::Digit && class_at(end + 1) == Class::Digit,
                Class::MidBoth => {
                    matches!(previous, Class::Letter | Class::Digit)
                        && class_at(end + 1) == previous
                }
                Class::Other => false,
            };
            if !joins {
                break;
            }
            previous = this;
            end += 1;
        }
        if is_word {
            if visit(text.get(start..end).unwrap_or_default()) == Visit::Stop {
                return Visit::Stop;
            }
            start = end;
        } else if end == limit {
            start += without_word(text.get(start..).unwrap_or_default(), end - start);
        } else {
            start = end.max(start + 1);
        }
    }
    Visit::Continue
}

/// How far to go on where the window holds no word: past one character, but in a long run of the same one, such as `_`, to where the window
/// reaches its end. Trying at each would take time by the run's length times the window's.
fn without_word(rest: &str, window: usize) -> usize {
    let mut chars = rest.chars();
    let Some(first) = chars.next() else {
        return 1;
    };
    let step = first.len_utf8();
    let is_run = |text: &str| text.chars().all(|c| c == first);
    if window < rest.len() && rest.get(..window).is_some_and(is_run) {
        let run = step + chars.take_while(|c| *c == first).count() * step;
        return step.max(run - window);
    }
    step
}

struct Grammar {
    dfa: DFA,
    caches: Pool<Cache, Box<dyn Fn() -> Cache + Send + Sync>>,
}

static GRAMMAR: LazyLock<Option<Grammar>> = LazyLock::new(|| {
    let dfa = DFA::builder()
        .configure(
            Config::new()
                .match_kind(MatchKind::All)
                .skip_cache_capacity_check(true),
        )
        .thompson(thompson::Config::new().shrink(false))
        .build_many(&grammar())
        .ok()?;
    let for_caches = dfa.clone();
    Some(Grammar {
        caches: Pool::new(Box::new(move || for_caches.create_cache())),
        dfa,
    })
});

/// What the tokenizer looks at from a place on: as much as fits into one term. Goes forward only.
struct Window<'t> {
    text: &'t str,
    start: usize,
    end: usize,
    /// Its length in UTF-16, which terms are measured in.
    units: usize,
}

impl<'t> Window<'t> {
    fn new(text: &'t str) -> Self {
        let mut window = Self {
            text,
            start: 0,
            end: 0,
            units: 0,
        };
        window.advance(0);
        window
    }

    fn text(&self) -> &'t str {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.start..).unwrap_or_default()
    }

    fn advance(&mut self, bytes: usize) {
        let to = self.start + bytes;
        let left = self.text.get(self.start..to.min(self.end));
        let left: usize = left.unwrap_or_default().chars().map(char::len_utf16).sum();
        self.units -= left;
        self.start = to;
        self.end = self.end.max(to);
        let ahead = self.text.get(self.end..).unwrap_or_default();
        for c in ahead.chars() {
            if self.units + c.len_utf16() > MAX_TOKEN {
                break;
            }
            self.units += c.len_utf16();
            self.end += c.len_utf8();
        }
    }
}

fn each_unicode_word(text: &str, visit: &mut dyn FnMut(&str) -> Visit) -> Visit {
    let Some(grammar) = &*GRAMMAR else {
        return each_ascii_word(text, visit);
    };
    let mut cache = grammar.caches.get();
    let mut window = Window::new(text);
    while !window.text().is_empty() {
        // The longest word within the window, so that a long one takes time by its length and no more.
        let input = Input::new(window.text()).anchored(Anchored::Yes);
        let end = match grammar.dfa.try_search_fwd(&mut cache, &input) {
            Ok(Some(found)) => found.offset(),
            _ => 0,
        };
        let word = window.text().get(..end).unwrap_or_default();
        if word.is_empty() {
            window.advance(without_word(window.rest(), window.text().len()));
            continue;
        }
        if visit(word) == Visit::Stop {
            return Visit::Stop;
        }
        window.advance(word.len());
    }
    Visit::Continue
}

/// The grammar's token rules as regular expressions.
fn grammar() -> Vec<String> {
    // Lucene's tables are Unicode 12.1's: what came later is no part of a word, and signs that changed since are what they were.
    let number_signs = r"\u{0600}-\u{0605}\u{06DD}\u{08E2}\u{110BD}\u{110CD}";
    let later_letters = r"\u{02E5}-\u{02EB}\u{055A}\u{055F}\u{058A}\u{A708}-\u{A716}";
    let ex =
        format!(r"[[\p{{wb=Format}}\p{{wb=Extend}}\p{{wb=ZWJ}}{number_signs}]&&\p{{age:12.1}}]*");
    // A colon joined letters up to Unicode 15.0, which is what Lucene follows.
    let mid_letter =
        r"[\p{wb=MidLetter}\p{wb=MidNumLet}\p{wb=Single_Quote}:\u{FE55}\u{FF1A}--\u{055F}]";
    let mid_digit = r"[\p{wb=MidNum}\p{wb=MidNumLet}\p{wb=Single_Quote}\u{FE10}]";
    let digit = format!(
        r"(?:[[\p{{wb=Numeric}}\u{{FF10}}-\u{{FF19}}--{number_signs}\u{{19DA}}]&&\p{{age:12.1}}]{ex})"
    );
    let katakana = format!(r"(?:[\p{{wb=Katakana}}&&\p{{age:12.1}}]{ex})");
    let hebrew = format!(r"(?:\p{{wb=Hebrew_Letter}}{ex})");
    let letter = format!(
        r"(?:[[\p{{wb=Hebrew_Letter}}\p{{wb=ALetter}}--{later_letters}]&&\p{{age:12.1}}]{ex})"
    );
    let joiner = format!(r"(?:\p{{wb=ExtendNumLet}}{ex})");
    let single = format!(r"(?:'{ex})");
    let double = format!(r#"(?:"{ex})"#);
    let number = format!("{joiner}*{digit}(?:(?:{joiner}*|{mid_digit}{ex}){digit})*{joiner}*");
    let body = format!(
        "(?:{katakana}(?:{joiner}*{katakana})*\
         |(?:{hebrew}(?:{single}|{double}{hebrew})\
         |{digit}(?:(?:{joiner}*|{mid_digit}{ex}){digit})*\
         |{letter}(?:(?:{joiner}*|{mid_letter}{ex}){letter})*)+)"
    );
    let word = format!("{joiner}*{body}(?:{joiner}+{body})*{joiner}*");
    // Lao, Thai, Burmese, Khmer, …: the line-breaking class "complex context".
    let complex = r"[\p{Thai}\p{Lao}\p{Myanmar}\p{Khmer}\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}\p{Tai_Viet}\p{Ahom}]&&[\p{L}\p{M}]&&\p{age:12.1}";
    let signs = r"\u{109E}\u{109F}\u{19DE}\u{19DF}\u{1AA0}-\u{1AA6}\u{1AA8}-\u{1AAD}\u{AA77}-\u{AA79}\u{AADE}\u{AADF}\u{1173A}\u{1173B}\u{1173F}\u{19DA}";
    let south_east_asian = format!("(?:[[{complex}]{signs}]{ex})+");
    let ideograph = format!(r"[[\p{{Han}}&&\p{{age:12.1}}]--\u{{16FE2}}]{ex}");
    let hiragana = format!(r"[\p{{Hiragana}}&&\p{{age:12.1}}]{ex}");
    let flag = r"\p{wb=Regional_Indicator}\p{wb=Regional_Indicator}".to_owned();
    let keycap = r"[0-9#*]\u{FE0F}?\u{20E3}".to_owned();
    let pictograph = r"\p{Extended_Pictographic}";
    let one =
        format!(r"{pictograph}(?:\u{{FE0F}}|\p{{Emoji_Modifier}})?[\u{{E0020}}-\u{{E007F}}]*");
    let emoji = format!(r"\u{{200D}}*{one}(?:{ex}\u{{200D}}{one})*{ex}");
    let modifier = format!(r"\p{{Emoji_Modifier}}{ex}");
    vec![
        number,
        word,
        south_east_asian,
        ideograph,
        hiragana,
        flag,
        keycap,
        emoji,
        modifier,
    ]
}

#[cfg(test)]
pub(super) fn each_word_slowly(text: &str, visit: &mut dyn FnMut(&str) -> Visit) -> Visit {
    each_unicode_word(text, visit)
}
