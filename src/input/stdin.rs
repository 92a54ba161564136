//! `stdin`: JSON lines on the standard input, until it ends.
//!
//! A thread of its own reads, because a terminal or a pipe cannot be waited for in any other way that is as fast: whole
//! mebibytes at a time from a file, and from a trickling pipe whatever is there, which is handed over at once.

use super::lines::{Line, Lines};
use super::source::{Source, Stopped};
use bytes::BytesMut;
use std::io::{self, Read};
use std::thread;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Size of one read.
const CHUNK: usize = 1024 * 1024;

/// A chunk with less room than this is replaced before the next read.
const LEAST_READ: usize = 64 * 1024;

/// Starts reading `input`. The receiver is told when all of it was handed over, or reading failed.
///
/// The thread cannot be stopped while it waits for its input, so nobody joins it: on a shutdown it ends with the program, or
/// at its next read. What it has read it has handed over.
///
/// # Errors
/// The thread could not be started.
pub(super) fn start(
    input: impl Read + Send + 'static,
    source: Source,
    shutdown: CancellationToken,
) -> io::Result<oneshot::Receiver<io::Result<()>>> {
    let runtime = Handle::current();
    let (done, ended) = oneshot::channel();
    thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            let outcome = read(input, &source, &runtime, &shutdown);
            if let Err(error) = &outcome
                && !shutdown.is_cancelled()
            {
                tracing::error!(input = source.name(), %error, "cannot read");
            }
            // The receiver is gone when the program stopped without waiting for the end of its input.
            drop(done.send(outcome));
        })?;
    Ok(ended)
}

fn read(
    mut input: impl Read,
    source: &Source,
    runtime: &Handle,
    shutdown: &CancellationToken,
) -> io::Result<()> {
    let mut lines = Lines::new(source.max_event_size());
    let mut found = Vec::new();
    let hand_over = |found: &mut Vec<Line>| {
        runtime
            .block_on(source.take_lines(found))
            .map_err(|Stopped| io::Error::other("stopped before the end"))
    };
    // Filled from the front, and split off from the front as whole reads: zeroed once, not for every read.
    let mut chunk = BytesMut::zeroed(CHUNK);
    while !shutdown.is_cancelled() {
        if chunk.len() < LEAST_READ {
            chunk = BytesMut::zeroed(CHUNK);
        }
        match input.read(&mut chunk) {
            Ok(0) => {
                lines.finish(&mut found);
                return hand_over(&mut found);
            }
            Ok(length) => {
                lines.push(chunk.split_to(length).freeze(), &mut found);
                hand_over(&mut found)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                lines.finish(&mut found);
                hand_over(&mut found)?;
                return Err(error);
            }
        }
    }
    Err(io::Error::other("stopped before the end"))
}
