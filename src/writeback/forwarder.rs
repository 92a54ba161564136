//! Copies the embedded store's changes to a server, in the background.

use super::backoff::Backoff;
use super::bulk::{self, Refused};
use super::client::{Client, EsError};
use super::indices::{self, Change, Existing};
use crate::store::documents::{Documents, Outgoing, StoreError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

/// At most so many changes in a request.
const MAX_CHANGES: usize = 500;
/// At most so much text in a request, unless one document alone is larger.
const MAX_BYTES: usize = 5 << 20;
/// How often an empty queue is looked at; with it, how long changes collect into one request.
const PAUSE: Duration = Duration::from_millis(500);

/// The task that copies. The engine never waits for it: it reads the queue that the embedded store keeps, so a server may be away for as long
/// as documents are kept, and every document still arrives once (its id makes a repeat harmless).
#[derive(Debug)]
pub struct Forwarder {
    task: JoinHandle<()>,
    stop: CancellationToken,
    progress: Arc<Progress>,
}

/// What the forwarder has done, for metrics.
#[derive(Debug, Default)]
pub struct Progress {
    forwarded: AtomicU64,
    refused: AtomicU64,
    failures: AtomicU64,
    connected: AtomicBool,
}

impl Progress {
    /// Changes the server has taken.
    pub fn forwarded(&self) -> u64 {
        self.forwarded.load(Ordering::Relaxed)
    }

    /// Changes the server will never take; each kind of refusal is in the log.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Requests that failed as a whole.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Whether the last request worked.
    pub fn connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }
}

impl Forwarder {
    /// Starts copying to the indices of that name, on the current tokio runtime. The server need not be there. Indices that are not there are
    /// made when it is, so that documents never meet a guessed mapping.
    pub fn start(client: Client, documents: Arc<Documents>, writeback_index: String) -> Self {
        let stop = CancellationToken::new();
        let progress = Arc::new(Progress::default());
        let worker = Worker {
            client,
            documents,
            writeback_index,
            progress: Arc::clone(&progress),
            max_changes: MAX_CHANGES,
            after: 0,
            prepared: false,
            told: BTreeSet::new(),
        };
        let task = tokio::spawn(worker.run(stop.clone()));
        Self {
            task,
            stop,
            progress,
        }
    }

    /// What it has done so far.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Copies what is queued and ends. Gives up at the first failure or when the deadline is over: what is left is copied after the next start.
    pub async fn drain(mut self, deadline: Duration) {
        self.stop.cancel();
        match tokio::time::timeout(deadline, &mut self.task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => error!(%error, "writeback ended unexpectedly"),
            Err(_) => {
                self.task.abort();
                warn!("writeback not finished in time, the rest is sent after the next start");
            }
        }
    }
}

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Server(#[from] EsError),
    #[error("the server takes some documents later: {0}")]
    Later(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("reading the embedded store was interrupted")]
    Interrupted,
}

struct Worker {
    client: Client,
    documents: Arc<Documents>,
    writeback_index: String,
    progress: Arc<Progress>,
    /// Changes in the next request: fewer after one was too large.
    max_changes: usize,
    /// Where the next request starts in the queue; 0: at its head.
    after: u64,
    /// Whether the indices are known to be there.
    prepared: bool,
    /// Kinds of refusals that were logged.
    told: BTreeSet<(String, String)>,
}

impl Worker {
    async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::new(PAUSE, Duration::from_secs(30));
        loop {
            let limit = self.max_changes;
            let pause = match self.round(limit).await {
                Ok(count) => {
                    backoff.reset();
                    self.succeeded();
                    if stop.is_cancelled() && count == 0 {
                        return;
                    }
                    if stop.is_cancelled() || count == limit {
                        continue;
                    }
                    PAUSE
                }
                Err(failure) => {
                    self.failed(&failure);
                    if stop.is_cancelled() {
                        return;
                    }
                    backoff.wait()
                }
            };
            // Both futures may be dropped at any time without loss.
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Sends at most `limit` of the oldest changes. Returns how many there were.
    async fn round(&mut self, limit: usize) -> Result<usize, Failure> {
        let after = std::mem::take(&mut self.after);
        let changes = self
            .store(move |documents| documents.outgoing(after, limit, MAX_BYTES))
            .await?;
        let Some(last) = changes.last() else {
            return Ok(0);
        };
        if !self.prepared {
            self.prepare().await?;
        }
        let outcome = match bulk::send(&self.client, &self.writeback_index, &changes).await {
            Ok(outcome) => outcome,
            Err(EsError::Status {
                status: 400 | 413,
                kind,
                reason,
                ..
            }) => {
                return self.too_much(&changes, kind, reason).await;
            }
            Err(error) => return Err(error.into()),
        };
        self.max_changes = (self.max_changes * 2).min(MAX_CHANGES);
        let forwarded = outcome.done.len();
        self.finish(outcome.done, outcome.refused).await?;
        self.progress
            .forwarded
            .fetch_add(u64::try_from(forwarded).unwrap_or(0), Ordering::Relaxed);
        debug!(forwarded, later = outcome.later, "writeback batch");
        match outcome.why_later {
            Some(reason) => {
                // Where only some cannot be taken, an index without permission say, the ones behind them must not wait for ever.
                if changes.len() == limit {
                    self.after = last.position;
                }
                Err(Failure::Later(reason))
            }
            None => Ok(changes.len()),
        }
    }

    /// Makes the indices that are not there. A user that may only write documents is not let: then they are taken to be there.
    async fn prepare(&mut self) -> Result<(), EsError> {
        let tell = |change| {
            if let Change::Created(index) = change {
                info!(index, "writeback index created");
            }
        };
        match indices::create(&self.client, &self.writeback_index, Existing::Keep, tell).await {
            Ok(()) => {}
            Err(error) if error.status() == Some(403) => {
                debug!(%error, "not allowed to look after the writeback indices");
            }
            Err(error) => return Err(error),
        }
        self.prepared = true;
        Ok(())
    }

    /// The request as a whole was refused for its content: sends less at a time, and gives up a document that is refused alone.
    async fn too_much(
        &mut self,
        changes: &[Outgoing],
        kind: String,
        reason: String,
    ) -> Result<usize, Failure> {
        let [change] = changes else {
            self.max_changes = (changes.len() / 2).max(1);
            return Ok(self.max_changes);
        };
        let refused = Refused {
            position: change.position,
            index: super::index_name(&self.writeback_index, change.index),
            id: change.id.clone(),
            kind,
            reason,
        };
        self.finish(Vec::new(), vec![refused]).await?;
        Ok(1)
    }

    /// Takes out of the queue what is done or hopeless.
    async fn finish(&mut self, done: Vec<u64>, refused: Vec<Refused>) -> Result<(), Failure> {
        let mut positions = done;
        positions.extend(refused.iter().map(|refused| refused.position));
        if !positions.is_empty() {
            self.store(move |documents| documents.acknowledge(&positions))
                .await?;
        }
        for refused in refused {
            self.progress.refused.fetch_add(1, Ordering::Relaxed);
            let Refused {
                index,
                id,
                kind,
                reason,
                ..
            } = refused;
            if self.told.insert((index.clone(), kind.clone())) {
                error!(
                    index,
                    id,
                    kind,
                    reason,
                    "document refused by Elasticsearch, it stays in the embedded store only; further ones like it are only counted"
                );
            } else {
                debug!(index, id, kind, reason, "document refused by Elasticsearch");
            }
        }
        Ok(())
    }

    /// Works with the embedded store, which blocks on the disk.
    async fn store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Documents) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let documents = Arc::clone(&self.documents);
        match tokio::task::spawn_blocking(move || work(&documents)).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(Failure::Interrupted),
        }
    }

    fn succeeded(&self) {
        if self.prepared && !self.progress.connected.swap(true, Ordering::Relaxed) {
            info!(host = self.client.host(), "writeback connected");
        }
    }

    fn failed(&mut self, failure: &Failure) {
        // The server that comes back may be another one, without the indices.
        self.prepared = false;
        let first = self.progress.failures.fetch_add(1, Ordering::Relaxed) == 0;
        let was_connected = self.progress.connected.swap(false, Ordering::Relaxed);
        if first || was_connected {
            warn!(error = %failure, "documents not forwarded to Elasticsearch, will retry; they are kept in the embedded store");
        } else {
            debug!(error = %failure, "documents not forwarded to Elasticsearch, will retry");
        }
    }
}
