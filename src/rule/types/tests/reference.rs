//! The windows of frequency, spike and flatline as ElastAlert's classes have them: slow, and easy to compare with their description.

use indexmap::IndexMap;
use std::collections::BTreeMap;

/// What a reference puts out: the item that stands for the match, and what is counted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) item: Item,
    pub(super) counts: Vec<i64>,
    pub(super) related: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Item {
    Event(usize),
    Placeholder(i64),
}

impl Item {
    fn count(self) -> i64 {
        match self {
            Self::Event(_) => 1,
            Self::Placeholder(_) => 0,
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Window(Vec<(i64, Item)>);

impl Window {
    fn count(&self) -> i64 {
        self.0.iter().map(|(_, item)| item.count()).sum()
    }

    fn append(&mut self, time: i64, item: Item, timeframe: i64) -> Vec<(i64, Item)> {
        self.0.push((time, item));
        self.0.sort_by_key(|(time, _)| *time);
        let mut gone = Vec::new();
        while self.0.last().unwrap().0 - self.0[0].0 >= timeframe {
            gone.push(self.0.remove(0));
        }
        gone
    }
}

pub(super) trait Reference {
    fn event(&mut self, key: u8, id: usize, time: i64) -> Vec<Found>;
    fn tick(&mut self, now: i64) -> Vec<Found>;
}

pub(super) struct Frequency {
    pub(super) num_events: i64,
    pub(super) timeframe: i64,
    windows: BTreeMap<u8, Window>,
}

impl Frequency {
    pub(super) fn new(num_events: i64, timeframe: i64) -> Self {
        Self {
            num_events,
            timeframe,
            windows: BTreeMap::new(),
        }
    }
}

impl Reference for Frequency {
    fn event(&mut self, key: u8, id: usize, time: i64) -> Vec<Found> {
        let window = self.windows.entry(key).or_default();
        window.append(time, Item::Event(id), self.timeframe);
        if window.count() < self.num_events {
            return Vec::new();
        }
        let mut items = self.windows.remove(&key).unwrap().0;
        let (_, item) = items.pop().unwrap();
        let related = items.iter().map(|(_, item)| match item {
            Item::Event(id) => *id,
            Item::Placeholder(_) => unreachable!("frequency has no placeholders"),
        });
        vec![Found {
            item,
            counts: Vec::new(),
            related: related.collect(),
        }]
    }

    fn tick(&mut self, now: i64) -> Vec<Found> {
        let timeframe = self.timeframe;
        self.windows
            .retain(|_, window| now - window.0.last().unwrap().0 <= timeframe);
        Vec::new()
    }
}

pub(super) struct Flatline {
    threshold: i64,
    timeframe: i64,
    forget_keys: bool,
    windows: BTreeMap<u8, (Window, i64)>,
}

impl Flatline {
    pub(super) fn new(threshold: i64, timeframe: i64, forget_keys: bool) -> Self {
        Self {
            threshold,
            timeframe,
            forget_keys,
            windows: BTreeMap::new(),
        }
    }

    fn add(&mut self, key: u8, time: i64, item: Item) -> Option<Found> {
        let (window, first) = self.windows.entry(key).or_insert((Window::default(), time));
        window.append(time, item, self.timeframe);
        let (newest, item) = *window.0.last().unwrap();
        if newest - *first < self.timeframe || window.count() >= self.threshold {
            return None;
        }
        *first = window.0[0].0.min(newest - self.timeframe);
        let counts = vec![window.count()];
        if self.forget_keys {
            self.windows.remove(&key);
        }
        Some(Found {
            item,
            counts,
            related: Vec::new(),
        })
    }
}

impl Reference for Flatline {
    fn event(&mut self, key: u8, id: usize, time: i64) -> Vec<Found> {
        self.add(key, time, Item::Event(id)).into_iter().collect()
    }

    fn tick(&mut self, now: i64) -> Vec<Found> {
        let keys: Vec<u8> = self.windows.keys().copied().collect();
        keys.into_iter()
            .filter_map(|key| self.add(key, now, Item::Placeholder(now)))
            .collect()
    }
}

#[derive(Default)]
struct Key {
    windows: Option<(Window, Window)>,
    first: Option<i64>,
    quiet_until: Option<i64>,
}

pub(super) struct Spike {
    pub(super) height: i64,
    pub(super) up: bool,
    pub(super) down: bool,
    pub(super) threshold_ref: i64,
    pub(super) timeframe: i64,
    pub(super) new_data: bool,
    keys: IndexMap<u8, Key>,
    filled_once: bool,
}

impl Spike {
    pub(super) fn new(
        height: i64,
        [up, down, new_data]: [bool; 3],
        threshold_ref: i64,
        timeframe: i64,
    ) -> Self {
        Self {
            height,
            up,
            down,
            threshold_ref,
            timeframe,
            new_data,
            keys: IndexMap::new(),
            filled_once: false,
        }
    }

    fn add(&mut self, key: u8, time: i64, item: Item) -> Option<Found> {
        let timeframe = self.timeframe;
        let key = self.keys.entry(key).or_default();
        let first = *key.first.get_or_insert(time);
        let (cur, reference) = key.windows.get_or_insert_default();
        for (time, item) in cur.append(time, item, timeframe) {
            reference.append(time, item, timeframe);
        }
        if time - first >= 2 * timeframe {
            self.filled_once = true;
        } else if !self.filled_once
            || !self.new_data
            || key.quiet_until.is_some_and(|until| time < until)
        {
            return None;
        }
        let counts = vec![cur.count(), reference.count()];
        let (now, before) = (counts[0], counts[1]);
        let is_up = self.up && now >= before * self.height;
        let is_down = self.down && now * self.height <= before;
        if before < self.threshold_ref || !(is_up || is_down) {
            return None;
        }
        let counted = cur.0.iter().find(|(_, item)| item.count() > 0);
        let (time, item) = *counted.unwrap_or_else(|| cur.0.last().unwrap());
        *reference = Window::default();
        key.first = None;
        key.quiet_until = Some(time + 2 * timeframe);
        Some(Found {
            item,
            counts,
            related: Vec::new(),
        })
    }
}

impl Reference for Spike {
    fn event(&mut self, key: u8, id: usize, time: i64) -> Vec<Found> {
        self.add(key, time, Item::Event(id)).into_iter().collect()
    }

    fn tick(&mut self, now: i64) -> Vec<Found> {
        let mut found = Vec::new();
        let keys: Vec<u8> = self.keys.keys().copied().collect();
        for name in keys {
            let key = self.keys.get_mut(&name).unwrap();
            match &key.windows {
                None => {}
                Some((cur, reference)) if cur.count() == 0 && reference.count() == 0 => {
                    key.windows = None;
                }
                Some(_) => found.extend(self.add(name, now, Item::Placeholder(now))),
            }
        }
        found
    }
}

/// Different values per key. The value of an event is its id modulo `kinds`.
pub(super) struct Cardinality {
    max: usize,
    min: usize,
    kinds: usize,
    timeframe: i64,
    /// By key, in the order they came: the values with their times, and the first time.
    keys: IndexMap<u8, (BTreeMap<usize, i64>, Option<i64>)>,
}

impl Cardinality {
    pub(super) fn new(max: usize, min: usize, kinds: usize, timeframe: i64) -> Self {
        Self {
            max,
            min,
            kinds,
            timeframe,
            keys: IndexMap::new(),
        }
    }

    fn is_suspicious(&self, key: u8, now: i64) -> bool {
        let (values, first) = &self.keys[&key];
        let has_elapsed = first.is_some_and(|first| now - first > self.timeframe);
        values.len() > self.max || (values.len() < self.min && has_elapsed)
    }

    fn clean(&mut self, now: i64) -> Vec<Found> {
        let mut found = Vec::new();
        let keys: Vec<u8> = self.keys.keys().copied().collect();
        for key in keys {
            let timeframe = self.timeframe;
            self.keys[&key].0.retain(|_, time| now - *time <= timeframe);
            if self.min > 0 && self.is_suspicious(key, now) {
                self.keys[&key].1 = None;
                found.push(Found {
                    item: Item::Placeholder(now),
                    counts: Vec::new(),
                    related: Vec::new(),
                });
            }
        }
        found
    }
}

impl Reference for Cardinality {
    fn event(&mut self, key: u8, id: usize, time: i64) -> Vec<Found> {
        let (values, first) = self.keys.entry(key).or_default();
        first.get_or_insert(time);
        values.insert(id % self.kinds, time);
        if !self.is_suspicious(key, time) {
            return Vec::new();
        }
        let mut found = self.clean(time);
        if self.is_suspicious(key, time) {
            self.keys[&key].1 = None;
            found.push(Found {
                item: Item::Event(id),
                counts: Vec::new(),
                related: Vec::new(),
            });
        }
        found
    }

    fn tick(&mut self, now: i64) -> Vec<Found> {
        self.clean(now)
    }
}

/// A sum per group over a moving window, computed anew each time.
pub(super) struct Sums {
    window: i64,
    size: usize,
    events: Vec<(i64, u8, i64)>,
}

impl Sums {
    pub(super) fn new(window: i64, size: usize) -> Self {
        Self {
            window,
            size,
            events: Vec::new(),
        }
    }

    /// The sums of the groups that are looked at; of one of them only when `key` is given.
    fn evaluate(&self, now: i64, key: Option<u8>) -> Vec<(u8, i64)> {
        let mut groups: BTreeMap<u8, (usize, i64)> = BTreeMap::new();
        for (time, key, amount) in &self.events {
            if now - self.window < *time && *time <= now {
                let group = groups.entry(*key).or_default();
                group.0 += 1;
                group.1 += amount;
            }
        }
        let mut ranked: Vec<(u8, (usize, i64))> = groups.into_iter().collect();
        ranked.sort_by_key(|(key, (documents, _))| (std::cmp::Reverse(*documents), *key));
        ranked.truncate(self.size);
        ranked
            .into_iter()
            .filter(|(other, _)| key.is_none_or(|key| key == *other))
            .map(|(key, (_, sum))| (key, sum))
            .collect()
    }

    pub(super) fn event(&mut self, now: i64, time: i64, key: u8, amount: i64) -> Vec<(u8, i64)> {
        self.events.push((time, key, amount));
        self.evaluate(now, Some(key))
    }

    pub(super) fn tick(&self, now: i64) -> Vec<(u8, i64)> {
        self.evaluate(now, None)
    }
}
