//! The doors an alert leaves through, one file each. A new alerter is a file and a line here.

mod alerta;
mod alertmanager;
mod aws;
mod chat;
mod chatwork;
mod command;
mod crop;
mod datadog;
mod debug;
mod dingtalk;
mod discord;
mod email;
mod exotel;
mod flashduty;
mod gelf;
mod gitter;
mod googlechat;
mod hivealerter;
pub mod http;
mod indexer;
mod iris;
mod jira;
mod lark;
mod line;
mod load;
mod matrixhookshot;
mod mattermost;
pub mod mime;
mod ms_power_automate;
pub mod notice;
mod opsgenie;
mod options;
mod pagerduty;
mod pagertree;
mod post;
mod post2;
pub mod process;
mod reason;
mod recipients;
mod requests;
mod rocketchat;
mod secrets;
pub mod sending;
mod servicenow;
mod ses;
pub mod short_links;
mod signature;
mod slack;
mod smseagle;
pub mod smtp;
mod sns;
mod sqs;
mod stomp;
pub mod tcp;
mod telegram;
mod tencent_sms;
mod title;
pub mod tls;
mod transport;
mod twilio;
mod victorops;
mod webex_webhook;
mod workwechat;
mod yzj;
mod zabbix;

pub use load::{Exit, debug_exits, exits, exits_like};
pub use secrets::Secrets;
pub use transport::{Transport, World};

use crate::alert::Alert;
use crate::config::{OptionSpec, Problem, Properties, Span};
use crate::engine::TicketUse;
use crate::event::Document;
use futures_util::future::BoxFuture;
use std::fmt;
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
    pub build: fn(&Properties, &Build) -> Result<Built, Vec<Problem>>,
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
    /// The way out.
    pub transport: Arc<dyn Transport>,
}

/// An alerter, and what is worth knowing about its options.
#[derive(Debug)]
pub struct Built {
    /// The alerter.
    pub alerter: Arc<dyn Alerter>,
    /// Warnings: it works all the same.
    pub warnings: Vec<Problem>,
}

impl<A: Alerter + 'static> From<A> for Built {
    fn from(alerter: A) -> Self {
        Self {
            alerter: Arc::new(alerter),
            warnings: Vec::new(),
        }
    }
}

/// Sends alerts through one door.
pub trait Alerter: fmt::Debug + Send + Sync {
    /// What the writeback document says about it (`alert_info`).
    fn info(&self) -> Document;

    /// The same for an alert whose matches it depends on.
    fn info_for(&self, _alert: &Alert<'_>) -> Document {
        self.info()
    }

    /// Sends one alert. An attempt may be repeated: delivery is at least once.
    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>>;

    /// What it has to do with tickets: one that shows the ticket of an alert waits for one that makes it.
    fn ticket_use(&self) -> TicketUse {
        TicketUse::None
    }

    /// Sends one alert. The address of the ticket it has in the service, if this is a service of tickets.
    fn deliver<'a>(
        &'a self,
        alert: &'a Alert<'a>,
    ) -> BoxFuture<'a, Result<Option<String>, SendError>> {
        Box::pin(async move { self.send(alert).await.map(|()| None) })
    }
}

/// Why an alert was not delivered, secrets masked.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Its text or its arguments cannot be made.
    #[error("{0}")]
    Text(#[from] crate::alert::TextError),
    /// An HTTP service.
    #[error(transparent)]
    Http(#[from] http::HttpError),
    /// A mail server.
    #[error(transparent)]
    Mail(#[from] smtp::MailError),
    /// A server with a protocol of its own.
    #[error(transparent)]
    Tcp(#[from] tcp::TcpError),
    /// A program.
    #[error(transparent)]
    Process(#[from] process::ProcessError),
    /// A file, or the place to print to.
    #[error("{what}: {source}")]
    File {
        /// Which.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What the alerter makes of the event cannot be sent.
    #[error("{0}")]
    Content(String),
}

/// Every alerter there is, by name.
pub static ALERTERS: &[&AlerterEntry] = &[
    &alerta::ENTRY,
    &alertmanager::ENTRY,
    &chatwork::ENTRY,
    &command::ENTRY,
    &datadog::ENTRY,
    &debug::ENTRY,
    &dingtalk::ENTRY,
    &discord::ENTRY,
    &email::ENTRY,
    &exotel::ENTRY,
    &flashduty::ENTRY,
    &gelf::ENTRY,
    &gitter::ENTRY,
    &googlechat::ENTRY,
    &hivealerter::ENTRY,
    &indexer::ENTRY,
    &iris::ENTRY,
    &jira::ENTRY,
    &lark::ENTRY,
    &line::ENTRY,
    &matrixhookshot::ENTRY,
    &mattermost::ENTRY,
    &ms_power_automate::ENTRY,
    &opsgenie::ENTRY,
    &pagerduty::ENTRY,
    &pagertree::ENTRY,
    &post::ENTRY,
    &post2::ENTRY,
    &rocketchat::ENTRY,
    &servicenow::ENTRY,
    &ses::ENTRY,
    &slack::ENTRY,
    &smseagle::ENTRY,
    &sns::ENTRY,
    &sqs::ENTRY,
    &stomp::ENTRY,
    &telegram::ENTRY,
    &tencent_sms::ENTRY,
    &twilio::ENTRY,
    &victorops::ENTRY,
    &webex_webhook::ENTRY,
    &workwechat::ENTRY,
    &yzj::ENTRY,
    &zabbix::ENTRY,
];

/// An alerter by name or alias.
pub fn find(name: &str) -> Option<&'static AlerterEntry> {
    ALERTERS
        .iter()
        .find(|entry| entry.name == name || entry.aliases.contains(&name))
        .copied()
}
