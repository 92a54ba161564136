//! What the aggregation types have in common: the events of the last `buffer_time`, their groups, and when those are evaluated.
//!
//! ElastAlert asks Elasticsearch for metrics over its polling window. Here the window is kept: it is evaluated for an event's own groups when the event
//! arrives, and for all groups at ticks. With `bucket_interval` only ticks evaluate, and other spans, see [`super::buckets`].

mod ticks;

use super::groups::{GroupId, Groups, Limits, Path, paths};
use super::metric::{Contribution, MetricKind};
use super::source::time_document;
use crate::config::{OptionSpec, Problem, Properties, opt};
use crate::event::time::duration_text;
use crate::event::{Document, EventTime, FieldPath, Fields};
use crate::rule::part::{Part, cost};
use crate::rule::window::Window;
use crate::rule::{
    Common, Gap, Hit, Key, LOOKED_AT, QueryKey, Sample, StateSize, Wanted, WindowView,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use ticks::Tick;

pub(super) const BUFFER_TIME: OptionSpec = opt("buffer_time")
    .duration()
    .doc("How far back events are looked at.");
pub(super) const USE_RUN_EVERY: OptionSpec = opt("use_run_every_query_size")
    .bool()
    .default("false")
    .doc("Look back run_every instead of buffer_time.");
pub(super) const OVERLAP: OptionSpec = opt("allow_buffer_time_overlap")
    .bool()
    .no_effect("there are no queries whose windows could overlap")
    .doc("Whether a poll asks for a whole buffer_time when less has passed since the last one.");
pub(super) const TERMS_SIZE: OptionSpec = opt("terms_size")
    .judges()
    .int()
    .default("50")
    .doc("How many values of query_key are looked at: those with most events.");
pub(super) const MIN_DOC_COUNT: OptionSpec = opt("min_doc_count")
    .judges()
    .may_be_empty()
    .int()
    .default("1")
    .doc("How many events a value of query_key needs to be looked at.");
pub(super) const BUCKET_INTERVAL: OptionSpec = opt("bucket_interval")
    .duration()
    .doc("Cut the window into pieces of this length and look at each.");
pub(super) const SYNC_BUCKETS: OptionSpec = opt("sync_bucket_interval")
    .bool()
    .default("false")
    .doc("Whether the pieces begin at multiples of bucket_interval on the clock.");

/// How a rule aggregates.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) kind: MetricKind,
    /// How far back events are looked at.
    pub(super) window: Duration,
    pub(super) query_key: Option<QueryKey>,
    pub(super) limits: Limits,
    pub(super) buckets: Option<Buckets>,
    pub(super) time_name: String,
    /// The key's fields, then the metric's.
    pub(super) fields: Vec<FieldPath>,
}

/// `bucket_interval`, in microseconds, and `sync_bucket_interval`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buckets {
    pub(super) interval: i64,
    pub(super) on_the_clock: bool,
}

impl Plan {
    pub(super) fn load(
        properties: &Properties,
        common: &Common,
        kind: MetricKind,
        field: Option<FieldPath>,
    ) -> Result<Self, Vec<Problem>> {
        let (window, window_name) = if properties.bool("use_run_every_query_size") == Some(true) {
            (common.run_every, "run_every")
        } else {
            (common.buffer_time, "buffer_time")
        };
        let mut fields = common
            .query_key
            .as_ref()
            .map_or_else(Vec::new, |key| key.fields.clone());
        fields.extend(field);
        let size = properties.int("terms_size").unwrap_or(50);
        let min_doc_count = properties.int("min_doc_count").unwrap_or(1);
        Ok(Self {
            kind,
            window,
            query_key: common.query_key.clone(),
            limits: Limits {
                size: usize::try_from(size).unwrap_or(0),
                min_doc_count: u64::try_from(min_doc_count).unwrap_or(0),
            },
            buckets: buckets(properties, common, window, window_name)?,
            time_name: common.time.path.as_str().to_owned(),
            fields,
        })
    }

    /// How many fields make a group.
    pub(super) fn depth(&self) -> usize {
        self.query_key.as_ref().map_or(0, |key| key.fields.len())
    }

    /// Empty groups.
    pub(super) fn groups(&self) -> Groups {
        Groups::new(self.kind, self.depth(), self.limits)
    }

    /// What is needed of an event; the metric's value comes last.
    pub(super) fn sample(&self, fields: &dyn Fields, metric: impl FnOnce() -> Value) -> Sample {
        let key = (0..self.depth()).map(|position| fields.field(position).to_value());
        let mut values: Vec<Value> = key.collect();
        values.push(metric());
        Sample {
            key: Key::All,
            values,
        }
    }

    /// The groups of an event, and what it contributes to them.
    pub(super) fn read(&self, sample: &Sample) -> (Vec<Path>, Contribution) {
        match sample.values.split_last() {
            Some((metric, parts)) => (paths(parts), self.kind.contribution(metric)),
            None => (Vec::new(), Contribution::Nothing),
        }
    }

    /// The beginning of a match: its time, and the group. One field makes nested objects of its dotted name; several stand under their own names,
    /// and once more together.
    pub(super) fn document(&self, path: &[Key], time: EventTime) -> Document {
        let mut document = time_document(&self.time_name, time);
        match (&self.query_key, path) {
            (Some(query_key), [key]) => {
                let mut names = query_key.name.rsplit('.');
                let innermost = names.next().unwrap_or_default().to_owned();
                let (name, value) =
                    names.fold((innermost, key.to_value()), |(name, value), outer| {
                        let object = Document::from_iter([(name, value)]);
                        (outer.to_owned(), Value::Object(object))
                    });
                document.insert(name, value);
            }
            (Some(query_key), keys) => {
                for (field, key) in query_key.fields.iter().zip(keys) {
                    document.insert(field.as_str().to_owned(), key.to_value());
                }
                document.insert(query_key.name.clone(), Value::from(joined(keys)));
            }
            (None, _) => {}
        }
        document
    }
}

/// The values of a compound group as one text; unlike those of other types without a blank.
pub(super) fn joined(path: &[Key]) -> String {
    let texts: Vec<String> = path.iter().map(Key::text).collect();
    texts.join(",")
}

/// The units of which ElastAlert wants one in `bucket_interval`.
const BUCKET_UNITS: [&str; 5] = ["seconds", "minutes", "hours", "days", "weeks"];

fn buckets(
    properties: &Properties,
    common: &Common,
    window: Duration,
    window_name: &str,
) -> Result<Option<Buckets>, Vec<Problem>> {
    let Some(node) = properties
        .get("bucket_interval")
        .filter(|node| !node.is_null())
    else {
        return Ok(None);
    };
    let units = node.as_map();
    if units.is_some_and(|units| units.0.is_empty()) {
        return Ok(None);
    }
    let has = |unit: &&str| units.is_some_and(|units| units.get(unit).is_some());
    if units.is_some() && !BUCKET_UNITS.iter().any(has) {
        let message = "bucket_interval needs seconds, minutes, hours, days or weeks";
        return Err(vec![Problem::error("E0432", &node.span, message)]);
    }
    let interval = crate::config::duration(node).filter(|interval| !interval.is_zero());
    let Some(interval) = interval else {
        let message = "bucket_interval must be longer than nothing";
        return Err(vec![Problem::error("E0432", &node.span, message)]);
    };
    if !window.as_micros().is_multiple_of(interval.as_micros()) {
        let message = format!("{window_name} must be a multiple of bucket_interval");
        let help = format!(
            "{window_name} is {}, bucket_interval {}",
            duration_text(window),
            duration_text(interval)
        );
        let mut problem = Problem::error("E0432", &node.span, message).help(help);
        if let Some((key, _)) = properties.entry(window_name) {
            problem = problem.related(&key.span, format!("{window_name} is set here"));
        }
        return Err(vec![problem]);
    }
    let interval = i64::try_from(interval.as_micros()).map_err(|_| {
        vec![Problem::error(
            "E0432",
            &common.span,
            "bucket_interval is too long",
        )]
    })?;
    Ok(Some(Buckets {
        interval,
        on_the_clock: properties.bool("sync_bucket_interval") == Some(true),
    }))
}

/// The events of the last `buffer_time` by their groups, always up to date.
pub(super) struct Aggregation {
    plan: Arc<Plan>,
    events: Window<Event>,
    /// Events of the future, which are in no group yet.
    future: Window<Event>,
    now: Option<EventTime>,
    groups: Groups,
    tick: Option<Tick>,
}

/// An event's innermost groups, and what it contributes to them. Windows are long, and most events have one group and at most one number.
pub(super) enum Event {
    Nothing(GroupId),
    Count(GroupId, u32),
    Number(GroupId, f64),
    Other(Box<(Box<[GroupId]>, Contribution)>),
}

impl Event {
    fn new(groups: Box<[GroupId]>, contribution: Contribution) -> Self {
        match (&*groups, contribution) {
            (&[group], Contribution::Nothing) => Self::Nothing(group),
            (&[group], Contribution::Count(count)) => Self::Count(group, count),
            (&[group], Contribution::Number(number)) => Self::Number(group, number),
            (_, contribution) => Self::Other(Box::new((groups, contribution))),
        }
    }

    pub(super) fn groups(&self) -> &[GroupId] {
        match self {
            Self::Nothing(group) | Self::Count(group, _) | Self::Number(group, _) => {
                std::slice::from_ref(group)
            }
            Self::Other(other) => &other.0,
        }
    }

    pub(super) fn contribution(&self) -> Cow<'_, Contribution> {
        match self {
            Self::Nothing(_) => Cow::Owned(Contribution::Nothing),
            Self::Count(_, count) => Cow::Owned(Contribution::Count(*count)),
            Self::Number(_, number) => Cow::Owned(Contribution::Number(*number)),
            Self::Other(other) => Cow::Borrowed(&other.1),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Saved {
    now: Option<EventTime>,
    events: Vec<(EventTime, Vec<Path>, Contribution)>,
}

/// One group, evaluated.
pub(super) struct Evaluated {
    pub(super) path: Path,
    /// When: now, or the start of its bucket.
    pub(super) time: EventTime,
    pub(super) documents: u64,
    pub(super) value: Option<f64>,
}

impl Aggregation {
    pub(super) fn new(plan: &Arc<Plan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            events: Window::default(),
            future: Window::default(),
            now: None,
            groups: plan.groups(),
            tick: None,
        }
    }

    /// Time passed: events come in from the future, and old ones leave, as far as there is room. Time never runs backwards here. Whether all are through.
    pub(super) fn advance(&mut self, now: EventTime, part: &mut Part) -> bool {
        let now = self.move_on(now);
        self.let_through(now, part)
    }

    fn move_on(&mut self, now: EventTime) -> EventTime {
        let now = self.now.map_or(now, |before| before.max(now));
        self.now = Some(now);
        now
    }

    /// Lets events in and out as the time says; whether all are through.
    fn let_through(&mut self, now: EventTime, part: &mut Part) -> bool {
        let span = self.plan.span(now);
        let (last, gone) = (EventTime(span.to - 1), EventTime(span.from - 1));
        while part.has_room() {
            if let Some(event) = self.future.pop_older(last, Duration::ZERO) {
                let what = &event.what;
                self.groups.enter(what.groups(), &what.contribution());
                self.events.insert(event.time, event.what);
            } else if let Some(event) = self.events.pop_older(gone, Duration::ZERO) {
                let what = &event.what;
                self.groups.leave(what.groups(), &what.contribution());
                self.groups.release(what.groups());
            } else {
                return true;
            }
            part.act(cost::FIND);
        }
        false
    }

    /// Counts an event in.
    pub(super) fn count(&mut self, hit: &Hit, now: EventTime) -> Vec<Path> {
        self.advance(now, &mut Part::whole());
        let (paths, contribution) = self.plan.read(&hit.sample);
        self.insert(hit.time, &paths, contribution);
        paths
    }

    /// Counts an event in, and evaluates its groups.
    pub(super) fn add(&mut self, hit: &Hit, now: EventTime) -> Vec<Evaluated> {
        let paths = self.count(hit, now);
        let own = paths.iter().filter_map(|path| self.groups.find(path));
        let mut own: Vec<GroupId> = own.collect();
        self.groups.sort(&mut own);
        let own = own.into_iter();
        own.filter_map(|id| self.evaluate(id, now)).collect()
    }

    fn insert(&mut self, time: EventTime, paths: &[Path], contribution: Contribution) {
        if let Some(event) = self.hold(time, paths, contribution) {
            self.groups.enter(event.groups(), &event.contribution());
            self.events.insert(time, event);
        }
    }

    /// Makes the groups of an event and keeps it if it is of the future. One that is to be counted in now is given back.
    fn hold(
        &mut self,
        time: EventTime,
        paths: &[Path],
        contribution: Contribution,
    ) -> Option<Event> {
        let span = self.plan.span(self.now.unwrap_or(time));
        if paths.is_empty() || time.0 < span.from {
            return None;
        }
        let event = Event::new(self.groups.hold(paths), contribution);
        if time.0 < span.to {
            return Some(event);
        }
        self.future.insert(time, event);
        None
    }

    pub(super) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// The events that are looked at, oldest first, after the first so many.
    pub(super) fn events_from(&self, place: usize) -> impl Iterator<Item = (EventTime, &Event)> {
        let events = self.events.iter_from(place);
        events.map(|item| (item.time, &item.what))
    }

    /// A group without events is none, except the only one of a rule without groups.
    fn evaluate(&self, id: GroupId, time: EventTime) -> Option<Evaluated> {
        let documents = self.groups.documents(id);
        (documents > 0 || self.plan.depth() == 0).then(|| Evaluated {
            path: self.groups.path(id),
            time,
            documents: u64::from(documents),
            value: self.groups.value(id),
        })
    }

    /// Looks at so many groups from now on as another plan of the same windows says.
    pub(super) fn limit_like(&mut self, plan: &Arc<Plan>) {
        self.plan = Arc::clone(plan);
        self.groups.limit(plan.limits);
    }

    /// The clock may have been set back.
    pub(super) fn resume(&mut self, gap: &Gap) {
        self.now = self.now.map(|now| now.min(gap.to));
    }

    /// The groups that are looked at, as the last event or tick left them; `says` tells of a value in words, and how far it is from a match.
    pub(super) fn views(
        &self,
        wanted: &Wanted<'_>,
        says: impl Fn(&Evaluated) -> (String, Option<f64>),
    ) -> Vec<WindowView> {
        let now = self.now.unwrap_or(wanted.now);
        let ids = self.groups.looked_at().into_iter().take(LOOKED_AT);
        let groups = ids.filter_map(|id| self.evaluate(id, now));
        let is_grouped = self.plan.depth() > 0;
        let (oldest, newest) = (self.events.oldest(), self.events.newest());
        let views = groups.filter_map(|group| {
            let key = match &*group.path {
                [] => Key::All,
                path => Key::Text(joined(path).into()),
            };
            if is_grouped && !wanted.means(&key.text()) {
                return None;
            }
            let (says, distance) = says(&group);
            let documents = usize::try_from(group.documents).unwrap_or(usize::MAX);
            // Of groups it is not known which events are theirs.
            let oldest = oldest.filter(|_| !is_grouped).map(|oldest| oldest.time);
            Some(WindowView {
                oldest,
                newest: newest.filter(|_| !is_grouped).map(|newest| newest.time),
                expires: oldest.map(|oldest| oldest.plus(self.plan.window)),
                distance,
                ..WindowView::new(&key, documents, says)
            })
        });
        views.collect()
    }

    /// The window of a rule with `bucket_interval` as it stands: its pieces are made and looked at by ticks.
    pub(super) fn uncut_view(&self) -> WindowView {
        let all = || self.events.iter().chain(self.future.iter());
        let (oldest, newest) = (all().next(), all().next_back());
        let (count, window) = (
            self.events.len() + self.future.len(),
            duration_text(self.plan.window),
        );
        let says = format!("{count} events of {window}, which every tick cuts into pieces");
        WindowView {
            oldest: oldest.map(|oldest| oldest.time),
            newest: newest.map(|newest| newest.time),
            expires: oldest.map(|oldest| oldest.time.plus(self.plan.window)),
            ..WindowView::new(&Key::All, count, says)
        }
    }

    pub(super) fn size(&self) -> StateSize {
        StateSize {
            keys: u64::try_from(self.groups.len()).unwrap_or(u64::MAX),
            events: u64::try_from(self.events.len() + self.future.len()).unwrap_or(u64::MAX),
        }
    }

    /// What is remembered, in a form that can be saved; sums and groups follow from it.
    pub(super) fn to_saved(&self) -> impl Serialize + use<> {
        let events = self.events.iter().chain(self.future.iter()).map(|event| {
            let groups = event.what.groups().iter();
            let paths: Vec<Path> = groups.map(|group| self.groups.path(*group)).collect();
            (event.time, paths, event.what.contribution().into_owned())
        });
        Saved {
            now: self.now,
            events: events.collect(),
        }
    }

    /// The opposite of [`Aggregation::to_saved`].
    pub(super) fn from_saved(plan: &Arc<Plan>, saved: SavedAggregation) -> Self {
        let mut aggregation = Self::new(plan);
        aggregation.now = saved.0.now;
        for (time, paths, contribution) in saved.0.events {
            if let Some(event) = aggregation.hold(time, &paths, contribution) {
                aggregation.events.insert(time, event);
            }
        }
        let events = aggregation.events.iter().map(|item| &item.what);
        let events = events.map(|event| (event.groups(), event.contribution()));
        aggregation.groups.enter_first(events);
        aggregation
    }
}

/// A saved [`Aggregation`].
#[derive(Deserialize)]
pub(super) struct SavedAggregation(Saved);

/// The events of a rule with `bucket_interval` as version 1 of its state had them, oldest first.
#[derive(Deserialize)]
pub(super) struct UntimedEvents(Vec<(EventTime, Vec<Path>, Contribution)>);

impl From<UntimedEvents> for SavedAggregation {
    fn from(UntimedEvents(events): UntimedEvents) -> Self {
        // The first event or tick brings in those of them that are not of the future.
        let now = events.first().map(|(time, ..)| *time);
        Self(Saved { now, events })
    }
}
