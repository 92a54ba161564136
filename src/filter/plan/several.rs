//! A text on several fields: `multi_match`, and what `query_string` makes of words without a field.

use super::super::analysis::Analyzer;
use super::super::dsl::{MatchMode, MatchOptions, MultiKind, MultiMatch, Operator, Scalar};
use super::Plan;
use super::compile::{Compiler, Strictness};
use super::field::Target;
use super::words::{Built, Occur, one_word, words};
use crate::config::Span;
use std::sync::Arc;

/// How a text is given to fields.
#[derive(Clone, Copy)]
pub(super) struct Manner<'m> {
    pub(super) kind: MultiKind,
    pub(super) options: &'m MatchOptions,
    /// Instead of each field's own.
    pub(super) analyzer: Option<&'m Arc<Analyzer>>,
    pub(super) strictness: Strictness,
}

impl Compiler {
    pub(super) fn multi_match(&mut self, multi: &MultiMatch, span: &Span) -> Plan {
        let all = ["*".to_owned()];
        let names = if multi.fields.is_empty() {
            &all[..]
        } else {
            &multi.fields
        };
        let is_all = names.iter().any(|name| name == "*");
        let analyzer = self.analyzer(multi.options.analyzer.as_deref(), span);
        let targets = self.scope.targets(names, None);
        let manner = Manner {
            kind: multi.kind,
            options: &multi.options,
            analyzer: analyzer.as_ref(),
            strictness: Strictness::lenient_if(multi.lenient.unwrap_or(is_all)),
        };
        self.text_on(&targets, &multi.text, manner, span)
            .into_plan()
    }

    /// A text on several fields; any of them may match.
    pub(super) fn text_on(
        &mut self,
        targets: &[Target],
        text: &Scalar,
        manner: Manner<'_>,
        span: &Span,
    ) -> Built {
        let mode = match manner.kind {
            MultiKind::CrossFields if targets.len() > 1 => {
                return self.across(targets, text, manner, span);
            }
            MultiKind::CrossFields => MatchMode::Words,
            MultiKind::EachField(mode) => mode,
        };
        let minimum = manner.options.minimum_should_match.as_ref();
        let options = MatchOptions {
            lenient: manner.strictness == Strictness::Lenient,
            ..manner.options.clone()
        };
        let built = targets
            .iter()
            .map(|target| {
                let built = self.on_target(target, manner.strictness, span, &|field| {
                    Ok(words(field, text, mode, &options, manner.analyzer)?.closed_by(minimum))
                });
                without_words(built, &options)
            })
            .collect();
        any(built)
    }

    /// `cross_fields`: each word in any of the fields that share an analyzer.
    fn across(
        &mut self,
        targets: &[Target],
        text: &Scalar,
        manner: Manner<'_>,
        span: &Span,
    ) -> Built {
        let mut groups: Vec<(Option<Arc<Analyzer>>, Vec<&Target>)> = Vec::new();
        for target in targets {
            let own = match target {
                Target::Mapped(field) => field.query_analyzer(false),
                Target::Unmapped(_) => None,
                Target::ByEvent { name, .. } if self.scope.is_sub_field(name) => None,
                Target::ByEvent { .. } | Target::LikeByEvent { .. } => self.scope.text_analyzer(),
            };
            let analyzer = manner.analyzer.or(own).cloned();
            match groups.iter_mut().find(|(group, _)| *group == analyzer) {
                Some((_, members)) => members.push(target),
                None => groups.push((analyzer, vec![target])),
            }
        }
        let occur = match manner.options.operator {
            Operator::Or => Occur::Should,
            Operator::And => Occur::Must,
        };
        let mut built = Vec::new();
        for (analyzer, members) in groups {
            let terms = analyzer
                .filter(|analyzer| !analyzer.is_keyword())
                .map(|analyzer| analyzer.tokens(&text.text()));
            let is_cut = terms.is_some();
            let texts: Vec<Scalar> = match terms {
                Some(terms) => terms
                    .into_iter()
                    .map(|token| Scalar::Text(token.text))
                    .collect(),
                None => vec![text.clone()],
            };
            let mut clauses: Vec<(Occur, Built)> = texts
                .iter()
                .map(|text| {
                    let plans = members.iter().map(|target| {
                        let build = |field: &Arc<_>| {
                            if is_cut {
                                let term = one_word(field, &text.text(), false, manner.options);
                                return term.map(Built::Plan);
                            }
                            let analyzer = manner.analyzer;
                            words(field, text, MatchMode::Words, manner.options, analyzer)
                        };
                        self.on_target(target, manner.strictness, span, &build)
                            .into_plan()
                    });
                    (occur, Built::Plan(Plan::any(plans.collect())))
                })
                .collect();
            built.push(match (clauses.len(), clauses.pop()) {
                (_, None) => without_words(Built::NoWords, manner.options),
                (1, Some((_, only))) => only,
                (_, Some(last)) => {
                    clauses.push(last);
                    Built::Clauses(clauses).closed_by(manner.options.minimum_should_match.as_ref())
                }
            });
        }
        any(built)
    }
}

/// What `zero_terms_query` makes of a text that has no words on a field.
fn without_words(built: Built, options: &MatchOptions) -> Built {
    match built {
        Built::NoWords if options.no_words_match_all => Built::Plan(Plan::All),
        built => built,
    }
}

/// What any of several fields matches. A single field stays open for more clauses; fields without words drop out.
pub(super) fn any(mut built: Vec<Built>) -> Built {
    match (built.len(), built.pop()) {
        (_, None) => Built::Plan(Plan::None("no field is searched")),
        (1, Some(only)) => only,
        (_, Some(last)) => {
            built.push(last);
            built.retain(|built| !matches!(built, Built::NoWords));
            if built.is_empty() {
                return Built::NoWords;
            }
            Built::Plan(Plan::any(built.into_iter().map(Built::into_plan).collect()))
        }
    }
}
