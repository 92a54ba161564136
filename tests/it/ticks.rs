//! Ticks of the service at which many keys are due at once, and what it writes down at its end.

use crate::process::{Home, post, wait_for};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const KEYS: usize = 3_000;

#[expect(clippy::disallowed_methods, reason = "events of now")]
fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    tripline::event::WallTime(i64::try_from(now.as_micros()).unwrap()).to_text()
}

/// Each key is alerted on once, although its tick takes many parts and events come between.
#[test]
fn keys_that_fall_silent_together_are_all_told_of() {
    let home = Home::new();
    let alerts = home.path("alerts");
    home.write(
        "rules/silent.yaml",
        &format!(
            "name: silent\nindex: logs\ntype: flatline\nthreshold: 1\ntimeframe: {{seconds: 2}}\nquery_key: client\nforget_keys: true\n\
             filter: [{{term: {{kind: beat}}}}]\nrealert: {{minutes: 0}}\naggregation: {{seconds: 1}}\n\
             alert: command\ncommand: [tee, -a, {alerts:?}]\npipe_match_json: true\n"
        ),
    );
    home.write(
        "rules/other.yaml",
        "name: other\nindex: logs\ntype: frequency\nnum_events: 1000000\ntimeframe: {hours: 1}\nalert: debug\n",
    );
    let _process = home.start();
    let (address, time) = (home.address("http"), now());
    let mut body = String::new();
    for key in 0..KEYS {
        writeln!(
            body,
            r#"{{"@timestamp":"{time}","kind":"beat","client":"c{key}"}}"#
        )
        .unwrap();
    }
    let send = |body: &str| {
        post(&address, "application/x-ndjson", body.as_bytes())
            .unwrap()
            .0
    };
    assert_eq!(send(&body), 200);
    let mut number = 0;
    let told = wait_for("all keys", || {
        number += 1;
        let other = format!("{{\"@timestamp\":\"{}\",\"number\":{number}}}\n", now());
        assert_eq!(send(&other), 200);
        let told = home.alerts();
        (told.len() >= KEYS).then_some(told)
    });
    let keys: BTreeSet<&str> = told.iter().filter_map(|one| one["key"].as_str()).collect();
    assert_eq!((keys.len(), told.len()), (KEYS, KEYS));
    // All of one time: a tick's, whose parts are of one time.
    let times: BTreeSet<String> = told
        .iter()
        .map(|one| one["@timestamp"].to_string())
        .collect();
    assert_eq!(times.len(), 1, "{times:?}");
}

/// The value of a member of the line that says so.
fn logged(log: &str, line: &str, member: &str) -> Option<u64> {
    let line = log.lines().rev().find(|one| one.contains(line))?;
    let value = line.split(' ').find_map(|part| part.strip_prefix(member))?;
    value.parse().ok()
}

/// What the service remembers at its end is in one snapshot, whose size it tells, and the next start reads nothing else.
#[test]
fn an_end_writes_everything_into_one_snapshot() {
    let home = Home::new();
    let alerts = home.path("alerts");
    home.write(
        "rules/third.yaml",
        &format!(
            "name: third\nindex: logs\ntype: frequency\nnum_events: 3\ntimeframe: {{days: 100000}}\nquery_key: client\n\
             alert: command\ncommand: [tee, -a, {alerts:?}]\npipe_match_json: true\n"
        ),
    );
    let mut process = home.start();
    for number in 0..2 {
        assert_eq!(home.post("x", "a", number), 200);
    }
    process.signal("TERM");
    let status = process.exit_within(Duration::from_secs(20)).unwrap();
    assert_eq!(status.code(), Some(0));
    let store = home.path("tripline-state");
    let snapshots: Vec<_> = std::fs::read_dir(store)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("snapshot-"))
        .collect();
    assert_eq!(snapshots.len(), 1);
    // Before it stands its checksum.
    let length = snapshots[0].metadata().unwrap().len() - 4;
    let written = "what rules remember is written down";
    assert_eq!(logged(&home.logged(), written, "bytes="), Some(length));
    let _process = home.start();
    assert_eq!(logged(&home.logged(), " store path=", "records="), Some(0));
    assert_eq!(home.post("x", "a", 2), 200);
    home.wait_for_alert("a");
}
