//! Rules loaded anew while the service runs: on SIGHUP, and when their files change.

use super::driver::Control;
use crate::cli::rules::{Loaded, Loader, Outlets, Running};
use crate::cli::run::Args;
use crate::config::Problem;
use crate::engine::Input;
use crate::rule::{Bounds, Decider};
use arc_swap::ArcSwap;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Files change in bursts: an editor writes and renames, a Kubernetes volume swaps a link. Reloading waits until it has been quiet so long…
const QUIET: Duration = Duration::from_millis(300);
/// …but no longer than this.
const LONGEST: Duration = Duration::from_secs(5);

/// Where new rules go.
pub(super) struct Targets {
    pub(super) control: mpsc::Sender<Control>,
    pub(super) outlets: Arc<ArcSwap<Outlets>>,
    pub(super) decider: Arc<ArcSwap<Decider>>,
    pub(super) bounds: Bounds,
}

/// Starts the task that reloads.
///
/// # Errors
/// Signals cannot be listened to.
pub(super) fn start(
    args: &Args,
    loader: Loader,
    mut running: Running,
    targets: Targets,
) -> anyhow::Result<JoinHandle<()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let pinned = args.pin_rules;
    let (sender, mut changed) = mpsc::channel(1);
    let watcher = if pinned { None } else { watch(&loader, sender) };
    Ok(tokio::spawn(async move {
        // Ends when it is dropped, with this task.
        let _watcher = watcher;
        loop {
            // Both lose nothing when the other wins: `recv` is cancel safe.
            tokio::select! {
                Some(()) = hangup.recv() => {
                    if pinned {
                        tracing::info!("SIGHUP: rules are pinned (--pin_rules), nothing is reloaded");
                        continue;
                    }
                }
                Some(()) = changed.recv() => {
                    // A burst that never ends must not keep the rules from being read at all.
                    drop(timeout(LONGEST, quiet(&mut changed)).await);
                }
                else => return,
            }
            let loader = loader.clone();
            let generation = running.generation + 1;
            match tokio::task::spawn_blocking(move || loader.load(generation)).await {
                Ok(mut loaded) => {
                    for rule in loaded.keep_broken(&running) {
                        tracing::error!(
                            rule,
                            "the rule's file cannot be loaded any more; the rule goes on as it was"
                        );
                        targets.tell(rule, &loaded.problems).await;
                    }
                    running = loaded.running();
                    targets.put(loaded).await;
                }
                Err(error) => {
                    tracing::error!(%error, "rules could not be reloaded; the old ones go on")
                }
            }
        }
    }))
}

/// Waits until nothing has changed for a while.
async fn quiet(changed: &mut mpsc::Receiver<()>) {
    loop {
        sleep(QUIET).await;
        if changed.try_recv().is_err() {
            return;
        }
    }
}

/// Watches the rules' folders. `None`, after a warning, when that cannot be: SIGHUP still works.
fn watch(loader: &Loader, changed: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let told = move |event: notify::Result<notify::Event>| {
        // An error may have hidden a change.
        if event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_))) {
            // One message that waits stands for all.
            let _waiting = changed.try_send(());
        }
    };
    let mode = if loader.config.scan_subdirectories {
        RecursiveMode::Recursive
    } else {
        RecursiveMode::NonRecursive
    };
    let folders: Vec<PathBuf> = match &loader.only {
        Some(file) => loader
            .find(file)
            .parent()
            .map(PathBuf::from)
            .into_iter()
            .collect(),
        None => loader.config.rules_folders.clone(),
    };
    let watching = notify::recommended_watcher(told).and_then(|mut watcher| {
        folders
            .iter()
            .try_for_each(|folder| watcher.watch(folder, mode))?;
        Ok(watcher)
    });
    watching
        .inspect_err(|error| {
            tracing::warn!(%error, "changes of rules cannot be watched; SIGHUP reloads them");
        })
        .ok()
}

impl Targets {
    /// Has it written down, and people told, that a rule cannot be loaded any more.
    async fn tell(&self, rule: String, problems: &[Problem]) {
        let found: Vec<String> = problems
            .iter()
            .filter(|problem| problem.is_error())
            .map(ToString::to_string)
            .collect();
        let message = format!("Could not load rule {rule}: {}", found.join("; "));
        let (done, _nobody_waits) = oneshot::channel();
        let input = Input::Trouble { rule, message };
        let _stopping = self.control.send(Control::Operator { input, done }).await;
    }

    async fn put(&self, loaded: Loaded) {
        crate::cli::report_rules(&loaded);
        // The engine first: a batch decided under rules it does not have yet would find nobody.
        if self
            .control
            .send(Control::Program(loaded.program))
            .await
            .is_err()
        {
            return;
        }
        self.outlets.store(Arc::new(loaded.outlets));
        let decider = Decider::new(loaded.rules).within(self.bounds);
        self.decider.store(Arc::new(decider));
    }
}
