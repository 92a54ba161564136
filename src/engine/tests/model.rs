//! The engine beside a model of elastalert2: `run_rule`, `add_aggregated_alert` and `send_pending_alerts`, written down once more from its
//! source, without its known faults. Both are fed a poll at a time, with any options of a rule together. The engine is restarted and its
//! rules are reloaded meanwhile, of which the model knows nothing: it must not show.

use super::*;
use std::collections::BTreeMap;

/// The options of a rule that say when it speaks.
#[derive(Debug, Clone)]
struct Speaks {
    realert: i64,
    exponential: Option<i64>,
    query_key: bool,
    aggregation: Option<Collects>,
}

#[derive(Debug, Clone)]
struct Collects {
    /// Seconds; zero: at the next full minute.
    period: i64,
    key: bool,
    by_match_time: bool,
    compare_match_time: bool,
}

impl Speaks {
    fn yaml(&self) -> String {
        let mut yaml = format!(
            "name: r\ntype: any\nalert: debug\nrealert: {{seconds: {}}}\n",
            self.realert
        );
        let mut add = |line: String| yaml.push_str(&(line + "\n"));
        if let Some(limit) = self.exponential {
            add(format!("exponential_realert: {{seconds: {limit}}}"));
        }
        if self.query_key {
            add("query_key: user".to_owned());
        }
        if let Some(aggregation) = &self.aggregation {
            add(match aggregation.period {
                0 => "aggregation: {schedule: \"* * * * *\"}".to_owned(),
                period => format!("aggregation: {{seconds: {period}}}"),
            });
            if aggregation.key {
                add("aggregation_key: host".to_owned());
            }
            add(format!(
                "aggregate_by_match_time: {}\naggregation_alert_time_compared_with_timestamp_field: {}",
                aggregation.by_match_time, aggregation.compare_match_time
            ));
        }
        yaml
    }
}

/// An event, and its distance from the poll that brings it.
#[derive(Debug, Clone)]
struct Arrives {
    user: u8,
    host: u8,
    ago: i64,
}

#[derive(Debug, Clone)]
struct Poll {
    /// Seconds after the one before.
    after: i64,
    events: Vec<Arrives>,
    restart: bool,
    reload: bool,
}

/// An alert: its time in seconds from the start, and the numbers of its events.
type Spoke = (i64, Vec<u64>);

/// What elastalert2 knows, in seconds from the start.
#[derive(Default)]
struct Model {
    silences: BTreeMap<String, (i64, i32)>,
    /// Matches that wait, in the order of their first: alert time, aggregation key, numbers.
    pending: Vec<(i64, Option<u8>, Vec<u64>)>,
    /// By aggregation key: the alert time of the group that collects, and its place among those ever begun.
    current: BTreeMap<Option<u8>, (i64, u64)>,
    ids: Vec<u64>,
    begun: u64,
    said: Vec<Spoke>,
}

impl Model {
    fn send_pending(&mut self, now: i64) {
        // By alert time; of those that have the same, the first begun.
        let mut order: Vec<usize> = (0..self.pending.len()).collect();
        order.sort_by_key(|at| (self.pending[*at].0, self.ids[*at]));
        let due: Vec<usize> = order
            .into_iter()
            .filter(|at| self.pending[*at].0 < now)
            .collect();
        for at in &due {
            let (time, key, numbers) = self.pending[*at].clone();
            self.said.push((time, numbers));
            if self
                .current
                .get(&key)
                .is_some_and(|(_, id)| *id == self.ids[*at])
            {
                self.current.remove(&key);
            }
        }
        for at in (0..self.pending.len()).rev() {
            if due.contains(&at) {
                self.pending.remove(at);
                self.ids.remove(at);
            }
        }
    }

    fn matched(&mut self, rule: &Speaks, event: &Arrives, number: u64, now: i64) {
        let key = match rule.query_key {
            true => format!("r.u{}", event.user),
            false => "r".to_owned(),
        };
        if self
            .silences
            .get(&key)
            .is_some_and(|(until, _)| now < *until)
        {
            return;
        }
        if rule.realert > 0 {
            let next = self.next_alert_time(rule, &key, now);
            self.silences.insert(key, next);
        }
        let Some(aggregation) = &rule.aggregation else {
            self.said.push((now, vec![number]));
            return;
        };
        let key = aggregation.key.then_some(event.host);
        let compared = match aggregation.compare_match_time {
            true => now - event.ago,
            false => now,
        };
        if let Some((due, id)) = self.current.get(&key)
            && *due >= compared
        {
            let at = self.ids.iter().position(|one| one == id).unwrap();
            return self.pending[at].2.push(number);
        }
        let due = match aggregation.period {
            0 => (now / 60 + 1) * 60,
            period if aggregation.by_match_time => now - event.ago + period,
            period => now + period,
        };
        self.current.insert(key, (due, self.begun));
        self.pending.push((due, key, vec![number]));
        self.ids.push(self.begun);
        self.begun += 1;
    }

    fn next_alert_time(&self, rule: &Speaks, key: &str, now: i64) -> (i64, i32) {
        let realert = f64::from(u32::try_from(rule.realert).unwrap());
        let (Some(&(last, mut exponent)), Some(limit)) = (self.silences.get(key), rule.exponential)
        else {
            return (now + rule.realert, 0);
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds of a test")]
        let mut quiet = (now - last) as f64;
        if quiet < realert * 2f64.powi(exponent) {
            exponent += 1;
        } else {
            while quiet > realert * 2f64.powi(exponent) && exponent > 0 {
                quiet -= realert * 2f64.powi(exponent);
                exponent -= 1;
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds of a test")]
        let wait = (realert * 2f64.powi(exponent)) as i64;
        match wait >= limit {
            true => (now + limit, exponent - 1),
            false => (now + wait, exponent),
        }
    }
}

/// The engine's poll: what is due, the events, a tick.
fn poll(stage: &mut Stage, events: &[RawEvent], said: &mut Vec<Spoke>) {
    let now = stage.now;
    let decided = stage.decider.decide(events, None, now);
    for input in [
        Input::Due,
        Input::Events(decided),
        Input::Tick { busy: SECOND },
    ] {
        let out = stage.apply(input);
        for delivery in out.deliveries() {
            let numbers = delivery.alert.matches.iter();
            let numbers = numbers.map(|matched| matched["number"].as_u64().unwrap());
            let time = (delivery.alert.time.0 - START.0) / 1_000_000;
            said.push((time, numbers.collect()));
            stage.ended(&delivery.alert.id, 0, Ok(()));
        }
    }
}

fn speaks() -> impl Strategy<Value = Speaks> {
    let collects = (
        prop_oneof![Just(0), 5i64..90],
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    let collects = collects.prop_map(
        |(period, key, by_match_time, compare_match_time)| Collects {
            period,
            key,
            by_match_time,
            compare_match_time,
        },
    );
    let exponential = prop_oneof![Just(60i64), Just(600)];
    (
        prop_oneof![Just(0i64), Just(7), Just(60)],
        proptest::option::of(exponential),
        any::<bool>(),
        proptest::option::weighted(0.7, collects),
    )
        .prop_map(|(realert, exponential, query_key, aggregation)| Speaks {
            realert,
            exponential,
            query_key,
            aggregation,
        })
}

fn polls() -> impl Strategy<Value = Vec<Poll>> {
    let event =
        (0u8..3, 0u8..2, 0i64..20).prop_map(|(user, host, ago)| Arrives { user, host, ago });
    let poll = (
        1i64..40,
        prop::collection::vec(event, 0..4),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
    );
    let poll = poll.prop_map(|(after, events, restart, reload)| Poll {
        after,
        events,
        restart,
        reload,
    });
    prop::collection::vec(poll, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_speaks_when_elastalert2_would(rule in speaks(), polls in polls()) {
        let yaml = rule.yaml();
        let mut stage = Stage::new(&[&yaml]);
        let (mut model, mut said) = (Model::default(), Vec::new());
        let (mut now, mut number, mut generation) = (0, 0, 0);
        for poll in polls {
            now += poll.after;
            stage.now = START.plus(secs(u64::try_from(now).unwrap()));
            if poll.restart {
                let bytes = stage.engine.snapshot().encode().unwrap();
                let program = Arc::clone(&stage.engine.program);
                let snapshot = Snapshot::decode(&bytes).unwrap();
                stage.engine = Engine::from_snapshot(options(), program, snapshot).0;
            }
            if poll.reload {
                generation += 1;
                stage.reload(generation, &[&format!("{yaml}description: version {generation}\n")]);
            }
            model.send_pending(now);
            let mut events = Vec::new();
            for sent in &poll.events {
                number += 1;
                model.matched(&rule, sent, number, now);
                let time = WallTime(stage.now.0 - sent.ago * 1_000_000);
                let members = json!({"user": format!("u{}", sent.user), "host": sent.host.to_string(), "number": number});
                events.push(event(&members, time));
            }
            super::model::poll(&mut stage, &events, &mut said);
            prop_assert_eq!(&said, &model.said, "at {}", now);
        }
    }
}
