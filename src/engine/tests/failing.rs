//! Rules whose code fails.

use super::*;
use crate::event::FieldPath;
use crate::rule::{Hit, Match, Observed, Part, RuleState, RuleType, Sample, StateSize};

pub(super) const FRAGILE: &str = "name: fragile\ntype: any\nrealert: {minutes: 0}\nalert: debug";

/// Counts to two and matches, unless it fails over an event that is `bad`.
#[derive(Debug)]
struct Fragile(Vec<FieldPath>);

#[derive(Default)]
struct Count(u8);

impl RuleType for Fragile {
    fn fields(&self) -> &[FieldPath] {
        &self.0
    }

    fn sample(&self, event: &Observed<'_>) -> Verdict {
        let values = vec![event.fields.field(0).to_value()];
        Verdict::Sample(Sample {
            values,
            ..Sample::default()
        })
    }

    fn state(&self) -> Box<dyn RuleState> {
        Box::new(Count::default())
    }
}

impl RuleState for Count {
    fn add(&mut self, hit: &Hit, _now: EventTime, _: &mut Part, out: &mut Vec<Match>) -> bool {
        self.0 += 1;
        assert!(hit.sample.values != [json!(true)], "a bad event");
        if self.0 == 2 {
            self.0 = 0;
            out.push(Match::of_event(hit.event.as_ref(), Document::new()));
        }
        true
    }

    fn tick(&mut self, now: EventTime, _: &mut Part, _: &mut Vec<Match>) {
        assert!(now.0 % 60_000_000 != 7_000_000, "a bad time");
    }

    fn save(&self) -> Vec<u8> {
        vec![self.0]
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        self.0 = *saved.first().ok_or("empty")?;
        Ok(())
    }

    fn judge_like(&mut self, _: &dyn RuleState) {}

    fn size(&self) -> StateSize {
        StateSize::default()
    }
}

/// Gives the rule of that name a type that fails.
pub(super) fn make_fragile(rule: Arc<Rule>) -> Arc<Rule> {
    if rule.name != "fragile" {
        return rule;
    }
    let mut rule = Arc::into_inner(rule).unwrap();
    rule.kind = Arc::new(Fragile(vec![FieldPath::new("bad")]));
    Arc::new(rule)
}

fn errors(out: &Outcome) -> Vec<&str> {
    let (documents, _) = out.written(Index::Error);
    let messages = documents
        .iter()
        .map(|document| document["message"].as_str());
    messages.map(Option::unwrap).collect()
}

#[test]
fn a_rule_that_fails_rests_and_goes_on_anew() {
    let mut stage = Stage::new(&[FRAGILE, EVERY]);
    stage.event(&json!({"number": 1}));
    let out = stage.event(&json!({"number": 2, "bad": true}));
    let message = "Uncaught exception running rule fragile: a bad event";
    assert_eq!(errors(&out), [message]);
    assert_eq!(out.written(Index::Error).0[0]["data"]["rule"], "fragile");
    // The other rule has alerted.
    assert_eq!(out.sent(), [(0, 1, vec![2])]);
    let until = START.plus(secs(5));
    assert!(out.notes.contains(&Note::RuleFailed {
        rule: "fragile".to_owned(),
        error: "a bad event".to_owned(),
        until,
    }));
    // What comes meanwhile waits, and nothing is known of what was before.
    let fragile = |out: &Outcome| {
        let deliveries = out.deliveries().into_iter();
        let fragile = deliveries.filter(|delivery| *delivery.alert.rule == *"fragile");
        fragile
            .map(|delivery| delivery.alert.matches[0]["number"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    for (at, number) in [(1, 3), (2, 4), (3, 5)] {
        let out = stage.at(at).event(&json!({"number": number}));
        assert!(fragile(&out).is_empty());
    }
    assert_eq!(stage.engine.next_due(), Some(until));
    let out = stage.at(5).apply(Input::Due);
    assert_eq!(fragile(&out), [4]);
    let recovered = Note::RuleRecovered {
        rule: "fragile".to_owned(),
    };
    assert!(out.notes.contains(&recovered));
    assert_eq!(fragile(&stage.at(6).event(&json!({"number": 6}))), [6]);
}

#[test]
fn it_rests_longer_each_time_it_fails_again() {
    let mut stage = Stage::new(&[FRAGILE]);
    let bad = json!({"number": 1, "bad": true});
    assert_eq!(errors(&stage.event(&bad)).len(), 1);
    stage.at(1).event(&bad);
    stage.event(&bad);
    // The first of those that waited fails, the other waits on.
    assert_eq!(errors(&stage.at(5).apply(Input::Due)).len(), 1);
    assert_eq!(stage.engine.next_due(), Some(START.plus(secs(15))));
    assert_eq!(errors(&stage.at(15).apply(Input::Due)).len(), 1);
    assert_eq!(stage.engine.next_due(), None);
    // It rests still, but nothing waits.
    assert!(errors(&stage.at(16).event(&bad)).is_empty());
    assert_eq!(stage.engine.next_due(), Some(START.plus(secs(35))));
}

#[test]
fn a_tick_may_fail_too() {
    let mut stage = Stage::new(&[FRAGILE]);
    let out = stage.at(7).apply(Input::Tick { busy: SECOND });
    assert_eq!(
        errors(&out),
        ["Uncaught exception running rule fragile: a bad time"]
    );
    // No tick while it rests.
    assert!(errors(&stage.apply(Input::Tick { busy: SECOND })).is_empty());
}

#[test]
fn an_edited_rule_does_not_rest() {
    let mut stage = Stage::new(&[FRAGILE]);
    stage.event(&json!({"number": 1, "bad": true}));
    stage.reload(1, &[&format!("{FRAGILE}\ntimeframe: {{minutes: 1}}")]);
    stage.event(&json!({"number": 2}));
    assert_eq!(stage.event(&json!({"number": 3})).sent().len(), 1);
}
