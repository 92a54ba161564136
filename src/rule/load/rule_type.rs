//! The name under `type`.

use crate::config::{Node, Problem, nearest};
use crate::rule::RuleTypeEntry;
use crate::rule::types::{self, RULE_TYPES};

/// ElastAlert's rule types.
const OF_ELASTALERT: [&str; 12] = [
    "any",
    "blacklist",
    "cardinality",
    "change",
    "flatline",
    "frequency",
    "metric_aggregation",
    "new_term",
    "percentage_match",
    "spike",
    "spike_aggregation",
    "whitelist",
];

/// Finds the rule type, or says why there is none.
pub(super) fn find(node: &Node) -> Result<&'static RuleTypeEntry, Box<Problem>> {
    // What is no text is reported when the options are checked.
    let name = node.as_str().unwrap_or_default();
    if let Some(entry) = types::find(name) {
        return Ok(entry);
    }
    let error = |code, message: String| Problem::error(code, &node.span, message);
    let problem = if OF_ELASTALERT.contains(&name) {
        error(
            "E0710",
            format!("the rule type `{name}` arrives with a later version"),
        )
    } else if name.contains('.') {
        error("E0711", format!("`{name}` is a Python class, which cannot be run here"))
            .help("say it with one of ElastAlert's own types; what a class decides from one event alone, a filter often can")
    } else {
        let known = || {
            RULE_TYPES
                .iter()
                .map(|entry| entry.name)
                .chain(OF_ELASTALERT)
        };
        match nearest(name, known()) {
            Some(near) => error("E0712", format!("there is no rule type `{name}`"))
                .help(format!("did you mean `{near}`?")),
            None => error("E0712", format!("there is no rule type `{name}`"))
                .help(format!("there are {}", OF_ELASTALERT.join(", "))),
        }
    };
    Err(Box::new(problem))
}
