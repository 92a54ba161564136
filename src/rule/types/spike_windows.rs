//! The two windows of `spike` and `spike_aggregation`: the current one, and the reference before it.
//!
//! What is put in goes to the key's current window; what gets too old for that goes to its reference window, at that moment. A key is checked after
//! each insertion, but not within twice the timeframe of its first, when the reference cannot be full yet.

mod views;

use super::keyed::{Deadlines, Keyed, Slot};
use crate::config::{OptionSpec, Problem, Properties, opt};
use crate::event::{Document, EventTime, RawEvent};
use crate::rule::window::{Documents, Item, KeptEvent, Window};
use crate::rule::{Common, Gap, Key, StateSize};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub(super) const SPIKE_HEIGHT: OptionSpec = opt("spike_height").judges().number().required().doc(
    "How many times the reference the current value must be (up), or the reference of the current value (down).",
);
pub(super) const SPIKE_TYPE: OptionSpec = opt("spike_type")
    .judges()
    .one_of(&["up", "down", "both"])
    .required()
    .doc("Which direction matches.");
pub(super) const THRESHOLD_CUR: OptionSpec = opt("threshold_cur")
    .judges()
    .number()
    .default("0")
    .doc("The least current value for a match.");
pub(super) const THRESHOLD_REF: OptionSpec = opt("threshold_ref")
    .judges()
    .number()
    .default("0")
    .doc("The least reference value for a match.");
pub(super) const ALERT_ON_NEW_DATA: OptionSpec = opt("alert_on_new_data").judges()
    .bool()
    .default("false")
    .doc("Whether keys that appear when others have been watched for twice the timeframe are checked at once.");

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// The sum of the amounts: a count, where each is 1.
    Sum,
    /// Their mean; a mean of nothing or of 0 is no match.
    NonZeroMean,
    /// Their mean.
    Mean,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

/// The options of both types.
#[derive(Debug)]
pub(super) struct SpikeSettings {
    pub(super) timeframe: Duration,
    pub(super) measure: Measure,
    height: f64,
    up: bool,
    down: bool,
    threshold_cur: f64,
    threshold_ref: f64,
    /// `alert_on_new_data`, in a rule with keys.
    checks_new_keys: bool,
}

impl SpikeSettings {
    pub(super) fn load(
        properties: &Properties,
        common: &Common,
        measure: Measure,
    ) -> Result<Self, Vec<Problem>> {
        let timeframe = super::timeframe(common)?;
        let kind = properties.text("spike_type");
        let problem = |message: &str| vec![Problem::error("E0424", &common.span, message)];
        let (up, down) = match kind.as_deref() {
            Some("up") => (true, false),
            Some("down") => (false, true),
            Some("both") => (true, true),
            _ => return Err(problem("spike_type must be up, down or both")),
        };
        let Some(height) = properties.number("spike_height") else {
            return Err(problem(
                "a spike needs spike_height: how many times the reference is a spike",
            ));
        };
        let alert_on_new_data = properties.bool("alert_on_new_data") == Some(true);
        Ok(Self {
            timeframe,
            measure,
            height,
            up,
            down,
            threshold_cur: properties.number("threshold_cur").unwrap_or(0.0),
            threshold_ref: properties.number("threshold_ref").unwrap_or(0.0),
            checks_new_keys: alert_on_new_data && common.query_key.is_some(),
        })
    }

    fn is_spike(&self, cur: f64, reference: f64) -> bool {
        if self.measure == Measure::NonZeroMean {
            if cur == 0.0 || reference == 0.0 {
                return false;
            }
        } else if cur < self.threshold_cur || reference < self.threshold_ref {
            return false;
        }
        (self.up && cur >= reference * self.height) || (self.down && cur <= reference / self.height)
    }
}

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

/// An item of the current window.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Current {
    amount: Amount,
    event: KeptEvent,
}

/// Before all times.
const NEVER: EventTime = EventTime(i64::MIN);

/// Both windows of a key. Placeholders are not in them: which ones there were is known from the ticks, and all they do is to move the windows on.
#[derive(Debug, Serialize, Deserialize)]
struct Windows {
    cur: Window<Current>,
    cur_total: Total,
    reference: Window<Amount>,
    reference_total: Total,
    /// The newest item that ever was in `cur`.
    newest: EventTime,
    /// The newest item that has gone over to `reference` since that was emptied.
    reference_newest: EventTime,
    /// Placeholders up to this time went over before `reference` was emptied.
    emptied: EventTime,
    /// How many ticks there were before the windows came to be: they have no placeholder in them.
    born: u32,
    /// How many ticks are accounted for.
    seen: u32,
}

/// The running sum and number of a window's amounts.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Total {
    /// Minus zero until an amount was added: Python starts with the integer 0 and prints it as such.
    sum: f64,
    number: u32,
}

impl Default for Total {
    fn default() -> Self {
        Self {
            sum: -0.0,
            number: 0,
        }
    }
}

impl Total {
    fn add(&mut self, amount: Amount) {
        if let Some(amount) = amount.get() {
            self.sum += amount;
            self.number += 1;
        }
    }

    fn remove(&mut self, amount: Amount) {
        if let Some(amount) = amount.get() {
            self.sum -= amount;
            self.number = self.number.saturating_sub(1);
        }
    }

    fn value(self, measure: Measure, amounts: impl Iterator<Item = Amount>) -> Option<f64> {
        let amounts = amounts.filter_map(Amount::get);
        let number = f64::from(self.number);
        match measure {
            Measure::Sum => Some(self.sum),
            _ if self.number == 0 => None,
            Measure::NonZeroMean => Some(self.sum / number),
            // Added up anew: the running sum of fractions would drift away.
            Measure::Mean => Some(amounts.sum::<f64>() / number),
            Measure::Min => amounts.reduce(f64::min),
            Measure::Max => amounts.reduce(f64::max),
        }
    }
}

/// The ticks that still matter.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Ticks {
    /// Their times, in order.
    times: VecDeque<EventTime>,
    /// How many there were before these.
    gone: u32,
}

impl Ticks {
    fn count(&self) -> u32 {
        self.number(self.times.len())
    }

    fn number(&self, place: usize) -> u32 {
        self.gone
            .saturating_add(u32::try_from(place).unwrap_or(u32::MAX))
    }

    /// One more. Only the last one that is a timeframe old matters of those that are.
    fn add(&mut self, now: EventTime, timeframe: Duration) {
        self.times.push_back(now);
        while self
            .times
            .get(1)
            .is_some_and(|second| *second <= now.minus(timeframe))
        {
            self.times.pop_front();
            self.gone = self.gone.saturating_add(1);
        }
    }

    /// The clock was set back: ticks of the time to come have not been.
    fn set_back(&mut self, now: EventTime) {
        while self.times.pop_back_if(|time| *time > now).is_some() {}
    }

    fn latest(&self) -> Option<EventTime> {
        self.times.back().copied()
    }

    /// The latest after the first `count` ones that is not after `time`.
    fn latest_until(&self, time: EventTime, count: u32) -> Option<EventTime> {
        let place = self
            .times
            .partition_point(|tick| *tick <= time)
            .checked_sub(1)?;
        let tick = self.times.get(place).copied();
        tick.filter(|_| self.number(place) >= count)
    }
}

impl Windows {
    fn new(ticks: &Ticks) -> Self {
        Self {
            cur: Window::default(),
            cur_total: Total::default(),
            reference: Window::default(),
            reference_total: Total::default(),
            newest: NEVER,
            reference_newest: NEVER,
            emptied: NEVER,
            born: ticks.count(),
            seen: ticks.count(),
        }
    }

    /// Puts in the placeholders of ticks that did not look at these windows.
    fn catch_up(&mut self, ticks: &Ticks, timeframe: Duration, documents: &mut Documents) {
        if let Some(latest) = ticks.latest()
            && ticks.count() > self.seen
        {
            self.seen = ticks.count();
            if latest <= self.newest.minus(timeframe) {
                // So late that it went to the reference at once.
                self.reference_newest = self.reference_newest.max(latest);
            }
            self.newest = self.newest.max(latest);
            self.move_on(ticks, timeframe, documents);
        }
    }

    fn insert(
        &mut self,
        time: EventTime,
        item: Current,
        ticks: &Ticks,
        timeframe: Duration,
        documents: &mut Documents,
    ) {
        self.cur_total.add(item.amount);
        self.cur.insert(time, item);
        self.newest = self.newest.max(time);
        self.move_on(ticks, timeframe, documents);
    }

    /// Drops events after a time.
    fn drop_newer(&mut self, time: EventTime, documents: &mut Documents) {
        while let Some(gone) = self.cur.pop_newer(time) {
            documents.release(&gone.what.event);
            self.cur_total.remove(gone.what.amount);
        }
        while let Some(gone) = self.reference.pop_newer(time) {
            self.reference_total.remove(gone.what);
        }
    }

    /// The clock was set back: placeholders of the time to come were none.
    fn set_back(&mut self, now: EventTime, ticks: &Ticks) {
        let newest = self.cur.newest().map_or(now, |item| item.time.max(now));
        self.newest = self.newest.min(newest);
        let gone = self
            .reference
            .newest()
            .map_or(now, |item| item.time.max(now));
        self.reference_newest = self.reference_newest.min(gone);
        self.emptied = self.emptied.min(now);
        self.born = self.born.min(ticks.count());
        self.seen = self.seen.min(ticks.count());
    }

    /// Lets what is too old for one window go to the next.
    fn move_on(&mut self, ticks: &Ticks, timeframe: Duration, documents: &mut Documents) {
        while let Some(gone) = self.cur.pop_older(self.newest, timeframe) {
            let amount = gone.what.amount;
            documents.release(&gone.what.event);
            self.cur_total.remove(amount);
            self.reference_total.add(amount);
            self.reference.insert(gone.time, amount);
            self.reference_newest = self.reference_newest.max(gone.time);
        }
        let placeholder = ticks.latest_until(self.newest.minus(timeframe), self.born);
        if let Some(placeholder) = placeholder.filter(|time| *time > self.emptied) {
            self.reference_newest = self.reference_newest.max(placeholder);
        }
        while let Some(gone) = self.reference.pop_older(self.reference_newest, timeframe) {
            self.reference_total.remove(gone.what);
        }
    }

    fn empty_reference(&mut self, timeframe: Duration) {
        self.reference.clear();
        self.reference_total = Total::default();
        self.reference_newest = NEVER;
        self.emptied = self.newest.minus(timeframe);
    }

    fn values(&self, measure: Measure) -> (Option<f64>, Option<f64>) {
        let cur = self.cur.iter().map(|item| item.what.amount);
        let reference = self.reference.iter().map(|item| item.what);
        (
            self.cur_total.value(measure, cur),
            self.reference_total.value(measure, reference),
        )
    }

    fn is_empty(&self) -> bool {
        self.cur_total.sum == 0.0 && self.reference_total.sum == 0.0
    }

    fn len(&self) -> usize {
        self.cur.len() + self.reference.len()
    }

    /// The item that stands for a spike: the oldest that counts, else a sample that does not. `None`: only placeholders are left.
    fn representative(&self, measure: Measure) -> Option<&Item<Current>> {
        let counts = |item: &&Item<Current>| match item.what.amount.get() {
            Some(amount) => measure == Measure::NonZeroMean || amount != 0.0,
            None => false,
        };
        let newest = || self.cur.newest().filter(|item| item.time == self.newest);
        self.cur.iter().find(counts).or_else(newest)
    }

    /// Whether time alone can make a spike of what is there.
    fn can_spike(&self, settings: &SpikeSettings) -> bool {
        let (cur, both) = (
            self.cur_total.sum,
            self.cur_total.sum + self.reference_total.sum,
        );
        settings.measure != Measure::Sum
            || (cur >= settings.threshold_cur && both >= settings.threshold_ref)
    }

    /// When time alone can next change what a check finds.
    fn due(&self, timeframe: Duration) -> Option<EventTime> {
        let cur = self.cur.oldest().map(|oldest| oldest.time.plus(timeframe));
        let reference = self
            .reference
            .oldest()
            .map(|oldest| oldest.time.plus(timeframe * 2));
        [cur, reference].into_iter().flatten().min()
    }
}

/// What is known of a key.
#[derive(Debug, Default, Serialize, Deserialize)]
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
    due: Deadlines,
    documents: Documents,
    items: usize,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Saved {
    cells: Keyed<Cell>,
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
        let slot = cells.find_or_add(key, Cell::default);
        if cells.cell(slot).is_some_and(|cell| cell.windows.is_none()) {
            // A key that was forgotten is written as it comes back: `1` may come back as `true`.
            cells.rename(slot, key);
        }
        let cell = cells.cell(slot)?;
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
        self.due.set(slot, due);
        *look_at_all |= settings.checks_new_keys && *filled_once && !was_filled;
        checked.spike()
    }

    /// Time passed: every key that is not forgotten gets a placeholder. A key with nothing in its windows is forgotten instead.
    pub(super) fn tick(
        &mut self,
        settings: &SpikeSettings,
        now: EventTime,
        mut found: impl FnMut(&Key, Spike),
    ) {
        let now = self.saved.now.map_or(now, |latest| latest.max(now));
        self.saved.now = Some(now);
        let mut slots = Vec::new();
        while let Some(slot) = self.due.pop(now) {
            slots.push(slot);
        }
        let Saved {
            cells,
            ticks,
            filled_once,
            look_at_all,
            ..
        } = &mut self.saved;
        let mut fills = |slot: &Slot| {
            cells
                .cell(*slot)
                .is_some_and(|cell| cell.is_filled(settings, now))
        };
        let fills =
            settings.checks_new_keys && !*filled_once && slots.iter().any(|slot| fills(slot));
        if *look_at_all || fills {
            slots = cells.slots().collect();
        }
        *look_at_all = fills;
        cells.sort(&mut slots);
        for slot in &slots {
            if let Some((key, cell)) = cells.key_and_cell(*slot) {
                self.items -= cell.len();
                cell.catch_up_or_forget(key, ticks, settings.timeframe, &mut self.documents);
                self.items += cell.len();
            }
        }
        ticks.add(now, settings.timeframe);
        for slot in slots {
            let Some((key, cell)) = cells.key_and_cell(slot) else {
                continue;
            };
            self.items -= cell.len();
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
            if let Some(spike) = checked.spike() {
                found(key, spike);
            }
            self.due.set(slot, due);
        }
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
        *filled_once &= !breaks;
        for (slot, cell) in cells.slots_and_cells() {
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
            // The next tick finds out whether it need be looked at.
            self.due.set(slot, Some(NEVER));
        }
    }

    pub(super) fn size(&self) -> StateSize {
        super::size(self.saved.cells.len(), self.items)
    }

    pub(super) fn documents(&mut self) -> &mut Documents {
        &mut self.documents
    }

    pub(super) fn kept_bytes(&self) -> u64 {
        self.documents.bytes()
    }
}

impl Serialize for Cells {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.saved.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let saved = Saved::deserialize(deserializer)?;
        let mut loaded = Self::default();
        // The next tick finds out which of them need not be looked at.
        for slot in saved.cells.slots() {
            loaded.due.set(slot, Some(NEVER));
        }
        let windows = || {
            saved
                .cells
                .iter()
                .filter_map(|(_, cell)| cell.windows.as_deref())
        };
        loaded.items = windows().map(Windows::len).sum();
        loaded
            .documents
            .found(windows().flat_map(|windows| windows.cur.iter().map(|item| &item.what.event)));
        loaded.saved = saved;
        Ok(loaded)
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

    /// Whether a tick finds that the key has been watched for long enough.
    fn is_filled(&self, settings: &SpikeSettings, now: EventTime) -> bool {
        let first = self.first.unwrap_or(now);
        self.windows.is_some() && first.plus(settings.timeframe * 2) <= now
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
        let (cur, reference) = match windows.values(settings.measure) {
            (Some(cur), Some(reference)) if settings.is_spike(cur, reference) => (cur, reference),
            _ => return Checked::Nothing,
        };
        let item = windows.representative(settings.measure);
        // Where the oldest event was not kept for want of room, another of the window stands for it.
        let others = || {
            windows
                .cur
                .iter()
                .find_map(|item| item.what.event.0.clone())
        };
        let spike = Spike {
            time: item.map_or(windows.newest, |item| item.time),
            event: item.and_then(|item| {
                item.what
                    .event
                    .0
                    .clone()
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
