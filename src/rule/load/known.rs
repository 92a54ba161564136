//! Which options a rule may have, and what is said of others.

use super::options::is_named_by_user;
use crate::config::{Mapping, Node, OptionSpec, Problem, Properties, unknown};
use crate::rule::RuleTypeEntry;
use crate::rule::types::RULE_TYPES;
use serde_json::Value;

/// Warns of options that are misspelt, of another rule type, or not there yet.
pub(super) fn check(
    options: &Properties,
    tables: &[&[OptionSpec]],
    entry: &RuleTypeEntry,
) -> Vec<Problem> {
    let written = options.own();
    let mut problems = of_other_types(written, tables, entry.name);
    let types = RULE_TYPES.iter().map(|entry| entry.options);
    let tables: Vec<&[OptionSpec]> = tables.iter().copied().chain(types).collect();
    let known = |name: &str| is_named_by_user(name) || is_named(options, name);
    problems.extend(unknown(written, &tables, &known));
    problems
}

/// Options that only rules of other types have.
fn of_other_types(options: &Mapping, tables: &[&[OptionSpec]], type_name: &str) -> Vec<Problem> {
    let has = |table: &[OptionSpec], name: &str| table.iter().any(|spec| spec.name == name);
    let mut problems = Vec::new();
    for (key, _) in options.iter() {
        let Some(name) = key.as_str() else { continue };
        if tables.iter().any(|table| has(table, name)) {
            continue;
        }
        let owners = RULE_TYPES.iter().filter(|entry| has(entry.options, name));
        let owners: Vec<&str> = owners.map(|entry| entry.name).collect();
        if !owners.is_empty() {
            let message = format!("`{name}` has no effect in a rule of type `{type_name}`");
            let help = format!("it is an option of {}", owners.join(", "));
            problems.push(Problem::warning("W0709", &key.span, message).help(help));
        }
    }
    problems
}

/// Whether the rule's texts name one of its options: people put their own there for that.
fn is_named(options: &Properties, name: &str) -> bool {
    let named = |list: &str| {
        let items = options.get(list).map(Node::to_value);
        match items {
            Some(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(name)),
            Some(Value::Object(members)) => members.keys().any(|key| key == name),
            _ => false,
        }
    };
    let lists = [
        "alert_text_args",
        "alert_subject_args",
        "alert_text_kw",
        "include_rule_params_in_matches",
    ];
    let reference = format!("${name}$");
    lists.iter().any(|list| named(list))
        || options
            .iter()
            .any(|(_, value)| value.has_text(&|text| text == reference))
}
