//! What a real OpenSearch answered, asked of every form of one thing with every form of another.

use super::*;

/// The mapping that the filters are for.
fn fields() -> Mapping {
    explicit(
        r#"{"dynamic": false, "properties": {
            "t": {"type": "text"}, "u": {"type": "text"},
            "k": {"type": "keyword"}, "low": {"type": "keyword", "normalizer": "lowercase"},
            "stop": {"type": "text", "analyzer": "stop"},
            "n": {"type": "long", "null_value": 5},
            "words": {"type": "keyword", "split_queries_on_whitespace": true},
            "close": {"type": "text", "position_increment_gap": 0},
            "bag": {"type": "text", "index_options": "docs"},
            "stream": {"type": "constant_keyword", "value": "logs"},
            "labels": {"type": "flat_object"},
            "count": {"type": "token_count", "analyzer": "standard"},
            "typed": {"type": "search_as_you_type"},
            "other": {"type": "alias", "path": "u"}}}"#,
    )
}

#[track_caller]
fn check_all(cases: &[(&str, &str, bool)]) {
    let mapping = fields();
    for (filter, document, expected) in cases {
        let loaded = load(filter, &mapping).unwrap_or_else(|found| panic!("{filter}: {found:?}"));
        assert_eq!(picks(&loaded, document), *expected, "{filter} {document}");
    }
}

#[track_caller]
fn check_refused(cases: &[(&str, &str)]) {
    for (filter, words) in cases {
        let problems = load(filter, &fields()).expect_err(filter);
        let problem = problems.first().unwrap().to_string();
        assert!(problem.contains(words), "{filter}: {problem}");
    }
}

#[test]
fn a_star_is_an_open_bound_however_it_is_written() {
    for query in [r#"k:[\"*\" TO b]"#, r"k:[\\* TO b]", r"k:<=\\*"] {
        let filter = format!(r#"{{"query_string": {{"query": "{query}"}}}}"#);
        check_all(&[(&filter, r#"{"k": "!"}"#, true)]);
    }
}

#[test]
fn a_run_of_words_that_stays_whole_is_no_clause_to_count() {
    check_all(&[
        (
            r#"{"query_string": {"query": "a b", "fields": ["t", "u"], "minimum_should_match": 2}}"#,
            r#"{"t": "a"}"#,
            true,
        ),
        (
            r#"{"query_string": {"query": "a b", "default_field": "k", "minimum_should_match": 2}}"#,
            r#"{"k": "a b"}"#,
            true,
        ),
        (
            r#"{"query_string": {"query": "a b", "default_field": "t", "minimum_should_match": 2}}"#,
            r#"{"t": "a"}"#,
            false,
        ),
    ]);
}

#[test]
fn stars_stand_for_names_where_the_server_reads_them_so() {
    check_all(&[
        (
            r#"{"query_string": {"query": "_exists_:\"sto*\""}}"#,
            r#"{"stop": "x"}"#,
            true,
        ),
        (
            r#"{"query_string": {"query": "_exists_:sto*"}}"#,
            r#"{"stop": "x"}"#,
            false,
        ),
        (r#"{"term": {"_index": "logstash-*"}}"#, "{}", true),
        (r#"{"terms": {"_index": ["x", "*.05"]}}"#, "{}", true),
        (r#"{"match": {"_index": "logs?ash-*"}}"#, "{}", false),
        (r#"{"prefix": {"_index": "*-2024"}}"#, "{}", true),
        (
            r#"{"query_string": {"query": "*", "default_field": "*"}}"#,
            r#"{"x": 1}"#,
            true,
        ),
        // Aliases are names, too.
        (
            r#"{"multi_match": {"query": "a", "fields": ["oth*"]}}"#,
            r#"{"u": "a"}"#,
            true,
        ),
    ]);
    // A pattern for fields is no "all fields": one of them must be there.
    let mapping = explicit(r#"{"dynamic": false, "properties": {"k": {"type": "keyword"}}}"#);
    let filter = r#"{"query_string": {"query": "*", "fields": ["*"]}}"#;
    let filter = load(filter, &mapping).unwrap();
    assert!(!picks(&filter, r#"{"x": 1}"#));
    assert!(picks(&filter, r#"{"k": "a"}"#));
}

#[test]
fn a_keyword_is_normalized_by_its_own_normalizer_whatever_the_query_names() {
    let ask = |query: &str, field: &str, analyzer: &str| {
        format!(
            r#"{{"query_string": {{"query": "{query}", "default_field": "{field}", "analyzer": "{analyzer}"}}}}"#
        )
    };
    for (query, field, analyzer, expected) in [
        ("AB*", "k", "standard", true),
        ("AB?", "k", "standard", true),
        ("AB*", "low", "whitespace", true),
        ("[AB TO AC]", "low", "whitespace", true),
        ("[AB TO AC]", "k", "standard", false),
        ("ABD~1", "low", "whitespace", true),
        ("/AB.*/", "low", "whitespace", false),
    ] {
        let filter = ask(query, field, analyzer);
        check_all(&[(&filter, r#"{"k": "ABC", "low": "ABC"}"#, expected)]);
    }
}

#[test]
fn a_text_without_words_on_one_field_of_several_is_decided_there() {
    check_all(&[
        (
            r#"{"multi_match": {"query": "the", "fields": ["t", "stop"], "zero_terms_query": "all"}}"#,
            r#"{"t": "x"}"#,
            true,
        ),
        (
            r#"{"multi_match": {"query": "the", "fields": ["t", "stop"], "type": "cross_fields", "zero_terms_query": "all"}}"#,
            r#"{"t": "x"}"#,
            true,
        ),
        (
            r#"{"simple_query_string": {"query": "a + | b", "fields": ["t", "unknown"], "flags": "AND|WHITESPACE"}}"#,
            r#"{"t": "b"}"#,
            false,
        ),
        (
            r#"{"simple_query_string": {"query": "a-b", "fields": ["t", "unknown"], "minimum_should_match": 2}}"#,
            r#"{"t": "a"}"#,
            false,
        ),
    ]);
}

#[test]
fn a_keyword_analyzer_leaves_the_text_whole() {
    check_all(&[
        (
            r#"{"multi_match": {"query": "a b", "fields": ["t", "u"], "type": "cross_fields", "analyzer": "keyword"}}"#,
            r#"{"t": "a b"}"#,
            false,
        ),
        (
            r#"{"match_bool_prefix": {"_index": {"query": "logst", "analyzer": "keyword"}}}"#,
            "{}",
            true,
        ),
    ]);
    check_refused(&[
        (
            r#"{"match_bool_prefix": {"n": {"query": "5", "analyzer": "keyword"}}}"#,
            "prefixes work on",
        ),
        (
            r#"{"match": {"t": {"query": "a", "minimum_should_match": null}}}"#,
            "minimum_should_match",
        ),
    ]);
}

#[test]
fn a_leading_wildcard_is_refused_only_where_there_is_a_field() {
    let ask = |field: &str| {
        format!(
            r#"{{"query_string": {{"query": "{field}:*a", "allow_leading_wildcard": false, "lenient": true}}}}"#
        )
    };
    check_all(&[(&ask("unknown"), r#"{"t": "a"}"#, false)]);
    check_refused(&[
        (&ask("t"), "begins with a star"),
        (&ask("n"), "begins with a star"),
    ]);
}

#[test]
fn the_first_of_all_and_none_decides() {
    for (flags, expected) in [("ALL|NONE", false), ("NONE|ALL", true)] {
        let filter = format!(
            r#"{{"simple_query_string": {{"query": "a + b", "fields": ["t"], "flags": "{flags}"}}}}"#
        );
        check_all(&[(&filter, r#"{"t": "a"}"#, expected)]);
    }
}

#[test]
fn parameters_of_fields_count() {
    check_all(&[
        (r#"{"term": {"n": 5}}"#, r#"{"n": ""}"#, true),
        (r#"{"match": {"words": "a x"}}"#, r#"{"words": "a"}"#, true),
        (
            r#"{"match": {"words": "a b"}}"#,
            r#"{"words": "a b"}"#,
            false,
        ),
        (
            r#"{"match_phrase": {"close": "a b"}}"#,
            r#"{"close": ["a", "b"]}"#,
            true,
        ),
        (
            r#"{"match_phrase": {"t": "a b"}}"#,
            r#"{"t": ["a", "b"]}"#,
            false,
        ),
        (r#"{"match_phrase": {"bag": "a"}}"#, r#"{"bag": "a"}"#, true),
        (
            r#"{"query_string": {"query": "bag:\"a b\""}}"#,
            r#"{"bag": "a b"}"#,
            false,
        ),
    ]);
    check_refused(&[
        (r#"{"match_phrase": {"bag": "a b"}}"#, "index_options"),
        (r#"{"match_phrase": {"words": "a b"}}"#, "phrases"),
    ]);
}

#[test]
fn a_constant_is_in_every_event() {
    check_all(&[
        (r#"{"term": {"stream": "logs"}}"#, "{}", true),
        (r#"{"wildcard": {"stream": "l*"}}"#, "{}", true),
        (r#"{"terms": {"stream": ["a", "b"]}}"#, "{}", false),
        (r#"{"exists": {"field": "stream"}}"#, "{}", true),
        (
            r#"{"query_string": {"query": "NOT stream:logs"}}"#,
            "{}",
            false,
        ),
    ]);
}

#[test]
fn members_of_a_flat_object_are_keywords() {
    let document = r#"{"labels": {"app": {"name": "Shop"}, "n": 5}}"#;
    check_all(&[
        (r#"{"term": {"labels.app.name": "Shop"}}"#, document, true),
        (r#"{"term": {"labels.app.name": "shop"}}"#, document, false),
        (r#"{"term": {"labels.n": "5"}}"#, document, true),
        (r#"{"exists": {"field": "labels"}}"#, document, true),
        (r#"{"exists": {"field": "labels.x"}}"#, document, false),
        (
            r#"{"query_string": {"query": "labels.app.name:Sh*"}}"#,
            document,
            true,
        ),
    ]);
    check_refused(&[(r#"{"term": {"labels": "Shop"}}"#, "name the member")]);
}

#[test]
fn only_clauses_on_a_type_that_is_not_supported_are_refused() {
    check_all(&[
        (r#"{"term": {"k": "a"}}"#, r#"{"k": "a"}"#, true),
        (
            r#"{"exists": {"field": "count"}}"#,
            r#"{"count": "a"}"#,
            true,
        ),
        (r#"{"match": {"typed": "a"}}"#, r#"{"typed": "a b"}"#, true),
    ]);
    check_refused(&[
        (r#"{"range": {"count": {"gte": 2}}}"#, "only exists works"),
        (
            r#"{"multi_match": {"query": "a", "fields": ["typed", "typed._2gram"]}}"#,
            "only exists works",
        ),
    ]);
}

#[test]
fn parts_of_analyzers_mean_what_the_settings_say() {
    let loads = |analysis: &str, field: &str| {
        let text = format!(
            r#"{{"settings": {{"analysis": {analysis}}}, "mappings": {{"properties": {{"x": {field}}}}}}}"#
        );
        Mapping::explicit(&node(&serde_json::from_str(&text).unwrap()))
    };
    let named = r#"{"type": "text", "analyzer": "own"}"#;
    for refused in [
        r#"{"analyzer": {"own": {"tokenizer": "standard", "char_filter": "html_strip"}}}"#,
        r#"{"filter": {"stop": {"type": "stop", "stopwords": ["x"]}},
            "analyzer": {"own": {"tokenizer": "standard", "filter": ["stop"]}}}"#,
        r#"{"tokenizer": {"standard": {"type": "ngram"}}, "analyzer": {"own": {"tokenizer": "standard"}}}"#,
    ] {
        assert!(loads(refused, named).is_err(), "{refused}");
    }
    let swapped = r#"{"filter": {"lowercase": {"type": "uppercase"}},
        "analyzer": {"own": {"tokenizer": "standard", "filter": "lowercase"}}}"#;
    let mapping = loads(swapped, named).unwrap();
    let filter = load(r#"{"term": {"x": "A"}}"#, &mapping).unwrap();
    assert!(picks(&filter, r#"{"x": "a"}"#));
    // A field that names no analyzer does not take one that is called like the usual one.
    let shadowed = r#"{"analyzer": {"standard": {"type": "whitespace"}}}"#;
    let mapping = loads(shadowed, r#"{"type": "text"}"#).unwrap();
    let filter = load(r#"{"term": {"x": "a"}}"#, &mapping).unwrap();
    assert!(picks(&filter, r#"{"x": "A-B"}"#));
}
