//! `stdin`: JSON lines on the standard input, until it ends.
//!
//! A thread of its own reads, because a terminal or a pipe cannot be waited for in any other way that is as fast: a large
//! chunk at a time from a file, and from a trickling pipe whatever is there, which is handed over at once.

use super::lines::{Line, Lines};
use super::source::{Source, Stopped};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::thread;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Size of one read.
const CHUNK: usize = 256 * 1024;

/// A chunk with less room than this is replaced before the next read.
const LEAST_READ: usize = 64 * 1024;

/// So many chunks are remembered at most, to be filled again when nobody has a part of them any more: as many as are on their way.
const CHUNKS: usize = 128;

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
    // Filled from the front, and split off from the front as whole reads.
    let mut chunks = Chunks::default();
    let mut chunk = BytesMut::new();
    while !shutdown.is_cancelled() {
        if chunk.len() < LEAST_READ {
            chunk = chunks.take();
        }
        match input.read(&mut chunk) {
            Ok(0) => {
                lines.finish(&mut found);
                return hand_over(&mut found);
            }
            Ok(length) => {
                let read = chunk.split_to(length).freeze();
                chunks.remember(&read);
                lines.push(read, &mut found);
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

/// The chunks on their way, the oldest first: memory that is used again need not be got, and zeroed, anew.
#[derive(Default)]
struct Chunks {
    /// The beginning of each.
    begun: VecDeque<Bytes>,
    /// Whether the next read begins a chunk.
    is_new: bool,
}

impl Chunks {
    fn take(&mut self) -> BytesMut {
        self.is_new = true;
        let Some(oldest) = self.begun.pop_front() else {
            return BytesMut::zeroed(CHUNK);
        };
        match oldest.try_into_mut() {
            Ok(mut chunk) => {
                chunk.resize(CHUNK, 0);
                chunk
            }
            Err(in_use) => {
                self.begun.push_front(in_use);
                BytesMut::zeroed(CHUNK)
            }
        }
    }

    fn remember(&mut self, read: &Bytes) {
        if std::mem::take(&mut self.is_new) && self.begun.len() < CHUNKS {
            self.begun.push_back(read.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_filled_again_when_nobody_has_a_part_of_it() {
        let mut chunks = Chunks::default();
        let mut chunk = chunks.take();
        let read = chunk.split_to(LEAST_READ).freeze();
        let place = read.as_ptr();
        chunks.remember(&read);
        drop(chunk);
        assert_ne!(chunks.take().as_ptr(), place);
        drop(read);
        let again = chunks.take();
        assert_eq!((again.as_ptr(), again.len()), (place, CHUNK));
    }
}
