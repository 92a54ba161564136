//! Rules other people published: what elastalert2 loads must load, or be refused for a reason we document.
//!
//! `UPDATE=1` rewrites the table in `docs/compatibility.md`. `TRIPLINE_RULES` names a folder with more rules.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tripline::alert::Process;
use tripline::alerter::{ALERTERS, Build, World, exits};
use tripline::config::{OptionSpec, Problem, Service, Sources, Span, process_environment};
use tripline::filter::Mapping;
use tripline::rule::load::Loader;

/// The codes a rule that elastalert2 loads may be refused for, and why.
const REASONS: &[(&str, &str)] = &[
    ("E0201", "its filter is one that Elasticsearch refuses"),
    (
        "E0203",
        "its filter needs more than the event itself: a join, a script, a score, another document",
    ),
];

const BEGIN: &str = "<!-- real rules: written by tests/it/real_rules.rs -->";
const END: &str = "<!-- end of real rules -->";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A rule file, where it is from, and whether elastalert2 loads it.
struct Rule {
    path: PathBuf,
    source: String,
    licence: String,
    loads: bool,
}

/// The rules an index lists.
fn indexed(index: &Path) -> Vec<Rule> {
    let folder = index.parent().unwrap();
    let rules: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(index).unwrap()).unwrap();
    let text = |rule: &Value, name: &str| rule[name].as_str().unwrap_or_default().to_owned();
    rules
        .iter()
        .map(|rule| Rule {
            path: folder.join(rule["file"].as_str().unwrap()),
            source: text(rule, "repo"),
            licence: text(rule, "licence"),
            // An index without an answer lists what elastalert2 loads.
            loads: rule["elastalert2"]
                .as_str()
                .is_none_or(|answer| answer == "ok"),
        })
        .collect()
}

/// Every index under a folder, or every rule file if there is none.
fn under(folder: &Path) -> Vec<Rule> {
    let mut indices = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        indices.push(entry.unwrap().path().join("index.json"));
    }
    indices.push(folder.join("index.json"));
    let rules: Vec<Rule> = indices
        .iter()
        .filter(|index| index.is_file())
        .flat_map(|index| indexed(index))
        .collect();
    if !rules.is_empty() {
        return rules;
    }
    let files = tripline::config::yaml_files(folder, true).unwrap();
    let rule = |path| Rule {
        path,
        source: String::new(),
        licence: String::new(),
        loads: true,
    };
    files.into_iter().map(rule).collect()
}

/// The errors a rule is refused for.
fn errors(path: &Path) -> Vec<Problem> {
    let directory = path.parent().unwrap();
    let (service, _) = Service::load(&Sources {
        path: Some(&root().join("tests/data/rules/config.yml")),
        environment: &process_environment,
        expand: true,
        rule_options: &[],
        known: &|_| false,
    });
    let alerter_options: Vec<&[OptionSpec]> = ALERTERS.iter().map(|entry| entry.options).collect();
    let mapping = Mapping::default();
    let loader = Loader {
        service: &service,
        environment: &process_environment,
        working_directory: directory,
        mapping: &mapping,
        text_options: tripline::alert::OPTIONS,
        alerter_options: &alerter_options,
    };
    let loaded = loader.files(&[path.to_owned()]);
    let mut problems = loaded.problems;
    assert_eq!(
        loaded.rules.is_empty() && loaded.disabled.is_empty(),
        problems.iter().any(Problem::is_error),
        "{}: a rule is left out if and only if there is an error",
        path.display()
    );
    for rule in &loaded.rules {
        let process = Process {
            zone: jiff::tz::TimeZone::UTC,
            working_directory: directory.to_owned(),
            enhancements: tripline::alert::enhancements::ENHANCEMENTS,
        };
        let build = Build {
            span: Span::nowhere(),
            rule_file: rule.file.to_path_buf(),
            working_directory: directory.to_owned(),
            transport: Arc::new(World::new(Box::new(std::io::sink()))),
        };
        problems.extend(exits(&rule.properties(), &build, &process).1);
    }
    problems.retain(Problem::is_error);
    problems
}

/// What became of the rules; a text per rule that is refused without a documented reason.
fn outcomes(rules: &[Rule]) -> (Table, Vec<String>) {
    let (mut table, mut wrong) = (Table::default(), Vec::new());
    for rule in rules {
        let errors = errors(&rule.path);
        if !rule.loads {
            continue;
        }
        let codes: BTreeSet<&str> = errors.iter().map(|problem| problem.code).collect();
        let undocumented = |code: &&str| REASONS.iter().all(|(known, _)| known != code);
        if codes.iter().any(undocumented) {
            wrong.extend(errors.iter().map(ToString::to_string));
        }
        let source = table
            .sources
            .entry((rule.source.clone(), rule.licence.clone()))
            .or_default();
        source.0 += 1;
        source.1 += usize::from(codes.is_empty());
        for code in codes {
            *table.codes.entry(code.to_owned()).or_default() += 1;
        }
    }
    (table, wrong)
}

#[derive(Default)]
struct Table {
    /// By repository and licence: rules, and how many of them load.
    sources: BTreeMap<(String, String), (usize, usize)>,
    /// By code: rules refused for it.
    codes: BTreeMap<String, usize>,
}

impl Table {
    fn text(&self) -> String {
        let mut text = "| from | licence | rules | load |\n|---|---|---|---|\n".to_owned();
        let (mut all, mut loaded) = (0, 0);
        for ((source, licence), (rules, load)) in &self.sources {
            text.push_str(&format!("| {source} | {licence} | {rules} | {load} |\n"));
            all += rules;
            loaded += load;
        }
        text.push_str(&format!("| all | | {all} | {loaded} |\n"));
        if !self.codes.is_empty() {
            text.push_str("\n| refused for | because | rules |\n|---|---|---|\n");
        }
        for (code, count) in &self.codes {
            let reason = REASONS
                .iter()
                .find(|(known, _)| known == code)
                .map_or("", |(_, reason)| reason);
            text.push_str(&format!("| {code} | {reason} | {count} |\n"));
        }
        text
    }
}

#[test]
fn rules_that_elastalert_loads_load_here() {
    let (table, wrong) = outcomes(&indexed(&root().join("tests/data/rules/index.json")));
    assert!(
        wrong.is_empty(),
        "refused without a documented reason:\n{}",
        wrong.join("\n")
    );
    let page = root().join("docs/compatibility.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = format!("{before}{BEGIN}\n\n{}\n{END}{after}", table.text());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&page, expected).unwrap();
    } else {
        assert!(
            text == expected,
            "docs/compatibility.md is out of date: run this test with UPDATE=1. Now:\n{}",
            table.text()
        );
    }
}

#[test]
fn further_rules_load_too() {
    let Some(folder) = std::env::var_os("TRIPLINE_RULES") else {
        return;
    };
    let (table, wrong) = outcomes(&under(Path::new(&folder)));
    println!("{}", table.text());
    assert!(
        wrong.is_empty(),
        "{} problems without a documented reason:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
