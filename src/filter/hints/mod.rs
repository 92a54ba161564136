//! What a filter says that was most likely not meant: clauses that can never match, or match by accident. Each hint is a warning with its place and
//! the way out; the filter itself works as written.

mod lucene;
mod terms;

use super::mapping::{Kind, Lookup, Mapping};
use crate::config::{Node, Problem, Span};

/// The hints on a rule's `filter` list, which can be loaded.
pub fn hints(entries: &[Node], mapping: &Mapping) -> Vec<Problem> {
    let mut found = Hints {
        mapping,
        problems: Vec::new(),
    };
    for entry in entries {
        found.clause(entry.get("query").unwrap_or(entry));
    }
    found.side_by_side(&entries.iter().collect::<Vec<_>>());
    found.problems
}

struct Hints<'m> {
    mapping: &'m Mapping,
    problems: Vec<Problem>,
}

impl Hints<'_> {
    fn add(&mut self, code: &'static str, span: &Span, message: String, help: impl Into<String>) {
        self.problems
            .push(Problem::warning(code, span, message).help(help));
    }

    fn clause(&mut self, node: &Node) {
        let Some((name, body)) = only_member(node) else {
            return;
        };
        match &*name.key_text() {
            "bool" => self.bool(body),
            "term" | "terms" => self.exact(body),
            "wildcard" | "prefix" => self.pattern(&name.key_text(), body),
            "regexp" => self.regexp(body),
            "range" => self.range(body),
            "match" | "match_phrase" | "match_phrase_prefix" | "match_bool_prefix" => {
                self.analysed(&name.key_text(), body);
            }
            "query_string" => self.query_string(body),
            "constant_score" => body.get("filter").into_iter().for_each(|n| self.clause(n)),
            "function_score" | "nested" => {
                body.get("query").into_iter().for_each(|n| self.clause(n));
            }
            "boosting" => body
                .get("positive")
                .into_iter()
                .for_each(|n| self.clause(n)),
            "dis_max" => list(body.get("queries")).for_each(|n| self.clause(n)),
            _ => {}
        }
    }

    fn bool(&mut self, body: &Node) {
        for part in ["must", "filter", "should", "must_not"] {
            list(body.get(part)).for_each(|inner| self.clause(inner));
        }
        let needed: Vec<&Node> = list(body.get("must"))
            .chain(list(body.get("filter")))
            .collect();
        self.side_by_side(&needed);
        for excluded in list(body.get("must_not")) {
            let wanted = excluded.to_value();
            let same = |needed: &&&Node| needed.to_value() == wanted;
            if let Some(other) = needed.iter().find(same) {
                let problem = Problem::warning(
                    "W0226",
                    &place(excluded),
                    "this can never match: the same clause must and must not hold",
                )
                .related(&place(other), "it must hold here")
                .help("remove one of them");
                self.problems.push(problem);
            }
        }
        let should = body.get("should");
        let count = list(should).count();
        if let Some(node) = should.filter(|_| count == 0) {
            let minimum = body.get("minimum_should_match");
            let asks = minimum.is_some_and(|minimum| {
                let text = minimum.to_value().to_string();
                !["0", "\"0\"", "null"].contains(&&*text)
            });
            let message = if asks && !(needed.is_empty() && body.get("must_not").is_none()) {
                "`should` is empty, so that as many clauses as `minimum_should_match` asks for can never match"
            } else {
                "`should` is empty and asks for nothing"
            };
            self.add(
                "W0222",
                &node.span,
                message.to_owned(),
                "write the clauses, or remove `should`",
            );
        }
        if count > 0
            && !needed.is_empty()
            && body.get("minimum_should_match").is_none()
            && let Some((key, _)) = body.as_map().and_then(|map| map.entry("should"))
        {
            self.add(
                "W0221",
                &key.span,
                "`should` beside `must` or `filter` changes nothing: it need not match".to_owned(),
                "add `minimum_should_match: 1` if one of them must match, else remove it",
            );
        }
    }

    /// Ranges that all must hold and leave nothing between them.
    fn side_by_side(&mut self, clauses: &[&Node]) {
        let ranges: Vec<(&Node, &Node)> = clauses
            .iter()
            .filter_map(|clause| {
                let clause = clause.get("query").unwrap_or(clause);
                only_member(clause.get("range")?)
            })
            .collect();
        for (at, (field, body)) in ranges.iter().enumerate() {
            for (other, other_body) in ranges.iter().skip(at + 1) {
                if field.key_text() != other.key_text() {
                    continue;
                }
                let crossed = crosses(bound(body, LOWER), bound(other_body, UPPER))
                    || crosses(bound(other_body, LOWER), bound(body, UPPER));
                if crossed {
                    let message = format!(
                        "no single value of `{}` is in both ranges",
                        field.key_text()
                    );
                    let problem = Problem::warning("W0223", &other.span, message)
                        .related(&field.span, "the other range is here")
                        .help("only an event with a list of values could match: change a bound, or put the ranges into `should`");
                    self.problems.push(problem);
                }
            }
        }
    }

    fn range(&mut self, body: &Node) {
        let Some((field, bounds)) = only_member(body) else {
            return;
        };
        if crosses(bound(bounds, LOWER), bound(bounds, UPPER)) {
            let message = format!(
                "nothing can be in this range of `{}`: its lower bound is above the upper one",
                field.key_text()
            );
            self.add("W0223", &field.span, message, "swap the bounds");
        }
        let name = field.key_text();
        let holds_texts = matches!(self.mapping.lookup(&name), Lookup::Mapped(field)
            if matches!(field.kind, Kind::Text(_) | Kind::Keyword { .. }));
        if holds_texts && (bound(bounds, LOWER).is_some() || bound(bounds, UPPER).is_some()) {
            let message = format!(
                "`{name}` holds texts, which a range compares letter by letter: \"1000\" comes before \"500\""
            );
            let help = "send numbers, or give the field a number type with `mapping`";
            self.add("W0228", &field.span, message, help);
        }
    }

    /// Whether a field is a text: by the mapping, or by what dynamic mapping makes of texts.
    fn is_text(&self, name: &str) -> bool {
        match self.mapping.lookup(name) {
            Lookup::Mapped(field) => matches!(field.kind, Kind::Text(_)),
            Lookup::ByEvent => {
                let end = name.rsplit('.').next().unwrap_or(name);
                !matches!(end, "keyword" | "raw")
            }
            Lookup::Absent => false,
        }
    }
}

const LOWER: [(&str, bool); 3] = [("gte", true), ("gt", false), ("from", true)];
const UPPER: [(&str, bool); 3] = [("lte", true), ("lt", false), ("to", true)];

/// A bound that is a number, and whether it belongs to the range.
fn bound(body: &Node, names: [(&str, bool); 3]) -> Option<(f64, bool)> {
    names.iter().find_map(|(name, includes)| {
        let number = body.get(name)?.to_value().as_f64()?;
        Some((number, *includes))
    })
}

fn crosses(lower: Option<(f64, bool)>, upper: Option<(f64, bool)>) -> bool {
    let (Some((lower, includes_lower)), Some((upper, includes_upper))) = (lower, upper) else {
        return false;
    };
    lower > upper || (lower >= upper && !(includes_lower && includes_upper))
}

/// The one member of an object.
fn only_member(node: &Node) -> Option<(&Node, &Node)> {
    let mut members = node.as_map()?.iter();
    let first = members.next()?;
    members.next().is_none().then_some(first)
}

/// One clause or a list of them.
fn list(node: Option<&Node>) -> impl Iterator<Item = &Node> {
    let items: Vec<&Node> = match node {
        Some(node) => match node.as_seq() {
            Some(items) => items.iter().collect(),
            None if node.as_map().is_some() => vec![node],
            None => Vec::new(),
        },
        None => Vec::new(),
    };
    items.into_iter()
}

/// Where a clause begins: at its name.
fn place(clause: &Node) -> Span {
    only_member(clause).map_or_else(|| clause.span.clone(), |(name, _)| name.span.clone())
}

/// Where in a node's text in the file something stands; the whole node when it is written there in another way, or more than once.
fn within(node: &Node, part: &str) -> Span {
    let span = &node.span;
    let written = span
        .file
        .text()
        .get(span.start..span.end)
        .unwrap_or_default();
    let mut places = written.match_indices(part);
    match (places.next(), places.next()) {
        (Some((at, part)), None) if !part.is_empty() => Span {
            start: span.start + at,
            end: span.start + at + part.len(),
            ..span.clone()
        },
        _ => span.clone(),
    }
}

#[cfg(test)]
mod tests;
