//! Every type beside its reference, with any options, over any events: late, early, repeated, of all kinds. They match at the same moments, with the same, in the same order.
//! `TRIPLINE_SIM_CASES` asks for more cases.

use super::reference::{self, Found, SECOND, Seen};
use super::*;

/// After so many ticks every key was looked at.
const SWEEPS: usize = 2_500;

/// What happens to a rule, so many milliseconds after what was before.
#[derive(Debug, Clone)]
enum Step {
    Event {
        after: i64,
        members: Value,
        /// Milliseconds from the time on the wall.
        off: i64,
    },
    /// The last event but so many comes once more.
    Again(usize),
    Tick {
        after: i64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after = || {
        prop_oneof![
            3 => Just(0i64),
            3 => (0i64..5).prop_map(|seconds| seconds * 1_000),
            3 => 0i64..4_000,
            1 => 0i64..40_000
        ]
    };
    let off = prop_oneof![
        4 => Just(0i64),
        2 => (-20i64..4).prop_map(|seconds| seconds * 1_000),
        1 => -30_000i64..4_000
    ];
    let event = (after(), arbitrary::members(), off);
    let event = event.prop_map(|(after, members, off)| Step::Event {
        after,
        members,
        off,
    });
    let step = prop_oneof![
        6 => event,
        1 => (0usize..4).prop_map(Step::Again),
        3 => after().prop_map(|after| Step::Tick { after }),
    ];
    prop::collection::vec(step, 0..80)
}

/// Fields hold what one index can hold, and what elastalert2 does not fail over.
fn indexed(options: &Document, members: &Value) -> Value {
    let mut members = members.clone();
    let kind = options["type"].as_str().unwrap();
    let is_list = |value: &Value| value.is_array() || value.is_object();
    match kind {
        "metric_aggregation" | "percentage_match" | "spike_aggregation" => {
            let is_text = |value: &Value| value.is_string() || value.is_array();
            if !is_text(&members["user"]) {
                members["user"] = Value::Null;
            }
            for place in ["/n", "/deep/n"] {
                if let Some(value) = members.pointer_mut(place)
                    && !(value.is_number() || value.is_array())
                {
                    *value = Value::Null;
                }
            }
        }
        "blacklist" | "whitelist" | "spike" => {
            for name in ["user", "n"] {
                if is_list(&members[name]) {
                    members[name] = json!("list");
                }
            }
        }
        _ => {}
    }
    members
}

/// Options whose effect is the texts' or whose answer depends on an index's order of mixed values are not looked at here.
fn compared(mut options: Document) -> Document {
    for name in ["metric_format_string", "percentage_format_string"] {
        options.remove(name);
    }
    let kind = options["type"].as_str().unwrap().to_owned();
    // Of what is compared with itself, the last digit decides.
    if kind == "spike_aggregation" && options.contains_key("percentile_range") {
        options.insert("percentile_range".to_owned(), json!(50));
    }
    let mixed = options.get("query_key") == Some(&json!(["n", "user"]));
    if mixed && (kind.contains("aggregation") || kind == "percentage_match") {
        options.insert("query_key".to_owned(), json!(["host.name", "user"]));
    }
    options
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        value => value.as_f64(),
    }
}

/// Numbers may differ in the last place; to Python, true is 1.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| alike(a, b)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
            _ => a == b,
        },
    }
}

fn read(matched: &Match) -> Found {
    Found {
        event: match &matched.body {
            MatchBody::Event(event) => Some(id(event)),
            MatchBody::Synthetic => None,
            MatchBody::Forgotten => panic!("every event is there"),
        },
        added: matched.added.clone(),
        related: matched
            .related
            .iter()
            .flatten()
            .map(|event| id(event))
            .collect(),
    }
}

fn id(event: &RawEvent) -> usize {
    let id = event.meta.as_ref().and_then(|meta| meta.id.as_ref());
    id.unwrap().parse().unwrap()
}

/// Runs a rule and its reference side by side.
fn agrees(options: Document, steps: &[Step]) -> Result<(), TestCaseError> {
    let options = compared(options);
    let mut bench = Bench::new(&Value::Object(options.clone()).to_string());
    let mut reference = reference::of(&options);
    let mut sent: Vec<(Value, i64)> = Vec::new();
    // A time on the calendar, not on a whole second.
    bench.now = 1_772_409_600 * SECOND + 250_000;
    // Last ticks, for what is alive after them. Values of a key with a minimum wait for the time of their key, and what leaves a spike's windows may
    // do so a little later.
    let waits = options.contains_key("min_cardinality") || options["type"] == "spike";
    let after = if waits { 60_000 } else { 0 };
    let last = [Step::Tick { after }, Step::Tick { after }];
    for step in steps.iter().chain(&last) {
        let event = match step {
            Step::Event {
                after,
                members,
                off,
            } => {
                bench.now += after * 1_000;
                Some((indexed(&options, members), bench.now + off * 1_000))
            }
            Step::Again(back) => match sent.iter().rev().nth(*back) {
                None => continue,
                Some(event) => Some(event.clone()),
            },
            Step::Tick { after } => {
                bench.now += after * 1_000;
                None
            }
        };
        let (found, expected): (Vec<Found>, Vec<Found>) = match &event {
            None => {
                let found = bench.tick();
                let expected = reference.tick(bench.now);
                (found.iter().map(read).collect(), expected)
            }
            Some((members, time)) => {
                let filters = options.get("match_bucket_filter");
                let inner = filters == Some(&json!([])) || members["bad"] == true;
                let seen = Seen {
                    id: bench.events,
                    time: *time,
                    members,
                    inner,
                };
                let expected = reference.event(&seen, bench.now);
                let found = bench.event(members.as_object().unwrap(), *time, inner);
                (found.iter().map(read).collect(), expected)
            }
        };
        let same = found.len() == expected.len()
            && found.iter().zip(&expected).all(|(a, b)| {
                let added = |found: &Found| Value::Object(found.added.clone());
                a.event == b.event && a.related == b.related && alike(&added(a), &added(b))
            });
        prop_assert!(
            same,
            "found {found:#?}\nexpected {expected:#?}\nat {step:?}, {}",
            time_text(bench.now)
        );
        sent.extend(event);
    }
    // Dead keys go a few at a time.
    let kind = options["type"].as_str().unwrap();
    if kind == "frequency" || kind == "cardinality" && !options.contains_key("min_cardinality") {
        (0..SWEEPS).for_each(|_| drop(bench.tick()));
    }
    let (size, (keys, events)) = (bench.state.size(), reference.alive());
    let held_keys = usize::try_from(size.keys).unwrap();
    let held_events = usize::try_from(size.events).unwrap();
    prop_assert!(
        held_keys <= keys && held_events <= events,
        "holds {size:?}, alive are {keys} keys and {events} events"
    );
    Ok(())
}

fn time_text(micros: i64) -> String {
    crate::event::WallTime(micros).to_text()
}

arbitrary::of_types! {
    any: "any",
    blacklist: "blacklist",
    cardinality: "cardinality",
    change: "change",
    flatline: "flatline",
    frequency: "frequency",
    metric_aggregation: "metric_aggregation",
    new_term: "new_term",
    percentage_match: "percentage_match",
    spike: "spike",
    spike_aggregation: "spike_aggregation",
    whitelist: "whitelist",
}
