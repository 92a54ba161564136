//! Speaking to a cluster.

use super::config::ConfigError;
use super::trace::Trace;
use crate::config::EsConfig;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The largest answer taken in: a page of search hits is by far the largest we ask for.
const MAX_ANSWER: usize = 512 << 20;

/// A cluster, reached through one or several hosts.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    bases: Vec<String>,
    /// The host that worked last.
    current: AtomicUsize,
    trace: Option<Trace>,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum EsError {
    /// No host could be connected to, or the connection broke.
    #[error("{host} is not reachable: {}", root_cause(source))]
    Unreachable {
        /// The last host tried.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The server refused.
    #[error("{host} answered {status} {kind}: {reason}")]
    Status {
        /// The host.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The error's type, such as `index_not_found_exception`.
        kind: String,
        /// The server's words.
        reason: String,
    },
    /// The answer was not what the question asks for.
    #[error("{host} does not answer like Elasticsearch or OpenSearch: {reason}")]
    Answer {
        /// The host.
        host: String,
        /// What is odd.
        reason: String,
    },
    /// A server older than version 7.
    #[error(
        "version {0} is not supported: Elasticsearch 7 or OpenSearch 1 are the oldest that are"
    )]
    TooOld(String),
}

/// reqwest says "error sending request"; what went wrong is at the end of its chain.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if error.is_timeout() {
        return "it took too long to answer".to_owned();
    }
    cause.to_string()
}

impl EsError {
    /// The HTTP status, if the server answered with an error.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            Self::Unreachable { .. } | Self::Answer { .. } | Self::TooOld(_) => None,
        }
    }

    /// Whether an index that the request names is not there.
    pub fn is_index_missing(&self) -> bool {
        matches!(self, Self::Status { kind, .. } if kind == "index_not_found_exception")
    }
}

/// Which mappings and requests a server understands, in ElastAlert's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// Elasticsearch 7, OpenSearch 1.
    Seven,
    /// Elasticsearch 8 and later, OpenSearch 2 and later.
    Eight,
}

/// What a server says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// OpenSearch, else Elasticsearch.
    pub opensearch: bool,
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The whole, as the server writes it.
    pub text: String,
}

impl Version {
    /// Reads the answer to `GET /`.
    pub(super) fn read(answer: &Value) -> Option<Self> {
        let version = answer.get("version")?;
        let text = version.get("number")?.as_str()?;
        let mut numbers = text.split('.').map(str::parse);
        Some(Self {
            opensearch: version.get("distribution").and_then(Value::as_str) == Some("opensearch"),
            major: numbers.next()?.ok()?,
            minor: numbers.next().and_then(Result::ok).unwrap_or(0),
            text: text.to_owned(),
        })
    }

    /// Its generation.
    ///
    /// # Errors
    /// It is older than version 7.
    pub fn generation(&self) -> Result<Generation, EsError> {
        match (self.opensearch, self.major) {
            (true, 0 | 1) | (false, 7) => Ok(Generation::Seven),
            (true, _) | (false, 8..) => Ok(Generation::Eight),
            (false, _) => Err(EsError::TooOld(self.text.clone())),
        }
    }

    /// Whether it has points in time, as far as its number tells.
    pub(super) fn has_point_in_time(&self) -> bool {
        let least = if self.opensearch { (2, 4) } else { (7, 10) };
        (self.major, self.minor) >= least
    }
}

impl Client {
    /// A client for a cluster; connects when it is first used.
    ///
    /// # Errors
    /// What in the configuration cannot be used.
    pub fn new(config: &EsConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            http: config.http()?,
            bases: config.bases()?,
            current: AtomicUsize::new(0),
            trace: None,
        })
    }

    /// Writes every request down.
    #[must_use]
    pub fn traced(self, trace: Option<Trace>) -> Self {
        Self { trace, ..self }
    }

    /// The host that worked last, as a URL without credentials.
    pub fn host(&self) -> &str {
        let at = self.current.load(Ordering::Relaxed) % self.bases.len().max(1);
        self.bases.get(at).map_or("", String::as_str)
    }

    /// What the server is.
    ///
    /// # Errors
    /// It is not reachable, refuses, or does not say.
    pub async fn version(&self) -> Result<Version, EsError> {
        let answer = self.call(Method::GET, "/", None).await?;
        Version::read(&answer).ok_or_else(|| self.odd("it names no version"))
    }

    /// Sends a request with a JSON body and reads the JSON answer.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, EsError> {
        let body = body.map(|body| ("application/json", body.to_string()));
        self.send(method, path, body).await
    }

    /// Sends newline-delimited JSON and reads the JSON answer.
    pub(super) async fn call_lines(&self, path: &str, lines: String) -> Result<Value, EsError> {
        self.send(Method::POST, path, Some(("application/x-ndjson", lines)))
            .await
    }

    /// Whether something is there: `HEAD`.
    pub(super) async fn exists(&self, path: &str) -> Result<bool, EsError> {
        match self.send(Method::HEAD, path, None).await {
            Ok(_) => Ok(true),
            Err(EsError::Status { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An answer that cannot be understood.
    pub(super) fn odd(&self, reason: &str) -> EsError {
        EsError::Answer {
            host: self.host().to_owned(),
            reason: reason.to_owned(),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, String)>,
    ) -> Result<Value, EsError> {
        let (status, bytes) = self.exchange(&method, path, body).await?;
        // An answer to HEAD has no body, and a proxy's error page is no JSON.
        let answer = serde_json::from_slice(&bytes);
        if (200..300).contains(&status) {
            return match answer {
                Ok(answer) => Ok(answer),
                Err(_) if bytes.is_empty() => Ok(Value::Null),
                Err(error) => Err(self.odd(&error.to_string())),
            };
        }
        let answer = answer.unwrap_or(Value::Null);
        Err(EsError::Status {
            host: self.host().to_owned(),
            status,
            kind: error_kind(&answer),
            reason: error_reason(&answer)
                .unwrap_or_else(|| String::from_utf8_lossy(&bytes).chars().take(500).collect()),
        })
    }

    /// One exchange with the first host that takes the connection.
    async fn exchange(
        &self,
        method: &Method,
        path: &str,
        body: Option<(&'static str, String)>,
    ) -> Result<(u16, Vec<u8>), EsError> {
        let mut left = self.bases.len();
        loop {
            let host = self.host().to_owned();
            let mut request = self.http.request(method.clone(), format!("{host}{path}"));
            if let Some((content_type, text)) = &body {
                request = request
                    .header(CONTENT_TYPE, *content_type)
                    .body(text.clone());
            }
            left -= 1;
            let failed = |source: reqwest::Error| EsError::Unreachable {
                host: host.clone(),
                source: source.without_url(),
            };
            if let Some(trace) = &self.trace {
                trace.write(
                    method,
                    &host,
                    path,
                    body.as_ref().map(|(_, text)| text.as_str()),
                );
            }
            match request.send().await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    tracing::debug!(%method, url = format!("{host}{path}"), status, "request");
                    let body = read_capped(response).await.map_err(failed)?;
                    return Ok((
                        status,
                        body.ok_or_else(|| self.odd("the answer is too large"))?,
                    ));
                }
                Err(error) => {
                    self.current.fetch_add(1, Ordering::Relaxed);
                    if !error.is_connect() || left == 0 {
                        return Err(failed(error));
                    }
                }
            }
        }
    }
}

/// A response's body; `None` when it is too large.
async fn read_capped(mut response: reqwest::Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The type of an error answer, or of the error of one `_bulk` item.
pub(super) fn error_kind(answer: &Value) -> String {
    answer
        .pointer("/error/type")
        .and_then(Value::as_str)
        .unwrap_or("error")
        .to_owned()
}

/// The reason of an error answer, with its cause: "all shards failed" alone helps nobody.
pub(super) fn error_reason(answer: &Value) -> Option<String> {
    let error = answer.get("error")?;
    let Some(reason) = error.get("reason").and_then(Value::as_str) else {
        return Some(
            error
                .as_str()
                .map_or_else(|| error.to_string(), str::to_owned),
        );
    };
    let cause = ["/root_cause/0/reason", "/caused_by/reason"]
        .into_iter()
        .filter_map(|at| error.pointer(at)?.as_str())
        .find(|cause| *cause != reason);
    Some(match cause {
        Some(cause) => format!("{reason} ({cause})"),
        None => reason.to_owned(),
    })
}

/// Index names or patterns as they stand in a path.
pub(super) fn path_of(index: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b',')
        .remove(b'*')
        .remove(b':')
        .remove(b'+');
    format!("/{}", percent_encoding::utf8_percent_encode(index, KEPT))
}
