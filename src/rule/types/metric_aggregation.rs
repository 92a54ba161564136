//! `metric_aggregation`: a match when a metric over the events of the last `buffer_time` is outside its bounds.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#metric-aggregation>. Every evaluation outside the bounds is a match; `realert` keeps them apart.

use super::aggregation::{self, Evaluated, Plan};
use super::bounds::{Bounds, NumberFormat};
use super::evaluation::{self, Evaluate};
use super::metric::{self, Metric, MetricKind, metric_value};
use super::{no_advice, source};
use crate::config::{Properties, opt};
use crate::event::{Document, EventTime, FieldPath, python};
use crate::rule::{Built, Common, Match, Observed, RuleState, RuleType, RuleTypeEntry, Verdict};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

pub(super) const ENTRY: RuleTypeEntry = RuleTypeEntry {
    name: "metric_aggregation",
    doc: "Matches when a metric over the last events is outside its bounds.",
    options: &[
        metric::METRIC_AGG_KEY,
        metric::METRIC_AGG_TYPE,
        metric::PERCENTILE_RANGE,
        metric::METRIC_AGG_SCRIPT,
        opt("max_threshold").judges().number().doc("A value above this is a match."),
        opt("min_threshold").judges().number().doc("A value below this is a match."),
        opt("metric_format_string").judges().doc(
            "How the value is written beside the number itself: Python's str.format if it begins with a brace, else %.",
        ),
        aggregation::BUFFER_TIME,
        aggregation::USE_RUN_EVERY,
        aggregation::OVERLAP,
        aggregation::BUCKET_INTERVAL,
        aggregation::SYNC_BUCKETS,
        aggregation::TERMS_SIZE,
        aggregation::MIN_DOC_COUNT,
        source::DOC_TYPE,
        super::UNUSED_TIMEFRAME,
    ],
    build,
    advice: no_advice,
};

#[derive(Debug)]
struct Settings {
    metric: Metric,
    plan: Arc<Plan>,
    bounds: Bounds,
    format: Option<NumberFormat>,
    /// The name of the match's member with the value.
    name: String,
}

#[derive(Debug)]
struct MetricAggregation(Arc<Settings>);

fn build(properties: &Properties, common: &Common) -> Built {
    let metric = Metric::load(properties, common)?;
    let plan = Plan::load(properties, common, metric.kind, Some(metric.field.clone()))?;
    Ok(Arc::new(MetricAggregation(Arc::new(Settings {
        plan: Arc::new(plan),
        bounds: Bounds::load(properties, common, ["min_threshold", "max_threshold"])?,
        format: NumberFormat::load(
            properties,
            "metric_format_string",
            &metric_value(metric.kind, 1.0),
        )?,
        name: format!("metric_{}_{}", metric.key, metric.type_name),
        metric,
    }))))
}

impl RuleType for MetricAggregation {
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
        Some(self.0.plan.window)
    }

    fn is_certain(&self, matched: &Match) -> bool {
        let value = matched.added.get(&self.0.name);
        let Some(value) = value.and_then(python::number_value) else {
            return false;
        };
        match self.0.metric.kind {
            MetricKind::Max | MetricKind::ValueCount | MetricKind::Cardinality => {
                self.0.bounds.is_above(value)
            }
            MetricKind::Min => self.0.bounds.is_below(value),
            MetricKind::Avg | MetricKind::Sum | MetricKind::Percentile(_) | MetricKind::Matches => {
                false
            }
        }
    }

    fn judgement_changes_memory(&self) -> bool {
        false
    }

    fn state(&self) -> Box<dyn RuleState> {
        evaluation::state(&self.0)
    }

    fn text(&self, matched: &Document, _: &dyn Fn(&Value, Duration) -> String) -> String {
        let settings = &*self.0;
        let value = matched.get(&settings.name).unwrap_or(&Value::Null);
        let value = match &settings.format {
            Some(format) => format.text(value),
            None => python::str(value),
        };
        let Metric { type_name, key, .. } = &settings.metric;
        format!(
            "Threshold violation, {type_name}:{key} {value} {} \n\n",
            settings.bounds.text()
        )
    }
}

impl Evaluate for Settings {
    fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    fn says(&self, group: &Evaluated) -> (String, Option<f64>) {
        let Metric { type_name, key, .. } = &self.metric;
        let value = group.value.map_or_else(
            || "nothing".to_owned(),
            |value| python::str(&metric_value(self.metric.kind, value)),
        );
        let says = format!("{type_name} of {key} is {value} {}", self.bounds.text());
        (
            says,
            group.value.and_then(|value| self.bounds.distance(value)),
        )
    }

    fn check(&self, group: &Evaluated, now: EventTime) -> Option<Match> {
        let is_compound = group.path.len() > 1;
        // ElastAlert loses a bucket's own time on its way through several fields.
        let time = if is_compound {
            self.plan.asked_until(now)
        } else {
            group.time
        };
        let value = group
            .value
            .filter(|value| self.bounds.are_violated_by(*value))?;
        let mut document = self.plan.document(&group.path, time);
        let value = metric_value(self.metric.kind, value);
        if let Some(format) = &self.format {
            let text = Value::from(format.text(&value));
            document.insert(format!("{}_formatted", self.name), text.clone());
            document.insert("metric_agg_value_formatted".to_owned(), text);
        }
        if !is_compound {
            document.insert("metric_agg_value".to_owned(), value.clone());
        }
        document.insert(self.name.clone(), value);
        Some(Match::synthetic(document))
    }
}
