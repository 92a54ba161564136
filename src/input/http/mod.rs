//! `http`: events in HTTP/1.1 requests, as Logstash's `http` output and others send them.
//!
//! Logstash tries again only on 429, 500, 502, 503 and 504, and on broken connections; on any other answer it throws the
//! whole batch away. So a bad event never makes a bad answer: it is rejected alone, in a 200. The answer leaves when the
//! journal has the batch.

mod answer;
mod auth;
pub mod body;
mod connection;
mod digest;
pub mod repeat;
mod request;
pub mod split;

pub(super) use request::Http;
