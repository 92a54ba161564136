//! Ticks over the groups of an aggregation, a part at a time.

use super::{Aggregation, Contribution, Evaluated, GroupId, Path};
use crate::event::EventTime;
use crate::rule::Hit;
use crate::rule::part::{Part, cost};
use crate::rule::types::buckets::Cutting;
use hashbrown::HashMap;
use std::collections::VecDeque;

/// A tick that is not over.
pub(super) struct Tick {
    now: EventTime,
    stage: Stage,
    /// With `bucket_interval`: the events that have come meanwhile. They are counted in when the window has been cut.
    came: VecDeque<Came>,
}

enum Stage {
    /// Events come into the window and go out of it.
    Moving,
    Groups {
        groups: std::vec::IntoIter<GroupId>,
        /// Those that have not been looked at, and their places among them: from the first event on that comes meanwhile.
        left: Option<HashMap<GroupId, usize>>,
    },
    Cutting(Cutting),
    Pieces(std::vec::IntoIter<Evaluated>),
    Counting,
}

/// An event, and when it came.
struct Came {
    now: EventTime,
    time: EventTime,
    paths: Vec<Path>,
    contribution: Contribution,
}

impl Aggregation {
    /// Begins a tick, which evaluates every group that is looked at.
    pub(in crate::rule::types) fn begin_tick(&mut self, now: EventTime) {
        self.move_on(now);
        self.tick = Some(Tick {
            now,
            stage: Stage::Moving,
            came: VecDeque::new(),
        });
    }

    /// The time of the tick under way.
    pub(in crate::rule::types) fn ticking(&self) -> Option<EventTime> {
        self.tick.as_ref().map(|tick| tick.now)
    }

    /// The next group of the tick under way, or piece of one, as far as there is room. After the last the tick is over.
    pub(in crate::rule::types) fn next(&mut self, part: &mut Part) -> Option<Evaluated> {
        let mut tick = self.tick.take()?;
        while part.has_room() {
            let found = match &mut tick.stage {
                Stage::Moving => {
                    if let Some(stage) = self.moved(part) {
                        tick.stage = stage;
                    }
                    None
                }
                Stage::Groups { groups, left } => {
                    // After the last.
                    let id = groups.next()?;
                    part.act(cost::LOOK);
                    let is_left = left.as_mut().is_none_or(|left| left.remove(&id).is_some());
                    is_left.then(|| self.evaluate(id, tick.now)).flatten()
                }
                Stage::Cutting(cutting) => {
                    if cutting.read(self, part) {
                        part.act(cost::FIND);
                        let pieces = cutting.pieces(self);
                        tick.stage = Stage::Pieces(pieces.into_iter());
                    }
                    None
                }
                Stage::Pieces(pieces) => {
                    part.act(cost::LOOK);
                    let piece = pieces.next();
                    if piece.is_none() {
                        tick.stage = Stage::Counting;
                    }
                    piece
                }
                Stage::Counting => {
                    let came = tick.came.pop_front()?;
                    part.act(cost::LOOK);
                    self.advance(came.now);
                    self.insert(came.time, &came.paths, came.contribution);
                    None
                }
            };
            if found.is_some() {
                self.tick = Some(tick);
                return found;
            }
        }
        self.tick = Some(tick);
        None
    }

    /// Lets events in and out for the tick under way, and finds the groups that it looks at; `None`: there was no room for all that.
    fn moved(&mut self, part: &mut Part) -> Option<Stage> {
        let now = self.now?;
        if !self.let_through(now, part) {
            return None;
        }
        part.act(cost::FIND);
        let groups = self.groups.looked_at();
        part.spend(u64::try_from(groups.len() / 16).unwrap_or(u64::MAX));
        Some(match self.plan.buckets {
            Some(buckets) => Stage::Cutting(Cutting::new(&self.plan, buckets, now, &groups)),
            None => Stage::Groups {
                groups: groups.into_iter(),
                left: None,
            },
        })
    }

    /// Before an event: the groups that it will change, and the time until then, where the tick under way has not looked at them.
    pub(in crate::rule::types) fn settle(&mut self, hit: &Hit, now: EventTime) -> Vec<Evaluated> {
        let Some(mut tick) = self.tick.take() else {
            return Vec::new();
        };
        if matches!(tick.stage, Stage::Moving)
            && let Some(stage) = self.moved(&mut Part::whole())
        {
            tick.stage = stage;
        }
        let mut settled = Vec::new();
        if let Stage::Groups { groups, left } = &mut tick.stage {
            let groups = groups.as_slice().iter().copied();
            let left = left.get_or_insert_with(|| groups.zip(0..).collect());
            let mut due: Vec<(usize, GroupId)> = self
                .changed_by(hit, now)
                .into_iter()
                .filter_map(|id| Some((left.remove(&id)?, id)))
                .collect();
            due.sort_unstable();
            let due = due.into_iter();
            settled.extend(due.filter_map(|(_, id)| self.evaluate(id, tick.now)));
        }
        self.tick = Some(tick);
        settled
    }

    /// The groups that an event changes that comes now, and the time until then.
    fn changed_by(&self, hit: &Hit, now: EventTime) -> Vec<GroupId> {
        let span = self
            .plan
            .span(self.now.map_or(now, |before| before.max(now)));
        let comes = self.future.iter();
        let comes = comes.take_while(|item| item.time.0 < span.to);
        let goes = self.events.iter();
        let goes = goes.take_while(|item| item.time.0 < span.from);
        let (paths, _) = self.plan.read(&hit.sample);
        let own = paths.iter().filter_map(|path| self.groups.known(path));
        let changed = comes.chain(goes).flat_map(|item| item.what.groups());
        changed.copied().chain(own).collect()
    }

    /// Counts an event in that is not evaluated, when no tick is under way.
    pub(in crate::rule::types) fn count_in(&mut self, hit: &Hit, now: EventTime) {
        let Some(tick) = &mut self.tick else {
            self.count(hit, now);
            return;
        };
        let (paths, contribution) = self.plan.read(&hit.sample);
        tick.came.push_back(Came {
            now,
            time: hit.time,
            paths,
            contribution,
        });
    }
}
