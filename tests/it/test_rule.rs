//! `tripline test-rule`, called as `elastalert-test-rule`: over files, pipes and an index of a real server.

use crate::support::http::{block_on, request};
use crate::support::server::{opensearch, unique};
use serde_json::{Value, json};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const RULE: &str = "name: ratings\ntype: blacklist\nindex: waf\ncompare_key: rating\nblacklist: [\"4\", \"5\"]\nfilter: []\n\
                    timestamp_field: time\nquery_key: client\nrealert: {minutes: 5}\nalert: debug\n";

const EVENTS: [&str; 4] = [
    r#"{"time":"2018-04-06T05:00:00Z","rating":"5","client":"a"}"#,
    r#"{"time":"2018-04-06T05:06:00Z","rating":"4","client":"a"}"#,
    r#"{"time":"2018-04-06T05:01:00Z","rating":"5","client":"a"}"#,
    r#"{"time":"2018-04-06T05:01:00Z","rating":"1","client":"b"}"#,
];

/// What a run of [`RULE`] over [`EVENTS`] tells of alerts.
const TOLD: [&str; 3] = [
    "INFO:elastalert:Alert for ratings, a at 2018-04-06T05:00:00Z:",
    "INFO:elastalert:Ignoring match for silenced rule ratings.a",
    "INFO:elastalert:Alert for ratings, a at 2018-04-06T05:06:00Z:",
];

/// A folder with a rule in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(rule: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("rule.yaml", rule.as_bytes());
        folder
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Runs the program over the rule, in the folder.
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tripline"))
            .arg0("elastalert-test-rule")
            .arg("rule.yaml")
            .args(arguments)
            .current_dir(self.0.path())
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    }
}

fn lines(bytes: &[u8]) -> Vec<&str> {
    std::str::from_utf8(bytes).unwrap().lines().collect()
}

/// The lines about alerts and matches.
fn told(output: &Output) -> Vec<&str> {
    let wanted = |line: &&str| line.contains("Alert for") || line.contains("Ignoring");
    lines(&output.stderr).into_iter().filter(wanted).collect()
}

#[test]
fn data_comes_from_a_pipe() {
    let output = Folder::new(RULE).run(&["--data", "-"], &EVENTS.join("\n"));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(told(&output), TOLD);
    let kinds: Vec<&str> = lines(&output.stdout)
        .into_iter()
        .filter_map(|line| Some(line.split_once(" - {")?.0))
        .collect();
    assert_eq!(kinds, ["silence", "silence", "elastalert_status"]);
}

#[test]
fn data_may_be_compressed() {
    let text = EVENTS.join("\n");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let folder = Folder::new(RULE);
    folder.write("events.gz", &gzip.finish().unwrap());
    folder.write("events.zst", &zstd::encode_all(text.as_bytes(), 1).unwrap());
    for file in ["events.gz", "events.zst"] {
        let output = folder.run(&["--data", file], "");
        assert_eq!(told(&output), TOLD, "{file}");
    }
}

#[test]
fn data_can_be_taken_as_it_arrived() {
    let output = Folder::new(RULE).run(&["--data", "-", "--as-arrived"], &EVENTS.join("\n"));
    // The third event comes after the second: it is silenced by that one's alert.
    assert_eq!(told(&output), [TOLD[0], TOLD[2], TOLD[1]]);
}

#[test]
fn a_bad_rule_is_shown_with_its_place() {
    let folder = Folder::new(&RULE.replace("realert: {minutes: 5}", "realert: 5m"));
    for arguments in [&["--schema-only"][..], &["--data", "-"]] {
        let output = folder.run(arguments, "");
        assert_eq!(output.status.code(), Some(1));
        let errors = lines(&output.stderr);
        assert!(
            errors
                .iter()
                .any(|line| line.trim_start().starts_with("--> rule.yaml:9:")),
            "{errors:#?}"
        );
        assert!(errors.iter().any(|line| line.contains("^^")), "{errors:#?}");
    }
}

#[test]
fn broken_documents_are_named() {
    let input = format!("{}\nbroken\n{}", EVENTS[0], EVENTS[1]);
    let folder = Folder::new(RULE);
    let output = folder.run(&["--data", "-"], &input);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        lines(&output.stderr)
            .iter()
            .any(|line| line.starts_with("document 2 is left out"))
    );
    assert_eq!(told(&output), [TOLD[0], TOLD[2]]);
    let output = folder.run(&["--data", "-", "--stop-error"], &input);
    assert_eq!(output.status.code(), Some(4));
    assert!(told(&output).is_empty());
}

#[test]
fn a_rule_that_is_switched_off_can_be_tried() {
    let folder = Folder::new(&format!("{RULE}is_enabled: false\n"));
    let output = folder.run(&["--data", "-"], &EVENTS.join("\n"));
    assert_eq!(told(&output), TOLD);
}

#[test]
fn a_time_far_away_does_not_take_for_ever() {
    let far = r#"{"time":"9998-04-06T05:00:00Z","rating":"5","client":"a"}"#;
    let output = Folder::new(RULE).run(&["--data", "-"], &format!("{}\n{far}", EVENTS[0]));
    assert_eq!(told(&output).len(), 2);
}

#[test]
fn waiting_matches_are_shown_in_the_end() {
    let folder = Folder::new(&RULE.replace(
        "realert: {minutes: 5}",
        "realert: {minutes: 0}\naggregation: {hours: 1}",
    ));
    let output = folder.run(&["--data", "-"], &EVENTS.join("\n"));
    let heads = told(&output);
    assert_eq!(heads.len(), 3, "{heads:#?}");
}

/// Fifty events a minute apart, every tenth of rating 5, in an index of the shared server.
fn fill(url: &str) -> String {
    let index = unique("test-rule");
    let address = format!("{url}/{index}");
    for number in 0..50 {
        let document = json!({
            "time": format!("2018-04-06T05:{number:02}:00Z"),
            "rating": if number % 10 == 0 { "5" } else { "1" },
            "client": "a",
            "geoip": {"country": "JP"},
        });
        let refresh = if number == 49 { "?refresh=true" } else { "" };
        let url = format!("{address}/_doc/{number:02}{refresh}");
        let (status, answer) = block_on(request("PUT", &url, Some(document)));
        assert_eq!(status, 201, "{answer}");
    }
    index
}

#[test]
fn the_rules_index_is_read_once() {
    let Some(url) = opensearch() else {
        return;
    };
    let index = fill(url);
    let folder = Folder::new(&RULE.replace("index: waf", &format!("index: {index}")));
    let (host, port) = url.trim_start_matches("http://").split_once(':').unwrap();
    let port = port.trim_end_matches('/');
    folder.write(
        "config.yaml",
        format!("es_host: {host}\nes_port: {port}\n").as_bytes(),
    );
    let range = ["--day", "13", "--end", "2018-04-07T00:00:00Z"];

    // Small pages, so that there are several.
    let output = folder.run(&[&range[..], &["--max_query_size", "7"]].concat(), "");
    let errors = lines(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors:#?}");
    let block = [
        "Got 50 hits from the last 13 days",
        "",
        "Available terms in first hit:",
        "\ttime",
        "\trating",
        "\tclient",
        "\tgeoip.country",
        "",
        "",
        "Would have written the following documents to writeback index (default is elastalert_status):",
    ];
    assert_eq!(lines(&output.stdout)[..10], block);
    let alerts: Vec<String> = (0..5)
        .map(|ten| format!("INFO:elastalert:Alert for ratings, a at 2018-04-06T05:{ten}0:00Z:"))
        .collect();
    assert_eq!(told(&output), alerts);
    let queried = "INFO:elastalert:Queried rule ratings from 2018-03-25 00:00 UTC to 2018-04-07 00:00 UTC: 50 / 50 hits";
    assert!(errors.contains(&queried), "{errors:#?}");
    assert!(
        errors.contains(&&*format!("_index: {index}")),
        "{errors:#?}"
    );

    let output = folder.run(&[&range[..], &["--count-only"]].concat(), "");
    assert_eq!(lines(&output.stdout), block[..8]);

    let output = folder.run(
        &[
            &range[..],
            &[
                "--save-json",
                "saved.json",
                "--use-downloaded",
                "--formatted-output",
            ],
        ]
        .concat(),
        "",
    );
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed["hits"], 50);
    assert_eq!(printed["results"].as_array().unwrap().len(), 50);
    assert_eq!(printed["writeback"]["elastalert_status"]["matches"], 5);
    assert_eq!(told(&output), alerts);
    let saved = std::fs::read(folder.0.path().join("saved.json")).unwrap();
    let saved: Vec<Value> = serde_json::from_slice(&saved).unwrap();
    assert_eq!((saved.len(), &saved[49]["_id"]), (50, &json!("49")));
}

#[test]
fn a_server_that_is_not_there_is_a_failed_search() {
    let port = crate::support::server::free_port();
    let folder = Folder::new(&format!("{RULE}es_host: 127.0.0.1\nes_port: {port}\n"));
    let output = folder.run(&[], "");
    assert_eq!(output.status.code(), Some(0));
    assert!(lines(&output.stderr).contains(&"Error running your filter:"));
    assert!(
        lines(&output.stdout)
            .iter()
            .any(|line| line.starts_with("elastalert_error - {"))
    );
    let output = folder.run(&["--stop-error"], "");
    assert_eq!(output.status.code(), Some(3));
}
