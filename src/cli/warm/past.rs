//! The past of a rule in its index: documents for windows, values for what a rule knows.

use super::fill::{Filled, Filling};
use crate::cli::test_rule::range::Range;
use crate::cli::test_rule::source;
use crate::cli::test_rule::timed::Timed;
use crate::config::EsConfig;
use crate::config::service::Service as Config;
use crate::engine::Memory;
use crate::event::WallTime;
use crate::rule::{Learning, Rule};
use crate::writeback::Client;
use anyhow::Context as _;
use serde_json::Value;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Documents read at once.
const PAGE: u32 = 10_000;

/// Fills a rule from its index over a span of time.
///
/// # Errors
/// There is no server, or it cannot answer.
pub(super) fn fill(
    rule: &Arc<Rule>,
    config: &Config,
    range: Range,
    now: WallTime,
) -> anyhow::Result<Filled> {
    if let Some(learning) = rule.kind.learning() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the runtime cannot be started")?;
        return runtime.block_on(learn(rule, &learning, config, range, now));
    }
    let source = source::server(rule)?;
    let request = source::request(rule, range, PAGE);
    let mut filling = Filling::new(rule, config, Some(range.start), now);
    source.read(&request, &mut |hits| {
        filling.take(&Timed::of_hits(rule, &hits));
        ControlFlow::Continue(())
    })?;
    Ok(filling.finish(Some(range.end)))
}

/// What a rule that learns knows when it begins now: the memory to give it, and how many values are in it.
///
/// # Errors
/// There is no server, or it cannot answer.
pub(in crate::cli) async fn baseline(
    rule: &Arc<Rule>,
    learning: &Learning,
    config: &Config,
    now: WallTime,
) -> anyhow::Result<(Memory, u64)> {
    let range = Range::between(now.minus(learning.window), now);
    let filled = learn(rule, learning, config, range, now).await?;
    Ok((filled.memory, filled.counts.hits))
}

/// Asks for the values that the rule's fields have had.
///
/// # Errors
/// There is no server, or it cannot answer.
async fn learn(
    rule: &Arc<Rule>,
    learning: &Learning,
    config: &Config,
    range: Range,
    now: WallTime,
) -> anyhow::Result<Filled> {
    let (es, problems) = EsConfig::of_rule(&rule.properties());
    if let Some(problem) = problems.iter().find(|problem| problem.is_error()) {
        anyhow::bail!("Elasticsearch cannot be used: {problem}");
    }
    let es = es.context("neither rule nor configuration has es_host to read the index from")?;
    let client = Client::new(&es).context("Elasticsearch cannot be used")?;
    let request = source::request(rule, range, PAGE);
    let mut filling = Filling::new(rule, config, None, now);
    let fields = rule.kind.fields();
    for term in &learning.terms {
        let names = fields.get(term.clone()).unwrap_or_default();
        let names: Vec<String> = names
            .iter()
            .map(|field| searched(field.as_str(), learning.keyword))
            .collect();
        client
            .values(&request.index, &request.query, &names, |found| {
                let mut values = vec![Value::Null; fields.len()];
                for (place, value) in term.clone().zip(found) {
                    if let Some(slot) = values.get_mut(place) {
                        *slot = value;
                    }
                }
                filling.known(values);
            })
            .await?;
    }
    Ok(filling.finish(Some(range.end)))
}

/// The field whose values an index can tell: ElastAlert's `add_keyword_postfix`.
fn searched(field: &str, keyword: bool) -> String {
    if keyword && !field.ends_with(".keyword") {
        format!("{field}.keyword")
    } else {
        field.to_owned()
    }
}
