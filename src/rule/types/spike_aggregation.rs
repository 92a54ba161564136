//! `spike_aggregation`: a match when a metric over the events of the last `buffer_time` jumps up or drops.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#spike-aggregation>. Each evaluation of the metric is a sample, and the samples go through
//! the windows of `spike`. An evaluation without a value, on which ElastAlert fails, moves the windows on and counts nothing.

use super::aggregation::{self, Aggregation, Evaluated, Plan, SavedAggregation, joined};
use super::metric::{self, Metric, MetricKind};
use super::source::{self, time_document};
use super::spike_windows::{
    ALERT_ON_NEW_DATA, Amount, Cells, Inserted, Measure, SPIKE_HEIGHT, SPIKE_TYPE, Spike,
    SpikeSettings, THRESHOLD_CUR, THRESHOLD_REF, UntimedCells, float, integer,
};
use super::{TIMEFRAME, no_advice};
use crate::config::{Problem, Properties};
use crate::event::time::duration_text;
use crate::event::{Document, EventTime, FieldPath, python};
use crate::rule::{
    Built, Common, Gap, Hit, Key, Match, Observed, Part, RuleState, RuleType, RuleTypeEntry,
    StateSize, Verdict, Wanted, WindowView, saved,
};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

pub(super) const ENTRY: RuleTypeEntry = RuleTypeEntry {
    name: "spike_aggregation",
    doc: "Matches when a metric over the last events jumps up or drops.",
    options: &[
        metric::METRIC_AGG_KEY,
        metric::METRIC_AGG_TYPE,
        metric::PERCENTILE_RANGE,
        metric::METRIC_AGG_SCRIPT,
        SPIKE_HEIGHT,
        SPIKE_TYPE,
        TIMEFRAME,
        THRESHOLD_CUR,
        THRESHOLD_REF,
        ALERT_ON_NEW_DATA,
        aggregation::BUFFER_TIME,
        aggregation::USE_RUN_EVERY,
        aggregation::OVERLAP,
        aggregation::BUCKET_INTERVAL,
        aggregation::TERMS_SIZE,
        aggregation::MIN_DOC_COUNT,
        source::DOC_TYPE,
    ],
    build,
    advice: no_advice,
};

#[derive(Debug)]
struct Settings {
    metric: Metric,
    plan: Arc<Plan>,
    spike: SpikeSettings,
    time: FieldPath,
}

#[derive(Debug)]
struct SpikeAggregation(Arc<Settings>);

fn build(properties: &Properties, common: &Common) -> Built {
    if let Some(node) = properties
        .get("bucket_interval")
        .filter(|node| !node.is_null())
    {
        let message = "bucket_interval does not go together with spike_aggregation";
        let help = "timeframe says which windows are compared, buffer_time what the metric is computed over";
        return Err(vec![
            Problem::error("E0436", &node.span, message).help(help),
        ]);
    }
    let metric = Metric::load(properties, common)?;
    let measure = match metric.kind {
        MetricKind::Avg => Measure::Mean,
        MetricKind::Min => Measure::Min,
        MetricKind::Max => Measure::Max,
        MetricKind::Sum
        | MetricKind::Cardinality
        | MetricKind::ValueCount
        | MetricKind::Percentile(_)
        | MetricKind::Matches => Measure::Sum,
    };
    let plan = Plan::load(properties, common, metric.kind, Some(metric.field.clone()))?;
    Ok(Arc::new(SpikeAggregation(Arc::new(Settings {
        metric,
        plan: Arc::new(plan),
        spike: SpikeSettings::load(properties, common, measure)?,
        time: common.time.path.clone(),
    }))))
}

impl RuleType for SpikeAggregation {
    fn fields(&self) -> &[FieldPath] {
        &self.0.plan.fields
    }

    fn asks_the_index(&self) -> bool {
        true
    }

    fn sample(&self, event: &Observed<'_>) -> Verdict {
        let plan = &self.0.plan;
        let metric = || event.fields.field(plan.depth()).to_value();
        Verdict::Sample(plan.sample(event.fields, metric))
    }

    fn horizon(&self) -> Option<Duration> {
        // The first samples of the reference window are whole only when the metric's window is.
        Some(self.0.plan.window + self.0.spike.timeframe * 2)
    }

    fn state(&self) -> Box<dyn RuleState> {
        Box::new(State {
            aggregation: Aggregation::new(&self.0.plan),
            cells: Cells::default(),
            settings: Arc::clone(&self.0),
        })
    }

    fn text(&self, matched: &Document, times: &dyn Fn(&Value, Duration) -> String) -> String {
        let settings = &*self.0;
        let time = settings.time.get(matched).unwrap_or(&Value::Null);
        let around = times(time, Duration::ZERO);
        let rounded = |name: &str| python::str(&round(matched.get(name).unwrap_or(&Value::Null)));
        let (cur, reference) = (rounded("spike_count"), rounded("reference_count"));
        let Metric { type_name, key, .. } = &settings.metric;
        let within = duration_text(settings.spike.timeframe);
        format!(
            "An abnormal {type_name} of {key} ({cur}) occurred around {around}.\nPreceding that time, there was a {type_name} of {key} of ({reference}) within {within}\n\n"
        )
    }
}

/// Python's `round(value, 2)`: the nearest number with two places to what the float really is.
fn round(value: &Value) -> Value {
    match value {
        Value::Number(number) if !python::is_integer(number) => {
            let exact = python::number_value(value).unwrap_or(f64::NAN);
            format!("{exact:.2}").parse().map_or(Value::Null, float)
        }
        other => other.clone(),
    }
}

struct State {
    settings: Arc<Settings>,
    aggregation: Aggregation,
    cells: Cells,
}

impl State {
    /// Puts a group's value into its windows.
    fn sample(&mut self, group: &Evaluated, out: &mut Vec<Match>) {
        let settings = &*self.settings;
        let key = match &*group.path {
            [] => Key::All,
            path => Key::Text(joined(path).into()),
        };
        let inserted = Inserted {
            time: group.time,
            amount: group.value.map_or(Amount::NONE, Amount::new),
            event: None,
            now: group.time,
        };
        let spike = self.cells.insert(&settings.spike, &key, &inserted);
        out.extend(spike.map(|spike| settings.matched(&key, &spike)));
    }
}

impl Settings {
    fn matched(&self, key: &Key, spike: &Spike) -> Match {
        let mut document = time_document(&self.plan.time_name, spike.time);
        if let Some(query_key) = &self.plan.query_key {
            document.insert(query_key.name.clone(), key.to_value());
        }
        let number = if self.metric.kind.is_integer() {
            integer
        } else {
            float
        };
        document.extend(spike.counts(number));
        Match::synthetic(document)
    }
}

impl RuleState for State {
    fn add(&mut self, hit: &Hit, now: EventTime, part: &mut Part, out: &mut Vec<Match>) -> bool {
        if !self.aggregation.advance(now, part) {
            return false;
        }
        for group in self.aggregation.add(hit, now) {
            self.sample(&group, out);
        }
        true
    }

    fn tick(&mut self, now: EventTime, _: &mut Part, _: &mut Vec<Match>) {
        self.aggregation.begin_tick(now);
    }

    fn go_on(&mut self, part: &mut Part, out: &mut Vec<Match>) -> bool {
        while let Some(group) = self.aggregation.next(part) {
            self.sample(&group, out);
        }
        self.aggregation.ticking().is_none()
    }

    fn waits_for_ticks(&self) -> bool {
        true
    }

    fn resume(&mut self, gap: &Gap) {
        self.aggregation.resume(gap);
        self.cells.resume(&self.settings.spike, gap);
    }

    fn save(&self) -> Vec<u8> {
        saved::save(3, &(self.aggregation.to_saved(), &self.cells))
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        let (aggregation, mut cells): (SavedAggregation, Cells) = if saved.first() == Some(&2) {
            let (aggregation, cells): (_, UntimedCells) = saved::load(2, saved)?;
            (aggregation, cells.into())
        } else {
            saved::load(3, saved)?
        };
        cells.measure(&self.settings.spike);
        self.aggregation = Aggregation::from_saved(&self.settings.plan, aggregation);
        self.cells = cells;
        Ok(())
    }

    fn views(&self, wanted: &Wanted<'_>) -> Vec<WindowView> {
        self.cells.views(&self.settings.spike, wanted)
    }

    fn judge_like(&mut self, empty: &dyn RuleState) {
        if let Some(empty) = empty.as_type::<Self>() {
            self.settings = Arc::clone(&empty.settings);
            self.aggregation.limit_like(&self.settings.plan);
        }
    }

    fn size(&self) -> StateSize {
        let (events, samples) = (self.aggregation.size(), self.cells.size());
        StateSize {
            keys: samples.keys,
            events: events.events + samples.events,
        }
    }
}
