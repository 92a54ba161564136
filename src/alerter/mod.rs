//! The doors an alert leaves through, one file each. A new alerter is a file and a line here.

use crate::alert::Alert;
use crate::config::{OptionSpec, Problem, Properties, Span};
use crate::event::Document;
use futures_util::future::BoxFuture;
use std::path::PathBuf;
use std::sync::Arc;

/// An alerter's line in [`ALERTERS`].
pub struct AlerterEntry {
    /// ElastAlert's name for it.
    pub name: &'static str,
    /// Other names it has.
    pub aliases: &'static [&'static str],
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// Its options.
    pub options: &'static [OptionSpec],
    /// Builds it from options that passed the tables.
    pub build: fn(&Properties, &Build) -> Result<Arc<dyn Alerter>, Vec<Problem>>,
}

/// What an alerter may want to know when it is built.
#[derive(Debug, Clone)]
pub struct Build {
    /// Where the rule names the alerter: for problems without a better place.
    pub span: Span,
    /// The rule's file: account files lie relative to it.
    pub rule_file: PathBuf,
    /// The directory other paths are relative to.
    pub working_directory: PathBuf,
}

/// Sends alerts through one door.
pub trait Alerter: Send + Sync {
    /// What the writeback document says about it (`alert_info`), secrets masked.
    fn info(&self) -> Document;

    /// Sends one alert. An attempt may be repeated: delivery is at least once.
    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>>;
}

/// Why an alert was not delivered, secrets masked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SendError(pub String);

/// Every alerter there is.
pub static ALERTERS: &[&AlerterEntry] = &[];

/// An alerter by name or alias.
pub fn find(name: &str) -> Option<&'static AlerterEntry> {
    ALERTERS
        .iter()
        .find(|entry| entry.name == name || entry.aliases.contains(&name))
        .copied()
}
