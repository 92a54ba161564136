//! One connection's requests and their answers.

use super::auth;
use super::body::{self, DecodeError, Limits, ReadError};
use super::repeat::{self, Answered, Arrival, Claim, RepeatGuard};
use super::split::{self, Content, Split, Unusable};
use crate::config::HttpConfig;
use crate::input::dead_letter::Reason;
use crate::input::listener::Handler;
use crate::input::source::Source;
use crate::input::watch::Watch;
use crate::input::{Batch, IntakeError, Receipt};
use crate::telemetry::{Allowed, RateLimit, Readiness};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HeaderMap, HeaderName,
    HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
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

/// A body may hold this many events; each costs us more memory than the two bytes it may have in the body.
const MAX_EVENTS: usize = 1_000_000;

/// Large bodies are read, and compressed ones decompressed, so many at a time.
const HEAVY_AT_ONCE: usize = 16;

/// Bodies over this size are cut up on a thread where that keeps nobody waiting.
const BLOCKING: usize = 256 * 1024;

type Answer = Response<Full<Bytes>>;

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
        loop {
            // Cancel-safe: the connection is only borrowed, and goes on in the next round.
            tokio::select! {
                result = &mut connection => {
                    if let Err(error) = result {
                        tracing::debug!(input = self.source.name(), %error, "connection broken");
                    }
                    return;
                }
                () = &mut first_head, if !first.is_cancelled() => {
                    self.source.metrics().refused("no_request");
                    return;
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
        let ready = *self.readiness.borrow();
        let answer = match (&head.method, head.uri.path()) {
            (&Method::GET | &Method::HEAD, "/healthz") => message(StatusCode::OK, "ok"),
            (&Method::GET | &Method::HEAD, "/readyz") if ready == Readiness::Ready => {
                message(StatusCode::OK, ready.as_str())
            }
            (&Method::GET | &Method::HEAD, "/readyz") => {
                error(StatusCode::SERVICE_UNAVAILABLE, ready.as_str())
            }
            _ if !self.is_allowed(&head.headers) => self.unauthorized(),
            (&Method::POST | &Method::PUT, _) if ready != Readiness::Ready => {
                error(StatusCode::SERVICE_UNAVAILABLE, ready.as_str())
            }
            (&Method::POST | &Method::PUT, _) => {
                let answer = self.take(&head.headers, &mut body, exchange).await?;
                self.source.metrics().answered(answer.status().as_u16());
                return Ok(answer);
            }
            (&Method::GET | &Method::HEAD, "/") => json_answer(
                StatusCode::OK,
                &json!({"name": "tripline", "version": env!("CARGO_PKG_VERSION")}),
            ),
            (&Method::GET | &Method::HEAD, _) => error(
                StatusCode::NOT_FOUND,
                "nothing here; events are sent with POST or PUT",
            ),
            _ => {
                let mut answer = error(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "events are sent with POST or PUT",
                );
                answer
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static("POST, PUT, GET, HEAD"));
                answer
            }
        };
        self.discard(&head.headers, &mut body).await;
        self.source.metrics().answered(answer.status().as_u16());
        Ok(answer)
    }

    fn is_allowed(&self, headers: &HeaderMap) -> bool {
        let auth = self.config.auth.as_ref();
        auth.is_none_or(|auth| auth::allows(auth, headers.get(AUTHORIZATION)))
    }

    fn unauthorized(&self) -> Answer {
        let mut answer = error(StatusCode::UNAUTHORIZED, "credentials missing or wrong");
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
                if let Err(answer) = self.submit(batch) {
                    claim.forget();
                    return Ok(answer);
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
            Arrival::Repeat(claim, outcome) => (claim, outcome, true),
        };
        let receipt = match outcome {
            Some(outcome) => match timeout(self.config.reply_timeout, outcome).await {
                Ok(Ok(receipt)) => receipt,
                Ok(Err(_dropped)) => {
                    claim.forget();
                    return Ok(error(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "the events could not be journalled",
                    ));
                }
                // The claim goes unanswered: when the body comes again, it gets this outcome.
                Err(_elapsed) => {
                    return Ok(error(StatusCode::SERVICE_UNAVAILABLE, "not yet evaluated"));
                }
            },
            // It was journalled before the program was started; what became of each event is no longer known.
            None => Receipt {
                accepted: count,
                rejected: Vec::new(),
            },
        };
        let told = Told::new(&receipt, &positions, &unusable, repeated);
        if repeated {
            self.source.metrics().repeated(told.repeated);
        }
        exchange.answered(claim);
        Ok(json_answer(StatusCode::OK, &told))
    }

    fn submit(&self, mut batch: Batch) -> Result<(), Answer> {
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
            Err(IntakeError::Full(_)) => Err(self.is_full()),
            Err(IntakeError::Closed(_)) => Err(error(
                StatusCode::SERVICE_UNAVAILABLE,
                Readiness::Draining.as_str(),
            )),
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
        error(StatusCode::TOO_MANY_REQUESTS, "the queue is full")
    }

    fn too_large(&self, why: &str) -> Answer {
        if let Some(Allowed { suppressed }) = self.too_large.allow(self.source.now()) {
            tracing::warn!(input = self.source.name(), why, suppressed, "body refused");
        }
        error(StatusCode::PAYLOAD_TOO_LARGE, why)
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

/// What is to be done with a body, apart from its connection.
struct Work {
    content_type: Option<String>,
    encoding: Option<String>,
    max_body_size: usize,
    max_event_size: usize,
}

/// A body cut into events.
struct Digest {
    fingerprint: u128,
    split: Split,
}

impl Work {
    fn digest(&self, raw: &Bytes) -> Result<Digest, String> {
        let content_type = self.content_type.as_deref();
        let decoded = body::decode(self.encoding.as_deref(), raw, self.max_body_size);
        let body = match decoded {
            Ok(body) => body,
            Err(DecodeError::TooLarge) => return Err(DecodeError::TooLarge.to_string()),
            // Any 4xx would make Logstash throw the batch away without a trace.
            Err(error) => {
                return Ok(Digest {
                    fingerprint: repeat::fingerprint(content_type.unwrap_or_default(), raw),
                    split: Split::unusable(Reason::Undecodable, error.to_string(), raw),
                });
            }
        };
        let split = split::split(
            Content::from_type(content_type),
            &body,
            self.max_event_size,
            MAX_EVENTS,
        );
        match split {
            Some(split) => Ok(Digest {
                fingerprint: repeat::fingerprint(content_type.unwrap_or_default(), &body),
                split,
            }),
            None => Err(format!("it holds more than {MAX_EVENTS} events")),
        }
    }
}

/// What the sender is told about its events.
#[derive(Serialize)]
struct Told<'a> {
    accepted: usize,
    repeated: usize,
    rejected: Vec<ToldRejected<'a>>,
}

#[derive(Serialize)]
struct ToldRejected<'a> {
    at: usize,
    reason: &'a str,
}

impl<'a> Told<'a> {
    fn new(
        receipt: &'a Receipt,
        positions: &[usize],
        unusable: &'a [Unusable],
        repeated: bool,
    ) -> Self {
        let evaluated = receipt.rejected.iter().map(|(index, reason)| ToldRejected {
            at: positions.get(*index).copied().unwrap_or(*index),
            reason,
        });
        let before = unusable.iter().map(|event| ToldRejected {
            at: event.at,
            reason: &event.detail,
        });
        let mut rejected: Vec<_> = evaluated.chain(before).collect();
        rejected.sort_by_key(|event| event.at);
        let (accepted, repeated) = if repeated {
            (0, receipt.accepted)
        } else {
            (receipt.accepted, 0)
        };
        Self {
            accepted,
            repeated,
            rejected,
        }
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn json_answer(status: StatusCode, body: &impl Serialize) -> Answer {
    // These are plain structures and texts, which always serialise.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

fn message(status: StatusCode, text: &str) -> Answer {
    json_answer(status, &json!({"status": text}))
}

fn error(status: StatusCode, text: &str) -> Answer {
    json_answer(status, &json!({"error": text}))
}
