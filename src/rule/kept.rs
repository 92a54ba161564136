//! The events that rules keep because a later match may print them: in memory, or where there is more room.

use crate::event::RawEvent;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::Debug;
use std::sync::Arc;

/// Where events go that memory has no room for.
pub trait Spill: Debug + Send + Sync {
    /// Takes an event in; where it can be had again. `None`: there is no room for it, or no way to write it.
    fn put(&self, event: &RawEvent) -> Option<Place>;

    /// The event at a place; `None` when it cannot be read.
    fn get(&self, place: Place) -> Option<RawEvent>;
}

/// Where an event went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Which file.
    pub file: u32,
    /// Where in it, in units of the [`Spill`]'s choice.
    pub offset: u32,
    /// How many bytes are there.
    pub length: u32,
}

/// Where an event that is coming now may be kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Room {
    /// In memory.
    #[default]
    Memory,
    /// It has been put there.
    Spilled(Place),
    /// Nowhere.
    None,
}

/// An event a later match may print; nothing when it was not worth keeping, or there was no room. There may be millions: it is a word and a mark.
#[derive(Debug, Clone, Default)]
pub(super) enum KeptEvent {
    #[default]
    None,
    Memory(Arc<RawEvent>),
    Spilled(Place),
}

impl KeptEvent {
    /// The bytes of memory it counts for: the text, and about as much as the rest takes.
    fn bytes(&self) -> u64 {
        let Self::Memory(event) = self else {
            return 0;
        };
        let text = u64::try_from(event.bytes.len()).unwrap_or(u64::MAX);
        text.saturating_add(256)
    }

    /// Whether there is an event.
    pub(super) fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Where it is, if it is not in memory.
    pub(super) fn place(&self) -> Option<Place> {
        match self {
            Self::Spilled(place) => Some(*place),
            Self::None | Self::Memory(_) => None,
        }
    }
}

/// The events that a state keeps. The engine says where there is room for the next one: without any a state goes on counting, and its matches print
/// what is still there.
#[derive(Debug, Default)]
pub struct Documents {
    /// Of those in memory.
    bytes: u64,
    room: Room,
    spill: Option<Arc<dyn Spill>>,
}

impl Documents {
    /// Where there is room from now on.
    pub(super) fn set_room(&mut self, room: Room) {
        self.room = room;
    }

    /// Where spilled events are read from. Without it, as while the journal is replayed, none can be: matches of then are of no use.
    pub(super) fn set_spill(&mut self, spill: Option<Arc<dyn Spill>>) {
        self.spill = spill;
    }

    /// How many bytes of memory are taken.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Keeps an event if there is room.
    pub(super) fn keep(&mut self, event: Option<&Arc<RawEvent>>) -> KeptEvent {
        let kept = match (self.room, event) {
            (Room::Spilled(place), _) => KeptEvent::Spilled(place),
            (Room::Memory, Some(event)) => KeptEvent::Memory(Arc::clone(event)),
            (Room::Memory | Room::None, _) => KeptEvent::None,
        };
        self.bytes += kept.bytes();
        kept
    }

    /// The event, wherever it is.
    pub(super) fn get(&self, kept: &KeptEvent) -> Option<Arc<RawEvent>> {
        match kept {
            KeptEvent::None => None,
            KeptEvent::Memory(event) => Some(Arc::clone(event)),
            KeptEvent::Spilled(place) => self.spill.as_ref()?.get(*place).map(Arc::new),
        }
    }

    /// An event is kept no longer.
    pub(super) fn release(&mut self, kept: &KeptEvent) {
        self.bytes = self.bytes.saturating_sub(kept.bytes());
    }

    /// Counts what a saved state kept.
    pub(super) fn found<'a>(&mut self, kept: impl Iterator<Item = &'a KeptEvent>) {
        self.bytes = kept.map(KeptEvent::bytes).sum();
    }
}

/// What of an event is saved.
#[derive(Serialize, Deserialize)]
enum Saved<'a> {
    None,
    Event {
        bytes: &'a [u8],
        index: Option<&'a str>,
        id: Option<&'a str>,
    },
    Spilled(Place),
}

impl Serialize for KeptEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let saved = match self {
            Self::None => Saved::None,
            Self::Memory(event) => {
                let meta = event.meta.as_deref();
                Saved::Event {
                    bytes: &event.bytes,
                    index: meta.and_then(|meta| meta.index.as_deref()),
                    id: meta.and_then(|meta| meta.id.as_deref()),
                }
            }
            Self::Spilled(place) => Saved::Spilled(*place),
        };
        saved.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for KeptEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Saved::deserialize(deserializer)? {
            Saved::None => Self::None,
            Saved::Spilled(place) => Self::Spilled(place),
            Saved::Event { bytes, index, id } => {
                Self::Memory(Arc::new(RawEvent::from_parts(bytes, index, id)))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_small() {
        assert_eq!(size_of::<KeptEvent>(), 16);
    }

    /// What was an `Option` when nothing was spilled.
    #[test]
    fn states_of_before_are_read() {
        type Before<'a> = Option<(&'a [u8], Option<&'a str>, Option<&'a str>)>;
        let before: [Before<'_>; 2] = [None, Some((b"{}", Some("logs"), None))];
        let saved = postcard::to_stdvec(&before).unwrap();
        let [none, event]: [KeptEvent; 2] = postcard::from_bytes(&saved).unwrap();
        assert!(!none.is_some());
        let KeptEvent::Memory(event) = event else {
            panic!("{event:?}");
        };
        assert_eq!(event.bytes.as_ref(), b"{}");
        let meta = event.meta.as_deref().unwrap();
        assert_eq!((meta.index.as_deref(), &meta.id), (Some("logs"), &None));
    }
}
