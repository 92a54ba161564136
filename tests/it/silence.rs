//! `--silence`: an operator's silence, with the service running and at rest.

use crate::process::{Home, PATIENCE};
use std::process::Output;
use std::time::Duration;
use tripline::store::documents::{Documents, Forwarding};

fn silence(home: &Home, arguments: &[&str]) -> Output {
    let mut command = home.command();
    command
        .args(arguments)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    command.output().unwrap()
}

#[track_caller]
fn silenced(home: &Home, arguments: &[&str]) {
    let output = silence(home, arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("Success. probe will be silenced until 20"),
        "{said}"
    );
}

/// Sends an event and says whether its match was held back; the service answers when that is decided.
#[track_caller]
fn is_held_back(home: &Home, client: &str, number: usize) -> bool {
    let name = r#"tripline_rule_matches_silenced_total{rule_name="probe"}"#;
    let before = home.metric(name);
    assert_eq!(home.post("probe", client, number), 200);
    home.metric(name) > before
}

fn home() -> Home {
    let home = Home::new();
    home.add_rule("probe");
    home
}

#[test]
fn the_running_service_is_silenced_and_remembers() {
    let home = home();
    let mut process = home.start();
    assert!(!is_held_back(&home, "192.0.2.1", 1));
    silenced(&home, &["--silence", "hours=2", "--rule", "probe.yaml"]);
    assert!(is_held_back(&home, "192.0.2.2", 2));
    process.signal("KILL");
    process.exit_within(PATIENCE).unwrap();
    let mut process = home.start();
    assert!(is_held_back(&home, "192.0.2.3", 3));
    process.signal("TERM");
    process.exit_within(PATIENCE).unwrap();
    let _process = home.start();
    assert!(is_held_back(&home, "192.0.2.4", 4));
    assert_eq!(home.alerted(), ["192.0.2.1"]);
}

#[test]
fn a_service_at_rest_is_silenced_for_its_next_start() {
    let home = home();
    silenced(&home, &["--silence", "minutes=5", "--rule", "probe.yaml"]);
    let _process = home.start();
    assert!(is_held_back(&home, "192.0.2.1", 1));
}

#[test]
fn one_value_of_query_key_is_silenced_alone() {
    let home = home();
    let only = [
        "--silence",
        "days=1",
        "--rule",
        "probe.yaml",
        "--silence_qk_value",
    ];
    silenced(&home, &[&only[..], &["192.0.2.1"]].concat());
    let process = home.start();
    silenced(&home, &[&only[..], &["192.0.2.2"]].concat());
    assert!(is_held_back(&home, "192.0.2.1", 1));
    assert!(is_held_back(&home, "192.0.2.2", 2));
    assert!(!is_held_back(&home, "192.0.2.3", 3));
    drop(process);
    let _process = home.start();
    assert!(is_held_back(&home, "192.0.2.1", 4));
    assert!(is_held_back(&home, "192.0.2.2", 5));
}

#[test]
fn what_cannot_be_done_is_said_and_nothing_is_silenced() {
    let home = home();
    let _process = home.start();
    for (arguments, expected) in [
        (
            &["--silence", "hours", "--rule", "probe.yaml"][..],
            "such as hours=2",
        ),
        (
            &["--silence", "fortnights=1", "--rule", "probe.yaml"],
            "units: weeks, days, hours, minutes, seconds",
        ),
        (
            &["--silence", "hours=many", "--rule", "probe.yaml"],
            "\"many\" is no number",
        ),
        (
            &["--silence", "hours=-1", "--rule", "probe.yaml"],
            "no possible duration",
        ),
        (&["--silence", "hours=1"], "--rule"),
        (
            &["--silence", "hours=1", "--rule", "absent.yaml"],
            "absent.yaml",
        ),
        (
            &["--silence", "hours=1", "--rule", "probe.yaml", "--debug"],
            "--debug",
        ),
    ] {
        let output = silence(&home, arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    assert!(!is_held_back(&home, "192.0.2.1", 1));
}

/// Runs `tripline silence`.
fn called(home: &Home, arguments: &[&str]) -> Output {
    home.tool("silence", arguments).output().unwrap()
}

/// What `tripline silence` says.
#[track_caller]
fn command(home: &Home, arguments: &[&str]) -> String {
    home.says("silence", arguments)
}

/// Sets, lists and ends silences, as it is to go with the service running and at rest.
#[track_caller]
fn goes_through_silences(home: &Home) {
    assert_eq!(command(home, &["list", "--json"]), "[]\n");
    let said = command(
        home,
        &["add", "probe", "hours=2", "--comment", "upgrade\nof it"],
    );
    assert!(
        said.starts_with("probe._silence is silenced until 20"),
        "{said}"
    );
    command(home, &["add", "probe.yaml", "days=1", "--key", "192.0.2.1"]);
    let listed = command(home, &["list"]);
    let rows: Vec<_> = listed.lines().collect();
    assert_eq!(rows.len(), 3, "{listed}");
    assert!(rows[0].starts_with("KEY"), "{listed}");
    assert!(rows[1].starts_with("probe.192.0.2.1  20"), "{listed}");
    assert!(rows[2].starts_with("probe._silence   20"), "{listed}");

    let listed: serde_json::Value =
        serde_json::from_str(&command(home, &["list", "--json"])).unwrap();
    assert_eq!(listed[0]["key"], "probe.192.0.2.1");
    assert_eq!(listed[0]["comment"], serde_json::Value::Null);
    assert_eq!(listed[1]["key"], "probe._silence");

    assert_eq!(
        command(home, &["expire", "probe._silence"]),
        "probe._silence is no longer silenced\n"
    );
    let listed = command(home, &["list"]);
    assert!(!listed.contains("probe._silence"), "{listed}");
    let again = called(home, &["expire", "probe._silence"]);
    assert_eq!(again.status.code(), Some(1));
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("no silence is in force"), "{said}");
}

#[test]
fn silences_of_the_running_service_are_listed_and_ended() {
    let home = home();
    let _process = home.start();
    goes_through_silences(&home);
    assert!(is_held_back(&home, "192.0.2.1", 1));
    assert!(!is_held_back(&home, "192.0.2.2", 2));
}

#[test]
fn silences_at_rest_are_listed_and_ended() {
    let home = home();
    goes_through_silences(&home);
    // What tools find that read the documents: of the two the one that goes on for a day, and one that is over.
    let documents = Documents::open(&home.path("tripline-state"), Forwarding::Off).unwrap();
    let silences = documents.silences().unwrap();
    drop(documents);
    let [(one, until), (over, ended)] = [0, 1].map(|at| (&*silences[at].key, silences[at].until));
    assert_eq!((one, over), ("probe.192.0.2.1", "probe._silence"));
    assert!(until.since(ended) > Duration::from_secs(23 * 3600));
    let _process = home.start();
    assert!(is_held_back(&home, "192.0.2.1", 1));
    assert!(!is_held_back(&home, "192.0.2.2", 2));
}

#[test]
fn a_store_with_a_path_too_long_for_a_socket_is_no_hindrance() {
    let home = home();
    let long = "x".repeat(120);
    let configuration = std::fs::read_to_string(home.path("config.yml")).unwrap();
    home.write(
        "config.yml",
        &format!("{configuration}store: {{path: {long}}}\n"),
    );
    let _process = home.start();
    assert!(!is_held_back(&home, "192.0.2.1", 1));
    assert!(home.logged().contains("`tripline silence` cannot reach"));
    // The store is in use, and the one who uses it cannot be asked.
    let output = called(&home, &["list"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("uses the store"), "{said}");
}
