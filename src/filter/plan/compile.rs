//! From clauses to plans.

use super::super::analysis::Analyzer;
use super::super::date::Zone;
use super::super::dsl::{Bool, Clause, MatchMode, MatchOptions, Query, Scalar};
use super::super::mapping::{Field, Kind, Mapping, Whole};
use super::super::regexp::{self, RegexpError};
use super::super::values::Path;
use super::super::wildcard::Wildcard;
use super::absent::{date_ranges, is_absent_bool};
use super::field::{Build, Scope, Target};
use super::ranges::{FieldError, normalized, range, term, terms};
use super::strings::Compiled;
use super::words::{Built, boolean, near, words};
use super::{Plan, StringTest, TermsSet, Test};
use crate::config::{Problem, Span};
use std::sync::Arc;

/// Resolves a clause against a mapping and collects what does not work.
pub(in crate::filter) fn compile(
    query: &Query,
    mapping: &Arc<Mapping>,
) -> Result<Plan, Vec<Problem>> {
    let mut compiler = Compiler::new(mapping);
    let plan = compiler.query(query);
    if compiler.problems.is_empty() {
        Ok(plan)
    } else {
        Err(compiler.problems)
    }
}

pub(super) struct Compiler {
    pub(super) scope: Scope,
    pub(super) problems: Vec<Problem>,
}

/// What is wrong in a query even though something beside it is absent.
pub(in crate::filter) fn problems_beside_absent(
    query: &Query,
    mapping: &Arc<Mapping>,
) -> Vec<Problem> {
    let mut compiler = Compiler::new(mapping);
    compiler.check_dates(std::iter::once(query));
    compiler.problems
}

/// Whether what does not fit a field's type is an error or just never matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    Strict,
    Lenient,
}

impl Strictness {
    pub(super) fn lenient_if(lenient: bool) -> Self {
        if lenient { Self::Lenient } else { Self::Strict }
    }
}

pub(in crate::filter) const NOT_THERE: Plan = Plan::None("the mapping has no such field");

impl Compiler {
    fn new(mapping: &Arc<Mapping>) -> Self {
        Self {
            scope: Scope {
                mapping: Arc::clone(mapping),
                nested: None,
                counts_words: false,
            },
            problems: Vec::new(),
        }
    }

    fn check_dates<'q>(&mut self, queries: impl Iterator<Item = &'q Query>) {
        let mut found = Vec::new();
        for query in queries {
            date_ranges(query, &self.scope.mapping, &mut found);
        }
        self.problems.extend(found.into_iter().flat_map(|range| {
            compile(range, &self.scope.mapping)
                .err()
                .unwrap_or_default()
        }));
    }

    fn query(&mut self, query: &Query) -> Plan {
        let span = &query.span;
        if let Clause::Prefix { field, .. }
        | Clause::Wildcard { field, .. }
        | Clause::Regexp { field, .. }
        | Clause::Fuzzy { field, .. }
        | Clause::Range { field, .. } = &query.clause
            && match field.as_str() {
                "_id" => true,
                "_index" => matches!(
                    &query.clause,
                    Clause::Regexp { .. } | Clause::Fuzzy { .. } | Clause::Range { .. }
                ),
                _ => false,
            }
        {
            let error = FieldError::new(format!("{field} can only be compared as a whole"))
                .help("use term or terms");
            self.problem(span, &error, "E0206");
            return NOT_THERE;
        }
        match &query.clause {
            Clause::MatchAll => Plan::All,
            Clause::MatchNone => Plan::None("match_none"),
            Clause::Bool(parts) => self.bool(parts),
            Clause::Wrapped(inner) => self.query(inner),
            Clause::Boosting { positive, negative } => {
                self.query(negative);
                self.query(positive)
            }
            Clause::AnyOf(queries) => Plan::any(self.queries(queries)),
            Clause::Term {
                field,
                value,
                ignore_case,
            } => self.test(field, span, &|kind| term(kind, value, *ignore_case)),
            Clause::Terms { field, values } => self.test(field, span, &|kind| terms(kind, values)),
            Clause::TermsSet {
                field,
                values,
                minimum_field,
            } => self.terms_set(field, values, minimum_field, span),
            Clause::Range {
                field,
                range: wanted,
            } => self.test(field, span, &|kind| {
                // Without bounds it asks whether the field is there: a text even when it has no terms, a place on the map even though it has no order.
                let unbounded = wanted.lower.is_none() && wanted.upper.is_none();
                match kind {
                    Kind::Text(_) | Kind::Keyword { .. } | Kind::Geo | Kind::Binary
                        if unbounded =>
                    {
                        Ok(Test::Exists)
                    }
                    kind => range(kind, wanted, &Zone::UTC),
                }
            }),
            Clause::Prefix {
                field,
                value,
                ignore_case,
            } => self.test(field, span, &|kind| {
                strings_only(kind, "prefix")?;
                Ok(Test::Term(StringTest::StartsWith {
                    start: normalized(kind, value).into(),
                    ignore_case: *ignore_case,
                }))
            }),
            Clause::Wildcard {
                field,
                pattern,
                ignore_case,
            } => self.test(field, span, &|kind| {
                strings_only(kind, "wildcard")?;
                if pattern.is_empty() {
                    return Ok(Test::Never("an empty pattern matches nothing"));
                }
                let pattern = match kind {
                    Kind::Keyword {
                        normalizer: Some(normalizer),
                        ..
                    } => super::super::wildcard::normalize(pattern, normalizer),
                    _ => pattern.clone(),
                };
                Ok(Test::Term(wildcard(&pattern, *ignore_case)))
            }),
            Clause::Regexp {
                field,
                pattern,
                options,
            } => {
                // A broken pattern is an error even where the field is not there.
                if let Err(error) = regexp::compile(pattern, *options) {
                    self.problem(span, &regexp_error(pattern, &error), "E0207");
                    return NOT_THERE;
                }
                self.test(field, span, &|kind| {
                    strings_only(kind, "regexp")?;
                    regexp(&normalized(kind, pattern), *options).map(Test::Term)
                })
            }
            Clause::Fuzzy {
                field,
                value,
                fuzzy,
            } => self.test(field, span, &|kind| {
                strings_only(kind, "fuzzy")?;
                Ok(Test::Term(near(&normalized(kind, &value.text()), *fuzzy)))
            }),
            Clause::Exists { field } => self.exists(field, span),
            Clause::Ids(ids) => {
                let ids: Vec<Scalar> = ids.iter().cloned().map(Scalar::Text).collect();
                self.test("_id", span, &|kind| terms(kind, &ids))
            }
            Clause::Match {
                field,
                text,
                mode,
                options,
            } => self.match_one(field, text, *mode, options, span),
            Clause::MultiMatch(multi) => self.multi_match(multi, span),
            Clause::QueryString(query) => self.query_string(query, span),
            Clause::SimpleQueryString(query) => self.simple_query_string(query, span),
            Clause::Nested {
                path,
                query,
                ignore_unmapped,
            } => self.nested(path, query, *ignore_unmapped, span),
        }
    }

    fn queries(&mut self, queries: &[Query]) -> Vec<Plan> {
        queries.iter().map(|query| self.query(query)).collect()
    }

    fn bool(&mut self, parts: &Bool) -> Plan {
        if is_absent_bool(parts, &self.scope.mapping) {
            self.check_dates(parts.all());
            return NOT_THERE;
        }
        let mut must = self.queries(&parts.must);
        must.extend(self.queries(&parts.filter));
        let should = self.queries(&parts.should);
        let must_not = self.queries(&parts.must_not);
        if must.is_empty() && should.is_empty() {
            if must_not.is_empty() {
                return Plan::All;
            }
            if parts.keep_pure_negative {
                return Plan::None("it only excludes, and adjust_pure_negative is false");
            }
        }
        // Where the server puts "everything else" beside nothing but exclusions, it forgets how many must match.
        let forgets = must.is_empty() && should.is_empty();
        let minimum = parts.minimum_should_match.as_ref();
        boolean(must, should, must_not, minimum.filter(|_| !forgets))
    }

    /// A test on one field by name.
    fn test(
        &mut self,
        name: &str,
        span: &Span,
        test: &dyn Fn(&Kind) -> Result<Test, FieldError>,
    ) -> Plan {
        self.on_name(name, span, &|field| {
            Ok(Built::Plan(Plan::leaf(field, test(&field.kind)?)))
        })
        .into_plan()
    }

    /// Builds on one field by name.
    pub(super) fn on_name(&mut self, name: &str, span: &Span, build: Build<'_>) -> Built {
        if name == "_source" {
            let error = FieldError::new("_source cannot be searched").help("name the field itself");
            self.problem(span, &error, "E0206");
        }
        match self.scope.target(name) {
            Some(Target::Mapped(field))
                if matches!(field.kind, Kind::Object | Kind::Disabled | Kind::Nested) =>
            {
                Built::Plan(Plan::None("the field is an object"))
            }
            Some(target) => self.on_target(&target, Strictness::Strict, span, build),
            None => Built::Plan(NOT_THERE),
        }
    }

    pub(super) fn on_target(
        &mut self,
        target: &Target,
        strictness: Strictness,
        span: &Span,
        build: Build<'_>,
    ) -> Built {
        let error = match (self.scope.build(target, build), target, strictness) {
            (Ok(built), _, _) => return built,
            (Err(error), Target::Mapped(field), Strictness::Strict) => error.on(&field.name),
            (Err(_), _, Strictness::Lenient) => {
                return Built::Plan(Plan::None("the value does not fit the field's type"));
            }
            // No type at all would do.
            (Err(error), _, Strictness::Strict) => error,
        };
        self.problem(span, &error, "E0206");
        Built::Plan(NOT_THERE)
    }

    pub(super) fn problem(&mut self, span: &Span, error: &FieldError, code: &'static str) {
        let problem = Problem::error(code, span, error.message());
        self.problems.push(match &error.help {
            Some(help) => problem.help(help.as_ref()),
            None => problem,
        });
    }

    pub(super) fn analyzer(&mut self, name: Option<&str>, span: &Span) -> Option<Arc<Analyzer>> {
        let name = name?;
        let analyzer = self.scope.mapping.analyzer(name);
        if analyzer.is_none() {
            let error = FieldError::new(format!("there is no analyzer {name:?}"))
                .help("known are standard, simple, whitespace, keyword, stop, english, and those of the mapping's settings");
            self.problem(span, &error, "E0206");
        }
        analyzer
    }

    fn match_one(
        &mut self,
        name: &str,
        text: &Scalar,
        mode: MatchMode,
        options: &MatchOptions,
        span: &Span,
    ) -> Plan {
        let analyzer = self.analyzer(options.analyzer.as_deref(), span);
        let minimum = options.minimum_should_match.as_ref();
        let build = |field: &Arc<Field>| match words(field, text, mode, options, analyzer.as_ref())
        {
            Err(_) if options.lenient => Ok(Built::Plan(Plan::None(
                "the value does not fit the field's type",
            ))),
            built => built.map(|built| built.closed_by(minimum)),
        };
        match self.on_name(name, span, &build) {
            Built::NoWords if options.no_words_match_all => Plan::All,
            built => built.into_plan(),
        }
    }

    fn terms_set(
        &mut self,
        name: &str,
        values: &[Scalar],
        minimum_field: &str,
        span: &Span,
    ) -> Plan {
        let of = values
            .iter()
            .map(|value| self.test(name, span, &|kind| term(kind, value, false)))
            .collect();
        match self.scope.target(minimum_field) {
            Some(Target::Mapped(minimum)) if minimum.kind.is_counted() => {
                Plan::TermsSet(Box::new(TermsSet { minimum, of }))
            }
            Some(Target::Mapped(field))
                if field.kind != Kind::Object && field.kind != Kind::Nested =>
            {
                let error = FieldError::new(format!(
                    "field {minimum_field:?}: \"minimum_should_match_field\" takes a number field, not {}",
                    field.kind.name()
                ));
                self.problem(span, &error, "E0206");
                NOT_THERE
            }
            Some(Target::ByEvent { .. } | Target::LikeByEvent { .. }) => {
                let minimum = Arc::new(Field::number(minimum_field));
                Plan::TermsSet(Box::new(TermsSet { minimum, of }))
            }
            Some(Target::Mapped(_) | Target::Unmapped(_)) | None => {
                let error = FieldError::new(format!(
                    "the mapping has no field {minimum_field:?} for \"minimum_should_match_field\""
                ));
                self.problem(span, &error, "E0206");
                NOT_THERE
            }
        }
    }

    fn nested(&mut self, path: &str, query: &Query, ignore_unmapped: bool, span: &Span) -> Plan {
        let field = match self.scope.target(path) {
            Some(Target::Mapped(field)) if field.kind == Kind::Nested => field,
            found
                if ignore_unmapped
                    && !matches!(&found, Some(Target::Mapped(field))
                        if matches!(field.kind, Kind::Object | Kind::Disabled)) =>
            {
                return Plan::None("the mapping has no such nested object");
            }
            _ => {
                let error = FieldError::new(format!("[nested] {path:?} is no nested object in the mapping"))
                    .help("events have nested objects only where an explicit mapping says \"type\": \"nested\"");
                self.problem(span, &error, "E0206");
                return NOT_THERE;
            }
        };
        if self.scope.nested.as_ref() == Some(&field.name) {
            // In one of its elements already.
            return self.query(query);
        }
        let outside = self.scope.nested.clone();
        let relative = outside
            .as_deref()
            .and_then(|outside| path.strip_prefix(outside)?.strip_prefix('.'));
        let place = Path::new(relative.unwrap_or(path));
        self.scope.nested = Some(Arc::clone(&field.name));
        let inner = self.query(query);
        self.scope.nested = outside;
        Plan::Nested {
            path: Box::new(place),
            inner: Box::new(inner),
        }
    }
}

/// Clauses on the characters of terms need fields that have such.
pub(super) fn strings_only(kind: &Kind, clause: &str) -> Result<(), FieldError> {
    match kind {
        Kind::Text(_) | Kind::Keyword { .. } => Ok(()),
        kind => Err(FieldError::new(format!(
            "{clause} works on text and keyword fields only, not on {}",
            kind.name()
        ))
        .help("use term, terms or range")),
    }
}

/// A wildcard pattern, or what is simpler and does the same.
pub(super) fn wildcard(pattern: &str, ignore_case: bool) -> StringTest {
    let wildcard = Wildcard::new(pattern, ignore_case);
    StringTest::Wildcard(Compiled::new(pattern, wildcard))
}

pub(super) fn regexp(pattern: &str, options: regexp::Options) -> Result<StringTest, FieldError> {
    match regexp::compile(pattern, options) {
        Ok(automaton) => Ok(StringTest::Regexp(Compiled::new(pattern, automaton))),
        Err(error) => Err(regexp_error(pattern, &error)),
    }
}

fn regexp_error(pattern: &str, error: &RegexpError) -> FieldError {
    let help = match error {
        RegexpError::Syntax { .. } => {
            "Lucene's regular expressions are not PCRE: they match the whole value, have no ^ and $, and \" # & < > ~ @ need a backslash"
        }
        RegexpError::TooLong { .. } | RegexpError::TooComplex => {
            "use shorter repetitions, or several simpler patterns"
        }
    };
    FieldError::new(format!(
        "the regular expression {pattern:?} cannot be used: {error}"
    ))
    .help(help)
}

impl Field {
    /// A number field under a name that no mapping knows.
    fn number(name: &str) -> Self {
        let mut field = Self::plain(name);
        field.kind = Kind::Whole {
            whole: Whole::Long,
            coerce: true,
        };
        field
    }
}
