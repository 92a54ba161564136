//! One rule, one stream of events: at which events and ticks it matches, and with what. The family's page in the golden folder's README
//! defines the replay and which of the recorded variants counts.

use super::Case;
use crate::support::rules;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tripline::alert::{Process, Template};
use tripline::config::{SourceFile, yaml};
use tripline::event::{self, Document, EventTime, Meta, RawEvent, WallTime};
use tripline::filter::{FilterEvent, Mapping};
use tripline::rule::{Evaluator, Match, Rule, Verdict};

#[test]
fn matches() {
    super::replay("matches", run);
}

/// A row of a case: when, the match, and what the rule adds to the alert's text.
#[derive(Debug, Clone)]
struct Row {
    at: String,
    matched: Value,
    text: Option<String>,
}

fn run(case: &Case) -> Result<(), String> {
    let case = &case.value;
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in case["files"].as_object().into_iter().flatten() {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content.as_str().unwrap()).unwrap();
    }
    let loaded = load(case, directory.path());
    if case["expected"].get("load_error").is_some() {
        return match loaded {
            Ok(_) => Err("loads, but should be refused".to_owned()),
            Err(_) => Ok(()),
        };
    }
    let rule = loaded?;
    let variant = criterion(&case["expected"]);
    let expected = rows(&case["expected"], variant);
    let errors = case["errors"].get(variant).map_or_else(Vec::new, |errors| {
        errors
            .as_array()
            .unwrap()
            .iter()
            .map(|error| place(&error["at"]))
            .collect()
    });
    let actual = replay(case, &rule);
    compare(case, expected, actual, &errors)
}

const VARIANTS: [&str; 4] = ["stream_tick", "stream_own", "stream", "polled"];

/// The variant that decides.
fn criterion(expected: &Value) -> &'static str {
    VARIANTS
        .into_iter()
        .find(|variant| expected.get(variant).is_some())
        .unwrap()
}

fn rows(expected: &Value, variant: &str) -> Vec<Row> {
    let rows = &expected[variant];
    let rows = if rows.is_string() {
        &expected["stream"]
    } else {
        rows
    };
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| Row {
            at: place(&row["at"]),
            matched: row["match"].clone(),
            text: row
                .get("rule_text")
                .map(|text| text.as_str().unwrap().to_owned()),
        })
        .collect()
}

fn place(at: &Value) -> String {
    match at.get("event") {
        Some(event) => format!("event {event}"),
        None => {
            let tick = at.get("tick").or_else(|| at.get("poll")).unwrap();
            format!("tick {}", tick.as_str().unwrap())
        }
    }
}

/// The settings a case's `config` is laid over.
const CONFIG: &str = r#"{"es_host": "127.0.0.1", "es_port": 9200, "writeback_index": "elastalert_status",
    "run_every": {"minutes": 1}, "buffer_time": {"minutes": 15}, "alert_time_limit": {"days": 2}, "rules_folder": "rules"}"#;

fn load(case: &Value, directory: &Path) -> Result<Arc<Rule>, String> {
    let mut config: Map<String, Value> = serde_json::from_str(CONFIG).unwrap();
    config.extend(case["config"].as_object().unwrap().clone());
    let (config_file, rule_file) = (directory.join("config.yaml"), directory.join("rule.yaml"));
    std::fs::write(&config_file, Value::Object(config).to_string()).unwrap();
    std::fs::write(&rule_file, case["rule_yaml"].as_str().unwrap()).unwrap();
    let loaded = rules::load(&config_file, &mapping(), &[rule_file]);
    let problems = || loaded.problems.iter().map(ToString::to_string);
    loaded
        .rules
        .first()
        .cloned()
        .ok_or_else(|| problems().collect::<Vec<_>>().join("\n"))
}

/// Every text is a keyword, also under `.keyword`, every number a double; ISO texts are dates as always.
const MAPPING: &str = r#"{"dynamic_templates": [
    {"texts": {"match_mapping_type": "string", "mapping": {"type": "keyword", "fields": {"keyword": {"type": "keyword"}}}}},
    {"integers": {"match_mapping_type": "long", "mapping": {"type": "double"}}},
    {"floats": {"match_mapping_type": "double", "mapping": {"type": "double"}}}]}"#;

fn mapping() -> Mapping {
    let source = SourceFile::new(Path::new("mapping"), MAPPING);
    Mapping::explicit(&yaml::parse(&Arc::new(source), None).0.unwrap()).unwrap()
}

/// The rule with its state, and what it did so far.
struct Run<'a> {
    rule: &'a Rule,
    evaluator: Evaluator,
    template: Template,
    rows: Vec<Row>,
}

fn replay(case: &Value, rule: &Rule) -> Vec<Row> {
    let process = Process {
        working_directory: std::path::PathBuf::new(),
        zone: jiff::tz::TimeZone::get(case["tz"].as_str().unwrap()).unwrap(),
        enhancements: tripline::alert::enhancements::ENHANCEMENTS,
    };
    let mut run = Run {
        rule,
        evaluator: Evaluator::new(rule),
        template: Template::new(&rule.properties(), &process).unwrap(),
        rows: Vec::new(),
    };
    let start = instant(&case["schedule"]["start"]);
    for document in case["baseline"].as_array().into_iter().flatten() {
        run.learn(document, start);
    }
    let every = case["schedule"]["every_seconds"].as_i64().unwrap();
    let count = case["schedule"]["count"].as_i64().unwrap();
    let mut ticks = (1..=count)
        .map(|tick| start.plus(Duration::from_secs((tick * every) as u64)))
        .peekable();
    let events = case["events"].as_array().unwrap();
    for (i, event) in events.iter().enumerate() {
        let now = instant(&case["arrivals"][i]);
        while let Some(tick) = ticks.next_if(|tick| *tick < now) {
            run.tick(tick);
        }
        run.event(i, event, now);
    }
    ticks.for_each(|tick| run.tick(tick));
    run.rows
}

fn instant(value: &Value) -> EventTime {
    event::time::parse_iso(value.as_str().unwrap())
        .unwrap()
        .event_time()
}

impl Run<'_> {
    fn verdict(&self, document: &Document, id: &str, now: EventTime) -> Verdict {
        let event = FilterEvent {
            document,
            index: Some("golden"),
            id: Some(id),
            now: WallTime(now.0),
        };
        if self.rule.filter.matches(&event) {
            self.rule.verdict(&event)
        } else {
            Verdict::Nothing
        }
    }

    fn learn(&mut self, document: &Value, start: EventTime) {
        let document = document.as_object().unwrap();
        let verdict = self.verdict(document, "", start);
        let time = self.rule.event_time(document).unwrap();
        self.evaluator.learn(None, time, verdict, start);
    }

    fn event(&mut self, i: usize, event: &Value, now: EventTime) {
        let id = format!("e{i}");
        let document = event.as_object().unwrap();
        let Ok(time) = self.rule.event_time(document) else {
            return;
        };
        let raw = Arc::new(RawEvent {
            bytes: event.to_string().into(),
            meta: Some(Arc::new(Meta {
                index: Some("golden".to_owned()),
                id: Some(id.clone()),
            })),
        });
        let verdict = self.verdict(document, &id, now);
        let mut out = Vec::new();
        self.evaluator
            .on_event(Some(&raw), time, verdict, now, &mut out);
        self.write_down(&format!("event {i}"), &out);
    }

    fn tick(&mut self, now: EventTime) {
        let mut out = Vec::new();
        self.evaluator.on_tick(now, &mut out);
        let at = format!("tick {}", WallTime(now.0).to_text());
        self.write_down(&at, &out);
    }

    fn write_down(&mut self, at: &str, out: &[Match]) {
        let times = self.template.times();
        for matched in out {
            let document = self.rule.match_document(matched).unwrap();
            let text = self
                .rule
                .kind
                .text(&document, &|time, back| times.pretty(time, back));
            self.rows.push(Row {
                at: at.to_owned(),
                matched: Value::Object(document),
                text: (!text.is_empty()).then_some(text),
            });
        }
    }
}

/// Rows of one event or tick are a multiset, all else has its order.
fn compare(
    case: &Value,
    expected: Vec<Row>,
    actual: Vec<Row>,
    errors: &[String],
) -> Result<(), String> {
    let alone = matches!(
        case["type"].as_str(),
        Some("any" | "blacklist" | "whitelist")
    );
    let order = order(case);
    let end = errors
        .iter()
        .filter_map(|at| order.get(at))
        .min()
        .filter(|_| !alone);
    let counts = |row: &Row| {
        let before_end = end.is_none_or(|end| order.get(&row.at).is_some_and(|at| at < end));
        before_end && !(alone && errors.contains(&row.at))
    };
    let groups = |rows: Vec<Row>| {
        let mut groups: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
        for row in rows.into_iter().filter(counts) {
            groups.entry(order[&row.at]).or_default().push(row);
        }
        groups
    };
    let (expected, mut actual) = (groups(expected), groups(actual));
    for (at, rows) in &expected {
        let mut found = actual.remove(at).unwrap_or_default();
        for row in rows {
            let Some(i) = found.iter().position(|other| same(row, other)) else {
                return Err(format!("expected {row:?}\nfound    {found:?}"));
            };
            found.remove(i);
        }
        if let Some(row) = found.first() {
            return Err(format!("one match too many: {row:?}"));
        }
    }
    match actual.values().flatten().next() {
        Some(row) => Err(format!("not expected: {row:?}")),
        None => Ok(()),
    }
}

/// The place of every event and tick in time.
fn order(case: &Value) -> BTreeMap<String, usize> {
    let mut places: Vec<(EventTime, u8, String)> = Vec::new();
    let arrivals = case["arrivals"].as_array().unwrap();
    places.extend(
        arrivals
            .iter()
            .enumerate()
            .map(|(i, at)| (instant(at), 0, format!("event {i}"))),
    );
    let start = instant(&case["schedule"]["start"]);
    let every = case["schedule"]["every_seconds"].as_u64().unwrap();
    for tick in 1..=case["schedule"]["count"].as_u64().unwrap() {
        let at = start.plus(Duration::from_secs(tick * every));
        places.push((at, 1, format!("tick {}", WallTime(at.0).to_text())));
    }
    places.sort_by_key(|(at, kind, _)| (*at, *kind));
    places
        .into_iter()
        .enumerate()
        .map(|(i, (_, _, name))| (name, i))
        .collect()
}

fn same(a: &Row, b: &Row) -> bool {
    a.text == b.text && same_value(&a.matched, &b.matched)
}

pub(super) fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        (Value::Object(a), Value::Object(b)) => same_members(a, b),
        _ => a == b,
    }
}

fn same_members(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a.len() == b.len()
        && a.iter()
            .all(|(name, a)| b.get(name).is_some_and(|b| same_value(a, b)))
}
