use super::*;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const BODY: u128 = 7;

/// A guard whose clock is moved by hand.
struct Stage {
    guard: RepeatGuard,
    seconds: Arc<AtomicI64>,
}

impl Stage {
    fn new(recovered: &[u128]) -> Self {
        let seconds = Arc::new(AtomicI64::new(0));
        let hand = Arc::clone(&seconds);
        let clock = Clock::new(move || WallTime(hand.load(Ordering::Relaxed) * 1_000_000));
        Self {
            guard: RepeatGuard::new(clock, recovered.iter().copied()),
            seconds,
        }
    }

    fn arrive(&self) -> Arrival {
        self.guard.arrive(BODY, &outcome().1, Sender::Waits)
    }

    #[track_caller]
    fn new_body(&self) -> Claim {
        let Arrival::New(claim) = self.arrive() else {
            panic!("taken for a repeat");
        };
        claim
    }

    #[track_caller]
    fn repeat(&self) -> Claim {
        let Arrival::Repeat(claim, _) = self.arrive() else {
            panic!("not recognised as a repeat");
        };
        claim
    }

    /// Whether nothing is remembered, answers that arrived being forgotten after a while.
    fn is_empty(&self) -> bool {
        let mut bodies = self.guard.lock();
        bodies.forget_old(WallTime(10_000_000));
        bodies.by_fingerprint.is_empty()
    }
}

/// A connection as the server sees it, and the client's end of it.
async fn connection() -> (Arc<Watch>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (Watch::new(server), client)
}

/// Answers over a connection.
async fn answer(claim: Claim, watch: &Arc<Watch>) -> Answered {
    let answered = claim.answered(watch);
    let mut stream = crate::input::watch::Watched::new(watch);
    drop(stream.write_all(b"answer").await);
    answered
}

#[tokio::test]
async fn answered_properly_is_no_repeat() {
    let stage = Stage::new(&[]);
    let (watch, _client) = connection().await;
    let answered = answer(stage.new_body(), &watch).await;
    // The connection is open still, and idle: the client has its answer, and somebody else sends the same.
    let other = answer(stage.new_body(), &watch).await;
    drop(answered);
    other.confirm();
    drop(answer(stage.new_body(), &watch).await);
    assert!(stage.is_empty());
}

#[tokio::test]
async fn in_flight_is_a_repeat() {
    let stage = Stage::new(&[]);
    let (reply, outcome) = outcome();
    let Arrival::New(_first) = stage.guard.arrive(BODY, &outcome, Sender::Waits) else {
        panic!("a repeat of nothing");
    };
    let Arrival::Repeat(_second, Some(outcome)) = stage.arrive() else {
        panic!("not recognised as a repeat");
    };
    let receipt = Receipt {
        accepted: 3,
        rejected: vec![(1, "why".to_owned())],
    };
    reply.send(receipt.clone()).unwrap();
    assert_eq!(outcome.await, Ok(receipt));
}

#[tokio::test]
async fn a_client_that_left_before_the_answer_repeats() {
    let stage = Stage::new(&[]);
    let (watch, _client) = connection().await;
    drop(stage.new_body());
    drop(stage.repeat());
    answer(stage.repeat(), &watch).await.confirm();
    answer(stage.new_body(), &watch).await.confirm();
    assert!(stage.is_empty());
}

#[tokio::test]
async fn an_answer_that_is_not_written_yet_means_a_repeat() {
    let stage = Stage::new(&[]);
    let (watch, _client) = connection().await;
    let answered = stage.new_body().answered(&watch);
    drop(stage.repeat());
    drop(answered);
    drop(stage.repeat());
}

#[tokio::test]
async fn an_answer_written_after_the_client_left_means_a_repeat() {
    let stage = Stage::new(&[]);
    let (watch, client) = connection().await;
    drop(client);
    while !watch.peer_has_left() {
        tokio::task::yield_now().await;
    }
    let _answered = answer(stage.new_body(), &watch).await;
    drop(stage.repeat());
}

#[tokio::test]
async fn a_reset_after_the_answer_means_a_repeat() {
    let stage = Stage::new(&[]);
    let (fine, _client) = connection().await;
    let (broken, client) = connection().await;
    let answered = answer(stage.new_body(), &broken).await;
    // Closes with the answer unread.
    client.readable().await.unwrap();
    drop(client);
    // Seen before the connection's own task has noticed.
    let second = stage.repeat();
    drop(answered);
    answer(second, &fine).await.confirm();
    assert!(stage.is_empty());
}

#[tokio::test]
async fn a_client_that_read_the_answer_and_closed_is_no_repeat() {
    let stage = Stage::new(&[]);
    let (watch, mut client) = connection().await;
    let answered = answer(stage.new_body(), &watch).await;
    client.read_exact(&mut [0; 6]).await.unwrap();
    drop(client);
    let _second = stage.new_body();
    drop(answered);
}

#[tokio::test]
async fn a_late_reset_does_not_undo_a_repeat_that_was_answered() {
    let stage = Stage::new(&[]);
    let (fine, _client) = connection().await;
    let (broken, client) = connection().await;
    let first = stage.new_body();
    answer(stage.repeat(), &fine).await.confirm();
    let answered = answer(first, &broken).await;
    client.readable().await.unwrap();
    drop(client);
    drop(answered);
    let _third = stage.new_body();
}

#[tokio::test]
async fn a_request_that_was_overtaken_by_its_repeat() {
    let stage = Stage::new(&[]);
    let (watch, _client) = connection().await;
    answer(stage.new_body(), &watch).await.confirm();
    let late = stage.guard.arrive(BODY, &outcome().1, Sender::HasLeft);
    assert!(matches!(late, Arrival::Repeat(..)));
    drop(late);
    drop(stage.new_body());
    stage.seconds.store(301, Ordering::Relaxed);
    let alone = stage.guard.arrive(BODY, &outcome().1, Sender::HasLeft);
    assert!(matches!(alone, Arrival::New(_)));
}

#[test]
fn nothing_kept_is_no_repeat() {
    let stage = Stage::new(&[]);
    stage.new_body().forget();
    assert!(stage.is_empty());
    drop(stage.new_body());
}

#[test]
fn recovered_from_the_journal_is_a_repeat() {
    let stage = Stage::new(&[BODY, 8]);
    let Arrival::Repeat(_claim, None) = stage.arrive() else {
        panic!("not recognised as a repeat");
    };
}

#[test]
fn forgotten_after_five_minutes() {
    let stage = Stage::new(&[BODY]);
    stage.seconds.store(299, Ordering::Relaxed);
    drop(stage.repeat());
    // Lost once more: remembered for five minutes from then.
    stage.seconds.store(500, Ordering::Relaxed);
    drop(stage.repeat());
    stage.seconds.store(800, Ordering::Relaxed);
    let _claim = stage.new_body();
}

#[test]
fn remembers_so_many() {
    let stage = Stage::new(&[]);
    for fingerprint in 0..70_000 {
        drop(stage.guard.arrive(fingerprint, &outcome().1, Sender::Waits));
    }
    let bodies = stage.guard.lock();
    assert_eq!(
        (bodies.by_fingerprint.len(), bodies.lost.bodies.len()),
        (MAX_LOST, MAX_LOST)
    );
    assert!(bodies.by_fingerprint.contains_key(&69_999) && !bodies.by_fingerprint.contains_key(&0));
}

#[test]
fn fingerprints_tell_bodies_apart() {
    let body = fingerprint("application/json", b"{}");
    assert_eq!(body, fingerprint("application/json", b"{}"));
    assert_ne!(body, fingerprint("application/json", b"{ }"));
    assert_ne!(body, fingerprint("text/plain", b"{}"));
    assert_ne!(body >> 64, body & u128::from(u64::MAX));
}
