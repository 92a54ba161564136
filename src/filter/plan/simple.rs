//! `simple_query_string`: each word on its own in any of the fields.

use super::super::analysis::Analyzer;
use super::super::dsl::{
    FuzzyOptions, MatchMode, MatchOptions, MultiKind, Operator, Scalar, SimpleQueryString,
};
use super::super::fuzzy::Fuzziness;
use super::super::lucene::{MAX_CHANGES, Simple, SimpleLeaf, TooMixed, parse_simple};
use super::super::mapping::Kind;
use super::compile::{Compiler, NOT_THERE, Strictness, strings_only};
use super::field::{Build, Target};
use super::lucene::prefix;
use super::ranges::{FieldError, normalized};
use super::several::{Manner, any};
use super::words::{Built, Occur, near};
use super::{Plan, Test};
use crate::config::Span;
use std::sync::Arc;

struct Context<'q> {
    query: &'q SimpleQueryString,
    span: &'q Span,
    targets: Vec<Target>,
    quoted: Vec<Target>,
    strictness: Strictness,
    analyzer: Option<Arc<Analyzer>>,
    options: MatchOptions,
}

impl Compiler {
    pub(super) fn simple_query_string(&mut self, query: &SimpleQueryString, span: &Span) -> Plan {
        let all = ["*".to_owned()];
        let names = if query.fields.is_empty() {
            &all[..]
        } else {
            &query.fields
        };
        let searches_all = names.iter().any(|name| name == "*");
        let context = Context {
            query,
            span,
            targets: self.scope.targets(names, None),
            quoted: self
                .scope
                .targets(names, query.quote_field_suffix.as_deref()),
            strictness: Strictness::lenient_if(query.lenient.unwrap_or(searches_all)),
            analyzer: self.analyzer(query.analyzer.as_deref(), span),
            options: MatchOptions {
                operator: query.default_operator,
                ..MatchOptions::default()
            },
        };
        let all = query.default_operator == Operator::And;
        let simple = parse_simple(&query.text, query.flags, all, &mut |leaf| match self
            .simple_leaf(&leaf, &context)
        {
            Built::NoWords => None,
            built => Some(built),
        });
        match simple {
            Err(TooMixed) => {
                let error = FieldError::new(format!(
                    "the query goes over from one of + and | to the other more than {MAX_CHANGES} times"
                ))
                .help("use a bool clause, or a terms clause for many values");
                self.problem(span, &error, "E0208");
                NOT_THERE
            }
            Ok(None) => Plan::None("the query has no words to search for"),
            Ok(Some(simple)) => joined(simple, query.minimum_should_match.is_some())
                .into_plan_with(query.minimum_should_match.as_ref()),
        }
    }

    fn simple_leaf(&mut self, leaf: &SimpleLeaf, context: &Context<'_>) -> Built {
        match leaf {
            SimpleLeaf::MatchAll => Built::Plan(Plan::All),
            SimpleLeaf::Words(text) => {
                self.simple_text(&context.targets, text, MatchMode::Words, 0, context)
            }
            SimpleLeaf::Phrase { text, slop } => self.simple_text(
                &context.quoted,
                text,
                MatchMode::Phrase,
                slop.unwrap_or(0),
                context,
            ),
            SimpleLeaf::Prefix(text) => self.simple_each(context, &|field| {
                let analyzer = context.analyzer.as_ref();
                let operator = context.query.default_operator;
                if context.query.analyze_wildcard
                    && !matches!(field.kind, Kind::Text(_) | Kind::Keyword { .. })
                {
                    // Searched as it is, and such fields have no terms.
                    return Ok(Built::Plan(Plan::None("the field has no words")));
                }
                prefix(
                    field,
                    text,
                    context.query.analyze_wildcard,
                    operator,
                    analyzer,
                )
            }),
            SimpleLeaf::Fuzzy { text, edits } => {
                let options = FuzzyOptions {
                    fuzziness: Fuzziness::Edits(usize::try_from(*edits).unwrap_or(2)),
                    prefix_length: context.query.fuzzy_prefix_length,
                    transpositions: context.query.fuzzy_transpositions,
                };
                self.simple_each(context, &|field| {
                    strings_only(&field.kind, "a fuzzy word")?;
                    let given = context.analyzer.as_ref();
                    let text = match given.or_else(|| field.query_analyzer(false)) {
                        Some(analyzer) => analyzer.normalize(text).into_owned(),
                        None => normalized(&field.kind, text),
                    };
                    Ok(Built::Plan(Plan::leaf(
                        field,
                        Test::Term(near(&text, options)),
                    )))
                })
            }
        }
    }

    fn simple_text(
        &mut self,
        targets: &[Target],
        text: &str,
        mode: MatchMode,
        slop: u32,
        context: &Context<'_>,
    ) -> Built {
        let options = MatchOptions {
            slop: i32::try_from(slop).unwrap_or(i32::MAX),
            ..context.options.clone()
        };
        let unmapped = |target: &Target| matches!(target, Target::Unmapped(_));
        let given = context.analyzer.clone();
        let analyzer = given.or_else(|| self.scope.mapping.analyzer("default"));
        let has_words = analyzer.is_none_or(|analyzer| !analyzer.tokens(text).is_empty());
        if !has_words && targets.iter().all(unmapped) {
            // The server cuts it up before it looks for the fields.
            return Built::NoWords;
        }
        // Beside others they are no fields at all, so that the words of a single one left are clauses to be counted.
        let others: Vec<Target>;
        let targets = if targets.iter().all(unmapped) {
            targets
        } else {
            let mapped = targets.iter().filter(|target| !unmapped(target));
            others = mapped.cloned().collect();
            &others
        };
        let value = Scalar::Text(text.to_owned());
        let manner = Manner {
            kind: MultiKind::EachField(mode),
            options: &options,
            analyzer: context.analyzer.as_ref(),
            strictness: context.strictness,
        };
        self.text_on(targets, &value, manner, context.span)
    }

    fn simple_each(&mut self, context: &Context<'_>, build: Build<'_>) -> Built {
        let built = context
            .targets
            .iter()
            .map(|target| self.on_target(target, context.strictness, context.span, build))
            .collect();
        any(built)
    }
}

/// Puts together what became of the leaves.
fn joined(simple: Simple<Built>, counts: bool) -> Built {
    let many = |items: Vec<Simple<Built>>, occur| {
        let clause = |item| (occur, Built::Plan(joined(item, counts).into_plan()));
        Built::Clauses(items.into_iter().map(clause).collect())
    };
    match simple {
        Simple::Leaf(built) => built,
        Simple::Not(inner) => {
            let plan = joined(*inner, counts).into_plan();
            if !counts {
                return Built::Plan(Plan::not(plan));
            }
            // Lucene puts "everything" beside what is excluded, and that counts as one clause.
            Built::Clauses(vec![
                (Occur::MustNot, Built::Plan(plan)),
                (Occur::Should, Built::Plan(Plan::All)),
            ])
        }
        Simple::All(items) => many(items, Occur::Must),
        Simple::Any(items) => many(items, Occur::Should),
    }
}
