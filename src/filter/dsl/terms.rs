//! Clauses on whole terms.

use super::options::Options;
use super::read::Reader;
use super::{Clause, Range, Relation, Scalar};
use crate::config::{Data, Mapping, Node, Problem};
use crate::filter::date::{DateFormat, Zone};

impl Reader {
    pub(super) fn term(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let (field, body) = self.field("term", node, map)?;
        let mut ignore_case = false;
        let value = match &body.data {
            Data::Map(map) => {
                let mut options = Options::new("term", map);
                let value = options.node("value").or(options.node("term"));
                ignore_case = options.boolean("case_insensitive", self).unwrap_or(false);
                options.ignore(&["_name"]);
                options.boost(self);
                options.finish(self);
                value
            }
            _ => Some(body),
        };
        let value = match value.map(|node| (node, node.as_seq())) {
            // A list written as "value" is compared as Java prints it: nothing is ever equal to that.
            Some((node, Some(items))) if !std::ptr::eq(node, body) => {
                let texts: Vec<String> = self
                    .values("term", items)
                    .into_iter()
                    .map(Scalar::into_text)
                    .collect();
                Scalar::Text(format!("[{}]", texts.join(", ")))
            }
            _ => self.value("term", body, value)?,
        };
        Some(Clause::Term {
            field,
            value,
            ignore_case,
        })
    }

    /// A value that must be there and be no list.
    pub(super) fn value(
        &mut self,
        clause: &str,
        at: &Node,
        value: Option<&Node>,
    ) -> Option<Scalar> {
        let Some(node) = value else {
            self.malformed(at, format!("[{clause}] has no value"));
            return None;
        };
        let scalar = Scalar::of(node);
        if scalar.is_none() {
            let mut problem = Problem::error(
                "E0201",
                &node.span,
                format!("[{clause}] takes one value, not {}", node.kind_name()),
            );
            if matches!(node.data, Data::Seq(_)) && clause == "term" {
                problem = problem.help("use terms for a list of values");
            }
            self.problems.push(problem);
        }
        scalar
    }

    pub(super) fn terms(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let mut found: Option<(String, Vec<Scalar>)> = None;
        for (key, body) in map.iter() {
            let name = key.key_text();
            match &body.data {
                Data::Seq(items) => {
                    if let Some((first, _)) = &found {
                        self.malformed(
                            key,
                            format!("[terms] takes one field, found {first:?} and {name:?}"),
                        );
                        return None;
                    }
                    found = Some((name, self.values("terms", items)));
                }
                Data::Map(_) => {
                    self.problems.push(
                        Problem::error("E0203", &body.span, "[terms] a lookup reads another document, which is not there")
                            .help("write the values as a list; ElastAlert's !yaml and import can keep them in one place"),
                    );
                    return None;
                }
                _ if name == "boost" => self.boost("terms", body),
                _ if name == "_name" || name == "value_type" => {}
                _ => {
                    self.malformed(
                        body,
                        format!(
                            "[terms] {name:?} takes a list of values, not {}",
                            body.kind_name()
                        ),
                    );
                    return None;
                }
            }
        }
        let Some((field, values)) = found else {
            self.malformed(node, "[terms] needs a field with a list of values");
            return None;
        };
        Some(Clause::Terms { field, values })
    }

    fn values(&mut self, clause: &str, items: &[Node]) -> Vec<Scalar> {
        items
            .iter()
            .filter_map(|item| {
                let scalar = Scalar::of(item);
                if scalar.is_none() {
                    self.malformed(item, format!("[{clause}] a value is {}", item.kind_name()));
                }
                scalar
            })
            .collect()
    }

    pub(super) fn terms_set(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let (field, body) = self.field("terms_set", node, map)?;
        let Some(map) = body.as_map() else {
            self.malformed(body, "[terms_set] takes an object with \"terms\"");
            return None;
        };
        let mut options = Options::new("terms_set", map);
        let terms = options.node("terms");
        let minimum_field = options.text("minimum_should_match_field", self);
        if let Some(script) = options.node("minimum_should_match_script") {
            self.problems.push(
                Problem::error("E0203", &script.span, "[terms_set] \"minimum_should_match_script\" runs a script inside Elasticsearch")
                    .help("name a number field in \"minimum_should_match_field\", or use bool with minimum_should_match"),
            );
            return None;
        }
        options.ignore(&["_name"]);
        options.boost(self);
        options.finish(self);
        let Some(items) = terms.and_then(Node::as_seq) else {
            self.malformed(body, "[terms_set] needs \"terms\", a list of values");
            return None;
        };
        let values = self.values("terms_set", items);
        let Some(minimum_field) = minimum_field else {
            self.malformed(body, "[terms_set] needs \"minimum_should_match_field\"");
            return None;
        };
        Some(Clause::TermsSet {
            field,
            values,
            minimum_field,
        })
    }

    pub(super) fn range(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let (field, body) = self.field("range", node, map)?;
        let Some(map) = body.as_map() else {
            self.malformed(
                body,
                format!(
                    "[range] takes an object with gte, gt, lte or lt, not {}",
                    body.kind_name()
                ),
            );
            return None;
        };
        let mut options = Options::new("range", map);
        let mut range = Range {
            lower: None,
            upper: None,
            includes_lower: true,
            includes_upper: true,
            format: options.text("format", self),
            time_zone: options.time_zone(self),
            relation: Relation::Intersects,
        };
        // What stands later in the file wins, as on the server.
        for (key, value) in map.iter() {
            let name = key.key_text();
            let (lower, includes) = match name.as_str() {
                "gte" | "ge" => (true, Some(true)),
                "gt" => (true, Some(false)),
                "lte" | "le" => (false, Some(true)),
                "lt" => (false, Some(false)),
                "from" => (true, None),
                "to" => (false, None),
                _ => continue,
            };
            let bound = if value.is_null() {
                None
            } else {
                Some(self.value("range", value, Some(value))?)
            };
            let (side, inclusive) = if lower {
                (&mut range.lower, &mut range.includes_lower)
            } else {
                (&mut range.upper, &mut range.includes_upper)
            };
            *side = bound;
            if let Some(includes) = includes {
                *inclusive = includes;
            }
        }
        options.ignore(&["gte", "ge", "gt", "lte", "le", "lt", "from", "to", "_name"]);
        if let Some(includes) = options.boolean("include_lower", self) {
            range.includes_lower = includes;
        }
        if let Some(includes) = options.boolean("include_upper", self) {
            range.includes_upper = includes;
        }
        if let Some(relation) = options.text("relation", self) {
            range.relation = match relation.to_lowercase().as_str() {
                "intersects" => Relation::Intersects,
                "contains" => Relation::Contains,
                "within" => Relation::Within,
                _ => {
                    self.malformed(body, format!("[range] there is no relation {relation:?}"));
                    return None;
                }
            };
        }
        options.boost(self);
        options.finish(self);
        if let Some(format) = &range.format
            && let Err(reason) = DateFormat::parse(format)
        {
            self.malformed(body, format!("[range] date format {format:?}: {reason}"));
        }
        if let Some(zone) = &range.time_zone {
            Zone::parse(zone)?;
        }
        Some(Clause::Range { field, range })
    }

    pub(super) fn exists(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let mut options = Options::new("exists", map);
        let field = options.text("field", self);
        options.ignore(&["_name"]);
        options.boost(self);
        options.finish(self);
        match field {
            Some(field) if !field.is_empty() => Some(Clause::Exists { field }),
            _ => {
                self.malformed(node, "[exists] needs \"field\"");
                None
            }
        }
    }

    pub(super) fn ids(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let mut options = Options::new("ids", map);
        let values = match options.node("values") {
            None => Vec::new(),
            Some(node) => match &node.data {
                Data::Seq(items) => self.values("ids", items),
                _ => self.value("ids", node, Some(node)).into_iter().collect(),
            },
        };
        options.ignore(&["type", "_name"]);
        options.boost(self);
        options.finish(self);
        let ids: Vec<String> = values.into_iter().map(Scalar::into_text).collect();
        if ids.iter().any(String::is_empty) {
            self.malformed(node, "[ids] an id is empty");
        }
        Some(Clause::Ids(ids))
    }
}
