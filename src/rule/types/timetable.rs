//! When keys must be looked at, and the ticks that look at them, a part at a time.

use super::deadlines::Deadlines;
use super::keyed::Slot;
use crate::event::EventTime;
use crate::rule::part::{Part, cost};
use std::collections::{BTreeMap, BTreeSet};

/// The times at which keys must be looked at. A tick finds the keys whose time has come, and then looks at them as they came; between its parts keys
/// can be looked at out of turn, and get other times.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    times: Deadlines,
    tick: Option<Tick>,
}

/// A tick that is not over.
#[derive(Debug)]
struct Tick {
    now: EventTime,
    finding: Finding,
    finds_all: bool,
    /// The keys to look at, by age.
    found: BTreeSet<(u64, Slot)>,
    /// Times set while keys are being found that would be found as well, but are for the tick that follows.
    later: BTreeMap<Slot, EventTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// The keys whose time has come.
    Due,
    /// All keys: the next is at this place.
    All(usize),
    Over,
}

impl Timetable {
    /// Sets or removes a key's time.
    pub(super) fn set(&mut self, slot: Slot, time: Option<EventTime>) {
        let mut now = time;
        if let Some(tick) = &mut self.tick {
            tick.later.remove(&slot);
            if let Some(later) = time.filter(|time| tick.finds_by(*time)) {
                tick.later.insert(slot, later);
                now = None;
            }
        }
        self.times.set(slot, now);
    }

    /// All keys that have a time, in an order from which it can be made again. Not while a tick is under way.
    pub(super) fn all(&self) -> &[(EventTime, Slot)] {
        self.times.all()
    }

    /// Begins a tick.
    pub(super) fn begin(&mut self, now: EventTime) {
        self.tick = Some(Tick {
            now,
            finding: Finding::Due,
            finds_all: false,
            found: BTreeSet::new(),
            later: BTreeMap::new(),
        });
    }

    /// The tick under way is to look at all keys; false if it does already.
    pub(super) fn find_all(&mut self) -> bool {
        let tick = self.tick.as_mut().filter(|tick| !tick.finds_all);
        tick.is_some_and(|tick| {
            tick.finding = Finding::All(0);
            tick.finds_all = true;
            true
        })
    }

    /// The time of the tick under way.
    pub(super) fn ticking(&self) -> Option<EventTime> {
        self.tick.as_ref().map(|tick| tick.now)
    }

    /// Finds keys for the tick under way to look at; whether all are found. `age` tells the age of the key in a slot, if there is one, `slots` how many
    /// slots there are.
    pub(super) fn find(
        &mut self,
        part: &mut Part,
        slots: usize,
        mut age: impl FnMut(Slot) -> Option<u64>,
    ) -> bool {
        let Some(tick) = &mut self.tick else {
            return true;
        };
        while tick.finding != Finding::Over {
            if !part.has_room() {
                return false;
            }
            let slot = match tick.finding {
                Finding::All(place) if place < slots => {
                    tick.finding = Finding::All(place + 1);
                    Some(Slot::at(place))
                }
                Finding::Due => self.times.pop(tick.now),
                Finding::All(_) | Finding::Over => None,
            };
            part.act(cost::FIND);
            match slot {
                Some(slot) => tick.found.extend(age(slot).map(|age| (age, slot))),
                None => tick.finding = Finding::Over,
            }
        }
        while part.has_room()
            && let Some((slot, time)) = tick.later.pop_first()
        {
            part.act(cost::FIND);
            self.times.set(slot, Some(time));
        }
        tick.later.is_empty()
    }

    /// The next key that the tick under way looks at, when all are found. After the last the tick is over.
    pub(super) fn next(&mut self, part: &mut Part) -> Option<Slot> {
        let tick = self.tick.as_mut().filter(|_| part.has_room())?;
        let next = tick.found.pop_first();
        match next {
            Some(_) => part.act(cost::LOOK),
            None => self.tick = None,
        }
        next.map(|(_, slot)| slot)
    }

    /// Whether the tick under way has still to look at a key, which is then looked at now.
    pub(super) fn take(&mut self, slot: Slot, age: Option<u64>) -> bool {
        let Some(tick) = &mut self.tick else {
            return false;
        };
        if self
            .times
            .time_of(slot)
            .is_some_and(|time| tick.finds_by(time))
        {
            self.times.set(slot, None);
            return true;
        }
        age.is_some_and(|age| tick.found.remove(&(age, slot)))
    }
}

impl Tick {
    /// Whether a key with this time is still to be found.
    fn finds_by(&self, time: EventTime) -> bool {
        self.finding == Finding::Due && time <= self.now
    }
}
