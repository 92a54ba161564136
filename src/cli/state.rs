//! `tripline state`: what rules remember, as a table or as JSON, of the running service or of its store.

use super::output::{self, in_one_line};
use super::rules::Loader;
use super::service::{self, Seen};
use super::{exit, report};
use crate::config::service::Service as Config;
use crate::engine::{Look, RuleView};
use crate::event::{EventTime, WallTime};
use crate::rule::WindowView;
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The options of `tripline state`.
#[derive(Debug, clap::Args)]
pub(super) struct Command {
    /// The rule, by name or file [default: all, without their windows]
    rule: Option<String>,
    /// Only the window of this value of query_key
    key: Option<String>,
    /// Show so many windows at most, those nearest to a match
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: usize,
    /// How it is shown
    #[arg(long, value_enum, default_value_t)]
    format: output::Format,
    /// The configuration file [default: config.yaml, else config.yml, else none]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

impl Command {
    /// Looks, and shows what was seen. The exit code.
    ///
    /// # Errors
    /// There is no such rule, or neither service nor store can be read.
    pub(super) fn run(&self, config: &Config, loader: &Loader) -> anyhow::Result<i32> {
        let loaded = loader.load(0);
        let rule = self.rule.as_ref().map(|name| {
            let file = loader.find(Path::new(name));
            let mut rules = loaded.rules.rules.iter();
            let found = rules.find(|rule| rule.name == *name || *rule.file == *file);
            found.map_or_else(|| name.clone(), |rule| rule.name.clone())
        });
        let look = Look {
            rule: rule.clone(),
            key: self.key.clone(),
            most: self.limit,
        };
        let now = super::clock::now();
        let Some(seen) = service::look(config, &loaded.program, look, now)? else {
            anyhow::bail!(
                "nothing is remembered yet: no service has run on {}",
                config.store.display()
            );
        };
        if let (Some(rule), true) = (&rule, seen.rules.is_empty()) {
            report(&loaded.problems);
            anyhow::bail!("no rule {rule:?} is loaded");
        }
        match self.format {
            output::Format::Json => output::line(&to_json(&seen).to_string()),
            output::Format::Table if self.rule.is_none() => output::line(&overview(&seen)),
            output::Format::Table => {
                for rule in &seen.rules {
                    output::line(&self.one(rule, seen.time));
                }
            }
        }
        Ok(exit::FINE)
    }

    /// One rule with its windows, silences and aggregations.
    fn one(&self, rule: &RuleView, time: EventTime) -> String {
        let counts = rule.counts;
        let mut lines = vec![
            format!("{} ({})", in_one_line(&rule.rule), rule.type_name),
            format!("as of       {}", text(time)),
            format!(
                "events      {} hits, {} matches, {} silenced, {} alerts; left out: {} late, {} future, {} without time",
                counts.hits,
                counts.matches,
                counts.silenced,
                counts.alerts,
                counts.late,
                counts.future,
                counts.untimed
            ),
            format!(
                "remembers   {} keys, {} events, about {} bytes; newest event {}",
                rule.size.keys,
                rule.size.events,
                rule.bytes,
                optional(rule.newest)
            ),
        ];
        if let Some(until) = rule.quiet_until {
            lines.push(format!(
                "quiet       until {}: its windows were not watched for long enough",
                text(until)
            ));
        }
        for (key, until) in &rule.silences {
            lines.push(format!(
                "silenced    {} until {}",
                in_one_line(key),
                until.to_text()
            ));
        }
        for waiting in &rule.aggregations {
            let key = waiting.key.as_deref().unwrap_or("all");
            lines.push(format!(
                "aggregates  {}: {} matches, due {}",
                in_one_line(key),
                waiting.matches,
                waiting.due.to_text()
            ));
        }
        if rule.windows.is_empty() {
            lines.push(match &self.key {
                Some(key) => format!("no window of {}", in_one_line(key)),
                None if rule.size.keys == 0 && rule.size.events == 0 => "no windows".to_owned(),
                None => "no window holds anything now".to_owned(),
            });
        } else {
            lines.push(windows(&rule.windows));
            let shown = u64::try_from(rule.windows.len()).unwrap_or(u64::MAX);
            if self.key.is_none() && shown < rule.size.keys {
                lines.push(format!("{shown} of {} keys", rule.size.keys));
            }
        }
        lines.join("\n")
    }
}

fn windows(windows: &[WindowView]) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "key", "count", "oldest", "newest", "expires", "distance", "",
    ]);
    for window in windows {
        table.add_row([
            in_one_line(window.key.as_deref().unwrap_or("all")),
            window.count.to_string(),
            optional(window.oldest),
            optional(window.newest),
            optional(window.expires),
            window
                .distance
                .map_or_else(String::new, |distance| distance.to_string()),
            in_one_line(&window.says),
        ]);
    }
    for column in [1, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

fn overview(seen: &Seen) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "rule", "type", "hits", "matches", "late", "future", "no time", "keys", "held", "bytes",
        "silences", "waiting",
    ]);
    for rule in &seen.rules {
        let (counts, size) = (&rule.counts, &rule.size);
        let waiting: u64 = rule.aggregations.iter().map(|one| one.matches).sum();
        let numbers = [
            counts.hits,
            counts.matches,
            counts.late,
            counts.future,
            counts.untimed,
            size.keys,
            size.events,
            rule.bytes,
            u64::try_from(rule.silences.len()).unwrap_or(u64::MAX),
            waiting,
        ];
        table.add_row(
            [in_one_line(&rule.rule), rule.type_name.clone()]
                .into_iter()
                .chain(numbers.map(|number| number.to_string())),
        );
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn to_json(seen: &Seen) -> Value {
    let rules: Vec<Value> = seen.rules.iter().map(rule_to_json).collect();
    json!({"live": seen.live, "as_of": text(seen.time), "rules": rules})
}

fn rule_to_json(rule: &RuleView) -> Value {
    let counts = rule.counts;
    let windows: Vec<Value> = rule
        .windows
        .iter()
        .map(|window| {
            json!({
                "key": window.key, "count": window.count, "oldest": time(window.oldest), "newest": time(window.newest),
                "expires": time(window.expires), "distance": window.distance, "says": window.says,
            })
        })
        .collect();
    let silences = rule.silences.iter();
    let silences: Vec<Value> = silences
        .map(|(key, until)| json!({"key": key, "until": until.to_text()}))
        .collect();
    let aggregations = rule.aggregations.iter();
    let aggregations: Vec<Value> = aggregations
        .map(|one| json!({"key": one.key, "matches": one.matches, "due": one.due.to_text()}))
        .collect();
    json!({
        "rule": rule.rule, "type": rule.type_name, "hits": counts.hits, "matches": counts.matches, "silenced": counts.silenced,
        "alerts": counts.alerts, "late": counts.late, "future": counts.future, "no_timestamp": counts.untimed,
        "keys": rule.size.keys, "events": rule.size.events, "bytes": rule.bytes, "newest": time(rule.newest),
        "quiet_until": time(rule.quiet_until), "windows": windows, "silences": silences, "aggregations": aggregations,
    })
}

fn text(time: EventTime) -> String {
    WallTime(time.0).to_text()
}

fn time(time: Option<EventTime>) -> Option<String> {
    time.map(text)
}

fn optional(moment: Option<EventTime>) -> String {
    time(moment).unwrap_or_default()
}
