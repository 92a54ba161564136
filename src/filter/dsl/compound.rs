//! Clauses made of clauses.

use super::options::Options;
use super::read::Reader;
use super::{Bool, Clause, Query};
use crate::config::{Data, Mapping, Node, Problem};

impl Reader {
    pub(super) fn match_all(&mut self, name: &str, map: &Mapping) -> Option<Clause> {
        let (name, clause) = if name == "match_all" {
            ("match_all", Clause::MatchAll)
        } else {
            ("match_none", Clause::MatchNone)
        };
        let mut options = Options::new(name, map);
        options.boost(self);
        options.ignore(&["_name"]);
        options.finish(self);
        Some(clause)
    }

    pub(super) fn bool(&mut self, map: &Mapping) -> Option<Clause> {
        let mut options = Options::new("bool", map);
        let mut parts = Bool {
            must: self.clauses("must", options.node("must")),
            filter: self.clauses("filter", options.node("filter")),
            should: self.clauses("should", options.node("should")),
            must_not: self.clauses("must_not", options.node("must_not")),
            minimum_should_match: options.minimum(self),
            keep_pure_negative: options.boolean("adjust_pure_negative", self) == Some(false),
        };
        parts
            .must_not
            .extend(self.clauses("mustNot", options.node("mustNot")));
        self.name("bool", &mut options);
        options.boost(self);
        options.finish(self);
        Some(Clause::Bool(parts))
    }

    /// `_name`: a text that names the clause in a response.
    fn name(&mut self, clause: &str, options: &mut Options<'_>) {
        if let Some(node) = options.node("_name")
            && !matches!(node.data, Data::Str(_) | Data::Null)
        {
            self.malformed(
                node,
                format!("[{clause}] \"_name\" is {}, not text", node.kind_name()),
            );
        }
    }

    /// One clause or a list of them.
    fn clauses(&mut self, name: &str, node: Option<&Node>) -> Vec<Query> {
        let Some(node) = node else {
            return Vec::new();
        };
        match &node.data {
            Data::Null => Vec::new(),
            Data::Map(_) => self.query(node).into_iter().collect(),
            Data::Seq(items) => items.iter().filter_map(|item| self.query(item)).collect(),
            _ => {
                self.malformed(
                    node,
                    format!(
                        "{name:?} takes a clause or a list of clauses, not {}",
                        node.kind_name()
                    ),
                );
                Vec::new()
            }
        }
    }

    fn required(
        &mut self,
        clause: &str,
        name: &str,
        at: &Node,
        node: Option<&Node>,
    ) -> Option<Box<Query>> {
        match node {
            Some(node) => self.query(node).map(Box::new),
            None => {
                self.malformed(at, format!("[{clause}] needs {name:?}"));
                None
            }
        }
    }

    pub(super) fn constant_score(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let mut options = Options::new("constant_score", map);
        let inner = options.node("filter");
        options.boost(self);
        options.ignore(&["_name"]);
        options.finish(self);
        self.required("constant_score", "filter", node, inner)
            .map(Clause::Wrapped)
    }

    pub(super) fn boosting(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let mut options = Options::new("boosting", map);
        let positive = options.node("positive");
        let negative = options.node("negative");
        let boost = options.scalar("negative_boost", self);
        options.boost(self);
        options.ignore(&["_name"]);
        options.finish(self);
        let boost = boost.and_then(|boost| crate::filter::number::double(&boost.text()));
        if !boost.is_some_and(|boost| boost >= 0.0) {
            self.malformed(
                node,
                "[boosting] needs \"negative_boost\", which is not negative",
            );
        }
        let negative = self.required("boosting", "negative", node, negative);
        let positive = self.required("boosting", "positive", node, positive);
        Some(Clause::Boosting {
            positive: positive?,
            negative: negative?,
        })
    }

    pub(super) fn dis_max(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let mut options = Options::new("dis_max", map);
        let queries = self.clauses("queries", options.node("queries"));
        options.weights(&["tie_breaker"], self);
        options.ignore(&["_name"]);
        options.boost(self);
        options.finish(self);
        if queries.is_empty() {
            self.malformed(node, "[dis_max] needs \"queries\" with at least one clause");
        }
        Some(Clause::AnyOf(queries))
    }

    pub(super) fn function_score(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let mut options = Options::new("function_score", map);
        let inner = options.node("query");
        if let Some(minimum) = options.node("min_score") {
            self.problems.push(
                Problem::error(
                    "E0203",
                    &minimum.span,
                    "[function_score] \"min_score\" filters by score, and there are no scores here",
                )
                .help("say with clauses which events are wanted"),
            );
        }
        options.ignore(&[
            "functions",
            "score_mode",
            "boost_mode",
            "max_boost",
            "weight",
            "random_score",
            "script_score",
            "field_value_factor",
            "linear",
            "exp",
            "gauss",
            "_name",
        ]);
        options.boost(self);
        options.finish(self);
        match inner {
            None => Some(Clause::MatchAll),
            inner => self
                .required("function_score", "query", node, inner)
                .map(Clause::Wrapped),
        }
    }

    pub(super) fn nested(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let mut options = Options::new("nested", map);
        let path = options.text("path", self);
        let inner = options.node("query");
        let ignore_unmapped = options.boolean("ignore_unmapped", self).unwrap_or(false);
        options.ignore(&["score_mode", "inner_hits", "_name"]);
        options.boost(self);
        options.finish(self);
        if path.is_none() {
            self.malformed(node, "[nested] needs \"path\"");
        }
        let query = self.required("nested", "query", node, inner)?;
        Some(Clause::Nested {
            path: path?,
            query,
            ignore_unmapped,
        })
    }
}
