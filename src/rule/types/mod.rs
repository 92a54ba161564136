//! The rule types, one file each. A new type is a file and a line here.

mod aggregation;
mod any;
mod blacklist;
mod bounds;
mod buckets;
mod cardinality;
mod change;
mod deadlines;
mod distinct;
mod evaluation;
mod exact_sum;
mod flatline;
mod frequency;
mod groups;
mod keyed;
mod list;
mod metric;
mod metric_aggregation;
mod new_term;
mod percentage_match;
mod source;
mod spike;
mod spike_aggregation;
mod spike_windows;
mod stateless;
mod timetable;
mod whitelist;

use super::{Common, RuleTypeEntry, StateSize};
use crate::config::{OptionSpec, Problem, Properties, opt};
use std::path::Path;
use std::time::Duration;

/// Every rule type there is.
pub static RULE_TYPES: &[&RuleTypeEntry] = &[
    &any::ENTRY,
    &blacklist::ENTRY,
    &cardinality::ENTRY,
    &change::ENTRY,
    &flatline::ENTRY,
    &frequency::ENTRY,
    &metric_aggregation::ENTRY,
    &new_term::ENTRY,
    &percentage_match::ENTRY,
    &spike::ENTRY,
    &spike_aggregation::ENTRY,
    &whitelist::ENTRY,
];

/// A rule type by its name.
pub fn find(name: &str) -> Option<&'static RuleTypeEntry> {
    RULE_TYPES.iter().find(|entry| entry.name == name).copied()
}

pub(super) use list::list_files;

/// The list of a blacklist or whitelist rule, files put in: what `filter_by_list` adds to the filter is made of it. Empty for other types.
///
/// # Errors
/// As the type's own `build` reports it.
pub fn list_entries(
    type_name: &str,
    properties: &Properties,
    working_directory: &Path,
) -> Result<Vec<String>, Vec<Problem>> {
    match type_name {
        "blacklist" | "whitelist" => list::entries(type_name, properties, working_directory),
        _ => Ok(Vec::new()),
    }
}

/// Most types know of nothing to warn of.
fn no_advice(_: &Properties, _: &Common) -> Vec<Problem> {
    Vec::new()
}

/// `timeframe` in types that look at each event alone.
const UNUSED_TIMEFRAME: OptionSpec = opt("timeframe")
    .duration()
    .no_effect("this type looks at each event alone")
    .doc("The length of the window; not used by this type.");

/// `timeframe` in types that have windows.
const TIMEFRAME: OptionSpec = opt("timeframe")
    .duration()
    .required()
    .doc("The length of the window.");

/// The timeframe a type with windows needs.
fn timeframe(common: &Common) -> Result<Duration, Vec<Problem>> {
    common.timeframe.ok_or_else(|| {
        let message = "this rule type needs timeframe: the length of its window";
        let help = "for example timeframe: {minutes: 5}";
        vec![Problem::error("E0419", &common.span, message).help(help)]
    })
}

/// The size of a state.
fn size(keys: usize, events: usize) -> StateSize {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    StateSize {
        keys: count(keys),
        events: count(events),
    }
}

#[cfg(test)]
pub(crate) mod tests;
