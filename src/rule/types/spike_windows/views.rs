//! Both windows of a key, as they stand.

use super::stored::Stored;
use super::{Amount, Cells, Measure, SpikeSettings};
use crate::event::EventTime;
use crate::event::time::duration_text;
use crate::rule::{Key, Wanted, WindowView};

impl Measure {
    fn of(self, amounts: &[f64]) -> Option<f64> {
        let sum = amounts.iter().fold(0.0, |sum, amount| sum + amount);
        #[expect(clippy::cast_precision_loss, reason = "no window holds 2^53 events")]
        let number = amounts.len() as f64;
        match self {
            Self::Sum => Some(sum),
            Self::Mean | Self::NonZeroMean => (!amounts.is_empty()).then(|| sum / number),
            Self::Min => amounts.iter().copied().reduce(f64::min),
            Self::Max => amounts.iter().copied().reduce(f64::max),
        }
    }
}

impl SpikeSettings {
    /// What is missing to a match.
    fn missing(&self, cur: f64, reference: f64) -> f64 {
        let up = self.up.then_some(reference * self.height - cur);
        let down = self.down.then_some(cur - reference / self.height);
        let missing = [up, down]
            .into_iter()
            .flatten()
            .fold(f64::INFINITY, f64::min);
        if self.measure == Measure::NonZeroMean {
            return missing.max(0.0);
        }
        let (cur, reference) = (self.threshold_cur - cur, self.threshold_ref - reference);
        missing.max(cur).max(reference).max(0.0)
    }

    fn condition(&self) -> String {
        let height = self.height;
        match (self.up, self.down) {
            (true, true) => format!("{height} times as many, or as few, match"),
            (true, false) => format!("{height} times as many match"),
            _ => format!("{height} times as few match"),
        }
    }
}

impl Cells {
    /// The windows of keys.
    pub(in crate::rule::types) fn views(
        &self,
        settings: &SpikeSettings,
        wanted: &Wanted<'_>,
    ) -> Vec<WindowView> {
        let cells = self.saved.cells.wanted(wanted).into_iter();
        let views = cells.filter_map(|(key, cell)| cell.view(key, settings, wanted.now));
        views.collect()
    }
}

impl Stored {
    fn view(&self, key: &Key, settings: &SpikeSettings, now: EventTime) -> Option<WindowView> {
        let windows = self.windows()?;
        let timeframe = settings.timeframe;
        let current = now.minus(timeframe);
        let before = now.minus(timeframe * 2);
        let cur = windows.cur.iter().map(|item| (item.time, item.what.amount));
        let reference = windows.reference.iter().map(|item| (item.time, item.what));
        let all: Vec<(EventTime, f64)> = reference
            .chain(cur)
            .filter(|(time, _)| *time > before)
            .filter_map(|(time, amount): (_, Amount)| Some((time, amount.get()?)))
            .collect();
        let amounts = |is_current: bool| {
            let those = all
                .iter()
                .filter(|(time, _)| (*time > current) == is_current);
            settings
                .measure
                .of(&those.map(|(_, amount)| *amount).collect::<Vec<_>>())
        };
        let (cur, reference) = (amounts(true), amounts(false));
        let text =
            |value: Option<f64>| value.map_or("nothing".to_owned(), |value| value.to_string());
        let mut says = format!(
            "{} within {}, {} before; {}",
            text(cur),
            duration_text(timeframe),
            text(reference),
            settings.condition()
        );
        let filled = self.first().map(|first| first.plus(timeframe * 2));
        let filled = filled.filter(|filled| *filled > now);
        if filled.is_some() {
            says.push_str(", when watched for both timeframes");
        }
        let distance = cur.zip(reference);
        Some(WindowView {
            oldest: all.first().map(|(time, _)| *time),
            newest: all.last().map(|(time, _)| *time),
            expires: filled.or_else(|| all.first().map(|(time, _)| time.plus(timeframe * 2))),
            distance: distance.map(|(cur, reference)| settings.missing(cur, reference)),
            ..WindowView::new(key, all.len(), says)
        })
    }
}
