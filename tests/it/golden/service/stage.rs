//! The engine on a stage: the clock stands still between ticks, alerters are stand-ins.

use super::{strings, wall};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tripline::alert::enhancements::{ENHANCEMENTS, Enhanced, EnhancementEntry};
use tripline::alert::{Alert, BodyStyle, Preparation, Process, Template, Times, TopCounts};
use tripline::config::{Service, Sources};
use tripline::engine::{
    AlerterFacts, DeliveryOutcome, Effect, Engine, Input, Op, Options, Outcome, PendingAlert,
    Prepare, Program, ProgramRule, Seen, Silence, Snapshot, TicketUse, Write,
};
use tripline::event::{Document, EventTime, Meta, RawEvent, WallTime};
use tripline::filter::Mapping;
use tripline::rule::load::Loader;
use tripline::rule::{Decider, Rule, RuleSet};

/// An alert that was delivered.
#[derive(Debug)]
pub(super) struct Delivered {
    pub(super) at: String,
    pub(super) rule: String,
    pub(super) alerter: String,
    pub(super) subject: String,
    pub(super) body: String,
    pub(super) matches: Vec<Value>,
    pub(super) alert_time: WallTime,
    pub(super) attempt: u32,
}

/// What happened.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) delivered: Vec<Delivered>,
    /// When, which index, which id, and the document; `None`: removed.
    pub(super) writes: Vec<(String, &'static str, String, Option<Value>)>,
    /// Alerters that failed, by rule.
    pub(super) failed: Vec<String>,
    pub(super) disabled: Vec<String>,
}

/// The Python classes of the cases, under the names the rules call them by, and ElastAlert's own.
fn enhancements(rules: &Value) -> &'static [&'static EnhancementEntry] {
    let mut entries = ENHANCEMENTS.to_vec();
    for rule in strings(rules) {
        for name in rule.split_whitespace() {
            let run = match name.rsplit_once('.') {
                Some((_, "DropEven")) => drop_even,
                Some((_, "Broken")) => |_: &mut Document, _: &Times| Err("broken".to_owned()),
                _ => continue,
            };
            let names = vec![&*name.to_owned().leak()].leak();
            entries.push(Box::leak(Box::new(EnhancementEntry {
                names,
                doc: "A case's own.",
                run,
            })));
        }
    }
    entries.leak()
}

fn drop_even(matched: &mut Document, _: &Times) -> Result<Enhanced, String> {
    let i = matched.get("i").and_then(Value::as_i64).unwrap_or(0);
    if i % 2 == 0 {
        return Ok(Enhanced::Dropped);
    }
    matched.insert("enhanced".to_owned(), format!("kept {i}").into());
    Ok(Enhanced::Kept)
}

pub(super) struct Stage<'c> {
    case: &'c Value,
    options: Options,
    program: Arc<Program>,
    templates: BTreeMap<String, Arc<Template>>,
    decider: Decider,
    engine: Engine,
    alerters: Vec<String>,
    fed: usize,
    restarts: Vec<WallTime>,
    played: Played,
    _directory: tempfile::TempDir,
}

impl<'c> Stage<'c> {
    pub(super) fn set(case: &'c Value) -> Result<Self, String> {
        let directory = tempfile::tempdir().unwrap();
        for (path, content) in case["files"].as_object().into_iter().flatten() {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content.as_str().unwrap()).unwrap();
        }
        let service = service(case, directory.path());
        let files: Vec<_> = case["rules"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
            .map(|(i, text)| {
                let path = directory.path().join(format!("rules/rule{i:02}.yaml"));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, text.as_str().unwrap()).unwrap();
                path
            })
            .collect();
        let loader = Loader {
            service: &service,
            environment: &|_| None,
            working_directory: directory.path(),
            mapping: &mapping(),
            text_options: tripline::alert::OPTIONS,
            alerter_options: &[],
        };
        let loaded = loader.files(&files);
        if let Some(error) = loaded.problems.iter().find(|problem| problem.is_error()) {
            return Err(error.to_string());
        }
        let process = Process {
            zone: jiff::tz::TimeZone::get(case["tz"].as_str().unwrap()).unwrap(),
            working_directory: directory.path().to_owned(),
            enhancements: enhancements(&case["rules"]),
        };
        let alerters: Vec<String> = case["alerters"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        let names: Vec<&'static str> = alerters.iter().map(|name| &*name.clone().leak()).collect();
        let mut templates = BTreeMap::new();
        let mut entries = Vec::new();
        for rule in &loaded.rules {
            let lines = |problems: Vec<tripline::config::Problem>| {
                problems.iter().map(ToString::to_string).collect::<String>()
            };
            let preparation = Preparation::new(&rule.properties(), &process).map_err(lines)?;
            templates.insert(
                rule.name.clone(),
                Arc::new(Template::new(&rule.properties(), &process).map_err(lines)?),
            );
            entries.push(Arc::new(ProgramRule {
                rule: Arc::clone(rule),
                alerters: names.iter().map(|&name| facts(name)).collect(),
                enhance_first: preparation.run_enhancements_first,
                match_in_root: preparation.include_match_in_root,
                prepare: Arc::new(StandIn {
                    preparation,
                    info: json!({"type": names[0]}),
                }),
            }));
        }
        let program = Arc::new(Program::new(0, entries));
        let options = Options {
            run_every: service.run_every,
            lateness: service.lateness,
            future_tolerance: service.future_tolerance,
            retry_first: Duration::ZERO,
            retry_longest: Duration::ZERO,
            add_metadata: service.add_metadata_alert,
            replace_dots: service.replace_dots_in_field_names,
            most_kept: u64::MAX,
            tick_part: u64::MAX,
            event_part: u64::MAX,
            instance: "stage".to_owned(),
        };
        let decider = Decider::new(Arc::new(RuleSet {
            generation: 0,
            rules: loaded.rules,
        }));
        let mut stage = Self {
            case,
            engine: Engine::new(options.clone(), Arc::clone(&program)),
            options,
            program,
            templates,
            decider,
            alerters,
            fed: 0,
            restarts: strings(&case["restart_before_tick_at"])
                .into_iter()
                .map(wall)
                .collect(),
            played: Played {
                disabled: loaded.disabled.into_iter().map(|rule| rule.name).collect(),
                ..Played::default()
            },
            _directory: directory,
        };
        stage.begin();
        Ok(stage)
    }

    /// What the store holds before the start, and the command that is run then.
    fn begin(&mut self) {
        for entry in self.case["store"].as_array().into_iter().flatten() {
            if entry[0].as_str().unwrap().ends_with("_silence") {
                let document = &entry[1];
                let until = wall(document["until"].as_str().unwrap());
                let exponent = document["exponent"].as_i64().unwrap_or(0);
                let exponent = i32::try_from(exponent).unwrap();
                let silence = Silence { until, exponent };
                let key = document["rule_name"].as_str().unwrap();
                self.engine
                    .adopt_silence(key, silence, &mut Outcome::default());
            }
        }
        let args = strings(&self.case["args"]);
        let value = |name: &str| {
            args.iter()
                .position(|arg| *arg == name)
                .map(|at| args[at + 1])
        };
        if let Some(period) = value("--silence") {
            let start = wall(self.case["start"].as_str().unwrap());
            let (unit, number) = period.split_once('=').unwrap();
            let seconds = match unit {
                "weeks" => 604_800,
                "days" => 86_400,
                "hours" => 3_600,
                "minutes" => 60,
                "seconds" => 1,
                unit => panic!("--silence: no unit {unit:?}"),
            };
            let until = start.plus(Duration::from_secs(
                seconds * number.parse::<u64>().unwrap(),
            ));
            let rule = Arc::clone(&self.program.rules[0].rule);
            let value = value("--silence_qk_value").filter(|value| !value.is_empty());
            let key = rule.silence_key_of(value);
            self.apply(
                Input::Silence {
                    key,
                    until,
                    comment: None,
                },
                start,
                "load",
            );
        }
    }

    pub(super) fn tick(&mut self, at: &str) {
        let now = wall(at);
        if self.restarts.first().is_some_and(|restart| *restart < now) {
            self.restarts.remove(0);
            let bytes = self.engine.snapshot().encode().unwrap();
            let (engine, reset) = Engine::from_snapshot(
                self.options.clone(),
                Arc::clone(&self.program),
                Snapshot::decode(&bytes).unwrap(),
            );
            assert_eq!(reset, Vec::<String>::new());
            self.engine = engine;
        }
        self.apply(Input::Due, now, at);
        let events: Vec<(usize, &Value)> = self.case["events"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
            .filter(|(i, _)| {
                let arrival = wall(self.case["arrivals"][*i].as_str().unwrap());
                arrival <= now && arrival.0 > self.fed_until()
            })
            .collect();
        let raw: Vec<RawEvent> = events
            .iter()
            .map(|(i, event)| RawEvent {
                bytes: event.to_string().into(),
                meta: Some(Arc::new(Meta {
                    index: Some("golden".to_owned()),
                    id: Some(format!("e{i}")),
                })),
            })
            .collect();
        self.fed = usize::try_from(now.0).unwrap();
        for position in 0..self.program.rules.len() {
            let mut decided = self.decider.decide(&raw, None, now);
            assert_eq!(decided.rejected, Vec::new());
            decided.counts.retain(|(rule, _)| *rule == position);
            decided
                .decisions
                .retain(|decision| decision.rule == position);
            decided.decisions.sort_by_key(|decision| decision.time);
            self.apply(Input::Events(decided), now, at);
        }
        self.apply(
            Input::Tick {
                busy: Duration::ZERO,
            },
            now,
            at,
        );
    }

    fn fed_until(&self) -> i64 {
        i64::try_from(self.fed).unwrap()
    }

    /// Applies an input, delivers at once, and notes what happened.
    fn apply(&mut self, input: Input, now: WallTime, at: &str) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut out = Outcome::default();
            self.engine.apply(input, now, &mut out);
            for effect in out.effects {
                match effect {
                    Effect::Write(_, Write { index, id, op }) => {
                        let document = match op {
                            Op::Put(document) => Some(Value::Object(document)),
                            Op::Delete => None,
                        };
                        self.played.writes.push((
                            at.to_owned(),
                            index.suffix(),
                            id.to_string(),
                            document,
                        ));
                    }
                    Effect::Deliver(delivery) => {
                        let alerter = self.alerters[usize::from(delivery.alerter)].clone();
                        let result =
                            self.deliver(&alerter, &delivery.alert, delivery.attempt, now, at);
                        let outcome = DeliveryOutcome {
                            alert: delivery.alert.id.clone(),
                            alerter: delivery.alerter,
                            result: result.map(|()| None),
                        };
                        inputs.insert(0, Input::Outcome(outcome));
                    }
                }
            }
        }
    }

    fn deliver(
        &mut self,
        alerter: &str,
        alert: &PendingAlert,
        attempt: u32,
        now: WallTime,
        at: &str,
    ) -> Result<(), String> {
        let plan = &self.case["alerters"][alerter];
        let fails = |kind: &str| {
            let spans = plan[kind].as_array().into_iter().flatten();
            spans
                .map(|span| {
                    (
                        wall(span[0].as_str().unwrap()),
                        wall(span[1].as_str().unwrap()),
                    )
                })
                .any(|(from, to)| from <= now && now < to)
        };
        if fails("fail") || fails("crash") {
            self.played.failed.push(alert.rule.to_string());
            return Err("the stand-in failed".to_owned());
        }
        let (_, entry) = self.program.find(&alert.rule).unwrap();
        let text = Alert {
            id: &alert.id.0,
            rule: &entry.rule,
            template: &self.templates[&*alert.rule],
            matches: &alert.matches,
            time: alert.time,
            now,
            ticket: None,
        };
        self.played.delivered.push(Delivered {
            at: at.to_owned(),
            rule: alert.rule.to_string(),
            alerter: alerter.to_owned(),
            subject: text
                .subject(&entry.rule.name)
                .map_err(|error| error.to_string())?,
            body: text
                .body(BodyStyle::default())
                .map_err(|error| error.to_string())?,
            matches: alert.matches.iter().cloned().map(Value::Object).collect(),
            alert_time: alert.time,
            attempt,
        });
        Ok(())
    }

    pub(super) fn end(self) -> Played {
        self.played
    }
}

fn service(case: &Value, directory: &Path) -> Service {
    let mut config = Map::new();
    for (name, value) in [
        ("es_host", json!("127.0.0.1")),
        ("es_port", json!(9200)),
        ("writeback_index", json!("elastalert_status")),
        ("run_every", json!({"minutes": 1})),
        ("buffer_time", json!({"minutes": 15})),
        ("alert_time_limit", json!({"days": 2})),
        ("rules_folder", json!("rules")),
    ] {
        config.insert(name.to_owned(), value);
    }
    config.extend(case["config"].as_object().unwrap().clone());
    let path = directory.join("config.yaml");
    std::fs::write(&path, Value::Object(config).to_string()).unwrap();
    let sources = Sources {
        path: Some(&path),
        environment: &|_| None,
        expand: true,
        rule_options: &[],
        known: &|_| true,
    };
    Service::load(&sources).0
}

/// Every string a keyword, also under `.keyword`; every number a double; ISO strings dates.
fn mapping() -> Mapping {
    Mapping::default()
}

/// A stand-in that has nothing to do with tickets.
fn facts(name: &'static str) -> AlerterFacts {
    AlerterFacts {
        name,
        ticket: TicketUse::None,
    }
}

struct StandIn {
    preparation: Preparation,
    info: Value,
}

impl Prepare for StandIn {
    fn enhance(&self, matched: &mut Document) -> (bool, Vec<String>) {
        let (enhanced, errors) = self.preparation.enhance(matched);
        (enhanced == Enhanced::Kept, errors)
    }

    fn prepare(&self, rule: &Rule, matches: &mut Vec<Document>, _seen: &Seen) -> Vec<String> {
        self.preparation.run(rule, matches, &Nothing).errors
    }

    fn alert_info(&self, _rule: &Rule, _matches: &[Document], _now: WallTime) -> Document {
        self.info.as_object().unwrap().clone()
    }
}

struct Nothing;

impl TopCounts for Nothing {
    fn visit(
        &self,
        _rule: &Rule,
        _after: EventTime,
        _until: EventTime,
        _visitor: &mut dyn FnMut(&Document),
    ) {
    }
}
