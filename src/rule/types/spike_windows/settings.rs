//! The options of both types, and what they say is a spike.

use crate::config::{OptionSpec, Problem, Properties, opt};
use crate::rule::Common;
use std::time::Duration;

pub(in crate::rule::types) const SPIKE_HEIGHT: OptionSpec = opt("spike_height").judges().number().required().doc(
    "How many times the reference the current value must be (up), or the reference of the current value (down).",
);
pub(in crate::rule::types) const SPIKE_TYPE: OptionSpec = opt("spike_type")
    .judges()
    .one_of(&["up", "down", "both"])
    .required()
    .doc("Which direction matches.");
pub(in crate::rule::types) const THRESHOLD_CUR: OptionSpec = opt("threshold_cur")
    .judges()
    .number()
    .default("0")
    .doc("The least current value for a match.");
pub(in crate::rule::types) const THRESHOLD_REF: OptionSpec = opt("threshold_ref")
    .judges()
    .number()
    .default("0")
    .doc("The least reference value for a match.");
pub(in crate::rule::types) const ALERT_ON_NEW_DATA: OptionSpec = opt("alert_on_new_data").judges()
    .bool()
    .default("false")
    .doc("Whether keys that appear when others have been watched for twice the timeframe are checked at once.");

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rule::types) enum Measure {
    /// The sum of the amounts: a count, where each is 1.
    Sum,
    /// Their mean; a mean of nothing or of 0 is no match.
    NonZeroMean,
    /// Their mean.
    Mean,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

/// The options of both types.
#[derive(Debug)]
pub(in crate::rule::types) struct SpikeSettings {
    pub(in crate::rule::types) timeframe: Duration,
    pub(in crate::rule::types) measure: Measure,
    pub(super) height: f64,
    pub(super) up: bool,
    pub(super) down: bool,
    pub(super) threshold_cur: f64,
    pub(super) threshold_ref: f64,
    /// `alert_on_new_data`, in a rule with keys.
    pub(super) checks_new_keys: bool,
}

impl SpikeSettings {
    pub(in crate::rule::types) fn load(
        properties: &Properties,
        common: &Common,
        measure: Measure,
    ) -> Result<Self, Vec<Problem>> {
        let timeframe = super::super::timeframe(common)?;
        let kind = properties.text("spike_type");
        let problem = |message: &str| vec![Problem::error("E0424", &common.span, message)];
        let (up, down) = match kind.as_deref() {
            Some("up") => (true, false),
            Some("down") => (false, true),
            Some("both") => (true, true),
            _ => return Err(problem("spike_type must be up, down or both")),
        };
        let Some(height) = properties.number("spike_height") else {
            return Err(problem(
                "a spike needs spike_height: how many times the reference is a spike",
            ));
        };
        let alert_on_new_data = properties.bool("alert_on_new_data") == Some(true);
        Ok(Self {
            timeframe,
            measure,
            height,
            up,
            down,
            threshold_cur: properties.number("threshold_cur").unwrap_or(0.0),
            threshold_ref: properties.number("threshold_ref").unwrap_or(0.0),
            checks_new_keys: alert_on_new_data && common.query_key.is_some(),
        })
    }

    /// Whether two values that are right but for so much of rounding may be a spike.
    pub(super) fn may_be_spike(
        &self,
        cur: f64,
        reference: f64,
        (cur_off, reference_off): (f64, f64),
    ) -> bool {
        if (cur_off, reference_off) == (0.0, 0.0) {
            return self.is_spike(cur, reference);
        }
        if cur + cur_off < self.threshold_cur || reference + reference_off < self.threshold_ref {
            return false;
        }
        let (least, most) = (reference - reference_off, reference + reference_off);
        let is_up = cur + cur_off >= (least * self.height).min(most * self.height);
        let is_down = cur - cur_off <= (least / self.height).max(most / self.height);
        (self.up && is_up) || (self.down && is_down)
    }

    pub(super) fn is_spike(&self, cur: f64, reference: f64) -> bool {
        if self.measure == Measure::NonZeroMean {
            if cur == 0.0 || reference == 0.0 {
                return false;
            }
        } else if cur < self.threshold_cur || reference < self.threshold_ref {
            return false;
        }
        (self.up && cur >= reference * self.height) || (self.down && cur <= reference / self.height)
    }
}
