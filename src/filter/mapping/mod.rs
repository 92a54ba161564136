//! How fields are typed: dynamic mapping, Logstash's template, or an explicit mapping.

mod analyzers;
mod dynamic;
mod kind;
mod learn;
mod read;
mod types;

use super::analysis::Analyzer;
use super::values::{Path, name_matches};
use crate::config::{Node, Problem, Span};
use crate::event::Document;
use crate::event::project::Item;
use indexmap::{IndexMap, IndexSet};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use dynamic::{Candidate, may_be_date};
pub(super) use kind::{Exact, Kind, Reading, Whole};
pub use learn::Rejected;

/// How fields are typed.
///
/// Elasticsearch types a field by the first document that has it. A stream has no first document that all agree on: a field the
/// mapping does not name is typed afresh in each event, by the same rules ([`Mapping::learn`] keeps what documents teach, as an index
/// does).
#[derive(Debug, Clone)]
pub struct Mapping {
    // Shared, so that the filters of many rules can each keep the mapping.
    fields: Arc<IndexMap<String, Arc<Field>>>,
    dynamic: Arc<dynamic::Dynamic>,
    analyzers: Arc<BTreeMap<String, Arc<Analyzer>>>,
    normalizers: Arc<BTreeMap<String, Arc<Analyzer>>>,
    unmapped: Unmapped,
    /// Where the values of fields come from that `copy_to` names and the mapping does not.
    copies: Arc<BTreeMap<String, Vec<Path>>>,
}

/// Where the values of a field can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// By every clause that works on its type.
    Searchable,
    /// By `exists` only.
    OnlyThere,
    /// Nowhere: they are neither indexed nor kept beside the index.
    Nowhere,
    /// By `exists` only, since the type is not supported.
    Unsupported,
    /// Under the names of the members of its objects (`flat_object`, `flattened`).
    ByMembers,
}

/// What a field is that the mapping does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unmapped {
    /// Typed by each event's own value.
    ByEvent,
    /// Not searchable: all fields are known.
    Absent,
}

/// One field by its full name.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// Its full name.
    pub(super) name: Arc<str>,
    /// Its type.
    pub(super) kind: Kind,
    /// The members of a document its values come from.
    pub(super) sources: Source,
    /// The nested object it belongs to.
    pub(super) nested: Option<Arc<str>>,
    /// What stands for null.
    pub(super) null_value: Option<Value>,
    /// Whether a value that does not fit is left out instead of rejecting the document.
    pub(super) ignore_malformed: bool,
    /// The one value that every document has in it (`constant_keyword`).
    pub(super) constant: Option<Box<str>>,
    /// Whether the places of words are kept (`index_options`).
    pub(super) has_positions: bool,
    /// Whether it is another name for a field.
    pub(super) alias: bool,
    /// Whether it is a second reading (`fields`) of another field.
    pub(super) is_sub_field: bool,
    /// What becomes of unknown members, for objects.
    dynamic: dynamic::Policy,
    /// Names of the fields its values are copied to.
    copy_to: Vec<String>,
    /// Who finds its values.
    pub(super) reach: Reach,
    /// What cuts the texts of queries up, where that is not what cuts those of documents.
    search_analyzer: Option<Arc<Analyzer>>,
    /// The same for texts in quotes.
    quote_analyzer: Option<Arc<Analyzer>>,
    /// Where the values of a nested object are searched beside its elements: in other such objects, or in the document (`None`).
    included_in: Vec<Option<Arc<str>>>,
}

/// Where a field's values come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// From these places in the document, or in the nested object around it.
    Paths(Vec<Path>),
    /// From the member that is being typed by its own value.
    Current,
    /// The document's id.
    Id,
    /// The document's index.
    Index,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Lookup {
    /// A field the mapping knows.
    Mapped(Arc<Field>),
    /// Whatever the event has under this name.
    ByEvent,
    /// Nothing.
    Absent,
}

impl Default for Mapping {
    fn default() -> Self {
        Self::dynamic()
    }
}

impl Mapping {
    /// Elasticsearch's dynamic mapping: a new index without a template.
    pub fn dynamic() -> Self {
        read::dynamic()
    }

    /// The template that Logstash's elasticsearch output installs.
    pub fn logstash() -> Self {
        read::logstash()
    }

    /// A mapping as Elasticsearch's mapping API has it: `{properties, dynamic, …}`, or `{mappings: {…}, settings: {…}}`. Fields it does
    /// not name are typed by each event, unless `dynamic` says otherwise.
    ///
    /// # Errors
    /// Types, analyzers and formats that are not known.
    pub fn explicit(mapping: &Node) -> Result<Self, Vec<Problem>> {
        read::explicit(&mapping.to_value(), &mapping.span)
    }

    /// The same of what a server answered; problems are told of at the place that asked.
    ///
    /// # Errors
    /// As for [`Mapping::explicit`].
    pub fn fetched(mapping: &Value, place: &Span) -> Result<Self, Vec<Problem>> {
        read::explicit(mapping, place)
    }

    /// Keeps what a document teaches, as an index does when it takes the document in.
    ///
    /// # Errors
    /// Why Elasticsearch would reject the document; the mapping stays as it was.
    pub fn learn(&mut self, document: &Document) -> Result<(), Rejected> {
        learn::learn(self, document)
    }

    /// Takes the fields known by now as all there are: other names stand for nothing.
    pub fn close(&mut self) {
        self.unmapped = Unmapped::Absent;
    }

    /// The field of that name, aliases resolved.
    pub(super) fn lookup(&self, name: &str) -> Lookup {
        match name {
            "_id" => return Lookup::Mapped(Arc::new(Field::meta(name, Source::Id))),
            "_index" => return Lookup::Mapped(Arc::new(Field::meta(name, Source::Index))),
            "_type" | "_all" | "_field_names" | "_routing" | "_ignored" => return Lookup::Absent,
            _ => {}
        }
        if let Some(field) = self.fields.get(name) {
            return Lookup::Mapped(Arc::clone(field));
        }
        if let Some(member) = self.flat_member(name) {
            return Lookup::Mapped(Arc::new(member));
        }
        if self.unmapped == Unmapped::ByEvent && self.leaves_open(name) {
            Lookup::ByEvent
        } else {
            Lookup::Absent
        }
    }

    /// A member of an object whose members are all keywords.
    fn flat_member(&self, name: &str) -> Option<Field> {
        let parent = name
            .match_indices('.')
            .filter_map(|(at, _)| self.fields.get(name.get(..at)?))
            .find(|parent| parent.reach == Reach::ByMembers)?;
        let paths = vec![read::inside(name, parent.nested.as_ref())];
        Some(Field {
            kind: Kind::Keyword {
                ignore_above: None,
                normalizer: None,
            },
            sources: Source::Paths(paths),
            nested: parent.nested.clone(),
            included_in: parent.included_in.clone(),
            ..Field::plain(name)
        })
    }

    /// Whether dynamic mapping would make a field of that name.
    pub(super) fn leaves_open(&self, name: &str) -> bool {
        if self.fields.is_empty() {
            return self.dynamic.policy == dynamic::Policy::Learn;
        }
        // Something below a field that has a value cannot be there: `message.keyword` of a `message` without it.
        let below_leaf = || {
            name.match_indices('.').any(|(at, _)| {
                name.get(..at)
                    .and_then(|parent| self.fields.get(parent))
                    .is_some_and(|field| !matches!(field.kind, Kind::Object | Kind::Nested))
            })
        };
        !self.fields.contains_key(name)
            && self.policy_for(name) == dynamic::Policy::Learn
            && !below_leaf()
    }

    /// Whether names can stand for whatever an event has.
    pub(super) fn is_open(&self) -> bool {
        self.unmapped == Unmapped::ByEvent && self.dynamic.policy == dynamic::Policy::Learn
    }

    /// The known fields whose names fit a pattern.
    pub(super) fn fields_like<'a>(
        &'a self,
        pattern: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Field>> {
        self.fields
            .iter()
            .filter(move |(name, _)| name_matches(pattern, name))
            .map(|(_, field)| field)
    }

    /// Where copied values come from, for fields that the mapping does not name.
    pub(super) fn copies(&self) -> &BTreeMap<String, Vec<Path>> {
        &self.copies
    }

    /// The known fields below an object.
    pub(super) fn fields_below<'a>(
        &'a self,
        object: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Field>> {
        self.fields
            .iter()
            .filter(move |(name, _)| {
                name.strip_prefix(object)
                    .is_some_and(|rest| rest.starts_with('.'))
            })
            .map(|(_, field)| field)
    }

    /// An analyzer by name, the mapping's own first.
    pub(super) fn analyzer(&self, name: &str) -> Option<Arc<Analyzer>> {
        self.analyzers
            .get(name)
            .cloned()
            .or_else(|| Analyzer::named(name).map(Arc::new))
    }

    /// What a member of an event is when the mapping does not name it: an index into [`Mapping::candidates`].
    pub(super) fn candidate(&self, name: &str, member: &Value) -> Option<usize> {
        self.dynamic.candidate(name, member)
    }

    /// The same for a member whose first value other than null this is.
    pub(super) fn candidate_of(&self, name: &str, first: Item<'_>) -> Option<usize> {
        self.dynamic.candidate_of(name, first)
    }

    /// Whether both type members they do not name in the same way.
    pub(super) fn types_like(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.dynamic, &other.dynamic)
    }

    /// Whether it is the very same, not one like it.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.fields, &other.fields)
            && self.types_like(other)
            && self.unmapped == other.unmapped
    }

    /// Everything an unmapped member can turn out to be.
    pub(super) fn candidates(&self) -> &[Candidate] {
        self.dynamic.candidates()
    }

    /// Whether a candidate is for texts found to be dates.
    pub(super) fn is_date_candidate(&self, candidate: usize) -> bool {
        self.dynamic.is_from_date(candidate)
    }

    /// What a text becomes that no template treats in a way of its own.
    pub(super) fn text_candidate(&self) -> Option<&Candidate> {
        let place = self.dynamic.candidate("", &Value::from("text"))?;
        self.candidates().get(place)
    }

    fn policy_for(&self, name: &str) -> dynamic::Policy {
        name.match_indices('.')
            .rev()
            .find_map(|(at, _)| self.fields.get(name.get(..at)?))
            .map_or(self.dynamic.policy, |parent| parent.dynamic)
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        // Rules that share a mapping share its fields.
        std::ptr::eq(self, other)
    }
}

impl Field {
    /// A field of that name at the top of a document; its kind is for the caller to set.
    pub(super) fn plain(name: &str) -> Self {
        Self::object(name, dynamic::Policy::Ignore)
    }

    /// What the event says about itself, searchable like a keyword.
    fn meta(name: &str, source: Source) -> Self {
        Self {
            kind: Kind::Keyword {
                ignore_above: None,
                normalizer: None,
            },
            sources: source,
            ..Self::object(name, dynamic::Policy::Ignore)
        }
    }

    /// What cuts the texts of queries up on it: nothing, if it has only whole values.
    pub(super) fn query_analyzer(&self, in_quotes: bool) -> Option<&Arc<Analyzer>> {
        let own = match &self.kind {
            Kind::Text(own) => Some(own),
            _ => None,
        };
        let quoted = self.quote_analyzer.as_ref().filter(|_| in_quotes);
        quoted.or(self.search_analyzer.as_ref()).or(own)
    }

    /// The field as clauses see it that stand inside that nested object, or in none.
    pub(super) fn seen_from(self: &Arc<Self>, nested: Option<&Arc<str>>) -> Option<Arc<Self>> {
        if self.nested.as_ref() == nested || self.name.starts_with('_') {
            return Some(Arc::clone(self));
        }
        let included = self.included_in.iter().any(|into| into.as_ref() == nested);
        let Source::Paths(paths) = &self.sources else {
            return None;
        };
        let own = self.nested.as_deref().unwrap_or_default();
        let lifted = paths
            .iter()
            .map(|path| read::inside(&format!("{own}.{}", path.as_str()), nested));
        included.then(|| {
            Arc::new(Self {
                sources: Source::Paths(lifted.collect()),
                nested: nested.cloned(),
                ..Self::clone(self)
            })
        })
    }

    /// Whether it is what the server keeps about a document: its id and index.
    pub(super) fn is_servers_own(&self) -> bool {
        matches!(self.sources, Source::Id | Source::Index)
    }

    /// Whether clauses on the characters of its terms work.
    pub(super) fn has_words(&self) -> bool {
        matches!(self.kind, Kind::Text(_) | Kind::Keyword { .. }) && !self.is_servers_own()
    }

    /// Its type, for messages.
    pub(super) fn type_name(&self) -> &str {
        if self.is_servers_own() {
            &self.name
        } else {
            self.kind.name()
        }
    }

    /// The full names of the members of a document that its values come from.
    pub(super) fn members(&self, into: &mut IndexSet<String>) {
        let Source::Paths(paths) = &self.sources else {
            return;
        };
        for path in paths {
            into.insert(match &self.nested {
                Some(nested) => format!("{nested}.{}", path.as_str()),
                None => path.as_str().to_owned(),
            });
        }
    }

    /// Whether `exists`, `query_string` on all fields and the like take it in.
    pub(super) fn is_searched_by_all(&self) -> bool {
        match self.kind {
            Kind::Text(_)
            | Kind::Keyword { .. }
            | Kind::Whole { .. }
            | Kind::UnsignedLong { .. }
            | Kind::Float(_)
            | Kind::Boolean
            | Kind::Date(_)
            | Kind::DateNanos(_)
            | Kind::Ip
            | Kind::Range(_) => true,
            Kind::Geo | Kind::Binary | Kind::Object | Kind::Disabled | Kind::Nested => false,
        }
    }
}
