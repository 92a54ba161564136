//! Wildcard patterns: `*` any run of characters, `?` one character, `\` makes the next one literal.

use super::analysis::Analyzer;
use memchr::memmem::Finder;

/// A pattern, compiled. It must match a whole text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wildcard {
    /// What stands before the first `*`.
    first: Piece,
    /// What stands between stars, nothing left out.
    middle: Box<[Sought]>,
    /// What stands after the last `*`; `None` without any star.
    last: Option<Piece>,
    ignore_case: bool,
}

/// A run without `*`.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    /// This text.
    Literal(Box<str>),
    /// Each character, `None` for `?`; ASCII letters are small where case is ignored.
    Chars(Box<[Option<char>]>),
}

/// A run that is looked for anywhere.
#[derive(Debug, Clone)]
enum Sought {
    // A finder takes some three hundred bytes, and most patterns need none.
    Literal(Box<Finder<'static>>),
    Piece(Piece),
}

impl PartialEq for Sought {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(one), Self::Literal(other)) => one.needle() == other.needle(),
            (Self::Piece(one), Self::Piece(other)) => one == other,
            _ => false,
        }
    }
}

impl Wildcard {
    /// Compiles a pattern. With `ignore_case` ASCII letters match in either case.
    pub(super) fn new(pattern: &str, ignore_case: bool) -> Self {
        let mut runs = vec![Vec::new()];
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let c = match c {
                '*' => {
                    runs.push(Vec::new());
                    continue;
                }
                '?' => None,
                // Lucene takes a lone backslash at the end as itself.
                '\\' => Some(chars.next().unwrap_or('\\')),
                c => Some(c),
            };
            if let Some(run) = runs.last_mut() {
                run.push(c);
            }
        }
        let mut pieces = runs.iter().map(|run| Piece::new(run, ignore_case));
        let first = pieces
            .next()
            .unwrap_or_else(|| Piece::new(&[], ignore_case));
        let last = pieces.next_back();
        let middle = pieces.filter(|piece| !piece.is_empty());
        Self {
            first,
            middle: middle.map(Sought::new).collect(),
            last,
            ignore_case,
        }
    }

    /// Whether a whole text fits. Nothing fits the empty pattern, in Lucene not even the empty text.
    pub(super) fn matches(&self, text: &str) -> bool {
        let Some(mut rest) = self.strip(&self.first, text) else {
            return false;
        };
        let Some(last) = &self.last else {
            return rest.is_empty() && !self.first.is_empty();
        };
        for piece in &self.middle {
            match self.find(piece, rest) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        self.ends(last, rest)
    }

    /// What follows a piece at the start of a text.
    fn strip<'t>(&self, piece: &Piece, text: &'t str) -> Option<&'t str> {
        let wanted = match piece {
            Piece::Literal(literal) => return text.strip_prefix(&**literal),
            Piece::Chars(chars) => chars,
        };
        let mut chars = text.chars();
        for wanted in wanted {
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
    fn find<'t>(&self, sought: &Sought, text: &'t str) -> Option<&'t str> {
        match sought {
            Sought::Literal(finder) => {
                let at = finder.find(text.as_bytes())?;
                text.get(at + finder.needle().len()..)
            }
            Sought::Piece(piece) => text
                .char_indices()
                .find_map(|(at, _)| self.strip(piece, text.get(at..)?)),
        }
    }

    fn ends(&self, piece: &Piece, text: &str) -> bool {
        let wanted = match piece {
            Piece::Literal(literal) => return text.ends_with(&**literal),
            Piece::Chars(chars) => chars,
        };
        let mut chars = text.chars().rev();
        wanted.iter().rev().all(|wanted| {
            chars
                .next()
                .is_some_and(|found| wanted.is_none_or(|wanted| wanted == self.fold(found)))
        })
    }
}

impl Piece {
    fn new(run: &[Option<char>], ignore_case: bool) -> Self {
        let literal = run.iter().copied().collect::<Option<String>>();
        match literal.filter(|_| !ignore_case) {
            Some(literal) => Self::Literal(literal.into()),
            None if ignore_case => Self::Chars(
                run.iter()
                    .map(|c| c.map(|c| c.to_ascii_lowercase()))
                    .collect(),
            ),
            None => Self::Chars(run.into()),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Literal(literal) => literal.is_empty(),
            Self::Chars(chars) => chars.is_empty(),
        }
    }
}

impl Sought {
    fn new(piece: Piece) -> Self {
        match piece {
            Piece::Literal(literal) => {
                Self::Literal(Box::new(Finder::new(literal.as_bytes()).into_owned()))
            }
            piece => Self::Piece(piece),
        }
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
