//! From clauses to plans.

use super::super::analysis::Analyzer;
use super::super::date::Zone;
use super::super::dsl::{
    Bool, Clause, MatchMode, MatchOptions, MultiKind, MultiMatch, Query, Scalar,
};
use super::super::mapping::{Field, Kind, Mapping, Source, Whole};
use super::super::regexp::{self, RegexpError};
use super::super::values::Path;
use super::super::wildcard::Wildcard;
use super::field::{Build, Scope, Target};
use super::ranges::{FieldError, normalized, range, term, terms};
use super::words::{Built, Occur, boolean, near, words};
use super::{Plan, StringTest, Test};
use crate::config::{Problem, Span};
use std::sync::Arc;

/// Resolves a clause against a mapping and collects what does not work.
pub(in crate::filter) fn compile(
    query: &Query,
    mapping: &Arc<Mapping>,
) -> Result<Plan, Vec<Problem>> {
    let mut compiler = Compiler {
        scope: Scope {
            mapping: Arc::clone(mapping),
            nested: None,
        },
        problems: Vec::new(),
    };
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

/// Whether what does not fit a field's type is an error or just never matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    Strict,
    Lenient,
}

const NOT_THERE: Plan = Plan::None("the mapping has no such field");

impl Compiler {
    fn query(&mut self, query: &Query) -> Plan {
        let span = &query.span;
        match &query.clause {
            Clause::MatchAll => Plan::All,
            Clause::MatchNone => Plan::None("match_none"),
            Clause::Bool(parts) => self.bool(parts),
            Clause::Wrapped(inner) => self.query(inner),
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
            } => self.test(field, span, &|kind| range(kind, wanted, &Zone::UTC)),
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
        boolean(must, should, must_not, parts.minimum_should_match.as_ref())
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
            (Err(error), Target::Mapped(field), Strictness::Strict) => FieldError {
                message: format!("field {:?}: {}", field.name, error.message),
                help: error.help,
            },
            (Err(_), _, _) => {
                return Built::Plan(Plan::None("the value does not fit the field's type"));
            }
        };
        self.problem(span, &error, "E0206");
        Built::Plan(NOT_THERE)
    }

    pub(super) fn problem(&mut self, span: &Span, error: &FieldError, code: &'static str) {
        let mut problem = Problem::error(code, span, error.message.clone());
        problem.help.clone_from(&error.help);
        self.problems.push(problem);
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
        let build = |field: &Arc<Field>| match words(field, text, mode, options, analyzer.as_ref())
        {
            Err(_) if options.lenient => Ok(Built::Plan(Plan::None(
                "the value does not fit the field's type",
            ))),
            built => built,
        };
        match self.on_name(name, span, &build) {
            Built::NoWords if options.no_words_match_all => Plan::All,
            built => built.into_plan_with(options.minimum_should_match.as_ref()),
        }
    }

    fn multi_match(&mut self, multi: &MultiMatch, span: &Span) -> Plan {
        let all = ["*".to_owned()];
        let names = if multi.fields.is_empty() {
            &all[..]
        } else {
            &multi.fields
        };
        let is_all = names.iter().any(|name| name == "*");
        let lenient = multi.lenient.unwrap_or(is_all);
        let strictness = if lenient {
            Strictness::Lenient
        } else {
            Strictness::Strict
        };
        let analyzer = self.analyzer(multi.options.analyzer.as_deref(), span);
        let targets = self.scope.targets(names, None);
        let built = self.text_on(
            &targets,
            &multi.text,
            multi.kind,
            &multi.options,
            analyzer.as_ref(),
            strictness,
            span,
        );
        match built {
            Built::NoWords if multi.options.no_words_match_all => Plan::All,
            built => built.into_plan(),
        }
    }

    /// A text on several fields.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a different part of the clause, and callers have no struct that holds them"
    )]
    pub(super) fn text_on(
        &mut self,
        targets: &[Target],
        text: &Scalar,
        kind: MultiKind,
        options: &MatchOptions,
        analyzer: Option<&Arc<Analyzer>>,
        strictness: Strictness,
        span: &Span,
    ) -> Built {
        let mode = match kind {
            MultiKind::CrossFields if targets.len() > 1 => {
                return self.across(targets, text, options, analyzer, strictness, span);
            }
            MultiKind::CrossFields => MatchMode::Words,
            MultiKind::EachField(mode) => mode,
        };
        let minimum = options.minimum_should_match.as_ref();
        let built: Vec<Built> = targets
            .iter()
            .map(|target| {
                self.on_target(target, strictness, span, &|field| {
                    words(field, text, mode, options, analyzer)
                })
            })
            .filter(|built| !matches!(built, Built::NoWords))
            .collect();
        any(targets.len(), built, minimum)
    }

    /// `cross_fields`: each word in any of the fields that share an analyzer.
    fn across(
        &mut self,
        targets: &[Target],
        text: &Scalar,
        options: &MatchOptions,
        analyzer: Option<&Arc<Analyzer>>,
        strictness: Strictness,
        span: &Span,
    ) -> Built {
        let minimum = options.minimum_should_match.as_ref();
        let mut groups: Vec<(Option<&Arc<Analyzer>>, Vec<&Target>)> = Vec::new();
        for target in targets {
            let of_field = match target {
                Target::Mapped(field) => match &field.kind {
                    Kind::Text(own) => Some(analyzer.unwrap_or(own)),
                    _ => analyzer,
                },
                Target::ByEvent(_) | Target::LikeByEvent(_) => analyzer,
            };
            match groups.iter_mut().find(|(group, _)| *group == of_field) {
                Some((_, members)) => members.push(target),
                None => groups.push((of_field, vec![target])),
            }
        }
        let mut built = Vec::new();
        for (analyzer, members) in groups {
            let texts: Vec<Scalar> = match analyzer.filter(|analyzer| !analyzer.is_keyword()) {
                Some(analyzer) => {
                    let tokens = analyzer.tokens(&text.text());
                    tokens
                        .into_iter()
                        .map(|token| Scalar::Text(token.text))
                        .collect()
                }
                None => vec![text.clone()],
            };
            let occur = match options.operator {
                super::super::dsl::Operator::Or => Occur::Should,
                super::super::dsl::Operator::And => Occur::Must,
            };
            let mut clauses = Vec::new();
            for text in &texts {
                let plans = members
                    .iter()
                    .map(|target| {
                        self.on_target(target, strictness, span, &|field| {
                            words(field, text, MatchMode::Words, options, None)
                        })
                        .into_plan()
                    })
                    .collect();
                clauses.push((occur, Built::Plan(Plan::any(plans))));
            }
            match clauses.len() {
                0 => {}
                1 => built.extend(clauses.into_iter().map(|(_, clause)| clause)),
                _ => built.push(Built::Clauses(clauses)),
            }
        }
        let count = built.len();
        any(count, built, minimum)
    }

    pub(super) fn exists(&mut self, name: &str, span: &Span) -> Plan {
        if name == "*" {
            let error = FieldError::new("exists cannot ask for every field at once")
                .help("name a field, or leave the clause out");
            self.problem(span, &error, "E0206");
            return NOT_THERE;
        }
        if name.contains('*') {
            let fields: Vec<Arc<Field>> = self.scope.mapping.fields_like(name).cloned().collect();
            let mut plans: Vec<Plan> = fields.iter().map(|field| self.exists_in(field)).collect();
            if self.scope.mapping.is_open() {
                let target = Target::LikeByEvent(name.to_owned());
                plans.push(
                    self.on_target(&target, Strictness::Lenient, span, &exists_on)
                        .into_plan(),
                );
            }
            return Plan::any(plans);
        }
        self.exists_named(name, span)
    }

    /// `exists` on exactly that name.
    pub(super) fn exists_named(&mut self, name: &str, span: &Span) -> Plan {
        match self.scope.target(name) {
            Some(Target::Mapped(field)) => self.exists_in(&field),
            Some(target) => {
                let itself = self
                    .on_target(&target, Strictness::Lenient, span, &exists_on)
                    .into_plan();
                let below = self
                    .scope
                    .build_below(name, &exists_on)
                    .map(Built::into_plan);
                Plan::any(std::iter::once(itself).chain(below).collect())
            }
            None if name == "_source" => {
                let error =
                    FieldError::new("_source cannot be searched").help("name the field itself");
                self.problem(span, &error, "E0206");
                NOT_THERE
            }
            None => NOT_THERE,
        }
    }

    fn exists_in(&self, field: &Arc<Field>) -> Plan {
        if matches!(field.sources, Source::Id | Source::Index) {
            return Plan::All;
        }
        let foreign = |field: &Field| field.nested != self.scope.nested;
        if !matches!(field.kind, Kind::Object | Kind::Nested) {
            return match exists_on(field) {
                Ok(Built::Plan(plan)) if !foreign(field) => plan,
                _ => Plan::None("the field is not searchable"),
            };
        }
        let mut plans: Vec<Plan> = self
            .scope
            .mapping
            .fields_below(&field.name)
            .filter(|below| !foreign(below) && !matches!(below.kind, Kind::Object | Kind::Nested))
            .filter_map(|below| exists_on(below).ok())
            .map(Built::into_plan)
            .collect();
        if self.scope.mapping.is_open() && field.kind == Kind::Object {
            plans.extend(
                self.scope
                    .build_below(&field.name, &exists_on)
                    .map(Built::into_plan),
            );
        }
        Plan::any(plans)
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
            Some(Target::Mapped(minimum)) => Plan::TermsSet { minimum, of },
            Some(_) => Plan::TermsSet {
                minimum: Arc::new(Field::number(minimum_field)),
                of,
            },
            None => Plan::None("the mapping has no field for the minimum"),
        }
    }

    fn nested(&mut self, path: &str, query: &Query, ignore_unmapped: bool, span: &Span) -> Plan {
        let field = match self.scope.target(path) {
            Some(Target::Mapped(field)) if field.kind == Kind::Nested => field,
            _ if ignore_unmapped => return Plan::None("the mapping has no such nested object"),
            _ => {
                let error = FieldError::new(format!("[nested] {path:?} is no nested object in the mapping"))
                    .help("events have nested objects only where an explicit mapping says \"type\": \"nested\"");
                self.problem(span, &error, "E0206");
                return NOT_THERE;
            }
        };
        let outside = self.scope.nested.clone();
        let relative = outside
            .as_deref()
            .and_then(|outside| path.strip_prefix(outside)?.strip_prefix('.'));
        let place = Path::new(relative.unwrap_or(path));
        self.scope.nested = Some(Arc::clone(&field.name));
        let inner = self.query(query);
        self.scope.nested = outside;
        Plan::Nested {
            path: place,
            inner: Box::new(inner),
        }
    }
}

/// What of several fields matches; a single one stays open for more clauses.
pub(super) fn any(
    fields: usize,
    mut built: Vec<Built>,
    minimum: Option<&super::super::dsl::Minimum>,
) -> Built {
    if fields == 1 {
        return match built.pop() {
            Some(only) if minimum.is_some() => Built::Plan(only.into_plan_with(minimum)),
            Some(only) => only,
            None => Built::NoWords,
        };
    }
    if fields > 0 && built.is_empty() {
        return Built::NoWords;
    }
    Built::Plan(Plan::any(
        built
            .into_iter()
            .map(|one| one.into_plan_with(minimum))
            .collect(),
    ))
}

fn exists_on(field: &Arc<Field>) -> Result<Built, FieldError> {
    Ok(Built::Plan(match field.kind {
        Kind::Disabled | Kind::Object | Kind::Nested => Plan::None("the field is an object"),
        _ => Plan::leaf(field, Test::Exists),
    }))
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
    StringTest::Wildcard {
        pattern: pattern.into(),
        wildcard: Arc::new(Wildcard::new(pattern, ignore_case)),
    }
}

pub(super) fn regexp(pattern: &str, options: regexp::Options) -> Result<StringTest, FieldError> {
    match regexp::compile(pattern, options) {
        Ok(automaton) => Ok(StringTest::Regexp {
            pattern: pattern.into(),
            automaton: Arc::new(automaton),
        }),
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
