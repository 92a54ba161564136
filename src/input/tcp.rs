//! `tcp`: JSON lines over TCP, from any number of connections at once.
//!
//! Nothing is acknowledged, as the protocol has no words for it. When the intake is full the connection is not read, and TCP
//! itself holds the sender back.

use super::lines::Lines;
use super::listener::{Handler, QUIET};
use super::source::Source;
use super::watch::Watch;
use bytes::BytesMut;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Size of a connection's read buffer.
const CHUNK: usize = 64 * 1024;

/// A buffer with less room than this is replaced before the next read.
const LEAST_READ: usize = 4 * 1024;

/// When the program stops, up to this much of what a connection has sent already is still taken.
const DRAIN_BYTES: usize = 16 * 1024 * 1024;

/// Serves the connections of one `tcp` input.
#[derive(Debug)]
pub(super) struct Tcp {
    source: Source,
}

impl Tcp {
    pub(super) fn new(source: Source) -> Self {
        Self { source }
    }
}

impl Handler for Tcp {
    async fn serve<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        &self,
        mut stream: S,
        _: &Arc<Watch>,
        shutdown: &CancellationToken,
    ) {
        let mut lines = Lines::new(self.source.max_event_size());
        let mut found = Vec::new();
        let mut buffer = BytesMut::new();
        let mut draining = 0;
        loop {
            if buffer.capacity() < LEAST_READ {
                buffer.reserve(CHUNK);
            }
            let read = if shutdown.is_cancelled() {
                // Only what has been sent already; a line that is torn then is lost, as its end never came.
                match timeout(QUIET, stream.read_buf(&mut buffer)).await {
                    Ok(read) if draining < DRAIN_BYTES => read,
                    _ => return,
                }
            } else {
                // Cancel-safe: read_buf() has either read into the buffer and returns it, or has not read.
                tokio::select! {
                    read = stream.read_buf(&mut buffer) => read,
                    () = shutdown.cancelled() => continue,
                }
            };
            let ended = match read {
                Ok(0) => true,
                Ok(length) => {
                    if shutdown.is_cancelled() {
                        draining += length;
                    }
                    lines.push(buffer.split().freeze(), &mut found);
                    false
                }
                Err(error) => {
                    tracing::debug!(input = self.source.name(), %error, "connection broken");
                    true
                }
            };
            if ended {
                lines.finish(&mut found);
            }
            if self.source.take_lines(&mut found).await.is_err() || ended {
                return;
            }
        }
    }
}
