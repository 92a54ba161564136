//! What goes out on the wire: HTTP requests, mails, programs.
//!
//! Requests and programs are looked at where alerters hand them over; mails go through real connections to servers of our own.

mod compare;
mod mail;
mod recorder;

use super::Case;
use recorder::{Recorder, Servers};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use tripline::alert::{Alert, Process};
use tripline::alerter::{Build, Exit, exits};
use tripline::config::{Problem, Properties, SourceFile, Span, yaml};
use tripline::event::{Document, WallTime};
use tripline::rule::Rule;

#[test]
fn alerters() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let servers = Arc::new(runtime.block_on(Servers::start()));
    super::replay("alerters", |case| {
        servers.forget();
        run(case, &servers, &runtime)
    });
}

fn run(
    case: &Case,
    servers: &Arc<Servers>,
    runtime: &tokio::runtime::Runtime,
) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    write_files(&case.value, directory.path());
    let recorder = Arc::new(Recorder::new(&case.value, Arc::clone(servers)));
    let expected = &case.value["expected"];
    let (rule, exits) = match load(&case.value, directory.path(), &recorder) {
        Ok(loaded) => loaded,
        Err(_) if expected.get("load_error").is_some() => return Ok(()),
        Err(problems) => return Err(format!("not loaded:\n{}", lines(&problems))),
    };
    if expected.get("load_error").is_some() {
        return Err("loaded, but elastalert2 refuses it".to_owned());
    }
    let matches: Vec<Document> = case.value["matches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|document| document.as_object().unwrap().clone())
        .collect();
    let now = instant(case.value["now"].as_str().unwrap());
    let mut sent = 0;
    let mut errors = Vec::new();
    for _ in 0..case.value["times"].as_u64().unwrap_or(1) {
        for exit in &exits {
            let alert = alert(&rule, exit, &matches, now);
            match runtime.block_on(exit.alerter.send(&alert)) {
                Ok(()) => sent += 1,
                Err(error) => errors.push(format!("{}: {error}", exit.name)),
            }
        }
    }
    let info = exits
        .first()
        .map(|exit| exit.alerter.info_for(&alert(&rule, exit, &matches, now)));
    // elastalert2 takes every answer of Exotel for a failure.
    if case.value["alerter"] == "exotel" && errors.is_empty() {
        return compare::http(expected, &recorder.requests());
    }
    compare::outcome(expected, sent, &errors, info)?;
    compare::http(expected, &recorder.requests())?;
    compare::commands(expected, &recorder.processes())?;
    mail::compare(expected, &servers.take())
}

fn alert<'a>(rule: &'a Rule, exit: &'a Exit, matches: &'a [Document], now: WallTime) -> Alert<'a> {
    Alert {
        id: "00000000-0000-4000-8000-000000000000",
        rule,
        template: &exit.template,
        matches,
        time: now,
        now,
    }
}

fn write_files(case: &Value, directory: &Path) {
    let rule = [("rules/rule00.yaml".to_owned(), case["rule_yaml"].clone())];
    let files = case["files"].as_object().cloned().unwrap_or_default();
    for (path, content) in files.into_iter().chain(rule) {
        let bytes = match &content {
            Value::String(text) => text.clone().into_bytes(),
            other => mail::base64(other["base64"].as_str().unwrap()),
        };
        let path = directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn instant(text: &str) -> WallTime {
    let time = tripline::event::time::parse_iso(text).unwrap();
    WallTime(time.event_time().0)
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn load(
    case: &Value,
    directory: &Path,
    recorder: &Arc<Recorder>,
) -> Result<(Rule, Vec<Exit>), Vec<Problem>> {
    let file = Arc::new(SourceFile {
        path: directory.join("rules/rule00.yaml"),
        text: case["rule_yaml"].as_str().unwrap().to_owned(),
    });
    let environment = |name: &str| case["env"][name].as_str().map(str::to_owned);
    let (node, problems) = yaml::parse(&file, Some(&environment));
    let Some(node) = node else {
        return Err(problems);
    };
    let properties = Properties::new(node.as_map().unwrap().clone());
    let rule = rule(&properties, &file);
    let build = Build {
        span: Span::of_file(&file),
        rule_file: file.path.clone(),
        working_directory: directory.to_owned(),
        transport: recorder.clone(),
    };
    let process = Process {
        zone: jiff::tz::TimeZone::UTC,
        working_directory: directory.to_owned(),
    };
    let (exits, problems) = exits(&rule.properties, &build, &process);
    if problems.iter().any(Problem::is_error) {
        return Err(problems);
    }
    Ok((rule, exits))
}

fn rule(properties: &Properties, file: &Arc<SourceFile>) -> Rule {
    use tripline::rule::{Common, QueryKey, TimeField, TimeFormat, types};
    let hour = std::time::Duration::from_secs(3600);
    let name = properties.text("name").unwrap();
    let time = TimeField {
        path: tripline::event::FieldPath::new(
            properties
                .text("timestamp_field")
                .unwrap_or_else(|| "@timestamp".to_owned()),
        ),
        format: TimeFormat::Iso,
    };
    let query_key = QueryKey::new(&properties.texts("query_key"));
    let common = Common {
        name: name.clone(),
        span: Span::of_file(file),
        query_key: query_key.clone(),
        time: time.clone(),
        timeframe: None,
        buffer_time: hour,
        run_every: hour,
        working_directory: file.path.clone(),
        mapping: Default::default(),
    };
    let kind = (types::find("any").unwrap().build)(properties, &common).unwrap();
    Rule {
        realert_key: name.clone(),
        name,
        file: file.path.clone(),
        index: tripline::rule::IndexPattern {
            text: String::new(),
        },
        filter: tripline::filter::Filter::load(&[], &Default::default()).unwrap(),
        type_name: "any",
        kind,
        time,
        query_key,
        include: None,
        realert: hour,
        exponential_realert: None,
        aggregation: None,
        alert_time_limit: hour,
        properties: properties.clone(),
        state_fingerprint: 0,
    }
}
