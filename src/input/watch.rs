//! A TCP stream that remembers how its peer left: whether what we wrote last can have reached it.
//!
//! A peer that closes a socket with unread data in it, or that gets data after it has closed, answers with a reset. Seen
//! after an HTTP answer, this means that the answer was not read, and that the request will come again.

use socket2::SockRef;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What was seen of its end. A peer that has closed answers what we wrote just before with a reset that may be on its way still, so that
    /// it can turn out later to have left unanswered.
    end: Option<End>,
    /// Something was written after the end: a later reset answers that, as when TLS says goodbye to a peer that has closed already.
    settled: bool,
    /// An answer is about to be written.
    answering: bool,
}

impl State {
    fn ended(&mut self, how: End) {
        if self.end.is_none() || (how == End::Broken && !self.settled) {
            self.end = Some(how);
        }
    }
}

impl Watch {
    pub(super) fn new(stream: TcpStream) -> Arc<Self> {
        Arc::new(Self {
            stream,
            state: Mutex::default(),
        })
    }

    /// The next thing written is an answer.
    pub(super) fn answering(&self) {
        self.lock().answering = true;
    }

    /// Whether the answer announced last cannot have reached the peer: it is not written yet, or the connection has ended in a
    /// way that loses it. Asks the system, so that a reset that has arrived is seen before the connection's own task reads it.
    pub(super) fn is_unanswered(&self) -> bool {
        let mut state = self.lock();
        self.look_for_reset(&mut state);
        state.answering || state.end == Some(End::Broken)
    }

    fn look_for_reset(&self, state: &mut State) {
        if !matches!(self.stream.take_error(), Ok(None)) {
            state.ended(End::Broken);
        }
    }

    /// Whether the peer has closed its side, and all that it sent before was read.
    pub(super) fn peer_has_left(&self) -> bool {
        self.has_left(&mut self.lock())
    }

    fn has_left(&self, state: &mut State) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        match SockRef::from(&self.stream).peek(&mut byte) {
            Ok(length) => length == 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(_) => {
                state.ended(End::Broken);
                true
            }
        }
    }

    /// Waits until the peer has closed its side, one way or the other, reading what it still sends.
    pub(super) async fn ended(&self) {
        let mut scrap = [0; 1024];
        while self.stream.readable().await.is_ok() {
            match self.read(&mut ReadBuf::new(&mut scrap)) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    fn read(&self, buffer: &mut ReadBuf<'_>) -> io::Result<usize> {
        let mut state = self.lock();
        let read = self.stream.try_read_buf(buffer);
        match &read {
            // A peer that closed before it read our answer has also answered it with a reset by now.
            Ok(0) => state.ended(match self.stream.take_error() {
                Ok(None) => End::Left,
                Ok(Some(_)) | Err(_) => End::Broken,
            }),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => state.ended(End::Broken),
        }
        read
    }

    fn write(&self, write: impl FnOnce(&TcpStream) -> io::Result<usize>) -> io::Result<usize> {
        let mut state = self.lock();
        if state.answering && self.has_left(&mut state) {
            // It will not read this.
            state.ended(End::Broken);
        }
        if state.end.is_some() {
            self.look_for_reset(&mut state);
            state.settled = true;
        }
        let written = write(&self.stream);
        match &written {
            Ok(_) => state.answering = false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => state.ended(End::Broken),
        }
        written
    }

    /// Held over every question to the system and the note of its answer: it tells of a reset only once, to whoever asks first.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
            ready!(self.0.stream.poll_write_ready(context))?;
            match self.0.write(&write) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
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
            ready!(self.0.stream.poll_read_ready(context))?;
            match self.0.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result.map(drop)),
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
