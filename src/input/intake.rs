//! Batches of events, and the bounded queue that takes them.

use super::index_name::IndexName;
use crate::event::{RawEvent, WallTime};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, oneshot};

/// Where a batch came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The input's name: `stdin`, `http`, `tcp`, or what the configuration calls it.
    pub input: String,
    /// The input's `index:` setting; what depends on the event is filled in when it is decided.
    pub index: Option<IndexName>,
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
    /// Its share of the intake's memory, given back when the batch is dropped; the intake fills it in.
    pub held: Option<Held>,
}

impl Batch {
    /// A batch that nobody waits for.
    pub fn new(origin: Arc<Origin>, events: Vec<RawEvent>, received: WallTime) -> Self {
        Self {
            origin,
            events,
            received,
            fingerprint: None,
            reply: None,
            held: None,
        }
    }

    /// The bytes of its events.
    pub fn size(&self) -> usize {
        self.events.iter().map(|event| event.bytes.len()).sum()
    }
}

/// A batch's share of the intake's memory.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "held to be dropped")] OwnedSemaphorePermit);

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Events that were evaluated.
    pub accepted: usize,
    /// Events that were put to the dead-letter file: position in the batch, and why.
    pub rejected: Vec<(usize, String)>,
}

/// Takes batches; bounded in number and in bytes, so that a full queue becomes back-pressure the sender understands.
#[derive(Debug, Clone)]
pub struct Intake {
    queue: mpsc::Sender<Batch>,
    /// Free memory, in units of [`UNIT`] bytes.
    memory: Arc<Semaphore>,
    /// All of it, in the same units.
    all_memory: u32,
}

/// Memory is counted roughly: one permit stands for this many bytes.
const UNIT: usize = 1024;

/// The queue is full, or nobody takes from it any more; the batch comes back.
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
    /// An intake and where its batches come out; holds at most `capacity` batches and 256 MiB of events.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Batch>) {
        Self::bounded(capacity, 256 * 1024 * 1024)
    }

    /// An intake and where its batches come out; holds at most `capacity` batches and `bytes` of events, counted until the
    /// batch is dropped. A larger batch is taken when the intake is empty.
    pub fn bounded(capacity: usize, bytes: usize) -> (Self, mpsc::Receiver<Batch>) {
        let (queue, receiver) = mpsc::channel(capacity);
        let units = units(bytes);
        let memory = Arc::new(Semaphore::new(usize::try_from(units).unwrap_or(usize::MAX)));
        let intake = Self {
            queue,
            memory,
            all_memory: units,
        };
        (intake, receiver)
    }

    /// Hands a batch over, waiting while the queue is full.
    ///
    /// # Errors
    /// The program is stopping.
    pub async fn submit(&self, mut batch: Batch) -> Result<(), IntakeError> {
        let share = units(batch.size()).min(self.all_memory);
        let Ok(permit) = Arc::clone(&self.memory).acquire_many_owned(share).await else {
            return Err(IntakeError::Closed(batch));
        };
        batch.held = Some(Held(permit));
        self.queue
            .send(batch)
            .await
            .map_err(|mpsc::error::SendError(batch)| IntakeError::Closed(batch))
    }

    /// Hands a batch over at once.
    ///
    /// # Errors
    /// The queue is full, or the program is stopping.
    pub fn try_submit(&self, mut batch: Batch) -> Result<(), IntakeError> {
        let share = units(batch.size()).min(self.all_memory);
        match Arc::clone(&self.memory).try_acquire_many_owned(share) {
            Ok(permit) => batch.held = Some(Held(permit)),
            Err(TryAcquireError::NoPermits) => return Err(IntakeError::Full(batch)),
            Err(TryAcquireError::Closed) => return Err(IntakeError::Closed(batch)),
        }
        self.queue.try_send(batch).map_err(|error| match error {
            mpsc::error::TrySendError::Full(batch) => IntakeError::Full(batch),
            mpsc::error::TrySendError::Closed(batch) => IntakeError::Closed(batch),
        })
    }

    /// Tells what waits, without keeping the intake open.
    pub fn gauge(&self) -> IntakeGauge {
        IntakeGauge {
            queue: self.queue.downgrade(),
            memory: Arc::clone(&self.memory),
            all_memory: self.all_memory,
        }
    }
}

/// Tells what waits in an [`Intake`].
#[derive(Debug, Clone)]
pub struct IntakeGauge {
    queue: mpsc::WeakSender<Batch>,
    memory: Arc<Semaphore>,
    all_memory: u32,
}

impl IntakeGauge {
    /// Batches waiting in the queue, and bytes of events handed over and not yet dropped, roughly. `None`: the intake is closed.
    pub fn read(&self) -> Option<(usize, usize)> {
        let queue = self.queue.upgrade()?;
        let all = usize::try_from(self.all_memory).unwrap_or(usize::MAX);
        let held = all.saturating_sub(self.memory.available_permits());
        Some((
            queue.max_capacity() - queue.capacity(),
            held.saturating_mul(UNIT),
        ))
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn batch(size: usize) -> Batch {
        let event = RawEvent {
            bytes: Bytes::from(vec![b'x'; size]),
            meta: None,
        };
        let origin = Origin {
            input: "test".to_owned(),
            index: None,
        };
        Batch::new(Arc::new(origin), vec![event], WallTime(0))
    }

    #[test]
    fn is_full_by_number() {
        let (intake, _receiver) = Intake::bounded(1, 1 << 20);
        assert!(intake.try_submit(batch(10)).is_ok());
        assert!(matches!(
            intake.try_submit(batch(10)),
            Err(IntakeError::Full(_))
        ));
        assert_eq!(intake.gauge().read().unwrap().0, 1);
    }

    #[test]
    fn is_full_by_bytes_until_the_batch_is_dropped() {
        let (intake, mut receiver) = Intake::bounded(10, 4096);
        assert!(intake.try_submit(batch(4000)).is_ok());
        assert!(matches!(
            intake.try_submit(batch(2000)),
            Err(IntakeError::Full(_))
        ));
        let taken = receiver.try_recv().unwrap();
        assert!(matches!(
            intake.try_submit(batch(2000)),
            Err(IntakeError::Full(_))
        ));
        assert_eq!(intake.gauge().read().unwrap().1, 4096);
        drop(taken);
        assert!(intake.try_submit(batch(2000)).is_ok());
    }

    #[test]
    fn takes_a_batch_larger_than_itself_when_empty() {
        let (intake, _receiver) = Intake::bounded(10, 4096);
        assert!(intake.try_submit(batch(100_000)).is_ok());
        assert!(matches!(
            intake.try_submit(batch(10)),
            Err(IntakeError::Full(_))
        ));
    }

    #[test]
    fn tells_when_nobody_takes_any_more() {
        let (intake, receiver) = Intake::channel(1);
        drop(receiver);
        assert!(matches!(
            intake.try_submit(batch(1)),
            Err(IntakeError::Closed(_))
        ));
    }
}
