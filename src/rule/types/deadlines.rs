//! When keys must be looked at: each at a time of its own, or all of them.

use super::keyed::Slot;
use crate::event::EventTime;
use serde::{Deserialize, Serialize};

/// The times at which keys must be looked at: a heap in which a key's time can be changed.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: Vec<(EventTime, Slot)>,
    /// By slot: where it is in the heap, from 1; 0 for nowhere.
    places: Vec<u32>,
}

impl Deadlines {
    /// Sets or removes a key's time.
    pub(super) fn set(&mut self, slot: Slot, time: Option<EventTime>) {
        let at = match (self.place(slot), time) {
            (None, None) => return,
            (None, Some(time)) => {
                self.heap.push((time, slot));
                self.heap.len() - 1
            }
            (Some(at), Some(time)) => {
                if let Some(item) = self.heap.get_mut(at) {
                    item.0 = time;
                }
                at
            }
            (Some(at), None) => {
                self.note(slot, None);
                self.heap.swap_remove(at);
                at
            }
        };
        let at = self.rise(at);
        self.sink(at);
    }

    /// All keys that have a time, in an order from which it can be made again.
    pub(super) fn all(&self) -> &[(EventTime, Slot)] {
        &self.heap
    }

    /// The first time.
    pub(super) fn first(&self) -> Option<EventTime> {
        self.time(0)
    }

    /// The next key whose time is not after `now`; it has none then.
    pub(super) fn pop(&mut self, now: EventTime) -> Option<Slot> {
        let &(time, slot) = self.heap.first()?;
        (time <= now).then(|| {
            self.set(slot, None);
            slot
        })
    }

    /// A key's time.
    pub(super) fn time_of(&self, slot: Slot) -> Option<EventTime> {
        self.time(self.place(slot)?)
    }

    fn place(&self, slot: Slot) -> Option<usize> {
        let place = *self.places.get(slot.index())?;
        usize::try_from(place.checked_sub(1)?).ok()
    }

    fn note(&mut self, slot: Slot, place: Option<usize>) {
        if self.places.len() <= slot.index() {
            self.places.resize(slot.index() + 1, 0);
        }
        let place = place.map_or(0, |place| u32::try_from(place + 1).unwrap_or(u32::MAX));
        if let Some(noted) = self.places.get_mut(slot.index()) {
            *noted = place;
        }
    }

    fn time(&self, at: usize) -> Option<EventTime> {
        self.heap.get(at).map(|(time, _)| *time)
    }

    fn rise(&mut self, mut at: usize) -> usize {
        let Some(&item) = self.heap.get(at) else {
            return at;
        };
        while at > 0 && self.time((at - 1) / 4) > Some(item.0) {
            self.move_to((at - 1) / 4, at);
            at = (at - 1) / 4;
        }
        self.put(at, item);
        at
    }

    fn sink(&mut self, mut at: usize) {
        let Some(&item) = self.heap.get(at) else {
            return;
        };
        loop {
            let below = at * 4 + 1..(at * 4 + 5).min(self.heap.len());
            let least = below.min_by_key(|below| self.time(*below));
            match least.and_then(|least| Some((least, self.time(least)?))) {
                Some((least, time)) if time < item.0 => {
                    self.move_to(least, at);
                    at = least;
                }
                _ => break,
            }
        }
        self.put(at, item);
    }

    fn move_to(&mut self, from: usize, to: usize) {
        if let Some(&item) = self.heap.get(from) {
            self.put(to, item);
        }
    }

    fn put(&mut self, at: usize, item: (EventTime, Slot)) {
        if let Some(place) = self.heap.get_mut(at) {
            *place = item;
            self.note(item.1, Some(at));
        }
    }
}

/// Times at which something was done to every key, for keys that catch up with it when they are next looked at.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Rounds {
    count: u64,
    /// Rounds by number, each at a later time than all that follow it: the others have no effect of their own.
    latest: Vec<(u64, EventTime)>,
}

impl Rounds {
    /// One more round.
    pub(super) fn add(&mut self, now: EventTime) {
        self.count += 1;
        while self.latest.pop_if(|(_, time)| *time <= now).is_some() {}
        self.latest.push((self.count, now));
    }

    /// The clock was set back: rounds of the time to come have not been.
    pub(super) fn set_back(&mut self, now: EventTime) {
        self.latest.retain(|(_, time)| *time <= now);
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The latest time of the rounds after the first `count` ones.
    pub(super) fn after(&self, count: u64) -> Option<EventTime> {
        let place = self.latest.partition_point(|(number, _)| *number <= count);
        self.latest.get(place).map(|(_, time)| *time)
    }
}
