//! What is done to an alert's matches before they become text.

use super::Process;
use super::discover::{self, Discover, ShortLink};
use super::enhancements::{self, Enhanced, EnhancementEntry};
use super::text::{as_loaded, printed};
use super::times::Times;
use super::top_counts::{Counting, TopCounts};
use crate::config::{OptionSpec, Problem, Properties, opt};
use crate::event::Document;
use crate::event::format::Argument;
use crate::rule::Rule;
use serde_json::Value;

pub(super) const OPTIONS: &[OptionSpec] = &[
    opt("include_rule_params_in_matches")
        .texts()
        .doc("Options of the rule that are added to matches as rule_param_NAME."),
    opt("include_rule_params_in_first_match_only")
        .bool()
        .default("false")
        .doc("Add them to the first match of an alert only."),
    opt("include_match_in_root")
        .may_be_empty()
        .bool()
        .default("false")
        .doc("The written document has the match's members beside its own."),
];

/// A rule's changes to its matches, checked: top counts, links, rule parameters, enhancements.
#[derive(Debug)]
pub struct Preparation {
    counting: Option<Box<Counting>>,
    links: Vec<Discover>,
    rule_params: Vec<(String, Value)>,
    first_match_only: bool,
    enhancements: Vec<&'static EnhancementEntry>,
    times: Times,
    /// `run_enhancements_first`: the engine calls [`Preparation::enhance`] when the rule matches.
    pub run_enhancements_first: bool,
    /// `include_match_in_root`: the written document has the match's members beside its own.
    pub include_match_in_root: bool,
    /// What will be missing from alerts though the rule loads.
    pub warnings: Vec<Problem>,
}

/// What came of preparing an alert.
#[derive(Debug, Default, PartialEq)]
pub struct Prepared {
    /// What went wrong on the way, to be written to the error index. A match whose enhancement failed is gone.
    pub errors: Vec<String>,
}

impl Preparation {
    /// Reads a rule's options.
    ///
    /// # Errors
    /// What in them cannot be used.
    pub fn new(properties: &Properties, process: &Process) -> Result<Self, Vec<Problem>> {
        let (links, warnings) = discover::load(properties);
        Ok(Self {
            counting: Counting::new(properties).map(Box::new),
            links,
            rule_params: properties
                .texts("include_rule_params_in_matches")
                .into_iter()
                .map(|name| {
                    let node = properties
                        .get(&name)
                        .filter(|_| !properties.is_secret(&name));
                    let value = match node.and_then(|node| printed(&as_loaded(&name, node))) {
                        Some(Argument::Value(value)) => value.into_owned(),
                        Some(duration) => Value::String(duration.str()),
                        None => Value::Null,
                    };
                    (format!("rule_param_{name}"), value)
                })
                .collect(),
            first_match_only: properties
                .bool("include_rule_params_in_first_match_only")
                .unwrap_or(false),
            enhancements: enhancements::load(properties, process.enhancements)?,
            times: Times::new(properties, &process.zone),
            run_enhancements_first: properties.bool("run_enhancements_first").unwrap_or(false),
            include_match_in_root: properties.bool("include_match_in_root").unwrap_or(false),
            warnings,
        })
    }

    /// Whether it depends on nothing but text options.
    pub(super) fn is_any_rules(&self) -> bool {
        self.counting.is_none() && self.links.is_empty() && self.rule_params.is_empty()
    }

    /// Prepares an alert's matches, once: a repeated attempt sends them as they are. No match may be left.
    pub fn run(
        &self,
        rule: &Rule,
        matches: &mut Vec<Document>,
        documents: &dyn TopCounts,
    ) -> Prepared {
        let mut prepared = Prepared::default();
        if let Some(counting) = &self.counting {
            for matched in matches.iter_mut() {
                prepared
                    .errors
                    .extend(counting.add(rule, matched, documents).err());
            }
        }
        if let Some(first) = matches.first_mut() {
            for link in &self.links {
                prepared.errors.extend(link.add(rule, first).err());
            }
        }
        let count = if self.first_match_only {
            1
        } else {
            matches.len()
        };
        for matched in matches.iter_mut().take(count) {
            matched.extend(self.rule_params.iter().cloned());
        }
        if !self.run_enhancements_first {
            matches.retain_mut(|matched| match self.enhance_until_error(matched) {
                Ok(enhanced) => enhanced == Enhanced::Kept,
                Err(error) => {
                    prepared.errors.push(error);
                    false
                }
            });
        }
        prepared
    }

    /// Whether the rule wants short links.
    pub fn wants_short_links(&self) -> bool {
        self.links.iter().any(Discover::wants_short)
    }

    /// The request for the short form of the link that [`Preparation::run`] put into the matches. `None`: the rule wants none, or the
    /// match is no longer the one the link was made for.
    pub fn short_link(&self, rule: &Rule, matches: &[Document]) -> Option<ShortLink> {
        let first = matches.first()?;
        self.links.iter().find_map(|link| link.short(rule, first))
    }

    /// Runs the enhancements on a match, as `run_enhancements_first` does when the rule matches: one that fails leaves the match as it
    /// was, and the next ones run.
    pub fn enhance(&self, matched: &mut Document) -> (Enhanced, Vec<String>) {
        let mut errors = Vec::new();
        for entry in &self.enhancements {
            let before = matched.clone();
            match (entry.run)(matched, &self.times) {
                Ok(Enhanced::Kept) => {}
                Ok(Enhanced::Dropped) => return (Enhanced::Dropped, errors),
                Err(error) => {
                    *matched = before;
                    errors.push(message(&error));
                }
            }
        }
        (Enhanced::Kept, errors)
    }

    fn enhance_until_error(&self, matched: &mut Document) -> Result<Enhanced, String> {
        for entry in &self.enhancements {
            if (entry.run)(matched, &self.times).map_err(|error| message(&error))?
                == Enhanced::Dropped
            {
                return Ok(Enhanced::Dropped);
            }
        }
        Ok(Enhanced::Kept)
    }
}

/// In ElastAlert's words.
fn message(error: &str) -> String {
    format!("Error running match enhancement: {error}")
}
