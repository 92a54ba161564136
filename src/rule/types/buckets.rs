//! `bucket_interval`: the window of an aggregation, cut into pieces that are evaluated one by one.
//!
//! Only ticks do that, over the events as they then are, some at a time; a piece that violates a bound does so at every tick until it has left the window.

use super::aggregation::{Aggregation, Buckets, Evaluated, Plan};
use super::groups::GroupId;
use super::metric::{MetricKind, Total};
use crate::event::EventTime;
use crate::rule::part::{Part, cost};

const SECOND: i64 = 1_000_000;

/// The events that an aggregation looks at: the first instant inside, and the first after it.
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
    /// Where the first piece starts, if it is cut.
    origin: i64,
}

impl Plan {
    /// The end of the window that ElastAlert asks for when it is `now`.
    pub(super) fn asked_until(&self, now: EventTime) -> EventTime {
        match self.buckets {
            Some(buckets) if buckets.on_the_clock => {
                EventTime(self.span(now).origin).plus(self.window)
            }
            Some(_) | None => now,
        }
    }

    /// The events that are looked at when it is `now`.
    pub(super) fn span(&self, now: EventTime) -> Span {
        let start = now.minus(self.window).0;
        match self.buckets {
            // The bounds are whole seconds then, and Elasticsearch takes such a bound for the whole of its second.
            Some(buckets) if buckets.on_the_clock => {
                let start = start.saturating_sub(start.rem_euclid(buckets.interval));
                Span {
                    from: start.saturating_add(SECOND),
                    to: EventTime(start.saturating_add(SECOND)).plus(self.window).0,
                    origin: start,
                }
            }
            Some(_) | None => Span {
                from: start.saturating_add(1),
                to: now.0.saturating_add(1),
                origin: start.saturating_sub(start.rem_euclid(SECOND)),
            },
        }
    }
}

/// One group's pieces, from the first with events to the last with events: how many events, and their metric.
struct Pieces {
    group: GroupId,
    first: i64,
    pieces: Vec<(u64, Total)>,
}

/// The piece that an instant is in. Events come sorted, and a piece has many: its bounds are compared with, not divided by.
struct Cut {
    origin: i64,
    interval: i64,
    number: i64,
    bounds: std::ops::Range<i64>,
}

impl Cut {
    fn new(origin: i64, interval: i64) -> Self {
        Self {
            origin,
            interval,
            number: 0,
            bounds: 0..0,
        }
    }

    fn number(&mut self, time: EventTime) -> i64 {
        if !self.bounds.contains(&time.0) {
            self.number = time.0.saturating_sub(self.origin).div_euclid(self.interval);
            let start = self.start(self.number).0;
            self.bounds = start..start.saturating_add(self.interval);
        }
        self.number
    }

    fn start(&self, number: i64) -> EventTime {
        let start = number.saturating_mul(self.interval);
        EventTime(self.origin.saturating_add(start))
    }
}

/// The pieces of all groups that are looked at, as far as a tick has come with them.
pub(super) struct Cutting {
    kind: MetricKind,
    cut: Cut,
    groups: Vec<Pieces>,
    /// By group: its place among those that are looked at, from 1.
    places: Vec<u32>,
    /// How many events have been read.
    read: usize,
}

/// Events that are read in one act.
const AT_ONCE: usize = 8;

impl Cutting {
    pub(super) fn new(plan: &Plan, buckets: Buckets, now: EventTime, groups: &[GroupId]) -> Self {
        let length = groups.iter().map(|group| group.index() + 1).max();
        let mut places = vec![0; length.unwrap_or(0)];
        for (number, group) in (1..).zip(groups) {
            if let Some(place) = places.get_mut(group.index()) {
                *place = number;
            }
        }
        let groups = groups.iter().map(|group| Pieces {
            group: *group,
            first: 0,
            pieces: Vec::new(),
        });
        Self {
            kind: plan.kind,
            cut: Cut::new(plan.span(now).origin, buckets.interval),
            groups: groups.collect(),
            places,
            read: 0,
        }
    }

    /// Reads more events of the window, as far as there is room; whether that was all.
    pub(super) fn read(&mut self, window: &Aggregation, part: &mut Part) -> bool {
        for (time, event) in window.events_from(self.read) {
            if self.read.is_multiple_of(AT_ONCE) {
                if !part.has_room() {
                    return false;
                }
                part.act(cost::FIND);
            }
            self.read += 1;
            let number = self.cut.number(time);
            for group in event.groups() {
                let place = self.places.get(group.index());
                let place = place.and_then(|at| usize::try_from(at.checked_sub(1)?).ok());
                let group = place.and_then(|at| self.groups.get_mut(at));
                let piece = group.and_then(|group| group.piece(number, || self.kind.total()));
                if let Some((documents, metric)) = piece {
                    *documents += 1;
                    metric.add(&event.contribution());
                }
            }
        }
        true
    }

    /// The pieces, evaluated.
    pub(super) fn pieces(&mut self, window: &Aggregation) -> Vec<Evaluated> {
        let cut = &self.cut;
        let groups = self.groups.drain(..);
        let evaluated = groups.flat_map(|group| {
            let path = window.groups().path(group.group);
            let pieces = (group.first..).zip(group.pieces);
            pieces.map(move |(number, (documents, metric))| Evaluated {
                path: path.clone(),
                time: cut.start(number),
                documents,
                value: metric.value(),
            })
        });
        evaluated.collect()
    }
}

impl Pieces {
    /// The piece with a number, which is not before those that were asked for earlier.
    fn piece(&mut self, number: i64, empty: impl Fn() -> Total) -> Option<&mut (u64, Total)> {
        if self.pieces.is_empty() {
            self.first = number;
        }
        let place = usize::try_from(number - self.first).ok()?;
        while self.pieces.len() <= place {
            self.pieces.push((0, empty()));
        }
        self.pieces.get_mut(place)
    }
}
