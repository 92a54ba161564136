//! The commands.

/// Why a filter picks an event or does not.
pub mod explain;
