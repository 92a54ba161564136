//! Events that rules keep, in memory and beyond.

use super::*;
use crate::rule::{Place, Spill};
use std::sync::Mutex;

/// Spilled events, by the order they came in.
#[derive(Debug, Default)]
pub(super) struct Spilled {
    events: Mutex<Vec<Option<RawEvent>>>,
    /// One of so many is refused, another cannot be read; zero: none.
    failing: usize,
}

impl Spilled {
    pub(super) fn failing(failing: usize) -> Arc<Self> {
        Arc::new(Self {
            failing,
            ..Self::default()
        })
    }

    /// Lets go of all but these.
    pub(super) fn retain(&self, places: &[Place]) {
        for (at, event) in self.events.lock().unwrap().iter_mut().enumerate() {
            if places.binary_search(&place(at)).is_err() {
                *event = None;
            }
        }
    }

    pub(super) fn count(&self) -> usize {
        self.events.lock().unwrap().iter().flatten().count()
    }

    fn fails(&self, at: usize, rest: usize) -> bool {
        self.failing > 0 && at % self.failing == rest
    }
}

fn place(at: usize) -> Place {
    Place {
        file: 0,
        offset: u32::try_from(at).unwrap(),
        length: 0,
    }
}

impl Spill for Spilled {
    fn put(&self, event: &RawEvent) -> Option<Place> {
        let mut events = self.events.lock().unwrap();
        let at = events.len();
        events.push(Some(event.clone()));
        (!self.fails(at, 1)).then(|| place(at))
    }

    fn get(&self, place: Place) -> Option<RawEvent> {
        let at = usize::try_from(place.offset).unwrap();
        let event = self.events.lock().unwrap()[at].clone();
        assert!(event.is_some(), "{place:?} is needed and was let go");
        event.filter(|_| !self.fails(at, 2))
    }
}

const RELATED: &str = "type: frequency\nnum_events: 3\ntimeframe: {minutes: 5}\nattach_related: true\nrealert: {minutes: 0}\nalert: debug";

fn related(name: &str) -> String {
    format!("name: {name}\n{RELATED}")
}

/// The numbers of the events that each alert prints: its own, and the related ones.
fn printed(out: &Outcome) -> Vec<(u64, Vec<u64>)> {
    let number = |event: &serde_json::Value| event["number"].as_u64().unwrap();
    let alerts = out.deliveries().into_iter();
    let printed = alerts.map(|delivery| {
        let matched = serde_json::Value::Object(delivery.alert.matches[0].clone());
        let related = matched["related_events"].as_array().unwrap();
        (number(&matched), related.iter().map(number).collect())
    });
    printed.collect()
}

/// What alerts print of three events of which memory has room for one, and how often one was not kept.
fn three(spill: Option<Arc<Spilled>>) -> (Vec<(u64, Vec<u64>)>, usize) {
    let mut stage = Stage::new(&[&related("related")]);
    stage.engine.options.most_kept = 1;
    if let Some(spill) = spill {
        stage.engine.set_spill(spill);
    }
    let (mut alerts, mut not_kept) = (Vec::new(), 0);
    for number in 1..=3 {
        let out = stage.at(number).event(&json!({"number": number}));
        let notes = out.notes.iter();
        not_kept += notes
            .filter(|note| matches!(note, Note::NotKept { rule } if rule == "related"))
            .count();
        alerts.extend(printed(&out));
    }
    assert_eq!(stage.engine.kept_bytes(), 0);
    (alerts, not_kept)
}

#[test]
fn events_beyond_the_bound_are_counted_and_not_kept() {
    assert_eq!(three(None), (vec![(3, vec![1])], 2));
    // Of the two that go elsewhere the second is refused: it completes the window, and is there.
    let refusing = Spilled::failing(2);
    assert_eq!(three(Some(refusing)), (vec![(3, vec![1, 2])], 1));
}

#[test]
fn spilled_events_are_printed_as_those_in_memory() {
    assert_eq!(three(Some(Spilled::failing(0))), (vec![(3, vec![1, 2])], 0));
}

#[test]
fn an_event_is_spilled_once_for_all_rules() {
    let mut stage = Stage::new(&[&related("one"), &related("two")]);
    let spill = Spilled::failing(0);
    stage.engine.options.most_kept = 0;
    stage.engine.set_spill(Arc::clone(&spill) as Arc<dyn Spill>);
    let mut alerts = Vec::new();
    for number in 1..=3 {
        let out = stage.at(number).event(&json!({"number": number}));
        let kept = out.records.iter().filter_map(|record| match record {
            Record::Hit { event, .. } => Some(event.clone()),
            _ => None,
        });
        let place = place(spill.count() - 1);
        assert_eq!(
            kept.collect::<Vec<_>>(),
            [KeptEvent::Spilled(place), KeptEvent::Same]
        );
        alerts.extend(printed(&out));
    }
    assert_eq!(spill.count(), 3);
    assert_eq!(alerts, [(3, vec![1, 2]), (3, vec![1, 2])]);
    assert_eq!(stage.engine.spilled(), []);
}
