//! The smaller parts of the start: dead letters, web server, forwarder, and telling that everything runs.

use super::state::State;
use crate::cli::run::Args;
use crate::cli::warm;
use crate::config::EsConfig;
use crate::config::service::Service as Config;
use crate::engine::{Coming, Outcome, Program};
use crate::event::WallTime;
use crate::input::Inputs;
use crate::input::dead_letter::DeadLetters;
use crate::rule::StateSize;
use crate::store::documents::Documents;
use crate::telemetry::{Clock, Metrics, Readiness, Statsd};
use crate::web::{Pages, Web};
use crate::writeback::{Client, Forwarder, Trace};
use anyhow::Context as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Where events of no use go; with `--debug` nowhere.
pub(super) fn dead_letters(
    args: &Args,
    config: &Config,
    metrics: &Arc<Metrics>,
    clock: &Clock,
) -> anyhow::Result<DeadLetters> {
    let (metrics, clock) = (Arc::clone(metrics), clock.clone());
    if args.debug {
        return Ok(DeadLetters::none(metrics, clock));
    }
    let path = &config.dead_letter.path;
    let max_size = u64::try_from(config.dead_letter.max_size).unwrap_or(u64::MAX);
    DeadLetters::open(path, max_size, metrics, clock)
        .with_context(|| format!("dead letters cannot be kept in {}", path.display()))
}

/// The addresses metrics and health are served on: `web.listen`, and `--prometheus_port`.
fn web_addresses(args: &Args, config: &Config) -> Vec<SocketAddr> {
    let prometheus = args.prometheus_port.map(|port| {
        let address = args
            .prometheus_addr
            .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        SocketAddr::new(address, port)
    });
    config.web.into_iter().chain(prometheus).collect()
}

/// Starts a web server on each of the addresses.
pub(super) async fn web(
    args: &Args,
    config: &Config,
    metrics: &Arc<Metrics>,
    readiness: &watch::Receiver<Readiness>,
    shutdown: &CancellationToken,
) -> anyhow::Result<Vec<Web>> {
    let mut servers = Vec::new();
    for address in web_addresses(args, config) {
        let pages = Pages {
            metrics: Arc::clone(metrics),
            readiness: readiness.clone(),
        };
        servers.push(Web::start(address, pages, shutdown.clone()).await?);
    }
    Ok(servers)
}

/// The statsd server, if one is configured and there.
pub(super) fn statsd(config: &Config) -> Option<Statsd> {
    let host = config.statsd_host.as_deref()?;
    Statsd::new(host, &config.statsd_instance_tag)
        .inspect_err(|error| tracing::error!(host, %error, "statsd gets nothing"))
        .ok()
}

/// Rules that know values and know none yet ask Elasticsearch, if there is one, for those of the past.
pub(super) async fn learn(config: &Config, program: &Program, state: &mut State, now: WallTime) {
    let knows_nothing = |rule: &str| {
        let mut totals = state.engine.totals();
        totals.any(|(name, _, size)| name == rule && size == StateSize::default())
    };
    let rules = program.rules.iter().filter_map(|entry| {
        let learning = entry.rule.kind.learning()?;
        let (es, _) = EsConfig::of_rule(&entry.rule.properties());
        (es.is_some() && knows_nothing(&entry.rule.name)).then_some((&entry.rule, learning))
    });
    let mut memories = Vec::new();
    for (rule, learning) in rules.collect::<Vec<_>>() {
        let name = &rule.name;
        match warm::baseline(rule, &learning, config, now).await {
            Ok((memory, values)) => {
                tracing::info!(rule = name, values, "values of the past are known");
                memories.push(memory);
            }
            Err(error) => tracing::warn!(
                rule = name,
                "values of the past are not known, so that each is new when it first comes: {error:#}"
            ),
        }
    }
    let mut out = Outcome::default();
    state.engine.warm(memories, Coming::Later, &mut out);
    if let Some(durable) = &mut state.durable
        && let Err(error) = durable.journal.commit(&out.records)
    {
        tracing::warn!(%error, "values of the past will be asked for again at the next start");
    }
}

/// Starts to send documents to Elasticsearch, if there is one.
pub(super) fn forwarder(
    args: &Args,
    config: &Config,
    documents: &Arc<Documents>,
) -> anyhow::Result<Option<Forwarder>> {
    let Some(elasticsearch) = &config.elasticsearch else {
        tracing::info!("writeback store=embedded");
        return Ok(None);
    };
    let trace = args
        .es_debug_trace
        .as_deref()
        .map(|path| Trace::open(path).with_context(|| path.display().to_string()))
        .transpose()?;
    let client = Client::new(elasticsearch)
        .context("Elasticsearch cannot be used")?
        .traced(trace);
    tracing::info!(
        host = client.host(),
        index = config.writeback_index,
        "writeback"
    );
    Ok(Some(Forwarder::start(
        client,
        Arc::clone(documents),
        config.writeback_index.clone(),
    )))
}

/// Tells supervisors and tests that everything listens, and where.
pub(super) fn announce_ready(
    args: &Args,
    inputs: &Inputs,
    web: Option<&Web>,
) -> anyhow::Result<()> {
    if let Some(path) = &args.ready_file {
        let addresses: serde_json::Map<_, _> = inputs
            .addresses()
            .iter()
            .map(|(name, address)| (name.clone(), address.to_string().into()))
            .collect();
        let web = web.map(|web| web.address().to_string());
        let ready = serde_json::json!({"inputs": addresses, "web": web});
        // Renamed into place: who waits for the file finds it whole.
        let unfinished = path.with_extension("unfinished");
        std::fs::write(&unfinished, format!("{ready}\n"))
            .and_then(|()| std::fs::rename(&unfinished, path))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    notify(&[sd_notify::NotifyState::Ready]);
    tracing::info!("ready");
    Ok(())
}

/// Tells the supervisor that the end has begun.
pub(super) fn announce_stopping() {
    notify(&[sd_notify::NotifyState::Stopping]);
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the supervisor cannot be told");
    }
}
