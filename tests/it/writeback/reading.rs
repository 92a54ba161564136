//! Reading: state left by ElastAlert, and a rule's index page by page.

use super::{client, ids};
use crate::support::http::{block_on, request};
use crate::support::server::{opensearch, unique};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tripline::event::WallTime;
use tripline::event::time::parse_iso;
use tripline::writeback::indices::{self, Existing};
use tripline::writeback::search::{Request, range_query};
use tripline::writeback::{Client, EsError};

fn time(text: &str) -> WallTime {
    WallTime(parse_iso(text).unwrap().micros)
}

async fn store(url: &str, index: &str, id: &str, document: Value) {
    let path = format!("{url}/{index}/_doc/{id}?refresh=true");
    let (status, answer) = request("PUT", &path, Some(document)).await;
    assert!(status < 300, "{status} {answer}");
}

#[test]
fn silences_and_pending_alerts_of_elastalert_are_found() {
    let Some(url) = opensearch() else { return };
    let index = unique("state");
    let client = client(url);
    let now = time("2018-04-06T06:00:00Z");
    block_on(async {
        let none = client.silences(&index, now).await.unwrap();
        assert_eq!(none, []);
        let limit = Duration::from_secs(3600);
        let none = client.pending_alerts(&index, now, limit).await.unwrap();
        assert_eq!(none, []);

        indices::create(&client, &index, Existing::Keep, |_| {})
            .await
            .unwrap();
        // An empty index has no `alert_sent` yet.
        let none = client.pending_alerts(&index, now, limit).await.unwrap();
        assert_eq!(none, []);

        let silence_index = format!("{index}_silence");
        for (id, key, until, exponent) in [
            ("1", "r", "2018-04-06T06:05:00Z", 1),
            ("2", "r", "2018-04-06T06:10:00Z", 2),
            ("3", "s.alice", "2018-04-06T07:00:00.5Z", 0),
            ("4", "over", "2018-04-06T06:00:00Z", 0),
        ] {
            let document = json!({"rule_name": key, "until": until, "exponent": exponent});
            store(url, &silence_index, id, document).await;
        }
        let silences = client.silences(&index, now).await.unwrap();
        let found: Vec<_> = silences
            .iter()
            .map(|silence| (&*silence.key, silence.until.to_text(), silence.exponent))
            .collect();
        assert_eq!(
            found,
            [
                ("r", "2018-04-06T06:10:00Z".to_owned(), 2),
                ("s.alice", "2018-04-06T07:00:00.500Z".to_owned(), 0)
            ]
        );

        for (id, due, sent) in [
            ("given-up", "2018-04-06T04:59:59Z", false),
            ("retry", "2018-04-06T05:00:00Z", false),
            ("sent", "2018-04-06T05:30:00Z", true),
            ("waiting", "2018-04-06T06:30:00Z", false),
        ] {
            let document = json!({"alert_time": due, "alert_sent": sent, "match_body": {"id": id}});
            store(url, &index, id, document).await;
        }
        let pending = client.pending_alerts(&index, now, limit).await.unwrap();
        let found: Vec<_> = pending.iter().map(|pending| &*pending.id).collect();
        assert_eq!(found, ["retry", "waiting"]);
        assert_eq!(pending[0].document["match_body"]["id"], "retry");
    });
}

/// An index of several shards whose documents share few times, so that pages end between documents that sort alike.
async fn crowded_index(url: &str, index: &str) {
    let settings = json!({
        "settings": {"number_of_shards": 5},
        "mappings": {"properties": {"time": {"type": "date"}}}
    });
    request("PUT", &format!("{url}/{index}"), Some(settings)).await;
    for i in 0..60 {
        let document =
            json!({"time": format!("2018-04-06T05:07:{:02}Z", i / 20), "i": i, "kind": i % 2});
        let path = format!("{url}/{index}/_doc/d{i}");
        request("PUT", &path, Some(document)).await;
    }
    request("POST", &format!("{url}/{index}/_refresh"), None).await;
}

fn everything(index: &str, page_size: usize) -> Request {
    Request {
        index: index.to_owned(),
        query: range_query(
            &[],
            "time",
            &json!("2018-04-06T05:07:00Z"),
            &json!("2018-04-06T05:07:02Z"),
        ),
        time_field: "time".to_owned(),
        page_size,
    }
}

/// Reads all pages; checks the order of times and that no document comes twice.
async fn read(client: &Client, request: Request) -> BTreeSet<String> {
    let mut pages = client.search(request).await.unwrap();
    let (mut found, mut last) = (BTreeSet::new(), String::new());
    loop {
        let page = pages.next().await.unwrap();
        if page.is_empty() {
            return found;
        }
        for hit in page {
            let time = hit.source["time"].as_str().unwrap().to_owned();
            assert!(time >= last, "{time} after {last}");
            last = time;
            assert!(found.insert(hit.id.clone()), "{} twice", hit.id);
        }
    }
}

#[test]
fn a_rules_index_is_read_page_by_page_in_order_and_whole() {
    let Some(url) = opensearch() else { return };
    let index = unique("pages");
    let client = client(url);
    block_on(async {
        crowded_index(url, &index).await;
        let expected: BTreeSet<String> = (20..60).map(|i| format!("d{i}")).collect();
        for page_size in [1, 2, 7, 20, 40, 1000] {
            let found = read(&client, everything(&index, page_size)).await;
            assert_eq!(found, expected, "pages of {page_size}");
        }
        assert_eq!(client.count(&everything(&index, 1)).await.unwrap(), 40);

        let pattern = format!("{index}*,nothing-of-the-kind");
        assert_eq!(read(&client, everything(&pattern, 7)).await.len(), 40);
        let missing = everything("nothing-of-the-kind", 7);
        assert_eq!(client.count(&missing).await.unwrap(), 0);
        assert!(read(&client, missing).await.is_empty());

        let mut pages = client.search(everything(&index, 7)).await.unwrap();
        assert!(format!("{pages:?}").contains("PointInTime"), "{pages:?}");
        assert!(!pages.next().await.unwrap().is_empty());
        pages.close().await;

        let mut bad = everything(&index, 7);
        bad.query = json!({"no_such_clause": {}});
        let error = client.search(bad).await.unwrap().next().await.unwrap_err();
        assert_eq!(error.status(), Some(400));
        assert!(error.to_string().contains("no_such_clause"), "{error}");
    });
}

/// Elasticsearch 7.10 without its licensed parts has no points in time; an index is read by scrolling there, and copied with its type.
pub(super) fn check_elasticsearch_without_points_in_time(url: &str) {
    let index = unique("scroll");
    let client = client(url);
    block_on(async {
        crowded_index(url, &index).await;
        for page_size in [7, 40] {
            assert_eq!(read(&client, everything(&index, page_size)).await.len(), 40);
        }
        assert!(read(&client, everything("missing", 7)).await.is_empty());
        let mut pages = client.search(everything(&index, 7)).await.unwrap();
        pages.next().await.unwrap();
        pages.close().await;
        let copied = indices::copy(&client, &index, "copy").await.unwrap();
        assert_eq!(copied, 60);
    });
    assert_eq!(ids(url, "copy").len(), 60);
}

#[test]
fn a_server_that_is_not_there_is_an_error_that_names_it() {
    let port = crate::support::server::free_port();
    let client = client(&format!("http://127.0.0.1:{port}"));
    let error = block_on(client.search(everything("a", 1))).unwrap_err();
    assert!(matches!(error, EsError::Unreachable { .. }));
    let expected = format!("http://127.0.0.1:{port} is not reachable: ");
    assert!(error.to_string().starts_with(&expected), "{error}");
}
