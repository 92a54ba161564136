//! What states keep per key.

use crate::rule::Key;
use indexmap::IndexMap;

/// Cells by key, in an order that depends on nothing but the calls made: ticks visit the keys in it.
pub(super) type Keyed<C> = IndexMap<Key, C, foldhash::fast::RandomState>;

/// Removes stale cells a few at a time, so that no event waits for a sweep over all keys.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    at: usize,
}

/// Cells looked at per event.
pub(super) const PER_EVENT: usize = 2;
/// Cells looked at per tick.
pub(super) const PER_TICK: usize = 10_000;

impl Sweep {
    /// Looks at the next `count` cells, round and round, and removes those that are stale.
    pub(super) fn step<C>(
        &mut self,
        cells: &mut Keyed<C>,
        count: usize,
        mut is_stale: impl FnMut(&mut C) -> bool,
    ) {
        for _ in 0..count.min(cells.len()) {
            if self.at >= cells.len() {
                self.at = 0;
            }
            let cell = cells.get_index_mut(self.at);
            if cell.is_some_and(|(_, cell)| is_stale(cell)) {
                cells.swap_remove_index(self.at);
            } else {
                self.at += 1;
            }
        }
    }
}
