//! Where the documents of a rule's index come from, and the query for them.

use super::range::Range;
use crate::config::EsConfig;
use crate::event::{Timestamp, WallTime};
use crate::rule::{Rule, TimeFormat};
use crate::writeback::Client;
use crate::writeback::search::{Hit, Request, range_query};
use anyhow::Context as _;
use serde_json::Value;
use std::ops::ControlFlow;
use tokio::runtime::Runtime;

/// Something that has documents and answers queries for them.
pub trait Source {
    /// How many documents match.
    ///
    /// # Errors
    /// The query cannot be answered.
    fn count(&self, request: &Request) -> anyhow::Result<u64>;

    /// Hands over the documents that match, earliest first, page by page, until there are no more or `take` has enough.
    ///
    /// # Errors
    /// The query cannot be answered.
    fn read(
        &self,
        request: &Request,
        take: &mut dyn FnMut(Vec<Hit>) -> ControlFlow<()>,
    ) -> anyhow::Result<()>;
}

/// The server a rule's index is in: the rule's own, else the configured one.
///
/// # Errors
/// There is none, or it cannot be used.
pub(in crate::cli) fn server(rule: &Rule) -> anyhow::Result<Box<dyn Source>> {
    let (config, problems) = EsConfig::of_rule(&rule.properties());
    if let Some(problem) = problems.iter().find(|problem| problem.is_error()) {
        anyhow::bail!("Elasticsearch cannot be used: {problem}");
    }
    let config = config.context(
        "neither rule nor configuration has es_host to read the index from: set it, or give events with --data",
    )?;
    let client = Client::new(&config).context("Elasticsearch cannot be used")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    Ok(Box::new(Server { client, runtime }))
}

struct Server {
    client: Client,
    runtime: Runtime,
}

impl Source for Server {
    fn count(&self, request: &Request) -> anyhow::Result<u64> {
        Ok(self.runtime.block_on(self.client.count(request))?)
    }

    fn read(
        &self,
        request: &Request,
        take: &mut dyn FnMut(Vec<Hit>) -> ControlFlow<()>,
    ) -> anyhow::Result<()> {
        let mut pages = self.runtime.block_on(self.client.search(request.clone()))?;
        loop {
            let hits = self.runtime.block_on(pages.next())?;
            if hits.is_empty() {
                return Ok(());
            }
            if take(hits).is_break() {
                self.runtime.block_on(pages.close());
                return Ok(());
            }
        }
    }
}

/// The query for a rule's documents in a span of time.
pub(in crate::cli) fn request(rule: &Rule, range: Range, page_size: u32) -> Request {
    let filters = rule.written_filter();
    let time_field = rule.time.path.as_str();
    let (from, to) = (time_value(rule, range.start), time_value(rule, range.end));
    Request {
        index: match rule.properties().bool("use_strftime_index") {
            Some(true) => without_dates(&rule.index.text),
            _ => rule.index.text.clone(),
        },
        query: range_query(&filters, time_field, &from, &to),
        time_field: time_field.to_owned(),
        page_size: usize::try_from(page_size).unwrap_or(usize::MAX),
    }
}

/// An index as a search takes it: dates become wildcards, since the query says which dates are meant.
fn without_dates(index: &str) -> String {
    let mut searched = String::new();
    let mut characters = index.chars();
    while let Some(c) = characters.next() {
        match c {
            '%' => searched.push(match characters.next() {
                Some('%') => '%',
                _ => '*',
            }),
            c => searched.push(c),
        }
    }
    searched
}

/// A time as the rule's documents have it.
fn time_value(rule: &Rule, time: WallTime) -> Value {
    match &rule.time.format {
        TimeFormat::Iso => time.to_text().into(),
        TimeFormat::Unix => time.0.div_euclid(1_000_000).into(),
        TimeFormat::UnixMillis => time.0.div_euclid(1000).into(),
        TimeFormat::UnixMicros => time.0.into(),
        TimeFormat::Custom(_) => {
            let format = rule.properties().text("timestamp_format");
            let civil = Timestamp {
                micros: time.0,
                offset_seconds: 0,
            }
            .civil();
            civil
                .strftime(format.as_deref().unwrap_or("%Y-%m-%dT%H:%M:%SZ"))
                .to_string()
                .into()
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates_in_an_index_become_wildcards() {
        assert_eq!(super::without_dates("waf-%Y.%m.%d,a%%b"), "waf-*.*.*,a%b");
    }
}
