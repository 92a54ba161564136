//! `--stdin`: JSON lines until the end.

use crate::inputs_stage::{Setup, Stage, within};
use std::io::{Cursor, Read, Write as _};
use tripline::config::{InputConfig, SourceConfig, StdinConfig};

async fn stage(stdin: impl Read + Send + 'static) -> Stage {
    let config = InputConfig::Stdin(StdinConfig {
        source: SourceConfig {
            max_event_size: 100_000,
            ..SourceConfig::named("stdin")
        },
    });
    let setup = Setup {
        stdin: Box::new(stdin),
        ..Setup::default()
    };
    Stage::with(config, setup).await
}

#[tokio::test]
async fn reads_to_the_end() {
    let text = b"\xEF\xBB\xBF{\"a\":1}\r\n\n{\"a\":2}\n{\"a\":3}";
    let mut stage = stage(Cursor::new(text)).await;
    let batch = stage.batch().await;
    assert_eq!(
        (batch.origin.input.as_str(), batch.events.len()),
        ("stdin", 2)
    );
    assert_eq!(stage.events(1).await, [r#"{"a":3}"#]);
    within(stage.inputs.stdin_ended()).await.unwrap();
    stage.nothing_more();
    assert!(!stage.inputs.listens());
}

#[tokio::test]
async fn every_line_of_a_large_file_once_and_in_order() {
    let lines: Vec<String> = (0..50_000)
        .map(|number| {
            format!(
                "{{\"n\":{number},\"pad\":\"{}\"}}",
                "x".repeat(number % 200)
            )
        })
        .collect();
    let mut stage = stage(Cursor::new(lines.join("\n"))).await;
    let mut events = Vec::new();
    while events.len() < lines.len() {
        let batch = stage.batch().await;
        assert!(batch.events.len() <= 4096 && batch.size() <= 1024 * 1024 + 250);
        events.extend(
            batch
                .events
                .iter()
                .map(|event| String::from_utf8(event.bytes.to_vec()).unwrap()),
        );
    }
    assert!(events == lines);
    within(stage.inputs.stdin_ended()).await.unwrap();
    let metrics = stage.metrics.encode().unwrap();
    assert!(
        metrics.contains(r#"tripline_events_total{input="stdin"} 50000"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_trickling_line_arrives_before_the_next_one() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut stage = stage(reader).await;
    for number in 0..3 {
        writer
            .write_all(format!("{{\"n\":{number}}}\n{{\"torn").as_bytes())
            .unwrap();
        assert!(stage.events(1).await[0].ends_with(&format!("\"n\":{number}}}")));
        writer.write_all(b"\":0,").unwrap();
        writer.flush().unwrap();
        // The rest of the torn line comes with the next one.
    }
    writer.write_all(b"\"n\":3}").unwrap();
    drop(writer);
    assert_eq!(stage.events(1).await, [r#"{"torn":0,"n":3}"#]);
    within(stage.inputs.stdin_ended()).await.unwrap();
}

#[tokio::test]
async fn a_line_of_20_megabytes_is_rejected_alone() {
    let long = std::io::repeat(b'x').take(20_000_000);
    let text = Cursor::new(b"{\"a\":1}\n")
        .chain(long)
        .chain(Cursor::new(b"\n{\"a\":2}\n"));
    let mut stage = stage(text).await;
    assert_eq!(stage.events(2).await, [r#"{"a":1}"#, r#"{"a":2}"#]);
    let letters = stage.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        letters[0]["reason"],
        "20000000 bytes are more than max_event_size (100000)"
    );
    assert_eq!(letters[0]["event"], "x".repeat(1024));
    let metrics = stage.metrics.encode().unwrap();
    assert!(
        metrics.contains(r#"tripline_events_rejected_total{input="stdin",reason="too_long"} 1"#)
    );
}

#[tokio::test]
async fn a_full_intake_holds_reading_back() {
    let text = "{}\n".repeat(3_000_000);
    let config = InputConfig::Stdin(StdinConfig {
        source: SourceConfig::named("stdin"),
    });
    let setup = Setup {
        capacity: 1,
        stdin: Box::new(Cursor::new(text)),
        ..Setup::default()
    };
    let mut stage = Stage::with(config, setup).await;
    let mut count = 0;
    while count < 3_000_000 {
        assert!(stage.intake.gauge().read().unwrap().0 <= 1);
        count += stage.batch().await.events.len();
    }
    within(stage.inputs.stdin_ended()).await.unwrap();
}

#[tokio::test]
async fn says_when_it_cannot_read_on() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let mut stage = stage(Cursor::new(b"{\"a\":1}").chain(Broken)).await;
    assert_eq!(stage.events(1).await, [r#"{"a":1}"#]);
    let error = within(stage.inputs.stdin_ended()).await.unwrap_err();
    assert_eq!(error.to_string(), "the disk is gone");
}
