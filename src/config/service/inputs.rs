//! `inputs:`, checked and with defaults filled in.

use super::options::{AUTH, HTTP, LISTEN, SOURCE, TLS};
use super::reader::Reader;
use crate::config::{Node, OptionSpec, Problem};
use std::net::{Ipv4Addr, SocketAddr};
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
    /// Its `index:`.
    pub fn index(&self) -> Option<&str> {
        match self {
            Self::Stdin(config) => config.source.index.as_deref(),
            Self::Tcp(config) => config.source.index.as_deref(),
            Self::Http(config) => config.source.index.as_deref(),
        }
    }

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

/// Where the HTTP input listens by default.
pub(super) fn default_http() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 8555).into()
}

/// Where the TCP input listens by default.
pub(super) fn default_tcp() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 8556).into()
}

/// Reads the list. An entry is the name of a kind, or an object with the kind as its only key.
pub(super) fn read(items: &[Node], problems: &mut Vec<Problem>) -> Vec<InputConfig> {
    let mut inputs: Vec<InputConfig> = Vec::new();
    for item in items {
        let Some((kind, options)) = entry(item) else {
            let message = format!(
                "an input is an object with its kind as the only key, found {}",
                item.kind_name()
            );
            let help = "write - http: {listen: \"127.0.0.1:8555\"}, - tcp: {…} or - stdin";
            problems.push(Problem::error("E0805", &item.span, message).help(help));
            continue;
        };
        let input = match kind {
            "stdin" => stdin(options, problems),
            "tcp" => tcp(options, problems),
            "http" => http(options, problems),
            other => {
                let problem =
                    Problem::error("E0805", &item.span, format!("there is no input `{other}`"));
                let near = crate::config::nearest(other, ["stdin", "tcp", "http"].into_iter());
                problems.push(match near {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("there are stdin, tcp and http"),
                });
                continue;
            }
        };
        if inputs.iter().any(|other| other.name() == input.name()) {
            let message = format!("two inputs are called `{}`", input.name());
            problems.push(
                Problem::error("E0806", &item.span, message)
                    .help("give one of them another `name`"),
            );
            continue;
        }
        inputs.push(input);
    }
    inputs
}

fn entry(item: &Node) -> Option<(&str, &Node)> {
    if let Some(kind) = item.as_str() {
        return Some((kind, item));
    }
    match item.as_map()?.0.as_slice() {
        [(kind, options)] => Some((kind.as_str()?, options)),
        _ => None,
    }
}

fn open<'a>(node: &Node, tables: &[&[OptionSpec]], problems: &'a mut Vec<Problem>) -> Reader<'a> {
    if node.as_map().is_none() && node.as_str().is_none() && !node.is_null() {
        let message = format!(
            "the options of an input are an object, found {}",
            node.kind_name()
        );
        problems.push(Problem::error("E0805", &node.span, message));
    }
    Reader::open(node, tables, problems)
}

fn source(reader: &mut Reader<'_>, kind: &str) -> SourceConfig {
    let default = SourceConfig::named(kind);
    SourceConfig {
        name: reader.properties.text("name").unwrap_or(default.name),
        index: reader.properties.text("index"),
        max_event_size: reader.size("max_event_size", default.max_event_size),
    }
}

fn stdin(node: &Node, problems: &mut Vec<Problem>) -> InputConfig {
    let mut reader = open(node, &[SOURCE], problems);
    InputConfig::Stdin(StdinConfig {
        source: source(&mut reader, "stdin"),
    })
}

fn tcp(node: &Node, problems: &mut Vec<Problem>) -> InputConfig {
    let mut reader = open(node, &[SOURCE, LISTEN], problems);
    let source = source(&mut reader, "tcp");
    let listen = listen(&mut reader, default_tcp());
    let client_ca = listen
        .tls
        .as_ref()
        .is_some_and(|tls| tls.client_ca.is_some());
    if !client_ca {
        warn_if_open(
            &mut reader,
            listen.address,
            &source.name,
            "tls with client_ca",
        );
    }
    InputConfig::Tcp(TcpConfig { source, listen })
}

fn http(node: &Node, problems: &mut Vec<Problem>) -> InputConfig {
    let mut reader = open(node, &[SOURCE, LISTEN, HTTP], problems);
    let default = HttpConfig::on(default_http());
    let source = source(&mut reader, "http");
    let listen = listen(&mut reader, default_http());
    let auth = reader.object("auth", AUTH, auth).flatten();
    if auth.is_none() && listen.tls.is_none() {
        warn_if_open(&mut reader, listen.address, &source.name, "tls or auth");
    }
    InputConfig::Http(HttpConfig {
        source,
        listen,
        auth,
        max_body_size: reader.size("max_body_size", default.max_body_size),
        idle_timeout: reader
            .properties
            .duration("idle_timeout")
            .unwrap_or(default.idle_timeout),
        ..default
    })
}

fn listen(reader: &mut Reader<'_>, default: SocketAddr) -> ListenConfig {
    let default = ListenConfig::on(default);
    let max_connections = reader
        .properties
        .int("max_connections")
        .and_then(|count| usize::try_from(count).ok());
    ListenConfig {
        address: reader.address("listen", default.address),
        tls: reader.object("tls", TLS, tls).flatten(),
        max_connections: max_connections.unwrap_or(default.max_connections),
    }
}

fn tls(reader: &mut Reader<'_>) -> Option<TlsConfig> {
    Some(TlsConfig {
        cert: reader.path("cert")?,
        key: reader.path("key")?,
        client_ca: reader.path("client_ca"),
    })
}

fn auth(reader: &mut Reader<'_>) -> Option<AuthConfig> {
    let bearer = reader.secret("bearer");
    let wrong = match (reader.secret("username"), reader.secret("password")) {
        (Some(username), Some(password)) => {
            return Some(AuthConfig {
                basic: Some((username, password)),
                bearer,
            });
        }
        (None, None) if bearer.is_some() => {
            return Some(AuthConfig {
                basic: None,
                bearer,
            });
        }
        (None, None) => "`auth` names no credentials",
        _ => "basic auth takes a user name and a password",
    };
    let problem = Problem::error("E0807", &reader.place(), wrong);
    reader.problem(problem.help("give username and password, or bearer"));
    None
}

/// Anyone who reaches the address can send events then, and with them alerts.
fn warn_if_open(reader: &mut Reader<'_>, address: SocketAddr, name: &str, missing: &str) {
    if !address.ip().is_loopback() {
        let message = format!("the input `{name}` takes events from anyone who reaches {address}");
        let problem = Problem::warning("W0808", &reader.span("listen"), message);
        reader.problem(problem.help(format!("give it {missing}, or let it listen on 127.0.0.1")));
    }
}
