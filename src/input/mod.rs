//! The doors events come in through, one file each.

use crate::event::{RawEvent, WallTime};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Where a batch came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The input's name: `stdin`, `http`, `tcp`, or what the configuration calls it.
    pub input: String,
    /// The input's `index:` setting; a Logstash sprintf is filled in per event later.
    pub index: Option<String>,
}

/// Events that came together and are answered together.
#[derive(Debug)]
pub struct Batch {
    /// Where from.
    pub origin: Arc<Origin>,
    /// The events, not yet looked at.
    pub events: Vec<RawEvent>,
    /// When the last of them arrived.
    pub received: WallTime,
    /// Tells this body from others, when the sender may repeat it.
    pub fingerprint: Option<u128>,
    /// Told what became of each event once the journal has the batch; dropped unanswered when it cannot be journalled.
    pub reply: Option<oneshot::Sender<Receipt>>,
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Events that were evaluated.
    pub accepted: usize,
    /// Events that were put to the dead-letter file: position in the batch, and why.
    pub rejected: Vec<(usize, String)>,
}

/// Takes batches; bounded, so that a full queue becomes back-pressure the sender understands.
#[derive(Debug, Clone)]
pub struct Intake {
    queue: mpsc::Sender<Batch>,
}

/// The queue is full.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Try again in a moment.
    #[error("the queue is full")]
    Full(Batch),
    /// The program is stopping.
    #[error("the program is stopping")]
    Closed(Batch),
}

impl Intake {
    /// An intake and where its batches come out; holds at most `capacity` batches.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Batch>) {
        let (queue, receiver) = mpsc::channel(capacity);
        (Self { queue }, receiver)
    }

    /// Hands a batch over, waiting while the queue is full.
    ///
    /// # Errors
    /// The program is stopping.
    pub async fn submit(&self, batch: Batch) -> Result<(), IntakeError> {
        self.queue
            .send(batch)
            .await
            .map_err(|mpsc::error::SendError(batch)| IntakeError::Closed(batch))
    }

    /// Hands a batch over at once.
    ///
    /// # Errors
    /// The queue is full, or the program is stopping.
    pub fn try_submit(&self, batch: Batch) -> Result<(), IntakeError> {
        self.queue.try_send(batch).map_err(|error| match error {
            mpsc::error::TrySendError::Full(batch) => IntakeError::Full(batch),
            mpsc::error::TrySendError::Closed(batch) => IntakeError::Closed(batch),
        })
    }
}
