//! Ticks in parts: whatever comes between, each key comes to the same as in a tick that is not divided. `TRIPLINE_SIM_CASES` asks for more cases.

use super::*;

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

/// One rule under ticks that are not divided, under such that are, and as the journal would tell of those.
struct Three {
    whole: Bench,
    parts: Bench,
    replayed: Bench,
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
        }
    }

    fn pass(&mut self, milliseconds: i64) {
        for bench in [&mut self.whole, &mut self.parts, &mut self.replayed] {
            bench.now += milliseconds * 1_000;
        }
    }

    /// All come to the same over an event; what ticks had still to find before it goes to `settled`.
    fn event(&mut self, sent: &Sent, settled: &mut Vec<Match>) -> Result<(), TestCaseError> {
        self.pass(sent.after);
        let show = |bench: &mut Bench| {
            let inner = sent.members["bad"] == true;
            let time = bench.now + sent.off * 1_000;
            let found = bench.event(sent.members.as_object().unwrap(), time, inner);
            (found, std::mem::take(&mut bench.settled))
        };
        let (expected, nothing) = show(&mut self.whole);
        let (found, before) = show(&mut self.parts);
        let (again, before_again) = show(&mut self.replayed);
        prop_assert!(nothing.is_empty());
        prop_assert_eq!(texts(&found), texts(&expected));
        prop_assert_eq!(texts(&again), texts(&expected));
        prop_assert_eq!(texts(&before_again), texts(&before));
        settled.extend(before);
        Ok(())
    }

    /// One part; whether it is the last.
    fn part(&mut self, steps: u64, out: &mut Vec<Match>) -> Result<bool, TestCaseError> {
        let (mut part, mut found, mut again) = (Part::of_steps(steps), Vec::new(), Vec::new());
        let is_over = self.parts.state.go_on(&mut part, &mut found);
        let mut part = Part::of_acts(part.acted());
        if is_over {
            part = Part::whole();
        }
        if part.has_room() {
            self.replayed.state.go_on(&mut part, &mut again);
        }
        prop_assert_eq!(texts(&again), texts(&found));
        out.extend(found);
        Ok(is_over)
    }

    fn tick(&mut self, steps: u64, between: &[(usize, Sent)]) -> Result<(), TestCaseError> {
        let expected = self.whole.tick();
        let mut found = Vec::new();
        for bench in [&mut self.parts, &mut self.replayed] {
            found.clear();
            let now = EventTime(bench.now);
            bench.state.tick(now, &mut Part::whole(), &mut found);
        }
        for (parts, sent) in between {
            for _ in 0..*parts {
                self.part(steps, &mut found)?;
            }
            self.event(sent, &mut found)?;
        }
        while !self.part(steps, &mut found)? {}
        if between.is_empty() {
            prop_assert_eq!(texts(&found), texts(&expected));
            prop_assert_eq!(self.parts.state.size(), self.whole.state.size());
        }
        prop_assert_eq!(sorted(&found), sorted(&expected));
        prop_assert_eq!(self.parts.state.save(), self.replayed.state.save());
        Ok(())
    }
}

fn agrees(options: Document, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut three = Three::new(&Value::Object(options).to_string());
    for step in steps {
        match step {
            Step::Event(sent) => three.event(sent, &mut Vec::new())?,
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
