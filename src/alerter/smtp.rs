//! Mail over SMTP: lettre's dialogue over connections of our own, kept open between mails.
//!
//! lettre ends a message with a small write of its own. On a socket as it comes from the system that write waits for the
//! acknowledgement of the one before, which the other side delays by 40 ms; the sockets here are told not to wait.

mod encrypted;

use super::tls::Verify;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, Identity, TlsParameters,
};
use lettre::transport::smtp::extension::ClientId;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// How long connecting, the greeting and TLS may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server may take to answer a command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection is kept without use: less than servers wait before they close one.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// How many unused connections are kept to one server.
const KEPT_CONNECTIONS: usize = 4;

/// A mail server, and how to talk to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// When the connection is encrypted.
    pub security: Security,
    /// Which certificates of the server are accepted.
    pub verify: Verify,
    /// The client's certificate and key, PEM files; without a key file the key is in the certificate's.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Who logs in.
    pub login: Option<Login>,
}

/// When the connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Security {
    /// By STARTTLS, if the server offers it.
    WhenOffered,
    /// From the first byte.
    Always,
}

/// A user and a password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({}, ***)", self.user)
    }
}

/// A mail in its envelope.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Where it is handed in.
    pub server: Arc<Server>,
    /// The sender.
    pub from: String,
    /// Who gets it.
    pub recipients: Vec<String>,
    /// The message: lines end with CR LF, the last one too.
    pub message: Vec<u8>,
}

/// Why a mail could not be handed in.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// No connection came about.
    #[error("cannot connect to mail server {server}: {reason}")]
    Connect {
        /// Host and port.
        server: String,
        /// What went wrong.
        reason: String,
    },
    /// The server answered no, or not at all.
    #[error("mail server {server}: {command}: {reason}")]
    Dialogue {
        /// Host and port.
        server: String,
        /// What it was asked.
        command: String,
        /// What went wrong.
        reason: String,
    },
    /// An address that could not be an SMTP argument.
    #[error("{0:?} is no mail address")]
    Address(String),
}

/// Hands in mails; keeps the connections.
#[derive(Debug, Default)]
pub struct Mailer {
    kept: Mutex<HashMap<Arc<Server>, Vec<Kept>>>,
}

struct Kept {
    connection: AsyncSmtpConnection,
    since: Instant,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

/// What stopped a dialogue.
struct Stopped {
    error: MailError,
    /// The connection, not the mail, is the reason, and the message was not under way yet: another connection may do better.
    stale: bool,
}

impl Mailer {
    /// Hands in one mail. Succeeds when the server took it for at least one recipient, as elastalert2 sees it; the others are logged.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses the mail.
    pub async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        for address in mail.recipients.iter().chain([&mail.from]) {
            if address.contains(|c: char| c.is_control() || matches!(c, '<' | '>' | ' ')) {
                return Err(MailError::Address(address.clone()));
            }
        }
        if let Some(mut connection) = self.take(&mail.server) {
            match dialogue(&mut connection, mail).await {
                Ok(()) => {
                    self.keep(&mail.server, connection);
                    return Ok(());
                }
                Err(Stopped { stale: true, .. }) => {}
                Err(Stopped { error, .. }) => {
                    quit(connection).await;
                    return Err(error);
                }
            }
        }
        let mut connection = connect(&mail.server).await?;
        match dialogue(&mut connection, mail).await {
            Ok(()) => {
                self.keep(&mail.server, connection);
                Ok(())
            }
            Err(Stopped { error, .. }) => {
                quit(connection).await;
                Err(error)
            }
        }
    }

    fn take(&self, server: &Arc<Server>) -> Option<AsyncSmtpConnection> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for connections in kept.values_mut() {
            connections.retain(|kept| kept.since.elapsed() < KEPT_FOR);
        }
        kept.retain(|_, connections| !connections.is_empty());
        Some(kept.get_mut(server)?.pop()?.connection)
    }

    fn keep(&self, server: &Arc<Server>, connection: AsyncSmtpConnection) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = kept.entry(Arc::clone(server)).or_default();
        if connections.len() < KEPT_CONNECTIONS {
            connections.push(Kept {
                connection,
                since: Instant::now(),
            });
        }
    }
}

async fn quit(mut connection: AsyncSmtpConnection) {
    let _not_waited_for = timeout(Duration::from_secs(1), connection.abort()).await;
}

async fn connect(server: &Server) -> Result<AsyncSmtpConnection, MailError> {
    let address = format!("{}:{}", server.host, server.port);
    let failed = |reason: String| MailError::Connect {
        server: address.clone(),
        reason,
    };
    let mut connection = timeout(CONNECT_TIMEOUT, open(server))
        .await
        .map_err(|_| failed(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs())))?
        .map_err(failed)?;
    if let Some(login) = &server.login {
        timeout(COMMAND_TIMEOUT, log_in(&mut connection, login))
            .await
            .map_err(|_| failed("the login was not answered".to_owned()))?
            .map_err(failed)?;
    }
    Ok(connection)
}

async fn open(server: &Server) -> Result<AsyncSmtpConnection, String> {
    let stream = TcpStream::connect((server.host.as_str(), server.port))
        .await
        .map_err(|error| error.to_string())?;
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    let hello = match ClientId::default() {
        ClientId::Domain(name) if name.contains('.') => ClientId::Domain(name),
        // A name without a dot is refused by careful servers; smtplib sends the address then.
        other => match stream.local_addr() {
            Ok(std::net::SocketAddr::V4(address)) => ClientId::Ipv4(*address.ip()),
            Ok(std::net::SocketAddr::V6(address)) => ClientId::Ipv6(*address.ip()),
            Err(_) => other,
        },
    };
    match server.security {
        Security::Always => {
            let stream = encrypted::open(stream, tls(server)?).await?;
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello)
                .await
                .map_err(words)
        }
        Security::WhenOffered => {
            let mut connection =
                AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello)
                    .await
                    .map_err(words)?;
            if connection.can_starttls() {
                connection
                    .starttls(tls(server)?, &hello)
                    .await
                    .map_err(words)?;
            }
            Ok(connection)
        }
    }
}

/// Tries what the server offers, one after the other, as smtplib does.
async fn log_in(connection: &mut AsyncSmtpConnection, login: &Login) -> Result<(), String> {
    let credentials = Credentials::new(login.user.clone(), login.password.clone());
    let mut refused = None;
    for mechanism in [Mechanism::Plain, Mechanism::Login] {
        if connection.server_info().supports_auth_mechanism(mechanism) {
            match connection.auth(&[mechanism], &credentials).await {
                Ok(_) => return Ok(()),
                Err(error) => refused = Some(words(error)),
            }
        }
    }
    Err(match refused {
        Some(reason) => format!("login of {} refused: {reason}", login.user),
        None => "the server offers no login by PLAIN or LOGIN".to_owned(),
    })
}

fn tls(server: &Server) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(server.host.clone());
    match &server.verify {
        Verify::System => {}
        Verify::Nothing => {
            builder = builder
                .certificate_store(CertificateStore::None)
                .dangerous_accept_invalid_certs(true)
                .dangerous_accept_invalid_hostnames(true);
        }
        Verify::Bundle(path) => {
            builder = builder
                .certificate_store(CertificateStore::None)
                .add_root_certificate(Certificate::from_pem(&read(path)?).map_err(words)?);
        }
    }
    if let Some((certificate, key)) = &server.identity {
        let identity = Identity::from_pem(&read(certificate)?, &read(key)?).map_err(words)?;
        builder = builder.identify_with(identity);
    }
    builder.build().map_err(words)
}

fn read(path: &PathBuf) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The commands that hand in one mail.
async fn dialogue(connection: &mut AsyncSmtpConnection, mail: &Mail) -> Result<(), Stopped> {
    let server = &mail.server;
    let sender = format!("MAIL FROM:<{}>", mail.from);
    ask(connection, server, &sender).await?;
    let mut refused = Vec::new();
    for recipient in &mail.recipients {
        match ask(connection, server, &format!("RCPT TO:<{recipient}>")).await {
            Ok(()) => {}
            Err(stopped) if stopped.stale => return Err(stopped),
            Err(stopped) => refused.push(stopped),
        }
    }
    let all_refused = refused.len() == mail.recipients.len();
    for stopped in refused {
        if all_refused {
            return Err(stopped);
        }
        tracing::warn!(error = %stopped.error, "mail recipient refused, the others get the mail");
    }
    ask(connection, server, "DATA").await?;
    // lettre writes the last line break itself.
    let message = mail.message.strip_suffix(b"\r\n").unwrap_or(&mail.message);
    let answer = timeout(COMMAND_TIMEOUT, connection.message(message)).await;
    let reason = match answer {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => words(error),
        Err(_) => no_answer(),
    };
    Err(Stopped {
        error: refusal(server, "message", reason),
        stale: false,
    })
}

/// Sends one command and waits for a positive answer.
async fn ask(
    connection: &mut AsyncSmtpConnection,
    server: &Server,
    command: &str,
) -> Result<(), Stopped> {
    match timeout(
        COMMAND_TIMEOUT,
        connection.command(format!("{command}\r\n")),
    )
    .await
    {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            // 421: the server is about to close the connection.
            let stale = error.status().is_none_or(|code| code.to_string() == "421");
            Err(Stopped {
                error: refusal(server, command, words(error)),
                stale,
            })
        }
        Err(_) => Err(Stopped {
            error: refusal(server, command, no_answer()),
            stale: true,
        }),
    }
}

fn refusal(server: &Server, command: &str, reason: String) -> MailError {
    MailError::Dialogue {
        server: format!("{}:{}", server.host, server.port),
        command: command.to_owned(),
        reason,
    }
}

fn no_answer() -> String {
    format!("no answer within {} s", COMMAND_TIMEOUT.as_secs())
}

/// An error with its causes, on one line.
fn words(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text.replace(['\r', '\n'], " ")
}
