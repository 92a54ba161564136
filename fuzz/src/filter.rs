//! Filters: whatever is asked for, loading says yes or no, and deciding, explaining and the program of all filters say the same.

use serde_json::{Value, json};
use tripline::config::{Data, Mapping as Members, Node, Span};
use tripline::event::WallTime;
use tripline::event::json::parse_document;
use tripline::event::project::Projection;
use tripline::filter::{Filter, FilterEvent, Mapping, Memory, Program, ProjectedEvent};

fn node(value: &Value) -> Node {
    let data = match value {
        Value::Null => Data::Null,
        Value::Bool(value) => Data::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Data::Int(number),
            None => Data::Float(number.as_f64().unwrap_or(0.0)),
        },
        Value::String(text) => Data::Str(text.clone()),
        Value::Array(items) => Data::Seq(items.iter().map(node).collect()),
        Value::Object(members) => Data::Map(Members(
            members
                .iter()
                .map(|(key, value)| (node(&Value::String(key.clone())), node(value)))
                .collect(),
        )),
    };
    Node {
        data,
        span: Span::nowhere(),
    }
}

/// Loads a filter and, if that works, decides an event with it in every way there is.
fn run(filter: &Value, text: &str) {
    let Ok(document) = parse_document(text.as_bytes()) else {
        return;
    };
    for mapping in [Mapping::dynamic(), Mapping::logstash()] {
        let Ok(filter) = Filter::load(&[node(filter)], &mapping) else {
            continue;
        };
        let now = WallTime(1_714_903_200_000_000);
        let event = FilterEvent {
            document: &document,
            index: Some("logs"),
            id: Some("1"),
            now,
        };
        let matched = filter.matches(&event);
        assert_eq!(matched, filter.explain(&event).matched());
        let program = Program::new(&[&filter], &[], Vec::new());
        let (mut projection, mut memory) = (Projection::default(), Memory::default());
        let projected = program.project(text.as_bytes(), &mut projection);
        let projected = ProjectedEvent {
            projected: projected.expect("the document was parsed"),
            bytes: text.as_bytes(),
            index: Some("logs"),
            id: Some("1"),
            now,
        };
        program.sift(&projected, &mut memory);
        let picked =
            program.candidate(0, &memory) == Some(0) && program.matches(0, &projected, &mut memory);
        assert_eq!(matched, picked);
    }
}

/// A filter and an event, both JSON, on two lines.
pub fn dsl(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (query, document) = text.split_once('\n').unwrap_or((&text, "{}"));
    if let Ok(query) = serde_json::from_str(query) {
        run(&query, document);
    }
}

/// A query in Lucene's syntax, read both ways.
pub fn lucene(input: &[u8]) {
    const DOCUMENT: &str = r#"{"message": "The quick brown fox", "n": 5, "a": {"b": ["x", null]}}"#;
    let text = String::from_utf8_lossy(input);
    for clause in ["query_string", "simple_query_string"] {
        run(&json!({clause: {"query": text}}), DOCUMENT);
    }
}

/// A regular expression and a text, on two lines.
pub fn regexp(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (pattern, value) = text.split_once('\n').unwrap_or((&text, "abc"));
    let document = json!({"a": value}).to_string();
    let options = json!({"value": pattern, "max_determinized_states": 1000});
    run(&json!({"regexp": {"a.keyword": options}}), &document);
}
