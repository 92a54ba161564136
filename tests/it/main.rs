//! The one integration test binary: a module per door.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod create_index;
mod golden;
mod mail_server;
mod smtp;
mod support;
mod tidy;
