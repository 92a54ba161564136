//! The service: everything put together, from start to drained end.
//!
//! ```text
//! inputs → intake → filter threads → engine thread → journal ─┬→ deliveries → alerters
//!                                        ↑                     └→ writer thread → documents → forwarder → Elasticsearch
//!                                        └── outcomes, ticks, reloads
//! ```

mod adoption;
mod control;
mod decide;
mod driver;
mod jumps;
mod look;
mod reload;
mod reports;
mod silences;
mod start;
mod state;
mod stop;
pub(super) mod stream;
mod summary;
mod time;
mod warm;
mod writer;

pub(super) use control::{Request, ask};
pub(super) use look::{Seen, look};
pub(super) use silences::{Request as SilencesRequest, Running, at_rest};
pub(super) use state::options;
pub(super) use warm::{WarmedBy, warm};

use super::rules::{Loaded, Loader};
use super::run::Args;
use crate::alerter::sending::{Limits, Sending, Sources};
use crate::config::service::Service as Config;
use crate::engine::Engine;
use crate::input::{Inputs, Startup};
use crate::rule::Decider;
use crate::telemetry::{Clock, Metrics, Readiness};
use anyhow::Context as _;
use arc_swap::ArcSwap;
use driver::{Channels, Driver};
use reports::Reports;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use stream::Stream;
use time::Time;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Batches between the inputs and the filter threads, and again between those and the engine.
const QUEUE: usize = 64;
/// Outcomes on their way back to the engine.
const OUTCOMES: usize = 1024;

/// Runs the service until it is told to stop or its only input has ended. The exit code.
///
/// # Errors
/// It could not be started.
pub(super) fn run(
    args: &Args,
    config: Config,
    loader: Loader,
    loaded: Loaded,
) -> anyhow::Result<i32> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    runtime.block_on(serve(args, config, loader, loaded))
}

async fn serve(args: &Args, config: Config, loader: Loader, loaded: Loaded) -> anyhow::Result<i32> {
    let started = Instant::now();
    let clock = super::clock::wall_clock();
    let metrics = Arc::new(Metrics::new());
    let shutdown = CancellationToken::new();
    let (readiness, is_ready) = watch::channel(Readiness::Starting);
    let signals = stop::Signals::listen(&shutdown)?;

    let keeping = if args.debug {
        state::Keeping::Nothing
    } else {
        state::Keeping::Everything
    };
    let mut state = state::open(keeping, &config, Arc::clone(&loaded.program), &metrics)?;
    let adoption = adoption::adopt(&config, &mut state, &clock).await;
    start::learn(&config, &loaded.program, &mut state, clock.now()).await;
    let dead_letters = start::dead_letters(args, &config, &metrics, &clock)?;
    let rules = (loaded.running(), loaded.files.clone());
    let outlets = Arc::new(ArcSwap::from_pointee(loaded.outlets));
    let bounds = args.bounds(clock.now())?;
    let decider = Decider::new(Arc::clone(&loaded.rules)).within(bounds);
    let decider = Arc::new(ArcSwap::from_pointee(decider));

    let (outcome_sender, outcomes) = mpsc::channel(OUTCOMES);
    let sending = Sending::start(sources(&outlets, &clock), Limits::default(), outcome_sender);
    let (intake, batches) = crate::input::Intake::channel(QUEUE);
    let gauge = intake.gauge();
    let (decided_sender, decided) = mpsc::channel(QUEUE);
    let (control, controls) = mpsc::channel(16);
    let (stop, stopping) = watch::channel(None);

    let web = start::web(args, &config, &metrics, &is_ready, &shutdown).await?;
    let startup = Startup {
        configs: config.inputs(args.stdin),
        context: crate::input::Context {
            intake,
            dead_letters: dead_letters.clone(),
            metrics: Arc::clone(&metrics),
            clock: clock.clone(),
        },
        readiness: is_ready.clone(),
        recovered: state.engine.recent_bodies().collect(),
        stdin: Box::new(std::io::stdin()),
    };
    let inputs = Inputs::start(startup, &shutdown).await?;

    let only_stdin = args.stdin && !inputs.listens();
    let stream = only_stdin.then(|| {
        let Config {
            run_every,
            lateness,
            future_tolerance,
            ..
        } = config;
        Stream::new(run_every, lateness, future_tolerance, clock.now())
    });
    let no_more_batches = CancellationToken::new();
    let filters = decide::start(
        filter_threads(),
        batches,
        &decider,
        &decided_sender,
        no_more_batches.clone(),
        stream.as_ref().map(|_| config.lateness),
    )?;
    drop(decided_sender);
    let driver = Driver {
        engine: state.engine,
        durable: state.durable,
        channels: Channels {
            batches: decided,
            outcomes,
            control: controls,
            deliveries: sending.deliveries(),
            readiness: readiness.clone(),
            stop: stopping,
        },
        gauge,
        reports: Reports::new(
            Arc::clone(&metrics),
            dead_letters,
            clock.clone(),
            args.verbose,
            start::statsd(&config),
        ),
        clock: clock.clone(),
        time: Time::new(clock.now(), config.run_every, stream),
        run_every: config.run_every,
        early: BTreeMap::new(),
        next: 0,
        backlog: VecDeque::new(),
        under_way: 0,
        busy: Duration::ZERO,
        unanswered: VecDeque::new(),
    };
    let engine = engine_thread(driver)?;
    let forwarder = match &state.documents {
        Some(documents) => start::forwarder(args, &config, documents)?,
        None => None,
    };
    let operators = state.documents.and_then(|documents| {
        let door = control::Door {
            engine: control.clone(),
            documents,
            store: config.store.clone(),
            clock: clock.clone(),
        };
        control::serve(&config.store, door)
            .map_err(|error| {
                tracing::warn!("`tripline silence` cannot reach this service: {error:#}")
            })
            .ok()
    });
    let adopting = adoption.map(|adoption| adoption.go_on(control.clone()));
    let reloading = reload::start(
        args,
        loader,
        rules,
        reload::Targets {
            control,
            outlets,
            decider,
            bounds,
        },
    )?;

    readiness.send_replace(Readiness::Ready);
    start::announce_ready(args, &inputs, web.first())?;
    let ended = stop::wait(signals, inputs, only_stdin, &shutdown).await;

    // From here on: nothing new comes in, what came in is decided and committed, alerts get a last chance, state is written.
    no_more_batches.cancel();
    readiness.send_replace(Readiness::Draining);
    start::announce_stopping();
    stop.send_replace(Some(ended.patience()));
    let finished = engine
        .await
        .context("the engine has ended without an answer")?;
    for filter in filters {
        if filter.join().is_err() {
            tracing::error!("a filter thread failed");
        }
    }
    drop(sending);
    reloading.abort();
    if let Some(adopting) = adopting {
        adopting.abort();
    }
    if let Some(operators) = operators {
        operators.abort();
    }
    if let Some(forwarder) = forwarder {
        forwarder.drain(ended.forwarding_patience()).await;
    }
    for web in web {
        web.stopped().await;
    }
    if args.stdin {
        summary::print(&finished, started.elapsed());
    }
    Ok(super::exit::FINE)
}

/// What the engine's thread leaves behind.
struct Finished {
    engine: Engine,
    reports: Reports,
}

/// Starts the engine's thread; its end comes through the receiver.
fn engine_thread(driver: Driver) -> anyhow::Result<oneshot::Receiver<Finished>> {
    let (done, end) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || {
            let _guard = stop::ExitOnPanic;
            let finished = runtime.block_on(driver.run());
            let _nobody_waits = done.send(finished);
        })
        .context("the engine's thread cannot be started")?;
    Ok(end)
}

fn filter_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn sources(outlets: &Arc<ArcSwap<super::rules::Outlets>>, clock: &Clock) -> Sources {
    let outlets = Arc::clone(outlets);
    let clock = clock.clone();
    Sources {
        outlet: Arc::new(move |rule| outlets.load().get(rule).cloned()),
        now: Arc::new(move || clock.now()),
    }
}
