//! `frequency`: a match when a key has `num_events` events within `timeframe`.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#frequency>. A key's window begins anew after a match. The match is the newest event by
//! its time, which a late event that completes the number is not.

use super::keyed::{Keyed, PER_EVENT, PER_TICK, sweep_cost};
use super::source::{self, Entry, Source};
use super::{TIMEFRAME, no_advice, size, timeframe};
use crate::config::{Problem, Properties, opt};
use crate::event::{Document, EventTime, FieldPath, RawEvent};
use crate::rule::kept::{Documents, KeptEvent};
use crate::rule::window::Window;
use crate::rule::{
    Built, Common, Gap, Hit, Key, Match, Observed, Part, Place, RuleState, RuleType, RuleTypeEntry,
    StateSize, Verdict, Wanted, WindowView, saved, view,
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

    fn asks_the_index(&self) -> bool {
        !self.0.source.has_events()
    }

    fn sample(&self, event: &Observed<'_>) -> Verdict {
        self.0.source.sample(event)
    }

    fn state(&self) -> Box<dyn RuleState> {
        Box::new(State {
            settings: Arc::clone(&self.0),
            saved: Saved::default(),
            documents: Documents::default(),
            events: 0,
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
    documents: Documents,
    events: usize,
}

#[derive(Default, Serialize, Deserialize)]
struct Saved {
    cells: Keyed<Cell>,
    /// The latest tick, and how many there were.
    tick: Option<EventTime>,
    ticks: u32,
}

#[derive(Serialize, Deserialize)]
struct Cell {
    window: Events,
    /// How many ticks there had been when the latest event was added.
    ticks: u32,
}

/// A key's events.
#[derive(Serialize, Deserialize)]
enum Events {
    /// The times of all, and the newest event: only that can become the match.
    Times(Window<()>, KeptEvent),
    /// `attach_related`: all of them.
    Whole(Box<Window<KeptEvent>>),
}

impl Events {
    fn newest(&self) -> Option<EventTime> {
        match self {
            Self::Times(window, _) => window.newest().map(|item| item.time),
            Self::Whole(window) => window.newest().map(|item| item.time),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Times(window, _) => window.len(),
            Self::Whole(window) => window.len(),
        }
    }

    fn insert(
        &mut self,
        time: EventTime,
        event: Option<&Arc<RawEvent>>,
        timeframe: Duration,
        documents: &mut Documents,
    ) {
        let newest = self.newest().map_or(time, |newest| newest.max(time));
        match self {
            Self::Times(window, newest_event) => {
                window.insert(time, ());
                if time == newest {
                    documents.release(newest_event);
                    *newest_event = documents.keep(event);
                }
                while window.pop_older(newest, timeframe).is_some() {}
            }
            Self::Whole(window) => {
                window.insert(time, documents.keep(event));
                while let Some(old) = window.pop_older(newest, timeframe) {
                    documents.release(&old.what);
                }
            }
        }
    }

    /// Drops events after a time.
    fn drop_newer(&mut self, time: EventTime, documents: &mut Documents) {
        match self {
            Self::Times(window, newest) => {
                while window.pop_newer(time).is_some() {
                    documents.release(newest);
                    *newest = KeptEvent::default();
                }
            }
            Self::Whole(window) => {
                while let Some(gone) = window.pop_newer(time) {
                    documents.release(&gone.what);
                }
            }
        }
    }

    fn times_after(&self, limit: EventTime) -> Vec<EventTime> {
        let after = |time: &EventTime| *time > limit;
        match self {
            Self::Times(window, _) => window.iter().map(|item| item.time).filter(after).collect(),
            Self::Whole(window) => window.iter().map(|item| item.time).filter(after).collect(),
        }
    }

    fn kept(&self) -> impl Iterator<Item = &KeptEvent> {
        let (newest, all) = match self {
            Self::Times(_, newest) => (Some(newest), None),
            Self::Whole(window) => (None, Some(window)),
        };
        let all = all.into_iter().flat_map(|window| window.iter());
        newest.into_iter().chain(all.map(|item| &item.what))
    }

    fn release(&self, documents: &mut Documents) {
        self.kept().for_each(|kept| documents.release(kept));
    }
}

impl Saved {
    /// Whether a tick has dropped a cell: at the tick its newest event was older than the timeframe. The cells themselves are removed little
    /// by little.
    fn is_dropped(&self, timeframe: Duration) -> impl Fn(&mut Cell) -> bool + use<> {
        let (tick, ticks) = (self.tick, self.ticks);
        move |cell| {
            let newest = cell.window.newest();
            let is_old = newest < tick.map(|tick| tick.minus(timeframe));
            newest.is_none() || (is_old && cell.ticks != ticks)
        }
    }
}

impl State {
    fn add_entry(&mut self, entry: Entry<'_>, out: &mut Vec<Match>) {
        let settings = &*self.settings;
        let documents = &mut self.documents;
        let is_dropped = self.saved.is_dropped(settings.timeframe);
        let ticks = self.saved.ticks;
        let new = || Cell {
            window: settings.events(),
            ticks,
        };
        let slot = self.saved.cells.find_or_add(entry.key, new);
        let Some(cell) = self.saved.cells.cell(slot) else {
            return;
        };
        self.events -= cell.window.len();
        if is_dropped(cell) {
            cell.window.release(documents);
            cell.window = settings.events();
            // `1` may come back as `true`, whether the cell has been removed meanwhile or not.
            self.saved.cells.rename(slot, entry.key);
        }
        let Some(cell) = self.saved.cells.cell(slot) else {
            return;
        };
        cell.ticks = ticks;
        cell.window
            .insert(entry.time, entry.event, settings.timeframe, documents);
        let count = cell.window.len();
        self.events += count;
        if i64::try_from(count).is_ok_and(|count| count >= settings.num_events)
            && let Some((key, cell)) = self.saved.cells.remove(slot)
        {
            self.events -= count;
            cell.window.release(documents);
            out.extend(settings.matched(&key, &cell.window, entry, documents));
        }
    }

    /// Removes cells that ticks have dropped, looking at a few.
    fn sweep(&mut self, count: usize) {
        let is_dropped = self.saved.is_dropped(self.settings.timeframe);
        for slot in self.saved.cells.stale(count, is_dropped) {
            if let Some((_, cell)) = self.saved.cells.remove(slot) {
                self.events -= cell.window.len();
                cell.window.release(&mut self.documents);
            }
        }
    }
}

impl Settings {
    fn events(&self) -> Events {
        if self.attach_related {
            Events::Whole(Box::default())
        } else {
            Events::Times(Window::default(), KeptEvent::default())
        }
    }

    /// The match of a full window. Where the newest event was not kept, the one that filled the window stands for it.
    fn matched(
        &self,
        key: &Key,
        events: &Events,
        last: Entry<'_>,
        documents: &Documents,
    ) -> Option<Match> {
        let newest = events.newest()?;
        if !self.source.has_events() {
            let mut document = self.source.document(key, newest);
            if let Events::Whole(window) = events {
                let related = window.iter().take(window.len().saturating_sub(1));
                let related = related.map(|item| self.source.related(key, item.time));
                document.insert("related_events".to_owned(), related.collect());
            }
            return Some(Match::synthetic(document));
        }
        let last = || last.event.cloned();
        Some(match events {
            Events::Times(_, newest) => {
                let newest = documents.get(newest).or_else(last);
                Match::of_event(newest.as_ref(), Document::new())
            }
            Events::Whole(window) => {
                let mut events: Vec<Option<Arc<RawEvent>>> = window
                    .iter()
                    .map(|item| documents.get(&item.what))
                    .collect();
                let newest = events.pop().flatten().or_else(last);
                let mut matched = Match::of_event(newest.as_ref(), Document::new());
                matched.related = Some(events.into_iter().flatten().collect());
                matched
            }
        })
    }
}

impl RuleState for State {
    fn add(&mut self, hit: &Hit, now: EventTime, _: &mut Part, out: &mut Vec<Match>) -> bool {
        let settings = Arc::clone(&self.settings);
        settings
            .source
            .each_entry(hit, now, |entry| self.add_entry(entry, out));
        self.sweep(PER_EVENT);
        true
    }

    fn tick(&mut self, now: EventTime, part: &mut Part, _: &mut Vec<Match>) {
        self.saved.tick = self.saved.tick.max(Some(now));
        self.saved.ticks = self.saved.ticks.wrapping_add(1);
        part.spend(sweep_cost(self.saved.cells.len()));
        self.sweep(PER_TICK);
    }

    fn resume(&mut self, gap: &Gap) {
        if gap.is_back() {
            self.saved.tick = self.saved.tick.map(|tick| tick.min(gap.to));
        }
        if let Some(time) = gap.undone(self.settings.timeframe) {
            for (_, cell) in self.saved.cells.slots_and_cells() {
                self.events -= cell.window.len();
                cell.window.drop_newer(time, &mut self.documents);
                self.events += cell.window.len();
            }
        }
    }

    fn save(&self) -> Vec<u8> {
        saved::save(2, &self.saved)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        let saved: Saved = saved::load(2, saved)?;
        let attach_related = self.settings.attach_related;
        if saved
            .cells
            .iter()
            .any(|(_, cell)| matches!(cell.window, Events::Whole(_)) != attach_related)
        {
            return Err("the saved state is of another attach_related".to_owned());
        }
        self.saved = saved;
        let cells = || self.saved.cells.iter().map(|(_, cell)| cell);
        self.events = cells().map(|cell| cell.window.len()).sum();
        self.documents
            .found(cells().flat_map(|cell| cell.window.kept()));
        Ok(())
    }

    fn views(&self, wanted: &Wanted<'_>) -> Vec<WindowView> {
        let Settings {
            num_events,
            timeframe,
            ..
        } = *self.settings;
        let limit = wanted.now.minus(timeframe);
        let cells = self.saved.cells.wanted(wanted).into_iter();
        let view = |(key, cell): (&Key, &Cell)| {
            let times: Vec<EventTime> = cell.window.times_after(limit);
            let oldest = *times.first()?;
            let count = times.len();
            let says = format!("{count} of {num_events} events {}", view::within(timeframe));
            Some(WindowView {
                oldest: Some(oldest),
                newest: times.last().copied(),
                expires: Some(oldest.plus(timeframe)),
                distance: view::distance(num_events - view::signed(count)),
                ..WindowView::new(key, count, says)
            })
        };
        cells.filter_map(view).collect()
    }

    fn judge_like(&mut self, empty: &dyn RuleState) {
        if let Some(empty) = empty.as_type::<Self>() {
            self.settings = Arc::clone(&empty.settings);
        }
    }

    fn size(&self) -> StateSize {
        size(self.saved.cells.len(), self.events)
    }

    fn documents(&self) -> Option<&Documents> {
        Some(&self.documents)
    }

    fn documents_mut(&mut self) -> Option<&mut Documents> {
        Some(&mut self.documents)
    }

    fn each_spilled(&self, each: &mut dyn FnMut(Place)) {
        let kept = self.saved.cells.iter();
        let kept = kept.flat_map(|(_, cell)| cell.window.kept());
        kept.filter_map(KeptEvent::place).for_each(each);
    }
}
