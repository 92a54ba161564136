//! Matches that wait to be sent together (`aggregation`).

use super::AlertId;
use crate::event::{Document, EventTime, Timestamp, WallTime, python};
use crate::rule::{Aggregation, Due, Rule};
use std::collections::{BTreeMap, BTreeSet};

/// Matches of one rule and aggregation key that become one alert.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// The alert they become.
    pub(super) id: AlertId,
    /// The rule's name.
    pub(super) rule: String,
    /// The value of `aggregation_key`, as text.
    pub(super) key: Option<String>,
    /// ElastAlert's `alert_time`.
    pub(super) due: WallTime,
    /// In the order they were added.
    pub(super) matches: Vec<Document>,
}

impl Group {
    /// What it has in common with the groups that come after it.
    fn place(&self) -> (String, Option<String>) {
        (self.rule.clone(), self.key.clone())
    }
}

/// All groups that wait.
#[derive(Debug, Default)]
pub(super) struct Aggregates {
    groups: BTreeMap<AlertId, Group>,
    by_due: BTreeSet<(WallTime, AlertId)>,
    /// The group that still takes matches, by rule and key.
    open: BTreeMap<(String, Option<String>), AlertId>,
}

/// How a match joined.
pub(super) struct Join {
    pub(super) id: AlertId,
    /// Whether it is the first of its group.
    pub(super) opened: bool,
    pub(super) due: WallTime,
    pub(super) key: Option<String>,
    /// Its position in the group.
    pub(super) position: usize,
    pub(super) document: Document,
}

impl Aggregates {
    /// Adds a match to the group it belongs to, which it opens if need be.
    pub(super) fn join(
        &mut self,
        rule: &Rule,
        aggregation: &Aggregation,
        document: Document,
        now: WallTime,
        new_id: impl FnOnce() -> AlertId,
    ) -> Join {
        let key = aggregation
            .key
            .as_ref()
            .and_then(|key| match key.fields.as_slice() {
                [field] => field.get_some(&document).map(python::str),
                _ => document
                    .get(&key.name)
                    .filter(|value| !value.is_null())
                    .map(python::str),
            });
        let match_time = rule.match_time(&document).map(Timestamp::event_time);
        let deadline = match match_time {
            Some(time) if aggregation.compare_with_match_time => time,
            _ => now.as_event_time(),
        };
        let current = self
            .open
            .get(&(rule.name.clone(), key.clone()))
            .and_then(|id| self.groups.get(id));
        let (id, due, opened) = match current.filter(|group| group.due.as_event_time() >= deadline)
        {
            Some(group) => (group.id.clone(), group.due, false),
            None => (new_id(), due_time(aggregation, match_time, now), true),
        };
        self.add(&id, &rule.name, key.clone(), due, document.clone());
        let position = self
            .groups
            .get(&id)
            .map_or(0, |group| group.matches.len().saturating_sub(1));
        Join {
            id,
            opened,
            due,
            key,
            position,
            document,
        }
    }

    /// Adds a match to a group by the group's id: what a join decided, or what the journal says it did.
    pub(super) fn add(
        &mut self,
        id: &AlertId,
        rule: &str,
        key: Option<String>,
        due: WallTime,
        document: Document,
    ) {
        let group = self.groups.entry(id.clone()).or_insert_with(|| {
            self.by_due.insert((due, id.clone()));
            self.open.insert((rule.to_owned(), key.clone()), id.clone());
            Group {
                id: id.clone(),
                rule: rule.to_owned(),
                key,
                due,
                matches: Vec::new(),
            }
        });
        group.matches.push(document);
    }

    /// Removes a group.
    pub(super) fn take(&mut self, id: &AlertId) -> Option<Group> {
        let group = self.groups.remove(id)?;
        self.by_due.remove(&(group.due, id.clone()));
        let place = group.place();
        if self.open.get(&place) == Some(id) {
            self.open.remove(&place);
        }
        Some(group)
    }

    /// Removes the groups that are due and whose rule runs.
    pub(super) fn take_due(&mut self, now: WallTime, runs: impl Fn(&str) -> bool) -> Vec<Group> {
        let due: Vec<AlertId> = self
            .by_due
            .iter()
            .take_while(|(at, _)| *at < now)
            .filter(|(_, id)| self.groups.get(id).is_some_and(|group| runs(&group.rule)))
            .map(|(_, id)| id.clone())
            .collect();
        due.iter().filter_map(|id| self.take(id)).collect()
    }

    /// When the next group is due: just after its time.
    pub(super) fn next_due(&self) -> Option<WallTime> {
        self.by_due.first().map(|(at, _)| WallTime(at.0 + 1))
    }

    /// All groups, and whether each still takes matches.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Group, bool)> {
        self.groups
            .values()
            .map(|group| (group, self.open.get(&group.place()) == Some(&group.id)))
    }

    /// Puts a group of a snapshot back.
    pub(super) fn restore(&mut self, group: Group, open: bool) {
        self.by_due.insert((group.due, group.id.clone()));
        if open {
            self.open.insert(group.place(), group.id.clone());
        }
        self.groups.insert(group.id.clone(), group);
    }
}

fn due_time(aggregation: &Aggregation, match_time: Option<EventTime>, now: WallTime) -> WallTime {
    match &aggregation.due {
        Due::After(period) => match match_time {
            Some(time) if aggregation.by_match_time => WallTime(time.plus(*period).0),
            _ => now.plus(*period),
        },
        Due::Schedule(schedule) => schedule.next_after(now).unwrap_or(now),
    }
}
