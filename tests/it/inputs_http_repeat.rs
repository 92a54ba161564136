//! Bodies that come again because their sender did not see the answer, and bodies that only look like it.

use crate::inputs_pki::Pki;
use crate::inputs_stage::{ANY, Client, Setup, Stage, json, within};
use serde_json::json as value;
use socket2::SockRef;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tripline::config::{HttpConfig, InputConfig};
use tripline::telemetry::Readiness;

const BODY: &str = r#"[{"a":1},{"a":2},7]"#;

fn repeated() -> serde_json::Value {
    value!({"accepted": 0, "repeated": 2, "rejected": [{"at": 2, "reason": "not a JSON object but a number"}]})
}

fn accepted() -> serde_json::Value {
    value!({"accepted": 2, "repeated": 0, "rejected": [{"at": 2, "reason": "not a JSON object but a number"}]})
}

#[tokio::test]
async fn equal_bodies_that_were_answered_are_two() {
    let stage = Stage::http(|_| {}).await;
    let running = stage.evaluate_all();
    let mut kept = running.connect().await;
    for _ in 0..20 {
        assert_eq!(kept.ask(json(BODY)).await.body, accepted());
        // As curl does it: a connection each, closed after the answer was read.
        let mut client = running.connect().await;
        assert_eq!(client.ask(json(BODY)).await.body, accepted());
    }
    assert_eq!(running.stop().await.len(), 80);
}

#[tokio::test]
async fn equal_bodies_at_once_over_two_connections_are_one() {
    let mut stage = Stage::http(|_| {}).await;
    let mut first = stage.connect().await;
    first.send(json(BODY)).await;
    let batch = stage.batch().await;
    let mut second = stage.connect().await;
    second.send(json(BODY)).await;
    // It waits for the first one's outcome.
    stage
        .metric(r#"tripline_events_repeated_total{input="http"} 2"#)
        .await;
    stage.nothing_more();
    stage.answer(batch);
    assert_eq!(first.answer().await.body, accepted());
    assert_eq!(second.answer().await.body, repeated());
    // Both were answered; what comes now is new.
    first.send(json(BODY)).await;
    stage.events(2).await;
    assert_eq!(first.answer().await.body, accepted());
}

#[tokio::test]
async fn a_client_that_timed_out_comes_again() {
    let mut stage = Stage::http(|_| {}).await;
    let mut first = stage.connect().await;
    first.send(json(BODY)).await;
    let batch = stage.batch().await;
    drop(first);
    stage
        .metric(r#"tripline_connections{input="http"} 0"#)
        .await;
    let mut second = stage.connect().await;
    second.send(json(BODY)).await;
    stage
        .metric(r#"tripline_events_repeated_total{input="http"} 2"#)
        .await;
    stage.answer(batch);
    assert_eq!(second.answer().await.body, repeated());
    stage.nothing_more();
}

#[tokio::test]
async fn a_client_that_left_and_comes_after_the_outcome() {
    let mut stage = Stage::http(|_| {}).await;
    let mut first = stage.connect().await;
    first.send(json(BODY)).await;
    let batch = stage.batch().await;
    // Not a close but a reset, as when a process is killed.
    SockRef::from(&first.stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(first);
    stage
        .metric(r#"tripline_connections{input="http"} 0"#)
        .await;
    stage.answer(batch);
    let mut second = stage.connect().await;
    assert_eq!(second.ask(json(BODY)).await.body, repeated());
    stage.nothing_more();
}

#[tokio::test]
async fn a_client_that_closed_with_the_answer_unread_comes_again() {
    let mut stage = Stage::http(|_| {}).await;
    for _ in 0..20 {
        let mut first = stage.connect().await;
        first.send(json(BODY)).await;
        stage.events(2).await;
        within(first.stream.readable()).await.unwrap();
        drop(first);
        let mut second = stage.connect().await;
        assert_eq!(second.ask(json(BODY)).await.body, repeated());
        stage.nothing_more();
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_503_and_the_retry_gets_the_outcome() {
    let mut stage = Stage::http(|config| config.reply_timeout = Duration::from_millis(20)).await;
    let mut client = stage.connect().await;
    let answer = client.ask(json(BODY)).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );
    let batch = stage.batch().await;
    stage.answer(batch);
    assert_eq!(client.ask(json(BODY)).await.body, repeated());
    stage.nothing_more();
}

#[tokio::test]
async fn what_the_journal_knew_at_the_start_is_a_repeat_once() {
    let mut first = Stage::http(|_| {}).await;
    let mut client = first.connect().await;
    client.send(json(BODY)).await;
    let fingerprint = first.batch().await.fingerprint.unwrap();
    let config = InputConfig::Http(HttpConfig::on(ANY));
    let setup = Setup {
        recovered: vec![fingerprint],
        readiness: Readiness::Ready,
        ..Setup::default()
    };
    let mut second = Stage::with(config, setup).await;
    let mut client = second.connect().await;
    assert_eq!(client.ask(json(BODY)).await.body, repeated());
    client.send(json(BODY)).await;
    second.events(2).await;
    assert_eq!(client.answer().await.body, accepted());
}

#[tokio::test]
async fn over_tls() {
    let pki = Pki::new();
    let mut stage = Stage::http(|config| config.listen.tls = pki.server(false)).await;
    for _ in 0..20 {
        // Both sides say goodbye after the client has closed: no sign that it did not read the answer.
        let mut client = pki.connect(&stage, false).await;
        client.send(json(BODY)).await;
        stage.events(2).await;
        assert_eq!(client.answer().await.body, accepted());
        within(client.stream.shutdown()).await.unwrap();
    }
    let mut client = pki.connect(&stage, false).await;
    client.send(json(BODY)).await;
    stage.events(2).await;
    within(client.stream.get_ref().0.readable()).await.unwrap();
    drop(client);
    let mut client = pki.connect(&stage, false).await;
    assert_eq!(client.ask(json(BODY)).await.body, repeated());
}

/// Whatever clients do between sending a body and reading its answer, as long as they send it until they have read one, it is
/// counted once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_retry_until_they_have_an_answer_are_counted_once() {
    let stage = Stage::http(|_| {}).await;
    let running = stage.evaluate_all();
    let address = running.address();
    let clients = (0..8).map(|client| {
        tokio::spawn(async move {
            for number in 0..50 {
                let body = json(&format!(r#"{{"client":{client},"number":{number}}}"#));
                for attempt in 0.. {
                    let stream = TcpStream::connect(address).await.unwrap();
                    let mut connection = Client::new(stream);
                    connection.send(&body).await;
                    match (client + number + attempt) % 5 {
                        // Reads the answer.
                        0 | 1 => {
                            let answer = connection.answer().await;
                            assert_eq!(answer.status, 200);
                            let decided = answer.body["accepted"].as_u64().unwrap()
                                + answer.body["repeated"].as_u64().unwrap();
                            assert_eq!(decided, 1);
                            break;
                        }
                        // Closes at once.
                        2 => {}
                        // Closes with the answer unread.
                        3 => within(connection.stream.readable()).await.unwrap(),
                        // Is killed.
                        _ => SockRef::from(&connection.stream)
                            .set_linger(Some(Duration::ZERO))
                            .unwrap(),
                    }
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        within(client).await.unwrap();
    }
    let mut events = running.stop().await;
    let count = events.len();
    events.sort();
    events.dedup();
    assert_eq!(events.len(), 400, "every body is counted");
    assert_eq!(count, 400, "no body is counted twice");
}
