//! Clauses on the characters of terms: `prefix`, `wildcard`, `regexp`, `fuzzy`.

use super::options::Options;
use super::read::Reader;
use super::{Clause, FuzzyOptions, Scalar};
use crate::config::{Mapping, Node};
use crate::filter::fuzzy::Fuzziness;
use crate::filter::regexp;

/// The members of a leaf clause's body, or the bare value.
struct Body<'n> {
    value: Option<&'n Node>,
    ignore_case: bool,
}

impl Reader {
    fn body<'n>(
        &mut self,
        clause: &'static str,
        names: &[&'static str],
        body: &'n Node,
        more: impl FnOnce(&mut Options<'n>, &mut Self),
    ) -> Body<'n> {
        let Some(map) = body.as_map() else {
            return Body {
                value: Some(body),
                ignore_case: false,
            };
        };
        let mut options = Options::new(clause, map);
        // Of two names for it the one written later counts.
        let is_value = |key: &Node| names.contains(&key.key_text().as_str());
        let values = map.iter().filter(|(key, _)| is_value(key));
        let value = values.map(|(_, node)| node).last();
        let ignore_case = match clause {
            "fuzzy" => false,
            _ => options.boolean("case_insensitive", self).unwrap_or(false),
        };
        options.ignore(names);
        options.ignore(&["_name"]);
        options.rewrite("rewrite", self);
        options.boost(self);
        more(&mut options, self);
        options.finish(self);
        Body { value, ignore_case }
    }

    pub(super) fn prefix(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let (field, node) = self.field("prefix", node, map)?;
        let body = self.body("prefix", &["value"], node, |_, _| {});
        let value = self.value("prefix", node, body.value)?.into_text();
        Some(Clause::Prefix {
            field,
            value,
            ignore_case: body.ignore_case,
        })
    }

    pub(super) fn wildcard(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let (field, node) = self.field("wildcard", node, map)?;
        let body = self.body("wildcard", &["value", "wildcard"], node, |_, _| {});
        let pattern = self.value("wildcard", node, body.value)?.into_text();
        Some(Clause::Wildcard {
            field,
            pattern,
            ignore_case: body.ignore_case,
        })
    }

    pub(super) fn regexp(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let (field, node) = self.field("regexp", node, map)?;
        let mut regexp = regexp::Options::default();
        let body = self.body("regexp", &["value"], node, |options, reader| {
            if let Some(flags) = options.text("flags", reader) {
                match regexp::Flags::parse(&flags) {
                    Ok(flags) => regexp.flags = flags,
                    Err(name) => {
                        reader.malformed(node, format!("[regexp] there is no flag {name:?}"))
                    }
                }
            }
            if let Some(bits) = options.whole("flags_value", reader) {
                regexp.flags = regexp::Flags::from_bits(bits);
            }
            if let Some(limit) = options.count("max_determinized_states", reader) {
                regexp.work_limit = limit;
            }
        });
        regexp.ignore_case = body.ignore_case;
        let pattern = self.value("regexp", node, body.value)?.into_text();
        Some(Clause::Regexp {
            field,
            pattern,
            options: regexp,
        })
    }

    pub(super) fn fuzzy(&mut self, node: &Node, map: &Mapping) -> Option<Clause> {
        let (field, node) = self.field("fuzzy", node, map)?;
        let mut fuzzy = FuzzyOptions {
            fuzziness: Fuzziness::Auto(3, 6),
            prefix_length: 0,
            transpositions: true,
        };
        let body = self.body("fuzzy", &["value", "term"], node, |options, reader| {
            if let Some(fuzziness) = options.fuzziness(reader) {
                fuzzy.fuzziness = fuzziness;
            }
            fuzzy.prefix_length = options.count("prefix_length", reader).unwrap_or(0);
            fuzzy.transpositions = options.boolean("transpositions", reader).unwrap_or(true);
            options.expansions("max_expansions", 1, reader);
        });
        let value: Scalar = self.value("fuzzy", node, body.value)?;
        Some(Clause::Fuzzy {
            field,
            value,
            fuzzy,
        })
    }
}
