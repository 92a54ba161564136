//! Finding phrases: terms in order, or moved by a few places.

use super::analysis::Analyzer;
use super::plan::Phrase;
use super::values::Visit;

/// The most places remembered for a term of a phrase.
const MAX_POSITIONS: usize = 100_000;
/// The most steps spent on one phrase with slop.
const MAX_STEPS: usize = 1_000_000;

/// Looks for a phrase in the values of a field.
pub(super) struct Search<'p> {
    phrase: &'p Phrase,
    seen: Seen,
    /// The place of the next term.
    next: u32,
    empty: bool,
}

/// What is known of the terms so far.
enum Seen {
    /// Of a phrase whose terms must stand as written: which beginnings of it end with the last term, a bit for each length.
    InOrder { begun: u64, last: u32, found: bool },
    /// Where the terms were found, counted from the phrase's own start: for a phrase as written all are the same.
    Starts(Vec<Vec<i64>>),
}

impl<'p> Search<'p> {
    pub(super) fn new(phrase: &'p Phrase) -> Self {
        let seen = if is_in_order(phrase) {
            Seen::InOrder {
                begun: 0,
                last: 0,
                found: false,
            }
        } else {
            Seen::Starts(vec![Vec::new(); phrase.terms.len()])
        };
        Self {
            phrase,
            seen,
            next: 0,
            empty: true,
        }
    }

    /// Adds a value of the field; says stop when the phrase has been found.
    pub(super) fn add(&mut self, text: &str, analyzer: &Analyzer) -> Visit {
        if !self.empty {
            self.next = self.next.saturating_add(analyzer.gap());
        }
        self.empty = false;
        let base = self.next;
        analyzer.each(text, &mut |term, position| {
            let at = base.saturating_add(position);
            self.next = at.saturating_add(1);
            self.seen.add(self.phrase, term, at)
        })
    }

    /// Whether the phrase is there.
    pub(super) fn found(&self) -> bool {
        match &self.seen {
            Seen::InOrder { found, .. } => *found,
            Seen::Starts(starts) => moved(self.phrase, starts),
        }
    }
}

/// Whether the terms of a phrase must stand as written, one after the other, and are few enough for a bit each.
fn is_in_order(phrase: &Phrase) -> bool {
    let pairs = phrase.terms.iter().zip(phrase.terms.iter().skip(1));
    phrase.slop == 0
        && (1..=u64::BITS).contains(&length(phrase))
        && pairs.into_iter().all(|((_, a), (_, b))| a < b)
}

/// The place of a term, counted from that of the first.
fn place_in(phrase: &Phrase, place: u32) -> u32 {
    let first = phrase.terms.first().map_or(0, |(_, place)| *place);
    place.saturating_sub(first)
}

/// How many places a phrase takes.
fn length(phrase: &Phrase) -> u32 {
    let last = phrase.terms.last();
    last.map_or(0, |(_, place)| place_in(phrase, *place).saturating_add(1))
}

impl Seen {
    fn add(&mut self, phrase: &Phrase, term: &str, at: u32) -> Visit {
        let last_term = phrase.terms.len().saturating_sub(1);
        let is = |number: usize, wanted: &str| {
            if number == last_term && phrase.last_is_prefix {
                term.starts_with(wanted)
            } else {
                *wanted == *term
            }
        };
        let terms = phrase.terms.iter().enumerate();
        match self {
            Self::InOrder { begun, last, found } => {
                // Where the phrase has no term, any may stand, or none.
                let bit = |place: &u32| 1_u64 << place_in(phrase, *place);
                let (mut taken, mut here) = (0, 0);
                for (number, (wanted, place)) in terms {
                    taken |= bit(place);
                    here |= if is(number, wanted) { bit(place) } else { 0 };
                }
                for _ in 1..(at - *last).min(u64::BITS) {
                    *begun = *begun << 1 & !taken;
                }
                *begun = (*begun << 1 | 1) & (here | !taken);
                *last = at;
                *found = *begun >> (length(phrase) - 1) & 1 == 1;
                if *found { Visit::Stop } else { Visit::Continue }
            }
            Self::Starts(all) => {
                for ((number, (wanted, place)), starts) in terms.zip(all) {
                    if is(number, wanted) && starts.len() < MAX_POSITIONS {
                        starts.push(i64::from(at) - i64::from(*place));
                    }
                }
                Visit::Continue
            }
        }
    }
}

/// Whether the terms of a phrase were found close enough to each other.
fn moved(phrase: &Phrase, all: &[Vec<i64>]) -> bool {
    let Some((first, others)) = all.split_first() else {
        return false;
    };
    if all.iter().any(Vec::is_empty) {
        return false;
    }
    if phrase.slop == 0 {
        return first.iter().any(|start| {
            let mut others = others.iter();
            others.all(|starts| starts.binary_search(start).is_ok())
        });
    }
    let mut steps = MAX_STEPS;
    let slop = i64::from(phrase.slop);
    let starts = Starts { phrase, all };
    // The lowest start of a match is one of those that were found.
    let mut lows = all.iter().flatten();
    lows.any(|&low| starts.fits(0, low, low + slop, &mut Vec::new(), &mut steps))
}

/// Where each term of a phrase was found.
struct Starts<'p> {
    phrase: &'p Phrase,
    all: &'p [Vec<i64>],
}

impl Starts<'_> {
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
            (self.all.get(number), self.phrase.terms.get(number))
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn terms_in_order_are_found_as_starts_say(
            terms in prop::collection::vec(("[xy]{1,2}", 1_u32..3), 1..5),
            last_is_prefix: bool,
            texts in prop::collection::vec("[xy]{1,2}( the)?( [xy]{1,2}){0,6}", 1..4),
        ) {
            let mut place = 0;
            let terms = terms.into_iter().map(|(term, step)| {
                place += step;
                (term.into(), place)
            });
            let phrase = Phrase {
                terms: terms.collect(),
                slop: 0,
                last_is_prefix,
            };
            let analyzer = Analyzer::named("stop").unwrap();
            let found = |mut search: Search<'_>| {
                let stopped = texts.iter().any(|text| search.add(text, &analyzer) == Visit::Stop);
                prop_assert!(!stopped || search.found());
                Ok(search.found())
            };
            let in_order = Search::new(&phrase);
            let is_in_order = matches!(in_order.seen, Seen::InOrder { .. });
            prop_assert!(is_in_order);
            let by_starts = Search {
                seen: Seen::Starts(vec![Vec::new(); phrase.terms.len()]),
                ..Search::new(&phrase)
            };
            prop_assert_eq!(found(in_order)?, found(by_starts)?);
        }
    }
}
