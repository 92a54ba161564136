//! A rule with many keys comes back from disk: half of them out of a snapshot, half out of the journal that a crash left. Half of the events it keeps are
//! spilled. `TRIPLINE_KEYS` asks for
//! another number of keys.

use crate::process::{Home, post, wait_for};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const KEYS: usize = 50_000;
const BODY: usize = 5_000;
/// Keys that are seen for the second time after the crash.
const SAMPLED: usize = 20;

/// One event of each key.
fn send(home: &Home, keys: impl Iterator<Item = usize>, time: &str) {
    let address = home.address("http");
    let keys: Vec<usize> = keys.collect();
    for keys in keys.chunks(BODY) {
        let mut body = String::new();
        for key in keys {
            writeln!(body, r#"{{"@timestamp":"{time}","client":"c{key}"}}"#).unwrap();
        }
        wait_for("room", || {
            let (status, _) = post(&address, "application/x-ndjson", body.as_bytes()).unwrap();
            assert!(status == 200 || status == 429, "{status}");
            (status == 200).then_some(())
        });
    }
}

#[test]
fn many_keys_come_back_from_snapshot_and_journal() {
    let keys = std::env::var("TRIPLINE_KEYS").map_or(KEYS, |keys| keys.parse().unwrap());
    let home = Home::with_store("{max_kept: 8MB}");
    let alerts = home.path("alerts");
    home.write(
        "rules/twice.yaml",
        &format!(
            "name: twice\nindex: logs\ntype: frequency\nnum_events: 2\ntimeframe: {{days: 1}}\nquery_key: client\n\
             realert: {{minutes: 0}}\nalert: command\ncommand: [tee, -a, {alerts:?}]\npipe_match_json: true\n"
        ),
    );
    #[expect(clippy::disallowed_methods, reason = "events of today")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let time = tripline::event::WallTime(i64::try_from(now.as_micros()).unwrap()).to_text();

    let mut process = home.start();
    send(&home, 0..keys / 2, &time);
    process.signal("TERM");
    process.0.wait().unwrap();
    let mut process = home.start();
    send(&home, keys / 2..keys, &time);
    process.0.kill().unwrap();
    process.0.wait().unwrap();

    let begin = Instant::now();
    let _process = home.start();
    println!("{keys} keys were back after {:?}", begin.elapsed());
    let sampled = || (0..SAMPLED).map(|at| at * (keys - 1) / (SAMPLED - 1));
    // A key never seen before is no match.
    send(&home, sampled().chain([keys]), &time);
    let expected: BTreeSet<String> = sampled().map(|key| format!("c{key}")).collect();
    wait_for("an alert for each key seen twice", || {
        let alerted = BTreeSet::from_iter(home.alerted());
        (alerted.len() >= expected.len()).then_some(())
    });
    assert_eq!(BTreeSet::from_iter(home.alerted()), expected);
    assert_eq!(home.alerted().len(), SAMPLED);
    // Those that matched begin anew; the one never seen before has come.
    wait_for("the keys to be counted", || {
        let held = home.metric("tripline_rule_keys{rule_name=\"twice\"}");
        #[expect(clippy::cast_precision_loss, reason = "far from it")]
        let expected = (keys - SAMPLED + 1) as f64;
        ((held - expected).abs() < 0.5).then_some(())
    });
}
