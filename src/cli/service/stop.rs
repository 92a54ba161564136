//! When and how the service ends.

use crate::input::Inputs;
use anyhow::Context as _;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The signals that end the service.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen: a signal during the start is not lost.
    pub(super) fn listen(_shutdown: &CancellationToken) -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be listened to");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn any(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Why the service ends, and since when it is ending.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ended {
    /// Somebody said so, and waits: supervisors kill after a while.
    Told(Instant),
    /// The standard input, the only one, is at its end.
    NoMoreEvents,
}

/// Told to end, we take five seconds at most. After these alerts under way are left to the next start.
const LAST_ALERTS: Duration = Duration::from_millis(3500);
/// What the standard input has read is handed over within this time; longer only if it waits for more, which cannot be broken off.
const LAST_LINES: Duration = Duration::from_millis(100);

impl Ended {
    /// How long alerts under way may take before they are left to the next start.
    pub(super) fn patience(self) -> Duration {
        match self {
            Self::Told(at) => LAST_ALERTS.saturating_sub(at.elapsed()),
            Self::NoMoreEvents => Duration::from_secs(30),
        }
    }

    /// How long documents may take to reach Elasticsearch before they are left to the next start.
    pub(super) fn forwarding_patience(self) -> Duration {
        match self {
            Self::Told(_) => Duration::from_millis(500),
            Self::NoMoreEvents => Duration::from_secs(10),
        }
    }
}

/// Waits for the end, and for the inputs to stop.
pub(super) async fn wait(
    mut signals: Signals,
    mut inputs: Inputs,
    only_stdin: bool,
    shutdown: &CancellationToken,
) -> Ended {
    let mut stdin_open = true;
    let ended = loop {
        tokio::select! {
            signal = signals.any() => {
                tracing::info!(signal, "stopping");
                break Ended::Told(Instant::now());
            }
            outcome = inputs.stdin_ended(), if stdin_open => {
                stdin_open = false;
                if let Err(error) = outcome {
                    tracing::error!(%error, "the standard input could not be read to its end");
                }
                if only_stdin {
                    break Ended::NoMoreEvents;
                }
            }
        }
    };
    shutdown.cancel();
    if stdin_open {
        let _waiting = timeout(LAST_LINES, inputs.stdin_ended()).await;
    }
    inputs.stopped().await;
    ended
}

/// Ends the process when its thread panics: without that thread nothing would go on, and a supervisor starts us anew from the journal.
pub(super) struct ExitOnPanic;

impl Drop for ExitOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::exit(crate::cli::exit::BUG);
        }
    }
}
