//! What several doors' tests need.

pub mod dice;
pub mod http;
pub mod rules;
pub mod server;
