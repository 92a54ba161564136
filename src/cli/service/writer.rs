//! The thread that keeps the writeback documents: it takes changes after their commit, and makes snapshots safe.
//!
//! Documents are committed to their store without waiting for the disk: after a crash the journal brings them again. Before a snapshot lets
//! older journals go, they are made safe.

use super::state::make_snapshot;
use crate::engine::{Options, Program, Write};
use crate::rule::Place;
use crate::store::documents::{Commit, Documents, Retention, StoreError};
use crate::store::{SpillFiles, write_snapshot};
use crate::telemetry::Clock;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Changes that wait at most; the engine waits when there are more.
const QUEUE: usize = 8192;
/// Changes that share one transaction at most.
const TRANSACTION: usize = 1024;

/// How long documents may be safe only in the journal.
const MAKE_SAFE_AFTER: Duration = Duration::from_secs(1);
/// How often old documents are looked for.
const CLEAN_EVERY: Duration = Duration::from_secs(600);

enum Message {
    Write(u64, Write),
    Snapshot {
        number: u64,
        bytes: Vec<u8>,
        spilled: Vec<Place>,
    },
    MakeSnapshot {
        number: u64,
        options: Options,
        program: Arc<Program>,
    },
    Then(Box<dyn FnOnce() + Send>),
}

/// The thread's door.
pub(super) struct Writer {
    queue: SyncSender<Message>,
    thread: JoinHandle<()>,
    last: Arc<LastSnapshot>,
}

/// The latest snapshot made beside the engine.
#[derive(Debug, Default)]
struct LastSnapshot {
    /// One is being made.
    in_work: AtomicBool,
    /// How many bytes it had.
    bytes: AtomicU64,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        directory: &Path,
        documents: Arc<Documents>,
        spill: Arc<SpillFiles>,
        retention: Retention,
        clock: Clock,
    ) -> std::io::Result<Self> {
        let (queue, messages) = sync_channel(QUEUE);
        let last = Arc::<LastSnapshot>::default();
        let work = Work {
            directory: directory.to_owned(),
            documents,
            spill,
            retention,
            clock,
            unsafe_since: None,
            cleaned: None,
            last: Arc::clone(&last),
            maker: None,
        };
        let thread = std::thread::Builder::new()
            .name("writeback".to_owned())
            .spawn(move || work.run(&messages))?;
        Ok(Self {
            queue,
            thread,
            last,
        })
    }

    /// Takes a change.
    pub(super) fn write(&self, number: u64, write: Write) {
        self.send(Message::Write(number, write));
    }

    /// Takes the snapshot with which a journal begins, and the places of spilled events in it.
    pub(super) fn snapshot(&self, number: u64, bytes: Vec<u8>, spilled: Vec<Place>) {
        self.send(Message::Snapshot {
            number,
            bytes,
            spilled,
        });
    }

    /// Has the snapshot made with which journal `number` begins, from what is on disk, while the engine goes on.
    pub(super) fn make_snapshot(&self, number: u64, options: Options, program: Arc<Program>) {
        self.last.in_work.store(true, Ordering::Release);
        self.send(Message::MakeSnapshot {
            number,
            options,
            program,
        });
    }

    /// The size of the latest snapshot made beside the engine; `None` while one is being made.
    pub(super) fn last_snapshot(&self) -> Option<u64> {
        let in_work = self.last.in_work.load(Ordering::Acquire);
        (!in_work).then(|| self.last.bytes.load(Ordering::Relaxed))
    }

    /// Does something when every change taken before can be read.
    pub(super) fn then(&self, act: impl FnOnce() + Send + 'static) {
        self.send(Message::Then(Box::new(act)));
    }

    fn send(&self, message: Message) {
        if self.queue.send(message).is_err() {
            tracing::error!(
                "the writeback thread has ended; its documents wait in the journal for the next start"
            );
        }
    }

    /// Ends the thread after everything it has taken.
    pub(super) fn finish(self) {
        drop(self.queue);
        if self.thread.join().is_err() {
            tracing::error!(
                "the writeback thread failed; its documents wait in the journal for the next start"
            );
        }
    }
}

/// Ends the making of a snapshot, however it ends.
struct InWork(Arc<LastSnapshot>);

impl Drop for InWork {
    fn drop(&mut self) {
        self.0.in_work.store(false, Ordering::Release);
    }
}

struct Work {
    directory: PathBuf,
    documents: Arc<Documents>,
    spill: Arc<SpillFiles>,
    retention: Retention,
    clock: Clock,
    /// Since when there are documents that a power cut would take back to the journal.
    unsafe_since: Option<Instant>,
    /// When old documents were removed last.
    cleaned: Option<Instant>,
    last: Arc<LastSnapshot>,
    /// The thread that makes a snapshot.
    maker: Option<JoinHandle<()>>,
}

impl Work {
    fn run(mut self, messages: &Receiver<Message>) {
        let mut writes = Vec::new();
        loop {
            let mut next = match messages.recv_timeout(MAKE_SAFE_AFTER) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            while let Some(message) = next {
                match message {
                    Message::Write(number, write) => writes.push((number, write)),
                    Message::Snapshot {
                        number,
                        bytes,
                        spilled,
                    } => {
                        self.apply(&mut writes);
                        self.snapshot(number, &bytes, &spilled);
                    }
                    Message::MakeSnapshot {
                        number,
                        options,
                        program,
                    } => {
                        self.apply(&mut writes);
                        self.make_snapshot(number, options, program);
                    }
                    Message::Then(act) => {
                        self.apply(&mut writes);
                        act();
                    }
                }
                next = if writes.len() < TRANSACTION {
                    messages.try_recv().ok()
                } else {
                    None
                };
            }
            self.apply(&mut writes);
            if self
                .unsafe_since
                .is_some_and(|since| since.elapsed() >= MAKE_SAFE_AFTER)
            {
                self.make_safe();
            }
            if self
                .cleaned
                .is_none_or(|cleaned| cleaned.elapsed() >= CLEAN_EVERY)
            {
                self.remove_old();
            }
        }
        self.make_safe();
        self.end_maker();
    }

    fn apply(&mut self, writes: &mut Vec<(u64, Write)>) {
        if writes.is_empty() {
            return;
        }
        self.must(|documents| documents.apply(writes, Commit::Lazy).map(|_applied| ()));
        writes.clear();
        self.unsafe_since.get_or_insert_with(Instant::now);
    }

    fn make_safe(&mut self) {
        self.must(Documents::flush);
        self.unsafe_since = None;
    }

    /// Documents come in meanwhile, so that it needs a thread of its own. Their changes of older journals are safe before.
    fn make_snapshot(&mut self, number: u64, options: Options, program: Arc<Program>) {
        self.make_safe();
        self.end_maker();
        let directory = self.directory.clone();
        let in_work = InWork(Arc::clone(&self.last));
        let spill = Arc::clone(&self.spill);
        let make = move || match make_snapshot(&directory, number, options, program, &spill) {
            Ok(bytes) => in_work.0.bytes.store(bytes, Ordering::Relaxed),
            Err(error) => tracing::error!(%error, "no snapshot; the journal is kept"),
        };
        match std::thread::Builder::new()
            .name("snapshot".to_owned())
            .spawn(make)
        {
            Ok(maker) => self.maker = Some(maker),
            Err(error) => {
                tracing::error!(%error, "no snapshot; the journal is kept");
            }
        }
    }

    fn end_maker(&mut self) {
        if let Some(maker) = self.maker.take()
            && maker.join().is_err()
        {
            tracing::error!("the snapshot's thread failed; the journal is kept");
        }
    }

    fn snapshot(&mut self, number: u64, bytes: &[u8], spilled: &[Place]) {
        self.make_safe();
        self.end_maker();
        match write_snapshot(&self.directory, number, bytes) {
            Ok(()) => self.spill.collect(number, spilled),
            Err(error) => tracing::error!(%error, "no snapshot; the journal is kept"),
        }
    }

    /// Removes a portion of the documents that are too old; what is left of them comes soon after.
    fn remove_old(&mut self) {
        const PORTION: usize = 1000;
        let now = self.clock.now();
        match self.documents.remove_old(now, &self.retention, PORTION) {
            Ok(removed) => {
                if removed.never_forwarded > 0 {
                    let count = removed.never_forwarded;
                    tracing::warn!(
                        count,
                        "documents became too old before Elasticsearch took them, and were removed"
                    );
                }
                self.cleaned = (removed.documents < PORTION).then(Instant::now);
            }
            Err(error) => {
                tracing::error!(%error, "old documents could not be removed");
                self.cleaned = Some(Instant::now());
            }
        }
    }

    /// After a failure the store answers nothing more until it is opened anew; the journal has everything it may lack.
    fn must(&self, act: impl FnOnce(&Documents) -> Result<(), StoreError>) {
        if let Err(error) = act(&self.documents) {
            tracing::error!(%error, "the writeback documents cannot be stored; stopping, the next start goes on from the journal");
            std::process::exit(crate::cli::exit::PROBLEMS);
        }
    }
}
