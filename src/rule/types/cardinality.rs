//! `cardinality`: a match when a field has too many or too few different values within `timeframe`.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#cardinality>. Values are dropped when they are too old only when it matters: at ticks, and when
//! a key looks like a match. ElastAlert then drops those of all keys; here each key catches up with that when it is next looked at, which comes to the
//! same and spares the others' events the wait.

use super::keyed::{Keyed, PER_EVENT, PER_TICK, Sweep};
use super::{TIMEFRAME, no_advice, size, timeframe};
use crate::config::{Problem, Properties, opt};
use crate::event::{Document, EventTime, FieldPath, Timestamp};
use crate::rule::{
    Built, Common, Hit, Key, Match, Observed, QueryKey, RuleState, RuleType, RuleTypeEntry, Sample,
    StateSize, TimeField, Verdict, saved,
};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

pub(super) const ENTRY: RuleTypeEntry = RuleTypeEntry {
    name: "cardinality",
    doc: "Matches when a field has too many or too few different values within a timeframe.",
    options: &[
        opt("cardinality_field")
            .required()
            .doc("The field whose different values are counted."),
        TIMEFRAME,
        opt("max_cardinality")
            .judges()
            .int()
            .doc("More different values than this make a match."),
        opt("min_cardinality")
            .judges()
            .int()
            .doc("Fewer different values than this make a match."),
    ],
    build,
    advice: no_advice,
};

#[derive(Debug)]
struct Settings {
    query_key: Option<QueryKey>,
    /// The key's fields, then the counted one, then the time.
    fields: Vec<FieldPath>,
    field: String,
    timeframe: Duration,
    max: Option<i64>,
    min: Option<i64>,
    time: TimeField,
}

#[derive(Debug)]
struct Cardinality(Arc<Settings>);

fn build(properties: &Properties, common: &Common) -> Built {
    let problem = |message: &str| vec![Problem::error("E0425", &common.span, message)];
    let (max, min) = (
        properties.int("max_cardinality"),
        properties.int("min_cardinality"),
    );
    if max.is_none() && min.is_none() {
        return Err(problem(
            "cardinality needs max_cardinality or min_cardinality",
        ));
    }
    let Some(field) = properties.text("cardinality_field") else {
        return Err(problem(
            "cardinality needs cardinality_field: whose different values are counted",
        ));
    };
    let mut fields = common
        .query_key
        .as_ref()
        .map_or_else(Vec::new, |key| key.fields.clone());
    fields.extend([FieldPath::new(&field), common.time.path.clone()]);
    Ok(Arc::new(Cardinality(Arc::new(Settings {
        query_key: common.query_key.clone(),
        fields,
        field,
        timeframe: timeframe(common)?,
        max,
        min,
        time: common.time.clone(),
    }))))
}

impl RuleType for Cardinality {
    fn fields(&self) -> &[FieldPath] {
        &self.0.fields
    }

    fn sample(&self, event: &Observed<'_>) -> Verdict {
        let query_key = self.0.query_key.as_ref();
        let key = query_key.map_or(Key::All, |key| key.value(event.fields));
        let place = query_key.map_or(0, |key| key.fields.len());
        let value = event.fields.field(place).to_value();
        let mut values = Vec::new();
        if !value.is_null() {
            values.push(value);
            // With a minimum the event's time stands in matches of other keys, as it was written.
            let time = self.0.time.read(event.fields.field(place + 1));
            let offset = time.map_or(0, |time| time.offset_seconds);
            if self.0.min.is_some() && offset != 0 {
                values.push(Value::from(offset));
            }
        }
        Verdict::Sample(Sample { key, values })
    }

    fn state(&self) -> Box<dyn RuleState> {
        Box::new(State {
            settings: Arc::clone(&self.0),
            saved: Saved::default(),
            sweep: Sweep::default(),
        })
    }

    fn text(&self, matched: &Document, times: &dyn Fn(&Value, Duration) -> String) -> String {
        let settings = &*self.0;
        let time = settings.time.path.get(matched).unwrap_or(&Value::Null);
        let what = match (settings.max, settings.min) {
            (Some(max), _) => format!("A maximum of {max}"),
            (None, min) => format!("Less than {}", min.unwrap_or(0)),
        };
        format!(
            "{what} unique {}(s) occurred since last alert or between {} and {}\n\n",
            settings.field,
            times(time, settings.timeframe),
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
    cleanings: Cleanings,
}

#[derive(Default, Serialize, Deserialize)]
struct Cell {
    values: IndexMap<Key, Seen, foldhash::fast::RandomState>,
    /// The time of the first event since the last match.
    first: Option<EventTime>,
    /// No value is older than this.
    oldest: Option<EventTime>,
    /// How many cleanings this cell has caught up with.
    cleaned: u64,
}

/// When a value was last seen.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Seen {
    time: EventTime,
    /// How many cleanings there had been.
    cleanings: u64,
}

/// The cleanings that some value may not have gone through yet.
#[derive(Default, Serialize, Deserialize)]
struct Cleanings {
    count: u64,
    /// Cleanings by number, each at a later time than all that follow it: the others have no effect of their own.
    latest: Vec<(u64, EventTime)>,
}

impl Cleanings {
    fn add(&mut self, now: EventTime) {
        self.count += 1;
        while self.latest.pop_if(|(_, time)| *time <= now).is_some() {}
        self.latest.push((self.count, now));
    }

    /// The latest cleaning after the first `count` ones.
    fn after(&self, count: u64) -> Option<EventTime> {
        let place = self.latest.partition_point(|(number, _)| *number <= count);
        self.latest.get(place).map(|(_, time)| *time)
    }
}

impl Cell {
    /// Drops what was too old at the cleanings that this cell has missed.
    fn clean(&mut self, cleanings: &Cleanings, timeframe: Duration) {
        let Some(latest) = cleanings.after(self.cleaned) else {
            return;
        };
        self.cleaned = cleanings.count;
        if self
            .oldest
            .is_none_or(|oldest| latest <= oldest.plus(timeframe))
        {
            return;
        }
        self.values.retain(|_, seen| {
            let cleaned = cleanings.after(seen.cleanings);
            cleaned.is_none_or(|cleaned| cleaned <= seen.time.plus(timeframe))
        });
        self.oldest = self.values.values().map(|seen| seen.time).min();
    }

    fn is_suspicious(&self, settings: &Settings, time: EventTime) -> bool {
        let size = i64::try_from(self.values.len()).unwrap_or(i64::MAX);
        let is_over = settings.max.is_some_and(|max| size > max);
        let has_elapsed = self
            .first
            .is_some_and(|first| time > first.plus(settings.timeframe));
        is_over || (has_elapsed && settings.min.is_some_and(|min| size < min))
    }
}

impl State {
    /// Drops what is too old by a time. With a minimum, every key is then looked at.
    fn clean(&mut self, now: Timestamp, out: &mut Vec<Match>) {
        self.saved.cleanings.add(now.event_time());
        if self.settings.min.is_none() {
            return;
        }
        for (key, cell) in &mut self.saved.cells {
            cell.clean(&self.saved.cleanings, self.settings.timeframe);
            if cell.is_suspicious(&self.settings, now.event_time()) {
                cell.first = None;
                out.push(self.settings.bare_match(key, now));
            }
        }
    }
}

impl Settings {
    /// A match without an event: the time and the key.
    fn bare_match(&self, key: &Key, now: Timestamp) -> Match {
        let name = self.time.path.as_str().to_owned();
        let mut document = Document::from_iter([(name, Value::from(now.to_text()))]);
        if let Some(query_key) = &self.query_key {
            document.insert(query_key.name.clone(), key.to_value());
        }
        Match::synthetic(document)
    }
}

impl RuleState for State {
    fn add(&mut self, hit: &Hit, _: EventTime, out: &mut Vec<Match>) {
        let timeframe = self.settings.timeframe;
        let place = self.saved.cells.entry(hit.sample.key.clone());
        let index = place.index();
        let cell = place.or_default();
        cell.first.get_or_insert(hit.time);
        if let Some(value) = hit.sample.values.first() {
            cell.clean(&self.saved.cleanings, timeframe);
            let seen = Seen {
                time: hit.time,
                cleanings: self.saved.cleanings.count,
            };
            cell.values.insert(Key::from(value), seen);
            cell.oldest = Some(cell.oldest.map_or(hit.time, |oldest| oldest.min(hit.time)));
            if cell.is_suspicious(&self.settings, hit.time) {
                let offset = hit.sample.values.get(1).and_then(Value::as_i64);
                let now = Timestamp {
                    micros: hit.time.0,
                    offset_seconds: offset.and_then(|o| o.try_into().ok()).unwrap_or(0),
                };
                self.clean(now, out);
                if let Some((_, cell)) = self.saved.cells.get_index_mut(index) {
                    cell.clean(&self.saved.cleanings, timeframe);
                    if cell.is_suspicious(&self.settings, hit.time) {
                        cell.first = None;
                        out.push(Match::of_event(hit.event.as_ref(), Document::new()));
                    }
                }
            }
        }
        self.sweep_step(PER_EVENT);
    }

    fn tick(&mut self, now: EventTime, out: &mut Vec<Match>) {
        let now = Timestamp {
            micros: now.0,
            offset_seconds: 0,
        };
        self.clean(now, out);
        self.sweep_step(PER_TICK);
    }

    fn save(&self) -> Vec<u8> {
        saved::save(1, &self.saved)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        self.saved = saved::load(1, saved)?;
        Ok(())
    }

    fn size(&self) -> StateSize {
        size(self.saved.cells.values().map(|cell| cell.values.len()))
    }
}

impl State {
    /// Without a minimum, a key whose values are all too old is as good as unknown.
    fn sweep_step(&mut self, count: usize) {
        if self.settings.min.is_some() {
            return;
        }
        let Saved { cells, cleanings } = &mut self.saved;
        self.sweep.step(cells, count, |cell| {
            cell.clean(cleanings, self.settings.timeframe);
            cell.values.is_empty()
        });
    }
}
