//! Ticks over the windows of all keys.

use super::stored::Stored;
use super::{Around, Cells, Saved, Spike, SpikeSettings};
use crate::event::EventTime;
use crate::rule::types::keyed::Slot;
use crate::rule::{Key, Part};

impl Cells {
    /// Time passed: every key that is not forgotten gets a placeholder. A key with nothing in its windows is forgotten instead.
    pub(in crate::rule::types) fn tick(&mut self, settings: &SpikeSettings, now: EventTime) {
        let now = self.saved.now.map_or(now, |latest| latest.max(now));
        let Saved {
            ticks,
            filled_once,
            look_at_all,
            ..
        } = &mut self.saved;
        self.fills = false;
        self.looks_at_all = std::mem::take(look_at_all);
        self.is_whole = self.looks_at_all || (settings.checks_new_keys && !*filled_once);
        ticks.add(now, settings.timeframe);
        self.saved.now = Some(now);
        self.due.begin(now);
    }

    /// Goes on with a tick; whether it is over.
    pub(in crate::rule::types) fn go_on(
        &mut self,
        settings: &SpikeSettings,
        part: &mut Part,
        mut found: impl FnMut(&Key, Spike),
    ) -> bool {
        let Some(now) = self.due.ticking() else {
            return true;
        };
        while self.find(settings, now, part) {
            let looks_at_all = self.looks_at_all || self.fills;
            if looks_at_all && self.due.find_all() {
                self.saved.look_at_all = self.fills;
                continue;
            }
            while let Some(slot) = self.due.next(part) {
                self.look(settings, now, slot, &mut found);
            }
            break;
        }
        self.due.ticking().is_none()
    }

    /// Before an event of a key: what the tick under way finds of it.
    pub(in crate::rule::types) fn settle(
        &mut self,
        settings: &SpikeSettings,
        key: &Key,
        mut found: impl FnMut(&Key, Spike),
    ) {
        let Some(now) = self.due.ticking() else {
            return;
        };
        if self.is_whole {
            self.go_on(settings, &mut Part::whole(), found);
            return;
        }
        let cells = &self.saved.cells;
        if let Some(slot) = cells.find(key)
            && self.due.take(slot, cells.age(slot))
        {
            self.look(settings, now, slot, &mut found);
        }
    }

    /// Finds the keys to look at, and whether one of them is the first to have been watched for long enough; whether all are found.
    fn find(&mut self, settings: &SpikeSettings, now: EventTime, part: &mut Part) -> bool {
        let Saved {
            cells, filled_once, ..
        } = &self.saved;
        let (waits, fills) = (
            settings.checks_new_keys && !*filled_once && !self.fills,
            &mut self.fills,
        );
        self.due.find(part, cells.slots_in_all(), |slot| {
            let (_, cell) = cells.peek(slot)?;
            *fills |= waits && is_filled(cell, settings, now);
            cells.age(slot)
        })
    }

    /// Puts the latest tick's placeholder into a key's windows and checks them.
    fn look(
        &mut self,
        settings: &SpikeSettings,
        now: EventTime,
        slot: Slot,
        found: &mut impl FnMut(&Key, Spike),
    ) {
        let Saved {
            cells,
            ticks,
            filled_once,
            ..
        } = &mut self.saved;
        let Some((key, stored)) = cells.key_and_cell(slot) else {
            return;
        };
        let mut cell = stored.open();
        self.items -= cell.len();
        ticks.hides_latest = true;
        cell.catch_up_or_forget(key, ticks, settings.timeframe, &mut self.documents);
        ticks.hides_latest = false;
        let checked = cell.tick(
            now,
            &mut Around {
                settings,
                ticks,
                filled_once,
                documents: &mut self.documents,
            },
        );
        self.items += cell.len();
        let due = cell.due(settings, key, &checked, *filled_once, Some(now));
        *stored = cell.into();
        if let Some(spike) = checked.spike() {
            found(key, spike);
        }
        self.due.set(slot, due);
    }
}

/// Whether a tick finds that a key has been watched for long enough.
fn is_filled(cell: &Stored, settings: &SpikeSettings, now: EventTime) -> bool {
    let first = cell.first().unwrap_or(now);
    !cell.is_forgotten() && first.plus(settings.timeframe * 2) <= now
}
