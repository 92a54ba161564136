//! Wildcard patterns: `*` any run of characters, `?` one character, `\` makes the next one literal.

use super::analysis::Analyzer;
use memchr::memmem::Finder;

/// A pattern, compiled. It must match a whole text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wildcard {
    /// What stands before the first `*`.
    first: Piece,
    /// What stands between stars.
    middle: Vec<Piece>,
    /// What stands after the last `*`; `None` without any star.
    last: Option<Piece>,
    ignore_case: bool,
}

/// A run without `*`.
#[derive(Debug, Clone, Default)]
struct Piece {
    /// Each character, `None` for `?`.
    chars: Vec<Option<char>>,
    /// For pieces without `?`, to search for.
    finder: Option<Finder<'static>>,
}

impl PartialEq for Piece {
    fn eq(&self, other: &Self) -> bool {
        // What is searched for follows from the characters.
        self.chars == other.chars
    }
}

impl Wildcard {
    /// Compiles a pattern. With `ignore_case` ASCII letters match in either case.
    pub(super) fn new(pattern: &str, ignore_case: bool) -> Self {
        let mut pieces = vec![Piece::default()];
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let c = match c {
                '*' => {
                    pieces.push(Piece::default());
                    continue;
                }
                '?' => None,
                // Lucene takes a lone backslash at the end as itself.
                '\\' => Some(chars.next().unwrap_or('\\')),
                c => Some(c),
            };
            if let Some(piece) = pieces.last_mut() {
                piece.chars.push(c.map(|c| {
                    if ignore_case {
                        c.to_ascii_lowercase()
                    } else {
                        c
                    }
                }));
            }
        }
        let mut pieces = pieces.into_iter().map(|mut piece| {
            let literal: Option<String> = piece.chars.iter().copied().collect();
            piece.finder = literal
                .filter(|_| !ignore_case)
                .map(|literal| Finder::new(literal.as_bytes()).into_owned());
            piece
        });
        let first = pieces.next().unwrap_or_default();
        let mut middle: Vec<Piece> = pieces.collect();
        let last = middle.pop();
        middle.retain(|piece| !piece.chars.is_empty());
        Self {
            first,
            middle,
            last,
            ignore_case,
        }
    }

    /// Whether a whole text fits. Nothing fits the empty pattern, in Lucene not even the empty text.
    pub(super) fn matches(&self, text: &str) -> bool {
        if self.is_empty() {
            return false;
        }
        let Some(mut rest) = self.strip(&self.first, text) else {
            return false;
        };
        let Some(last) = &self.last else {
            return rest.is_empty();
        };
        for piece in &self.middle {
            match self.find(piece, rest) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        self.ends(last, rest)
    }

    fn is_empty(&self) -> bool {
        self.first.chars.is_empty() && self.last.is_none()
    }

    /// What follows a piece at the start of a text.
    fn strip<'t>(&self, piece: &Piece, text: &'t str) -> Option<&'t str> {
        let mut chars = text.chars();
        for wanted in &piece.chars {
            let found = chars.next()?;
            if wanted.is_some_and(|wanted| wanted != self.fold(found)) {
                return None;
            }
        }
        Some(chars.as_str())
    }

    fn fold(&self, c: char) -> char {
        if self.ignore_case {
            c.to_ascii_lowercase()
        } else {
            c
        }
    }

    /// What follows the first place where a piece is.
    fn find<'t>(&self, piece: &Piece, text: &'t str) -> Option<&'t str> {
        if let Some(finder) = &piece.finder {
            let at = finder.find(text.as_bytes())?;
            return text.get(at + finder.needle().len()..);
        }
        text.char_indices()
            .find_map(|(at, _)| self.strip(piece, text.get(at..)?))
    }

    fn ends(&self, piece: &Piece, text: &str) -> bool {
        let mut chars = text.chars().rev();
        piece.chars.iter().rev().all(|wanted| {
            chars
                .next()
                .is_some_and(|found| wanted.is_none_or(|wanted| wanted == self.fold(found)))
        })
    }
}

/// A pattern with its literal runs in the form that the field's terms have; wildcards and escapes stay.
pub(super) fn normalize(pattern: &str, analyzer: &Analyzer) -> String {
    let mut normalized = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while !rest.is_empty() {
        let length = rest.find(['*', '?', '\\']).unwrap_or(rest.len());
        let (literal, after) = rest.split_at(length);
        normalized.push_str(&analyzer.normalize(literal));
        let mut special = after.chars();
        if let Some(c) = special.next() {
            normalized.push(c);
            if c == '\\'
                && let Some(escaped) = special.next()
            {
                normalized.push(escaped);
            }
        }
        rest = special.as_str();
    }
    normalized
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*", "", true),
            ("?", "é", true),
            ("a?c*e", "abcde", true),
            ("*b?d*", "abcbxdz", true),
            (r"\*x\\", r"*x\", true),
            (r"\*x", "ax", false),
            ("*ab*ab", "ab", false),
            ("ab", "ab", true),
            ("", "", false),
            ("a*a", "a", false),
            ("*.exe", "cmd.exe", true),
        ] {
            assert_eq!(
                Wildcard::new(pattern, false).matches(text),
                expected,
                "{pattern} {text}"
            );
        }
        assert!(Wildcard::new("A?c*É", true).matches("abCxÉ"));
        assert!(!Wildcard::new("*É", true).matches("é"));
    }
}
