//! The log, on standard error: `TIME LEVEL message key=value…`, or JSON lines.

use std::fmt;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// Starts logging. `RUST_LOG` decides what is logged when it is set.
pub(super) fn start(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("warn,tripline={level}")));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_timer(WallClock);
    let started = match format {
        LogFormat::Text => log.with_ansi(colours(&std::io::stderr())).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    debug_assert!(started.is_ok(), "logging is started once");
}

/// Whether a stream is to show colours: a terminal, unless `NO_COLOR` says no.
pub(super) fn colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

struct WallClock;

impl FormatTime for WallClock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = super::clock::now();
        // Milliseconds are enough, and always there, so that columns line up.
        let text = crate::event::WallTime(
            now.0 / 1000 * 1000 + i64::from(now.0 % 1_000_000 < 1000) * 1000,
        )
        .to_text();
        writer.write_str(&text)
    }
}
