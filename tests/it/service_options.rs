//! Options and flags of the service that no other test is about, one by one.

use crate::process::{Home, PATIENCE, Process, wait_for};
use serde_json::{Value, json};
use std::net::UdpSocket;
use std::process::Stdio;
use std::time::Duration;
use tripline::engine::Index;
use tripline::store::documents::{Documents, Forwarding};

/// A home whose configuration has these options too, with a rule over all events.
fn home(options: &str) -> Home {
    let home = Home::new();
    let config = std::fs::read_to_string(home.path("config.yml")).unwrap();
    home.write("config.yml", &format!("{config}{options}"));
    let alerts = home.path("alerts");
    home.write(
        "rules/every.yaml",
        &format!(
            "name: every\nindex: logs\ntype: any\nrealert: {{minutes: 0}}\nowner: ops\npriority: 1\n\
             alert: command\ncommand: [tee, -a, {alerts:?}]\npipe_match_json: true\n",
        ),
    );
    home
}

fn stop(mut process: Process) {
    process.signal("TERM");
    assert_eq!(process.exit_within(PATIENCE).unwrap().code(), Some(0));
}

/// The newest document of an index, after the program has ended.
fn document(home: &Home, index: Index) -> Value {
    let documents = Documents::open(&home.path("tripline-state"), Forwarding::Off).unwrap();
    let newest = documents.newest(index).unwrap().next().unwrap().unwrap();
    serde_json::from_str(&newest.json).unwrap()
}

#[test]
fn statsd_gets_the_gauges_of_every_rule() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let host = server.local_addr().unwrap();
    let home = home(&format!(
        "statsd_host: \"{host}\"\nstatsd_instance_tag: blue\n"
    ));
    let _process = home.start();
    assert_eq!(home.post("any", "a", 1), 200);
    let mut wanted = vec!["query.hits", "query.matches", "query.alerts_sent"];
    while !wanted.is_empty() {
        let mut packet = [0; 512];
        let length = server.recv(&mut packet).unwrap();
        let text = std::str::from_utf8(&packet[..length]).unwrap();
        assert!(
            text.ends_with("|g|#elastalert_instance:blue,rule_name:every"),
            "{text}"
        );
        wanted.retain(|name| !text.starts_with(&format!("{name}:1|")));
    }
}

#[test]
fn disabled_rules_are_listed_unless_that_is_not_wanted() {
    for (options, listed) in [("", true), ("show_disabled_rules: false\n", false)] {
        let home = home(options);
        home.write(
            "rules/idle.yaml",
            "name: idle\nis_enabled: false\nindex: logs\ntype: any\nalert: debug\n",
        );
        stop(home.start());
        let line = "Disabled rules are: [\"idle\"]";
        assert_eq!(home.logged().contains(line), listed, "{}", home.logged());
    }
}

#[test]
fn a_rule_that_cannot_be_loaded_is_skipped_whatever_skip_invalid_says() {
    for options in ["", "skip_invalid: true\n", "skip_invalid: false\n"] {
        let home = home(options);
        home.write(
            "rules/bad.yaml",
            "name: bad\nindex: logs\ntype: nonsense\nalert: debug\n",
        );
        let process = home.start();
        home.post("any", "a", 1);
        home.wait_for_alert("a");
        stop(process);
        assert!(home.logged().contains("there is no rule type `nonsense`"));
    }
}

#[test]
fn documents_have_metadata_and_names_without_dots_when_that_is_wanted() {
    let home = home("add_metadata_alert: true\nreplace_dots_in_field_names: true\n");
    let process = home.start();
    let event = json!({"@timestamp": "2018-04-06T05:07:14Z", "client": "a", "user.name": "b", "geo": {"a.b": 1}});
    let address = home.address("http");
    let (status, _) =
        crate::process::post(&address, crate::process::JSON, event.to_string().as_bytes()).unwrap();
    assert_eq!(status, 200);
    home.wait_for_alert("a");
    stop(process);
    let document = document(&home, Index::Alerts);
    assert_eq!(document["owner"], "ops");
    assert_eq!(document["priority"], 1);
    assert_eq!(document["category"], "");
    assert_eq!(document["description"], "");
    let matched = &document["match_body"];
    assert_eq!(matched["user_name"], "b");
    assert_eq!(matched["geo"], json!({"a_b": 1}));
    // Counted in the current interval, which this event may share with none.
    assert_eq!(matched["num_hits"], 1);
    assert_eq!(matched["num_matches"], 1);
}

#[test]
fn debug_prints_alerts_and_keeps_nothing() {
    let home = home("");
    let mut command = home.command();
    let printed = std::fs::File::create(home.path("printed")).unwrap();
    let process = Process(
        command
            .arg("--debug")
            .stdout(Stdio::from(printed))
            .spawn()
            .unwrap(),
    );
    home.ready();
    assert_eq!(home.post("any", "a", 1), 200);
    let printed = wait_for("the alert", || {
        let printed = std::fs::read_to_string(home.path("printed")).unwrap();
        printed.contains("client: a").then_some(printed)
    });
    assert!(
        printed.starts_with("Alert for every at 2018-04-06T05:07:14Z:\n"),
        "{printed}"
    );
    wait_for("the document", || {
        home.logged()
            .contains("Skipping writing to ES: ")
            .then_some(())
    });
    stop(process);
    assert!(home.alerts().is_empty(), "the rule's own alerter was used");
    assert!(!home.path("tripline-state/journal").exists());
}

#[test]
fn start_and_end_bound_the_events() {
    let home = home("");
    let mut command = home.command();
    command
        .args([
            "--start",
            "2018-04-06T05:07:10Z",
            "--end",
            "2018-04-06T05:07:20Z",
        ])
        .args(["--stdin"])
        .stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines: String = ["05:07:09", "05:07:10", "05:07:20", "05:07:21"]
        .iter()
        .map(|time| format!("{{\"@timestamp\":\"2018-04-06T{time}Z\",\"client\":\"{time}\"}}\n"))
        .collect();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, lines.as_bytes()).unwrap();
    drop(stdin);
    let process = Process(child);
    for client in ["05:07:10", "05:07:20"] {
        home.wait_for_alert(client);
    }
    stop(process);
    let mut alerted = home.alerted();
    alerted.sort();
    assert_eq!(alerted, ["05:07:10", "05:07:20"]);
}

#[test]
fn the_wait_between_attempts_is_configured() {
    let home = home("retry: {first: {milliseconds: 100}, longest: {milliseconds: 200}}\n");
    home.write(
        "rules/every.yaml",
        "name: every\nindex: logs\ntype: any\nalert: command\ncommand: [\"false\"]\nfail_on_non_zero_exit: true\n",
    );
    let _process = home.start();
    home.post("any", "a", 1);
    let failed = "tripline_deliveries_total{alerter=\"command\",outcome=\"failed\"}";
    // With the default it would be the sixth after two and a half minutes.
    let attempts = crate::process::within(Duration::from_secs(30), || {
        (home.metric(failed) >= 6.0).then_some(())
    });
    assert!(attempts.is_some(), "{} attempts", home.metric(failed));
}
