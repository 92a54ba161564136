//! Listening sockets: bind, accept, TLS, a bound on connections, and an end that waits for what is in flight.

use super::source::Source;
use super::tls::{self, TlsError};
use super::watch::{Watch, Watched};
use crate::config::ListenConfig;
use crate::telemetry::{Allowed, OpenConnection, RateLimit};
use rustls::ServerConfig;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A client that has said nothing for this long is asked whether it is still there; after three more such pauses without an
/// answer the connection is closed. A half-open connection is gone after two minutes.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long accepting pauses when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// When the program stops, a listener or connection from which nothing came for this long has nothing more to say.
pub(super) const QUIET: Duration = Duration::from_millis(50);

/// How long connections may take to finish what is in flight when the program stops.
const DRAIN: Duration = Duration::from_secs(3);

/// A bound listener of one input.
#[derive(Debug)]
pub(super) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    max_connections: usize,
}

/// Why an input cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// TLS cannot be set up.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// `stdin` is configured more than once.
    #[error("the standard input can be read only once")]
    StdinTwice,
    /// The thread that reads the standard input cannot be started.
    #[error("cannot read the standard input: {0}")]
    Stdin(#[source] io::Error),
}

impl Listener {
    pub(super) async fn bind(config: &ListenConfig) -> Result<Self, ListenError> {
        let tls = config.tls.as_ref().map(tls::server_config).transpose()?;
        let bind_error = |source| ListenError::Bind {
            address: config.address,
            source,
        };
        let socket = TcpListener::bind(config.address)
            .await
            .map_err(bind_error)?;
        let address = socket.local_addr().map_err(bind_error)?;
        Ok(Self {
            socket,
            address,
            tls,
            max_connections: config.max_connections,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Accepts until `shutdown`, and ends when all connections have ended; those still open after [`DRAIN`] are dropped.
    pub(super) async fn serve<H: Handler>(
        self,
        source: Source,
        handler: Arc<H>,
        shutdown: CancellationToken,
    ) {
        let serving = Serving {
            slots: Arc::new(Semaphore::new(self.max_connections)),
            listener: self,
            tracker: TaskTracker::new(),
            give_up: CancellationToken::new(),
            refused: RateLimit::new(1, Duration::from_secs(10)),
            source,
            handler,
            shutdown,
        };
        serving.run().await;
    }
}

/// A listener that accepts, and its connections.
struct Serving<H> {
    listener: Listener,
    source: Source,
    handler: Arc<H>,
    slots: Arc<Semaphore>,
    tracker: TaskTracker,
    shutdown: CancellationToken,
    /// Cancelled when the time for draining is over.
    give_up: CancellationToken,
    refused: RateLimit,
}

impl<H: Handler> Serving<H> {
    async fn run(self) {
        loop {
            // Cancel-safe: accept() either has taken a connection and returns it, or has not.
            tokio::select! {
                accepted = self.listener.socket.accept() => self.accepted(accepted).await,
                () = self.shutdown.cancelled() => break,
            }
        }
        // The system has accepted these for us already, and their clients may have sent events.
        for _ in 0..self.listener.max_connections {
            match timeout(QUIET, self.listener.socket.accept()).await {
                Ok(accepted) => self.accepted(accepted).await,
                Err(_elapsed) => break,
            }
        }
        drop(self.listener.socket);
        self.tracker.close();
        if timeout(DRAIN, self.tracker.wait()).await.is_err() {
            tracing::warn!(
                input = self.source.name(),
                connections = self.tracker.len(),
                "connections cut off while stopping"
            );
            self.give_up.cancel();
            self.tracker.wait().await;
        }
    }

    async fn accepted(&self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((stream, peer)) => self.admit(stream, peer),
            Err(error) => {
                self.source.metrics().refused("accept");
                if let Some(Allowed { suppressed }) = self.refused.allow(self.source.now()) {
                    tracing::warn!(input = self.source.name(), %error, suppressed, "cannot accept connections");
                }
                // Most often "too many open files": trying again at once would only burn the processor.
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            self.source.metrics().refused("max_connections");
            if let Some(Allowed { suppressed }) = self.refused.allow(self.source.now()) {
                tracing::warn!(
                    input = self.source.name(),
                    %peer,
                    max_connections = self.listener.max_connections,
                    suppressed,
                    "connection closed: too many"
                );
            }
            return;
        };
        let connection = Connection {
            stream,
            peer,
            tls: self.listener.tls.clone(),
            _slot: slot,
            _open: self.source.metrics().connection(),
        };
        let source = self.source.clone();
        let handler = Arc::clone(&self.handler);
        let shutdown = self.shutdown.clone();
        let give_up = self.give_up.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = connection.run(&source, &*handler, &shutdown) => {}
                () = give_up.cancelled() => {}
            }
        });
    }
}

/// Speaks an input's protocol over an accepted connection.
pub(super) trait Handler: Send + Sync + 'static {
    /// Serves one connection until it ends; ends it soon when `shutdown` is cancelled.
    fn serve<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        &self,
        stream: S,
        connection: &Arc<Watch>,
        shutdown: &CancellationToken,
    ) -> impl Future<Output = ()> + Send;
}

/// An accepted connection, before it speaks.
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    _slot: OwnedSemaphorePermit,
    _open: OpenConnection,
}

impl Connection {
    async fn run<H: Handler>(self, source: &Source, handler: &H, shutdown: &CancellationToken) {
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE)
            .with_retries(3);
        // Both only improve matters; a socket that refuses them works all the same.
        if let Err(error) = SockRef::from(&self.stream)
            .set_tcp_keepalive(&keepalive)
            .and_then(|()| self.stream.set_nodelay(true))
        {
            tracing::debug!(input = source.name(), peer = %self.peer, %error, "socket options not set");
        }
        let watch = Watch::new(self.stream);
        let socket = Watched::new(&watch);
        let Some(tls) = self.tls else {
            handler.serve(socket, &watch, shutdown).await;
            return;
        };
        let handshake = tokio::select! {
            handshake = timeout(HANDSHAKE, TlsAcceptor::from(tls).accept(socket)) => handshake,
            () = shutdown.cancelled() => return,
        };
        match handshake {
            Ok(Ok(stream)) => handler.serve(stream, &watch, shutdown).await,
            Ok(Err(error)) => {
                source.metrics().refused("tls");
                tracing::debug!(input = source.name(), peer = %self.peer, %error, "TLS handshake failed");
            }
            Err(_elapsed) => {
                source.metrics().refused("tls");
                tracing::debug!(input = source.name(), peer = %self.peer, "TLS handshake took too long");
            }
        }
    }
}
