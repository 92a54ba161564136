//! Stores that older versions of the program wrote: they are read, or refused in clear words, and what they remember counts on.
//!
//! Each folder beside the rules in `tests/data/stores` is what a version of the program left behind: two events of a client, an orderly end, two more events
//! and some ticks, and `kill -9`. The newest one also says that today's forms stay: one that changes gets a new version, and a store here.

use crate::support::rules;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tripline::engine::{
    AlerterFacts, Engine, Input, Look, Options, Outcome, Prepare, Program, ProgramRule, Record,
    Seen, Snapshot, TicketUse,
};
use tripline::event::{Document, RawEvent, WallTime};
use tripline::filter::Mapping;
use tripline::rule::{Decider, Rule, RuleSet, Workspace};
use tripline::store::{Recovered, Recovery, recover};

const STORES: &str = "tests/data/stores";

/// What versions that are read left behind: the last with the first format of journals, when `spike` and `cardinality` were saved in their second form and
/// aggregations in their first; the present forms of rules' memories; and the present form of snapshots.
const READ: [&str; 3] = [
    "format-4-journal-1",
    "format-4-journal-2",
    "format-5-journal-3",
];

/// What rules say of their windows after the four events, and how many matches a fifth one leads to.
const REMEMBERED: [(&str, &str, u64); 13] = [
    ("any", "", 1),
    ("blacklist", "", 1),
    (
        "buckets",
        "4 events of 2:00:00, which every tick cuts into pieces",
        0,
    ),
    (
        "cardinality",
        "4 values of bytes within 1:00:00, more than 4 match",
        1,
    ),
    ("change", "last was \"old\"; another value matches", 1),
    ("flatline", "4 events within 1:00:00, fewer than 5 match", 0),
    ("frequency", "4 of 5 events within 1:00:00", 1),
    (
        "metric_aggregation",
        "value_count of bytes is 4 (min: None max : 4)",
        1,
    ),
    (
        "new_term",
        "1 values of client are known; another matches",
        0,
    ),
    (
        "percentage_match",
        "100.0 percent of 4 events (min: None max : 99)",
        0,
    ),
    (
        "spike",
        "4 within 1:00:00, 0 before; 2 times as many match, when watched for both timeframes",
        0,
    ),
    (
        "spike_aggregation",
        "40 within 1:00:00, nothing before; 2 times as many match, when watched for both timeframes",
        0,
    ),
    ("whitelist", "", 0),
];

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

struct Reader {
    program: Arc<Program>,
    engine: Option<Engine>,
    reset: Vec<String>,
}

impl Recovery for Reader {
    fn begin(&mut self, snapshot: Option<Snapshot>) {
        let options = Options {
            run_every: Duration::from_secs(1),
            lateness: Duration::from_secs(3600),
            future_tolerance: Duration::from_secs(60),
            retry_first: Duration::from_secs(60),
            retry_longest: Duration::from_secs(60),
            add_metadata: false,
            replace_dots: false,
            most_kept: u64::MAX,
            tick_part: u64::MAX,
            event_part: u64::MAX,
            instance: "test".to_owned(),
        };
        let program = Arc::clone(&self.program);
        let (engine, reset) = Engine::from_snapshot(options, program, snapshot.unwrap());
        (self.engine, self.reset) = (Some(engine), reset);
    }

    fn record(&mut self, record: Record) {
        self.engine.as_mut().unwrap().restore(record);
    }
}

/// A service as it goes on from an old store.
struct Service {
    engine: Engine,
    decider: Decider,
    reset: Vec<String>,
    recovered: Recovered,
    now: WallTime,
}

impl Service {
    fn open(store: &Path) -> Result<Self, String> {
        let folder = Path::new(STORES).join("rules");
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let config = Path::new(STORES).join("config.yml");
        let loaded = rules::load(&config, &Mapping::default(), &files);
        assert_eq!(loaded.rules.len(), files.len(), "{:?}", loaded.problems);
        let entries = loaded.rules.iter().map(|rule| {
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
        let mut reader = Reader {
            program: Arc::new(Program::new(0, entries.collect())),
            engine: None,
            reset: Vec::new(),
        };
        let recovered = recover(store, &mut reader).map_err(|error| error.to_string())?;
        let mut engine = reader.engine.unwrap();
        engine.resume(&mut Outcome::default());
        let watched = engine.watched().unwrap();
        Ok(Self {
            engine,
            decider: Decider::new(Arc::new(RuleSet {
                generation: 0,
                rules: loaded.rules,
            })),
            reset: reader.reset,
            recovered,
            now: WallTime(watched.0 + 1_000_000),
        })
    }

    /// What each rule says of its windows.
    fn says(&self) -> BTreeMap<String, String> {
        let time = self.now.as_event_time();
        let all = self.engine.views(&Look::default(), time, self.now);
        let says = all.into_iter().map(|rule| {
            let look = Look {
                rule: Some(rule.rule.clone()),
                key: None,
                most: 10,
            };
            let views = self.engine.views(&look, time, self.now);
            let windows = views.iter().flat_map(|view| &view.windows);
            let says: Vec<&str> = windows.map(|window| window.says.as_str()).collect();
            (rule.rule, says.join("; "))
        });
        says.collect()
    }

    fn apply(&mut self, input: Input) -> Outcome {
        let mut out = Outcome::default();
        self.engine.apply(input, self.now, &mut out);
        out
    }

    /// A fifth event of the client, like the others but for its values. How many matches each rule has found of it.
    fn fifth(&mut self) -> BTreeMap<String, u64> {
        let text = format!(
            r#"{{"@timestamp":"{}","client":"a","kind":"new","bytes":50,"number":5}}"#,
            self.now.to_text()
        );
        let event = RawEvent {
            bytes: text.into(),
            meta: None,
        };
        let mut workspace = Workspace::default();
        let decided = self
            .decider
            .decide_in(&mut workspace, &[event], None, self.now);
        self.apply(Input::Events(decided));
        let counts = self.engine.run_counts();
        counts
            .map(|(rule, counts)| (rule.to_owned(), counts.matches))
            .collect()
    }
}

/// A copy of a store.
fn store(name: &str) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(Path::new(STORES).join(name)).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

const SNAPSHOT: &str = "snapshot-0000000002";
const JOURNAL: &str = "journal-0000000003";

#[test]
fn what_older_versions_remembered_counts_on() {
    let said = REMEMBERED.map(|(rule, says, _)| (rule.to_owned(), says.to_owned()));
    let matches = REMEMBERED.map(|(rule, _, matches)| (rule.to_owned(), matches));
    for name in READ {
        let store = store(name);
        let mut service = Service::open(store.path()).unwrap();
        assert_eq!(service.reset, [""; 0], "{name}");
        assert_eq!(service.recovered.damage, [""; 0], "{name}");
        assert_eq!(service.says(), BTreeMap::from(said.clone()), "{name}");
        assert_eq!(service.fifth(), BTreeMap::from(matches.clone()), "{name}");
        // Of the first event's alert; and the aggregation that it began.
        let time = service.now.as_event_time();
        let views = service.engine.views(&Look::default(), time, service.now);
        for view in views {
            let (silences, aggregated) = match view.rule.as_str() {
                "any" => (1, None),
                "blacklist" => (0, Some(5)),
                _ => (0, None),
            };
            let groups = &view.aggregations;
            assert_eq!(groups.first().map(|group| group.matches), aggregated);
            if view.rule == "any" {
                assert_eq!(view.silences.len(), silences, "{name}");
                assert_eq!((view.counts.alerts, view.counts.silenced), (1, 4), "{name}");
            }
        }
    }
}

/// Why a store is not opened.
#[track_caller]
fn refused(store: &TempDir) -> String {
    Service::open(store.path()).map(|_| ()).unwrap_err()
}

#[test]
fn formats_that_are_not_known_are_refused_in_words() {
    let why = refused(&store("format-3"));
    assert!(
        why.contains("written in format 3 by a version before the first release"),
        "{why}"
    );
    let newer = store(READ[0]);
    let path = newer.path().join(SNAPSHOT);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4] = 9;
    let checksum = crc32fast::hash(&bytes[4..]);
    bytes[..4].copy_from_slice(&checksum.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    let why = refused(&newer);
    assert!(
        why.contains(SNAPSHOT)
            && why.contains("written in format 9, which this version does not know"),
        "{why}"
    );
}

#[test]
fn a_torn_tail_of_an_older_journal_is_cut() {
    for name in READ {
        let store = store(name);
        let path = store.path().join(JOURNAL);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let service = Service::open(store.path()).unwrap();
        let damage = service.recovered.damage.join("; ");
        assert!(
            damage.contains("a commit was cut short"),
            "{name}: {damage}"
        );
        // The last commit is a tick's.
        assert_eq!(service.says()["frequency"], "4 of 5 events within 1:00:00");
    }
}
