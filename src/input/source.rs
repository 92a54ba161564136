//! What every input does with what it has cut out: batches for the intake, counters, dead letters.

use super::dead_letter::{DeadLetters, Reason, Rejected};
use super::index_name::IndexName;
use super::intake::{Batch, Intake, Origin};
use super::lines::Line;
use crate::config::SourceConfig;
use crate::event::{RawEvent, WallTime};
use crate::telemetry::{Clock, InputMetrics, Metrics};
use std::sync::Arc;

/// A batch of lines holds at most this many events…
const BATCH_EVENTS: usize = 4096;

/// …and, but for one event, at most this many bytes.
const BATCH_BYTES: usize = 1024 * 1024;

/// What all inputs share.
#[derive(Debug, Clone)]
pub struct Context {
    /// Where the batches go.
    pub intake: Intake,
    /// Where events of no use go.
    pub dead_letters: DeadLetters,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
}

/// One input's way into the intake.
#[derive(Debug, Clone)]
pub(super) struct Source {
    context: Context,
    origin: Arc<Origin>,
    metrics: InputMetrics,
    max_event_size: usize,
}

/// The program stops, or nobody evaluates events any more.
#[derive(Debug)]
pub(super) struct Stopped;

impl Source {
    pub(super) fn new(config: &SourceConfig, context: Context) -> Self {
        Self {
            origin: Arc::new(Origin {
                input: config.name.clone(),
                // A name that cannot be parsed was refused with the configuration.
                index: config
                    .index
                    .as_deref()
                    .and_then(|name| IndexName::parse(name).ok()),
            }),
            metrics: context.metrics.input(&config.name),
            max_event_size: config.max_event_size,
            context,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.origin.input
    }

    pub(super) fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    pub(super) fn intake(&self) -> &Intake {
        &self.context.intake
    }

    pub(super) fn metrics(&self) -> &InputMetrics {
        &self.metrics
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.context.clock
    }

    pub(super) fn max_event_size(&self) -> usize {
        self.max_event_size
    }

    pub(super) fn now(&self) -> WallTime {
        self.context.clock.now()
    }

    /// Puts an event to the dead letters.
    pub(super) fn reject(&self, reason: Reason, detail: &str, event: &[u8], at: Option<usize>) {
        self.context.dead_letters.put(&Rejected {
            input: &self.origin.input,
            reason,
            detail,
            event,
            at,
        });
    }

    /// Hands over the lines, waiting while the intake is full, and leaves `lines` empty.
    pub(super) async fn take_lines(&self, lines: &mut Vec<Line>) -> Result<(), Stopped> {
        let mut events = Vec::with_capacity(lines.len().min(BATCH_EVENTS));
        let mut size = 0;
        for line in lines.drain(..) {
            match line {
                Line::Whole(bytes) => {
                    size += bytes.len();
                    events.push(RawEvent { bytes, meta: None });
                }
                Line::TooLong { length, sample } => {
                    let detail = self.too_long(length);
                    self.reject(Reason::TooLong, &detail, &sample, None);
                }
            }
            if events.len() >= BATCH_EVENTS || size >= BATCH_BYTES {
                self.submit(std::mem::take(&mut events), size).await?;
                size = 0;
            }
        }
        self.submit(events, size).await
    }

    pub(super) fn too_long(&self, length: usize) -> String {
        format!(
            "{length} bytes are more than max_event_size ({})",
            self.max_event_size
        )
    }

    async fn submit(&self, events: Vec<RawEvent>, size: usize) -> Result<(), Stopped> {
        if events.is_empty() {
            return Ok(());
        }
        let count = events.len();
        let batch = Batch::new(Arc::clone(&self.origin), events, self.now());
        self.intake().submit(batch).await.map_err(|_| Stopped)?;
        self.metrics.received(count, size);
        Ok(())
    }
}
