//! The rule types, one file each. A new type is a file and a line here.

mod any;
mod blacklist;
mod list;
mod stateless;
mod whitelist;

use super::{Common, RuleTypeEntry};
use crate::config::{OptionSpec, Problem, Properties, opt};
use std::path::Path;

/// Every rule type there is.
pub static RULE_TYPES: &[&RuleTypeEntry] = &[&any::ENTRY, &blacklist::ENTRY, &whitelist::ENTRY];

/// A rule type by its name.
pub fn find(name: &str) -> Option<&'static RuleTypeEntry> {
    RULE_TYPES.iter().find(|entry| entry.name == name).copied()
}

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
