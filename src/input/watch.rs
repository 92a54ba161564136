//! A TCP stream that remembers how its peer left: whether what we wrote last can have reached it.
//!
//! A peer that closes a socket with unread data in it, or that gets data after it has closed, answers with a reset. Seen
//! after an HTTP answer, this means that the answer was not read, and that the request will come again.

use socket2::SockRef;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The peer closed it, and everything we wrote before has reached it.
    Left,
    /// What we wrote last is lost, or may be.
    Broken,
}

/// Watches one connection.
#[derive(Debug)]
pub struct Watch {
    stream: TcpStream,
    /// The first thing that was seen of its end; later errors are of our own making, as when TLS says goodbye to a peer that
    /// has closed already.
    end: OnceLock<End>,
}

impl Watch {
    pub(super) fn new(stream: TcpStream) -> Arc<Self> {
        Arc::new(Self {
            stream,
            end: OnceLock::new(),
        })
    }

    /// Whether the connection has ended in a way that loses what was written last. Asks the system, so that a reset that has
    /// arrived is seen before the connection's own task has read it.
    pub(super) fn is_broken(&self) -> bool {
        if self.end.get().is_none() && matches!(self.stream.take_error(), Ok(None)) {
            return false;
        }
        *self.end.get_or_init(|| End::Broken) == End::Broken
    }

    /// Remembers how it ended, unless it has ended before.
    fn ended(&self, how: End) {
        self.end.get_or_init(|| how);
    }

    /// The peer has closed its side; a peer that closed before it read our answer has also answered it with a reset by now.
    fn left(&self) {
        match self.stream.take_error() {
            Ok(None) => self.ended(End::Left),
            Ok(Some(_)) | Err(_) => self.ended(End::Broken),
        }
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.is_err() {
            self.ended(End::Broken);
        }
        result
    }
}

/// The stream to read from and write to; there is one for each [`Watch`].
#[derive(Debug)]
pub(super) struct Watched(Arc<Watch>);

impl Watched {
    pub(super) fn new(watch: &Arc<Watch>) -> Self {
        Self(Arc::clone(watch))
    }

    fn poll_try_write(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            self.0
                .note(ready!(self.0.stream.poll_write_ready(context)))?;
            match write(&self.0.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(self.0.note(result)),
            }
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            self.0
                .note(ready!(self.0.stream.poll_read_ready(context)))?;
            match self.0.stream.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) => {
                    self.0.left();
                    return Poll::Ready(Ok(()));
                }
                result => return Poll::Ready(self.0.note(result).map(drop)),
            }
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_try_write(context, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_try_write(context, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&self.0.stream).shutdown(Shutdown::Write))
    }
}
