//! `bucket_interval`: the window of an aggregation, cut into pieces that are evaluated one by one.
//!
//! Only ticks do that, over the events as they then are; a piece that violates a bound does so at every tick until it has left the window.

use super::aggregation::{Aggregation, Buckets, Evaluated, Plan};
use super::groups::GroupId;
use super::metric::Accumulator;
use crate::event::EventTime;
use hashbrown::HashMap;

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
    pieces: Vec<(u64, Accumulator)>,
}

impl Aggregation {
    /// Evaluates the pieces of every group that is looked at.
    pub(super) fn tick_pieces(&mut self, buckets: Buckets, now: EventTime) -> Vec<Evaluated> {
        let now = self.advance(now);
        let origin = self.plan().span(now).origin;
        let kind = self.plan().kind;
        let mut found: Vec<Pieces> = Vec::new();
        let mut places: HashMap<GroupId, usize, foldhash::fast::RandomState> = HashMap::default();
        for group in self.groups().looked_at() {
            places.insert(group, found.len());
            found.push(Pieces {
                group,
                first: 0,
                pieces: Vec::new(),
            });
        }
        for (time, event) in self.events() {
            let number = (time.0 - origin).div_euclid(buckets.interval);
            let groups = event.groups().iter();
            for place in groups.filter_map(|group| places.get(group)) {
                let group = found.get_mut(*place);
                let piece = group.and_then(|group| group.piece(number, || kind.accumulator()));
                if let Some((documents, metric)) = piece {
                    *documents += 1;
                    metric.add(&event.contribution());
                }
            }
        }
        let evaluated = found.into_iter().flat_map(|group| {
            let path = self.groups().path(group.group);
            let pieces = (group.first..).zip(group.pieces);
            pieces.map(move |(number, (documents, metric))| Evaluated {
                path: path.clone(),
                time: EventTime(origin + number * buckets.interval),
                documents,
                value: metric.value(),
            })
        });
        evaluated.collect()
    }
}

impl Pieces {
    /// The piece with a number, which is not before those that were asked for earlier.
    fn piece(
        &mut self,
        number: i64,
        empty: impl Fn() -> Accumulator,
    ) -> Option<&mut (u64, Accumulator)> {
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
