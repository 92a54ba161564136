//! Many rules are decided together as each would be alone.

use crate::support::rules;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tripline::event::json::parse_document;
use tripline::event::{RawEvent, WallTime};
use tripline::filter::{FilterEvent, Mapping};
use tripline::rule::{Decider, Rule, RuleSet, Verdict, Workspace};

/// What rules in turn do with the events that they pick.
const KINDS: [&str; 3] = [
    "type: any",
    "type: frequency\nnum_events: 3\ntimeframe: {minutes: 1}\nquery_key: ip_client",
    "type: blacklist\ncompare_key: method\nblacklist: [POST, TRACE]",
];

/// Two hundred rules on the demo's events: twenty variants of ten filters, a few of which each event passes.
fn rules(folder: &Path, kinds: &[&str]) -> Vec<Arc<Rule>> {
    let codes = [
        "200", "301", "302", "304", "400", "401", "403", "404", "500", "503",
    ];
    let countries = ["US", "JP", "DE", "CN", "FR"];
    let mut files: Vec<PathBuf> = Vec::new();
    for variant in 0..20 {
        let code = codes[variant % 10];
        let country = countries[variant % 5];
        let site = if variant % 2 == 0 { "www" } else { "shop" };
        let filters = [
            format!(
                r#"query_string: {{query: 'policy_name:"{site}.bluecore.net" AND response_code:{code}'}}"#
            ),
            format!(
                r#"query_string: {{query: 'geoip.country_code2:({country} OR XX) AND method:POST'}}"#
            ),
            format!("term: {{response_code.keyword: '{code}'}}"),
            format!("terms: {{response_code: [{code}, {variant}]}}"),
            format!("range: {{response_code: {{gte: '{code}'}}}}"),
            format!(
                "bool: {{must_not: [{{term: {{response_code: '{code}'}}}}], must: [{{match: {{geoip.country_name: 'united {country}'}}}}]}}"
            ),
            format!(
                "bool: {{should: [{{prefix: {{uri.keyword: /admin}}}}, {{term: {{response_code: '{code}'}}}}]}}"
            ),
            format!("match_phrase: {{request: '{site} bluecore net'}}"),
            format!("term: {{geoip.latitude: {variant}}}"),
            format!("query_string: {{query: 'uri:api AND src_port:>{variant}000'}}"),
        ];
        for (number, filter) in filters.iter().enumerate() {
            let mut text = format!(
                "name: {number}-{variant}\nindex: waf\ntimestamp_field: time\nalert: debug\n"
            );
            let kind = kinds[number % kinds.len()];
            writeln!(text, "{kind}\nfilter:\n- {filter}").unwrap();
            let file = folder.join(format!("{variant:02}-{number}.yaml"));
            std::fs::write(&file, text).unwrap();
            files.push(file);
        }
    }
    load(folder, &files)
}

/// The rules in these files.
pub(crate) fn load(folder: &Path, files: &[PathBuf]) -> Vec<Arc<Rule>> {
    let config = folder.join("config.yml");
    std::fs::write(
        &config,
        "run_every: {minutes: 1}\nbuffer_time: {minutes: 1}\nrules_folder: .\n",
    )
    .unwrap();
    let loaded = rules::load(&config, &Mapping::default(), files);
    assert_eq!(loaded.rules.len(), files.len(), "{:?}", loaded.problems);
    loaded.rules
}

/// The demo's events.
fn events() -> Vec<RawEvent> {
    let text = std::fs::read_to_string("pipelines/demo/waf.ndjson").unwrap();
    let events = text.lines().map(|line| RawEvent {
        bytes: line.to_owned().into(),
        meta: None,
    });
    events.collect()
}

#[test]
fn events_that_trip_nothing_allocate_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let decider = Decider::new(Arc::new(RuleSet {
        generation: 0,
        rules: rules(
            folder.path(),
            &["type: blacklist\ncompare_key: method\nblacklist: [DELETE]"],
        ),
    }));
    let events = events();
    let mut workspace = Workspace::default();
    let mut decide = |events: &[RawEvent]| {
        let decided = decider.decide_in(&mut workspace, events, Some("waf"), WallTime(0));
        assert!(decided.decisions.is_empty());
    };
    decide(&events);
    let mut allocated =
        |events: &[RawEvent]| allocation_counter::measure(|| decide(events)).count_total;
    let (some, twice) = (
        allocated(&events),
        allocated(&[&events[..], &events].concat()),
    );
    assert_eq!(some, twice);
    // What belongs to the batch.
    assert!(some < 20, "{some}");
}

/// What the program grows by when it loads so many rules of many sites, in bytes.
#[cfg(target_os = "linux")]
fn grown_by(count: usize) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    for number in 0..count {
        let site = number / 4;
        let kind = match number % 4 {
            0 => "any",
            1 => "frequency\nnum_events: 20\ntimeframe: {minutes: 1}\nquery_key: ip_client",
            2 => {
                "cardinality\ncardinality_field: ip_client\nmax_cardinality: 9\ntimeframe: {minutes: 1}"
            }
            _ => "new_term\nfields: [ip_client]\nterms_window_size: {days: 1}",
        };
        let text = format!(
            r#"name: rule-{number}
type: {kind}
index: waf
timestamp_field: time
filter:
- query_string:
    query: 'policy_name:"site{site}" AND geoip.country_code2:("JP" OR "GB" OR "KR") AND uri.keyword:\/app{number}*'
alert: debug
"#
        );
        std::fs::write(rules.join(format!("{number}.yaml")), text).unwrap();
    }
    let event = folder.path().join("events");
    std::fs::write(&event, "{}\n").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tripline"))
        .current_dir(folder.path())
        .args([
            "bench", "--format", "json", "--part", "decide", "--rounds", "1",
        ])
        .arg("--rules")
        .arg(&rules)
        .arg("--data")
        .arg(&event)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["rules"], count, "{text}");
    told["bytes_per_rule"].as_u64().unwrap() * count as u64
}

/// A rule takes some two kilobytes; the bound leaves room for what an allocator does with them.
#[cfg(target_os = "linux")]
#[test]
fn a_rule_takes_little_memory() {
    // What is there once for all rules falls out of the difference.
    let (few, many) = (500, 2500);
    let a_rule = grown_by(many).saturating_sub(grown_by(few)) / (many - few) as u64;
    assert!((1000..4096).contains(&a_rule), "{a_rule} bytes a rule");
}

#[test]
fn decided_together_as_alone() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules(folder.path(), &KINDS);
    let now = WallTime(1_522_990_800_000_000);
    let events = events();

    let mut hits = vec![0; rules.len()];
    let mut decisions = Vec::new();
    for event in &events {
        let document = parse_document(&event.bytes).unwrap();
        let filtered = FilterEvent {
            document: &document,
            index: None,
            id: None,
            now,
        };
        for (position, rule) in rules.iter().enumerate() {
            if rule.filter.matches(&filtered) {
                hits[position] += 1;
                let verdict = rule.verdict(&filtered);
                if verdict != Verdict::Nothing {
                    let time = rule.event_time(&document).unwrap();
                    decisions.push((position, time, verdict, event.bytes.clone()));
                }
            }
        }
    }
    let passed = hits.iter().filter(|&&hits| hits > 0).count();
    assert!((20..rules.len()).contains(&passed), "{passed}");

    let decider = Decider::new(Arc::new(RuleSet {
        generation: 0,
        rules,
    }));
    let decided = decider.decide(&events, None, now);
    let mut together = vec![0; hits.len()];
    for (rule, counts) in &decided.counts {
        together[*rule] = counts.hits;
    }
    assert_eq!(together, hits);
    let together = decided.decisions.into_iter();
    let together: Vec<_> = together
        .map(|found| {
            (
                found.rule,
                found.time,
                found.verdict,
                found.event.bytes.clone(),
            )
        })
        .collect();
    assert!(together == decisions);
}
