//! The values of one key.

use super::sketch::Sketch;
use crate::event::EventTime;
use crate::rule::Key;
use crate::rule::part::{Part, cost};
use crate::rule::types::deadlines::Deadlines;
use crate::rule::types::keyed::{Keyed, Slot};
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Values, and when each was last seen.
pub(super) enum Values {
    /// Most keys never have a second one.
    One(Key, EventTime),
    Few(Vec<(Key, EventTime)>),
    Many(Box<Many>),
    /// Where the rule allows it, and there are too many.
    Sketched(Box<Sketch>),
}

/// More values than this are kept in tables.
const FEW: usize = if cfg!(test) { 2 } else { 16 };
/// More values than this are only counted, if the rule allows that.
pub(super) const EXACT: usize = 100_000;

#[derive(Default)]
pub(super) struct Many {
    values: Keyed<EventTime>,
    order: Deadlines,
}

impl Default for Values {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Values {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(..) => 1,
            Self::Few(values) => values.len(),
            Self::Many(many) => many.values.len(),
            Self::Sketched(sketch) => sketch.count(),
        }
    }

    /// What is only counted.
    pub(super) fn sketched(&self) -> Option<&Sketch> {
        match self {
            Self::Sketched(sketch) => Some(sketch),
            Self::One(..) | Self::Few(_) | Self::Many(_) => None,
        }
    }

    pub(super) fn oldest(&self) -> Option<EventTime> {
        match self {
            Self::One(_, time) => Some(*time),
            Self::Few(values) => values.iter().map(|(_, time)| *time).min(),
            Self::Many(many) => many.order.first(),
            Self::Sketched(sketch) => sketch.times().min(),
        }
    }

    /// Drops values last seen after a time.
    pub(super) fn drop_after(&mut self, time: EventTime) {
        match self {
            Self::One(_, seen) if *seen > time => *self = Self::default(),
            Self::One(..) => {}
            Self::Few(values) => values.retain(|(_, seen)| *seen <= time),
            Self::Many(many) => {
                let values = many.values.slots_and_cells();
                let newer: Vec<Slot> = values
                    .filter(|(_, seen)| **seen > time)
                    .map(|(slot, _)| slot)
                    .collect();
                for slot in newer {
                    many.order.set(slot, None);
                    many.values.remove(slot);
                }
            }
            Self::Sketched(sketch) => sketch.retain(|seen| seen <= time),
        }
    }

    /// How many values were seen since a time, and when the first and the last of them.
    pub(super) fn since(&self, limit: EventTime) -> (usize, Option<EventTime>, Option<EventTime>) {
        let is_since = |time: &EventTime| *time >= limit;
        let times: Vec<EventTime> = match self {
            Self::One(_, time) => Some(*time).filter(is_since).into_iter().collect(),
            Self::Few(values) => {
                let times = values.iter().map(|(_, time)| *time);
                times.filter(is_since).collect()
            }
            Self::Many(many) => {
                let times = many.values.iter().map(|(_, time)| *time);
                times.filter(is_since).collect()
            }
            Self::Sketched(sketch) => sketch.times().filter(is_since).collect(),
        };
        let count = match self {
            Self::Sketched(sketch) => sketch.count_since(limit),
            Self::One(..) | Self::Few(_) | Self::Many(_) => times.len(),
        };
        (
            count,
            times.iter().min().copied(),
            times.iter().max().copied(),
        )
    }

    /// Remembers no values any more, only about how many there are.
    fn sketch(&mut self) {
        let mut sketch = Box::<Sketch>::default();
        if let Self::Many(many) = self {
            for (value, time) in many.values.iter() {
                sketch.insert(value, *time);
            }
        }
        *self = Self::Sketched(sketch);
    }

    /// A value was seen. With more than `exact` of them they are only counted.
    pub(super) fn insert(&mut self, value: Key, time: EventTime, exact: usize) {
        match self {
            Self::One(known, seen) if *known == value => *seen = time,
            Self::One(known, seen) => {
                let known = (std::mem::take(known), *seen);
                *self = Self::Few(vec![known, (value, time)]);
            }
            Self::Few(values) => {
                if let Some((_, seen)) = values.iter_mut().find(|(known, _)| *known == value) {
                    *seen = time;
                } else if values.is_empty() {
                    *self = Self::One(value, time);
                } else if values.len() < FEW {
                    values.push((value, time));
                } else {
                    let mut many = Box::<Many>::default();
                    values
                        .drain(..)
                        .for_each(|(value, time)| many.insert(&value, time));
                    many.insert(&value, time);
                    *self = Self::Many(many);
                }
            }
            Self::Many(many) => {
                many.insert(&value, time);
                if many.values.len() > exact {
                    self.sketch();
                }
            }
            Self::Sketched(sketch) => sketch.insert(&value, time),
        }
    }

    /// Drops values last seen before a time, as far as there is room; whether that was all.
    pub(super) fn drop_before(&mut self, time: EventTime, part: &mut Part) -> bool {
        match self {
            Self::One(_, seen) if *seen < time => *self = Self::default(),
            Self::One(..) => {}
            Self::Few(values) => {
                values.retain(|(_, seen)| *seen >= time);
                if values.is_empty() {
                    *values = Vec::new();
                }
            }
            Self::Many(many) => {
                let last = EventTime(time.0.saturating_sub(1));
                loop {
                    if !part.has_room() {
                        return false;
                    }
                    let Some(slot) = many.order.pop(last) else {
                        break;
                    };
                    many.values.remove(slot);
                    part.act(cost::FIND);
                }
                if many.values.len() == 0 {
                    *self = Self::default();
                }
            }
            Self::Sketched(sketch) => {
                sketch.retain(|seen| seen >= time);
                if sketch.count() == 0 {
                    *self = Self::default();
                }
            }
        }
        true
    }
}

impl Many {
    fn insert(&mut self, value: &Key, time: EventTime) {
        let slot = self.values.find_or_add(value, || time);
        if let Some(seen) = self.values.cell(slot) {
            *seen = time;
        }
        self.order.set(slot, Some(time));
    }
}

/// Without what is only counted: see [`Values::sketched`].
impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (one, few, many) = match self {
            Self::One(value, time) => (Some((value, time)), None, None),
            Self::Few(values) => (None, Some(values), None),
            Self::Many(many) => (None, None, Some(&many.values)),
            Self::Sketched(_) => (None, None, None),
        };
        let few = few.into_iter().flatten().map(|(value, time)| (value, time));
        let few = one.into_iter().chain(few);
        let many = many.into_iter().flat_map(Keyed::iter);
        let length = match self {
            Self::Sketched(_) => 0,
            Self::One(..) | Self::Few(_) | Self::Many(_) => self.len(),
        };
        let mut sequence = serializer.serialize_seq(Some(length))?;
        for value in few.chain(many) {
            sequence.serialize_element(&value)?;
        }
        sequence.end()
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = Self::default();
        for (value, time) in Vec::<(Key, EventTime)>::deserialize(deserializer)? {
            values.insert(value, time, usize::MAX);
        }
        Ok(values)
    }
}
