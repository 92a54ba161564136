//! Clauses whose text is analysed.

use super::options::Options;
use super::read::Reader;
use super::{
    Clause, FuzzyOptions, MatchMode, MatchOptions, MultiKind, MultiMatch, Operator, QueryString,
    Scalar, SimpleQueryString,
};
use crate::config::{Data, Mapping, Node, Problem};
use crate::filter::fuzzy::Fuzziness;
use crate::filter::lucene;

impl Default for MatchOptions {
    fn default() -> Self {
        Self {
            operator: Operator::Or,
            minimum_should_match: None,
            fuzzy: None,
            slop: 0,
            no_words_match_all: false,
            analyzer: None,
            lenient: false,
        }
    }
}

impl Reader {
    pub(super) fn match_one(&mut self, name: &str, node: &Node, map: &Mapping) -> Option<Clause> {
        let (name, mode) = match name {
            "match_phrase" => ("match_phrase", MatchMode::Phrase),
            "match_phrase_prefix" => ("match_phrase_prefix", MatchMode::PhrasePrefix),
            "match_bool_prefix" => ("match_bool_prefix", MatchMode::WordsPrefix),
            _ => ("match", MatchMode::Words),
        };
        let (field, body) = self.field(name, node, map)?;
        let Some(map) = body.as_map() else {
            return Some(Clause::Match {
                field,
                text: self.value(name, body, Some(body))?,
                mode,
                options: MatchOptions::default(),
            });
        };
        let mut options = Options::new(name, map);
        let text = options.node("query");
        let matching = self.match_options(mode, &mut options, body);
        options.ignore(&["_name"]);
        options.boost(self);
        options.finish(self);
        Some(Clause::Match {
            field,
            text: self.value(name, body, text)?,
            mode,
            options: matching,
        })
    }

    fn match_options(
        &mut self,
        mode: MatchMode,
        options: &mut Options<'_>,
        at: &Node,
    ) -> MatchOptions {
        let mut matching = MatchOptions {
            analyzer: options.text("analyzer", self),
            ..MatchOptions::default()
        };
        match mode {
            MatchMode::Words | MatchMode::WordsPrefix => {
                matching.operator = options.operator("operator", self).unwrap_or(Operator::Or);
                matching.minimum_should_match = options.minimum(self);
                let fuzziness = options.fuzziness(self);
                let prefix_length = options.count("prefix_length", self).unwrap_or(0);
                let transpositions = options
                    .boolean("fuzzy_transpositions", self)
                    .unwrap_or(true);
                matching.fuzzy = fuzziness.map(|fuzziness| FuzzyOptions {
                    fuzziness,
                    prefix_length,
                    transpositions,
                });
                options.expansions("max_expansions", 1, self);
                options.rewrite("fuzzy_rewrite", self);
            }
            MatchMode::Phrase | MatchMode::PhrasePrefix => {
                let slop = options.count("slop", self).unwrap_or(0);
                matching.slop = i32::try_from(slop).unwrap_or(i32::MAX);
                if mode == MatchMode::PhrasePrefix {
                    options.expansions("max_expansions", 0, self);
                }
            }
        }
        if mode == MatchMode::Words {
            matching.lenient = options.boolean("lenient", self).unwrap_or(false);
            options.boolean("auto_generate_synonyms_phrase_query", self);
            options.ignore(&["cutoff_frequency"]);
        }
        if mode != MatchMode::WordsPrefix
            && let Some(text) = options.text("zero_terms_query", self)
        {
            match text.to_lowercase().as_str() {
                "none" => {}
                "all" => matching.no_words_match_all = true,
                _ => self.malformed(
                    at,
                    format!("zero_terms_query is {text:?}, not \"none\" or \"all\""),
                ),
            }
        }
        matching
    }

    pub(super) fn multi_match(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let mut options = Options::new("multi_match", map);
        let text = options.node("query");
        let fields = self.fields("multi_match", options.node("fields"));
        let kind = options
            .text("type", self)
            .unwrap_or_else(|| "best_fields".to_owned());
        let Some(kind) = multi_kind(&kind) else {
            self.malformed(node, format!("[multi_match] there is no type {kind:?}"));
            return None;
        };
        let mut matching = self.match_options(MatchMode::Words, &mut options, node);
        let slop = options.count("slop", self).unwrap_or(0);
        matching.slop = i32::try_from(slop).unwrap_or(i32::MAX);
        match kind {
            MultiKind::EachField(MatchMode::WordsPrefix) if slop > 0 => {
                self.malformed(node, "[multi_match] type \"bool_prefix\" has no \"slop\"");
            }
            MultiKind::CrossFields
            | MultiKind::EachField(MatchMode::Phrase | MatchMode::PhrasePrefix)
                if matching.fuzzy.is_some() =>
            {
                self.malformed(
                    node,
                    "[multi_match] types \"cross_fields\", \"phrase\" and \"phrase_prefix\" have no \"fuzziness\"",
                );
            }
            _ => {}
        }
        let lenient = map.get("lenient").is_some().then_some(matching.lenient);
        options.weights(&["tie_breaker"], self);
        options.ignore(&["_name"]);
        options.boost(self);
        options.finish(self);
        Some(Clause::MultiMatch(MultiMatch {
            text: self.value("multi_match", node, text)?,
            fields,
            kind,
            options: matching,
            lenient,
        }))
    }

    /// Field names, boosts cut off.
    fn fields(&mut self, clause: &str, node: Option<&Node>) -> Vec<String> {
        let Some(node) = node else {
            return Vec::new();
        };
        let items: Vec<&Node> = match &node.data {
            Data::Seq(items) => items.iter().collect(),
            _ if clause == "multi_match" => vec![node],
            _ => {
                self.malformed(node, format!("[{clause}] \"fields\" takes a list of names"));
                return Vec::new();
            }
        };
        let mut fields = Vec::new();
        for item in items {
            let Some(text) = Scalar::of(item).map(Scalar::into_text) else {
                self.malformed(
                    item,
                    format!(
                        "[{clause}] a field's name is text, not {}",
                        item.kind_name()
                    ),
                );
                continue;
            };
            let (name, boost) = text.split_once('^').unwrap_or((&text, "1"));
            match crate::filter::number::double(boost) {
                Some(boost) if boost >= 0.0 => fields.push(name.to_owned()),
                _ => self.malformed(item, format!("[{clause}] {boost:?} is no boost of a field")),
            }
        }
        fields
    }

    pub(super) fn query_string(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        const CLAUSE: &str = "query_string";
        let mut options = Options::new(CLAUSE, map);
        let text_node = options.node("query");
        let default_field = options.text("default_field", self);
        let fields = self.fields(CLAUSE, options.node("fields"));
        let default_operator = options
            .operator("default_operator", self)
            .unwrap_or(Operator::Or);
        let fuzzy = FuzzyOptions {
            fuzziness: options.fuzziness(self).unwrap_or(Fuzziness::Auto(3, 6)),
            prefix_length: options.count("fuzzy_prefix_length", self).unwrap_or(0),
            transpositions: options
                .boolean("fuzzy_transpositions", self)
                .unwrap_or(true),
        };
        options.expansions("fuzzy_max_expansions", 0, self);
        let kind = options
            .text("type", self)
            .unwrap_or_else(|| "best_fields".to_owned());
        let phrase_slop = options.whole("phrase_slop", self).unwrap_or(0);
        let parsed = QueryString {
            items: Vec::new(),
            broken: None,
            default_field,
            fields,
            default_operator,
            lenient: options.boolean("lenient", self),
            analyze_wildcard: options.boolean("analyze_wildcard", self).unwrap_or(false),
            allow_leading_wildcard: options
                .boolean("allow_leading_wildcard", self)
                .unwrap_or(true),
            analyzer: options.text("analyzer", self),
            quote_analyzer: options.text("quote_analyzer", self),
            quote_field_suffix: options.text("quote_field_suffix", self),
            phrase_slop: i32::try_from(phrase_slop).unwrap_or(i32::MAX),
            fuzzy,
            minimum_should_match: options.minimum(self),
            time_zone: options.time_zone(self),
            kind: multi_kind(&kind).unwrap_or(MultiKind::EachField(MatchMode::Words)),
            work_limit: options
                .count("max_determinized_states", self)
                .unwrap_or(10_000),
            text: self.value(CLAUSE, node, text_node)?.into_text(),
        };
        if multi_kind(&kind).is_none() {
            self.malformed(node, format!("[{CLAUSE}] there is no type {kind:?}"));
        }
        options.boolean("auto_generate_synonyms_phrase_query", self);
        options.boolean("escape", self);
        options.rewrite("rewrite", self);
        options.rewrite("fuzzy_rewrite", self);
        options.boolean("enable_position_increments", self);
        options.weights(&["tie_breaker"], self);
        options.ignore(&["_name"]);
        options.boost(self);
        let escape = matches!(
            map.get("escape").and_then(Scalar::of),
            Some(Scalar::Boolean(true))
        );
        options.finish(self);
        if parsed.default_field.is_some() && !parsed.fields.is_empty() {
            self.malformed(
                node,
                "[query_string] takes \"default_field\" or \"fields\", not both",
            );
        }
        let text = if escape {
            escaped(&parsed.text)
        } else {
            parsed.text.clone()
        };
        let (items, broken) = match lucene::parse(&text) {
            Ok(items) => (items, None),
            Err(error) => {
                let problem = syntax(text_node.unwrap_or(node), &parsed.text, &error);
                (Vec::new(), Some(problem))
            }
        };
        Some(Clause::QueryString(Box::new(QueryString {
            items,
            broken,
            ..parsed
        })))
    }

    pub(super) fn simple_query_string(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        const CLAUSE: &str = "simple_query_string";
        let mut options = Options::new(CLAUSE, map);
        let text_node = options.node("query");
        let fields = self.fields(CLAUSE, options.node("fields"));
        let default_operator = options
            .operator("default_operator", self)
            .unwrap_or(Operator::Or);
        let flags = match options.scalar("flags", self) {
            None => lucene::Flags::ALL,
            Some(Scalar::Integer(bits)) => lucene::Flags::from_bits(bits),
            Some(flags) => lucene::Flags::parse(&flags.text()).unwrap_or_else(|name| {
                self.malformed(node, format!("[{CLAUSE}] there is no flag {name:?}"));
                lucene::Flags::ALL
            }),
        };
        options.expansions("fuzzy_max_expansions", 0, self);
        let lenient = options.boolean("lenient", self);
        let analyze_wildcard = options.boolean("analyze_wildcard", self).unwrap_or(false);
        let analyzer = options.text("analyzer", self);
        let quote_field_suffix = options.text("quote_field_suffix", self);
        let minimum_should_match = options.minimum(self);
        let fuzzy_prefix_length = options.count("fuzzy_prefix_length", self).unwrap_or(0);
        let fuzzy_transpositions = options
            .boolean("fuzzy_transpositions", self)
            .unwrap_or(true);
        options.boolean("auto_generate_synonyms_phrase_query", self);
        options.ignore(&["_name", "locale", "lowercase_expanded_terms"]);
        options.boost(self);
        options.finish(self);
        let text = self.value(CLAUSE, node, text_node)?.into_text();
        Some(Clause::SimpleQueryString(Box::new(SimpleQueryString {
            text,
            flags,
            fields,
            default_operator,
            lenient,
            analyze_wildcard,
            analyzer,
            quote_field_suffix,
            minimum_should_match,
            fuzzy_prefix_length,
            fuzzy_transpositions,
        })))
    }
}

/// A query that cannot be read.
fn syntax(node: &Node, text: &str, error: &lucene::SyntaxError) -> Problem {
    let shown: String = text
        .get(error.at..)
        .unwrap_or_default()
        .chars()
        .take(20)
        .collect();
    let place = if shown.is_empty() {
        "at its end".to_owned()
    } else {
        format!("at {shown:?}")
    };
    let mut problem = Problem::error(
        "E0205",
        &node.span,
        format!("the query {place} cannot be read: {}", error.message),
    );
    if error.message.contains('/') {
        problem = problem.help("escape a slash as \\/ (within YAML's single quotes: double ones take the backslash away), or put the value in quotes");
    } else {
        problem = problem.help("characters such as : / ( ) [ ] { } \" ^ ~ * ? \\ need a backslash, or quotes around the value");
    }
    problem
}

fn multi_kind(name: &str) -> Option<MultiKind> {
    Some(match name {
        "best_fields" | "most_fields" => MultiKind::EachField(MatchMode::Words),
        "phrase" => MultiKind::EachField(MatchMode::Phrase),
        "phrase_prefix" => MultiKind::EachField(MatchMode::PhrasePrefix),
        "bool_prefix" => MultiKind::EachField(MatchMode::WordsPrefix),
        "cross_fields" => MultiKind::CrossFields,
        _ => return None,
    })
}

/// `escape: true`: every character with a meaning loses it (`QueryParserBase.escape`).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\+-!():^[]\"{}~*?|&/".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
