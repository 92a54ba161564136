//! Terms a few typing errors away: Damerau-Levenshtein distance over code points.

/// How far a term may be from the one asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fuzziness {
    Edits(usize),
    /// By the term's length: exact below the first number, one edit below the second, else two.
    Auto(usize, usize),
    /// Fewer than none, which a query may say but no field takes.
    Negative,
}

impl Fuzziness {
    /// Reads `AUTO`, `AUTO:3,6`, `0`, `1`, `2`; fractions are cut off, and more than two edits are two.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let upper = text.to_uppercase();
        if upper == "AUTO" {
            return Some(Self::Auto(3, 6));
        }
        if let Some(bounds) = upper.strip_prefix("AUTO:") {
            let (low, high) = bounds.split_once(',')?;
            let (low, high) = (low.parse().ok()?, high.parse().ok()?);
            return (low <= high).then_some(Self::Auto(low, high));
        }
        match super::number::double(text)? {
            number if number.is_nan() => None,
            number if number <= -1.0 => Some(Self::Negative),
            number if number < 1.0 => Some(Self::Edits(0)),
            number if number < 2.0 => Some(Self::Edits(1)),
            _ => Some(Self::Edits(2)),
        }
    }

    /// How many edits a term may be away.
    pub(super) fn edits(self, term: &str) -> usize {
        match self {
            Self::Edits(edits) => edits,
            Self::Negative => 0,
            Self::Auto(low, high) => match term.chars().count() {
                length if length < low => 0,
                length if length < high => 1,
                _ => 2,
            },
        }
    }
}

/// A term and how far others may be from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fuzzy {
    term: Vec<char>,
    edits: usize,
    /// So many characters at the start must be the same.
    prefix_length: usize,
    /// Whether two neighbours changing places is one edit.
    transpositions: bool,
}

impl Fuzzy {
    pub(super) fn new(
        term: &str,
        edits: usize,
        prefix_length: usize,
        transpositions: bool,
    ) -> Self {
        Self {
            term: term.chars().collect(),
            edits: edits.min(2),
            prefix_length,
            transpositions,
        }
    }

    /// Whether a text is near enough.
    pub(super) fn matches(&self, text: &str) -> bool {
        if text.len() > 4 * (self.term.len() + self.edits) {
            return false;
        }
        if self.term.is_empty() {
            return text.is_empty();
        }
        let text: Vec<char> = text.chars().collect();
        let prefix = self.prefix_length.min(self.term.len());
        let (Some((term_head, term)), Some((text_head, text))) = (
            self.term.split_at_checked(prefix),
            text.split_at_checked(prefix),
        ) else {
            return false;
        };
        term_head == text_head
            && term.len().abs_diff(text.len()) <= self.edits
            && distance(term, text, self.transpositions) <= self.edits
    }
}

fn distance(a: &[char], b: &[char], transpositions: bool) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (i, &from) in a.iter().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        let mut previous_b = None;
        for (j, &to) in b.iter().enumerate() {
            let at = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&row, j) + usize::from(from != to))
                .min(at(&row, j + 1) + 1)
                .min(at(&next, j) + 1);
            if transpositions && previous_a == Some(to) && previous_b == Some(from) && j > 0 {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
            previous_b = Some(to);
        }
        before = row;
        row = next;
        previous_a = Some(from);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let near = |a: &str, b: &str, edits| Fuzzy::new(a, edits, 0, true).matches(b);
        assert!(near("quick", "qucik", 1));
        assert!(near("quick", "quic", 1));
        assert!(!near("quick", "qi", 2));
        assert!(!near("", "ab", 2));
        assert!(near("日本語", "日本", 1));
        assert!(!Fuzzy::new("ab", 1, 0, false).matches("ba"));
        assert!(!Fuzzy::new("quick", 2, 1, true).matches("wuick"));
        assert!(Fuzzy::new("ab", 0, 9, true).matches("ab"));
        assert!(Fuzzy::new("ab", 1, 9, true).matches("abc"));
        assert!(!Fuzzy::new("ab", 1, 9, true).matches("ac"));
        assert!(!near("", "a", 1));
    }
}
