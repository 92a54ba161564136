//! tripline: ElastAlert rules, applied in the stream.
//!
//! The modules stand in the order in which an event travels through them.
//! `ARCHITECTURE.md` draws the picture.

// The commands.
pub mod cli;

// Configuration files: YAML as ElastAlert reads it, option tables, problems with their place in the file.
pub mod config;

// The doors events come in through, one file each.
pub mod input;

// Events: documents, field paths, times, and how Python would print or compare their values.
pub mod event;

// Which events a rule's `filter` picks: Query DSL and Lucene syntax, decided in memory.
pub mod filter;

// Rules: what a rule file means, and the rule types with their windows.
pub mod rule;

// The single writer: rule types, silences, aggregation and deliveries as one deterministic state machine.
pub mod engine;

// What survives a crash: journal, snapshot, and the embedded writeback store.
pub mod store;

// From matches to words: subject, body, tables, links, enhancements.
pub mod alert;

// The doors an alert leaves through, one file each.
pub mod alerter;

// Writeback to Elasticsearch and OpenSearch.
pub mod writeback;

// Metrics, health and readiness over HTTP.
pub mod web;

// What the program tells about itself: metrics, rate-limited log lines, readiness.
pub mod telemetry;

// Which cryptography TLS uses.
pub mod tls;
