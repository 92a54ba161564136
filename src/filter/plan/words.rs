//! The `match` family: an analysed text on a field.

use super::super::analysis::{Analyzer, Token};
use super::super::dsl::{FuzzyOptions, MatchMode, MatchOptions, Minimum, Operator, Scalar};
use super::super::fuzzy::Fuzzy;
use super::super::mapping::{Field, Kind, Source};
use super::ranges::{FieldError, normalized, term};
use super::strings::Compiled;
use super::{Phrase, Plan, StringTest, Test};
use std::sync::Arc;

/// How a clause counts among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occur {
    Must,
    Should,
    MustNot,
}

/// What became of a text or a query. Lucene's parsers take groups apart again, so they stay open until the end.
#[derive(Debug, Clone)]
pub(super) enum Built {
    Plan(Plan),
    /// Clauses that can still be joined by others.
    Clauses(Vec<(Occur, Built)>),
    /// The text had no words: it drops out of whatever it stands in.
    NoWords,
}

impl Built {
    /// The plan; without words nothing matches.
    pub(super) fn into_plan(self) -> Plan {
        self.into_plan_with(None)
    }

    /// With `minimum_should_match` no more clauses can join.
    pub(super) fn closed_by(self, minimum: Option<&Minimum>) -> Self {
        match self {
            Self::Clauses(_) if minimum.is_some() => Self::Plan(self.into_plan_with(minimum)),
            open => open,
        }
    }

    pub(super) fn into_plan_with(self, minimum: Option<&Minimum>) -> Plan {
        let clauses = match self {
            Self::Plan(plan) => return plan,
            Self::NoWords => return Plan::None("the text has no words to search for"),
            Self::Clauses(clauses) => clauses,
        };
        let (mut must, mut should, mut must_not) = (Vec::new(), Vec::new(), Vec::new());
        for (occur, built) in clauses {
            let plan = built.into_plan();
            match occur {
                Occur::Must => must.push(plan),
                Occur::Should => should.push(plan),
                Occur::MustNot => must_not.push(plan),
            }
        }
        boolean(must, should, must_not, minimum)
    }
}

/// Lucene's boolean query: all of `must`, none of `must_not`; of `should` as many as asked for, but one where nothing else is there.
pub(super) fn boolean(
    must: Vec<Plan>,
    should: Vec<Plan>,
    must_not: Vec<Plan>,
    minimum: Option<&Minimum>,
) -> Plan {
    let mut every = Vec::new();
    let asked = minimum.map_or(0, |minimum| minimum.of(should.len()));
    let alone = must.is_empty() && !should.is_empty();
    let count = if alone { asked.max(1) } else { asked };
    every.push(Plan::at_least(count, should));
    every.extend(must);
    every.extend(must_not.into_iter().map(Plan::not));
    Plan::every(every)
}

/// A text given to a field.
pub(super) fn words(
    field: &Arc<Field>,
    value: &Scalar,
    mode: MatchMode,
    options: &MatchOptions,
    own_analyzer: Option<&Arc<Analyzer>>,
) -> Result<Built, FieldError> {
    let text = value.text();
    // A named analyzer cuts the text up for fields that are not analysed, too.
    let in_quotes = matches!(mode, MatchMode::Phrase | MatchMode::PhrasePrefix);
    let Some(analyzer) = own_analyzer.or_else(|| field.query_analyzer(in_quotes)) else {
        return whole_value(field, &field.kind, value, mode, options);
    };
    if analyzer.is_keyword() && mode != MatchMode::PhrasePrefix {
        let text = analyzer.normalize(&text);
        let is_prefix = mode == MatchMode::WordsPrefix;
        return one_word(field, &text, is_prefix, options).map(Built::Plan);
    }
    let tokens = analyzer.tokens(&text);
    if !tokens.is_empty() && !matches!(field.kind, Kind::Text(_)) && mode == MatchMode::PhrasePrefix
    {
        return Err(no_phrase_prefix(&field.kind));
    }
    let mode = match mode {
        // A last word with something behind it is whole.
        MatchMode::WordsPrefix if !analyzer.ends_in_term(&text) => MatchMode::Words,
        mode => mode,
    };
    tokens_on(field, &tokens, mode, options)
}

fn no_phrase_prefix(kind: &Kind) -> FieldError {
    FieldError::new(format!(
        "phrase prefixes work on text fields only, not on {}",
        kind.name()
    ))
    .help("use prefix")
}

/// Fields that are not analysed take the text as one value.
fn whole_value(
    field: &Arc<Field>,
    kind: &Kind,
    value: &Scalar,
    mode: MatchMode,
    options: &MatchOptions,
) -> Result<Built, FieldError> {
    if mode == MatchMode::PhrasePrefix {
        return Err(no_phrase_prefix(kind));
    }
    if matches!(kind, Kind::Binary) && value.text().is_empty() {
        return Ok(Built::NoWords);
    }
    if field.has_words() {
        let text = normalized(kind, &value.text());
        let is_prefix = mode == MatchMode::WordsPrefix;
        return one_word(field, &text, is_prefix, options).map(Built::Plan);
    }
    if options.fuzzy.is_some() && mode != MatchMode::Phrase {
        return Err(no_typing_errors(field));
    }
    let text = Scalar::Text(value.text().into_owned());
    let value = if matches!(kind, Kind::Date(_) | Kind::DateNanos(_)) {
        &text
    } else {
        value
    };
    Ok(Built::Plan(Plan::leaf(field, term(kind, value, false)?)))
}

fn no_typing_errors(field: &Field) -> FieldError {
    FieldError::new(format!(
        "fuzziness works on text and keyword fields only, not on {}",
        field.type_name()
    ))
    .help("leave fuzziness out")
}

/// One term on a field: as it is, as a prefix, or with typing errors.
pub(super) fn one_word(
    field: &Arc<Field>,
    text: &str,
    is_prefix: bool,
    options: &MatchOptions,
) -> Result<Plan, FieldError> {
    if is_prefix {
        if !field.has_words() && !matches!(field.sources, Source::Index) {
            return Err(FieldError::new(format!(
                "prefixes work on text and keyword fields only, not on {}",
                field.type_name()
            )));
        }
        return Ok(Plan::leaf(
            field,
            Test::Term(StringTest::StartsWith {
                start: normalized(&field.kind, text).into(),
                ignore_case: false,
            }),
        ));
    }
    let text = normalized(&field.kind, text);
    let test = match options.fuzzy {
        Some(_) if !field.has_words() => return Err(no_typing_errors(field)),
        Some(fuzzy) => Test::Term(near(&text, fuzzy)),
        None => match &field.kind {
            Kind::Text(_) | Kind::Keyword { .. } => Test::Term(StringTest::Is(text.into())),
            kind => term(kind, &Scalar::Text(text), false)?,
        },
    };
    Ok(Plan::leaf(field, test))
}

/// A term with typing errors.
pub(super) fn near(text: &str, options: FuzzyOptions) -> StringTest {
    let edits = options.fuzziness.edits(text);
    let prefix_length = options.prefix_length;
    if edits == 0 {
        return StringTest::Is(text.into());
    }
    let fuzzy = Fuzzy::new(text, edits, prefix_length, options.transpositions);
    StringTest::Near(Compiled::new(text, fuzzy))
}

/// The words of a text on a field.
pub(super) fn tokens_on(
    field: &Arc<Field>,
    tokens: &[Token],
    mode: MatchMode,
    options: &MatchOptions,
) -> Result<Built, FieldError> {
    let Some((last, before)) = tokens.split_last() else {
        return Ok(Built::NoWords);
    };
    let prefix = matches!(mode, MatchMode::WordsPrefix | MatchMode::PhrasePrefix);
    if before.is_empty() {
        let plain = MatchOptions {
            fuzzy: if mode == MatchMode::Words {
                options.fuzzy
            } else {
                None
            },
            ..options.clone()
        };
        return one_word(field, &last.text, prefix, &plain).map(Built::Plan);
    }
    Ok(match mode {
        MatchMode::Phrase | MatchMode::PhrasePrefix => {
            if !matches!(field.kind, Kind::Text(_)) {
                return Err(FieldError::new(format!(
                    "phrases of several words work on text fields only, not on {}",
                    field.type_name()
                ))
                .help("leave the analyzer out, or name a text field"));
            }
            if !field.has_positions {
                return Err(FieldError::new(
                    "the mapping keeps no places of words (\"index_options\"), so that phrases cannot be found",
                )
                .help("use match with \"operator\": \"and\""));
            }
            let first = tokens.first().map_or(0, |token| token.position);
            let slop = u32::try_from(options.slop)
                .map_err(|_| FieldError::new("the number after a phrase's ~ is negative"))?;
            let phrase = Phrase {
                terms: tokens
                    .iter()
                    .map(|token| (token.text.as_str().into(), token.position - first))
                    .collect(),
                slop,
                last_is_prefix: prefix,
            };
            Built::Plan(Plan::leaf(field, Test::Phrase(Arc::new(phrase))))
        }
        MatchMode::Words | MatchMode::WordsPrefix => {
            let occur = match options.operator {
                Operator::Or => Occur::Should,
                Operator::And => Occur::Must,
            };
            let word = |token: &Token, is_prefix| {
                let plan = match one_word(field, &token.text, is_prefix, options) {
                    // Each word on its own: others may fit.
                    Err(_) if options.lenient => {
                        Plan::None("the value does not fit the field's type")
                    }
                    plan => plan?,
                };
                Ok((occur, Built::Plan(plan)))
            };
            let words = before.iter().map(|token| word(token, false));
            let mut clauses = words.collect::<Result<Vec<_>, FieldError>>()?;
            clauses.push(word(last, prefix)?);
            Built::Clauses(clauses)
        }
    })
}
