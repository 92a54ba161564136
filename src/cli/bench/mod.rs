//! `tripline bench`: how fast events are decided under some rules, beside the limit measured in the same run.

mod limit;

use super::{data, exit, load_config, loader, output, report};
use crate::config::yaml_files;
use crate::event::{RawEvent, WallTime};
use crate::rule::{Decider, Workspace};
use limit::Wanted;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Measure how fast rules decide events
#[derive(clap::Args)]
pub(super) struct Args {
    /// A rule file, or a folder with rules; may be repeated
    #[arg(long = "rules", value_name = "FILE|DIR", required = true)]
    rules: Vec<PathBuf>,
    /// A file with events: JSON lines or a JSON array, plain, gzip or zstd
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Use only so many of the events
    #[arg(long, value_name = "N")]
    events: Option<usize>,
    /// Threads that decide at once
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Measure so many times; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// What to measure
    #[arg(long, value_enum, default_value_t = Part::Both)]
    part: Part,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The configuration file [default: config.yaml, else config.yml, else none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Deciding, and the limit
    Both,
    /// Deciding
    Decide,
    /// Reading the same fields with `serde_json`
    Limit,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Events in a batch: as many as the inputs put into one.
const BATCH: usize = 512;

/// What is counted in one round; the same in each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counted {
    hits: u64,
    decisions: usize,
    rejected: usize,
}

impl Counted {
    fn add(&mut self, other: Self) {
        self.hits += other.hits;
        self.decisions += other.decisions;
        self.rejected += other.rejected;
    }
}

/// Everything that is printed.
struct Outcome {
    threads: usize,
    rules: usize,
    left_out: usize,
    events: usize,
    bytes: usize,
    fields: Vec<String>,
    /// The names of rules that are asked for every event.
    always: Vec<String>,
    counted: Counted,
    deciding: Vec<Duration>,
    limit: Vec<Duration>,
    load: Duration,
    memory: Memory,
}

/// What the process had in memory, in bytes, as far as the system tells. But for the peak, what is read from the program's own file is left out: it is as
/// much for one rule as for many.
struct Memory {
    before: Option<u64>,
    rules: Option<u64>,
    compiled: Option<u64>,
    peak: Option<u64>,
}

/// Loads, measures and prints; the exit code.
pub(super) fn run(args: &Args) -> anyhow::Result<i32> {
    let (config, _) = load_config(args.config.as_deref(), true)?;
    let mut files = Vec::new();
    for path in &args.rules {
        match yaml_files(path, config.scan_subdirectories) {
            _ if !path.is_dir() => files.push(path.clone()),
            Ok(found) => files.extend(found),
            Err(problem) => anyhow::bail!("{problem}"),
        }
    }
    let before = status("RssAnon:");
    let started = Instant::now();
    let loaded = loader(config, None, false)?.load_files(&files);
    let with_rules = status("RssAnon:");
    let rules = loaded.rules.rules.len();
    if rules == 0 {
        report(&loaded.problems);
        anyhow::bail!("no rule can run");
    }
    let decider = Decider::new(Arc::clone(&loaded.rules));
    let load = started.elapsed();
    let compiled = status("RssAnon:");

    let mut events: Vec<RawEvent> = data::read(&args.data)?
        .into_iter()
        .map(|bytes| RawEvent { bytes, meta: None })
        .collect();
    events.truncate(args.events.unwrap_or(usize::MAX));
    anyhow::ensure!(!events.is_empty(), "{}: no events", args.data.display());
    let fields = decider.fields();
    let wanted = Wanted::of(&fields);
    let (mut deciding, mut limit) = (Vec::new(), Vec::new());
    let mut counted = Counted::default();
    for _ in 0..args.rounds.max(1) {
        if args.part != Part::Decide {
            let (took, _) = measure(args.threads, &events, &|events| read(&wanted, events));
            limit.push(took);
        }
        if args.part != Part::Limit {
            let (took, round) = measure(args.threads, &events, &|events| decide(&decider, events));
            deciding.push(took);
            counted = round;
        }
    }
    deciding.sort();
    limit.sort();
    let outcome = Outcome {
        threads: args.threads,
        rules,
        left_out: files.len() - rules - loaded.disabled.len(),
        events: events.len(),
        bytes: events.iter().map(|event| event.bytes.len()).sum(),
        fields,
        always: decider
            .asked_for_every_event()
            .map(|rule| rule.name.clone())
            .collect(),
        counted,
        deciding,
        limit,
        load,
        memory: Memory {
            before,
            rules: with_rules,
            compiled,
            peak: status("VmHWM:"),
        },
    };
    output::line(&match args.format {
        Format::Text => outcome.text(),
        Format::Json => outcome.json().to_string(),
    });
    Ok(exit::FINE)
}

/// Does some work on all events, each thread on its part of them, and says how long that took.
fn measure(
    threads: usize,
    events: &[RawEvent],
    work: &(dyn Fn(&[RawEvent]) -> Counted + Sync),
) -> (Duration, Counted) {
    let part = events.len().div_ceil(threads.max(1));
    let started = Instant::now();
    let counted = if threads <= 1 {
        work(events)
    } else {
        std::thread::scope(|scope| {
            let parts: Vec<_> = events
                .chunks(part)
                .map(|part| scope.spawn(move || work(part)))
                .collect();
            let mut all = Counted::default();
            for part in parts {
                all.add(
                    part.join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                );
            }
            all
        })
    };
    (started.elapsed(), counted)
}

fn decide(decider: &Decider, events: &[RawEvent]) -> Counted {
    let mut counted = Counted::default();
    let mut workspace = Workspace::default();
    for batch in events.chunks(BATCH) {
        let decided = decider.decide_in(&mut workspace, batch, None, WallTime(0));
        counted.add(Counted {
            hits: decided.counts.iter().map(|(_, counts)| counts.hits).sum(),
            decisions: decided.decisions.len(),
            rejected: decided.rejected.len(),
        });
    }
    counted
}

fn read(wanted: &Wanted, events: &[RawEvent]) -> Counted {
    // What is no event is counted when it is decided.
    let read = events
        .iter()
        .filter_map(|event| wanted.read(&event.bytes).ok());
    std::hint::black_box(read.sum::<usize>());
    Counted::default()
}

/// A line of `/proc/self/status` in bytes, where there is one.
fn status(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The middle one of sorted times, and what it means for the events.
#[derive(Clone, Copy)]
struct Speed {
    events_per_second: f64,
    megabytes_per_second: f64,
    nanoseconds: f64,
    fastest: f64,
    slowest: f64,
}

impl Outcome {
    #[expect(clippy::cast_precision_loss, reason = "shown with four digits at most")]
    fn speed(&self, times: &[Duration]) -> Option<Speed> {
        let events = self.events as f64;
        let each = |time: &Duration| time.as_secs_f64() * 1e9 / events;
        let middle = times.get(times.len() / 2)?;
        Some(Speed {
            events_per_second: events / middle.as_secs_f64(),
            megabytes_per_second: self.bytes as f64 / middle.as_secs_f64() / 1e6,
            nanoseconds: each(middle),
            fastest: times.first().map(each)?,
            slowest: times.last().map(each)?,
        })
    }

    fn ratio(&self) -> Option<f64> {
        let (deciding, limit) = (self.speed(&self.deciding)?, self.speed(&self.limit)?);
        Some(limit.nanoseconds / deciding.nanoseconds)
    }

    /// By how much the process grew, for each rule.
    fn per_rule(&self, from: Option<u64>, to: Option<u64>) -> Option<u64> {
        let grown = to?.saturating_sub(from?);
        grown.checked_div(u64::try_from(self.rules).ok()?)
    }

    fn text(&self) -> String {
        let mut lines = vec![
            format!(
                "{} rules ({} cannot run), {} events of {} bytes, {} fields looked at, {} threads",
                self.rules,
                self.left_out,
                self.events,
                self.bytes / self.events.max(1),
                self.fields.len(),
                self.threads
            ),
            format!("load: {:.3} s", self.load.as_secs_f64()),
            format!(
                "{} rules must be asked for every event (named by --format json)",
                self.always.len()
            ),
        ];
        let Memory {
            before,
            rules,
            compiled,
            peak,
        } = self.memory;
        if let (Some(rule), Some(program)) =
            (self.per_rule(before, rules), self.per_rule(rules, compiled))
        {
            let peak = peak.unwrap_or_default() / (1024 * 1024);
            lines.push(format!(
                "memory: {rule} bytes a rule as loaded, {program} more to decide; peak with the events {peak} MiB"
            ));
        }
        for (name, times) in [
            ("decided", &self.deciding),
            ("serde_json alone", &self.limit),
        ] {
            let Some(speed) = self.speed(times) else {
                continue;
            };
            lines.push(format!(
                "{name}: {:.0} events/s, {:.0} MB/s, {:.0} ns an event ({:.0} to {:.0})",
                speed.events_per_second,
                speed.megabytes_per_second,
                speed.nanoseconds,
                speed.fastest,
                speed.slowest
            ));
        }
        if let Some(ratio) = self.ratio() {
            lines.push(format!(
                "{:.0} % of the speed of serde_json alone",
                ratio * 100.0
            ));
        }
        if !self.deciding.is_empty() {
            let Counted {
                hits,
                decisions,
                rejected,
            } = self.counted;
            lines.push(format!(
                "{hits} hits, {decisions} of them for the engine; {rejected} events were none"
            ));
        }
        lines.join("\n")
    }

    fn json(&self) -> serde_json::Value {
        let speed = |times| {
            self.speed(times).map(|speed| {
                json!({
                    "events_per_second": speed.events_per_second,
                    "megabytes_per_second": speed.megabytes_per_second,
                    "nanoseconds": speed.nanoseconds,
                    "fastest": speed.fastest,
                    "slowest": speed.slowest,
                })
            })
        };
        json!({
            "threads": self.threads,
            "rules": self.rules,
            "rules_left_out": self.left_out,
            "events": self.events,
            "bytes": self.bytes,
            "fields": self.fields,
            "asked_for_every_event": self.always,
            "load_seconds": self.load.as_secs_f64(),
            "bytes_per_rule": self.per_rule(self.memory.before, self.memory.rules),
            "program_bytes_per_rule": self.per_rule(self.memory.rules, self.memory.compiled),
            "peak_bytes": self.memory.peak,
            "decided": speed(&self.deciding),
            "serde_json": speed(&self.limit),
            "ratio": self.ratio(),
            "hits": self.counted.hits,
            "decisions": self.counted.decisions,
            "rejected": self.counted.rejected,
        })
    }
}
