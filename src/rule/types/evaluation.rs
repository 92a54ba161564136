//! The states of `metric_aggregation` and `percentage_match`: evaluate, and remember nothing of it.

use super::aggregation::{Aggregation, Evaluated, Plan, SavedAggregation, UntimedEvents};
use crate::event::EventTime;
use crate::rule::{Gap, Hit, Match, Part, RuleState, StateSize, Wanted, WindowView, saved};
use std::sync::Arc;

/// What a type makes of an evaluated group.
pub(super) trait Evaluate: Send + Sync + 'static {
    /// How it aggregates.
    fn plan(&self) -> &Arc<Plan>;

    /// A group's value in words, and how far it is from a match.
    fn says(&self, group: &Evaluated) -> (String, Option<f64>);

    /// The match of a group, if its value is outside the bounds.
    fn check(&self, group: &Evaluated, now: EventTime) -> Option<Match>;
}

/// The state of a type that evaluates.
pub(super) fn state<E: Evaluate>(settings: &Arc<E>) -> Box<dyn RuleState> {
    Box::new(State {
        aggregation: Aggregation::new(settings.plan()),
        settings: Arc::clone(settings),
    })
}

struct State<E> {
    settings: Arc<E>,
    aggregation: Aggregation,
}

impl<E: Evaluate> State<E> {
    fn check(&self, groups: &[Evaluated], now: EventTime, out: &mut Vec<Match>) {
        let matches = groups.iter();
        out.extend(matches.filter_map(|group| self.settings.check(group, now)));
    }
}

impl<E: Evaluate> RuleState for State<E> {
    fn add(&mut self, hit: &Hit, now: EventTime, part: &mut Part, out: &mut Vec<Match>) -> bool {
        if !self.aggregation.advance(now, part) {
            return false;
        }
        if self.settings.plan().buckets.is_some() {
            self.aggregation.count(hit, now);
        } else {
            let groups = self.aggregation.add(hit, now);
            self.check(&groups, now, out);
        }
        true
    }

    fn tick(&mut self, now: EventTime, _: &mut Part, _: &mut Vec<Match>) {
        self.aggregation.begin_tick(now);
    }

    fn go_on(&mut self, part: &mut Part, out: &mut Vec<Match>) -> bool {
        if let Some(now) = self.aggregation.ticking() {
            while let Some(group) = self.aggregation.next(part) {
                out.extend(self.settings.check(&group, now));
            }
        }
        self.aggregation.ticking().is_none()
    }

    fn waits_for_ticks(&self) -> bool {
        true
    }

    fn resume(&mut self, gap: &Gap) {
        self.aggregation.resume(gap);
    }

    fn save(&self) -> Vec<u8> {
        saved::save(2, &self.aggregation.to_saved())
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        let is_cut = self.settings.plan().buckets.is_some();
        let saved: SavedAggregation = match saved.first() {
            Some(1) if is_cut => saved::load::<UntimedEvents>(1, saved)?.into(),
            Some(1) => saved::load(1, saved)?,
            _ => saved::load(2, saved)?,
        };
        self.aggregation = Aggregation::from_saved(self.settings.plan(), saved);
        Ok(())
    }

    fn views(&self, wanted: &Wanted<'_>) -> Vec<WindowView> {
        if self.settings.plan().buckets.is_some() {
            return vec![self.aggregation.uncut_view()];
        }
        self.aggregation
            .views(wanted, |group| self.settings.says(group))
    }

    fn judge_like(&mut self, empty: &dyn RuleState) {
        if let Some(empty) = empty.as_type::<Self>() {
            self.settings = Arc::clone(&empty.settings);
            self.aggregation.limit_like(self.settings.plan());
        }
    }

    fn size(&self) -> StateSize {
        self.aggregation.size()
    }
}
