//! Finds which of many pieces of text stand in a text, in capitals or not.
//!
//! Of each piece two *grams* are chosen: four neighbouring bytes of it, rare ones, one that begins at an even place of the piece and one at an odd. Only
//! every second place of a text is looked at: wherever the piece stands, one of its grams is there. The gram of a place is looked up in a set of bits, and
//! only where that says yes, pieces are compared. In most texts hardly any place says so, and unlike the states of an automaton no place has to wait for
//! the one before. In short pieces there are not two such grams: of theirs only three bytes count.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// How many bytes a gram has.
const GRAM: usize = 4;

/// Shorter pieces cannot be searched for.
const SHORTEST: usize = 3;

/// How many bytes are gone on in one step, and how many are looked at: the last gram ends in the next step.
const STEP: usize = 8;
const SEEN: usize = STEP + 2;

/// Up to how many grams the small set is for: a bit in thirty-two is set then.
const FEW: usize = 256;

/// Pieces, and for each what stands under it.
#[derive(Debug)]
pub(super) struct Pieces<T> {
    pieces: Vec<(Box<[u8]>, T)>,
    /// By hash.
    grams: Vec<Gram>,
    /// By the first bits of a hash: where its grams begin, which end where the next begin.
    buckets: Vec<u32>,
    /// How many bits of a hash do not tell the bucket.
    shift: u32,
    /// Which bytes count, in some of the grams.
    masks: Vec<u32>,
    /// The grams, for a first look.
    set: Set,
}

/// A gram of a piece.
#[derive(Debug, Clone, Copy)]
struct Gram {
    /// Its bytes, letters in lower case; 0 where any may stand.
    bytes: u32,
    /// Which of them count.
    mask: u32,
    /// The number of the piece.
    piece: u32,
    /// Where in it the gram begins, counted from the byte before it.
    place: u32,
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
            if piece.len() < SHORTEST {
                short.push(what);
            } else {
                long.push((piece.into_boxed_bytes(), what));
            }
        }
        let mut crowd: HashMap<u32, u32, FixedState> = HashMap::default();
        for gram in long.iter().flat_map(|(piece, _)| grams_in(piece)) {
            *crowd.entry(gram).or_default() += 1;
        }
        let mut grams = Vec::new();
        for (piece, (bytes, _)) in (0_u32..).zip(&long) {
            for odd in [0, 1] {
                let here = (1_u32..).zip(grams_in(bytes)).skip(odd).step_by(2);
                let crowd = |gram| crowd.get(&gram).copied().unwrap_or_default();
                let rarest = here.min_by_key(|(_, gram)| crowd(*gram) * weight(*gram));
                let whole = rarest.map(|(place, bytes)| Gram {
                    bytes,
                    mask: u32::MAX,
                    piece,
                    place,
                });
                grams.extend(whole.or_else(|| Gram::of_three(bytes, odd == 1, piece)));
            }
        }
        grams.sort_unstable_by_key(|gram| (hash(gram.bytes), gram.mask));
        let bits = (2 * grams.len()).next_power_of_two().ilog2().max(1);
        let shift = u32::BITS - bits;
        let begins = |bucket| grams.partition_point(|gram| hash(gram.bytes) >> shift < bucket);
        let buckets = (0..=1 << bits).map(|bucket| u32::try_from(begins(bucket)));
        let mut masks: Vec<u32> = grams.iter().map(|gram| gram.mask).collect();
        masks.sort_unstable();
        masks.dedup();
        let pieces = Self {
            pieces: long,
            buckets: buckets.map(Result::unwrap_or_default).collect(),
            shift,
            masks,
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
        let mut from = 0;
        while let Some((at, gram)) = self.set.next(text, from) {
            for mask in &self.masks {
                self.compare(text, at, gram & mask, *mask, each);
            }
            from = at + 2;
        }
    }

    /// Compares the pieces that have the gram at a place of a text.
    fn compare(
        &self,
        text: &[u8],
        at: usize,
        bytes: u32,
        mask: u32,
        each: &mut impl FnMut(usize, usize),
    ) {
        let bucket = (hash(bytes) >> self.shift) as usize;
        let &[start, end] = self.buckets.get(bucket..bucket + 2).unwrap_or_default() else {
            return;
        };
        let grams = self.grams.get(start as usize..end as usize);
        let same = |gram: &&Gram| gram.bytes == bytes && gram.mask == mask;
        for gram in grams.into_iter().flatten().filter(same) {
            let number = gram.piece as usize;
            let (Some(start), Some((piece, _))) = (
                (at + 1).checked_sub(gram.place as usize),
                self.pieces.get(number),
            ) else {
                continue;
            };
            let there = text.get(start..start + piece.len());
            if there.is_some_and(|there| there.eq_ignore_ascii_case(piece)) {
                each(number, start);
            }
        }
    }
}

impl Gram {
    /// The gram for even places of a piece of three bytes, or for odd ones of three or four.
    fn of_three(piece: &[u8], odd: bool, number: u32) -> Option<Self> {
        // Of the byte before the piece, or of that behind it, nothing is known.
        let (first, place, is_before) = match (odd, piece.len() == SHORTEST) {
            (false, _) => (0, 1, false),
            (true, true) => (0, 0, true),
            (true, false) => (1, 2, false),
        };
        let &[a, b, c] = piece.get(first..)?.first_chunk()?;
        let (bytes, mask) = if is_before {
            ([0, a, b, c], 0xffff_ff00)
        } else {
            ([a, b, c, 0], 0x00ff_ffff)
        };
        Some(Self {
            bytes: lower(bytes) & mask,
            mask,
            piece: number,
            place,
        })
    }

    /// All that can stand where it is, one for each hash.
    fn all(&self) -> impl Iterator<Item = u32> {
        let free = !self.mask;
        let last = if free == 0 { 0 } else { u8::MAX };
        let others = (0..=last).filter(|other| other & IN_RIM == *other);
        others.map(move |other| self.bytes | u32::from_ne_bytes([other; GRAM]) & free)
    }
}

impl Set {
    fn of(grams: &[Gram]) -> Self {
        let count: usize = grams.iter().map(|gram| gram.all().count()).sum();
        if count <= FEW {
            Self::Small(Box::new(Bits::of(grams)))
        } else {
            Self::Large(Box::new(Bits::of(grams)))
        }
    }

    fn next(&self, text: &[u8], from: usize) -> Option<(usize, u32)> {
        match self {
            Self::Small(bits) => bits.next(text, from),
            Self::Large(bits) => bits.next(text, from),
        }
    }
}

impl<const N: usize> Bits<N> {
    fn of(grams: &[Gram]) -> Self {
        let mut bits = Self([0; N]);
        for gram in grams.iter().flat_map(Gram::all) {
            let (word, bit) = Self::bit(gram);
            if let Some(word) = bits.0.get_mut(word) {
                *word |= 1 << bit;
            }
        }
        bits
    }

    /// The bit that stands for a gram: its word, and its number in that.
    fn bit(gram: u32) -> (usize, u32) {
        let hash = hash(gram);
        let word = hash >> (32 - N.ilog2());
        (word as usize, hash >> (26 - N.ilog2()) & 63)
    }

    /// The first of every second place of a text, from one on, where the set has the gram.
    fn next(&self, text: &[u8], from: usize) -> Option<(usize, u32)> {
        let mut at = from;
        while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk) {
            if let Some((place, gram)) = self.first_in(bytes) {
                return Some((at + place, gram));
            }
            at += STEP;
        }
        // What is put behind the end is looked at, too, but there no look begins.
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let mut last = [0; SEEN];
        last.get_mut(..rest.len())?.copy_from_slice(rest);
        let (place, gram) = self.first_in(&last)?;
        Some((at + place, gram))
    }

    #[inline(always)]
    fn first_in(&self, bytes: &[u8; SEEN]) -> Option<(usize, u32)> {
        let look = |place: usize| {
            let gram = lower(*bytes.get(place..)?.first_chunk()?);
            self.has(gram).then_some((place, gram))
        };
        look(0)
            .or_else(|| look(2))
            .or_else(|| look(4))
            .or_else(|| look(6))
    }

    fn has(&self, gram: u32) -> bool {
        let (word, bit) = Self::bit(gram);
        self.0.get(word).is_some_and(|word| word >> bit & 1 == 1)
    }
}

/// What counts of the first byte of a gram and of the last. Where one of them may be any there are as many hashes as it leaves.
const IN_RIM: u8 = 0x5f;

fn hash(gram: u32) -> u32 {
    const COUNTS: u32 = u32::from_le_bytes([IN_RIM, 0xff, 0xff, IN_RIM]);
    (gram & COUNTS).wrapping_mul(0x85eb_ca6b)
}

/// How often a gram is found in any text, roughly: by its letters.
fn weight(gram: u32) -> u32 {
    let weight = |byte: &u8| match byte {
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 8,
        b'h' | b'l' | b'd' | b'c' | b'u' | b'm' | b'f' | b'p' | b'g' | b' ' => 5,
        byte if byte.is_ascii_lowercase() => 2,
        _ => 3,
    };
    gram.to_le_bytes().iter().map(weight).product()
}

fn grams_in(piece: &[u8]) -> impl Iterator<Item = u32> {
    let grams = piece.windows(GRAM);
    grams.filter_map(|bytes| Some(lower(bytes.try_into().ok()?)))
}

/// Four bytes as a number, letters in lower case. Some other bytes become equal by that, too.
fn lower(bytes: [u8; GRAM]) -> u32 {
    u32::from_le_bytes(bytes) | 0x2020_2020
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
