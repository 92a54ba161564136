//! What rules remember, of the running service and of a store at rest.

use super::control::{self, Request};
use super::state::{self, Keeping};
use crate::config::service::Service as Config;
use crate::engine::{Look, Program, RuleView};
use crate::event::{EventTime, WallTime};
use crate::store::documents::Documents;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What was seen.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Seen {
    /// Whether it was seen in the running service.
    pub(in crate::cli) live: bool,
    /// What time it is for the rules.
    pub(in crate::cli) time: EventTime,
    /// The rules.
    pub(in crate::cli) rules: Vec<RuleView>,
}

/// Looks into the service that runs on the store, or into the store when none does; `None`: there is no store yet.
///
/// # Errors
/// Neither can be read.
pub(in crate::cli) fn look(
    config: &Config,
    program: &Arc<Program>,
    look: Look,
    now: WallTime,
) -> anyhow::Result<Option<Seen>> {
    let request = Request::State(look);
    if let Some(seen) = control::ask(&config.store, &request)? {
        return Ok(Some(seen));
    }
    let Request::State(look) = request else {
        return Ok(None);
    };
    if !Documents::exist(&config.store) {
        return Ok(None);
    }
    let state = state::open(
        Keeping::Everything,
        config,
        Arc::clone(program),
        &Arc::default(),
    )?;
    // At rest time stands still.
    let time = state.engine.latest().unwrap_or(now.as_event_time());
    let rules = state.engine.views(&look, time, now);
    if let Some(durable) = state.durable {
        durable.writer.finish();
    }
    Ok(Some(Seen {
        live: false,
        time,
        rules,
    }))
}
