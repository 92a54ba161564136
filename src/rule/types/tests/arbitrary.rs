//! Rules of every type with any of their options, and events for them.

use crate::event::Document;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};
use std::fmt;

/// How many cases a property gets: `few` in an ordinary run, the same each time; as many as `TRIPLINE_SIM_CASES` says in a long one, any.
pub(crate) fn cases(few: u32) -> ProptestConfig {
    let cases = std::env::var("TRIPLINE_SIM_CASES");
    ProptestConfig {
        rng_seed: match &cases {
            Ok(_) => RngSeed::Random,
            Err(_) => RngSeed::Fixed(1),
        },
        cases: cases.map_or(few, |cases| cases.parse().unwrap()),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// A test for each of these types: rules with any options for which `agrees` holds, whatever the `steps`.
macro_rules! of_types {
    ($($test:ident: $type:literal,)*) => {
        proptest! {
            #![proptest_config(arbitrary::cases(64))]
            $(
                #[test]
                fn $test(rule in arbitrary::rule_of($type), steps in steps()) {
                    agrees(rule.options(), &steps)?;
                }
            )*
        }
    };
}

pub(super) use of_types;

/// Options of a rule that belong together.
type Part = BoxedStrategy<Vec<(&'static str, Value)>>;

/// An option with one of these values.
fn of<const N: usize>(name: &'static str, values: [Value; N]) -> Part {
    prop::sample::select(Vec::from(values))
        .prop_map(move |value| vec![(name, value)])
        .boxed()
}

/// An option that may not be there.
fn maybe<const N: usize>(name: &'static str, values: [Value; N]) -> Part {
    or_none(of(name, values))
}

fn or_none(part: Part) -> Part {
    prop_oneof![Just(Vec::new()), part].boxed()
}

fn both(one: Part, other: Part) -> Part {
    (one, other)
        .prop_map(|(one, other)| [one, other].concat())
        .boxed()
}

fn flag(name: &'static str) -> Part {
    maybe(name, [json!(true), json!(false)])
}

fn seconds(name: &'static str, range: std::ops::Range<u64>) -> Part {
    let value = range.prop_map(move |seconds| vec![(name, json!({"seconds": seconds}))]);
    value.boxed()
}

/// `query_key`: single, compound, a list of one, nested.
fn key() -> Part {
    of(
        "query_key",
        [
            json!("user"),
            json!(["user"]),
            json!(["user", "host.name"]),
            json!("host.name"),
            json!(["n", "user"]),
        ],
    )
}

/// What enters the windows of frequency, spike and flatline.
fn source() -> Part {
    let count = of("use_count_query", [json!(true)]);
    let terms = of("use_terms_query", [json!(true)]);
    prop_oneof![
        4 => or_none(key()),
        1 => both(or_none(key()), count),
        1 => both(of("query_key", [json!("user"), json!("n")]), terms),
    ]
    .boxed()
}

/// Some of two options, and not none of them.
fn either(low: Part, high: Part) -> Part {
    prop_oneof![low.clone(), high.clone(), both(low, high)].boxed()
}

/// What the aggregation types look back on.
fn look_back(buckets: bool) -> Vec<Part> {
    let windows = (
        prop::sample::select(vec![2u64, 5, 10]),
        1u64..5,
        any::<bool>(),
        any::<bool>(),
    );
    let windows = windows.prop_map(move |(interval, times, cut, sync)| {
        let mut options = vec![("buffer_time", json!({"seconds": interval * times}))];
        if cut && buckets {
            options.push(("bucket_interval", json!({"seconds": interval})));
            options.push(("sync_bucket_interval", json!(sync)));
        }
        options
    });
    vec![
        windows.boxed(),
        prop_oneof![
            4 => Just(Vec::new()),
            1 => of("use_run_every_query_size", [json!(true)])
        ]
        .boxed(),
        or_none(key()),
        maybe("terms_size", [json!(1), json!(2), json!(50)]),
        maybe("min_doc_count", [json!(1), json!(2)]),
        flag("allow_buffer_time_overlap"),
    ]
}

fn metric() -> Vec<Part> {
    let percentiles = both(
        of("metric_agg_type", [json!("percentiles")]),
        of(
            "percentile_range",
            [json!(50), json!(95), json!(10), json!(100)],
        ),
    );
    let plain = ["min", "max", "avg", "sum", "cardinality", "value_count"];
    vec![
        of("metric_agg_key", [json!("n"), json!("n"), json!("deep.n")]),
        prop_oneof![6 => of("metric_agg_type", plain.map(Value::from)), 1 => percentiles].boxed(),
    ]
}

fn spikes() -> Vec<Part> {
    let numbers = [json!(0), json!(1), json!(2), json!(5)];
    vec![
        of(
            "spike_height",
            [json!(1), json!(2), json!(3), json!(1.5), json!(0.5)],
        ),
        of("spike_type", ["up", "down", "both"].map(Value::from)),
        seconds("timeframe", 1..15),
        maybe("threshold_cur", numbers.clone()),
        maybe("threshold_ref", numbers),
        flag("alert_on_new_data"),
    ]
}

fn list(name: &'static str) -> Vec<Part> {
    let entries = ["a", "b", "", "1", "None"].map(Value::from);
    let entries = prop::sample::subsequence(entries.to_vec(), 1..4);
    vec![
        of(
            "compare_key",
            [json!("user"), json!("host.name"), json!("n")],
        ),
        entries
            .prop_map(move |entries| vec![(name, json!(entries))])
            .boxed(),
        flag("filter_by_list"),
        or_none(key()),
    ]
}

fn parts(type_name: &'static str) -> Vec<Part> {
    let small = [1, 2, 3, 4].map(Value::from);
    match type_name {
        "any" => vec![or_none(key())],
        "blacklist" => list("blacklist"),
        "whitelist" => {
            let mut parts = list("whitelist");
            parts.push(of("ignore_null", [json!(true), json!(false)]));
            parts
        }
        "change" => vec![
            key(),
            of(
                "compare_key",
                [json!("n"), json!(["n"]), json!(["host.name", "deep.n"])],
            ),
            of("ignore_null", [json!(true), json!(false)]),
            or_none(seconds("timeframe", 1..30)),
        ],
        "frequency" => vec![
            of("num_events", small),
            seconds("timeframe", 1..40),
            flag("attach_related"),
            source(),
        ],
        "flatline" => vec![
            of("threshold", small),
            seconds("timeframe", 1..25),
            flag("forget_keys"),
            source(),
        ],
        "spike" => {
            let value = both(
                of("field_value", [json!("n"), json!("deep.n"), json!("size")]),
                or_none(key()),
            );
            let mut parts = spikes();
            parts.push(prop_oneof![3 => source(), 1 => value].boxed());
            parts
        }
        "cardinality" => vec![
            of(
                "cardinality_field",
                [json!("n"), json!("size"), json!("deep.n")],
            ),
            either(
                of("min_cardinality", small.clone()),
                of("max_cardinality", small),
            ),
            seconds("timeframe", 1..25),
            or_none(key()),
        ],
        "new_term" => {
            let fields = of(
                "fields",
                [
                    json!("n"),
                    json!(["n", "user"]),
                    json!([["user", "host.name"]]),
                    json!(["size", ["user", "n"]]),
                ],
            );
            let terms = both(
                of("query_key", [json!("user"), json!("n")]),
                of("use_terms_query", [json!(true)]),
            );
            vec![
                prop_oneof![3 => both(fields, or_none(key())), 1 => key(), 1 => terms].boxed(),
                flag("alert_on_missing_field"),
                flag("use_keyword_postfix"),
                maybe(
                    "terms_window_size",
                    [json!({"minutes": 1}), json!({"days": 3})],
                ),
                maybe("window_step_size", [json!({"minutes": 1})]),
            ]
        }
        "metric_aggregation" => {
            let bounds = either(
                of("min_threshold", [json!(1), json!(2.5)]),
                of("max_threshold", [json!(0), json!(2), json!(3.5)]),
            );
            let format = maybe("metric_format_string", [json!("{:.2f}"), json!("%.1f")]);
            [metric(), look_back(true), vec![bounds, format]].concat()
        }
        "percentage_match" => {
            let bounds = either(
                of("min_percentage", [json!(20), json!(50)]),
                of("max_percentage", [json!(40), json!(66.6)]),
            );
            let filters = [json!([{"term": {"bad": true}}]), json!([])];
            let own = vec![
                bounds,
                of("match_bucket_filter", filters),
                maybe("min_denominator", [json!(0), json!(2)]),
                maybe("percentage_format_string", [json!("{:.1f}")]),
            ];
            [look_back(true), own].concat()
        }
        "spike_aggregation" => [metric(), look_back(false), spikes()].concat(),
        _ => unreachable!("{type_name} has no generator"),
    }
}

/// A rule as generated: any of its parts can be another one of the same type's.
#[derive(Clone)]
pub(crate) struct Parts(Vec<Vec<(&'static str, Value)>>);

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Value::Object(self.options()))
    }
}

impl Parts {
    /// The options, as a rule file has them.
    pub(crate) fn options(&self) -> Document {
        let options = self.0.iter().flatten();
        options
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    /// The rule after an edit: by the bits of `edits`, parts are those of another one.
    pub(crate) fn edited(&self, other: &Self, edits: u32) -> Self {
        let parts = self.0.iter().zip(&other.0).enumerate();
        let edited = parts.map(|(at, (ours, theirs))| {
            let is_edited = edits >> (at % 32) & 1 == 1;
            if is_edited { theirs } else { ours }.clone()
        });
        Self(edited.collect())
    }

    pub(crate) fn and(self, others: Self) -> Self {
        Self([self.0, others.0].concat())
    }
}

/// The options of a rule of a type.
pub(crate) fn rule_of(type_name: &'static str) -> BoxedStrategy<Parts> {
    let type_part = of("type", [Value::from(type_name)]);
    let mut parts = parts(type_name);
    parts.push(type_part);
    parts.prop_map(Parts).boxed()
}

/// What all rules can have beside.
pub(crate) fn common() -> impl Strategy<Value = Parts> {
    let realert = both(
        seconds("realert", 0..20),
        maybe(
            "exponential_realert",
            [json!({"minutes": 1}), json!({"seconds": 30})],
        ),
    );
    let aggregation = both(
        prop_oneof![
            seconds("aggregation", 1..30),
            of("aggregation", [json!({"schedule": "* * * * *"})])
        ]
        .boxed(),
        maybe(
            "aggregation_key",
            [json!("user"), json!(["host.name", "n"])],
        ),
    );
    let aggregation = both(aggregation, flag("aggregate_by_match_time"));
    let aggregation = both(aggregation, maybe("max_aggregation", [json!(1), json!(3)]));
    let compared = flag("aggregation_alert_time_compared_with_timestamp_field");
    let hours = both(
        of(
            "limit_execution",
            [json!("*/2 * * * *"), json!("1-59/2 * * * *")],
        ),
        flag("limit_execution_coverage"),
    );
    let counted = both(
        of("top_count_keys", [json!(["user"]), json!(["n"])]),
        maybe("top_count_number", [json!(2)]),
    );
    let include = maybe("include", [json!(["user"]), json!(["host.*", "number"])]);
    let alert = of(
        "alert",
        [
            json!("debug"),
            json!(["debug", "command"]),
            json!(["jira", "debug", "email"]),
        ],
    );
    let rare = |part: Part| prop_oneof![3 => Just(Vec::new()), 1 => part].boxed();
    vec![
        prop_oneof![1 => Just(Vec::new()), 4 => realert].boxed(),
        rare(both(aggregation, compared)),
        rare(hours),
        rare(counted),
        rare(include),
        maybe("realert_key", [json!("shared")]),
        alert,
    ]
    .prop_map(Parts)
}

/// An event's members beside its time: few different values, of all kinds.
pub(crate) fn members() -> impl Strategy<Value = Value> {
    let texts = ["a", "b", "1", ""].map(Value::from);
    let odd = [
        json!(1),
        json!(1.0),
        json!(true),
        json!(["a", "b"]),
        json!({"k": 1}),
        Value::Null,
    ];
    let user = prop_oneof![
        5 => prop::sample::select(texts.to_vec()),
        1 => prop::sample::select(odd.to_vec()),
    ];
    let numbers = [1, 2, 3, 40].map(Value::from);
    let others = [
        json!(2.5),
        json!("7"),
        json!("x"),
        Value::Null,
        json!([3, 4]),
        json!(false),
        json!(0),
        json!(-1),
    ];
    let n = prop_oneof![
        3 => prop::sample::select(numbers.to_vec()),
        1 => prop::sample::select(others.to_vec()),
    ];
    let host = prop::sample::select(vec![json!({"name": "h"}), json!({"name": "i"}), json!({})]);
    let deep =
        vec(n.clone(), 0..2).prop_map(|n| n.first().map_or_else(|| json!({}), |n| json!({"n": n})));
    (user, n, host, deep, 0u32..5, any::<bool>()).prop_map(|(user, n, host, deep, size, bad)| {
        json!({"user": user, "n": n, "host": host, "deep": deep, "size": size, "bad": bad})
    })
}
