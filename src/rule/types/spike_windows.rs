//! The two windows of `spike` and `spike_aggregation`: the current one, and the reference before it.
//!
//! What is put in goes to the key's current window; what gets too old for that goes to its reference window, at that moment. A key is checked after
//! each insertion, but not within twice the timeframe of its first, when the reference cannot be full yet.

mod pair;
mod settings;
mod stored;
mod ticks;
mod views;

pub(super) use settings::{
    ALERT_ON_NEW_DATA, Measure, SPIKE_HEIGHT, SPIKE_TYPE, SpikeSettings, THRESHOLD_CUR,
    THRESHOLD_REF,
};

use super::keyed::{Keyed, Slot};
use super::timetable::Timetable;
use crate::event::{Document, EventTime, RawEvent};
use crate::rule::kept::{Documents, KeptEvent};
use crate::rule::{Gap, Key, Place, StateSize};
use pair::{Current, NEVER, Ticks, Windows};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};
use std::sync::Arc;
use std::time::Duration;
use stored::Stored;

/// What an item of a window counts; none for placeholders and for samples without a value.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Amount(
    /// NaN for none: the windows of busy rules are large.
    f64,
);

impl Amount {
    pub(super) const NONE: Self = Self(f64::NAN);

    pub(super) fn new(amount: f64) -> Self {
        Self(amount)
    }

    fn get(self) -> Option<f64> {
        (!self.0.is_nan()).then_some(self.0)
    }
}

/// What is known of a key.
#[derive(Debug)]
struct Cell {
    /// `None` while the key is forgotten: only its times are known then.
    windows: Option<Box<Windows>>,
    /// The time of the first insertion since the last match.
    first: Option<EventTime>,
    /// After a match, new data is not alerted on before this.
    quiet_until: Option<EventTime>,
}

/// All keys of a rule. Ticks look only at those whose windows time has changed, see [`Cell::due`].
#[derive(Debug, Default)]
pub(super) struct Cells {
    saved: Saved,
    due: Timetable,
    /// Of the tick under way: whether a key that it looks at is the first to have been watched for long enough, which matters to all.
    fills: bool,
    /// Whether it looks at all keys.
    looks_at_all: bool,
    /// Whether what it finds of a key may depend on the keys before: then it is over before an event comes.
    is_whole: bool,
    documents: Documents,
    items: usize,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Saved {
    cells: Keyed<Stored>,
    ticks: Ticks,
    /// Whether any key has got past twice the timeframe.
    filled_once: bool,
    /// Whether that has just come to be, so that the next tick must look at all keys.
    look_at_all: bool,
    /// The latest time; ticks never run behind it.
    now: Option<EventTime>,
}

/// A spike.
pub(super) struct Spike {
    /// The time of the item that stands for it.
    pub(super) time: EventTime,
    /// Its event; `None` for samples, placeholders, and events that were not kept.
    pub(super) event: Option<Arc<RawEvent>>,
    /// Whether that item is a placeholder.
    pub(super) is_placeholder: bool,
    pub(super) cur: f64,
    pub(super) reference: f64,
}

impl Spike {
    /// `spike_count` and `reference_count`.
    pub(super) fn counts(&self, number: fn(f64) -> Value) -> Document {
        let number = |amount: f64| match amount {
            untouched if untouched == 0.0 && untouched.is_sign_negative() => Value::from(0),
            amount => number(amount),
        };
        Document::from_iter([
            ("spike_count".to_owned(), number(self.cur)),
            ("reference_count".to_owned(), number(self.reference)),
        ])
    }
}

/// A float, as Python has it after a division.
pub(super) fn float(value: f64) -> Value {
    let text = crate::event::python::float_text(value);
    text.parse::<Number>().map_or(Value::Null, Value::Number)
}

/// A sum of integers.
pub(super) fn integer(value: f64) -> Value {
    let text = format!("{value:.0}");
    text.parse::<Number>().map_or(Value::Null, Value::Number)
}

/// What is put into a key's windows.
pub(super) struct Inserted<'a> {
    pub(super) time: EventTime,
    pub(super) amount: Amount,
    /// The event it is about.
    pub(super) event: Option<&'a Arc<RawEvent>>,
    /// The clock.
    pub(super) now: EventTime,
}

/// What a cell needs of the rule to be changed.
struct Around<'a> {
    settings: &'a SpikeSettings,
    ticks: &'a Ticks,
    filled_once: &'a mut bool,
    documents: &'a mut Documents,
}

/// What a check came to.
enum Checked {
    /// There was none: the key has not been watched for long enough.
    Early,
    Nothing,
    Found(Spike),
}

impl Cells {
    /// Puts an amount into a key's windows and checks them.
    pub(super) fn insert(
        &mut self,
        settings: &SpikeSettings,
        key: &Key,
        inserted: &Inserted<'_>,
    ) -> Option<Spike> {
        let Saved {
            cells,
            ticks,
            filled_once,
            look_at_all,
            now,
        } = &mut self.saved;
        *now = (*now).max(Some(inserted.now));
        let slot = cells.find_or_add(key, Stored::default);
        if cells.cell(slot).is_some_and(|cell| cell.is_forgotten()) {
            // A key that was forgotten is written as it comes back: `1` may come back as `true`.
            cells.rename(slot, key);
        }
        let stored = cells.cell(slot)?;
        let mut cell = stored.open();
        let was_filled = *filled_once;
        self.items -= cell.len();
        let checked = cell.insert(
            inserted,
            &mut Around {
                settings,
                ticks,
                filled_once,
                documents: &mut self.documents,
            },
        );
        self.items += cell.len();
        let due = cell.due(settings, key, &checked, *filled_once, *now);
        *stored = cell.into();
        self.due.set(slot, due);
        *look_at_all |= settings.checks_new_keys && *filled_once && !was_filled;
        checked.spike()
    }

    /// What is a spike has changed: the next tick looks at every key.
    pub(super) fn look_at_all(&mut self) {
        self.saved.look_at_all = true;
    }

    /// Events could not come for a while: both windows must fill anew before they are compared.
    pub(super) fn resume(&mut self, settings: &SpikeSettings, gap: &Gap) {
        let Saved {
            cells,
            ticks,
            filled_once,
            now,
            ..
        } = &mut self.saved;
        if gap.is_back() {
            *now = now.map(|now| now.min(gap.to));
            ticks.set_back(gap.to);
        }
        let breaks = gap.breaks(settings.timeframe);
        if !breaks && !gap.is_back() {
            return;
        }
        *filled_once &= !breaks;
        for (slot, key, stored) in cells.slots_keys_and_cells() {
            let mut cell = stored.open();
            if let Some(windows) = cell.windows.as_mut().filter(|_| gap.is_back()) {
                if let Some(time) = gap.undone(settings.timeframe) {
                    self.items -= windows.len();
                    windows.drop_newer(time, &mut self.documents);
                    self.items += windows.len();
                }
                windows.set_back(gap.to, ticks);
            }
            if breaks {
                cell.first = cell.first.and(Some(gap.to));
            }
            let due = if gap.is_back() {
                // The next tick finds out whether it need be looked at.
                Some(NEVER)
            } else {
                // No key has been watched for long enough.
                cell.due(settings, key, &Checked::Early, false, *now)
            };
            *stored = cell.into();
            self.due.set(slot, due);
        }
    }

    /// What was saved, without the times at which ticks must look at it.
    fn of(saved: Saved) -> Self {
        let windows = || saved.cells.iter().filter_map(|(_, cell)| cell.windows());
        Self {
            items: windows().map(|windows| windows.len()).sum(),
            saved,
            ..Self::default()
        }
    }

    /// Goes on with what was saved.
    pub(super) fn replace(&mut self, loaded: Self) {
        let mut documents = std::mem::take(&mut self.documents);
        *self = loaded;
        documents.found(self.saved.cells.iter().flat_map(|(_, cell)| cell.kept()));
        self.documents = documents;
    }

    /// Puts the amounts of each window together now, so that no event has to wait for it.
    pub(super) fn measure(&mut self, settings: &SpikeSettings) {
        for (_, stored) in self.saved.cells.slots_and_cells() {
            let mut cell = stored.open();
            if let Some(windows) = &mut cell.windows {
                windows.values(settings.measure);
            }
            *stored = cell.into();
        }
    }

    pub(super) fn size(&self) -> StateSize {
        super::size(self.saved.cells.len(), self.items)
    }

    pub(super) fn documents(&self) -> &Documents {
        &self.documents
    }

    pub(super) fn documents_mut(&mut self) -> &mut Documents {
        &mut self.documents
    }

    /// The places of the events that are not in memory.
    pub(super) fn each_spilled(&self, each: &mut dyn FnMut(Place)) {
        let kept = self.saved.cells.iter().flat_map(|(_, cell)| cell.kept());
        kept.filter_map(KeptEvent::place).for_each(each);
    }
}

impl Serialize for Cells {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.saved, self.due.all()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (saved, due): (Saved, Vec<(EventTime, Slot)>) = Deserialize::deserialize(deserializer)?;
        let mut loaded = Self::of(saved);
        for (time, slot) in due {
            if loaded.saved.cells.key(slot).is_none() {
                return Err(serde::de::Error::custom("a time is of no key"));
            }
            loaded.due.set(slot, Some(time));
        }
        Ok(loaded)
    }
}

/// Cells as version 2 of the types' states had them, without the times at which ticks must look at them.
#[derive(Deserialize)]
pub(super) struct UntimedCells(Saved);

impl From<UntimedCells> for Cells {
    fn from(UntimedCells(saved): UntimedCells) -> Self {
        let mut loaded = Self::of(saved);
        for slot in loaded.saved.cells.slots() {
            // The next tick finds out which of them need not be looked at.
            loaded.due.set(slot, Some(NEVER));
        }
        loaded
    }
}

impl Checked {
    fn spike(self) -> Option<Spike> {
        match self {
            Self::Found(spike) => Some(spike),
            Self::Early | Self::Nothing => None,
        }
    }
}

impl Cell {
    fn len(&self) -> usize {
        self.windows.as_deref().map_or(0, Windows::len)
    }

    fn insert(&mut self, inserted: &Inserted<'_>, around: &mut Around<'_>) -> Checked {
        let Inserted {
            time,
            amount,
            event,
            ..
        } = *inserted;
        let timeframe = around.settings.timeframe;
        let windows = self
            .windows
            .get_or_insert_with(|| Box::new(Windows::new(around.ticks)));
        windows.catch_up(around.ticks, timeframe, around.documents);
        let item = Current {
            amount,
            event: around.documents.keep(event),
        };
        windows.insert(time, item, around.ticks, timeframe, around.documents);
        self.check(time, event, around)
    }

    /// What ticks before the coming one have done: after one that left nothing in the windows the coming one forgets the key.
    fn catch_up_or_forget(
        &mut self,
        key: &Key,
        ticks: &Ticks,
        timeframe: Duration,
        documents: &mut Documents,
    ) {
        let Some(windows) = &mut self.windows else {
            return;
        };
        windows.catch_up(ticks, timeframe, documents);
        if *key != Key::All && windows.is_empty() {
            windows
                .cur
                .iter()
                .for_each(|item| documents.release(&item.what.event));
            self.windows = None;
        }
    }

    fn tick(&mut self, now: EventTime, around: &mut Around<'_>) -> Checked {
        let Some(windows) = &mut self.windows else {
            return Checked::Nothing;
        };
        windows.catch_up(around.ticks, around.settings.timeframe, around.documents);
        self.check(now, None, around)
    }

    /// Checks the windows after something was put in at `time`.
    fn check(
        &mut self,
        time: EventTime,
        event: Option<&Arc<RawEvent>>,
        around: &mut Around<'_>,
    ) -> Checked {
        let settings = around.settings;
        let first = *self.first.get_or_insert(time);
        let Some(windows) = &mut self.windows else {
            return Checked::Nothing;
        };
        if first.plus(settings.timeframe * 2) <= time {
            *around.filled_once = true;
        } else {
            let is_quiet = self.quiet_until.is_some_and(|until| time < until);
            if !*around.filled_once || !settings.checks_new_keys || is_quiet {
                return Checked::Early;
            }
        }
        let (Some(cur), Some(reference)) = windows.values(settings.measure) else {
            return Checked::Nothing;
        };
        if !settings.may_be_spike(cur, reference, windows.rounding(settings.measure)) {
            return Checked::Nothing;
        }
        let (cur, reference) = match settings.measure {
            Measure::Mean => windows.means(),
            _ => (cur, reference),
        };
        if !settings.is_spike(cur, reference) {
            return Checked::Nothing;
        }
        let documents = &*around.documents;
        let item = windows.representative(settings.measure);
        // Where the oldest event was not kept for want of room, another of the window stands for it.
        let others = || {
            let mut others = windows.cur.iter();
            others.find_map(|item| documents.get(&item.what.event))
        };
        let spike = Spike {
            time: item.map_or(windows.newest, |item| item.time),
            event: item.and_then(|item| {
                documents
                    .get(&item.what.event)
                    .or_else(others)
                    .or_else(|| event.cloned())
            }),
            is_placeholder: item.is_none_or(|item| item.what.amount.get().is_none()),
            cur,
            reference,
        };
        windows.empty_reference(settings.timeframe);
        self.first = None;
        self.quiet_until = Some(spike.time.plus(settings.timeframe * 2));
        Checked::Found(spike)
    }

    /// The time of the first tick that could do more to this cell than put a placeholder in, if nothing comes before.
    fn due(
        &self,
        settings: &SpikeSettings,
        key: &Key,
        checked: &Checked,
        filled_once: bool,
        now: Option<EventTime>,
    ) -> Option<EventTime> {
        let windows = self.windows.as_deref()?;
        let timeframe = settings.timeframe;
        let is_forgotten_next = *key != Key::All && windows.is_empty();
        // Windows ahead of the clock take placeholders in their midst.
        let is_ahead = Some(windows.newest) > now;
        let Some(first) = self.first.filter(|_| !is_forgotten_next && !is_ahead) else {
            return Some(NEVER);
        };
        let watched = first.plus(timeframe * 2);
        let opens = match (checked, self.quiet_until) {
            (Checked::Early, Some(quiet)) if settings.checks_new_keys && filled_once => {
                Some(watched.min(quiet))
            }
            (Checked::Early, _) => Some(watched),
            (Checked::Nothing | Checked::Found(_), _) => None,
        };
        if !windows.can_spike(settings) {
            // All that can still happen is that the key is forgotten when everything has left, or that it is watched for long enough.
            let newest = [
                windows.cur.newest().map(|item| item.time),
                windows.reference.newest().map(|item| item.time),
            ];
            let gone = newest
                .into_iter()
                .flatten()
                .max()
                .map(|newest| newest.plus(timeframe * 2));
            let opens = opens.filter(|_| settings.checks_new_keys && !filled_once);
            return [gone, opens].into_iter().flatten().min();
        }
        [windows.due(timeframe), opens].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
