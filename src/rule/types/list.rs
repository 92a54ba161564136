//! What `blacklist` and `whitelist` have in common: a list of texts, and the field compared with it.

use crate::config::{Data, Kind, Node, OptionSpec, Problem, Properties, opt, read};
use crate::event::{Field, FieldPath};
use crate::rule::Common;
use hashbrown::HashSet;
use serde_json::Value;
use std::path::{Path, PathBuf};

pub(super) type Entries = HashSet<Box<str>, foldhash::fast::RandomState>;

/// The list itself.
pub(super) const fn list_option(name: &'static str) -> OptionSpec {
    opt(name).kind(Kind::List(&Kind::Any)).required().doc(
        "The texts to compare with; `!file PATH` stands for the lines of a file. Only text is equal to an entry: `\"0\"` is not `0`.",
    )
}

/// The field.
pub(super) const COMPARE_KEY: OptionSpec = opt("compare_key")
    .names_fields()
    .texts()
    .required()
    .doc("The field whose value is compared.");

/// Whether the list goes into the rule's filter, too.
pub(super) const FILTER_BY_LIST: OptionSpec = opt("filter_by_list").may_be_empty()
    .bool()
    .default("true")
    .doc("Whether the list narrows the rule's filter too; matches are the same, the count of hits is not.");

/// The entries of a rule's list, files put in.
///
/// # Errors
/// The list is missing, an entry is no text, or a file cannot be read.
pub(super) fn entries(
    name: &str,
    properties: &Properties,
    working_directory: &Path,
) -> Result<Vec<String>, Vec<Problem>> {
    let list = properties.get(name).and_then(Node::as_seq);
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    for entry in list.unwrap_or_default() {
        match &entry.data {
            Data::Str(text) if text.starts_with("!file") => {
                let Some(path) = list_file(text) else {
                    let message = "!file needs a path after it";
                    problems.push(Problem::error("E0412", &entry.span, message));
                    continue;
                };
                match read(&working_directory.join(path)) {
                    Ok(list) => {
                        entries.extend(list.text().lines().map(|line| line.trim_end().to_owned()))
                    }
                    Err(problem) => {
                        let message = format!("the list {path} {}", problem.message);
                        let help =
                            "relative paths start at the directory the program was started in";
                        problems.push(Problem::error("E0413", &entry.span, message).help(help));
                    }
                }
            }
            Data::Str(text) => entries.push(text.clone()),
            _ => problems.push(not_text(name, entry)),
        }
    }
    if problems.is_empty() {
        Ok(entries)
    } else {
        Err(problems)
    }
}

fn not_text(name: &str, entry: &Node) -> Problem {
    let message = format!(
        "an entry of {name} must be text, found {}",
        entry.kind_name()
    );
    let problem = Problem::error("E0411", &entry.span, message);
    match &entry.data {
        Data::Seq(_) | Data::Map(_) | Data::Null => problem,
        _ => {
            let text = crate::event::python::str(&entry.to_value());
            problem.help(format!(
                "quote it: \"{text}\". It then equals events that carry the text; a number in an event is never equal to text"
            ))
        }
    }
}

/// The compared field. Several names are one name joined with commas, as in ElastAlert.
pub(super) fn compare_key(properties: &Properties) -> FieldPath {
    FieldPath::new(properties.texts("compare_key").join(","))
}

/// A list over several fields does not do what it seems to.
pub(super) fn advice(properties: &Properties, common: &Common) -> Vec<Problem> {
    if properties.texts("compare_key").len() < 2 {
        return Vec::new();
    }
    let span = properties
        .get("compare_key")
        .map_or(&common.span, |node| &node.span);
    let message = "several fields in compare_key: ElastAlert looks for one field named like all of them joined with commas";
    vec![Problem::warning("W0410", span, message).help("write one rule per field")]
}

/// How a field's value stands to a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Missing or null.
    Null,
    /// In the list.
    Listed,
    /// A value that is not in the list.
    Unlisted,
}

/// Compares a value with a list; of an array, its elements.
pub(super) fn standing(entries: &Entries, field: Field<'_>, array: ArrayRule) -> Standing {
    if let Some(text) = field.as_str() {
        return listed(entries.contains(&*text));
    }
    match field.to_value() {
        Value::Null => Standing::Null,
        Value::Array(items) => {
            let contains = |item: &Value| item.as_str().is_some_and(|text| entries.contains(text));
            listed(match array {
                ArrayRule::AnyElement => items.iter().any(contains),
                ArrayRule::EveryElement => items.iter().all(contains),
            })
        }
        _ => Standing::Unlisted,
    }
}

/// When an array counts as listed. ElastAlert fails on arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ArrayRule {
    /// One element in the list is enough.
    AnyElement,
    /// All elements must be in the list.
    EveryElement,
}

fn listed(is: bool) -> Standing {
    if is {
        Standing::Listed
    } else {
        Standing::Unlisted
    }
}

/// The path in `!file PATH`.
fn list_file(entry: &str) -> Option<&str> {
    let mut words = entry.split_whitespace();
    words.next().filter(|word| word.starts_with("!file"))?;
    words.next()
}

/// The files that a rule's lists are read from.
pub(in crate::rule) fn list_files<'a>(
    options: &'a crate::config::Mapping,
    working_directory: &'a Path,
) -> impl Iterator<Item = PathBuf> + 'a {
    ["blacklist", "whitelist"]
        .into_iter()
        .filter_map(|name| options.get(name)?.as_seq())
        .flatten()
        .filter_map(|entry| match &entry.data {
            Data::Str(text) => Some(working_directory.join(list_file(text)?)),
            _ => None,
        })
}
