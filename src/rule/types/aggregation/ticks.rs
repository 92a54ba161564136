//! Ticks over the groups of an aggregation, a part at a time.

use super::{Aggregation, Evaluated, GroupId};
use crate::event::EventTime;
use crate::rule::part::{Part, cost};
use crate::rule::types::buckets::Cutting;

/// A tick that is not over. Events wait for its end.
pub(super) struct Tick {
    now: EventTime,
    stage: Stage,
}

enum Stage {
    /// Events come into the window and go out of it.
    Moving,
    Groups(std::vec::IntoIter<GroupId>),
    Cutting(Cutting),
    Pieces(std::vec::IntoIter<Evaluated>),
}

impl Aggregation {
    /// Begins a tick, which evaluates every group that is looked at.
    pub(in crate::rule::types) fn begin_tick(&mut self, now: EventTime) {
        self.move_on(now);
        self.tick = Some(Tick {
            now,
            stage: Stage::Moving,
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
                Stage::Groups(groups) => {
                    // After the last.
                    let id = groups.next()?;
                    part.act(cost::LOOK);
                    self.evaluate(id, tick.now)
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
                    let piece = pieces.next()?;
                    part.act(cost::LOOK);
                    Some(piece)
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
            None => Stage::Groups(groups.into_iter()),
        })
    }
}
