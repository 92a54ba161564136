//! The states of `metric_aggregation` and `percentage_match`: evaluate, and remember nothing of it.

use super::aggregation::{Aggregation, Evaluated, Plan, SavedAggregation};
use super::buckets::BucketWindow;
use crate::event::EventTime;
use crate::rule::{Gap, Hit, Match, RuleState, StateSize, Wanted, WindowView, saved};
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
    let settings = Arc::clone(settings);
    match settings.plan().buckets {
        None => Box::new(State {
            aggregation: Aggregation::new(settings.plan()),
            settings,
        }),
        Some(_) => Box::new(BucketState {
            window: BucketWindow::default(),
            settings,
        }),
    }
}

struct State<E> {
    settings: Arc<E>,
    aggregation: Aggregation,
}

impl<E: Evaluate> RuleState for State<E> {
    fn add(&mut self, hit: &Hit, now: EventTime, out: &mut Vec<Match>) {
        let groups = self.aggregation.add(hit, now);
        out.extend(
            groups
                .iter()
                .filter_map(|group| self.settings.check(group, now)),
        );
    }

    fn tick(&mut self, now: EventTime, out: &mut Vec<Match>) {
        let groups = self.aggregation.tick(now);
        out.extend(
            groups
                .iter()
                .filter_map(|group| self.settings.check(group, now)),
        );
    }

    fn resume(&mut self, gap: &Gap) {
        self.aggregation.resume(gap);
    }

    fn save(&self) -> Vec<u8> {
        saved::save(1, &self.aggregation.to_saved())
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        let saved: SavedAggregation = saved::load(1, saved)?;
        self.aggregation = Aggregation::from_saved(self.settings.plan(), saved);
        Ok(())
    }

    fn views(&self, wanted: &Wanted<'_>) -> Vec<WindowView> {
        self.aggregation
            .views(wanted, |group| self.settings.says(group))
    }

    fn size(&self) -> StateSize {
        self.aggregation.size()
    }
}

struct BucketState<E> {
    settings: Arc<E>,
    window: BucketWindow,
}

impl<E: Evaluate> RuleState for BucketState<E> {
    fn add(&mut self, hit: &Hit, _: EventTime, _: &mut Vec<Match>) {
        self.window.add(self.settings.plan(), hit);
    }

    fn tick(&mut self, now: EventTime, out: &mut Vec<Match>) {
        let plan = self.settings.plan();
        if let Some(buckets) = plan.buckets {
            let groups = self.window.tick(plan, buckets, now);
            out.extend(
                groups
                    .iter()
                    .filter_map(|group| self.settings.check(group, now)),
            );
        }
    }

    fn save(&self) -> Vec<u8> {
        saved::save(1, &self.window)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        self.window = saved::load(1, saved)?;
        Ok(())
    }

    fn views(&self, _: &Wanted<'_>) -> Vec<WindowView> {
        vec![self.window.view(self.settings.plan())]
    }

    fn size(&self) -> StateSize {
        self.window.size()
    }
}
