//! What of a run is compared (V12).

use super::stage::Run;
use serde_json::{Map, Value};
use std::path::Path;

pub(super) fn same<T: PartialEq + std::fmt::Debug>(
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

pub(super) fn exit_code(run: &Run, expected: &Value) -> Result<(), String> {
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
pub(super) fn output(run: &Run, expected: &Value) -> Result<(), String> {
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

impl Run {
    /// How many silences there are follows from how many alerts there are.
    pub(super) fn without_silences(&self) -> Self {
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
pub(super) fn without_silences(expected: &Value) -> Value {
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

/// What is expected, but with so many matches.
pub(super) fn with_matches(expected: &Value, matches: usize) -> Value {
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

pub(super) fn saved(expected: &Value, directory: &Path) -> Result<(), String> {
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
pub(super) fn alerts_of(log: &str) -> Vec<String> {
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

pub(super) fn alerts(run: &Run, expected: &[String], name: &str) -> Result<(), String> {
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
pub(super) fn id(alert: &str) -> &str {
    alert
        .lines()
        .find_map(|line| line.strip_prefix("_id: "))
        .unwrap_or_default()
}

/// The time in an alert's head.
pub(super) fn time(alert: &str) -> &str {
    let head = alert.lines().next().unwrap_or_default();
    head.rsplit(" at ")
        .next()
        .unwrap_or_default()
        .trim_end_matches(':')
}
