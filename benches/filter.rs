//! How fast events are decided, beside the limit: the time serde_json alone takes to read the same fields from the same bytes.
//!
//! `cargo bench --bench filter` uses the demo's events; `EVENTS=FILE` uses another file of JSON lines.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark"
)]

use bytes::Bytes;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use serde::Deserialize;
use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use tripline::event::{RawEvent, WallTime};
use tripline::filter::Mapping;
use tripline::rule::{Decider, RuleSet};

#[path = "../tests/it/support/rules.rs"]
mod rules;

fn main() {
    divan::main();
}

/// A batch as the standard input hands it over.
static EVENTS: LazyLock<Vec<RawEvent>> = LazyLock::new(|| {
    let file = std::env::var("EVENTS").unwrap_or_else(|_| "pipelines/demo/waf.ndjson".to_owned());
    let text = Bytes::from(std::fs::read(file).unwrap());
    text.split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .take(4096)
        .map(|line| RawEvent {
            bytes: text.slice_ref(line),
            meta: None,
        })
        .collect()
});

fn counted(bencher: Bencher<'_, '_>, decide: impl Fn(&[RawEvent]) -> usize + Sync) {
    let bytes: usize = EVENTS.iter().map(|event| event.bytes.len()).sum();
    bencher
        .counter(ItemsCount::new(EVENTS.len()))
        .counter(BytesCount::new(bytes))
        .bench(|| decide(black_box(&EVENTS)));
}

/// The limit: the two fields the seed's rule looks at, everything else passed over.
#[derive(Deserialize)]
struct TwoFields<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    violation_rating: Cow<'a, str>,
}

#[divan::bench]
fn serde_json_two_fields(bencher: Bencher<'_, '_>) {
    counted(bencher, |events| {
        let read = events
            .iter()
            .map(|event| serde_json::from_slice::<TwoFields<'_>>(&event.bytes).unwrap());
        read.map(|fields| fields.time.len() + fields.violation_rating.len())
            .sum()
    });
}

#[divan::bench]
fn serde_json_whole_document(bencher: Bencher<'_, '_>) {
    counted(bencher, |events| {
        events
            .iter()
            .map(|event| {
                serde_json::from_slice::<serde_json::Value>(&event.bytes)
                    .unwrap()
                    .as_object()
                    .unwrap()
                    .len()
            })
            .sum()
    });
}

fn decider(rules: &[&str]) -> Decider {
    let files: Vec<_> = rules
        .iter()
        .map(|rule| Path::new(rule).to_owned())
        .collect();
    let config = Path::new("pipelines/demo/config.yml");
    let loaded = rules::load(config, &Mapping::default(), &files);
    assert_eq!(loaded.rules.len(), rules.len(), "{:?}", loaded.problems);
    Decider::new(Arc::new(RuleSet {
        generation: 0,
        rules: loaded.rules,
    }))
}

#[divan::bench]
fn the_seeds_rule(bencher: Bencher<'_, '_>) {
    let decider = decider(&["rules/asm_alert.yaml"]);
    counted(bencher, |events| {
        decider.decide(events, None, WallTime(0)).decisions.len()
    });
}

#[divan::bench]
fn the_demos_rules(bencher: Bencher<'_, '_>) {
    let mut files: Vec<String> = std::fs::read_dir("pipelines/demo/rules")
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .filter(|path| path.ends_with(".yaml"))
        .collect();
    files.sort();
    let decider = decider(&files.iter().map(String::as_str).collect::<Vec<_>>());
    counted(bencher, |events| {
        decider.decide(events, None, WallTime(0)).decisions.len()
    });
}

/// So many rules in the style of `benches/inputs/gen_rules.py`: each asks for one site's policy and something else. One in fifty is about the
/// site the demo's events come from.
fn generated(count: usize) -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let filters = [
        r#"geoip.country_code2:("JP" OR "US") AND method:"POST" AND violation_rating:("3" OR "4" OR "5")"#,
        r#"geoip.country_code2:("CN" OR "FR") AND response_code:("403" OR "404" OR "500" OR "503")"#,
        r#"geoip.country_code2:("DE" OR "GB") AND uri.keyword:\/api*"#,
        r#"uri.keyword:\/shop*"#,
        r#"src_port:>=60000"#,
    ];
    let kinds = [
        "type: any",
        "type: frequency\nnum_events: 20\ntimeframe: {minutes: 1}\nquery_key: ip_client",
        "type: cardinality\ncardinality_field: ip_client\nmax_cardinality: 150\ntimeframe: {minutes: 1}",
        "type: change\ncompare_key: geoip.country_code2\nquery_key: ip_client\nignore_null: true",
        "type: whitelist\ncompare_key: method\nwhitelist: [GET, POST, HEAD]\nignore_null: true",
    ];
    let files = (0..count).map(|number| {
        let site = match number % 50 {
            0 => "www".to_owned(),
            _ => format!("site{number:05}"),
        };
        let (filter, kind) = (filters[number % 5], kinds[number / 5 % 5]);
        let file = folder.path().join(format!("{number:05}.yaml"));
        let text = format!(
            "name: rule {number}\nindex: waf\ntimestamp_field: time\nalert: debug\n{kind}\nfilter:\n- query_string:\n    \
             query: 'policy_name:\"/Common/{site}.bluecore.net\" AND {filter}'\n"
        );
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    });
    let files = files.collect();
    (folder, files)
}

#[divan::bench(args = [1, 10, 100, 1000])]
fn generated_rules(bencher: Bencher<'_, '_>, count: usize) {
    let (_folder, files) = generated(count);
    let decider = decider(&files.iter().map(String::as_str).collect::<Vec<_>>());
    counted(bencher, |events| {
        decider.decide(events, None, WallTime(0)).decisions.len()
    });
}
