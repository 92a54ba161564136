use super::*;
use crate::config::{Problem, Service, Sources};
use crate::event::{Document, RawEvent};
use crate::filter::Mapping;
use crate::rule::load::Loader;
use crate::rule::{Decider, Rule, RuleSet};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;
use std::path::Path;

mod adopt;
mod failing;
mod held;
mod kept;
mod model;
mod recovery;
mod tick;
mod tickets;
mod time;

const START: WallTime = WallTime(1_772_409_600_000_000);
const SECOND: Duration = Duration::from_secs(1);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Rules as YAML without what all have; their alerters are named, and do nothing.
fn load(generation: u64, rules: &[&str]) -> (Arc<Program>, Decider) {
    let folder = tempfile::tempdir().unwrap();
    let (mut service, _) = Service::load(&Sources {
        path: None,
        environment: &|_| None,
        expand: true,
        rule_options: &[],
        known: &|_| false,
    });
    service.alert_time_limit = Duration::from_secs(60);
    let files: Vec<_> = (0..rules.len())
        .map(|at| folder.path().join(format!("{at}.yaml")))
        .collect();
    for (file, rule) in files.iter().zip(rules) {
        std::fs::write(file, format!("{rule}\nindex: logs\n")).unwrap();
    }
    let loaded = Loader {
        service: &service,
        environment: &|_| None,
        working_directory: Path::new("/"),
        mapping: &Mapping::default(),
        text_options: &[],
        alerter_options: &[],
    }
    .files(&files);
    assert!(
        !loaded.problems.iter().any(Problem::is_error),
        "{:?}",
        loaded.problems
    );
    let rules: Vec<_> = loaded
        .rules
        .into_iter()
        .map(failing::make_fragile)
        .collect();
    let entries = rules.iter().map(|rule| {
        Arc::new(ProgramRule {
            rule: Arc::clone(rule),
            alerters: rule
                .properties()
                .texts("alert")
                .iter()
                .map(|name| facts(name))
                .collect(),
            prepare: Arc::new(AsIs),
            enhance_first: false,
            match_in_root: false,
        })
    });
    let program = Arc::new(Program::new(generation, entries.collect()));
    (
        program,
        Decider::new(Arc::new(RuleSet { generation, rules })),
    )
}

/// An alerter that does nothing.
fn facts(name: &str) -> AlerterFacts {
    AlerterFacts {
        name: "debug",
        ticket: match name {
            "jira" => TicketUse::Makes,
            "email" => TicketUse::Shows,
            _ => TicketUse::None,
        },
    }
}

/// Prepares nothing; matches with a member `drop` are dropped.
struct AsIs;

impl Prepare for AsIs {
    fn enhance(&self, matched: &mut Document) -> (bool, Vec<String>) {
        (!matched.contains_key("drop"), Vec::new())
    }

    fn prepare(&self, _rule: &Rule, matches: &mut Vec<Document>, _seen: &Seen) -> Vec<String> {
        matches.retain(|matched| !matched.contains_key("drop"));
        Vec::new()
    }

    fn alert_info(&self, _rule: &Rule, _matches: &[Document], _now: WallTime) -> Document {
        Document::from_iter([("type".to_owned(), json!("debug"))])
    }
}

fn options() -> Options {
    Options {
        run_every: SECOND,
        lateness: Duration::from_secs(30),
        future_tolerance: Duration::from_secs(30),
        retry_first: Duration::from_secs(5),
        retry_longest: Duration::from_secs(20),
        add_metadata: false,
        replace_dots: false,
        most_kept: u64::MAX,
        tick_part: u64::MAX,
        event_part: u64::MAX,
        instance: "test".to_owned(),
    }
}

fn event(members: &serde_json::Value, time: WallTime) -> RawEvent {
    let mut members = members.clone();
    members["@timestamp"] = time.to_text().into();
    RawEvent {
        bytes: Bytes::from(members.to_string()),
        meta: None,
    }
}

/// An engine with its rules, at a time.
struct Stage {
    engine: Engine,
    decider: Decider,
    now: WallTime,
}

impl Stage {
    fn new(rules: &[&str]) -> Self {
        let (program, decider) = load(0, rules);
        Self {
            engine: Engine::new(options(), program),
            decider,
            now: START,
        }
    }

    fn at(&mut self, seconds: u64) -> &mut Self {
        self.now = START.plus(secs(seconds));
        self
    }

    fn apply(&mut self, input: Input) -> Outcome {
        let mut out = Outcome::default();
        self.engine.apply(input, self.now, &mut out);
        out
    }

    fn event(&mut self, members: &serde_json::Value) -> Outcome {
        let event = event(members, self.now);
        let decided = self.decider.decide(&[event], None, self.now);
        self.apply(Input::Events(decided))
    }

    fn ended(&mut self, alert: &AlertId, alerter: u16, result: Result<(), &str>) -> Outcome {
        self.apply(Input::Outcome(DeliveryOutcome {
            alert: alert.clone(),
            alerter,
            result: result.map(|()| None).map_err(str::to_owned),
        }))
    }

    fn reload(&mut self, generation: u64, rules: &[&str]) -> Vec<Note> {
        let (program, decider) = load(generation, rules);
        self.decider = decider;
        self.apply(Input::Program(program)).notes
    }
}

impl Outcome {
    fn deliveries(&self) -> Vec<&Delivery> {
        let deliveries = self.effects.iter().filter_map(|effect| match effect {
            Effect::Deliver(delivery) => Some(delivery),
            Effect::Write(..) => None,
        });
        deliveries.collect()
    }

    /// Each delivery: alerter, attempt, and the numbers of the events it tells of.
    fn sent(&self) -> Vec<(u16, u32, Vec<u64>)> {
        let numbers = |delivery: &Delivery| {
            let matches = delivery.alert.matches.iter();
            matches
                .map(|matched| matched["number"].as_u64().unwrap())
                .collect()
        };
        let deliveries = self.deliveries().into_iter();
        deliveries
            .map(|delivery| (delivery.alerter, delivery.attempt, numbers(delivery)))
            .collect()
    }

    /// The documents written to an index, and the ids of those removed from it.
    fn written(&self, wanted: Index) -> (Vec<&Document>, Vec<&str>) {
        let (mut put, mut removed) = (Vec::new(), Vec::new());
        for effect in &self.effects {
            match effect {
                Effect::Write(_, Write { index, id, op }) if *index == wanted => match op {
                    Op::Put(document) => put.push(document),
                    Op::Delete => removed.push(id.as_ref()),
                },
                Effect::Write(..) | Effect::Deliver(_) => {}
            }
        }
        (put, removed)
    }

    /// The silences started: key, seconds, exponent.
    fn silences(&self, now: WallTime) -> Vec<(&str, u64, i32)> {
        let started = |record| match record {
            &Record::Silence {
                ref key, silence, ..
            } => Some((
                key.as_str(),
                silence.until.since(now).as_secs(),
                silence.exponent,
            )),
            _ => None,
        };
        self.records.iter().filter_map(started).collect()
    }
}

const EVERY: &str = "name: every\ntype: any\nrealert: {minutes: 0}\nalert: debug";

#[test]
fn realert_zero_alerts_for_every_match_and_silences_nothing() {
    let mut stage = Stage::new(&[EVERY]);
    for number in 0..3 {
        let out = stage.event(&json!({"number": number}));
        assert_eq!(out.sent(), [(0, 1, vec![number])]);
        assert!(out.written(Index::Silence).0.is_empty());
    }
}

#[test]
fn a_silence_holds_for_its_key_until_its_end() {
    let mut stage =
        Stage::new(&["name: r\ntype: any\nquery_key: user\nrealert: {seconds: 10}\nalert: debug"]);
    let (alice, bob) = (
        json!({"user": "alice", "number": 1}),
        json!({"user": "bob", "number": 2}),
    );
    let nobody = json!({"number": 3});
    let out = stage.event(&alice);
    assert_eq!(out.silences(stage.now), [("r.alice", 10, 0)]);
    let document = out.written(Index::Silence).0[0];
    assert_eq!(document["until"], "2026-03-02T00:00:10Z");
    assert!(stage.event(&alice).sent().is_empty());
    assert_eq!(stage.event(&bob).sent().len(), 1);
    assert_eq!(stage.event(&nobody).sent().len(), 1);
    stage.at(9);
    for held_back in [&alice, &bob, &nobody] {
        assert!(stage.event(held_back).sent().is_empty());
    }
    // Exclusively: at its end it is over.
    assert_eq!(stage.at(10).event(&alice).sent().len(), 1);
}

#[test]
fn exponential_realert_grows_and_shrinks_as_elastalert_has_it() {
    let rule =
        "name: r\ntype: any\nrealert: {minutes: 1}\nexponential_realert: {hours: 1}\nalert: debug";
    let mut stage = Stage::new(&[rule]);
    for (at, lasts, exponent) in [
        (0, 60, 0),
        (61, 120, 1),
        (182, 240, 2),
        (423, 480, 3),
        // 1000 s of quiet: 480, 240 and 120 of them take back one each.
        (1903, 60, 0),
    ] {
        let out = stage.at(at).event(&json!({"number": at}));
        assert_eq!(out.silences(stage.now), [("r", lasts, exponent)], "{at}");
    }
}

#[test]
fn exponential_realert_stops_at_its_limit() {
    let rule = "name: r\ntype: any\nrealert: {minutes: 1}\nexponential_realert: {minutes: 4}\nalert: debug";
    let mut stage = Stage::new(&[rule]);
    for (at, lasts, exponent) in [(0, 60, 0), (61, 120, 1), (182, 240, 1), (423, 240, 1)] {
        let out = stage.at(at).event(&json!({"number": at}));
        assert_eq!(out.silences(stage.now), [("r", lasts, exponent)], "{at}");
    }
}

#[test]
fn the_first_silence_is_realert_even_above_the_limit_of_exponential_realert() {
    let rule = "name: r\ntype: any\nrealert: {minutes: 10}\nexponential_realert: {minutes: 5}\nalert: debug";
    let mut stage = Stage::new(&[rule]);
    for (at, lasts, exponent) in [(0, 600, 0), (600, 300, 0), (901, 300, 0), (2402, 300, -1)] {
        let out = stage.at(at).event(&json!({"number": at}));
        assert_eq!(out.silences(stage.now), [("r", lasts, exponent)], "{at}");
    }
}

#[test]
fn exponential_realert_goes_on_from_a_silence_by_an_operator() {
    let rule =
        "name: r\ntype: any\nrealert: {minutes: 1}\nexponential_realert: {hours: 1}\nalert: debug";
    let mut stage = Stage::new(&[rule]);
    stage.apply(Input::Silence {
        key: "r".to_owned(),
        until: START.plus(secs(100)),
        comment: None,
    });
    let out = stage.at(130).event(&json!({"number": 1}));
    assert_eq!(out.silences(stage.now), [("r", 120, 1)]);
}

#[test]
fn of_two_silences_by_an_operator_the_longer_holds() {
    let mut stage = Stage::new(&[EVERY]);
    for seconds in [100, 50] {
        let out = stage.apply(Input::Silence {
            key: "every._silence".to_owned(),
            until: START.plus(secs(seconds)),
            comment: None,
        });
        assert_eq!(out.written(Index::Silence).0.len(), 1);
    }
    assert!(stage.at(99).event(&json!({"number": 1})).sent().is_empty());
    assert_eq!(stage.at(100).event(&json!({"number": 2})).sent().len(), 1);
}

#[test]
fn a_silence_that_expired_is_over_in_every_document() {
    let mut stage = Stage::new(&[EVERY]);
    let key = "every._silence".to_owned();
    let mut written = Vec::new();
    for (seconds, comment) in [(50, None), (100, Some("upgrade".to_owned()))] {
        let out = stage.apply(Input::Silence {
            key: key.clone(),
            until: START.plus(secs(seconds)),
            comment,
        });
        let document = out.written(Index::Silence).0[0].clone();
        written.push((format!("id{seconds}").into(), document));
    }
    let out = stage.at(10).apply(Input::Expire {
        key: key.clone(),
        written,
    });
    let (documents, _) = out.written(Index::Silence);
    assert_eq!(documents.len(), 2);
    for document in &documents {
        assert_eq!(document["until"], stage.now.to_text());
        assert_eq!(document["rule_name"], key);
    }
    assert_eq!(documents[1]["comment"], "upgrade");
    assert_eq!(stage.event(&json!({"number": 1})).sent().len(), 1);
}

const TOGETHER: &str = "name: together\ntype: any\naggregation: {seconds: 10}\naggregation_key: user\nmax_aggregation: 1\nalert: debug";

#[test]
fn aggregated_matches_wait_and_leave_together() {
    let mut stage = Stage::new(&[TOGETHER]);
    for (at, user, number) in [(0, "a", 1), (1, "b", 2), (2, "a", 3), (10, "a", 4)] {
        let out = stage.at(at).event(&json!({"user": user, "number": number}));
        assert!(out.sent().is_empty());
        let document = out.written(Index::Alerts).0[0].clone();
        assert_eq!(document["alert_sent"], false);
        assert_eq!(document["aggregation_key"], user);
    }
    // Due strictly after its time; one more than max_aggregation in an alert.
    assert!(stage.apply(Input::Due).sent().is_empty());
    let due = stage.engine.next_due().unwrap();
    assert_eq!(due, WallTime(START.plus(secs(10)).0 + 1));
    stage.now = due;
    let out = stage.apply(Input::Due);
    assert_eq!(out.sent(), [(0, 1, vec![1, 3]), (0, 1, vec![4])]);
    // The last one's document waited as the third of its group; it is the first of its own alert now.
    assert_eq!(out.written(Index::Alerts).1, ["test-0-2"]);
    // What comes now belongs to the next alert.
    assert!(
        stage
            .event(&json!({"user": "a", "number": 5}))
            .sent()
            .is_empty()
    );
    assert_eq!(stage.at(12).apply(Input::Due).sent(), [(0, 1, vec![2])]);
    assert_eq!(stage.at(21).apply(Input::Due).sent(), [(0, 1, vec![5])]);
}

#[test]
fn a_failed_delivery_is_repeated_ever_later_and_given_up_after_alert_time_limit() {
    let mut stage = Stage::new(&[EVERY]);
    let out = stage.event(&json!({"number": 1}));
    let id = out.deliveries()[0].alert.id.clone();
    for (attempt, failed, next) in [(1, 0, 5), (2, 5, 15), (3, 15, 35), (4, 35, 55)] {
        let out = stage.at(failed).ended(&id, 0, Err("refused"));
        let error = out.written(Index::Error).0[0];
        assert_eq!(error["message"], "Error while running alert debug: refused");
        let (documents, _) = out.written(Index::Alerts);
        assert_eq!(documents[0]["alert_sent"], false);
        assert_eq!(documents[0]["alert_exception"], "refused");
        assert_eq!(stage.engine.next_due(), Some(START.plus(secs(next))));
        assert!(stage.at(next - 1).apply(Input::Due).sent().is_empty());
        let repeated = stage.at(next).apply(Input::Due).sent();
        assert_eq!(repeated, [(0, attempt + 1, vec![1])]);
    }
    stage.at(55).ended(&id, 0, Err("refused"));
    let out = stage.at(75).apply(Input::Due);
    assert!(out.sent().is_empty());
    let gave_up = Note::GaveUp {
        rule: "every".to_owned(),
        error: "refused".to_owned(),
    };
    assert_eq!(out.notes, [gave_up]);
    assert_eq!(stage.engine.undelivered(), 0);
    assert_eq!(stage.engine.next_due(), None);
}

#[test]
fn an_alerter_that_fails_is_repeated_alone() {
    let mut stage =
        Stage::new(&["name: r\ntype: any\nrealert: {minutes: 0}\nalert: [debug, command]"]);
    let out = stage.event(&json!({"number": 1}));
    assert_eq!(out.sent(), [(0, 1, vec![1]), (1, 1, vec![1])]);
    let id = out.deliveries()[0].alert.id.clone();
    let out = stage.ended(&id, 0, Err("refused"));
    assert!(
        out.written(Index::Alerts).0.is_empty(),
        "not all were tried"
    );
    let out = stage.ended(&id, 1, Ok(()));
    let (documents, _) = out.written(Index::Alerts);
    assert_eq!(documents[0]["alert_sent"], true);
    assert!(!documents[0].contains_key("alert_exception"));
    let repeated = stage.at(5).apply(Input::Due).sent();
    assert_eq!(repeated, [(0, 2, vec![1])]);
    stage.ended(&id, 0, Ok(()));
    assert_eq!(stage.engine.undelivered(), 0);
    // An outcome that comes once more changes nothing.
    assert!(stage.ended(&id, 0, Err("late")).effects.is_empty());
}

#[test]
fn a_dropped_match_is_not_alerted_and_silences_all_the_same() {
    let mut stage = Stage::new(&["name: r\ntype: any\nalert: debug"]);
    let out = stage.event(&json!({"number": 1, "drop": true}));
    assert!(out.sent().is_empty() && out.written(Index::Alerts).0.is_empty());
    assert!(stage.event(&json!({"number": 2})).sent().is_empty());
}

const BURST: &str = "name: burst\ntype: frequency\nnum_events: 3\ntimeframe: {minutes: 1}\nalert: debug\nrealert: {minutes: 0}";

#[test]
fn what_was_judged_before_an_edit_is_not_judged_anew_after_a_crash() {
    let mut stage = Stage::new(&[BURST]);
    let mut journal = Vec::new();
    for number in 1..5 {
        // The third matches, and empties the window.
        journal.extend(stage.event(&json!({"number": number})).records);
    }
    let five = BURST.replace("num_events: 3", "num_events: 5");
    let (program, _) = load(1, &[&five]);
    journal.extend(stage.apply(Input::Program(program)).records);
    let mut stage = stage.restarted(&[&five], Some(journal));
    let sent = (5..9).map(|number| stage.event(&json!({"number": number})).sent().len());
    assert_eq!(sent.collect::<Vec<_>>(), [0, 0, 0, 1]);
}

#[test]
fn an_edit_of_words_writes_no_memory_down() {
    let mut stage = Stage::new(&[BURST]);
    stage.event(&json!({"number": 1}));
    let memories = |records: &[Record]| {
        let memories = records.iter();
        memories
            .filter(|record| matches!(record, Record::Warmed(_)))
            .count()
    };
    let (program, _) = load(1, &[&format!("{BURST}\npriority: 1")]);
    let out = stage.apply(Input::Program(program));
    assert_eq!(memories(&out.records), 0);
    let (program, _) = load(2, &[&BURST.replace("num_events: 3", "num_events: 4")]);
    let out = stage.apply(Input::Program(program));
    assert_eq!(memories(&out.records), 1);
    // What an aggregation remembers does not depend on how it is judged.
    let metric = |most: u32| {
        format!(
            "name: metric\ntype: metric_aggregation\nmetric_agg_key: number\nmetric_agg_type: sum\nmax_threshold: {most}\nbuffer_time: {{minutes: 5}}\nalert: debug\nrealert: {{minutes: 0}}"
        )
    };
    let mut stage = Stage::new(&[&metric(100)]);
    stage.event(&json!({"number": 30}));
    let (program, _) = load(1, &[&metric(40)]);
    let out = stage.apply(Input::Program(program));
    assert_eq!(memories(&out.records), 0);
    stage.event(&json!({"number": 20}));
    assert_eq!(stage.engine.undelivered(), 1);
}

#[test]
fn a_reload_keeps_what_means_the_same_and_drops_the_rest() {
    let mut stage = Stage::new(&[EVERY, BURST]);
    stage.event(&json!({"number": 1}));
    stage.event(&json!({"number": 2}));
    let rule = || "burst".to_owned();
    let notes = stage.reload(1, &[&format!("{BURST}\npriority: 1")]);
    let every = "every".to_owned();
    assert_eq!(
        notes,
        [
            Note::RuleMigrated {
                rule: rule(),
                edited: vec!["priority".to_owned()]
            },
            Note::RuleGone { rule: every }
        ]
    );
    // The alert of the rule that is gone waits on.
    assert_eq!(stage.engine.undelivered(), 2);
    assert_eq!(stage.event(&json!({"number": 3})).sent().len(), 1);
    stage.event(&json!({"number": 4}));
    let two = BURST.replace("num_events: 3", "num_events: 2") + "\npriority: 1";
    let edited = vec!["num_events".to_owned()];
    let notes = stage.reload(2, &[&two]);
    assert_eq!(
        notes,
        [Note::RuleMigrated {
            rule: rule(),
            edited
        }]
    );
    assert_eq!(stage.event(&json!({"number": 5})).sent().len(), 1);
    stage.event(&json!({"number": 6}));
    let notes = stage.reload(3, &[&two.replace("minutes: 1", "minutes: 2")]);
    let because = vec!["timeframe".to_owned()];
    assert_eq!(
        notes,
        [Note::RuleReset {
            rule: rule(),
            because
        }]
    );
    assert!(stage.event(&json!({"number": 7})).sent().is_empty());
    assert_eq!(stage.event(&json!({"number": 8})).sent().len(), 1);
    assert_eq!(
        stage.reload(4, &[&two.replace("minutes: 1", "minutes: 2")]),
        [Note::RuleKept { rule: rule() }]
    );
}

#[test]
fn a_batch_decided_under_the_rules_before_finds_its_rule() {
    let mut stage = Stage::new(&[EVERY, BURST]);
    let decided = stage
        .decider
        .decide(&[event(&json!({"number": 1}), START)], None, START);
    stage.reload(1, &[BURST, EVERY]);
    let out = stage.apply(Input::Events(decided));
    assert_eq!(out.deliveries()[0].alert.rule.as_ref(), "every");
    assert_eq!(out.sent().len(), 1);
}

#[test]
fn a_window_is_not_moved_by_a_wrong_clock() {
    let mut stage = Stage::new(&[BURST]);
    for seconds_off in [0, -31, 31, -1, 1] {
        let time = WallTime(START.0 + seconds_off * 1_000_000);
        let event = event(&json!({"number": 1}), time);
        let decided = stage.decider.decide(&[event], None, START);
        let alerts = stage.apply(Input::Events(decided)).sent().len();
        assert_eq!(alerts, usize::from(seconds_off == 1), "{seconds_off}");
    }
    let (_, counts, _) = stage.engine.totals().next().unwrap();
    assert_eq!((counts.hits, counts.late, counts.future), (5, 1, 1));
}
