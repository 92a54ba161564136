use super::super::tests::node;
use super::*;

/// The codes and messages on one clause.
#[track_caller]
fn check(clause: &str, expected: &[&str]) {
    let clause = node(&serde_json::from_str(clause).unwrap());
    let found = hints(&[clause], &Mapping::dynamic());
    let shown: Vec<String> = found
        .iter()
        .map(|problem| format!("{} {}", problem.code, problem.message))
        .collect();
    assert_eq!(shown, expected);
    assert!(found.iter().all(|problem| problem.help.is_some()));
}

#[test]
fn terms_of_texts() {
    check(
        r#"{"term": {"level": "ERROR"}}"#,
        &[
            r#"W0220 "ERROR" is no term of the text field `level`: its terms are in small letters, like "error""#,
        ],
    );
    check(
        r#"{"terms": {"host": ["web", "web-01"]}}"#,
        &[
            r#"W0220 "web-01" is no term of the text field `host`: its terms are single words, like web, 01"#,
        ],
    );
    check(r#"{"term": {"level.keyword": "ERROR"}}"#, &[]);
    check(
        r#"{"term": {"level": {"value": "ERROR", "case_insensitive": true}}}"#,
        &[],
    );
    check(r#"{"term": {"status": 200}}"#, &[]);
    check(r#"{"term": {"day": "2024-05-05T10:00:00Z"}}"#, &[]);
    check(
        r#"{"wildcard": {"message": "*Failed*"}}"#,
        &[
            r#"W0220 the pattern "*Failed*" on the text field `message` has capitals, but the terms of a text are in small letters"#,
        ],
    );
    check(
        r#"{"wildcard": {"message.keyword": "*Failed login*"}}"#,
        &[],
    );
    check(
        r#"{"match_phrase": {"message": "failed *"}}"#,
        &["W0224 a `*` in `match_phrase` is no wildcard"],
    );
}

#[test]
fn compounds() {
    check(
        r#"{"bool": {"must": [{"term": {"a": "x"}}], "must_not": [{"term": {"a": "x"}}]}}"#,
        &["W0226 this can never match: the same clause must and must not hold"],
    );
    check(
        r#"{"bool": {"should": []}}"#,
        &["W0222 `should` is empty and asks for nothing"],
    );
    check(
        r#"{"bool": {"must": [{"term": {"a": "x"}}], "should": [{"term": {"b": "y"}}]}}"#,
        &["W0221 `should` beside `must` or `filter` changes nothing: it need not match"],
    );
    check(
        r#"{"range": {"n": {"gte": 10, "lt": 5}}}"#,
        &["W0223 nothing can be in this range of `n`: its lower bound is above the upper one"],
    );
    check(
        r#"{"bool": {"must": [{"range": {"n": {"gt": 5}}}, {"range": {"n": {"lte": 5}}}]}}"#,
        &["W0223 no single value of `n` is in both ranges"],
    );
    check(
        r#"{"bool": {"must": [{"range": {"n": {"gt": 5}}}, {"range": {"n": {"lte": 6}}}]}}"#,
        &[],
    );
}

#[test]
fn ranges_on_texts() {
    let mut mapping = Mapping::dynamic();
    let document = serde_json::json!({"status": "500", "took": 5});
    mapping.learn(document.as_object().unwrap()).unwrap();
    let codes = |clause: &str| -> Vec<_> {
        let clause = node(&serde_json::from_str(clause).unwrap());
        let found = hints(&[clause], &mapping).into_iter();
        found.map(|problem| problem.code).collect()
    };
    assert_eq!(codes(r#"{"range": {"status": {"gte": 500}}}"#), ["W0228"]);
    assert!(codes(r#"{"range": {"status": {"gte": "m"}}}"#).is_empty());
    assert!(codes(r#"{"range": {"took": {"gte": 500}}}"#).is_empty());
}

#[test]
fn regular_expressions() {
    check(
        r#"{"regexp": {"path.keyword": "^/admin.*$"}}"#,
        &[
            r#"W0227 in the regular expression "^/admin.*$" on `path.keyword`, `^` and `$` are ordinary characters"#,
        ],
    );
    check(
        r#"{"regexp": {"a": "(?i)x"}}"#,
        &[r#"W0227 in the regular expression "(?i)x" on `a`, `(?` is an optional bracket"#],
    );
    check(r#"{"regexp": {"a": "x.*\\$"}}"#, &[]);
    check(
        r#"{"query_string": {"query": "a:/(/"}}"#,
        &[
            r#"W0227 the regular expression "(" never matches: the pattern ends too early at character 1"#,
        ],
    );
}

#[test]
fn queries() {
    check(
        r#"{"query_string": {"query": "host:\"web-*\""}}"#,
        &["W0224 `*` in quotes is no wildcard: \"web-*\""],
    );
    check(
        r#"{"query_string": {"query": "a:x and b:y"}}"#,
        &["W0229 `and` in small letters is a word to search for"],
    );
    check(
        r#"{"query_string": {"query": "message:(stop and go)"}}"#,
        &[],
    );
    check(
        r#"{"query_string": {"query": "path.keyword:*\\Windows*"}}"#,
        &["W0225 `\\W` is read as `W`: the backslash is lost"],
    );
    check(
        r#"{"query_string": {"query": "path:*\\\\Windows* AND a:/\\w+/"}}"#,
        &[],
    );
    check(
        r#"{"query_string": {"query": "C:Windows"}}"#,
        &["W0225 `C` before the colon is taken for a field"],
    );
}
