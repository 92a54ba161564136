use super::*;
use crate::config::Service;
use crate::event::RawEvent;
use crate::filter::Mapping;
use crate::rule::load::Loader;
use crate::rule::{Decider, RuleSet, Workspace};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

const MINUTE: i64 = 60;
/// When the batches come.
const NOW: i64 = 1_772_409_600;

fn wall(seconds: i64) -> WallTime {
    WallTime(seconds * 1_000_000)
}

fn decider() -> Decider {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rule.yaml");
    std::fs::write(
        &file,
        "name: all\nindex: logs\ntype: any\ntimestamp_field: t\ntimestamp_type: unix\nalert: debug\n",
    )
    .unwrap();
    let (service, _) = Service::load(&crate::config::service::Sources {
        path: None,
        environment: &|_| None,
        expand: true,
        rule_options: &[],
        known: &|_| true,
    });
    let loaded = Loader {
        service: &service,
        environment: &|_| None,
        working_directory: Path::new("/"),
        mapping: &Mapping::default(),
        text_options: &[],
        alerter_options: &[],
    }
    .files(&[file]);
    Decider::new(Arc::new(RuleSet {
        generation: 0,
        rules: loaded.rules,
    }))
}

struct Stage {
    decider: Decider,
    stream: Stream,
}

impl Stage {
    fn new() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self {
            decider: decider(),
            stream: Stream::new(minutes(1), minutes(15), minutes(5), wall(NOW)),
        }
    }

    /// What happens when events of these seconds come at once.
    fn take(&mut self, seconds: &[i64], now: i64) -> Vec<String> {
        let events: Vec<RawEvent> = seconds
            .iter()
            .map(|second| RawEvent {
                bytes: format!("{{\"t\": {second}}}").into(),
                meta: None,
            })
            .collect();
        let old = wall(now).as_event_time();
        let (decided, pace) =
            self.decider
                .decide_stream(&mut Workspace::default(), &events, None, wall(now), old);
        show(self.stream.steps(decided, pace, wall(now)))
    }
}

/// Steps in short; times in seconds.
fn show(steps: Vec<Step>) -> Vec<String> {
    let seconds = |time: EventTime| time.0 / 1_000_000;
    let shown = steps.into_iter().map(|step| match step {
        Step::Begin(time, liveness) => format!("{liveness:?} {}", seconds(time)),
        Step::Tick(time) => format!("tick {}", seconds(time)),
        Step::Events(decided, time) => {
            let times: Vec<i64> = decided
                .decisions
                .iter()
                .map(|one| seconds(one.time))
                .collect();
            let hits: u64 = decided.counts.iter().map(|(_, counts)| counts.hits).sum();
            assert_eq!(hits, times.len() as u64);
            format!("{times:?} from {}", seconds(time))
        }
        Step::Timeless(decided) => format!("{} without time", decided.decisions.len()),
    });
    shown.collect()
}

#[test]
fn ticks_lie_between_old_events() {
    let mut stage = Stage::new();
    assert_eq!(
        stage.take(&[100, 130, 290, 280, 281], NOW),
        [
            "Old 100",
            "[100, 130] from 100",
            "tick 160",
            "tick 220",
            "tick 280",
            "[290, 280, 281] from 290"
        ]
    );
    // However long the next one takes, it is not later in the stream.
    assert_eq!(
        stage.stream.time(wall(NOW + 3600)),
        Some(EventTime(290_000_000))
    );
    assert_eq!(show(stage.stream.pass(wall(NOW + 3600))), [""; 0]);
    assert_eq!(
        stage.take(&[341], NOW + 3600),
        ["tick 340", "[341] from 341"]
    );
    assert_eq!(show(stage.stream.finish(wall(NOW + 7200))), ["tick 342"]);
}

#[test]
fn a_live_stream_goes_on_in_silence() {
    let mut stage = Stage::new();
    let first = NOW - 2 * MINUTE;
    let taken = stage.take(&[first], NOW);
    assert_eq!(
        taken,
        [format!("Live {first}"), format!("[{first}] from {first}")]
    );
    let passed = show(stage.stream.pass(wall(NOW + 150)));
    assert_eq!(
        passed,
        [
            format!("tick {}", first + 60),
            format!("tick {}", first + 120)
        ]
    );
}

#[test]
fn an_old_stream_that_catches_up_becomes_live() {
    let mut stage = Stage::new();
    stage.take(&[NOW - 3600], NOW);
    assert!(!stage.stream.is_live());
    let taken = stage.take(&[NOW - 3530, NOW - 3], NOW);
    assert_eq!(taken.len(), 1 + 1 + 58 + 1);
    assert!(stage.stream.is_live());
    assert_eq!(
        stage.stream.time(wall(NOW + 10)),
        Some(EventTime((NOW + 7) * 1_000_000))
    );
}

#[test]
fn an_event_from_the_future_moves_nothing() {
    let mut stage = Stage::new();
    let taken = stage.take(&[100, NOW + 6 * MINUTE, 110], NOW);
    let future = NOW + 6 * MINUTE;
    assert_eq!(
        taken,
        [
            "Old 100".to_owned(),
            format!("[100, {future}, 110] from 100")
        ]
    );
    let mut stage = Stage::new();
    assert_eq!(stage.take(&[future], NOW), ["1 without time"]);
}

#[test]
fn the_sleep_of_a_live_stream_has_no_ticks() {
    let mut stage = Stage::new();
    stage.take(&[NOW - 10], NOW);
    let hour = NOW + 3600;
    let before = stage.stream.resume(wall(NOW + 20), wall(hour));
    assert_eq!(before, Some(EventTime((NOW + 10) * 1_000_000)));
    assert_eq!(show(stage.stream.pass(wall(hour + 59))), [""; 0]);
    assert_eq!(
        show(stage.stream.pass(wall(hour + 61))),
        [format!("tick {}", hour - 10 + 60)]
    );
}

#[test]
fn silence_at_first_is_that_of_a_live_stream_after_a_minute() {
    let stream = Stage::new().stream;
    assert!(stream.is_open(wall(NOW + 59)) && !stream.is_open(wall(NOW + 60)));
    assert_eq!(stream.time(wall(NOW + 60)), None);
}

proptest! {
    /// Events are all taken, in order, and time never runs backwards, however they are cut into batches.
    #[test]
    fn the_order_of_time_does_not_depend_on_batches(steps in prop::collection::vec(-50i64..200, 1..60), cut in 1usize..20) {
        let mut at = 1_000_000;
        let times: Vec<i64> = steps.iter().map(|step| { at += step; at }).collect();
        let mut ticks = Vec::new();
        for size in [cut, times.len()] {
            let mut stage = Stage::new();
            let mut seen: Vec<String> = Vec::new();
            for batch in times.chunks(size) {
                seen.extend(stage.take(batch, NOW));
            }
            let number = |text: &String| text.rsplit(' ').next().unwrap().parse::<i64>().unwrap();
            let order: Vec<i64> = seen.iter().map(number).collect();
            prop_assert!(order.is_sorted(), "{seen:?}");
            let taken: Vec<i64> = seen.iter().filter_map(|step| {
                let (list, _) = step.strip_prefix('[')?.split_once(']')?;
                Some(list.split(", ").map(|time| time.parse::<i64>().unwrap()).collect::<Vec<_>>())
            }).flatten().collect();
            prop_assert_eq!(&taken, &times);
            seen.retain(|step| step.starts_with("tick"));
            ticks.push(seen);
        }
        prop_assert_eq!(&ticks[0], &ticks[1]);
    }
}
