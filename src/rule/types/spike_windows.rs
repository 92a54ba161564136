//! The two windows of `spike` and `spike_aggregation`: the current one, and the reference before it.
//!
//! What is put in goes to the key's current window; what gets too old for that goes to its reference window, at that moment. A key is checked after
//! each insertion, but not within twice the timeframe of its first, when the reference cannot be full yet.

use super::keyed::Keyed;
use crate::config::{OptionSpec, Problem, Properties, opt};
use crate::event::{Document, EventTime};
use crate::rule::window::{Item, KeptEvent, Window};
use crate::rule::{Common, Key};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
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

    fn is_spike(&self, cur: Option<f64>, reference: Option<f64>) -> bool {
        let (Some(cur), Some(reference)) = (cur, reference) else {
            return false;
        };
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

/// Both windows of a key.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Windows {
    cur: Window<Current>,
    cur_total: Total,
    reference: Window<Amount>,
    reference_total: Total,
}

/// The running sum and number of a window's amounts.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Total {
    /// Minus zero until an amount was added: Python starts with the integer 0 and prints it as such.
    sum: f64,
    number: u64,
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
        #[expect(clippy::cast_precision_loss, reason = "no window holds 2^53 events")]
        let number = self.number as f64;
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

impl Windows {
    fn insert(&mut self, time: EventTime, item: Current, timeframe: Duration) {
        self.cur_total.add(item.amount);
        self.cur.insert(time, item);
        let newest = self.cur.newest().map_or(time, |newest| newest.time);
        while let Some(gone) = self.cur.pop_older(newest, timeframe) {
            self.cur_total.remove(gone.what.amount);
            self.insert_reference(gone.time, gone.what.amount, timeframe);
        }
    }

    fn insert_reference(&mut self, time: EventTime, amount: Amount, timeframe: Duration) {
        self.reference_total.add(amount);
        self.reference.insert(time, amount);
        let newest = self.reference.newest().map_or(time, |newest| newest.time);
        while let Some(gone) = self.reference.pop_older(newest, timeframe) {
            self.reference_total.remove(gone.what);
        }
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

    /// The item that stands for a spike: the oldest that counts, else the newest.
    fn representative(&self, measure: Measure) -> Option<&Item<Current>> {
        let counts = |item: &&Item<Current>| match item.what.amount.get() {
            Some(amount) => measure == Measure::NonZeroMean || amount != 0.0,
            None => false,
        };
        self.cur.iter().find(counts).or_else(|| self.cur.newest())
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

/// All keys of a rule.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Cells {
    cells: Keyed<Cell>,
    /// Whether any key has got past twice the timeframe.
    filled_once: bool,
}

/// A spike.
pub(super) struct Spike {
    /// The time of the item that stands for it.
    pub(super) time: EventTime,
    /// Its event; `None` for samples, placeholders, and events that were not kept.
    pub(super) event: KeptEvent,
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

impl Cells {
    /// Puts an amount into a key's windows and checks them.
    pub(super) fn insert(
        &mut self,
        settings: &SpikeSettings,
        key: &Key,
        time: EventTime,
        amount: Amount,
        event: KeptEvent,
    ) -> Option<Spike> {
        // A key that was forgotten is written as it comes back: `1` may come back as `true`.
        let is_forgotten = |cell: &Cell| cell.windows.is_none();
        if self.cells.get(key).is_some_and(is_forgotten)
            && let Some(cell) = self.cells.swap_remove(key)
        {
            self.cells.insert(key.clone(), cell);
        }
        let cell = match self.cells.get_mut(key) {
            Some(cell) => cell,
            None => self.cells.entry(key.clone()).or_default(),
        };
        cell.insert(settings, &mut self.filled_once, time, amount, event)
    }

    /// Time passed: every key that is not forgotten gets a placeholder. A key with nothing in its windows is forgotten instead.
    pub(super) fn tick(
        &mut self,
        settings: &SpikeSettings,
        now: EventTime,
        mut found: impl FnMut(&Key, Spike),
    ) {
        for (key, cell) in &mut self.cells {
            let Some(windows) = &cell.windows else {
                continue;
            };
            if *key != Key::All && windows.is_empty() {
                cell.windows = None;
                continue;
            }
            let (amount, event) = (Amount::NONE, KeptEvent::default());
            let spike = cell.insert(settings, &mut self.filled_once, now, amount, event);
            if let Some(spike) = spike {
                found(key, spike);
            }
        }
    }

    /// How many items the current windows hold, by key.
    pub(super) fn lengths(&self) -> impl ExactSizeIterator<Item = usize> {
        self.cells.values().map(|cell| {
            let windows = cell.windows.as_ref();
            windows.map_or(0, |windows| windows.cur.len() + windows.reference.len())
        })
    }
}

impl Cell {
    fn insert(
        &mut self,
        settings: &SpikeSettings,
        filled_once: &mut bool,
        time: EventTime,
        amount: Amount,
        event: KeptEvent,
    ) -> Option<Spike> {
        let first = *self.first.get_or_insert(time);
        let windows = self.windows.get_or_insert_default();
        windows.insert(time, Current { amount, event }, settings.timeframe);
        let filled = first.plus(settings.timeframe * 2) <= time;
        if filled {
            *filled_once = true;
        } else {
            let is_quiet = self.quiet_until.is_some_and(|until| time < until);
            if !*filled_once || !settings.checks_new_keys || is_quiet {
                return None;
            }
        }
        let (cur, reference) = windows.values(settings.measure);
        if !settings.is_spike(cur, reference) {
            return None;
        }
        let item = windows.representative(settings.measure)?;
        let spike = Spike {
            time: item.time,
            event: item.what.event.clone(),
            is_placeholder: item.what.amount.get().is_none(),
            cur: cur?,
            reference: reference?,
        };
        windows.reference.clear();
        windows.reference_total = Total::default();
        self.first = None;
        self.quiet_until = Some(spike.time.plus(settings.timeframe * 2));
        Some(spike)
    }
}
