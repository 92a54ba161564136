//! `bucket_interval`: the window of an aggregation, cut into pieces that are evaluated one by one.
//!
//! Only ticks do that, over the events as they then are; a piece that violates a bound does so at every tick until it has left the window.

use super::aggregation::{Aggregation, Buckets, Evaluated, Plan};
use super::groups::GroupId;
use super::metric::Total;
use crate::event::EventTime;

const SECOND: i64 = 1_000_000;

/// The events that an aggregation looks at: the first instant inside, and the first after it.
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
    /// Where the first piece starts, if it is cut.
    origin: i64,
}

impl Plan {
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

impl Aggregation {
    /// Evaluates the pieces of every group that is looked at.
    pub(super) fn tick_pieces(&mut self, buckets: Buckets, now: EventTime) -> Vec<Evaluated> {
        let now = self.advance(now);
        let origin = self.plan().span(now).origin;
        let kind = self.plan().kind;
        let mut found: Vec<Pieces> = Vec::new();
        // By group: its place among those that are looked at, from 1.
        let mut places: Vec<u32> = Vec::new();
        for group in self.groups().looked_at() {
            if places.len() <= group.index() {
                places.resize(group.index() + 1, 0);
            }
            found.push(Pieces {
                group,
                first: 0,
                pieces: Vec::new(),
            });
            if let Some(place) = places.get_mut(group.index()) {
                *place = u32::try_from(found.len()).unwrap_or(0);
            }
        }
        let mut cut = Cut::new(origin, buckets.interval);
        for (time, event) in self.events() {
            let number = cut.number(time);
            for group in event.groups() {
                let place = places.get(group.index()).and_then(|at| at.checked_sub(1));
                let group = place.and_then(|at| found.get_mut(usize::try_from(at).ok()?));
                let piece = group.and_then(|group| group.piece(number, || kind.total()));
                if let Some((documents, metric)) = piece {
                    *documents += 1;
                    metric.add(&event.contribution());
                }
            }
        }
        let evaluated = found.into_iter().flat_map(|group| {
            let path = self.groups().path(group.group);
            let pieces = (group.first..).zip(group.pieces);
            let cut = &cut;
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
