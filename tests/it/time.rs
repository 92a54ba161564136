//! Time: files of old events through the standard input, gaps in watching, and what is counted of events out of time.

use crate::process::Home;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// A rule of each type whose matches depend on the clock, with its options.
const RULES: [(&str, &str); 9] = [
    (
        "flatline",
        "type: flatline\nthreshold: 2\ntimeframe: {minutes: 5}",
    ),
    (
        "flatline_keys",
        "type: flatline\nthreshold: 3\ntimeframe: {minutes: 10}\nquery_key: host\nforget_keys: true",
    ),
    (
        "cardinality",
        "type: cardinality\ncardinality_field: user\nmin_cardinality: 2\ntimeframe: {minutes: 7}",
    ),
    (
        "spike",
        "type: spike\nspike_height: 2\nspike_type: both\nthreshold_ref: 1\ntimeframe: {minutes: 5}\nquery_key: host",
    ),
    (
        "frequency",
        "type: frequency\nnum_events: 4\ntimeframe: {minutes: 3}",
    ),
    (
        "metric",
        "type: metric_aggregation\nmetric_agg_key: bytes\nmetric_agg_type: avg\nmax_threshold: 700\nmin_threshold: 200\nbuffer_time: {minutes: 4}",
    ),
    (
        "metric_buckets",
        "type: metric_aggregation\nmetric_agg_key: bytes\nmetric_agg_type: sum\nmax_threshold: 1500\nbuffer_time: {minutes: 4}\nbucket_interval: {minutes: 2}",
    ),
    (
        "percentage",
        "type: percentage_match\nmatch_bucket_filter: [{term: {host: a}}]\nmax_percentage: 60\nbuffer_time: {minutes: 5}\nquery_key: user",
    ),
    (
        "spike_metric",
        "type: spike_aggregation\nmetric_agg_key: bytes\nmetric_agg_type: max\nspike_height: 1.5\nspike_type: up\ntimeframe: {minutes: 5}\nbuffer_time: {minutes: 2}",
    ),
];

/// A folder with these rules; every match becomes a line of the file with the rule's name.
fn home(rules: &[(&str, &str)]) -> Home {
    let home = Home::configured("run_every: {seconds: 50}\nbuffer_time: {minutes: 15}\n");
    for (name, options) in rules {
        let matches = home.path(&format!("{name}.matches"));
        home.write(
            &format!("rules/{name}.yaml"),
            &format!("name: {name}\nindex: logs\nrealert: {{minutes: 0}}\nalert: command\ncommand: [tee, -a, {matches:?}]\npipe_match_json: true\n{options}\n"),
        );
    }
    home
}

/// Events of some hours of 2018, a minute or a quarter of an hour apart by chance, some late.
fn events() -> String {
    let mut seed = 7u64;
    let mut chance = |n: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    let mut seconds = 1_523_000_000_i64;
    let mut lines = String::new();
    for number in 0..250 {
        seconds += if chance(12) == 0 {
            900
        } else {
            i64::try_from(chance(100)).unwrap()
        };
        let host = ["a", "b", "c"][usize::try_from(chance(3)).unwrap()];
        let time = jiff::Timestamp::from_second(seconds).unwrap();
        let event = json!({"@timestamp": time.to_string(), "_id": format!("e{number}"), "host": host, "user": format!("u{}", chance(4)), "bytes": chance(1000)});
        lines.push_str(&format!("{event}\n"));
    }
    lines
}

/// Lets the service read events to their end.
fn pipe(home: &Home, events: &str) -> String {
    let mut command = home.command();
    command
        .arg("--stdin")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(events.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

/// The matches of a rule in any order, without what depends on when they were alerted.
fn matches(home: &Home, rule: &str) -> Vec<String> {
    let mut matches = home.matches(&format!("{rule}.matches"));
    for matched in &mut matches {
        let matched = matched.as_object_mut().unwrap();
        for member in ["_index", "_id", "num_hits", "num_matches"] {
            matched.shift_remove(member);
        }
    }
    let mut matches: Vec<String> = matches.iter().map(Value::to_string).collect();
    matches.sort();
    matches
}

#[test]
fn a_file_of_old_events_matches_as_in_test_rule() {
    let (service, tester) = (home(&RULES), home(&RULES));
    let events = events();
    pipe(&service, &events);
    tester.write("events.ndjson", &events);
    for (rule, _) in RULES {
        let output = Command::new(env!("CARGO_BIN_EXE_tripline"))
            .args([
                "test-rule",
                &format!("rules/{rule}.yaml"),
                "--data",
                "events.ndjson",
                "--as-arrived",
                "--alert",
            ])
            .args(["--config", "config.yml"])
            .current_dir(tester.path(""))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let expected = matches(&tester, rule);
        assert!(!expected.is_empty(), "{rule} never matches");
        let found = matches(&service, rule);
        let differs = found
            .iter()
            .zip(&expected)
            .find(|(one, other)| one != other);
        assert_eq!(differs, None, "{rule}");
        assert_eq!(found.len(), expected.len(), "{rule}");
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the service lives in the present"
)]
fn a_live_pipe_that_falls_silent_is_noticed() {
    let home = home(&[(
        "silent",
        "type: flatline\nthreshold: 1\ntimeframe: {seconds: 2}",
    )]);
    let configuration = std::fs::read_to_string(home.path("config.yml")).unwrap();
    home.write(
        "config.yml",
        &configuration.replace("seconds: 50", "seconds: 1"),
    );
    let mut command = home.command();
    command.arg("--stdin").stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let time = jiff::Timestamp::now();
    writeln!(stdin, "{}", json!({"@timestamp": time.to_string()})).unwrap();
    // The pipe stays open.
    let found = crate::process::wait_for("a flatline", || {
        home.matches("silent.matches").first().cloned()
    });
    let at: jiff::Timestamp = found["@timestamp"].as_str().unwrap().parse().unwrap();
    assert!(
        at.duration_since(time) >= jiff::SignedDuration::from_millis(1999),
        "{found}"
    );
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn events_out_of_time_are_told_at_the_end() {
    let home = home(&[("frequency", RULES[4].1)]);
    let events = [
        json!({"@timestamp": "2018-04-06T08:00:00Z"}),
        json!({"@timestamp": "2018-04-06T07:44:00Z"}),
        json!({"@timestamp": "2199-04-06T08:00:00Z"}),
        json!({"@timestamp": "soon"}),
        json!({}),
    ];
    let events: String = events.iter().map(|event| format!("{event}\n")).collect();
    let said = pipe(&home, &events);
    let expected =
        "frequency: left out 1 too late, 1 from the future, 2 without a usable timestamp_field";
    assert!(said.contains(expected), "{said}");
    assert!(
        said.contains("events later than `lateness` allows"),
        "{said}"
    );
}
