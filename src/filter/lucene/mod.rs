//! Lucene's query syntax, as `query_string` and `simple_query_string` read it.

mod lexer;
mod parser;
mod simple;
#[cfg(test)]
mod tests;

use super::fuzzy::Fuzziness;

pub(super) use parser::parse;
pub(super) use simple::{Flags, MAX_CHANGES, Simple, SimpleLeaf, TooMixed, parse_simple};

/// Why a query is no query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// The byte of the query it was found at.
    pub(super) at: usize,
    /// What is wrong.
    pub(super) message: String,
}

/// What stands between a clause and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conjunction {
    None,
    And,
    Or,
}

/// What stands right before a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Modifier {
    None,
    /// `+`
    Required,
    /// `-`, `!`, `NOT`
    Prohibited,
}

/// A clause of a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) conjunction: Conjunction,
    pub(super) modifier: Modifier,
    pub(super) syntax: Syntax,
    /// Whether it is a run of plain words without operators, which is given to the field as one text.
    pub(super) is_run: bool,
}

/// What a clause looks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Syntax {
    /// Clauses in brackets, and the whole query.
    Group(Vec<Item>),
    /// Something in a field, or in the default fields.
    Leaf {
        /// The field, escapes resolved.
        field: Option<String>,
        /// What is looked for.
        leaf: Leaf,
    },
}

/// What is looked for in a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Leaf {
    Words(String),
    Phrase {
        text: String,
        slop: Option<i32>,
    },
    Prefix(String),
    /// With its escapes.
    Wildcard(String),
    Regexp(String),
    Fuzzy {
        text: String,
        /// What stands after `~`.
        edits: Option<Fuzziness>,
    },
    Range {
        lower: Option<String>,
        upper: Option<String>,
        includes_lower: bool,
        includes_upper: bool,
    },
}
