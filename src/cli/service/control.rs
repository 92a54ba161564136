//! The operator's door to the running service: a socket in the store's folder that takes one JSON line and answers one.

use super::driver::Control;
use crate::event::WallTime;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// What can be asked of the running service.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Request {
    /// Hold back matches under a silence key.
    Silence {
        /// The key.
        key: String,
        /// Until when.
        until: WallTime,
    },
}

/// The answer.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    error: Option<String>,
}

/// A request is no longer than this.
const LONGEST: u64 = 64 * 1024;
/// How long a client may take, and how long it waits.
const PATIENCE: Duration = Duration::from_secs(5);

fn socket(store: &Path) -> PathBuf {
    store.join("control.sock")
}

/// Opens the door.
///
/// # Errors
/// The socket cannot be made.
pub(super) fn serve(store: &Path, engine: mpsc::Sender<Control>) -> anyhow::Result<JoinHandle<()>> {
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
                        clients.spawn(tokio::time::timeout(PATIENCE, answer(stream, engine.clone())));
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

async fn answer(mut stream: UnixStream, engine: mpsc::Sender<Control>) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    tokio::io::BufReader::new(read.take(LONGEST))
        .read_line(&mut line)
        .await?;
    let error = match serde_json::from_str(&line) {
        Ok(Request::Silence { key, until }) => silence(key, until, &engine).await.err(),
        Err(error) => Some(error.to_string()),
    };
    let answer = serde_json::to_string(&Answer { error })? + "\n";
    write.write_all(answer.as_bytes()).await
}

async fn silence(
    key: String,
    until: WallTime,
    engine: &mpsc::Sender<Control>,
) -> Result<(), String> {
    let (done, answer) = oneshot::channel();
    let stopping = |_| "the service is stopping".to_owned();
    engine
        .send(Control::Silence { key, until, done })
        .await
        .map_err(|_| stopping(()))?;
    answer.await.map_err(|_| stopping(()))
}

/// Asks the service that runs on a store. `None`: none runs there.
///
/// # Errors
/// It runs, but could not do what was asked.
pub(in crate::cli) fn ask(store: &Path, request: &Request) -> anyhow::Result<Option<()>> {
    let mut stream = match StdStream::connect(socket(store)) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error).context("the running service cannot be reached"),
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_string(request)? + "\n";
    stream.write_all(line.as_bytes())?;
    line.clear();
    BufReader::new(stream)
        .read_line(&mut line)
        .context("the running service did not answer")?;
    match serde_json::from_str(&line).context("the running service did not answer")? {
        Answer { error: None } => Ok(Some(())),
        Answer { error: Some(error) } => anyhow::bail!("the running service: {error}"),
    }
}
