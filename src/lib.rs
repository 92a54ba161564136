//! tripline: ElastAlert rules, applied in the stream.
//!
//! The modules stand in the order in which an event travels through them.
//! `ARCHITECTURE.md` draws the picture.

/// From matches to words: subject, body, tables, links, enhancements.
pub mod alert;
/// The doors an alert leaves through, one file each.
pub mod alerter;
/// The commands.
pub mod cli;
/// Configuration files: YAML as ElastAlert reads it, option tables, problems with their place in the file.
pub mod config;
/// The single writer: rule types, silences, aggregation and deliveries as one deterministic state machine.
pub mod engine;
/// Events: documents, field paths, times, and how Python would print or compare their values.
pub mod event;
/// Which events a rule's `filter` picks: Query DSL and Lucene syntax, decided in memory.
pub mod filter;
/// The doors events come in through, one file each.
pub mod input;
/// Rules: what a rule file means, and the rule types with their windows.
pub mod rule;
/// What survives a crash: journal, snapshot, and the embedded writeback store.
pub mod store;
/// Which cryptography TLS uses.
pub mod tls;
/// Metrics, health and readiness over HTTP.
pub mod web;
/// Writeback to Elasticsearch and OpenSearch.
pub mod writeback;
