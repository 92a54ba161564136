//! Rules: what a rule file means, and the rule types.

mod blocks;
mod counted;
mod counts;
mod decide;
mod evaluator;
mod fnv;
mod gap;
mod hours;
mod index;
mod kept;
mod key;
mod kind;
pub mod load;
mod match_document;
mod members;
mod pace;
mod part;
mod saved;
mod schedule;
mod time_expression;
pub mod time_field;
pub mod types;
mod view;
mod window;

pub use counted::Counted;
pub use counts::Counts;
pub use decide::{Bounds, Decided, Decider, Decision, Workspace};
pub use evaluator::Evaluator;
pub use gap::Gap;
pub use hours::{Hours, Outside};
pub use index::{IndexPattern, IndexStyle};
pub use kept::{Documents, Place, Room, Spill};
pub use key::{Key, QueryKey};
pub use kind::{
    Built, Common, Hit, Learning, Match, MatchBody, Observed, RuleState, RuleType, RuleTypeEntry,
    Sample, StateSize, Verdict,
};
pub use load::Edit;
pub use pace::{Pace, Passing};
pub use part::Part;
pub use schedule::Schedule;
pub use time_field::{TimeError, TimeField, TimeFormat};
pub use view::{LOOKED_AT, Wanted, WindowView};

use crate::config::{Packed, Properties};
use crate::filter::Filter;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A rule that is complete and valid.
#[derive(Debug)]
pub struct Rule {
    /// Its name: unique in a rule set.
    pub name: String,
    /// The file it was loaded from.
    pub file: Arc<Path>,
    /// `index`, a comma-separated list of patterns.
    pub index: Arc<IndexPattern>,
    /// Which events it sees.
    pub filter: Filter,
    /// The name of its type.
    pub type_name: &'static str,
    /// Its type.
    pub kind: Arc<dyn RuleType>,
    /// Its clock.
    pub time: Arc<TimeField>,
    /// `query_key`.
    pub query_key: Option<QueryKey>,
    /// `include`: what of the event a match keeps, besides what is always kept; `None`: everything.
    pub include: Option<Box<[String]>>,
    /// `realert`.
    pub realert: Duration,
    /// `exponential_realert`.
    pub exponential_realert: Option<Duration>,
    /// `realert_key`; `None`: the rule's name.
    pub realert_key: Option<Box<str>>,
    /// `aggregation` and what belongs to it.
    pub aggregation: Option<Box<Aggregation>>,
    /// `limit_execution`: when it runs; `None`: always.
    pub hours: Option<Hours>,
    /// `top_count_keys`: what is kept of each event to count it.
    pub counted: Option<Box<Counted>>,
    /// `alert_time_limit` of the configuration.
    pub alert_time_limit: Duration,
    /// Every option, the configuration's and the defaults included: texts can print them.
    pub options: Packed,
    /// Two versions of a rule with the same value keep their state; a hash over what the state depends on.
    pub state_fingerprint: u64,
}

impl Rule {
    /// Its options, unpacked: for whoever looks at several of them.
    pub fn properties(&self) -> Properties {
        self.options.unpack()
    }

    /// What the silence is named by.
    pub fn realert_key(&self) -> &str {
        self.realert_key.as_deref().unwrap_or(&self.name)
    }
}

/// `aggregation`: matches are collected and sent as one alert.
#[derive(Debug, Clone)]
pub struct Aggregation {
    /// When the alert is due.
    pub due: Due,
    /// `aggregation_key`: one alert per value.
    pub key: Option<QueryKey>,
    /// `aggregate_by_match_time`: the period starts at the match's own time.
    pub by_match_time: bool,
    /// `aggregation_alert_time_compared_with_timestamp_field`.
    pub compare_with_match_time: bool,
    /// `max_aggregation`: at most one more than this many matches in an alert.
    pub max: usize,
}

/// When an aggregated alert is due.
#[derive(Debug, Clone)]
pub enum Due {
    /// So long after the first match.
    After(Duration),
    /// At the next time of a cron expression, in UTC.
    Schedule(Schedule),
}

/// All rules that run, and the generation of this set: a reload makes a new one.
#[derive(Debug)]
pub struct RuleSet {
    /// Counts reloads.
    pub generation: u64,
    /// The rules.
    pub rules: Vec<Arc<Rule>>,
}
