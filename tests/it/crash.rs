//! `kill -9` at random points under load: nothing acknowledged is lost, and nothing is alerted twice but what was under way.

use crate::process::{Home, JSON, PATIENCE, post, wait_for};
use crate::support::dice::Dice;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tripline::alerter::sending::UNJOURNALLED;
use tripline::engine::Index;
use tripline::store::documents::{Documents, Forwarding};

const KILLS: u32 = 32;
const CLIENTS: u64 = 3;
/// Alerts of one rule that may be repeated: those that were sent and not journalled, one under way, and one whose program outlives us.
const UNDER_WAY: usize = UNJOURNALLED + 2;

/// Rule, and what it is made of beside `name`, `index`, filter and alerter. Events say by `kind` which rule they are for.
const RULES: [(&str, &str); 14] = [
    ("every", "type: any\nrealert: {minutes: 0}\n"),
    (
        "red",
        "type: blacklist\ncompare_key: colour\nblacklist: [red]\nquery_key: client\nrealert: {minutes: 0}\n",
    ),
    ("once", "type: any\nquery_key: client\nrealert: {days: 1}\n"),
    (
        "together",
        "type: any\naggregation: {seconds: 1}\naggregation_key: client\nrealert: {minutes: 0}\n",
    ),
    (
        "burst",
        "type: frequency\nnum_events: 3\ntimeframe: {hours: 1}\nquery_key: burst\nattach_related: true\nrealert: {minutes: 0}\n",
    ),
    (
        "green",
        "type: whitelist\ncompare_key: colour\nwhitelist: [red]\nignore_null: true\nrealert: {minutes: 0}\n",
    ),
    (
        "changed",
        "type: change\nquery_key: burst\ncompare_key: number\nignore_null: true\nrealert: {minutes: 0}\n",
    ),
    (
        "new",
        "type: new_term\nfields: burst\nrealert: {minutes: 0}\n",
    ),
    (
        "different",
        "type: cardinality\ncardinality_field: number\nmax_cardinality: 2\ntimeframe: {hours: 1}\nquery_key: burst\nrealert: {minutes: 0}\n",
    ),
    (
        "counted",
        "type: metric_aggregation\nmetric_agg_key: number\nmetric_agg_type: value_count\nmax_threshold: 2\nquery_key: burst\n\
         terms_size: 1000000\nrealert: {days: 1}\n",
    ),
    (
        "quiet",
        "type: flatline\nthreshold: 1\ntimeframe: {seconds: 1}\nquery_key: client\nrealert: {days: 1}\n",
    ),
    (
        "spiked",
        "type: spike\nspike_height: 1\nspike_type: both\ntimeframe: {seconds: 1}\nquery_key: client\nrealert: {days: 1}\n",
    ),
    (
        "part",
        "type: percentage_match\nmatch_bucket_filter: [{term: {colour: red}}]\nmax_percentage: 0\nbuffer_time: {seconds: 1}\n\
         query_key: client\nrealert: {days: 1}\n",
    ),
    (
        "rising",
        "type: spike_aggregation\nmetric_agg_key: number\nmetric_agg_type: max\nspike_height: 1\nspike_type: up\n\
         timeframe: {seconds: 1}\nbuffer_time: {seconds: 1}\nquery_key: client\nrealert: {days: 1}\n",
    ),
];
/// Rules that want three events of a kind.
const OF_THREE: [&str; 5] = ["burst", "changed", "new", "different", "counted"];
/// Rules that judge time as it passes: what they find depends on when the program is killed. They alert once a client at most.
const OF_TIME: [&str; 4] = ["quiet", "spiked", "part", "rising"];

impl Dice {
    /// Goes on at a random moment.
    fn pause(&mut self, longest: Duration) {
        let nanoseconds = self.below(u64::try_from(longest.as_nanos()).unwrap());
        std::thread::park_timeout(Duration::from_nanos(nanoseconds));
    }
}

/// Sends bodies until told to stop, each until it is acknowledged. The events sent.
fn client(home: &Home, mut dice: Dice, numbers: &AtomicU64, stop: &AtomicBool) -> Vec<Value> {
    let mut acknowledged = Vec::new();
    let mut rest_of_bursts = VecDeque::new();
    loop {
        let time = time_of_day();
        let stopping = stop.load(Ordering::Relaxed);
        let mut events = Vec::new();
        for _ in 0..=dice.below(6) {
            let event = event(numbers.fetch_add(1, Ordering::Relaxed), &time, &mut dice);
            if OF_THREE.iter().any(|kind| event["kind"] == *kind) {
                // Kills come between them.
                rest_of_bursts.extend([event.clone(), event.clone()]);
            }
            events.push(event);
        }
        while stopping || dice.below(2) == 0 {
            let Some(mut event) = rest_of_bursts.pop_front() else {
                break;
            };
            event["number"] = numbers.fetch_add(1, Ordering::Relaxed).into();
            events.push(event);
        }
        let body = serde_json::to_vec(&events).unwrap();
        let answer = wait_for("an acknowledgement", || acknowledgement(home, &body));
        assert_eq!(answer["rejected"], json!([]));
        acknowledged.extend(events);
        if stopping {
            return acknowledged;
        }
        dice.pause(Duration::from_millis(20));
    }
}

/// The answer to a body; `None` when the process is gone or not ready, so that the client has to send the same body again.
fn acknowledgement(home: &Home, body: &[u8]) -> Option<Value> {
    let ready: Value = serde_json::from_slice(&std::fs::read(home.path("ready")).ok()?).ok()?;
    let (status, answer) = post(ready["inputs"]["http"].as_str()?, JSON, body).ok()?;
    assert!([200, 429, 503].contains(&status), "{status} {answer}");
    (status == 200).then_some(answer)
}

fn event(number: u64, time: &str, dice: &mut Dice) -> Value {
    let kinds = RULES.map(|(name, _)| name);
    let kind = match dice.below(8) {
        0 => "noise",
        _ => dice.pick(&kinds),
    };
    json!({
        "@timestamp": time,
        "kind": kind,
        "number": number,
        "client": format!("192.0.2.{}", dice.below(20)),
        "colour": if dice.below(4) > 0 { "red" } else { "green" },
        "burst": number,
    })
}

/// The time of day as events have it: windows must not take them for late.
fn time_of_day() -> String {
    #[expect(clippy::disallowed_methods, reason = "events of today")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    tripline::event::WallTime(i64::try_from(now.as_micros()).unwrap()).to_text()
}

#[test]
fn a_killed_process_loses_nothing_and_repeats_only_what_was_under_way() {
    let seed = std::env::var("TRIPLINE_TEST_SEED").map_or_else(
        |_| RandomState::new().build_hasher().finish(),
        |seed| seed.parse().unwrap(),
    );
    println!("TRIPLINE_TEST_SEED={seed}");
    let mut dice = Dice(seed);
    // Most of the events that rules keep are spilled.
    let home = Home::with_store("{max_kept: 2kB}");
    for (name, options) in RULES {
        home.write(
            &format!("rules/{name}.yaml"),
            &format!(
                "name: {name}\nindex: logs\nfilter: [{{term: {{kind: {name}}}}}]\n{options}\
                 alert: command\ncommand: [tee, -a, {:?}]\npipe_match_json: true\nfail_on_non_zero_exit: true\n",
                home.path(name)
            ),
        );
    }
    let (numbers, stop) = (AtomicU64::new(1), AtomicBool::new(false));
    // Per kill, how many lines each rule's file had: one an alert.
    let mut kills: Vec<BTreeMap<&str, usize>> = Vec::new();
    let (acknowledged, mut process) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let dice = Dice(dice.below(u64::MAX));
                scope.spawn(|| client(&home, dice, &numbers, &stop))
            })
            .collect();
        for _ in 0..KILLS {
            let mut process = home.spawn();
            // Some are killed while they start.
            if dice.below(5) > 0 {
                home.ready();
            }
            dice.pause(Duration::from_millis(400));
            // Some while they stop, and write all they remember into a snapshot.
            if dice.below(5) == 0 {
                process.signal("TERM");
                dice.pause(Duration::from_millis(60));
            }
            process.0.kill().unwrap();
            process.0.wait().unwrap();
            kills.push(
                RULES
                    .map(|(name, _)| (name, alerts(&home, name).len()))
                    .into(),
            );
        }
        let process = home.start();
        for rule in OF_TIME {
            let alerted = || (!alerted(&home, rule).is_empty()).then_some(());
            wait_for(&format!("an alert of {rule}"), alerted);
        }
        stop.store(true, Ordering::Relaxed);
        let acknowledged: Vec<Value> = clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect();
        (acknowledged, process)
    });

    let expected = expected(&acknowledged);
    for (rule, keys) in &expected {
        println!("{rule}: {} to be alerted", keys.len());
        wait_for(&format!("all alerts of {rule}"), || {
            let alerted = BTreeSet::from_iter(alerted(&home, rule));
            (alerted.len() >= keys.len()).then_some(())
        });
    }
    process.signal("TERM");
    assert_eq!(process.exit_within(PATIENCE).unwrap().code(), Some(0));

    let documents = documents(&home);
    for (rule, keys) in &expected {
        let alerted = alerted(&home, rule);
        assert_eq!(&BTreeSet::from_iter(alerted.clone()), keys, "{rule}");
        let lines: Vec<usize> = kills.iter().map(|lines| lines[rule]).collect();
        check_repeats(rule, &alerts(&home, rule), &lines);
        let of_rule = documents.iter().filter(|one| one["rule_name"] == **rule);
        let mut documented = Vec::new();
        for document in of_rule {
            assert_eq!(document["alert_sent"], true, "{document}");
            if **rule == *"burst" {
                let related = document["match_body"]["related_events"].as_array();
                assert_eq!(related.map(Vec::len), Some(2), "{document}");
            }
            documented.push(key(rule, &document["match_body"]));
        }
        assert_eq!(
            documented.len(),
            keys.len(),
            "{rule}: one document per match"
        );
        assert_eq!(&BTreeSet::from_iter(documented), keys, "{rule}");
    }
    for rule in OF_TIME {
        let lines: Vec<usize> = kills.iter().map(|lines| lines[rule]).collect();
        check_repeats(rule, &alerts(&home, rule), &lines);
        let alerted = BTreeSet::from_iter(alerted(&home, rule));
        let of_rule = documents.iter().filter(|one| one["rule_name"] == *rule);
        let mut documented = BTreeSet::new();
        for document in of_rule {
            let key = key(rule, &document["match_body"]);
            assert!(
                document["alert_sent"] == false || alerted.contains(&key),
                "{document}"
            );
            assert!(documented.insert(key), "{rule}: twice: {document}");
        }
        assert!(
            alerted.is_subset(&documented),
            "{rule}: {alerted:?} {documented:?}"
        );
        println!("{rule}: {} alerted", alerted.len());
    }
}

/// An alert may be sent again only when a kill came between, and only if it was among the last ones before it: under way, or so
/// lately done that this was not journalled yet.
fn check_repeats(rule: &str, alerts: &[Vec<String>], kills: &[usize]) {
    let near = |line: usize, kill: usize| line.abs_diff(kill) <= UNDER_WAY;
    let mut last = BTreeMap::new();
    let keys = alerts.iter().enumerate();
    for (line, key) in keys.flat_map(|(line, keys)| keys.iter().map(move |key| (line, key))) {
        if let Some(before) = last.insert(key, line) {
            assert!(
                kills
                    .iter()
                    .any(|&kill| near(before, kill) && near(line, kill)),
                "{rule}: {key} was alerted in lines {before} and {line}, kills came at {kills:?}"
            );
        }
    }
}

/// What of a match must be alerted exactly once.
fn key(rule: &str, matched: &Value) -> String {
    match rule {
        "once" => matched["client"].to_string(),
        "burst" | "new" | "different" | "counted" => matched["burst"].to_string(),
        // Its matches need no event.
        "quiet" => matched["key"].to_string(),
        "spiked" | "part" | "rising" => matched["client"].to_string(),
        _ => matched["number"].to_string(),
    }
}

/// What each alert of a rule told of, in order.
fn alerts(home: &Home, rule: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(home.path(rule)).unwrap_or_default();
    serde_json::Deserializer::from_str(&text)
        .into_iter::<Vec<Value>>()
        // The last line may be half written.
        .map_while(Result::ok)
        .map(|matches| matches.iter().map(|matched| key(rule, matched)).collect())
        .collect()
}

/// What a rule has alerted, in order.
fn alerted(home: &Home, rule: &str) -> Vec<String> {
    alerts(home, rule).concat()
}

/// Per rule what must have been alerted, by the rules' meaning.
fn expected(events: &[Value]) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut expected = BTreeMap::new();
    let rules = RULES.map(|(rule, _)| rule).into_iter();
    for rule in rules.filter(|rule| !OF_TIME.contains(rule)) {
        let of_rule = events.iter().filter(|event| event["kind"] == rule);
        let matching = of_rule.filter(|event| match rule {
            "red" => event["colour"] == "red",
            "green" => event["colour"] != "red",
            "changed" => event["number"] != event["burst"],
            _ => true,
        });
        expected.insert(rule, matching.map(|event| key(rule, event)).collect());
    }
    expected
}

fn documents(home: &Home) -> Vec<Value> {
    let documents = Documents::open(&home.path("tripline-state"), Forwarding::Off).unwrap();
    let alerts = documents.newest(Index::Alerts).unwrap();
    alerts
        .map(|stored| serde_json::from_str(&stored.unwrap().json).unwrap())
        .collect()
}

/// A crash tore the journal, and before the next start a command that knows no rules uses the store.
#[test]
fn what_rules_remember_outlives_a_torn_journal_and_a_command_at_rest() {
    let home = Home::new();
    home.add_rule("other");
    let alerts = home.path("alerts");
    home.write(
        "rules/third.yaml",
        &format!(
            "name: third\nindex: logs\ntype: frequency\nnum_events: 3\ntimeframe: {{days: 100000}}\nquery_key: client\n\
             filter: [{{term: {{kind: third}}}}]\nalert: command\ncommand: [tee, -a, {alerts:?}]\npipe_match_json: true\n"
        ),
    );
    let mut process = home.start();
    for number in 0..2 {
        assert_eq!(home.post("third", "a", number), 200);
    }
    process.signal("KILL");
    process.exit_within(PATIENCE).unwrap();
    let store = std::fs::read_dir(home.path("tripline-state")).unwrap();
    let files = store.map(|entry| entry.unwrap().path());
    let is_journal = |path: &std::path::PathBuf| path.to_string_lossy().contains("journal-");
    let journal = files.filter(is_journal).max().unwrap();
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes.extend([9, 0, 0, 0, 1]);
    std::fs::write(&journal, bytes).unwrap();
    let silence = ["--silence", "hours=1", "--rule", "other.yaml"];
    let silenced = home.command().args(silence).status().unwrap();
    assert!(silenced.success());
    assert!(home.logged().contains("a commit was cut short"));
    let _process = home.start();
    assert_eq!(home.post("third", "a", 2), 200);
    home.wait_for_alert("a");
}
