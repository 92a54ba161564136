//! Where rules keep the events that a later match may print: in memory up to a bound, beyond it where the engine is told to spill them.
//!
//! That is decided once for an event, whatever the number of rules that keep it, and is journalled with the first hit.

use super::{Engine, StoredEvent};
use crate::event::RawEvent;
use crate::rule::{Place, Room, Spill};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An event that a later match may print, in the record of a hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum KeptEvent {
    /// None will, or there was no room.
    None,
    /// This one.
    Event(StoredEvent),
    /// The latest one in the records before: rules that pick the same event follow each other.
    Same,
    /// The one that has been spilled to this place.
    Spilled(Place),
}

/// The event that was kept last among some records: those of one commit, or those that recovery reads.
#[derive(Debug, Default)]
pub(super) struct LastKept {
    /// `None` also when recovery read only its place.
    event: Option<Arc<RawEvent>>,
    room: Room,
}

impl LastKept {
    /// Where an event is kept, and what a hit's record says of it. `room` is asked for those that come first.
    fn store(&mut self, event: &Arc<RawEvent>, room: impl FnOnce() -> Room) -> (Room, KeptEvent) {
        if self
            .event
            .as_ref()
            .is_some_and(|last| Arc::ptr_eq(last, event))
        {
            return (self.room, KeptEvent::Same);
        }
        let room = room();
        let kept = match room {
            Room::None => return (room, KeptEvent::None),
            Room::Memory => KeptEvent::Event(StoredEvent(Arc::clone(event))),
            Room::Spilled(place) => KeptEvent::Spilled(place),
        };
        self.event = Some(Arc::clone(event));
        self.room = room;
        (room, kept)
    }

    /// The event of a record, if it was kept in memory, and where it was kept.
    pub(super) fn restore(&mut self, kept: KeptEvent) -> (Option<Arc<RawEvent>>, Room) {
        let (event, room) = match kept {
            KeptEvent::None => return (None, Room::None),
            KeptEvent::Same => return (self.event.clone(), self.room),
            KeptEvent::Event(StoredEvent(event)) => (Some(event), Room::Memory),
            KeptEvent::Spilled(place) => (None, Room::Spilled(place)),
        };
        self.event.clone_from(&event);
        self.room = room;
        (event, room)
    }
}

impl Engine {
    /// From now on events that memory has no room for go there, and matches read them from there. Not while the journal is replayed: it says where
    /// each event went, and what matched then was told then.
    pub fn set_spill(&mut self, spill: Arc<dyn Spill>) {
        for cell in &mut self.cells {
            cell.evaluator.set_spill(Some(Arc::clone(&spill)));
        }
        self.spill = Some(spill);
    }

    /// The places of all spilled events that rules keep, in order, each once.
    pub fn spilled(&self) -> Vec<Place> {
        let mut places = Vec::new();
        for cell in &self.cells {
            cell.evaluator.each_spilled(&mut |place| places.push(place));
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// About how many bytes of memory the events take that rules keep.
    pub fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    /// Counts the bytes of kept events anew, after something other than an event may have let them go.
    pub(super) fn count_kept(&mut self) {
        self.kept_bytes = self
            .cells
            .iter()
            .map(|cell| cell.evaluator.kept_bytes())
            .sum();
    }

    /// Finds room for an event that a rule will keep; what the record of the hit says of it.
    pub(super) fn find_room(
        &self,
        event: &Arc<RawEvent>,
        last: &mut LastKept,
    ) -> (Room, KeptEvent) {
        last.store(event, || {
            if self.kept_bytes < self.options.most_kept {
                return Room::Memory;
            }
            let place = self.spill.as_ref().and_then(|spill| spill.put(event));
            place.map_or(Room::None, Room::Spilled)
        })
    }
}
