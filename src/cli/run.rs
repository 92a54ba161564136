//! `tripline run`, also called `elastalert`: the service.

use super::log::LogFormat;
use crate::event::time::parse_iso;
use crate::event::{EventTime, WallTime};
use crate::rule::Bounds;
use anyhow::Context as _;
use std::path::PathBuf;

/// The flags of the service. Those of elastalert2 keep their names.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file [default: config.yaml, else config.yml, else none]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Print alerts instead of sending them, and write nothing; not with --verbose
    #[arg(long, conflicts_with = "verbose")]
    pub(super) debug: bool,
    /// Run only this rule: a file name, in the rules folder
    #[arg(long, value_name = "FILE")]
    pub(super) rule: Option<PathBuf>,
    /// Silence the rule of --rule for a time, such as hours=2, and exit
    #[arg(
        long,
        value_name = "UNITS=NUMBER",
        requires = "rule",
        conflicts_with = "debug"
    )]
    pub(super) silence: Option<String>,
    /// With --silence: only for this value of the rule's query_key
    #[arg(long, value_name = "VALUE", requires = "silence")]
    pub(super) silence_qk_value: Option<String>,
    /// Leave out events before this time (ISO 8601, or NOW); a stream has no other beginning
    #[arg(long, value_name = "TIME")]
    pub(super) start: Option<String>,
    /// Leave out events after this time (ISO 8601)
    #[arg(long, value_name = "TIME")]
    pub(super) end: Option<String>,
    /// Log what each rule did, every run_every
    #[arg(long)]
    pub(super) verbose: bool,
    /// How long to wait for Elasticsearch at start, such as minutes=5. Without effect: events are evaluated without it, and documents
    /// for it wait in the store until it answers
    #[arg(long, value_name = "UNITS=NUMBER", value_parser = duration)]
    pub(super) patience: Option<std::time::Duration>,
    /// Do not reload rules when their files change
    #[arg(long)]
    pub(super) pin_rules: bool,
    /// Log the requests to Elasticsearch
    #[arg(long)]
    pub(super) es_debug: bool,
    /// Append the requests to Elasticsearch to this file, as curl commands
    #[arg(long, value_name = "FILE")]
    pub(super) es_debug_trace: Option<PathBuf>,
    /// Serve Prometheus metrics on this port
    #[arg(long, value_name = "PORT")]
    pub(super) prometheus_port: Option<u16>,
    /// The address for --prometheus-port [default: every address]
    #[arg(long, value_name = "ADDRESS", requires = "prometheus_port")]
    pub(super) prometheus_addr: Option<std::net::IpAddr>,
    /// Read events from the standard input, and end with it unless other inputs are configured
    #[arg(long)]
    pub(super) stdin: bool,
    /// Write the addresses of all listeners to this file once they listen, as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) ready_file: Option<PathBuf>,
    /// How log lines are written
    #[arg(long, value_enum, default_value_t)]
    pub(super) log_format: LogFormat,
}

impl Args {
    /// `--start` and `--end`.
    ///
    /// # Errors
    /// One of them is no time.
    pub(super) fn bounds(&self, now: WallTime) -> anyhow::Result<Bounds> {
        let time = |flag: &str, text: &Option<String>| -> anyhow::Result<Option<EventTime>> {
            let Some(text) = text else { return Ok(None) };
            if text == "NOW" {
                return Ok(Some(now.as_event_time()));
            }
            let time = parse_iso(text).with_context(|| {
                format!("{flag}: {text:?} is no time; expected YYYY-MM-DDTHH:MM:SS, or NOW")
            })?;
            Ok(Some(time.event_time()))
        };
        Ok(Bounds {
            start: time("--start", &self.start)?,
            end: time("--end", &self.end)?,
        })
    }
}

/// `hours=2` as ElastAlert reads it: a unit of Python's timedelta and a number.
pub(super) fn duration(text: &str) -> Result<std::time::Duration, String> {
    let expected =
        "expected a unit and a number such as hours=2; units: weeks, days, hours, minutes, seconds";
    let (unit, number) = text.split_once('=').ok_or(expected)?;
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_| format!("{number:?} is no number: {expected}"))?;
    let seconds = match unit.trim() {
        "weeks" => 604_800.0,
        "days" => 86_400.0,
        "hours" => 3_600.0,
        "minutes" => 60.0,
        "seconds" => 1.0,
        other => return Err(format!("{other:?} is no unit: {expected}")),
    };
    std::time::Duration::try_from_secs_f64(number * seconds)
        .map_err(|_| format!("{text:?} is no possible duration: {expected}"))
}
