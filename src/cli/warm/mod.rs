//! `tripline warm`: fills windows, and what new_term knows, from the past before a rule goes live, or while it runs. Nothing is alerted.

mod fill;
mod past;

pub(super) use past::baseline;

use super::rules::Loader;
use super::service::{self, WarmedBy};
use super::test_rule::range::{Range, time};
use super::test_rule::timed;
use super::{data, exit, output};
use crate::config::service::Service as Config;
use crate::event::WallTime;
use crate::rule::{Evaluator, Rule};
use anyhow::Context as _;
use bytes::Bytes;
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use fill::{Filled, Filling};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The options of `tripline warm`.
#[derive(Debug, clap::Args)]
pub(super) struct Command {
    /// The rules, by name or file [default: all]
    #[arg(value_name = "RULE")]
    rules: Vec<String>,
    /// Take the events from this file, or - for the standard input: JSON lines, a JSON array or one object, also .gz and .zst
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from_es", "days", "start", "end"])]
    data: Option<PathBuf>,
    /// With --data: take the events in the order they have, instead of sorting them by time
    #[arg(long, requires = "data")]
    as_arrived: bool,
    /// Read each rule's index, as without --data
    #[arg(long)]
    from_es: bool,
    /// From the index: how far back [default: as far as the rule remembers]
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    /// From the index: events after this time (ISO 8601)
    #[arg(long, value_name = "TIME", conflicts_with = "days")]
    start: Option<String>,
    /// From the index: events up to this time (ISO 8601, or NOW) [default: NOW]
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// How what was found is shown
    #[arg(long, value_enum, default_value_t)]
    format: output::Format,
    /// The configuration file [default: config.yaml, else config.yml, else none]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// What became of a rule.
struct Row {
    rule: String,
    result: anyhow::Result<Filled>,
}

impl Command {
    /// Fills the rules and hands what they remember to the service, or writes it into the store when none runs. The exit code.
    ///
    /// # Errors
    /// A rule that there is not, a file that cannot be read, a time that is none, or a store that cannot be written.
    pub(super) fn run(&self, config: &Config, loader: &Loader) -> anyhow::Result<i32> {
        let now = super::clock::now();
        let loaded = loader.load(0);
        let rules = self.select(loader, &loaded.rules.rules, &loaded.problems)?;
        let data = self.data.as_deref().map(data::read).transpose()?;
        let mut rows = Vec::new();
        for rule in rules {
            let result = match &data {
                Some(documents) => Ok(self.fill(&rule, config, documents, now)),
                None => self
                    .range(&rule, config, now)
                    .and_then(|range| past::fill(&rule, config, range, now)),
            };
            rows.push(Row {
                rule: rule.name.clone(),
                result,
            });
        }
        let filled = rows.iter().filter_map(|row| row.result.as_ref().ok());
        let memories = filled.map(|filled| filled.memory.clone()).collect();
        let by = service::warm(config, &loaded.program, memories)?;
        self.print(&rows, &by);
        let failed = rows.iter().any(|row| row.result.is_err());
        Ok(if failed || !by.refused().is_empty() {
            exit::PROBLEMS
        } else {
            exit::FINE
        })
    }

    /// The rules that are meant; without a name all that remember anything.
    fn select(
        &self,
        loader: &Loader,
        all: &[Arc<Rule>],
        problems: &[crate::config::Problem],
    ) -> anyhow::Result<Vec<Arc<Rule>>> {
        if self.rules.is_empty() {
            super::report(problems);
            let remembers = |rule: &&Arc<Rule>| !Evaluator::new(rule).save().is_empty();
            return Ok(all.iter().filter(remembers).cloned().collect());
        }
        let find = |name: &String| {
            let file = loader.find(Path::new(name));
            let rule = all
                .iter()
                .find(|rule| rule.name == *name || *rule.file == *file);
            if rule.is_none() {
                super::report(problems);
            }
            rule.cloned()
                .with_context(|| format!("no rule {name:?} can be loaded"))
        };
        self.rules.iter().map(find).collect()
    }

    fn fill(
        &self,
        rule: &Arc<Rule>,
        config: &Config,
        documents: &[Bytes],
        now: WallTime,
    ) -> Filled {
        let read = timed::read(rule, documents);
        let mut events = read.timed;
        if !self.as_arrived {
            events.sort();
        }
        let mut filling = Filling::new(rule, config, None, now);
        filling.take(&events);
        let mut filled = filling.finish(None);
        filled.counts.untimed += read.untimed_count;
        filled
    }

    /// The span of time whose events are read.
    fn range(&self, rule: &Rule, config: &Config, now: WallTime) -> anyhow::Result<Range> {
        let end = self.end.as_deref().map_or(Ok(now), |end| time(end, now))?;
        let start = match (&self.start, self.days) {
            (Some(start), _) => time(start, now)?,
            (None, Some(days)) => end.minus(Duration::from_secs(86_400) * days),
            (None, None) => end.minus(remembered(rule, config)),
        };
        Ok(Range::between(start, end))
    }

    fn print(&self, rows: &[Row], by: &WarmedBy) {
        match self.format {
            output::Format::Json => {
                let rules: Vec<_> = rows.iter().map(|row| row.to_json(by)).collect();
                output::line(&json!({"service": by.is_service(), "rules": rules}).to_string());
            }
            output::Format::Table => {
                output::line(&table(rows));
                for row in rows {
                    if let Err(error) = &row.result {
                        output::line(&format!("{}: not warmed: {error:#}", row.rule));
                    }
                }
                for rule in by.refused() {
                    output::line(&format!(
                        "{rule}: not warmed: the service runs another version of the rule"
                    ));
                }
                output::line(if by.is_service() {
                    "The running service remembers it."
                } else {
                    "The store remembers it; the service goes on from it when it starts."
                });
            }
        }
    }
}

/// How far back the rule remembers.
fn remembered(rule: &Rule, config: &Config) -> Duration {
    if let Some(learning) = rule.kind.learning() {
        return learning.window;
    }
    let properties = rule.properties();
    let option = |name: &str| properties.duration(name);
    let timeframe = option("timeframe").unwrap_or_default();
    let buffer_time = option("buffer_time").unwrap_or(config.buffer_time);
    // Two windows for a spike, and what the first of them needs.
    timeframe * 2 + buffer_time
}

impl Row {
    fn to_json(&self, by: &WarmedBy) -> serde_json::Value {
        let rule = &self.rule;
        match &self.result {
            Err(error) => json!({"rule": rule, "warmed": false, "error": format!("{error:#}")}),
            Ok(Filled {
                memory,
                counts,
                size,
            }) => json!({
                "rule": rule,
                "warmed": !by.refused().contains(rule),
                "hits": counts.hits,
                "matches": counts.matches,
                "left_out": counts.late + counts.future + counts.untimed,
                "keys": size.keys,
                "events": size.events,
                "watched_from": memory.since.map(|time| WallTime(time.0).to_text()),
                "watched_until": memory.watched.map(|time| WallTime(time.0).to_text()),
            }),
        }
    }
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "rule", "hits", "matches", "left out", "keys", "held", "until",
    ]);
    for row in rows {
        let Ok(filled) = &row.result else { continue };
        let (counts, size) = (&filled.counts, &filled.size);
        let left_out = counts.late + counts.future + counts.untimed;
        let numbers = [
            counts.hits,
            counts.matches,
            left_out,
            size.keys,
            size.events,
        ];
        let until = filled.memory.watched;
        let until = until.map_or_else(String::new, |time| WallTime(time.0).to_text());
        table.add_row(
            std::iter::once(output::in_one_line(&row.rule))
                .chain(numbers.map(|number| number.to_string()))
                .chain([until]),
        );
    }
    for column in table.column_iter_mut().skip(1).take(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}
