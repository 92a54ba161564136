//! What is concluded from silence, and what not: starts, gaps, and clocks that are set.

use super::*;

const FLATLINE: &str = "name: quiet\ntype: flatline\nthreshold: 1\ntimeframe: {minutes: 10}\nrealert: {minutes: 0}\nalert: debug";
const AVERAGE: &str = "name: average\ntype: metric_aggregation\nmetric_agg_key: n\nmetric_agg_type: avg\nmax_threshold: 5\nbuffer_time: {minutes: 10}\nrealert: {minutes: 0}\nalert: debug";

const MINUTE: u64 = 60;

impl Stage {
    /// Ticks every minute, from the minute after `from` to `to`. The minutes with matches.
    fn ticks(&mut self, from: u64, to: u64) -> Vec<u64> {
        (from + 1..=to)
            .filter(|minute| {
                let tick = Input::Tick { busy: SECOND };
                !self.at(minute * MINUTE).apply(tick).deliveries().is_empty()
            })
            .collect()
    }

    fn resumed(&mut self) {
        self.apply(Input::Resumed { since: None });
    }

    /// The engine after a restart: from a snapshot, or from the beginning and the journal.
    fn restarted(&self, rules: &[&str], records: Option<Vec<Record>>) -> Self {
        let (program, decider) = load(0, rules);
        let engine = match records {
            None => {
                let saved = self.engine.snapshot().encode().unwrap();
                let snapshot = Snapshot::decode(&saved).unwrap();
                let (engine, reset) = Engine::from_snapshot(options(), program, snapshot);
                assert_eq!(reset, Vec::<String>::new());
                engine
            }
            Some(records) => {
                let mut engine = Engine::new(options(), program);
                for record in records {
                    engine.restore(record);
                }
                engine
            }
        };
        Self {
            engine,
            decider,
            now: self.now,
        }
    }
}

#[test]
fn silence_is_noticed_after_a_timeframe() {
    let mut stage = Stage::new(&[FLATLINE]);
    stage.resumed();
    // Watched from the first tick on.
    assert_eq!(stage.ticks(0, 12), [11, 12]);
}

#[test]
fn hours_without_the_program_are_no_silence() {
    let mut stage = Stage::new(&[FLATLINE]);
    stage.resumed();
    stage.event(&json!({}));
    assert_eq!(stage.ticks(0, 5), [0; 0]);
    let mut stage = stage.restarted(&[FLATLINE], None);
    stage.at(300 * MINUTE).resumed();
    assert_eq!(stage.ticks(300, 312), [310, 311, 312]);
}

#[test]
fn a_short_gap_does_not_delay_what_is_due() {
    let mut stage = Stage::new(&[FLATLINE]);
    stage.resumed();
    stage.event(&json!({}));
    stage.ticks(0, 5);
    // A tenth of the timeframe.
    let mut stage = stage.restarted(&[FLATLINE], None);
    stage.at(6 * MINUTE).resumed();
    assert_eq!(stage.ticks(6, 11), [10, 11]);
}

#[test]
fn a_clock_set_back_does_not_hide_what_comes() {
    let mut stage = Stage::new(&[FLATLINE, AVERAGE]);
    stage.resumed();
    stage.ticks(300, 305);
    stage.at(20 * MINUTE).resumed();
    for minute in 20..40 {
        assert!(
            stage
                .at(minute * MINUTE)
                .event(&json!({"n": 1}))
                .deliveries()
                .is_empty()
        );
        assert_eq!(stage.ticks(minute, minute + 1), [0; 0]);
    }
    // And the average is that of these events.
    assert!(!stage.event(&json!({"n": 100})).deliveries().is_empty());
    assert_eq!(stage.ticks(40, 51).first(), Some(&41));
}

#[test]
fn an_average_of_a_window_never_full_is_not_believed() {
    let mut stage = Stage::new(&[AVERAGE]);
    stage.resumed();
    let event = json!({"n": 100});
    assert!(stage.event(&event).deliveries().is_empty());
    assert!(stage.at(9 * MINUTE).event(&event).deliveries().is_empty());
    assert!(!stage.at(10 * MINUTE).event(&event).deliveries().is_empty());
    // A rule that is added begins anew.
    stage.apply(Input::Tick { busy: SECOND });
    let second = AVERAGE.replace("name: average", "name: second");
    stage.reload(1, &[AVERAGE, &second]);
    let alerted: Vec<_> = stage
        .event(&event)
        .deliveries()
        .iter()
        .map(|one| one.alert.rule.to_string())
        .collect();
    assert_eq!(alerted, ["average"]);
}

#[test]
fn a_maximum_beyond_its_bound_is_certain_whatever_was_missed() {
    let rule = AVERAGE.replace("type: avg", "type: max");
    let mut stage = Stage::new(&[&rule]);
    stage.resumed();
    assert!(!stage.event(&json!({"n": 100})).deliveries().is_empty());
}

#[test]
fn what_was_not_watched_is_remembered_over_restarts_and_crashes() {
    for crashes in [false, true] {
        let mut stage = Stage::new(&[AVERAGE]);
        let mut records = stage.apply(Input::Resumed { since: None }).records;
        records.extend(stage.at(MINUTE).event(&json!({"n": 100})).records);
        records.extend(
            stage
                .at(2 * MINUTE)
                .apply(Input::Tick { busy: SECOND })
                .records,
        );
        let mut stage = stage.restarted(&[AVERAGE], crashes.then_some(records));
        stage.at(2 * MINUTE + 30).resumed();
        assert!(
            stage
                .at(9 * MINUTE)
                .event(&json!({"n": 100}))
                .deliveries()
                .is_empty()
        );
        assert!(
            !stage
                .at(10 * MINUTE)
                .event(&json!({"n": 100}))
                .deliveries()
                .is_empty()
        );
    }
}

#[test]
fn events_out_of_time_are_counted_and_told_even_if_there_are_no_others() {
    let mut stage = Stage::new(&[FLATLINE]);
    stage.event(&json!({}));
    stage.apply(Input::Tick { busy: SECOND });
    let (late, future) = (
        event(&json!({}), START.minus(secs(31))),
        event(&json!({}), START.plus(secs(31))),
    );
    let untimed = RawEvent {
        bytes: "{}".into(),
        meta: None,
    };
    let decided = stage
        .decider
        .decide(&[late, future, untimed], None, stage.now);
    stage.apply(Input::Events(decided));
    let (_, counts) = stage.engine.run_counts().next().unwrap();
    assert_eq!((counts.late, counts.future, counts.untimed), (1, 1, 1));
    let only_untimed = RawEvent {
        bytes: "{}".into(),
        meta: None,
    };
    stage.apply(Input::Tick { busy: SECOND });
    let decided = stage.decider.decide(&[only_untimed], None, stage.now);
    stage.apply(Input::Events(decided));
    let out = stage.apply(Input::Tick { busy: SECOND });
    assert!(matches!(&out.notes[..], [Note::Ran { counts, .. }] if counts.untimed == 1));
    assert!(out.written(Index::Status).0.is_empty());
}

#[test]
fn old_events_are_looked_at_as_of_their_own_time() {
    let mut stage = Stage::new(&[FLATLINE]);
    let week = secs(7 * 86_400);
    let then = |minutes: u64| EventTime(START.minus(week).plus(secs(minutes * MINUTE)).0);
    let old = event(&json!({}), START.minus(week));
    let decided = stage.decider.decide(&[old], None, stage.now);
    let mut out = Outcome::default();
    stage
        .engine
        .apply_as_of(Input::Events(decided), then(0), stage.now, &mut out);
    stage
        .engine
        .apply_as_of(Input::Tick { busy: SECOND }, then(9), stage.now, &mut out);
    assert!(out.deliveries().is_empty());
    stage
        .engine
        .apply_as_of(Input::Tick { busy: SECOND }, then(11), stage.now, &mut out);
    let alerts = out.deliveries();
    let [alert] = alerts.as_slice() else {
        panic!("{alerts:?}")
    };
    // The match is of then, the alert of now.
    assert_eq!(alert.alert.matches[0]["@timestamp"], "2026-02-23T00:11:00Z");
    assert_eq!(alert.alert.time, stage.now);
}
