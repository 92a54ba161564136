//! Alerts on their way: each alerter of an alert is tried on its own until it worked or `alert_time_limit` has passed.

use super::program::{AlerterFacts, ProgramRule, TicketUse};
use super::{
    AlertId, Delivery, DeliveryOutcome, Effect, Engine, NOTICES, Note, Outcome, PendingAlert,
    Record,
};
use crate::event::WallTime;
use crate::rule::Counts;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How far one alerter has come with an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// This attempt is under way.
    Trying(u32),
    /// So many attempts failed; the next is due then.
    Failed {
        /// How many.
        attempts: u32,
        /// When the next is due.
        next: WallTime,
        /// Why the last one failed.
        error: String,
    },
    /// It worked.
    Sent,
    /// It never worked, and never will be tried again.
    GivenUp {
        /// Why the last attempt failed.
        error: String,
    },
    /// The first attempt waits for a ticket that another alerter is making.
    Waiting {
        /// No longer than until then.
        until: WallTime,
    },
}

/// How long an alerter waits for a ticket; then the alert goes without.
const TICKET_PATIENCE: Duration = Duration::from_secs(30);

impl Progress {
    /// When something is to be done about it.
    fn due(&self) -> Option<WallTime> {
        match self {
            Self::Failed { next, .. } => Some(*next),
            Self::Waiting { until } => Some(*until),
            Self::Trying(_) | Self::Sent | Self::GivenUp { .. } => None,
        }
    }
}

/// An alert that is not finished.
#[derive(Debug, Clone)]
pub(super) struct InFlight {
    pub(super) alert: Arc<PendingAlert>,
    pub(super) alerters: Vec<Progress>,
    /// The address of the ticket that one of them made.
    pub(super) ticket: Option<Arc<str>>,
}

impl InFlight {
    /// Whether every alerter has ended its first attempt: then the writeback documents can say how it went.
    fn tried(&self) -> bool {
        self.alerters
            .iter()
            .all(|progress| !matches!(progress, Progress::Trying(1) | Progress::Waiting { .. }))
    }

    fn sent(&self) -> bool {
        self.alerters.contains(&Progress::Sent)
    }

    fn finished(&self) -> bool {
        self.alerters
            .iter()
            .all(|progress| matches!(progress, Progress::Sent | Progress::GivenUp { .. }))
    }

    fn delivery(&self, alerter: u16, attempt: u32) -> Effect {
        Effect::Deliver(Delivery {
            alert: Arc::clone(&self.alert),
            alerter,
            attempt,
            ticket: self.ticket.clone(),
        })
    }

    /// The text of the last failure, by the alerters' order.
    fn error(&self) -> Option<&str> {
        self.alerters
            .iter()
            .rev()
            .find_map(|progress| match progress {
                Progress::Failed { error, .. } | Progress::GivenUp { error } => {
                    Some(error.as_str())
                }
                Progress::Trying(_) | Progress::Sent | Progress::Waiting { .. } => None,
            })
    }
}

/// All alerts that are not finished.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    alerts: BTreeMap<AlertId, InFlight>,
    retries: BTreeSet<(WallTime, AlertId, u16)>,
    /// How many of the alerts are the program's own.
    notices: usize,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.alerts.len()
    }

    pub(super) fn notices(&self) -> usize {
        self.notices
    }

    pub(super) fn next_due(&self) -> Option<WallTime> {
        self.retries.first().map(|(at, _, _)| *at)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &InFlight> {
        self.alerts.values()
    }

    pub(super) fn insert(&mut self, in_flight: InFlight) {
        let id = in_flight.alert.id.clone();
        for (alerter, progress) in (0..).zip(&in_flight.alerters) {
            if let Some(next) = progress.due() {
                self.retries.insert((next, id.clone(), alerter));
            }
        }
        self.notices += usize::from(*in_flight.alert.rule == *NOTICES);
        self.alerts.insert(id, in_flight);
    }

    /// Sets how far an alerter has come; a finished alert is forgotten. The alert as it is then.
    pub(super) fn set(
        &mut self,
        id: &AlertId,
        alerter: u16,
        progress: Progress,
    ) -> Option<InFlight> {
        let in_flight = self.alerts.get_mut(id)?;
        let slot = in_flight.alerters.get_mut(usize::from(alerter))?;
        if let Some(next) = slot.due() {
            self.retries.remove(&(next, id.clone(), alerter));
        }
        if let Some(next) = progress.due() {
            self.retries.insert((next, id.clone(), alerter));
        }
        *slot = progress;
        let state = in_flight.clone();
        if state.finished() {
            self.alerts.remove(id);
            self.notices -= usize::from(*state.alert.rule == *NOTICES);
        }
        Some(state)
    }

    /// The ticket of an alert is known.
    pub(super) fn set_ticket(&mut self, id: &AlertId, ticket: &str) {
        if let Some(in_flight) = self.alerts.get_mut(id) {
            in_flight.ticket = Some(ticket.into());
        }
    }

    fn progress(&self, id: &AlertId, alerter: u16) -> Option<&Progress> {
        self.alerts.get(id)?.alerters.get(usize::from(alerter))
    }
}

impl Engine {
    /// Starts the first attempt of every alerter.
    pub(super) fn open(
        &mut self,
        entry: &ProgramRule,
        alert: PendingAlert,
        now: WallTime,
        out: &mut Outcome,
    ) {
        let alert = Arc::new(alert);
        let uses = |ticket| entry.alerters.iter().any(|facts| facts.ticket == ticket);
        let first_attempt = |facts: &AlerterFacts| match facts.ticket {
            TicketUse::Shows if uses(TicketUse::Makes) => Progress::Waiting {
                until: now.plus(TICKET_PATIENCE),
            },
            _ => Progress::Trying(1),
        };
        let alerters: Vec<_> = entry.alerters.iter().map(first_attempt).collect();
        out.records.push(Record::Opened {
            alert: Arc::clone(&alert),
            alerters: alerters.len(),
        });
        if alerters.is_empty() {
            // A rule without alerters only writes its matches down.
            return self.write_alert(&alert, true, None, now, out);
        }
        for (alerter, progress) in (0..).zip(&alerters) {
            match progress {
                Progress::Waiting { .. } => {
                    self.set_progress(&alert.id, alerter, progress.clone(), out);
                }
                _ => out.effects.push(Effect::Deliver(Delivery {
                    alert: Arc::clone(&alert),
                    alerter,
                    attempt: 1,
                    ticket: None,
                })),
            }
        }
        self.outbox.insert(InFlight {
            alert,
            alerters,
            ticket: None,
        });
    }

    /// Takes in how a delivery ended.
    pub(super) fn delivered(&mut self, outcome: DeliveryOutcome, now: WallTime, out: &mut Outcome) {
        let DeliveryOutcome {
            alert: id,
            alerter,
            result,
        } = outcome;
        let Some(Progress::Trying(attempt)) = self.outbox.progress(&id, alerter).cloned() else {
            return;
        };
        if let Ok(Some(ticket)) = &result {
            out.records.push(Record::Ticket {
                id: id.clone(),
                ticket: ticket.clone(),
            });
            self.outbox.set_ticket(&id, ticket);
        }
        let progress = match result {
            Ok(_) => Progress::Sent,
            Err(error) => Progress::Failed {
                attempts: attempt,
                next: now.plus(self.wait_after(attempt)),
                error,
            },
        };
        self.set_progress(&id, alerter, progress.clone(), out);
        let Some(state) = self.outbox.set(&id, alerter, progress.clone()) else {
            return;
        };
        let rule = state.alert.rule.to_string();
        let name = self.alerter_name(&rule, alerter);
        out.notes.push(Note::Delivered {
            rule: rule.clone(),
            alerter: name,
            sent: progress == Progress::Sent,
        });
        if let Progress::Failed { error, next, .. } = progress {
            // Who cannot be told of errors is not told of that either.
            if rule != NOTICES {
                let message = format!("Error while running alert {name}: {error}");
                self.write_error(&rule, &message, now, out);
            }
            out.notes.push(Note::WillRetry {
                rule,
                error,
                at: next,
            });
        }
        self.end_wait_for_ticket(&state, out);
        // Once every alerter has been tried the documents are written, and again whenever they would read otherwise.
        if state.tried() {
            let error = if state.sent() { None } else { state.error() };
            self.write_alert(&state.alert, state.sent(), error, now, out);
        }
    }

    /// Repeats failed deliveries whose time has come.
    pub(super) fn repeat_failed(&mut self, now: WallTime, out: &mut Outcome) {
        while let Some((at, id, alerter)) = self.outbox.retries.first().cloned()
            && at <= now
        {
            let (Some(progress), Some(in_flight)) = (
                self.outbox.progress(&id, alerter).cloned(),
                self.outbox.alerts.get(&id),
            ) else {
                self.outbox.retries.remove(&(at, id, alerter));
                continue;
            };
            let alert = &in_flight.alert;
            let (attempt, error) = match progress {
                Progress::Failed {
                    attempts, error, ..
                } => (attempts.saturating_add(1), error),
                _ => (1, String::new()),
            };
            let in_time = now.minus(self.time_limit(&alert.rule)) <= alert.time;
            let rule = Arc::clone(&alert.rule);
            let progress = if in_time || attempt == 1 {
                out.effects.push(in_flight.delivery(alerter, attempt));
                Progress::Trying(attempt)
            } else {
                out.notes.push(Note::GaveUp {
                    rule: rule.to_string(),
                    error: error.clone(),
                });
                if *rule != *NOTICES {
                    let name = self.alerter_name(&rule, alerter);
                    let message = format!(
                        "Alert {name} was not sent within alert_time_limit and is given up: {error}"
                    );
                    self.write_error(&rule, &message, now, out);
                }
                Progress::GivenUp { error }
            };
            self.set_progress(&id, alerter, progress.clone(), out);
            self.outbox.set(&id, alerter, progress);
        }
    }

    /// After a restart: what was under way when the program ended is tried again, under the same alert id.
    pub fn resume(&mut self, out: &mut Outcome) {
        out.records.push(self.end_restore());
        for cell in &mut self.cells {
            cell.run = Counts::default();
        }
        for in_flight in self.outbox.iter() {
            for (alerter, progress) in (0..).zip(&in_flight.alerters) {
                if let Progress::Trying(attempt) = progress {
                    out.effects.push(in_flight.delivery(alerter, *attempt));
                }
            }
        }
    }

    /// Lets alerters that waited for a ticket go on, once there is one or nobody is making one any more.
    fn end_wait_for_ticket(&mut self, state: &InFlight, out: &mut Outcome) {
        let found = self.program.sender(&state.alert.rule);
        let makers = found.map_or(&[][..], |entry| entry.alerters.as_slice());
        let makes = |facts: &AlerterFacts| facts.ticket == TicketUse::Makes;
        let is_made = makers
            .iter()
            .zip(&state.alerters)
            .all(|(facts, progress)| !makes(facts) || *progress != Progress::Trying(1));
        if !is_made {
            return;
        }
        for (alerter, progress) in (0..).zip(&state.alerters) {
            if let Progress::Waiting { .. } = progress {
                let trying = Progress::Trying(1);
                self.set_progress(&state.alert.id, alerter, trying.clone(), out);
                self.outbox.set(&state.alert.id, alerter, trying);
                out.effects.push(state.delivery(alerter, 1));
            }
        }
    }

    pub(super) fn set_progress(
        &self,
        id: &AlertId,
        alerter: u16,
        progress: Progress,
        out: &mut Outcome,
    ) {
        out.records.push(Record::Progress {
            id: id.clone(),
            alerter,
            progress,
        });
    }

    /// Nothing waits longer than the longest wait between retries: what would was planned before the clock was set back.
    pub(super) fn plan_retries_again(&mut self, now: WallTime, out: &mut Outcome) {
        let latest = now.plus(self.options.retry_longest);
        while let Some((at, id, alerter)) = self.outbox.retries.last().cloned()
            && at > latest
        {
            let progress = match self.outbox.progress(&id, alerter) {
                Some(Progress::Failed {
                    attempts, error, ..
                }) => Progress::Failed {
                    attempts: *attempts,
                    next: latest,
                    error: error.clone(),
                },
                Some(Progress::Waiting { .. }) => Progress::Waiting { until: latest },
                Some(Progress::Trying(_) | Progress::Sent | Progress::GivenUp { .. }) | None => {
                    self.outbox.retries.remove(&(at, id, alerter));
                    continue;
                }
            };
            self.set_progress(&id, alerter, progress.clone(), out);
            self.outbox.set(&id, alerter, progress);
        }
    }

    pub(super) fn wait_after(&self, attempt: u32) -> Duration {
        let doubled = self
            .options
            .retry_first
            .saturating_mul(1 << attempt.saturating_sub(1).min(20));
        doubled.min(self.options.retry_longest)
    }

    /// `alert_time_limit`; of a rule that is gone, the time it would have by default.
    fn time_limit(&self, rule: &str) -> Duration {
        self.program
            .sender(rule)
            .map_or(Duration::from_secs(2 * 86_400), |entry| {
                entry.rule.alert_time_limit
            })
    }

    fn alerter_name(&self, rule: &str, alerter: u16) -> &'static str {
        self.program
            .sender(rule)
            .and_then(|entry| entry.alerters.get(usize::from(alerter)))
            .map(|facts| facts.name)
            .unwrap_or("of a rule that is gone")
    }
}
