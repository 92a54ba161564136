//! One connection, and what is known of it between its requests.

use super::repeat::{Answered, Claim, Sender};
use super::request::Http;
use crate::input::listener::Handler;
use crate::input::watch::Watch;
use futures_util::FutureExt as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Request heads may be this long; longer ones get 431.
const MAX_HEAD: usize = 64 * 1024;

/// How long a connection that is over may take to close.
const LINGER: Duration = Duration::from_millis(500);

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
            Box::pin(self.answer(request, &exchange))
        });
        // hyper's time for reading a head runs from the end of the answer before: it is the idle timeout, too.
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config().idle_timeout)
            .max_header_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut first_head = pin!(sleep(self.config().read_timeout));
        let mut is_first = true;
        let mut is_stopping = false;
        let served = loop {
            // Cancel-safe: the connection is only borrowed, and goes on in the next round.
            tokio::select! {
                served = poll_fn(|context| connection.poll_without_shutdown(context)) => break served,
                () = &mut first_head, if is_first => {
                    if !first.is_cancelled() {
                        self.source().metrics().refused("no_request");
                        return;
                    }
                    is_first = false;
                }
                () = shutdown.cancelled(), if !is_stopping => {}
            }
            if shutdown.is_cancelled() && !is_stopping {
                is_stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        };
        if let Err(error) = served {
            tracing::debug!(input = self.source().name(), %error, "connection broken");
        }
        close(connection.into_parts().io.into_inner(), watch).await;
    }
}

/// Ends a connection so that both sides learn how it has ended.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, watch: &Watch) {
    let mut scrap = [0; 4096];
    match stream.read(&mut scrap).now_or_never() {
        // The client has said goodbye. With TLS, an answer to that would meet a closed socket, and the reset would look as if
        // our last answer had met it; so we only wait for how the client closes.
        Some(Ok(0)) => drop(timeout(LINGER, watch.ended()).await),
        Some(Err(_)) => {}
        Some(Ok(_)) | None => {
            // What we say last would be lost by closing a socket that the client is still writing to.
            let goodbye = async {
                stream.shutdown().await?;
                while stream.read(&mut scrap).await? > 0 {}
                io::Result::Ok(())
            };
            drop(timeout(LINGER, goodbye).await);
        }
    }
}
