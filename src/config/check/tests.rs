use super::*;
use crate::config::{SourceFile, opt, yaml};
use std::path::Path;
use std::sync::Arc;

const TABLE: &[OptionSpec] = &[
    opt("timeframe")
        .duration()
        .required()
        .doc("How long a window is."),
    opt("num_events").int(),
    opt("spike_height").number(),
    opt("blacklist")
        .kind(Kind::List(&Kind::Str))
        .hint("the text \"0\" is not the number 0"),
    opt("ignore_null")
        .bool()
        .required()
        .doc("Whether events without the field are skipped.")
        .hint("add `ignore_null: true` or `ignore_null: false`"),
    opt("spike_type").one_of(&["up", "down", "both"]),
    opt("query_key").texts(),
    opt("alert_text_kw").kind(Kind::Map),
    opt("es_password").secret(),
    opt("scroll_keepalive").no_effect("nothing is polled"),
    opt("anything").kind(Kind::Any),
    opt("run_enhancements_first").bool().may_be_empty(),
];

fn mapping(text: &str) -> Node {
    let file = Arc::new(SourceFile::new(Path::new("r.yaml"), text));
    let (node, problems) = yaml::parse(&file, None);
    node.unwrap_or_else(|| panic!("{problems:?}"))
}

#[track_caller]
fn check_one(line: &str, expected: &str) {
    let text = format!("timeframe: {{minutes: 5}}\nignore_null: true\n{line}\n")
        .replacen(
            if line.starts_with("timeframe") {
                "timeframe: {minutes: 5}"
            } else {
                "\0"
            },
            "",
            1,
        )
        .replacen(
            if line.starts_with("ignore_null") {
                "ignore_null: true"
            } else {
                "\0"
            },
            "",
            1,
        );
    let node = mapping(&text);
    let problems = check(|name| node.get(name), &node.span, &[TABLE, TABLE]);
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(text.join("\n"), expected);
}

#[test]
fn nothing_behind_the_colon() {
    let node = mapping("timeframe: {minutes: 5}\nignore_null: true\nrun_enhancements_first:\n");
    let problems = check(|name| node.get(name), &node.span, &[TABLE]);
    assert!(problems.is_empty(), "{problems:?}");
    check_one(
        "num_events:",
        "r.yaml:3:1: error[E0601]: `num_events` takes a whole number, found nothing",
    );
}

#[test]
fn one_line_says_key_place_found_expected() {
    check_one(
        "timeframe: 5m",
        "r.yaml:3:12: error[E0601]: `timeframe` takes an object such as {minutes: 5}, found text `5m` (write timeframe: {minutes: 5})",
    );
    check_one(
        "timeframe: 300",
        "r.yaml:3:12: error[E0601]: `timeframe` takes an object such as {minutes: 5}, found an integer `300` (write timeframe: {seconds: 300})",
    );
    check_one(
        "timeframe: {minute: 5}",
        "r.yaml:3:13: error[E0605]: `timeframe` has no unit `minute`, it takes one of `weeks`, `days`, `hours`, `minutes`, `seconds`, `milliseconds`, `microseconds` (did you mean `minutes`?)",
    );
    check_one(
        "timeframe: {minutes: \"5\"}",
        "r.yaml:3:22: error[E0601]: `timeframe.minutes` takes a number, found text `\"5\"` (remove the quotes: 5)",
    );
    check_one(
        "timeframe: {minutes: -5}",
        "r.yaml:3:12: error[E0605]: `timeframe` is negative or beyond what a duration can be",
    );
    check_one(
        "timeframe:",
        "r.yaml:3:1: error[E0601]: `timeframe` takes an object such as {minutes: 5}, found nothing",
    );
    check_one(
        "num_events: \"5\"",
        "r.yaml:3:13: error[E0601]: `num_events` takes a whole number, found text `\"5\"` (remove the quotes: 5)",
    );
    check_one(
        "num_events: 5.5",
        "r.yaml:3:13: error[E0601]: `num_events` takes a whole number, found a number `5.5`",
    );
    check_one(
        "num_events: true",
        "r.yaml:3:13: error[E0601]: `num_events` takes a whole number, found a boolean `true`",
    );
    check_one(
        "spike_height: three",
        "r.yaml:3:15: error[E0601]: `spike_height` takes a number, found text `three`",
    );
    check_one(
        "blacklist: [\"1\", 0]",
        "r.yaml:3:18: error[E0601]: `blacklist[1]` takes text, found an integer `0` (quote it: \"0\"; the text \"0\" is not the number 0)",
    );
    check_one(
        "blacklist: [yes]",
        "r.yaml:3:13: error[E0601]: `blacklist[0]` takes text, found a boolean `yes` (quote it: \"yes\"; the text \"0\" is not the number 0)",
    );
    check_one(
        "blacklist: \"1\"",
        "r.yaml:3:12: error[E0601]: `blacklist` takes a list of texts, found text `\"1\"` (write it as a list: [\"1\"]; the text \"0\" is not the number 0)",
    );
    check_one(
        "ignore_null: \"yes\"",
        "r.yaml:3:14: error[E0601]: `ignore_null` takes true or false, found text `\"yes\"` (remove the quotes: yes; add `ignore_null: true` or `ignore_null: false`)",
    );
    check_one(
        "spike_type: Up",
        "r.yaml:3:13: error[E0603]: `spike_type` takes one of `up`, `down`, `both`, found text `Up` (did you mean `up`?)",
    );
    check_one(
        "spike_type: 5",
        "r.yaml:3:13: error[E0603]: `spike_type` takes one of `up`, `down`, `both`, found an integer `5`",
    );
    check_one(
        "query_key: 5",
        "r.yaml:3:12: error[E0601]: `query_key` takes text or a list of texts, found an integer `5` (quote it: \"5\")",
    );
    check_one(
        "query_key: [a, 5]",
        "r.yaml:3:16: error[E0601]: `query_key[1]` takes text, found an integer `5` (quote it: \"5\")",
    );
    check_one(
        "query_key: {a: 5}",
        "r.yaml:3:12: error[E0601]: `query_key` takes text or a list of texts, found an object `{a: 5}`",
    );
    check_one(
        "alert_text_kw: x",
        "r.yaml:3:16: error[E0601]: `alert_text_kw` takes an object, found text `x`",
    );
    check_one(
        "es_password: 1234",
        "r.yaml:3:14: error[E0601]: `es_password` takes text, found an integer",
    );
}

#[test]
fn what_json_schema_takes_is_taken() {
    for line in [
        "num_events: 5.0",
        "spike_height: 3",
        "blacklist: []",
        "query_key: a",
        "query_key: [a]",
        "timeframe: {}",
        "timeframe: {hours: 1, minutes: 0.5}",
        "anything:",
    ] {
        check_one(line, "");
    }
}

#[test]
fn missing_options_say_what_they_are_for() {
    let node = mapping("type: whitelist\n");
    let place = node.get("type").unwrap().span.clone();
    let problems = check(|name| node.get(name), &place, &[TABLE]);
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "r.yaml:1:7: error[E0602]: the option `timeframe` is missing: how long a window is (it takes an object such as {minutes: 5})",
            "r.yaml:1:7: error[E0602]: the option `ignore_null` is missing: whether events without the field are skipped (add `ignore_null: true` or `ignore_null: false`)",
        ]
    );
}

#[test]
fn unknown_options_get_the_nearest_name() {
    let node =
        mapping("num_event: 1\nzzz: 2\nQuery-Key: a\nslack_x: 1\non: 1\nscroll_keepalive: 5s\n");
    let map = node.as_map().unwrap();
    let text: Vec<String> = unknown(map, &[TABLE], &|name| name.starts_with("slack_"))
        .iter()
        .chain(&without_effect(map, &[TABLE]))
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        text,
        [
            "r.yaml:1:1: warning[W0604]: unknown option `num_event` (did you mean `num_events`?)",
            "r.yaml:2:1: warning[W0604]: unknown option `zzz`",
            "r.yaml:3:1: warning[W0604]: unknown option `Query-Key` (did you mean `query_key`?)",
            "r.yaml:5:1: warning[W0604]: a key that is a boolean (`True`) is no option (quote it if it is meant as text)",
            "r.yaml:6:1: note[N0606]: `scroll_keepalive` has no effect here: nothing is polled",
        ]
    );
}
