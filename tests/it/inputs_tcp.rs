//! JSON lines over TCP.

use crate::inputs_pki::Pki;
use crate::inputs_stage::{ANY, Setup, Stage, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tripline::config::{InputConfig, TcpConfig};

#[tokio::test]
async fn lines_torn_over_packets() {
    let mut stage = Stage::tcp(|_| {}).await;
    let mut client = stage.connect().await;
    client.send("{\"a\":").await;
    client.send("1}\r").await;
    client.send("\n\r\n{\"a\":2}\n{\"a\":3").await;
    assert_eq!(stage.events(2).await, [r#"{"a":1}"#, r#"{"a":2}"#]);
    client.send("}").await;
    drop(client);
    assert_eq!(stage.events(1).await, [r#"{"a":3}"#]);
}

#[tokio::test]
async fn many_connections_at_once() {
    let stage = Stage::tcp(|_| {}).await;
    let running = stage.evaluate_all();
    let mut clients = Vec::new();
    for number in 0..100 {
        let mut client = running.connect().await;
        client
            .send(format!("{{\"connection\":{number},\"line\":"))
            .await;
        clients.push(client);
    }
    // One byte at a time, and all connections by turns.
    for byte in ["1", "}", "\n", "{", "}", "\n"] {
        for client in &mut clients {
            client.send(byte).await;
        }
    }
    drop(clients);
    let mut events = running.stop().await;
    events.sort();
    let mut expected: Vec<String> = (0..100)
        .map(|number| format!("{{\"connection\":{number},\"line\":1}}"))
        .collect();
    expected.extend(std::iter::repeat_n("{}".to_owned(), 100));
    expected.sort();
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_full_intake_stops_reading_and_loses_nothing() {
    let config = InputConfig::Tcp(TcpConfig::on(ANY));
    let setup = Setup {
        capacity: 1,
        ..Setup::default()
    };
    let mut stage = Stage::with(config, setup).await;
    let mut client = stage.connect().await;
    let line = format!("{{\"pad\":\"{}\"}}\n", "x".repeat(10_000));
    let sender = tokio::spawn(async move {
        for _ in 0..5_000 {
            client.send(&line).await;
        }
    });
    let mut count = 0;
    while count < 5_000 {
        assert!(stage.intake.gauge().read().unwrap().0 <= 1);
        count += stage.batch().await.events.len();
    }
    within(sender).await.unwrap();
}

#[tokio::test]
async fn a_line_of_20_megabytes_is_rejected_alone() {
    let mut stage = Stage::tcp(|_| {}).await;
    let mut client = stage.connect().await;
    client.send("x".repeat(20_000_000)).await;
    client.send("\n{\"a\":1}\n").await;
    assert_eq!(stage.events(1).await, [r#"{"a":1}"#]);
    assert_eq!(
        stage.dead_letters()[0]["reason"],
        "20000000 bytes are more than max_event_size (1048576)"
    );
}

#[tokio::test]
async fn what_was_sent_before_the_stop_is_taken() {
    let stage = Stage::tcp(|_| {}).await;
    let mut idle = stage.connect().await;
    let mut client = stage.connect().await;
    let running = stage.evaluate_all();
    client.send("{\"a\":1}\n".repeat(10_000)).await;
    let events = running.stop().await;
    assert_eq!(events.len(), 10_000);
    assert_eq!(within(idle.stream.read_u8()).await.ok(), None);
}

#[tokio::test]
async fn more_connections_than_allowed_are_closed() {
    let mut stage = Stage::tcp(|config| config.listen.max_connections = 1).await;
    let mut first = stage.connect().await;
    first.send("{\"a\":1}\n").await;
    stage.events(1).await;
    let mut second = stage.connect().await;
    assert_eq!(within(second.stream.read_u8()).await.ok(), None);
    drop(first);
    // The slot is free again once the first connection's task has ended.
    let batch = loop {
        let mut third = stage.connect().await;
        // Fails when the connection was closed already.
        drop(third.stream.write_all(b"{\"a\":3}\n").await);
        tokio::select! {
            batch = stage.batch() => break batch,
            read = third.stream.read_u8() => assert!(read.is_err()),
        }
    };
    assert_eq!(&batch.events[0].bytes[..], b"{\"a\":3}");
    let metrics = stage.metrics.encode().unwrap();
    assert!(
        metrics.contains(
            r#"tripline_connections_refused_total{input="tcp",reason="max_connections"}"#
        ),
        "{metrics}"
    );
}

#[tokio::test]
async fn the_address_must_be_free() {
    let stage = Stage::tcp(|_| {}).await;
    let taken = stage.address();
    assert!(TcpStream::connect(taken).await.is_ok());
    let error = Stage::start(InputConfig::Tcp(TcpConfig::on(taken)), Setup::default())
        .await
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        format!("input tcp: cannot listen on {taken}: Address already in use (os error 98)")
    );
}

#[tokio::test]
async fn mutual_tls() {
    let pki = Pki::new();
    let mut stage = Stage::tcp(|config| config.listen.tls = pki.server(true)).await;
    let mut known = pki.connect(&stage, true).await;
    known.send("{\"a\":1}\n{\"a\":2}").await;
    assert_eq!(stage.events(1).await, [r#"{"a":1}"#]);
    within(known.stream.shutdown()).await.unwrap();
    assert_eq!(stage.events(1).await, [r#"{"a":2}"#]);
    let mut unknown = pki.connect(&stage, false).await;
    drop(unknown.stream.write_all(b"{\"a\":3}\n").await);
    assert!(within(unknown.stream.read_u8()).await.is_err());
    stage.nothing_more();
}
