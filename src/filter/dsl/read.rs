//! Reading clauses: which one it is, and what is wrong with it.

use super::unsupported::{UNSUPPORTED, Unsupported};
use super::{Clause, Query};
use crate::config::{Mapping, Node, Problem};

/// How deep clauses may nest.
const MAX_DEPTH: usize = 60;

/// Reads one clause and collects what is wrong with it.
pub(in crate::filter) fn read(node: &Node) -> Result<Query, Vec<Problem>> {
    let mut reader = Reader {
        problems: Vec::new(),
        depth: 0,
    };
    let query = reader.query(node);
    match query {
        Some(query) if reader.problems.is_empty() => Ok(query),
        _ => Err(reader.problems),
    }
}

/// Reads clauses, remembering every problem.
pub(super) struct Reader {
    pub(super) problems: Vec<Problem>,
    depth: usize,
}

/// Every clause by its name, for messages.
const NAMES: [&str; 32] = [
    "bool",
    "boosting",
    "constant_score",
    "dis_max",
    "exists",
    "function_score",
    "fuzzy",
    "ids",
    "match",
    "match_all",
    "match_bool_prefix",
    "match_none",
    "match_phrase",
    "match_phrase_prefix",
    "multi_match",
    "nested",
    "prefix",
    "query_string",
    "range",
    "regexp",
    "simple_query_string",
    "term",
    "terms",
    "terms_set",
    "wildcard",
    "wrapper",
    "script",
    "has_child",
    "has_parent",
    "geo_distance",
    "more_like_this",
    "percolate",
];

impl Reader {
    /// Reads a clause: an object with exactly one member.
    pub(super) fn query(&mut self, node: &Node) -> Option<Query> {
        if self.depth >= MAX_DEPTH {
            self.problems.push(
                Problem::error(
                    "E0208",
                    &node.span,
                    format!("clauses are nested more than {MAX_DEPTH} deep"),
                )
                .help("flatten the filter"),
            );
            return None;
        }
        let Some(map) = node.as_map() else {
            self.malformed(
                node,
                format!(
                    "a clause is an object such as {{term: {{field: value}}}}, not {}",
                    node.kind_name()
                ),
            );
            return None;
        };
        let mut members = map.iter();
        let Some((key, body)) = members.next() else {
            self.malformed(node, "a clause is empty");
            return None;
        };
        let name = key.key_text();
        if let Some((second, _)) = members.next() {
            self.problems.push(
                Problem::error(
                    "E0201",
                    &second.span,
                    format!(
                        "a clause holds exactly one thing, but here {:?} follows {name:?}",
                        second.key_text()
                    ),
                )
                .help("make each a list entry of its own, or combine them in a bool"),
            );
            return None;
        }
        self.depth += 1;
        let clause = self.clause(&name, key, body);
        self.depth -= 1;
        Some(Query {
            span: key.span.clone(),
            clause: clause?,
        })
    }

    fn clause(&mut self, name: &str, key: &Node, body: &Node) -> Option<Clause> {
        let unsupported = UNSUPPORTED.iter().find(|entry| entry.names.contains(&name));
        if let Some(Unsupported { reason, help, .. }) = unsupported {
            self.problems.push(
                Problem::error(
                    "E0203",
                    &key.span,
                    format!("{name:?} cannot be used in a filter here: {reason}"),
                )
                .help(*help),
            );
            return None;
        }
        if !NAMES.contains(&name) {
            let mut problem =
                Problem::error("E0202", &key.span, format!("there is no clause {name:?}"));
            if let Some(near) = nearest(name, &NAMES) {
                problem = problem.help(format!("did you mean {near:?}?"));
            }
            self.problems.push(problem);
            return None;
        }
        let Some(map) = body.as_map() else {
            self.malformed(
                body,
                format!("[{name}] takes an object, not {}", body.kind_name()),
            );
            return None;
        };
        match name {
            "match_all" | "match_none" => self.match_all(name, map),
            "bool" => self.bool(map),
            "boosting" => self.boosting(body, map),
            "constant_score" => self.constant_score(body, map),
            "dis_max" => self.dis_max(body, map),
            "function_score" => self.function_score(body, map),
            "nested" => self.nested(body, map),
            "term" => self.term(body, map),
            "terms" => self.terms(body, map),
            "terms_set" => self.terms_set(body, map),
            "range" => self.range(body, map),
            "prefix" => self.prefix(body, map),
            "wildcard" => self.wildcard(body, map),
            "regexp" => self.regexp(body, map),
            "fuzzy" => self.fuzzy(body, map),
            "exists" => self.exists(body, map),
            "ids" => self.ids(body, map),
            "match" | "match_phrase" | "match_phrase_prefix" | "match_bool_prefix" => {
                self.match_one(name, body, map)
            }
            "multi_match" => self.multi_match(body, map),
            "query_string" => self.query_string(body, map),
            "simple_query_string" => self.simple_query_string(body, map),
            _ => None,
        }
    }

    /// The single `field: body` of a leaf clause.
    pub(super) fn field<'n>(
        &mut self,
        clause: &str,
        node: &Node,
        map: &'n Mapping,
    ) -> Option<(String, &'n Node)> {
        let mut members = map.iter();
        let Some((key, body)) = members.next() else {
            self.malformed(node, format!("[{clause}] names no field"));
            return None;
        };
        if let Some((second, _)) = members.next() {
            self.problems.push(
                Problem::error(
                    "E0201",
                    &second.span,
                    format!(
                        "[{clause}] takes one field, found {:?} and {:?}",
                        key.key_text(),
                        second.key_text()
                    ),
                )
                .help(format!("write one {clause} for each field")),
            );
            return None;
        }
        let name = key.key_text();
        if name.is_empty() {
            self.malformed(key, format!("[{clause}] the field's name is empty"));
            return None;
        }
        Some((name, body))
    }

    /// A clause or value that is not built as it should be.
    pub(super) fn malformed(&mut self, node: &Node, message: impl Into<String>) {
        self.problems
            .push(Problem::error("E0201", &node.span, message));
    }

    pub(super) fn unknown_option(
        &mut self,
        clause: &str,
        key: &Node,
        name: &str,
        known: &[&'static str],
    ) {
        let mut problem = Problem::error(
            "E0204",
            &key.span,
            format!("[{clause}] has no option {name:?}"),
        );
        if let Some(near) = nearest(name, known) {
            problem = problem.help(format!("did you mean {near:?}?"));
        }
        self.problems.push(problem);
    }
}

/// The known name that looks most like a given one.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), *candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}
