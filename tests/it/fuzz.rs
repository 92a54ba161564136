//! The fuzzer's checks on recorded inputs with something changed in them: what fits into every test run. Repeatable; `TRIPLINE_FUZZ_RUNS` asks
//! for more inputs per check and `TRIPLINE_FUZZ_SEED` for others.

#[path = "../../fuzz/src/lib.rs"]
mod checks;

use crate::golden::cases;
use crate::support::dice::Dice;
use checks::CHECKS;
use serde_json::Value;
use std::path::Path;

/// How many inputs a check is run on.
const RUNS: u64 = if cfg!(debug_assertions) { 200 } else { 20_000 };
/// Inputs do not grow beyond this.
const LONGEST: usize = 4096;
/// What matters to one of the languages.
const PIECES: [&str; 46] = [
    "{", "}", "[", "]", "(", ")", "\"", "'", ":", ",", ".", "\\", "\\u0061", "\\ud800", "/", "~",
    "^", "*", "?", "+", "-", "!", "&", "|", "<", ">", "=", "#", "@", "%", "$", "&a ", "*a", "<<: ",
    "!!", "---\n", "\n", "\t", " ", "\u{feff}", "\u{85}", "null", "1e400", " TO ", " AND ", "${A}",
];

/// The files under a folder whose names end so.
fn files(folder: &Path, end: &str, into: &mut Vec<Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(&path, end, into);
        } else if path.to_str().is_some_and(|path| path.ends_with(end)) {
            into.push(std::fs::read(path).unwrap());
        }
    }
}

/// The texts that stand under a name, or are its value's `query` or `value`.
fn texts_under<'v>(value: &'v Value, name: &str, into: &mut Vec<&'v str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts_under(item, name, into)),
        Value::Object(members) => {
            for (key, member) in members {
                if key == name {
                    let inner = member.as_object().and_then(|inner| inner.values().next());
                    let texts = [member, &member["query"], inner.unwrap_or(member)];
                    let texts = texts.map(|text| text.as_str().or_else(|| text["value"].as_str()));
                    into.extend(texts.into_iter().flatten());
                }
                texts_under(member, name, into);
            }
        }
        _ => {}
    }
}

/// What inputs of a check are made of.
fn seeds(check: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds = Vec::new();
    files(&root.join("fuzz/corpus").join(check), "", &mut seeds);
    if check == "yaml" {
        files(&root.join("tests"), ".yaml", &mut seeds);
        for case in cases("matches") {
            let rule = case.value["rule"]
                .as_str()
                .or(case.value["rule_yaml"].as_str());
            seeds.extend(rule.map(|rule| rule.as_bytes().to_vec()));
        }
        return seeds;
    }
    let cases = cases("filters");
    for case in &cases {
        let documents: Vec<&Value> = match case.value["docs"].as_array() {
            Some(documents) => documents.iter().collect(),
            None => continue,
        };
        let asked = case.value["cases"].as_array().into_iter().flatten();
        match check {
            "filter_dsl" => {
                seeds.extend(asked.zip(documents.iter().cycle()).map(|(case, document)| {
                    format!("{}\n{document}", case["filter"][0]).into_bytes()
                }))
            }
            "filter_lucene" | "filter_regexp" => {
                let names: &[&str] = match check {
                    "filter_lucene" => &["query_string", "simple_query_string"],
                    _ => &["regexp"],
                };
                let mut texts = Vec::new();
                for case in asked {
                    names
                        .iter()
                        .for_each(|name| texts_under(&case["filter"], name, &mut texts));
                }
                seeds.extend(texts.into_iter().map(|text| text.as_bytes().to_vec()));
            }
            _ => seeds.extend(documents.iter().map(|document| {
                let members = document.as_object().into_iter().flatten();
                let names: Vec<&str> = members.map(|(name, _)| name.as_str()).take(8).collect();
                format!("{},a.b,a\n{document}", names.join(",")).into_bytes()
            })),
        }
    }
    seeds
}

/// An input with a few things changed.
fn changed(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = seeds[dice.index(seeds.len())].clone();
    for _ in 0..dice.below(6) {
        let at = dice.index(input.len() + 1);
        let end = (at + dice.index(12)).min(input.len());
        match dice.below(9) {
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            1 => drop(input.drain(at..end)),
            2 => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again.repeat(1 + dice.index(30)));
            }
            3 => {
                let other = &seeds[dice.index(seeds.len())];
                let from = dice.index(other.len() + 1);
                let to = (from + dice.index(40)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
            4 => input.truncate(at.max(input.len() / 2)),
            5 => {
                // What changes the place of something.
                let moved: Vec<u8> = input.drain(at..end).collect();
                let to = dice.index(input.len() + 1);
                input.splice(to..to, moved);
            }
            _ => {
                let piece = dice.pick(&PIECES);
                input.splice(at..at, piece.bytes());
            }
        }
    }
    input.truncate(LONGEST);
    input
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn run(name: &str) {
    let (_, check) = CHECKS.iter().find(|(known, _)| *known == name).unwrap();
    let seeds = seeds(name);
    assert!(!seeds.is_empty());
    let mut dice = Dice(setting("TRIPLINE_FUZZ_SEED", 1));
    for _ in 0..setting("TRIPLINE_FUZZ_RUNS", RUNS) {
        let input = changed(&seeds, &mut dice);
        if let Err(panic) = std::panic::catch_unwind(|| check(&input)) {
            println!("{name} fails on b\"{}\"", input.escape_ascii());
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn filter_dsl() {
    run("filter_dsl");
}

#[test]
fn filter_lucene() {
    run("filter_lucene");
}

#[test]
fn filter_regexp() {
    run("filter_regexp");
}

#[test]
fn input_body() {
    run("input_body");
}

#[test]
fn input_lines() {
    run("input_lines");
}

#[test]
fn project() {
    run("project");
}

#[test]
fn yaml() {
    run("yaml");
}
