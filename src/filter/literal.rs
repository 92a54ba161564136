//! Pieces of text that must be in a value for a test on it to pass.
//!
//! They are ASCII in lower case, and looked for in either case: whatever an analyzer or `case_insensitive` does to letters, a text without them cannot
//! pass. Two letters outside of ASCII become ASCII ones in lower case; a text that has them may pass whatever else is in it.

use super::plan::StringTest;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// Shorter pieces are in too many values to be worth looking for.
const SHORTEST: usize = 3;

/// What becomes `k` and `i` in lower case: the Kelvin sign and the capital I with a dot, in UTF-8.
const BECOME_ASCII: [&str; 2] = ["\u{212a}", "\u{130}"];

/// Where a piece is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haystack {
    /// In a value's text.
    Value,
    /// In the JSON text of the whole event, where some characters are written in other ways.
    Event,
}

impl Haystack {
    fn shows(self, c: char) -> bool {
        match self {
            Self::Value => c.is_ascii(),
            Self::Event => matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '/'),
        }
    }

    fn is_good(self, piece: &str) -> bool {
        // Numbers can be written in several ways in an event, with an `e` as their only letter.
        let has_letter = || piece.contains(|c: char| c.is_ascii_alphabetic() && c != 'e');
        piece.len() >= SHORTEST && (self == Self::Value || has_letter())
    }
}

/// Pieces of which one must be there for a term to pass; `None` when nothing can be said.
pub(super) fn pieces(test: &StringTest, haystack: Haystack) -> Option<Vec<Box<str>>> {
    let one = |runs: Vec<String>| piece_of(&runs, haystack).map(|piece| vec![piece]);
    match test {
        StringTest::Is(text)
        | StringTest::IsIgnoringCase(text)
        | StringTest::StartsWith { start: text, .. } => one(vec![text.to_string()]),
        StringTest::IsOneOf(texts) => texts
            .iter()
            .map(|text| piece_of(&[text.to_string()], haystack))
            .collect(),
        StringTest::Wildcard(wildcard) => one(wildcard_runs(&wildcard.text)),
        StringTest::Regexp(regexp) => one(regexp_runs(&regexp.text)?),
        StringTest::Near(_) | StringTest::Between(_) => None,
    }
}

/// The longest piece of some texts that a haystack shows as it is.
pub(super) fn piece_of(texts: &[String], haystack: Haystack) -> Option<Box<str>> {
    let pieces = texts
        .iter()
        .flat_map(|text| text.split(|c| !haystack.shows(c)))
        .map(str::to_ascii_lowercase)
        .filter(|piece| haystack.is_good(piece));
    pieces.max_by_key(String::len).map(String::into_boxed_str)
}

/// Whether a text has a piece, in capitals or not.
pub(super) fn shows(text: &[u8], piece: &str) -> bool {
    let Some((&first, rest)) = piece.as_bytes().split_first() else {
        return true;
    };
    memchr::memchr2_iter(first, first.to_ascii_uppercase(), text).any(|at| {
        let after = text.get(at + 1..at + 1 + rest.len());
        after.is_some_and(|after| after.eq_ignore_ascii_case(rest))
    })
}

/// Whether a text, in UTF-8, may have letters that become ASCII ones.
pub(super) fn may_become_ascii(text: &[u8]) -> bool {
    let has = |letter: &&str| memchr::memmem::find(text, letter.as_bytes()).is_some();
    !text.is_ascii() && BECOME_ASCII.iter().any(has)
}

/// The same for an event's JSON text, and whether it may have ASCII characters written as `\u00XX`.
pub(super) fn may_hide_ascii(json: &[u8]) -> bool {
    static ESCAPE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\\u"));
    let mut rest = json;
    while let Some(at) = ESCAPE.find(rest) {
        rest = rest.get(at + 2..).unwrap_or_default();
        let code = rest.get(..4).unwrap_or_default();
        if code.starts_with(b"00")
            || code.eq_ignore_ascii_case(b"212a")
            || code.eq_ignore_ascii_case(b"0130")
        {
            return true;
        }
    }
    may_become_ascii(json)
}

/// What stands between the stars and question marks of a pattern.
fn wildcard_runs(pattern: &str) -> Vec<String> {
    let mut runs = vec![String::new()];
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '*' | '?' => {
                runs.push(String::new());
                continue;
            }
            '\\' => chars.next().unwrap_or('\\'),
            c => c,
        };
        if let Some(run) = runs.last_mut() {
            run.push(c);
        }
    }
    runs
}

/// What stands between the `.`, `.*` and `.+` of an expression that has no other operators.
fn regexp_runs(pattern: &str) -> Option<Vec<String>> {
    let mut runs = vec![String::new()];
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let c = match c {
            '.' => {
                chars.next_if(|c| matches!(c, '*' | '+'));
                runs.push(String::new());
                continue;
            }
            // Letters and digits after it stand for classes.
            '\\' => chars.next().filter(char::is_ascii_punctuation)?,
            '_' | '-' | ' ' | '/' | ':' | ',' | ';' | '=' | '%' | '!' | '\'' => c,
            c if c.is_alphanumeric() => c,
            _ => return None,
        };
        // What follows may make this optional.
        if chars
            .peek()
            .is_some_and(|next| matches!(next, '?' | '*' | '{'))
        {
            return None;
        }
        if let Some(run) = runs.last_mut() {
            run.push(c);
        }
    }
    Some(runs)
}

#[cfg(test)]
mod tests {
    use super::super::plan::Compiled;
    use super::super::regexp;
    use super::super::wildcard::Wildcard;
    use super::*;

    #[track_caller]
    fn check(test: &StringTest, in_value: Option<&str>, in_event: Option<&str>) {
        for (haystack, expected) in [(Haystack::Value, in_value), (Haystack::Event, in_event)] {
            let found = pieces(test, haystack);
            let expected = expected.map(|piece| vec![piece.into()]);
            assert_eq!(found, expected, "{test} {haystack:?}");
        }
    }

    #[test]
    fn longest_pieces() {
        let wildcard = |pattern: &str| {
            let wildcard = Wildcard::new(pattern, false);
            StringTest::Wildcard(Compiled::new(pattern, wildcard))
        };
        check(
            &wildcard(r"*\\Cmd.exe*/c?"),
            Some(r"\cmd.exe"),
            Some("cmd.exe"),
        );
        check(&wildcard("*a?b*"), None, None);
        check(&wildcard("*äöü*1e5*"), Some("1e5"), None);
        check(&wildcard(r"\*ab\?"), Some("*ab?"), Some("*ab?"));
        let expression = |pattern: &str| {
            let automaton = regexp::compile(pattern, regexp::Options::default()).unwrap();
            StringTest::Regexp(Compiled::new(pattern, automaton))
        };
        check(
            &expression(r".*Mega\.nz.+x"),
            Some("mega.nz"),
            Some("mega.nz"),
        );
        check(&expression("abc|def"), None, None);
        check(&expression("abcd?"), None, None);
        check(&expression("abcd+"), None, None);
    }

    #[test]
    fn pieces_are_found_in_either_case() {
        for (text, piece, expected) in [
            ("Information", "format", true),
            ("INFORMATION", "tion", true),
            ("informant", "format", false),
            ("fofoforma", "format", false),
            ("", "format", false),
        ] {
            assert_eq!(shows(text.as_bytes(), piece), expected, "{text} {piece}");
        }
    }

    #[test]
    fn letters_in_disguise() {
        assert!(may_become_ascii("\u{212a}".as_bytes()));
        assert!(!may_become_ascii("é".as_bytes()));
        assert!(may_hide_ascii(br#"{"a": "\u0041"}"#));
        assert!(may_hide_ascii(br#"{"a": "\u212A"}"#));
        assert!(!may_hide_ascii(br#"{"a": "C:\\users \u20ac"}"#));
    }
}
