//! Ticks in parts, and what comes between them.

use super::*;

const QUIET: &str = "name: quiet\ntype: flatline\nthreshold: 1\ntimeframe: {minutes: 10}\nquery_key: user\nforget_keys: true\nrealert: {minutes: 5}\nalert: debug";
const EVERY_NUMBER: &str = "name: every\ntype: any\nrealert: {minutes: 0}\nalert: debug";
const USERS: [&str; 4] = ["a", "b", "c", "d"];

/// The steps of a part that looks at no more than one key.
const ONE: u64 = 1;

impl Stage {
    /// Four users, who have been silent for long enough when the tick comes that has begun.
    fn ticking(rules: &[&str]) -> Self {
        let mut stage = Self::new(rules);
        stage.engine.options.tick_part = ONE;
        for user in USERS {
            stage.event(&json!({"user": user, "number": 0}));
        }
        let out = stage.at(700).apply(Input::Tick { busy: SECOND });
        assert!(out.deliveries().is_empty(), "no key is looked at so early");
        assert!(stage.engine.is_ticking());
        stage
    }

    /// Goes on with the tick until so many alerts have come, or it is over. Their users and times.
    fn parts(&mut self, alerts: usize) -> Vec<(String, u64)> {
        let mut told = Vec::new();
        while told.len() < alerts && self.engine.is_ticking() {
            assert!(self.engine.next_due() <= Some(self.now));
            let out = self.apply(Input::Due);
            told.extend(quiet(&out));
        }
        told
    }

    /// The engine after a crash.
    fn crashed(&mut self, journal: &[Record]) {
        let (options, program) = self.engine.origin();
        let mut engine = Engine::new(options, program);
        for record in journal {
            engine.restore(record.clone());
        }
        engine.resume(&mut Outcome::default());
        self.engine = engine;
    }
}

/// Who is silent, and since how many seconds after the start that is known.
fn quiet(out: &Outcome) -> Vec<(String, u64)> {
    let alerts = out.deliveries().into_iter().map(|delivery| &delivery.alert);
    let alerts = alerts.filter(|alert| &*alert.rule == "quiet");
    alerts
        .map(|alert| {
            let user = alert.matches[0]["key"].as_str().unwrap();
            (user.to_owned(), alert.time.since(START).as_secs())
        })
        .collect()
}

fn at_the_tick(users: &[&str]) -> Vec<(String, u64)> {
    users.iter().map(|user| ((*user).to_owned(), 700)).collect()
}

#[test]
fn an_event_does_not_overtake_a_tick() {
    let mut stage = Stage::ticking(&[QUIET, EVERY_NUMBER]);
    assert_eq!(stage.parts(1), at_the_tick(&["a"]));
    let out = stage.at(701).event(&json!({"user": "c", "number": 7}));
    assert_eq!(quiet(&out), at_the_tick(&["c"]));
    // Who has just been heard of is not silent, nor is who was looked at before.
    let out = stage.event(&json!({"user": "c", "number": 8}));
    assert_eq!(quiet(&out), []);
    let out = stage.event(&json!({"user": "a", "number": 9}));
    assert_eq!(quiet(&out), []);
    assert_eq!(stage.parts(9), at_the_tick(&["b", "d"]));
    assert!(!stage.engine.is_ticking());
    // Of the three that came between, two are in windows for ten minutes; the others are forgotten.
    let out = stage.at(1_500).apply(Input::Tick { busy: SECOND });
    assert!(out.deliveries().is_empty());
    let found = stage.parts(9).into_iter().map(|(user, _)| user);
    assert_eq!(found.collect::<Vec<_>>(), ["c", "a"]);
}

#[test]
fn a_rule_is_told_of_a_tick_that_has_not_come_to_it_before_an_event() {
    let other = QUIET.replace("name: quiet", "name: first");
    let mut stage = Stage::ticking(&[&other, QUIET]);
    let out = stage.at(701).event(&json!({"user": "d", "number": 7}));
    assert_eq!(quiet(&out), at_the_tick(&["d"]));
    assert_eq!(stage.parts(9), at_the_tick(&["a", "b", "c"]));
}

#[test]
fn everything_but_events_and_outcomes_waits_for_the_end() {
    let silence = || Input::Silence {
        key: "quiet._silence".to_owned(),
        until: START.plus(secs(9_000)),
        comment: None,
    };
    let (program, _) = load(1, &[QUIET]);
    let inputs: [Box<dyn Fn() -> Input>; 4] = [
        Box::new(silence),
        Box::new(move || Input::Program(Arc::clone(&program))),
        Box::new(|| Input::Resumed { since: None }),
        Box::new(|| Input::Adopt(Found::default())),
    ];
    for input in inputs {
        let mut stage = Stage::ticking(&[QUIET]);
        assert_eq!(stage.parts(1), at_the_tick(&["a"]));
        let out = stage.at(701).apply(input());
        assert_eq!(quiet(&out), at_the_tick(&["b", "c", "d"]));
        assert!(!stage.engine.is_ticking());
    }
    let mut stage = Stage::ticking(&[QUIET]);
    let out = stage.at(1_400).apply(Input::Tick { busy: SECOND });
    assert_eq!(quiet(&out), at_the_tick(&USERS));
    assert!(stage.engine.is_ticking());
}

#[test]
fn what_is_due_waits_while_a_tick_is_under_way() {
    let aggregated = "name: together\ntype: any\naggregation: {seconds: 701}\nrealert: {minutes: 0}\nalert: debug";
    let mut stage = Stage::ticking(&[QUIET, aggregated]);
    stage.at(702);
    let mut order = Vec::new();
    while stage.engine.next_due().is_some_and(|due| due <= stage.now) {
        let is_ticking = stage.engine.is_ticking();
        let out = stage.apply(Input::Due);
        let rules = out.deliveries().into_iter();
        order.extend(rules.map(|delivery| (delivery.alert.rule.to_string(), is_ticking)));
    }
    let quiet = ("quiet".to_owned(), true);
    let expected = [vec![quiet; 4], vec![("together".to_owned(), false)]].concat();
    assert_eq!(order, expected);
}

#[test]
fn after_a_crash_the_rest_of_a_tick_goes_on() {
    // No silence may hide that an alert is repeated.
    let quiet_always = QUIET.replace("realert: {minutes: 5}", "realert: {minutes: 0}");
    for before in 0..=USERS.len() {
        let mut stage = Stage::new(&[&quiet_always]);
        stage.engine.options.tick_part = ONE;
        let mut journal = Vec::new();
        stage.engine.resume(&mut Outcome::default());
        for user in USERS {
            journal.extend(stage.event(&json!({"user": user})).records);
        }
        let mut told = Vec::new();
        let mut out = stage.at(700).apply(Input::Tick { busy: SECOND });
        loop {
            told.extend(quiet(&out));
            journal.extend(std::mem::take(&mut out.records));
            if told.len() >= before || !stage.engine.is_ticking() {
                break;
            }
            out = stage.apply(Input::Due);
        }
        assert_eq!(told, at_the_tick(&USERS[..before]));
        stage.crashed(&journal);
        assert!(stage.engine.is_ticking());
        // Once more, with another rule before it: the journal's places are those of its own rules.
        let other = quiet_always.replace("name: quiet", "name: another");
        let (program, _) = load(1, &[&other, &quiet_always]);
        let (options, _) = stage.engine.origin();
        let mut edited = Engine::new(options, program);
        let rules = stage.engine.origin().1.record();
        for record in [rules].into_iter().chain(journal.clone()) {
            edited.restore(record);
        }
        edited.resume(&mut Outcome::default());
        assert_eq!(stage.parts(9), at_the_tick(&USERS[before..]));
        stage.engine = edited;
        assert_eq!(stage.parts(9), at_the_tick(&USERS[before..]));
    }
}

/// `tripline run --silence` uses the store of a service that was killed, and has no rules.
#[test]
fn a_command_at_rest_leaves_the_rest_of_a_tick_to_the_service() {
    let mut stage = Stage::new(&[QUIET]);
    stage.engine.options.tick_part = ONE;
    let mut begun = Outcome::default();
    stage.engine.resume(&mut begun);
    let mut journal = begun.records;
    for user in USERS {
        journal.extend(stage.event(&json!({"user": user})).records);
    }
    let mut out = stage.at(700).apply(Input::Tick { busy: SECOND });
    while quiet(&out).is_empty() {
        journal.extend(out.records);
        out = stage.apply(Input::Due);
    }
    journal.extend(out.records);
    let (options, _) = stage.engine.origin();
    let mut at_rest = Engine::new(options, Arc::new(Program::new(0, Vec::new())));
    for record in &journal {
        at_rest.restore(record.clone());
    }
    let silence = Input::Silence {
        key: "other._silence".to_owned(),
        until: START.plus(secs(9_000)),
        comment: None,
    };
    let mut out = Outcome::default();
    at_rest.apply(silence, stage.now, &mut out);
    journal.extend(out.records);
    stage.crashed(&journal);
    assert_eq!(stage.parts(9), at_the_tick(&["b", "c", "d"]));
}

const FEW: &str = "name: few\ntype: cardinality\ncardinality_field: n\nmin_cardinality: 3\ntimeframe: {minutes: 10}\nquery_key: user\nrealert: {minutes: 0}\nalert: debug";
const MANY: usize = 40;

/// What comes after many keys had too few values for long enough: the first of the last three finds that, and the others come before it is through with them.
fn after_few() -> Vec<(u64, serde_json::Value)> {
    let known = (0..MANY).map(|user| (0, json!({"user": format!("u{user}"), "n": 1})));
    let then = [
        (700, json!({"user": "u3", "n": 1, "number": 1})),
        (701, json!({"user": "u9", "n": 2, "number": 2})),
        (701, json!({"user": "u0", "n": 3, "number": 3})),
    ];
    known.chain(then).collect()
}

/// The alerts of a rule: the user, and the seconds after the start.
fn alerts_of(rule: &str, out: &Outcome) -> Vec<(String, u64)> {
    let alerts = out.deliveries().into_iter().map(|delivery| &delivery.alert);
    let alerts = alerts.filter(|alert| &*alert.rule == rule);
    let told = alerts.map(|alert| {
        let user = alert.matches[0]["user"].as_str().unwrap_or_default();
        (user.to_owned(), alert.time.since(START).as_secs())
    });
    told.collect()
}

#[test]
fn an_event_over_which_there_is_much_to_do_is_taken_in_in_parts() {
    let whole: Vec<(String, u64)> = {
        let mut stage = Stage::new(&[FEW]);
        let events = after_few().into_iter();
        let told = events.map(|(at, event)| alerts_of("few", &stage.at(at).event(&event)));
        told.flatten().collect()
    };
    assert_eq!(whole.len(), MANY);
    let mut stage = Stage::new(&[FEW, EVERY_NUMBER]);
    stage.engine.options.event_part = ONE;
    stage.engine.options.tick_part = ONE;
    let mut told = Vec::new();
    for (at, event) in after_few() {
        let out = stage.at(at).event(&event);
        // Other rules do not wait.
        assert_eq!(alerts_of("every", &out).len(), 1);
        told.extend(alerts_of("few", &out));
        assert_eq!(stage.engine.is_at_work(), at > 0);
    }
    assert!(told.len() < MANY);
    // What must not come between comes after.
    let out = stage.at(702).apply(Input::Tick { busy: SECOND });
    let rest = alerts_of("few", &out);
    told.extend(rest);
    assert_eq!(told, whole);
}

/// Without a moment's rest, too.
#[test]
fn a_rule_gets_through_with_events_that_wait_while_more_come() {
    let mut stage = Stage::new(&[FEW]);
    stage.engine.options.event_part = ONE;
    for (at, event) in after_few() {
        stage.at(at).event(&event);
    }
    let more = (0..10 * MANY).find(|number| {
        stage.event(&json!({"user": "u1", "n": number}));
        !stage.engine.is_at_work()
    });
    assert!(more.is_some());
}

#[test]
fn after_a_crash_the_rest_of_an_event_goes_on_and_so_do_those_that_wait() {
    let whole: Vec<(String, u64)> = (0..MANY).map(|user| (format!("u{user}"), 700)).collect();
    let mut parts = 0;
    loop {
        let mut stage = Stage::new(&[FEW]);
        stage.engine.options.event_part = ONE;
        stage.engine.options.tick_part = ONE;
        let mut begun = Outcome::default();
        stage.engine.resume(&mut begun);
        let (mut journal, mut told) = (begun.records, Vec::new());
        for (at, event) in after_few() {
            let out = stage.at(at).event(&event);
            told.extend(alerts_of("few", &out));
            journal.extend(out.records);
        }
        for _ in 0..parts {
            let out = stage.apply(Input::Due);
            told.extend(alerts_of("few", &out));
            journal.extend(out.records);
        }
        let is_over = !stage.engine.is_at_work();
        let mut steady = Outcome::default();
        stage.engine.finish_work(&mut steady);
        let expected = stage.engine.snapshot();
        stage.crashed(&journal);
        assert_eq!(stage.engine.is_at_work(), !is_over);
        let mut out = Outcome::default();
        stage.engine.finish_work(&mut out);
        assert_eq!(out.effects, steady.effects);
        told.extend(alerts_of("few", &out));
        assert_eq!(told, whole, "after {parts} parts");
        assert_eq!(expected.differs(&stage.engine.snapshot()), [""; 0]);
        if is_over {
            break;
        }
        parts += 1;
    }
    assert!(parts > 2);
}

#[test]
fn events_wait_for_the_end_of_a_tick_whose_window_they_would_change() {
    let sum = "name: sum\ntype: metric_aggregation\nmetric_agg_key: n\nmetric_agg_type: sum\nmax_threshold: 2\nquery_key: user\nbuffer_time: {minutes: 10}\nrealert: {minutes: 0}\nalert: debug";
    let mut stage = Stage::new(&[sum]);
    stage.engine.options.tick_part = ONE;
    stage.engine.options.event_part = ONE;
    for user in USERS {
        stage.event(&json!({"user": user, "n": 2}));
    }
    stage.at(1).apply(Input::Tick { busy: SECOND });
    assert!(stage.engine.is_ticking());
    let out = stage.event(&json!({"user": "d", "n": 1}));
    assert_eq!(alerts_of("sum", &out), []);
    let mut told = Vec::new();
    while stage.engine.is_at_work() {
        let is_ticking = stage.engine.is_ticking();
        let out = stage.apply(Input::Due);
        assert!(!is_ticking || alerts_of("sum", &out).is_empty());
        told.extend(alerts_of("sum", &out));
    }
    assert_eq!(told, [("d".to_owned(), 1)]);
}

#[test]
fn a_rule_that_fails_between_the_parts_of_a_tick_rests_from_then_on() {
    let mut stage = Stage::ticking(&[QUIET, failing::FRAGILE]);
    let out = stage.at(701).event(&json!({"user": "b", "bad": true}));
    assert_eq!(quiet(&out), at_the_tick(&["b"]));
    assert_eq!(stage.parts(9), at_the_tick(&["a", "c", "d"]));
    assert!(!stage.engine.is_ticking());
}

#[test]
fn silences_go_in_parts() {
    let mut stage = Stage::ticking(&[QUIET]);
    stage.parts(9);
    assert_eq!(stage.engine.silences(stage.now).count(), USERS.len());
    stage.at(1_100).apply(Input::Tick { busy: SECOND });
    let known = |stage: &Stage| {
        let keys = USERS.map(|user| format!("quiet.{user}"));
        keys.iter()
            .filter(|key| stage.engine.silence(key).is_some())
            .count()
    };
    let mut left = vec![known(&stage)];
    while stage.engine.is_ticking() {
        stage.apply(Input::Due);
        left.push(known(&stage));
    }
    left.dedup();
    assert_eq!(left, [4, 3, 2, 1, 0]);
}

#[test]
fn an_edit_does_not_change_where_intervals_ended_that_a_tick_in_parts_ended() {
    let rule = |bounds: &str| {
        format!(
            "name: few\ntype: cardinality\ncardinality_field: n\n{bounds}\ntimeframe: {{seconds: 10}}\nrealert: {{minutes: 0}}\nalert: debug"
        )
    };
    let before = rule("min_cardinality: 1\nmax_cardinality: 9");
    let after = rule("max_cardinality: 9");
    let mut stage = Stage::new(&[&before]);
    stage.engine.options.tick_part = ONE;
    let mut journal = stage.event(&json!({"n": 1})).records;
    let tick = Input::Tick { busy: SECOND };
    journal.extend(stage.at(20).apply(tick).records);
    while stage.engine.is_ticking() {
        journal.extend(stage.apply(Input::Due).records);
    }
    let (program, decider) = load(1, &[&after]);
    stage.decider = decider;
    journal.extend(stage.apply(Input::Program(program)).records);
    let restarted = stage.restarted(&[&after], Some(journal));
    let made = restarted.engine.snapshot();
    assert_eq!(stage.engine.snapshot().differs(&made), [""; 0]);
}

#[test]
fn a_rule_that_is_edited_after_a_crash_between_parts_is_told_of_the_rest() {
    let before = "name: b\ntype: frequency\nnum_events: 9\ntimeframe: {seconds: 10}\nalert: debug";
    let after = "name: b\ntype: any\nrealert: {minutes: 0}\nalert: debug";
    let mut stage = Stage::new(&[EVERY_NUMBER, before]);
    stage.engine.options.tick_part = ONE;
    let mut begun = Outcome::default();
    stage.engine.resume(&mut begun);
    let mut journal = begun.records;
    journal.extend(stage.event(&json!({"number": 1})).records);
    let tick = Input::Tick { busy: SECOND };
    journal.extend(stage.at(20).apply(tick).records);
    let Some(Record::TickPart { rules: 1, .. }) = journal.last() else {
        panic!("the tick has come past the first rule: {journal:?}");
    };
    stage = stage.restarted(&[EVERY_NUMBER, before], Some(journal.clone()));
    let mut again = Outcome::default();
    stage.engine.resume(&mut again);
    journal.extend(again.records);
    let (program, _) = load(1, &[after]);
    journal.extend(stage.apply(Input::Program(program)).records);
    let restarted = stage.restarted(&[after], Some(journal));
    let made = restarted.engine.snapshot();
    assert_eq!(stage.engine.snapshot().differs(&made), [""; 0]);
}
