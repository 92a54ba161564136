//! Which events a rule's `filter` picks.
//!
//! Three forms of a filter, each in its own folder: the query as it is written (`dsl`, with Lucene's syntax in `lucene`), the
//! plan, which is the query resolved against a [`Mapping`] (`plan`), and the matcher, which decides a plan for one event.
//! What a document means is in `mapping` (types), `analysis` (terms of texts) and `date`.

mod analysis;
mod anchor;
mod date;
mod dsl;
mod explain;
mod fuzzy;
mod hints;
mod ip;
mod literal;
mod lucene;
mod mapping;
mod matcher;
mod number;
mod phrase;
mod pieces;
mod plan;
mod program;
mod regexp;
mod sieve;
#[cfg(test)]
mod tests;
mod values;
mod wildcard;

use crate::config::{Node, Problem};
use crate::event::Document;
use indexmap::IndexSet;
use matcher::Place;
use plan::Plan;
use std::sync::Arc;

pub use explain::{Clue, Explanation};
pub use hints::hints;
pub use mapping::{Mapping, Rejected};
pub use plan::Shared;
pub use program::{Memory, Program, ProjectedEvent};

/// A rule's filter, ready to decide.
#[derive(Debug, Clone)]
pub struct Filter {
    plan: Arc<Plan>,
}

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

impl Filter {
    /// Builds a filter from a rule's `filter` list: an event must fulfil every entry.
    ///
    /// An entry `{query: …}` stands for what is in it, as in ElastAlert 2.
    ///
    /// # Errors
    /// What in it cannot be used, with its place.
    pub fn load(entries: &[Node], mapping: &Mapping) -> Result<Self, Vec<Problem>> {
        let mapping = Arc::new(mapping.clone());
        let (mut queries, mut problems) = (Vec::new(), Vec::new());
        for entry in entries {
            let entry = entry
                .get("query")
                .filter(|inner| crate::event::python::is_truthy(&inner.to_value()))
                .unwrap_or(entry);
            match dsl::read(entry) {
                Ok(query) => queries.push(query),
                Err(found) => problems.extend(found),
            }
        }
        let mut plans = Vec::new();
        for query in &queries {
            match plan::compile(query, &mapping) {
                Ok(plan) => plans.push(plan),
                // The entries stand side by side in a `bool`.
                Err(_) if queries.iter().any(|other| plan::is_absent(other, &mapping)) => {
                    problems.extend(plan::problems_beside_absent(query, &mapping));
                    plans.push(plan::NOT_THERE);
                }
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() {
            Ok(Self {
                plan: Arc::new(Plan::every(plans)),
            })
        } else {
            Err(problems)
        }
    }

    /// Lets it use what other filters have alike with it.
    pub fn share(&mut self, shared: &Shared) {
        if let Some(plan) = Arc::get_mut(&mut self.plan) {
            shared.put_into(plan);
        }
    }

    /// Whether it picks every event.
    pub fn is_match_all(&self) -> bool {
        matches!(*self.plan, Plan::All)
    }

    /// Whether it picks the event.
    pub fn matches(&self, event: &FilterEvent<'_>) -> bool {
        self.plan.matches(Place::of(event))
    }

    /// The full names of the members of a document that it reads; a name with `*` stands for every one like it. Where a name may be a sub-field
    /// (`host.keyword`), what it is read from (`host`) is there as well.
    pub fn fields(&self) -> Vec<String> {
        let mut names = IndexSet::new();
        self.plan.fields(&mut names);
        names.into_iter().collect()
    }

    /// Why it picks the event or does not.
    pub fn explain(&self, event: &FilterEvent<'_>) -> Explanation {
        explain::explain(&self.plan, Place::of(event))
    }
}
