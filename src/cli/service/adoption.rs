//! The first start of a store where another installation wrote to Elasticsearch: this one goes on where that one stopped.

use super::driver::{Control, Durable};
use super::state::State;
use crate::config::service::Service as Config;
use crate::engine::{Effect, Found, Input, Outcome};
use crate::telemetry::Clock;
use crate::writeback::{Backoff, Client};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long the start waits for Elasticsearch. After that events are taken, and it is asked on beside them.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is asked then.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What is to be asked of Elasticsearch, still.
pub(super) struct Adoption {
    client: Client,
    index: String,
    alert_time_limit: Duration,
    clock: Clock,
}

/// Takes over silences and alerts that were not sent. `Some`: Elasticsearch does not answer, and is to be asked again.
pub(super) async fn adopt(config: &Config, state: &mut State, clock: &Clock) -> Option<Adoption> {
    let (true, Some(elasticsearch)) = (state.is_new, &config.elasticsearch) else {
        return None;
    };
    let durable = state.durable.as_mut()?;
    let adoption = Adoption {
        client: Client::new(elasticsearch)
            .inspect_err(|error| tracing::error!(%error, "Elasticsearch cannot be used"))
            .ok()?,
        index: config.writeback_index.clone(),
        alert_time_limit: config.alert_time_limit,
        clock: clock.clone(),
    };
    let found = match timeout(PATIENCE, adoption.found()).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Some(adoption.later(&error)),
        Err(_) => return Some(adoption.later(&format!("no answer within {PATIENCE:?}"))),
    };
    let (silences, alerts) = (found.silences.len(), found.alerts.len());
    let mut out = Outcome::default();
    let now = clock.now();
    state.engine.apply(Input::Adopt(found), now, &mut out);
    write_down(durable, out);
    if silences + alerts > 0 {
        tracing::info!(silences, alerts, "taken over from Elasticsearch");
    }
    None
}

/// What follows from it is journalled and written before anything else happens; alerts leave when the engine looks for what is due.
fn write_down(durable: &mut Durable, out: Outcome) {
    if let Err(error) = durable.journal.commit(&out.records) {
        tracing::error!(%error, "what was taken over from Elasticsearch will not outlive this run");
    }
    for effect in out.effects {
        if let Effect::Write(number, write) = effect {
            durable.writer.write(number, write);
        }
    }
}

impl Adoption {
    async fn found(&self) -> Result<Found, crate::writeback::EsError> {
        let now = self.clock.now();
        self.client
            .left_behind(&self.index, now, self.alert_time_limit)
            .await
    }

    fn later(self, error: &dyn std::fmt::Display) -> Self {
        tracing::warn!(
            %error,
            "silences and alerts of an earlier installation, if there are any, are not known until Elasticsearch answers"
        );
        self
    }

    /// Asks until there is an answer, and tells the engine.
    pub(super) fn go_on(self, engine: mpsc::Sender<Control>) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut backoff = Backoff::new(AGAIN.0, AGAIN.1);
            loop {
                sleep(backoff.wait()).await;
                match self.found().await {
                    Ok(found) => {
                        let (done, _nobody_waits) = oneshot::channel();
                        let input = Input::Adopt(found);
                        let _stopping = engine.send(Control::Operator { input, done }).await;
                        return;
                    }
                    Err(error) => tracing::debug!(%error, "Elasticsearch is asked again later"),
                }
            }
        })
    }
}
