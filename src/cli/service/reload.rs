//! Rules loaded anew while the service runs: on SIGHUP, and when their files change.

use super::driver::Control;
use crate::cli::rules::{Loaded, Loader, Outlets, Running};
use crate::cli::run::Args;
use crate::config::Problem;
use crate::engine::Input;
use crate::rule::{Bounds, Decider};
use arc_swap::ArcSwap;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
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
    (mut running, files): (Running, Vec<Arc<Path>>),
    targets: Targets,
) -> anyhow::Result<JoinHandle<()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let pinned = args.pin_rules;
    let (sender, mut changed) = mpsc::channel(1);
    // Ends when it is dropped, with this task.
    let mut watcher = if pinned {
        None
    } else {
        Watch::start(&loader, sender)
    };
    if let Some(watcher) = &mut watcher {
        watcher.also(&files);
    }
    Ok(tokio::spawn(async move {
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
                    if let Some(watcher) = &mut watcher {
                        watcher.also(&loaded.files);
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

/// Watches the rules' folders, and the files that rules take something from.
struct Watch {
    watcher: RecommendedWatcher,
    folders: Vec<PathBuf>,
    mode: RecursiveMode,
    /// Files elsewhere: of what else happens in their folders nothing matters.
    elsewhere: Arc<ArcSwap<HashSet<PathBuf>>>,
    /// The folders they are in.
    around: HashSet<PathBuf>,
}

impl Watch {
    /// Watches the rules' folders. `None`, after a warning, when that cannot be: SIGHUP still works.
    fn start(loader: &Loader, changed: mpsc::Sender<()>) -> Option<Self> {
        let mode = if loader.config.scan_subdirectories {
            RecursiveMode::Recursive
        } else {
            RecursiveMode::NonRecursive
        };
        let folders: Vec<PathBuf> = match &loader.only {
            Some(file) => loader.find(file).parent().map(folder).into_iter().collect(),
            None => loader
                .config
                .rules_folders
                .iter()
                .map(|path| folder(path))
                .collect(),
        };
        let elsewhere = Arc::new(ArcSwap::from_pointee(HashSet::new()));
        let told = {
            let (folders, elsewhere) = (folders.clone(), Arc::clone(&elsewhere));
            move |event: notify::Result<notify::Event>| {
                // An error may have hidden a change.
                if event.map_or(true, |event| matters(&event, &folders, &elsewhere.load())) {
                    // One message that waits stands for all.
                    let _waiting = changed.try_send(());
                }
            }
        };
        let watching = notify::recommended_watcher(told).and_then(|mut watcher| {
            folders
                .iter()
                .try_for_each(|folder| watcher.watch(folder, mode))?;
            Ok(watcher)
        });
        let watcher = watching
            .inspect_err(|error| {
                tracing::warn!(%error, "changes of rules cannot be watched; SIGHUP reloads them");
            })
            .ok()?;
        Some(Self {
            watcher,
            folders,
            mode,
            elsewhere,
            around: HashSet::new(),
        })
    }

    /// Watches the files of the rules as they are now, wherever they are.
    fn also(&mut self, files: &[Arc<Path>]) {
        let is_watched = |file: &Path| {
            let parent = file.parent();
            self.folders.iter().any(|folder| match self.mode {
                RecursiveMode::Recursive => file.starts_with(folder),
                RecursiveMode::NonRecursive => parent == Some(folder),
            })
        };
        let files: HashSet<PathBuf> = files
            .iter()
            .map(|file| {
                folder(file.parent().unwrap_or(Path::new("")))
                    .join(file.file_name().unwrap_or_default())
            })
            .filter(|file| !is_watched(file))
            .collect();
        let around: HashSet<PathBuf> = files
            .iter()
            .filter_map(|file| file.parent().map(PathBuf::from))
            .filter(|folder| !self.folders.contains(folder))
            .collect();
        self.elsewhere.store(Arc::new(files));
        for left in self.around.difference(&around) {
            // A folder that is gone cannot be left.
            drop(self.watcher.unwatch(left));
        }
        for found in around.difference(&self.around) {
            if let Err(error) = self.watcher.watch(found, RecursiveMode::NonRecursive) {
                tracing::warn!(%error, folder = %found.display(), "files of rules here cannot be watched; SIGHUP reloads them");
            }
        }
        self.around = around;
    }
}

/// A folder by the name that events about it have.
fn folder(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Whether what happened may change a rule.
fn matters(event: &notify::Event, folders: &[PathBuf], elsewhere: &HashSet<PathBuf>) -> bool {
    if matches!(event.kind, EventKind::Access(_)) {
        return false;
    }
    event.paths.iter().any(|path| {
        folders.iter().any(|folder| path.starts_with(folder))
            || elsewhere.contains(path)
            // A Kubernetes volume: its files are links that go through this one.
            || path.file_name().is_some_and(|name| name == "..data")
    })
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
        // Deliveries of new rules find their alerters, and those of rules that go still do, whenever the engine changes over.
        let mut outlets = Outlets::clone(&self.outlets.load());
        for outlet in loaded.outlets.iter() {
            outlets.insert(Arc::clone(outlet));
        }
        self.outlets.store(Arc::new(outlets));
        // The engine before the filters: a batch decided under rules it does not have yet would find nobody.
        let (done, changed_over) = oneshot::channel();
        let program = Control::Program {
            program: loaded.program,
            done,
        };
        if self.control.send(program).await.is_err() || changed_over.await.is_err() {
            return;
        }
        let decider = Decider::new(loaded.rules).within(self.bounds);
        self.decider.store(Arc::new(decider));
        self.outlets.store(Arc::new(loaded.outlets));
    }
}
