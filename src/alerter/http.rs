//! HTTP requests: first a plain value, then sent.

use super::Build;
use super::options::filled;
use super::reason::{one_line, origin, reason};
use super::tls::Verify;
use crate::config::{Problem, Properties};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long establishing a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request may take unless the rule says otherwise. ElastAlert's alerters wait 10 seconds, or for ever.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is read.
const MAX_ANSWER: usize = 1 << 20;

/// The methods services want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
}

impl Method {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// What a request carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Nothing.
    None,
    /// JSON.
    Json(Value),
    /// Names and values, as forms are sent.
    Form(Vec<(String, String)>),
}

impl Body {
    /// As it is sent.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Json(value) => value.to_string(),
            Self::Form(pairs) => form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs)
                .finish(),
        }
    }
}

/// How a service is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The proxy for `https` URLs.
    pub proxy: Option<Proxy>,
    /// How long a request may take.
    pub timeout: Duration,
    /// Which certificates are accepted.
    pub verify: Verify,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            proxy: None,
            timeout: DEFAULT_TIMEOUT,
            verify: Verify::System,
        }
    }
}

impl Route {
    /// From the options `PREFIX_proxy`, `PREFIX_timeout` (seconds), `PREFIX_ca_certs` and `PREFIX_ignore_ssl_errors`, as far as the
    /// alerter has them.
    pub(super) fn read(properties: &Properties, prefix: &str, build: &Build) -> Self {
        let option = |name: &str| format!("{prefix}_{name}");
        let seconds = properties.int(&option("timeout"));
        Self {
            proxy: filled(properties, &option("proxy")).map(|url| Proxy { url, login: None }),
            timeout: seconds
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map_or(DEFAULT_TIMEOUT, Duration::from_secs),
            verify: Verify::read(
                properties,
                &option("ca_certs"),
                &option("ignore_ssl_errors"),
                &build.working_directory,
            ),
        }
    }

    /// With a user and a password for the proxy, if both options are there.
    #[must_use]
    pub(super) fn proxy_login(
        mut self,
        properties: &Properties,
        user: &str,
        password: &str,
    ) -> Self {
        if let Some(proxy) = &mut self.proxy {
            proxy.login = filled(properties, user).zip(properties.text(password));
        }
        self
    }
}

/// Warnings about URLs that cannot be posted to. They do not stop a rule from loading: ElastAlert finds out when it sends.
pub(super) fn check_urls(properties: &Properties, option: &str) -> Vec<Problem> {
    let Some(node) = properties.get(option) else {
        return Vec::new();
    };
    let nodes = node.as_seq().unwrap_or(std::slice::from_ref(node));
    let unusable = nodes.iter().filter(|node| {
        let url = reqwest::Url::parse(node.as_str().unwrap_or_default());
        !url.is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
    });
    unusable
        .map(|node| {
            Problem::warning(
                "W0320",
                &node.span,
                format!("no request can be sent to this {option}"),
            )
            .help("a URL begins with https:// or http:// and a host")
        })
        .collect()
}

/// A proxy.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Proxy {
    /// Its URL.
    pub url: String,
    /// User and password for it.
    pub login: Option<(String, String)>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", origin(&self.url))
    }
}

/// A request before it is sent.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: String,
    /// Headers beside those every client adds. A later one replaces an earlier one of the same name.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// How the service is reached.
    pub route: Route,
}

/// Without what may be secret: headers, path and body.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {})", self.method.as_str(), origin(&self.url))
    }
}

impl Request {
    /// `POST` of a JSON body.
    pub fn post(url: &str, body: Value, route: &Route) -> Self {
        Self {
            method: Method::Post,
            url: url.to_owned(),
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: Body::Json(body),
            route: route.clone(),
        }
    }

    /// `POST` of a form.
    pub fn post_form(url: &str, pairs: Vec<(String, String)>, route: &Route) -> Self {
        let content_type = "application/x-www-form-urlencoded".to_owned();
        Self {
            method: Method::Post,
            url: url.to_owned(),
            headers: vec![("Content-Type".to_owned(), content_type)],
            body: Body::Form(pairs),
            route: route.clone(),
        }
    }

    /// With a user and a password (Basic authentication).
    #[must_use]
    pub fn basic_auth(self, user: &str, password: &str) -> Self {
        let login = STANDARD.encode(format!("{user}:{password}"));
        self.header("Authorization", format!("Basic {login}"))
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
}

/// Why a request failed. Tells the host and what it answered, but neither path nor headers: they hold tokens.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The request could not be written down.
    #[error("{0}")]
    Invalid(String),
    /// No answer came.
    #[error("{method} {origin}: {reason}")]
    NoAnswer {
        /// The method.
        method: &'static str,
        /// Scheme, host and port.
        origin: String,
        /// What went wrong.
        reason: String,
    },
    /// The service refused.
    #[error("{method} {origin}: status {status}: {body}")]
    Refused {
        /// The method.
        method: &'static str,
        /// Scheme, host and port.
        origin: String,
        /// The status code, 400 or more.
        status: u16,
        /// The beginning of what it said.
        body: String,
    },
}

impl Answer {
    /// The answer, if its status is below 400.
    ///
    /// # Errors
    /// The service refused.
    pub fn accepted(self, request: &Request) -> Result<Self, HttpError> {
        if self.status < 400 {
            return Ok(self);
        }
        Err(HttpError::Refused {
            method: request.method.as_str(),
            origin: origin(&request.url),
            status: self.status,
            body: one_line(&String::from_utf8_lossy(&self.body)),
        })
    }
}

/// Sends requests; keeps a client, with its connections, for each way of reaching a service.
#[derive(Debug, Default)]
pub struct Clients {
    clients: Mutex<HashMap<(Option<Proxy>, Verify), reqwest::Client>>,
}

impl Clients {
    /// Sends one request and reads the answer. Redirects are followed.
    ///
    /// # Errors
    /// The request cannot be written down, or no answer comes within its time.
    pub async fn send(&self, request: &Request) -> Result<Answer, HttpError> {
        let no_answer = |error: reqwest::Error| HttpError::NoAnswer {
            method: request.method.as_str(),
            origin: origin(&request.url),
            reason: if error.is_timeout() {
                format!("no answer within {} s", request.route.timeout.as_secs())
            } else {
                reason(&error.without_url())
            },
        };
        let client = self.client(&request.route)?;
        let url = reqwest::Url::parse(&request.url)
            .map_err(|error| HttpError::Invalid(format!("the URL cannot be used: {error}")))?;
        let builder = match request.method {
            Method::Get => client.get(url),
            Method::Post => client.post(url),
            Method::Put => client.put(url),
        };
        let builder = match &request.body {
            Body::None => builder,
            body => builder.body(body.to_text()),
        };
        let mut response = builder
            .headers(headers(&request.headers)?)
            .timeout(request.route.timeout)
            .send()
            .await
            .map_err(no_answer)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            let room = MAX_ANSWER.saturating_sub(body.len());
            body.extend(chunk.into_iter().take(room));
            if body.len() >= MAX_ANSWER {
                break;
            }
        }
        Ok(Answer { status, body })
    }

    fn client(&self, route: &Route) -> Result<reqwest::Client, HttpError> {
        let key = (route.proxy.clone(), route.verify.clone());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = client(route)?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

fn client(route: &Route) -> Result<reqwest::Client, HttpError> {
    crate::tls::install_provider();
    let invalid = |error: reqwest::Error| HttpError::Invalid(reason(&error.without_url()));
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("tripline/", env!("CARGO_PKG_VERSION")));
    builder = match &route.verify {
        Verify::System => builder,
        Verify::Nothing => builder.tls_danger_accept_invalid_certs(true),
        Verify::Bundle(path) => {
            let pem = std::fs::read(path)
                .map_err(|error| HttpError::Invalid(format!("{}: {error}", path.display())))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| HttpError::Invalid(format!("{}: {error}", path.display())))?;
            builder.tls_certs_only(certificates)
        }
    };
    if let Some(proxy) = &route.proxy {
        let mut via = reqwest::Proxy::https(&proxy.url)
            .map_err(|_| HttpError::Invalid("the proxy's URL cannot be used".to_owned()))?;
        if let Some((user, password)) = &proxy.login {
            via = via.basic_auth(user, password);
        }
        builder = builder.proxy(via);
    }
    builder.build().map_err(invalid)
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, HttpError> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let invalid = || HttpError::Invalid(format!("the header {name:?} cannot be sent"));
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| invalid())?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

/// What most services are told about the answer.
pub(super) const ACCEPT_JSON: &str = "application/json;charset=utf-8";
