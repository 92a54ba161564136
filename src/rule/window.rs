//! Windows over events in the order of their times.

use crate::event::{EventTime, Meta, RawEvent};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Items sorted by time; those of equal times in the order they arrived.
///
/// An item newer than all others is appended in amortised constant time. A late one is found its place by binary search; the items between
/// it and the nearer end move up by one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Window<T> {
    items: VecDeque<Item<T>>,
}

/// One item and its time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Item<T> {
    /// Its place in the window.
    pub(super) time: EventTime,
    /// What it is.
    pub(super) what: T,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self {
            items: VecDeque::new(),
        }
    }
}

impl<T> Window<T> {
    /// Puts an item behind all that are not newer, and tells where that is.
    pub(super) fn insert(&mut self, time: EventTime, what: T) -> usize {
        if self.items.is_empty() {
            // Most keys of most rules never see a second event.
            self.items.reserve_exact(1);
        }
        let is_last = self.items.back().is_none_or(|last| last.time <= time);
        if is_last {
            self.items.push_back(Item { time, what });
            return self.items.len() - 1;
        }
        let place = self.first_after(time);
        self.items.insert(place, Item { time, what });
        place
    }

    /// The place of the first item that is newer.
    pub(super) fn first_after(&self, time: EventTime) -> usize {
        self.items.partition_point(|item| item.time <= time)
    }

    /// The newest item.
    pub(super) fn newest(&self) -> Option<&Item<T>> {
        self.items.back()
    }

    /// The newest item, to be changed.
    pub(super) fn newest_mut(&mut self) -> Option<&mut Item<T>> {
        self.items.back_mut()
    }

    /// The item at a place.
    pub(super) fn get(&self, place: usize) -> Option<&Item<T>> {
        self.items.get(place)
    }

    /// Takes the oldest item out if it is at least `timeframe` older than `newest`: a window never spans its whole timeframe.
    pub(super) fn pop_older(&mut self, newest: EventTime, timeframe: Duration) -> Option<Item<T>> {
        let oldest = self.items.front()?;
        if oldest.time > newest.minus(timeframe) {
            return None;
        }
        self.items.pop_front()
    }

    /// Items, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Item<T>> + ExactSizeIterator {
        self.items.iter()
    }

    /// Drops items that are not wanted any more.
    pub(super) fn retain(&mut self, is_wanted: impl FnMut(&Item<T>) -> bool) {
        self.items.retain(is_wanted);
    }

    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Drops all items, and their memory.
    pub(super) fn clear(&mut self) {
        self.items = VecDeque::new();
    }
}

/// An event a later match may print; without one when it was not worth keeping.
#[derive(Debug, Clone, Default)]
pub(super) struct KeptEvent(pub(super) Option<Arc<RawEvent>>);

/// What of an event is saved.
#[derive(Serialize, Deserialize)]
struct SavedEvent<'a> {
    #[serde(borrow)]
    bytes: &'a [u8],
    #[serde(borrow)]
    index: Option<&'a str>,
    #[serde(borrow)]
    id: Option<&'a str>,
}

impl Serialize for KeptEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let saved = self.0.as_deref().map(|event| {
            let meta = event.meta.as_deref();
            SavedEvent {
                bytes: &event.bytes,
                index: meta.and_then(|meta| meta.index.as_deref()),
                id: meta.and_then(|meta| meta.id.as_deref()),
            }
        });
        saved.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for KeptEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let saved = Option::<SavedEvent<'de>>::deserialize(deserializer)?;
        Ok(Self(saved.map(|saved| {
            let has_meta = saved.index.is_some() || saved.id.is_some();
            let meta = has_meta.then(|| {
                Arc::new(Meta {
                    index: saved.index.map(str::to_owned),
                    id: saved.id.map(str::to_owned),
                })
            });
            let bytes = saved.bytes.to_vec().into();
            Arc::new(RawEvent { bytes, meta })
        })))
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
