//! The forwarder: what is written arrives once, whatever the server does meanwhile.

use super::{client, delete, ids, put};
use crate::support::http::{Recorder, block_on, request, wait_until};
use crate::support::server::{Server, free_port, opensearch, skipped, unique};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tripline::engine::{Index, Write};
use tripline::store::documents::{Commit, Documents, Forwarding};
use tripline::writeback::{Forwarder, Progress};

/// A store, its forwarder, and the number of the next write.
struct Running {
    documents: Arc<Documents>,
    forwarder: Forwarder,
    runtime: Runtime,
    next: u64,
    _directory: TempDir,
}

impl Running {
    fn start(url: &str, index: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let documents = Documents::open(directory.path(), Forwarding::Queue).unwrap();
        let documents = Arc::new(documents);
        let runtime = Runtime::new().unwrap();
        let forwarder = {
            let _context = runtime.enter();
            Forwarder::start(client(url), Arc::clone(&documents), index.to_owned())
        };
        Self {
            documents,
            forwarder,
            runtime,
            next: 1,
            _directory: directory,
        }
    }

    fn write(&mut self, writes: impl IntoIterator<Item = Write>) {
        let writes: Vec<_> = (self.next..).zip(writes).collect();
        self.next += writes.len() as u64;
        self.documents.apply(&writes, Commit::Lazy).unwrap();
    }

    fn wait_until_empty(&self) {
        wait_until("every change has been forwarded", || {
            self.documents.outgoing_count().unwrap() == 0
        });
    }

    fn progress(&self) -> Arc<Progress> {
        self.forwarder.progress()
    }

    fn drain(self, deadline: Duration) -> Arc<Documents> {
        self.runtime.block_on(self.forwarder.drain(deadline));
        self.documents
    }
}

fn status(id: &str) -> Write {
    put(
        Index::Status,
        id,
        json!({"rule_name": "r", "matches": 1, "@timestamp": "2018-04-06T05:07:14Z"}),
    )
}

#[test]
fn changes_arrive_once_in_indices_with_elastalerts_mappings() {
    let Some(url) = opensearch() else { return };
    let index = unique("forward");
    let mut running = Running::start(url, &index);
    running.write((0..1200).map(|i| status(&format!("s{i}"))));
    running.write([
        put(
            Index::Alerts,
            "a",
            json!({"alert_sent": false, "match_body": {"x": 1}}),
        ),
        put(
            Index::Alerts,
            "b",
            json!({"alert_sent": true, "match_body": {"x": {"y": "text"}}}),
        ),
    ]);
    running.wait_until_empty();
    running.write([
        put(Index::Alerts, "a", json!({"alert_sent": true})),
        delete(Index::Alerts, "b"),
        delete(Index::Alerts, "was never there"),
        put(
            Index::Silence,
            "x",
            json!({"rule_name": "r", "until": "2018-04-06T05:07:14Z"}),
        ),
    ]);
    let progress = running.progress();
    let documents = running.drain(Duration::from_secs(30));
    assert_eq!(documents.outgoing_count().unwrap(), 0);
    assert_eq!((progress.forwarded(), progress.refused()), (1206, 0));

    assert_eq!(ids(url, &index), ["a"]);
    let (_, document) = block_on(request("GET", &format!("{url}/{index}/_doc/a"), None));
    assert_eq!(document["_source"], json!({"alert_sent": true}));
    let status_index = format!("{index}_status");
    assert_eq!(ids(url, &status_index).len(), 1000);
    let (_, count) = block_on(request(
        "GET",
        &format!("{url}/{status_index}/_count"),
        None,
    ));
    assert_eq!(count["count"], 1200);
    let (_, mapping) = block_on(request(
        "GET",
        &format!("{url}/{index}_silence/_mapping"),
        None,
    ));
    let properties = &mapping[format!("{index}_silence")]["mappings"]["properties"];
    assert_eq!(properties["rule_name"]["type"], "keyword");
}

#[test]
fn a_document_that_does_not_fit_is_left_out_and_the_others_arrive() {
    let Some(url) = opensearch() else { return };
    let index = unique("refused");
    let mut running = Running::start(url, &index);
    running.write([
        status("before"),
        put(Index::Status, "bad", json!({"@timestamp": "yesterday"})),
        status("after"),
    ]);
    running.wait_until_empty();
    assert_eq!(running.progress().refused(), 1);
    assert_eq!(ids(url, &format!("{index}_status")), ["after", "before"]);
}

/// The real server is stopped and started: slow, so this is the one test that does it. Elasticsearch 7 for once.
#[test]
fn a_server_that_comes_late_goes_and_returns_gets_every_document_once() {
    if skipped() {
        return;
    }
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let data = tempfile::tempdir().unwrap();
    let settings = [format!("path.data={}", data.path().display())];
    let mut running = Running::start(&url, "elastalert_status");
    let progress = running.progress();

    running.write([status("before the server")]);
    wait_until("the absence is noticed", || progress.failures() > 0);
    assert!(!progress.connected());

    let server = Server::start("elasticsearch", port, &settings);
    running.wait_until_empty();
    assert!(progress.connected());
    running.write([status("while it runs")]);
    running.wait_until_empty();

    drop(server);
    let failures = progress.failures();
    running.write([status("during the outage")]);
    wait_until("the outage is noticed", || progress.failures() > failures);

    let _server = Server::start("elasticsearch", port, &settings);
    running.write([status("after it")]);
    running.wait_until_empty();
    assert_eq!(
        ids(&url, "elastalert_status_status"),
        [
            "after it",
            "before the server",
            "during the outage",
            "while it runs"
        ]
    );
    assert_eq!((progress.forwarded(), progress.refused()), (4, 0));
    super::reading::check_elasticsearch_without_points_in_time(&url);
}

#[test]
fn what_is_written_without_a_server_waits_for_the_next_start() {
    let mut running = Running::start(&format!("http://127.0.0.1:{}", free_port()), "wb");
    running.write([status("a")]);
    let documents = running.drain(Duration::from_secs(30));
    assert_eq!(documents.outgoing_count().unwrap(), 1);
}

/// Answers `_bulk` with a status per document, and everything else as a server with all indices.
fn bulk_server(
    answer: impl Fn(usize, Vec<Value>) -> (u16, Value) + Send + Sync + 'static,
) -> Recorder {
    let bulks = AtomicUsize::new(0);
    Recorder::start(move |request| match &*request.path {
        "/" => (200, json!({"version": {"number": "8.11.0"}})),
        "/_bulk" => answer(bulks.fetch_add(1, Ordering::Relaxed), request.lines()),
        _ => (200, Value::Null),
    })
}

fn items(actions: &[Value], status: impl Fn(&str) -> u16) -> (u16, Value) {
    let items: Vec<Value> = actions
        .iter()
        .filter_map(|line| line["index"]["_id"].as_str())
        .map(|id| match status(id) {
            200 => json!({"index": {"status": 200}}),
            other => json!({"index": {"status": other, "error": {"type": "some_exception", "reason": "no"}}}),
        })
        .collect();
    (200, json!({"errors": true, "items": items}))
}

#[test]
fn only_documents_a_busy_server_did_not_take_are_sent_again() {
    let server = bulk_server(|round, lines| {
        items(&lines, |id| if id == "b" && round < 2 { 429 } else { 200 })
    });
    let mut running = Running::start(&format!("http://127.0.0.1:{}", server.port), "wb");
    running.write([status("a"), status("b"), status("c")]);
    running.wait_until_empty();
    let sent: Vec<Vec<String>> = server
        .requests()
        .iter()
        .filter(|request| request.path == "/_bulk")
        .map(|request| {
            let lines = request.lines();
            let ids = lines
                .iter()
                .filter_map(|line| line["index"]["_id"].as_str());
            ids.map(str::to_owned).collect()
        })
        .collect();
    assert_eq!(sent, [vec!["a", "b", "c"], vec!["b"], vec!["b"]]);
}

#[test]
fn a_request_too_large_is_sent_in_parts() {
    let server = bulk_server(|_, lines| match lines.len() / 2 {
        0..=2 => items(&lines, |id| if id == "s3" { 400 } else { 200 }),
        _ => (413, json!({"error": "too large"})),
    });
    let mut running = Running::start(&format!("http://127.0.0.1:{}", server.port), "wb");
    running.write((0..9).map(|i| status(&format!("s{i}"))));
    running.wait_until_empty();
    let progress = running.progress();
    wait_until("the last answer is counted", || {
        (progress.forwarded(), progress.refused()) == (8, 1)
    });
}

#[test]
fn documents_behind_many_that_cannot_be_taken_do_not_wait_for_them() {
    let server = bulk_server(|_, lines| items(&lines, |id| if id == "last" { 200 } else { 403 }));
    let mut running = Running::start(&format!("http://127.0.0.1:{}", server.port), "wb");
    running.write(
        (0..500)
            .map(|i| status(&format!("s{i}")))
            .chain([status("last")]),
    );
    let progress = running.progress();
    wait_until("the last document is forwarded", || {
        progress.forwarded() == 1
    });
    assert_eq!(running.documents.outgoing_count().unwrap(), 500);
}

#[test]
fn a_user_that_may_only_write_documents_does() {
    let server = Recorder::start(|request| match &*request.path {
        "/_bulk" => items(&request.lines(), |_| 200),
        _ => (
            403,
            json!({"error": {"type": "security_exception", "reason": "not allowed"}}),
        ),
    });
    let mut running = Running::start(&format!("http://127.0.0.1:{}", server.port), "wb");
    running.write([status("a")]);
    running.wait_until_empty();
}
