//! Sums of floats without rounding errors, from which numbers can be taken away again.
//!
//! The sum is kept as floats that do not overlap (Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997), as Python's `math.fsum` does it: taking
//! a number away leaves exactly what was there before it was added. A plain running sum would drift.

/// An exact sum.
#[derive(Debug, Clone)]
pub(super) struct ExactSum(Parts);

/// In growing magnitude, without common bits. Sums of whole numbers are one float, and there may be one for each of millions of keys.
#[derive(Debug, Clone)]
enum Parts {
    One(f64),
    Many(Vec<f64>),
}

impl Default for ExactSum {
    fn default() -> Self {
        Self(Parts::One(0.0))
    }
}

/// Larger numbers are left out: their sums could leave the range of floats, and what is infinite can't be taken away again.
const LARGEST: f64 = 1e300;

/// The sum of two numbers, and what was rounded away.
fn two_sum(one: f64, other: f64) -> (f64, f64) {
    let (large, small) = if one.abs() < other.abs() {
        (other, one)
    } else {
        (one, other)
    };
    let sum = large + small;
    (sum, small - (sum - large))
}

impl ExactSum {
    /// Adds a number; `-x` takes `x` away.
    pub(super) fn add(&mut self, number: f64) {
        if number.is_nan() || number.abs() > LARGEST {
            return;
        }
        let parts = match &mut self.0 {
            Parts::One(part) => {
                match two_sum(number, *part) {
                    (sum, 0.0) => *part = sum,
                    (sum, rest) => self.0 = Parts::Many(vec![rest, sum]),
                }
                return;
            }
            Parts::Many(parts) => parts,
        };
        let mut carry = number;
        let mut kept = 0;
        for at in 0..parts.len() {
            let Some(&part) = parts.get(at) else {
                break;
            };
            let (sum, rest) = two_sum(carry, part);
            carry = sum;
            if rest != 0.0
                && let Some(slot) = parts.get_mut(kept)
            {
                *slot = rest;
                kept += 1;
            }
        }
        parts.truncate(kept);
        parts.push(carry);
    }

    /// The sum, rounded once, half to even.
    pub(super) fn value(&self) -> f64 {
        let parts = match &self.0 {
            Parts::One(part) => std::slice::from_ref(part),
            Parts::Many(parts) => parts,
        };
        let mut parts = parts.iter().rev();
        let Some(&first) = parts.next() else {
            return 0.0;
        };
        let (mut sum, mut rest) = (first, 0.0);
        for &part in parts.by_ref() {
            let before = sum;
            sum = before + part;
            rest = part - (sum - before);
            if rest != 0.0 {
                break;
            }
        }
        // Half-way cases: what is below the rest decides.
        if let Some(&below) = parts.next()
            && ((rest < 0.0 && below < 0.0) || (rest > 0.0 && below > 0.0))
        {
            let twice = rest * 2.0;
            let next = sum + twice;
            if next - sum == twice {
                return next;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(numbers: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        numbers.iter().for_each(|&number| sum.add(number));
        sum.value()
    }

    #[test]
    fn nothing_is_rounded_before_the_end() {
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1e16, 1.0, -1e16]), 1.0);
        assert_eq!(sum(&[1e16, 1.0, 1e-16]), 10_000_000_000_000_002.0);
        assert_eq!(sum(&[]), 0.0);
    }

    proptest! {
        #[test]
        fn taking_away_leaves_what_was_before(numbers in prop::collection::vec(-1e9f64..1e9, 0..20), others in prop::collection::vec(-1e-3f64..1e12, 0..20)) {
            let mut both = ExactSum::default();
            for number in numbers.iter().chain(&others) {
                both.add(*number);
            }
            for other in &others {
                both.add(-other);
            }
            prop_assert_eq!(both.value(), sum(&numbers));
        }
    }
}
