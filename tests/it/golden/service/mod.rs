//! What becomes of matches: the family's page in the golden folder's README defines the replay.

mod compare;
mod outcomes;
mod stage;

use super::Case;
use serde_json::Value;
use stage::Stage;
use std::collections::BTreeMap;
use tripline::event::{WallTime, time::parse_iso};

#[test]
fn service() {
    let polling = polling_only();
    super::replay("service", |case| run(case, &polling));
}

/// Cases that show polling, with what is compared of them.
fn polling_only() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(super::folder().join("service/polling-only.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn run(case: &Case, polling: &BTreeMap<String, String>) -> Result<(), String> {
    let name = case.name.trim_start_matches("service/");
    match case.value["kind"].as_str() {
        Some("timeline") => timeline(name, &case.value, polling.get(name).map(String::as_str)),
        Some("create-index") => super::create_index::create_index_case(&case.value),
        Some("test-rule") => super::service_test_rule::run(&case.value, name),
        kind => Err(format!("a replay of {kind:?} is not built yet")),
    }
}

fn timeline(name: &str, case: &Value, polling: Option<&str>) -> Result<(), String> {
    let mut stage = Stage::set(case)?;
    for tick in strings(&case["ticks"]) {
        stage.tick(tick);
    }
    let played = stage.end();
    match polling.and_then(|tag| tag.split(':').next()) {
        Some("outcome") => outcomes::check(name, case, &played),
        Some("times") => compare::without_times(case, &played),
        _ => compare::all(case, &played),
    }
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn wall(text: &str) -> WallTime {
    WallTime(parse_iso(text).unwrap().micros)
}
