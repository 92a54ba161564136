//! The commands.

pub mod check;
pub mod create_index;
mod exit;
