//! Compares what happened with what was recorded.

use super::stage::{Delivered, Played};
use super::wall;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Everything, times included.
pub(super) fn all(case: &Value, played: &Played) -> Result<(), String> {
    let mut differences = alerts(case, played, true);
    differences.push_str(&silences(case, played));
    differences.push_str(&main_index(case, played, true));
    differences.push_str(&status(case, played));
    differences.push_str(&errors(played));
    differences.push_str(&disabled(case, played));
    if differences.is_empty() {
        Ok(())
    } else {
        Err(differences)
    }
}

/// Everything but times.
pub(super) fn without_times(case: &Value, played: &Played) -> Result<(), String> {
    let mut differences = alerts(case, played, false);
    differences.push_str(&main_index(case, played, false));
    differences.push_str(&errors(played));
    if differences.is_empty() {
        Ok(())
    } else {
        Err(differences)
    }
}

/// A match, or a document's copy of one, without what depends on polls.
fn without_counts(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(members) = value.as_object_mut() {
        members.retain(|name, _| name != "num_hits" && name != "num_matches");
        if let Some(body) = members.get_mut("match_body") {
            *body = without_counts(body);
        }
    }
    value
}

fn without_count_lines(body: &str) -> String {
    let lines = body.split_inclusive('\n');
    lines
        .filter(|line| !line.starts_with("num_hits: ") && !line.starts_with("num_matches: "))
        .collect()
}

/// Whether elastalert2 could not write then; what it lost is not compared.
fn lost(case: &Value, at: &str) -> bool {
    let spans = case["down"]["index"].as_array().into_iter().flatten();
    at != "load"
        && spans
            .map(|span| {
                (
                    wall(span[0].as_str().unwrap()),
                    wall(span[1].as_str().unwrap()),
                )
            })
            .any(|(from, to)| from <= wall(at) && wall(at) < to)
}

fn alerts(case: &Value, played: &Played, times: bool) -> String {
    let mut out = String::new();
    let mut expected: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for alert in case["expected"]["alerts"].as_array().unwrap() {
        expected
            .entry(alert["rule"].as_str().unwrap())
            .or_default()
            .push(alert);
    }
    let mut actual: BTreeMap<&str, Vec<&Delivered>> = BTreeMap::new();
    for alert in &played.delivered {
        actual.entry(&alert.rule).or_default().push(alert);
    }
    let rules: BTreeSet<&str> = expected.keys().chain(actual.keys()).copied().collect();
    for rule in rules {
        let (expected, actual) = (
            expected.remove(rule).unwrap_or_default(),
            actual.remove(rule).unwrap_or_default(),
        );
        let brief = |at: &str, matches: &[Value]| {
            format!(
                "{at} {:?}",
                matches.iter().map(|m| m["i"].clone()).collect::<Vec<_>>()
            )
        };
        if expected.len() != actual.len() {
            let expected: Vec<_> = expected
                .iter()
                .map(|a| brief(a["at"].as_str().unwrap(), a["matches"].as_array().unwrap()))
                .collect();
            let actual: Vec<_> = actual.iter().map(|a| brief(&a.at, &a.matches)).collect();
            writeln!(
                out,
                "{rule}: expected alerts {expected:#?}\n found {actual:#?}"
            )
            .unwrap();
            continue;
        }
        for (expected, actual) in expected.iter().zip(&actual) {
            let at = expected["at"].as_str().unwrap();
            let late = actual.attempt > 1 && wall(&actual.at) > wall(at);
            let mut differ =
                |what: &str, expected: &dyn std::fmt::Debug, found: &dyn std::fmt::Debug| {
                    writeln!(
                        out,
                        "{rule} at {at}: {what}: expected {expected:?}\n  found {found:?}"
                    )
                    .unwrap();
                };
            if times && actual.at != at && !late {
                differ("at", &at, &actual.at);
            }
            if times && wall(expected["alert_time"].as_str().unwrap()) != actual.alert_time {
                differ(
                    "alert_time",
                    &expected["alert_time"],
                    &actual.alert_time.to_text(),
                );
            }
            if expected["alerter"] != actual.alerter.as_str() {
                differ("alerter", &expected["alerter"], &actual.alerter);
            }
            if expected["subject"] != actual.subject.as_str() {
                differ("subject", &expected["subject"], &actual.subject);
            }
            let body = without_count_lines(expected["body"].as_str().unwrap());
            if body != without_count_lines(&actual.body) {
                differ("body", &body, &actual.body);
            }
            let matches: Vec<_> = expected["matches"]
                .as_array()
                .unwrap()
                .iter()
                .map(without_counts)
                .collect();
            let found: Vec<_> = actual.matches.iter().map(without_counts).collect();
            if !crate::golden::matches::same_value(
                &Value::Array(matches.clone()),
                &Value::Array(found.clone()),
            ) {
                differ("matches", &Value::Array(matches), &Value::Array(found));
            }
            for matched in &actual.matches {
                if matched.get("num_hits").is_none() || matched.get("num_matches").is_none() {
                    differ("counts", &"num_hits and num_matches", matched);
                }
            }
        }
    }
    out
}

fn silences(case: &Value, played: &Played) -> String {
    let key = |at: &str, document: &Value| {
        let field = |name: &str| document[name].to_string();
        format!(
            "{at} until {} exponent {} @timestamp {}",
            field("until"),
            field("exponent"),
            field("@timestamp")
        )
    };
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for write in writes(case, "_silence") {
        let document = &write["doc"];
        expected
            .entry(document["rule_name"].to_string())
            .or_default()
            .push(key(write["at"].as_str().unwrap(), document));
    }
    let mut actual: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (at, _, _, document) in played
        .writes
        .iter()
        .filter(|(at, index, _, _)| *index == "_silence" && !lost(case, at))
    {
        let document = document.as_ref().unwrap();
        actual
            .entry(document["rule_name"].to_string())
            .or_default()
            .push(key(at, document));
    }
    if expected == actual {
        String::new()
    } else {
        format!("silences: expected {expected:#?}\nfound {actual:#?}\n")
    }
}

fn writes<'c>(case: &'c Value, suffix: &str) -> Vec<&'c Value> {
    let index = format!("elastalert_status{suffix}");
    let index = case["config"]["writeback_index"]
        .as_str()
        .map_or(index, |name| format!("{name}{suffix}"));
    case["expected"]["writes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|write| write["index"] == index.as_str())
        .collect()
}

/// The documents of the main index at the end: a group's documents together, ids left out.
fn main_index(case: &Value, played: &Played, times: bool) -> String {
    let mut expected = BTreeMap::new();
    for write in writes(case, "") {
        let id = write["_id"].as_str().unwrap().to_owned();
        match write["op"].as_str() {
            Some("delete") => expected.remove(&id),
            _ => expected.insert(id, write["doc"].clone()),
        };
    }
    let mut actual = BTreeMap::new();
    for (_, _, id, document) in played
        .writes
        .iter()
        .filter(|(at, index, _, _)| index.is_empty() && !lost(case, at))
    {
        match document {
            None => actual.remove(id),
            Some(document) => actual.insert(id.clone(), document.clone()),
        };
    }
    let (expected, actual) = (groups(&expected, times), groups(&actual, times));
    let mut out = String::new();
    let same = |a: &Vec<Value>, b: &Vec<Value>| {
        crate::golden::matches::same_value(&Value::Array(a.clone()), &Value::Array(b.clone()))
    };
    let mut left = actual;
    for group in expected {
        match left.iter().position(|other| same(&group, other)) {
            Some(at) => drop(left.swap_remove(at)),
            None => writeln!(out, "main index: missing {}", Value::Array(group)).unwrap(),
        }
    }
    for group in left {
        writeln!(out, "main index: unexpected {}", Value::Array(group)).unwrap();
    }
    out
}

/// Each document with those that point to it.
fn groups(documents: &BTreeMap<String, Value>, times: bool) -> Vec<Vec<Value>> {
    let mut groups: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (id, document) in documents {
        let group = document["aggregate_id"].as_str().unwrap_or(id);
        let mut document = without_counts(document);
        let members = document.as_object_mut().unwrap();
        let first = members.remove("aggregate_id").is_none();
        members.insert("is_first".to_owned(), first.into());
        members.remove("@timestamp");
        // Failures' words are each program's own.
        if members.get("alert_exception").is_some_and(Value::is_string) {
            members.insert("alert_exception".to_owned(), "some text".into());
        }
        if !times {
            members.remove("alert_time");
        }
        groups.entry(group).or_default().push(document);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    for group in &mut groups {
        group.sort_by_cached_key(|document| {
            (
                document["is_first"] == false,
                document["match_body"]["_id"].to_string(),
                // Matches that are no events have no id.
                document["match_time"].to_string(),
                document["match_body"]["key"].to_string(),
            )
        });
    }
    groups
}

fn status(case: &Value, played: &Played) -> String {
    let key = |at: &str, document: &Value| {
        let matches = document["matches"].as_u64().unwrap_or(0);
        (matches > 0).then(|| {
            format!(
                "{} at {at}: {matches} matches, endtime {}",
                document["rule_name"], document["endtime"]
            )
        })
    };
    let expected: BTreeSet<_> = writes(case, "_status")
        .into_iter()
        .filter_map(|write| key(write["at"].as_str().unwrap(), &write["doc"]))
        .collect();
    let statuses = played
        .writes
        .iter()
        .filter(|(at, index, _, _)| *index == "_status" && !lost(case, at));
    let actual: BTreeSet<_> = statuses
        .filter_map(|(at, _, _, document)| key(at, document.as_ref().unwrap()))
        .collect();
    if expected == actual {
        String::new()
    } else {
        format!("status: expected {expected:#?}\nfound {actual:#?}\n")
    }
}

fn errors(played: &Played) -> String {
    let written: BTreeSet<_> = played
        .writes
        .iter()
        .filter(|(_, index, _, _)| *index == "_error")
        .filter_map(|(_, _, _, document)| document.as_ref()?["data"]["rule"].as_str())
        .collect();
    let missing: Vec<_> = played
        .failed
        .iter()
        .filter(|rule| !written.contains(rule.as_str()))
        .collect();
    if missing.is_empty() {
        String::new()
    } else {
        format!("no error document for {missing:?}\n")
    }
}

fn disabled(case: &Value, played: &Played) -> String {
    let expected: BTreeSet<_> = super::strings(&case["expected"]["disabled_rules"])
        .into_iter()
        .collect();
    let off: BTreeSet<_> = played.disabled.iter().map(String::as_str).collect();
    if off.is_subset(&expected) {
        String::new()
    } else {
        format!("disabled: expected {expected:?}, found {off:?}\n")
    }
}
