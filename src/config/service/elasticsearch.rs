//! How to reach Elasticsearch: `es_host` and what belongs to it.

use super::reader::Reader;
use crate::config::{Problem, Properties, Span};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How to reach a cluster. The names are ElastAlert's options, `es_` left off.
#[derive(Clone)]
pub struct EsConfig {
    /// `es_hosts`, or `es_host` alone: `host`, `host:port` or a URL each. Tried in turn when one cannot be connected to.
    pub hosts: Vec<String>,
    /// `es_port`: of hosts that name none.
    pub port: u16,
    /// `es_url_prefix`: comes before every path.
    pub url_prefix: String,
    /// `use_ssl`: of hosts that are no URL.
    pub use_ssl: bool,
    /// `verify_certs`.
    pub verify_certs: bool,
    /// `ca_certs`: PEM file of the only authorities trusted; `None`: the system's.
    pub ca_certs: Option<PathBuf>,
    /// `client_cert`: PEM file; may hold the key as well.
    pub client_cert: Option<PathBuf>,
    /// `client_key`: PEM file.
    pub client_key: Option<PathBuf>,
    /// `es_username` and `es_password`, `es_bearer` or `es_api_key`.
    pub credentials: Credentials,
    /// Further headers of every request.
    pub headers: Vec<(String, String)>,
    /// `es_conn_timeout`: of a whole request.
    pub timeout: Duration,
    /// `aws_region`: asks for signed requests, unless there are credentials.
    pub aws_region: Option<String>,
}

impl Default for EsConfig {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            port: 9200,
            url_prefix: String::new(),
            use_ssl: false,
            verify_certs: true,
            ca_certs: None,
            client_cert: None,
            client_key: None,
            credentials: Credentials::None,
            headers: Vec::new(),
            timeout: Duration::from_secs(20),
            aws_region: None,
        }
    }
}

impl fmt::Debug for EsConfig {
    /// Without what may be secret: credentials in hosts, and headers' values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let without_user = |host: &String| host.rsplit('@').next().unwrap_or_default().to_owned();
        let hosts: Vec<String> = self.hosts.iter().map(without_user).collect();
        f.debug_struct("EsConfig")
            .field("hosts", &hosts)
            .field("port", &self.port)
            .field("use_ssl", &self.use_ssl)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// Who we are. As in ElastAlert an API key wins over a bearer token, and both over a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nobody in particular.
    #[default]
    None,
    /// `es_username`, `es_password`.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: String,
    },
    /// `es_bearer`.
    Bearer(String),
    /// `es_api_key`.
    ApiKey(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
            Self::ApiKey(_) => "ApiKey(…)",
        })
    }
}

impl EsConfig {
    /// The Elasticsearch that a rule's index is in: a rule may name another than the configuration, whose options it has otherwise. `None` without
    /// a host. What cannot be used is among the problems, and the default in the result.
    pub fn of_rule(properties: &Properties) -> (Option<Self>, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut reader = Reader::checked(properties.clone(), Span::nowhere(), &mut problems);
        let config = read(&mut reader);
        (config, problems)
    }
}

/// Reads the options of [`super::options::ELASTICSEARCH`]. `None` without a host: then no Elasticsearch is used.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<EsConfig> {
    let listed = reader.properties.texts("es_hosts");
    let mut hosts: Vec<String> = listed
        .iter()
        .flat_map(|hosts| hosts.split(','))
        .map(|host| host.trim().to_owned())
        .filter(|host| !host.is_empty())
        .collect();
    if hosts.is_empty() {
        hosts.push(reader.properties.text("es_host")?);
    }
    let default = EsConfig::default();
    let properties = &reader.properties;
    let headers = properties
        .get("headers")
        .and_then(|node| node.as_map())
        .map(|map| {
            map.iter()
                .map(|(name, value)| (name.key_text(), value.key_text()))
                .collect()
        });
    let timeout = properties
        .number("es_conn_timeout")
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Some(EsConfig {
        hosts,
        url_prefix: properties.text("es_url_prefix").unwrap_or_default(),
        use_ssl: properties.bool("use_ssl").unwrap_or(default.use_ssl),
        verify_certs: properties
            .bool("verify_certs")
            .unwrap_or(default.verify_certs),
        ca_certs: reader.path("ca_certs"),
        client_cert: reader.path("client_cert"),
        client_key: reader.path("client_key"),
        headers: headers.unwrap_or_default(),
        timeout: timeout.unwrap_or(default.timeout),
        aws_region: properties.text("aws_region"),
        port: port(reader, default.port),
        credentials: credentials(reader),
    })
}

fn port(reader: &mut Reader<'_>, default: u16) -> u16 {
    let Some(text) = reader.properties.text("es_port") else {
        return default;
    };
    text.trim().parse().unwrap_or_else(|_| {
        let message = format!("`es_port` is no port: `{text}`");
        reader.problem(Problem::error("E0809", &reader.span("es_port"), message));
        default
    })
}

fn credentials(reader: &mut Reader<'_>) -> Credentials {
    if let Some(key) = reader.secret("es_api_key") {
        return Credentials::ApiKey(key);
    }
    if let Some(token) = reader.secret("es_bearer") {
        return Credentials::Bearer(token);
    }
    match (reader.secret("es_username"), reader.secret("es_password")) {
        (Some(username), Some(password)) => Credentials::Basic { username, password },
        (Some(_), None) => {
            let span = reader.span("es_username");
            reader.problem(Problem::error(
                "E0809",
                &span,
                "`es_username` is given without `es_password`",
            ));
            Credentials::None
        }
        _ => Credentials::None,
    }
}
