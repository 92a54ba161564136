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
    pub(super) fn restarted(&self, rules: &[&str], records: Option<Vec<Record>>) -> Self {
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

#[test]
fn values_not_seen_for_the_whole_window_are_new_again() {
    const DAY: u64 = 86_400;
    let rule = "name: new\ntype: new_term\nfields: user\nterms_window_size: {days: 3}\nrealert: {minutes: 0}\nalert: debug";
    let mut stage = Stage::new(&[rule]);
    let is_new = |stage: &mut Stage, day: u64, user: &str| {
        stage.at(day * DAY).apply(Input::Tick { busy: SECOND });
        !stage.event(&json!({"user": user})).deliveries().is_empty()
    };
    // As in ElastAlert while it runs, where a service has not said that it does.
    assert!(is_new(&mut stage, 0, "a"));
    assert!(!is_new(&mut stage, 9, "a"));
    stage.resumed();
    assert!(is_new(&mut stage, 9, "b"));
    assert!(!is_new(&mut stage, 11, "a"));
    assert!(!is_new(&mut stage, 14, "a"));
    assert!(is_new(&mut stage, 14, "b"));
    // At a start, too.
    let mut stage = stage.at(18 * DAY).restarted(&[rule], None);
    stage.resumed();
    assert!(is_new(&mut stage, 18, "a"));
}

#[test]
fn retries_do_not_wait_for_a_clock_that_was_set_back() {
    let mut stage = Stage::new(&[EVERY]);
    let out = stage.at(3600).event(&json!({"number": 1}));
    let alert = out.deliveries()[0].alert.id.clone();
    stage.ended(&alert, 0, Err("away"));
    assert_eq!(stage.engine.next_due(), Some(START.plus(secs(3605))));
    stage.at(0).resumed();
    assert_eq!(stage.engine.next_due(), Some(START.plus(secs(20))));
    assert_eq!(stage.at(20).apply(Input::Due).sent(), [(0, 2, vec![1])]);
}

#[test]
fn windows_outlive_gaps() {
    let rule = "name: often\ntype: frequency\nnum_events: 3\ntimeframe: {minutes: 10}\nrealert: {minutes: 0}\nalert: debug";
    let mut stage = Stage::new(&[rule]);
    stage.resumed();
    stage.event(&json!({}));
    stage.at(MINUTE).event(&json!({}));
    let mut stage = stage.at(8 * MINUTE).restarted(&[rule], None);
    stage.resumed();
    assert_eq!(stage.at(9 * MINUTE).event(&json!({})).deliveries().len(), 1);
}

/// What happens to a service.
#[derive(Debug, Clone)]
enum Fate {
    /// So many minutes with an event in each.
    Watches(u64),
    /// It stands still, sleeps, or its clock is set forward, by so many seconds.
    Misses(u64),
    /// Its clock is set back by so many seconds.
    GoesBack(u64),
    /// It is stopped for so many seconds.
    Restarts(u64),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => (1u64..30).prop_map(Fate::Watches),
        1 => (1u64..100_000).prop_map(Fate::Misses),
        1 => (1u64..100_000).prop_map(Fate::GoesBack),
        1 => (1u64..100_000).prop_map(Fate::Restarts),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A source that is never silent never counts as silent, whatever happens to the clock; and one that then falls silent does.
    #[test]
    fn clocks_and_gaps_make_no_silence(fates in prop::collection::vec(fate(), 1..12)) {
        let rules = [
            FLATLINE,
            "name: few\ntype: cardinality\ncardinality_field: n\nmin_cardinality: 1\ntimeframe: {minutes: 10}\nrealert: {minutes: 0}\nalert: debug",
            "name: drop\ntype: spike\nspike_height: 5\nspike_type: down\nthreshold_ref: 5\ntimeframe: {minutes: 10}\nrealert: {minutes: 0}\nalert: debug",
        ];
        let mut stage = Stage::new(&rules);
        let (event, mut now) = (json!({"n": 1}), 1_000_000);
        stage.at(now).resumed();
        for fate in fates {
            match fate {
                Fate::Watches(_) => {}
                Fate::Misses(seconds) => now += seconds,
                Fate::GoesBack(seconds) => now -= seconds.min(now),
                Fate::Restarts(seconds) => {
                    now += seconds;
                    stage = stage.restarted(&rules, None);
                }
            }
            stage.at(now).resumed();
            let minutes = if let Fate::Watches(minutes) = fate { minutes } else { 1 };
            for _ in 0..minutes {
                now += 30;
                let out = stage.at(now).event(&event);
                prop_assert!(out.deliveries().is_empty(), "{:?}", out.deliveries());
                now += 30;
                let out = stage.at(now).apply(Input::Tick { busy: SECOND });
                prop_assert!(out.deliveries().is_empty(), "{:?}", out.deliveries());
            }
        }
        let mut found = std::collections::BTreeSet::new();
        for _ in 0..35 {
            now += MINUTE;
            let out = stage.at(now).apply(Input::Tick { busy: SECOND });
            found.extend(out.deliveries().iter().map(|one| one.alert.rule.to_string()));
        }
        prop_assert!(found.contains("quiet") && found.contains("few"), "{:?}", found);
    }
}
