//! Different values, counted, so that each goes when it was taken away as often as it was added.

use super::keyed::Keyed;
use crate::rule::Key;

/// More values than this are kept in a table.
const FEW: usize = 16;

/// Different values, and how often each is there.
#[derive(Debug)]
pub(super) enum Distinct {
    Few(Vec<(Key, u32)>),
    Many(Box<Keyed<u32>>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Distinct {
    /// One more of a value.
    pub(super) fn add(&mut self, value: &Key) {
        match self {
            Self::Few(values) => {
                if let Some((_, count)) = values.iter_mut().find(|(known, _)| known == value) {
                    *count += 1;
                } else if values.len() < FEW {
                    values.push((value.clone(), 1));
                } else {
                    let mut table = Box::<Keyed<u32>>::default();
                    for (known, count) in values.drain(..) {
                        table.add_new(known, count);
                    }
                    table.add_new(value.clone(), 1);
                    *self = Self::Many(table);
                }
            }
            Self::Many(table) => {
                let slot = table.find_or_add(value, || 0);
                if let Some(count) = table.cell(slot) {
                    *count += 1;
                }
            }
        }
    }

    /// One less of a value.
    pub(super) fn remove(&mut self, value: &Key) {
        match self {
            Self::Few(values) => {
                if let Some(at) = values.iter().position(|(known, _)| known == value)
                    && let Some((_, count)) = values.get_mut(at)
                {
                    *count -= 1;
                    if *count == 0 {
                        values.swap_remove(at);
                    }
                }
            }
            Self::Many(table) => {
                if let Some(slot) = table.find(value)
                    && let Some(count) = table.cell(slot)
                {
                    *count -= 1;
                    if *count == 0 {
                        table.remove(slot);
                    }
                }
                if table.len() == 0 {
                    *self = Self::default();
                }
            }
        }
    }

    /// How many different values there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(values) => values.len(),
            Self::Many(table) => table.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_until_it_was_taken_away_as_often_as_it_came() {
        let mut values = Distinct::default();
        for round in 0..2u64 {
            for n in 0..100u64 {
                values.add(&Key::from(&(n % 50).into()));
                assert_eq!(values.len() as u64, (n + 1).min(50), "round {round}");
            }
            for n in 0..100u64 {
                values.remove(&Key::from(&(n % 50).into()));
                assert_eq!(
                    values.len() as u64,
                    50 - n.saturating_sub(49),
                    "round {round}"
                );
            }
        }
    }
}
