//! All of the engine's memory at one moment, so that the journal before it can go.

use super::aggregate::Group;
use super::failing::Resting;
use super::held::HeldEvent;
use super::kept::LastKept;
use super::outbox::{InFlight, Progress};
use super::record::{as_text, as_texts, from_one_piece, in_one_piece};
use super::{
    AlertId, Cell, Counts, Engine, Options, PendingAlert, Program, Record, Silence, StoredEvent,
};
use crate::event::{Document, EventTime, WallTime};
use crate::rule::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The format of this version. The fourth, in which all kept events were in it, is read, too; those before were never released and are refused.
const VERSION: u16 = 5;

/// The engine's memory.
#[derive(Debug, Serialize, Deserialize)]
pub struct Snapshot {
    rules: Vec<RuleMemory>,
    silences: Vec<(String, Silence, WallTime)>,
    groups: Vec<StoredGroup>,
    alerts: Vec<(Arc<PendingAlert>, Vec<Progress>)>,
    bodies: Vec<(WallTime, u128)>,
    next_alert: u64,
    next_write: u64,
    last_tick: Option<WallTime>,
    held: Vec<StoredHeld>,
    tickets: Vec<(AlertId, String)>,
    failing: Vec<(String, u32, WallTime)>,
    watched: Option<EventTime>,
    /// By rule: since when events have come without a gap.
    since: Vec<(String, EventTime)>,
    /// By rule: what of the events it has seen is counted.
    seen: Vec<(String, Vec<StoredSeen>)>,
}

/// What of an event is counted.
#[derive(Debug, Serialize, Deserialize)]
struct StoredSeen {
    time: EventTime,
    #[serde(with = "as_text")]
    fields: Document,
}

/// An event that waits for its rule's hours.
#[derive(Debug, Serialize, Deserialize)]
struct StoredHeld {
    rule: String,
    time: EventTime,
    verdict: Verdict,
    event: StoredEvent,
    came: WallTime,
}

#[derive(Debug, Serialize, Deserialize)]
struct RuleMemory {
    name: String,
    fingerprint: u64,
    #[serde(serialize_with = "in_one_piece", deserialize_with = "from_one_piece")]
    state: Vec<u8>,
    newest: Option<EventTime>,
    interval: Counts,
    total: Counts,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredGroup {
    id: AlertId,
    rule: String,
    key: Option<String>,
    due: WallTime,
    open: bool,
    #[serde(with = "as_texts")]
    matches: Vec<Document>,
}

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Written by a newer version of the program.
    #[error("written in format {found}, which this version does not know (it knows {VERSION})")]
    Newer {
        /// Its format.
        found: u16,
    },
    /// Written by a version that was never released.
    #[error(
        "written in format {found} by a version before the first release, which this version does not read (it reads {VERSION}): move the store's folder away to begin anew"
    )]
    Older {
        /// Its format.
        found: u16,
    },
    /// Not what was written.
    #[error("damaged: {0}")]
    Damaged(#[from] postcard::Error),
    /// Not what was written.
    #[error("damaged: its checksum does not fit")]
    Checksum,
    /// Nothing there.
    #[error("damaged: it is empty")]
    Empty,
}

#[cfg(test)]
impl Snapshot {
    /// What differs in another one, for people.
    pub(super) fn differs(&self, other: &Self) -> Vec<String> {
        let lines = |snapshot: &Self| -> Vec<String> {
            format!("{snapshot:#?}")
                .lines()
                .map(str::to_owned)
                .collect()
        };
        let (ours, theirs) = (lines(self), lines(other));
        let pairs = ours
            .iter()
            .zip(&theirs)
            .enumerate()
            .filter(|(_, (a, b))| a != b);
        pairs
            .map(|(at, (a, b))| format!("{at}: {a} | {b}"))
            .take(20)
            .collect()
    }
}

impl Snapshot {
    /// The snapshot as bytes.
    ///
    /// # Errors
    /// Something in it cannot be written.
    pub fn encode(&self) -> Result<Vec<u8>, SnapshotError> {
        // Most of it is what rules remember.
        let states = self.rules.iter().map(|rule| rule.state.len() + 64);
        let mut bytes = Vec::with_capacity(states.sum());
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        Ok(postcard::to_extend(self, bytes)?)
    }

    /// The snapshot from bytes.
    ///
    /// # Errors
    /// They are damaged, or of another format.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let (version, rest) = bytes.split_first_chunk().ok_or(SnapshotError::Empty)?;
        match u16::from_le_bytes(*version) {
            4 | VERSION => Ok(postcard::from_bytes(rest)?),
            found @ ..VERSION => Err(SnapshotError::Older { found }),
            found => Err(SnapshotError::Newer { found }),
        }
    }
}

/// Where the rules are that the journal tells of by their places.
#[derive(Debug, Default)]
pub(super) struct Places(
    /// By the place of then; `None`: they are the same.
    Option<Vec<Option<usize>>>,
);

impl Places {
    fn new<'n>(program: &Program, then: impl Iterator<Item = &'n String>) -> Self {
        let places = then.map(|name| program.find(name).map(|(position, _)| position));
        let places: Vec<Option<usize>> = places.collect();
        let now = (0..program.rules.len()).map(Some);
        let is_same = now.eq(places.iter().copied());
        Self((!is_same).then_some(places))
    }

    /// Where a rule is now, if it is.
    pub(super) fn now(&self, then: usize) -> Option<usize> {
        match &self.0 {
            None => Some(then),
            Some(places) => *places.get(then)?,
        }
    }

    /// How many rules there were; there are so many now.
    pub(super) fn count(&self, now: usize) -> usize {
        self.0.as_ref().map_or(now, Vec::len)
    }
}

impl Engine {
    /// What an engine is made of that is to take over what this one journals: its options and its rules.
    pub fn origin(&self) -> (Options, Arc<Program>) {
        (self.options.clone(), Arc::clone(&self.program))
    }

    /// The journal goes on under these rules: those that are now as they were then begin to remember, others cannot use what follows.
    pub(super) fn restore_rules(&mut self, rules: Vec<(String, u64)>) {
        self.places = Places::new(&self.program, rules.iter().map(|(name, _)| name));
        self.go_on_from_rule(0);
        let then: HashMap<String, u64> = rules.into_iter().collect();
        for (entry, cell) in self.program.rules.iter().zip(&mut self.cells) {
            let then = then.get(&entry.rule.name);
            let is_foreign = then != Some(&entry.rule.state_fingerprint);
            if is_foreign || cell.is_foreign {
                let counts = then
                    .map(|_| (cell.total, cell.interval))
                    .unwrap_or_default();
                let told = cell.told;
                *cell = Cell::new(entry, self.spill.as_ref());
                (cell.total, cell.interval) = counts;
                cell.told = told;
            }
            cell.is_foreign = is_foreign;
        }
        self.count_kept();
    }

    /// The journal has been read: rules that it did not know begin anew.
    pub(super) fn end_restore(&mut self) -> Record {
        for cell in &mut self.cells {
            cell.is_foreign = false;
        }
        self.is_at_rest = false;
        self.end_restored_events();
        self.places = Places::default();
        self.go_on_from_rule(0);
        self.restored = LastKept::default();
        self.program.record()
    }

    /// Everything remembered now. Of what is done in parts and not over nothing is in it.
    pub fn snapshot(&self) -> Snapshot {
        let since = self.program.rules.iter().zip(&self.cells);
        let since = since.filter_map(|(entry, cell)| Some((entry.rule.name.clone(), cell.since?)));
        let rules = self
            .program
            .rules
            .iter()
            .zip(&self.cells)
            .map(|(entry, cell)| RuleMemory {
                name: entry.rule.name.clone(),
                fingerprint: entry.rule.state_fingerprint,
                state: cell.evaluator.save(),
                newest: cell.newest,
                interval: cell.interval,
                total: cell.total,
            });
        let groups = self.aggregates.iter().map(|(group, open)| StoredGroup {
            id: group.id.clone(),
            rule: group.rule.clone(),
            key: group.key.clone(),
            due: group.due,
            open,
            matches: group.matches.clone(),
        });
        Snapshot {
            rules: rules.collect(),
            silences: self
                .silences
                .iter()
                .map(|(key, silence, forget)| (key.to_owned(), silence, forget))
                .collect(),
            groups: groups.collect(),
            alerts: self
                .outbox
                .iter()
                .map(|alert| (Arc::clone(&alert.alert), alert.alerters.clone()))
                .collect(),
            bodies: self.bodies.iter().copied().collect(),
            next_alert: self.next_alert,
            next_write: self.next_write,
            last_tick: self.last_tick,
            tickets: self
                .outbox
                .iter()
                .filter_map(|alert| {
                    Some((alert.alert.id.clone(), alert.ticket.as_ref()?.to_string()))
                })
                .collect(),
            failing: self
                .failing
                .iter()
                .map(|(rule, resting)| (rule.clone(), resting.failures, resting.until))
                .collect(),
            held: self
                .held
                .iter()
                .map(|(rule, held)| StoredHeld {
                    rule: rule.to_owned(),
                    time: held.time,
                    verdict: held.verdict.clone(),
                    event: StoredEvent(Arc::clone(&held.event)),
                    came: held.came,
                })
                .collect(),
            watched: self.watched,
            since: since.collect(),
            seen: self.stored_seen(),
        }
    }

    fn stored_seen(&self) -> Vec<(String, Vec<StoredSeen>)> {
        let counting = self.program.rules.iter().zip(&self.cells);
        counting
            .filter(|(entry, _)| entry.rule.counted.is_some())
            .map(|(entry, cell)| {
                let seen = cell.seen.iter().map(|(time, fields)| StoredSeen {
                    time,
                    fields: fields.clone(),
                });
                (entry.rule.name.clone(), seen.collect())
            })
            .collect()
    }

    /// An engine that goes on from a snapshot. Rules whose memory cannot be used start anew; the answer says which and why.
    pub fn from_snapshot(
        options: Options,
        program: Arc<Program>,
        snapshot: Snapshot,
    ) -> (Self, Vec<String>) {
        let mut engine = Self::new(options, program);
        let mut reset = Vec::new();
        let mut fresh = HashSet::new();
        let rules = snapshot.rules.iter().map(|memory| &memory.name);
        engine.places = Places::new(&engine.program, rules);
        let mut memories: HashMap<String, RuleMemory> = snapshot
            .rules
            .into_iter()
            .map(|memory| (memory.name.clone(), memory))
            .collect();
        let mut since: HashMap<String, EventTime> = snapshot.since.into_iter().collect();
        for (entry, cell) in engine.program.rules.iter().zip(&mut engine.cells) {
            let Some(memory) = memories.remove(&entry.rule.name) else {
                // What the journal says up to the rule's beginning is not about it.
                cell.is_foreign = true;
                continue;
            };
            cell.total = memory.total;
            cell.interval = memory.interval;
            if memory.fingerprint != entry.rule.state_fingerprint {
                fresh.insert(entry.rule.name.clone());
                reset.push(format!(
                    "{}: the rule was changed while the program did not run, or this version of the program reads it otherwise",
                    entry.rule.name
                ));
                cell.is_foreign = true;
                continue;
            }
            if let Err(error) = cell.evaluator.load(&memory.state) {
                reset.push(format!("{}: {error}", entry.rule.name));
                *cell = Cell {
                    total: memory.total,
                    interval: memory.interval,
                    ..Cell::new(entry, None)
                };
                continue;
            }
            cell.newest = memory.newest;
            cell.since = since.remove(&entry.rule.name);
        }
        for (rule, seen) in snapshot.seen {
            let Some((position, entry)) = engine.program.find(&rule) else {
                continue;
            };
            if let Some(counted) = &entry.rule.counted
                && !fresh.contains(&rule)
                && let Some(cell) = engine.cells.get_mut(position)
            {
                for StoredSeen { time, fields } in seen {
                    cell.seen.add(time, fields, counted.keep);
                }
            }
        }
        for (key, silence, forget) in snapshot.silences {
            engine.silences.set(&key, silence, forget);
        }
        for (rule, failures, until) in snapshot.failing {
            // An edited rule does not rest.
            if fresh.contains(&rule) {
                continue;
            }
            engine.failing.insert(rule, Resting { failures, until });
        }
        for held in snapshot.held {
            // What another rule of that name decided is of no use.
            if fresh.contains(&held.rule) {
                continue;
            }
            let event = HeldEvent {
                time: held.time,
                verdict: held.verdict,
                event: held.event.0,
                came: held.came,
            };
            engine.restore_held(&held.rule, event);
        }
        for group in snapshot.groups {
            let open = group.open;
            engine.aggregates.restore(group.restore(), open);
        }
        for (alert, alerters) in snapshot.alerts {
            engine.outbox.insert(InFlight {
                alert,
                alerters,
                ticket: None,
            });
        }
        for (id, ticket) in snapshot.tickets {
            engine.outbox.set_ticket(&id, &ticket);
        }
        engine.bodies = snapshot.bodies.into();
        engine.next_alert = snapshot.next_alert;
        engine.next_write = snapshot.next_write;
        engine.last_tick = snapshot.last_tick;
        engine.count_kept();
        let last_tick = snapshot.last_tick.map(WallTime::as_event_time);
        engine.watched = snapshot.watched.or(last_tick);
        let day = |watched: EventTime| watched.0.div_euclid(super::time::DAY);
        engine.forgotten = engine.watched.map(day);
        (engine, reset)
    }
}

impl StoredGroup {
    fn restore(self) -> Group {
        Group {
            id: self.id,
            rule: self.rule,
            key: self.key,
            due: self.due,
            matches: self.matches,
        }
    }
}
