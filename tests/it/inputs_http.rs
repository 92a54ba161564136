//! Events over HTTP, with the requests of Logstash's `http` output as recorded from it.

use crate::inputs_pki::Pki;
use crate::inputs_stage::{ANY, Logstash, Setup, Stage, json, within};
use serde_json::json as value;
use std::time::Duration;
use tokio::net::TcpStream;
use tripline::config::{AuthConfig, HttpConfig, InputConfig, ListenConfig};
use tripline::input::index_name::IndexName;
use tripline::telemetry::Readiness;

#[tokio::test]
async fn logstash_json_over_one_connection() {
    let mut stage =
        Stage::http(|config| config.source.index = Some("log-virocana-asm".to_owned())).await;
    let mut client = stage.connect().await;
    for number in 0..3 {
        let event = format!(
            r#"{{"@timestamp":"2018-04-06T05:07:14.000Z","violation_rating":"{number}","@version":"1"}}"#
        );
        client.send(json(&event)).await;
        let batch = stage.batch().await;
        assert_eq!(batch.origin.input, "http");
        assert_eq!(
            batch.origin.index.as_ref().and_then(IndexName::fixed),
            Some("log-virocana-asm")
        );
        assert_eq!(batch.events[0].bytes, event);
        assert!(batch.fingerprint.is_some());
        stage.answer(batch);
        let answer = client.answer().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(
            answer.body,
            value!({"accepted": 1, "repeated": 0, "rejected": []})
        );
    }
}

#[tokio::test]
async fn logstash_json_batch_gzip() {
    let mut stage = Stage::http(|_| {}).await;
    let mut client = stage.connect().await;
    let events: Vec<String> = (0..125)
        .map(|number| format!(r#"{{"n":{number}}}"#))
        .collect();
    let body = format!("[{}]", events.join(","));
    let request = Logstash {
        gzip: true,
        ..Logstash::json(&body)
    };
    client.send(request.bytes()).await;
    assert_eq!(stage.events(125).await, events);
    assert_eq!(
        client.answer().await.body,
        value!({"accepted": 125, "repeated": 0, "rejected": []})
    );
}

#[tokio::test]
async fn logstash_form_and_message() {
    let mut stage = Stage::http(|_| {}).await;
    let mut client = stage.connect().await;
    let form = Logstash {
        content_type: "application/x-www-form-urlencoded",
        ..Logstash::json("%40timestamp=2018-04-06T05%3A07%3A14.000Z&violation_rating=3")
    };
    client.send(form.bytes()).await;
    assert_eq!(
        stage.events(1).await,
        [r#"{"@timestamp":"2018-04-06T05:07:14.000Z","violation_rating":"3"}"#]
    );
    assert_eq!(client.answer().await.status, 200);
    let message = Logstash {
        content_type: "text/plain",
        ..Logstash::json("攻撃 from 192.0.2.1")
    };
    client.send(message.bytes()).await;
    assert_eq!(
        stage.events(1).await,
        [r#"{"message":"攻撃 from 192.0.2.1"}"#]
    );
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn other_encodings_methods_and_paths() {
    let stage = Stage::http(|_| {}).await;
    let running = stage.evaluate_all();
    let mut client = running.connect().await;
    let zstd = zstd::encode_all(&b"{\"a\":\"zstd\"}"[..], 3).unwrap();
    let mut deflate = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::ZlibEncoder::new(
            &b"{\"a\":\"deflate\"}"[..],
            flate2::Compression::fast(),
        ),
        &mut deflate,
    )
    .unwrap();
    for (encoding, body) in [
        ("zstd", zstd),
        ("deflate", deflate),
        ("identity", b"{\"a\":\"identity\"}".to_vec()),
    ] {
        let head = format!(
            "PUT /anything/at/all?x=1 HTTP/1.1\r\nHost: x\r\nContent-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = client.ask([head.into_bytes(), body].concat()).await;
        assert_eq!(
            (answer.status, &answer.body["accepted"]),
            (200, &value!(1)),
            "{encoding}"
        );
    }
    let chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{\"a\":\"\r\n9\r\nchunked\"}\r\n0\r\n\r\n";
    assert_eq!(client.ask(chunked).await.status, 200);
    assert_eq!(
        running.stop().await,
        [
            r#"{"a":"zstd"}"#,
            r#"{"a":"deflate"}"#,
            r#"{"a":"identity"}"#,
            r#"{"a":"chunked"}"#
        ]
    );
}

#[tokio::test]
async fn a_request_in_single_bytes() {
    let stage = Stage::http(|_| {}).await;
    let running = stage.evaluate_all();
    let mut client = running.connect().await;
    for byte in json(r#"{"a":1}"#) {
        client.send([byte]).await;
    }
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(running.stop().await, [r#"{"a":1}"#]);
}

#[tokio::test]
async fn bad_events_are_told_apart_from_good_ones() {
    let stage = Stage::http(|_| {}).await;
    let running = stage.evaluate_all();
    let mut client = running.connect().await;
    let answer = client
        .ask(json(r#"[{"a":1},7,{"a":},{"b":"x"},{"c":1}"#))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        value!({"accepted": 3, "repeated": 0, "rejected": [
            {"at": 1, "reason": "not a JSON object but a number"},
            {"at": 2, "reason": "not valid JSON: expected value at byte 6"},
        ]})
    );
    let reasons: Vec<_> = running
        .dead_letters()
        .iter()
        .map(|letter| (letter["input"].clone(), letter["event"].clone()))
        .collect();
    assert_eq!(
        reasons,
        [
            (value!("http"), value!("7")),
            (value!("http"), value!(r#"{"a":}"#))
        ]
    );
}

#[tokio::test]
async fn bodies_of_no_use_get_200_and_one_rejection() {
    let stage = Stage::http(|_| {}).await;
    let running = stage.evaluate_all();
    let mut client = running.connect().await;
    let brackets = "[".repeat(100_000);
    let nested = format!("{{\"a\":{brackets}{}}}", "]".repeat(100_000));
    for (request, reason) in [
        (
            Logstash::json("hello"),
            "not valid JSON: expected value at byte 1",
        ),
        (
            Logstash::json(&brackets),
            "not valid JSON: EOF while parsing a list at byte 99999",
        ),
        (Logstash::json(&nested), "nested more than 128 deep"),
        (Logstash::json(b"{\"a\":\"\xFF\"}"), "not UTF-8: at byte 7"),
        (
            Logstash::json(r#"{"a":"#),
            "not valid JSON: EOF while parsing a value at byte 5",
        ),
    ] {
        let answer = client.ask(request.bytes()).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.body,
            value!({"accepted": 0, "repeated": 0, "rejected": [{"at": 0, "reason": reason}]})
        );
    }
    let long = format!(r#"[{{"a":"{}"}},{{}}]"#, "x".repeat(20_000_000));
    let answer = client.ask(json(&long)).await;
    assert_eq!(
        answer.body,
        value!({"accepted": 1, "repeated": 0, "rejected": [{"at": 0, "reason": "20000008 bytes are more than max_event_size (1048576)"}]})
    );
    let empty = client.ask(json("")).await;
    assert_eq!(
        (empty.status, empty.body),
        (200, value!({"accepted": 0, "repeated": 0, "rejected": []}))
    );
    assert_eq!(running.stop().await.last().unwrap(), "{}");
}

#[tokio::test]
async fn broken_compression_is_a_rejection_too() {
    let stage = Stage::http(|_| {}).await;
    let running = stage.evaluate_all();
    let mut client = running.connect().await;
    for encoding in ["gzip", "zstd", "deflate", "br"] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: {encoding}\r\nContent-Length: 20\r\n\r\n{{\"a\":\"not packed\"}}  "
        );
        let answer = client.ask(request).await;
        assert_eq!(
            (
                answer.status,
                answer.body["rejected"].as_array().unwrap().len()
            ),
            (200, 1),
            "{encoding}"
        );
    }
    assert_eq!(running.dead_letters().len(), 4);
}

#[tokio::test]
async fn too_large_is_413_before_and_after_decompression() {
    let mut stage = Stage::http(|config| config.max_body_size = 1_000_000).await;
    let mut client = stage.connect().await;
    let bomb = vec![b' '; 50_000_000];
    let request = Logstash {
        gzip: true,
        ..Logstash::json(&bomb)
    };
    let answer = client.ask(request.bytes()).await;
    assert_eq!(
        (answer.status, answer.body),
        (
            413,
            value!({"error": "it is larger than max_body_size once decompressed"})
        )
    );
    // The whole body is read, so that the client gets to read the answer, and the connection goes on.
    let answer = client.ask(json(&" ".repeat(5_000_000))).await;
    assert_eq!(
        (answer.status, answer.body),
        (413, value!({"error": "it is larger than max_body_size"}))
    );
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000)).repeat(20);
    let answer = client
        .ask(format!(
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"
        ))
        .await;
    assert_eq!(answer.status, 413);
    client.send(json("{}")).await;
    stage.events(1).await;
    assert_eq!(client.answer().await.status, 200);
    let metrics = stage.metrics.encode().unwrap();
    assert!(
        metrics.contains(r#"tripline_requests_total{input="http",status="413"} 3"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_full_queue_is_429_and_loses_nothing() {
    let config = InputConfig::Http(HttpConfig::on(ANY));
    let mut stage = Stage::with(
        config,
        Setup {
            capacity: 1,
            ..Setup::default()
        },
    )
    .await;
    let mut first = stage.connect().await;
    first.send(json(r#"{"a":1}"#)).await;
    let mut second = stage.connect().await;
    within(async {
        while stage.intake.gauge().read().unwrap().0 == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let answer = second.ask(json(r#"{"a":2}"#)).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some("1"))
    );
    assert_eq!(answer.body, value!({"error": "the queue is full"}));
    assert_eq!(stage.events(1).await, [r#"{"a":1}"#]);
    assert_eq!(first.answer().await.status, 200);
    second.send(json(r#"{"a":2}"#)).await;
    assert_eq!(stage.events(1).await, [r#"{"a":2}"#]);
    assert_eq!(second.answer().await.body["accepted"], 1);
}

#[tokio::test]
async fn not_ready_is_503() {
    let config = InputConfig::Http(HttpConfig::on(ANY));
    let setup = Setup {
        readiness: Readiness::Starting,
        ..Setup::default()
    };
    let mut stage = Stage::with(config, setup).await;
    let mut client = stage.connect().await;
    for (readiness, word) in [
        (Readiness::Starting, "starting"),
        (Readiness::JournalBroken, "the journal cannot be written"),
        (Readiness::Draining, "draining"),
    ] {
        stage.readiness.send_replace(readiness);
        let answer = client.ask(json("{}")).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, Some("1"))
        );
        assert_eq!(answer.body, value!({"error": word}));
        assert_eq!(
            client
                .ask("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
                .await
                .status,
            503
        );
        assert_eq!(
            client
                .ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                .await
                .status,
            200
        );
    }
    stage.readiness.send_replace(Readiness::Ready);
    assert_eq!(
        client
            .ask("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .status,
        200
    );
    stage.nothing_more();
}

#[tokio::test]
async fn a_batch_that_cannot_be_journalled_is_503_and_new_when_it_comes_again() {
    let mut stage = Stage::http(|_| {}).await;
    let mut client = stage.connect().await;
    client.send(json("{}")).await;
    drop(stage.batch().await);
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );
    client.send(json("{}")).await;
    stage.events(1).await;
    assert_eq!(client.answer().await.body["accepted"], 1);
}

#[tokio::test]
async fn credentials() {
    let stage = Stage::http(|config| {
        config.auth = Some(AuthConfig {
            basic: Some(("logstash".to_owned(), "secret".to_owned())),
            bearer: Some("t0ken".to_owned()),
        });
    })
    .await;
    let running = stage.evaluate_all();
    let mut client = running.connect().await;
    for (authorization, status) in [
        (None, 401),
        (Some("Basic bG9nc3Rhc2g6d3Jvbmc="), 401),
        (Some("Basic bG9nc3Rhc2g6c2VjcmV0"), 200),
        (Some("Bearer t0ken"), 200),
        (Some("Bearer wrong"), 401),
    ] {
        let answer = client
            .ask(
                Logstash {
                    authorization,
                    ..Logstash::json("{}")
                }
                .bytes(),
            )
            .await;
        assert_eq!(answer.status, status, "{authorization:?}");
        if status == 401 {
            assert!(
                answer
                    .head
                    .contains("www-authenticate: Basic realm=\"tripline\""),
                "{}",
                answer.head
            );
            assert!(
                answer.head.contains("www-authenticate: Bearer"),
                "{}",
                answer.head
            );
        }
    }
    assert_eq!(
        client.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.status,
        401
    );
    assert_eq!(
        client
            .ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .status,
        200
    );
    assert_eq!(running.stop().await.len(), 2);
}

#[tokio::test]
async fn pages_for_people() {
    let stage = Stage::http(|_| {}).await;
    let mut client = stage.connect().await;
    let answer = client.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(
        answer.body,
        value!({"name": "tripline", "version": env!("CARGO_PKG_VERSION")})
    );
    assert_eq!(
        client
            .ask("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .status,
        404
    );
    let answer = client.ask("DELETE / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("POST, PUT, GET, HEAD"))
    );
}

#[tokio::test]
async fn expect_continue() {
    let mut stage = Stage::http(|_| {}).await;
    let mut client = stage.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 100);
    client.send("{}").await;
    stage.events(1).await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn huge_headers() {
    let stage = Stage::http(|_| {}).await;
    let mut client = stage.connect().await;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    assert_eq!(client.ask(head).await.status, 431);
    let mut client = stage.connect().await;
    let head = format!("POST / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(1_000));
    assert_eq!(client.ask(head).await.status, 431);
    let mut client = stage.connect().await;
    assert_eq!(client.ask("rubbish\r\n\r\n").await.status, 400);
}

#[tokio::test]
async fn clients_that_stop_half_way_are_closed() {
    let stage = Stage::http(|config| config.read_timeout = Duration::from_millis(50)).await;
    let mut fine = stage.connect().await;
    assert_eq!(
        fine.ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .status,
        200
    );
    for begun in [
        &b""[..],
        b"POST / HTTP/1.1\r\nHos",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    ] {
        let mut client = stage.connect().await;
        client.send(begun).await;
        assert!(client.receive().await.is_none());
    }
    // All of that took longer than the time for a first request; a connection that had one goes on.
    assert_eq!(
        fine.ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .status,
        200
    );
    let stage = Stage::http(|config| config.idle_timeout = Duration::from_millis(50)).await;
    let mut client = stage.connect().await;
    assert_eq!(
        client
            .ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .status,
        200
    );
    assert!(client.receive().await.is_none());
}

#[tokio::test]
async fn what_is_in_flight_is_answered_before_the_stop() {
    let mut stage = Stage::http(|_| {}).await;
    let mut idle = stage.connect().await;
    assert_eq!(
        idle.ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .status,
        200
    );
    let mut client = stage.connect().await;
    client.send(json("{}")).await;
    let batch = stage.batch().await;
    stage.shutdown.cancel();
    assert!(idle.receive().await.is_none());
    stage.answer(batch);
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close"))
    );
    let address = stage.address();
    within(stage.inputs.stopped()).await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn tls() {
    let pki = Pki::new();
    let mut stage = Stage::http(|config| config.listen.tls = pki.server(false)).await;
    let mut client = pki.connect(&stage, false).await;
    client.send(json("{}")).await;
    stage.events(1).await;
    assert_eq!(client.answer().await.status, 200);
    // Plain text is no TLS.
    let mut plain = stage.connect().await;
    plain.send(json("{}")).await;
    assert!(plain.receive().await.is_none());
}

#[tokio::test]
async fn mutual_tls() {
    let pki = Pki::new();
    let mut stage = Stage::http(|config| {
        config.listen = ListenConfig {
            tls: pki.server(true),
            ..ListenConfig::on(ANY)
        };
    })
    .await;
    let mut known = pki.connect(&stage, true).await;
    known.send(json("{}")).await;
    stage.events(1).await;
    assert_eq!(known.answer().await.status, 200);
    // With TLS 1.3 the client learns only when it reads that it was not let in.
    let mut unknown = pki.connect(&stage, false).await;
    drop(tokio::io::AsyncWriteExt::write_all(&mut unknown.stream, &json("{}")).await);
    assert!(unknown.receive().await.is_none());
    stage.nothing_more();
}
