//! `flatline`: a match when a key has fewer than `threshold` events within `timeframe`.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#flatline>. Silence is seen by ticks: each puts a placeholder with a time and nothing else
//! into the window of every known key.

use super::deadlines::Rounds;
use super::keyed::{Keyed, PER_EVENT, Slot};
use super::source::{self, Entry, Source};
use super::timetable::Timetable;
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
    name: "flatline",
    doc: "Matches when there are too few events within a timeframe.",
    options: &[
        opt("threshold").judges()
            .int()
            .required()
            .doc("Fewer events than this make a match."),
        TIMEFRAME,
        opt("forget_keys").judges().bool().default("false").doc(
            "Whether a key that matched is forgotten until its next event; otherwise it matches again and again.",
        ),
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
    threshold: i64,
    timeframe: Duration,
    forget_keys: bool,
    time: FieldPath,
}

#[derive(Debug)]
struct Flatline(Arc<Settings>);

fn build(properties: &Properties, common: &Common) -> Built {
    let Some(threshold) = properties.int("threshold") else {
        let message = "flatline needs threshold: fewer events than this make a match";
        return Err(vec![Problem::error("E0423", &common.span, message)]);
    };
    Ok(Arc::new(Flatline(Arc::new(Settings {
        source: Source::load(properties, common)?,
        threshold,
        timeframe: timeframe(common)?,
        forget_keys: properties.bool("forget_keys").unwrap_or(false),
        time: common.time.path.clone(),
    }))))
}

impl RuleType for Flatline {
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
            due: Timetable::default(),
            documents: Documents::default(),
            events: 0,
        })
    }

    fn keeps_events(&self) -> bool {
        self.0.source.has_events()
    }

    fn text(&self, matched: &Document, times: &dyn Fn(&Value, Duration) -> String) -> String {
        let time = self.0.time.get(matched).unwrap_or(&Value::Null);
        let (from, to) = (times(time, self.0.timeframe), times(time, Duration::ZERO));
        let threshold = self.0.threshold;
        format!(
            "An abnormally low number of events occurred around {to}.\nBetween {from} and {to}, there were less than {threshold} events.\n\n"
        )
    }
}

/// Only keys with too few events are looked at by ticks: each key has its time in `due`, and the ticks it has slept through are made up for when it
/// is looked at next.
struct State {
    settings: Arc<Settings>,
    saved: Saved,
    due: Timetable,
    documents: Documents,
    events: usize,
}

#[derive(Default, Serialize, Deserialize)]
struct Saved {
    cells: Keyed<Cell>,
    ticks: Rounds,
}

#[derive(Serialize, Deserialize)]
struct Cell {
    /// The times of the key's newest events, no more than `threshold`: older ones change no comparison with it. Placeholders count nothing, so that
    /// only the newest matters.
    window: Window<()>,
    /// The newest item of the window, event or placeholder.
    newest: EventTime,
    newest_item: NewestItem,
    /// The first time, which a window must have been watched for a timeframe since.
    first: EventTime,
    /// How many ticks are accounted for.
    ticks: u64,
}

#[derive(Serialize, Deserialize)]
enum NewestItem {
    Event(KeptEvent),
    Placeholder,
}

impl Cell {
    /// The event that is kept.
    fn kept(&self) -> Option<&KeptEvent> {
        match &self.newest_item {
            NewestItem::Event(event) if event.is_some() => Some(event),
            NewestItem::Event(_) | NewestItem::Placeholder => None,
        }
    }

    fn new(time: EventTime, ticks: u64) -> Self {
        Self {
            window: Window::default(),
            newest: time,
            newest_item: NewestItem::Placeholder,
            first: time,
            ticks,
        }
    }

    /// The newest item from now on, if it is; of equal times the later to arrive.
    fn note(&mut self, time: EventTime, item: NewestItem, documents: &mut Documents) {
        let old = if time >= self.newest {
            self.newest = time;
            std::mem::replace(&mut self.newest_item, item)
        } else {
            item
        };
        if let NewestItem::Event(event) = old {
            documents.release(&event);
        }
    }

    /// Puts in the placeholders of ticks that did not look at this cell.
    fn catch_up(&mut self, ticks: &Rounds, timeframe: Duration, documents: &mut Documents) {
        if let Some(latest) = ticks.after(self.ticks) {
            self.note(latest, NewestItem::Placeholder, documents);
            self.drop_old(timeframe);
        }
        self.ticks = ticks.count();
    }

    fn drop_old(&mut self, timeframe: Duration) {
        while self.window.pop_older(self.newest, timeframe).is_some() {}
    }

    /// The clock was set back: a placeholder of the time to come was none, and events are `undone` after a time. Whether an event is left.
    fn set_back(
        &mut self,
        now: EventTime,
        undone: Option<EventTime>,
        documents: &mut Documents,
    ) -> bool {
        if let Some(time) = undone {
            while self.window.pop_newer(time).is_some() {}
        }
        let Some(newest) = self.window.newest().map(|item| item.time) else {
            return false;
        };
        if self.newest > now && (undone.is_some() || self.kept().is_none()) {
            if let Some(kept) = self.kept() {
                documents.release(kept);
            }
            self.newest = newest.max(now);
            self.newest_item = NewestItem::Placeholder;
        }
        self.first = self.first.min(self.newest);
        true
    }

    /// When a tick will find too few events, if none comes before.
    fn due(&self, settings: &Settings) -> Option<EventTime> {
        if settings.threshold <= 0 {
            return None;
        }
        let watched = self.first.plus(settings.timeframe);
        let enough =
            i64::try_from(self.window.len()).is_ok_and(|count| count >= settings.threshold);
        let oldest = self.window.oldest().filter(|_| enough);
        let due = oldest.map_or(watched, |oldest| {
            watched.max(oldest.time.plus(settings.timeframe))
        });
        // A tick that lags behind the events finds the same.
        Some(if due <= self.newest {
            EventTime(i64::MIN)
        } else {
            due
        })
    }

    /// The match, if there are too few events. `last` is the event that has just come.
    fn check(
        &mut self,
        settings: &Settings,
        key: &Key,
        last: Option<&Arc<RawEvent>>,
        documents: &Documents,
    ) -> Option<Match> {
        if self.newest < self.first.plus(settings.timeframe) {
            return None;
        }
        let count = i64::try_from(self.window.len()).unwrap_or(i64::MAX);
        if count >= settings.threshold {
            return None;
        }
        // Everything in the window is newer than this: the next item is checked at once.
        self.first = self.newest.minus(settings.timeframe);
        let added = Document::from_iter([
            ("key".to_owned(), key.to_value()),
            ("count".to_owned(), Value::from(count)),
            ("threshold".to_owned(), Value::from(settings.threshold)),
        ]);
        let event = match &self.newest_item {
            NewestItem::Event(kept) => documents.get(kept).or_else(|| last.cloned()),
            NewestItem::Placeholder => None,
        };
        if event.is_some() {
            return Some(Match::of_event(event.as_ref(), added));
        }
        let mut document = match &self.newest_item {
            NewestItem::Event(_) => settings.source.document(key, self.newest),
            NewestItem::Placeholder => settings.source.time_document(self.newest),
        };
        document.extend(added);
        Some(Match::synthetic(document))
    }
}

impl State {
    /// Finds out anew when ticks must look at keys.
    fn find_due(&mut self) {
        self.due = Timetable::default();
        for (slot, cell) in self.saved.cells.slots_and_cells() {
            self.due.set(slot, cell.due(&self.settings));
        }
    }

    fn add_entry(&mut self, entry: Entry<'_>, out: &mut Vec<Match>) {
        let settings = &*self.settings;
        let Saved { cells, ticks } = &mut self.saved;
        let slot = cells.find_or_add(entry.key, || Cell::new(entry.time, ticks.count()));
        let Some((_, cell)) = cells.key_and_cell(slot) else {
            return;
        };
        self.events -= cell.window.len();
        cell.catch_up(ticks, settings.timeframe, &mut self.documents);
        cell.window.insert(entry.time, ());
        let item = NewestItem::Event(self.documents.keep(entry.event));
        cell.note(entry.time, item, &mut self.documents);
        cell.drop_old(settings.timeframe);
        while i64::try_from(cell.window.len()).is_ok_and(|count| count > settings.threshold.max(0))
        {
            cell.window.pop_oldest();
        }
        self.events += cell.window.len();
        // The key as this event has it: `1`, `1.0` and `true` are one.
        let matched = cell.check(settings, entry.key, entry.event, &self.documents);
        let due = cell.due(settings);
        self.found(slot, matched, due, out);
    }

    /// A key was looked at: it is forgotten over its match, or looked at again when it is due.
    fn found(
        &mut self,
        slot: Slot,
        matched: Option<Match>,
        due: Option<EventTime>,
        out: &mut Vec<Match>,
    ) {
        if self.settings.forget_keys && matched.is_some() {
            self.forget(slot);
        } else {
            self.due.set(slot, due);
        }
        out.extend(matched);
    }

    fn forget(&mut self, slot: Slot) {
        self.due.set(slot, None);
        if let Some((_, cell)) = self.saved.cells.remove(slot) {
            self.events -= cell.window.len();
            if let Some(kept) = cell.kept() {
                self.documents.release(kept);
            }
        }
    }

    /// What the latest tick finds of a key.
    fn look(&mut self, slot: Slot, out: &mut Vec<Match>) {
        let Saved { cells, ticks } = &mut self.saved;
        let Some((key, cell)) = cells.key_and_cell(slot) else {
            return;
        };
        let settings = &*self.settings;
        self.events -= cell.window.len();
        cell.catch_up(ticks, settings.timeframe, &mut self.documents);
        self.events += cell.window.len();
        let matched = cell.check(settings, key, None, &self.documents);
        let due = cell.due(settings);
        self.found(slot, matched, due, out);
    }

    /// Lets go of events that ticks have covered with placeholders, looking at a few cells.
    fn sweep(&mut self) {
        let Saved { cells, ticks } = &mut self.saved;
        let covered = cells.stale(PER_EVENT, |cell| {
            ticks.after(cell.ticks).is_some() && cell.kept().is_some()
        });
        for slot in covered {
            if let Some(cell) = cells.cell(slot) {
                self.events -= cell.window.len();
                cell.catch_up(ticks, self.settings.timeframe, &mut self.documents);
                self.events += cell.window.len();
            }
        }
    }
}

impl RuleState for State {
    fn add(&mut self, hit: &Hit, now: EventTime, _: &mut Part, out: &mut Vec<Match>) -> bool {
        let settings = Arc::clone(&self.settings);
        settings
            .source
            .each_entry(hit, now, |entry| self.add_entry(entry, out));
        self.sweep();
        true
    }

    fn tick(&mut self, now: EventTime, _: &mut Part, _: &mut Vec<Match>) {
        let settings = Arc::clone(&self.settings);
        if self.saved.cells.len() == 0 && !settings.source.has_query_key() {
            let Saved { cells, ticks } = &mut self.saved;
            let cell = Cell::new(now, ticks.count());
            let slot = cells.find_or_add(&Key::All, || cell);
            let due = cells.cell(slot).and_then(|cell| cell.due(&settings));
            self.due.set(slot, due);
        }
        self.saved.ticks.add(now);
        self.due.begin(now);
    }

    fn go_on(&mut self, part: &mut Part, out: &mut Vec<Match>) -> bool {
        let cells = &self.saved.cells;
        let slots = cells.slots_in_all();
        if self.due.find(part, slots, |slot| cells.age(slot)) {
            while let Some(slot) = self.due.next(part) {
                self.look(slot, out);
            }
        }
        self.due.ticking().is_none()
    }

    fn settle(&mut self, hit: &Hit, now: EventTime, out: &mut Vec<Match>) {
        let settings = Arc::clone(&self.settings);
        settings.source.each_entry(hit, now, |entry| {
            let cells = &self.saved.cells;
            if let Some(slot) = cells.find(entry.key)
                && self.due.take(slot, cells.age(slot))
            {
                self.look(slot, out);
            }
        });
    }

    fn resume(&mut self, gap: &Gap) {
        let Saved { cells, ticks } = &mut self.saved;
        let mut forgotten = Vec::new();
        if gap.is_back() {
            ticks.set_back(gap.to);
        }
        let undone = gap.undone(self.settings.timeframe);
        for (slot, cell) in cells.slots_and_cells() {
            if gap.is_back() {
                self.events -= cell.window.len();
                let is_known = cell.set_back(gap.to, undone, &mut self.documents);
                self.events += cell.window.len();
                if !is_known {
                    forgotten.push(slot);
                    continue;
                }
            }
            if gap.breaks(self.settings.timeframe) {
                cell.first = gap.to;
            }
            self.due.set(slot, cell.due(&self.settings));
        }
        for slot in forgotten {
            self.forget(slot);
        }
    }

    fn save(&self) -> Vec<u8> {
        saved::save(2, &self.saved)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        let saved: Saved = saved::load(2, saved)?;
        let cells = || saved.cells.iter().map(|(_, cell)| cell);
        self.events = cells().map(|cell| cell.window.len()).sum();
        self.documents.found(cells().filter_map(Cell::kept));
        self.saved = saved;
        self.find_due();
        Ok(())
    }

    fn views(&self, wanted: &Wanted<'_>) -> Vec<WindowView> {
        let Settings {
            threshold,
            timeframe,
            ..
        } = *self.settings;
        let cells = self.saved.cells.wanted(wanted).into_iter();
        cells
            .map(|(key, cell)| {
                let limit = cell.newest.max(wanted.now).minus(timeframe);
                let times = cell.window.iter().map(|item| item.time);
                let times: Vec<EventTime> = times.filter(|time| *time > limit).collect();
                let count = times.len();
                let watched = cell.first.plus(timeframe);
                let due = cell.due(&self.settings).map(|due| due.max(watched));
                // Older ones than the threshold's are not kept.
                let more = if view::signed(count) < threshold {
                    ""
                } else {
                    " or more"
                };
                let says = format!(
                    "{count}{more} events {}, fewer than {threshold} match",
                    view::within(timeframe)
                );
                WindowView {
                    oldest: times.first().copied(),
                    newest: times.last().copied(),
                    expires: due.filter(|due| *due > wanted.now),
                    distance: view::distance((view::signed(count) - threshold + 1).max(0)),
                    ..WindowView::new(key, count, says)
                }
            })
            .collect()
    }

    fn judge_like(&mut self, empty: &dyn RuleState) {
        if let Some(empty) = empty.as_type::<Self>() {
            self.settings = Arc::clone(&empty.settings);
            self.find_due();
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
        let kept = kept.filter_map(|(_, cell)| cell.kept()?.place());
        kept.for_each(each);
    }
}
