//! A run of the command: files, arguments, the clock, and an index of documents.

use serde_json::Value;
use std::ffi::OsString;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tripline::alert::Process;
use tripline::cli::test_rule::{Environment, Source, run_with};
use tripline::config::{SourceFile, yaml};
use tripline::event::{Document, WallTime, time::parse_iso};
use tripline::filter::{Filter, FilterEvent, Mapping};
use tripline::writeback::search::{Hit, Request};

/// What a run left behind.
pub(super) struct Run {
    pub(super) code: i32,
    pub(super) output: String,
    pub(super) errors: String,
}

impl Run {
    pub(super) fn of(case: &Value, directory: &Path) -> Self {
        let (output, errors) = (Shared::default(), Shared::default());
        let arguments = case["argv"].as_array().unwrap().iter().map(|argument| {
            let argument = argument.as_str().unwrap();
            match argument {
                "rule.yaml" | "config.yaml" | "docs.json" | "saved.json" => {
                    directory.join(argument).into_os_string()
                }
                _ => OsString::from(argument),
            }
        });
        let program = std::iter::once(OsString::from("elastalert-test-rule"));
        let environment = Environment {
            now: WallTime(parse_iso(case["now"].as_str().unwrap()).unwrap().micros),
            process: Process {
                zone: jiff::tz::TimeZone::UTC,
                working_directory: directory.to_owned(),
                enhancements: tripline::alert::enhancements::ENHANCEMENTS,
            },
            source: Some(Box::new(Documents::of(&case["docs"]))),
            output: Box::new(output.clone()),
            errors: Box::new(errors.clone()),
            is_terminal: false,
        };
        let code = run_with(program.chain(arguments), environment);
        let mut errors = errors.text();
        let code = code.unwrap_or_else(|error| {
            errors.push_str(&format!("{error:#}\n"));
            1
        });
        Self {
            code,
            output: output.text(),
            errors,
        }
    }
}

/// A stream that is looked at afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Index `golden`, or a server that fails.
struct Documents(Option<Vec<Hit>>);

impl Documents {
    fn of(documents: &Value) -> Self {
        if documents == "FAIL" {
            return Self(None);
        }
        let documents = match documents {
            Value::Array(documents) => documents.as_slice(),
            one => std::slice::from_ref(one),
        };
        let hits = documents.iter().enumerate().map(|(i, document)| {
            let mut source = document.as_object().unwrap().clone();
            let id = source.shift_remove("_id");
            let id = id.map_or(format!("made{i}"), |id| id.as_str().unwrap().to_owned());
            Hit {
                index: "golden".to_owned(),
                id,
                source,
            }
        });
        Self(Some(hits.collect()))
    }

    fn found(&self, request: &Request) -> anyhow::Result<Vec<Hit>> {
        let Some(hits) = &self.0 else {
            anyhow::bail!("503 simulated_search_failure");
        };
        assert_eq!(request.index, "golden");
        let clauses = request.query["bool"]["filter"]["bool"]["must"]
            .as_array()
            .unwrap();
        let range = &clauses[0]["range"][&request.time_field];
        let bound = |name: &str| parse_iso(range[name].as_str().unwrap()).unwrap().micros;
        let (after, until) = (bound("gt"), bound("lte"));
        let filters: Vec<Filter> = clauses[1..].iter().map(filter).collect();
        let time = |hit: &Hit| parse_iso(hit.source[&request.time_field].as_str().unwrap());
        let is_found = |hit: &&Hit| {
            let at = time(hit).unwrap().micros;
            after < at
                && at <= until
                && filters
                    .iter()
                    .all(|filter| filter.matches(&event(&hit.source)))
        };
        let mut found: Vec<Hit> = hits.iter().filter(is_found).cloned().collect();
        found.sort_by_key(|hit| time(hit).unwrap().micros);
        Ok(found)
    }
}

impl Source for Documents {
    fn count(&self, request: &Request) -> anyhow::Result<u64> {
        Ok(self.found(request)?.len() as u64)
    }

    fn read(
        &self,
        request: &Request,
        take: &mut dyn FnMut(Vec<Hit>) -> ControlFlow<()>,
    ) -> anyhow::Result<()> {
        for page in self.found(request)?.chunks(request.page_size) {
            if take(page.to_vec()).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// A clause of a query; JSON is YAML too.
fn filter(clause: &Value) -> Filter {
    let file = Arc::new(SourceFile::new(Path::new("query"), clause.to_string()));
    let (node, _) = yaml::parse(&file, None);
    Filter::load(&[node.unwrap()], &Mapping::default()).unwrap()
}

fn event(document: &Document) -> FilterEvent<'_> {
    FilterEvent {
        document,
        index: Some("golden"),
        id: None,
        now: WallTime(0),
    }
}
