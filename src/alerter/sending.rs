//! The outbox's rim: takes deliveries from the engine, attempts each, and reports how it ended.
//!
//! Deliveries of one rule through one alerter leave in their order, one at a time; all others run beside each other, at most
//! [`Limits::at_once`] through alerters of one name. When to try again is the engine's business.
//!
//! ```text
//! engine → deliveries (bounded) → lanes, one per (rule, alerter) → alerter → outcomes (bounded) → engine
//! ```
//! What has been sent and is not journalled would be sent again after a crash: a lane gets no further ahead of the journal than
//! [`UNJOURNALLED`] alerts.
//!
//! Whoever reads the outcomes must not wait while handing over deliveries: with both queues full, each side would wait for the other.

use super::short_links::ShortLinks;
use super::{Exit, SendError};
use crate::alert::{Alert, Process, Template, TextError};
use crate::config::{Mapping, Node, Properties, Span};
use crate::engine::{Delivery, DeliveryOutcome};
use crate::event::WallTime;
use crate::rule::Rule;
use futures_util::FutureExt as _;
use jiff::tz::TimeZone;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// So many deliveries of one rule through one alerter may have ended without their outcomes being journalled. With one the next alert would
/// wait for the disk every time.
pub const UNJOURNALLED: usize = 4;

/// How a delivery ended.
#[derive(Debug)]
pub struct Ended {
    /// The outcome.
    pub outcome: DeliveryOutcome,
    /// To be dropped when the outcome is journalled.
    pub journalled: oneshot::Sender<()>,
}

/// A rule and its alerters.
#[derive(Debug)]
pub struct Outlet {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Its alerters; a [`Delivery`] names one by its position.
    pub exits: Vec<Exit>,
    /// Shortens the links in its alerts, if it wants that.
    pub short_links: Option<ShortLinks>,
}

/// Finds a rule's outlet by the rule's name, as of now; `None`: there is no such rule any more.
pub type FindOutlet = Arc<dyn Fn(&str) -> Option<Arc<Outlet>> + Send + Sync>;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> WallTime + Send + Sync>;

/// What sending needs from outside.
#[derive(Clone)]
pub struct Sources {
    /// Finds outlets.
    pub outlet: FindOutlet,
    /// The clock.
    pub now: Clock,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

/// How much is done at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Attempts running through alerters of one name.
    pub at_once: usize,
    /// Deliveries accepted and not ended; more wait in the queue, and when that is full (64) with who hands them over.
    pub accepted: usize,
    /// How long an attempt may take.
    pub attempt: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            at_once: 8,
            accepted: 4096,
            attempt: Duration::from_secs(120),
        }
    }
}

/// The task that sends.
#[derive(Debug)]
pub struct Sending {
    deliveries: mpsc::Sender<Delivery>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Sending {
    /// Starts the task; outcomes go to `outcomes`.
    pub fn start(sources: Sources, limits: Limits, outcomes: mpsc::Sender<Ended>) -> Self {
        // Short: what waits, waits in the lanes, where it can be sorted by rule and alerter.
        let (deliveries, incoming) = mpsc::channel(64);
        let lanes = Lanes {
            sources,
            limits,
            outcomes,
            lanes: HashMap::new(),
            places: HashMap::new(),
            accepted: 0,
            attempts: JoinSet::new(),
            journalled: JoinSet::new(),
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(lanes.run(incoming, stop.clone()));
        Self {
            deliveries,
            stop,
            task,
        }
    }

    /// Where deliveries are handed over.
    pub fn deliveries(&self) -> mpsc::Sender<Delivery> {
        self.deliveries.clone()
    }

    /// Takes nothing more, sends what has been handed over, and ends. After `deadline` attempts are broken off; their deliveries, and those not yet attempted,
    /// have no outcome: they are pending still. Answers whether all were sent or failed in time.
    pub async fn drain(self, deadline: Duration) -> bool {
        self.stop.cancel();
        let mut task = self.task;
        if timeout(deadline, &mut task).await.is_ok() {
            return true;
        }
        task.abort();
        let _cancelled = task.await;
        false
    }
}

/// A rule's name and the position of one of its alerters.
type LaneKey = (Arc<str>, u16);

/// Deliveries of one rule through one alerter.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<Delivery>,
    state: LaneState,
    /// Deliveries that ended and are not journalled.
    unjournalled: usize,
}

#[derive(Default, PartialEq)]
enum LaneState {
    /// Nothing is under way.
    #[default]
    Idle,
    /// The next attempt waits for a place among those of its alerter's name.
    Blocked,
    /// An attempt runs.
    Busy,
}

#[derive(Default)]
struct Places {
    taken: usize,
    blocked: VecDeque<LaneKey>,
}

struct Lanes {
    sources: Sources,
    limits: Limits,
    outcomes: mpsc::Sender<Ended>,
    lanes: HashMap<LaneKey, Lane>,
    /// Attempts running, and lanes waiting for one to end, by the alerter's name.
    places: HashMap<&'static str, Places>,
    accepted: usize,
    attempts: JoinSet<Attempted>,
    /// Ends when an outcome of the lane is journalled.
    journalled: JoinSet<LaneKey>,
}

/// An attempt that ended.
struct Attempted {
    lane: LaneKey,
    /// The alerter's name.
    name: Option<&'static str>,
    journalled: oneshot::Receiver<()>,
}

impl Lanes {
    async fn run(mut self, mut incoming: mpsc::Receiver<Delivery>, stop: CancellationToken) {
        let mut open = true;
        let mut stopping = false;
        while open || self.accepted > 0 {
            // No branch loses anything when another wins: `recv`, `join_next` and `cancelled` are cancel safe.
            tokio::select! {
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    incoming.close();
                }
                delivery = incoming.recv(), if open && self.accepted < self.limits.accepted => match delivery {
                    Some(delivery) => self.accept(delivery),
                    None => open = false,
                },
                Some(ended) = self.attempts.join_next() => match ended {
                    Ok(attempted) => self.ended(attempted),
                    // Attempts catch panics themselves, and are aborted only together with this task.
                    Err(error) => tracing::error!(%error, "a delivery attempt was lost"),
                },
                Some(Ok(lane)) = self.journalled.join_next() => self.is_journalled(&lane),
            }
        }
    }

    fn accept(&mut self, delivery: Delivery) {
        self.accepted += 1;
        let key = (Arc::clone(&delivery.alert.rule), delivery.alerter);
        self.lanes
            .entry(key.clone())
            .or_default()
            .waiting
            .push_back(delivery);
        self.start(&key);
    }

    fn ended(&mut self, attempted: Attempted) {
        let Attempted {
            lane: key,
            name,
            journalled,
        } = attempted;
        self.accepted = self.accepted.saturating_sub(1);
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.state = LaneState::Idle;
            lane.unjournalled += 1;
        }
        let waits = key.clone();
        self.journalled.spawn(async move {
            let _dropped = journalled.await;
            waits
        });
        // Its place still counts as taken here, so that a lane cannot overtake those that wait.
        self.start(&key);
        let Some(name) = name else {
            return;
        };
        if let Some(places) = self.places.get_mut(name) {
            places.taken = places.taken.saturating_sub(1);
        }
        while let Some(waiting) = self.unblock(name) {
            self.start(&waiting);
        }
    }

    fn is_journalled(&mut self, key: &LaneKey) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.unjournalled = lane.unjournalled.saturating_sub(1);
            if lane.waiting.is_empty() && lane.unjournalled == 0 && lane.state == LaneState::Idle {
                self.lanes.remove(key);
            }
        }
        self.start(key);
    }

    /// The lane that has waited longest for a place that is free now.
    fn unblock(&mut self, name: &str) -> Option<LaneKey> {
        let places = self.places.get_mut(name)?;
        if places.taken >= self.limits.at_once {
            return None;
        }
        let key = places.blocked.pop_front()?;
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.state = LaneState::Idle;
        }
        Some(key)
    }

    /// Starts a lane's next attempt if nothing stands in its way.
    fn start(&mut self, key: &LaneKey) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let is_ahead = lane.unjournalled >= UNJOURNALLED;
        if lane.state != LaneState::Idle || lane.waiting.is_empty() || is_ahead {
            return;
        }
        let outlet = (self.sources.outlet)(&key.0);
        let name = outlet
            .as_ref()
            .and_then(|outlet| Some(outlet.exits.get(usize::from(key.1))?.name));
        if let Some(name) = name {
            let places = self.places.entry(name).or_default();
            if places.taken >= self.limits.at_once {
                lane.state = LaneState::Blocked;
                places.blocked.push_back(key.clone());
                return;
            }
            places.taken += 1;
        }
        let Some(delivery) = lane.waiting.pop_front() else {
            return;
        };
        lane.state = LaneState::Busy;
        let outcomes = self.outcomes.clone();
        let attempt_time = self.limits.attempt;
        let now = (self.sources.now)();
        let key = key.clone();
        self.attempts.spawn(async move {
            let attempt = AssertUnwindSafe(attempt(&delivery, outlet.as_deref(), now)).catch_unwind();
            let result = match timeout(attempt_time, attempt).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err("the alerter failed unexpectedly, please report this".to_owned()),
                Err(_) => Err(format!("not sent within {} s", attempt_time.as_secs())),
            };
            if let Err(reason) = &result {
                tracing::warn!(rule = %key.0, alerter = name, attempt = delivery.attempt, %reason, "alert not delivered");
            }
            let outcome = DeliveryOutcome {
                alert: delivery.alert.id.clone(),
                alerter: delivery.alerter,
                result,
            };
            let (told, journalled) = oneshot::channel();
            let ended = Ended {
                outcome,
                journalled: told,
            };
            // Nobody listens only when the program ends; then the delivery is pending still.
            let _closed = outcomes.send(ended).await;
            Attempted {
                lane: key,
                name,
                journalled,
            }
        });
    }
}

/// Makes one attempt at a delivery. The address of the ticket that was made, if any was.
///
/// # Errors
/// Why it failed, secrets masked.
pub async fn attempt(
    delivery: &Delivery,
    outlet: Option<&Outlet>,
    now: WallTime,
) -> Result<Option<String>, String> {
    let alert = &delivery.alert;
    let outlet = outlet.ok_or_else(|| format!("rule {:?} no longer exists", alert.rule))?;
    let exit = outlet
        .exits
        .get(usize::from(delivery.alerter))
        .ok_or_else(|| format!("rule {:?} has fewer alerters now", alert.rule))?;
    let shortened = match &outlet.short_links {
        Some(links) => links.shorten(&outlet.rule, &alert.matches).await,
        None => None,
    };
    let alert = Alert {
        id: &alert.id.0,
        rule: &outlet.rule,
        template: &exit.template,
        matches: shortened.as_ref().unwrap_or(&alert.matches),
        time: alert.time,
        now,
        ticket: delivery.ticket.as_deref(),
    };
    let failed = |error: SendError| exit.secrets.mask_text(super::reason::reason(&error));
    match exit.alerter.deliver(&alert).await {
        Ok(ticket) => Ok(ticket),
        Err(SendError::Text(error)) => {
            // An alert whose text cannot be rendered is still an alert: it goes out with the reason and all fields.
            tracing::error!(rule = %alert.rule.name, alerter = exit.name, %error, "the alert's text cannot be rendered");
            let template =
                plain_template(&alert.rule.name, &error).ok_or_else(|| failed(error.into()))?;
            let plain = Alert {
                template: &template,
                ..alert
            };
            exit.alerter.deliver(&plain).await.map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Text options with nothing in them that could fail.
fn plain_template(rule: &str, error: &TextError) -> Option<Template> {
    let node = |text: &str| Node::text(text, &Span::nowhere());
    let reason = format!("{rule}\n\nThe text of this rule cannot be rendered: {error}");
    let options = Mapping(vec![(node("alert_text"), node(&reason))]);
    let process = Process {
        zone: TimeZone::UTC,
        working_directory: PathBuf::new(),
        enhancements: &[],
    };
    Template::new(&Properties::new(options), &process).ok()
}

#[cfg(test)]
pub(in crate::alerter) mod tests;
