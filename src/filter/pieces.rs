//! Finds which of many pieces of text stand in a text, in capitals or not.
//!
//! Of each piece two *grams* are chosen: three neighbouring bytes of it, rare ones, one that begins at an even place of the piece and one at an odd. Only
//! every second place of a text is looked at: wherever the piece stands, one of its grams is there. The gram of a place is looked up in a set of bits, and
//! only where that says yes, pieces are compared. In most texts hardly any place says so, and unlike the states of an automaton no place has to wait for
//! the one before.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// How many bytes a gram has.
const GRAM: usize = 3;

/// Up to how many grams the small set is for: a bit in thirty-two is set then.
const FEW: usize = 256;

/// Marks the last two bytes of a piece of three: at odd places there is no gram in it.
const PAIR: u32 = 1 << 31;

/// How many bytes are looked at in one step; the last gram ends in the next.
const STEP: usize = 8;

/// Pieces, and for each what stands under it.
#[derive(Debug)]
pub(super) struct Pieces<T> {
    pieces: Vec<(Box<[u8]>, T)>,
    /// By gram: a range of `places`.
    grams: HashMap<u32, (u32, u32), FixedState>,
    /// The number of a piece, and where in it its gram is.
    places: Vec<(u32, u32)>,
    /// Whether any of the grams is just a pair of bytes.
    has_pairs: bool,
    /// The grams, for a first look.
    set: Set,
}

/// A set of hashes; those not in it may be found, too.
#[derive(Debug)]
enum Set {
    Small(Box<Bits<128>>),
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
        let mut chosen = Vec::new();
        for (number, (piece, _)) in (0_u32..).zip(&long) {
            for odd in [0, 1] {
                let grams = (0_u32..).zip(grams_in(piece)).skip(odd).step_by(2);
                let crowd = |gram| crowd.get(&gram).copied().unwrap_or_default();
                let rarest = grams.min_by_key(|(_, gram)| crowd(*gram) * weight(*gram));
                let last_two = || Some((1, PAIR | pair(gram(*piece.first_chunk()?) >> 8)));
                if let Some((offset, gram)) = rarest.or_else(last_two) {
                    chosen.push((gram, number, offset));
                }
            }
        }
        chosen.sort_unstable();
        let mut grams: HashMap<u32, (u32, u32), FixedState> = HashMap::default();
        for (at, (gram, ..)) in (0_u32..).zip(&chosen) {
            grams.entry(*gram).or_insert((at, at)).1 = at + 1;
        }
        let pieces = Self {
            pieces: long,
            places: chosen.iter().map(|(_, piece, at)| (*piece, *at)).collect(),
            has_pairs: grams.keys().any(|gram| gram & PAIR != 0),
            set: Set::of(&grams),
            grams,
        };
        (pieces, short)
    }

    /// What stands under the pieces.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().map(|(_, what)| what)
    }

    /// What stands under the piece of a number.
    pub(super) fn get(&self, piece: usize) -> Option<&T> {
        self.pieces.get(piece).map(|(_, what)| what)
    }

    /// Calls with the number of each piece that the text has, and where it begins; more than once when the text has it more than once.
    pub(super) fn each_in(&self, text: &[u8], each: &mut impl FnMut(usize, usize)) {
        let mut compare = |at, gram| {
            self.compare(text, at, gram, each);
            if self.has_pairs {
                self.compare(text, at, PAIR | pair(gram), each);
            }
        };
        match &self.set {
            Set::Small(bits) => bits.each_in(text, &mut compare),
            Set::Large(bits) => bits.each_in(text, &mut compare),
        }
    }

    /// Compares the pieces that have the gram at a place of a text.
    fn compare(&self, text: &[u8], at: usize, gram: u32, each: &mut impl FnMut(usize, usize)) {
        let places = self.grams.get(&gram);
        let places =
            places.and_then(|(start, end)| self.places.get(*start as usize..*end as usize));
        for &(number, offset) in places.into_iter().flatten() {
            let (number, offset) = (number as usize, offset as usize);
            let (Some(start), Some((piece, _))) = (at.checked_sub(offset), self.pieces.get(number))
            else {
                continue;
            };
            let there = text.get(start..start + piece.len());
            if there.is_some_and(|there| there.eq_ignore_ascii_case(piece)) {
                each(number, start);
            }
        }
    }
}

impl Set {
    fn of<V>(grams: &HashMap<u32, V, FixedState>) -> Self {
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
            if gram & PAIR == 0 {
                bits.insert(gram);
            } else {
                // Whatever stands behind them.
                (0..=u8::MAX).for_each(|last| bits.insert(pair(gram) | u32::from(last) << 16));
            }
        }
        bits
    }

    fn insert(&mut self, gram: u32) {
        let (word, bit) = Self::bit(gram);
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << bit;
        }
    }

    /// The bit that stands for a gram: its word, and its number in that. What is in the fourth byte of the gram does not count.
    fn bit(gram: u32) -> (usize, u32) {
        let hash = gram.wrapping_mul(0x9e37_79b1 << 8);
        let word = hash >> (32 - N.ilog2());
        (word as usize, hash >> (26 - N.ilog2()) & 63)
    }

    /// Calls with every second place of a text where the set has the gram.
    #[inline(always)]
    fn each_in(&self, text: &[u8], each: &mut impl FnMut(usize, u32)) {
        let mut at = 0;
        while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk) {
            self.step(at, *bytes, each);
            at += STEP;
        }
        let rest = text.get(at..).unwrap_or_default();
        let mut last = [0; STEP + 1];
        if let Some(start) = last.get_mut(..rest.len()) {
            start.copy_from_slice(rest);
            self.step(at, last, each);
        }
    }

    #[inline(always)]
    fn step(&self, at: usize, bytes: [u8; STEP + 1], each: &mut impl FnMut(usize, u32)) {
        let [a, b, c, d, e, f, g, h, next] = bytes;
        // Four bytes are read at once; the fourth does not count.
        let grams = [[a, b, c, d], [c, d, e, f], [e, f, g, h], [g, h, next, 0]];
        for (place, gram) in grams.into_iter().enumerate() {
            let gram = u32::from_le_bytes(gram) | 0x2020_2020;
            if self.has(gram) {
                each(at + 2 * place, gram & 0x00ff_ffff);
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

/// The first two bytes of a gram.
fn pair(gram: u32) -> u32 {
    gram & 0xffff
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
            search.each_in(text.as_bytes(), &mut |piece, at| {
                let number = *search.get(piece).unwrap();
                let there = &text.as_bytes()[at..at + pieces[number].len()];
                assert!(there.eq_ignore_ascii_case(pieces[number].as_bytes()));
                found.insert(number);
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
