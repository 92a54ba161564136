//! `tripline warm`: the past, told to a service at rest or running.

use crate::process::{Home, JSON, PATIENCE, post};
use crate::support::http::{block_on, request, wait_until};
use crate::support::server::{self, opensearch, unique};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Output, Stdio};
use std::time::Duration;

/// A folder with a rule; its alerts are lines of `alerts`.
fn home(options: &str) -> Home {
    let home = Home::new();
    add_rule(&home, "probe", options);
    home
}

fn add_rule(home: &Home, name: &str, options: &str) {
    let alerts = home.path("alerts");
    home.write(
        &format!("rules/{name}.yaml"),
        &format!("name: {name}\nindex: logs\nrealert: {{minutes: 0}}\nalert: command\ncommand: [tee, -a, {alerts:?}]\npipe_match_json: true\n{options}\n"),
    );
}

const FREQUENCY: &str = "type: frequency\nnum_events: 4\ntimeframe: {hours: 1}\nquery_key: client";
const NEW_TERM: &str = "type: new_term\nfields: [client, [client, kind]]";

/// An event of so many minutes ago.
#[expect(
    clippy::disallowed_methods,
    reason = "the service lives in the present"
)]
fn event(minutes: u64, client: &str) -> String {
    let time = jiff::Timestamp::now() - Duration::from_secs(minutes * 60);
    json!({"@timestamp": time.to_string(), "client": client, "kind": "k"}).to_string()
}

/// Runs `tripline warm` with these events on its standard input, unless other arguments say where they are.
fn warm(home: &Home, arguments: &[&str], events: &[String]) -> Output {
    let mut child = home
        .tool("warm", arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Commands that read something else may be gone.
    drop(stdin.write_all(events.join("\n").as_bytes()));
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// What `tripline warm --format json` says.
#[track_caller]
fn warmed(home: &Home, arguments: &[&str], events: &[String]) -> Value {
    let arguments = [&["--format", "json"], arguments].concat();
    let output = warm(home, &arguments, events);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Sends an event of now; the service answers when it is decided.
#[track_caller]
fn send(home: &Home, client: &str) {
    let (status, answer) = post(&home.address("http"), JSON, event(0, client).as_bytes()).unwrap();
    assert_eq!((status, &answer["accepted"]), (200, &json!(1)));
}

#[track_caller]
fn goes_on_from_the_past(home: &Home) {
    send(home, "b");
    send(home, "a");
    home.wait_for_alert("a");
    assert_eq!(home.alerted(), ["a"]);
}

/// Three of a, four and one more of b.
fn past() -> Vec<String> {
    let times = [
        (50, "b"),
        (48, "a"),
        (46, "b"),
        (44, "a"),
        (42, "b"),
        (40, "b"),
        (30, "a"),
        (20, "b"),
    ];
    times
        .map(|(minutes, client)| event(minutes, client))
        .to_vec()
}

#[test]
fn a_service_at_rest_begins_with_the_past() {
    let home = home(FREQUENCY);
    let said = warmed(&home, &["--data", "-"], &past());
    assert_eq!(said["service"], false);
    let rule = &said["rules"][0];
    assert_eq!(rule["rule"], "probe");
    assert_eq!(
        (&rule["hits"], &rule["matches"], &rule["events"]),
        (&json!(8), &json!(1), &json!(4))
    );
    let mut process = home.start();
    assert_eq!(home.alerted(), [""; 0]);
    goes_on_from_the_past(&home);
    process.signal("TERM");
    process.exit_within(PATIENCE).unwrap();
}

#[test]
fn a_running_service_is_told_of_the_past_and_remembers_it() {
    let home = home(FREQUENCY);
    let mut process = home.start();
    let said = warmed(&home, &["probe", "--data", "-"], &past());
    assert_eq!(
        (&said["service"], &said["rules"][0]["warmed"]),
        (&json!(true), &json!(true))
    );
    // It was journalled before the answer.
    process.signal("KILL");
    process.exit_within(PATIENCE).unwrap();
    let _process = home.start();
    goes_on_from_the_past(&home);
    assert_eq!(
        std::fs::read_dir(home.path("tripline-state"))
            .unwrap()
            .filter(|entry| entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("warmed"))
            .count(),
        0
    );
}

#[test]
fn files_are_read_as_test_rule_reads_them() {
    let home = home(FREQUENCY);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Out of order; one event without a time, one from the future.
    let mut events = past();
    events.reverse();
    events.push(r#"{"client": "a"}"#.to_owned());
    events.push(json!({"@timestamp": "2199-01-01T00:00:00Z", "client": "a"}).to_string());
    gzip.write_all(events.join("\n").as_bytes()).unwrap();
    std::fs::write(home.path("past.gz"), gzip.finish().unwrap()).unwrap();
    let said = warmed(&home, &["probe.yaml", "--data", "past.gz"], &[]);
    let rule = &said["rules"][0];
    assert_eq!(
        (&rule["matches"], &rule["events"], &rule["left_out"]),
        (&json!(1), &json!(4), &json!(2))
    );
    let table = String::from_utf8(warm(&home, &["--data", "past.gz"], &[]).stdout).unwrap();
    assert!(table.starts_with("| rule "), "{table}");
    assert!(table.contains("The store remembers it"), "{table}");
}

#[test]
fn values_of_the_past_are_known_and_add_to_those_known_already() {
    let home = home(NEW_TERM);
    let mut process = home.start();
    send(&home, "live");
    home.wait_for_alert("live");
    warmed(
        &home,
        &["--data", "-"],
        &[event(60, "past"), event(31 * 24 * 60, "forgotten")],
    );
    let before = home.alerted().len();
    send(&home, "live");
    send(&home, "past");
    send(&home, "forgotten");
    home.wait_for_alert("forgotten");
    assert!(
        !home.alerted()[before..]
            .iter()
            .any(|client| client != "forgotten"),
        "{:?}",
        home.alerted()
    );
    process.signal("KILL");
    process.exit_within(PATIENCE).unwrap();
    let _process = home.start();
    let before = home.alerted().len();
    send(&home, "past");
    send(&home, "other");
    home.wait_for_alert("other");
    // The kill may have come before it was written down that the last alert was delivered: then that is repeated.
    assert!(
        home.alerted()[before..]
            .iter()
            .all(|client| client == "other" || client == "forgotten"),
        "{:?}",
        home.alerted()
    );
}

#[test]
fn a_flatline_goes_on_being_watched() {
    let rule = |minutes| format!("type: flatline\nthreshold: 1\ntimeframe: {{minutes: {minutes}}}");
    let home = home(&rule(60));
    // Silent for an hour and a half, and the file does not reach as far as now: that is not known to be silence.
    add_rule(&home, "long", &rule(600));
    let _said = warmed(&home, &["--data", "-"], &[event(700, "a"), event(90, "a")]);
    let _process = home.start();
    // Two ticks.
    crate::process::wait_for("two ticks", || {
        (home.metric("tripline_ticks_total") >= 2.0).then_some(())
    });
    assert_eq!(home.alerts().len(), 0);
}

#[test]
fn what_cannot_be_done_is_said() {
    let home = home(FREQUENCY);
    for (arguments, code, expected) in [
        (
            &["absent", "--data", "-"][..],
            1,
            "no rule \"absent\" can be loaded",
        ),
        (
            &["--data", "absent.ndjson"],
            1,
            "absent.ndjson cannot be read",
        ),
        (&["--data", "-", "--from-es"], 2, "--from-es"),
        (&["--start", "yesterday"], 1, "yesterday"),
        (&["probe"], 1, "es_host"),
    ] {
        let output = warm(&home, arguments, &[]);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

/// A folder with a rule on an index of a real server, which has these events.
fn indexed(url: &str, options: &str, events: &[String]) -> (Home, String) {
    let index = unique("warm");
    for event in events {
        add_document(url, &index, event);
    }
    let home = home(&format!("{options}\n{}", server::options(url)));
    let rule = std::fs::read_to_string(home.path("rules/probe.yaml")).unwrap();
    home.write(
        "rules/probe.yaml",
        &rule.replace("index: logs", &format!("index: {index}")),
    );
    (home, index)
}

#[track_caller]
fn wait_for_alerts(home: &Home, number: usize) {
    wait_until("the alerts", || home.alerted().len() >= number);
}

fn add_document(url: &str, index: &str, event: &str) {
    let address = format!("{url}/{index}/_doc?refresh=true");
    let document = serde_json::from_str(event).unwrap();
    let (status, answer) = block_on(request("POST", &address, Some(document)));
    assert_eq!(status, 201, "{answer}");
}

#[test]
fn the_first_start_asks_the_index_for_known_values() {
    let Some(url) = opensearch() else { return };
    let options = format!("{NEW_TERM}\nfilter: [{{term: {{kind: k}}}}]");
    // Not what the filter leaves out.
    let hidden = event(9, "new").replace("\"k\"", "\"x\"");
    let (home, index) = indexed(url, &options, &[event(9, "past"), hidden]);
    let mut process = home.start();
    send(&home, "past");
    send(&home, "new");
    // The value, and it with another one.
    wait_for_alerts(&home, 2);
    assert_eq!(home.alerted(), ["new", "new"]);
    process.signal("TERM");
    process.exit_within(PATIENCE).unwrap();
    // What is known is not asked for again.
    add_document(url, &index, &event(9, "later"));
    let _process = home.start();
    send(&home, "later");
    wait_for_alerts(&home, 4);
    // Unless somebody wants it.
    add_document(url, &index, &event(9, "wanted"));
    let said = warmed(&home, &["probe", "--from-es", "--days", "2"], &[]);
    assert_eq!(said["rules"][0]["warmed"], true);
    send(&home, "wanted");
    send(&home, "end");
    wait_for_alerts(&home, 6);
    assert_eq!(
        home.alerted(),
        ["new", "new", "later", "later", "end", "end"]
    );
}

#[test]
fn windows_are_filled_from_the_index() {
    let Some(url) = opensearch() else { return };
    let (home, _) = indexed(url, FREQUENCY, &past());
    let said = warmed(&home, &["--from-es"], &[]);
    let rule = &said["rules"][0];
    assert_eq!(
        (&rule["hits"], &rule["matches"], &rule["events"]),
        (&json!(8), &json!(1), &json!(4))
    );
    let mut process = home.start();
    goes_on_from_the_past(&home);
    process.signal("TERM");
    process.exit_within(PATIENCE).unwrap();
}
