//! Starts the inputs and stops them.

use super::http::Http;
use super::listener::{ListenError, Listener};
use super::source::{Context, Source};
use super::stdin;
use super::tcp::Tcp;
use crate::config::{HttpConfig, InputConfig, ListenConfig, StdinConfig, TcpConfig};
use crate::telemetry::Readiness;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the inputs are started with.
pub struct Startup {
    /// The inputs.
    pub configs: Vec<InputConfig>,
    /// What they share.
    pub context: Context,
    /// Whether events are taken; HTTP senders are told to come back when not.
    pub readiness: watch::Receiver<Readiness>,
    /// Fingerprints of batches found in the journal whose answers may not have arrived before the program ended.
    pub recovered: Vec<u128>,
    /// What the `stdin` input reads.
    pub stdin: Box<dyn Read + Send>,
}

/// An input could not be started.
#[derive(Debug, thiserror::Error)]
#[error("input {input}: {source}")]
pub struct StartError {
    /// The input's name.
    pub input: String,
    /// Why.
    pub source: ListenError,
}

/// The inputs while they run.
#[derive(Debug)]
pub struct Inputs {
    addresses: Vec<(String, SocketAddr)>,
    stdin: Option<oneshot::Receiver<io::Result<()>>>,
    listeners: TaskTracker,
}

impl Inputs {
    /// Binds every listener, and only when all are bound starts the inputs. They stop when `shutdown` is cancelled.
    ///
    /// # Errors
    /// An address cannot be had, TLS cannot be set up, or the standard input cannot be read.
    pub async fn start(startup: Startup, shutdown: &CancellationToken) -> Result<Self, StartError> {
        let mut ready = Vec::new();
        for config in startup.configs {
            ready.push(Bound::new(config).await?);
        }
        let mut inputs = Self {
            addresses: Vec::new(),
            stdin: None,
            listeners: TaskTracker::new(),
        };
        let mut stdin = Some(startup.stdin);
        for bound in ready {
            let context = startup.context.clone();
            let shutdown = shutdown.clone();
            match bound {
                Bound::Stdin(config) => {
                    let source = Source::new(&config.source, context);
                    let failed = |source| StartError {
                        input: config.source.name.clone(),
                        source,
                    };
                    let reader = stdin
                        .take()
                        .ok_or_else(|| failed(ListenError::StdinTwice))?;
                    tracing::info!(input = source.name(), "reading");
                    let ended = stdin::start(reader, source, shutdown)
                        .map_err(|error| failed(ListenError::Stdin(error)))?;
                    inputs.stdin = Some(ended);
                }
                Bound::Tcp(config, listener) => {
                    let source = Source::new(&config.source, context);
                    inputs.announce(&source, &listener, is_open(&config.listen));
                    let handler = Arc::new(Tcp::new(source.clone()));
                    let serving = listener.serve(source, handler, shutdown);
                    inputs.listeners.spawn(serving);
                }
                Bound::Http(config, listener) => {
                    let source = Source::new(&config.source, context);
                    let open = config.auth.is_none() && is_open(&config.listen);
                    inputs.announce(&source, &listener, open);
                    let readiness = startup.readiness.clone();
                    let recovered = &startup.recovered;
                    let handler = Http::new(config, source.clone(), readiness, recovered);
                    let serving = listener.serve(source, Arc::new(handler), shutdown);
                    inputs.listeners.spawn(serving);
                }
            }
        }
        inputs.listeners.close();
        Ok(inputs)
    }

    fn announce(&mut self, source: &Source, listener: &Listener, open: bool) {
        let input = source.name();
        let address = listener.address();
        self.addresses.push((input.to_owned(), address));
        tracing::info!(input, %address, "listening");
        if address.ip().is_loopback() {
            return;
        }
        if open {
            tracing::warn!(
                input,
                %address,
                "anybody who reaches this address can send events; set auth or tls.client_ca, or listen on 127.0.0.1"
            );
        }
        if !listener.has_tls() {
            tracing::warn!(input, %address, "events and credentials cross the network unencrypted; set tls");
        }
    }

    /// The addresses of the inputs that listen, by name, in the order of the configuration.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Whether there are inputs that never end by themselves.
    pub fn listens(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// Waits until all of the standard input was handed over; for ever when it is not read. Cancel-safe.
    ///
    /// # Errors
    /// It could not be read to its end.
    pub async fn stdin_ended(&mut self) -> io::Result<()> {
        let Some(ended) = &mut self.stdin else {
            return std::future::pending().await;
        };
        let outcome = ended.await;
        self.stdin = None;
        outcome.unwrap_or_else(|_| Err(io::Error::other("the reading thread has died")))
    }

    /// Waits until every listener and every connection has ended, which they do after `shutdown` within five seconds.
    pub async fn stopped(self) {
        self.listeners.wait().await;
    }
}

/// An input with its address taken, not yet started.
enum Bound {
    Stdin(StdinConfig),
    Tcp(TcpConfig, Listener),
    Http(HttpConfig, Listener),
}

impl Bound {
    async fn new(config: InputConfig) -> Result<Self, StartError> {
        Ok(match config {
            InputConfig::Stdin(config) => Self::Stdin(config),
            InputConfig::Tcp(config) => {
                let listener = bind(&config.source.name, &config.listen).await?;
                Self::Tcp(config, listener)
            }
            InputConfig::Http(config) => {
                let listener = bind(&config.source.name, &config.listen).await?;
                Self::Http(config, listener)
            }
        })
    }
}

async fn bind(input: &str, config: &ListenConfig) -> Result<Listener, StartError> {
    Listener::bind(config).await.map_err(|source| StartError {
        input: input.to_owned(),
        source,
    })
}

/// Whether anybody may connect.
fn is_open(config: &ListenConfig) -> bool {
    let client_ca = config.tls.as_ref().and_then(|tls| tls.client_ca.as_ref());
    client_ca.is_none()
}
