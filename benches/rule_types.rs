//! What the rule types cost on the engine's thread at the sizes they are made for: events a second, the longest single step, and memory.
//! `benches/beside_elastalert.py` runs `--folder DIR` to set the types beside ElastAlert's classes. Times are those the thread computed for.
//!
//! `cargo bench --bench rule_types` runs every case, `cargo bench --bench rule_types -- spike` those with `spike` in their name. A step is one event, one part of a
//! tick or one save. Memory is what the process grew by while the case's state was filled (Linux, `/proc/self/statm`), so the allocator's losses are in it; each case
//! runs in a process of its own.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a benchmark"
)]

use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tripline::engine::{
    AlerterFacts, Engine, Input, Options, Outcome, Prepare, Program, ProgramRule, Seen, TicketUse,
};
use tripline::event::json::parse_document;
use tripline::event::{Document, EventTime, RawEvent, WallTime};
use tripline::filter::{FilterEvent, Mapping};
use tripline::rule::{
    Decider, Evaluator, Gap, Hit, Key, Part, Rule, RuleSet, Sample, Verdict, Workspace,
};

#[path = "../tests/it/support/rules.rs"]
mod rules;

const SECOND: i64 = 1_000_000;
const MILLION: u64 = 1_000_000;
const START: i64 = 1_800_000_000 * SECOND;

/// The cases by name.
const CASES: &[(&str, fn())] = &[
    ("frequency: a million keys", frequency_keys),
    (
        "frequency: a million keys, documents of 300 bytes",
        frequency_documents,
    ),
    ("frequency: ten million events, one key", || {
        frequency_events(1)
    }),
    ("frequency: ten million events, a thousand keys", || {
        frequency_events(1000)
    }),
    (
        "frequency: late events in the middle of a million",
        frequency_late,
    ),
    (
        "frequency: a hundred thousand keys expire a second",
        frequency_expiry,
    ),
    ("flatline: a million keys", || keys(FLATLINE)),
    ("flatline: a million keys fall silent", flatline_silence),
    ("spike: a million keys", || keys(SPIKE)),
    ("spike: ten million events, one key", spike_events),
    ("spike: late events in the middle of a million", spike_late),
    ("cardinality: a million keys", || keys(CARDINALITY)),
    ("cardinality: a million values", cardinality_values),
    ("cardinality, minimum: a million keys", || {
        keys(CARDINALITY_MIN)
    }),
    ("change: a million keys", || keys(CHANGE)),
    ("new_term: a million values", || keys(NEW_TERM)),
    ("metric_aggregation, avg: a million events", || {
        metric("avg")
    }),
    ("metric_aggregation, max: a million events", || {
        metric("max")
    }),
    ("metric_aggregation, cardinality: a million events", || {
        metric("cardinality")
    }),
    ("metric_aggregation, percentiles: a million events", || {
        metric("percentiles")
    }),
    (
        "metric_aggregation, avg, bucket_interval: a million events",
        || metric("avg\nbucket_interval: {seconds: 100}"),
    ),
    (
        "metric_aggregation, percentiles, bucket_interval: a million events",
        || metric("percentiles\nbucket_interval: {seconds: 100}"),
    ),
    ("metric_aggregation: a million keys", || keys(METRIC_KEYS)),
    ("percentage_match: a million keys", || keys(PERCENTAGE)),
    ("flatline: all of many keys due in one tick", || {
        due_at_once(FLATLINE, 700)
    }),
    (
        "cardinality, minimum: all of many keys due in one tick",
        || due_at_once(CARDINALITY_MIN, 700),
    ),
    (
        "metric_aggregation: all of many keys leave in one tick",
        || due_at_once(METRIC_KEYS, 700),
    ),
    (
        "percentage_match: all of many keys leave in one tick",
        || due_at_once(PERCENTAGE, 700),
    ),
    ("cardinality, minimum: an event finds many keys due", || {
        much_for_an_event(CARDINALITY_FEW)
    }),
    (
        "metric_aggregation: the events of many keys leave at an event",
        || much_for_an_event(METRIC_KEYS),
    ),
    (
        "spike_aggregation: the events of many keys leave at an event",
        || much_for_an_event(SPIKE_METRIC_KEYS),
    ),
    (
        "engine: flatline, many keys due in one tick, alerts",
        || engine_alerts(FLATLINE),
    ),
    (
        "engine: cardinality, minimum, many keys due in one tick, alerts",
        || engine_alerts(CARDINALITY_MIN),
    ),
    ("engine: a tick of ten thousand rules", engine_rules),
    ("engine: many events waited for hours", engine_held),
    ("flatline: a gap over many keys", || gap(FLATLINE)),
    ("spike: a gap over many keys", || gap(SPIKE)),
    ("cardinality, minimum: a gap over many keys", || {
        gap(CARDINALITY_MIN)
    }),
    (
        "spike_aggregation, avg: a hundred thousand samples",
        spike_aggregation,
    ),
];

const FREQUENCY: &str =
    "type: frequency\nnum_events: 20\ntimeframe: {minutes: 10}\nquery_key: user";
const FLATLINE: &str =
    "type: flatline\nthreshold: 1\ntimeframe: {minutes: 10}\nquery_key: user\nforget_keys: true";
const SPIKE: &str = "type: spike\nspike_height: 3\nspike_type: up\nthreshold_ref: 5\ntimeframe: {minutes: 10}\nquery_key: user";
const CARDINALITY: &str = "type: cardinality\ncardinality_field: n\nmax_cardinality: 20\ntimeframe: {minutes: 10}\nquery_key: user";
const CARDINALITY_MIN: &str = "type: cardinality\ncardinality_field: n\nmin_cardinality: 1\ntimeframe: {minutes: 10}\nquery_key: user";
const CARDINALITY_FEW: &str = "type: cardinality\ncardinality_field: n\nmin_cardinality: 2\ntimeframe: {minutes: 10}\nquery_key: user";
const SPIKE_METRIC_KEYS: &str = "type: spike_aggregation\nmetric_agg_key: n\nmetric_agg_type: avg\nspike_height: 3\nspike_type: up\nquery_key: user\ntimeframe: {minutes: 10}\nbuffer_time: {minutes: 10}";
const CHANGE: &str = "type: change\ncompare_key: n\nquery_key: user\nignore_null: true";
const NEW_TERM: &str = "type: new_term\nfields: [user]";
const METRIC_KEYS: &str = "type: metric_aggregation\nmetric_agg_key: n\nmetric_agg_type: avg\nmax_threshold: 2000000000\nquery_key: user\nbuffer_time: {minutes: 10}";
const PERCENTAGE: &str = "type: percentage_match\nmatch_bucket_filter: [{term: {n: 1}}]\nmax_percentage: 101\nquery_key: user\nbuffer_time: {minutes: 10}";

/// The parent runs itself once for each case, so that memory one case gave back does not hide what the next one takes.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = arguments.as_slice()
        && flag == "--case"
    {
        let (_, case) = CASES.iter().find(|(known, _)| known == name).unwrap();
        return case();
    }
    if let [flag, folder, ..] = arguments.as_slice()
        && flag == "--folder"
    {
        return beside_elastalert(Path::new(folder));
    }
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    println!("| case | events/s | longest step | matches | memory |\n|---|---|---|---|---|");
    for (name, _) in CASES {
        if wanted.is_none_or(|wanted| name.contains(wanted.as_str())) {
            let program = std::env::current_exe().unwrap();
            let status = Command::new(program)
                .args(["--case", name])
                .status()
                .unwrap();
            assert!(status.success(), "{name}");
        }
    }
}

/// One rule at work, and what it has cost so far.
struct Run {
    name: String,
    rule: Arc<Rule>,
    evaluator: Evaluator,
    now: i64,
    steps: u64,
    spent: Duration,
    longest: Duration,
    matches: usize,
    memory: u64,
    out: Vec<tripline::rule::Match>,
}

impl Run {
    fn new(options: &str) -> Self {
        let rule = load(options);
        Self {
            name: std::env::args().next_back().unwrap(),
            evaluator: Evaluator::new(&rule),
            rule,
            now: START,
            steps: 0,
            spent: Duration::ZERO,
            longest: Duration::ZERO,
            matches: 0,
            memory: resident(),
            out: Vec::new(),
        }
    }

    fn timed(
        &mut self,
        act: impl FnOnce(&mut Evaluator, EventTime, &mut Vec<tripline::rule::Match>),
    ) {
        let started = spent();
        act(&mut self.evaluator, EventTime(self.now), &mut self.out);
        let took = spent() - started;
        self.spent += took;
        self.longest = self.longest.max(took);
        self.matches += self.out.len();
        self.out.clear();
    }

    /// An event of a key at a time, as its rule type samples it.
    fn event(&mut self, time: i64, sample: Sample, event: Option<&Arc<RawEvent>>) {
        self.steps += 1;
        self.timed(|evaluator, now, out| {
            evaluator.on_event(event, EventTime(time), Verdict::Sample(sample), now, out);
        });
    }

    /// A tick in parts, as the service has it.
    fn tick(&mut self) {
        let mut is_over = false;
        self.timed(|evaluator, now, out| {
            let mut part = Part::of_steps(Part::STEPS);
            evaluator.begin_tick(now, &mut part, out);
            is_over = evaluator.go_on(&mut part, out);
        });
        while !is_over {
            self.timed(|evaluator, _, out| {
                is_over = evaluator.go_on(&mut Part::of_steps(Part::STEPS), out);
            });
        }
    }

    /// One line of the table; `of` says how many keys or events the memory is for.
    fn row(&self, of: Option<(u64, &str)>) {
        self.row_of(self.steps, self.spent, of);
    }

    fn row_of(&self, steps: u64, spent: Duration, of: Option<(u64, &str)>) {
        let rate = steps as f64 / spent.as_secs_f64();
        let mut memory = String::new();
        if let Some((number, what)) = of {
            let grown = resident().saturating_sub(self.memory) as f64;
            write!(memory, "{:.0} bytes per {what}", grown / number as f64).unwrap();
        }
        println!(
            "| {} | {} | {:.2} ms | {} | {memory} |",
            self.name,
            thousands(rate),
            self.longest.as_secs_f64() * 1e3,
            self.matches
        );
    }

    /// Continues under another name, with its counts begun anew.
    fn then(&mut self, what: &str) {
        self.name = format!("… {what}");
        (self.steps, self.spent, self.longest, self.matches) =
            (0, Duration::ZERO, Duration::ZERO, 0);
    }
}

fn thousands(rate: f64) -> String {
    let digits = format!("{rate:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What this thread has computed for: other programs on the machine do not count.
fn spent() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap(),
        time.tv_nsec.try_into().unwrap(),
    )
}

/// Bytes of memory this process has, 0 where that cannot be read.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

fn load(options: &str) -> Arc<Rule> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rule.yaml");
    let rule = format!("name: rule\nindex: logs\nalert: debug\nfilter: []\n{options}\n");
    std::fs::write(&file, rule).unwrap();
    load_file(file)
}

fn load_file(file: PathBuf) -> Arc<Rule> {
    let config = Path::new("pipelines/demo/config.yml");
    let loaded = rules::load(config, &Mapping::default(), &[file]);
    loaded
        .rules
        .first()
        .cloned()
        .unwrap_or_else(|| panic!("{:?}", loaded.problems))
}

fn address(number: u64) -> String {
    format!(
        "10.{}.{}.{}",
        number >> 16 & 255,
        number >> 8 & 255,
        number & 255
    )
}

/// Spreads numbers over the keys without an order.
fn scattered(number: u64, of: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31) % of
}

/// What the rule's type samples of an event with this `user` and `n`.
fn sample(rule: &Rule, user: u64, n: u64) -> Sample {
    let user = address(user);
    match rule.type_name {
        "frequency" | "flatline" | "spike" => Sample {
            key: Key::Text(user.into()),
            values: Vec::new(),
        },
        "cardinality" | "change" => Sample {
            key: Key::Text(user.into()),
            values: vec![Value::from(n)],
        },
        "new_term" => Sample {
            key: Key::All,
            values: vec![Value::from(user)],
        },
        "percentage_match" => Sample {
            key: Key::All,
            values: vec![Value::from(user), Value::from(n.is_multiple_of(2))],
        },
        _ => {
            let mut values = Vec::new();
            if rule.query_key.is_some() {
                values.push(Value::from(user));
            }
            values.push(Value::from(n));
            Sample {
                key: Key::All,
                values,
            }
        }
    }
}

/// A million keys come, then come again in another order; a tick; a tick after everything has expired.
fn keys(options: &str) {
    let mut run = Run::new(options);
    for number in 0..MILLION {
        let sample = sample(&run.rule, number, number % 10);
        run.now = START + i64::try_from(number).unwrap() * 60;
        run.event(run.now, sample, None);
    }
    run.row(Some((MILLION, "key")));
    run.then("and come again");
    for number in 0..MILLION {
        let sample = sample(&run.rule, scattered(number, MILLION), number % 10);
        run.now += 60;
        run.event(run.now, sample, None);
    }
    run.row(None);
    run.then("ticks with a million keys");
    for _ in 0..10 {
        run.now += SECOND;
        run.tick();
        run.steps += 1;
    }
    run.row(None);
    run.then("saved");
    let started = spent();
    let saved = run.evaluator.save();
    run.row_of(MILLION, spent() - started, None);
    run.then("loaded");
    let started = spent();
    run.evaluator.load(&saved).unwrap();
    run.row_of(MILLION, spent() - started, None);
}

/// So many keys come at once, and a tick a while later finds all of them due.
fn due_at_once(options: &str, seconds: i64) {
    for keys in [10_000, 100_000] {
        let mut run = Run::new(options);
        for number in 0..keys {
            let sample = sample(&run.rule, number, number % 10);
            run.event(run.now, sample, None);
        }
        run.now += SECOND;
        run.tick();
        run.then(&format!("{keys} keys"));
        run.now += seconds * SECOND;
        run.tick();
        run.row_of(keys, run.spent, None);
    }
}

/// So many keys come at once, and a while later an event over which the rule has all of them to look at: in one piece, and in parts.
fn much_for_an_event(options: &str) {
    for keys in [10_000, 100_000, 1_000_000] {
        for (what, first, then) in [
            ("in one piece", u64::MAX, u64::MAX),
            ("in parts", Part::EVENT_STEPS, Part::STEPS),
        ] {
            let mut run = Run::new(options);
            for number in 0..keys {
                let sample = sample(&run.rule, number, number % 10);
                run.event(run.now, sample, None);
            }
            run.now += 700 * SECOND;
            let hit = Hit {
                time: EventTime(run.now),
                sample: sample(&run.rule, 0, 0),
                event: None,
            };
            run.then(&format!("{keys} keys, {what}"));
            let (mut steps, mut is_over) = (first, false);
            while !is_over {
                run.timed(|evaluator, now, out| {
                    let mut part = Part::of_steps(steps);
                    is_over = evaluator.on_hit(&hit, now, &mut part, out);
                });
                steps = then;
            }
            run.row_of(keys, run.spent, None);
        }
    }
}

fn frequency_keys() {
    keys(FREQUENCY);
}

fn frequency_documents() {
    let mut run = Run::new(FREQUENCY);
    for number in 0..MILLION {
        let bytes = format!(
            "{{\"user\":\"{}\",\"message\":\"{:230}\"}}",
            address(number),
            number
        );
        let event = Arc::new(RawEvent {
            bytes: bytes.into(),
            meta: None,
        });
        let sample = sample(&run.rule, number, 0);
        run.now += 60;
        run.event(run.now, sample, Some(&event));
    }
    run.row(Some((MILLION, "key")));
}

fn frequency_events(keys: u64) {
    let mut run =
        Run::new("type: frequency\nnum_events: 100000000\ntimeframe: {days: 1}\nquery_key: user");
    for number in 0..10 * MILLION {
        let sample = sample(&run.rule, scattered(number, keys), 0);
        run.now += 1000;
        run.event(run.now, sample, None);
    }
    run.row(Some((10 * MILLION, "event")));
}

fn late(run: &mut Run) {
    for number in 0..MILLION {
        let sample = sample(&run.rule, 0, number % 10);
        run.now += 1000;
        run.event(run.now, sample, None);
    }
    run.then("late by half of the window");
    for number in 0..100_000 {
        let sample = sample(&run.rule, 0, number % 10);
        let back = i64::try_from(400_000 + scattered(number, 200_000)).unwrap() * 1000;
        run.event(run.now - back, sample, None);
    }
    run.row(None);
}

struct AsIs;

impl Prepare for AsIs {
    fn enhance(&self, _matched: &mut Document) -> (bool, Vec<String>) {
        (true, Vec::new())
    }

    fn prepare(&self, _rule: &Rule, _matches: &mut Vec<Document>, _seen: &Seen) -> Vec<String> {
        Vec::new()
    }

    fn alert_info(&self, _rule: &Rule, _matches: &[Document], _now: WallTime) -> Document {
        Document::new()
    }
}

/// The engine with its rules; what it does is timed by the input.
struct Whole {
    engine: Engine,
    decider: Decider,
    now: i64,
    spent: Duration,
    longest: Duration,
    effects: usize,
}

impl Whole {
    fn new(options: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = options.iter().enumerate().map(|(at, options)| {
            let file = folder.path().join(format!("{at}.yaml"));
            let rule = format!("name: r{at}\nindex: logs\nalert: debug\nfilter: []\n{options}\n");
            std::fs::write(&file, rule).unwrap();
            file
        });
        let files: Vec<PathBuf> = files.collect();
        let config = Path::new("pipelines/demo/config.yml");
        let rules = rules::load(config, &Mapping::default(), &files).rules;
        let entries = rules.iter().map(|rule| {
            Arc::new(ProgramRule {
                rule: Arc::clone(rule),
                alerters: vec![AlerterFacts {
                    name: "debug",
                    ticket: TicketUse::None,
                }],
                enhance_first: false,
                match_in_root: false,
                prepare: Arc::new(AsIs),
            })
        });
        let options = Options {
            run_every: Duration::from_secs(60),
            lateness: Duration::from_secs(3600),
            future_tolerance: Duration::from_secs(60),
            retry_first: Duration::from_secs(60),
            retry_longest: Duration::from_secs(60),
            add_metadata: false,
            replace_dots: false,
            most_kept: u64::MAX,
            tick_part: Part::STEPS,
            event_part: Part::EVENT_STEPS,
            instance: "bench".to_owned(),
        };
        let program = Arc::new(Program::new(0, entries.collect()));
        Self {
            engine: Engine::new(options, program),
            decider: Decider::new(Arc::new(RuleSet {
                generation: 0,
                rules,
            })),
            now: START,
            spent: Duration::ZERO,
            longest: Duration::ZERO,
            effects: 0,
        }
    }

    fn apply(&mut self, input: Input) {
        let mut out = Outcome::default();
        let started = spent();
        self.engine.apply(input, WallTime(self.now), &mut out);
        let took = spent() - started;
        self.spent += took;
        self.longest = self.longest.max(took);
        self.effects += out.effects.len();
    }

    fn events(&mut self, users: std::ops::Range<u64>) {
        let time = WallTime(self.now);
        let event = |user| RawEvent {
            bytes: format!(
                r#"{{"@timestamp":"{}","user":"{}","n":1}}"#,
                time.to_text(),
                address(user)
            )
            .into(),
            meta: None,
        };
        let events: Vec<RawEvent> = users.map(event).collect();
        let mut workspace = Workspace::default();
        let decided = self.decider.decide_in(&mut workspace, &events, None, time);
        self.apply(Input::Events(decided));
    }

    /// A tick so many seconds later; the parts it is done in are the steps.
    fn tick(&mut self, seconds: i64, what: &str) {
        self.now += seconds * SECOND;
        (self.spent, self.longest, self.effects) = (Duration::ZERO, Duration::ZERO, 0);
        let busy = Duration::ZERO;
        self.apply(Input::Tick { busy });
        let mut parts = 1;
        while self.engine.is_at_work() {
            self.apply(Input::Due);
            parts += 1;
        }
        println!(
            "| … {what}: {parts} parts | {:.1} ms | {:.2} ms | {} effects | |",
            self.spent.as_secs_f64() * 1e3,
            self.longest.as_secs_f64() * 1e3,
            self.effects
        );
    }
}

fn engine_alerts(options: &str) {
    let mut whole = Whole::new(&[format!("{options}\nrealert: {{minutes: 1}}")]);
    for batch in 0..100 {
        whole.events(batch * 1_000..(batch + 1) * 1_000);
    }
    whole.tick(1, "nothing is due");
    whole.tick(700, "100,000 keys are due");
    whole.tick(700, "their silences end");
}

fn engine_rules() {
    let rules: Vec<String> = (0..10_000)
        .map(|_| format!("{FREQUENCY}\nrealert: {{minutes: 1}}"))
        .collect();
    let mut whole = Whole::new(&rules);
    whole.tick(1, "nothing came");
    whole.events(0..1);
    whole.tick(60, "each of ten thousand rules had an event");
}

fn engine_held() {
    let mut whole = Whole::new(&[format!("{FREQUENCY}\nlimit_execution: \"* 0-3 * * *\"")]);
    for batch in 0..100 {
        whole.events(batch * 1_000..(batch + 1) * 1_000);
    }
    whole.tick(18 * 3_600, "100,000 events are let in");
}

/// A million keys come, and then nothing could for half an hour.
fn gap(options: &str) {
    let mut run = Run::new(options);
    for number in 0..MILLION {
        let sample = sample(&run.rule, number, number % 10);
        run.event(run.now, sample, None);
    }
    run.then("a million keys");
    let from = Some(EventTime(run.now));
    run.now += 1_800 * SECOND;
    run.timed(|evaluator, to, _| evaluator.resume(&Gap { from, to }));
    run.row_of(MILLION, run.spent, None);
}

fn frequency_late() {
    late(&mut Run::new(
        "type: frequency\nnum_events: 100000000\ntimeframe: {days: 1}\nquery_key: user",
    ));
}

fn frequency_expiry() {
    let mut run =
        Run::new("type: frequency\nnum_events: 20\ntimeframe: {seconds: 5}\nquery_key: user");
    for number in 0..4 * MILLION {
        let sample = sample(&run.rule, number, 0);
        run.now += 10;
        run.event(run.now, sample, None);
        if number % 100_000 == 0 {
            run.tick();
        }
    }
    run.row(Some((500_000, "key of the last five seconds")));
}

fn flatline_silence() {
    let mut run = Run::new(FLATLINE);
    for number in 0..MILLION {
        let sample = sample(&run.rule, number, 0);
        run.now += 600;
        run.event(run.now, sample, None);
    }
    run.then("a tick a second, 1,667 matches each");
    for _ in 0..60 {
        run.now += SECOND;
        run.tick();
        run.steps += 1;
    }
    run.row(None);
}

fn spike_events() {
    let mut run = Run::new(
        "type: spike\nspike_height: 3\nspike_type: up\nthreshold_ref: 5\ntimeframe: {hours: 1}\nquery_key: user",
    );
    for number in 0..10 * MILLION {
        let sample = sample(&run.rule, 0, 0);
        run.now += 700;
        run.event(run.now, sample, None);
        if number % 100_000 == 0 {
            run.tick();
        }
    }
    run.row(Some((10 * MILLION, "event")));
}

fn spike_late() {
    late(&mut Run::new(
        "type: spike\nspike_height: 3\nspike_type: up\nthreshold_ref: 5\ntimeframe: {hours: 1}\nquery_key: user",
    ));
}

fn cardinality_values() {
    let mut run = Run::new(
        "type: cardinality\ncardinality_field: n\nmax_cardinality: 100000000\ntimeframe: {minutes: 1}\nquery_key: user",
    );
    for number in 0..2 * MILLION {
        let mut sample = sample(&run.rule, 0, 0);
        sample.values = vec![Value::from(address(number % MILLION))];
        run.now += 100;
        run.event(run.now, sample, None);
        if number % 10_000 == 0 {
            run.tick();
        }
    }
    run.row(Some((600_000, "value of the last minute")));
}

fn metric(kind: &str) {
    let options = format!(
        "type: metric_aggregation\nmetric_agg_key: n\nmetric_agg_type: {kind}\npercentile_range: 95\nmax_threshold: 2000000000\nbuffer_time: {{seconds: 1000}}"
    );
    let mut run = Run::new(&options);
    for number in 0..2 * MILLION {
        let sample = sample(&run.rule, 0, scattered(number, MILLION));
        run.now += 1000;
        let back = if number % 100 == 0 { 400 * SECOND } else { 0 };
        run.event(run.now - back, sample, None);
        if number % 10_000 == 0 {
            run.tick();
        }
    }
    run.row(Some((MILLION, "event")));
}

fn spike_aggregation() {
    let mut run = Run::new(
        "type: spike_aggregation\nmetric_agg_key: n\nmetric_agg_type: avg\nspike_height: 3\nspike_type: up\ntimeframe: {seconds: 50}\nbuffer_time: {seconds: 10}",
    );
    for number in 0..200_000 {
        let sample = sample(&run.rule, 0, scattered(number, 1000));
        run.now += 1000;
        run.event(run.now, sample, None);
    }
    run.row(Some((100_000, "sample")));
}

/// Each rule of a folder on its `events.ndjson`, a thousand events at a time and a tick after each thousand: a line of JSON a rule.
fn beside_elastalert(folder: &Path) {
    let events = std::fs::read(folder.join("events.ndjson")).unwrap();
    let events: Vec<Arc<RawEvent>> = events
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            Arc::new(RawEvent {
                bytes: line.to_vec().into(),
                meta: None,
            })
        })
        .collect();
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|file| file.unwrap().path());
    for file in files.filter(|file| file.extension().is_some_and(|end| end == "yaml")) {
        let rule = load_file(file);
        let (alone, matches) = alone(&rule, &events);
        let (whole, same) = from_bytes(&rule, &events);
        assert_eq!(matches, same, "{}", rule.name);
        println!(
            "{}",
            serde_json::json!({
                "type": rule.type_name,
                "alone_seconds": alone.as_secs_f64(),
                "whole_seconds": whole.as_secs_f64(),
                "matches": matches,
            })
        );
    }
}

const BATCH: usize = 1000;

/// The type on parsed events: filter, sampling, its memory, and the matches written.
fn alone(rule: &Rule, events: &[Arc<RawEvent>]) -> (Duration, usize) {
    let mut evaluator = Evaluator::new(rule);
    let (mut took, mut matches, mut out) = (Duration::ZERO, 0, Vec::new());
    for batch in events.chunks(BATCH) {
        let documents: Vec<Document> = batch
            .iter()
            .map(|event| parse_document(&event.bytes).unwrap())
            .collect();
        let started = spent();
        let mut newest = EventTime(0);
        for (document, event) in documents.iter().zip(batch) {
            let filtered = FilterEvent {
                document,
                index: None,
                id: None,
                now: WallTime(0),
            };
            if rule.filter.matches(&filtered) {
                let time = rule.event_time(document).unwrap();
                newest = newest.max(time);
                let verdict = rule.verdict(&filtered);
                evaluator.on_event(Some(event), time, verdict, newest, &mut out);
            }
        }
        evaluator.on_tick(newest, &mut out);
        matches += written(rule, &mut out);
        took += spent() - started;
    }
    (took, matches)
}

/// The same as the service does it: from the bytes of the events.
fn from_bytes(rule: &Arc<Rule>, events: &[Arc<RawEvent>]) -> (Duration, usize) {
    let decider = Decider::new(Arc::new(RuleSet {
        generation: 0,
        rules: vec![Arc::clone(rule)],
    }));
    let mut workspace = Workspace::default();
    let mut evaluator = Evaluator::new(rule);
    let (mut took, mut matches, mut out) = (Duration::ZERO, 0, Vec::new());
    for batch in events.chunks(BATCH) {
        let batch: Vec<RawEvent> = batch.iter().map(|event| RawEvent::clone(event)).collect();
        let started = spent();
        let mut newest = EventTime(0);
        let decided = decider.decide_in(&mut workspace, &batch, None, WallTime(0));
        for decision in decided.decisions {
            newest = newest.max(decision.time);
            let event = Some(&decision.event);
            evaluator.on_event(event, decision.time, decision.verdict, newest, &mut out);
        }
        evaluator.on_tick(newest, &mut out);
        matches += written(rule, &mut out);
        took += spent() - started;
    }
    (took, matches)
}

/// Writes the matches as alerts get them; how many there are.
fn written(rule: &Rule, out: &mut Vec<tripline::rule::Match>) -> usize {
    let written = out.drain(..).map(|matched| rule.match_document(&matched));
    written.map(std::hint::black_box).count()
}
