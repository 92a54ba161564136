//! `frequency`: a match when a key has `num_events` events within `timeframe`.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#frequency>. A key's window begins anew after a match. The match is the newest event by
//! its time, which a late event that completes the number is not.

use super::keyed::{Keyed, PER_EVENT, PER_TICK, Sweep};
use super::source::{self, Entry, Source};
use super::{TIMEFRAME, no_advice, size, timeframe};
use crate::config::{Problem, Properties, opt};
use crate::event::{Document, EventTime, FieldPath};
use crate::rule::window::{KeptEvent, Window};
use crate::rule::{
    Built, Common, Hit, Key, Match, Observed, RuleState, RuleType, RuleTypeEntry, StateSize,
    Verdict, saved,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

pub(super) const ENTRY: RuleTypeEntry = RuleTypeEntry {
    name: "frequency",
    doc: "Matches when there are at least so many events within a timeframe.",
    options: &[
        opt("num_events")
            .judges()
            .int()
            .required()
            .doc("How many events make a match."),
        TIMEFRAME,
        opt("attach_related")
            .bool()
            .default("false")
            .doc("Whether the match carries the other events of the window as related_events."),
        source::COUNT_QUERY,
        source::TERMS_QUERY,
        source::TERMS_SIZE,
        source::MIN_DOC_COUNT,
        source::DOC_TYPE,
    ],
    build,
    advice: no_advice,
};

#[derive(Debug)]
struct Settings {
    source: Source,
    num_events: i64,
    timeframe: Duration,
    attach_related: bool,
    time: FieldPath,
}

#[derive(Debug)]
struct Frequency(Arc<Settings>);

fn build(properties: &Properties, common: &Common) -> Built {
    let Some(num_events) = properties.int("num_events") else {
        let message = "frequency needs num_events: how many events make a match";
        return Err(vec![Problem::error("E0420", &common.span, message)]);
    };
    Ok(Arc::new(Frequency(Arc::new(Settings {
        source: Source::load(properties, common)?,
        num_events,
        timeframe: timeframe(common)?,
        attach_related: properties.bool("attach_related").unwrap_or(false),
        time: common.time.path.clone(),
    }))))
}

impl RuleType for Frequency {
    fn fields(&self) -> &[FieldPath] {
        self.0.source.fields()
    }

    fn sample(&self, event: &Observed<'_>) -> Verdict {
        self.0.source.sample(event)
    }

    fn state(&self) -> Box<dyn RuleState> {
        Box::new(State {
            settings: Arc::clone(&self.0),
            saved: Saved::default(),
            sweep: Sweep::default(),
        })
    }

    fn keeps_events(&self) -> bool {
        self.0.source.has_events()
    }

    fn text(&self, matched: &Document, times: &dyn Fn(&Value, Duration) -> String) -> String {
        let time = self.0.time.get(matched).unwrap_or(&Value::Null);
        format!(
            "At least {} events occurred between {} and {}\n\n",
            self.0.num_events,
            times(time, self.0.timeframe),
            times(time, Duration::ZERO)
        )
    }
}

struct State {
    settings: Arc<Settings>,
    saved: Saved,
    sweep: Sweep,
}

#[derive(Default, Serialize, Deserialize)]
struct Saved {
    cells: Keyed<Cell>,
    /// The latest tick, and how many there were.
    tick: Option<EventTime>,
    ticks: u32,
}

#[derive(Default, Serialize, Deserialize)]
struct Cell {
    window: Window<KeptEvent>,
    /// How many ticks there had been when the latest event was added.
    ticks: u32,
}

impl Saved {
    /// Whether a tick has dropped a cell: at the tick its newest event was older than the timeframe. The cells themselves are removed little
    /// by little.
    fn is_dropped(&self, timeframe: Duration) -> impl Fn(&mut Cell) -> bool + use<> {
        let (tick, ticks) = (self.tick, self.ticks);
        move |cell| {
            let newest = cell.window.newest().map(|newest| newest.time);
            let is_old = newest < tick.map(|tick| tick.minus(timeframe));
            newest.is_none() || (is_old && cell.ticks != ticks)
        }
    }
}

impl State {
    fn add_entry(&mut self, entry: Entry, out: &mut Vec<Match>) {
        let settings = &*self.settings;
        let is_dropped = self.saved.is_dropped(settings.timeframe);
        let place = self.saved.cells.entry(entry.key);
        let index = place.index();
        let cell = place.or_default();
        if is_dropped(cell) {
            cell.window.clear();
        }
        cell.ticks = self.saved.ticks;
        let newest = cell.window.newest_mut();
        let is_newest = newest.as_ref().is_none_or(|n| n.time <= entry.time);
        // Only the newest event can become the match.
        if !settings.attach_related
            && is_newest
            && let Some(newest) = newest
        {
            newest.what = KeptEvent::default();
        }
        let event = entry.event.filter(|_| is_newest || settings.attach_related);
        cell.window.insert(entry.time, KeptEvent(event));
        let newest = cell
            .window
            .newest()
            .map_or(entry.time, |newest| newest.time);
        while cell.window.pop_older(newest, settings.timeframe).is_some() {}
        let count = i64::try_from(cell.window.len()).unwrap_or(i64::MAX);
        if count >= settings.num_events
            && let Some((key, cell)) = self.saved.cells.swap_remove_index(index)
        {
            out.extend(matched(settings, &key, &cell.window));
        }
    }
}

/// The match of a full window.
fn matched(settings: &Settings, key: &Key, window: &Window<KeptEvent>) -> Option<Match> {
    let mut items = window.iter();
    let newest = items.next_back()?;
    if settings.source.has_events() {
        let mut matched = Match::of_event(newest.what.0.as_ref(), Document::new());
        if settings.attach_related {
            matched.related = Some(items.filter_map(|item| item.what.0.clone()).collect());
        }
        return Some(matched);
    }
    let mut document = settings.source.document(key, newest.time);
    if settings.attach_related {
        let related = items.map(|item| Value::Object(settings.source.document(key, item.time)));
        document.insert("related_events".to_owned(), related.collect());
    }
    Some(Match::synthetic(document))
}

impl RuleState for State {
    fn add(&mut self, hit: &Hit, now: EventTime, out: &mut Vec<Match>) {
        for entry in self.settings.source.entries(hit, now) {
            self.add_entry(entry, out);
        }
        let is_dropped = self.saved.is_dropped(self.settings.timeframe);
        self.sweep
            .step(&mut self.saved.cells, PER_EVENT, is_dropped);
    }

    fn tick(&mut self, now: EventTime, _: &mut Vec<Match>) {
        self.saved.tick = self.saved.tick.max(Some(now));
        self.saved.ticks = self.saved.ticks.wrapping_add(1);
        let is_dropped = self.saved.is_dropped(self.settings.timeframe);
        self.sweep.step(&mut self.saved.cells, PER_TICK, is_dropped);
    }

    fn save(&self) -> Vec<u8> {
        saved::save(1, &self.saved)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        self.saved = saved::load(1, saved)?;
        Ok(())
    }

    fn size(&self) -> StateSize {
        size(self.saved.cells.values().map(|cell| cell.window.len()))
    }
}
