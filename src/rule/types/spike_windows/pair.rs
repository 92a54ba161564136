//! Both windows of one key, and the ticks that move them on.

use super::super::metric::{Accumulator, Contribution, MetricKind};
use super::{Amount, Measure, SpikeSettings};
use crate::event::EventTime;
use crate::rule::kept::{Documents, KeptEvent};
use crate::rule::window::{Item, Window};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// An item of the current window.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Current {
    pub(super) amount: Amount,
    pub(super) event: KeptEvent,
}

/// Before all times.
pub(super) const NEVER: EventTime = EventTime(i64::MIN);

/// Both windows of a key. Placeholders are not in them: which ones there were is known from the ticks, and all they do is to move the windows on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Windows {
    pub(super) cur: Window<Current>,
    pub(super) cur_total: Total,
    pub(super) reference: Window<Amount>,
    pub(super) reference_total: Total,
    /// The newest item that ever was in `cur`.
    pub(super) newest: EventTime,
    /// The newest item that has gone over to `reference` since that was emptied.
    pub(super) reference_newest: EventTime,
    /// Placeholders up to this time went over before `reference` was emptied.
    pub(super) emptied: EventTime,
    /// How many ticks there were before the windows came to be: they have no placeholder in them.
    pub(super) born: u32,
    /// How many ticks are accounted for.
    pub(super) seen: u32,
}

/// The running sum and number of a window's amounts.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Total {
    /// Minus zero until an amount that is not zero was added: Python starts with the integer 0 and prints it as such.
    pub(super) sum: f64,
    pub(super) number: u32,
    /// Where sum and number do not tell what is compared; made when that is first asked for.
    #[serde(skip)]
    samples: Option<Box<Samples>>,
}

/// The amounts of a window, put together.
#[derive(Debug)]
struct Samples {
    metric: Accumulator,
    /// The greatest magnitude there was.
    greatest: f64,
}

impl Default for Total {
    fn default() -> Self {
        Self {
            sum: -0.0,
            number: 0,
            samples: None,
        }
    }
}

impl Clone for Total {
    fn clone(&self) -> Self {
        Self {
            samples: None,
            ..*self
        }
    }
}

impl Samples {
    fn add(&mut self, amount: f64) {
        self.metric.add(&Contribution::Number(amount));
        self.greatest = self.greatest.max(amount.abs());
    }
}

impl Total {
    pub(super) fn add(&mut self, amount: Amount) {
        if let Some(amount) = amount.get() {
            // To ElastAlert's window a zero is nothing to add.
            if amount != 0.0 {
                self.sum += amount;
            }
            self.number += 1;
            if let Some(samples) = &mut self.samples {
                samples.add(amount);
            }
        }
    }

    pub(super) fn remove(&mut self, amount: Amount) {
        if let Some(amount) = amount.get() {
            if amount != 0.0 {
                self.sum -= amount;
            }
            self.number = self.number.saturating_sub(1);
            if let Some(samples) = &mut self.samples {
                samples.metric.remove(&Contribution::Number(amount));
            }
        }
    }

    /// What is compared; a mean of fractions within [`Total::rounding`].
    fn value(&mut self, measure: Measure, amounts: impl Iterator<Item = Amount>) -> Option<f64> {
        let kind = match measure {
            Measure::Sum => return Some(self.sum),
            _ if self.number == 0 => return None,
            Measure::NonZeroMean => return Some(self.sum / f64::from(self.number)),
            Measure::Mean => MetricKind::Avg,
            Measure::Min => MetricKind::Min,
            Measure::Max => MetricKind::Max,
        };
        let samples = self.samples.get_or_insert_with(|| {
            let mut samples = Samples {
                metric: kind.accumulator(),
                greatest: 0.0,
            };
            amounts
                .filter_map(Amount::get)
                .for_each(|amount| samples.add(amount));
            Box::new(samples)
        });
        samples.metric.value()
    }

    /// How far a mean that is added up in order may be from [`Total::value`].
    fn rounding(&self) -> f64 {
        let greatest = self
            .samples
            .as_ref()
            .map_or(0.0, |samples| samples.greatest);
        // Such numbers the exact sum leaves out.
        if greatest > 1e290 {
            return f64::INFINITY;
        }
        greatest * f64::from(self.number) * f64::EPSILON * 2.0
    }

    /// The mean as ElastAlert has it: added up in order, with what that rounds away.
    fn mean(&self, amounts: impl Iterator<Item = Amount>) -> f64 {
        amounts.filter_map(Amount::get).sum::<f64>() / f64::from(self.number)
    }
}

/// The ticks that still matter.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ticks {
    /// Their times, in order.
    pub(super) times: VecDeque<EventTime>,
    /// How many there were before these.
    pub(super) gone: u32,
    /// While it is asked how things were before the latest of them.
    #[serde(skip)]
    pub(super) hides_latest: bool,
}

impl Ticks {
    /// How many of the times are seen.
    fn seen(&self) -> usize {
        self.times
            .len()
            .saturating_sub(usize::from(self.hides_latest))
    }

    pub(super) fn count(&self) -> u32 {
        self.number(self.seen())
    }

    pub(super) fn number(&self, place: usize) -> u32 {
        self.gone
            .saturating_add(u32::try_from(place).unwrap_or(u32::MAX))
    }

    /// One more. Only the last one that was a timeframe old before it matters of those that were.
    pub(super) fn add(&mut self, now: EventTime, timeframe: Duration) {
        let old = self.latest().map(|latest| latest.minus(timeframe));
        while self.times.get(1).is_some_and(|second| Some(*second) <= old) {
            self.times.pop_front();
            self.gone = self.gone.saturating_add(1);
        }
        self.times.push_back(now);
    }

    /// The clock was set back: ticks of the time to come have not been.
    pub(super) fn set_back(&mut self, now: EventTime) {
        while self.times.pop_back_if(|time| *time > now).is_some() {}
    }

    pub(super) fn latest(&self) -> Option<EventTime> {
        self.times.get(self.seen().checked_sub(1)?).copied()
    }

    /// The latest after the first `count` ones that is not after `time`.
    pub(super) fn latest_until(&self, time: EventTime, count: u32) -> Option<EventTime> {
        let place = self
            .times
            .partition_point(|tick| *tick <= time)
            .min(self.seen())
            .checked_sub(1)?;
        let tick = self.times.get(place).copied();
        tick.filter(|_| self.number(place) >= count)
    }
}

impl Windows {
    pub(super) fn new(ticks: &Ticks) -> Self {
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
    pub(super) fn catch_up(
        &mut self,
        ticks: &Ticks,
        timeframe: Duration,
        documents: &mut Documents,
    ) {
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

    pub(super) fn insert(
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
    pub(super) fn drop_newer(&mut self, time: EventTime, documents: &mut Documents) {
        while let Some(gone) = self.cur.pop_newer(time) {
            documents.release(&gone.what.event);
            self.cur_total.remove(gone.what.amount);
        }
        while let Some(gone) = self.reference.pop_newer(time) {
            self.reference_total.remove(gone.what);
        }
    }

    /// The clock was set back: placeholders of the time to come were none.
    pub(super) fn set_back(&mut self, now: EventTime, ticks: &Ticks) {
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
    pub(super) fn move_on(
        &mut self,
        ticks: &Ticks,
        timeframe: Duration,
        documents: &mut Documents,
    ) {
        while let Some(gone) = self.cur.pop_older(self.newest, timeframe) {
            let amount = gone.what.amount;
            documents.release(&gone.what.event);
            self.cur_total.remove(amount);
            self.reference_total.add(amount);
            self.reference.insert(gone.time, amount);
            self.reference_newest = self.reference_newest.max(gone.time);
            // One by one, as ElastAlert does: what the running sum rounds away depends on the order.
            self.shorten_reference(timeframe);
        }
        let placeholder = ticks.latest_until(self.newest.minus(timeframe), self.born);
        if let Some(placeholder) = placeholder.filter(|time| *time > self.emptied) {
            self.reference_newest = self.reference_newest.max(placeholder);
        }
        self.shorten_reference(timeframe);
    }

    fn shorten_reference(&mut self, timeframe: Duration) {
        while let Some(gone) = self.reference.pop_older(self.reference_newest, timeframe) {
            self.reference_total.remove(gone.what);
        }
    }

    pub(super) fn empty_reference(&mut self, timeframe: Duration) {
        self.reference.clear();
        self.reference_total = Total::default();
        self.reference_newest = NEVER;
        self.emptied = self.newest.minus(timeframe);
    }

    /// What is compared; means of fractions within [`Windows::rounding`].
    pub(super) fn values(&mut self, measure: Measure) -> (Option<f64>, Option<f64>) {
        let cur = self.cur.iter().map(|item| item.what.amount);
        let reference = self.reference.iter().map(|item| item.what);
        (
            self.cur_total.value(measure, cur),
            self.reference_total.value(measure, reference),
        )
    }

    /// How far [`Windows::means`] may be from [`Windows::values`].
    pub(super) fn rounding(&self, measure: Measure) -> (f64, f64) {
        match measure {
            Measure::Mean => (self.cur_total.rounding(), self.reference_total.rounding()),
            Measure::Sum | Measure::NonZeroMean | Measure::Min | Measure::Max => (0.0, 0.0),
        }
    }

    /// The means, added up anew: only a spike is worth that.
    pub(super) fn means(&self) -> (f64, f64) {
        let cur = self.cur.iter().map(|item| item.what.amount);
        let reference = self.reference.iter().map(|item| item.what);
        (
            self.cur_total.mean(cur),
            self.reference_total.mean(reference),
        )
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cur_total.sum == 0.0 && self.reference_total.sum == 0.0
    }

    pub(super) fn len(&self) -> usize {
        self.cur.len() + self.reference.len()
    }

    /// The item that stands for a spike: the oldest that counts, else a sample that does not. `None`: only placeholders are left.
    pub(super) fn representative(&self, measure: Measure) -> Option<&Item<Current>> {
        let counts = |item: &&Item<Current>| match item.what.amount.get() {
            Some(amount) => measure == Measure::NonZeroMean || amount != 0.0,
            None => false,
        };
        let newest = || self.cur.newest().filter(|item| item.time == self.newest);
        self.cur.iter().find(counts).or_else(newest)
    }

    /// Whether time alone can make a spike of what is there.
    pub(super) fn can_spike(&self, settings: &SpikeSettings) -> bool {
        let (cur, both) = (
            self.cur_total.sum,
            self.cur_total.sum + self.reference_total.sum,
        );
        settings.measure != Measure::Sum
            || (cur >= settings.threshold_cur && both >= settings.threshold_ref)
    }

    /// When time alone can next change what a check finds.
    pub(super) fn due(&self, timeframe: Duration) -> Option<EventTime> {
        let cur = self.cur.oldest().map(|oldest| oldest.time.plus(timeframe));
        let reference = self
            .reference
            .oldest()
            .map(|oldest| oldest.time.plus(timeframe * 2));
        [cur, reference].into_iter().flatten().min()
    }
}
