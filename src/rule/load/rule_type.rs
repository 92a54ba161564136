//! The name under `type`.

use crate::config::{Node, Problem, nearest};
use crate::rule::RuleTypeEntry;
use crate::rule::types::{self, RULE_TYPES};

/// Finds the rule type, or says why there is none.
pub(super) fn find(node: &Node) -> Result<&'static RuleTypeEntry, Box<Problem>> {
    // What is no text is reported when the options are checked.
    let name = node.as_str().unwrap_or_default();
    if let Some(entry) = types::find(name) {
        return Ok(entry);
    }
    let error = |code, message: String| Problem::error(code, &node.span, message);
    let problem = if name.contains('.') {
        error("E0711", format!("`{name}` is a Python class, which cannot be run here"))
            .help("say it with one of ElastAlert's own types; what a class decides from one event alone, a filter often can")
    } else {
        let known = || RULE_TYPES.iter().map(|entry| entry.name);
        match nearest(name, known()) {
            Some(near) => error("E0712", format!("there is no rule type `{name}`"))
                .help(format!("did you mean `{near}`?")),
            None => error("E0712", format!("there is no rule type `{name}`")).help(format!(
                "there are {}",
                known().collect::<Vec<_>>().join(", ")
            )),
        }
    };
    Err(Box::new(problem))
}
