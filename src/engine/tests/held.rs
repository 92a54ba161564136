//! Rules that do not run at all hours.

use super::*;

const SOMETIMES: &str = "name: sometimes\ntype: any\nrealert: {minutes: 0}\nlimit_execution: \"3-4,10 * * * *\"\nalert: debug";

#[test]
fn events_wait_until_the_rule_runs() {
    let mut stage = Stage::new(&[SOMETIMES]);
    for number in 0..2 {
        let out = stage.event(&json!({"number": number}));
        assert!(out.sent().is_empty());
    }
    // The first of March 2026, midnight: the rule opens three minutes later.
    assert_eq!(stage.engine.next_due(), Some(START.plus(secs(180))));
    assert!(stage.at(179).apply(Input::Due).sent().is_empty());
    let out = stage.at(180).apply(Input::Due);
    assert_eq!(out.sent(), [(0, 1, vec![0]), (0, 1, vec![1])]);
    assert_eq!(stage.engine.next_due(), None);
    assert_eq!(stage.event(&json!({"number": 2})).sent().len(), 1);
    assert_eq!(stage.at(299).event(&json!({"number": 3})).sent().len(), 1);
    assert!(stage.at(300).event(&json!({"number": 4})).sent().is_empty());
}

#[test]
fn what_waited_comes_before_what_comes() {
    let mut stage = Stage::new(&[SOMETIMES]);
    stage.event(&json!({"number": 1}));
    let out = stage.at(200).event(&json!({"number": 2}));
    assert_eq!(out.sent(), [(0, 1, vec![1]), (0, 1, vec![2])]);
}

#[test]
fn hours_that_were_slept_through_are_waited_for_again() {
    let mut stage = Stage::new(&[SOMETIMES]);
    stage.event(&json!({"number": 1}));
    assert!(stage.at(400).apply(Input::Due).sent().is_empty());
    assert_eq!(stage.engine.next_due(), Some(START.plus(secs(600))));
    assert_eq!(stage.at(600).apply(Input::Due).sent().len(), 1);
}

#[test]
fn time_does_not_pass_for_a_rule_that_does_not_run() {
    let flat = "name: flat\ntype: flatline\nthreshold: 1\ntimeframe: {minutes: 1}\nlimit_execution: \"0,5 * * * *\"\nalert: debug";
    let mut stage = Stage::new(&[flat]);
    stage.event(&json!({"number": 1}));
    for seconds in [60, 120, 180, 240] {
        let out = stage.at(seconds).apply(Input::Tick { busy: SECOND });
        assert!(out.deliveries().is_empty() && out.written(Index::Status).0.is_empty());
    }
    let out = stage.at(300).apply(Input::Tick { busy: SECOND });
    assert_eq!(out.deliveries().len(), 1);
}

#[test]
fn with_coverage_events_outside_are_not_looked_at() {
    let mut stage = Stage::new(&[&format!("{SOMETIMES}\nlimit_execution_coverage: true")]);
    assert!(stage.event(&json!({"number": 1})).sent().is_empty());
    assert_eq!(stage.engine.next_due(), None);
    assert_eq!(stage.at(180).event(&json!({"number": 2})).sent().len(), 1);
    // Its own time lies outside.
    let late = event(&json!({"number": 3}), START.plus(secs(170)));
    let decided = stage.decider.decide(&[late], None, stage.now);
    assert!(stage.apply(Input::Events(decided)).sent().is_empty());
    let (_, counts, _) = stage.engine.totals().next().unwrap();
    assert_eq!(counts.hits, 1);
}

#[test]
fn other_hours_hold_from_the_reload_on() {
    let mut stage = Stage::new(&[SOMETIMES]);
    stage.event(&json!({"number": 1}));
    stage.reload(1, &[&SOMETIMES.replace("3-4,10", "1")]);
    assert!(stage.apply(Input::Due).sent().is_empty());
    assert_eq!(stage.engine.next_due(), Some(START.plus(secs(60))));
    stage.reload(2, &[EVERY.replace("every", "sometimes").as_str()]);
    assert_eq!(stage.apply(Input::Due).sent(), [(0, 1, vec![1])]);
}

#[test]
fn too_many_events_let_the_oldest_go() {
    let mut stage = Stage::new(&[SOMETIMES]);
    let long = "x".repeat(33 << 20);
    assert!(
        stage
            .event(&json!({"number": 1, "long": long}))
            .notes
            .is_empty()
    );
    let notes = stage.event(&json!({"number": 2, "long": long})).notes;
    let rule = "sometimes".to_owned();
    assert_eq!(notes, [Note::HeldTooMany { rule, dropped: 1 }]);
    assert_eq!(stage.at(180).apply(Input::Due).sent(), [(0, 1, vec![2])]);
}

#[test]
fn a_restart_does_not_tell_a_rule_of_ticks_outside_the_hours_it_had() {
    let quiet = "name: quiet\ntype: flatline\nthreshold: 1\ntimeframe: {minutes: 2}\nrealert: {minutes: 0}\nalert: debug\n";
    let (even, any) = (format!("{quiet}limit_execution: \"*/2 * * * *\""), quiet);
    let mut stage = Stage::new(&[&even]);
    let mut journal = Vec::new();
    journal.extend(stage.event(&json!({"number": 1})).records);
    // The first tick that the rule is told of is that of the second minute.
    for minute in 1..=2 {
        journal.extend(
            stage
                .at(minute * 60)
                .apply(Input::Tick { busy: SECOND })
                .records,
        );
    }
    let (program, decider) = load(1, &[any]);
    stage.decider = decider;
    journal.extend(stage.apply(Input::Program(program)).records);
    let restarted = stage.restarted(&[any], Some(journal));
    let state = |stage: &Stage| stage.engine.memory("quiet").unwrap().state;
    assert_eq!(state(&restarted), state(&stage));
    let made = restarted.engine.snapshot();
    assert_eq!(stage.engine.snapshot().differs(&made), [""; 0]);
}

#[test]
fn a_restart_knows_at_what_time_a_tick_was_though_it_let_events_in() {
    let rule =
        "name: r\ntype: any\nlimit_execution: \"*/2 * * * *\"\nrealert: {minutes: 0}\nalert: debug";
    let mut stage = Stage::new(&[rule]);
    let mut journal = Vec::new();
    journal.extend(stage.at(60).event(&json!({"number": 1})).records);
    let (now, time) = (stage.at(120).now, START.plus(secs(30)).as_event_time());
    let mut out = Outcome::default();
    let tick = Input::Tick { busy: SECOND };
    stage.engine.apply_as_of(tick, time, now, &mut out);
    assert_eq!(out.sent(), [(0, 1, vec![1])]);
    journal.extend(out.records);
    let restarted = stage.restarted(&[rule], Some(journal));
    assert_eq!(restarted.engine.watched(), stage.engine.watched());
}
