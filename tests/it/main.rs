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
#[path = "inputs_http.rs"]
mod http;
#[path = "inputs_http_repeat.rs"]
mod http_repeat;
mod inputs_stage;
#[path = "inputs_stdin.rs"]
mod stdin;
#[path = "inputs_tcp.rs"]
mod tcp;
#[path = "inputs_web.rs"]
mod web;
mod writeback;
mod support;
mod tidy;
