//! A rule's texts tried on the first sample event that it matches.

use super::Sample;
use crate::alert::Alert;
use crate::alerter::Exit;
use crate::config::Problem;
use crate::engine::{ProgramRule, Seen};
use crate::event::{Document, RawEvent};
use crate::rule::{Match, Rule};
use serde_json::{Value, json};
use std::sync::Arc;

/// Adds the fields in texts that nobody has, and the texts that cannot be made.
pub(super) fn try_on(
    entry: &ProgramRule,
    exits: &[Exit],
    sample: &Sample,
    problems: &mut Vec<Problem>,
) {
    let rule = &entry.rule;
    let Some(event) = sample.matches(rule).next() else {
        return;
    };
    let raw = RawEvent {
        bytes: Value::Object(event.clone()).to_string().into(),
        meta: None,
    };
    let found = Match::of_event(Some(&Arc::new(raw)), added(rule));
    let mut matches: Vec<Document> = rule.match_document(&found).into_iter().collect();
    if entry.enhance_first {
        matches.retain_mut(|matched| entry.prepare.enhance(matched).0);
    }
    if !matches.is_empty() {
        entry.prepare.prepare(rule, &mut matches, &Seen::default());
    }
    let Some(first) = matches.first() else {
        return;
    };
    for exit in exits {
        let mut lacking = Vec::new();
        for field in exit.template.fields() {
            if !field.is_in(first, rule) {
                lacking.extend(sample.missing(field.name(), field.span));
            }
        }
        let alert = Alert {
            id: "sample",
            rule,
            template: &exit.template,
            matches: &matches,
            time: sample.now,
            now: sample.now,
            ticket: None,
        };
        let failures = alert.failures().into_iter().map(|(span, error)| {
            let message =
                format!("this text cannot be made for the first event that matches: {error}");
            Problem::warning("W0906", &span, message)
                .help("such alerts carry a default text with the reason")
        });
        // Alerters of a rule share the texts that they do not have themselves.
        for problem in lacking.into_iter().chain(failures) {
            let same = |other: &Problem| {
                other.span.start == problem.span.start && other.message == problem.message
            };
            if !problems.iter().any(same) {
                problems.push(problem);
            }
        }
    }
}

/// What the engine and the rule's type add to a match, each with a value of its kind.
fn added(rule: &Rule) -> Document {
    let properties = rule.properties();
    let option = |name| properties.text(name).unwrap_or_default();
    let own = match option("type").as_str() {
        "spike" | "spike_aggregation" => json!({"spike_count": 2, "reference_count": 1}),
        "percentage_match" => {
            json!({"percentage": 50.0, "percentage_formatted": "50.0", "denominator": 2})
        }
        "flatline" => json!({"key": "value", "count": 1}),
        "new_term" => json!({"new_field": "field", "missing_field": "field"}),
        "change" => json!({"old_value": "before", "new_value": "after"}),
        "metric_aggregation" => {
            let name = format!(
                "metric_{}_{}",
                option("metric_agg_key"),
                option("metric_agg_type")
            );
            json!({
                "metric_agg_value": 1.0,
                "metric_agg_value_formatted": "1.0",
                format!("{name}_formatted"): "1.0",
                name: 1.0,
            })
        }
        _ => json!({}),
    };
    let mut members = own.as_object().cloned().unwrap_or_default();
    members.insert("num_hits".to_owned(), json!(1));
    members.insert("num_matches".to_owned(), json!(1));
    members
}
