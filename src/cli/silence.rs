//! `tripline silence`, and ElastAlert's `--silence hours=2 --rule FILE`, which silences a rule and exits.

use super::rules::Loaded;
use super::run::{Args, duration};
use super::service::{self, Running, SilencesRequest as Request};
use crate::config::service::Service as Config;
use crate::event::WallTime;
use crate::rule::Rule;
use anyhow::Context as _;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

/// The options of `tripline silence`.
#[derive(Debug, clap::Args)]
pub(super) struct Command {
    #[command(subcommand)]
    action: Action,
    /// The configuration file [default: config.yaml, else config.yml, else none]
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show the silences in force
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Hold back a rule's matches for a time
    Add {
        /// The rule's name, or its file
        rule: String,
        /// For how long, such as hours=2; units: weeks, days, hours, minutes, seconds
        duration: String,
        /// Only matches with this value of query_key
        #[arg(long, value_name = "VALUE")]
        key: Option<String>,
        /// Why: kept with the silence
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
    },
    /// End a silence now
    Expire {
        /// The silence's key, as `list` shows it
        key: String,
    },
}

impl Command {
    /// Does what is asked. `find` finds the rule with a name or in a file.
    ///
    /// # Errors
    /// The duration cannot be understood, there is no such rule or silence, or the store cannot be read or written.
    pub(super) fn run(
        self,
        config: &Config,
        find: impl FnOnce(&str) -> anyhow::Result<Option<Arc<Rule>>>,
    ) -> anyhow::Result<i32> {
        let now = super::clock::now();
        match self.action {
            Action::List { json } => print(&ask(config, Request::List, now)?, json),
            Action::Add {
                rule: name,
                duration: period,
                key,
                comment,
            } => {
                let period = duration(&period).map_err(|error| anyhow::anyhow!(error))?;
                let rule =
                    find(&name)?.with_context(|| format!("no rule {name:?} can be loaded"))?;
                let (key, until) = (rule.silence_key_of(key.as_deref()), now.plus(period));
                let said = format!("{key} is silenced until {}", until.to_text());
                let request = Request::Silence {
                    key,
                    until,
                    comment,
                };
                ask(config, request, now)?;
                super::output::line(&said);
            }
            Action::Expire { key } => {
                let said = format!("{key} is no longer silenced");
                ask(config, Request::Expire { key }, now)?;
                super::output::line(&said);
            }
        }
        Ok(super::exit::FINE)
    }
}

fn print(silences: &[Running], as_json: bool) {
    if as_json {
        let silences: Vec<_> = silences
            .iter()
            .map(|silence| {
                json!({"key": silence.key, "until": silence.until.to_text(), "comment": silence.comment})
            })
            .collect();
        return super::output::line(&json!(silences).to_string());
    }
    let keys: Vec<_> = silences
        .iter()
        .map(|silence| super::output::in_one_line(&silence.key))
        .collect();
    let width = keys.iter().map(|key| key.chars().count());
    let width = width.max().unwrap_or(0).max("KEY".len());
    // As long as every time is: microseconds and `Z`.
    let row = |key: &str, until: &str, comment: &str| {
        let row = format!("{key:width$}  {until:27}  {comment}");
        super::output::line(row.trim_end());
    };
    row("KEY", "UNTIL", "COMMENT");
    for (silence, key) in silences.iter().zip(&keys) {
        let comment = super::output::in_one_line(silence.comment.as_deref().unwrap_or_default());
        row(key, &silence.until.to_text(), &comment);
    }
}

/// Asks the service that runs on the store, or the store itself when none does.
fn ask(config: &Config, request: Request, now: WallTime) -> anyhow::Result<Vec<Running>> {
    let asked = service::Request::Silences(request);
    match (service::ask(&config.store, &asked)?, asked) {
        (None, service::Request::Silences(request)) => service::at_rest(config, request, now),
        (answer, _) => Ok(answer.unwrap_or_default()),
    }
}

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
    let value = args.silence_qk_value.as_deref();
    let key = rule.silence_key_of(value.filter(|value| !value.is_empty()));
    let now = super::clock::now();
    let until = now.plus(period);
    let comment = None;
    let request = Request::Silence {
        key,
        until,
        comment,
    };
    ask(config, request, now)?;
    tracing::info!(
        "Success. {} will be silenced until {}",
        rule.name,
        until.to_text()
    );
    Ok(super::exit::FINE)
}
