mod servers;

use super::*;
use crate::config::{Data, Mapping as Members, Span};
use crate::event::WallTime;
use proptest::prelude::*;
use serde_json::Value;

pub(crate) fn node(value: &Value) -> Node {
    let data = match value {
        Value::Null => Data::Null,
        Value::Bool(value) => Data::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Data::Int(number),
            None => Data::Float(number.as_f64().unwrap()),
        },
        Value::String(text) => Data::Str(text.clone()),
        Value::Array(items) => Data::Seq(items.iter().map(node).collect()),
        Value::Object(members) => {
            let pairs = members
                .iter()
                .map(|(key, value)| (node(&Value::String(key.clone())), node(value)));
            Data::Map(Members(pairs.collect()))
        }
    };
    Node {
        data,
        span: Span::nowhere(),
    }
}

fn load(filter: &str, mapping: &Mapping) -> Result<Filter, Vec<Problem>> {
    let value: Value = serde_json::from_str(filter).unwrap();
    Filter::load(&[node(&value)], mapping)
}

fn picks(filter: &Filter, document: &str) -> bool {
    let document = serde_json::from_str(document).unwrap();
    let event = FilterEvent {
        document: &document,
        index: Some("logstash-2024.05.05"),
        id: Some("7"),
        now: WallTime(1_714_903_200_000_000),
    };
    let matched = filter.matches(&event);
    assert_eq!(filter.explain(&event).matched(), matched);
    for anchor in super::anchor::anchors(&filter.plan) {
        let found = super::sieve::has_sign(&anchor, &document);
        assert!(found || !matched, "{anchor:?} of {filter:?}");
    }
    matched
}

#[track_caller]
fn check(filter: &str, document: &str, expected: bool) {
    let filter = load(filter, &Mapping::dynamic()).unwrap();
    assert_eq!(picks(&filter, document), expected, "{document}");
}

#[track_caller]
fn check_error(filter: &str, code: &str, words: &str) {
    let problems = load(filter, &Mapping::dynamic()).unwrap_err();
    let problem = problems.first().unwrap();
    assert_eq!(problem.code, code, "{problem}");
    assert!(problem.to_string().contains(words), "{problem}");
}

#[test]
fn values_are_typed_by_the_event() {
    check(r#"{"term": {"status": 200}}"#, r#"{"status": 200}"#, true);
    check(r#"{"term": {"status": 200}}"#, r#"{"status": "200"}"#, true);
    check(
        r#"{"range": {"status": {"gte": 500}}}"#,
        r#"{"status": 503}"#,
        true,
    );
    check(
        r#"{"range": {"ts": {"gte": "now-1h"}}}"#,
        r#"{"ts": "2024-05-05T09:30:00Z"}"#,
        true,
    );
    check(
        r#"{"range": {"ts": {"gte": "now-1h"}}}"#,
        r#"{"ts": "2024-05-05T08:30:00Z"}"#,
        false,
    );
    check(r#"{"term": {"ok": "true"}}"#, r#"{"ok": true}"#, true);
    check(
        r#"{"term": {"level": "Error"}}"#,
        r#"{"level": "Error"}"#,
        false,
    );
    check(
        r#"{"term": {"level.keyword": "Error"}}"#,
        r#"{"level": "Error"}"#,
        true,
    );
    check(
        r#"{"term": {"level.keyword": "x"}}"#,
        r#"{"level": {"keyword": "x"}}"#,
        true,
    );
    check(
        r#"{"term": {"level.keyword": "x"}}"#,
        r#"{"level.keyword": ["x"]}"#,
        true,
    );
    check(
        r#"{"match": {"a.b": "fox"}}"#,
        r#"{"a": [{"b": "Quick"}, {"b": "Fox"}]}"#,
        true,
    );
    check(
        r#"{"exists": {"field": "user"}}"#,
        r#"{"user": {"name": "bob"}}"#,
        true,
    );
    check(
        r#"{"exists": {"field": "user"}}"#,
        r#"{"user": {"name": [null]}}"#,
        false,
    );
    check(
        r#"{"exists": {"field": "us*"}}"#,
        r#"{"user": {"name": "bob"}}"#,
        true,
    );
}

#[test]
fn words_without_a_field_search_everything() {
    let query = r#"{"query_string": {"query": "denied AND 10.0.0.1"}}"#;
    check(
        query,
        r#"{"msg": "Access denied", "src": "10.0.0.1"}"#,
        true,
    );
    check(
        query,
        r#"{"msg": "Access denied", "src": "10.0.0.2"}"#,
        false,
    );
    check(
        r#"{"query_string": {"query": "500"}}"#,
        r#"{"a": {"status": 500}}"#,
        true,
    );
    check(
        r#"{"multi_match": {"query": "fox", "fields": ["*_text"]}}"#,
        r#"{"a_text": "a fox"}"#,
        true,
    );
}

#[test]
fn logstash_texts_have_no_second_reading_of_the_message() {
    let mapping = Mapping::logstash();
    let filter = load(r#"{"term": {"message.keyword": "x"}}"#, &mapping).unwrap();
    assert!(!picks(&filter, r#"{"message": "x"}"#));
    let filter = load(r#"{"term": {"geoip.ip": "10.0.0.0/8"}}"#, &mapping).unwrap();
    assert!(picks(&filter, r#"{"geoip": {"ip": "10.1.2.3"}}"#));
}

#[test]
fn what_cannot_be_decided_is_refused() {
    check_error(r#"{"script": {"script": "true"}}"#, "E0203", "\"script\"");
    check_error(
        r#"{"bool": {"must": [{"has_parent": {}}]}}"#,
        "E0203",
        "joins documents",
    );
    check_error(r#"{"trem": {"a": 1}}"#, "E0202", "did you mean \"term\"");
    check_error(
        r#"{"match": {"a": {"query": "x", "oprator": "and"}}}"#,
        "E0204",
        "did you mean \"operator\"",
    );
    check_error(
        r#"{"query_string": {"query": "path:/var/log/x"}}"#,
        "E0205",
        "\"/\"",
    );
    check_error(
        r#"{"regexp": {"a": "(a|b)*a(a|b){40}"}}"#,
        "E0207",
        "too complex",
    );
    check_error(
        r#"{"query_string": {"query": "/[x/", "default_field": "a"}}"#,
        "E0206",
        "regular expression",
    );
    check_error(r#"{"term": {"a": 1, "b": 2}}"#, "E0201", "one field");
    let mapping = Mapping::explicit(&node(
        &serde_json::json!({"properties": {"n": {"type": "long"}}}),
    ))
    .unwrap();
    let problems = load(r#"{"term": {"n": "abc"}}"#, &mapping).unwrap_err();
    assert_eq!(problems.first().unwrap().code, "E0206");
}

#[test]
fn every_problem_is_named() {
    let filter =
        r#"{"bool": {"must": [{"trem": {"a": 1}}, {"script": {}}], "should": [{"term": {}}]}}"#;
    assert_eq!(load(filter, &Mapping::dynamic()).unwrap_err().len(), 3);
}

#[test]
fn an_absent_field_hides_errors_but_those_of_dates() {
    let properties =
        r#"{"mappings": {"properties": {"d": {"type": "date"}, "l": {"type": "long"}}}}"#;
    let mut mapping = Mapping::explicit(&node(&serde_json::from_str(properties).unwrap())).unwrap();
    mapping.close();
    let (absent, number) = (
        r#"{"range": {"none": {"gte": 1}}}"#,
        r#"{"range": {"l": {"gte": "x"}}}"#,
    );
    let beside = |other: &str| {
        load(
            &format!(r#"{{"bool": {{"must": [{absent}, {other}]}}}}"#),
            &mapping,
        )
    };
    assert!(!picks(&beside(number).unwrap(), r#"{"l": 1}"#));
    for date in [
        r#"{"range": {"d": {"gte": "x"}}}"#,
        r#"{"bool": {"must_not": {"dis_max": {"queries": [{"range": {"d": {"gte": "x"}}}]}}}}"#,
    ] {
        let problems = beside(date).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
    let boosting = format!(
        r#"{{"boosting": {{"positive": {absent}, "negative": {number}, "negative_boost": 0.5}}}}"#
    );
    assert!(!picks(&load(&boosting, &mapping).unwrap(), r#"{"l": 1}"#));
}

#[test]
fn negative_numbers_after_a_tilde_count_where_they_are_used() {
    let query = |text: &str, lenient: bool| {
        let query = serde_json::json!({"query": text, "lenient": lenient});
        load(
            &format!(r#"{{"query_string": {query}}}"#),
            &Mapping::dynamic(),
        )
    };
    let document = r#"{"t": "quick brown fox"}"#;
    for text in ["t:quick~-0.5", r#"t:"quick"~-1"#] {
        assert!(picks(&query(text, false).unwrap(), document), "{text}");
    }
    for text in ["t:quick~-1", r#"t:"quick fox"~-1"#] {
        assert!(query(text, false).is_err(), "{text}");
        assert!(!picks(&query(text, true).unwrap(), document), "{text}");
    }
    check_error(
        r#"{"fuzzy": {"t": {"value": "quick", "fuzziness": -0.5}}}"#,
        "E0201",
        "fuzziness",
    );
}

#[test]
fn deep_filters_are_refused_and_deep_queries_decided() {
    let nest = |depth: usize, inner: &str| {
        format!(
            "{}{inner}{}",
            r#"{"bool": {"must": ["#.repeat(depth),
            "]}}".repeat(depth)
        )
    };
    let query = format!(
        r#"{{"query_string": {{"query": "{}a{}"}}}}"#,
        "(".repeat(90),
        ")".repeat(90)
    );
    let filter = load(&nest(35, &query), &Mapping::dynamic());
    assert!(picks(&filter.unwrap(), r#"{"m": "a"}"#));
    let mut node = node(&serde_json::json!({"match_all": {}}));
    for _ in 0..500 {
        let key = Node::text("must", &Span::nowhere());
        let inner = Data::Map(Members(vec![(key, node)]));
        let key = Node::text("bool", &Span::nowhere());
        let span = Span::nowhere();
        let value = Node {
            data: inner,
            span: span.clone(),
        };
        node = Node {
            data: Data::Map(Members(vec![(key, value)])),
            span,
        };
    }
    assert_eq!(
        Filter::load(&[node], &Mapping::dynamic())
            .unwrap_err()
            .first()
            .unwrap()
            .code,
        "E0208"
    );
}

#[test]
fn large_documents_take_bounded_time() {
    let many: serde_json::Map<String, Value> = (0..100_000)
        .map(|at| (format!("field{at}"), Value::from(at)))
        .collect();
    let long = "word ".repeat(200_000);
    let filter = load(
        r#"{"query_string": {"query": "\"word word\"~50 AND NOT 99999 AND absent.field:x"}}"#,
        &Mapping::dynamic(),
    )
    .unwrap();
    assert!(!picks(&filter, &Value::Object(many).to_string()));
    assert!(!picks(&filter, &serde_json::json!({"m": long}).to_string()));
}

#[test]
fn fields_are_listed() {
    let filter = load(r#"{"bool": {"must": [{"term": {"a": 1}}, {"match": {"b.c": "x"}}, {"term": {"e.keyword": "y"}}], "must_not": {"exists": {"field": "d*"}}}}"#, &Mapping::dynamic()).unwrap();
    let mut fields = filter.fields();
    fields.sort();
    assert_eq!(fields, ["a", "b.c", "d*", "e", "e.keyword"]);
}

/// Values that look like filters.
fn filters() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z*?/()~\"\\\\ :<>=0-9.|-]{0,12}".prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "bool",
        "must",
        "should",
        "must_not",
        "filter",
        "minimum_should_match",
        "term",
        "terms",
        "range",
        "gte",
        "lt",
        "match",
        "query",
        "operator",
        "fuzziness",
        "multi_match",
        "fields",
        "type",
        "query_string",
        "default_operator",
        "regexp",
        "wildcard",
        "prefix",
        "value",
        "exists",
        "field",
        "nested",
        "path",
        "a",
        "a.keyword",
        "format",
        "time_zone",
        "simple_query_string",
        "flags",
        "terms_set",
        "ids",
        "values",
        "match_phrase",
        "slop",
    ]);
    leaf.prop_recursive(6, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 1..3).prop_map(|members| Value::Object(
                members
                    .into_iter()
                    .map(|(k, v)| (k.to_owned(), v))
                    .collect()
            )),
        ]
    })
}

proptest! {
    #[test]
    fn no_filter_is_too_strange(filter in filters(), document in filters()) {
        if let Ok(filter) = Filter::load(&[node(&filter)], &Mapping::dynamic()) {
            picks(&filter, &serde_json::json!({"a": document}).to_string());
        }
    }
}

fn explicit(mapping: &str) -> Mapping {
    Mapping::explicit(&node(&serde_json::from_str(mapping).unwrap())).unwrap()
}

#[test]
fn what_is_not_indexed_is_refused_or_only_there() {
    let mapping = explicit(
        r#"{"properties": {"t": {"type": "text", "index": false}, "k": {"type": "keyword", "index": false},
            "n": {"type": "long", "index": false, "doc_values": false}, "r": {"type": "ip_range", "index": false}}}"#,
    );
    let document = r#"{"t": "a", "k": "a", "n": 5, "r": "10.0.0.0/8"}"#;
    for (filter, expected) in [
        (r#"{"term": {"k": "a"}}"#, Some(true)),
        (r#"{"term": {"t": "a"}}"#, None),
        (r#"{"range": {"n": {"gte": 1}}}"#, None),
        (r#"{"term": {"r": "10.0.0.1"}}"#, None),
        (r#"{"exists": {"field": "t"}}"#, Some(false)),
        (r#"{"exists": {"field": "n"}}"#, Some(false)),
        (r#"{"exists": {"field": "r"}}"#, Some(true)),
        (r#"{"query_string": {"query": "t:a OR n:5"}}"#, Some(false)),
    ] {
        let found = load(filter, &mapping).ok();
        let found = found.map(|filter| picks(&filter, document));
        assert_eq!(found, expected, "{filter}");
    }
}

#[test]
fn queries_are_cut_by_their_own_analyzer() {
    let mapping = explicit(
        r#"{"properties": {"t": {"type": "text", "search_analyzer": "whitespace", "search_quote_analyzer": "simple"}}}"#,
    );
    let document = r#"{"t": "Quick Brown"}"#;
    for (filter, expected) in [
        (r#"{"match": {"t": "Quick"}}"#, false),
        (r#"{"match": {"t": "quick"}}"#, true),
        (r#"{"match_phrase": {"t": "QUICK brown"}}"#, true),
        (r#"{"query_string": {"query": "t:QUI*"}}"#, false),
    ] {
        let filter = load(filter, &mapping).unwrap();
        assert_eq!(picks(&filter, document), expected, "{filter:?}");
    }
}

#[test]
fn nested_values_are_included_where_the_mapping_says() {
    let document = r#"{"n": [{"a": 1, "b": 1}, {"a": 2, "b": 2}]}"#;
    let both = r#"{"bool": {"must": [{"term": {"n.a": 1}}, {"term": {"n.b": 2}}]}}"#;
    let within = format!(r#"{{"nested": {{"path": "n", "query": {both}}}}}"#);
    for (parameter, expected) in [
        ("\"dynamic\": true", false),
        ("\"include_in_root\": true", true),
        ("\"include_in_parent\": true", true),
    ] {
        let mapping = explicit(&format!(
            r#"{{"properties": {{"n": {{"type": "nested", {parameter}, "properties": {{"a": {{"type": "long"}}, "b": {{"type": "long"}}}}}}}}}}"#
        ));
        let outside = load(both, &mapping).unwrap();
        assert_eq!(picks(&outside, document), expected, "{parameter}");
        assert!(!picks(&load(&within, &mapping).unwrap(), document));
    }
}

#[test]
fn copies_reach_fields_without_a_name_in_the_mapping() {
    let mapping = explicit(
        r#"{"properties": {"a": {"type": "keyword", "copy_to": "all"}, "b": {"type": "long", "copy_to": ["all"]}}}"#,
    );
    for (filter, document, expected) in [
        (
            r#"{"match": {"all": "quick"}}"#,
            r#"{"a": "Quick Brown"}"#,
            true,
        ),
        (
            r#"{"term": {"all.keyword": "Quick Brown"}}"#,
            r#"{"a": "Quick Brown"}"#,
            true,
        ),
        (r#"{"range": {"all": {"gte": 5}}}"#, r#"{"b": 7}"#, true),
        (
            r#"{"query_string": {"query": "brown"}}"#,
            r#"{"a": "Quick Brown"}"#,
            true,
        ),
        (r#"{"exists": {"field": "all"}}"#, r#"{"c": 7}"#, false),
    ] {
        let filter = load(filter, &mapping).unwrap();
        assert_eq!(picks(&filter, document), expected, "{document}");
    }
}

#[test]
fn quotes_look_in_sub_fields_where_there_are_some() {
    let filter = |names: &str| {
        format!(
            r#"{{"query_string": {{"query": "\"Quick\" \"5\"", "default_field": "{names}", "quote_field_suffix": ".keyword"}}}}"#
        )
    };
    for names in ["a", "*"] {
        check(&filter(names), r#"{"a": "Quick"}"#, true);
        check(&filter(names), r#"{"a": "quick brown"}"#, false);
        check(&filter(names), r#"{"a": 5}"#, true);
    }
}

#[test]
fn a_range_without_bounds_asks_whether_there_is_one() {
    let mapping = explicit(r#"{"properties": {"d": {"type": "date_range"}}}"#);
    for relation in ["intersects", "contains", "within"] {
        let filter = format!(r#"{{"range": {{"d": {{"relation": "{relation}"}}}}}}"#);
        let filter = load(&filter, &mapping).unwrap();
        assert!(
            picks(&filter, r#"{"d": {"gte": "2024-05-05"}}"#),
            "{relation}"
        );
        assert!(!picks(&filter, r#"{"e": 1}"#), "{relation}");
    }
}

/// What an OpenSearch finds, and refuses.
#[test]
fn numbers_are_compared_as_in_an_index() {
    let mapping = explicit(
        r#"{"properties": {"d": {"type": "double"}, "s": {"type": "scaled_float", "scaling_factor": 10}, "l": {"type": "long"}, "i": {"type": "short"}}}"#,
    );
    for (filter, document, expected) in [
        (r#"{"term": {"d": 0}}"#, r#"{"d": -0.0}"#, false),
        (r#"{"range": {"d": {"lte": -0.0}}}"#, r#"{"d": 0}"#, false),
        (r#"{"range": {"d": {"lt": 0}}}"#, r#"{"d": -0.0}"#, true),
        (
            r#"{"range": {"d": {"gte": 5, "lt": 5}}}"#,
            r#"{"d": 5}"#,
            false,
        ),
        (r#"{"term": {"s": 0}}"#, r#"{"s": -0.0}"#, true),
        (
            r#"{"range": {"s": {"gt": -0.5, "lte": 0}}}"#,
            r#"{"s": -0.01}"#,
            true,
        ),
        (r#"{"term": {"i": 64}}"#, r#"{"i": "0x10p2"}"#, true),
        (r#"{"term": {"i": 0}}"#, r#"{"i": "NaN"}"#, true),
        (r#"{"term": {"i": "NaN"}}"#, r#"{"i": 0}"#, false),
        (r#"{"term": {"l": 3}}"#, r#"{"l": "٣"}"#, true),
    ] {
        let filter = load(filter, &mapping).unwrap();
        assert_eq!(picks(&filter, document), expected, "{filter:?}");
    }
    for refused in [
        r#"{"term": {"l": "٣"}}"#,
        r#"{"range": {"l": {"gt": "٣"}}}"#,
        r#"{"term": {"l": "0x10p2"}}"#,
    ] {
        assert!(load(refused, &mapping).is_err(), "{refused}");
    }
}
