//! One connection's requests and their answers.

use super::answer::{self, Answer, Told};
use super::auth;
use super::body::{self, Limits, ReadError};
use super::digest::{Digest, Work};
use super::repeat::{self, Answered, Arrival, Claim, RepeatGuard};
use super::split::{Split, Unusable};
use crate::config::HttpConfig;
use crate::input::listener::Handler;
use crate::input::source::Source;
use crate::input::watch::Watch;
use crate::input::{Batch, IntakeError, Receipt};
use crate::telemetry::{Allowed, RateLimit, Readiness};
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HeaderMap, HeaderName,
    HeaderValue, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Request heads may be this long; longer ones get 431.
const MAX_HEAD: usize = 64 * 1024;

/// Large bodies are read, and compressed ones decompressed, so many at a time.
const HEAVY_AT_ONCE: usize = 16;

/// Bodies over this size are cut up on a thread where that keeps nobody waiting.
const BLOCKING: usize = 256 * 1024;

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
}

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the request's sender has gone")]
struct HangUp;

/// A batch was not taken.
enum Refused {
    Full,
    Stopping,
}

/// What is known of a connection between its requests.
struct Exchange {
    watch: Arc<Watch>,
    last: Mutex<Option<Answered>>,
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
            full: RateLimit::new(1, Duration::from_secs(10)),
            too_large: RateLimit::new(1, Duration::from_secs(10)),
        }
    }
}

impl Handler for Http {
    async fn serve<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        &self,
        stream: S,
        watch: &Arc<Watch>,
        shutdown: &CancellationToken,
    ) {
        let exchange = Exchange {
            watch: Arc::clone(watch),
            last: Mutex::new(None),
        };
        let first = CancellationToken::new();
        let service = service_fn(|request| {
            first.cancel();
            self.answer(request, &exchange)
        });
        // hyper's time for reading a head runs from the end of the answer before: it is the idle timeout, too.
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.idle_timeout)
            .max_header_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut first_head = pin!(sleep(self.config.read_timeout));
        let mut is_first = true;
        loop {
            // Cancel-safe: the connection is only borrowed, and goes on in the next round.
            tokio::select! {
                result = &mut connection => {
                    if let Err(error) = result {
                        tracing::debug!(input = self.source.name(), %error, "connection broken");
                    }
                    return;
                }
                () = &mut first_head, if is_first => {
                    if !first.is_cancelled() {
                        self.source.metrics().refused("no_request");
                        return;
                    }
                    is_first = false;
                }
                () = shutdown.cancelled() => break,
            }
        }
        connection.as_mut().graceful_shutdown();
        if let Err(error) = connection.await {
            tracing::debug!(input = self.source.name(), %error, "connection broken");
        }
    }
}

impl Http {
    async fn answer(
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
            _ if post => answer::error(StatusCode::SERVICE_UNAVAILABLE, ready.as_str()),
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
        let digested = match self.digest(headers, body, &limits).await {
            Ok(digested) => digested,
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
        match digested {
            Ok(digest) => self.decide(digest, exchange).await,
            Err(too_large) => Ok(self.too_large(&too_large)),
        }
    }

    /// Reads the body, undoes its compression and cuts it into events; the inner error says in what way it is too large.
    async fn digest(
        &self,
        headers: &HeaderMap,
        body: &mut Incoming,
        limits: &Limits<'_>,
    ) -> Result<Result<Digest, String>, ReadError> {
        let body::Read { bytes, mut permit } = body::read(body, limits).await?;
        let work = Work {
            content_type: text(headers, &CONTENT_TYPE),
            encoding: text(headers, &CONTENT_ENCODING),
            max_body_size: self.config.max_body_size,
            max_event_size: self.source.max_event_size(),
        };
        if work.encoding.is_none() && bytes.len() <= BLOCKING {
            return Ok(work.digest(&bytes));
        }
        if permit.is_none() {
            permit = Some(limits.permit().await?);
        }
        let digested = tokio::task::spawn_blocking(move || work.digest(&bytes)).await;
        drop(permit);
        // The thread ends early only when the program does.
        digested.map_err(|_| ReadError::Gone)
    }

    /// Hands the events over, or finds that they came before, and tells what became of them.
    async fn decide(&self, digest: Digest, exchange: &Exchange) -> Result<Answer, HangUp> {
        let Digest { fingerprint, split } = digest;
        let Split {
            events,
            positions,
            unusable,
        } = split;
        let count = events.len();
        let (reply, outcome) = repeat::outcome();
        let (claim, outcome, repeated) = match self.guard.arrive(fingerprint, &outcome) {
            Arrival::New(claim) => {
                let mut batch =
                    Batch::new(Arc::clone(self.source.origin()), events, self.source.now());
                batch.fingerprint = Some(fingerprint);
                batch.reply = Some(reply);
                if let Err(refused) = self.submit(batch) {
                    claim.forget();
                    return Ok(match refused {
                        Refused::Full => self.is_full(),
                        Refused::Stopping => answer::error(
                            StatusCode::SERVICE_UNAVAILABLE,
                            Readiness::Draining.as_str(),
                        ),
                    });
                }
                for event in &unusable {
                    let Unusable {
                        at,
                        reason,
                        detail,
                        event,
                    } = event;
                    self.source.reject(*reason, detail, event, Some(*at));
                }
                (claim, Some(outcome), false)
            }
            Arrival::Repeat(claim, outcome) => {
                self.source.metrics().repeated(count);
                (claim, outcome, true)
            }
        };
        let receipt = match outcome {
            Some(outcome) => match timeout(self.config.reply_timeout, outcome).await {
                Ok(Ok(receipt)) => receipt,
                Ok(Err(_dropped)) => {
                    claim.forget();
                    return Ok(answer::error(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "the events could not be journalled",
                    ));
                }
                // The claim goes unanswered: when the body comes again, it gets this outcome.
                Err(_elapsed) => {
                    return Ok(answer::error(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "not yet evaluated",
                    ));
                }
            },
            // It was journalled before the program was started; what became of each event is no longer known.
            None => Receipt {
                accepted: count,
                rejected: Vec::new(),
            },
        };
        let told = Told::new(&receipt, &positions, &unusable, repeated);
        exchange.answered(claim);
        Ok(answer::json(StatusCode::OK, &told))
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

impl Exchange {
    fn take_last(&self) -> Option<Answered> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn answered(&self, claim: Claim) {
        let answered = claim.answered(&self.watch);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(answered);
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
