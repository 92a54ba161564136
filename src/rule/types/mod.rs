//! The rule types, one file each. A new type is a file and a line here.

use super::RuleTypeEntry;

/// Every rule type there is.
pub static RULE_TYPES: &[&RuleTypeEntry] = &[];

/// A rule type by its name.
pub fn find(name: &str) -> Option<&'static RuleTypeEntry> {
    RULE_TYPES.iter().find(|entry| entry.name == name).copied()
}
