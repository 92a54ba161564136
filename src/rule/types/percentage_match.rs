//! `percentage_match`: a match when the share of events that pass a second filter is outside its bounds.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#percentage-match>. A compound `query_key`, on which ElastAlert fails, gives a group for each
//! combination of values.

use super::aggregation::{self, Evaluated, Plan};
use super::bounds::{Bounds, NumberFormat};
use super::evaluation::{self, Evaluate};
use super::metric::{MetricKind, precise};
use super::spike_windows::float;
use super::{no_advice, source};
use crate::config::{Kind, Problem, Properties, opt};
use crate::event::{Document, EventTime, FieldPath, python};
use crate::filter::Filter;
use crate::rule::{Built, Common, Match, Observed, RuleState, RuleType, RuleTypeEntry, Verdict};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

pub(super) const ENTRY: RuleTypeEntry = RuleTypeEntry {
    name: "percentage_match",
    doc: "Matches when the share of events that pass a second filter is outside its bounds.",
    options: &[
        opt("match_bucket_filter")
            .kind(Kind::AnyOf(&[Kind::List(&Kind::Any), Kind::Map]))
            .required()
            .doc("The second filter: all its clauses must hold."),
        opt("max_percentage").judges().number().doc("A percentage above this is a match."),
        opt("min_percentage").judges().number().doc("A percentage below this is a match."),
        opt("min_denominator").judges()
            .int()
            .default("0")
            .doc("With fewer events than this nothing matches."),
        opt("percentage_format_string").judges().doc(
            "How the percentage is written beside the number itself: Python's str.format if it begins with a brace, else %.",
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
    plan: Arc<Plan>,
    filter: Filter,
    bounds: Bounds,
    min_denominator: i64,
    format: Option<NumberFormat>,
}

#[derive(Debug)]
struct PercentageMatch(Arc<Settings>);

fn build(properties: &Properties, common: &Common) -> Built {
    // A single clause need not be a list for Elasticsearch.
    let clauses = properties.get("match_bucket_filter").and_then(|node| {
        let single = node.as_map().map(|_| std::slice::from_ref(node));
        node.as_seq().or(single)
    });
    let Some(clauses) = clauses else {
        let message = "percentage_match needs match_bucket_filter: a list of clauses, like filter";
        return Err(vec![Problem::error("E0435", &common.span, message)]);
    };
    let mut filter = Filter::load(clauses, &common.mapping)?;
    filter.share(&common.filters);
    let plan = Plan::load(properties, common, MetricKind::Matches, None)?;
    Ok(Arc::new(PercentageMatch(Arc::new(Settings {
        plan: Arc::new(plan),
        filter,
        bounds: Bounds::load(properties, common, ["min_percentage", "max_percentage"])?,
        min_denominator: properties.int("min_denominator").unwrap_or(0),
        format: NumberFormat::load(properties, "percentage_format_string", &float(1.0))?,
    }))))
}

impl RuleType for PercentageMatch {
    fn fields(&self) -> &[FieldPath] {
        &self.0.plan.fields
    }

    fn inner_filter(&self) -> Option<&Filter> {
        Some(&self.0.filter)
    }

    fn asks_the_index(&self) -> bool {
        true
    }

    fn sample(&self, event: &Observed<'_>) -> Verdict {
        let passes = || Value::Bool(event.inner);
        Verdict::Sample(self.0.plan.sample(event.fields, passes))
    }

    fn horizon(&self) -> Option<Duration> {
        Some(self.0.plan.window)
    }

    fn judgement_changes_memory(&self) -> bool {
        false
    }

    fn state(&self) -> Box<dyn RuleState> {
        evaluation::state(&self.0)
    }

    fn text(&self, matched: &Document, _: &dyn Fn(&Value, Duration) -> String) -> String {
        let settings = &*self.0;
        let percentage = matched.get("percentage").unwrap_or(&Value::Null);
        let percentage = match &settings.format {
            Some(format) => format.text(percentage),
            None => python::str(percentage),
        };
        let items = python::str(matched.get("denominator").unwrap_or(&Value::Null));
        format!(
            "Percentage violation, value: {percentage} {} of {items} items\n\n",
            settings.bounds.text()
        )
    }
}

impl Evaluate for Settings {
    fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    fn says(&self, group: &Evaluated) -> (String, Option<f64>) {
        let percentage = group.value.filter(|_| group.documents > 0);
        let percentage = percentage.map(|value| value / precise(group.documents) * 100.0);
        let text = percentage.map_or_else(|| "nothing".to_owned(), |p| python::str(&float(p)));
        let says = format!(
            "{text} percent of {} events {}",
            group.documents,
            self.bounds.text()
        );
        (
            says,
            percentage.and_then(|percentage| self.bounds.distance(percentage)),
        )
    }

    fn check(&self, group: &Evaluated, _: EventTime) -> Option<Match> {
        let too_few = i64::try_from(group.documents).is_ok_and(|n| n < self.min_denominator);
        if group.documents == 0 || too_few {
            return None;
        }
        let percentage = group.value? / precise(group.documents) * 100.0;
        if !self.bounds.are_violated_by(percentage) {
            return None;
        }
        let mut document = self.plan.document(&group.path, group.time);
        let percentage = float(percentage);
        if let Some(format) = &self.format {
            let text = format.text(&percentage);
            document.insert("percentage_formatted".to_owned(), Value::from(text));
        }
        document.insert("percentage".to_owned(), percentage);
        document.insert("denominator".to_owned(), Value::from(group.documents));
        Some(Match::synthetic(document))
    }
}
