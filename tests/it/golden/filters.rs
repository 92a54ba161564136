//! Which documents a filter picks, as OpenSearch and Elasticsearch answered.

use super::{cases, report};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use tripline::config::{Data, Mapping as Members, Node, Span};
use tripline::event::project::Projection;
use tripline::event::{WallTime, time};
use tripline::filter::{Filter, FilterEvent, Mapping, Memory, Program, ProjectedEvent};

/// JSON as the loader has it.
pub(crate) fn node(value: &Value) -> Node {
    let data = match value {
        Value::Null => Data::Null,
        Value::Bool(value) => Data::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Data::Int(number),
            None if number.as_str().contains(['.', 'e', 'E']) => {
                Data::Float(number.as_f64().unwrap())
            }
            None => Data::BigInt(number.to_string()),
        },
        Value::String(text) => Data::Str(text.clone()),
        Value::Array(items) => Data::Seq(items.iter().map(node).collect()),
        Value::Object(members) => {
            let pairs = members
                .iter()
                .map(|(key, value)| (node(&Value::String(key.clone())), node(value)));
            Data::Map(Members(pairs.collect()))
        }
    };
    Node {
        data,
        span: Span::nowhere(),
    }
}

/// An index: the mapping its documents taught, and the documents it took.
pub(crate) struct Index {
    pub(crate) mapping: Mapping,
    pub(crate) documents: Vec<Option<Map<String, Value>>>,
    pub(crate) name: String,
    pub(crate) now: WallTime,
}

/// The mapping an index of a file begins with.
pub(crate) fn mapping(file: &Value) -> Mapping {
    match &file["mapping"] {
        Value::String(name) if name == "dynamic" => Mapping::dynamic(),
        Value::String(name) if name == "logstash" => Mapping::logstash(),
        explicit => {
            let mut whole = Map::new();
            whole.insert("mappings".to_owned(), explicit.clone());
            whole.insert("settings".to_owned(), file["settings"].clone());
            Mapping::explicit(&node(&Value::Object(whole))).unwrap()
        }
    }
}

impl Index {
    fn new(file: &Value) -> Self {
        let mut mapping = mapping(file);
        let documents = file["docs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|document| {
                let document = document.as_object().unwrap();
                mapping.learn(document).ok().map(|()| document.clone())
            })
            .collect();
        mapping.close();
        let now = file["now"].as_str().unwrap_or("2024-05-05T00:00:00Z");
        Self {
            mapping,
            documents,
            name: file["index"].as_str().unwrap().to_owned(),
            // Recorded to the second; the server took it somewhere in between.
            now: WallTime(time::parse_iso(now).unwrap().micros + 500_000),
        }
    }

    fn load(&self, filter: &Value) -> Result<Filter, String> {
        let entries: Vec<Node> = filter.as_array().unwrap().iter().map(node).collect();
        Filter::load(&entries, &self.mapping).map_err(|problems| {
            let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
            texts.join("; ")
        })
    }

    /// What the filter says of each document; `None` for documents the index refused.
    pub(crate) fn answer(&self, filter: &Value) -> Result<Vec<Option<bool>>, String> {
        let filter = self.load(filter)?;
        let matches = |(at, document): (usize, &Option<Map<String, Value>>)| {
            let id = at.to_string();
            document.as_ref().map(|document| {
                let event = FilterEvent {
                    document,
                    index: Some(&self.name),
                    id: Some(&id),
                    now: self.now,
                };
                let matches = filter.matches(&event);
                assert_eq!(filter.explain(&event).matched(), matches);
                matches
            })
        };
        Ok(self.documents.iter().enumerate().map(matches).collect())
    }
}

/// Whether an answer is the recorded one. Clauses that depend on other documents may be refused by name, and limits on the number of terms
/// tried count as unlimited, so that more documents may match.
fn same(
    expected: &Value,
    tags: &BTreeSet<&str>,
    found: &Result<Vec<Option<bool>>, String>,
) -> bool {
    let Some(hits) = expected["hits"].as_array() else {
        return found.is_err();
    };
    match found {
        Err(message) => {
            let refusable = ["script", "rare", "geo", "score"];
            let is_script = expected["filter"][0].get("script").is_some();
            (is_script || refusable.iter().any(|tag| tags.contains(tag)))
                && message.contains("E0203")
        }
        Ok(found) => {
            hits.len() == found.len()
                && hits
                    .iter()
                    .zip(found)
                    .all(|(hit, found)| match hit.as_bool() {
                        hit if hit == *found => true,
                        Some(false) => tags.contains("corpus") && *found == Some(true),
                        _ => false,
                    })
        }
    }
}

#[test]
fn filters() {
    let mut outcomes = Vec::new();
    for file in cases("filters") {
        let index = Index::new(&file.value);
        for case in file.value["cases"].as_array().unwrap() {
            let name = format!("{}/{}", file.name, case["id"].as_str().unwrap());
            let tags: BTreeSet<&str> = case["tags"]
                .as_array()
                .map(|tags| tags.iter().filter_map(Value::as_str).collect())
                .unwrap_or_default();
            let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                index.answer(&case["filter"])
            }))
            .unwrap_or_else(|_| Ok(Vec::new()));
            let passed = same(case, &tags, &found)
                || (!case["es710"].is_null() && same(&case["es710"], &tags, &found));
            let outcome = if passed {
                Ok(())
            } else {
                Err(difference(case, &index, &found))
            };
            outcomes.push((name, outcome));
        }
    }
    report("filters", outcomes);
}

fn difference(case: &Value, index: &Index, found: &Result<Vec<Option<bool>>, String>) -> String {
    let filter = case["filter"].to_string();
    match (found, case["hits"].as_array()) {
        (Err(message), _) => format!("{filter}\nerror where none is: {message}"),
        (Ok(_), None) => format!("{filter}\nno error, but the server said {}", case["reason"]),
        (Ok(found), Some(hits)) => {
            let mut text = filter;
            for (at, hit) in hits.iter().enumerate() {
                let found = found.get(at).copied().flatten();
                if hit.as_bool() != found {
                    let document = index.documents[at]
                        .as_ref()
                        .map(|d| Value::Object(d.clone()).to_string());
                    text.push_str(&format!(
                        "\nexpected {hit}, found {found:?} for {document:?}"
                    ));
                }
            }
            text
        }
    }
}

/// The filters of a file, decided together on the event's text, pick what each alone picks on the document, whether fields are known or not;
/// and the sieve leaves out none that picks.
#[test]
fn together() {
    let mut left_out = 0;
    let mut projection = Projection::default();
    let mut memory = Memory::default();
    for file in cases("filters") {
        let mut index = Index::new(&file.value);
        for known in [true, false] {
            if !known {
                index.mapping = Mapping::dynamic();
            }
            let filters: Vec<(&Value, Filter)> = file.value["cases"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|case| Some((case, index.load(&case["filter"]).ok()?)))
                .collect();
            let all: Vec<&Filter> = filters.iter().map(|(_, filter)| filter).collect();
            let program = Program::new(&all, &[], Vec::new());
            for (at, document) in index.documents.iter().enumerate() {
                let Some(document) = document else { continue };
                let text = Value::Object(document.clone()).to_string();
                let id = at.to_string();
                let event = FilterEvent {
                    document,
                    index: Some(&index.name),
                    id: Some(&id),
                    now: index.now,
                };
                let projected = ProjectedEvent {
                    projected: program.project(text.as_bytes(), &mut projection).unwrap(),
                    bytes: text.as_bytes(),
                    index: event.index,
                    id: event.id,
                    now: event.now,
                };
                program.sift(&projected, &mut memory);
                for (number, (case, filter)) in filters.iter().enumerate() {
                    let candidate = program.candidate(number, &memory) == Some(number);
                    left_out += usize::from(!candidate);
                    let picks = program.matches(number, &projected, &mut memory);
                    assert!(
                        picks == filter.matches(&event) && (candidate || !picks),
                        "{}/{}: {} picks {document:?}: {picks}, candidate: {candidate}",
                        file.name,
                        case["id"],
                        case["filter"],
                    );
                }
            }
        }
    }
    assert!(left_out > 0);
}
