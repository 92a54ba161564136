//! `bucket_interval`: the window of an aggregation, cut into pieces that are evaluated one by one.
//!
//! Only ticks do that, over the events as they then are; a piece that violates a bound does so at every tick until it has left the window.

use super::aggregation::{Buckets, Evaluated, Plan};
use super::groups::Path;
use super::metric::Contribution;
use crate::event::EventTime;
use crate::event::time::duration_text;
use crate::rule::window::Window;
use crate::rule::{Hit, Key, StateSize, WindowView};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const SECOND: i64 = 1_000_000;

/// The events that a window may hold.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct BucketWindow {
    events: Window<(Vec<Path>, Contribution)>,
}

/// A window's bounds: the first instant inside, and the first after it; and where its first bucket starts.
struct Span {
    from: i64,
    to: i64,
    origin: i64,
}

impl Span {
    fn new(plan: &Plan, buckets: Buckets, now: EventTime) -> Self {
        let start = now.minus(plan.window).0;
        if buckets.on_the_clock {
            // The bounds are whole seconds then, and Elasticsearch takes such a bound for the whole of its second.
            let start = start - start.rem_euclid(buckets.interval);
            return Self {
                from: start + SECOND,
                to: EventTime(start + SECOND).plus(plan.window).0,
                origin: start,
            };
        }
        Self {
            from: start + 1,
            to: now.0 + 1,
            origin: start - start.rem_euclid(SECOND),
        }
    }
}

impl BucketWindow {
    /// Notes an event.
    pub(super) fn add(&mut self, plan: &Plan, hit: &Hit) {
        let (paths, contribution) = plan.read(&hit.sample);
        if !paths.is_empty() {
            self.events.insert(hit.time, (paths, contribution));
        }
    }

    /// Evaluates the buckets of every group that is looked at.
    pub(super) fn tick(&mut self, plan: &Plan, buckets: Buckets, now: EventTime) -> Vec<Evaluated> {
        let margin =
            Duration::from_micros(buckets.interval.unsigned_abs()) + Duration::from_secs(1);
        while self.events.pop_older(now, plan.window + margin).is_some() {}
        let span = Span::new(plan, buckets, now);
        let events = self
            .events
            .iter()
            .filter(|event| (span.from..span.to).contains(&event.time.0));
        let mut groups = plan.groups();
        let mut by_path: HashMap<&Path, Vec<(i64, &Contribution)>> = HashMap::new();
        for event in events {
            let (paths, contribution) = &event.what;
            let ids = groups.hold(paths);
            groups.enter(&ids, contribution);
            for path in paths {
                by_path
                    .entry(path)
                    .or_default()
                    .push((event.time.0, contribution));
            }
        }
        let looked_at = groups.looked_at().into_iter().map(|id| groups.path(id));
        looked_at
            .flat_map(|path| {
                let events = by_path.remove(&path).unwrap_or_default();
                cut(plan, buckets, span.origin, &path, &events)
            })
            .collect()
    }

    /// The window as it stands: its pieces are made and looked at by ticks.
    pub(super) fn view(&self, plan: &Plan) -> WindowView {
        let (oldest, newest) = (self.events.oldest(), self.events.newest());
        let (count, window) = (self.events.len(), duration_text(plan.window));
        let says = format!("{count} events of {window}, which every tick cuts into pieces");
        WindowView {
            oldest: oldest.map(|oldest| oldest.time),
            newest: newest.map(|newest| newest.time),
            expires: oldest.map(|oldest| oldest.time.plus(plan.window)),
            ..WindowView::new(&Key::All, count, says)
        }
    }

    pub(super) fn size(&self) -> StateSize {
        StateSize {
            keys: 0,
            events: u64::try_from(self.events.len()).unwrap_or(u64::MAX),
        }
    }
}

/// The buckets of one group, from the first with events to the last with events.
fn cut(
    plan: &Plan,
    buckets: Buckets,
    origin: i64,
    path: &Path,
    events: &[(i64, &Contribution)],
) -> Vec<Evaluated> {
    let mut found = Vec::new();
    let number = |time: i64| (time - origin).div_euclid(buckets.interval);
    let mut events = events.iter().peekable();
    let Some(first) = events.peek().map(|(time, _)| number(*time)) else {
        return found;
    };
    for bucket in first.. {
        let mut accumulator = plan.kind.accumulator();
        let mut documents = 0;
        while let Some((_, contribution)) = events.next_if(|(time, _)| number(*time) == bucket) {
            accumulator.add(contribution);
            documents += 1;
        }
        found.push(Evaluated {
            path: path.clone(),
            time: EventTime(origin + bucket * buckets.interval),
            documents,
            value: accumulator.value(),
        });
        if events.peek().is_none() {
            break;
        }
    }
    found
}
