//! Events that rules keep and memory has no room for: on disk over crashes and restarts, printed as those in memory, and gone when no rule needs them.

use crate::process::{Home, PATIENCE, Process, post, wait_for};
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tripline::event::WallTime;

const NUM_EVENTS: u64 = 600;
const RELATED: &str = "num_events: 600\nattach_related: true";

/// A home with these limits, and a rule with these options.
fn home(store: &str, options: &str) -> Home {
    let home = Home::with_store(&format!("{store}\nlateness: {{hours: 2}}"));
    home.write(
        "rules/related.yaml",
        &format!(
            "name: related\nindex: logs\ntype: frequency\n{options}\ntimeframe: {{days: 1}}\nquery_key: client\n\
             realert: {{minutes: 0}}\nalert: command\ncommand: [tee, -a, {:?}]\npipe_match_json: true\n",
            home.path("alerts")
        ),
    );
    home
}

fn now() -> WallTime {
    #[expect(clippy::disallowed_methods, reason = "events of today")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    WallTime(i64::try_from(now.as_micros()).unwrap())
}

fn send(home: &Home, events: impl IntoIterator<Item = Value>) {
    let lines: Vec<String> = events
        .into_iter()
        .map(|event| format!("{event}\n"))
        .collect();
    let body = lines.concat();
    wait_for("room", || {
        let (status, _) = post(
            &home.address("http"),
            "application/x-ndjson",
            body.as_bytes(),
        )
        .unwrap();
        (status == 200).then_some(())
    });
}

/// Events of one client, each with its number.
fn numbered(numbers: std::ops::Range<u64>, time: &str) -> impl Iterator<Item = Value> {
    numbers.map(move |number| {
        json!({"@timestamp": time, "client": "a", "number": number, "text": "x".repeat(200)})
    })
}

fn stop(mut process: Process) {
    process.signal("TERM");
    assert_eq!(process.exit_within(PATIENCE).unwrap().code(), Some(0));
}

fn kill(mut process: Process) {
    process.0.kill().unwrap();
    process.0.wait().unwrap();
}

fn files(home: &Home) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(home.path("tripline-state")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_spilled = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("spill")
    };
    let mut paths: Vec<PathBuf> = paths.filter(is_spilled).collect();
    paths.sort();
    paths
}

/// The only alert.
fn alert(home: &Home) -> Value {
    wait_for("the alert", || (!home.alerts().is_empty()).then_some(()));
    let [alert] = <[Value; 1]>::try_from(home.alerts()).unwrap();
    alert
}

fn numbers(alert: &Value) -> Vec<u64> {
    let related = alert["related_events"].as_array().unwrap().iter();
    related
        .map(|event| event["number"].as_u64().unwrap())
        .collect()
}

#[test]
fn a_match_prints_all_events_wherever_they_were() {
    let time = now().to_text();
    let [spilling, in_memory] = ["{max_kept: 20kB}", "{}"].map(|store| {
        let home = home(store, RELATED);
        let process = home.start();
        send(&home, numbered(0..200, &time));
        kill(process);
        let process = home.start();
        send(&home, numbered(200..300, &time));
        let spilled = files(&home).len();
        // Its snapshot names what stays on disk.
        stop(process);
        assert_eq!(files(&home).len(), spilled);
        kill(home.start());
        let process = home.start();
        send(&home, numbered(300..500, &time));
        kill(process);
        let process = home.start();
        send(&home, numbered(500..NUM_EVENTS, &time));
        let alert = alert(&home);
        assert_eq!(alert["number"], NUM_EVENTS - 1);
        assert_eq!(numbers(&alert), Vec::from_iter(0..NUM_EVENTS - 1));
        assert_eq!(
            home.metric("tripline_rule_events_not_kept_total{rule_name=\"related\"}"),
            0.0
        );
        assert_eq!(home.metric("tripline_spilled_events_unreadable_total"), 0.0);
        let spilled = files(&home).len();
        stop(process);
        assert_eq!(files(&home), Vec::<PathBuf>::new());
        (alert, spilled)
    });
    assert_eq!(spilling.0, in_memory.0);
    assert_eq!((spilling.1 > 0, in_memory.1), (true, 0));
}

#[test]
fn beyond_both_bounds_events_are_counted_and_told() {
    let home = home("{max_kept: 20kB, max_spilled: 30kB}", RELATED);
    let process = home.start();
    send(&home, numbered(0..NUM_EVENTS, &now().to_text()));
    let alert = alert(&home);
    assert_eq!(alert["number"], NUM_EVENTS - 1);
    let related = numbers(&alert).len();
    assert!((100..200).contains(&related), "{related}");
    let not_kept = home.metric("tripline_rule_events_not_kept_total{rule_name=\"related\"}");
    assert_eq!(
        not_kept,
        f64::from(u32::try_from(NUM_EVENTS).unwrap()) - related as f64
    );
    assert!(
        home.logged().contains("further ones are counted"),
        "{}",
        home.logged()
    );
    stop(process);
    assert_eq!(files(&home), Vec::<PathBuf>::new());
}

#[test]
fn what_cannot_be_read_is_left_out_of_the_match() {
    let home = home("{max_kept: 0}", RELATED);
    let time = now().to_text();
    let process = home.start();
    send(&home, numbered(0..200, &time));
    kill(process);
    let process = home.start();
    send(&home, numbered(200..NUM_EVENTS - 1, &time));
    kill(process);
    let files = files(&home);
    let [gone, damaged] = files.as_slice() else {
        panic!("{files:?}");
    };
    std::fs::remove_file(gone).unwrap();
    let mut bytes = std::fs::read(damaged).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    std::fs::write(damaged, bytes).unwrap();
    let process = home.start();
    send(&home, numbered(NUM_EVENTS - 1..NUM_EVENTS, &time));
    let alert = alert(&home);
    assert_eq!(alert["number"], NUM_EVENTS - 1);
    assert_eq!(numbers(&alert), Vec::from_iter(200..NUM_EVENTS - 2));
    assert_eq!(
        home.metric("tripline_spilled_events_unreadable_total"),
        201.0
    );
    assert!(
        home.logged().contains("cannot be read: a match lacks it"),
        "{}",
        home.logged()
    );
    stop(process);
}

/// Enough for snapshots to be made while the program runs.
#[test]
fn files_go_while_the_program_runs() {
    const CLIENTS: u64 = 75;
    let home = home("{max_kept: 0}", "num_events: 3");
    let time = now().to_text();
    let large = |client: u64, number: u64| json!({"@timestamp": time, "client": client.to_string(), "number": number, "text": "x".repeat(950_000)});
    let process = home.start();
    for client in 0..CLIENTS {
        send(&home, [large(client, 0)]);
    }
    let snapshot = home.path("tripline-state/snapshot-0000000002");
    wait_for("a snapshot", || snapshot.exists().then_some(()));
    // Only of the first the newest event stays the newest.
    for client in 1..CLIENTS {
        send(&home, [large(client, 1)]);
    }
    let first = home.path("tripline-state/spill-0000000001");
    wait_for("room to be given back", || {
        let taken = std::fs::metadata(&first).unwrap().blocks() * 512;
        (taken < 10_000_000).then_some(())
    });
    kill(process);
    let process = home.start();
    let before = now().minus(Duration::from_secs(3600)).to_text();
    let late = json!({"@timestamp": before, "client": "0", "number": 1});
    send(&home, [late.clone(), late]);
    let mut expected = large(0, 0);
    let mut alert = alert(&home);
    assert_eq!(alert["number"], 0);
    assert_eq!(alert["text"].take(), expected["text"].take());
    stop(process);
}
