//! What the service remembers: opened at its start, from snapshot, journal and documents.

use crate::config::service::Service as Config;
use crate::engine::{Engine, Options, Program, Record, Snapshot, Write};
use crate::rule::{Part, Spill};
use crate::store::documents::{Commit, Documents, Forwarding, Retention, StoreError};
use crate::store::{Journal, Recovery, SpillFiles, read_before, recover, write_snapshot};
use crate::telemetry::Metrics;
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::driver::Durable;
use super::writer::Writer;

/// Whether anything outlives the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    /// As always.
    Everything,
    /// `--debug`: nothing is read or written.
    Nothing,
}

/// The engine as it was, and where it goes on writing.
pub(super) struct State {
    pub(super) engine: Engine,
    pub(super) durable: Option<Durable>,
    pub(super) documents: Option<Arc<Documents>>,
    /// Whether the store was empty.
    pub(super) is_new: bool,
}

/// Opens the store and brings the engine back to where it was.
pub(super) fn open(
    keeping: Keeping,
    config: &Config,
    program: Arc<Program>,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<State> {
    if keeping == Keeping::Nothing {
        let options = options(config, "debug".to_owned());
        return Ok(State {
            engine: Engine::new(options, program),
            durable: None,
            documents: None,
            is_new: false,
        });
    }
    let directory = &config.store;
    let context = || format!("the store {} cannot be used", directory.display());
    std::fs::create_dir_all(directory).with_context(context)?;
    let forwarding = if config.elasticsearch.is_some() {
        Forwarding::Queue
    } else {
        Forwarding::Off
    };
    let documents = Arc::new(open_documents(directory, forwarding).with_context(context)?);
    let options = options(config, instance(directory).with_context(context)?);
    let (mut engine, journal, is_new) =
        recover_engine(directory, options, program, &documents).with_context(context)?;
    let clock = crate::cli::clock::wall_clock();
    let max_spilled = config.store_limits.max_spilled as u64;
    let spill = SpillFiles::open(directory, max_spilled, Arc::clone(metrics), clock.clone());
    let spill = Arc::new(spill.with_context(context)?);
    spill.begin(journal.number());
    engine.set_spill(Arc::clone(&spill) as Arc<dyn Spill>);
    let retention = Retention {
        keep: config.store_limits.keep,
        max_size: config.store_limits.max_size as u64,
        alert_time_limit: config.alert_time_limit,
    };
    let writer = Writer::start(
        directory,
        Arc::clone(&documents),
        Arc::clone(&spill),
        retention,
        clock,
    )
    .with_context(context)?;
    Ok(State {
        engine,
        durable: Some(Durable {
            journal,
            spill,
            writer,
        }),
        documents: Some(documents),
        is_new,
    })
}

/// The engine's options, as configured. `instance` makes its ids differ from those of other stores.
pub(in crate::cli) fn options(config: &Config, instance: String) -> Options {
    Options {
        run_every: config.run_every,
        lateness: config.lateness,
        future_tolerance: config.future_tolerance,
        retry_first: config.retry.first,
        retry_longest: config.retry.longest,
        add_metadata: config.add_metadata_alert,
        replace_dots: config.replace_dots_in_field_names,
        most_kept: config.store_limits.max_kept as u64,
        tick_part: Part::STEPS,
        event_part: Part::EVENT_STEPS,
        instance,
    }
}

/// Opens the documents, waiting a little for a process that is just ending: one that was killed while it started an alerter's program leaves
/// its lock to that program for a moment.
fn open_documents(directory: &Path, forwarding: Forwarding) -> Result<Documents, StoreError> {
    let mut left = 50;
    loop {
        match Documents::open(directory, forwarding) {
            Err(StoreError::InUse { .. }) if left > 0 => {
                left -= 1;
                std::thread::sleep(Duration::from_millis(100));
            }
            opened => return opened,
        }
    }
}

/// Brings the engine back, and the documents that a crash may have kept from their store.
fn recover_engine(
    directory: &Path,
    options: Options,
    program: Arc<Program>,
    documents: &Documents,
) -> anyhow::Result<(Engine, Journal, bool)> {
    let mut recovery = EngineRecovery {
        options,
        program,
        engine: None,
        writes: Vec::new(),
        documents,
        failed: None,
    };
    let recovered = recover(directory, &mut recovery)?;
    recovery.store();
    if let Some(error) = recovery.failed {
        return Err(error.into());
    }
    for damage in &recovered.damage {
        tracing::warn!("the journal was cut short, as a crash leaves it: {damage}");
    }
    let mut engine = recovery.engine.context("the store was not read")?;
    engine.number_writes_after(documents.applied()?);
    tracing::info!(path = %directory.display(), records = recovered.records, undelivered = engine.undelivered(), "store");
    let journal = Journal::begin(directory, &recovered)?;
    Ok((engine, journal, recovered.is_new))
}

struct EngineRecovery<'d> {
    options: Options,
    program: Arc<Program>,
    engine: Option<Engine>,
    writes: Vec<(u64, Write)>,
    documents: &'d Documents,
    failed: Option<StoreError>,
}

/// An engine that goes on from a snapshot, and the rules whose memory could not be used.
fn engine_from(
    snapshot: Option<Snapshot>,
    options: &Options,
    program: &Arc<Program>,
) -> (Engine, Vec<String>) {
    let (options, program) = (options.clone(), Arc::clone(program));
    match snapshot {
        None => (Engine::new(options, program), Vec::new()),
        Some(snapshot) => Engine::from_snapshot(options, program, snapshot),
    }
}

/// Makes the snapshot with which journal `number` begins out of what is on disk before it, so that the engine need not stop for it. What the
/// engine remembered then is what another one remembers that reads the same journal.
pub(super) fn make_snapshot(
    directory: &Path,
    number: u64,
    options: Options,
    program: Arc<Program>,
    spill: &SpillFiles,
) -> anyhow::Result<u64> {
    struct Reader {
        options: Options,
        program: Arc<Program>,
        engine: Option<Engine>,
    }
    impl Recovery for Reader {
        fn begin(&mut self, snapshot: Option<Snapshot>) {
            self.engine = Some(engine_from(snapshot, &self.options, &self.program).0);
        }

        fn record(&mut self, record: Record) {
            if let Some(engine) = &mut self.engine {
                // The writes are done already.
                engine.restore(record);
            }
        }
    }
    let mut reader = Reader {
        options,
        program,
        engine: None,
    };
    let recovered = read_before(directory, number, &mut reader)?;
    anyhow::ensure!(recovered.damage.is_empty(), recovered.damage.join("; "));
    let engine = reader.engine.context("the store was not read")?;
    let bytes = engine.snapshot().encode()?;
    write_snapshot(directory, number, &bytes)?;
    spill.collect(number, &engine.spilled());
    Ok(u64::try_from(bytes.len())?)
}

impl Recovery for EngineRecovery<'_> {
    fn begin(&mut self, snapshot: Option<Snapshot>) {
        let (engine, reset) = engine_from(snapshot, &self.options, &self.program);
        for rule in reset {
            tracing::warn!(
                rule,
                "what the rule remembered cannot be used; it starts anew"
            );
        }
        self.engine = Some(engine);
    }

    fn record(&mut self, record: Record) {
        let Some(engine) = &mut self.engine else {
            return;
        };
        if let Some((number, write)) = engine.restore(record) {
            self.writes.push((number, write));
            if self.writes.len() >= 1000 {
                self.store();
            }
        }
    }
}

impl EngineRecovery<'_> {
    fn store(&mut self) {
        if let Err(error) = self.documents.apply(&self.writes, Commit::Durable) {
            self.failed.get_or_insert(error);
        }
        self.writes.clear();
    }
}

/// What makes this store's ids differ from others': made once, at random.
fn instance(directory: &Path) -> anyhow::Result<String> {
    let path = directory.join("instance");
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    }
    let mut random = [0; 9];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random)
        .ok()
        .context("no randomness to be had")?;
    let instance = URL_SAFE_NO_PAD.encode(random).replace('-', "x");
    std::fs::write(&path, &instance).with_context(|| path.display().to_string())?;
    Ok(instance)
}
