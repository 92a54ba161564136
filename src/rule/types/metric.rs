//! The metrics of the aggregation types: what an event contributes, and the value of many contributions.
//!
//! As Elasticsearch computes them, except that cardinality and percentiles are exact. Contributions can be taken away again, so that a window that moves on
//! need not be added up anew.

use super::distinct::Distinct;
use super::exact_sum::ExactSum;
use super::source::elements;
use super::spike_windows::float;
use crate::config::{OptionSpec, Problem, Properties, opt};
use crate::event::{Field, FieldPath, python};
use crate::rule::blocks::Blocks;
use crate::rule::{Common, Key};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeMap;

pub(super) const METRIC_AGG_KEY: OptionSpec = opt("metric_agg_key")
    .names_fields()
    .required()
    .doc("The field the metric is computed over.");
pub(super) const METRIC_AGG_TYPE: OptionSpec = opt("metric_agg_type")
    .one_of(&[
        "min",
        "max",
        "avg",
        "sum",
        "cardinality",
        "value_count",
        "percentiles",
    ])
    .required()
    .doc("The metric.");
pub(super) const PERCENTILE_RANGE: OptionSpec = opt("percentile_range")
    .int()
    .doc("For percentiles: which one, a whole number from 0 to 100.");
pub(super) const METRIC_AGG_SCRIPT: OptionSpec = opt("metric_agg_script")
    .kind(crate::config::Kind::Any)
    .doc("Not supported: a script runs inside Elasticsearch. Let the sender compute the value into a field and name it in metric_agg_key.");

/// `metric_agg_type` over `metric_agg_key`.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) kind: MetricKind,
    /// `metric_agg_key`, as written.
    pub(super) key: String,
    /// `metric_agg_type`, as written.
    pub(super) type_name: String,
    pub(super) field: FieldPath,
}

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum MetricKind {
    Min,
    Max,
    Avg,
    Sum,
    Cardinality,
    ValueCount,
    /// The percentile, from 0 to 100.
    Percentile(f64),
    /// How many contributions are 1: the matches of a filter.
    Matches,
}

impl Metric {
    pub(super) fn load(properties: &Properties, common: &Common) -> Result<Self, Vec<Problem>> {
        let problem = |message: &str| Problem::error("E0430", &common.span, message);
        if let Some(script) = properties.get("metric_agg_script") {
            let message =
                "metric_agg_script runs inside Elasticsearch, and the events here never get there";
            let help = "let the sender compute the value into a field of its own and name that in metric_agg_key";
            return Err(vec![
                Problem::error("E0431", &script.span, message).help(help),
            ]);
        }
        let (Some(key), Some(type_name)) = (
            properties.text("metric_agg_key"),
            properties.text("metric_agg_type"),
        ) else {
            return Err(vec![problem(
                "an aggregation needs metric_agg_key and metric_agg_type",
            )]);
        };
        let kind = match type_name.as_str() {
            "min" => MetricKind::Min,
            "max" => MetricKind::Max,
            "avg" => MetricKind::Avg,
            "sum" => MetricKind::Sum,
            "cardinality" => MetricKind::Cardinality,
            "value_count" => MetricKind::ValueCount,
            "percentiles" => match properties.int("percentile_range").map(u8::try_from) {
                Some(Ok(percent @ ..=100)) => MetricKind::Percentile(f64::from(percent)),
                _ => {
                    let message = "metric_agg_type: percentiles needs percentile_range: a whole number from 0 to 100";
                    return Err(vec![problem(message)]);
                }
            },
            other => {
                let message = format!("unknown metric_agg_type {other:?}");
                let help = "use min, max, avg, sum, cardinality, value_count or percentiles";
                return Err(vec![problem(&message).help(help)]);
            }
        };
        Ok(Self {
            kind,
            field: FieldPath::new(&key),
            key,
            type_name,
        })
    }
}

/// What one event contributes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Contribution {
    Nothing,
    Count(u32),
    Number(f64),
    Numbers(Box<[f64]>),
    Keys(Box<[Key]>),
}

impl MetricKind {
    /// What an event with this value contributes.
    pub(super) fn contribution(self, value: &Value) -> Contribution {
        match self {
            Self::Matches => Contribution::Count(u32::from(value == &Value::Bool(true))),
            Self::Cardinality => {
                let elements = elements(Field::Value(value));
                Contribution::Keys(elements.iter().map(Key::from).collect())
            }
            Self::ValueCount => Contribution::Count(count(value)),
            Self::Min | Self::Max | Self::Avg | Self::Sum | Self::Percentile(_) => {
                let mut found = Vec::new();
                numbers(value, &mut found);
                match found.as_slice() {
                    [] => Contribution::Nothing,
                    [number] => Contribution::Number(*number),
                    _ => Contribution::Numbers(found.into()),
                }
            }
        }
    }

    /// Nothing, computed.
    pub(super) fn accumulator(self) -> Accumulator {
        match self {
            Self::Min => Accumulator::Extremes(Extreme::Least, BTreeMap::new()),
            Self::Max => Accumulator::Extremes(Extreme::Greatest, BTreeMap::new()),
            Self::Avg => Accumulator::Mean(ExactSum::default(), 0),
            Self::Sum => Accumulator::Sum(ExactSum::default()),
            Self::Cardinality => Accumulator::Distinct(Distinct::default()),
            Self::ValueCount | Self::Matches => Accumulator::Count(0),
            Self::Percentile(percent) => Accumulator::Percentile(percent, Box::default()),
        }
    }

    /// Nothing, to be put together once.
    pub(super) fn total(self) -> Total {
        match self {
            Self::Percentile(percent) => Total::Percentile(percent, Vec::new()),
            _ => Total::Other(self.accumulator()),
        }
    }

    /// Whether values are whole numbers.
    pub(super) fn is_integer(self) -> bool {
        matches!(self, Self::Cardinality | Self::ValueCount | Self::Matches)
    }
}

/// The numbers in a value, lists included. Infinite ones (`1e999`) no index would take.
fn numbers(value: &Value, found: &mut Vec<f64>) {
    match value {
        Value::Number(_) => found.extend(python::number_value(value).filter(|n| n.is_finite())),
        Value::Array(items) => items.iter().for_each(|item| numbers(item, found)),
        _ => {}
    }
}

/// How many values an index has for a field: a list's numbers one by one, each of its texts once.
fn count(value: &Value) -> u32 {
    let mut found = Vec::new();
    numbers(value, &mut found);
    let others = elements(Field::Value(value))
        .into_iter()
        .filter(|value| !value.is_number());
    u32::try_from(found.len() + others.count()).unwrap_or(u32::MAX)
}

/// A float with a place among the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ordered(f64);

impl Eq for Ordered {}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Which end of some numbers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Extreme {
    Least,
    Greatest,
}

/// Contributions, put together. There may be one for each of millions of keys.
#[derive(Debug)]
pub(super) enum Accumulator {
    Count(u64),
    Sum(ExactSum),
    Mean(ExactSum, u64),
    Extremes(Extreme, BTreeMap<Ordered, u64>),
    Distinct(Distinct),
    /// The percentile, and all numbers in order.
    Percentile(f64, Box<Blocks<f64>>),
}

impl Accumulator {
    /// Puts a contribution in.
    pub(super) fn add(&mut self, contribution: &Contribution) {
        match contribution {
            Contribution::Nothing => {}
            Contribution::Number(number) => self.add_number(*number),
            Contribution::Numbers(numbers) => numbers.iter().for_each(|n| self.add_number(*n)),
            Contribution::Count(count) => {
                if let Self::Count(total) = self {
                    *total += u64::from(*count);
                }
            }
            Contribution::Keys(keys) => {
                if let Self::Distinct(values) = self {
                    keys.iter().for_each(|key| values.add(key));
                }
            }
        }
    }

    /// Takes a contribution out that was put in before.
    pub(super) fn remove(&mut self, contribution: &Contribution) {
        match contribution {
            Contribution::Nothing => {}
            Contribution::Number(number) => self.remove_number(*number),
            Contribution::Numbers(numbers) => numbers.iter().for_each(|n| self.remove_number(*n)),
            Contribution::Count(count) => {
                if let Self::Count(total) = self {
                    *total = total.saturating_sub(u64::from(*count));
                }
            }
            Contribution::Keys(keys) => {
                if let Self::Distinct(values) = self {
                    keys.iter().for_each(|key| values.remove(key));
                }
            }
        }
    }

    fn add_number(&mut self, number: f64) {
        match self {
            Self::Sum(sum) => sum.add(number),
            Self::Mean(sum, count) => {
                sum.add(number);
                *count += 1;
            }
            Self::Extremes(_, counts) => *counts.entry(Ordered(number)).or_default() += 1,
            Self::Percentile(_, numbers) => {
                numbers.insert(number, |other| other.total_cmp(&number).is_lt());
            }
            Self::Count(_) | Self::Distinct(_) => {}
        }
    }

    fn remove_number(&mut self, number: f64) {
        match self {
            Self::Sum(sum) => sum.add(-number),
            Self::Mean(sum, count) => {
                sum.add(-number);
                *count = count.saturating_sub(1);
            }
            Self::Extremes(_, counts) => {
                decrement(counts.get_mut(&Ordered(number)));
                if counts.get(&Ordered(number)) == Some(&0) {
                    counts.remove(&Ordered(number));
                }
            }
            Self::Percentile(_, numbers) => {
                numbers.remove(|other| other.total_cmp(&number).is_lt());
            }
            Self::Count(_) | Self::Distinct(_) => {}
        }
    }

    /// The value: none of nothing, except for sums and counts.
    pub(super) fn value(&self) -> Option<f64> {
        match self {
            Self::Count(count) => Some(precise(*count)),
            Self::Distinct(values) => Some(precise(values.len() as u64)),
            Self::Sum(sum) => Some(sum.value()),
            Self::Mean(_, 0) => None,
            Self::Mean(sum, count) => Some(sum.value() / precise(*count)),
            Self::Extremes(Extreme::Least, counts) => counts.first_key_value().map(|(n, _)| n.0),
            Self::Extremes(Extreme::Greatest, counts) => counts.last_key_value().map(|(n, _)| n.0),
            Self::Percentile(percent, numbers) => percentile(*percent, numbers),
        }
    }
}

fn decrement(count: Option<&mut u64>) {
    if let Some(count) = count {
        *count = count.saturating_sub(1);
    }
}

#[expect(clippy::cast_precision_loss, reason = "no window holds 2^53 events")]
pub(super) fn precise(count: u64) -> f64 {
    count as f64
}

/// Contributions that are put together once, and never taken away again.
#[derive(Debug)]
pub(super) enum Total {
    /// The percentile, and all numbers in no order.
    Percentile(f64, Vec<f64>),
    Other(Accumulator),
}

impl Total {
    /// Puts a contribution in.
    pub(super) fn add(&mut self, contribution: &Contribution) {
        match (self, contribution) {
            (Self::Other(accumulator), _) => accumulator.add(contribution),
            (Self::Percentile(_, all), Contribution::Number(number)) => all.push(*number),
            (Self::Percentile(_, all), Contribution::Numbers(numbers)) => all.extend(numbers),
            (Self::Percentile(..), _) => {}
        }
    }

    /// As [`Accumulator::value`].
    pub(super) fn value(self) -> Option<f64> {
        match self {
            Self::Other(accumulator) => accumulator.value(),
            Self::Percentile(percent, mut numbers) => {
                let rank = Rank::of(percent, numbers.len())?;
                if rank.below >= numbers.len() {
                    return None;
                }
                let (_, low, above) = numbers.select_nth_unstable_by(rank.below, f64::total_cmp);
                let high = above.iter().copied().min_by(f64::total_cmp);
                Some(rank.between(*low, high.unwrap_or(*low)))
            }
        }
    }
}

/// Where a percentile is among sorted numbers, as Elasticsearch's t-digest has it while it is exact: linear between neighbours, with each number in
/// the middle of its share.
struct Rank {
    /// The place of the number at or before it.
    below: usize,
    /// How far it is from that one to the next.
    part: f64,
}

impl Rank {
    /// `None` of nothing.
    fn of(percent: f64, numbers: usize) -> Option<Self> {
        let last = precise((numbers as u64).checked_sub(1)?);
        let place = (percent / 100.0 * (last + 1.0) - 0.5).clamp(0.0, last);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and a length"
        )]
        let below = place.floor() as usize;
        Some(Self {
            below,
            part: place.fract(),
        })
    }

    fn between(&self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.part
    }
}

/// The percentile of sorted numbers.
fn percentile(percent: f64, numbers: &Blocks<f64>) -> Option<f64> {
    let rank = Rank::of(percent, numbers.len())?;
    let low = *numbers.get(rank.below)?;
    let high = *numbers.get(rank.below + 1).unwrap_or(&low);
    Some(rank.between(low, high))
}

/// A metric's value as a member of a match.
pub(super) fn metric_value(kind: MetricKind, value: f64) -> Value {
    if kind.is_integer() {
        super::spike_windows::integer(value)
    } else {
        float(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(kind: MetricKind, values: &[Value], expected: Option<f64>) {
        let mut total = kind.total();
        for value in values {
            total.add(&kind.contribution(value));
        }
        assert_eq!(total.value(), expected, "{kind:?}, at once");
        let mut accumulator = kind.accumulator();
        let extra = kind.contribution(&json!([5, "x", 7.5]));
        accumulator.add(&extra);
        for value in values {
            accumulator.add(&kind.contribution(value));
        }
        accumulator.remove(&extra);
        assert_eq!(accumulator.value(), expected, "{kind:?}");
    }

    #[test]
    fn metrics_are_those_of_elasticsearch() {
        let values = [
            json!(3),
            json!([1, 2.5]),
            json!("a"),
            json!(null),
            json!(["a", "b", "a"]),
        ];
        check(MetricKind::Min, &values, Some(1.0));
        check(MetricKind::Max, &values, Some(3.0));
        check(MetricKind::Avg, &values, Some(6.5 / 3.0));
        check(MetricKind::Sum, &values, Some(6.5));
        check(MetricKind::ValueCount, &values, Some(6.0));
        check(MetricKind::Cardinality, &values, Some(5.0));
        check(MetricKind::Percentile(50.0), &values, Some(2.5));
        check(MetricKind::Percentile(100.0), &values, Some(3.0));
        check(
            MetricKind::Percentile(60.0),
            &[json!(10), json!(20)],
            Some(17.0),
        );
        check(MetricKind::Avg, &[], None);
        check(MetricKind::Percentile(50.0), &[], None);
        check(MetricKind::Sum, &[], Some(0.0));
        check(MetricKind::ValueCount, &[], Some(0.0));
    }
}
