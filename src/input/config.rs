//! What can be said about an input, checked and with defaults filled in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// One entry of `inputs:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputConfig {
    /// JSON lines on the standard input.
    Stdin(StdinConfig),
    /// JSON lines over TCP.
    Tcp(TcpConfig),
    /// Events in HTTP requests.
    Http(HttpConfig),
}

impl InputConfig {
    /// The input's name, by which logs, metrics and the ready file call it.
    pub fn name(&self) -> &str {
        match self {
            Self::Stdin(config) => &config.source.name,
            Self::Tcp(config) => &config.source.name,
            Self::Http(config) => &config.source.name,
        }
    }
}

/// What every input has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceConfig {
    /// `name:`; default: the kind of input (`stdin`, `tcp`, `http`).
    pub name: String,
    /// `index:`; a name, or a Logstash sprintf.
    pub index: Option<String>,
    /// `max_event_size:` in bytes; longer events are rejected. Default 1 MiB.
    pub max_event_size: usize,
}

impl SourceConfig {
    /// The defaults for an input of that name.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            index: None,
            max_event_size: 1024 * 1024,
        }
    }
}

/// The `stdin` input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StdinConfig {
    /// What every input has.
    pub source: SourceConfig,
}

/// The `tcp` input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpConfig {
    /// What every input has.
    pub source: SourceConfig,
    /// Where it listens.
    pub listen: ListenConfig,
}

impl TcpConfig {
    /// The defaults, listening there.
    pub fn on(address: SocketAddr) -> Self {
        Self {
            source: SourceConfig::named("tcp"),
            listen: ListenConfig::on(address),
        }
    }
}

/// The `http` input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// What every input has.
    pub source: SourceConfig,
    /// Where it listens.
    pub listen: ListenConfig,
    /// `auth:`; `None` lets everybody in.
    pub auth: Option<AuthConfig>,
    /// `max_body_size:` in bytes, counted after decompression. Default 64 MiB.
    pub max_body_size: usize,
    /// `idle_timeout:` between two requests of a connection. Default 300 s: Logstash reports an error when it meets a connection that was closed sooner.
    pub idle_timeout: Duration,
    /// How long a new connection may take to send its first request's head, and a request's body may pause. Default 30 s.
    pub read_timeout: Duration,
    /// How long a sender waits for its answer at most. Default 9 s: Logstash gives up after 10.
    pub reply_timeout: Duration,
}

impl HttpConfig {
    /// The defaults, listening there.
    pub fn on(address: SocketAddr) -> Self {
        Self {
            source: SourceConfig::named("http"),
            listen: ListenConfig::on(address),
            auth: None,
            max_body_size: 64 * 1024 * 1024,
            idle_timeout: Duration::from_secs(300),
            read_timeout: Duration::from_secs(30),
            reply_timeout: Duration::from_secs(9),
        }
    }
}

/// Where and how an input listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenConfig {
    /// `listen:`; port 0 takes any free port.
    pub address: SocketAddr,
    /// `tls:`; `None`: plain text.
    pub tls: Option<TlsConfig>,
    /// `max_connections:`; more are closed at once. Default 1024.
    pub max_connections: usize,
}

impl ListenConfig {
    /// The defaults, listening there.
    pub fn on(address: SocketAddr) -> Self {
        Self {
            address,
            tls: None,
            max_connections: 1024,
        }
    }
}

/// `tls:`, PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// `cert:`, the server's certificate, followed by its intermediates.
    pub cert: PathBuf,
    /// `key:`, its private key.
    pub key: PathBuf,
    /// `client_ca:`; when given, clients must show a certificate signed by one of these.
    pub client_ca: Option<PathBuf>,
}

/// `auth:`, resolved from files and the environment. Either kind lets a sender in when both are given.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthConfig {
    /// `username` and `password`, for basic auth.
    pub basic: Option<(String, String)>,
    /// `bearer`, the token itself.
    pub bearer: Option<String>,
}

impl std::fmt::Debug for AuthConfig {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("AuthConfig")
            .field("basic", &self.basic.as_ref().map(|(user, _)| user))
            .field("bearer", &self.bearer.is_some())
            .finish()
    }
}
