//! `tripline check` and `tripline explain`, and the mapping a rule chooses, through the program.

use crate::support::http::{block_on, request};
use crate::support::server::{opensearch, unique};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// Runs the program in a folder; its exit code and what it printed.
fn run(folder: &Path, words: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(printed).unwrap(),
    )
}

/// A folder with a rule of this filter and further options, and an event.
fn folder(filter: &str, options: &str, event: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rule =
        format!("name: r\ntype: any\nindex: web-*\nalert: debug\n{options}\nfilter:\n- {filter}\n");
    std::fs::write(folder.path().join("r.yaml"), rule).unwrap();
    std::fs::write(folder.path().join("e.json"), event).unwrap();
    folder
}

/// The last line of an explanation.
#[track_caller]
fn explained(filter: &str, options: &str, event: &str) -> String {
    let folder = folder(filter, options, event);
    let (_, printed) = run(folder.path(), &["explain", "r.yaml", "e.json"]);
    printed
        .trim_end()
        .lines()
        .last()
        .unwrap_or_default()
        .to_owned()
}

const MATCHES: &str = "The event matches: every clause is fulfilled.";

#[test]
fn a_rule_chooses_its_mapping() {
    let filter = "term: {level: ERROR}";
    let event = r#"{"level": "ERROR"}"#;
    assert!(explained(filter, "", event).starts_with("The event does not match"));
    let keyword = "mapping: {properties: {level: {type: keyword}}}";
    assert_eq!(explained(filter, keyword, event), MATCHES);

    let cidr = "term: {geoip.ip: 10.0.0.0/8}";
    let from = r#"{"geoip": {"ip": "10.1.2.3"}}"#;
    assert!(explained(cidr, "", from).starts_with("The event does not match"));
    assert_eq!(explained(cidr, "mapping: logstash", from), MATCHES);

    let folder = folder(filter, "mapping: m.json", event);
    let (code, printed) = run(folder.path(), &["check", "r.yaml"]);
    assert_eq!(code, 1);
    assert!(
        printed.contains("error[E0210]: there is no file \"m.json\" with a mapping"),
        "{printed}"
    );
    let answer = json!({"web-1": {"mappings": {"properties": {"level": {"type": "keyword"}}}}});
    std::fs::write(folder.path().join("m.json"), answer.to_string()).unwrap();
    let (_, printed) = run(folder.path(), &["explain", "r.yaml", "e.json"]);
    assert!(printed.contains(MATCHES), "{printed}");

    // For all rules, from the configuration.
    let folder = self::folder(filter, "", event);
    std::fs::write(folder.path().join("config.yaml"), keyword).unwrap();
    let (_, printed) = run(folder.path(), &["explain", "r.yaml", "e.json"]);
    assert!(printed.contains(MATCHES), "{printed}");
}

#[test]
fn the_mapping_is_fetched_from_the_server() {
    let folder = folder(
        "term: {level: ERROR}",
        "mapping: elasticsearch",
        r#"{"level": "ERROR"}"#,
    );
    let (code, printed) = run(folder.path(), &["check", "r.yaml"]);
    assert_eq!(code, 1);
    assert!(printed.contains("no es_host is configured"), "{printed}");

    let Some(url) = opensearch() else { return };
    let index = unique("web");
    let create = json!({"mappings": {"properties": {"level": {"type": "keyword"}}}});
    let (status, answer) = block_on(request("PUT", &format!("{url}/{index}"), Some(create)));
    assert_eq!(status, 200, "{answer}");
    std::fs::write(
        folder.path().join("config.yaml"),
        format!("es_host: {url}\n"),
    )
    .unwrap();
    let rule = std::fs::read_to_string(folder.path().join("r.yaml")).unwrap();
    std::fs::write(
        folder.path().join("r.yaml"),
        rule.replace("web-*", &format!("{index}*")),
    )
    .unwrap();
    let (_, printed) = run(folder.path(), &["explain", "r.yaml", "e.json"]);
    assert!(printed.contains(MATCHES), "{printed}");
    block_on(request("DELETE", &format!("{url}/{index}"), None));
}

#[test]
fn samples_tell_of_missing_fields_and_idle_rules() {
    let folder = folder(
        "query_string: {query: 'respnse:200 AND host:web'}",
        "query_key: hots",
        "{\"response\": 200, \"host\": \"web\"}\n",
    );
    let (code, printed) = run(folder.path(), &["check", "r.yaml", "--data", "e.json"]);
    assert_eq!(code, 0);
    for expected in [
        "r: 0 of 1 events match\n",
        "warning[W0240]: the field `respnse` is in none of the 1 events\n --> r.yaml:7:26\n",
        "did you mean `response`?",
        "the field `hots` is in none of the 1 events",
        "did you mean `host`?",
        "warning[W0241]: none of the 1 events matches; 1 fail at: respnse is \"200\"",
    ] {
        assert!(printed.contains(expected), "{expected}\n{printed}");
    }
}

#[test]
fn samples_tell_of_values_that_do_not_fit() {
    let folder = folder(
        "bool: {should: [term: {took: slow}, range: {size: {gt: 10}}, query_string: {query: \"path:\\/var\\/log\"}]}",
        "",
        "{\"took\": 5, \"size\": \"700\", \"path\": \"x\"}\n",
    );
    let (code, printed) = run(folder.path(), &["check", "r.yaml", "--data", "e.json"]);
    assert_eq!(code, 0, "{printed}");
    for expected in [
        "warning[W0242]: by the sample, field \"took\": \"slow\" is not a number, and the field holds numbers\n --> r.yaml:7:",
        "warning[W0228]: `size` holds texts, which a range compares letter by letter: \"1000\" comes before \"500\"\n --> r.yaml:7:",
        "warning[W0225]: YAML takes the backslash of `\\/` in double quotes for itself",
    ] {
        assert!(printed.contains(expected), "{expected}\n{printed}");
    }
}

#[test]
fn texts_are_tried_on_the_first_event_that_matches() {
    let folder = folder(
        "term: {host: web}",
        "alert_subject: '{0} of {1}'
alert_subject_args: [num_hits, usr.name]
alert_text: 'took {0:.1f} of {1} {2}'
alert_text_args: [took, r_owner, 'tags[7]']
r_owner: me
alert:
- debug
- email:
    email: a@example.com
    alert_text: '{0:d}'
    alert_text_args: [host]
- debug:
    alert_text: '{0} {1:.2f}'
    alert_text_args: [host, num_hits]",
        "{\"@timestamp\": \"2024-05-01T10:00:00Z\", \"host\": \"db\", \"took\": 1}
{\"host\": \"web\", \"took\": \"long\", \"user\": {\"name\": \"x\"}, \"tags\": [1]}
",
    );
    let file = folder.path().join("r.yaml");
    let rule = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, rule.replace("alert: debug\n", "")).unwrap();
    let (code, printed) = run(folder.path(), &["check", "r.yaml", "--data", "e.json"]);
    assert_eq!(code, 0, "{printed}");
    for expected in [
        "warning[W0240]: the field `usr.name` is in none of the 2 events\n --> r.yaml:5:32\n",
        "did you mean `user.name`?",
        "the field \"tags\" has no element [7]\n --> r.yaml:6:13\n",
        "warning[W0906]: this text cannot be made for the first event that matches: ",
        " --> r.yaml:13:17\n",
    ] {
        assert!(printed.contains(expected), "{expected}\n{printed}");
    }
    assert_eq!(printed.matches("W0906").count(), 2, "{printed}");
    assert_eq!(printed.matches("W0240").count(), 1, "{printed}");
}

#[test]
fn several_events_are_explained_and_broken_ones_passed_over() {
    let folder = folder(
        "term: {host.keyword: web-01}",
        "is_enabled: false",
        "{\"host\": \"web-01\"}\nbroken\n{\"host\": \"web-02\"}\n",
    );
    let (code, printed) = run(folder.path(), &["explain", "r.yaml", "e.json"]);
    assert_eq!(code, 1);
    assert!(
        printed.contains("✓ host.keyword is \"web-01\"   ← \"web-01\"\n"),
        "{printed}"
    );
    assert!(printed.contains("event 1 cannot be read"), "{printed}");
    assert!(
        printed.contains("✗ host.keyword is \"web-01\"   ← \"web-02\"\n"),
        "{printed}"
    );
}

/// What no sender should send, and patterns that nobody should write, end.
#[test]
fn odd_documents_and_patterns_end() {
    let filter = "query_string: {query: 'a:x* OR *:y OR /.*(a|b)+c/ OR a.keyword:*x*y*z*'}";
    let deep = format!("{}1{}", "{\"a\":".repeat(1000), "}".repeat(1000));
    let long = format!("{{\"a\":\"{}\"}}", "x y ".repeat(10 << 18));
    let members: Vec<String> = (0..100_000)
        .map(|at| format!("\"f{at}\":\"v{at}\""))
        .collect();
    let wide = format!("{{{}}}", members.join(","));
    let lone = r#"{"a":"\ud800 x"}"#.to_owned();
    let twice = r#"{"a":"n","a":"x"}"#.to_owned();
    let folder = folder(filter, "", &[deep, long, wide, lone, twice].join("\n"));
    let (_, printed) = run(folder.path(), &["check", "r.yaml", "--data", "e.json"]);
    assert!(
        printed.contains("events match"),
        "{}",
        printed.chars().take(2000).collect::<String>()
    );

    for pattern in [
        "((a{1,1000}){1,1000}){1,1000}",
        "(.*a){200}b.{900}",
        &"(".repeat(2000),
        &"a".repeat(100_000),
    ] {
        let folder = self::folder(&format!("regexp: {{a: '{pattern}'}}"), "", "{}");
        let (code, printed) = run(folder.path(), &["check", "r.yaml"]);
        assert_eq!(code, 1, "{printed}");
        assert!(
            printed.contains("error[E0207]"),
            "{}",
            printed.chars().take(2000).collect::<String>()
        );
    }
}
