//! How long the store keeps documents: `store.keep`, `store.max_size`.

use crate::process::{Home, PATIENCE, wait_for};
use serde_json::json;
use std::path::Path;
use tripline::engine::{Index, Op, Write};
use tripline::store::documents::{Commit, Documents, Forwarding};

/// Writes status documents into a store, one a day, the oldest first; the last is of today.
#[expect(clippy::disallowed_methods, reason = "documents of today")]
fn fill(store: &Path, days: i64, text: &str) {
    std::fs::create_dir_all(store).unwrap();
    let documents = Documents::open(store, Forwarding::Off).unwrap();
    let today = jiff::Timestamp::now().as_microsecond();
    let writes: Vec<_> = (1..=days)
        .map(|day| {
            let time = tripline::event::WallTime(today - (days - day) * 86_400_000_000);
            let document = json!({"rule_name": "r", "text": text, "@timestamp": time.to_text()});
            let write = Write {
                index: Index::Status,
                id: format!("day-{day}").into(),
                op: Op::Put(document.as_object().unwrap().clone()),
            };
            (u64::try_from(day).unwrap(), write)
        })
        .collect();
    documents.apply(&writes, Commit::Durable).unwrap();
}

fn kept(store: &Path) -> Vec<String> {
    let documents = Documents::open(store, Forwarding::Off).unwrap();
    let mut ids: Vec<String> = documents
        .newest(Index::Status)
        .unwrap()
        .map(|stored| stored.unwrap().id)
        .filter(|id| id.starts_with("day-"))
        .collect();
    ids.sort();
    ids
}

/// What is left of the documents after the program has run with these options of `store`.
#[track_caller]
fn check(options: &str, text: &str, expected: &[&str]) {
    let home = Home::new();
    home.add_rule("any");
    let store = home.path("state");
    fill(&store, 5, text);
    let config = std::fs::read_to_string(home.path("config.yml")).unwrap();
    home.write(
        "config.yml",
        &format!("{config}store: {{path: {store:?}, {options}}}\n"),
    );
    let mut process = home.start();
    // Old documents go with the first second; an alert after it shows that this is over.
    home.post("any", "a", 1);
    home.wait_for_alert("a");
    wait_for("the first tick", || {
        (home.metric("elastalert_scrapes_total{rule_name=\"any\"}") > 1.0).then_some(())
    });
    process.signal("TERM");
    assert_eq!(process.exit_within(PATIENCE).unwrap().code(), Some(0));
    assert_eq!(kept(&store), expected, "{options}");
}

#[test]
fn documents_older_than_keep_go() {
    check("keep: {hours: 60}", "", &["day-3", "day-4", "day-5"]);
}

#[test]
fn by_default_documents_stay_for_a_month() {
    check("", "", &["day-1", "day-2", "day-3", "day-4", "day-5"]);
}

#[test]
fn the_oldest_go_when_there_are_too_many() {
    check("max_size: 25kB", &"x".repeat(10_000), &["day-4", "day-5"]);
}
