//! `create-index` cases: which indices are made, in which order, with which mappings.

use super::cases;
use crate::create_index::{Outcome, create_index};
use crate::support::http::Recorder;
use serde_json::{Map, Value, json};

/// Replays one case: per server version in it, the indices created and their mappings.
pub fn create_index_case(case: &Value) -> Result<(), String> {
    for (version, expected) in case["expected"].as_object().ok_or("no expectations")? {
        let version = version.clone();
        let server = Recorder::start(move |request| match request.method.as_str() {
            "HEAD" => (404, Value::Null),
            "GET" => (200, json!({"version": {"number": version}})),
            _ => (200, json!({"acknowledged": true})),
        });
        let port = server.port.to_string();
        let Outcome { code, errors, .. } = create_index(&["--host", "127.0.0.1", "--port", &port]);
        if code != 0 {
            return Err(errors);
        }
        let (mut created, mut mappings) = (Vec::new(), Map::new());
        for request in server.requests() {
            if request.method != "PUT" {
                continue;
            }
            let name = request.path.trim_start_matches('/').to_owned();
            mappings.insert(name.clone(), split(&request.body["mappings"]));
            created.push(name);
        }
        if json!(created) != expected["created"] {
            return Err(format!("created {created:?}, not {}", expected["created"]));
        }
        if Value::Object(mappings.clone()) != expected["put_mapping"] {
            return Err(format!(
                "mappings {}\nexpected {}",
                Value::Object(mappings),
                expected["put_mapping"]
            ));
        }
    }
    Ok(())
}

/// A mapping as the cases write it: fields apart from the rest.
fn split(mapping: &Value) -> Value {
    let mut other = mapping.as_object().cloned().unwrap_or_default();
    let fields = other.remove("properties").unwrap_or_default();
    json!({"fields": fields, "other": other})
}

#[test]
fn create_index_cases() {
    let cases: Vec<_> = cases("service")
        .into_iter()
        .filter(|case| case.value["kind"] == "create-index")
        .collect();
    assert!(!cases.is_empty());
    for case in cases {
        assert_eq!(create_index_case(&case.value), Ok(()), "{}", case.name);
    }
}
