//! What another installation left.

use super::*;

fn unsent(rule: &str, seconds: i64, numbers: &[u64]) -> Unsent {
    let matches = numbers.iter().map(|number| {
        let matched = json!({"number": number, "user": "a"});
        (format!("old{number}"), matched.as_object().unwrap().clone())
    });
    Unsent {
        rule: rule.to_owned(),
        key: None,
        time: WallTime(START.0 + seconds * 1_000_000),
        error: None,
        matches: matches.collect(),
    }
}

fn adopt(stage: &mut Stage, alerts: Vec<Unsent>) -> Outcome {
    stage.apply(Input::Adopt(Found {
        silences: Vec::new(),
        alerts,
    }))
}

#[test]
fn matches_that_wait_go_on_collecting() {
    let mut stage = Stage::new(&[TOGETHER]);
    let waiting = Unsent {
        key: Some("a".to_owned()),
        ..unsent("together", 5, &[1])
    };
    let out = adopt(&mut stage, vec![waiting]);
    let (written, removed) = out.written(Index::Alerts);
    assert_eq!(removed, ["old1"]);
    assert_eq!(written[0]["alert_sent"], false);
    assert_eq!(written[0]["alert_time"], START.plus(secs(5)).to_text());
    assert_eq!(written[0]["aggregation_key"], "a");
    stage.at(1).event(&json!({"number": 2, "user": "a"}));
    assert!(stage.at(5).apply(Input::Due).sent().is_empty());
    assert_eq!(stage.at(6).apply(Input::Due).sent(), [(0, 1, vec![1, 2])]);
}

#[test]
fn an_aggregation_that_was_due_leaves_at_once() {
    let mut stage = Stage::new(&[TOGETHER]);
    adopt(&mut stage, vec![unsent("together", -5, &[1, 2])]);
    assert_eq!(stage.apply(Input::Due).sent(), [(0, 1, vec![1, 2])]);
}

#[test]
fn an_alert_that_failed_is_tried_again_until_its_time_limit() {
    let mut stage = Stage::new(&[EVERY]);
    let failed = Unsent {
        error: Some("refused".to_owned()),
        ..unsent("every", -50, &[1])
    };
    let out = adopt(&mut stage, vec![failed]);
    assert_eq!(
        out.written(Index::Alerts).0[0]["alert_exception"],
        "refused"
    );
    // It is the second attempt, of an alert that was due fifty seconds ago.
    let out = stage.apply(Input::Due);
    assert_eq!(out.sent(), [(0, 2, vec![1])]);
    let id = out.deliveries()[0].alert.id.clone();
    stage.ended(&id, 0, Err("refused"));
    assert_eq!(stage.at(11).apply(Input::Due).sent(), []);
    assert_eq!(stage.engine.undelivered(), 0);
}

#[test]
fn alerts_of_a_rule_that_is_gone_wait_for_it() {
    let mut stage = Stage::new(&[EVERY]);
    adopt(&mut stage, vec![unsent("other", -5, &[1])]);
    assert!(stage.apply(Input::Due).sent().is_empty());
    stage.reload(1, &[&EVERY.replace("every", "other")]);
    assert_eq!(stage.apply(Input::Due).sent(), [(0, 1, vec![1])]);
}

#[test]
fn our_own_alerts_are_not_taken_for_another_installations() {
    let mut stage = Stage::new(&[TOGETHER]);
    let mut ours = unsent("together", 5, &[1]);
    ours.matches[0].0 = "test-7-1".to_owned();
    assert!(adopt(&mut stage, vec![ours]).effects.is_empty());
}
