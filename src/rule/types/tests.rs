//! All types together: they agree with a slow reference, and saving and loading at any moment changes nothing.

pub(crate) mod arbitrary;
mod divided;
mod reference;
mod simulation;

use super::*;
use crate::config::{SourceFile, yaml};
use crate::event::{Document, DocumentFields, EventTime, FieldPath, Meta, RawEvent};
use crate::filter::Mapping;
use crate::rule::{
    Hit, Match, MatchBody, Observed, Part, QueryKey, RuleState, RuleType, TimeField, TimeFormat,
    Verdict,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

const SECOND: i64 = 1_000_000;

#[track_caller]
pub(in crate::rule) fn build(options: &str) -> Result<Arc<dyn RuleType>, Vec<Problem>> {
    let file = Arc::new(SourceFile::new(Path::new("rule.yaml"), options));
    let node = yaml::parse(&file, None).0.unwrap();
    let properties = Properties::new(node.as_map().unwrap().clone());
    let entry = find(&properties.text("type").unwrap()).unwrap();
    let common = Common {
        name: "test".to_owned(),
        span: node.span,
        query_key: QueryKey::new(&properties.texts("query_key")),
        time: TimeField {
            path: FieldPath::new("@timestamp"),
            format: TimeFormat::Iso,
        },
        timeframe: properties.duration("timeframe"),
        buffer_time: properties
            .duration("buffer_time")
            .unwrap_or(Duration::from_secs(20)),
        run_every: Duration::from_secs(10),
        working_directory: ".".into(),
        mapping: Mapping::default(),
        filters: Arc::default(),
    };
    (entry.build)(&properties, &common)
}

/// What happens to a rule.
#[derive(Debug, Clone)]
enum Step {
    Event { time: i64, key: u8, value: u8 },
    Tick,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0i64..30, 0u8..4, 0u8..6).prop_map(|(late, key, value)| Step::Event {
            // Most events are on time.
            time: -(late - 20).max(0) * 2,
            key,
            value,
        }),
        1 => Just(Step::Tick),
    ];
    prop::collection::vec(step, 0..80)
}

/// One rule at work, on a clock that moves on by a second or two with each step.
struct Bench {
    kind: Arc<dyn RuleType>,
    state: Box<dyn RuleState>,
    now: i64,
    events: usize,
    /// What ticks under way had still to find when events came.
    settled: Vec<Match>,
}

impl Bench {
    fn new(options: &str) -> Self {
        let kind = build(options).unwrap();
        Self {
            state: kind.state(),
            kind,
            now: 0,
            events: 0,
            settled: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) -> Vec<Match> {
        self.now += SECOND;
        match step {
            Step::Tick => self.tick(),
            Step::Event { time, key, value } => {
                let time = self.now + time * SECOND;
                self.event(&document(*key, *value), time, *value > 2)
            }
        }
    }

    fn tick(&mut self) -> Vec<Match> {
        let mut out = Vec::new();
        self.state
            .tick(EventTime(self.now), &mut Part::whole(), &mut out);
        self.state.go_on(&mut Part::whole(), &mut out);
        out
    }

    fn event(&mut self, document: &Document, time: i64, inner: bool) -> Vec<Match> {
        let (mut out, now) = (Vec::new(), EventTime(self.now));
        if let Some(hit) = self.hit(document, time, inner, &mut out) {
            self.state.settle(&hit, now, &mut self.settled);
            self.state.add(&hit, now, &mut Part::whole(), &mut out);
        }
        out
    }

    /// What the rule's memory is to be shown of an event; a match that needs no memory goes to `out`.
    fn hit(
        &mut self,
        document: &Document,
        time: i64,
        inner: bool,
        out: &mut Vec<Match>,
    ) -> Option<Hit> {
        let fields = DocumentFields {
            document,
            paths: self.kind.fields(),
        };
        let verdict = self.kind.sample(&Observed {
            index: None,
            id: None,
            bytes: &[],
            fields: &fields,
            inner,
        });
        let event = Arc::new(RawEvent {
            bytes: Value::Object(document.clone()).to_string().into(),
            meta: Some(Arc::new(Meta {
                index: None,
                id: Some(self.events.to_string()),
            })),
        });
        self.events += 1;
        match verdict {
            Verdict::Nothing => None,
            Verdict::Match => {
                out.push(Match::of_event(Some(&event), Document::new()));
                None
            }
            Verdict::Sample(sample) => Some(Hit {
                time: EventTime(time),
                sample,
                event: Some(event),
            }),
        }
    }
}

fn document(key: u8, value: u8) -> Document {
    let user = [json!("a"), json!("b"), json!(1), Value::Null];
    let n = [
        json!(1),
        json!(2.5),
        json!("x"),
        Value::Null,
        json!([3, 4]),
        json!(true),
    ];
    let document = json!({"user": user[usize::from(key)], "n": n[usize::from(value)]});
    document.as_object().unwrap().clone()
}

/// A rule of each kind of state.
const RULES: &[&str] = &[
    "{type: any}",
    "{type: blacklist, compare_key: user, blacklist: [a]}",
    "{type: whitelist, compare_key: user, whitelist: [a], ignore_null: false}",
    "{type: change, query_key: user, compare_key: n, ignore_null: true, timeframe: {seconds: 5}}",
    "{type: frequency, num_events: 4, timeframe: {seconds: 10}, query_key: user}",
    "{type: frequency, num_events: 3, timeframe: {seconds: 10}, attach_related: true}",
    "{type: frequency, num_events: 3, timeframe: {seconds: 10}, query_key: n, use_terms_query: true}",
    "{type: flatline, threshold: 2, timeframe: {seconds: 5}, query_key: user}",
    "{type: flatline, threshold: 3, timeframe: {seconds: 5}, forget_keys: true, use_count_query: true}",
    "{type: spike, spike_height: 2, spike_type: both, timeframe: {seconds: 5}, query_key: user, alert_on_new_data: true}",
    "{type: spike, spike_height: 2, spike_type: up, timeframe: {seconds: 5}, field_value: n}",
    "{type: cardinality, cardinality_field: n, max_cardinality: 2, timeframe: {seconds: 8}, query_key: user}",
    "{type: cardinality, cardinality_field: n, min_cardinality: 3, max_cardinality: 3, timeframe: {seconds: 8}, query_key: user}",
    "{type: new_term, fields: [user, [user, n]], alert_on_missing_field: true}",
    "{type: new_term, query_key: n, use_terms_query: true}",
    "{type: metric_aggregation, metric_agg_key: n, metric_agg_type: avg, max_threshold: 2, query_key: user}",
    "{type: metric_aggregation, metric_agg_key: n, metric_agg_type: percentiles, percentile_range: 70, max_threshold: 2}",
    "{type: metric_aggregation, metric_agg_key: n, metric_agg_type: sum, max_threshold: 2, bucket_interval: {seconds: 5}, query_key: [user, n]}",
    "{type: percentage_match, match_bucket_filter: [], max_percentage: 40, query_key: user, terms_size: 1}",
    "{type: spike_aggregation, metric_agg_key: n, metric_agg_type: cardinality, spike_height: 2, spike_type: both, timeframe: {seconds: 5}, query_key: user}",
    "{type: spike_aggregation, metric_agg_key: n, metric_agg_type: max, spike_height: 2, spike_type: both, timeframe: {seconds: 5}}",
];

proptest! {
    #[test]
    fn saving_and_loading_changes_nothing(steps in steps(), restarts in prop::collection::vec(0usize..80, 0..5), rule in 0..RULES.len()) {
        let (mut straight, mut restarted) = (Bench::new(RULES[rule]), Bench::new(RULES[rule]));
        let mut judged = Bench::new(RULES[rule]);
        for (i, step) in steps.iter().enumerate() {
            if restarts.contains(&i) {
                let (saved, size) = (restarted.state.save(), restarted.state.size());
                restarted.state = restarted.kind.state();
                prop_assert_eq!(restarted.state.load(&saved), Ok(()));
                prop_assert_eq!(restarted.state.size(), size);
                // Nor does going by the same options once more.
                let empty = judged.kind.state();
                judged.state.judge_like(&*empty);
            }
            let a = straight.step(step);
            for other in [&mut restarted, &mut judged] {
                let b = other.step(step);
                prop_assert_eq!(format!("{a:?}"), format!("{b:?}"), "{} at step {}", RULES[rule], i);
            }
        }
    }

    #[test]
    fn damaged_states_are_refused_without_harm(steps in steps(), cut in 0usize..200, damage in any::<u8>(), rule in 3..RULES.len()) {
        let mut bench = Bench::new(RULES[rule]);
        for step in &steps {
            bench.step(step);
        }
        let mut saved = bench.state.save();
        let version = saved[0];
        let at = cut % saved.len();
        saved[at] ^= damage;
        // May be accepted when the damage is in a value; must not panic either way.
        if bench.state.load(&saved).is_ok() {
            bench.step(&Step::Tick);
        }
        saved[0] = version.wrapping_add(1);
        prop_assert!(bench.state.load(&saved).is_err());
        prop_assert!(bench.state.load(&[]).is_err());
    }
}

/// What a tick tells of, by user, after these events, each so many seconds after the one before.
fn told(options: &str, events: &[(i64, Value)], last: i64) -> Vec<String> {
    let mut bench = Bench::new(options);
    for (after, user) in events {
        bench.now += after * SECOND;
        let document = json!({"user": user, "n": 1});
        bench.event(document.as_object().unwrap(), bench.now, true);
    }
    bench.now += last * SECOND;
    let users = bench.tick().into_iter().map(|matched| {
        let user = &matched.added["user"];
        user.as_str().unwrap_or_default().to_owned()
    });
    users.collect()
}

/// With `alert_on_new_data` new groups are looked at as soon as any has been watched for long enough: the groups before that one in a tick are not.
#[test]
fn a_tick_looks_at_groups_as_elasticsearch_answers() {
    let rule = "{type: spike_aggregation, metric_agg_key: n, metric_agg_type: sum, spike_height: 1, spike_type: up, timeframe: {seconds: 5}, query_key: user, alert_on_new_data: true, buffer_time: {seconds: 30}}";
    let events = |users: &[&str]| -> Vec<(i64, Value)> {
        let late = |user: &&str| (0, json!(*user));
        let first = [(0, json!("old")), (9, json!("old"))];
        first.into_iter().chain(users.iter().map(late)).collect()
    };
    // Before the old one comes who has more events, and of those with as many who is less.
    assert_eq!(told(rule, &events(&["new"]), 1), ["old", "new"]);
    assert_eq!(told(rule, &events(&["new", "a"]), 1), ["old", "a", "new"]);
    assert_eq!(told(rule, &events(&["new", "new"]), 1), ["old"]);
    assert_eq!(told(rule, &events(&["b", "b", "b"]), 1), ["old"]);
    // One whose events have all left is not in the answer.
    assert_eq!(told(rule, &events(&["new"]), 31), [""; 0]);
}

/// One version of a rule; another; events (a tick before the last) after which it does not match; and that the last one does under the other.
#[test]
fn what_is_remembered_is_judged_by_other_options() {
    for (rule, from, to, values) in [
        (
            "{type: frequency, num_events: N, timeframe: {seconds: 90}, query_key: user}",
            5,
            3,
            1,
        ),
        (
            "{type: cardinality, cardinality_field: n, max_cardinality: N, timeframe: {seconds: 90}, query_key: user}",
            5,
            2,
            3,
        ),
        (
            "{type: metric_aggregation, metric_agg_key: n, metric_agg_type: sum, max_threshold: N, query_key: user, buffer_time: {seconds: 90}}",
            50,
            2,
            1,
        ),
        (
            "{type: percentage_match, match_bucket_filter: [], max_percentage: 10, min_denominator: N, query_key: user, buffer_time: {seconds: 90}}",
            5,
            3,
            1,
        ),
        (
            "{type: metric_aggregation, metric_agg_key: n, metric_agg_type: sum, max_threshold: 2, min_doc_count: N, query_key: user, buffer_time: {seconds: 90}}",
            5,
            3,
            1,
        ),
    ] {
        let version = |n: i32| rule.replace('N', &n.to_string());
        let mut bench = Bench::new(&version(from));
        for at in 0..3 {
            if at == 2 {
                bench.tick();
                bench.kind = build(&version(to)).unwrap();
                let empty = bench.kind.state();
                bench.state.judge_like(&*empty);
            }
            bench.now += SECOND;
            let document = json!({"user": "a", "n": 1 + at % values});
            let matches = bench.event(document.as_object().unwrap(), bench.now, true);
            assert_eq!(matches.len(), usize::from(at == 2), "{rule} at {at}");
        }
    }
}

/// Of keys in whose windows nothing changes, too, a tick finds what is a spike by other options.
#[test]
fn ticks_judge_quiet_keys_by_other_options() {
    for (rule, from, to) in [
        (
            "{type: spike, spike_height: N, spike_type: both, timeframe: {seconds: 10}, query_key: user, threshold_ref: 1}",
            4,
            2,
        ),
        (
            "{type: flatline, threshold: N, timeframe: {seconds: 25}, query_key: user}",
            2,
            9,
        ),
    ] {
        let version = |n: i32| rule.replace('N', &n.to_string());
        let mut bench = Bench::new(&version(from));
        for after in [0, 2, 11, 1, 1, 1] {
            bench.now += after * SECOND;
            let document = json!({"user": "a"});
            assert!(
                bench
                    .event(document.as_object().unwrap(), bench.now, true)
                    .is_empty()
            );
        }
        bench.now += 9 * SECOND;
        assert!(bench.tick().is_empty(), "{rule}");
        bench.kind = build(&version(to)).unwrap();
        let empty = bench.kind.state();
        bench.state.judge_like(&*empty);
        assert_eq!(bench.tick().len(), 1, "{rule}");
    }
}

/// More values of one key than are remembered.
#[test]
fn many_values_are_counted_in_a_sketch_where_the_rule_allows_it() {
    let rule = "{type: cardinality, cardinality_field: n, max_cardinality: 103000, cardinality_sketch: true, timeframe: {hours: 1}}";
    let mut bench = Bench::new(rule);
    let matched = (0..108_000).find(|n| {
        bench.now += 1;
        if *n == 101_000 {
            let (saved, size) = (bench.state.save(), bench.state.size());
            assert!(size.events != 101_000 && size.events.abs_diff(101_000) < 4000);
            bench.state = bench.kind.state();
            assert_eq!(bench.state.load(&saved), Ok(()));
            assert_eq!(bench.state.size(), size);
        }
        let document = json!({"n": n});
        let matches = bench.event(document.as_object().unwrap(), bench.now, true);
        !matches.is_empty()
    });
    let matched: i32 = matched.unwrap_or(0);
    assert!(matched.abs_diff(103_000) < 4000, "{matched}");
}

#[test]
fn a_rule_that_cannot_work_is_refused_with_words_that_help() {
    for (options, expected) in [
        (
            "{type: whitelist, compare_key: a, whitelist: [x]}",
            "ignore_null",
        ),
        (
            "{type: blacklist, compare_key: a, blacklist: [0]}",
            "quote it: \"0\"",
        ),
        (
            "{type: blacklist, compare_key: a, blacklist: ['!file gone.txt']}",
            "gone.txt",
        ),
        (
            "{type: blacklist, compare_key: a, blacklist: ['!file']}",
            "needs a path",
        ),
        ("{type: frequency, num_events: 3}", "timeframe"),
        (
            "{type: frequency, num_events: 3, timeframe: {minutes: 1}, use_terms_query: true}",
            "query_key",
        ),
        (
            "{type: cardinality, cardinality_field: a, timeframe: {minutes: 1}}",
            "max_cardinality or min_cardinality",
        ),
        ("{type: new_term}", "fields"),
        (
            "{type: new_term, fields: [a, b], query_key: a, use_terms_query: true}",
            "no other field",
        ),
        (
            "{type: metric_aggregation, metric_agg_key: a, metric_agg_type: avg}",
            "min_threshold or max_threshold",
        ),
        (
            "{type: metric_aggregation, metric_agg_key: a, metric_agg_type: percentiles, max_threshold: 1}",
            "percentile_range",
        ),
        (
            "{type: metric_aggregation, metric_agg_key: a, metric_agg_type: percentiles, percentile_range: 99.9, max_threshold: 1}",
            "a whole number",
        ),
        (
            "{type: metric_aggregation, metric_agg_key: a, metric_agg_type: avg, max_threshold: 1, metric_agg_script: x}",
            "field of its own",
        ),
        (
            "{type: metric_aggregation, metric_agg_key: a, metric_agg_type: avg, max_threshold: 1, bucket_interval: {seconds: 7}}",
            "multiple of bucket_interval",
        ),
        (
            "{type: metric_aggregation, metric_agg_key: a, metric_agg_type: avg, max_threshold: 1, bucket_interval: {milliseconds: 500}}",
            "seconds, minutes",
        ),
        (
            "{type: metric_aggregation, metric_agg_key: a, metric_agg_type: avg, max_threshold: 1, metric_format_string: '%d %d'}",
            "does not fit a number",
        ),
        (
            "{type: percentage_match, match_bucket_filter: []}",
            "min_percentage or max_percentage",
        ),
        (
            "{type: spike_aggregation, metric_agg_key: a, metric_agg_type: avg, spike_height: 2, spike_type: up, timeframe: {minutes: 1}, bucket_interval: {seconds: 5}}",
            "spike_aggregation",
        ),
    ] {
        let problems = build(options).map(|_| ()).unwrap_err();
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(text.join("\n").contains(expected), "{options}: {text:?}");
    }
}

/// The matches of documents, one a second, in what the type adds.
fn added(rule: &str, documents: &[Value]) -> Vec<Value> {
    let mut bench = Bench::new(rule);
    let matches = documents.iter().flat_map(|document| {
        bench.now += SECOND;
        bench.event(document.as_object().unwrap(), bench.now, true)
    });
    matches.map(|matched| matched.added.into()).collect()
}

#[test]
fn related_counts_are_instants_in_pythons_form() {
    let rule = "{type: frequency, num_events: 2, timeframe: {seconds: 10}, attach_related: true, use_count_query: true}";
    let related = json!([{"@timestamp": "1970-01-01T00:00:01+00:00"}]);
    let matched = json!({"@timestamp": "1970-01-01T00:00:02Z", "related_events": related});
    assert_eq!(added(rule, &[json!({}), json!({})]), [matched]);
}

#[test]
fn a_new_list_is_one_that_equals_none_before() {
    let rule = "{type: new_term, fields: n}";
    let documents = [
        json!([1, 2]),
        json!([true, 2.0]),
        json!([2, 1]),
        json!(["1", 2]),
    ];
    let documents = documents.map(|n| json!({"n": n}));
    assert_eq!(added(rule, &documents).len(), 3);
}

#[test]
fn a_format_is_held_against_what_the_metric_gives() {
    let rule = "{type: metric_aggregation, metric_agg_key: n, metric_agg_type: TYPE, max_threshold: 0, metric_format_string: '%x'}";
    let counted = added(&rule.replace("TYPE", "cardinality"), &[json!({"n": 7})]);
    assert_eq!(counted[0]["metric_agg_value_formatted"], "1");
    assert!(build(&rule.replace("TYPE", "max")).is_err());
}

#[test]
fn an_empty_bucket_interval_is_none() {
    let rule = "{type: metric_aggregation, metric_agg_key: n, metric_agg_type: max, max_threshold: 1, bucket_interval: {}}";
    assert_eq!(added(rule, &[json!({"n": 2})]).len(), 1);
}

#[test]
fn a_single_clause_need_not_be_a_list() {
    let rule = "{type: percentage_match, max_percentage: 5, match_bucket_filter: {term: {n: 1}}}";
    assert_eq!(added(rule, &[json!({"n": 1})]).len(), 1);
}

#[test]
fn pieces_of_groups_of_several_fields_have_the_time_of_the_window() {
    let rule = "{type: metric_aggregation, metric_agg_key: n, metric_agg_type: sum, max_threshold: 2, buffer_time: {seconds: 20}, bucket_interval: {seconds: 5}, QUERY_KEY}";
    for (query_key, expected) in [
        ("query_key: [user, n]", "1970-01-01T00:00:28Z"),
        (
            "query_key: [user, n], sync_bucket_interval: true",
            "1970-01-01T00:00:25Z",
        ),
        (
            "query_key: user, sync_bucket_interval: true",
            "1970-01-01T00:00:20Z",
        ),
    ] {
        let mut bench = Bench::new(&rule.replace("QUERY_KEY", query_key));
        bench.now = 22 * SECOND;
        let document = json!({"user": "a", "n": 3});
        bench.event(document.as_object().unwrap(), bench.now, true);
        bench.now = 28 * SECOND;
        let times: Vec<Value> = bench
            .tick()
            .iter()
            .map(|matched| matched.added["@timestamp"].clone())
            .collect();
        assert_eq!(times, [expected], "{query_key}");
    }
}

#[test]
fn the_registry_is_in_order() {
    assert!(RULE_TYPES.is_sorted_by_key(|entry| entry.name));
}
