//! `--silence hours=2 --rule FILE`: silences a rule and exits.

use super::rules::Loaded;
use super::run::{Args, duration};
use crate::config::service::Service as Config;
use crate::engine::{Input, Outcome};

/// Writes the silence into the store. A service that runs on the same store has to be told over its door instead.
///
/// # Errors
/// The period cannot be understood, the rule could not be loaded, or the store is in use or cannot be written.
pub(super) fn run(args: &Args, period: &str, config: &Config, loaded: &Loaded) -> anyhow::Result<i32> {
    let period = duration(period).map_err(|error| anyhow::anyhow!("--silence: {error}"))?;
    let [rule] = loaded.rules.rules.as_slice() else {
        anyhow::bail!("--silence needs --rule with a rule that can be loaded");
    };
    let key = match &args.silence_qk_value {
        Some(value) => format!("{}.{value}", rule.realert_key),
        None => format!("{}._silence", rule.name),
    };
    let now = super::clock::now();
    let until = now.plus(period);
    let mut state = super::service::open_state(args, config, loaded)?;
    let mut out = Outcome::default();
    state.engine.apply(Input::Silence { key, until }, now, &mut out);
    state.commit(&out)?;
    tracing::info!("Success. {} will be silenced until {}", rule.name, until.to_text());
    Ok(super::exit::FINE)
}
