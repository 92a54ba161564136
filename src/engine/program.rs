//! The rules as the engine runs them: each with its alerters' descriptions and the steps before an alert.

use super::{NOTICES, Notices, Record, Seen};
use crate::event::{Document, WallTime};
use crate::rule::{Rule, RuleSet};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher as _;
use std::sync::Arc;

/// What the engine asks of the side that makes alerts. All of it is deterministic.
pub trait Prepare: Send + Sync {
    /// Runs the enhancements on one match (`run_enhancements_first`). Whether it is kept, and what failed.
    fn enhance(&self, matched: &mut Document) -> (bool, Vec<String>);

    /// Prepares an alert's matches, once: counts of what the rule has seen, links, rule parameters, and enhancements unless they ran at the match. Dropped matches
    /// are removed. What failed.
    fn prepare(&self, rule: &Rule, matches: &mut Vec<Document>, seen: &Seen) -> Vec<String>;

    /// What the first alerter says of itself in the documents of an alert (`alert_info`).
    fn alert_info(&self, rule: &Rule, matches: &[Document], now: WallTime) -> Document;
}

/// One of a rule's alerters, as the engine knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlerterFacts {
    /// Its name.
    pub name: &'static str,
    /// What it has to do with tickets.
    pub ticket: TicketUse,
}

/// What an alerter has to do with the ticket of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TicketUse {
    /// Nothing.
    #[default]
    None,
    /// It makes one.
    Makes,
    /// It shows the one that another alerter made.
    Shows,
}

/// A rule with what the engine needs to know of its alerters and texts.
pub struct ProgramRule {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Its alerters, in the rule's order.
    pub alerters: Vec<AlerterFacts>,
    /// The side that makes its alerts.
    pub prepare: Arc<dyn Prepare>,
    /// `run_enhancements_first`: enhancements run at the match, before it is aggregated.
    pub enhance_first: bool,
    /// `include_match_in_root`.
    pub match_in_root: bool,
}

impl ProgramRule {
    /// Whether the rule is evaluated now (`limit_execution`).
    pub(super) fn runs(&self, now: WallTime) -> bool {
        let hours = self.rule.hours.as_ref();
        hours.is_none_or(|hours| hours.run(now))
    }
}

/// All rules that run.
pub struct Program {
    /// Tells one loading of the rules from another.
    pub generation: u64,
    /// The rules.
    pub rules: Vec<Arc<ProgramRule>>,
    /// How people are told of errors.
    pub notices: Option<Notices>,
    /// The places in `rules`, found by name.
    by_name: HashTable<u32>,
    /// The rules with `exponential_realert`.
    exponential: Vec<Arc<ProgramRule>>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("generation", &self.generation)
            .field("rules", &self.rules.len())
            .finish()
    }
}

fn hash(name: &str) -> u64 {
    FixedState::default().hash_one(name)
}

impl Program {
    /// These rules; their names differ.
    pub fn new(generation: u64, rules: Vec<Arc<ProgramRule>>) -> Self {
        let mut by_name = HashTable::with_capacity(rules.len());
        let hash = |position: &u32| {
            let entry = rules.get(*position as usize);
            hash(entry.map_or("", |entry| &entry.rule.name))
        };
        for (position, _) in (0..).zip(&rules) {
            by_name.insert_unique(hash(&position), position, hash);
        }
        let exponential = rules
            .iter()
            .filter(|entry| entry.rule.exponential_realert.is_some())
            .cloned()
            .collect();
        Self {
            generation,
            rules,
            notices: None,
            by_name,
            exponential,
        }
    }

    /// With this way to tell people of errors.
    #[must_use]
    pub fn with_notices(self, notices: Option<Notices>) -> Self {
        Self { notices, ..self }
    }

    /// What alerts of this name leave through: a rule's, or the program's own.
    pub(super) fn sender(&self, name: &str) -> Option<&ProgramRule> {
        match &self.notices {
            Some(notices) if name == NOTICES => Some(&notices.entry),
            _ => self.find(name).map(|(_, entry)| entry),
        }
    }

    /// The rules with `exponential_realert`: the others' silences may be forgotten at their ends.
    pub(super) fn exponential(&self) -> impl Iterator<Item = &Rule> {
        self.exponential.iter().map(|entry| &*entry.rule)
    }

    /// Tells a reader of the journal that it goes on under these rules.
    pub(super) fn record(&self) -> Record {
        let rules = self.rules.iter();
        Record::Rules {
            rules: rules
                .map(|entry| (entry.rule.name.clone(), entry.rule.state_fingerprint))
                .collect(),
        }
    }

    /// A rule and its position, by name.
    pub fn find(&self, name: &str) -> Option<(usize, &ProgramRule)> {
        let entry = |position: u32| self.rules.get(position as usize);
        let is_it = |position: &u32| entry(*position).is_some_and(|entry| entry.rule.name == name);
        let position = *self.by_name.find(hash(name), is_it)?;
        Some((position as usize, entry(position)?.as_ref()))
    }

    /// Where each of these rules is now.
    pub(super) fn positions(&self, rules: &RuleSet) -> Vec<Option<usize>> {
        rules
            .rules
            .iter()
            .map(|rule| Some(self.find(&rule.name)?.0))
            .collect()
    }
}
