//! Query DSL as written: every clause typed, every value with its place, nothing resolved against a mapping yet.

mod compound;
mod fulltext;
mod options;
mod read;
mod strings;
mod terms;
mod unsupported;

use super::fuzzy::Fuzziness;
use super::lucene;
use super::regexp;
use crate::config::{Problem, Span};
use std::borrow::Cow;

pub(super) use options::Minimum;
pub(super) use read::read;

/// A clause and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) span: Span,
    pub(super) clause: Clause,
}

/// The clauses that can be decided from one document.
#[derive(Debug, Clone)]
pub(super) enum Clause {
    MatchAll,
    MatchNone,
    Bool(Bool),
    /// `constant_score`, `function_score`: what they wrap decides.
    Wrapped(Box<Query>),
    /// The positive clause decides; the negative one is checked.
    Boosting {
        positive: Box<Query>,
        negative: Box<Query>,
    },
    /// `dis_max`.
    AnyOf(Vec<Query>),
    Term {
        field: String,
        value: Scalar,
        ignore_case: bool,
    },
    Terms {
        field: String,
        values: Vec<Scalar>,
    },
    TermsSet {
        field: String,
        values: Vec<Scalar>,
        minimum_field: String,
    },
    Range {
        field: String,
        range: Range,
    },
    Prefix {
        field: String,
        value: String,
        ignore_case: bool,
    },
    Wildcard {
        field: String,
        pattern: String,
        ignore_case: bool,
    },
    Regexp {
        field: String,
        pattern: String,
        options: regexp::Options,
    },
    Fuzzy {
        field: String,
        value: Scalar,
        fuzzy: FuzzyOptions,
    },
    Exists {
        field: String,
    },
    Ids(Vec<String>),
    Match {
        field: String,
        text: Scalar,
        mode: MatchMode,
        options: MatchOptions,
    },
    MultiMatch(MultiMatch),
    QueryString(Box<QueryString>),
    SimpleQueryString(Box<SimpleQueryString>),
    Nested {
        path: String,
        query: Box<Query>,
        ignore_unmapped: bool,
    },
}

/// The parts of a `bool`.
#[derive(Debug, Clone, Default)]
pub(super) struct Bool {
    pub(super) must: Vec<Query>,
    pub(super) filter: Vec<Query>,
    pub(super) should: Vec<Query>,
    pub(super) must_not: Vec<Query>,
    pub(super) minimum_should_match: Option<Minimum>,
    /// `adjust_pure_negative: false`: a `bool` of nothing but `must_not` matches nothing.
    pub(super) keep_pure_negative: bool,
}

impl Bool {
    /// Its clauses, of all kinds.
    pub(super) fn all(&self) -> impl Iterator<Item = &Query> {
        let needed = self.must.iter().chain(&self.filter);
        needed.chain(&self.should).chain(&self.must_not)
    }
}

/// A value in a clause.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Text(String),
    Integer(i64),
    /// Beyond 64 bits.
    BigInteger(String),
    Float(f64),
    Boolean(bool),
}

/// The bounds of a `range`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Range {
    pub(super) lower: Option<Scalar>,
    pub(super) upper: Option<Scalar>,
    pub(super) includes_lower: bool,
    pub(super) includes_upper: bool,
    pub(super) format: Option<String>,
    pub(super) time_zone: Option<String>,
    pub(super) relation: Relation,
}

/// How a range in a document must lie to the range asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Intersects,
    Contains,
    Within,
}

/// The options of fuzzy matching.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FuzzyOptions {
    pub(super) fuzziness: Fuzziness,
    pub(super) prefix_length: usize,
    pub(super) transpositions: bool,
}

/// What the words of a `match` must form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MatchMode {
    Words,
    Phrase,
    PhrasePrefix,
    /// Words, the last a prefix.
    WordsPrefix,
}

/// Whether any or every word must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
}

/// The options of the `match` family.
#[derive(Debug, Clone)]
pub(super) struct MatchOptions {
    pub(super) operator: Operator,
    pub(super) minimum_should_match: Option<Minimum>,
    pub(super) fuzzy: Option<FuzzyOptions>,
    pub(super) slop: i32,
    /// `zero_terms_query: all`: a text without words matches everything.
    pub(super) no_words_match_all: bool,
    pub(super) analyzer: Option<String>,
    pub(super) lenient: bool,
}

/// A `multi_match`.
#[derive(Debug, Clone)]
pub(super) struct MultiMatch {
    pub(super) text: Scalar,
    /// Names, boosts cut off; empty for all fields.
    pub(super) fields: Vec<String>,
    pub(super) kind: MultiKind,
    pub(super) options: MatchOptions,
    /// Whether `lenient` was given.
    pub(super) lenient: Option<bool>,
}

/// How several fields work together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MultiKind {
    /// `best_fields` and `most_fields`: a match in any one field.
    EachField(MatchMode),
    /// `cross_fields`: each word in any of the fields.
    CrossFields,
}

/// A `query_string`.
#[derive(Debug, Clone)]
pub(super) struct QueryString {
    pub(super) text: String,
    pub(super) items: Vec<lucene::Item>,
    /// Why the query cannot be read.
    pub(super) broken: Option<Problem>,
    pub(super) default_field: Option<String>,
    pub(super) fields: Vec<String>,
    pub(super) default_operator: Operator,
    pub(super) lenient: Option<bool>,
    pub(super) analyze_wildcard: bool,
    pub(super) allow_leading_wildcard: bool,
    pub(super) analyzer: Option<String>,
    pub(super) quote_analyzer: Option<String>,
    pub(super) quote_field_suffix: Option<String>,
    pub(super) phrase_slop: i32,
    pub(super) fuzzy: FuzzyOptions,
    pub(super) minimum_should_match: Option<Minimum>,
    pub(super) time_zone: Option<String>,
    pub(super) kind: MultiKind,
    pub(super) work_limit: usize,
}

/// A `simple_query_string`.
#[derive(Debug, Clone)]
pub(super) struct SimpleQueryString {
    pub(super) text: String,
    pub(super) flags: lucene::Flags,
    pub(super) fields: Vec<String>,
    pub(super) default_operator: Operator,
    pub(super) lenient: Option<bool>,
    pub(super) analyze_wildcard: bool,
    pub(super) analyzer: Option<String>,
    pub(super) quote_field_suffix: Option<String>,
    pub(super) minimum_should_match: Option<Minimum>,
    pub(super) fuzzy_prefix_length: usize,
    pub(super) fuzzy_transpositions: bool,
}

impl Scalar {
    /// The value as Java prints it, which is what it is searched as in text.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) | Self::BigInteger(text) => Cow::Borrowed(text),
            Self::Integer(number) => number.to_string().into(),
            Self::Float(number) => super::number::java_double(*number).into(),
            Self::Boolean(true) => Cow::Borrowed("true"),
            Self::Boolean(false) => Cow::Borrowed("false"),
        }
    }

    /// The same, taken.
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::BigInteger(text) => text,
            other => other.text().into_owned(),
        }
    }
}
