//! What is journalled, and how it is put back.

use super::behind::Waiting;
use super::failing::Resting;
use super::held::HeldEvent;
use super::outbox::{InFlight, Progress};
use super::{
    AlertId, Counts, Engine, Index, KeptEvent, Memory, Op, PendingAlert, Seen, Silence, Write,
};
use crate::event::{Document, EventTime, Meta, RawEvent, WallTime};
use crate::rule::{Gap, Hit, Part, Sample, Verdict};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;
use std::time::Duration;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// An event that a rule type took in.
    Hit {
        /// The rule.
        rule: Arc<str>,
        /// The event's time.
        time: EventTime,
        /// What the type's state needs.
        sample: Sample,
        /// The event, when a later match may print it.
        event: KeptEvent,
        /// The time for the rules.
        now: EventTime,
    },
    /// A tick.
    Tick {
        /// The engine's clock.
        now: WallTime,
    },
    /// What was counted for a rule.
    Counts {
        /// The rule.
        rule: Arc<str>,
        /// The counts.
        counts: Counts,
    },
    /// A silence started.
    Silence {
        /// Its key.
        key: String,
        /// The silence.
        silence: Silence,
        /// When it may be forgotten.
        forget: WallTime,
    },
    /// A match joined an aggregation.
    Joined {
        /// The alert it will be part of.
        id: AlertId,
        /// The rule.
        rule: String,
        /// The aggregation key's value.
        key: Option<String>,
        /// When the alert is due.
        due: WallTime,
        /// The match.
        #[serde(with = "as_text")]
        document: Document,
    },
    /// An aggregation was due, and no longer waits.
    GroupTaken {
        /// Its alert.
        id: AlertId,
    },
    /// An alert is on its way through so many alerters.
    Opened {
        /// The alert.
        alert: Arc<PendingAlert>,
        /// How many alerters.
        alerters: usize,
    },
    /// An alerter has come so far with an alert.
    Progress {
        /// The alert.
        id: AlertId,
        /// Which alerter.
        alerter: u16,
        /// How far.
        progress: Progress,
    },
    /// A change to the writeback indices.
    Write {
        /// Its number.
        number: u64,
        /// The change.
        write: Write,
    },
    /// A body was taken in.
    Body {
        /// Its fingerprint.
        fingerprint: u128,
        /// When.
        now: WallTime,
    },
    /// A ticket was made for an alert.
    Ticket {
        /// The alert.
        id: AlertId,
        /// The ticket's address.
        ticket: String,
    },
    /// An event waits until its rule runs.
    Held {
        /// The rule.
        rule: String,
        /// The event's time.
        time: EventTime,
        /// What the rule type made of it.
        verdict: Verdict,
        /// The event.
        event: StoredEvent,
        /// The engine's clock.
        now: WallTime,
    },
    /// A rule failed, has forgotten everything, and rests.
    Rests {
        /// The rule.
        rule: String,
        /// How many times it failed in a row.
        failures: u32,
        /// Until when.
        until: WallTime,
    },
    /// A rule that had failed was evaluated.
    Recovered {
        /// The rule.
        rule: String,
    },
    /// Nothing waits for the rule any more.
    LetIn {
        /// The rule.
        rule: String,
    },
    /// What follows was decided under these rules.
    Rules {
        /// Their names, and the fingerprints by which they keep their memory.
        rules: Vec<(String, u64)>,
    },
    /// A tick at another time for the rules than on the wall.
    TickAsOf {
        /// The time for the rules.
        time: EventTime,
        /// The engine's clock.
        now: WallTime,
    },
    /// A rule was told of the past.
    Warmed(Memory),
    /// Events could not come for a while.
    Resumed {
        /// The rule that begins; `None`: all.
        rule: Option<String>,
        /// When.
        gap: Gap,
    },
    /// An event whose values will be counted.
    Seen {
        /// The rule.
        rule: String,
        /// The event's time.
        time: EventTime,
        /// What of it is counted.
        #[serde(with = "as_text")]
        fields: Document,
    },
    /// What was counted for a rule since the last tick it was told of, by the hours it had until now.
    Interval {
        /// The rule.
        rule: String,
        /// The counts.
        counts: Counts,
    },
    /// What a rule has seen so far is not what it counts from now on.
    Unseen {
        /// The rule.
        rule: String,
    },
    /// A part of a tick that is not over. What follows is of its next part, or came before that.
    TickPart {
        /// The engine's clock when it began.
        now: WallTime,
        /// Time spent on evaluating rules before it.
        busy: Duration,
        /// How many rules it has come past.
        rules: u64,
        /// How much of the next one's was done in this part.
        acts: u64,
    },
    /// An event that its rule takes in later.
    Waits {
        /// The rule.
        rule: Arc<str>,
        /// The event's time.
        time: EventTime,
        /// What the type's state needs.
        sample: Sample,
        /// The event.
        event: StoredEvent,
        /// The time for the rules when it came.
        now: EventTime,
        /// The engine's clock.
        came: WallTime,
        /// How much of the tick under way was done for the rule before; `None`: all.
        ticked: Option<u64>,
    },
    /// A rule has taken in some of the events that wait.
    TakenIn {
        /// The rule.
        rule: Arc<str>,
        /// How many.
        events: u64,
        /// How much was done for the next in this part.
        acts: u64,
    },
}

/// An event in the journal: its bytes, its index and its id.
#[derive(Debug, Clone)]
pub struct StoredEvent(pub(super) Arc<RawEvent>);

impl StoredEvent {
    fn parts(&self) -> (Json<'_>, Option<&str>, Option<&str>) {
        let meta = self.0.meta.as_deref();
        let index = meta.and_then(|meta| meta.index.as_deref());
        let id = meta.and_then(|meta| meta.id.as_deref());
        (Json(&self.0.bytes), index, id)
    }
}

impl PartialEq for StoredEvent {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.parts() == other.parts()
    }
}

impl Serialize for StoredEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.parts().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StoredEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (json, index, id) =
            <(Json<'de>, Option<String>, Option<String>)>::deserialize(deserializer)?;
        Ok(Self(Arc::new(RawEvent {
            bytes: Bytes::copy_from_slice(json.0),
            meta: Some(Arc::new(Meta { index, id })),
        })))
    }
}

/// JSON text that is written and read in one piece.
#[derive(PartialEq, Deserialize)]
struct Json<'b>(#[serde(borrow)] &'b [u8]);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        in_one_piece(self.0, serializer)
    }
}

/// Writes bytes at once, not one by one as a list of numbers; the format is the same.
pub(crate) fn in_one_piece<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Reads them at once.
pub(crate) fn from_one_piece<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<u8>, D::Error> {
    <&[u8]>::deserialize(deserializer).map(<[u8]>::to_vec)
}

impl Record {
    /// Whether the journal must be safe on disk before what belongs to it is done. Counts alone may be lost with the machine.
    pub fn must_be_safe(&self) -> bool {
        !matches!(
            self,
            Self::Seen { .. }
                | Self::Counts { .. }
                | Self::Body { .. }
                | Self::Tick { .. }
                | Self::TickAsOf { .. }
                | Self::TickPart { .. }
                | Self::TakenIn { .. }
        )
    }
}

impl Engine {
    /// Puts a record of the journal back. A write among them is returned: doing it again changes nothing.
    pub fn restore(&mut self, record: Record) -> Option<(u64, Write)> {
        self.is_at_rest = true;
        match record {
            Record::Hit {
                rule,
                time,
                sample,
                event,
                now,
            } => {
                // Records that follow may be of the same event, whatever becomes of this one.
                let (event, room) = self.restored.restore(event);
                let (position, _) = self.program.find(&rule)?;
                let cell = self.cells.get_mut(position)?;
                if cell.is_foreign {
                    return None;
                }
                cell.newest = cell.newest.max(Some(time));
                let hit = Hit {
                    time,
                    sample,
                    event,
                };
                // Matches found again were decided before: the records that follow say what became of them.
                let program = Arc::clone(&self.program);
                let entry = program.rules.get(position)?;
                let shown = self
                    .restore_settled(entry, position, &hit, now)
                    .and_then(|()| {
                        let (part, matches) = (&mut Part::whole(), &mut Vec::new());
                        self.show(position, &hit, room, now, part, matches)
                    });
                if shown.is_err() {
                    self.reset(entry, position);
                }
            }
            Record::Rules { rules } => self.restore_rules(rules),
            Record::Tick { now } => self.restore_tick(now, None),
            Record::TickAsOf { time, now } => self.restore_tick(now, Some(time)),
            Record::TickPart {
                now,
                busy,
                rules,
                acts,
            } => self.restore_part(now, busy, rules, acts),
            Record::Waits {
                rule,
                time,
                sample,
                event,
                now,
                came,
                ticked,
            } => {
                let hit = Hit {
                    time,
                    sample,
                    event: Some(event.0),
                };
                self.restore_waits(&rule, Waiting::new(hit, now, came), ticked);
            }
            Record::TakenIn { rule, events, acts } => {
                self.restore_taken_in(&rule, events, acts);
            }
            Record::Warmed(memory) => {
                self.restore_memory(&memory);
            }
            Record::Resumed { rule, gap } => self.note_gap(rule.as_deref(), gap),
            Record::Counts { rule, counts } => {
                let (position, _) = self.program.find(&rule)?;
                if let Some(cell) = self.cells.get_mut(position) {
                    cell.count(counts);
                }
            }
            Record::Interval { rule, counts } => {
                let (position, _) = self.program.find(&rule)?;
                self.cells.get_mut(position)?.interval = counts;
            }
            Record::Unseen { rule } => {
                let (position, _) = self.program.find(&rule)?;
                self.cells.get_mut(position)?.seen = Seen::default();
            }
            Record::Seen { rule, time, fields } => {
                let (position, entry) = self.program.find(&rule)?;
                let keep = entry.rule.counted.as_ref()?.keep;
                self.cells.get_mut(position)?.seen.add(time, fields, keep);
            }
            Record::Silence {
                key,
                silence,
                forget,
            } => self.silences.set(&key, silence, forget),
            Record::Joined {
                id,
                rule,
                key,
                due,
                document,
            } => {
                self.saw_alert_id(&id);
                self.aggregates.add(&id, &rule, key, due, document);
            }
            Record::GroupTaken { id } => {
                self.aggregates.take(&id);
            }
            Record::Opened { alert, alerters } => {
                self.saw_alert_id(&alert.id);
                if alerters > 0 {
                    self.outbox.insert(InFlight {
                        alert,
                        alerters: vec![Progress::Trying(1); alerters],
                        ticket: None,
                    });
                }
            }
            Record::Progress {
                id,
                alerter,
                progress,
            } => {
                self.outbox.set(&id, alerter, progress);
            }
            Record::Write { number, write } => {
                self.next_write = self.next_write.max(number + 1);
                return Some((number, write));
            }
            Record::Body { fingerprint, now } => self.remember_body(fingerprint, now),
            Record::Ticket { id, ticket } => self.outbox.set_ticket(&id, &ticket),
            Record::Held {
                rule,
                time,
                verdict,
                event,
                now,
            } => {
                let held = HeldEvent {
                    time,
                    verdict,
                    event: event.0,
                    came: now,
                };
                self.restore_held(&rule, held);
            }
            Record::Rests {
                rule,
                failures,
                until,
            } => {
                self.forget_memory(&rule);
                self.failing.insert(rule, Resting { failures, until });
            }
            Record::Recovered { rule } => {
                self.failing.remove(&rule);
            }
            Record::LetIn { rule } => {
                self.held.take(&rule);
            }
        }
        None
    }

    fn forget_memory(&mut self, rule: &str) {
        let program = Arc::clone(&self.program);
        if let Some((position, entry)) = program.find(rule) {
            self.reset(entry, position);
        }
    }

    /// Numbers go on after the highest that was used.
    fn saw_alert_id(&mut self, id: &AlertId) {
        // Other installations' ids are of no concern.
        let number = id.0.strip_prefix(self.options.instance.as_str());
        let number = number.and_then(|rest| u64::from_str_radix(rest.strip_prefix('-')?, 16).ok());
        if let Some(number) = number {
            self.next_alert = self.next_alert.max(number + 1);
        }
    }
}

/// Documents as JSON text: they describe themselves, which the journal's own format does not.
pub(super) mod as_text {
    use super::{Deserialize, Deserializer, Document, Serializer};
    use serde::de::Error as _;
    use serde::ser::Error as _;

    pub(in crate::engine) fn serialize<S: Serializer>(
        document: &Document,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(document).map_err(S::Error::custom)?)
    }

    pub(in crate::engine) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Document, D::Error> {
        let text = String::deserialize(deserializer)?;
        crate::event::json::parse_document(text.as_bytes()).map_err(D::Error::custom)
    }
}

/// A list of documents as JSON texts.
pub(super) mod as_texts {
    use super::{Deserialize, Deserializer, Document, Serialize, Serializer, as_text};

    #[derive(Serialize, Deserialize)]
    struct Text(#[serde(with = "as_text")] Document);

    pub(in crate::engine) fn serialize<S: Serializer>(
        documents: &[Document],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(documents.iter().cloned().map(Text))
    }

    pub(in crate::engine) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Document>, D::Error> {
        Ok(Vec::<Text>::deserialize(deserializer)?
            .into_iter()
            .map(|Text(document)| document)
            .collect())
    }
}

impl Serialize for Write {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let document = match &self.op {
            Op::Put(document) => {
                Some(serde_json::to_string(document).map_err(serde::ser::Error::custom)?)
            }
            Op::Delete => None,
        };
        (self.index, &self.id, document).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Write {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (index, id, document) = <(Index, Arc<str>, Option<String>)>::deserialize(deserializer)?;
        let op = match document {
            Some(text) => Op::Put(
                crate::event::json::parse_document(text.as_bytes())
                    .map_err(serde::de::Error::custom)?,
            ),
            None => Op::Delete,
        };
        Ok(Self { index, id, op })
    }
}
