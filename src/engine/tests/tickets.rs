//! The ticket that one alerter makes is shown by others.

use super::*;

const TICKET: &str = "name: r\ntype: any\nrealert: {minutes: 0}\nalert: [jira, debug, email]";

impl Stage {
    fn made(&mut self, alert: &AlertId, ticket: &str) -> Outcome {
        self.apply(Input::Outcome(DeliveryOutcome {
            alert: alert.clone(),
            alerter: 0,
            result: Ok(Some(ticket.to_owned())),
        }))
    }
}

fn tickets(out: &Outcome) -> Vec<(u16, Option<&str>)> {
    let deliveries = out.deliveries().into_iter();
    deliveries
        .map(|delivery| (delivery.alerter, delivery.ticket.as_deref()))
        .collect()
}

#[test]
fn who_shows_a_ticket_waits_for_it_and_nobody_else_does() {
    let mut stage = Stage::new(&[TICKET]);
    let out = stage.event(&json!({"number": 1}));
    assert_eq!(tickets(&out), [(0, None), (1, None)]);
    let id = out.deliveries()[0].alert.id.clone();
    let out = stage.made(&id, "https://tickets/1");
    assert_eq!(tickets(&out), [(2, Some("https://tickets/1"))]);
    stage.ended(&id, 1, Ok(()));
    stage.ended(&id, 2, Err("refused"));
    // The ticket is known at every further attempt.
    let out = stage.at(5).apply(Input::Due);
    assert_eq!(tickets(&out), [(2, Some("https://tickets/1"))]);
    stage.ended(&id, 2, Ok(()));
    assert_eq!(stage.engine.undelivered(), 0);
}

#[test]
fn without_a_ticket_the_alert_goes_all_the_same() {
    let mut stage = Stage::new(&[TICKET]);
    let out = stage.event(&json!({"number": 1}));
    let id = out.deliveries()[0].alert.id.clone();
    let out = stage.ended(&id, 0, Err("refused"));
    assert_eq!(tickets(&out), [(2, None)]);
}

#[test]
fn who_takes_too_long_to_make_a_ticket_is_not_waited_for() {
    let mut stage = Stage::new(&[TICKET]);
    let out = stage.event(&json!({"number": 1}));
    let id = out.deliveries()[0].alert.id.clone();
    assert!(stage.at(29).apply(Input::Due).effects.is_empty());
    assert_eq!(tickets(&stage.at(30).apply(Input::Due)), [(2, None)]);
    assert!(tickets(&stage.at(31).ended(&id, 0, Ok(()))).is_empty());
}

#[test]
fn without_somebody_who_makes_tickets_nobody_waits() {
    let mut stage = Stage::new(&["name: r\ntype: any\nalert: [debug, email]"]);
    let out = stage.event(&json!({"number": 1}));
    assert_eq!(tickets(&out), [(0, None), (1, None)]);
}

#[test]
fn who_waits_for_a_ticket_is_not_forgotten_when_the_clock_is_set_back() {
    let mut stage = Stage::new(&[TICKET]);
    stage.at(100).event(&json!({"number": 1}));
    stage.at(50).apply(Input::Resumed { since: None });
    let due = stage.engine.next_due().unwrap();
    assert!(due <= START.plus(secs(80)));
    stage.now = due;
    assert_eq!(tickets(&stage.apply(Input::Due)), [(2, None)]);
}
