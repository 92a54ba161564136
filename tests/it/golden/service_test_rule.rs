//! `test-rule` cases: what `elastalert-test-rule` prints. The family's page says what of it is compared (V12) and where tripline differs
//! (V15); the documents of the index are handed over by [`Documents`].

use serde_json::{Map, Value};
use std::ffi::OsString;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tripline::alert::Process;
use tripline::cli::test_rule::{Environment, Source, run_with};
use tripline::config::{SourceFile, yaml};
use tripline::event::{Document, WallTime, time::parse_iso};
use tripline::filter::{Filter, FilterEvent, Mapping};
use tripline::writeback::search::{Hit, Request};

/// Replays one case.
pub fn run(case: &Value, name: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    for (file, content) in [("rule.yaml", "rule_yaml"), ("config.yaml", "config_yaml")] {
        if let Some(text) = case[content].as_str() {
            std::fs::write(directory.path().join(file), text).unwrap();
        }
    }
    std::fs::write(directory.path().join("docs.json"), case["docs"].to_string()).unwrap();
    let run = Run::of(case, directory.path());
    let expected = &case["expected"];
    match Difference::of(name) {
        Difference::None => {
            exit_code(&run, expected)?;
            output(&run, expected)?;
            saved(expected, directory.path())?;
            alerts(&run, &alerts_of(expected["stderr"].as_str().unwrap()), name)
        }
        Difference::Alerts => {
            exit_code(&run, expected)?;
            output(&run.without_silences(), &without_silences(expected))
        }
        Difference::Matches(ids) => {
            exit_code(&run, expected)?;
            output(&run, &with_matches(expected, ids.len()))?;
            let alerts = alerts_of(&run.errors);
            let actual: Vec<&str> = alerts.iter().map(|alert| id(alert)).collect();
            same("alerts", &actual, &ids.to_vec())
        }
        Difference::Times(times) => {
            exit_code(&run, expected)?;
            output(&run, &with_matches(expected, times.len()))?;
            let alerts = alerts_of(&run.errors);
            let actual: Vec<&str> = alerts.iter().map(|alert| time(alert)).collect();
            same("alerts", &actual, &times.to_vec())
        }
        Difference::Works => exit_code(&run, expected),
        Difference::NoConfiguration => {
            let with = with_configuration(case);
            same("exit code", &run.code, &0)?;
            output(&run, &with["expected"])?;
            alerts(
                &run,
                &alerts_of(with["expected"]["stderr"].as_str().unwrap()),
                name,
            )
        }
    }
}

/// How tripline's outcome differs, as the family's `polling-only.json` tags it and V15 describes it.
enum Difference {
    None,
    /// `realert` by event time: other alerts, as many matches.
    Alerts,
    /// Each of these documents matches.
    Matches(&'static [&'static str]),
    /// There is a match at each of these times.
    Times(&'static [&'static str]),
    /// No configuration is needed: as the same case with one.
    NoConfiguration,
    /// It works, whatever comes out.
    Works,
}

impl Difference {
    fn of(name: &str) -> Self {
        let tags = std::fs::read_to_string(super::folder().join("service/polling-only.json"));
        let tags: Value = serde_json::from_str(&tags.unwrap()).unwrap();
        match tags[name].as_str().and_then(|tag| tag.split(':').next()) {
            None => Self::None,
            Some("matches") => Self::Alerts,
            Some(_) => match name.strip_suffix("-formatted").unwrap_or(name) {
                "testrule-data-blacklist" => Self::Matches(&["d00", "d02", "d06", "d08"]),
                // The third event of each three, counted at its time.
                "testrule-data-count" => Self::Times(&COUNTED),
                "testrule-es-count" => Self::Times(&COUNTED[..3]),
                // The maximum of two minutes is above 30 from d04 on: at each event and each tick, the last
                // of which is at the end of the range.
                "testrule-data-metric" => Self::Times(&MEASURED),
                "testrule-es-metric" => Self::Times(&MEASURED_UNTIL_0640),
                "testrule-no-config" => Self::NoConfiguration,
                _ => Self::Works,
            },
        }
    }
}

const COUNTED: [&str; 4] = [
    "2026-03-02T00:01:20Z",
    "2026-03-02T00:03:20Z",
    "2026-03-02T00:05:20Z",
    "2026-03-02T00:07:20Z",
];

const MEASURED: [&str; 14] = [
    "2026-03-02T00:02:40Z",
    "2026-03-02T00:03:00Z",
    "2026-03-02T00:03:20Z",
    "2026-03-02T00:04:00Z",
    "2026-03-02T00:04:00Z",
    "2026-03-02T00:04:40Z",
    "2026-03-02T00:05:00Z",
    "2026-03-02T00:05:20Z",
    "2026-03-02T00:06:00Z",
    "2026-03-02T00:06:00Z",
    "2026-03-02T00:06:40Z",
    "2026-03-02T00:07:00Z",
    "2026-03-02T00:07:20Z",
    "2026-03-02T00:07:21Z",
];

const MEASURED_UNTIL_0640: [&str; 12] = [
    "2026-03-02T00:02:40Z",
    "2026-03-02T00:03:00Z",
    "2026-03-02T00:03:20Z",
    "2026-03-02T00:04:00Z",
    "2026-03-02T00:04:00Z",
    "2026-03-02T00:04:40Z",
    "2026-03-02T00:05:00Z",
    "2026-03-02T00:05:20Z",
    "2026-03-02T00:06:00Z",
    "2026-03-02T00:06:00Z",
    "2026-03-02T00:06:40Z",
    "2026-03-02T00:06:40Z",
];

/// What a run left behind.
struct Run {
    code: i32,
    output: String,
    errors: String,
}

impl Run {
    fn of(case: &Value, directory: &Path) -> Self {
        let (output, errors) = (Shared::default(), Shared::default());
        let arguments = case["argv"].as_array().unwrap().iter().map(|argument| {
            let argument = argument.as_str().unwrap();
            match argument {
                "rule.yaml" | "config.yaml" | "docs.json" | "saved.json" => {
                    directory.join(argument).into_os_string()
                }
                _ => OsString::from(argument),
            }
        });
        let program = std::iter::once(OsString::from("elastalert-test-rule"));
        let environment = Environment {
            now: WallTime(parse_iso(case["now"].as_str().unwrap()).unwrap().micros),
            process: Process {
                zone: jiff::tz::TimeZone::UTC,
                working_directory: directory.to_owned(),
                enhancements: tripline::alert::enhancements::ENHANCEMENTS,
            },
            source: Some(Box::new(Documents::of(&case["docs"]))),
            output: Box::new(output.clone()),
            errors: Box::new(errors.clone()),
            is_terminal: false,
        };
        let code = run_with(program.chain(arguments), environment);
        let mut errors = errors.text();
        let code = code.unwrap_or_else(|error| {
            errors.push_str(&format!("{error:#}\n"));
            1
        });
        Self {
            code,
            output: output.text(),
            errors,
        }
    }
}

impl Run {
    /// How many silences there are follows from how many alerts there are.
    fn without_silences(&self) -> Self {
        Self {
            code: self.code,
            output: match serde_json::from_str::<Value>(&self.output) {
                Ok(mut output) => {
                    output["writeback"]
                        .as_object_mut()
                        .unwrap()
                        .remove("silence");
                    output.to_string()
                }
                Err(_) => lines_without_silences(&self.output),
            },
            errors: self.errors.clone(),
        }
    }
}

/// The same for what is expected.
fn without_silences(expected: &Value) -> Value {
    let mut expected = expected.clone();
    if let Some(writeback) = expected.pointer_mut("/stdout_json/writeback") {
        writeback.as_object_mut().unwrap().remove("silence");
    }
    expected["stdout"] = lines_without_silences(expected["stdout"].as_str().unwrap()).into();
    expected
}

fn lines_without_silences(text: &str) -> String {
    let kept = text
        .split("\n\n")
        .filter(|part| !part.starts_with("silence - "));
    kept.collect::<Vec<_>>().join("\n\n")
}

/// A stream that is looked at afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Index `golden`, or a server that fails.
struct Documents(Option<Vec<Hit>>);

impl Documents {
    fn of(documents: &Value) -> Self {
        if documents == "FAIL" {
            return Self(None);
        }
        let documents = match documents {
            Value::Array(documents) => documents.as_slice(),
            one => std::slice::from_ref(one),
        };
        let hits = documents.iter().enumerate().map(|(i, document)| {
            let mut source = document.as_object().unwrap().clone();
            let id = source.shift_remove("_id");
            let id = id.map_or(format!("made{i}"), |id| id.as_str().unwrap().to_owned());
            Hit {
                index: "golden".to_owned(),
                id,
                source,
            }
        });
        Self(Some(hits.collect()))
    }

    fn found(&self, request: &Request) -> anyhow::Result<Vec<Hit>> {
        let Some(hits) = &self.0 else {
            anyhow::bail!("503 simulated_search_failure");
        };
        assert_eq!(request.index, "golden");
        let clauses = request.query["bool"]["filter"]["bool"]["must"]
            .as_array()
            .unwrap();
        let range = &clauses[0]["range"][&request.time_field];
        let bound = |name: &str| parse_iso(range[name].as_str().unwrap()).unwrap().micros;
        let (after, until) = (bound("gt"), bound("lte"));
        let filters: Vec<Filter> = clauses[1..].iter().map(filter).collect();
        let time = |hit: &Hit| parse_iso(hit.source[&request.time_field].as_str().unwrap());
        let is_found = |hit: &&Hit| {
            let at = time(hit).unwrap().micros;
            after < at
                && at <= until
                && filters
                    .iter()
                    .all(|filter| filter.matches(&event(&hit.source)))
        };
        let mut found: Vec<Hit> = hits.iter().filter(is_found).cloned().collect();
        found.sort_by_key(|hit| time(hit).unwrap().micros);
        Ok(found)
    }
}

impl Source for Documents {
    fn count(&self, request: &Request) -> anyhow::Result<u64> {
        Ok(self.found(request)?.len() as u64)
    }

    fn read(
        &self,
        request: &Request,
        take: &mut dyn FnMut(Vec<Hit>) -> ControlFlow<()>,
    ) -> anyhow::Result<()> {
        for page in self.found(request)?.chunks(request.page_size) {
            if take(page.to_vec()).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// A clause of a query; JSON is YAML too.
fn filter(clause: &Value) -> Filter {
    let file = Arc::new(SourceFile {
        path: "query".into(),
        text: clause.to_string(),
    });
    let (node, _) = yaml::parse(&file, None);
    Filter::load(&[node.unwrap()], &Mapping::default()).unwrap()
}

fn event(document: &Document) -> FilterEvent<'_> {
    FilterEvent {
        document,
        index: Some("golden"),
        id: None,
        now: WallTime(0),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    actual: &T,
    expected: &T,
) -> Result<(), String> {
    if actual == expected {
        Ok(())
    } else {
        Err(format!("{what}: {actual:#?}\nexpected {expected:#?}"))
    }
}

fn exit_code(run: &Run, expected: &Value) -> Result<(), String> {
    let expected = expected["exit_code"].as_i64().unwrap();
    let as_compared = |code: i64| if [0, 3, 4].contains(&code) { code } else { 1 };
    same(
        "exit code",
        &as_compared(run.code.into()),
        &as_compared(expected),
    )
    .map_err(|error| format!("{error}\n{}", run.errors))
}

/// Compares standard output: one JSON object, the help, or lines.
fn output(run: &Run, expected: &Value) -> Result<(), String> {
    if let Some(expected) = expected.get("stdout_json") {
        let actual: Value = serde_json::from_str(&run.output)
            .map_err(|error| format!("no JSON: {error}\n{}\n{}", run.output, run.errors))?;
        return same("output", &as_compared(&actual), &as_compared(expected));
    }
    let expected = expected["stdout"].as_str().unwrap();
    if expected.starts_with("usage:") {
        return match options(expected)
            .into_iter()
            .find(|option| !options(&run.output).contains(option))
        {
            Some(option) => Err(format!("{option} is not in the help")),
            None => Ok(()),
        };
    }
    same("output", &Lines::of(&run.output), &Lines::of(expected))
}

fn options(help: &str) -> std::collections::BTreeSet<&str> {
    help.split(|c: char| !c.is_ascii_lowercase() && c != '-')
        .filter(|word| word.starts_with("--"))
        .collect()
}

/// A JSON object without what is not compared.
fn as_compared(output: &Value) -> Value {
    let mut output = output.clone();
    if let Some(terms) = output.get_mut("terms").and_then(Value::as_array_mut) {
        terms.sort_by_key(Value::to_string);
    }
    for result in output
        .get_mut("results")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        result.as_object_mut().unwrap().remove("_score");
    }
    for document in output
        .get_mut("writeback")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flatten()
    {
        let compared = ["rule_name", "matches"].into_iter();
        *document.1 = compared
            .filter_map(|name| Some((name.to_owned(), document.1.get(name)?.clone())))
            .collect::<Map<_, _>>()
            .into();
    }
    output
}

/// Standard output, without what is not compared.
#[derive(Debug, PartialEq)]
struct Lines {
    fixed: Vec<String>,
    terms: Vec<String>,
}

impl Lines {
    fn of(output: &str) -> Self {
        let (mut fixed, mut terms) = (Vec::new(), Vec::new());
        for line in output.lines() {
            if let Some(term) = line.strip_prefix('\t') {
                terms.push(term.to_owned());
            } else if let Some((kind, document)) = line.split_once(" - {") {
                let matches = document
                    .split("'matches': ")
                    .nth(1)
                    .filter(|_| kind == "elastalert_status");
                let matches = matches.map_or("", |rest| rest.split(',').next().unwrap());
                fixed.push(format!("{kind} {matches}"));
            } else {
                fixed.push(line.to_owned());
            }
        }
        terms.sort();
        Self { fixed, terms }
    }
}

/// What is expected, but with so many matches.
fn with_matches(expected: &Value, matches: usize) -> Value {
    let mut expected = expected.clone();
    if let Some(status) = expected.pointer_mut("/stdout_json/writeback/elastalert_status") {
        status["matches"] = matches.into();
    }
    let text = expected["stdout"].as_str().unwrap();
    let (before, after) = text.split_once("'matches': ").unwrap_or((text, ""));
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
    expected["stdout"] = format!("{before}'matches': {matches}{after}").into();
    expected
}

/// The case that one without configuration is to be like.
fn with_configuration(case: &Value) -> Value {
    let other = super::cases("service")
        .into_iter()
        .find(|other| {
            other.value["config_yaml"].is_string()
                && other.value["rule_yaml"] == case["rule_yaml"]
                && other.value["docs"] == case["docs"]
                && other.value["args"] == case["args"]
        })
        .unwrap();
    other.value
}

fn saved(expected: &Value, directory: &Path) -> Result<(), String> {
    let Some(expected) = expected.get("saved_json") else {
        return Ok(());
    };
    let text = std::fs::read(directory.join("saved.json")).map_err(|error| error.to_string())?;
    same(
        "saved",
        &serde_json::from_slice::<Value>(&text).unwrap(),
        expected,
    )
}

/// The alerts in a log: head line and body, without what counts hits and matches.
fn alerts_of(log: &str) -> Vec<String> {
    let mut alerts: Vec<String> = Vec::new();
    let mut in_alert = false;
    for line in log.lines() {
        let (is_entry, text) = match line.split_once(":elastalert:") {
            Some((_, text)) => (true, text),
            None => (false, line),
        };
        if text.starts_with("Alert for ") {
            alerts.push(format!("{text}\n"));
            in_alert = true;
        } else if is_entry
            && in_alert
            && alerts.last().is_some_and(|alert| alert.lines().count() > 1)
        {
            in_alert = false;
        } else if in_alert && !text.starts_with("num_hits: ") && !text.starts_with("num_matches: ")
        {
            let alert = alerts.last_mut().unwrap();
            alert.push_str(text);
            alert.push('\n');
        }
    }
    alerts
        .iter()
        .map(|alert| alert.trim_end().to_owned())
        .collect()
}

fn alerts(run: &Run, expected: &[String], name: &str) -> Result<(), String> {
    let without_id = name.ends_with("testrule-data-no-ids");
    let compared = |alerts: &[String]| -> Vec<String> {
        let kept = |alert: &String| {
            let lines = alert
                .lines()
                .filter(|line| !(without_id && line.starts_with("_id: ")));
            lines.collect::<Vec<_>>().join("\n")
        };
        alerts.iter().map(kept).collect()
    };
    same(
        "alerts",
        &compared(&alerts_of(&run.errors)),
        &compared(expected),
    )
}

/// The `_id` in an alert's body.
fn id(alert: &str) -> &str {
    alert
        .lines()
        .find_map(|line| line.strip_prefix("_id: "))
        .unwrap_or_default()
}

/// The time in an alert's head.
fn time(alert: &str) -> &str {
    let head = alert.lines().next().unwrap_or_default();
    head.rsplit(" at ")
        .next()
        .unwrap_or_default()
        .trim_end_matches(':')
}
