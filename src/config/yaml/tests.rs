//! The same answers as PyYAML, and no surprise on anything.

use super::parse;
use crate::config::{Data, Node, Problem, SourceFile};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

fn file(text: &str) -> Arc<SourceFile> {
    Arc::new(SourceFile::new(Path::new("rule.yaml"), text))
}

fn load(text: &str) -> (Option<Node>, Vec<Problem>) {
    parse(&file(text), None)
}

/// The encoding of tests/data/yaml/record.py.
fn encode(node: &Node) -> Value {
    match &node.data {
        Data::Null => Value::Null,
        Data::Bool(b) => json!(b),
        Data::Int(i) => json!({"int": i.to_string()}),
        Data::BigInt(text) => json!({"int": text}),
        Data::Float(f) => json!({"float": crate::event::python::float_text(*f)}),
        Data::Str(text) => json!(text),
        Data::Time(text) => json!({"time": text}),
        Data::Bytes(bytes) => json!({"bytes": bytes}),
        Data::Seq(items) => Value::Array(items.iter().map(encode).collect()),
        Data::Map(map) => {
            let members: Vec<Value> = map
                .iter()
                .map(|(k, v)| json!([encode(k), encode(v)]))
                .collect();
            json!({"map": members})
        }
    }
}

/// Texts we read and PyYAML refuses, or the other way round, on purpose; the module's documentation says why.
fn differs_on_purpose(text: &str, problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.code == "W0112")
        || ["a: &x [*x]\n", "a: \u{85}b\n", ": a\n"].contains(&text)
}

fn compare(cases: &Path) {
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(cases).unwrap()).unwrap();
    let mut different = Vec::new();
    for case in &cases {
        let text = case["yaml"].as_str().unwrap();
        let (node, problems) = load(text);
        assert_eq!(
            node.is_none(),
            problems.iter().any(Problem::is_error),
            "{text:?}"
        );
        let expected = case.get("value");
        let got = node.as_ref().map(encode);
        if got.as_ref() != expected && !differs_on_purpose(text, &problems) {
            let got = got.map_or_else(
                || {
                    problems
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join("; ")
                },
                |value| value.to_string(),
            );
            let short: String = text.chars().take(300).collect();
            let expected =
                expected.map_or_else(|| format!("error {}", case["error"]), Value::to_string);
            let (expected, got) = if got.len() > 500 {
                ("…".to_owned(), first_difference(&expected, &got))
            } else {
                (expected, got)
            };
            different.push(format!("{short:?}\n  PyYAML {expected}\n  here   {got}"));
        }
    }
    assert!(
        different.is_empty(),
        "{} of {} differ:\n{}",
        different.len(),
        cases.len(),
        different.join("\n")
    );
}

fn first_difference(a: &str, b: &str) -> String {
    let at = a
        .bytes()
        .zip(b.bytes())
        .position(|(a, b)| a != b)
        .unwrap_or(0);
    let part = |text: &str| {
        String::from_utf8_lossy(
            text.as_bytes()
                .get(at.saturating_sub(60)..(at + 100).min(text.len()))
                .unwrap(),
        )
        .into_owned()
    };
    format!("{} | {}", part(a), part(b))
}

#[test]
fn recorded_snippets_read_as_pyyaml_reads_them() {
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yaml/pyyaml.json"));
}

/// More cases, recorded from files of your own: see tests/data/yaml/record.py.
#[test]
fn further_cases_read_as_pyyaml_reads_them() {
    if let Some(cases) = std::env::var_os("TRIPLINE_YAML_CASES") {
        compare(Path::new(&cases));
    }
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let (_, problems) = load(text);
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, expected);
}

#[test]
fn texts_that_need_quotes_are_told_so() {
    check(
        "a: *.log\n",
        &[
            "rule.yaml:1:4: error[E0103]: not valid YAML: while parsing node, found unknown anchor (`*` begins an alias, so quote it: a: '*.log')",
        ],
    );
    check(
        "a: 1\nindex: %{foo}\n",
        &[
            "rule.yaml:2:8: error[E0103]: not valid YAML: unexpected character: `%' (a text cannot begin with `%`, so quote it: index: '%{foo}')",
        ],
    );
    check(
        "timestamp_field: @timestamp\n",
        &[
            "rule.yaml:1:18: error[E0103]: not valid YAML: unexpected character: `@' (a text cannot begin with `@`, so quote it: timestamp_field: '@timestamp')",
        ],
    );
    check(
        "a: `x`\n",
        &[
            "rule.yaml:1:4: error[E0103]: not valid YAML: unexpected character: ``' (a text cannot begin with a backtick, so quote it: a: '`x`')",
        ],
    );
    check(
        "query: level: ERROR\n",
        &[
            "rule.yaml:1:13: error[E0103]: not valid YAML: mapping values are not allowed in this context (`: ` inside a text looks like a key, so quote it: query: 'level: ERROR')",
        ],
    );
    check(
        "a: \"C:\\Windows\"\n",
        &[
            "rule.yaml:1:4: error[E0103]: not valid YAML: while parsing a quoted scalar, found unknown escape character (in double quotes a backslash begins an escape: double it, or use single quotes)",
        ],
    );
    check(
        "a: {{ x }}\n",
        &[
            "rule.yaml:1:5: error[E0105]: an object cannot be a key (put the whole value in quotes: `{{` begins an object: a: '{{ x }}')",
        ],
    );
    check(
        "a: !important\n",
        &[
            "rule.yaml:1:14: error[E0105]: the tag `!important` means nothing here (put the text in quotes if the `!` belongs to it)",
        ],
    );
    check(
        "a: =\n",
        &[
            "rule.yaml:1:4: error[E0105]: a lone `=` is no value in YAML 1.1 (put it in quotes if it is meant as text)",
        ],
    );
    check(
        "when: 2018-13-45\n",
        &[
            "rule.yaml:1:7: error[E0105]: `2018-13-45` looks like a date but is none (put it in quotes if it is meant as text)",
        ],
    );
    check(
        "a: 1\nname: 'x\nb: 2\n",
        &[
            "rule.yaml:2:7: error[E0103]: not valid YAML: unclosed quote (the text ends at the closing quote: is one missing, or one too many?)",
        ],
    );
    check(
        "name x\ntype: any\n",
        &[
            "rule.yaml:2:5: error[E0103]: not valid YAML: mapping values are not allowed in this context (is a `:` missing after a key here or on the line before, or is this line indented differently from its neighbours?)",
        ],
    );
    check(
        "a:\n\tb: 1\n",
        &[
            "rule.yaml:2:2: error[E0103]: not valid YAML: tabs disallowed within this context (block indentation) (indent with blanks, a tab is not allowed there)",
        ],
    );
}

#[test]
fn a_key_written_twice_shows_both_places() {
    let (node, problems) = load("realert: 1\nname: x\nrealert: 2\n");
    assert_eq!(
        encode(&node.unwrap()),
        json!({"map": [["realert", {"int": "2"}], ["name", "x"]]})
    );
    let [problem] = &problems[..] else {
        panic!("{problems:?}")
    };
    assert_eq!(
        problem.to_string(),
        "rule.yaml:3:1: warning[W0111]: the key `realert` is written twice, the last one counts"
    );
    assert_eq!(problem.related.as_ref().unwrap().0.line_column(), (1, 1));
}

#[test]
fn several_rules_in_one_file_are_one_warning() {
    let rule = "name: x\nindex: i\ntype: any\nalert: debug\nfilter: []\n";
    check(
        &rule.repeat(3),
        &[
            "rule.yaml:6:1: warning[W0111]: 10 keys are written again in one object, the last ones count (a file holds one rule: are these several?)",
        ],
    );
}

#[test]
fn aliases_cannot_make_a_file_explode() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..20 {
        let parts = vec![format!("*a{}", i - 1); 9].join(", ");
        text.push_str(&format!("a{i}: &a{i} [{parts}]\n"));
    }
    let (node, problems) = load(&text);
    assert!(node.is_none());
    assert_eq!(problems.last().unwrap().code, "E0106");
    let mut deep = "a0: &a0 x\n".to_owned();
    for i in 1..500 {
        deep.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1));
    }
    assert_eq!(load(&deep).1.last().unwrap().code, "E0106");
    assert!(load(&"[".repeat(100_000)).0.is_none());
    assert!(load(&"- ".repeat(100_000)).0.is_none());
}

#[test]
fn places_are_those_of_the_file_before_variables_were_put_in() {
    let environment =
        |name: &str| (name == "HOST").then(|| "a-rather-long-name.example".to_owned());
    let (node, problems) = parse(
        &file("h: ${HOST}\nk: [1, \"${NO}\"]\n# $HOST ${NO}\n"),
        Some(&environment),
    );
    let node = node.unwrap();
    assert_eq!(
        node.get("h").unwrap().as_str(),
        Some("a-rather-long-name.example")
    );
    let place = |node: &Node| (node.span.start, node.span.end);
    assert_eq!(place(node.get("h").unwrap()), (3, 10));
    assert_eq!(place(node.get("k").unwrap()), (14, 26));
    assert_eq!(
        place(&node.get("k").unwrap().as_seq().unwrap()[1]),
        (18, 25)
    );
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "rule.yaml:2:9: warning[W0113]: the environment variable `NO` is not set (the text stays as it is written)"
        ]
    );
}

proptest! {
    #[test]
    fn nothing_panics_and_spans_are_in_the_file(text in "[-a1: \n\t\\[\\]{},&*!|>'\"%@#$\r=<?é]{0,60}") {
        let (node, problems) = load(&text);
        prop_assert_eq!(node.is_none(), problems.iter().any(Problem::is_error));
        for problem in &problems {
            prop_assert!(problem.span.start <= problem.span.end && problem.span.end <= text.len());
        }
    }
}
