//! What an operator may ask about silences, of the running service and of a store at rest.

use super::driver::Durable;
use super::state::{self, Keeping, State};
use crate::config::service::Service as Config;
use crate::engine::{Effect, Input, Outcome, Program};
use crate::event::json::parse_document;
use crate::event::{Document, WallTime};
use crate::store::documents::{Documents, Silence};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// What can be asked.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Request {
    /// Hold back matches under a silence key.
    Silence {
        /// The key.
        key: String,
        /// Until when.
        until: WallTime,
        /// Why.
        comment: Option<String>,
    },
    /// Tell what silences are in force.
    List,
    /// End the silence under a key.
    Expire {
        /// The key.
        key: String,
    },
}

/// A silence in force.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Running {
    /// Its key.
    pub(in crate::cli) key: String,
    /// Until when.
    pub(in crate::cli) until: WallTime,
    /// What the operator said who set it.
    pub(in crate::cli) comment: Option<String>,
}

/// Does what is asked while no service runs. The silences, when they were asked for.
///
/// # Errors
/// The store is in use, cannot be read or written, or no silence is in force under the key to be expired.
pub(in crate::cli) fn at_rest(
    config: &Config,
    request: Request,
    now: WallTime,
) -> anyhow::Result<Vec<Running>> {
    if !Documents::exist(&config.store) {
        match &request {
            Request::Silence { .. } => {}
            Request::List => return Ok(Vec::new()),
            Request::Expire { key } => return Err(not_in_force(key)),
        }
    }
    // Silences need no rule; those of the store stay as they are.
    let program = Arc::new(Program::new(0, Vec::new()));
    let State {
        mut engine,
        durable:
            Some(Durable {
                mut journal,
                writer,
                ..
            }),
        documents: Some(documents),
        ..
    } = state::open(Keeping::Everything, config, program, &Arc::default())?
    else {
        return Ok(Vec::new());
    };
    let in_force = engine
        .silences(now)
        .map(|(key, silence)| (key.to_owned(), silence.until))
        .collect();
    let mut out = Outcome::default();
    let answer = match plan(request, in_force, &documents, now)? {
        Plan::Apply(input) => {
            engine.apply(input, now, &mut out);
            Vec::new()
        }
        Plan::Tell(running) => running,
    };
    journal.commit(&out.records)?;
    for effect in out.effects {
        if let Effect::Write(number, write) = effect {
            writer.write(number, write);
        }
    }
    writer.finish();
    Ok(answer)
}

/// What a request comes to.
pub(super) enum Plan {
    /// The engine is to be told.
    Apply(Input),
    /// Only an answer is wanted.
    Tell(Vec<Running>),
}

/// Looks up what a request needs. `in_force` is what the engine knows: keys and ends.
///
/// # Errors
/// The store cannot be read, or no silence is in force under the key to be expired.
pub(super) fn plan(
    request: Request,
    in_force: Vec<(String, WallTime)>,
    documents: &Documents,
    now: WallTime,
) -> anyhow::Result<Plan> {
    match request {
        Request::Silence {
            key,
            until,
            comment,
        } => Ok(Plan::Apply(Input::Silence {
            key,
            until,
            comment,
        })),
        Request::List => {
            let mut comments: HashMap<_, _> = written(documents, now)?
                .into_iter()
                .filter_map(|(_, document)| {
                    let silence = Silence::of(&document)?;
                    let comment = document.get("comment")?.as_str()?.to_owned();
                    Some(((silence.key, silence.until), comment))
                })
                .collect();
            let mut running: Vec<_> = in_force
                .into_iter()
                .map(|(key, until)| {
                    let place = (key, until);
                    let comment = comments.remove(&place);
                    let (key, until) = place;
                    Running {
                        key,
                        until,
                        comment,
                    }
                })
                .collect();
            running.sort_by(|one, other| one.key.cmp(&other.key));
            Ok(Plan::Tell(running))
        }
        Request::Expire { key } => {
            if !in_force.iter().any(|(silenced, _)| *silenced == key) {
                return Err(not_in_force(&key));
            }
            let mut written = written(documents, now)?;
            written.retain(|(_, document)| {
                Silence::of(document).is_some_and(|silence| silence.key == key)
            });
            Ok(Plan::Apply(Input::Expire { key, written }))
        }
    }
}

fn written(documents: &Documents, now: WallTime) -> anyhow::Result<Vec<(Arc<str>, Document)>> {
    documents
        .silence_documents(now)?
        .into_iter()
        .map(|stored| {
            let document = parse_document(stored.json.as_bytes())
                .with_context(|| format!("the silence document {}", stored.id))?;
            Ok((stored.id.into(), document))
        })
        .collect()
}

fn not_in_force(key: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "no silence is in force under {key:?}: `tripline silence list` shows those that are"
    )
}
