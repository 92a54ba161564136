//! Documents of odd shapes through the decider: each is decided or refused for the right reason, and what is kept of a batch stays small.

use crate::many_rules::load;
use tripline::event::json::{EventError, MAX_DEPTH};
use tripline::event::{RawEvent, WallTime};
use tripline::rule::{Decider, RuleSet, Workspace};

const RULE: &str = r#"
name: odd
index: logs
type: any
timestamp_field: t
timestamp_type: unix
alert: debug
filter:
- query_string: {query: "message:needle OR f99999:7 OR deep.a.a:*"}
"#;

fn event(bytes: impl Into<bytes::Bytes>) -> RawEvent {
    RawEvent {
        bytes: bytes.into(),
        meta: None,
    }
}

fn with(members: &str) -> RawEvent {
    event(format!(r#"{{"t": 1522990800, {members}}}"#))
}

/// A document of so many levels.
fn nested(levels: usize) -> RawEvent {
    let inner = levels - 1;
    with(&format!(
        r#""deep": {}1{}"#,
        r#"{"a":"#.repeat(inner),
        "}".repeat(inner)
    ))
}

fn many_fields(value: u32) -> RawEvent {
    let fields: Vec<String> = (0..100_000)
        .map(|at| format!("\"f{at}\":{value}"))
        .collect();
    with(&fields.join(","))
}

/// Events, and whether the rule picks them.
fn accepted() -> Vec<(RawEvent, bool)> {
    let long = "x".repeat(10 << 20);
    vec![
        (nested(MAX_DEPTH), true),
        (with(&format!(r#""message": "{long} needle""#)), true),
        (with(&format!(r#""message": "{long}""#)), false),
        (with(&format!(r#""{long}": "needle""#)), false),
        (many_fields(7), true),
        (many_fields(8), false),
        // The last of several members counts.
        (with(r#""message": "needle", "message": "hay""#), false),
        (with(r#""message": "hay", "message": "needle""#), true),
        (with(r#""message": "\ud800 needle \udc00""#), true),
        (with(r#""\ud800": 1, "message": "hay\udfff""#), false),
    ]
}

fn decider(rule: &str) -> Decider {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("odd.yaml");
    std::fs::write(&file, rule).unwrap();
    let rules = load(folder.path(), &[file]);
    Decider::new(std::sync::Arc::new(RuleSet {
        generation: 0,
        rules,
    }))
}

#[test]
fn odd_documents_are_decided_or_refused() {
    let decider = decider(RULE);
    let now = WallTime(1_522_990_800_000_000);
    let mut workspace = Workspace::default();

    let (events, picked): (Vec<RawEvent>, Vec<bool>) = accepted().into_iter().unzip();
    // A workspace that has seen odd events decides the next ones no differently.
    for _ in 0..2 {
        let decided = decider.decide_in(&mut workspace, &events, None, now);
        assert_eq!(decided.rejected, []);
        let found = |event: &RawEvent| {
            let mut decisions = decided.decisions.iter();
            decisions.any(|decision| decision.event.bytes == event.bytes)
        };
        assert_eq!(events.iter().map(found).collect::<Vec<_>>(), picked);
        let hits: Vec<_> = decided
            .counts
            .iter()
            .map(|(_, counts)| counts.hits)
            .collect();
        assert_eq!(hits, [5]);
    }

    let mut bad_text = br#"{"t": 1522990800, "message": "needle "#.to_vec();
    let at = bad_text.len();
    bad_text.extend_from_slice(b"\xff\xfe\"}");
    let refused = [
        (nested(MAX_DEPTH + 1), EventError::TooDeep),
        (nested(1000), EventError::TooDeep),
        (event(bad_text), EventError::NotUtf8 { at }),
        (event("[1]"), EventError::NotAnObject { found: "a list" }),
    ];
    let (events, reasons): (Vec<_>, Vec<_>) = refused.into_iter().unzip();
    let decided = decider.decide_in(&mut workspace, &events, None, now);
    assert!(decided.counts.is_empty() && decided.decisions.is_empty());
    let reasons: Vec<_> = reasons.into_iter().enumerate().collect();
    assert_eq!(decided.rejected, reasons);
}

/// Half a mebibyte of a member with these parts, side by side.
fn full_of(before: &str, part: impl Fn(usize) -> String, after: &str) -> RawEvent {
    let (mut parts, mut length) = (Vec::new(), 0);
    while length < 1 << 19 {
        let part = part(parts.len());
        length += part.len() + 1;
        parts.push(part);
    }
    with(&format!(
        r#""z": "needle", {before}{}{after}"#,
        parts.join(",")
    ))
}

/// How many times its own bytes an event takes: every bracket of lists in lists is a byte, and has room for four values.
const MOST_TIMES: u64 = 150;

/// Whatever an event looks like, the memory that it takes to decide is a bounded multiple of its bytes: for rules that look at a field, and for those that
/// look at all of them, or at names.
#[test]
fn deciding_takes_memory_in_proportion() {
    let shapes = [
        (
            "texts",
            full_of(r#""a": ["#, |at| format!(r#""w{at}""#), "]"),
        ),
        (
            "one text",
            full_of(r#""a": ""#, |at| format!("w{at}"), r#"""#),
        ),
        (
            "escapes",
            full_of(r#""a": ""#, |_| r"\u00e9\n".to_owned(), r#"""#),
        ),
        ("digits", full_of(r#""a": ["#, |_| "0".to_owned(), "]")),
        (
            "empty lists",
            full_of(r#""a": ["#, |_| "[]".to_owned(), "]"),
        ),
        (
            "empty objects",
            full_of(r#""a": ["#, |_| "{}".to_owned(), "]"),
        ),
        (
            "empty texts",
            full_of(r#""a": ["#, |_| r#""""#.to_owned(), "]"),
        ),
        (
            "objects",
            full_of(r#""a": ["#, |_| r#"{"b":1}"#.to_owned(), "]"),
        ),
        ("members", full_of("", |at| format!(r#""{at}":1"#), "")),
        (
            "one member again",
            full_of("", |_| r#""a":1"#.to_owned(), ""),
        ),
        (
            "levels",
            full_of(
                "",
                |at| format!(r#""{at}":{}1{}"#, "[".repeat(90), "]".repeat(90)),
                "",
            ),
        ),
        (
            "dotted names",
            full_of("", |at| format!(r#""{}{at}":1"#, "a.".repeat(90)), ""),
        ),
    ];
    let filters = [
        r#"term: {a: needle}"#,
        r#"match_phrase: {a: "w1 needle"}"#,
        r#"query_string: {query: "needle AND NOT needles"}"#,
        r#"query_string: {query: 'a\*:needle OR NOT a\*:w1'}"#,
        r#"query_string: {query: "NOT _exists_:a.b.c"}"#,
    ];
    let now = WallTime(1_522_990_800_000_000);
    for filter in filters {
        let rule = RULE.lines().take_while(|line| !line.starts_with("- "));
        let rule = rule
            .chain([format!("- {filter}").as_str()])
            .collect::<Vec<_>>()
            .join("\n");
        let decider = decider(&rule);
        for (name, event) in &shapes {
            let events = std::slice::from_ref(event);
            let taken = allocation_counter::measure(|| {
                decider.decide_in(&mut Workspace::default(), events, None, now);
            });
            let times = taken.bytes_max / event.bytes.len() as u64;
            assert!(times <= MOST_TIMES, "{filter}: {name}: {times}");
        }
    }
}
