//! Recognises a body that comes again because its sender never saw the answer to the first one.
//!
//! Logstash sends the very same body again when an answer takes longer than ten seconds or the connection breaks, and gives no
//! id with it. Two equal bodies are *not* always a repeat: somebody tries an event with curl in a loop, a test sends the same
//! line twice. So a body is a repeat only while the first is still being worked on, or when its answer was lost: the client had
//! gone before it was written, or the connection was reset afterwards. It is not counted again, and gets the first one's outcome.
//!
//! Lost answers are remembered for five minutes, 65,536 of them at most. Bodies that are still being worked on are as many as
//! there are connections. Under load a repeat can be answered before the request it repeats is even read from its socket; so
//! answers that arrived are remembered, too, for ten seconds, and a request whose client has left already is held against them.

use crate::event::WallTime;
use crate::input::Receipt;
use crate::input::watch::Watch;
use crate::telemetry::Clock;
use foldhash::quality::FixedState;
use futures_util::FutureExt as _;
use futures_util::future::Shared;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry as MapEntry;
use std::collections::VecDeque;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a lost answer is remembered.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// How many lost answers are remembered.
const MAX_LOST: usize = 65_536;

/// How long an answer that arrived is remembered.
const OVERTAKEN: Duration = Duration::from_secs(10);

/// How many of those.
const MAX_DELIVERED: usize = 4096;

/// Tells bodies apart: a hash of the content type and of the body after decompression. The same for the same bytes after a restart, so that it can go through the journal.
pub fn fingerprint(content_type: &str, body: &[u8]) -> u128 {
    let half = |seed| u128::from(FixedState::with_seed(seed).hash_one((content_type, body)));
    half(0x7472_6970_6c69_6e65) << 64 | half(0x626f_6469_6573)
}

/// What will become of a body. Dropping the batch's `reply` resolves it to an error: nothing was kept, and the body may come
/// again as a new one.
pub type Outcome = Shared<oneshot::Receiver<Receipt>>;

/// Remembers bodies whose answers are not known to have arrived.
#[derive(Debug, Clone)]
pub struct RepeatGuard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    bodies: Mutex<Bodies>,
}

#[derive(Debug)]
struct Bodies {
    by_fingerprint: HashMap<u128, Body, foldhash::fast::RandomState>,
    /// Bodies whose answers were lost; some of them have been repeated since.
    lost: Queue,
    /// Bodies with an answer that has arrived.
    delivered: Queue,
    next: u64,
}

/// A body whose requests were all settled.
#[derive(Debug, Clone, Copy)]
struct Settled {
    at: WallTime,
    fingerprint: u128,
    generation: Generation,
}

/// Settled bodies, oldest first.
#[derive(Debug)]
struct Queue {
    bodies: VecDeque<Settled>,
    most: usize,
    time: Duration,
}

impl Queue {
    fn new(most: usize, time: Duration) -> Self {
        Self {
            bodies: VecDeque::new(),
            most,
            time,
        }
    }

    /// Takes one in; gives the oldest out when there are too many.
    fn push(&mut self, body: Settled) -> Option<Settled> {
        self.bodies.push_back(body);
        if self.bodies.len() > self.most {
            self.bodies.pop_front()
        } else {
            None
        }
    }

    /// Gives the oldest out when its time is over.
    fn pop_old(&mut self, now: WallTime) -> Option<Settled> {
        let oldest = self.bodies.front()?;
        if now.since(oldest.at) >= self.time {
            self.bodies.pop_front()
        } else {
            None
        }
    }
}

/// Tells a body from a later one with the same fingerprint.
type Generation = u64;

#[derive(Debug)]
struct Body {
    generation: Generation,
    /// `None` for one that was recovered from the journal.
    outcome: Option<Outcome>,
    /// Requests with this body that have not been answered.
    waiting: usize,
    /// Connections on which it was answered, and of which nothing was seen since.
    answered: Vec<Arc<Watch>>,
    /// Some request's answer has arrived.
    delivered: bool,
    /// When the last request for it was settled, all others being settled.
    settled: Option<WallTime>,
}

/// Whether anybody waits for a body's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The client's side of the connection is open.
    Waits,
    /// The client has closed it.
    HasLeft,
}

/// What a body is.
#[derive(Debug)]
pub enum Arrival {
    /// It comes for the first time.
    New(Claim),
    /// It came before; its outcome, unless it came before the program was started.
    Repeat(Claim, Option<Outcome>),
}

/// One request's interest in a body: dropped without [`Claim::answered`], its answer is lost.
#[derive(Debug)]
#[must_use]
pub struct Claim {
    guard: RepeatGuard,
    fingerprint: u128,
    generation: Generation,
    settled: bool,
}

/// An answer that was written, and may not have arrived: dropped, it is settled by how the connection has ended.
#[derive(Debug)]
pub struct Answered {
    guard: RepeatGuard,
    fingerprint: u128,
    generation: Generation,
    watch: Arc<Watch>,
    confirmed: bool,
}

impl RepeatGuard {
    /// One that has seen nothing but the fingerprints of `recovered` batches: the program ended before it is known whether
    /// their answers arrived.
    pub fn new(clock: Clock, recovered: impl IntoIterator<Item = u128>) -> Self {
        let guard = Self(Arc::new(Inner {
            clock,
            bodies: Mutex::new(Bodies {
                by_fingerprint: HashMap::default(),
                lost: Queue::new(MAX_LOST, REMEMBERED),
                delivered: Queue::new(MAX_DELIVERED, OVERTAKEN),
                next: 0,
            }),
        }));
        for fingerprint in recovered {
            let generation = guard.lock().add(fingerprint, None);
            guard.settle(fingerprint, generation, |body| body.waiting = 0);
        }
        guard
    }

    /// A body has come. If it is new, `outcome` is what will become of it.
    pub fn arrive(&self, fingerprint: u128, outcome: &Outcome, sender: Sender) -> Arrival {
        let mut bodies = self.lock();
        bodies.forget_old(self.0.clock.now());
        let claim = |generation| Claim {
            guard: self.clone(),
            fingerprint,
            generation,
            settled: false,
        };
        if let Some(body) = bodies.by_fingerprint.get_mut(&fingerprint)
            && body.is_open(sender)
        {
            body.waiting += 1;
            return Arrival::Repeat(claim(body.generation), body.outcome.clone());
        }
        let generation = bodies.add(fingerprint, Some(outcome.clone()));
        Arrival::New(claim(generation))
    }

    fn lock(&self) -> MutexGuard<'_, Bodies> {
        self.0.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a body, if it is still the one meant, and forgets it when all is done.
    fn settle(&self, fingerprint: u128, generation: Generation, change: impl FnOnce(&mut Body)) {
        let now = self.0.clock.now();
        let mut bodies = self.lock();
        let MapEntry::Occupied(mut entry) = bodies.by_fingerprint.entry(fingerprint) else {
            return;
        };
        let body = entry.get_mut();
        if body.generation != generation {
            return;
        }
        change(body);
        if !body.is_settled() {
            return;
        }
        body.settled = Some(now);
        let delivered = body.delivered;
        let settled = Settled {
            at: now,
            fingerprint,
            generation,
        };
        let queue = if delivered {
            &mut bodies.delivered
        } else {
            &mut bodies.lost
        };
        if let Some(oldest) = queue.push(settled) {
            bodies.forget(oldest);
        }
    }
}

impl Bodies {
    fn add(&mut self, fingerprint: u128, outcome: Option<Outcome>) -> Generation {
        let generation = self.next;
        self.next += 1;
        let body = Body {
            generation,
            waiting: 1,
            outcome,
            answered: Vec::new(),
            delivered: false,
            settled: None,
        };
        self.by_fingerprint.insert(fingerprint, body);
        generation
    }

    fn forget_old(&mut self, now: WallTime) {
        while let Some(oldest) = self
            .lost
            .pop_old(now)
            .or_else(|| self.delivered.pop_old(now))
        {
            self.forget(oldest);
        }
    }

    /// Forgets a body that has left its queue, unless there was news of it since: then it has another place in a queue, or will.
    fn forget(&mut self, settled: Settled) {
        let Settled {
            at,
            fingerprint,
            generation,
        } = settled;
        if let MapEntry::Occupied(entry) = self.by_fingerprint.entry(fingerprint)
            && entry.get().generation == generation
            && entry.get().settled == Some(at)
            && entry.get().is_settled()
        {
            entry.remove();
        }
    }
}

impl Body {
    /// Whether the same bytes are this body coming again.
    fn is_open(&self, sender: Sender) -> bool {
        if self.waiting > 0 {
            return true;
        }
        match sender {
            // Its client has come again and was answered meanwhile.
            Sender::HasLeft => true,
            Sender::Waits => {
                !self.delivered && self.answered.iter().all(|watch| watch.is_unanswered())
            }
        }
    }

    fn is_settled(&self) -> bool {
        self.waiting == 0 && self.answered.is_empty()
    }
}

impl Claim {
    /// The answer is about to be written to the watched connection.
    pub fn answered(mut self, watch: &Arc<Watch>) -> Answered {
        watch.answering();
        self.settled = true;
        self.guard
            .settle(self.fingerprint, self.generation, |body| {
                body.waiting -= 1;
                body.answered.push(Arc::clone(watch));
            });
        Answered {
            guard: self.guard.clone(),
            fingerprint: self.fingerprint,
            generation: self.generation,
            watch: Arc::clone(watch),
            confirmed: false,
        }
    }

    /// Nothing was kept of the body, so that it is new when it comes again.
    pub fn forget(mut self) {
        self.settled = true;
        let mut bodies = self.guard.lock();
        if let MapEntry::Occupied(entry) = bodies.by_fingerprint.entry(self.fingerprint)
            && entry.get().generation == self.generation
        {
            entry.remove();
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.settled {
            self.guard
                .settle(self.fingerprint, self.generation, |body| body.waiting -= 1);
        }
    }
}

impl Answered {
    /// The client has sent its next request on the connection: it has read the answer.
    pub fn confirm(mut self) {
        self.confirmed = true;
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        let delivered = self.confirmed || !self.watch.is_unanswered();
        self.guard
            .settle(self.fingerprint, self.generation, |body| {
                body.answered
                    .retain(|watch| !Arc::ptr_eq(watch, &self.watch));
                body.delivered |= delivered;
            });
    }
}

/// An outcome, and how to tell it.
pub(super) fn outcome() -> (oneshot::Sender<Receipt>, Outcome) {
    let (reply, receiver) = oneshot::channel();
    (reply, receiver.shared())
}

#[cfg(test)]
#[path = "repeat/tests.rs"]
mod tests;
