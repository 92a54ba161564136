//! `--silence hours=2 --rule FILE`: silences a rule and exits.

use super::rules::Loaded;
use super::run::{Args, duration};
use super::service::{self, Request};
use crate::config::service::Service as Config;

/// Tells the service that runs on the store, or writes the silence into the store when none does.
///
/// # Errors
/// The period cannot be understood, the rule could not be loaded, or the store cannot be written.
pub(super) fn run(
    args: &Args,
    period: &str,
    config: &Config,
    loaded: &Loaded,
) -> anyhow::Result<i32> {
    let period = duration(period).map_err(|error| anyhow::anyhow!("--silence: {error}"))?;
    let [rule] = loaded.rules.rules.as_slice() else {
        anyhow::bail!("--silence needs --rule with a rule that can be loaded");
    };
    let key = rule.silence_key_of(args.silence_qk_value.as_deref());
    let now = super::clock::now();
    let until = now.plus(period);
    let request = Request::Silence { key, until };
    if service::ask(&config.store, &request)?.is_none() {
        service::silence_at_rest(config, loaded, request, now)?;
    }
    tracing::info!(
        "Success. {} will be silenced until {}",
        rule.name,
        until.to_text()
    );
    Ok(super::exit::FINE)
}
