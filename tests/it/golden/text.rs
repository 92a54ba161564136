//! Subject and body of an alert. `text/SEMANTICS.md` defines the replay (T0).

use super::Case;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use tripline::alert::{
    Alert, BodyStyle, OPTIONS, Preparation, Process, Template, TopCounts,
    enhancements::ENHANCEMENTS,
};
use tripline::config::{Problem, Service, Sources};
use tripline::event::{Document, EventTime, Field, WallTime, time::parse_iso};
use tripline::filter::{FilterEvent, Mapping};
use tripline::rule::Rule;
use tripline::rule::load::Loader;

#[test]
fn text() {
    super::replay("text", run);
}

fn run(case: &Case) -> Result<(), String> {
    let case = &case.value;
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in case["files"].as_object().into_iter().flatten() {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content.as_str().unwrap()).unwrap();
    }
    let process = Process {
        zone: TimeZone::get(case["tz"].as_str().unwrap()).unwrap(),
        working_directory: directory.path().to_owned(),
        enhancements: ENHANCEMENTS,
    };
    let expected = &case["expected"];
    let loaded = load(case, directory.path(), &process);
    if expected.get("load_error").is_some() {
        return match loaded {
            Ok(_) => Err("loads, but should be refused".to_owned()),
            Err(_) => Ok(()),
        };
    }
    let (rule, template, preparation) = loaded?;
    let mut matches: Vec<Document> = case["matches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|matched| matched.as_object().unwrap().clone())
        .collect();
    let now = parse_iso(case["now"].as_str().unwrap()).unwrap();
    let docs = Docs {
        docs: case["docs"].as_array().unwrap(),
        now: WallTime(now.micros),
    };
    let prepared = preparation.run(&rule, &mut matches, &docs);
    if !prepared.errors.is_empty() {
        return Err(prepared.errors.join("\n"));
    }
    let alert = Alert {
        id: "golden",
        rule: &rule,
        template: &template,
        matches: &matches,
        time: WallTime(now.micros),
        now: WallTime(now.micros),
        ticket: None,
    };
    let rendered = alert
        .subject(&rule.name)
        .and_then(|subject| Ok((subject, alert.body(BodyStyle::default())?)));
    if expected.get("error").is_some() {
        return match rendered {
            Ok(_) => Err("is rendered, but should fail".to_owned()),
            Err(_) => Ok(()),
        };
    }
    let (subject, body) = rendered.map_err(|error| error.to_string())?;
    if let Some(after) = expected.get("matches_after") {
        let matches = Value::from_iter(matches.clone());
        if !tripline::event::python::equal(after, &matches) {
            return Err(format!("matches expected:\n{after}\nfound:\n{matches}"));
        }
    }
    same("subject", &expected["subject"], &subject)?;
    same("body", &expected["body"], &body)
}

fn same(what: &str, expected: &Value, found: &str) -> Result<(), String> {
    let expected = expected.as_str().unwrap();
    if expected == found {
        return Ok(());
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (expected_lines, found_lines) = (lines(expected), lines(found));
    let at = expected_lines
        .iter()
        .zip(&found_lines)
        .take_while(|(a, b)| a == b)
        .count();
    Err(format!(
        "{what} differs from line {}:\n{:?}\nfound:\n{:?}",
        at + 1,
        &expected_lines[at..],
        &found_lines[at..]
    ))
}

/// The indexed documents of a case.
struct Docs<'a> {
    docs: &'a [Value],
    now: WallTime,
}

impl TopCounts for Docs<'_> {
    fn visit(
        &self,
        rule: &Rule,
        after: EventTime,
        until: EventTime,
        visitor: &mut dyn FnMut(&Document),
    ) {
        for document in self.docs.iter().map(|doc| doc.as_object().unwrap()) {
            let field = rule.time.path.get_some(document);
            let time = rule
                .time
                .read(field.map_or(Field::Missing, Field::Value))
                .unwrap()
                .event_time();
            let event = FilterEvent {
                document,
                index: Some("logs-1"),
                id: None,
                now: self.now,
            };
            if time > after && time <= until && rule.filter.matches(&event) {
                visitor(document);
            }
        }
    }
}

fn texts(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn load(
    case: &Value,
    directory: &Path,
    process: &Process,
) -> Result<(Arc<Rule>, Template, Preparation), String> {
    let environment = |name: &str| case["env"][name].as_str().map(str::to_owned);
    let mut config = case["config"].clone();
    config["es_host"] = "127.0.0.1".into();
    config["es_port"] = 9200.into();
    config["writeback_index"] = "elastalert_status".into();
    config["alert_time_limit"] = serde_json::json!({"days": 2});
    let config_file = directory.join("config.yaml");
    std::fs::write(&config_file, config.to_string()).unwrap();
    let rule_file = directory.join("rules/rule00.yaml");
    std::fs::create_dir_all(rule_file.parent().unwrap()).unwrap();
    std::fs::write(&rule_file, case["rule_yaml"].as_str().unwrap()).unwrap();
    let (service, problems) = Service::load(&Sources {
        path: Some(&config_file),
        environment: &environment,
        expand: true,
        rule_options: OPTIONS,
        known: &|_| true,
    });
    if problems.iter().any(Problem::is_error) {
        return Err(texts(&problems));
    }
    let loaded = Loader {
        service: &service,
        environment: &environment,
        working_directory: directory,
        mapping: &Mapping::default(),
        text_options: OPTIONS,
        alerter_options: &[],
    }
    .files(&[rule_file]);
    let Some(rule) = loaded.rules.into_iter().next() else {
        return Err(texts(&loaded.problems));
    };
    let template = Template::new(&rule.properties(), process).map_err(|found| texts(&found))?;
    let preparation =
        Preparation::new(&rule.properties(), process).map_err(|found| texts(&found))?;
    Ok((rule, template, preparation))
}
