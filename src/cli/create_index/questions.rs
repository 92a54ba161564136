//! What `elastalert-create-index` asks on a terminal when there is no configuration file.

use super::{Args, DEFAULT_INDEX, Plan};
use crate::writeback::{Credentials, EsConfig};
use anyhow::Context as _;
use std::io::{BufRead, Write};

/// Where questions are asked.
pub struct Terminal<'t> {
    /// Where answers come from; `None`: nobody is there to answer.
    pub input: Option<&'t mut dyn BufRead>,
    /// Where questions and results go.
    pub output: &'t mut dyn Write,
    /// Reads an answer that must not show.
    pub secret: fn() -> std::io::Result<String>,
}

impl std::fmt::Debug for Terminal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal")
            .field("interactive", &self.input.is_some())
            .finish_non_exhaustive()
    }
}

/// Reads a line from the terminal without showing it.
///
/// # Errors
/// The terminal.
pub fn secret_from_terminal() -> std::io::Result<String> {
    console::Term::stdout().read_secure_line()
}

impl Terminal<'_> {
    /// One question; the answer without the line's end. Empty at the end of the input.
    fn ask(&mut self, question: &str) -> anyhow::Result<String> {
        self.show(question)?;
        let mut answer = String::new();
        if let Some(input) = &mut self.input {
            input.read_line(&mut answer).context("reading the answer")?;
        }
        Ok(answer.trim().to_owned())
    }

    fn ask_secret(&mut self, question: &str) -> anyhow::Result<String> {
        self.show(question)?;
        (self.secret)().context("reading the answer")
    }

    fn show(&mut self, question: &str) -> anyhow::Result<()> {
        write!(self.output, "{question}")?;
        self.output.flush()?;
        Ok(())
    }
}

/// Asks what the options do not say, in ElastAlert's order and words. No host: nothing more is asked, the embedded store serves.
pub(super) fn ask(
    args: &Args,
    es: &mut EsConfig,
    plan: &mut Plan,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    if es.hosts.is_empty() {
        let host = terminal.ask("Enter Elasticsearch host: ")?;
        if host.is_empty() {
            return Ok(());
        }
        es.hosts = vec![host];
    }
    if args.port.is_none() {
        let port = terminal.ask("Enter Elasticsearch port: ")?;
        es.port = port
            .parse()
            .with_context(|| format!("{port:?} is not a port number"))?;
    }
    if args.use_ssl().is_none() {
        let answer = terminal.ask("Use SSL? t/f: ")?.to_lowercase();
        es.use_ssl = matches!(&*answer, "t" | "true");
    }
    if es.use_ssl && !args.verify_certs && !args.no_verify_certs {
        let answer = terminal
            .ask("Verify TLS certificates? t/f: ")?
            .to_lowercase();
        es.verify_certs = !matches!(&*answer, "f" | "false");
    }
    if !args.no_auth && es.credentials == Credentials::None {
        let username = terminal.ask("Enter optional basic-auth username (or leave blank): ")?;
        let password =
            terminal.ask_secret("Enter optional basic-auth password (or leave blank): ")?;
        if !username.is_empty() {
            es.credentials = Credentials::Basic { username, password };
        }
    }
    if args.url_prefix.is_none() {
        es.url_prefix = terminal.ask(
            "Enter optional Elasticsearch URL prefix (prepends a string to the URL of every request): ",
        )?;
    }
    if args.index.is_none() {
        let index = terminal.ask("New index name? (Default elastalert_status) ")?;
        plan.index = if index.is_empty() {
            DEFAULT_INDEX.to_owned()
        } else {
            index
        };
    }
    if args.old_index.is_none() {
        let old = terminal.ask("Name of existing index to copy? (Default None) ")?;
        plan.old_index = Some(old).filter(|old| !old.is_empty());
    }
    Ok(())
}
