//! Requests and their answers.

use super::answer::{self, Answer, Arrived, Told};
use super::auth;
use super::body::{self, Limits, ReadError};
use super::connection::{Exchange, HangUp};
use super::digest::{Digest, Work};
use super::repeat::{self, Arrival, Claim, RepeatGuard};
use super::split::Unusable;
use crate::config::HttpConfig;
use crate::input::source::Source;
use crate::input::{Batch, IntakeError, Receipt};
use crate::telemetry::{Allowed, RateLimit, Readiness};
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HeaderMap, HeaderName,
    HeaderValue, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinError;
use tokio::time::timeout;

/// Large bodies are read, and compressed ones decompressed, so many at a time.
const HEAVY_AT_ONCE: usize = 16;

/// Bodies over this size are cut up on a thread where that keeps nobody waiting.
const BLOCKING: usize = 256 * 1024;

/// As many rejected events are put to the dead letters at once.
const FEW: usize = 100;

/// How often the log tells of the same trouble with senders.
fn told() -> RateLimit {
    RateLimit::new(1, Duration::from_secs(10))
}

/// Serves the connections of one `http` input.
#[derive(Debug)]
pub(in crate::input) struct Http {
    source: Source,
    config: HttpConfig,
    readiness: watch::Receiver<Readiness>,
    guard: RepeatGuard,
    heavy: Arc<Semaphore>,
    full: RateLimit,
    too_large: RateLimit,
    unavailable: RateLimit,
    unauthorized: RateLimit,
}

/// A batch was not taken.
#[derive(Debug, Clone, Copy)]
enum Refused {
    Full,
    Stopping,
}

impl Http {
    pub(in crate::input) fn new(
        config: HttpConfig,
        source: Source,
        readiness: watch::Receiver<Readiness>,
        recovered: &[u128],
    ) -> Self {
        Self {
            guard: RepeatGuard::new(source.clock().clone(), recovered.iter().copied()),
            source,
            config,
            readiness,
            heavy: Arc::new(Semaphore::new(HEAVY_AT_ONCE)),
            full: told(),
            too_large: told(),
            unavailable: told(),
            unauthorized: told(),
        }
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    pub(super) fn config(&self) -> &HttpConfig {
        &self.config
    }

    /// Answers one request.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        exchange: &Exchange,
    ) -> Result<Answer, HangUp> {
        if let Some(answered) = exchange.take_last() {
            answered.confirm();
        }
        let (head, mut body) = request.into_parts();
        let answer = match self.without_body(&head) {
            None => self.take(&head.headers, &mut body, exchange).await?,
            Some(answer) => {
                self.discard(&head.headers, &mut body).await;
                answer
            }
        };
        self.source.metrics().answered(answer.status().as_u16());
        Ok(answer)
    }

    /// The answer to all but events that may be taken.
    fn without_body(&self, head: &Parts) -> Option<Answer> {
        let ready = *self.readiness.borrow();
        let get = matches!(head.method, Method::GET | Method::HEAD);
        let post = matches!(head.method, Method::POST | Method::PUT);
        let answer = match head.uri.path() {
            "/healthz" if get => answer::status(StatusCode::OK, "ok"),
            "/readyz" if get && ready == Readiness::Ready => {
                answer::status(StatusCode::OK, ready.as_str())
            }
            "/readyz" if get => answer::error(StatusCode::SERVICE_UNAVAILABLE, ready.as_str()),
            _ if !self.is_allowed(&head.headers) => self.unauthorized(),
            _ if post && ready == Readiness::Ready => return None,
            _ if post => self.unavailable(ready.as_str()),
            "/" if get => {
                let about = json!({"name": "tripline", "version": env!("CARGO_PKG_VERSION")});
                answer::json(StatusCode::OK, &about)
            }
            _ if get => answer::error(
                StatusCode::NOT_FOUND,
                "nothing here; events are sent with POST or PUT",
            ),
            _ => {
                let mut answer = answer::error(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "events are sent with POST or PUT",
                );
                answer
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static("POST, PUT, GET, HEAD"));
                answer
            }
        };
        Some(answer)
    }

    fn is_allowed(&self, headers: &HeaderMap) -> bool {
        let auth = self.config.auth.as_ref();
        auth.is_none_or(|auth| auth::allows(auth, headers.get(AUTHORIZATION)))
    }

    fn unauthorized(&self) -> Answer {
        if let Some(Allowed { suppressed }) = self.unauthorized.allow(self.source.now()) {
            tracing::warn!(
                input = self.source.name(),
                suppressed,
                "sender turned away: credentials missing or wrong"
            );
        }
        let mut answer = answer::error(StatusCode::UNAUTHORIZED, "credentials missing or wrong");
        for challenge in self.config.auth.iter().flat_map(auth::challenges) {
            answer.headers_mut().append(WWW_AUTHENTICATE, challenge);
        }
        answer
    }

    /// Reads a body that is not wanted. A client that asked first has not begun to send it.
    async fn discard(&self, headers: &HeaderMap, body: &mut Incoming) {
        if !headers.contains_key(EXPECT) {
            body::discard(body, self.config.read_timeout).await;
        }
    }

    /// Takes the events of a request.
    async fn take(
        &self,
        headers: &HeaderMap,
        body: &mut Incoming,
        exchange: &Exchange,
    ) -> Result<Answer, HangUp> {
        let limits = Limits {
            max_size: self.config.max_body_size,
            pause: self.config.read_timeout,
            heavy: &self.heavy,
            patience: self.config.reply_timeout,
        };
        let raw = match body::read(body, &limits).await {
            Ok(raw) => raw,
            Err(ReadError::Gone) => return Err(HangUp),
            Err(ReadError::Busy) => {
                self.discard(headers, body).await;
                return Ok(self.is_full());
            }
            Err(error @ ReadError::TooLarge) => {
                self.discard(headers, body).await;
                return Ok(self.too_large(&error.to_string()));
            }
        };
        // From here the sender waits for us. When it has waited too long it is told to come back: its claim to the body is
        // dropped unanswered, so that it gets the outcome then.
        let answer = timeout(
            self.config.reply_timeout,
            self.evaluate(headers, raw, exchange),
        );
        let (answer, claim) = answer
            .await
            .unwrap_or_else(|_elapsed| (self.unavailable("not yet evaluated"), None));
        if let Some(claim) = claim {
            exchange.answered(claim);
        }
        Ok(answer)
    }

    /// Cuts the body into events and waits for what becomes of them. The claim is to be settled by how the answer arrives.
    async fn evaluate(
        &self,
        headers: &HeaderMap,
        raw: body::Read,
        exchange: &Exchange,
    ) -> (Answer, Option<Claim>) {
        let digest = match self.digest(headers, raw).await {
            Ok(Ok(digest)) => digest,
            Ok(Err(too_large)) => return (self.too_large(&too_large), None),
            Err(error) => return (self.unavailable(&error.to_string()), None),
        };
        let Digest {
            fingerprint,
            events,
            positions,
            unusable,
        } = digest;
        let count = events.len();
        let (reply, outcome) = repeat::outcome();
        let (claim, outcome, arrived) =
            match self.guard.arrive(fingerprint, &outcome, exchange.sender()) {
                Arrival::New(claim) => {
                    let mut batch =
                        Batch::new(Arc::clone(self.source.origin()), events, self.source.now());
                    batch.fingerprint = Some(fingerprint);
                    batch.reply = Some(reply);
                    if let Err(refused) = self.submit(batch) {
                        claim.forget();
                        return (self.refused(refused), None);
                    }
                    self.reject(&unusable).await;
                    (claim, Some(outcome), Arrived::New)
                }
                Arrival::Repeat(claim, outcome) => {
                    self.source.metrics().repeated(count);
                    (claim, outcome, Arrived::Repeated)
                }
            };
        let receipt = match outcome {
            Some(outcome) => outcome.await,
            // It was journalled before the program was started; what became of each event is no longer known.
            None => Ok(Receipt {
                accepted: count,
                rejected: Vec::new(),
            }),
        };
        match receipt {
            Ok(receipt) => {
                let told = Told::new(&receipt, &positions, &unusable, arrived);
                (answer::json(StatusCode::OK, &told), Some(claim))
            }
            Err(_dropped) => {
                claim.forget();
                (self.unavailable("the events could not be journalled"), None)
            }
        }
    }

    /// Undoes the compression and cuts the body into events; the inner error says in what way it is too large.
    async fn digest(
        &self,
        headers: &HeaderMap,
        raw: body::Read,
    ) -> Result<Result<Digest, String>, JoinError> {
        let body::Read { bytes, permit } = raw;
        let work = Work {
            content_type: text(headers, &CONTENT_TYPE),
            encoding: text(headers, &CONTENT_ENCODING),
            max_body_size: self.config.max_body_size,
            max_event_size: self.source.max_event_size(),
        };
        if work.encoding.is_none() && bytes.len() <= BLOCKING {
            return Ok(work.digest(&bytes));
        }
        let permit = match permit {
            Some(permit) => Some(permit),
            // The semaphore is never closed.
            None => Arc::clone(&self.heavy).acquire_owned().await.ok(),
        };
        let digest = tokio::task::spawn_blocking(move || work.digest(&bytes)).await;
        drop(permit);
        digest
    }

    /// Puts the events to the dead letters; many of them on a thread where that keeps nobody waiting.
    async fn reject(&self, unusable: &Arc<[Unusable]>) {
        let source = self.source.clone();
        let events = Arc::clone(unusable);
        let put = move || {
            for event in events.iter() {
                source.reject(event.reason, &event.detail, &event.event, Some(event.at));
            }
        };
        if unusable.len() <= FEW {
            put();
        } else if let Err(error) = tokio::task::spawn_blocking(put).await {
            tracing::error!(input = self.source.name(), %error, "dead letters lost");
        }
    }

    fn submit(&self, mut batch: Batch) -> Result<(), Refused> {
        let count = batch.events.len();
        if count == 0 {
            // Nothing to evaluate, so it is decided already. Nobody listening is fine: the sender may have gone.
            let reply = batch
                .reply
                .take()
                .map(|reply| reply.send(Receipt::default()));
            drop(reply);
            return Ok(());
        }
        let size = batch.size();
        match self.source.intake().try_submit(batch) {
            Ok(()) => {
                self.source.metrics().received(count, size);
                Ok(())
            }
            Err(IntakeError::Full(_)) => Err(Refused::Full),
            Err(IntakeError::Closed(_)) => Err(Refused::Stopping),
        }
    }

    fn refused(&self, refused: Refused) -> Answer {
        match refused {
            Refused::Full => self.is_full(),
            Refused::Stopping => self.unavailable(Readiness::Draining.as_str()),
        }
    }

    fn unavailable(&self, why: &str) -> Answer {
        if let Some(Allowed { suppressed }) = self.unavailable.allow(self.source.now()) {
            tracing::warn!(
                input = self.source.name(),
                why,
                suppressed,
                "sender told to come back"
            );
        }
        answer::error(StatusCode::SERVICE_UNAVAILABLE, why)
    }

    fn is_full(&self) -> Answer {
        if let Some(Allowed { suppressed }) = self.full.allow(self.source.now()) {
            tracing::warn!(
                input = self.source.name(),
                suppressed,
                "queue full, sender told to come back"
            );
        }
        answer::error(StatusCode::TOO_MANY_REQUESTS, "the queue is full")
    }

    fn too_large(&self, why: &str) -> Answer {
        if let Some(Allowed { suppressed }) = self.too_large.allow(self.source.now()) {
            tracing::warn!(input = self.source.name(), why, suppressed, "body refused");
        }
        answer::error(StatusCode::PAYLOAD_TOO_LARGE, why)
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
