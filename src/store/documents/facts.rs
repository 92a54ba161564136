//! What the store must know of a document without reading it again.

use super::Silence;
use crate::engine::Index;
use crate::event::Document;
use crate::event::time::parse_iso;
use serde_json::Value;

/// An index's number in the file. Part of the format: never changes.
pub(super) fn number(index: Index) -> u8 {
    match index {
        Index::Alerts => 0,
        Index::Status => 1,
        Index::Silence => 2,
        Index::Error => 3,
        Index::Past => 4,
    }
}

/// The index with that number.
pub(super) fn index(number: u8) -> Option<Index> {
    Index::ALL
        .into_iter()
        .find(|index| self::number(*index) == number)
}

/// What is known of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// The latest of the times it carries, in microseconds; `None`: it carries none that can be read. With `include_match_in_root` an
    /// alert's `@timestamp` is its match's and may be years old while the alert is fresh.
    pub(super) time: Option<i64>,
    /// What keeps it from being removed.
    pub(super) hold: Hold,
}

/// What keeps a document from being removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nothing.
    None,
    /// A silence, until it ends.
    Silence(Silence),
    /// An alert that has not been sent.
    Unsent {
        /// When it was first due, in microseconds.
        due: i64,
    },
}

impl Facts {
    /// Reads them off a document.
    pub(super) fn of(index: Index, document: &Document) -> Self {
        let time = |name: &str| parse_iso(document.get(name)?.as_str()?).map(|time| time.micros);
        let own = match index {
            Index::Alerts => time("alert_time"),
            Index::Silence => time("until"),
            Index::Status | Index::Error | Index::Past => None,
        };
        let latest = time("@timestamp").max(own);
        let hold = match index {
            Index::Silence => Silence::of(document).map_or(Hold::None, Hold::Silence),
            Index::Alerts if document.get("alert_sent") == Some(&Value::Bool(false)) => {
                Hold::Unsent {
                    due: own.or(latest).unwrap_or(0),
                }
            }
            Index::Alerts | Index::Status | Index::Error | Index::Past => Hold::None,
        };
        Self { time: latest, hold }
    }
}
