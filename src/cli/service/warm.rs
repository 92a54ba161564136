//! What was found of the past on its way to the rules: into the running service, or into a store at rest.

use super::adoption;
use super::control::{self, Request};
use super::driver::Durable;
use super::state::{self, Keeping, State};
use crate::config::service::Service as Config;
use crate::engine::{Coming, Memory, Outcome, Program};
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;

/// Who remembers it.
#[derive(Debug)]
pub(in crate::cli) enum WarmedBy {
    /// The running service, but for these rules: it has other versions of them.
    Service(Vec<String>),
    /// The store.
    Store(Vec<String>),
}

impl WarmedBy {
    /// Whether a service runs.
    pub(in crate::cli) fn is_service(&self) -> bool {
        matches!(self, Self::Service(_))
    }

    /// The rules that did not take it.
    pub(in crate::cli) fn refused(&self) -> &[String] {
        let (Self::Service(refused) | Self::Store(refused)) = self;
        refused
    }
}

/// Hands memories to the service that runs on the store, or writes them into the store when none does.
///
/// # Errors
/// Neither can be done.
pub(in crate::cli) fn warm(
    config: &Config,
    program: &Arc<Program>,
    memories: Vec<Memory>,
) -> anyhow::Result<WarmedBy> {
    let rules: Vec<String> = memories.iter().map(|memory| memory.rule.clone()).collect();
    let refused = |taken: Vec<String>| {
        let refused = rules.iter().filter(|rule| !taken.contains(rule));
        refused.cloned().collect()
    };
    if control::is_served(&config.store) {
        // A file beside the socket: memories are larger than what is said through it.
        let name = format!("warmed-{}", std::process::id());
        let path = config.store.join(&name);
        let written = postcard::to_stdvec(&memories)?;
        std::fs::write(&path, written).with_context(|| path.display().to_string())?;
        let taken = control::ask(&config.store, &Request::Warm { file: name });
        let removed = std::fs::remove_file(&path);
        if let Some(taken) = taken? {
            removed.with_context(|| path.display().to_string())?;
            return Ok(WarmedBy::Service(refused(taken)));
        }
    }
    let taken = at_rest(config, Arc::clone(program), memories)?;
    Ok(WarmedBy::Store(refused(taken)))
}

fn at_rest(
    config: &Config,
    program: Arc<Program>,
    memories: Vec<Memory>,
) -> anyhow::Result<Vec<String>> {
    let mut state = state::open(Keeping::Everything, config, program, &Arc::default())?;
    if state.is_new {
        // What the first start of the service does, and this would keep it from.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the runtime cannot be started")?;
        let clock = crate::cli::clock::wall_clock();
        // Elasticsearch that does not answer now is not asked again: there is no first start any more.
        drop(runtime.block_on(adoption::adopt(config, &mut state, &clock)));
    }
    let State {
        mut engine,
        durable:
            Some(Durable {
                mut journal,
                writer,
                ..
            }),
        ..
    } = state
    else {
        return Ok(Vec::new());
    };
    let mut out = Outcome::default();
    let taken = engine.warm(memories, Coming::Later, &mut out);
    journal.commit(&out.records)?;
    writer.finish();
    Ok(taken)
}

/// The memories that a command left in the store's folder.
///
/// # Errors
/// The name is none of such a file, or it cannot be read.
pub(super) fn left(store: &Path, name: &str) -> anyhow::Result<Vec<Memory>> {
    anyhow::ensure!(
        name.strip_prefix("warmed-")
            .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())),
        "{name:?} is no file of warmed rules"
    );
    let path = store.join(name);
    let context = || path.display().to_string();
    let written = std::fs::read(&path).with_context(context)?;
    postcard::from_bytes(&written).with_context(context)
}
