//! Crashes and recoveries: a recovered engine is as one that never crashed. Any rules, any events, any moment. `TRIPLINE_SIM_CASES` asks for more
//! cases.

use super::kept::Spilled;
use super::*;
use crate::rule::types::RULE_TYPES;
use crate::rule::types::tests::arbitrary::{self, Parts};

/// What happens to an engine in the property below.
#[derive(Debug, Clone)]
enum Step {
    Events(Vec<Sent>),
    /// An event that came before comes once more.
    Again(prop::sample::Index),
    /// Events are decided by the rules as they are, and come after others have been loaded.
    Overtaken(Vec<Sent>, Edition),
    /// Milliseconds; less than none when the clock is set back.
    Wait(i64),
    Tick,
    Due,
    /// Events could not come until now.
    Resumed(Option<i64>),
    /// Time is that of the events, so many milliseconds from the time on the wall.
    AsOf(i64, Box<Step>),
    /// One of the deliveries under way ends.
    Ended(prop::sample::Index, bool),
    Silence(usize, u64),
    Expire(usize),
    Trouble,
    Body(u128),
    /// Rules are filled from the past.
    Warm(Vec<Sent>),
    /// A snapshot takes the place of the journal so far.
    Snapshot,
    Reload(Edition),
    Crash,
}

#[derive(Clone)]
struct Sent {
    members: serde_json::Value,
    /// Milliseconds from the time on the wall.
    off: i64,
    twice: bool,
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let twice = if self.twice { " twice" } else { "" };
        write!(f, "{} at {}{twice}", self.members, self.off)
    }
}

/// Per rule, which parts of it are as in its other version; `None`: it is not there.
type Edition = Vec<Option<u32>>;

/// Two versions of each rule.
type Rules = Vec<(Parts, Parts)>;

const MOST_RULES: usize = 4;

fn rules() -> impl Strategy<Value = Rules> {
    let types: Vec<&'static str> = RULE_TYPES.iter().map(|entry| entry.name).collect();
    let rule = prop::sample::select(types).prop_flat_map(|name| {
        let version = || {
            let rule = (arbitrary::rule_of(name), arbitrary::common());
            rule.prop_map(|(own, common)| own.and(common))
        };
        (version(), version())
    });
    prop::collection::vec(rule, 1..=MOST_RULES)
}

fn edition() -> impl Strategy<Value = Edition> {
    let edits =
        prop_oneof![2 => Just(0), 2 => (0u32..20).prop_map(|at| 1 << at), 1 => any::<u32>()];
    prop::collection::vec(prop::option::weighted(0.9, edits), MOST_RULES)
}

fn sent() -> impl Strategy<Value = Sent> {
    let off = prop_oneof![5 => Just(0), 2 => -4_000i64..1_000, 2 => -45_000i64..45_000];
    (arbitrary::members(), off, prop::bool::weighted(0.1)).prop_map(|(members, off, twice)| Sent {
        members,
        off,
        twice,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let events = || prop::collection::vec(sent(), 1..5);
    let wait = prop_oneof![
        6 => 0i64..3_000,
        4 => 1_000i64..30_000,
        1 => 30_000i64..200_000,
        1 => -40_000i64..0,
        1 => Just(86_400_000i64),
    ];
    let simple = prop_oneof![
        6 => events().prop_map(Step::Events),
        3 => Just(Step::Tick),
    ];
    let as_of = (-60_000i64..10_000, simple).prop_map(|(off, step)| Step::AsOf(off, step.into()));
    prop_oneof![
        8 => events().prop_map(Step::Events),
        1 => any::<prop::sample::Index>().prop_map(Step::Again),
        1 => (events(), edition()).prop_map(|(events, edition)| Step::Overtaken(events, edition)),
        8 => wait.prop_map(Step::Wait),
        3 => Just(Step::Tick),
        3 => Just(Step::Due),
        1 => prop::option::of(-90_000i64..0).prop_map(Step::Resumed),
        1 => as_of,
        6 => (any::<prop::sample::Index>(), prop::bool::weighted(0.6))
            .prop_map(|(which, worked)| Step::Ended(which, worked)),
        1 => (0usize..3, 1u64..60).prop_map(|(key, seconds)| Step::Silence(key, seconds)),
        1 => (0usize..3).prop_map(Step::Expire),
        1 => Just(Step::Trouble),
        1 => any::<u128>().prop_map(Step::Body),
        1 => events().prop_map(Step::Warm),
        2 => Just(Step::Snapshot),
        2 => edition().prop_map(Step::Reload),
        3 => Just(Step::Crash),
    ]
}

/// The files of an edition's rules. The one whose code fails is always among them.
fn files(rules: &Rules, edition: &Edition) -> Vec<String> {
    let rules = rules.iter().zip(edition).enumerate();
    let files = rules.filter_map(|(at, ((one, other), edits))| {
        let options = one.edited(other, (*edits)?).options();
        let mut file = format!("name: r{at}\n");
        for (name, value) in options {
            file += &format!("{name}: {value}\n");
        }
        Some(file)
    });
    files.chain([failing::FRAGILE.to_owned()]).collect()
}

fn load_edition(generation: u64, files: &[String]) -> (Arc<Program>, Decider) {
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    load(generation, &files)
}

const SILENCES: [&str; 3] = ["r0._silence", "shared.a", "r1.h"];

/// An engine that crashes, with what it has on disk.
struct Crashing {
    stage: Stage,
    snapshot: Option<Vec<u8>>,
    journal: Vec<Record>,
    spilled: Arc<Spilled>,
}

impl Crashing {
    /// A snapshot as it is made beside the engine: out of the last one and the journal since. It is what the engine remembers.
    fn snapshot(&mut self) -> Result<(), TestCaseError> {
        let recovered = self.recovered();
        let made = recovered.snapshot().encode().unwrap();
        let remembered = self.stage.engine.snapshot();
        let differences = remembered.differs(&Snapshot::decode(&made).unwrap());
        prop_assert_eq!(differences, [""; 0]);
        prop_assert_eq!(recovered.kept_bytes(), self.stage.engine.kept_bytes());
        // What went to disk before it, and is not in it, nobody needs.
        self.spilled.retain(&recovered.spilled());
        self.snapshot = Some(made);
        self.journal.clear();
        Ok(())
    }

    /// The engine that comes out of what is on disk.
    fn recovered(&self) -> Engine {
        let (options, program) = self.stage.engine.origin();
        let mut engine = match &self.snapshot {
            None => Engine::new(options, program),
            Some(bytes) => {
                let snapshot = Snapshot::decode(bytes).unwrap();
                Engine::from_snapshot(options, program, snapshot).0
            }
        };
        let written = postcard::to_stdvec(&self.journal).unwrap();
        for record in postcard::from_bytes::<Vec<Record>>(&written).unwrap() {
            engine.restore(record);
        }
        engine
    }
}

/// Where events are kept.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// Bytes in memory; then they are spilled.
    in_memory: u64,
    /// One of so many spilled events is refused, another cannot be read; zero: none.
    failing: usize,
}

/// Into what parts ticks and events are divided: none, or small ones. [`Step::Due`] goes on with them.
fn tick_parts() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(u64::MAX), 3 => 1u64..24]
}

fn kept() -> impl Strategy<Value = Kept> {
    let in_memory = prop_oneof![Just(u64::MAX), 0u64..4_000];
    let failing = prop_oneof![Just(0), 3usize..6];
    (in_memory, failing).prop_map(|(in_memory, failing)| Kept { in_memory, failing })
}

/// Whether ticks under way are left to the steps that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ticks {
    GoOn,
    /// The steady engine's are not divided, and nothing comes between the parts of the other's.
    AtOnce,
}

/// Two engines that are told the same, one of which crashes.
struct Pair {
    ticks: Ticks,
    steady: Stage,
    crashing: Crashing,
    rules: Rules,
    files: Vec<String>,
    generation: u64,
    under_way: Vec<Delivery>,
    now: WallTime,
    number: u64,
    sent: Vec<RawEvent>,
}

impl Pair {
    fn new(rules: Rules, kept: Kept, ticks: Ticks, tick_part: u64) -> Self {
        let files = files(&rules, &vec![Some(0); MOST_RULES]);
        let stage = |tick_part| {
            let (program, decider) = load_edition(0, &files);
            let mut options = options();
            options.most_kept = kept.in_memory;
            options.tick_part = tick_part;
            if ticks == Ticks::GoOn {
                options.event_part = tick_part;
            }
            let mut engine = Engine::new(options, program);
            let spilled = Spilled::failing(kept.failing);
            engine.set_spill(Arc::clone(&spilled) as Arc<dyn Spill>);
            let stage = Stage {
                engine,
                decider,
                now: START,
            };
            (stage, spilled)
        };
        let (stage_that_crashes, spilled) = stage(tick_part);
        let steady = match ticks {
            Ticks::GoOn => tick_part,
            Ticks::AtOnce => u64::MAX,
        };
        let mut crashing = Crashing {
            stage: stage_that_crashes,
            snapshot: None,
            journal: Vec::new(),
            spilled,
        };
        let mut begun = Outcome::default();
        crashing.stage.engine.resume(&mut begun);
        crashing.journal.extend(begun.records);
        Self {
            ticks,
            steady: stage(steady).0,
            crashing,
            rules,
            files,
            generation: 1,
            under_way: Vec::new(),
            now: START,
            number: 0,
            sent: Vec::new(),
        }
    }

    fn events(&mut self, sent: &[Sent], as_of: i64) -> Vec<RawEvent> {
        let mut events = Vec::new();
        for sent in sent {
            self.number += 1;
            let time = WallTime(self.now.0 + (sent.off + as_of) * 1_000);
            let mut members = sent.members.clone();
            members["number"] = json!(self.number);
            let one = event(&members, time);
            events.extend(vec![one; 1 + usize::from(sent.twice)]);
        }
        self.sent.extend(events.iter().cloned());
        events
    }

    /// Both take in what `make` makes for them, and do the same.
    fn apply(
        &mut self,
        as_of: Option<i64>,
        make: impl Fn(&Stage) -> Input,
    ) -> Result<(), TestCaseError> {
        let now = self.now;
        let take = |stage: &mut Stage| {
            stage.now = now;
            let input = make(stage);
            let Some(off) = as_of else {
                return stage.apply(input);
            };
            let mut out = Outcome::default();
            let time = EventTime(now.0 + off * 1_000);
            stage.engine.apply_as_of(input, time, now, &mut out);
            out
        };
        let expected = take(&mut self.steady);
        let mut found = take(&mut self.crashing.stage);
        if self.ticks == Ticks::AtOnce {
            let engine = &mut self.crashing.stage.engine;
            while engine.is_ticking() {
                engine.go_on_with_tick(engine.options.tick_part, &mut found);
            }
        }
        self.same(&expected, found)
    }

    /// What is left of what is done in parts is done.
    fn finish_work(&mut self) -> Result<(), TestCaseError> {
        let finish = |stage: &mut Stage| {
            let mut out = Outcome::default();
            stage.engine.finish_work(&mut out);
            out
        };
        let expected = finish(&mut self.steady);
        let found = finish(&mut self.crashing.stage);
        self.same(&expected, found)
    }

    fn same(&mut self, expected: &Outcome, found: Outcome) -> Result<(), TestCaseError> {
        prop_assert_eq!(&found.effects, &expected.effects);
        prop_assert_eq!(&found.notes, &expected.notes);
        if self.ticks == Ticks::GoOn {
            prop_assert_eq!(&found.records, &expected.records);
        }
        let deliveries = expected.deliveries().into_iter().cloned();
        self.under_way.extend(deliveries);
        self.crashing.journal.extend(found.records);
        Ok(())
    }

    fn reload(&mut self, edition: &Edition) -> Result<(), TestCaseError> {
        self.generation += 1;
        self.files = files(&self.rules, edition);
        let (generation, files) = (self.generation, self.files.clone());
        for stage in [&mut self.steady, &mut self.crashing.stage] {
            stage.decider = load_edition(generation, &files).1;
        }
        self.apply(None, |_| Input::Program(load_edition(generation, &files).0))?;
        // What waits is asked for anew, whose time may have come.
        self.apply(None, |_| Input::Due)
    }

    fn crash(&mut self) -> Result<(), TestCaseError> {
        let mut recovered = self.crashing.recovered();
        self.crashing.spilled.retain(&recovered.spilled());
        recovered.set_spill(Arc::clone(&self.crashing.spilled) as Arc<dyn Spill>);
        self.crashing.stage.engine = recovered;
        let mut resumed = Outcome::default();
        self.crashing.stage.engine.resume(&mut resumed);
        let mut again: Vec<Delivery> = resumed.deliveries().into_iter().cloned().collect();
        let mut expected = self.under_way.clone();
        for deliveries in [&mut again, &mut expected] {
            // A ticket may have been made since.
            for delivery in &mut *deliveries {
                delivery.ticket = None;
            }
            deliveries.sort_by(|a, b| (&a.alert.id, a.alerter).cmp(&(&b.alert.id, b.alerter)));
        }
        prop_assert_eq!(again, expected);
        self.crashing.journal.extend(resumed.records);
        Ok(())
    }

    fn warm(&mut self, sent: &[Sent]) -> Result<(), TestCaseError> {
        let events = self.events(sent, 0);
        let (program, decider) = load_edition(0, &self.files);
        let mut donor = Stage {
            engine: Engine::new(options(), program),
            decider,
            now: self.now,
        };
        let decided = donor.decider.decide(&events, None, self.now);
        donor.apply(Input::Events(decided));
        let names: Vec<String> = donor
            .engine
            .totals()
            .map(|(name, ..)| name.to_owned())
            .collect();
        let memories: Vec<Memory> = names
            .iter()
            .filter_map(|name| donor.engine.memory(name))
            .collect();
        let now = self.now;
        let warm = |stage: &mut Stage| {
            let mut out = Outcome::default();
            stage
                .engine
                .warm(memories.clone(), Coming::Now(now), &mut out);
            out
        };
        let expected = warm(&mut self.steady);
        let found = warm(&mut self.crashing.stage);
        self.same(&expected, found)
    }

    fn step(&mut self, step: Step, as_of: Option<i64>) -> Result<(), TestCaseError> {
        let now = self.now;
        match step {
            Step::Wait(milliseconds) => {
                self.now = WallTime(now.0 + milliseconds * 1_000);
                return Ok(());
            }
            Step::Snapshot => {
                self.finish_work()?;
                return self.crashing.snapshot();
            }
            Step::Crash => self.crash()?,
            Step::Reload(edition) => self.reload(&edition)?,
            Step::Warm(sent) => self.warm(&sent)?,
            Step::AsOf(off, step) => self.step(*step, Some(off))?,
            Step::Events(sent) => {
                let events = self.events(&sent, as_of.unwrap_or(0));
                self.apply(as_of, |stage| {
                    Input::Events(stage.decider.decide(&events, None, now))
                })?;
            }
            Step::Again(_) if self.sent.is_empty() => {}
            Step::Again(which) => {
                let event = self.sent[which.index(self.sent.len())].clone();
                self.apply(None, |stage| {
                    Input::Events(
                        stage
                            .decider
                            .decide(std::slice::from_ref(&event), None, now),
                    )
                })?;
            }
            Step::Overtaken(sent, edition) => {
                let events = self.events(&sent, 0);
                let before = load_edition(self.generation, &self.files).1;
                self.reload(&edition)?;
                self.apply(None, |_| Input::Events(before.decide(&events, None, now)))?;
            }
            Step::Tick => self.apply(as_of, |_| Input::Tick { busy: SECOND })?,
            Step::Due => self.apply(None, |_| Input::Due)?,
            Step::Resumed(since) => {
                let since = since.map(|ago| EventTime(now.0 + ago * 1_000));
                self.apply(None, |_| Input::Resumed { since })?;
            }
            Step::Ended(_, _) if self.under_way.is_empty() => {}
            Step::Ended(which, worked) => {
                let which = which.index(self.under_way.len());
                let delivery = self.under_way.swap_remove(which);
                let ticket = || (delivery.alerter == 0).then(|| "https://tickets/1".to_owned());
                self.apply(None, |_| {
                    let result = if worked {
                        Ok(ticket())
                    } else {
                        Err("refused".to_owned())
                    };
                    Input::Outcome(DeliveryOutcome {
                        alert: delivery.alert.id.clone(),
                        alerter: delivery.alerter,
                        result,
                    })
                })?;
            }
            Step::Silence(key, seconds) => self.apply(None, |_| Input::Silence {
                key: SILENCES[key].to_owned(),
                until: now.plus(secs(seconds)),
                comment: None,
            })?,
            Step::Expire(key) => self.apply(None, |_| Input::Expire {
                key: SILENCES[key].to_owned(),
                written: Vec::new(),
            })?,
            Step::Trouble => self.apply(None, |_| Input::Trouble {
                rule: "r0".to_owned(),
                message: "it went wrong".to_owned(),
            })?,
            Step::Body(fingerprint) => self.apply(None, |_| Input::Body(fingerprint))?,
        }
        self.agree()
    }

    fn agree(&mut self) -> Result<(), TestCaseError> {
        if self.crashing.stage.engine.next_due() != self.steady.engine.next_due() {
            // Hours that were slept through are asked for again.
            self.apply(None, |_| Input::Due)?;
        }
        let (found, expected) = (&self.crashing.stage.engine, &self.steady.engine);
        prop_assert_eq!(found.kept_bytes(), expected.kept_bytes());
        prop_assert_eq!(found.next_due(), expected.next_due());
        prop_assert_eq!(found.undelivered(), expected.undelivered());
        prop_assert!(found.recent_bodies().eq(expected.recent_bodies()));
        Ok(())
    }
}

proptest! {
    #![proptest_config(arbitrary::cases(32))]

    /// Whatever comes, and whenever it crashes: an engine brought back does and remembers what one that never crashed does and remembers,
    /// to the last id. Wherever there is room for the events it keeps.
    #[test]
    fn a_recovered_engine_goes_on_as_if_nothing_had_been(rules in rules(), kept in kept(), tick_part in tick_parts(), steps in prop::collection::vec(step(), 1..60)) {
        let mut pair = Pair::new(rules, kept, Ticks::GoOn, tick_part);
        for step in steps {
            pair.step(step, None)?;
        }
    }

    /// A tick in parts between which nothing comes does what one does that is not divided, to the last id, and is remembered as such.
    #[test]
    fn a_tick_in_parts_is_a_tick(rules in rules(), tick_part in 1u64..24, steps in prop::collection::vec(step(), 1..60)) {
        let kept = Kept { in_memory: u64::MAX, failing: 0 };
        let mut pair = Pair::new(rules, kept, Ticks::AtOnce, tick_part);
        for step in steps {
            pair.step(step, None)?;
        }
    }
}

#[test]
fn a_restart_does_not_count_what_was_seen_before_other_fields_were_to_be_counted() {
    let rule = |counted: &str| {
        format!(
            "name: r\ntype: blacklist\ncompare_key: user\nblacklist: [a]\ntop_count_keys: [{counted}]\nalert: debug"
        )
    };
    let (users, sizes) = (rule("user"), rule("size"));
    let mut stage = Stage::new(&[&users]);
    let mut journal = stage.event(&json!({"user": "a", "size": 1})).records;
    let (program, decider) = load(1, &[&sizes]);
    stage.decider = decider;
    journal.extend(stage.apply(Input::Program(program)).records);
    let restarted = stage.restarted(&[&sizes], Some(journal));
    let made = restarted.engine.snapshot();
    assert_eq!(stage.engine.snapshot().differs(&made), [""; 0]);
}
