//! Ticks of the service at which many keys are due at once, and what it writes down at its end.

use crate::process::{Home, PATIENCE, post, wait_for};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tripline::alerter::sending::UNJOURNALLED;
use tripline::engine::{Index, Record, Snapshot};
use tripline::store::documents::{Documents, Forwarding};
use tripline::store::{Recovery, recover};

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
    home.add_rule("silenced");
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
    let before = journalled(&home) + A_FEW_MATCHES;
    wait_for("matches", || (journalled(&home) > before).then_some(()));
    // An operator's wish waits for the tick's end, and hurries nobody.
    let silence = ["--silence", "hours=1", "--rule", "silenced.yaml"];
    let silenced = home.command().args(silence).status().unwrap();
    assert!(silenced.success());
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
    let longest = Written::by(&home).longest;
    assert!(longest < 200, "{longest} matches in a part");
}

/// Bytes of the journal: more than anything but matches leads to.
const A_FEW_MATCHES: u64 = 20_000;

/// How many bytes the journals of the service have.
fn journalled(home: &Home) -> u64 {
    let files = std::fs::read_dir(home.path("tripline-state")).unwrap();
    let files = files.map(|file| file.unwrap());
    let journals = files.filter(|file| file.file_name().to_string_lossy().starts_with("journal-"));
    journals.map(|file| file.metadata().unwrap().len()).sum()
}

/// What a journal says of ticks, and of their matches that joined an aggregation.
#[derive(Default)]
struct Written {
    /// Matches since the last part, and the most of a part.
    of_part: usize,
    longest: usize,
    /// Whether it ends between the parts of a tick.
    is_between: bool,
}

impl Written {
    fn by(home: &Home) -> Self {
        let mut written = Self::default();
        recover(&home.path("tripline-state"), &mut written).unwrap();
        written
    }
}

impl Recovery for Written {
    fn begin(&mut self, _snapshot: Option<Snapshot>) {}

    fn record(&mut self, record: Record) {
        match record {
            Record::TickPart { .. } | Record::Tick { .. } => {
                self.is_between = matches!(record, Record::TickPart { .. });
                self.of_part = 0;
            }
            Record::Joined { .. } => {
                self.of_part += 1;
                self.longest = self.longest.max(self.of_part);
            }
            _ => {}
        }
    }
}

/// `kill -9` between the parts of a tick, a silence set while nothing runs, and a new start: every key is told of. What joins an aggregation is told of
/// once; an alert of its own is repeated only if it was under way at a kill, or done so lately that this was not journalled.
#[test]
fn a_kill_between_the_parts_of_a_tick_loses_and_repeats_nothing() {
    const APART: usize = 60;
    const KILLS: [u64; 3] = [1, 30, 60];
    let home = Home::new();
    let rule = |name: &str, more: &str| {
        let told = home.path(name);
        let rule = format!(
            "name: {name}\nindex: logs\ntype: flatline\nthreshold: 1\ntimeframe: {{seconds: 2}}\nquery_key: client\nforget_keys: true\n\
             filter: [{{term: {{kind: {name}}}}}]\nrealert: {{minutes: 0}}\n{more}\
             alert: command\ncommand: [tee, -a, {told:?}]\npipe_match_json: true\nfail_on_non_zero_exit: true\n"
        );
        home.write(&format!("rules/{name}.yaml"), &rule);
    };
    rule("apart", "");
    rule("together", "aggregation: {seconds: 2}\n");
    home.add_rule("other");
    let keys = |name: &str| -> Vec<String> {
        let told = home.matches(name);
        let keys = told.iter().filter_map(|one| one["key"].as_str());
        keys.map(str::to_owned).collect()
    };
    let (mut between, mut kills) = (0, Vec::new());
    let mut process = home.start();
    for (round, kill) in KILLS.into_iter().enumerate() {
        let (address, time) = (home.address("http"), now());
        let mut body = String::new();
        for (kind, count) in [("apart", APART), ("together", KEYS)] {
            for key in 0..count {
                writeln!(
                    body,
                    r#"{{"@timestamp":"{time}","kind":"{kind}","client":"{round}-{key}"}}"#
                )
                .unwrap();
            }
        }
        let (status, _) = post(&address, "application/x-ndjson", body.as_bytes()).unwrap();
        assert_eq!(status, 200);
        let enough = journalled(&home) + kill * A_FEW_MATCHES;
        wait_for("matches of the tick", || {
            (journalled(&home) > enough).then_some(())
        });
        process.signal("KILL");
        process.exit_within(PATIENCE).unwrap();
        kills.push(keys("apart").len());
        between += usize::from(Written::by(&home).is_between);
        // The rest of the tick is not for who only sets a silence.
        let silence = ["--silence", "hours=1", "--rule", "other.yaml"];
        let silenced = home.command().args(silence).status().unwrap();
        assert!(silenced.success());
        process = home.start();
        for (name, count) in [("apart", APART), ("together", KEYS)] {
            wait_for(&format!("all keys of {name}"), || {
                let told: BTreeSet<String> = keys(name).into_iter().collect();
                (told.len() >= count * (round + 1)).then_some(())
            });
        }
    }
    assert!(between > 0, "no kill came between the parts of a tick");
    process.signal("TERM");
    let status = process.exit_within(PATIENCE).unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(keys("together").len(), KEYS * KILLS.len());
    let mut lines = BTreeMap::new();
    for (line, key) in keys("apart").into_iter().enumerate() {
        if let Some(first) = lines.insert(key.clone(), line) {
            let is_near = |kill: &usize| kill.abs_diff(first) <= UNJOURNALLED + 2;
            assert!(
                kills.iter().any(is_near),
                "{key}: {first}, {line}, {kills:?}"
            );
        }
    }
    // As without a crash: nothing is remembered of keys that were told of, and each match has one document.
    let state = home.says("state", &["--format", "json"]);
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    let mut expected = BTreeMap::new();
    for (name, count) in [("apart", APART), ("together", KEYS)] {
        let rules = state["rules"].as_array().unwrap();
        let rule = rules.iter().find(|rule| rule["rule"] == name).unwrap();
        assert_eq!(rule["keys"], 0, "{rule}");
        expected.insert(name.to_owned(), count * KILLS.len());
    }
    let documents = Documents::open(&home.path("tripline-state"), Forwarding::Off).unwrap();
    let mut found = BTreeMap::new();
    for stored in documents.newest(Index::Alerts).unwrap() {
        let document: serde_json::Value = serde_json::from_str(&stored.unwrap().json).unwrap();
        assert_eq!(document["alert_sent"], true, "{document}");
        let rule = document["rule_name"].as_str().unwrap().to_owned();
        *found.entry(rule).or_insert(0) += 1;
    }
    assert_eq!(found, expected);
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
