//! The threads that decide batches, between the inputs and the engine.

use crate::event::json::parse_document;
use crate::event::{Meta, RawEvent};
use crate::input::Batch;
use crate::input::index_name::IndexName;
use crate::rule::{Decided, Decider, Pace, Workspace};
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A batch on its way from the filter to the engine.
pub(super) struct DecidedBatch {
    /// Its place in the order of arrival.
    pub(super) number: u64,
    pub(super) batch: Batch,
    decided: Option<(Decided, Option<Pace>)>,
    rejected: Vec<(usize, crate::event::json::EventError)>,
    /// Time spent deciding.
    pub(super) took: Duration,
}

impl DecidedBatch {
    /// What the engine gets, and in a run over a stream when its events were; once.
    pub(super) fn take_decided(&mut self) -> Option<(Decided, Option<Pace>)> {
        self.decided.take()
    }

    /// How many events were none.
    pub(super) fn rejected(&self) -> usize {
        self.rejected.len()
    }

    /// The events that were none, and why.
    pub(super) fn rejects(&self) -> &[(usize, crate::event::json::EventError)] {
        &self.rejected
    }

    /// The same for the sender.
    pub(super) fn rejections(&self) -> Vec<(usize, String)> {
        self.rejected
            .iter()
            .map(|(at, error)| (*at, error.to_string()))
            .collect()
    }
}

/// Where batches wait, with the number of the next.
struct Queue {
    batches: mpsc::Receiver<Batch>,
    next: u64,
    stopping: CancellationToken,
}

/// Starts the threads. They end when the queue is empty and nothing more comes: every input has ended, or they are `stopping`, since a
/// standard input that says nothing cannot be made to end. In a run over a stream, events older than `old` when they come are of another time.
pub(super) fn start(
    threads: usize,
    batches: mpsc::Receiver<Batch>,
    decider: &Arc<ArcSwap<Decider>>,
    decided: &mpsc::Sender<DecidedBatch>,
    stopping: CancellationToken,
    old: Option<Duration>,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let queue = Arc::new(Mutex::new(Queue {
        batches,
        next: 0,
        stopping,
    }));
    let runtime = Handle::current();
    (0..threads.max(1))
        .map(|number| {
            let (queue, decider, decided) =
                (Arc::clone(&queue), Arc::clone(decider), decided.clone());
            let runtime = runtime.clone();
            std::thread::Builder::new()
                .name(format!("filter-{number}"))
                .spawn(move || {
                    let mut workspace = Workspace::default();
                    while let Some((number, batch)) = next(&queue, &runtime) {
                        let batch = decide(&decider.load(), &mut workspace, number, batch, old);
                        if decided.blocking_send(batch).is_err() {
                            break;
                        }
                    }
                })
        })
        .collect()
}

fn next(queue: &Mutex<Queue>, runtime: &Handle) -> Option<(u64, Batch)> {
    // A thread that panicked while it held the lock had not taken a batch.
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    let Queue {
        batches,
        next,
        stopping,
    } = &mut *queue;
    let batch = runtime.block_on(async {
        // `recv` loses nothing when the other branch wins. What waits in a closed queue is still received.
        tokio::select! {
            biased;
            batch = batches.recv() => batch,
            () = stopping.cancelled() => {
                batches.close();
                batches.recv().await
            }
        }
    })?;
    let number = *next;
    *next += 1;
    Some((number, batch))
}

fn decide(
    decider: &Decider,
    workspace: &mut Workspace,
    number: u64,
    mut batch: Batch,
    old: Option<Duration>,
) -> DecidedBatch {
    let started = Instant::now();
    let origin = Arc::clone(&batch.origin);
    let index = origin.index.as_ref().and_then(|index| {
        if index.fixed().is_none() {
            name_indices(index, &mut batch.events);
        }
        index.fixed()
    });
    let (events, now) = (&batch.events, batch.received);
    let (mut decided, pace) = match old {
        None => (decider.decide_in(workspace, events, index, now), None),
        Some(old) => {
            let old = now.minus(old).as_event_time();
            let (decided, pace) = decider.decide_stream(workspace, events, index, now, old);
            (decided, Some(pace))
        }
    };
    let rejected = std::mem::take(&mut decided.rejected);
    DecidedBatch {
        number,
        batch,
        decided: Some((decided, pace)),
        rejected,
        took: started.elapsed(),
    }
}

/// Fills in the index of events that do not say where they go, where it depends on what is in them.
fn name_indices(index: &IndexName, events: &mut [RawEvent]) {
    for event in events {
        let meta = event.meta.as_deref().cloned().unwrap_or_default();
        if meta.index.is_some() {
            continue;
        }
        // What is no event is told when it is decided.
        let Ok(document) = parse_document(&event.bytes) else {
            continue;
        };
        event.meta = Some(Arc::new(Meta {
            index: Some(index.resolve_document(&document)),
            ..meta
        }));
    }
}
