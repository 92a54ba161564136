use super::*;
use crate::event::Meta;
use crate::event::WallTime;
use proptest::prelude::*;
use tempfile::TempDir;

struct Stage {
    directory: TempDir,
    most: u64,
    metrics: Arc<Metrics>,
    files: SpillFiles,
}

impl Stage {
    fn new(most: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let metrics = Arc::new(Metrics::new());
        let files = open(&directory, most, &metrics);
        files.begin(1);
        Self {
            directory,
            most,
            metrics,
            files,
        }
    }

    /// As after a restart, at which journal `number` begins.
    fn reopen(&mut self, number: u64) {
        self.files = open(&self.directory, self.most, &self.metrics);
        self.files.begin(number);
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn metric(&self, name: &str) -> u64 {
        let metrics = self.metrics.encode().unwrap();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse().unwrap()
    }

    fn path(&self, number: u32) -> PathBuf {
        spill_path(self.directory.path(), number)
    }
}

fn open(directory: &TempDir, most: u64, metrics: &Arc<Metrics>) -> SpillFiles {
    let clock = Clock::new(|| WallTime(0));
    SpillFiles::open(directory.path(), most, Arc::clone(metrics), clock).unwrap()
}

/// An event of some bytes, which tell it from others.
fn event(number: usize, length: usize) -> RawEvent {
    let meta = match number % 3 {
        0 => None,
        1 => Some(Meta {
            index: None,
            id: Some(number.to_string()),
        }),
        _ => Some(Meta {
            index: Some("logs".to_owned()),
            id: None,
        }),
    };
    RawEvent {
        bytes: number.to_string().repeat(length).into_bytes()[..length]
            .to_vec()
            .into(),
        meta: meta.map(Arc::new),
    }
}

fn check(files: &SpillFiles, place: Place, number: usize, length: usize) {
    let (found, expected) = (files.get(place).unwrap(), event(number, length));
    assert_eq!(found.bytes, expected.bytes);
    assert_eq!(found.meta, expected.meta);
}

#[test]
fn an_event_is_read_back_at_once_and_ever_after() {
    let mut stage = Stage::new(u64::MAX);
    assert_eq!(stage.names(), [""; 0]);
    let first = stage.files.put(&event(1, 100)).unwrap();
    check(&stage.files, first, 1, 100);
    let second = stage.files.put(&event(2, 3_000_000)).unwrap();
    check(&stage.files, second, 2, 3_000_000);
    stage.files.make_safe().unwrap();
    stage.files.begin(2);
    let third = stage.files.put(&event(3, 100)).unwrap();
    stage.files.make_safe().unwrap();
    assert_eq!((first.file, third.file), (1, 2));
    for _ in 0..2 {
        check(&stage.files, third, 3, 100);
        check(&stage.files, first, 1, 100);
        check(&stage.files, second, 2, 3_000_000);
        stage.reopen(3);
    }
    assert_eq!(stage.names(), ["spill-0000000001", "spill-0000000002"]);
}

#[test]
fn beyond_the_bound_nothing_is_taken_until_something_is_given_back() {
    let mut stage = Stage::new(100_000);
    let put = |files: &SpillFiles| -> Vec<Place> {
        (0..200)
            .map_while(|number| files.put(&event(number, 2000)))
            .collect()
    };
    let places = put(&stage.files);
    assert!((45..50).contains(&places.len()), "{}", places.len());
    assert!(stage.files.was_full());
    stage.files.make_safe().unwrap();
    assert!(stage.metric("tripline_spilled_event_bytes ") <= stage.most);
    stage.files.begin(2);
    assert!(!stage.files.was_full());
    assert_eq!(put(&stage.files), []);
    stage.reopen(3);
    assert_eq!(put(&stage.files), []);
    stage.files.collect(3, &places[..1]);
    let more = put(&stage.files);
    assert!((40..places.len()).contains(&more.len()), "{}", more.len());
    check(&stage.files, places[0], 0, 2000);
    check(&stage.files, more[0], 0, 2000);
}

#[test]
fn what_nobody_needs_is_given_back_and_the_rest_stays_where_it_is() {
    let mut stage = Stage::new(u64::MAX);
    let mut places = Vec::new();
    for journal in 1..=3 {
        stage.files.begin(journal);
        for number in 0..1000 {
            places.push(stage.files.put(&event(number, 1000)).unwrap());
        }
        stage.files.make_safe().unwrap();
    }
    stage.files.begin(4);
    let before = size(&stage.path(2)).unwrap();
    // Nothing of the first, most of the second, two of the third.
    let mut kept = places[1100..2000].to_vec();
    kept.extend([places[2001], places[2998]]);
    stage.files.collect(4, &kept);
    assert_eq!(stage.names(), ["spill-0000000002", "spill-0000000003"]);
    assert_eq!(size(&stage.path(2)).unwrap(), before);
    assert!(size(&stage.path(3)).unwrap() <= 6 * BLOCK);
    let bytes = stage.metric("tripline_spilled_event_bytes ");
    assert!(bytes <= before + 6 * BLOCK, "{bytes}");
    for _ in 0..2 {
        check(&stage.files, places[1100], 100, 1000);
        check(&stage.files, places[2001], 1, 1000);
        check(&stage.files, places[2998], 998, 1000);
        assert!(stage.files.get(places[2500]).is_none());
        stage.reopen(5);
    }
    // What belongs to journals from the snapshot's on is never looked at.
    stage.files.collect(3, &[]);
    assert_eq!(stage.names(), ["spill-0000000003"]);
    stage.files.collect(4, &[]);
    assert_eq!(stage.names(), [""; 0]);
    assert_eq!(stage.metric("tripline_spilled_event_bytes "), 0);
}

#[test]
fn what_cannot_be_read_is_counted() {
    let mut stage = Stage::new(u64::MAX);
    let places: Vec<Place> = (0..3)
        .map(|number| stage.files.put(&event(number, 100)).unwrap())
        .collect();
    stage.files.make_safe().unwrap();
    stage.reopen(2);
    let file = OpenOptions::new().write(true).open(stage.path(1)).unwrap();
    file.write_all_at(b"x", begin(places[1]) + 50).unwrap();
    check(&stage.files, places[0], 0, 100);
    assert!(stage.files.get(places[1]).is_none());
    check(&stage.files, places[2], 2, 100);
    let unreadable = || stage.metric("tripline_spilled_events_unreadable_total ");
    assert_eq!(unreadable(), 1);
    let beyond = Place {
        offset: 1000,
        ..places[0]
    };
    let gone = Place {
        file: 7,
        ..places[0]
    };
    let empty = Place {
        length: 2,
        ..places[0]
    };
    for place in [beyond, gone, empty] {
        assert!(stage.files.get(place).is_none());
    }
    assert_eq!(unreadable(), 4);
    file.write_all_at(b"x", 0).unwrap();
    stage.reopen(3);
    assert!(stage.files.get(places[0]).is_none());
}

#[test]
fn what_a_crash_left_half_done_is_removed() {
    let mut stage = Stage::new(u64::MAX);
    fs::write(stage.directory.path().join(UNFINISHED), "half").unwrap();
    stage.reopen(2);
    assert_eq!(stage.names(), [""; 0]);
}

#[derive(Debug, Clone)]
enum Step {
    Put(usize),
    MakeSafe,
    /// A journal begins; so much of what is there is needed.
    Begin(u8),
    /// And the program was started anew.
    Restart(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0usize..20_000).prop_map(Step::Put),
        2 => Just(Step::MakeSafe),
        1 => any::<u8>().prop_map(Step::Begin),
        1 => any::<u8>().prop_map(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What is needed can be read, and files do not take much more.
    #[test]
    fn what_is_needed_can_always_be_read(steps in prop::collection::vec(step(), 1..80)) {
        let mut stage = Stage::new(300_000);
        let mut journal = 1;
        let mut events = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Put(length) => {
                    events.extend(stage.files.put(&event(number, length)).map(|place| (place, number, length)));
                }
                Step::MakeSafe => stage.files.make_safe().unwrap(),
                Step::Begin(needed) | Step::Restart(needed) => {
                    stage.files.make_safe().unwrap();
                    journal += 1;
                    if matches!(step, Step::Restart(_)) {
                        stage.reopen(journal);
                    } else {
                        stage.files.begin(journal);
                    }
                    events.retain(|(_, number, _)| number % 256 * 7 % 256 <= usize::from(needed));
                    let places: Vec<Place> = events.iter().map(|(place, ..)| *place).collect();
                    stage.files.collect(journal, &places);
                    let most = 2 * taken_by_all(&places);
                    let bytes = stage.metric("tripline_spilled_event_bytes ");
                    prop_assert!(bytes <= most, "{} > {}", bytes, most);
                }
            }
            for (place, number, length) in &events {
                check(&stage.files, *place, *number, *length);
            }
        }
    }
}

fn taken_by_all(places: &[Place]) -> u64 {
    let files = places.chunk_by(|a, b| a.file == b.file);
    files.map(taken).sum()
}
