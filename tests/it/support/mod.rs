//! What several doors' tests need.

pub mod http;
pub mod server;
