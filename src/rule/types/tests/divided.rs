//! Ticks and events in parts: whatever comes between, each key comes to the same as when nothing is divided. `TRIPLINE_SIM_CASES` asks for more cases.

use super::*;
use std::collections::VecDeque;

/// An event, so many milliseconds after what was before, and from the time on the wall.
#[derive(Debug, Clone)]
struct Sent {
    after: i64,
    members: Value,
    off: i64,
}

#[derive(Debug, Clone)]
enum Step {
    Event(Sent),
    Tick {
        after: i64,
        /// Of each part.
        steps: u64,
        /// What comes after so many parts more.
        between: Vec<(usize, Sent)>,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after = || prop_oneof![2 => Just(0i64), 3 => 0i64..3_000, 1 => 0i64..30_000];
    let off = prop_oneof![4 => Just(0i64), 2 => -8_000i64..2_000, 1 => -30_000i64..4_000];
    let sent = (after(), arbitrary::members(), off);
    let sent = sent
        .prop_map(|(after, members, off)| Sent {
            after,
            members,
            off,
        })
        .boxed();
    let between = (0usize..6, sent.clone());
    let tick = (after(), 1u64..7, prop::collection::vec(between, 0..4));
    let step = prop_oneof![
        5 => sent.prop_map(Step::Event),
        2 => tick.prop_map(|(after, steps, between)| Step::Tick { after, steps, between }),
    ];
    prop::collection::vec(step, 0..60)
}

fn texts(matches: &[Match]) -> Vec<String> {
    matches.iter().map(|one| format!("{one:?}")).collect()
}

fn sorted(matches: &[Match]) -> Vec<String> {
    let mut texts = texts(matches);
    texts.sort();
    texts
}

/// One rule, whose ticks and events are not divided; whose are; and as the journal would tell of those.
struct Three {
    whole: Bench,
    parts: Bench,
    replayed: Bench,
    /// The steps of a part.
    steps: u64,
    /// Whether a tick is under way.
    ticks: bool,
    /// Events that wait, and when each came.
    waiting: VecDeque<(Hit, EventTime)>,
    /// What was to be found and what has been since the last time that nothing was under way.
    expected: Vec<Match>,
    found: Vec<Match>,
    again: Vec<Match>,
}

impl Three {
    fn new(options: &str) -> Self {
        let bench = || {
            let mut bench = Bench::new(options);
            bench.now = 1_772_409_600 * SECOND + 250_000;
            bench
        };
        Self {
            whole: bench(),
            parts: bench(),
            replayed: bench(),
            steps: 1,
            ticks: false,
            waiting: VecDeque::new(),
            expected: Vec::new(),
            found: Vec::new(),
            again: Vec::new(),
        }
    }

    fn pass(&mut self, milliseconds: i64) {
        for bench in [&mut self.whole, &mut self.parts, &mut self.replayed] {
            bench.now += milliseconds * 1_000;
        }
    }

    /// An event comes, which may have to wait.
    fn event(&mut self, sent: &Sent) {
        self.pass(sent.after);
        let members = sent.members.as_object().unwrap();
        let (time, inner) = (
            self.whole.now + sent.off * 1_000,
            sent.members["bad"] == true,
        );
        let found = self.whole.event(members, time, inner);
        assert!(self.whole.settled.is_empty());
        self.expected.extend(found);
        let hit = self.parts.hit(members, time, inner, &mut self.found);
        self.replayed.hit(members, time, inner, &mut self.again);
        let Some(hit) = hit else {
            return;
        };
        let now = EventTime(self.parts.now);
        if self.waiting.is_empty() && !(self.ticks && self.parts.state.waits_for_ticks()) {
            self.parts.state.settle(&hit, now, &mut self.found);
            self.replayed.state.settle(&hit, now, &mut self.again);
            self.waiting.push_back((hit, now));
            self.take_in();
        } else {
            self.waiting.push_back((hit, now));
        }
    }

    /// One part of the first event that waits.
    fn take_in(&mut self) {
        let Some((hit, now)) = self.waiting.front() else {
            return;
        };
        let mut part = Part::of_steps(self.steps);
        let state = &mut self.parts.state;
        let is_over = state.add(hit, *now, &mut part, &mut self.found);
        let mut part = match is_over {
            true => Part::whole(),
            false => Part::of_acts(part.acted()),
        };
        let state = &mut self.replayed.state;
        assert_eq!(state.add(hit, *now, &mut part, &mut self.again), is_over);
        if is_over {
            self.waiting.pop_front();
        }
    }

    /// One part of what is under way.
    fn part(&mut self) {
        if !self.ticks {
            return self.take_in();
        }
        let mut part = Part::of_steps(self.steps);
        self.ticks = !self.parts.state.go_on(&mut part, &mut self.found);
        let mut part = match self.ticks {
            true => Part::of_acts(part.acted()),
            false => Part::whole(),
        };
        if part.has_room() {
            self.replayed.state.go_on(&mut part, &mut self.again);
        }
    }

    /// What is under way is done: all have come to the same, and wherever events wait or none came between, in the same order.
    fn finish(&mut self, is_ordered: bool) -> Result<(), TestCaseError> {
        while self.ticks || !self.waiting.is_empty() {
            self.part();
        }
        let [expected, found, again] = [&mut self.expected, &mut self.found, &mut self.again];
        let [expected, found, again] = [expected, found, again].map(std::mem::take);
        prop_assert_eq!(texts(&again), texts(&found));
        if is_ordered || self.parts.state.waits_for_ticks() {
            prop_assert_eq!(texts(&found), texts(&expected));
            prop_assert_eq!(self.parts.state.size(), self.whole.state.size());
        }
        prop_assert_eq!(sorted(&found), sorted(&expected));
        prop_assert_eq!(self.parts.state.save(), self.replayed.state.save());
        Ok(())
    }

    fn tick(&mut self, steps: u64, between: &[(usize, Sent)]) -> Result<(), TestCaseError> {
        self.finish(true)?;
        self.steps = steps;
        self.expected = self.whole.tick();
        let now = EventTime(self.parts.now);
        let (parts, replayed) = (&mut self.parts.state, &mut self.replayed.state);
        parts.tick(now, &mut Part::whole(), &mut self.found);
        replayed.tick(now, &mut Part::whole(), &mut self.again);
        self.ticks = true;
        for (parts, sent) in between {
            for _ in 0..*parts {
                self.part();
            }
            self.event(sent);
        }
        self.finish(between.is_empty())
    }
}

fn agrees(options: Document, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut three = Three::new(&Value::Object(options).to_string());
    for step in steps {
        match step {
            Step::Event(sent) => three.event(sent),
            Step::Tick {
                after,
                steps,
                between,
            } => {
                three.pass(*after);
                three.tick(*steps, between)?;
            }
        }
    }
    // What is remembered is the same, too.
    three.pass(40_000);
    three.tick(2, &[])
}

arbitrary::of_types! {
    cardinality: "cardinality",
    flatline: "flatline",
    frequency: "frequency",
    metric_aggregation: "metric_aggregation",
    new_term: "new_term",
    percentage_match: "percentage_match",
    spike: "spike",
    spike_aggregation: "spike_aggregation",
}
