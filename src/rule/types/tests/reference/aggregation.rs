//! metric_aggregation, percentage_match and spike_aggregation.

use super::window::{Item, Measure, Spikes, Window};
use super::{Found, Options, Reference, SECOND, Seen, document, elements, same, time_text};
use crate::event::{Document, python};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// An event, kept for ever.
struct Kept {
    time: i64,
    /// Its values of each field of the key.
    parts: Vec<Vec<Value>>,
    metric: Vec<Value>,
    inner: bool,
}

impl Kept {
    fn is_in(&self, group: &[Value]) -> bool {
        let mut parts = group.iter().zip(&self.parts);
        parts.all(|(value, parts)| parts.contains(value))
    }
}

struct Events {
    rule: Options,
    kept: Vec<Kept>,
}

/// All combinations of one value of each.
fn combinations(values: &[Vec<Value>]) -> Vec<Vec<Value>> {
    let Some((first, rest)) = values.split_first() else {
        return vec![Vec::new()];
    };
    let rest = combinations(rest);
    let longer = first.iter().flat_map(|value| {
        rest.iter()
            .map(move |rest| [vec![value.clone()], rest.clone()].concat())
    });
    longer.collect()
}

impl Events {
    fn new(rule: Options) -> Self {
        let kept = Vec::new();
        Self { rule, kept }
    }

    fn window(&self) -> i64 {
        match self.rule.flag("use_run_every_query_size") {
            true => 10 * SECOND,
            false => self.rule.seconds("buffer_time").unwrap(),
        }
    }

    /// The groups of an event, which is counted from now on.
    fn add(&mut self, event: &Seen<'_>) -> Vec<Vec<Value>> {
        let key = self.rule.query_key();
        let parts: Vec<Vec<Value>> = key
            .iter()
            .map(|field| elements(event.field(field)))
            .collect();
        let paths = combinations(&parts);
        self.kept.push(Kept {
            time: event.time,
            parts,
            metric: elements(event.field(&self.rule.text("metric_agg_key"))),
            inner: event.inner,
        });
        paths
    }

    /// Those groups of these events that are looked at, below a group.
    fn looked_at(&self, events: &[&Kept], above: &[Value]) -> Vec<Vec<Value>> {
        let depth = self.rule.query_key().len();
        if above.len() == depth {
            return vec![above.to_vec()];
        }
        let size = self.rule.get("terms_size").as_u64().unwrap_or(50);
        let least = self.rule.get("min_doc_count").as_u64().unwrap_or(1);
        let mut counts: BTreeMap<String, (Value, u64)> = BTreeMap::new();
        for event in events.iter().filter(|event| event.is_in(above)) {
            for value in &event.parts[above.len()] {
                let new = || (value.clone(), 0);
                counts.entry(same(value)).or_insert_with(new).1 += 1;
            }
        }
        let mut ranked: Vec<(Value, u64)> = counts.into_values().collect();
        ranked.sort_by_key(|(value, count)| (Reverse(*count), python::str(value)));
        ranked.retain(|(_, count)| *count >= least);
        ranked.truncate(usize::try_from(size).unwrap());
        let groups = ranked.into_iter().flat_map(|(value, _)| {
            let group = [above, &[value]].concat();
            self.looked_at(events, &group)
        });
        groups.collect()
    }

    /// The groups that are looked at now, with their events; `None` among `own`: all.
    fn groups(&self, now: i64, own: Option<&[Vec<Value>]>) -> Vec<(Vec<Value>, Vec<&Kept>)> {
        let from = now - self.window();
        let inside = |event: &&Kept| from < event.time && event.time <= now;
        let events: Vec<&Kept> = self.kept.iter().filter(inside).collect();
        let mut groups = self.looked_at(&events, &[]);
        if let Some(own) = own {
            groups.retain(|group| own.contains(group));
        }
        self.members(groups, &events)
    }

    fn members<'a>(
        &self,
        groups: Vec<Vec<Value>>,
        events: &[&'a Kept],
    ) -> Vec<(Vec<Value>, Vec<&'a Kept>)> {
        let groups = groups.into_iter().map(|group| {
            let members = events.iter().copied();
            let members = members.filter(|event| event.is_in(&group));
            let members: Vec<&Kept> = members.collect();
            (group, members)
        });
        groups.collect()
    }

    /// The pieces of the window at a tick, each with its start: of each group from its first to its last event.
    fn buckets(&self, now: i64, interval: i64) -> Vec<(i64, Vec<Value>, Vec<&Kept>)> {
        let window = self.window();
        let sync = self.rule.flag("sync_bucket_interval");
        let (origin, low, high) = if sync {
            let start = (now - window).div_euclid(interval) * interval;
            // Bounds on whole seconds stand for the ends of these seconds.
            let (low, high) = (start + SECOND - 1, start + window + SECOND - 1);
            (start, low, high)
        } else {
            let start = (now - window).div_euclid(SECOND) * SECOND;
            (start, now - window, now)
        };
        let inside = |event: &&Kept| low < event.time && event.time <= high;
        let events: Vec<&Kept> = self.kept.iter().filter(inside).collect();
        let mut found = Vec::new();
        let groups = self.looked_at(&events, &[]);
        for (group, members) in self.members(groups, &events) {
            let place = |event: &&Kept| (event.time - origin).div_euclid(interval);
            let places: Vec<i64> = members.iter().map(place).collect();
            let (Some(first), Some(last)) = (places.iter().min(), places.iter().max()) else {
                continue;
            };
            for at in *first..=*last {
                let of_bucket = members.iter().copied().filter(|event| place(event) == at);
                let start = origin + at * interval;
                found.push((start, group.clone(), of_bucket.collect()));
            }
        }
        found
    }

    /// The metric of some events.
    fn metric(&self, events: &[&Kept]) -> Option<f64> {
        let values: Vec<&Value> = events.iter().flat_map(|event| &event.metric).collect();
        let mut numbers: Vec<f64> = values.iter().filter_map(|value| value.as_f64()).collect();
        numbers.sort_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, reason = "a few events")]
        let count = |number: usize| number as f64;
        // Nothing is 0, and not -0.
        let sum = numbers.iter().fold(0.0, |sum, number| sum + number);
        match self.rule.text("metric_agg_type").as_str() {
            "min" => numbers.first().copied(),
            "max" => numbers.last().copied(),
            "sum" => Some(sum),
            "avg" => (!numbers.is_empty()).then(|| sum / count(numbers.len())),
            "value_count" => Some(count(values.len())),
            "cardinality" => {
                let different: BTreeSet<String> = values.iter().map(|value| same(value)).collect();
                Some(count(different.len()))
            }
            _ => {
                let last = count(numbers.len().checked_sub(1)?);
                let part = self.rule.number("percentile_range").unwrap() / 100.0;
                let rank = (part * count(numbers.len()) - 0.5).clamp(0.0, last);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a rank"
                )]
                let (low, high) = (rank.floor() as usize, rank.ceil() as usize);
                Some(numbers[low] + (numbers[high] - numbers[low]) * (rank - rank.floor()))
            }
        }
    }

    fn alive(&self, now: i64) -> usize {
        let oldest =
            now - self.window() - SECOND - self.rule.seconds("bucket_interval").unwrap_or(0);
        self.kept.iter().filter(|event| event.time > oldest).count()
    }
}

fn joined(group: &[Value]) -> Value {
    let parts: Vec<String> = group.iter().map(python::str).collect();
    Value::from(parts.join(","))
}

/// metric_aggregation and percentage_match.
pub(super) struct Violation {
    events: Events,
    now: i64,
}

impl Violation {
    pub(super) fn new(rule: Options) -> Self {
        let events = Events::new(rule);
        Self { events, now: 0 }
    }

    fn judge(&self, time: i64, group: &[Value], members: &[&Kept]) -> Option<Found> {
        let rule = &self.events.rule;
        let mut added = document([("@timestamp", time_text(time))]);
        match (rule.query_key().as_slice(), group) {
            ([name], [value]) => {
                let mut names = name.rsplit('.');
                let innermost = names.next().unwrap();
                let (mut name, mut value) = (innermost, value.clone());
                for outer in names {
                    value = Value::Object(document([(name, value)]));
                    name = outer;
                }
                added.insert(name.to_owned(), value);
            }
            ([], _) => {}
            (names, group) => {
                let parts = names.iter().cloned().zip(group.iter().cloned());
                added.extend(parts);
                added.insert(rule.key_name(), joined(group));
            }
        }
        let (value, bounds) = if rule.text("type") == "percentage_match" {
            let inner = members.iter().filter(|event| event.inner).count();
            #[expect(clippy::cast_precision_loss, reason = "a few events")]
            let (inner, all) = (inner as f64, members.len() as f64);
            if all == 0.0 || all < rule.number("min_denominator").unwrap_or(0.0) {
                return None;
            }
            let percentage = inner / all * 100.0;
            added.insert("percentage".to_owned(), json!(percentage));
            added.insert("denominator".to_owned(), json!(members.len()));
            (percentage, ["min_percentage", "max_percentage"])
        } else {
            let value = self.events.metric(members)?;
            let (key, kind) = (rule.text("metric_agg_key"), rule.text("metric_agg_type"));
            added.insert(format!("metric_{key}_{kind}"), json!(value));
            if rule.query_key().len() < 2 {
                added.insert("metric_agg_value".to_owned(), json!(value));
            }
            (value, ["min_threshold", "max_threshold"])
        };
        let [min, max] = bounds.map(|name| rule.number(name));
        let violated = min.is_some_and(|min| value < min) || max.is_some_and(|max| value > max);
        violated.then(|| Found::new(None, added))
    }
}

impl Reference for Violation {
    fn event(&mut self, event: &Seen<'_>, now: i64) -> Vec<Found> {
        self.now = now;
        let own = self.events.add(event);
        if self.events.rule.seconds("bucket_interval").is_some() {
            return Vec::new();
        }
        let groups = self.events.groups(now, Some(&own)).into_iter();
        groups
            .filter_map(|(group, members)| self.judge(now, &group, &members))
            .collect()
    }

    fn tick(&mut self, now: i64) -> Vec<Found> {
        self.now = now;
        if let Some(interval) = self.events.rule.seconds("bucket_interval") {
            let rule = &self.events.rule;
            let is_metric = rule.text("type") == "metric_aggregation";
            let is_compound = is_metric && rule.query_key().len() > 1;
            let early = if rule.flag("sync_bucket_interval") {
                (now - self.events.window()).rem_euclid(interval)
            } else {
                0
            };
            let asked = now - early;
            let buckets = self.events.buckets(now, interval).into_iter();
            return buckets
                .filter_map(|(start, group, members)| {
                    let time = if is_compound { asked } else { start };
                    self.judge(time, &group, &members)
                })
                .collect();
        }
        let groups = self.events.groups(now, None).into_iter();
        groups
            .filter_map(|(group, members)| self.judge(now, &group, &members))
            .collect()
    }

    fn alive(&self) -> (usize, usize) {
        let events = self.events.alive(self.now);
        (usize::MAX, events)
    }
}

fn values(window: &Window) -> impl Iterator<Item = f64> {
    window.0.iter().filter_map(|item| item.amount)
}

pub(super) struct SpikeAggregation {
    events: Events,
    spikes: Spikes,
}

impl SpikeAggregation {
    pub(super) fn new(rule: Options) -> Self {
        let measure: Measure = match rule.text("metric_agg_type").as_str() {
            "min" => |window| values(window).reduce(f64::min),
            "max" => |window| values(window).reduce(f64::max),
            "avg" => |window| {
                #[expect(clippy::cast_precision_loss, reason = "a few samples")]
                let count = values(window).count() as f64;
                (count > 0.0).then(|| values(window).sum::<f64>() / count)
            },
            _ => |window| Some(values(window).sum()),
        };
        let spikes = Spikes::new(rule.clone(), measure);
        let events = Events::new(rule);
        Self { events, spikes }
    }

    fn samples(&mut self, now: i64, own: Option<&[Vec<Value>]>) -> Vec<Found> {
        let groups = self.events.groups(now, own).into_iter();
        let groups: Vec<(Vec<Value>, Option<f64>)> = groups
            .map(|(group, members)| (group, self.events.metric(&members)))
            .collect();
        let mut found = Vec::new();
        for (group, amount) in groups {
            let mut bare = document([("@timestamp", time_text(now))]);
            let key = if group.is_empty() {
                json!("all")
            } else {
                bare.insert(self.events.rule.key_name(), joined(&group));
                joined(&group)
            };
            let sample = Item {
                time: now,
                event: None,
                bare,
                amount,
                placeholder: false,
            };
            if let Some((item, now, before)) = self.spikes.add(&key, sample) {
                let mut added: Document = item.bare;
                added.insert("spike_count".to_owned(), json!(now));
                added.insert("reference_count".to_owned(), json!(before));
                found.push(Found::new(None, added));
            }
        }
        found
    }
}

impl Reference for SpikeAggregation {
    fn event(&mut self, event: &Seen<'_>, now: i64) -> Vec<Found> {
        let own = self.events.add(event);
        self.samples(now, Some(&own))
    }

    fn tick(&mut self, now: i64) -> Vec<Found> {
        self.samples(now, None)
    }

    fn alive(&self) -> (usize, usize) {
        (usize::MAX, usize::MAX)
    }
}
