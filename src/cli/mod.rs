//! The commands.

pub mod create_index;
