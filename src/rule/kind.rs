//! The door every rule type goes through: what it is built from, what it looks at, what it remembers.
//!
//! A type is two halves. The *kind* is made once from the rule file, never changes, and decides without memory; it is asked by many
//! threads at once. The *state* is what it remembers; only the engine touches it.

use super::{Documents, Gap, Key, Part, Place, QueryKey, TimeField, Wanted, WindowView};
use crate::config::{OptionSpec, Problem, Properties, Span};
use crate::event::{Document, EventTime, FieldPath, Fields, RawEvent};
use crate::filter::{Filter, Mapping, Shared};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::any::Any;
use std::fmt::Debug;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A rule type's line in [`super::types::RULE_TYPES`].
pub struct RuleTypeEntry {
    /// ElastAlert's name for it.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// The options it reads beside those every rule has.
    pub options: &'static [OptionSpec],
    /// Builds it from options that passed the tables.
    pub build: fn(&Properties, &Common) -> Built,
    /// What is most likely not meant in options that it can be built from.
    pub advice: fn(&Properties, &Common) -> Vec<Problem>,
}

/// A rule type, or what is wrong with its options.
pub type Built = Result<Arc<dyn RuleType>, Vec<Problem>>;

/// What every rule has and its type may want to know.
#[derive(Debug, Clone)]
pub struct Common {
    /// The rule's name.
    pub name: String,
    /// Where the rule's `type` is written: for problems without a better place.
    pub span: Span,
    /// `query_key`.
    pub query_key: Option<QueryKey>,
    /// `timestamp_field` and how it is read.
    pub time: TimeField,
    /// `timeframe`.
    pub timeframe: Option<Duration>,
    /// `buffer_time` of the rule, else of the configuration.
    pub buffer_time: Duration,
    /// `run_every` of the configuration.
    pub run_every: Duration,
    /// The directory `!file` lists are relative to.
    pub working_directory: PathBuf,
    /// How fields are typed, for types with a filter of their own.
    pub mapping: Mapping,
    /// What such filters have alike with those of other rules.
    pub filters: Arc<Shared>,
}

/// The half that never changes.
pub trait RuleType: Debug + Send + Sync {
    /// The fields [`RuleType::sample`] looks at, in its order.
    fn fields(&self) -> &[FieldPath];

    /// Whether ElastAlert has the index look at the fields for this type, instead of looking at the events itself: what it adds to those
    /// (`super::members`) is not there then.
    fn asks_the_index(&self) -> bool {
        false
    }

    /// A second filter, which does not pick the events but tells [`RuleType::sample`] something about them.
    fn inner_filter(&self) -> Option<&Filter> {
        None
    }

    /// Decides as far as that is possible from the event alone. Called for every event that passes the rule's filter.
    fn sample(&self, event: &Observed<'_>) -> Verdict;

    /// The half that remembers, empty.
    fn state(&self) -> Box<dyn RuleState>;

    /// Whether a later match can print an event that was only remembered: the journal then stores the event with its [`Sample`].
    fn keeps_events(&self) -> bool {
        false
    }

    /// What of the past is known when the rule begins ([`RuleState::learn`]); `None`: the type learns nothing.
    fn learning(&self) -> Option<Learning> {
        None
    }

    /// How long events must have been watched before a match can be believed; `None`: what is remembered says so itself.
    fn horizon(&self) -> Option<Duration> {
        None
    }

    /// Whether a match stands even if some of the events within [`RuleType::horizon`] are not known: more of them could not undo it.
    fn is_certain(&self, _matched: &Match) -> bool {
        false
    }

    /// What the type adds to an alert's text after `alert_text` (ElastAlert's `get_match_str`); empty for none. `times` prints the time
    /// found in a match, moved back by a duration, as the rule wants times printed.
    fn text(&self, _matched: &Document, _times: &dyn Fn(&Value, Duration) -> String) -> String {
        String::new()
    }

    /// Whether what is remembered depends on the options that judge it, as where a match clears a window.
    fn judgement_changes_memory(&self) -> bool {
        true
    }

    /// Whether a member of a match is a list that the type added, and a tuple in ElastAlert: texts then show it as one.
    fn is_tuple(&self, _member: &str, _value: &Value) -> bool {
        false
    }
}

/// What of the past a type knows when its rule begins: the values of fields, or of combinations of fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learning {
    /// How far back; and how long what was seen is known, in a running service.
    pub window: Duration,
    /// Each field or combination, by its places in [`RuleType::fields`].
    pub terms: Vec<Range<usize>>,
    /// Whether an index has the values in `.keyword` of the field.
    pub keyword: bool,
}

/// What a rule type is shown of an event.
pub struct Observed<'a> {
    /// The fields it asked for.
    pub fields: &'a dyn Fields,
    /// Whether the event passes [`RuleType::inner_filter`]; true without one.
    pub inner: bool,
    /// The index it goes to, if that is known.
    pub index: Option<&'a str>,
    /// Its id, if its sender told one.
    pub id: Option<&'a str>,
    /// The event as it came.
    pub bytes: &'a [u8],
}

/// What [`RuleType::sample`] found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Verdict {
    /// The event cannot match and need not be remembered.
    Nothing,
    /// The event is a match as it is.
    Match,
    /// The engine must look at this.
    Sample(Sample),
}

/// What a state needs of an event; small, because it is journalled.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sample {
    /// The key by which windows are told apart.
    pub key: Key,
    /// Values the type needs, in an order it knows.
    #[serde(with = "super::saved::json")]
    pub values: Vec<Value>,
}

/// An event that a state may want to keep or print later.
#[derive(Debug, Clone)]
pub struct Hit {
    /// By the rule's `timestamp_field`.
    pub time: EventTime,
    /// What [`RuleType::sample`] took from it.
    pub sample: Sample,
    /// The event itself. `None` while the journal is replayed and the event was not worth storing: then no match it causes is new.
    pub event: Option<Arc<RawEvent>>,
}

/// The half that remembers. Deterministic: the same calls give the same answers.
pub trait RuleState: Any + Send {
    /// An event arrived; `now` is the engine's clock. Goes as far as there is room; false: the state is to be shown the event again, and nothing else before
    /// that is over.
    fn add(&mut self, hit: &Hit, now: EventTime, part: &mut Part, out: &mut Vec<Match>) -> bool;

    /// Time passed without an event: a tick begins. What may take long is left to [`RuleState::go_on`].
    fn tick(&mut self, now: EventTime, part: &mut Part, out: &mut Vec<Match>);

    /// Goes on with a tick, as far as there is room. Whether it is over; what comes before the next tick, a saving or a gap is.
    fn go_on(&mut self, _part: &mut Part, _out: &mut Vec<Match>) -> bool {
        true
    }

    /// Whether events that come while a tick is not over wait for its end.
    fn waits_for_ticks(&self) -> bool {
        false
    }

    /// Before an event that comes while a tick is not over, and does not wait: the tick looks at what the event will change, so that it finds what it would
    /// have found undivided.
    fn settle(&mut self, _hit: &Hit, _now: EventTime, _out: &mut Vec<Match>) {}

    /// Events could not come for a while. Silence in that time means nothing; when the clock was set back, what only time had put into
    /// windows must not stand in the future.
    fn resume(&mut self, _gap: &Gap) {}

    /// Lets go of what was not seen for so long that it counts as unknown again. Only a running service does that, see [`Learning`].
    fn forget(&mut self, _now: EventTime) {}

    /// An event of the time before `start`, when the rule began to run: what it shows is known and matches nothing.
    fn learn(&mut self, _hit: &Hit, _start: EventTime) {}

    /// The state in a form [`RuleState::load`] reads; the first byte is the format's version.
    fn save(&self) -> Vec<u8>;

    /// Takes over a saved state; an error says in words why it cannot be used.
    fn load(&mut self, saved: &[u8]) -> Result<(), String>;

    /// Goes by the options of another state of the same type, in which nothing is yet: options that judge what is remembered, and do not shape it.
    /// What is remembered stays where it is.
    fn judge_like(&mut self, empty: &dyn RuleState);

    /// Takes over a state that was filled from the past, elsewhere.
    fn absorb(&mut self, saved: &[u8]) -> Result<(), String> {
        self.load(saved)
    }

    /// Keys remembered, and events held, for metrics.
    fn size(&self) -> StateSize;

    /// The windows as they stand; at most [`super::LOOKED_AT`] of them. None: the type looks at each event alone.
    fn views(&self, _wanted: &Wanted<'_>) -> Vec<WindowView> {
        Vec::new()
    }

    /// The events kept for later matches; `None`: the type keeps none.
    fn documents(&self) -> Option<&Documents> {
        None
    }

    /// The same, to be told where there is room.
    fn documents_mut(&mut self) -> Option<&mut Documents> {
        None
    }

    /// The places of the events kept that are not in memory.
    fn each_spilled(&self, _each: &mut dyn FnMut(Place)) {}
}

impl dyn RuleState {
    /// The state as one of that type, if it is.
    pub(super) fn as_type<S: RuleState>(&self) -> Option<&S> {
        let state: &dyn Any = self;
        state.downcast_ref()
    }
}

/// How much a state holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSize {
    /// Distinct keys.
    pub keys: u64,
    /// Events in windows.
    pub events: u64,
}

/// A rule matched.
#[derive(Debug, Clone)]
pub struct Match {
    /// What the match is made of.
    pub body: MatchBody,
    /// Members the type adds, over the event's own.
    pub added: Document,
    /// `attach_related`: the other events of the window, oldest first.
    pub related: Option<Vec<Arc<RawEvent>>>,
}

/// What a match is made of.
#[derive(Debug, Clone)]
pub enum MatchBody {
    /// The event, as [`super::Rule::match_document`] prints it.
    Event(Arc<RawEvent>),
    /// An event that the journal did not keep: the match was dealt with before the crash, only its place counts.
    Forgotten,
    /// No event: only what the type adds.
    Synthetic,
}

impl Match {
    /// The event, with what the type adds.
    pub fn of_event(event: Option<&Arc<RawEvent>>, added: Document) -> Self {
        let body = event.map_or(MatchBody::Forgotten, |event| {
            MatchBody::Event(Arc::clone(event))
        });
        Self {
            body,
            added,
            related: None,
        }
    }

    /// A match without an event.
    pub fn synthetic(added: Document) -> Self {
        Self {
            body: MatchBody::Synthetic,
            added,
            related: None,
        }
    }
}
