//! Windows over events in the order of their times.

use super::blocks::Blocks;
use crate::event::EventTime;
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::VecDeque;
use std::time::Duration;

/// Items sorted by time; those of equal times in the order they arrived.
///
/// An item newer than all others is appended in amortised constant time; a late one is put in its place in logarithmic time, see [`Blocks`].
#[derive(Debug, Clone)]
pub(super) struct Window<T> {
    items: Items<T>,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self { items: Items::None }
    }
}

/// One item and its time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Item<T> {
    /// Its place in the window.
    pub(super) time: EventTime,
    /// What it is.
    pub(super) what: T,
}

/// Most keys of most rules never see a second event, and few see many: each has the form that takes least memory.
#[derive(Debug, Clone, Default)]
enum Items<T> {
    #[default]
    None,
    One(Item<T>),
    Few(VecDeque<Item<T>>),
    Many(Box<Blocks<Item<T>>>),
}

/// More items than this are kept in blocks.
const FEW: usize = 256;

impl<T> Window<T> {
    /// Puts an item behind all that are not newer.
    pub(super) fn insert(&mut self, time: EventTime, what: T) {
        let item = Item { time, what };
        let is_before = |other: &Item<T>| other.time <= time;
        self.items = match std::mem::take(&mut self.items) {
            Items::None => Items::One(item),
            Items::One(first) => {
                let mut items = VecDeque::with_capacity(4);
                items.push_back(first);
                insert(&mut items, item);
                Items::Few(items)
            }
            Items::Few(mut items) if items.len() < FEW => {
                insert(&mut items, item);
                Items::Few(items)
            }
            Items::Few(items) => {
                let mut blocks: Box<Blocks<Item<T>>> = Box::new(items.into_iter().collect());
                blocks.insert(item, is_before);
                Items::Many(blocks)
            }
            Items::Many(mut blocks) => {
                blocks.insert(item, is_before);
                Items::Many(blocks)
            }
        };
    }

    /// The oldest item.
    pub(super) fn oldest(&self) -> Option<&Item<T>> {
        match &self.items {
            Items::None => None,
            Items::One(item) => Some(item),
            Items::Few(items) => items.front(),
            Items::Many(blocks) => blocks.first(),
        }
    }

    /// The newest item.
    pub(super) fn newest(&self) -> Option<&Item<T>> {
        match &self.items {
            Items::None => None,
            Items::One(item) => Some(item),
            Items::Few(items) => items.back(),
            Items::Many(blocks) => blocks.last(),
        }
    }

    /// Takes the oldest item out if it is at least `timeframe` older than `newest`: a window never spans its whole timeframe.
    pub(super) fn pop_older(&mut self, newest: EventTime, timeframe: Duration) -> Option<Item<T>> {
        if self.oldest()?.time > newest.minus(timeframe) {
            return None;
        }
        self.pop_oldest()
    }

    /// Takes the oldest item out.
    pub(super) fn pop_oldest(&mut self) -> Option<Item<T>> {
        match &mut self.items {
            Items::None => None,
            Items::One(_) => match std::mem::take(&mut self.items) {
                Items::One(item) => Some(item),
                _ => None,
            },
            Items::Few(items) => items.pop_front(),
            Items::Many(blocks) => blocks.pop_first(),
        }
    }

    /// Takes an item out that is newer than `time`, if there is one.
    pub(super) fn pop_newer(&mut self, time: EventTime) -> Option<Item<T>> {
        if self.newest()?.time <= time {
            return None;
        }
        match &mut self.items {
            Items::None => None,
            Items::One(_) => self.pop_oldest(),
            Items::Few(items) => items.pop_back(),
            Items::Many(blocks) => blocks.remove(|item| item.time <= time),
        }
    }

    /// Items, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Item<T>> {
        let (one, few, many) = match &self.items {
            Items::None => (None, None, None),
            Items::One(item) => (Some(item), None, None),
            Items::Few(items) => (None, Some(items), None),
            Items::Many(blocks) => (None, None, Some(blocks)),
        };
        let few = few.into_iter().flatten();
        let many = many.into_iter().flat_map(|blocks| blocks.iter());
        one.into_iter().chain(few).chain(many)
    }

    /// Items but the first so many, oldest first.
    pub(super) fn iter_from(&self, place: usize) -> impl Iterator<Item = &Item<T>> {
        let (few, many) = match &self.items {
            Items::Many(blocks) => (None, Some(blocks.iter_from(place))),
            Items::None | Items::One(_) | Items::Few(_) => (Some(self.iter().skip(place)), None),
        };
        few.into_iter().flatten().chain(many.into_iter().flatten())
    }

    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        match &self.items {
            Items::None => 0,
            Items::One(_) => 1,
            Items::Few(items) => items.len(),
            Items::Many(blocks) => blocks.len(),
        }
    }

    /// Drops all items, and their memory.
    pub(super) fn clear(&mut self) {
        self.items = Items::None;
    }
}

fn insert<T>(items: &mut VecDeque<Item<T>>, item: Item<T>) {
    if items.back().is_none_or(|last| last.time <= item.time) {
        items.push_back(item);
        return;
    }
    let place = items.partition_point(|other| other.time <= item.time);
    items.insert(place, item);
}

impl<T: Serialize> Serialize for Window<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut items = serializer.serialize_seq(Some(self.len()))?;
        for item in self.iter() {
            items.serialize_element(item)?;
        }
        items.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Window<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut window = Self::default();
        for Item { time, what } in Vec::<Item<T>>::deserialize(deserializer)? {
            window.insert(time, what);
        }
        Ok(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn items_are_sorted_and_never_span_the_timeframe(times in prop::collection::vec(0i64..50, 0..60), timeframe in 1u64..30) {
            let timeframe = Duration::from_micros(timeframe);
            let mut window = Window::default();
            let mut all: Vec<(i64, usize)> = Vec::new();
            for (i, &time) in times.iter().enumerate() {
                window.insert(EventTime(time), i);
                let newest = window.newest().unwrap().time;
                while window.pop_older(newest, timeframe).is_some() {}
                all.push((time, i));
                all.sort_by_key(|(time, _)| *time);
                let newest = all.last().unwrap().0;
                all.retain(|(time, _)| u128::from(newest.abs_diff(*time)) < timeframe.as_micros());
                let items: Vec<(i64, usize)> = window.iter().map(|item| (item.time.0, item.what)).collect();
                prop_assert_eq!(&items, &all);
            }
        }
    }
}
