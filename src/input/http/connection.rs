//! One connection, and what is known of it between its requests.

use super::repeat::{Answered, Claim, Sender};
use super::request::Http;
use crate::input::listener::Handler;
use crate::input::watch::Watch;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Request heads may be this long; longer ones get 431.
const MAX_HEAD: usize = 64 * 1024;

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the request's sender has gone")]
pub(super) struct HangUp;

/// What is known of a connection between its requests.
pub(super) struct Exchange {
    watch: Arc<Watch>,
    last: Mutex<Option<Answered>>,
}

impl Exchange {
    /// Its last answer, which has arrived when there is another request.
    pub(super) fn take_last(&self) -> Option<Answered> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Whether its client waits for an answer.
    pub(super) fn sender(&self) -> Sender {
        if self.watch.peer_has_left() {
            Sender::HasLeft
        } else {
            Sender::Waits
        }
    }

    /// Its request is about to be answered.
    pub(super) fn answered(&self, claim: Claim) {
        let answered = claim.answered(&self.watch);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(answered);
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
            .header_read_timeout(self.config().idle_timeout)
            .max_header_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut first_head = pin!(sleep(self.config().read_timeout));
        let mut is_first = true;
        loop {
            // Cancel-safe: the connection is only borrowed, and goes on in the next round.
            tokio::select! {
                result = &mut connection => {
                    if let Err(error) = result {
                        tracing::debug!(input = self.source().name(), %error, "connection broken");
                    }
                    return;
                }
                () = &mut first_head, if is_first => {
                    if !first.is_cancelled() {
                        self.source().metrics().refused("no_request");
                        return;
                    }
                    is_first = false;
                }
                () = shutdown.cancelled() => break,
            }
        }
        connection.as_mut().graceful_shutdown();
        if let Err(error) = connection.await {
            tracing::debug!(input = self.source().name(), %error, "connection broken");
        }
    }
}
