//! The single writer: one deterministic state machine without clock, sockets or randomness.

mod effect;

pub use effect::{AlertId, Delivery, DeliveryOutcome, Effect, Index, Op, PendingAlert, Write};
