//! Clauses of Elasticsearch that one document cannot answer, or that are not worth an answer, each with the way out.

/// Some clauses and why they are refused.
pub(super) struct Unsupported {
    pub(super) names: &'static [&'static str],
    pub(super) reason: &'static str,
    pub(super) help: &'static str,
}

pub(super) const UNSUPPORTED: &[Unsupported] = &[
    Unsupported {
        names: &["script", "script_score"],
        reason: "it runs a script inside Elasticsearch",
        help: "say it with range, term or query_string, or test the value in an enhancement",
    },
    Unsupported {
        names: &["has_child", "has_parent", "parent_id"],
        reason: "it joins documents, and an event is one document",
        help: "put the parent's fields into the event when it is shipped",
    },
    Unsupported {
        names: &[
            "geo_shape",
            "geo_distance",
            "geo_bounding_box",
            "geo_polygon",
            "geo_grid",
            "xy_shape",
            "shape",
        ],
        reason: "geographic fields are not indexed here",
        help: "compare numbers: range on the latitude and longitude fields",
    },
    Unsupported {
        names: &["percolate"],
        reason: "it searches stored queries",
        help: "write the query itself",
    },
    Unsupported {
        names: &[
            "more_like_this",
            "distance_feature",
            "rank_feature",
            "knn",
            "neural",
            "hybrid",
        ],
        reason: "it ranks documents against others",
        help: "say with match or query_string which words must occur",
    },
    Unsupported {
        names: &[
            "span_term",
            "span_near",
            "span_or",
            "span_not",
            "span_first",
            "span_multi",
            "span_containing",
            "span_within",
            "span_field_masking",
            "field_masking_span",
            "intervals",
        ],
        reason: "positions of terms are compared in match_phrase only",
        help: "use match_phrase with slop",
    },
    Unsupported {
        names: &[
            "and", "or", "not", "filtered", "missing", "limit", "query", "filter",
        ],
        reason: "Elasticsearch dropped it in version 5 and refuses it",
        help: "use bool with must, should or must_not; for \"missing\" use must_not with exists",
    },
    Unsupported {
        names: &["type"],
        reason: "mapping types are gone from Elasticsearch",
        help: "leave it out, or use a term on a field that tells the kinds apart",
    },
    Unsupported {
        names: &["wrapper", "pinned", "common", "template", "indices"],
        reason: "it has no meaning in an alerting filter",
        help: "write the query itself",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::tests::node;
    use crate::filter::{Filter, Mapping};

    #[test]
    fn each_is_refused_by_name_with_a_way_out() {
        let names = UNSUPPORTED.iter().flat_map(|entry| entry.names);
        for name in names.filter(|name| **name != "query") {
            let clause = serde_json::json!({"bool": {"must": [{*name: {"field": "x"}}]}});
            let problems = Filter::load(&[node(&clause)], &Mapping::dynamic()).unwrap_err();
            let problem = problems.first().unwrap();
            assert_eq!((problems.len(), problem.code), (1, "E0203"), "{name}");
            assert!(
                problem.message.contains(&format!("{name:?}")),
                "{}",
                problem.message
            );
            assert!(problem.help.is_some(), "{name}");
        }
    }
}
