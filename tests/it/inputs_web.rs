//! The pages of the web server.

use crate::inputs_stage::{ANY, Client, within};
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tripline::telemetry::{Metrics, Readiness};
use tripline::web::{Pages, Web};

/// The whole answer to a GET.
async fn get(web: &Web, path: &str) -> String {
    let mut client = Client::new(TcpStream::connect(web.address()).await.unwrap());
    client
        .send(format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ))
        .await;
    let mut answer = String::new();
    within(client.stream.read_to_string(&mut answer))
        .await
        .unwrap();
    answer
}

#[tokio::test]
async fn pages() {
    let metrics = Arc::new(Metrics::new());
    let (readiness, ready) = watch::channel(Readiness::Starting);
    let shutdown = CancellationToken::new();
    let pages = Pages {
        metrics: Arc::clone(&metrics),
        readiness: ready,
    };
    let web = Web::start(ANY, pages, shutdown.clone()).await.unwrap();

    assert!(get(&web, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get(&web, "/readyz").await.starts_with("HTTP/1.1 503"));
    readiness.send_replace(Readiness::Ready);
    assert!(get(&web, "/readyz").await.starts_with("HTTP/1.1 200"));
    readiness.send_replace(Readiness::Draining);
    assert!(get(&web, "/readyz").await.ends_with("\r\n\r\ndraining\n"));

    metrics
        .rule("one")
        .interval(3, 1, std::time::Duration::ZERO);
    let page = get(&web, "/metrics").await;
    assert!(
        page.contains(
            "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"
        )
    );
    assert!(page.contains("\nelastalert_hits_total{rule_name=\"one\"} 3\n"));
    assert!(page.ends_with("# EOF\n"));

    let taken = Web::start(
        web.address(),
        Pages {
            metrics,
            readiness: readiness.subscribe(),
        },
        shutdown.clone(),
    )
    .await;
    assert!(taken.is_err());
    let address = web.address();
    shutdown.cancel();
    within(web.stopped()).await;
    assert!(TcpStream::connect(address).await.is_err());
}
