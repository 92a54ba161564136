//! How to reach Elasticsearch: `es_host` and what belongs to it.

use crate::config::{Credentials, EsConfig};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A host without the credentials it may carry.
fn without_user(host: &str) -> &str {
    host.rsplit('@').next().unwrap_or_default()
}

fn authorization(credentials: &Credentials) -> Option<String> {
    use base64::Engine as _;
    match credentials {
        Credentials::None => None,
        Credentials::Basic { username, password } => {
            let pair = format!("{username}:{password}");
            Some(format!(
                "Basic {}",
                base64::engine::general_purpose::STANDARD.encode(pair)
            ))
        }
        Credentials::Bearer(token) => Some(format!("Bearer {token}")),
        Credentials::ApiKey(key) => Some(format!("ApiKey {key}")),
    }
}

/// What in the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No host at all.
    #[error("no Elasticsearch host: set `es_host`")]
    NoHost,
    /// A host that makes no URL.
    #[error("{host:?} is not a host name or URL: {reason}")]
    Host {
        /// As written, without credentials.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate or key file that cannot be read.
    #[error("`{option}`: {} cannot be read", path.display())]
    File {
        /// The option.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file that holds no certificate or key.
    #[error("`{option}`: {} holds no usable PEM certificate or key", path.display())]
    Pem {
        /// The option.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// A key without a certificate.
    #[error("`client_key` is set without `client_cert`")]
    KeyAlone,
    /// A header that HTTP does not allow.
    #[error("header {0:?} has a name or value that HTTP does not allow")]
    Header(String),
    /// `aws_region`.
    #[error(
        "`aws_region`: requests signed for AWS are not supported: use `es_username` and `es_password` (fine-grained access control), or a signing proxy"
    )]
    AwsSigning,
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be made")]
    Http(#[source] reqwest::Error),
}

impl EsConfig {
    /// The URL every path is appended to, per host, without credentials and without `/` at the end.
    pub(super) fn bases(&self) -> Result<Vec<String>, ConfigError> {
        if self.hosts.is_empty() {
            return Err(ConfigError::NoHost);
        }
        self.hosts.iter().map(|host| self.base(host)).collect()
    }

    fn base(&self, host: &str) -> Result<String, ConfigError> {
        let mut url = self.url(host)?;
        // Cannot fail for a URL with a host, which `url` makes sure of.
        if url.set_username("").and(url.set_password(None)).is_err() {
            return Err(bad_host(host, "it has no host"));
        }
        let base = format!(
            "{}/{}",
            url.as_str().trim_end_matches('/'),
            self.url_prefix.trim_matches('/')
        );
        Ok(base.trim_end_matches('/').to_owned())
    }

    fn url(&self, host: &str) -> Result<Url, ConfigError> {
        let scheme = if self.use_ssl { "https" } else { "http" };
        let trimmed = host.trim();
        let text = if trimmed.contains("://") {
            trimmed.to_owned()
        } else if trimmed.matches(':').count() > 1 && !trimmed.starts_with('[') {
            format!("{scheme}://[{trimmed}]")
        } else {
            format!("{scheme}://{trimmed}")
        };
        let mut url = Url::parse(&text).map_err(|error| bad_host(host, &error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(bad_host(host, "only http:// and https:// are known"));
        }
        // The parser drops a port that is the scheme's own, so `host:80` must be looked for in the text.
        let authority = text
            .split_once("://")
            .and_then(|(_, rest)| rest.split('/').next())
            .map_or("", without_user);
        let written = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if !written && url.set_port(Some(self.port)).is_err() {
            return Err(bad_host(host, "it takes no port"));
        }
        Ok(url)
    }

    /// The credentials, or those in the first host that is a URL with some.
    fn effective_credentials(&self) -> Result<Credentials, ConfigError> {
        if self.credentials != Credentials::None {
            return Ok(self.credentials.clone());
        }
        for host in &self.hosts {
            let url = self.url(host)?;
            let decode = |text: &str| {
                percent_encoding::percent_decode_str(text)
                    .decode_utf8_lossy()
                    .into_owned()
            };
            if !url.username().is_empty() {
                return Ok(Credentials::Basic {
                    username: decode(url.username()),
                    password: decode(url.password().unwrap_or_default()),
                });
            }
        }
        Ok(Credentials::None)
    }

    /// The HTTP client.
    pub(super) fn http(&self) -> Result<reqwest::Client, ConfigError> {
        let credentials = self.effective_credentials()?;
        if self.aws_region.is_some() && credentials == Credentials::None {
            return Err(ConfigError::AwsSigning);
        }
        crate::tls::install_provider();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("tripline/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(self.header_map(&credentials)?)
            .connect_timeout(self.timeout.min(Duration::from_secs(10)))
            .timeout(self.timeout);
        if !self.verify_certs {
            builder = builder.tls_danger_accept_invalid_certs(true);
        } else if let Some(path) = &self.ca_certs {
            let pem = read("ca_certs", path)?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|source| bad_pem("ca_certs", path, source))?;
            builder = builder.tls_certs_only(certificates);
        }
        match (&self.client_cert, &self.client_key) {
            (None, None) => {}
            (None, Some(_)) => return Err(ConfigError::KeyAlone),
            (Some(certificate), key) => {
                let mut pem = read("client_cert", certificate)?;
                if let Some(key) = key {
                    pem.push(b'\n');
                    pem.extend(read("client_key", key)?);
                }
                let identity = reqwest::Identity::from_pem(&pem)
                    .map_err(|source| bad_pem("client_cert", certificate, source))?;
                builder = builder.identity(identity);
            }
        }
        builder.build().map_err(ConfigError::Http)
    }

    fn header_map(&self, credentials: &Credentials) -> Result<HeaderMap, ConfigError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let bad = || ConfigError::Header(name.clone());
            let key: HeaderName = name.parse().map_err(|_| bad())?;
            headers.insert(key, value.parse().map_err(|_| bad())?);
        }
        if let Some(text) = authorization(credentials) {
            let mut value: HeaderValue = text
                .parse()
                .map_err(|_| ConfigError::Header("Authorization".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }
}

fn bad_host(host: &str, reason: &str) -> ConfigError {
    ConfigError::Host {
        host: without_user(host).to_owned(),
        reason: reason.to_owned(),
    }
}

fn bad_pem(option: &'static str, path: &Path, source: reqwest::Error) -> ConfigError {
    ConfigError::Pem {
        option,
        path: path.to_owned(),
        source,
    }
}

fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|source| ConfigError::File {
        option,
        path: path.to_owned(),
        source,
    })
}
