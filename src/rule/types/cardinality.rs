//! `cardinality`: a match when a field has too many or too few different values within `timeframe`.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#cardinality>. Values are dropped when they are too old only when it matters: at ticks, and when
//! a key looks like a match. ElastAlert then drops those of all keys; here each key catches up with that when it is next looked at, which comes to the
//! same and spares the others' events the wait.

mod sketch;
mod values;

use super::deadlines::Rounds;
use super::keyed::{Keyed, PER_EVENT, PER_TICK, Slot, sweep_cost};
use super::timetable::Timetable;
use super::{TIMEFRAME, no_advice, size, timeframe};
use crate::config::{Problem, Properties, opt};
use crate::event::{Document, EventTime, FieldPath, Timestamp};
use crate::rule::part::cost;
use crate::rule::{
    Built, Common, Gap, Hit, Key, Match, Observed, Part, QueryKey, RuleState, RuleType,
    RuleTypeEntry, Sample, StateSize, TimeField, Verdict, Wanted, WindowView, saved, view,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sketch::Sketch;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use values::{EXACT, Values};

pub(super) const ENTRY: RuleTypeEntry = RuleTypeEntry {
    name: "cardinality",
    doc: "Matches when a field has too many or too few different values within a timeframe.",
    options: &[
        opt("cardinality_field")
            .names_fields()
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
        opt("cardinality_sketch")
            .bool()
            .default("false")
            .doc("tripline's own. Whether a key's values may be counted without being remembered when there are more than 100,000: in less than a megabyte, with a standard error of 1.6 %."),
    ],
    build,
    advice: no_advice,
};

/// A key with more values than this is not cleaned in one piece.
const LARGE: usize = if cfg!(test) { 1 } else { 1024 };

#[derive(Debug)]
struct Settings {
    query_key: Option<QueryKey>,
    /// The key's fields, then the counted one, then the time.
    fields: Vec<FieldPath>,
    field: String,
    timeframe: Duration,
    /// How many values of a key are remembered; there may be no bound.
    exact: usize,
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
        exact: match properties.bool("cardinality_sketch") {
            Some(true) => EXACT,
            _ => usize::MAX,
        },
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
            due: Timetable::default(),
            looking: None,
            large: BTreeSet::new(),
            to_clean: Vec::new(),
            values: 0,
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
    /// With a minimum: when a cleaning must look at a key.
    due: Timetable,
    /// The key that a cleaning looks at, if it is not through with it.
    looking: Option<Slot>,
    /// Without a minimum: keys with more values than [`LARGE`], and perhaps some that had, and those whose old values the tick under way has still to drop.
    large: BTreeSet<Slot>,
    to_clean: Vec<Slot>,
    /// Values of all keys.
    values: usize,
}

#[derive(Default, Serialize, Deserialize)]
struct Saved {
    cells: Keyed<Cell>,
    cleanings: Rounds,
}

#[derive(Default, Serialize, Deserialize)]
struct Cell {
    values: Values,
    /// The time of the first event since the last match.
    first: Option<EventTime>,
    /// How many cleanings this cell has caught up with. It does so before a value comes in, so that those it has missed are meant for all its values.
    cleaned: u64,
}

impl Cell {
    /// Drops what was too old at the cleanings that this cell has missed.
    fn clean(&mut self, cleanings: &Rounds, timeframe: Duration) {
        self.clean_in_parts(cleanings, timeframe, &mut Part::whole());
    }

    /// The same as far as there is room; whether that was all.
    fn clean_in_parts(&mut self, cleanings: &Rounds, timeframe: Duration, part: &mut Part) -> bool {
        if let Some(latest) = cleanings.after(self.cleaned)
            && !self.values.drop_before(latest.minus(timeframe), part)
        {
            return false;
        }
        self.cleaned = cleanings.count();
        true
    }

    fn is_suspicious(&self, settings: &Settings, time: EventTime) -> bool {
        let has_elapsed = self
            .first
            .is_some_and(|first| time > first.plus(settings.timeframe));
        self.is_over(settings) || (has_elapsed && self.is_under(settings))
    }

    fn is_over(&self, settings: &Settings) -> bool {
        settings.max.is_some_and(|max| self.size() > max)
    }

    fn is_under(&self, settings: &Settings) -> bool {
        settings.min.is_some_and(|min| self.size() < min)
    }

    fn size(&self) -> i64 {
        i64::try_from(self.values.len()).unwrap_or(i64::MAX)
    }

    /// The first time at which a cleaning could find too few values, or too many, or values that nothing else would ever drop.
    fn due(&self, settings: &Settings) -> Option<EventTime> {
        if self.is_over(settings) {
            return Some(EventTime(i64::MIN));
        }
        let oldest = self.values.oldest();
        let first = self
            .first
            .filter(|_| settings.min.is_some_and(|min| min > 0));
        let from = match first {
            None => oldest?,
            Some(first) if self.is_under(settings) => first,
            Some(first) => oldest.map_or(first, |oldest| oldest.max(first)),
        };
        // Only what is longer ago than the timeframe is too old.
        Some(EventTime(from.plus(settings.timeframe).0.saturating_add(1)))
    }
}

impl State {
    /// Finds out anew when ticks must look at keys.
    fn find_due(&mut self) {
        self.due = Timetable::default();
        self.looking = None;
        self.to_clean.clear();
        self.large.clear();
        if self.settings.min.is_none() {
            let cells = self.saved.cells.slots_and_cells();
            let large = cells.filter(|(_, cell)| cell.values.len() > LARGE);
            self.large.extend(large.map(|(slot, _)| slot));
            return;
        }
        for (slot, cell) in self.saved.cells.slots_and_cells() {
            self.due.set(slot, cell.due(&self.settings));
        }
    }

    /// Begins to drop what is too old by a time. With a minimum, every key is then looked at that could match.
    fn begin_cleaning(&mut self, now: EventTime) {
        self.saved.cleanings.add(now);
        if self.settings.min.is_some() {
            self.due.begin(now);
        }
    }

    /// Goes on with a cleaning of that time.
    fn clean(&mut self, now: Timestamp, part: &mut Part, out: &mut Vec<Match>) {
        let cells = &self.saved.cells;
        let slots = cells.slots_in_all();
        if self.due.find(part, slots, |slot| cells.age(slot)) {
            while let Some(slot) = self.looking.take().or_else(|| self.due.next(part)) {
                if !self.look(slot, now, part, out) {
                    self.looking = Some(slot);
                    return;
                }
            }
        }
    }

    /// What a cleaning finds of a key; false: there was no room to drop all its old values.
    fn look(&mut self, slot: Slot, now: Timestamp, part: &mut Part, out: &mut Vec<Match>) -> bool {
        if !self.clean_key(slot, part) {
            return false;
        }
        let Some((key, cell)) = self.saved.cells.key_and_cell(slot) else {
            return true;
        };
        if cell.is_suspicious(&self.settings, now.event_time()) {
            cell.first = None;
            out.push(self.settings.bare_match(key, now));
        }
        let due = cell.due(&self.settings);
        self.due.set(slot, due);
        true
    }

    /// Drops a key's old values as far as there is room; whether that was all.
    fn clean_key(&mut self, slot: Slot, part: &mut Part) -> bool {
        let Saved { cells, cleanings } = &mut self.saved;
        let Some(cell) = cells.cell(slot) else {
            return true;
        };
        self.values -= cell.values.len();
        let is_clean = cell.clean_in_parts(cleanings, self.settings.timeframe, part);
        self.values += cell.values.len();
        is_clean
    }

    /// Without a minimum, a tick drops the old values of keys that have many a part at a time; those of others go with the sweep.
    fn clean_large(&mut self, part: &mut Part) {
        while let Some(slot) = self.to_clean.last().copied() {
            if !part.has_room() || !self.clean_key(slot, part) {
                return;
            }
            self.to_clean.pop();
            part.act(cost::LOOK);
        }
    }

    /// Remembers an event's value; whether its key looks like a match then.
    fn see(&mut self, slot: Slot, hit: &Hit) -> bool {
        let value = hit.sample.values.first().map(Key::from);
        let is_suspicious = self.change(slot, |cell, settings, cleanings| {
            cell.first.get_or_insert(hit.time);
            let value = value?;
            cell.clean(cleanings, settings.timeframe);
            cell.values.insert(value, hit.time, settings.exact);
            Some(cell.is_suspicious(settings, hit.time))
        });
        is_suspicious.flatten() == Some(true)
    }

    /// Looks at a cell, and notes what has become of it.
    fn change<T>(
        &mut self,
        slot: Slot,
        change: impl FnOnce(&mut Cell, &Settings, &Rounds) -> T,
    ) -> Option<T> {
        let Saved { cells, cleanings } = &mut self.saved;
        let cell = cells.cell(slot)?;
        self.values -= cell.values.len();
        let changed = change(cell, &self.settings, cleanings);
        self.values += cell.values.len();
        if self.settings.min.is_some() {
            let due = cell.due(&self.settings);
            self.due.set(slot, due);
        } else if cell.values.len() > LARGE {
            self.large.insert(slot);
        }
        Some(changed)
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
    fn add(&mut self, hit: &Hit, _: EventTime, part: &mut Part, out: &mut Vec<Match>) -> bool {
        let slot = self.saved.cells.find_or_add(&hit.sample.key, Cell::default);
        let is_cleaning = self.due.ticking().is_some();
        if is_cleaning || self.see(slot, hit) {
            let offset = hit.sample.values.get(1).and_then(Value::as_i64);
            let now = Timestamp {
                micros: hit.time.0,
                offset_seconds: offset.and_then(|o| o.try_into().ok()).unwrap_or(0),
            };
            if !is_cleaning {
                self.begin_cleaning(now.event_time());
            }
            self.clean(now, part, out);
            if self.due.ticking().is_some() {
                return false;
            }
            let matches = self.change(slot, |cell, settings, cleanings| {
                cell.clean(cleanings, settings.timeframe);
                let is_match = cell.is_suspicious(settings, hit.time);
                if is_match {
                    cell.first = None;
                }
                is_match
            });
            if matches == Some(true) {
                out.push(Match::of_event(hit.event.as_ref(), Document::new()));
            }
        }
        self.sweep(PER_EVENT);
        true
    }

    fn tick(&mut self, now: EventTime, part: &mut Part, _: &mut Vec<Match>) {
        self.begin_cleaning(now);
        if self.settings.min.is_none() {
            part.spend(sweep_cost(self.saved.cells.len()));
            let cells = &self.saved.cells;
            let is_large = |slot: &Slot| {
                let cell = cells.peek(*slot);
                cell.is_some_and(|(_, cell)| cell.values.len() > LARGE)
            };
            self.large.retain(is_large);
            self.to_clean = self.large.iter().copied().collect();
        }
        self.sweep(PER_TICK);
    }

    fn go_on(&mut self, part: &mut Part, out: &mut Vec<Match>) -> bool {
        if let Some(now) = self.due.ticking() {
            let now = Timestamp {
                micros: now.0,
                offset_seconds: 0,
            };
            self.clean(now, part, out);
        }
        self.clean_large(part);
        self.due.ticking().is_none() && self.to_clean.is_empty()
    }

    /// An event may have all keys cleaned, as a tick does; without a minimum only keys with many values wait for that.
    fn waits_for_ticks(&self) -> bool {
        self.settings.min.is_some() || !self.to_clean.is_empty()
    }

    fn resume(&mut self, gap: &Gap) {
        if gap.breaks(self.settings.timeframe) {
            let undone = gap.undone(self.settings.timeframe);
            for (slot, cell) in self.saved.cells.slots_and_cells() {
                if let Some(time) = undone {
                    self.values -= cell.values.len();
                    cell.values.drop_after(time);
                    self.values += cell.values.len();
                }
                cell.first = cell.first.and(Some(gap.to));
                if self.settings.min.is_some() {
                    self.due.set(slot, cell.due(&self.settings));
                }
            }
        }
    }

    fn save(&self) -> Vec<u8> {
        let cells = self.saved.cells.slots().filter_map(|slot| {
            let (_, cell) = self.saved.cells.peek(slot)?;
            Some((slot, cell.values.sketched()?))
        });
        let sketches: Vec<(Slot, &Sketch)> = cells.collect();
        saved::save(3, &(&self.saved, sketches))
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        let (mut saved, sketches): (Saved, Vec<(Slot, Sketch)>) = if saved.first() == Some(&2) {
            (saved::load(2, saved)?, Vec::new())
        } else {
            saved::load(3, saved)?
        };
        for (slot, sketch) in sketches {
            let cell = saved.cells.cell(slot).ok_or("a sketch is of no key")?;
            cell.values = Values::Sketched(Box::new(sketch));
        }
        self.saved = saved;
        self.values = self
            .saved
            .cells
            .iter()
            .map(|(_, cell)| cell.values.len())
            .sum();
        self.find_due();
        Ok(())
    }

    fn views(&self, wanted: &Wanted<'_>) -> Vec<WindowView> {
        let Settings {
            timeframe,
            max,
            min,
            ref field,
            ..
        } = *self.settings;
        let limit = wanted.now.minus(timeframe);
        let cells = self.saved.cells.wanted(wanted).into_iter();
        cells
            .map(|(key, cell)| {
                let (count, oldest, newest) = cell.values.since(limit);
                let about = match cell.values.sketched() {
                    Some(_) => "about ",
                    None => "",
                };
                let number = view::signed(count);
                let bound = |bound: Option<i64>, words: &str| {
                    bound.map_or_else(String::new, |bound| format!(", {words} {bound} match"))
                };
                let says = format!(
                    "{about}{count} values of {field} {}{}{}",
                    view::within(timeframe),
                    bound(max, "more than"),
                    bound(min, "fewer than")
                );
                let missing = [
                    max.map(|max| max + 1 - number),
                    min.map(|min| number - min + 1),
                ];
                let nearest = missing.into_iter().flatten().min();
                WindowView {
                    oldest,
                    newest,
                    expires: oldest.map(|oldest| oldest.plus(timeframe)),
                    distance: nearest.and_then(|missing| view::distance(missing.max(0))),
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
        // A value takes as much memory as a key.
        size(self.saved.cells.len() + self.values, self.values)
    }
}

impl State {
    /// Without a minimum, a key whose values are all too old is as good as unknown.
    fn sweep(&mut self, count: usize) {
        if self.settings.min.is_some() {
            return;
        }
        let Saved { cells, cleanings } = &mut self.saved;
        let timeframe = self.settings.timeframe;
        let (mut before, mut after) = (0, 0);
        let stale = cells.stale(count, |cell| {
            if cell.values.len() > LARGE {
                return false;
            }
            before += cell.values.len();
            cell.clean(cleanings, timeframe);
            after += cell.values.len();
            cell.values.len() == 0
        });
        self.values = self.values - before + after;
        for slot in stale {
            cells.remove(slot);
        }
    }
}
