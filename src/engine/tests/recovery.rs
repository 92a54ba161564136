//! Crashes and recoveries: a recovered engine is as one that never crashed.

use super::*;

/// What happens to an engine in the property below.
#[derive(Debug, Clone)]
enum Step {
    Events(Vec<Sent>),
    Wait(u64),
    Tick,
    Due,
    /// One of the deliveries under way ends.
    Ended(prop::sample::Index, bool),
    Silence(usize, u64),
    Body(u128),
    /// A snapshot takes the place of the journal so far.
    Snapshot,
    /// The rules are loaded anew, some of them changed or left out.
    Reload(u8),
    Crash,
}

#[derive(Debug, Clone)]
struct Sent {
    user: u8,
    bad: bool,
    seconds_off: i64,
}

const RULES: [&str; 10] = [
    EVERY,
    BURST,
    TOGETHER,
    "name: keyed\ntype: blacklist\ncompare_key: bad\nblacklist: [\"True\"]\nquery_key: user\nrealert: {seconds: 5}\nexponential_realert: {minutes: 2}\nalert: [debug, command]",
    "name: related\ntype: frequency\nnum_events: 2\ntimeframe: {minutes: 5}\nattach_related: true\nquery_key: user\nalert: debug",
    "name: flat\ntype: flatline\nthreshold: 2\ntimeframe: {seconds: 20}\nalert: debug",
    "name: ticket\ntype: any\nquery_key: user\nrealert: {seconds: 5}\nalert: [jira, debug, email]",
    failing::FRAGILE,
    "name: hours\ntype: frequency\nnum_events: 2\ntimeframe: {minutes: 1}\nlimit_execution: \"*/2 * * * *\"\nrealert: {seconds: 5}\nalert: debug",
    "name: half\ntype: flatline\nthreshold: 1\ntimeframe: {seconds: 20}\nquery_key: user\nlimit_execution: \"1-59/2 * * * *\"\nlimit_execution_coverage: true\nalert: debug",
];

fn step() -> impl Strategy<Value = Step> {
    let sent = (0u8..3, any::<bool>(), -40i64..40).prop_map(|(user, bad, seconds_off)| Sent {
        user,
        bad,
        // Most are on time.
        seconds_off: if seconds_off.abs() < 25 {
            0
        } else {
            seconds_off
        },
    });
    prop_oneof![
        4 => prop::collection::vec(sent, 1..4).prop_map(Step::Events),
        4 => (1u64..30).prop_map(Step::Wait),
        2 => Just(Step::Tick),
        3 => Just(Step::Due),
        6 => (any::<prop::sample::Index>(), prop::bool::weighted(0.6))
            .prop_map(|(which, worked)| Step::Ended(which, worked)),
        1 => (0usize..3, 1u64..60).prop_map(|(key, seconds)| Step::Silence(key, seconds)),
        1 => any::<u128>().prop_map(Step::Body),
        1 => Just(Step::Snapshot),
        1 => any::<u8>().prop_map(Step::Reload),
        2 => Just(Step::Crash),
    ]
}

/// An engine that crashes, with what it has on disk.
struct Crashing {
    stage: Stage,
    snapshot: Option<Vec<u8>>,
    journal: Vec<Record>,
}

impl Crashing {
    /// A snapshot as it is made beside the engine: out of the last one and the journal since. It is what the engine remembers.
    fn snapshot(&mut self) {
        let made = self.recovered().snapshot().encode().unwrap();
        let remembered = self.stage.engine.snapshot();
        let differences = remembered.differs(&Snapshot::decode(&made).unwrap());
        assert_eq!(differences, [""; 0]);
        self.snapshot = Some(made);
        self.journal.clear();
    }

    fn crash(&mut self) {
        self.stage.engine = self.recovered();
    }

    /// The engine that comes out of what is on disk.
    fn recovered(&self) -> Engine {
        let program = Arc::clone(&self.stage.engine.program);
        let mut engine = match &self.snapshot {
            None => Engine::new(options(), program),
            Some(bytes) => {
                let snapshot = Snapshot::decode(bytes).unwrap();
                Engine::from_snapshot(options(), program, snapshot).0
            }
        };
        let written = postcard::to_stdvec(&self.journal).unwrap();
        for record in postcard::from_bytes::<Vec<Record>>(&written).unwrap() {
            engine.restore(record);
        }
        engine
    }
}

/// The rules after a change: by the bits of `edits`, some are gone and some mean something else.
fn edited(edits: u8) -> Vec<String> {
    let bit = |bit: usize| edits >> bit & 1 == 1;
    let rules = RULES.iter().enumerate();
    let kept = rules.filter(|(at, _)| !(bit(0) && at % 5 == 4 || bit(1) && at % 5 == 2));
    kept.map(|(at, rule)| {
        if bit(2) && at % 2 == 1 {
            rule.replace("seconds: 20", "seconds: 15")
                .replace("num_events: 2", "num_events: 3")
        } else {
            (*rule).to_owned()
        }
    })
    .collect()
}

/// Makes the same input for either stage.
type MakeInput = Box<dyn Fn(&Stage) -> Input>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever comes, and whenever it crashes: an engine brought back does and remembers what one that never crashed does and remembers,
    /// to the last id.
    #[test]
    fn a_recovered_engine_goes_on_as_if_nothing_had_been(steps in prop::collection::vec(step(), 1..60)) {
        let mut steady = Stage::new(&RULES);
        let mut crashing = Crashing { stage: Stage::new(&RULES), snapshot: None, journal: Vec::new() };
        let mut begun = Outcome::default();
        crashing.stage.engine.resume(&mut begun);
        crashing.journal.extend(begun.records);
        let mut generation = 1;
        let mut under_way: Vec<Delivery> = Vec::new();
        let mut now = START;
        let mut number = 0;
        for step in steps {
            let mut inputs: Vec<MakeInput> = Vec::new();
            match step {
                Step::Wait(seconds) => now = now.plus(secs(seconds)),
                Step::Snapshot => crashing.snapshot(),
                Step::Crash => {
                    crashing.crash();
                    let mut resumed = Outcome::default();
                    crashing.stage.engine.resume(&mut resumed);
                    let mut again: Vec<Delivery> = resumed.deliveries().into_iter().cloned().collect();
                    let mut expected = under_way.clone();
                    for deliveries in [&mut again, &mut expected] {
                        // A ticket may have been made since.
                        for delivery in &mut *deliveries {
                            delivery.ticket = None;
                        }
                        deliveries.sort_by(|a, b| (&a.alert.id, a.alerter).cmp(&(&b.alert.id, b.alerter)));
                    }
                    prop_assert_eq!(again, expected);
                    crashing.journal.extend(resumed.records);
                }
                Step::Reload(edits) => {
                    generation += 1;
                    let rules = edited(edits);
                    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
                    for stage in [&mut steady, &mut crashing.stage] {
                        stage.decider = load(generation, &rules).1;
                    }
                    let rules = edited(edits);
                    inputs.push(Box::new(move |_| {
                        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
                        Input::Program(load(generation, &rules).0)
                    }));
                }
                Step::Events(sent) => {
                    let events: Vec<RawEvent> = sent.iter().map(|sent| {
                        number += 1;
                        let time = WallTime(now.0 + sent.seconds_off * 1_000_000);
                        event(&json!({"user": sent.user.to_string(), "bad": sent.bad, "number": number}), time)
                    }).collect();
                    inputs.push(Box::new(move |stage| Input::Events(stage.decider.decide(&events, None, now))));
                }
                Step::Tick => inputs.push(Box::new(|_| Input::Tick { busy: SECOND })),
                Step::Due => inputs.push(Box::new(|_| Input::Due)),
                Step::Ended(_, _) if under_way.is_empty() => {}
                Step::Ended(which, worked) => {
                    let delivery = under_way.swap_remove(which.index(under_way.len()));
                    inputs.push(Box::new(move |_| Input::Outcome(DeliveryOutcome {
                        alert: delivery.alert.id.clone(),
                        alerter: delivery.alerter,
                        result: if worked { Ok((delivery.alerter == 0).then(|| "https://tickets/1".to_owned())) } else { Err("refused".to_owned()) },
                    })));
                }
                Step::Silence(key, seconds) => {
                    let key = ["every._silence", "keyed.1", "related.0"][key].to_owned();
                    inputs.push(Box::new(move |_| Input::Silence { key: key.clone(), until: now.plus(secs(seconds)), comment: None }));
                }
                Step::Body(fingerprint) => inputs.push(Box::new(move |_| Input::Body(fingerprint))),
            }
            for input in inputs {
                steady.now = now;
                crashing.stage.now = now;
                let input = |stage: &mut Stage| {
                    let input = input(stage);
                    stage.apply(input)
                };
                let expected = input(&mut steady);
                let found = input(&mut crashing.stage);
                prop_assert_eq!(&found.effects, &expected.effects);
                prop_assert_eq!(&found.notes, &expected.notes);
                prop_assert_eq!(&found.records, &expected.records);
                under_way.extend(expected.deliveries().into_iter().cloned());
                crashing.journal.extend(found.records);
            }
            if crashing.stage.engine.next_due() != steady.engine.next_due() {
                // Hours that were slept through are asked for again.
                let found = crashing.stage.apply(Input::Due);
                prop_assert_eq!(&found.records, &steady.apply(Input::Due).records);
                under_way.extend(found.deliveries().into_iter().cloned());
                crashing.journal.extend(found.records);
            }
            prop_assert_eq!(crashing.stage.engine.next_due(), steady.engine.next_due());
            prop_assert_eq!(crashing.stage.engine.undelivered(), steady.engine.undelivered());
            prop_assert!(crashing.stage.engine.recent_bodies().eq(steady.engine.recent_bodies()));
        }
    }
}
