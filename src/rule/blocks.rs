//! A sorted sequence that takes items in anywhere, however long it is.

use std::collections::VecDeque;

/// Items of a block at most. Putting one in moves up to half a block; larger ones would make that slow, smaller ones the list of blocks long.
const BLOCK: usize = 1024;

/// Items in an order that the caller knows, in blocks: at either end an item comes or goes in constant time, elsewhere in the time of a binary search
/// and of moving a part of one block.
#[derive(Debug, Clone)]
pub(super) struct Blocks<T> {
    /// None of them is empty.
    blocks: VecDeque<VecDeque<T>>,
    length: usize,
}

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Self {
            blocks: VecDeque::new(),
            length: 0,
        }
    }
}

impl<T> Blocks<T> {
    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The first item.
    pub(super) fn first(&self) -> Option<&T> {
        self.blocks.front()?.front()
    }

    /// The last item.
    pub(super) fn last(&self) -> Option<&T> {
        self.blocks.back()?.back()
    }

    /// Items in their order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.blocks.iter().flatten()
    }

    /// Items in their order, but the first so many.
    pub(super) fn iter_from(&self, place: usize) -> impl Iterator<Item = &T> {
        let (mut first, mut before) = (0, place);
        while let Some(left) = self
            .blocks
            .get(first)
            .and_then(|block| before.checked_sub(block.len()))
        {
            first += 1;
            before = left;
        }
        let blocks = self.blocks.iter().skip(first);
        blocks.flatten().skip(before)
    }

    /// Puts an item behind all for which `is_before` says so; they must come before the others.
    pub(super) fn insert(&mut self, item: T, is_before: impl Fn(&T) -> bool) {
        self.length += 1;
        let place = self.place(&is_before);
        let Some((place, block)) = place.and_then(|at| Some((at, self.blocks.get_mut(at)?))) else {
            self.blocks.push_back(VecDeque::from([item]));
            return;
        };
        if block.len() < BLOCK {
            let at = block.partition_point(is_before);
            block.insert(at, item);
        } else if block.back().is_some_and(&is_before) {
            let mut next = VecDeque::with_capacity(BLOCK);
            next.push_back(item);
            self.blocks.insert(place + 1, next);
        } else {
            let mut second = block.split_off(BLOCK / 2);
            let half = if second.front().is_some_and(&is_before) {
                &mut second
            } else {
                block
            };
            let at = half.partition_point(is_before);
            half.insert(at, item);
            self.blocks.insert(place + 1, second);
        }
    }

    /// Takes the first item out.
    pub(super) fn pop_first(&mut self) -> Option<T> {
        let block = self.blocks.front_mut()?;
        let item = block.pop_front()?;
        self.length -= 1;
        if block.is_empty() {
            self.blocks.pop_front();
        }
        Some(item)
    }

    /// Takes out the first item for which `is_before` is false.
    pub(super) fn remove(&mut self, is_before: impl Fn(&T) -> bool) -> Option<T> {
        let mut at = self.place(&is_before)?;
        if self.blocks.get(at)?.back().is_some_and(&is_before) {
            at += 1;
        }
        let block = self.blocks.get_mut(at)?;
        let item = block.remove(block.partition_point(is_before))?;
        self.length -= 1;
        if block.is_empty() {
            self.blocks.remove(at);
        }
        Some(item)
    }

    /// The item with so many before it.
    pub(super) fn get(&self, place: usize) -> Option<&T> {
        if place > self.length / 2 {
            let mut behind = self.length.checked_sub(place)?;
            for block in self.blocks.iter().rev() {
                match block.len().checked_sub(behind) {
                    Some(at) => return block.get(at),
                    None => behind -= block.len(),
                }
            }
            return None;
        }
        let mut before = place;
        for block in &self.blocks {
            if let Some(item) = block.get(before) {
                return Some(item);
            }
            before -= block.len();
        }
        None
    }

    /// The block in which an item with these before it is put; `None` without any block.
    fn place(&self, is_before: impl Fn(&T) -> bool) -> Option<usize> {
        // Most items are put at the end.
        let last = self.blocks.len().checked_sub(1)?;
        let starts_before = |block: &VecDeque<T>| block.front().is_some_and(&is_before);
        if self.blocks.back().is_some_and(starts_before) {
            return Some(last);
        }
        Some(self.blocks.partition_point(starts_before).saturating_sub(1))
    }
}

impl<T> FromIterator<T> for Blocks<T> {
    /// Items that are in order already.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut blocks = Self::default();
        for item in items {
            blocks.insert(item, |_| true);
        }
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn blocks_are_a_sorted_list(start in 0usize..3 * BLOCK, changes in prop::collection::vec((0u8..4, 0usize..4 * BLOCK), 0..300)) {
            let mut list: Vec<usize> = (0..start).map(|n| n * 4 / 3).collect();
            let mut blocks: Blocks<usize> = list.iter().copied().collect();
            for (kind, item) in changes {
                match kind {
                    0 | 1 => {
                        let place = list.partition_point(|other| *other <= item);
                        list.insert(place, item);
                        blocks.insert(item, |other| *other <= item);
                    }
                    2 => {
                        let place = list.partition_point(|other| *other < item);
                        let expected = (place < list.len()).then(|| list.remove(place));
                        prop_assert_eq!(blocks.remove(|other| *other < item), expected);
                    }
                    _ => {
                        let expected = (!list.is_empty()).then(|| list.remove(0));
                        prop_assert_eq!(blocks.pop_first(), expected);
                    }
                }
                prop_assert_eq!(blocks.get(item), list.get(item));
                prop_assert_eq!((blocks.first(), blocks.last(), blocks.len()), (list.first(), list.last(), list.len()));
            }
            prop_assert!(blocks.iter().eq(&list));
            prop_assert!(blocks.iter().rev().eq(list.iter().rev()));
            let place = list.len() / 3;
            prop_assert!(blocks.iter_from(place).eq(list.iter().skip(place)));
        }
    }
}
