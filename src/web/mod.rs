//! Metrics, health and readiness over HTTP.

use crate::telemetry::{Metrics, Readiness};
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The content type of `/metrics`.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long a page may take when the program stops.
const LAST_PAGE: Duration = Duration::from_secs(1);

/// What the pages show.
#[derive(Debug, Clone)]
pub struct Pages {
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Whether events are taken.
    pub readiness: watch::Receiver<Readiness>,
}

/// A web server that runs.
#[derive(Debug)]
pub struct Web {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

/// The web server could not be started.
#[derive(Debug, thiserror::Error)]
#[error("web: cannot listen on {address}: {source}")]
pub struct WebError {
    /// Where.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

impl Web {
    /// Serves `/metrics`, `/healthz` and `/readyz` on an address, port 0 for any, until `shutdown`. Used for `web.listen`,
    /// and for ElastAlert's `--prometheus_addr` and `--prometheus_port`.
    ///
    /// # Errors
    /// The address cannot be had.
    pub async fn start(
        address: SocketAddr,
        pages: Pages,
        shutdown: CancellationToken,
    ) -> Result<Self, WebError> {
        let error = |source| WebError { address, source };
        let listener = TcpListener::bind(address).await.map_err(error)?;
        let address = listener.local_addr().map_err(error)?;
        tracing::info!(%address, "web server listening");
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "anybody who reaches this address can read the metrics");
        }
        let server = axum::serve(listener, router(pages));
        let serving = tokio::spawn(async move {
            let serving = server.with_graceful_shutdown(shutdown.cancelled_owned());
            if let Err(error) = serving.await {
                tracing::error!(%error, "web server stopped");
            }
        });
        Ok(Self { address, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has stopped. Pages are small: whoever is still reading one a second after the shutdown is cut off.
    pub async fn stopped(mut self) {
        if timeout(LAST_PAGE, &mut self.serving).await.is_err() {
            self.serving.abort();
            // Aborted or done meanwhile: it has ended.
            drop(self.serving.await);
        }
    }
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(pages)
}

async fn metrics(
    State(pages): State<Pages>,
) -> Result<([(HeaderName, &'static str); 1], String), StatusCode> {
    let text = pages
        .metrics
        .encode()
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(CONTENT_TYPE, OPENMETRICS)], text))
}

async fn readyz(State(pages): State<Pages>) -> impl IntoResponse {
    let readiness = *pages.readiness.borrow();
    let status = match readiness {
        Readiness::Ready => StatusCode::OK,
        Readiness::Starting | Readiness::JournalBroken | Readiness::Draining => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    (status, format!("{}\n", readiness.as_str()))
}
