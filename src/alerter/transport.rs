//! The way out of the process. Alerters build plain values and hand them over here, so that tests look at the values.

use super::http::{Answer, Clients, HttpError, Request};
use super::process::{self, Process, ProcessError};
use super::smtp::{Mail, MailError, Mailer};
use super::tcp::{self, Exchange, TcpError};
use futures_util::future::BoxFuture;
use lettre::transport::smtp::extension::ClientId;
use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// What alerters need of the world outside.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends an HTTP request and gives the answer, whatever its status.
    fn http(&self, request: Request) -> BoxFuture<'_, Result<Answer, HttpError>>;

    /// Hands in a mail.
    fn mail(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>>;

    /// Talks over a TCP connection; gives the answers.
    fn tcp(&self, exchange: Exchange) -> BoxFuture<'_, Result<Vec<Vec<u8>>, TcpError>>;

    /// The name of this machine.
    fn host_name(&self) -> String;

    /// Starts a program.
    fn run(&self, process: Process) -> BoxFuture<'_, Result<(), ProcessError>>;

    /// Prints text for whoever watches the program.
    fn print(&self, text: &str) -> std::io::Result<()>;
}

impl dyn Transport + '_ {
    /// Sends a request that must be answered with a status below 400.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub(super) async fn deliver(&self, request: Request) -> Result<Answer, HttpError> {
        self.http(request.clone()).await?.accepted(&request)
    }
}

/// The real world: the network, the system's programs, and a place to print to.
pub struct World {
    clients: Clients,
    mailer: Mailer,
    out: Mutex<Box<dyn Write + Send>>,
}

impl World {
    /// The world, with a place to print to (standard output).
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self {
            clients: Clients::default(),
            mailer: Mailer::default(),
            out: Mutex::new(out),
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

impl Transport for World {
    fn http(&self, request: Request) -> BoxFuture<'_, Result<Answer, HttpError>> {
        Box::pin(async move { self.clients.send(&request).await })
    }

    fn mail(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>> {
        Box::pin(async move { self.mailer.send(&mail).await })
    }

    fn tcp(&self, exchange: Exchange) -> BoxFuture<'_, Result<Vec<Vec<u8>>, TcpError>> {
        Box::pin(async move { tcp::exchange(&exchange).await })
    }

    fn host_name(&self) -> String {
        match ClientId::default() {
            ClientId::Domain(name) => name,
            _ => "localhost".to_owned(),
        }
    }

    fn run(&self, process: Process) -> BoxFuture<'_, Result<(), ProcessError>> {
        Box::pin(async move { process::run(&process).await })
    }

    fn print(&self, text: &str) -> std::io::Result<()> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}
