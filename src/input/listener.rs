//! Listening sockets: bind, accept, TLS, a bound on connections, and an end that waits for what is in flight.

use super::source::Source;
use super::tls::{self, TlsError};
use super::watch::{Watch, Watched};
use crate::config::ListenConfig;
use crate::telemetry::{Allowed, RateLimit};
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

/// How long connections may take to finish what is in flight when the program stops.
const DRAIN: Duration = Duration::from_secs(4);

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
        let slots = Arc::new(Semaphore::new(self.max_connections));
        let tracker = TaskTracker::new();
        // Cancelled when the time for draining is over.
        let give_up = CancellationToken::new();
        let refused = RateLimit::new(1, Duration::from_secs(10));
        loop {
            // Cancel-safe: accept() either has taken a connection and returns it, or has not.
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = shutdown.cancelled() => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Most often "too many open files": trying again at once would only burn the processor.
                    source.metrics().refused("accept");
                    if let Some(Allowed { suppressed }) = refused.allow(source.now()) {
                        tracing::warn!(input = source.name(), %error, suppressed, "cannot accept connections");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                source.metrics().refused("max_connections");
                if let Some(Allowed { suppressed }) = refused.allow(source.now()) {
                    tracing::warn!(
                        input = source.name(),
                        %peer,
                        max_connections = self.max_connections,
                        suppressed,
                        "connection closed: too many"
                    );
                }
                continue;
            };
            let connection = Connection {
                stream,
                peer,
                tls: self.tls.clone(),
                _slot: slot,
            };
            let source = source.clone();
            let handler = Arc::clone(&handler);
            let shutdown = shutdown.clone();
            let give_up = give_up.clone();
            tracker.spawn(async move {
                source.metrics().connected();
                tokio::select! {
                    () = connection.run(&source, &*handler, &shutdown) => {}
                    () = give_up.cancelled() => {}
                }
                source.metrics().disconnected();
            });
        }
        drop(self.socket);
        tracker.close();
        if timeout(DRAIN, tracker.wait()).await.is_err() {
            tracing::warn!(
                input = source.name(),
                connections = tracker.len(),
                "connections cut off while stopping"
            );
            give_up.cancel();
            tracker.wait().await;
        }
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
