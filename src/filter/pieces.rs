//! Finds which of many pieces of text stand in a text, in capitals or not.
//!
//! Of each piece a *gram* is chosen: three neighbouring bytes of it, rare ones. A text is gone through once; at each place the gram that stands there is
//! looked up in a set of bits, and only where that says yes, pieces are compared. In most texts hardly any place says so, and unlike the states of an
//! automaton no place has to wait for the one before.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// How many bytes a gram has.
const GRAM: usize = 3;

/// Up to how many grams the small set is for: a bit in thirty-two is set then.
const FEW: usize = 128;

/// Pieces, and for each what stands under it.
#[derive(Debug)]
pub(super) struct Pieces<T> {
    pieces: Vec<(Box<[u8]>, T)>,
    /// By gram: a range of `places`.
    grams: HashMap<u32, (u32, u32), FixedState>,
    /// The number of a piece, and where in it its gram is.
    places: Vec<(u32, u32)>,
    /// The grams, for a first look.
    set: Set,
}

/// A set of hashes; those not in it may be found, too.
#[derive(Debug)]
enum Set {
    Small(Box<Bits<64>>),
    Large(Box<Bits<2048>>),
}

/// `N` words of 64 bits; a power of two.
#[derive(Debug)]
struct Bits<const N: usize>([u64; N]);

impl<T> Pieces<T> {
    /// Searches for these, which are in lower case, as far as they are ASCII. What stands under pieces of less than three bytes is given back: they cannot be
    /// searched for.
    pub(super) fn of(pieces: impl IntoIterator<Item = (Box<str>, T)>) -> (Self, Vec<T>) {
        let mut short = Vec::new();
        let mut long: Vec<(Box<[u8]>, T)> = Vec::new();
        for (piece, what) in pieces {
            if piece.len() < GRAM {
                short.push(what);
            } else {
                long.push((piece.into_boxed_bytes(), what));
            }
        }
        let mut crowd: HashMap<u32, u32, FixedState> = HashMap::default();
        for gram in long.iter().flat_map(|(piece, _)| grams_in(piece)) {
            *crowd.entry(gram).or_default() += 1;
        }
        let chosen = |(number, (piece, _)): (u32, &(Box<[u8]>, T))| {
            let grams = (0_u32..).zip(grams_in(piece));
            let crowd = |gram| crowd.get(&gram).copied().unwrap_or_default();
            let (offset, gram) = grams.min_by_key(|(_, gram)| crowd(*gram) * weight(*gram))?;
            Some((gram, number, offset))
        };
        let mut chosen: Vec<_> = (0_u32..).zip(&long).filter_map(chosen).collect();
        chosen.sort_unstable();
        let mut grams: HashMap<u32, (u32, u32), FixedState> = HashMap::default();
        for (at, (gram, ..)) in (0_u32..).zip(&chosen) {
            grams.entry(*gram).or_insert((at, at)).1 = at + 1;
        }
        let pieces = Self {
            pieces: long,
            places: chosen.iter().map(|(_, piece, at)| (*piece, *at)).collect(),
            set: Set::of(&grams),
            grams,
        };
        (pieces, short)
    }

    /// What stands under the pieces.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().map(|(_, what)| what)
    }

    /// Calls with what stands under each piece that the text has; more than once when it has it more than once.
    pub(super) fn each_in(&self, text: &[u8], each: &mut impl FnMut(&T)) {
        let mut compare = |at, gram| self.compare(text, at, gram, each);
        match &self.set {
            Set::Small(bits) => bits.each_in(text, &mut compare),
            Set::Large(bits) => bits.each_in(text, &mut compare),
        }
    }

    /// Compares the pieces that have the gram at a place of a text.
    fn compare(&self, text: &[u8], at: usize, gram: u32, each: &mut impl FnMut(&T)) {
        let places = self.grams.get(&gram);
        let places =
            places.and_then(|(start, end)| self.places.get(*start as usize..*end as usize));
        for (piece, offset) in places.into_iter().flatten() {
            let Some((piece, what)) = self.pieces.get(*piece as usize) else {
                continue;
            };
            let there = at
                .checked_sub(*offset as usize)
                .and_then(|start| text.get(start..start + piece.len()));
            if there.is_some_and(|there| there.eq_ignore_ascii_case(piece)) {
                each(what);
            }
        }
    }
}

impl Set {
    fn of(grams: &HashMap<u32, (u32, u32), FixedState>) -> Self {
        if grams.len() <= FEW {
            Self::Small(Box::new(Bits::of(grams.keys())))
        } else {
            Self::Large(Box::new(Bits::of(grams.keys())))
        }
    }
}

impl<const N: usize> Bits<N> {
    fn of<'g>(grams: impl Iterator<Item = &'g u32>) -> Self {
        let mut bits = Self([0; N]);
        for &gram in grams {
            let (word, bit) = Self::bit(gram);
            if let Some(word) = bits.0.get_mut(word) {
                *word |= 1 << bit;
            }
        }
        bits
    }

    /// The bit that stands for a gram: its word, and its number in that.
    fn bit(gram: u32) -> (usize, u32) {
        let hash = gram.wrapping_mul(0x9e37_79b1);
        let word = hash >> (32 - N.ilog2());
        (word as usize, hash >> (26 - N.ilog2()) & 63)
    }

    /// Calls with each place of a text where the set has the gram.
    #[inline(always)]
    fn each_in(&self, text: &[u8], each: &mut impl FnMut(usize, u32)) {
        // Three bytes are read as four where that can be.
        for (at, bytes) in text.windows(4).enumerate() {
            let Ok(bytes) = bytes.try_into() else {
                continue;
            };
            let gram = (u32::from_le_bytes(bytes) | 0x2020_2020) & 0x00ff_ffff;
            if self.has(gram) {
                each(at, gram);
            }
        }
        if let Some(last) = text.last_chunk::<GRAM>() {
            let gram = gram(*last);
            if self.has(gram) {
                each(text.len() - GRAM, gram);
            }
        }
    }

    fn has(&self, gram: u32) -> bool {
        let (word, bit) = Self::bit(gram);
        self.0.get(word).is_some_and(|word| word >> bit & 1 == 1)
    }
}

/// How often a gram is found in any text, roughly: by its letters.
fn weight(gram: u32) -> u32 {
    let weight = |byte: &u8| match byte {
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 8,
        b'h' | b'l' | b'd' | b'c' | b'u' | b'm' | b'f' | b'p' | b'g' | b' ' => 5,
        byte if byte.is_ascii_lowercase() => 2,
        _ => 3,
    };
    gram.to_le_bytes().iter().take(GRAM).map(weight).product()
}

fn grams_in(piece: &[u8]) -> impl Iterator<Item = u32> {
    let grams = piece.windows(GRAM);
    grams.filter_map(|bytes| Some(gram(bytes.try_into().ok()?)))
}

/// Three bytes as a number, letters in lower case. Some other bytes become equal by that, too.
fn gram([a, b, c]: [u8; GRAM]) -> u32 {
    u32::from_le_bytes([a, b, c, 0]) | 0x0020_2020
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn finds_what_is_there(
            pieces in prop::collection::vec("[a-c@`\\[{é ]{1,7}", 0..40),
            text in "[a-cA-C@`\\[{éK ]{0,60}",
        ) {
            let numbered = pieces.iter().enumerate();
            let (search, short) = Pieces::of(numbered.map(|(at, piece)| (piece.as_str().into(), at)));
            let mut found = BTreeSet::from_iter(short);
            prop_assert!(found.iter().all(|at| pieces[*at].len() < 3));
            found.retain(|at| has(&text, &pieces[*at]));
            search.each_in(text.as_bytes(), &mut |at| {
                found.insert(*at);
            });
            let there = pieces.iter().enumerate().filter(|(_, piece)| has(&text, piece));
            prop_assert_eq!(found, there.map(|(at, _)| at).collect());
        }
    }

    fn has(text: &str, piece: &str) -> bool {
        let windows = text.as_bytes().windows(piece.len());
        windows
            .into_iter()
            .any(|window| window.eq_ignore_ascii_case(piece.as_bytes()))
    }
}
