//! Which events a rule's `filter` picks.

use crate::config::{Node, Problem};
use crate::event::Document;

/// A rule's filter, ready to decide.
#[derive(Debug, Clone)]
pub struct Filter {}

impl Filter {
    /// Builds a filter from a rule's `filter` list.
    ///
    /// # Errors
    /// What in it cannot be used, with its place.
    pub fn load(_entries: &[Node], _mapping: &Mapping) -> Result<Self, Vec<Problem>> {
        Ok(Self {})
    }

    /// Whether it picks every event.
    pub fn is_match_all(&self) -> bool {
        true
    }

    /// Whether it picks the event.
    pub fn matches(&self, _event: &FilterEvent<'_>) -> bool {
        true
    }
}

/// How fields are typed: dynamic mapping, Logstash's template, or an explicit mapping.
#[derive(Debug, Clone, Default)]
pub struct Mapping {}

/// An event as filters see it.
#[derive(Debug, Clone, Copy)]
pub struct FilterEvent<'a> {
    /// The document.
    pub document: &'a Document,
    /// The index it belongs to, when known.
    pub index: Option<&'a str>,
    /// Its id there, when known.
    pub id: Option<&'a str>,
    /// What `now` means in date math.
    pub now: crate::event::WallTime,
}
