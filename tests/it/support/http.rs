//! Plain requests, for looking at what the program did to a server, and a server that notes what it is asked.

use crate::process::wait_for;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

/// Runs a future on a runtime of its own.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    Runtime::new().unwrap().block_on(work)
}

/// Waits until something holds.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}

/// One request with an optional JSON body; the status and the JSON answer (null when there is none).
pub async fn request(method: &str, url: &str, body: Option<Value>) -> (u16, Value) {
    tripline::tls::install_provider();
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = reqwest::Client::new().request(method, url);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_default())
}

/// A request as a [`Recorder`] got it.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    /// The body as JSON; null when it is none.
    pub body: Value,
    /// The body as text.
    pub text: String,
}

impl Recorded {
    /// The body's lines as JSON.
    pub fn lines(&self) -> Vec<Value> {
        self.text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// A server that notes every request and answers as it is told to.
pub struct Recorder {
    pub port: u16,
    requests: Arc<Mutex<Vec<Recorded>>>,
    _runtime: Runtime,
}

impl Recorder {
    pub fn start(answer: impl Fn(&Recorded) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let runtime = Runtime::new().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (noted, answer) = (Arc::clone(&requests), Arc::new(answer));
        let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let recorded = Recorded {
                method,
                path: uri.path().to_owned(),
                headers,
                body: serde_json::from_slice(&body).unwrap_or_default(),
                text: String::from_utf8_lossy(&body).into_owned(),
            };
            let (status, body) = answer(&recorded);
            noted.lock().unwrap().push(recorded);
            (StatusCode::from_u16(status).unwrap(), body.to_string())
        };
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = axum::Router::new().fallback(handler);
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            port,
            requests,
            _runtime: runtime,
        }
    }

    pub fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().unwrap().clone()
    }
}
