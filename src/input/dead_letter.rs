//! The dead-letter file: events that could not be used, with the reason, for people to look at and to send again.
//!
//! One JSON object per line: `{"@timestamp", "input", "reason", "at", "event"}`; an event that is not UTF-8 is under
//! `event_base64` instead. Bounded: at half of `max_size` the file becomes `dead-letter.ndjson.1`, replacing the one before.

use crate::telemetry::{Allowed, Clock, Metrics, RateLimit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Name of the file in the dead-letter folder.
pub const FILE_NAME: &str = "dead-letter.ndjson";

/// Default of `dead_letter.max_size`.
pub const DEFAULT_MAX_SIZE: u64 = 100 * 1024 * 1024;

/// Why an event is of no use, in one of the few words that metrics tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Longer than `max_event_size`.
    TooLong,
    /// Not valid JSON.
    NotJson,
    /// JSON, but not an object.
    NotAnObject,
    /// Objects or arrays in one another too deeply.
    TooDeep,
    /// Not UTF-8.
    NotUtf8,
    /// Its compression cannot be undone.
    Undecodable,
}

impl Reason {
    /// Its label in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::TooDeep => "too_deep",
            Self::NotUtf8 => "not_utf8",
            Self::Undecodable => "undecodable",
        }
    }
}

/// An event that was rejected.
#[derive(Debug, Clone, Copy)]
pub struct Rejected<'a> {
    /// The input it came through.
    pub input: &'a str,
    /// The kind of reason.
    pub reason: Reason,
    /// The reason in words.
    pub detail: &'a str,
    /// What came, or its beginning.
    pub event: &'a [u8],
    /// Its position in its batch, when it came in one.
    pub at: Option<usize>,
}

/// A line of the file.
#[derive(Serialize)]
struct Letter<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: String,
    input: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_base64: Option<String>,
}

/// Takes rejected events: counts them, writes them to the file, and tells some of them to the log.
#[derive(Debug, Clone)]
pub struct DeadLetters(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: Option<Mutex<Rotating>>,
    metrics: Arc<Metrics>,
    clock: Clock,
    told: RateLimit,
    failed: RateLimit,
}

impl DeadLetters {
    /// Opens the file in `folder`, which is made if missing.
    ///
    /// # Errors
    /// The folder or the file cannot be made or opened.
    pub fn open(
        folder: &Path,
        max_size: u64,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> io::Result<Self> {
        let file = Rotating::open(folder, max_size)?;
        Ok(Self::with(Some(Mutex::new(file)), metrics, clock))
    }

    /// Only counts and logs, for commands that leave nothing behind.
    pub fn none(metrics: Arc<Metrics>, clock: Clock) -> Self {
        Self::with(None, metrics, clock)
    }

    fn with(file: Option<Mutex<Rotating>>, metrics: Arc<Metrics>, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            file,
            metrics,
            clock,
            told: RateLimit::new(5, Duration::from_secs(10)),
            failed: RateLimit::new(1, Duration::from_secs(10)),
        }))
    }

    /// One event was rejected. Never fails: a file that cannot be written is counted and logged, and the event is lost.
    pub fn put(&self, rejected: &Rejected<'_>) {
        let now = self.0.clock.now();
        self.0
            .metrics
            .event_rejected(rejected.input, rejected.reason.as_str());
        if let Some(Allowed { suppressed }) = self.0.told.allow(now) {
            tracing::warn!(
                input = rejected.input,
                reason = rejected.detail,
                at = rejected.at,
                suppressed,
                "event rejected"
            );
        }
        let Some(file) = &self.0.file else { return };
        let text = std::str::from_utf8(rejected.event).ok();
        let letter = Letter {
            timestamp: now.to_text(),
            input: rejected.input,
            reason: rejected.detail,
            at: rejected.at,
            event: text,
            event_base64: text.is_none().then(|| BASE64.encode(rejected.event)),
        };
        // Texts and a number always serialise.
        let mut line = serde_json::to_vec(&letter).unwrap_or_default();
        line.push(b'\n');
        let written = file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .append(&line);
        if let Err(error) = written {
            self.0.metrics.dead_letter_lost();
            if let Some(Allowed { suppressed }) = self.0.failed.allow(now) {
                tracing::error!(%error, suppressed, "cannot write the dead-letter file");
            }
        }
    }
}

/// A file that is put aside when it has reached half of the bound, so that both halves together stay within it.
#[derive(Debug)]
struct Rotating {
    path: PathBuf,
    file: File,
    size: u64,
    max_size: u64,
}

impl Rotating {
    fn open(folder: &Path, max_size: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(FILE_NAME);
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            path,
            file,
            size,
            max_size,
        })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let length = line.len() as u64;
        let half = self.max_size / 2;
        if length > half {
            return Err(io::Error::other(format!(
                "an event of {length} bytes does not fit into half of max_size ({})",
                self.max_size
            )));
        }
        if self.size + length > half {
            fs::rename(&self.path, self.path.with_extension("ndjson.1"))?;
            self.file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&self.path)?;
            self.size = 0;
        }
        self.file.write_all(line)?;
        self.size += length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::WallTime;
    use serde_json::{Value, json};

    fn open(folder: &Path, max_size: u64) -> DeadLetters {
        // 2018-04-06T05:07:14Z
        let clock = Clock::new(|| WallTime(1_522_991_234_000_000));
        DeadLetters::open(folder, max_size, Arc::default(), clock).unwrap()
    }

    fn reject(letters: &DeadLetters, event: &[u8]) {
        letters.put(&Rejected {
            input: "http",
            reason: Reason::NotJson,
            detail: "not valid JSON: expected value at byte 3",
            event,
            at: Some(7),
        });
    }

    fn read(path: &Path) -> Vec<Value> {
        let text = fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn writes_what_came_and_why() {
        let folder = tempfile::tempdir().unwrap();
        let letters = open(folder.path(), DEFAULT_MAX_SIZE);
        reject(&letters, b"{\"a\":}");
        reject(&letters, b"\xFF{}");
        assert_eq!(
            read(&folder.path().join(FILE_NAME)),
            [
                json!({"@timestamp": "2018-04-06T05:07:14Z", "input": "http", "at": 7,
                    "reason": "not valid JSON: expected value at byte 3", "event": "{\"a\":}"}),
                json!({"@timestamp": "2018-04-06T05:07:14Z", "input": "http", "at": 7,
                    "reason": "not valid JSON: expected value at byte 3", "event_base64": "/3t9"}),
            ]
        );
    }

    #[test]
    fn stays_within_its_bound_and_drops_the_oldest() {
        let folder = tempfile::tempdir().unwrap();
        let letters = open(folder.path(), 2000);
        for number in 0..100 {
            reject(&letters, format!("event {number}").as_bytes());
        }
        let new = read(&folder.path().join(FILE_NAME));
        let old = read(&folder.path().join("dead-letter.ndjson.1"));
        let size: u64 = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        assert!(size <= 2000, "{size}");
        assert_eq!(new.last().unwrap()["event"], "event 99");
        let numbers: Vec<&Value> = old
            .iter()
            .chain(&new)
            .map(|letter| &letter["event"])
            .collect();
        assert!(numbers.len() > 6 && numbers.len() < 100, "{numbers:?}");
    }

    #[test]
    fn goes_on_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        reject(&open(folder.path(), 2000), b"1");
        reject(&open(folder.path(), 2000), b"2");
        assert_eq!(read(&folder.path().join(FILE_NAME)).len(), 2);
    }

    #[test]
    fn counts_what_it_cannot_keep() {
        let folder = tempfile::tempdir().unwrap();
        let metrics = Arc::new(Metrics::new());
        let clock = Clock::new(|| WallTime(0));
        let letters = DeadLetters::open(folder.path(), 200, Arc::clone(&metrics), clock).unwrap();
        reject(&letters, &[b'x'; 1000]);
        let text = metrics.encode().unwrap();
        assert!(
            text.contains("tripline_dead_letters_lost_total 1"),
            "{text}"
        );
        assert!(
            text.contains(r#"tripline_events_rejected_total{input="http",reason="not_json"} 1"#)
        );
    }
}
