//! Rules held against sample events: fields they name that never occur, and rules that no event matches.

use crate::config::{Node, Problem, Span, nearest};
use crate::event::{Document, WallTime};
use crate::filter::{Clue, Filter, FilterEvent, Mapping};
use crate::rule::types::RULE_TYPES;
use crate::rule::{Rule, load, time_field};
use indexmap::{IndexMap, IndexSet};
use serde_json::Value;
use std::fmt::Write as _;

/// The most names that are kept.
const MAX_NAMES: usize = 100_000;
/// Events with more names than these are not used to type fields: a filter is built for every field it searches.
const MAX_TAUGHT: usize = 1000;
/// Of so many events that do not match the reason is looked into.
const MAX_EXPLAINED: usize = 1000;

/// Sample events.
pub(in crate::cli) struct Sample {
    documents: Vec<Document>,
    names: IndexSet<String>,
    /// How an index with dynamic mapping would type their fields, and one with Logstash's template.
    taught: [Mapping; 2],
    pub(super) now: WallTime,
}

/// The options of a rule that name fields, beside the filter.
fn naming(rule: &Rule) -> impl Iterator<Item = &'static str> {
    let of_type = RULE_TYPES
        .iter()
        .filter(|entry| entry.name == rule.type_name)
        .map(|entry| entry.options);
    [time_field::OPTIONS, load::options::OPTIONS]
        .into_iter()
        .chain(of_type)
        .chain(crate::alert::OPTIONS.iter().copied())
        .flatten()
        .filter(|spec| spec.names_fields)
        .map(|spec| spec.name)
}

/// The items of a list, or the one that stands for a list of it.
fn items(node: &Node) -> &[Node] {
    node.as_seq().unwrap_or(std::slice::from_ref(node))
}

impl Sample {
    /// Takes in events.
    pub(in crate::cli) fn new(documents: Vec<Document>, now: WallTime) -> Self {
        let mut names = IndexSet::new();
        let mut taught = [Mapping::dynamic(), Mapping::logstash()];
        for document in &documents {
            members(document, "", &mut names);
            if names.len() > MAX_TAUGHT {
                continue;
            }
            for mapping in &mut taught {
                // An event that does not fit with those before it teaches nothing.
                mapping.learn(document).ok();
            }
        }
        taught.iter_mut().for_each(Mapping::close);
        Self {
            documents,
            names,
            taught,
            now,
        }
    }

    fn event<'d>(&self, document: &'d Document) -> FilterEvent<'d> {
        FilterEvent {
            document,
            index: None,
            id: None,
            now: self.now,
        }
    }

    /// The events that a rule's filter picks.
    pub(in crate::cli) fn matches(&self, rule: &Rule) -> impl Iterator<Item = &Document> {
        let picked = |document: &&Document| rule.filter.matches(&self.event(document));
        self.documents.iter().filter(picked)
    }

    /// What the sample says about a rule; and a line on how many events it matches.
    pub(super) fn hold_against(&self, rule: &Rule) -> (Vec<Problem>, String) {
        let mut problems: Vec<Problem> = Vec::new();
        let properties = rule.properties();
        let filter = properties.get("filter");
        problems.extend(filter.into_iter().flat_map(|node| self.unfit(rule, node)));
        let mut held = IndexSet::new();
        for name in rule.filter.fields() {
            let place = filter.map_or_else(Span::nowhere, |node| named(node, &name));
            problems.extend(self.missing(&name, &place));
            held.insert(name);
        }
        let named = naming(rule).filter_map(|option| properties.get(option));
        // `fields` of new_term may have lists in its list.
        for item in named.flat_map(items).flat_map(items) {
            let name = item.as_str().unwrap_or_default();
            if held.insert(name.to_owned()) {
                problems.extend(self.missing(name, &item.span));
            }
        }
        let matched = self.matches(rule).count();
        let line = format!(
            "{}: {matched} of {} events match",
            rule.name,
            self.documents.len()
        );
        if matched == 0 && !self.documents.is_empty() {
            problems.push(self.unmatched(rule));
        }
        (problems, line)
    }

    /// Clauses that do not work on what the fields hold. They are no errors for a stream, whose next event may hold something else.
    fn unfit(&self, rule: &Rule, filter: &Node) -> Vec<Problem> {
        let [dynamic, logstash] = &self.taught;
        let mapping = rule.options.get("mapping");
        let mapping = match mapping.as_ref().map(Node::as_str) {
            None | Some(Some("dynamic")) => dynamic,
            Some(Some("logstash")) => logstash,
            // What does not fit in a mapping of its own is an error of the rule.
            Some(_) => return Vec::new(),
        };
        let entries = filter.as_seq().unwrap_or(std::slice::from_ref(filter));
        let mut found = crate::filter::hints(entries, mapping);
        found.retain(|problem| problem.code == "W0228");
        let refused = Filter::load(entries, mapping).err().unwrap_or_default();
        found.extend(
            refused
                .into_iter()
                .filter(|problem| problem.code == "E0206")
                .map(|problem| {
                    let message = format!("by the sample, {}", problem.message);
                    let warning = Problem::warning("W0242", &problem.span, message);
                    match problem.help {
                        Some(help) => warning.help(help),
                        None => warning,
                    }
                }),
        );
        found
    }

    /// A field that never occurs, with the name most like it.
    pub(super) fn missing(&self, name: &str, place: &Span) -> Option<Problem> {
        let parent = name
            .strip_suffix(".keyword")
            .or_else(|| name.strip_suffix(".raw"));
        let is_there = |name: &str| self.names.contains(name);
        let is_known = name.is_empty()
            || name.contains('*')
            || name.starts_with('_')
            || is_there(name)
            || parent.is_some_and(is_there);
        if is_known {
            return None;
        }
        let base = parent.unwrap_or(name);
        let end = |name: &str| name.rsplit('.').next().map(str::to_lowercase);
        let near = nearest(base, self.names.iter().map(String::as_str)).or_else(|| {
            let same_end = |other: &&String| end(other) == end(base);
            self.names.iter().find(same_end).map(String::as_str)
        });
        let message = format!(
            "the field `{name}` is in none of the {} events",
            self.documents.len()
        );
        let problem = Problem::warning("W0240", place, message);
        Some(match near {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem,
        })
    }

    /// A rule that no event matches, with what most of them lack.
    fn unmatched(&self, rule: &Rule) -> Problem {
        let mut reasons: IndexMap<String, usize> = IndexMap::new();
        for document in self.documents.iter().take(MAX_EXPLAINED) {
            let explanation = rule.filter.explain(&self.event(document));
            let asks = explanation
                .deciding()
                .map_or_else(|| "any of its clauses".to_owned(), Clue::wish);
            *reasons.entry(asks).or_default() += 1;
        }
        let place = rule
            .options
            .get("filter")
            .map_or_else(Span::nowhere, |node| node.span);
        let mut message = format!("none of the {} events matches", self.documents.len());
        if let Some((asks, count)) = reasons.iter().max_by_key(|(_, count)| **count) {
            let _infallible = write!(message, "; {count} fail at: {asks}");
        }
        Problem::warning("W0241", &place, message).help(format!(
            "`tripline explain {} EVENT` shows an event's way through the filter",
            rule.file.display()
        ))
    }
}

/// The full names of everything in an object.
fn members(object: &Document, prefix: &str, names: &mut IndexSet<String>) {
    for (key, value) in object {
        let name = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        let mut inside = |value: &Value| {
            if let Value::Object(inner) = value {
                members(inner, &name, names);
            }
        };
        match value {
            Value::Array(items) => items.iter().for_each(&mut inside),
            value => inside(value),
        }
        if names.len() < MAX_NAMES {
            names.insert(name);
        }
    }
}

/// Where in an option a field is named first.
fn named(node: &Node, name: &str) -> Span {
    let span = &node.span;
    let written = span
        .file
        .text()
        .get(span.start..span.end)
        .unwrap_or_default();
    match written.find(name) {
        Some(at) => Span {
            start: span.start + at,
            end: span.start + at + name.len(),
            ..span.clone()
        },
        None => span.clone(),
    }
}
