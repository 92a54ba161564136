//! How many different values there were since a time, estimated in bounded memory.
//!
//! HyperLogLog over a sliding window (Chabchoub and Hébrail, "Sliding HyperLogLog", 2010) with the estimator of Ertl, "New cardinality estimation algorithms
//! for HyperLogLog sketches", 2017, which has no range in which it is biased. The standard error is 1.04 / √4096, 1.6 %.

use crate::event::EventTime;
use crate::rule::Key;
use crate::rule::fnv::Fnv;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::hash::{Hash as _, Hasher};

/// A value's register is told by so many bits of its hash.
const BITS: u32 = 12;
const REGISTERS: usize = 1 << BITS;
/// The other bits can begin with so many zeros at most, and one more is the highest rank.
const ZEROS: u32 = 64 - BITS;
const RANKS: usize = ZEROS as usize + 2;

/// Values that are not remembered, only counted.
#[derive(Debug)]
pub(super) struct Sketch {
    registers: Box<[Register]>,
    /// How many registers have each rank.
    ranks: [u32; RANKS],
    count: usize,
}

/// The ranks seen, each with the last time; only those that no later one reaches, so that ranks fall while times rise.
type Register = Vec<(EventTime, u8)>;

/// The same on every machine and in every version: sketches are saved.
#[derive(Default)]
struct StableHasher(Fnv);

impl Hasher for StableHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// The last step of MurmurHash3: FNV alone does not spread what comes last over all bits.
    fn finish(&self) -> u64 {
        let mut hash = self.0.value();
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        hash ^ (hash >> 33)
    }
}

impl Default for Sketch {
    fn default() -> Self {
        Self::of(vec![Register::new(); REGISTERS].into())
    }
}

/// The rank a register counts with: that of its oldest, which is its highest.
fn rank(register: &Register) -> usize {
    register.first().map_or(0, |(_, rank)| usize::from(*rank))
}

/// How many registers have each rank.
fn ranks(ranks: impl Iterator<Item = usize>) -> [u32; RANKS] {
    let mut found = [0; RANKS];
    for rank in ranks {
        if let Some(count) = found.get_mut(rank) {
            *count += 1;
        }
    }
    found
}

impl Sketch {
    fn of(registers: Box<[Register]>) -> Self {
        let ranks = ranks(registers.iter().map(rank));
        Self {
            registers,
            count: estimate(&ranks),
            ranks,
        }
    }

    /// A value was seen.
    pub(super) fn insert(&mut self, value: &Key, time: EventTime) {
        let mut hasher = StableHasher::default();
        value.hash(&mut hasher);
        let hash = hasher.finish();
        let place = usize::try_from(hash >> ZEROS).unwrap_or(0);
        let zeros = (hash << BITS).leading_zeros().min(ZEROS);
        let seen = u8::try_from(zeros + 1).unwrap_or(u8::MAX);
        let Some(register) = self.registers.get_mut(place) else {
            return;
        };
        if register
            .iter()
            .any(|(at, rank)| *at >= time && *rank >= seen)
        {
            return;
        }
        let before = rank(register);
        register.retain(|(at, rank)| *at > time || *rank > seen);
        let at = register.partition_point(|(at, _)| *at <= time);
        register.insert(at, (time, seen));
        let after = rank(register);
        self.moved(before, after);
    }

    fn moved(&mut self, before: usize, after: usize) {
        if before == after {
            return;
        }
        if let Some(count) = self.ranks.get_mut(before) {
            *count -= 1;
        }
        if let Some(count) = self.ranks.get_mut(after) {
            *count += 1;
        }
        self.count = estimate(&self.ranks);
    }

    /// Lets go of what `keep` does not want by the time it was last seen.
    pub(super) fn retain(&mut self, keep: impl Fn(EventTime) -> bool) {
        for register in &mut self.registers {
            register.retain(|(at, _)| keep(*at));
        }
        self.ranks = ranks(self.registers.iter().map(rank));
        self.count = estimate(&self.ranks);
    }

    /// About how many different values there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// About how many there are of those seen since a time.
    pub(super) fn count_since(&self, limit: EventTime) -> usize {
        let since = |register: &Register| {
            let mut seen = register.iter().filter(|(at, _)| *at >= limit);
            seen.next().map_or(0, |(_, rank)| usize::from(*rank))
        };
        estimate(&ranks(self.registers.iter().map(since)))
    }

    /// The times that are known, in no order.
    pub(super) fn times(&self) -> impl Iterator<Item = EventTime> {
        self.registers.iter().flatten().map(|(at, _)| *at)
    }
}

/// Ertl's improved raw estimator (algorithm 6).
fn estimate(ranks: &[u32; RANKS]) -> usize {
    let registers = f64::from(1u32 << BITS);
    let share = |rank: usize| f64::from(ranks.get(rank).copied().unwrap_or(0)) / registers;
    let mut z = tau(1.0 - share(RANKS - 1));
    for rank in (1..RANKS - 1).rev() {
        z = 0.5 * (z + share(rank));
    }
    z += sigma(share(0));
    let estimate = registers / (2.0 * std::f64::consts::LN_2 * z);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and far from a usize's end: there are 2^64 hashes"
    )]
    let estimate = estimate.round() as usize;
    estimate
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

impl Serialize for Sketch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.registers.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sketch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let registers = Box::<[Register]>::deserialize(deserializer)?;
        if registers.len() != REGISTERS {
            return Err(de::Error::custom("a sketch has another size"));
        }
        let mut seen = registers.iter().flatten();
        if seen.any(|(_, rank)| !(1..RANKS).contains(&usize::from(*rank))) {
            return Err(de::Error::custom("a sketch has a rank that no hash has"));
        }
        Ok(Self::of(registers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_within_three_standard_errors() {
        let mut sketch = Sketch::default();
        let mut checked = 1;
        for n in 1..=200_000u32 {
            sketch.insert(&Key::Text(format!("10.0.{n}").into()), EventTime(n.into()));
            if n == checked {
                checked = n * 2;
                let off = sketch.count() as f64 / f64::from(n) - 1.0;
                assert!(off.abs() < 0.05, "{n}: {}", sketch.count());
            }
        }
        // Those that come again are no more, and what was last seen too long ago leaves.
        let before = sketch.count();
        for n in 150_000..=200_000u32 {
            sketch.insert(&Key::Text(format!("10.0.{n}").into()), EventTime(n.into()));
        }
        assert_eq!(sketch.count(), before);
        for limit in [100_001i64, 150_001, 190_001, 199_901, 200_001] {
            let left = (200_001 - limit) as f64;
            let since = sketch.count_since(EventTime(limit));
            sketch.retain(|at| at >= EventTime(limit));
            assert_eq!(sketch.count(), since);
            let off = (since as f64 - left).abs();
            assert!(off <= 0.05 * left, "{limit}: {since}");
        }
    }
}
