//! The operator's door to the running service: a socket in the store's folder that takes one JSON line and answers one.

use super::driver::Control;
use super::silences::{self, Plan, plan};
use super::warm;
use crate::engine::Look;
use crate::store::documents::Documents;
use crate::telemetry::Clock;
use anyhow::Context as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Request {
    /// Something about silences. The answer lists them, if that was asked.
    Silences(silences::Request),
    /// Rules are to remember the past that is in this file of the store's folder. The answer names those that do.
    Warm {
        /// Its name.
        file: String,
    },
    /// What rules remember is to be shown: [`super::look::Seen`].
    State(Look),
}

/// The answer.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    error: Option<String>,
    answer: Value,
}

/// What the answers come from.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) engine: mpsc::Sender<Control>,
    pub(super) documents: Arc<Documents>,
    /// The store's folder.
    pub(super) store: PathBuf,
    pub(super) clock: Clock,
}

/// A request is no longer than this.
const LONGEST: u64 = 64 * 1024;
/// How long a client may take to ask.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to answer: a large memory has to be read and journalled.
const ANSWER: Duration = Duration::from_secs(120);

fn socket(store: &Path) -> PathBuf {
    store.join("control.sock")
}

/// Opens the door.
///
/// # Errors
/// The socket cannot be made.
pub(super) fn serve(store: &Path, door: Door) -> anyhow::Result<JoinHandle<()>> {
    let path = socket(store);
    // The store is ours: a socket that is there was left behind.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| path.display().to_string());
        }
        _ => {}
    }
    let listener =
        UnixListener::bind(&path).with_context(|| format!("{} cannot be made", path.display()))?;
    Ok(tokio::spawn(async move {
        let mut clients = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        clients.spawn(answer(stream, door.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "an operator could not connect");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                },
                Some(_) = clients.join_next() => {}
            }
        }
    }))
}

async fn answer(mut stream: UnixStream, door: Door) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    let mut asking = tokio::io::BufReader::new(read.take(LONGEST));
    timeout(PATIENCE, asking.read_line(&mut line)).await??;
    let answered = match serde_json::from_str(&line) {
        Ok(request) => door.answer(request).await,
        Err(error) => Err(error.into()),
    };
    let answer = match answered {
        Ok(answer) => Answer {
            error: None,
            answer,
        },
        Err(error) => Answer {
            error: Some(format!("{error:#}")),
            answer: Value::Null,
        },
    };
    let answer = serde_json::to_string(&answer)? + "\n";
    timeout(PATIENCE, write.write_all(answer.as_bytes())).await?
}

impl Door {
    async fn answer(&self, request: Request) -> anyhow::Result<Value> {
        Ok(match request {
            Request::Silences(request) => serde_json::to_value(self.silences(request).await?)?,
            Request::Warm { file } => {
                let store = self.store.clone();
                let reading = tokio::task::spawn_blocking(move || warm::left(&store, &file));
                let memories = reading.await??;
                let taken = self.tell(|done| Control::Warm { memories, done }).await?;
                serde_json::to_value(taken)?
            }
            Request::State(look) => {
                serde_json::to_value(self.tell(|done| Control::State { look, done }).await?)?
            }
        })
    }

    async fn silences(&self, request: silences::Request) -> anyhow::Result<Vec<silences::Running>> {
        let in_force = self.tell(|done| Control::Silences { done }).await?;
        let (documents, now) = (Arc::clone(&self.documents), self.clock.now());
        let planning =
            tokio::task::spawn_blocking(move || plan(request, in_force, &documents, now));
        match planning.await?? {
            Plan::Apply(input) => {
                self.tell(|done| Control::Operator { input, done }).await?;
                Ok(Vec::new())
            }
            Plan::Tell(running) => Ok(running),
        }
    }

    /// Tells the engine, and waits for what it says.
    async fn tell<T>(
        &self,
        control: impl FnOnce(oneshot::Sender<T>) -> Control,
    ) -> anyhow::Result<T> {
        let (done, answer) = oneshot::channel();
        let sent = self.engine.send(control(done)).await;
        sent.ok().context("the service is stopping")?;
        answer.await.ok().context("the service is stopping")
    }
}

/// Whether somebody listens on a store.
pub(super) fn is_served(store: &Path) -> bool {
    StdStream::connect(socket(store)).is_ok()
}

/// Asks the service that runs on a store; `None`: no service runs there.
///
/// # Errors
/// It runs, but could not do what was asked.
pub(in crate::cli) fn ask<T: DeserializeOwned>(
    store: &Path,
    request: &Request,
) -> anyhow::Result<Option<T>> {
    let mut stream = match StdStream::connect(socket(store)) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                // The last: the path is too long for a socket, so there is none.
                io::ErrorKind::NotFound
                    | io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::InvalidInput
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error).context("the running service cannot be reached"),
    };
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_string(request)? + "\n";
    stream.write_all(line.as_bytes())?;
    line.clear();
    BufReader::new(stream)
        .read_line(&mut line)
        .context("the running service did not answer")?;
    match serde_json::from_str(&line).context("the running service did not answer")? {
        Answer {
            error: None,
            answer,
        } => Ok(Some(
            serde_json::from_value(answer).context("the running service answered otherwise")?,
        )),
        Answer {
            error: Some(error), ..
        } => anyhow::bail!("the running service: {error}"),
    }
}
