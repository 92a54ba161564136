//! Subject and body of an alert. `text/SEMANTICS.md` defines the replay (T0).

use super::Case;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tripline::alert::{
    Alert, BodyStyle, Preparation, Process, Template, TopCounts, enhancements::ENHANCEMENTS,
};
use tripline::config::{self, Node, Problem, Properties, SourceFile};
use tripline::event::{Document, EventTime, Field, WallTime, time::parse_iso};
use tripline::filter::{Filter, FilterEvent, Mapping};
use tripline::rule::{Common, IndexPattern, QueryKey, Rule, TimeField, types};

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

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn texts(problems: Vec<Problem>) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// What elastalert2 puts into every rule that has not set it.
const DEFAULTS: &str = r"
es_host: 127.0.0.1
es_port: 9200
writeback_index: elastalert_status
alert_time_limit: {days: 2}
aggregation: {seconds: 0}
realert: {minutes: 1}
category: ''
description: ''
owner: ''
priority: '2'
timestamp_field: '@timestamp'
filter: []
";

fn load(
    case: &Value,
    directory: &Path,
    process: &Process,
) -> Result<(Rule, Template, Preparation), String> {
    let environment = |name: &str| case["env"][name].as_str().map(str::to_owned);
    let parse = |name: &str, text: String| {
        let source = Arc::new(SourceFile {
            path: name.into(),
            text,
        });
        let (node, problems) = config::yaml::parse(&source, Some(&environment));
        node.ok_or_else(|| texts(problems))
    };
    let defaults = parse("defaults.yaml", DEFAULTS.to_owned())?;
    let base = parse("config.yaml", case["config"].to_string())?;
    let rule = parse("rule.yaml", case["rule_yaml"].as_str().unwrap().to_owned())?;
    let properties = Properties::new(defaults.as_map().unwrap().clone())
        .overlaid(base.as_map().unwrap())
        .overlaid(rule.as_map().unwrap());
    let problems = config::check(properties.mapping(), &rule.span, tripline::alert::OPTIONS);
    if problems.iter().any(Problem::is_error) {
        return Err(texts(problems));
    }
    let mapping = Mapping::default();
    let name = properties.text("name").unwrap();
    let common = Common {
        name: name.clone(),
        span: rule.span,
        query_key: QueryKey::new(&properties.texts("query_key")),
        time: TimeField::load(&properties).map_err(texts)?,
        timeframe: properties.duration("timeframe"),
        buffer_time: properties.duration("buffer_time").unwrap(),
        run_every: properties.duration("run_every").unwrap(),
        working_directory: directory.to_owned(),
        mapping: mapping.clone(),
    };
    let type_name = properties.text("type").unwrap();
    let entry = types::find(&type_name).ok_or("unknown type")?;
    let filter = properties.get("filter").and_then(Node::as_seq).unwrap();
    let template = Template::new(&properties, process).map_err(texts)?;
    let preparation = Preparation::new(&properties, process).map_err(texts)?;
    let rule = Rule {
        name,
        file: directory.join("rules/rule00.yaml"),
        index: IndexPattern::new(
            properties.text("index").unwrap(),
            tripline::rule::IndexStyle::Plain,
        ),
        filter: Filter::load(filter, &mapping).map_err(texts)?,
        type_name: entry.name,
        kind: (entry.build)(&properties, &common).map_err(texts)?,
        time: common.time,
        query_key: common.query_key,
        include: None,
        realert: Duration::ZERO,
        exponential_realert: None,
        realert_key: common.name,
        aggregation: None,
        alert_time_limit: Duration::ZERO,
        properties,
        state_fingerprint: 0,
    };
    Ok((rule, template, preparation))
}
