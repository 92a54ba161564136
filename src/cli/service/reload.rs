//! Rules loaded anew while the service runs: on SIGHUP, and when their files change.

use super::driver::Control;
use crate::cli::rules::{Loaded, Loader, Outlets, Running};
use crate::cli::run::Args;
use crate::rule::Decider;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Where new rules go.
pub(super) struct Targets {
    pub(super) control: mpsc::Sender<Control>,
    pub(super) outlets: Arc<ArcSwap<Outlets>>,
    pub(super) decider: Arc<ArcSwap<Decider>>,
}

/// Starts the task that reloads.
pub(super) fn start(
    args: &Args,
    loader: Loader,
    running: Running,
    targets: Targets,
) -> anyhow::Result<JoinHandle<()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let pinned = args.pin_rules;
    let mut running = running;
    Ok(tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            if pinned {
                tracing::info!("SIGHUP: rules are pinned (--pin_rules), nothing is reloaded");
                continue;
            }
            let loader = loader.clone();
            let generation = running.generation + 1;
            let loaded = tokio::task::spawn_blocking(move || loader.load(generation)).await;
            match loaded {
                Ok(mut loaded) => {
                    for rule in loaded.keep_broken(&running) {
                        tracing::error!(
                            rule,
                            "the rule's file cannot be loaded any more; the rule goes on as it was"
                        );
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

impl Targets {
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
        self.decider.store(Arc::new(Decider::new(loaded.rules)));
    }
}
