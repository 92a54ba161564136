//! What goes out on the wire: HTTP requests, mails, programs.
//!
//! Requests and programs are looked at where alerters hand them over; mails go through real connections to servers of our own.

mod aws;
mod compare;
mod jira;
mod mail;
mod recorder;

use super::Case;
use recorder::{Recorder, Servers};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use tripline::alert::enhancements::ENHANCEMENTS;
use tripline::alert::{Alert, Preparation, Process, TopCounts};
use tripline::alerter::short_links::ShortLinks;
use tripline::alerter::{ALERTERS, Build, Exit, Transport, exits};
use tripline::config::service::{Service, Sources};
use tripline::config::{Problem, Span};
use tripline::event::{Document, EventTime, WallTime};
use tripline::filter::Mapping;
use tripline::rule::Rule;
use tripline::rule::load::Loader;

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
    let loaded = match load(&case.value, directory.path(), &recorder) {
        Ok(loaded) => loaded,
        Err(_) if expected.get("load_error").is_some() => return Ok(()),
        Err(problems) => return Err(format!("not loaded:\n{}", lines(&problems))),
    };
    // No level passes elastalert2's schema; accepting a number is as good as refusing it.
    let level = loaded.rule.properties().int("gelf_log_level");
    if expected.get("load_error").is_some() && level.is_some_and(|level| (0..8).contains(&level)) {
        return Ok(());
    }
    // Jira is asked for its fields when an alert needs them: what elastalert2 refuses to load fails then.
    let fails_later = expected.get("load_error").is_some() && case.value["alerter"] == "jira";
    if expected.get("load_error").is_some() && !fails_later {
        return Err("loaded, but elastalert2 refuses it".to_owned());
    }
    let Loaded {
        rule,
        exits,
        preparation,
    } = loaded;
    let mut matches: Vec<Document> = case.value["matches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|document| document.as_object().unwrap().clone())
        .collect();
    preparation.run(&rule, &mut matches, &NotCounted);
    let transport: Arc<dyn Transport> = recorder.clone();
    if let Some(links) = ShortLinks::new(&Arc::new(preparation), &transport) {
        let shortened = runtime.block_on(links.shorten(&rule, &matches));
        matches = shortened.unwrap_or(matches);
    }
    let now = instant(case.value["now"].as_str().unwrap());
    let mut sent = 0;
    let mut errors = Vec::new();
    for _ in 0..case.value["times"].as_u64().unwrap_or(1) {
        let mut ticket = None;
        for exit in &exits {
            let alert = alert(&rule, exit, &matches, now, ticket.as_deref());
            match runtime.block_on(exit.alerter.deliver(&alert)) {
                Ok(made) => {
                    sent += 1;
                    ticket = made.or(ticket);
                }
                Err(error) => errors.push(format!("{}: {error}", exit.name)),
            }
        }
    }
    if fails_later {
        return match errors.is_empty() {
            true => Err("sent, but elastalert2 refuses the rule".to_owned()),
            false => Ok(()),
        };
    }
    let info = exits.first().map(|exit| {
        exit.alerter
            .info_for(&alert(&rule, exit, &matches, now, None))
    });
    // elastalert2 takes every answer of Exotel for a failure.
    if case.value["alerter"] == "exotel" && errors.is_empty() {
        return compare::http(expected, &recorder.requests());
    }
    compare::outcome(expected, sent, &errors, info)?;
    match expected["aws"].as_array() {
        Some(calls) => aws::compare(calls, &recorder.requests())?,
        None if case.value["alerter"] == "jira" => jira::compare(expected, &recorder.requests())?,
        None => compare::http(expected, &recorder.requests())?,
    }
    compare::tcp(expected, &recorder.exchanges())?;
    compare::commands(expected, &recorder.processes())?;
    mail::compare(expected, &servers.take())
}

/// A rule, and what its alerts leave through.
struct Loaded {
    rule: Arc<Rule>,
    exits: Vec<Exit>,
    preparation: Preparation,
}

fn alert<'a>(
    rule: &'a Rule,
    exit: &'a Exit,
    matches: &'a [Document],
    now: WallTime,
    ticket: Option<&'a str>,
) -> Alert<'a> {
    Alert {
        id: "00000000-0000-4000-8000-000000000000",
        rule,
        template: &exit.template,
        matches,
        time: now,
        now,
        ticket,
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

/// The configuration of every case.
const CONFIG: &str = "{es_host: 127.0.0.1, es_port: 9200, writeback_index: elastalert_status, rules_folder: rules, \
    run_every: {minutes: 1}, buffer_time: {minutes: 15}, alert_time_limit: {days: 2}}";

fn load(case: &Value, directory: &Path, recorder: &Arc<Recorder>) -> Result<Loaded, Vec<Problem>> {
    let environment = |name: &str| case["env"][name].as_str().map(str::to_owned);
    let config = directory.join("config.yaml");
    std::fs::write(&config, CONFIG).unwrap();
    let alerter_options: Vec<_> = ALERTERS.iter().map(|entry| entry.options).collect();
    let (service, problems) = Service::load(&Sources {
        path: Some(&config),
        environment: &environment,
        expand: true,
        rule_options: &alerter_options,
        known: &|_| true,
    });
    assert!(
        !problems.iter().any(Problem::is_error),
        "{}",
        lines(&problems)
    );
    let path = directory.join("rules/rule00.yaml");
    let loader = Loader {
        service: &service,
        environment: &environment,
        working_directory: directory,
        mapping: &Mapping::default(),
        text_options: tripline::alert::OPTIONS,
        alerter_options: &alerter_options,
    };
    let loaded = loader.files(std::slice::from_ref(&path));
    let [rule] = loaded.rules.as_slice() else {
        return Err(loaded.problems);
    };
    let process = Process {
        zone: jiff::tz::TimeZone::UTC,
        working_directory: directory.to_owned(),
        enhancements: ENHANCEMENTS,
    };
    let build = Build {
        span: Span::nowhere(),
        rule_file: path,
        working_directory: directory.to_owned(),
        transport: recorder.clone(),
    };
    let (exits, problems) = exits(&rule.properties(), &build, &process);
    if problems.iter().any(Problem::is_error) {
        return Err(problems);
    }
    Ok(Loaded {
        rule: Arc::clone(rule),
        exits,
        preparation: Preparation::new(&rule.properties(), &process)?,
    })
}

/// No case counts documents.
struct NotCounted;

impl TopCounts for NotCounted {
    fn visit(&self, _: &Rule, _: EventTime, _: EventTime, _: &mut dyn FnMut(&Document)) {}
}
