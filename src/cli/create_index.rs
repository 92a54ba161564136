//! `tripline create-index`, also called as `elastalert-create-index`: the writeback indices.
//!
//! Follows elastalert2's `create_index.py`: the same options, questions and words. Without a server the embedded store is made instead.
//! Where the main index exists, those of the other four that do not are made, which ElastAlert leaves out.

mod questions;
#[cfg(test)]
mod tests;

use crate::store::documents::{Documents, Forwarding};
use crate::writeback::indices::{self, Change, Existing};
use crate::writeback::{Client, Credentials, EsConfig, Generation};
use anyhow::Context as _;
use clap::builder::BoolishValueParser;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

pub use questions::{Terminal, secret_from_terminal};

/// Makes the writeback indices in Elasticsearch or OpenSearch, or the embedded store when there is no server.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Elasticsearch host
    #[arg(long, env = "ES_HOST")]
    pub host: Option<String>,
    /// Elasticsearch port
    #[arg(long, env = "ES_PORT")]
    pub port: Option<u16>,
    /// Elasticsearch username
    #[arg(long, env = "ES_USERNAME")]
    pub username: Option<String>,
    /// Elasticsearch password
    #[arg(long, env = "ES_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// Elasticsearch bearer token
    #[arg(long, env = "ES_BEARER", hide_env_values = true)]
    pub bearer: Option<String>,
    /// Elasticsearch api-key token
    #[arg(long, env = "ES_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// Elasticsearch URL prefix
    #[arg(long)]
    pub url_prefix: Option<String>,
    /// Suppress prompt for basic auth
    #[arg(long)]
    pub no_auth: bool,
    /// Use TLS
    #[arg(long, env = "ES_USE_SSL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = truth, overrides_with = "no_ssl")]
    pub ssl: Option<bool>,
    /// Do not use TLS
    #[arg(long, overrides_with = "ssl")]
    pub no_ssl: bool,
    /// Verify TLS certificates
    #[arg(long, overrides_with = "no_verify_certs")]
    pub verify_certs: bool,
    /// Do not verify TLS certificates
    #[arg(long, overrides_with = "verify_certs")]
    pub no_verify_certs: bool,
    /// PEM file of the certificate authorities to trust
    #[arg(long)]
    pub ca_certs: Option<PathBuf>,
    /// PEM file of the client certificate
    #[arg(long)]
    pub client_cert: Option<PathBuf>,
    /// PEM file of the client certificate's key
    #[arg(long)]
    pub client_key: Option<PathBuf>,
    /// Index name to create
    #[arg(long)]
    pub index: Option<String>,
    /// Old index name to copy
    #[arg(long)]
    pub old_index: Option<String>,
    /// Method for querying Elasticsearch: nothing here is sent as GET with a body, so it has no effect
    #[arg(long, alias = "send_get_body_as")]
    pub send_get_body_as: Option<String>,
    /// AWS profile to use for signing requests (not supported: says so)
    #[arg(long, alias = "boto-profile")]
    pub profile: Option<String>,
    /// AWS region to use for signing requests (not supported: says so)
    #[arg(long)]
    pub aws_region: Option<String>,
    /// Elasticsearch request timeout, in seconds
    #[arg(long, default_value_t = 60)]
    pub timeout: u64,
    /// Global config file (default: config.yaml, else config.yml)
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Force re-creation of the index (this will cause data loss)
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_parser = BoolishValueParser::new(), default_value_t = false)]
    pub recreate: bool,
}

/// What the configuration file says.
#[derive(Debug, Clone)]
pub struct Configured {
    /// The file; `None`: there is none.
    pub file: Option<PathBuf>,
    /// `es_host` and what belongs to it.
    pub es: Option<EsConfig>,
    /// `writeback_index`.
    pub writeback_index: Option<String>,
    /// `store: {path: …}`: where the embedded store is, or will be.
    pub store: PathBuf,
}

const DEFAULT_INDEX: &str = "elastalert_status";

/// What is to be made.
#[derive(Debug)]
struct Plan {
    /// The server; `None`: the embedded store.
    es: Option<EsConfig>,
    index: String,
    old_index: Option<String>,
    existing: Existing,
}

/// Makes the indices or the store. Prints to the terminal's output, problems to `problems`. Returns the process's exit code: 0, or 1 when it did
/// not work.
pub fn run(
    args: &Args,
    configured: &Configured,
    terminal: &mut Terminal<'_>,
    problems: &mut dyn Write,
) -> u8 {
    match make(args, configured, terminal) {
        Ok(()) => 0,
        Err(error) => {
            // A stderr that cannot be written leaves no way to say more than the exit code does.
            writeln!(problems, "elastalert-create-index: {error:#}").ok();
            1
        }
    }
}

fn make(args: &Args, configured: &Configured, terminal: &mut Terminal<'_>) -> anyhow::Result<()> {
    let plan = plan(args, configured, terminal)?;
    let Some(es) = &plan.es else {
        return embedded(&plan, configured, terminal.output);
    };
    let client = Client::new(es)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be started")?
        .block_on(on_server(&client, &plan, terminal.output))
}

/// Options win over the configuration, and questions fill what neither says.
fn plan(args: &Args, configured: &Configured, terminal: &mut Terminal<'_>) -> anyhow::Result<Plan> {
    let mut es = configured.es.clone().unwrap_or_default();
    args.apply(&mut es);
    let mut plan = Plan {
        es: None,
        index: given(args.index.as_ref())
            .or(given(configured.writeback_index.as_ref()))
            .unwrap_or_else(|| DEFAULT_INDEX.to_owned()),
        old_index: given(args.old_index.as_ref()),
        existing: if args.recreate {
            Existing::Replace
        } else {
            Existing::Keep
        },
    };
    if configured.file.is_none() && terminal.input.is_some() {
        questions::ask(args, &mut es, &mut plan, terminal)?;
    }
    plan.es = (!es.hosts.is_empty()).then_some(es);
    Ok(plan)
}

/// Whether a text says yes, as for the variable `ES_USE_SSL` in ElastAlert: what is not understood says no.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a Result")]
fn truth(text: &str) -> Result<bool, std::convert::Infallible> {
    let text = text.to_lowercase();
    Ok(["true", "t", "on", "ok", "yes", "y", "1"].contains(&&*text))
}

/// A text that says something: as in ElastAlert an empty one counts as absent.
fn given(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

impl Args {
    /// Lays the options over a configuration.
    fn apply(&self, es: &mut EsConfig) {
        if let Some(host) = given(self.host.as_ref()) {
            es.hosts = vec![host];
        }
        if let Some(port) = self.port {
            es.port = port;
        }
        if let Some(prefix) = &self.url_prefix {
            es.url_prefix.clone_from(prefix);
        }
        if let Some(ssl) = self.use_ssl() {
            es.use_ssl = ssl;
        }
        if self.verify_certs || self.no_verify_certs {
            es.verify_certs = self.verify_certs;
        }
        for (file, option) in [
            (&mut es.ca_certs, &self.ca_certs),
            (&mut es.client_cert, &self.client_cert),
            (&mut es.client_key, &self.client_key),
        ] {
            if option.is_some() {
                file.clone_from(option);
            }
        }
        if let Some(credentials) = self.credentials(&es.credentials) {
            es.credentials = credentials;
        }
        let region = given(self.aws_region.as_ref()).or(given(self.profile.as_ref()));
        if region.is_some() {
            es.aws_region = region;
        }
        es.timeout = Duration::from_secs(self.timeout);
    }

    fn use_ssl(&self) -> Option<bool> {
        if self.no_ssl { Some(false) } else { self.ssl }
    }

    /// The credentials the options give; a user or password alone completes the configured pair.
    fn credentials(&self, configured: &Credentials) -> Option<Credentials> {
        if let Some(key) = given(self.api_key.as_ref()) {
            return Some(Credentials::ApiKey(key));
        }
        if let Some(token) = given(self.bearer.as_ref()) {
            return Some(Credentials::Bearer(token));
        }
        let (username, password) = (given(self.username.as_ref()), given(self.password.as_ref()));
        if username.is_none() && password.is_none() {
            return None;
        }
        let (known_username, known_password) = match configured {
            Credentials::Basic { username, password } => (username.clone(), password.clone()),
            Credentials::None | Credentials::Bearer(_) | Credentials::ApiKey(_) => {
                Default::default()
            }
        };
        Some(Credentials::Basic {
            username: username.unwrap_or(known_username),
            password: password.unwrap_or(known_password),
        })
    }
}

async fn on_server(client: &Client, plan: &Plan, output: &mut dyn Write) -> anyhow::Result<()> {
    let generation = match client.version().await?.generation()? {
        Generation::Seven => 7,
        Generation::Eight => 8,
    };
    writeln!(output, "Reading Elastic {generation} index mappings:")?;
    let there = plan.existing == Existing::Keep && indices::exists(client, &plan.index).await?;
    if there {
        writeln!(
            output,
            "Index {} already exists. Skipping index creation.",
            plan.index
        )?;
    }
    let mut printed = Ok(());
    let tell = |change| {
        let line = match change {
            Change::Deleting(name) => format!("Deleting index {name}."),
            Change::Created(name) => format!("New index {name} created"),
        };
        if printed.is_ok() {
            printed = writeln!(output, "{line}");
        }
    };
    indices::create(client, &plan.index, plan.existing, tell).await?;
    printed?;
    if there {
        if let Some(old) = &plan.old_index {
            writeln!(
                output,
                "Not copying old index '{old}': it is copied into a new index only."
            )?;
        }
        return Ok(());
    }
    if let Some(old) = &plan.old_index {
        writeln!(
            output,
            "Copying all data from old index '{old}' to new index '{}'",
            plan.index
        )?;
        let count = indices::copy(client, old, &plan.index)
            .await
            .with_context(|| {
                format!(
                    "'{old}' is not copied; '{}' is there now: --recreate True tries again",
                    plan.index
                )
            })?;
        writeln!(output, "Copied {count} documents")?;
    }
    writeln!(output, "Done!")?;
    Ok(())
}

fn embedded(plan: &Plan, configured: &Configured, output: &mut dyn Write) -> anyhow::Result<()> {
    anyhow::ensure!(
        plan.old_index.is_none(),
        "--old-index copies within Elasticsearch: set `es_host` or --host"
    );
    let store = configured.store.as_path();
    writeln!(
        output,
        "No Elasticsearch host is configured (es_host): using the embedded store."
    )?;
    if plan.existing == Existing::Replace && Documents::exist(store) {
        writeln!(output, "Deleting the store in {}.", store.display())?;
        Documents::remove(store)?;
    }
    if Documents::exist(store) {
        writeln!(
            output,
            "The store in {} already exists. Skipping its creation.",
            store.display()
        )?;
        return Ok(());
    }
    Documents::open(store, Forwarding::Off)?;
    writeln!(output, "New store created in {}", store.display())?;
    writeln!(output, "Done!")?;
    Ok(())
}
