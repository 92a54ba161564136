//! `any`: every event that passes the filter is a match.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#any>

use super::{no_advice, stateless::Stateless};
use crate::config::Properties;
use crate::event::FieldPath;
use crate::rule::{Built, Common, Observed, RuleState, RuleType, RuleTypeEntry, Verdict};
use std::sync::Arc;

pub(super) const ENTRY: RuleTypeEntry = RuleTypeEntry {
    name: "any",
    doc: "Matches every event that passes the filter.",
    options: &[super::UNUSED_TIMEFRAME],
    build,
    advice: no_advice,
};

#[derive(Debug)]
struct Any;

fn build(_: &Properties, _: &Common) -> Built {
    Ok(Arc::new(Any))
}

impl RuleType for Any {
    fn fields(&self) -> &[FieldPath] {
        &[]
    }

    fn sample(&self, _: &Observed<'_>) -> Verdict {
        Verdict::Match
    }

    fn state(&self) -> Box<dyn RuleState> {
        Box::new(Stateless)
    }
}
