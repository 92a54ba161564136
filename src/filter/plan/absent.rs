//! Clauses on fields that the mapping does not have. The server drops a `bool` that needs one before it looks at its other clauses, so that
//! what does not fit in those is no error; but for the bounds of dates.

use super::super::dsl::{Bool, Clause, Query};
use super::super::mapping::{Kind, Lookup, Mapping};
use super::exists::is_servers_field;

/// What every index has.
const SERVERS_OWN: [&str; 4] = ["_source", "_field_names", "_routing", "_ignored"];

/// Whether a clause comes to nothing by the names in it alone.
pub(in crate::filter) fn is_absent(query: &Query, mapping: &Mapping) -> bool {
    match &query.clause {
        Clause::MatchNone => true,
        Clause::Terms { values, .. } if values.is_empty() => true,
        Clause::Ids(ids) => ids.is_empty(),
        Clause::Term { field, .. }
        | Clause::Terms { field, .. }
        | Clause::Range { field, .. }
        | Clause::Prefix { field, .. }
        | Clause::Wildcard { field, .. }
        | Clause::Fuzzy { field, .. } => match mapping.lookup(field) {
            Lookup::Mapped(found) => {
                matches!(found.kind, Kind::Object | Kind::Disabled | Kind::Nested)
            }
            Lookup::ByEvent => false,
            Lookup::Absent => !SERVERS_OWN.contains(&field.as_str()),
        },
        Clause::Exists { field } if is_servers_field(field) => false,
        Clause::Exists { field } if field.contains('*') => {
            !mapping.is_open() && mapping.fields_like(field).next().is_none()
        }
        Clause::Exists { field } => matches!(mapping.lookup(field), Lookup::Absent),
        Clause::Wrapped(inner)
        | Clause::Boosting {
            positive: inner, ..
        } => is_absent(inner, mapping),
        Clause::Bool(parts) => is_absent_bool(parts, mapping),
        Clause::MatchAll
        | Clause::AnyOf(_)
        | Clause::TermsSet { .. }
        | Clause::Regexp { .. }
        | Clause::Match { .. }
        | Clause::MultiMatch(_)
        | Clause::QueryString(_)
        | Clause::SimpleQueryString(_)
        | Clause::Nested { .. } => false,
    }
}

/// The ranges on dates in a query. The server reads their bounds before it drops anything, so that a bad one is an error all the same.
pub(super) fn date_ranges<'q>(query: &'q Query, mapping: &Mapping, found: &mut Vec<&'q Query>) {
    match &query.clause {
        Clause::Range { field, .. } => {
            if let Lookup::Mapped(field) = mapping.lookup(field)
                && matches!(field.kind, Kind::Date(_) | Kind::DateNanos(_))
            {
                found.push(query);
            }
        }
        Clause::Wrapped(inner) | Clause::Nested { query: inner, .. } => {
            date_ranges(inner, mapping, found);
        }
        Clause::AnyOf(queries) => {
            for query in queries {
                date_ranges(query, mapping, found);
            }
        }
        Clause::Bool(parts) => {
            for query in parts.all() {
                date_ranges(query, mapping, found);
            }
        }
        _ => {}
    }
}

/// Whether one of the clauses that a `bool` needs, or each of those it chooses from, is absent.
pub(super) fn is_absent_bool(parts: &Bool, mapping: &Mapping) -> bool {
    let absent = |query: &Query| is_absent(query, mapping);
    if parts.must.is_empty() && parts.filter.is_empty() {
        return !parts.should.is_empty() && parts.should.iter().all(absent);
    }
    parts.must.iter().chain(&parts.filter).any(absent)
}
