//! The doors events come in through, one file each.
//!
//! An input owns its sockets and cuts what arrives into events; it does not look into them. It hands them over in batches
//! through the [`Intake`], which is bounded: a full one makes TCP stop reading and HTTP answer 429.

mod brackets;
pub mod dead_letter;
pub mod fault;
pub mod http;
pub mod index_name;
mod intake;
pub mod lines;
mod listener;
mod source;
mod start;
mod stdin;
mod tcp;
pub mod tls;
mod watch;

pub use intake::{Batch, Held, Intake, IntakeError, IntakeGauge, Origin, Receipt};
pub use listener::ListenError;
pub use source::Context;
pub use start::{Inputs, StartError, Startup};
