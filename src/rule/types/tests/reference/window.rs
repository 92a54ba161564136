//! frequency, flatline and spike.

use super::{Found, Options, Reference, Seen, document, elements, instant_text, same, time_text};
use crate::event::Document;
use indexmap::IndexMap;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is in a window.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) time: i64,
    pub(super) event: Option<usize>,
    /// Of an item without event, all it has.
    pub(super) bare: Document,
    /// `None`: it has no value.
    pub(super) amount: Option<f64>,
    pub(super) placeholder: bool,
}

impl Item {
    fn found(&self, added: Document) -> Found {
        let mut all = self.bare.clone();
        all.extend(added);
        Found::new(self.event, all)
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Window(pub(super) Vec<Item>);

impl Window {
    pub(super) fn count(&self) -> f64 {
        self.0.iter().filter_map(|item| item.amount).sum()
    }

    /// Adds an item at its place; those that have to go for it.
    pub(super) fn append(&mut self, item: Item, timeframe: i64) -> Vec<Item> {
        self.0.push(item);
        self.0.sort_by_key(|item| item.time);
        let mut gone = Vec::new();
        while self.0.last().unwrap().time - self.0[0].time >= timeframe {
            gone.push(self.0.remove(0));
        }
        gone
    }
}

impl Options {
    /// What an event puts into windows, by key.
    fn items(&self, event: &Seen<'_>, now: i64) -> Vec<(Value, Item)> {
        let bare = |bare| Item {
            time: now,
            event: None,
            bare,
            amount: Some(1.0),
            placeholder: false,
        };
        if self.flag("use_count_query") {
            let item = bare(document([("@timestamp", time_text(now))]));
            return vec![(json!("all"), item)];
        }
        if self.flag("use_terms_query") {
            let name = self.key_name();
            let terms = elements(event.field(&name)).into_iter();
            let items = terms.map(|term| {
                let item = [("@timestamp", time_text(now)), (&*name, term.clone())];
                (term, bare(document(item)))
            });
            return items.collect();
        }
        let item = Item {
            time: event.time,
            event: Some(event.id),
            bare: Document::new(),
            amount: Some(1.0),
            placeholder: false,
        };
        vec![(event.key(&self.query_key()), item)]
    }

    fn is_keyed(&self) -> bool {
        !self.query_key().is_empty() && !self.flag("use_count_query")
    }
}

fn whole(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "a count")]
    let whole = number as i64;
    json!(whole)
}

pub(super) struct Frequency {
    rule: Options,
    windows: BTreeMap<String, Window>,
}

impl Frequency {
    pub(super) fn new(rule: Options) -> Self {
        let windows = BTreeMap::new();
        Self { rule, windows }
    }
}

impl Reference for Frequency {
    fn event(&mut self, event: &Seen<'_>, now: i64) -> Vec<Found> {
        let mut all = Vec::new();
        for (key, item) in self.rule.items(event, now) {
            let key = same(&key);
            let window = self.windows.entry(key.clone()).or_default();
            window.append(item, self.rule.timeframe());
            if window.count() < self.rule.number("num_events").unwrap() {
                continue;
            }
            let mut items = self.windows.remove(&key).unwrap().0;
            let mut found = items.pop().unwrap().found(Document::new());
            if self.rule.flag("attach_related") && found.event.is_none() {
                // ElastAlert leaves these times instants.
                let bare = items.iter().map(|item| {
                    let mut bare = item.bare.clone();
                    bare.insert("@timestamp".to_owned(), instant_text(item.time));
                    Value::from(bare)
                });
                let related = bare.collect::<Vec<_>>().into();
                found.added.insert("related_events".to_owned(), related);
            } else if self.rule.flag("attach_related") {
                found.related = items.iter().filter_map(|item| item.event).collect();
            }
            all.push(found);
        }
        all
    }

    fn tick(&mut self, now: i64) -> Vec<Found> {
        let timeframe = self.rule.timeframe();
        self.windows
            .retain(|_, window| now - window.0.last().unwrap().time <= timeframe);
        Vec::new()
    }

    fn alive(&self) -> (usize, usize) {
        let events = self.windows.values().map(|window| window.0.len());
        (self.windows.len(), events.sum())
    }
}

pub(super) struct Flatline {
    rule: Options,
    /// With the key, and the first time.
    windows: IndexMap<String, (Value, Window, i64)>,
}

impl Flatline {
    pub(super) fn new(rule: Options) -> Self {
        let windows = IndexMap::new();
        Self { rule, windows }
    }

    fn add(&mut self, key: Value, item: Item) -> Option<Found> {
        let timeframe = self.rule.timeframe();
        let threshold = self.rule.number("threshold").unwrap();
        let name = same(&key);
        let begin = || (key.clone(), Window::default(), item.time);
        let (_, window, first) = self.windows.entry(name.clone()).or_insert_with(begin);
        window.append(item, timeframe);
        let newest = window.0.last().unwrap().clone();
        let count = window.count();
        if newest.time - *first < timeframe || count >= threshold {
            return None;
        }
        *first = window.0[0].time.min(newest.time - timeframe);
        if self.rule.flag("forget_keys") {
            self.windows.shift_remove(&name);
        }
        let threshold = whole(threshold);
        let added = [
            ("key", key),
            ("count", whole(count)),
            ("threshold", threshold),
        ];
        Some(newest.found(document(added)))
    }
}

impl Reference for Flatline {
    fn event(&mut self, event: &Seen<'_>, now: i64) -> Vec<Found> {
        let items = self.rule.items(event, now);
        let found = items
            .into_iter()
            .filter_map(|(key, item)| self.add(key, item));
        found.collect()
    }

    fn tick(&mut self, now: i64) -> Vec<Found> {
        let mut keys: Vec<Value> = self.windows.values().map(|(key, ..)| key.clone()).collect();
        if keys.is_empty() && self.rule.query_key().is_empty() {
            keys.push(json!("all"));
        }
        let placeholder = Item {
            time: now,
            event: None,
            bare: document([("@timestamp", time_text(now))]),
            amount: Some(0.0),
            placeholder: true,
        };
        let keys = keys.into_iter();
        keys.filter_map(|key| self.add(key, placeholder.clone()))
            .collect()
    }

    fn alive(&self) -> (usize, usize) {
        let events = self.windows.values().map(|(_, window, _)| window.0.len());
        (self.windows.len(), events.sum())
    }
}

/// What is made of the amounts in a window.
pub(super) type Measure = fn(&Window) -> Option<f64>;

fn mean(window: &Window) -> Option<f64> {
    let events = window.0.iter().filter(|item| !item.placeholder);
    let amounts: Vec<f64> = events.filter_map(|item| item.amount).collect();
    #[expect(clippy::cast_precision_loss, reason = "a few events")]
    let number = amounts.len() as f64;
    (number > 0.0).then(|| amounts.iter().sum::<f64>() / number)
}

#[derive(Default)]
struct Key {
    shown: Value,
    windows: Option<(Window, Window)>,
    first: Option<i64>,
    quiet_until: Option<i64>,
}

/// The windows of spike and spike_aggregation.
pub(super) struct Spikes {
    pub(super) rule: Options,
    pub(super) measure: Measure,
    keys: IndexMap<String, Key>,
    filled_once: bool,
}

impl Spikes {
    pub(super) fn new(rule: Options, measure: Measure) -> Self {
        Self {
            rule,
            measure,
            keys: IndexMap::new(),
            filled_once: false,
        }
    }

    pub(super) fn add(&mut self, shown: &Value, item: Item) -> Option<(Item, f64, f64)> {
        let rule = &self.rule;
        let (timeframe, time) = (rule.timeframe(), item.time);
        let name = same(shown);
        // A key that was forgotten comes back as the youngest.
        if let Some(at) = self.keys.get_index_of(&name)
            && self.keys[at].windows.is_none()
        {
            self.keys.move_index(at, self.keys.len() - 1);
        }
        let key = self.keys.entry(name).or_default();
        if key.windows.is_none() {
            key.shown = shown.clone();
        }
        let first = *key.first.get_or_insert(time);
        let (cur, reference) = key.windows.get_or_insert_default();
        for item in cur.append(item, timeframe) {
            reference.append(item, timeframe);
        }
        let new_data = rule.flag("alert_on_new_data") && !rule.query_key().is_empty();
        if time - first >= 2 * timeframe {
            self.filled_once = true;
        } else if !self.filled_once
            || !new_data
            || key.quiet_until.is_some_and(|until| time < until)
        {
            return None;
        }
        let (now, before) = ((self.measure)(cur)?, (self.measure)(reference)?);
        let by_value = !rule.get("field_value").is_null();
        let refused = if by_value {
            now == 0.0 || before == 0.0
        } else {
            now < rule.number("threshold_cur").unwrap_or(0.0)
                || before < rule.number("threshold_ref").unwrap_or(0.0)
        };
        let height = rule.number("spike_height").unwrap();
        let kind = rule.text("spike_type");
        let up = kind != "down" && now >= before * height;
        let down = kind != "up" && now <= before / height;
        if refused || !(up || down) {
            return None;
        }
        let counts = |item: &&Item| match by_value {
            true => !item.placeholder,
            false => item.amount.is_some_and(|amount| amount != 0.0),
        };
        let item = cur.0.iter().find(counts).or(cur.0.last()).unwrap().clone();
        *reference = Window::default();
        key.first = None;
        key.quiet_until = Some(item.time + 2 * timeframe);
        Some((item, now, before))
    }

    pub(super) fn alive(&self) -> (usize, usize) {
        let windows = self.keys.values().filter_map(|key| key.windows.as_ref());
        let events = windows.map(|(cur, reference)| cur.0.len() + reference.0.len());
        // What is remembered of a key without windows is when it may match again.
        (self.keys.len(), events.sum())
    }
}

pub(super) struct Spike(Spikes);

impl Spike {
    pub(super) fn new(rule: Options) -> Self {
        let by_value = !rule.get("field_value").is_null();
        let count: Measure = |window| Some(window.count());
        Self(Spikes::new(rule, if by_value { mean } else { count }))
    }

    fn add(&mut self, key: &Value, item: Item) -> Option<Found> {
        let (item, now, before) = self.0.add(key, item)?;
        let counts = match self.0.rule.get("field_value") {
            Value::Null => [whole(now), whole(before)],
            _ => [json!(now), json!(before)],
        };
        let [now, before] = counts;
        Some(item.found(document([
            ("spike_count", now),
            ("reference_count", before),
        ])))
    }
}

impl Reference for Spike {
    fn event(&mut self, event: &Seen<'_>, now: i64) -> Vec<Found> {
        let mut found = Vec::new();
        for (key, mut item) in self.0.rule.items(event, now) {
            if let Value::String(field) = self.0.rule.get("field_value") {
                // Only a member by this very name.
                item.amount = match event.members.get(field) {
                    Some(Value::String(text)) => text.parse::<i32>().ok().map(f64::from),
                    Some(value) => super::number(value).map(f64::trunc),
                    None => None,
                };
                if item.amount.is_none() {
                    continue;
                }
            }
            let key = if key.is_null() { json!("other") } else { key };
            found.extend(self.add(&key, item));
        }
        found
    }

    fn tick(&mut self, now: i64) -> Vec<Found> {
        let mut found = Vec::new();
        let keyed = self.0.rule.is_keyed();
        for name in self.0.keys.keys().cloned().collect::<Vec<_>>() {
            let key = &mut self.0.keys[&name];
            let Some((cur, reference)) = &key.windows else {
                continue;
            };
            if keyed && cur.count() == 0.0 && reference.count() == 0.0 {
                key.windows = None;
                continue;
            }
            let shown = key.shown.clone();
            let mut bare = document([("@timestamp", time_text(now)), ("placeholder", json!(true))]);
            if keyed {
                bare.insert(self.0.rule.key_name(), shown.clone());
            }
            let placeholder = Item {
                time: now,
                event: None,
                bare,
                amount: Some(0.0),
                placeholder: true,
            };
            found.extend(self.add(&shown, placeholder));
        }
        found
    }

    fn alive(&self) -> (usize, usize) {
        self.0.alive()
    }
}
