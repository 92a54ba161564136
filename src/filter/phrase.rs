//! Finding phrases: terms in order, or moved by a few places.

use super::analysis::Analyzer;
use super::plan::Phrase;
use super::values::Visit;

/// The places that stand between two elements of a list (`position_increment_gap`).
const GAP: u32 = 100;
/// The most places remembered for a term of a phrase.
const MAX_POSITIONS: usize = 100_000;
/// The most steps spent on one phrase with slop.
const MAX_STEPS: usize = 1_000_000;

/// Where the terms of a phrase were found, counted from the phrase's own start: for a phrase as written all are the same.
pub(super) struct Positions<'p> {
    phrase: &'p Phrase,
    starts: Vec<Vec<i64>>,
    next: u32,
    empty: bool,
}

impl<'p> Positions<'p> {
    pub(super) fn new(phrase: &'p Phrase) -> Self {
        Self {
            phrase,
            starts: vec![Vec::new(); phrase.terms.len()],
            next: 0,
            empty: true,
        }
    }

    /// Adds a value of the field.
    pub(super) fn add(&mut self, text: &str, analyzer: &Analyzer) {
        if !self.empty {
            self.next = self.next.saturating_add(GAP);
        }
        self.empty = false;
        let base = self.next;
        let last = self.phrase.terms.len() - 1;
        analyzer.each(text, &mut |term, position| {
            let at = base.saturating_add(position);
            self.next = at.saturating_add(1);
            for (number, ((wanted, place), starts)) in
                self.phrase.terms.iter().zip(&mut self.starts).enumerate()
            {
                let found = if number == last && self.phrase.last_is_prefix {
                    term.starts_with(&**wanted)
                } else {
                    **wanted == *term
                };
                if found && starts.len() < MAX_POSITIONS {
                    starts.push(i64::from(at) - i64::from(*place));
                }
            }
            Visit::Continue
        });
    }

    /// Whether the phrase is there.
    pub(super) fn found(&self) -> bool {
        let Some((first, others)) = self.starts.split_first() else {
            return false;
        };
        if self.starts.iter().any(Vec::is_empty) {
            return false;
        }
        if self.phrase.slop == 0 {
            return first.iter().any(|start| {
                others
                    .iter()
                    .all(|starts| starts.binary_search(start).is_ok())
            });
        }
        let mut steps = MAX_STEPS;
        let slop = i64::from(self.phrase.slop);
        // The lowest start of a match is one of those that were found.
        self.starts
            .iter()
            .flatten()
            .any(|&low| self.fits(0, low, low + slop, &mut Vec::new(), &mut steps))
    }

    /// Whether the terms from a number on have starts within bounds, no place used twice.
    fn fits(
        &self,
        number: usize,
        low: i64,
        high: i64,
        used: &mut Vec<i64>,
        steps: &mut usize,
    ) -> bool {
        let (Some(starts), Some((_, place))) =
            (self.starts.get(number), self.phrase.terms.get(number))
        else {
            return true;
        };
        let from = starts.partition_point(|&start| start < low);
        for &start in starts.iter().skip(from).take_while(|&&start| start <= high) {
            *steps = steps.saturating_sub(1);
            if *steps == 0 {
                return false;
            }
            let at = start + i64::from(*place);
            if used.contains(&at) {
                continue;
            }
            used.push(at);
            let fits = self.fits(number + 1, low, high, used, steps);
            used.pop();
            if fits {
                return true;
            }
        }
        false
    }
}
