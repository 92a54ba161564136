//! `filter_by_list`: the list of a blacklist or whitelist narrows the rule's filter too, so that fewer events are hits.

use crate::config::{Data, Mapping, Node, Properties, Span};
use crate::rule::{Rule, RuleTypeEntry, types};
use serde_json::Value;
use std::path::Path;

/// A query with more clauses than this is refused by Elasticsearch (`indices.query.bool.max_clause_count`), so a longer list cannot
/// narrow the filter.
const MAX_ENTRIES: usize = 1024;

/// The clause to add to the filter, for the types that have such a list.
pub(super) fn clause(
    entry: &RuleTypeEntry,
    properties: &Properties,
    working_directory: &Path,
) -> Option<Node> {
    if properties.bool("filter_by_list") == Some(false) {
        return None;
    }
    // What is wrong with the list is reported when the type is built.
    let list = types::list_entries(entry.name, properties, working_directory).ok()?;
    let field = properties.texts("compare_key").join(",");
    if list.is_empty() || list.len() > MAX_ENTRIES || field.is_empty() {
        return None;
    }
    let span = properties
        .get(entry.name)
        .map_or_else(Span::nowhere, |node| node.span.clone());
    let object = |name: &str, value: Node| Node {
        data: Data::Map(Mapping(vec![(Node::text(name, &span), value)])),
        span: span.clone(),
    };
    let query = Node::text(query(entry.name, &field, &list), &span);
    Some(object("query_string", object("query", query)))
}

impl Rule {
    /// The rule's filter without the clause of its list, which `elastalert-test-rule` does not ask for.
    pub fn written_filter(&self) -> Vec<Value> {
        let Some(filter) = self.options.get("filter") else {
            return Vec::new();
        };
        let list = self.options.get(self.type_name).map(|list| list.span);
        // The clause has the list's place.
        let is_written = |clause: &&Node| {
            let place = |span: &Span| (span.path().to_owned(), span.start);
            list.as_ref()
                .is_none_or(|list| place(list) != place(&clause.span))
        };
        let clauses = filter.as_seq().unwrap_or_default().iter();
        clauses.filter(is_written).map(Node::to_value).collect()
    }
}

fn query(type_name: &str, field: &str, list: &[String]) -> String {
    let terms: Vec<String> = list.iter().map(|entry| term(field, entry)).collect();
    match type_name {
        "whitelist" => format!("NOT {}", terms.join(" AND NOT ")),
        _ => terms.join(" OR "),
    }
}

/// `FIELD:"entry"`; between slashes it is a regular expression, as ElastAlert has it.
fn term(field: &str, entry: &str) -> String {
    if entry.starts_with('/') && entry.ends_with('/') {
        return format!("{field}:{entry}");
    }
    let escaped = entry.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{field}:\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_becomes_a_query() {
        let list = ["1", "say \"x\"", r"C:\", "/a.*/"].map(str::to_owned);
        assert_eq!(
            query("blacklist", "f.keyword", &list),
            r#"f.keyword:"1" OR f.keyword:"say \"x\"" OR f.keyword:"C:\\" OR f.keyword:/a.*/"#
        );
        assert_eq!(
            query("whitelist", "f", &list[..2]),
            r#"NOT f:"1" AND NOT f:"say \"x\"""#
        );
    }
}
