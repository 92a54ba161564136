//! Replays of what the real elastalert2 and OpenSearch answered.
//!
//! `TRIPLINE_GOLDEN` names the folder (default: `tests/golden`). Each family prints `FAMILY: N passed, N failed`. Cases that are not in reach
//! yet are listed in `tests/not-yet.txt`, one `family/name` a line; a listed case that passes fails the test, so that the list shrinks.

mod alerters;
mod create_index;
pub(crate) mod filters;
mod matches;
mod service;
mod service_test_rule;
mod text;

use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// One recorded case.
pub struct Case {
    /// `family/name`, with `name` the file stem (for filters: the file's stem, a slash and the case's id).
    pub name: String,
    /// The case, as recorded.
    pub value: Value,
}

pub(crate) fn folder() -> PathBuf {
    std::env::var_os("TRIPLINE_GOLDEN").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"),
        PathBuf::from,
    )
}

/// Reads every case of a family; `.json` and `.json.gz`, except what is no case.
pub fn cases(family: &str) -> Vec<Case> {
    let directory = folder().join(family);
    let mut cases: Vec<Case> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let file = path.file_name()?.to_str()?.to_owned();
            let stem = file
                .strip_suffix(".json")
                .or_else(|| file.strip_suffix(".json.gz"))?;
            if stem == "polling-only" {
                return None;
            }
            let bytes = std::fs::read(&path).unwrap();
            let text = if file.ends_with(".gz") {
                let mut text = String::new();
                flate2::read::MultiGzDecoder::new(&bytes[..])
                    .read_to_string(&mut text)
                    .unwrap();
                text
            } else {
                String::from_utf8(bytes).unwrap()
            };
            let value = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Some(Case {
                name: format!("{family}/{stem}"),
                value,
            })
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!cases.is_empty(), "{}: no cases", directory.display());
    cases
}

fn not_yet() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/not-yet.txt");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// Counts and prints outcomes; fails the test unless exactly the cases of `not-yet.txt` fail.
pub fn report(family: &str, outcomes: Vec<(String, Result<(), String>)>) {
    let not_yet = not_yet();
    let (mut passed, mut failed, mut waiting, mut surprises) = (0, 0, 0, Vec::new());
    for (name, outcome) in outcomes {
        match (outcome, not_yet.contains(&name)) {
            (Ok(()), false) => passed += 1,
            (Ok(()), true) => surprises.push(name),
            (Err(_), true) => waiting += 1,
            (Err(difference), false) => {
                failed += 1;
                let short: String = difference.chars().take(2000).collect();
                println!("FAILED {name}\n{short}\n");
            }
        }
    }
    println!("{family}: {passed} passed, {failed} failed");
    if waiting > 0 {
        println!("{family}: {waiting} not yet in reach (tests/not-yet.txt)");
    }
    assert!(
        surprises.is_empty(),
        "pass now, remove from tests/not-yet.txt: {}",
        surprises.join(" ")
    );
    assert_eq!(failed, 0, "{family}: {failed} failed");
}

/// Runs every case of a family whose cases are files; a panic is a failure of its case.
pub fn replay(family: &str, run: impl Fn(&Case) -> Result<(), String> + std::panic::RefUnwindSafe) {
    let outcomes = cases(family)
        .iter()
        .map(|case| {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(case)))
                .unwrap_or_else(|_| Err("panicked".to_owned()));
            (case.name.clone(), outcome)
        })
        .collect();
    report(family, outcomes);
}
