//! `create-index` against a real OpenSearch, and what it sends.

use crate::support::http::{Recorder, block_on, request};
use crate::support::server::{opensearch, unique};
use clap::Parser as _;
use serde_json::{Value, json};
use tripline::cli::create_index::{Args, Configured, Terminal, run};

#[derive(clap::Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

/// What a run gave.
pub struct Outcome {
    pub code: u8,
    pub output: String,
    pub errors: String,
}

/// Runs `elastalert-create-index` without a configuration file and with nobody to ask.
pub fn create_index(words: &[&str]) -> Outcome {
    let command = std::iter::once(&"elastalert-create-index").chain(words);
    let args = Command::try_parse_from(command).unwrap().args;
    let directory = tempfile::tempdir().unwrap();
    let configured = Configured {
        file: None,
        es: None,
        writeback_index: None,
        store: directory.path().to_owned(),
    };
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let mut terminal = Terminal {
        input: None,
        output: &mut output,
        secret: || Ok(String::new()),
    };
    let code = run(&args, &configured, &mut terminal, &mut errors);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome {
        code,
        output: text(output),
        errors: text(errors),
    }
}

/// Runs it against a server; gives what it printed.
#[track_caller]
fn create_on(url: &str, words: &[&str]) -> String {
    let mut all = vec!["--host", url];
    all.extend(words);
    let outcome = create_index(&all);
    assert_eq!((outcome.code, &*outcome.errors), (0, ""));
    outcome.output
}

fn get(url: &str) -> (u16, Value) {
    block_on(request("GET", url, None))
}

fn post(url: &str, body: Value) {
    let (status, answer) = block_on(request("POST", url, Some(body)));
    assert!(status < 300, "{status} {answer}");
}

fn count(url: &str) -> u64 {
    get(&format!("{url}/_count")).1["count"].as_u64().unwrap()
}

#[test]
fn indices_are_made_once_and_anew_only_when_told() {
    let Some(url) = opensearch() else { return };
    let index = unique("wb");
    let printed = create_on(url, &["--index", &index]);
    assert!(printed.starts_with("Reading Elastic 8 index mappings:\n"));
    assert!(printed.contains(&format!("New index {index} created\n")));
    assert!(printed.ends_with("Done!\n"));
    let main = format!("{url}/{index}");
    let mapping = get(&format!("{main}/_mapping")).1[&index]["mappings"].clone();
    assert_eq!(mapping["properties"]["alert_time"]["type"], "date");
    assert_eq!(mapping["properties"]["match_body"]["enabled"], false);
    assert_eq!(mapping["date_detection"], false);
    let silence = get(&format!("{main}_silence/_mapping")).1;
    let silence = &silence[format!("{index}_silence")]["mappings"]["properties"];
    assert_eq!(silence["rule_name"]["type"], "keyword");
    for suffix in ["_status", "_error", "_past"] {
        assert_eq!(get(&format!("{main}{suffix}")).0, 200, "{suffix}");
    }

    post(
        &format!("{main}/_doc?refresh=true"),
        json!({"rule_name": "r", "match_body": {"a": {"b": 1}}}),
    );
    let again = create_on(url, &["--index", &index]);
    assert!(again.contains(&format!(
        "Index {index} already exists. Skipping index creation.\n"
    )));
    assert_eq!(count(&main), 1);

    // An index that went missing is made again, the others stay.
    block_on(request("DELETE", &format!("{main}_silence"), None));
    let repaired = create_on(url, &["--index", &index]);
    assert!(repaired.contains(&format!("New index {index}_silence created\n")));
    assert_eq!(count(&main), 1);

    let recreated = create_on(url, &["--index", &index, "--recreate", "True"]);
    assert!(recreated.contains(&format!("Deleting index {index}_past.\n")));
    assert_eq!(count(&main), 0);
}

#[test]
fn an_old_index_is_copied() {
    let Some(url) = opensearch() else { return };
    let (old, new) = (unique("old"), unique("new"));
    for i in 0..3 {
        post(
            &format!("{url}/{old}/_doc?refresh=true"),
            json!({"rule_name": format!("rule {i}")}),
        );
    }
    let printed = create_on(url, &["--index", &new, "--old-index", &old]);
    assert!(printed.contains(&format!(
        "Copying all data from old index '{old}' to new index '{new}'\n"
    )));
    block_on(request("POST", &format!("{url}/{new}/_refresh"), None));
    assert_eq!(count(&format!("{url}/{new}")), 3);

    let outcome = create_index(&[
        "--host",
        url,
        "--index",
        &unique("new"),
        "--old-index",
        "gone",
    ]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.errors.contains("gone"), "{}", outcome.errors);
}

#[test]
fn credentials_and_prefix_go_with_every_request() {
    for (words, expected) in [
        (
            &["--username", "elastic", "--password", "secret"][..],
            "Basic ZWxhc3RpYzpzZWNyZXQ=",
        ),
        (&["--bearer", "token"], "Bearer token"),
        (&["--api-key", "key"], "ApiKey key"),
    ] {
        let server = Recorder::start(|request| match request.method.as_str() {
            "HEAD" => (404, Value::Null),
            _ => (200, json!({"version": {"number": "8.11.0"}})),
        });
        let host = format!("127.0.0.1:{}", server.port);
        let mut all = vec!["--host", &host, "--url-prefix", "es/prod"];
        all.extend(words);
        assert_eq!(create_index(&all).code, 0);
        let requests = server.requests();
        assert!(requests.len() > 10);
        for request in requests {
            assert_eq!(request.headers["authorization"], expected);
            assert!(request.path.starts_with("/es/prod/"), "{}", request.path);
        }
    }
}

#[test]
fn a_server_that_refuses_or_is_too_old_is_told_with_its_own_words() {
    let refusing = |status, answer: Value| Recorder::start(move |_| (status, answer.clone()));
    for (server, expected) in [
        (
            refusing(
                401,
                json!({"error": {"type": "security_exception", "reason": "missing credentials"}}),
            ),
            "answered 401 security_exception: missing credentials",
        ),
        (refusing(502, json!("bad gateway")), "answered 502 error"),
        (
            refusing(200, json!({"hello": "world"})),
            "does not answer like Elasticsearch",
        ),
        (
            refusing(200, json!({"version": {"number": "6.8.23"}})),
            "version 6.8.23 is not supported",
        ),
    ] {
        let outcome = create_index(&["--host", "127.0.0.1", "--port", &server.port.to_string()]);
        assert_eq!(outcome.code, 1);
        assert!(outcome.errors.contains(expected), "{}", outcome.errors);
    }
}
