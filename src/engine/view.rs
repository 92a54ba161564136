//! What the engine holds of rules, for people who look inside.

use super::{Counts, Engine, ProgramRule, Silence};
use crate::event::{EventTime, WallTime};
use crate::rule::{Evaluator, StateSize, Wanted, WindowView};
use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The rule; `None`: all, without their windows.
    pub rule: Option<String>,
    /// The key whose window is meant, as text.
    pub key: Option<String>,
    /// At most so many windows.
    pub most: usize,
}

/// A rule as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleView {
    /// Its name.
    pub rule: String,
    /// The name of its type.
    pub type_name: String,
    /// Since the store began.
    pub counts: Counts,
    /// Keys, and events in windows.
    pub size: StateSize,
    /// About how many bytes of memory they take.
    pub bytes: u64,
    /// The newest event time seen.
    pub newest: Option<EventTime>,
    /// Before this time its matches are held back, because its windows were not watched for long enough.
    pub quiet_until: Option<EventTime>,
    /// Those of its windows that were asked for, nearest to a match first.
    pub windows: Vec<WindowView>,
    /// Silences in force: keys and ends.
    pub silences: Vec<(String, WallTime)>,
    /// Aggregations that wait.
    pub aggregations: Vec<AggregationView>,
}

/// An aggregation that waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AggregationView {
    /// The value of `aggregation_key`.
    pub key: Option<String>,
    /// How many matches wait in it.
    pub matches: u64,
    /// When it is alerted.
    pub due: WallTime,
}

impl Engine {
    /// Rules as they stand at `time` by their own clock.
    pub fn views(&self, look: &Look, time: EventTime, now: WallTime) -> Vec<RuleView> {
        let rules = self.program.rules.iter().zip(&self.cells);
        let wanted = rules.filter(|(entry, _)| match &look.rule {
            None => true,
            Some(rule) => *rule == entry.rule.name,
        });
        wanted
            .map(|(entry, cell)| {
                let time = cell.warmed.map_or(time, |warmed| warmed.max(time));
                let horizon = entry.rule.kind.horizon();
                let quiet_until = cell.since.zip(horizon);
                let quiet_until = quiet_until.map(|(since, horizon)| since.plus(horizon));
                RuleView {
                    rule: entry.rule.name.clone(),
                    type_name: entry.rule.type_name.to_owned(),
                    counts: cell.total,
                    size: cell.evaluator.size(),
                    bytes: cell.evaluator.bytes(),
                    newest: cell.newest,
                    quiet_until: quiet_until.filter(|until| *until > time),
                    windows: match look.rule {
                        None => Vec::new(),
                        Some(_) => windows(&cell.evaluator, look, time),
                    },
                    silences: self.silences_of(entry, now),
                    aggregations: self.aggregations_of(entry),
                }
            })
            .collect()
    }

    /// As far as the engine remembers, the time for the rules.
    pub fn latest(&self) -> Option<EventTime> {
        let warmed = self.cells.iter().filter_map(|cell| cell.warmed).max();
        self.watched.max(warmed)
    }

    /// Alerts that are not delivered yet.
    pub fn undelivered(&self) -> usize {
        self.outbox.len()
    }

    /// Counts since the store began, by rule name.
    pub fn totals(&self) -> impl Iterator<Item = (&str, Counts, StateSize)> {
        self.program
            .rules
            .iter()
            .zip(&self.cells)
            .map(|(entry, cell)| (entry.rule.name.as_str(), cell.total, cell.evaluator.size()))
    }

    /// What rules hold, by rule name: its size, and about how many bytes of memory that takes.
    pub fn sizes(&self) -> impl Iterator<Item = (&str, StateSize, u64)> {
        let cells = self.program.rules.iter().zip(&self.cells);
        cells.map(|(entry, cell)| {
            let evaluator = &cell.evaluator;
            (
                entry.rule.name.as_str(),
                evaluator.size(),
                evaluator.bytes(),
            )
        })
    }

    /// Counts since this run of the program began, by rule name.
    pub fn run_counts(&self) -> impl Iterator<Item = (&str, Counts)> {
        let cells = self.program.rules.iter().zip(&self.cells);
        cells.map(|(entry, cell)| (entry.rule.name.as_str(), cell.run))
    }

    /// The silence under a key, if there is one in the engine's memory.
    pub fn silence(&self, key: &str) -> Option<Silence> {
        self.silences.get(key)
    }

    /// The silences in force, with their keys.
    pub fn silences(&self, now: WallTime) -> impl Iterator<Item = (&str, Silence)> {
        self.silences
            .iter()
            .filter(move |(_, silence, _)| now < silence.until)
            .map(|(key, silence, _)| (key, silence))
    }

    fn silences_of(&self, entry: &ProgramRule, now: WallTime) -> Vec<(String, WallTime)> {
        let own = entry.rule.silence_key_of(None);
        let realert_key = entry.rule.realert_key();
        let silences = self.silences(now).filter(|(key, _)| {
            let rest = key.strip_prefix(realert_key);
            *key == own || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        let mut silences: Vec<_> = silences
            .map(|(key, silence)| (key.to_owned(), silence.until))
            .collect();
        silences.sort();
        silences
    }

    fn aggregations_of(&self, entry: &ProgramRule) -> Vec<AggregationView> {
        let groups = self.aggregates.iter().map(|(group, _)| group);
        let own = groups.filter(|group| group.rule == entry.rule.name);
        own.map(|group| AggregationView {
            key: group.key.clone(),
            matches: u64::try_from(group.matches.len()).unwrap_or(u64::MAX),
            due: group.due,
        })
        .collect()
    }
}

fn windows(evaluator: &Evaluator, look: &Look, now: EventTime) -> Vec<WindowView> {
    let mut windows = evaluator.views(&Wanted {
        key: look.key.as_deref(),
        now,
    });
    windows.truncate(look.most);
    windows
}
