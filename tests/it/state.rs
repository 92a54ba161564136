//! `tripline state`: what rules remember, of the running service and at rest.

use crate::process::{Home, JSON, PATIENCE, post};
use serde_json::{Value, json};
use std::process::Output;
use std::time::Duration;

/// A rule of each type, and what it says of its window after the events of [`feed`]; `None`: it has none.
const RULES: [(&str, &str, Option<&str>); 13] = [
    ("any", "type: any", None),
    (
        "blacklist",
        "type: blacklist\ncompare_key: client\nblacklist: [x]",
        None,
    ),
    (
        "whitelist",
        "type: whitelist\ncompare_key: client\nwhitelist: [a, b]\nignore_null: true",
        None,
    ),
    (
        "change",
        "type: change\ncompare_key: bytes\nignore_null: true\nquery_key: client",
        Some("last was 30; another value matches"),
    ),
    (
        "frequency",
        "type: frequency\nnum_events: 5\ntimeframe: {hours: 1}\nquery_key: client",
        Some("3 of 5 events within 1:00:00"),
    ),
    (
        "spike",
        "type: spike\nspike_height: 3\nspike_type: up\ntimeframe: {hours: 1}\nquery_key: client",
        Some("3 within 1:00:00, 0 before; 3 times as many match, when watched for both timeframes"),
    ),
    (
        "flatline",
        "type: flatline\nthreshold: 2\ntimeframe: {hours: 1}\nquery_key: client",
        Some("2 or more events within 1:00:00, fewer than 2 match"),
    ),
    (
        "cardinality",
        "type: cardinality\ncardinality_field: bytes\nmax_cardinality: 4\ntimeframe: {hours: 1}\nquery_key: client",
        Some("3 values of bytes within 1:00:00, more than 4 match"),
    ),
    (
        "new_term",
        "type: new_term\nfields: [client]",
        Some("known of client"),
    ),
    (
        "metric",
        "type: metric_aggregation\nmetric_agg_key: bytes\nmetric_agg_type: avg\nmax_threshold: 50\nquery_key: client",
        Some("avg of bytes is 20.0 (min: None max : 50)"),
    ),
    (
        "buckets",
        "type: metric_aggregation\nmetric_agg_key: bytes\nmetric_agg_type: avg\nmax_threshold: 50\nbucket_interval: {minutes: 5}",
        Some("4 events of 0:15:00, which every tick cuts into pieces"),
    ),
    (
        "percentage",
        "type: percentage_match\nmatch_bucket_filter: [{term: {bytes: 10}}]\nmax_percentage: 60\nquery_key: client",
        Some("33.33333333333333 percent of 3 events (min: None max : 60)"),
    ),
    (
        "spike_metric",
        "type: spike_aggregation\nmetric_agg_key: bytes\nmetric_agg_type: max\nspike_height: 2\nspike_type: up\ntimeframe: {minutes: 10}\nquery_key: client",
        Some(
            "30 within 0:10:00, nothing before; 2 times as many match, when watched for both timeframes",
        ),
    ),
];

fn home() -> Home {
    let home = Home::new();
    for (name, options, _) in RULES {
        home.write(
            &format!("rules/{name}.yaml"),
            &format!("name: {name}\nindex: logs\nalert: debug\n{options}\n"),
        );
    }
    home
}

/// Three events of `a` and one of `b`, of now; one without a time, one from the future, and one too late.
#[expect(
    clippy::disallowed_methods,
    reason = "the service lives in the present"
)]
fn feed(home: &Home) {
    let event = |client: &str, bytes: u64, offset: i64| {
        let time = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(offset);
        json!({"@timestamp": time.to_string(), "client": client, "bytes": bytes})
    };
    let events = json!([
        event("a", 10, -3), event("a", 20, -2), event("a", 30, -1), event("b", 5, -1),
        {"client": "a"}, event("a", 1, 3600), event("a", 1, -7200)
    ]);
    let (status, _) = post(&home.address("http"), JSON, events.to_string().as_bytes()).unwrap();
    assert_eq!(status, 200);
}

fn called(home: &Home, arguments: &[&str]) -> Output {
    home.tool("state", arguments).output().unwrap()
}

#[track_caller]
fn state(home: &Home, arguments: &[&str]) -> String {
    home.says("state", arguments)
}

/// What is shown of a rule as JSON.
#[track_caller]
fn rule(home: &Home, arguments: &[&str]) -> Value {
    let shown: Value =
        serde_json::from_str(&state(home, &[arguments, &["--format", "json"]].concat())).unwrap();
    shown["rules"][0].clone()
}

#[track_caller]
fn every_type_describes_its_windows(home: &Home) {
    for (name, _, says) in RULES {
        let seen = rule(home, &[name, "a"]);
        let windows = seen["windows"].as_array().unwrap();
        // A window over all keys has no key.
        let windows = if windows.is_empty() {
            rule(home, &[name])["windows"].as_array().unwrap().clone()
        } else {
            windows.clone()
        };
        let said = windows
            .first()
            .map(|window| window["says"].as_str().unwrap());
        assert_eq!(said, says, "{name}: {seen}");
        assert_eq!(seen["rule"], name);
    }
}

#[test]
fn windows_are_shown_in_the_words_of_their_types() {
    let home = home();
    let mut process = home.start();
    feed(&home);
    every_type_describes_its_windows(&home);
    let seen = rule(&home, &["frequency.yaml", "a"]);
    assert_eq!(
        (
            &seen["hits"],
            &seen["late"],
            &seen["future"],
            &seen["no_timestamp"]
        ),
        (&json!(6), &json!(1), &json!(1), &json!(1))
    );
    let window = &seen["windows"][0];
    assert_eq!(
        (&window["count"], &window["distance"]),
        (&json!(3), &json!(2.0))
    );
    let time = |name: &str| {
        window[name]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    assert_eq!(
        time("expires").duration_since(time("oldest")),
        jiff::SignedDuration::from_hours(1)
    );
    assert_eq!(
        time("newest").duration_since(time("oldest")).as_millis() / 100,
        20
    );
    // Nearest to a match first.
    let keys: Vec<Value> = rule(&home, &["frequency"])["windows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|window| window["key"].clone())
        .collect();
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(
        rule(&home, &["frequency", "--limit", "1"])["windows"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(rule(&home, &["frequency", "nobody"])["windows"], json!([]));
    // The averages of an hour never watched are not believed yet.
    assert!(rule(&home, &["metric"])["quiet_until"].is_string());
    process.signal("TERM");
    process.exit_within(PATIENCE).unwrap();
    every_type_describes_its_windows(&home);
}

#[test]
fn rules_are_listed_with_what_metrics_count() {
    let home = home();
    let _process = home.start();
    feed(&home);
    let table = state(&home, &[]);
    let row = |name: &str| -> Vec<String> {
        let row = table
            .lines()
            .find(|line| {
                line.split('|')
                    .nth(1)
                    .is_some_and(|cell| cell.trim() == name)
            })
            .unwrap();
        row.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let frequency = row("frequency");
    assert_eq!(
        frequency[2..9],
        ["frequency", "6", "0", "1", "1", "1", "2"],
        "{table}"
    );
    assert_eq!(row("any")[7], "1");
    // Metrics follow with the next tick.
    let agrees = |metric: &str, column: usize| {
        crate::process::wait_for(metric, || {
            (home.metric(metric).to_string() == frequency[column]).then_some(())
        });
    };
    for (metric, column) in [("keys", 8), ("events", 9), ("bytes", 10)] {
        let metric = format!(r#"tripline_rule_{metric}{{rule_name="frequency"}}"#);
        agrees(&metric, column);
    }
    for (reason, column) in [("late", 5), ("future", 6), ("no_timestamp", 7)] {
        let skipped = "tripline_rule_events_skipped_total";
        agrees(
            &format!(r#"{skipped}{{rule_name="frequency",reason="{reason}"}}"#),
            column,
        );
    }
}

#[test]
fn silences_and_aggregations_are_shown_with_their_rule() {
    let home = Home::new();
    home.write("rules/together.yaml", "name: together\nindex: logs\ntype: any\nalert: debug\nquery_key: client\naggregation: {hours: 1}\naggregation_key: client\nrealert: {hours: 2}\n");
    let _process = home.start();
    feed(&home);
    let seen = rule(&home, &["together"]);
    let keys: Vec<&str> = seen["silences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|silence| silence["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["together.a", "together.b"]);
    let waiting: Vec<(&Value, &Value)> = seen["aggregations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["key"], &one["matches"]))
        .collect();
    assert_eq!(
        waiting,
        [(&json!("a"), &json!(1)), (&json!("b"), &json!(1))]
    );
    let shown = state(&home, &["together"]);
    assert!(shown.contains("silenced    together.a until 20"), "{shown}");
    assert!(
        shown.contains("aggregates  b: 1 matches, due 20"),
        "{shown}"
    );
}

#[test]
fn what_is_not_there_is_said() {
    let home = home();
    let output = called(&home, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("nothing is remembered yet")
    );
    let process = home.start();
    let output = called(&home, &["absent"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("no rule \"absent\" is loaded")
    );
    drop(process);
    let shown = crate::process::within(Duration::from_secs(10), || {
        let output = called(&home, &["frequency"]);
        output
            .status
            .success()
            .then(|| String::from_utf8(output.stdout).unwrap())
    });
    assert!(shown.unwrap().contains("no windows"));
}
