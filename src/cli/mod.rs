//! The commands.

mod check;
pub mod create_index;
mod exit;
mod output;
