//! `flatline`: a match when a key has fewer than `threshold` events within `timeframe`.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#flatline>. Silence is seen by ticks: each puts a placeholder with a time and nothing else
//! into the window of every known key.

use super::keyed::Keyed;
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

    fn sample(&self, event: &Observed<'_>) -> Verdict {
        self.0.source.sample(event)
    }

    fn state(&self) -> Box<dyn RuleState> {
        Box::new(State {
            settings: Arc::clone(&self.0),
            cells: Keyed::default(),
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

struct State {
    settings: Arc<Settings>,
    cells: Keyed<Cell>,
}

#[derive(Serialize, Deserialize)]
struct Cell {
    /// The times of the key's events. Placeholders count nothing, so that only the newest matters.
    window: Window<()>,
    /// The newest item of the window, event or placeholder.
    newest: EventTime,
    newest_item: NewestItem,
    /// The first time, which a window must have been watched for a timeframe since.
    first: EventTime,
}

#[derive(Serialize, Deserialize)]
enum NewestItem {
    Event(KeptEvent),
    Placeholder,
}

impl Cell {
    fn new(time: EventTime) -> Self {
        Self {
            window: Window::default(),
            newest: time,
            newest_item: NewestItem::Placeholder,
            first: time,
        }
    }

    /// Notes what was put into the window; of equal times the later to arrive is the newest.
    fn note(&mut self, time: EventTime, item: NewestItem, timeframe: Duration) {
        if time >= self.newest {
            self.newest = time;
            self.newest_item = item;
        }
        while self.window.pop_older(self.newest, timeframe).is_some() {}
    }

    /// The match, if there are too few events.
    fn check(&mut self, settings: &Settings, key: &Key) -> Option<Match> {
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
        Some(match &self.newest_item {
            NewestItem::Event(event) if settings.source.has_events() => {
                Match::of_event(event.0.as_ref(), added)
            }
            item => {
                let mut document = match item {
                    NewestItem::Event(_) => settings.source.document(key, self.newest),
                    NewestItem::Placeholder => settings.source.time_document(self.newest),
                };
                document.extend(added);
                Match::synthetic(document)
            }
        })
    }
}

impl State {
    fn add_entry(&mut self, entry: Entry, out: &mut Vec<Match>) {
        let settings = &*self.settings;
        let place = self.cells.entry(entry.key.clone());
        let index = place.index();
        let cell = place.or_insert_with(|| Cell::new(entry.time));
        cell.window.insert(entry.time, ());
        let item = NewestItem::Event(KeptEvent(entry.event));
        cell.note(entry.time, item, settings.timeframe);
        if let Some(matched) = cell.check(settings, &entry.key) {
            out.push(matched);
            if settings.forget_keys {
                self.cells.swap_remove_index(index);
            }
        }
    }
}

impl RuleState for State {
    fn add(&mut self, hit: &Hit, now: EventTime, out: &mut Vec<Match>) {
        for entry in self.settings.source.entries(hit, now) {
            self.add_entry(entry, out);
        }
    }

    fn tick(&mut self, now: EventTime, out: &mut Vec<Match>) {
        let settings = &*self.settings;
        if self.cells.is_empty() && !settings.source.has_query_key() {
            self.cells.insert(Key::All, Cell::new(now));
        }
        self.cells.retain(|key, cell| {
            cell.note(now, NewestItem::Placeholder, settings.timeframe);
            let matched = cell.check(settings, key);
            let forget = settings.forget_keys && matched.is_some();
            out.extend(matched);
            !forget
        });
    }

    fn save(&self) -> Vec<u8> {
        saved::save(1, &self.cells)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        self.cells = saved::load(1, saved)?;
        Ok(())
    }

    fn size(&self) -> StateSize {
        size(self.cells.values().map(|cell| cell.window.len()))
    }
}
