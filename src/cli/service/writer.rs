//! The thread that keeps the writeback documents: it takes changes after their commit, and makes snapshots safe.
//!
//! Documents are committed to their store without waiting for the disk: after a crash the journal brings them again. Before a snapshot lets
//! older journals go, they are made safe.

use crate::engine::Write;
use crate::store::documents::{Commit, Documents};
use crate::store::write_snapshot;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Changes that wait at most; the engine waits when there are more.
const QUEUE: usize = 8192;
/// Changes that share one transaction at most.
const TRANSACTION: usize = 1024;

enum Message {
    Write(u64, Write),
    Snapshot { number: u64, bytes: Vec<u8> },
}

/// The thread's door.
pub(super) struct Writer {
    queue: SyncSender<Message>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread; `written` is called after each transaction, so that forwarding need not poll.
    pub(super) fn start(directory: &Path, documents: Arc<Documents>, written: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (queue, messages) = sync_channel(QUEUE);
        let directory = directory.to_owned();
        let thread = std::thread::Builder::new()
            .name("writeback".to_owned())
            .spawn(move || Work { directory, documents, written: Box::new(written) }.run(&messages))?;
        Ok(Self { queue, thread })
    }

    /// Takes a change.
    pub(super) fn write(&self, number: u64, write: Write) {
        self.send(Message::Write(number, write));
    }

    /// Takes the snapshot with which a journal begins.
    pub(super) fn snapshot(&self, number: u64, bytes: Vec<u8>) {
        self.send(Message::Snapshot { number, bytes });
    }

    fn send(&self, message: Message) {
        if self.queue.send(message).is_err() {
            tracing::error!("the writeback thread has ended; its documents wait in the journal for the next start");
        }
    }

    /// Ends the thread after everything it has taken.
    pub(super) fn finish(self) {
        drop(self.queue);
        if self.thread.join().is_err() {
            tracing::error!("the writeback thread failed; its documents wait in the journal for the next start");
        }
    }
}

struct Work {
    directory: PathBuf,
    documents: Arc<Documents>,
    written: Box<dyn Fn() + Send>,
}

impl Work {
    fn run(&self, messages: &Receiver<Message>) {
        let mut writes = Vec::new();
        while let Ok(first) = messages.recv() {
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Write(number, write) => writes.push((number, write)),
                    Message::Snapshot { number, bytes } => {
                        self.apply(&mut writes);
                        self.snapshot(number, &bytes);
                    }
                }
                next = if writes.len() < TRANSACTION { messages.try_recv().ok() } else { None };
            }
            self.apply(&mut writes);
        }
    }

    fn apply(&self, writes: &mut Vec<(u64, Write)>) {
        if writes.is_empty() {
            return;
        }
        // A store that cannot be written now is tried again; meanwhile the queue fills and the engine waits, which senders notice.
        while let Err(error) = self.documents.apply(writes, Commit::Later) {
            tracing::error!(%error, "writeback documents not stored, will retry");
            std::thread::sleep(Duration::from_millis(500));
        }
        writes.clear();
        (self.written)();
    }

    fn snapshot(&self, number: u64, bytes: &[u8]) {
        if let Err(error) = self.documents.flush() {
            return tracing::error!(%error, "no snapshot: the writeback documents could not be made safe");
        }
        if let Err(error) = write_snapshot(&self.directory, number, bytes) {
            tracing::error!(%error, "no snapshot; the journal is kept");
        }
    }
}
