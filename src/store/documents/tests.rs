mod model;

use super::*;
use crate::engine::Op;
use serde_json::json;
use std::time::Duration;
use tempfile::TempDir;

const A_MONTH: Retention = Retention {
    keep: Duration::from_secs(30 * 86_400),
    max_size: 1 << 30,
    alert_time_limit: Duration::from_secs(2 * 86_400),
};

const DAY: i64 = 86_400_000_000;
/// 2018-04-06T05:07:14Z.
const NOW: WallTime = WallTime(1_522_991_234_000_000);

fn open(directory: &TempDir) -> Documents {
    Documents::open(directory.path(), Forwarding::Queue).unwrap()
}

fn put(index: Index, id: &str, document: Value) -> Write {
    let Value::Object(document) = document else {
        panic!("not an object")
    };
    Write {
        index,
        id: id.into(),
        op: Op::Put(document),
    }
}

fn delete(index: Index, id: &str) -> Write {
    Write {
        index,
        id: id.into(),
        op: Op::Delete,
    }
}

fn numbered(writes: impl IntoIterator<Item = Write>) -> Vec<(u64, Write)> {
    (1..).zip(writes).collect()
}

fn at(time: i64) -> String {
    WallTime(time).to_text()
}

fn status(id: &str, time: i64) -> Write {
    put(Index::Status, id, json!({"@timestamp": at(time)}))
}

fn silence(id: &str, key: &str, until: i64, exponent: u32) -> Write {
    put(
        Index::Silence,
        id,
        json!({"rule_name": key, "until": at(until), "exponent": exponent, "@timestamp": at(NOW.0)}),
    )
}

fn alert(id: &str, due: i64, sent: bool) -> Write {
    put(
        Index::Alerts,
        id,
        json!({"alert_sent": sent, "alert_time": at(due), "@timestamp": at(due)}),
    )
}

#[track_caller]
fn check_ids(documents: &Documents, index: Index, expected: &[&str]) {
    let found: Vec<String> = documents
        .newest(index)
        .unwrap()
        .map(|stored| stored.unwrap().id)
        .collect();
    assert_eq!(found, expected);
    assert_eq!(documents.count(index).unwrap(), expected.len() as u64);
}

#[test]
fn documents_keep_their_text_and_come_newest_first() {
    let directory = TempDir::new().unwrap();
    let documents = open(&directory);
    let document: Document = serde_json::from_str(
        r#"{"b":1.0,"a":123456789012345678901234567890,"@timestamp":"2018-04-06T05:07:14Z"}"#,
    )
    .unwrap();
    let text = serde_json::to_string(&document).unwrap();
    let writes = numbered([
        status("s1", NOW.0),
        status("s3", NOW.0 + 2),
        Write {
            index: Index::Status,
            id: "s2".into(),
            op: Op::Put(document),
        },
        put(Index::Status, "without time", json!({"a": 1})),
        put(Index::Error, "s1", json!({"message": "other index"})),
    ]);
    documents.apply(&writes, Commit::Durable).unwrap();
    check_ids(
        &documents,
        Index::Status,
        &["without time", "s3", "s2", "s1"],
    );
    check_ids(&documents, Index::Error, &["s1"]);
    check_ids(&documents, Index::Past, &[]);
    assert_eq!(documents.get(Index::Status, "s2").unwrap(), Some(text));
    assert_eq!(documents.get(Index::Alerts, "s2").unwrap(), None);
}

#[test]
fn applying_a_batch_again_changes_nothing() {
    let directory = TempDir::new().unwrap();
    let documents = open(&directory);
    let writes = numbered([
        status("a", NOW.0),
        delete(Index::Status, "a"),
        status("b", NOW.0),
    ]);
    assert_eq!(documents.apply(&writes, Commit::Lazy).unwrap(), 3);
    assert_eq!(documents.apply(&writes, Commit::Lazy).unwrap(), 0);
    check_ids(&documents, Index::Status, &["b"]);
    assert_eq!(documents.applied().unwrap(), 3);
    let same_number = [(4, status("c", NOW.0)), (4, status("d", NOW.0))];
    assert_eq!(documents.apply(&same_number, Commit::Durable).unwrap(), 2);
}

#[test]
fn a_crash_goes_back_to_the_last_durable_commit() {
    let directory = TempDir::new().unwrap();
    let documents = open(&directory);
    documents
        .apply(&[(1, status("a", NOW.0))], Commit::Durable)
        .unwrap();
    documents
        .apply(&[(2, status("b", NOW.0))], Commit::Lazy)
        .unwrap();
    let crash = |name: &str| {
        let copy = directory.path().join(name);
        std::fs::create_dir(&copy).unwrap();
        std::fs::copy(directory.path().join(FILE), copy.join(FILE)).unwrap();
        Documents::open(&copy, Forwarding::Queue).unwrap()
    };
    let after = crash("first");
    check_ids(&after, Index::Status, &["a"]);
    assert_eq!(after.applied().unwrap(), 1);
    assert_eq!(after.outgoing(0, 10, 1000).unwrap().len(), 1);
    documents.flush().unwrap();
    check_ids(&crash("second"), Index::Status, &["b", "a"]);
}

#[test]
fn the_silence_that_ends_last_counts() {
    let directory = TempDir::new().unwrap();
    let documents = open(&directory);
    let writes = numbered([
        silence("1", "rule", NOW.0 + 5, 2),
        silence("2", "rule", NOW.0 + 9, 1),
        silence("3", "rule", NOW.0 + 7, 3),
        silence("4", "rule.alice", NOW.0 - 1, 0),
        silence("5", "gone", NOW.0, 0),
        put(Index::Silence, "6", json!({"rule_name": "no end"})),
        delete(Index::Silence, "5"),
    ]);
    documents.apply(&writes, Commit::Lazy).unwrap();
    let silence = |key: &str, until, exponent| Silence {
        key: key.into(),
        until: WallTime(until),
        exponent,
    };
    assert_eq!(
        documents.silences().unwrap(),
        [
            silence("rule", NOW.0 + 9, 1),
            silence("rule.alice", NOW.0 - 1, 0)
        ]
    );
}

#[test]
fn unsent_alerts_come_first_due_first_until_they_are_sent() {
    let directory = TempDir::new().unwrap();
    let documents = open(&directory);
    let writes = numbered([
        alert("late", NOW.0 + 9, false),
        alert("early", NOW.0, false),
        alert("sent", NOW.0, true),
        alert("sent later", NOW.0 + 1, false),
        alert("sent later", NOW.0 + 1, true),
        put(Index::Alerts, "no time", json!({"alert_sent": false})),
        delete(Index::Alerts, "no time"),
    ]);
    documents.apply(&writes, Commit::Lazy).unwrap();
    let ids: Vec<String> = documents
        .unsent_alerts()
        .unwrap()
        .into_iter()
        .map(|stored| stored.id)
        .collect();
    assert_eq!(ids, ["early", "late"]);
}

#[test]
fn a_document_is_queued_once_however_often_it_changed() {
    let directory = TempDir::new().unwrap();
    let documents = open(&directory);
    let writes = numbered([
        alert("a", NOW.0, false),
        status("s", NOW.0),
        alert("a", NOW.0, true),
        alert("b", NOW.0, true),
        delete(Index::Alerts, "b"),
    ]);
    documents.apply(&writes, Commit::Lazy).unwrap();
    let queue = documents.outgoing(0, 10, usize::MAX).unwrap();
    let seen: Vec<_> = queue
        .iter()
        .map(|change| (change.index, &*change.id, change.json.is_some()))
        .collect();
    assert_eq!(
        seen,
        [
            (Index::Status, "s", true),
            (Index::Alerts, "a", true),
            (Index::Alerts, "b", false)
        ]
    );
    assert!(queue[1].json.as_ref().unwrap().contains("true"));
    assert_eq!(documents.outgoing(0, 2, usize::MAX).unwrap(), queue[..2]);
    assert_eq!(documents.outgoing(0, 10, 1).unwrap(), queue[..1]);
    let after_first = documents
        .outgoing(queue[0].position, 10, usize::MAX)
        .unwrap();
    assert_eq!(after_first, queue[1..]);
    // While `s` is on its way it changes again: that change stays queued.
    documents
        .apply(&[(9, status("s", NOW.0 + 1))], Commit::Lazy)
        .unwrap();
    let positions: Vec<u64> = queue.iter().map(|change| change.position).collect();
    documents.acknowledge(&positions).unwrap();
    let rest = documents.outgoing(0, 10, usize::MAX).unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].id, "s");
    assert_eq!(documents.outgoing_count().unwrap(), 1);
}

#[test]
fn without_elasticsearch_nothing_is_queued() {
    let directory = TempDir::new().unwrap();
    open(&directory)
        .apply(&[(1, status("a", NOW.0))], Commit::Durable)
        .unwrap();
    let documents = Documents::open(directory.path(), Forwarding::Off).unwrap();
    documents
        .apply(&[(2, status("b", NOW.0))], Commit::Lazy)
        .unwrap();
    assert_eq!(documents.outgoing_count().unwrap(), 0);
    check_ids(&documents, Index::Status, &["b", "a"]);
}

#[test]
fn old_documents_go_unless_they_still_matter() {
    let directory = TempDir::new().unwrap();
    let documents = open(&directory);
    let old = NOW.0 - 40 * DAY;
    let writes = numbered([
        status("old", old),
        status("new", NOW.0 - 1),
        alert("old sent", old, true),
        alert("old unsent", old, false),
        alert("waiting", NOW.0 + DAY, false),
        put(
            Index::Alerts,
            "fresh alert of an old match",
            json!({"alert_sent": true, "alert_time": at(NOW.0), "@timestamp": at(old)}),
        ),
        put(
            Index::Silence,
            "in force",
            json!({"rule_name": "r", "until": at(NOW.0 + DAY), "@timestamp": at(old)}),
        ),
        put(
            Index::Silence,
            "over",
            json!({"rule_name": "s", "until": at(old + DAY), "@timestamp": at(old)}),
        ),
    ]);
    documents.apply(&writes, Commit::Lazy).unwrap();
    let retention = A_MONTH;
    let first = documents.remove_old(NOW, &retention, 3).unwrap();
    assert_eq!(first.documents, 3);
    let second = documents.remove_old(NOW, &retention, 3).unwrap();
    assert_eq!(
        second,
        Removed {
            documents: 1,
            never_forwarded: 1
        }
    );
    check_ids(&documents, Index::Status, &["new"]);
    check_ids(
        &documents,
        Index::Alerts,
        &["waiting", "fresh alert of an old match"],
    );
    check_ids(&documents, Index::Silence, &["in force"]);
    assert_eq!(documents.outgoing_count().unwrap(), 4);
    assert_eq!(
        documents.remove_old(NOW, &retention, 3).unwrap(),
        Removed::default()
    );
}

#[test]
fn a_store_too_large_loses_its_oldest_status_documents_first() {
    let directory = TempDir::new().unwrap();
    let documents = open(&directory);
    let mut writes = vec![alert("pending", NOW.0, false), alert("sent", NOW.0, true)];
    writes.extend((0..10).map(|i| status(&format!("s{i}"), NOW.0 + i)));
    documents.apply(&numbered(writes), Commit::Lazy).unwrap();
    let size = documents.size().unwrap();
    let mut retention = Retention {
        max_size: size - 1,
        ..A_MONTH
    };
    assert_eq!(
        documents
            .remove_old(NOW, &retention, 100)
            .unwrap()
            .documents,
        1
    );
    assert_eq!(documents.get(Index::Status, "s0").unwrap(), None);
    retention.max_size = 0;
    documents.remove_old(NOW, &retention, 100).unwrap();
    check_ids(&documents, Index::Status, &[]);
    check_ids(&documents, Index::Alerts, &["pending"]);
    let json = documents.get(Index::Alerts, "pending").unwrap().unwrap();
    assert_eq!(
        documents.size().unwrap(),
        ("pending".len() + json.len()) as u64
    );
}

#[test]
fn a_second_user_is_told_so() {
    let directory = TempDir::new().unwrap();
    let _first = open(&directory);
    let error = Documents::open(directory.path(), Forwarding::Queue).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("another tripline uses the store")
    );
}

#[test]
fn a_file_that_is_no_store_is_an_error_that_names_it() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join(FILE), "something else ".repeat(1000)).unwrap();
    let error = Documents::open(directory.path(), Forwarding::Queue).unwrap_err();
    assert!(error.to_string().contains(FILE), "{error}");
    assert!(matches!(error, StoreError::Unreadable { .. }));
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let directory = TempDir::new().unwrap();
    {
        let documents = open(&directory);
        let transaction = documents.begin(Commit::Durable).unwrap();
        Tables::open(&transaction)
            .unwrap()
            .set_meta("format", FORMAT + 1)
            .unwrap();
        transaction.commit().unwrap();
    }
    let error = Documents::open(directory.path(), Forwarding::Queue).unwrap_err();
    assert!(
        matches!(error, StoreError::Format { found: 2, .. }),
        "{error}"
    );
}

#[test]
fn a_damaged_file_is_refused_unless_the_damage_is_in_free_pages() {
    let directory = TempDir::new().unwrap();
    {
        let documents = open(&directory);
        let writes = numbered((0..300).map(|i| status(&format!("s{i}"), NOW.0 + i)));
        documents.apply(&writes, Commit::Durable).unwrap();
    }
    let whole = std::fs::read(directory.path().join(FILE)).unwrap();
    let damaged = TempDir::new().unwrap();
    let mut refused = 0;
    for step in 1..200 {
        let mut bytes = whole.clone();
        if step % 4 == 0 {
            bytes.truncate(whole.len() * step / 200);
        } else {
            // Spread over the file by a multiplicative generator.
            for i in 0..64 {
                let at = (step * 64 + i) * 2_654_435_761 % whole.len();
                bytes[at] ^= 0x5a;
            }
        }
        std::fs::write(damaged.path().join(FILE), bytes).unwrap();
        match Documents::open(damaged.path(), Forwarding::Queue) {
            Ok(documents) => {
                assert_eq!(documents.newest(Index::Status).unwrap().count(), 300);
            }
            Err(StoreError::Unreadable { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 150, "{refused}");
}
