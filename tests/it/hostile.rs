//! What nobody should send, through every input of a running service: it is refused with a reason, and what is sound comes through.

use crate::process::{Home, JSON, PATIENCE, Process, exchange, post, wait_for};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::Stdio;

const DEEP: usize = 100_000;
const LONG: usize = 20 << 20;

/// Lines that are no events.
fn bad_lines() -> Vec<Vec<u8>> {
    vec![
        b"{\"kind\":\"probe\",".to_vec(),
        b"GET / HTTP/1.1".to_vec(),
        b"42".to_vec(),
        "[".repeat(DEEP).into_bytes(),
        "{\"a\":".repeat(DEEP).into_bytes(),
        format!("{{\"a\":{}{}}}", "[".repeat(DEEP), "]".repeat(DEEP)).into_bytes(),
        [&b"{\"message\":\""[..], &[0xff, 0xfe, 0xc0], b"\"}"].concat(),
        [&b"{\"message\":\""[..], &vec![b'x'; LONG], b"\"}"].concat(),
    ]
}

/// Waits until an input has counted all of [`bad_lines`], each kind of reason among them.
fn wait_for_rejections(home: &Home, input: &str) {
    const REASONS: [&str; 5] = [
        "not_json",
        "not_an_object",
        "too_deep",
        "not_utf8",
        "too_long",
    ];
    wait_for(&format!("the rejections of {input}"), || {
        let counts = REASONS.map(|reason| {
            home.metric(&format!(
                "tripline_events_rejected_total{{input=\"{input}\",reason=\"{reason}\"}}"
            ))
        });
        let all = counts.iter().sum::<f64>() == bad_lines().len() as f64;
        all.then(|| assert!(counts.iter().all(|count| *count > 0.0), "{counts:?}"))
    });
}

fn good(client: &str) -> String {
    format!(r#"{{"@timestamp":"2018-04-06T05:07:14Z","kind":"probe","client":"{client}"}}"#)
}

/// The most memory the process has had, in MiB.
fn peak_memory(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes / 1024
}

#[test]
fn every_input_survives_what_nobody_should_send() {
    let home =
        Home::with_inputs("[{http: {listen: \"127.0.0.1:0\"}}, {tcp: {listen: \"127.0.0.1:0\"}}]");
    home.add_rule("probe");
    let mut command = home.command();
    let mut process = Process(
        command
            .arg("--stdin")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let http = home.address("http");
    let tcp = home.address("tcp");

    // Clients that hold on to what they began stay in the way all the time.
    let mut held: Vec<TcpStream> = Vec::new();
    for (address, beginning) in [
        (&http, ""),
        (&http, "POST / HT"),
        (
            &http,
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"kind\"",
        ),
        (
            &http,
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n{",
        ),
        (&tcp, ""),
        (&tcp, "{\"kind\":\"pro"),
    ] {
        for half_open in [false, true] {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(beginning.as_bytes()).unwrap();
            if half_open && address == &http {
                stream.shutdown(Shutdown::Write).unwrap();
            }
            held.push(stream);
        }
    }

    for line in bad_lines() {
        let (status, answer) = post(&http, JSON, &line).unwrap();
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["accepted"], 0, "{answer}");
        assert_eq!(answer["rejected"].as_array().unwrap().len(), 1, "{answer}");
    }
    wait_for_rejections(&home, "http");

    let bomb = bomb();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Encoding: gzip\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        bomb.len()
    );
    let (status, answer) = exchange(&http, &[head.as_bytes(), &bomb].concat()).unwrap();
    assert_eq!(status, 413, "{answer}");

    // Refused in HTTP's words or by closing, whichever the client is still there to see.
    let endless = format!("GET / HTTP/1.1\r\nX-Endless: {}", "x".repeat(LONG));
    let mut stream = TcpStream::connect(&http).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    drop(stream.write_all(endless.as_bytes()));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP/1.1 200"));

    let mut lines = TcpStream::connect(&tcp).unwrap();
    let mut pipe = process.0.stdin.take().unwrap();
    for line in bad_lines() {
        for input in [&mut lines as &mut dyn std::io::Write, &mut pipe] {
            input.write_all(&line).unwrap();
            input.write_all(b"\n").unwrap();
        }
    }
    writeln!(lines, "{}", good("192.0.2.2")).unwrap();
    writeln!(pipe, "{}", good("192.0.2.3")).unwrap();
    wait_for_rejections(&home, "tcp");
    wait_for_rejections(&home, "stdin");

    assert_eq!(
        post(&http, JSON, good("192.0.2.1").as_bytes()).unwrap().0,
        200
    );
    for client in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        home.wait_for_alert(client);
    }

    let letters =
        std::fs::read_to_string(home.path("tripline-state/dead-letter/dead-letter.ndjson"))
            .unwrap();
    for input in ["http", "tcp", "stdin"] {
        let reasons: Vec<Value> = letters
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|letter| letter["input"] == input)
            .map(|letter| letter["reason"].clone())
            .collect();
        assert_eq!(reasons.len(), bad_lines().len(), "{input}: {reasons:?}");
        assert!(
            reasons
                .iter()
                .all(|reason| reason.as_str().unwrap().len() > 5),
            "{reasons:?}"
        );
    }
    let peak = peak_memory(&process);
    assert!(peak < 400, "{peak} MiB");

    drop(held);
    process.signal("TERM");
    assert_eq!(process.exit_within(PATIENCE).unwrap().code(), Some(0));
}

/// Two hundred kilobytes that want to be two hundred megabytes.
fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let spaces = vec![b' '; 1 << 20];
    for _ in 0..200 {
        encoder.write_all(&spaces).unwrap();
    }
    encoder.finish().unwrap()
}
