use crate::event::WallTime;
use crate::event::json::parse_document;
use crate::event::project::Projection;
use crate::filter::tests::node;
use crate::filter::{Filter, FilterEvent, Mapping, Memory, Program, ProjectedEvent};
use proptest::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;

/// Filters that ask of any member, or of any below an object.
const FILTERS: &[&str] = &[
    r#"{"query_string": {"query": "*Delet* OR *form*"}}"#,
    r#"{"query_string": {"query": "*delet* AND NOT *form*"}}"#,
    r#"{"query_string": {"query": "deleted"}}"#,
    r#"{"query_string": {"query": "\"deleted form\""}}"#,
    r#"{"query_string": {"query": "kin"}}"#,
    r#"{"query_string": {"query": "5"}}"#,
    r#"{"query_string": {"query": "*delet*", "fields": ["a.*"]}}"#,
    r#"{"query_string": {"query": "*Delet*", "fields": ["*.keyword"]}}"#,
    r#"{"query_string": {"query": "_exists_:abc"}}"#,
    r#"{"exists": {"field": "abc.b"}}"#,
    r#"{"exists": {"field": "ab*"}}"#,
    r#"{"multi_match": {"query": "form", "fields": ["*.b", "abc"]}}"#,
];

/// Whether a program of all of them picks events as each of them alone picks their parsed documents.
#[track_caller]
fn agree(events: &[String]) {
    static ALL: LazyLock<(Vec<Filter>, Program)> = LazyLock::new(|| {
        let load = |filter: &&str| {
            let filter: Value = serde_json::from_str(filter).unwrap();
            Filter::load(&[node(&filter)], &Mapping::dynamic()).unwrap()
        };
        let filters: Vec<Filter> = FILTERS.iter().map(load).collect();
        let program = Program::new(&filters.iter().collect::<Vec<_>>(), &[], Vec::new());
        (filters, program)
    });
    let (filters, program) = &*ALL;
    let (mut projection, mut memory) = (Projection::default(), Memory::default());
    for event in events {
        let document = parse_document(event.as_bytes()).unwrap();
        let alone = FilterEvent {
            document: &document,
            index: None,
            id: None,
            now: WallTime(0),
        };
        let together = ProjectedEvent {
            projected: program.project(event.as_bytes(), &mut projection).unwrap(),
            bytes: event.as_bytes(),
            index: None,
            id: None,
            now: WallTime(0),
        };
        program.sift(&together, &mut memory);
        let mut next = 0;
        let mut picked = Vec::new();
        while let Some(at) = program.candidate(next, &memory) {
            next = at + 1;
            if program.matches(at, &together, &mut memory) {
                picked.push(at);
            }
        }
        let expected = filters.iter().enumerate();
        let expected = expected.filter(|(_, filter)| filter.matches(&alone));
        let expected: Vec<usize> = expected.map(|(at, _)| at).collect();
        assert_eq!(picked, expected, "{event}");
    }
}

#[test]
fn leaves_decide_as_documents_do() {
    let events = [
        r#"{"a": {"b": "It was deleted"}}"#,
        r#"{"deleted": 1, "form": [null, "x"]}"#,
        r#"{"x": "deleted", "x": "kept"}"#,
        r#"{"abc": {"b": "deleted"}, "abc": 5}"#,
        r#" {"abc": [{"b": 1}, "deleted", {"b": ["x", "form"]}]}"#,
        r#"{"abc": [["deleted", {"b": "form"}]]}"#,
        r#"{"x": "\u0064eleted\nform", "y": "\u212ain"}"#,
        r#"{"x": "deleted\r\nform", "a.b": "C:\\deleted\\x"}"#,
        r#"{"abc.b.": "form", "": {"abc": 5.0}}"#,
        "{\"x\": \"\u{212a}in\"}",
    ];
    agree(&events.map(str::to_owned));
}

fn events() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        r#""deleted""#,
        r#""Deleted\nform 5""#,
        r#""a deleted form""#,
        r#""\u0064eleted""#,
        r#""\u212ain""#,
        r#""2020-01-01""#,
        r#""x""#,
        "5",
        "true",
        "null",
        "[]",
    ]);
    let name = prop::sample::select(vec![
        "a",
        "abc",
        "b",
        "abc.b",
        "keyword",
        "form",
        r"\u0061bc",
        "",
        "abc.",
    ]);
    let value = leaf
        .prop_map(str::to_owned)
        .prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                3 => prop::collection::vec((name.clone(), inner.clone()), 0..4).prop_map(object),
                1 => prop::collection::vec(inner, 0..4)
                    .prop_map(|items| format!("[{}]", items.join(", "))),
            ]
        });
    value.prop_map(|value| object(vec![("a", value)]))
}

fn object(members: Vec<(&str, String)>) -> String {
    let members: Vec<String> = members
        .into_iter()
        .map(|(name, value)| format!("\"{name}\": {value}"))
        .collect();
    format!("{{{}}}", members.join(", "))
}

proptest! {
    #[test]
    fn leaves_and_documents_agree(events in prop::collection::vec(events(), 1..6)) {
        agree(&events);
    }
}
