//! `query_string`: Lucene's syntax resolved against fields, as Elasticsearch's `QueryStringQueryParser` does.

use super::super::analysis::Analyzer;
use super::super::date::Zone;
use super::super::dsl::{
    FuzzyOptions, MatchMode, MatchOptions, MultiKind, Operator, QueryString, Range, Relation,
    Scalar,
};
use super::super::fuzzy::Fuzziness;
use super::super::lucene::{Conjunction, Item, Leaf, Modifier, Syntax};
use super::super::mapping::{Field, Kind, Source};
use super::super::regexp::Options;
use super::super::wildcard::normalize;
use super::compile::{Compiler, NOT_THERE, Strictness, regexp, strings_only, wildcard};
use super::field::{Build, Target};
use super::ranges::{FieldError, any_of, normalized, range};
use super::several::{Manner, any};
use super::words::{Built, Occur, near, tokens_on, words};
use super::{Plan, StringTest, Test};
use crate::config::Span;
use std::sync::Arc;

/// What applies to every part of one query.
struct Context<'q> {
    query: &'q QueryString,
    span: &'q Span,
    /// What a part without a field searches.
    fields: Vec<String>,
    strictness: Strictness,
    analyzer: Option<Arc<Analyzer>>,
    quote_analyzer: Option<Arc<Analyzer>>,
    zone: Option<Zone>,
}

const EXISTS: &str = "_exists_";

impl Compiler {
    pub(super) fn query_string(&mut self, query: &QueryString, span: &Span) -> Plan {
        let fields = match (&query.default_field, query.fields.is_empty()) {
            (Some(field), _) => vec![field.clone()],
            (None, true) => vec!["*".to_owned()],
            (None, false) => query.fields.clone(),
        };
        let searches_all = fields.iter().any(|field| field == "*");
        let analyzer = self.analyzer(query.analyzer.as_deref(), span);
        let quote_analyzer = self.analyzer(query.quote_analyzer.as_deref(), span);
        let context = Context {
            query,
            span,
            fields,
            strictness: Strictness::lenient_if(query.lenient.unwrap_or(searches_all)),
            quote_analyzer: quote_analyzer.or_else(|| analyzer.clone()),
            analyzer,
            zone: query.time_zone.as_deref().and_then(Zone::parse),
        };
        if let Some(problem) = &query.broken {
            self.problems.push(problem.clone());
            return Plan::None("the query cannot be read");
        }
        if query.items.is_empty() {
            return Plan::None("the query is empty");
        }
        self.scope.counts_words = query.minimum_should_match.is_some();
        let built = self.group(&query.items, &context);
        self.scope.counts_words = false;
        built.into_plan_with(query.minimum_should_match.as_ref())
    }

    /// Clauses and operators in the way of Lucene's classic parser: there is no precedence, each operator changes how its two neighbours
    /// count.
    fn group(&mut self, items: &[Item], context: &Context<'_>) -> Built {
        let by_or = context.query.default_operator == Operator::Or;
        let mut clauses: Vec<(Occur, Built)> = Vec::new();
        let mut first_stays = false;
        for (at, item) in items.iter().enumerate() {
            let built = match &item.syntax {
                Syntax::Group(items) => self.group(items, context),
                Syntax::Leaf { field, leaf } => self.lucene_leaf(field.as_deref(), leaf, context),
            };
            if at == 0 {
                let has_words = !matches!(built, Built::NoWords);
                first_stays = has_words && item.modifier == Modifier::None;
            }
            if item.is_run {
                let occur = if by_or { Occur::Should } else { Occur::Must };
                match built {
                    Built::NoWords => {}
                    Built::Clauses(words) => clauses.extend(words),
                    Built::Plan(plan) => clauses.push((occur, Built::Plan(plan))),
                }
                continue;
            }
            if let Some((before, _)) = clauses.last_mut()
                && *before != Occur::MustNot
            {
                match item.conjunction {
                    Conjunction::And => *before = Occur::Must,
                    Conjunction::Or if !by_or => *before = Occur::Should,
                    Conjunction::Or | Conjunction::None => {}
                }
            }
            let occur = match (item.modifier, item.conjunction) {
                (Modifier::Prohibited, _) => Occur::MustNot,
                (Modifier::Required, _) | (Modifier::None, Conjunction::And) if by_or => {
                    Occur::Must
                }
                (_, Conjunction::Or) => Occur::Should,
                (_, Conjunction::None) if by_or => Occur::Should,
                _ => Occur::Must,
            };
            match built {
                Built::NoWords => {}
                built => clauses.push((occur, built)),
            }
        }
        if clauses.is_empty() {
            return Built::NoWords;
        }
        // A first part that nothing is left beside stands for the whole: it is no clause to be counted.
        if clauses.len() == 1
            && first_stays
            && let Some((_, built)) = clauses.pop()
        {
            return built;
        }
        Built::Clauses(clauses)
    }

    fn lucene_leaf(&mut self, field: Option<&str>, leaf: &Leaf, context: &Context<'_>) -> Built {
        match leaf {
            Leaf::Words(text) => match (field, operator(text)) {
                (Some(EXISTS), _) => Built::Plan(self.exists(text, context.span)),
                // Not where the query lists its fields: the server's parser has no field then.
                (field, Some(bounds)) if field.is_some() || context.query.fields.is_empty() => {
                    self.lucene_range(field, &bounds, context)
                }
                (field, _) => self.lucene_text(field, text, None, context),
            },
            Leaf::Phrase { text, .. } if field == Some(EXISTS) => {
                Built::Plan(self.exists(text, context.span))
            }
            Leaf::Phrase { text, slop } => {
                let slop = slop.unwrap_or(context.query.phrase_slop);
                self.lucene_text(field, text, Some(slop), context)
            }
            Leaf::Prefix(text) => self.lucene_prefix(field, text, context),
            Leaf::Wildcard(pattern) => self.lucene_wildcard(field, pattern, context),
            Leaf::Regexp(pattern) => self.lucene_regexp(field, pattern, context),
            Leaf::Fuzzy { text, edits } => self.lucene_fuzzy(field, text, *edits, context),
            Leaf::Range { .. } => self.lucene_range(field, leaf, context),
        }
    }

    /// The fields of a part: its own, or the query's.
    fn lucene_targets(
        &self,
        field: Option<&str>,
        quoted: bool,
        context: &Context<'_>,
    ) -> Vec<Target> {
        let suffix = context
            .query
            .quote_field_suffix
            .as_deref()
            .filter(|_| quoted);
        match field {
            Some(field) => self.scope.targets(&[field.to_owned()], suffix),
            None => self.scope.targets(&context.fields, suffix),
        }
    }

    /// Builds on each field; any of them may match.
    fn on_each(&mut self, field: Option<&str>, context: &Context<'_>, build: Build<'_>) -> Built {
        let targets = self.lucene_targets(field, false, context);
        let built = targets
            .iter()
            .map(|target| self.on_target(target, context.strictness, context.span, build))
            .collect();
        any(built)
    }

    fn lucene_text(
        &mut self,
        field: Option<&str>,
        text: &str,
        slop: Option<i32>,
        context: &Context<'_>,
    ) -> Built {
        let targets = self.lucene_targets(field, slop.is_some(), context);
        let options = MatchOptions {
            operator: context.query.default_operator,
            slop: slop.unwrap_or(context.query.phrase_slop),
            ..MatchOptions::default()
        };
        let (kind, analyzer) = match slop {
            Some(_) => (
                MultiKind::EachField(MatchMode::Phrase),
                context.quote_analyzer.as_ref(),
            ),
            None => (context.query.kind, context.analyzer.as_ref()),
        };
        let value = Scalar::Text(text.to_owned());
        if let (Some(zone), MultiKind::EachField(mode), None) = (&context.zone, kind, slop) {
            let built = targets
                .iter()
                .map(|target| {
                    self.on_target(target, context.strictness, context.span, &|field| {
                        if !matches!(field.kind, Kind::Date(_) | Kind::DateNanos(_)) {
                            return words(field, &value, mode, &options, analyzer);
                        }
                        let day = between(Some(text), Some(text), true, true);
                        Ok(Built::Plan(Plan::leaf(
                            field,
                            range(&field.kind, &day, zone)?,
                        )))
                    })
                })
                .collect();
            return any(built);
        }
        let manner = Manner {
            kind,
            options: &options,
            analyzer,
            strictness: context.strictness,
        };
        self.text_on(&targets, &value, manner, context.span)
    }

    fn lucene_range(&mut self, field: Option<&str>, leaf: &Leaf, context: &Context<'_>) -> Built {
        let Leaf::Range {
            lower,
            upper,
            includes_lower,
            includes_upper,
        } = leaf
        else {
            return Built::NoWords;
        };
        let zone = context.zone.clone().unwrap_or(Zone::UTC);
        self.on_each(field, context, &|field| {
            whole_only(field)?;
            let form = |bound: &Option<String>| {
                // A star is open however it is written: in quotes, escaped, behind an operator.
                let bound = bound.as_deref().filter(|bound| *bound != "*")?;
                Some(in_form(field, bound, context.analyzer.as_ref()))
            };
            let (lower, upper) = (form(lower), form(upper));
            let wanted = between(
                lower.as_deref(),
                upper.as_deref(),
                *includes_lower,
                *includes_upper,
            );
            Ok(Built::Plan(Plan::leaf(
                field,
                range(&field.kind, &wanted, &zone)?,
            )))
        })
    }

    fn lucene_prefix(&mut self, field: Option<&str>, text: &str, context: &Context<'_>) -> Built {
        let analyze = context.query.analyze_wildcard;
        let operator = context.query.default_operator;
        self.on_each(field, context, &|field| {
            prefix(field, text, analyze, operator, context.analyzer.as_ref())
        })
    }

    fn lucene_wildcard(
        &mut self,
        field: Option<&str>,
        pattern: &str,
        context: &Context<'_>,
    ) -> Built {
        if pattern == "*" {
            let single = match (field, &context.fields[..]) {
                (Some(field), _) => Some(field),
                (None, [only]) if context.query.fields.is_empty() => Some(only.as_str()),
                (None, _) => None,
            };
            match single {
                Some("*") => return Built::Plan(Plan::All),
                Some(field) if !field.contains('*') || field == EXISTS => {
                    return Built::Plan(self.exists_named(field, context.span));
                }
                Some(field) if self.asks_for_servers_fields(field, context.span) => {
                    return Built::Plan(NOT_THERE);
                }
                _ => {}
            }
            return self.on_each(field, context, &|field| {
                Ok(Built::Plan(Plan::leaf(field, Test::Exists)))
            });
        }
        let targets = self.lucene_targets(field, false, context);
        let is_field = |target: &Target| !matches!(target, Target::Unmapped(_));
        let searches_any = targets.iter().any(is_field);
        if searches_any && !context.query.allow_leading_wildcard && pattern.starts_with(['*', '?'])
        {
            let error = FieldError::new(format!(
                "the wildcard {pattern:?} begins with a star, and allow_leading_wildcard is false"
            ))
            .help("leave allow_leading_wildcard out, or write the beginning of the value");
            self.problem(context.span, &error, "E0205");
            return Built::NoWords;
        }
        self.on_each(field, context, &|field| {
            whole_only(field)?;
            strings_only(&field.kind, "a wildcard")?;
            // Patterns on a keyword are changed by its own normalizer alone.
            let analyzer = match &field.kind {
                Kind::Keyword { normalizer, .. } => normalizer.as_ref(),
                _ => context
                    .analyzer
                    .as_ref()
                    .or_else(|| field.query_analyzer(false)),
            };
            let pattern = match analyzer {
                Some(analyzer) => normalize(pattern, analyzer),
                None => pattern.to_owned(),
            };
            Ok(Built::Plan(Plan::leaf(
                field,
                Test::Term(wildcard(&pattern, false)),
            )))
        })
    }

    fn lucene_regexp(
        &mut self,
        field: Option<&str>,
        pattern: &str,
        context: &Context<'_>,
    ) -> Built {
        let options = Options {
            work_limit: context.query.work_limit,
            ..Options::default()
        };
        self.on_each(field, context, &|field| {
            let analyzer = context
                .analyzer
                .as_ref()
                .or_else(|| field.query_analyzer(false));
            let pattern = match analyzer {
                Some(analyzer) => analyzer.normalize(pattern).into_owned(),
                None => normalized(&field.kind, pattern),
            };
            let test = regexp(&pattern, options)?;
            Ok(Built::Plan(match field.kind {
                // An index keeps ids in a form of its own, which only what matches everything matches.
                _ if matches!(field.sources, Source::Id) && test.passes_all() => Plan::All,
                _ if field.is_servers_own() => Plan::None("regular expressions match texts only"),
                Kind::Text(_) | Kind::Keyword { .. } => Plan::leaf(field, Test::Term(test)),
                // An index keeps them as these two terms.
                Kind::Boolean => {
                    let truths = [("F", 0), ("T", 1)].into_iter();
                    let passing = truths.filter(|(term, _)| test.passes(term));
                    let exactly = |(_, truth)| Test::Whole {
                        first: truth,
                        last: truth,
                    };
                    Plan::leaf(field, any_of(passing.map(exactly).collect()))
                }
                _ => Plan::None("regular expressions match texts only"),
            }))
        })
    }

    fn lucene_fuzzy(
        &mut self,
        field: Option<&str>,
        text: &str,
        edits: Option<Fuzziness>,
        context: &Context<'_>,
    ) -> Built {
        let fuzziness = match edits {
            None => context.query.fuzzy.fuzziness,
            Some(edits) => edits,
        };
        let options = FuzzyOptions {
            fuzziness: Fuzziness::Edits(fuzziness.edits(text)),
            ..context.query.fuzzy
        };
        self.on_each(field, context, &|field| {
            if fuzziness == Fuzziness::Negative {
                return Err(FieldError::new("the number after a word's ~ is negative"));
            }
            whole_only(field)?;
            strings_only(&field.kind, "a fuzzy word")?;
            let text = in_form(field, text, context.analyzer.as_ref());
            Ok(Built::Plan(Plan::leaf(
                field,
                Test::Term(near(&text, options)),
            )))
        })
    }
}

/// What the server keeps about a document has no terms to look through.
fn whole_only(field: &Field) -> Result<(), FieldError> {
    if !field.is_servers_own() {
        return Ok(());
    }
    let name = &field.name;
    Err(FieldError::new(format!(
        "{name} can only be compared as a whole"
    )))
}

/// A text in the form that the field's terms have, uncut.
fn in_form(field: &Field, text: &str, analyzer: Option<&Arc<Analyzer>>) -> String {
    let given = analyzer.filter(|_| matches!(field.kind, Kind::Text(_) | Kind::Keyword { .. }));
    match given.or_else(|| field.query_analyzer(false)) {
        // A keyword's own normalizer comes behind what the query names.
        Some(analyzer) => normalized(&field.kind, &analyzer.normalize(text)),
        None => normalized(&field.kind, text),
    }
}

/// A word ending in `*`.
pub(super) fn prefix(
    field: &Arc<Field>,
    text: &str,
    analyze: bool,
    operator: Operator,
    analyzer: Option<&Arc<Analyzer>>,
) -> Result<Built, FieldError> {
    if matches!(field.sources, Source::Id) {
        whole_only(field)?;
    }
    strings_only(&field.kind, "a word ending in *")?;
    if analyze && let Some(own) = field.query_analyzer(false) {
        let options = MatchOptions {
            operator,
            ..MatchOptions::default()
        };
        let tokens = analyzer.unwrap_or(own).tokens(text);
        return tokens_on(field, &tokens, MatchMode::WordsPrefix, &options);
    }
    Ok(Built::Plan(Plan::leaf(
        field,
        Test::Term(StringTest::StartsWith {
            start: match field.kind {
                Kind::Keyword { .. } => normalized(&field.kind, text).into(),
                _ => in_form(field, text, analyzer).into(),
            },
            ignore_case: false,
        }),
    )))
}

/// `>5`, `>=5`, `<5`, `<=5` after `field:`.
fn operator(text: &str) -> Option<Leaf> {
    let lower = text.starts_with('>');
    let rest = text
        .strip_prefix(['>', '<'])
        .filter(|rest| !rest.is_empty())?;
    let (includes, bound) = match rest.strip_prefix('=').filter(|bound| !bound.is_empty()) {
        Some(bound) => (true, bound),
        None => (false, rest),
    };
    let bound = Some(bound.to_owned());
    Some(if lower {
        Leaf::Range {
            lower: bound,
            upper: None,
            includes_lower: includes,
            includes_upper: true,
        }
    } else {
        Leaf::Range {
            lower: None,
            upper: bound,
            includes_lower: true,
            includes_upper: includes,
        }
    })
}

fn between(
    lower: Option<&str>,
    upper: Option<&str>,
    includes_lower: bool,
    includes_upper: bool,
) -> Range {
    let scalar = |text: &str| Scalar::Text(text.to_owned());
    Range {
        lower: lower.map(scalar),
        upper: upper.map(scalar),
        includes_lower,
        includes_upper,
        format: None,
        time_zone: None,
        relation: Relation::Intersects,
    }
}
