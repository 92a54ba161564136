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

mod alerter_docs;
mod crash;
mod create_index;
mod explained;
mod filters_live;
mod fuzz;
mod golden;
mod hostile;
#[path = "inputs_http.rs"]
mod http;
#[path = "inputs_http_repeat.rs"]
mod http_repeat;
mod inputs_pki;
mod inputs_stage;
mod mail_server;
mod many_keys;
mod many_rules;
mod notices;
mod odd_documents;
mod old_stores;
mod options;
mod outage;
mod packaging;
mod pipelines;
mod problems;
mod process;
mod real_rules;
mod reload;
mod replacement;
mod requests;
mod scenario;
mod secrets;
mod service;
mod service_options;
mod silence;
mod smtp;
mod spill;
mod state;
#[path = "inputs_stdin.rs"]
mod stdin;
mod store;
mod support;
#[path = "inputs_tcp.rs"]
mod tcp;
mod test_rule;
mod ticks;
mod tidy;
mod time;
mod top_counts;
mod understanding;
mod warm;
#[path = "inputs_web.rs"]
mod web;
mod writeback;
