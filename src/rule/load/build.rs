//! From a rule's options to the rule.

use super::import::Written;
use super::options::{OPTIONS, is_of_elastalert};
use super::{Loader, default_name, references, rule_type};
use crate::config::service::options::{ELASTICSEARCH, SERVICE};
use crate::config::{
    Data, Mapping, Node, OptionSpec, Problem, Properties, Span, check, duration, opt, unknown,
    without_effect,
};
use crate::event::python;
use crate::filter::Filter;
use crate::rule::time_field::{self, TimeField};
use crate::rule::types::RULE_TYPES;
use crate::rule::{
    Aggregation, Common, Due, IndexPattern, IndexStyle, QueryKey, Rule, RuleTypeEntry, Schedule,
    types,
};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// A query with more clauses than this is refused by Elasticsearch (`indices.query.bool.max_clause_count`), so a longer list cannot
/// narrow the filter.
const MAX_LIST_IN_FILTER: usize = 1024;

/// Builds a rule; `None` comes with an error.
pub(super) fn build(
    loader: &Loader<'_>,
    path: &Path,
    written: &Written,
) -> (Option<Rule>, Vec<Problem>) {
    let mut problems = Vec::new();
    let complete = complete(loader, path, &written.options);
    let place = written
        .options
        .get("type")
        .map_or(&written.place, |node| &node.span);
    let entry = match complete.get("type").map(rule_type::find) {
        Some(Ok(entry)) => Some(entry),
        Some(Err(problem)) if problem.span.end > problem.span.start => {
            problems.push(*problem);
            None
        }
        _ => None,
    };
    let own: &[OptionSpec] = entry.map_or(&[], |entry| entry.options);
    let mut tables = vec![own, OPTIONS, time_field::OPTIONS];
    tables.extend(loader.text_options);
    problems.extend(check(&complete, place, &tables));
    tables.extend([SERVICE, ELASTICSEARCH]);
    tables.extend(loader.alerter_options);
    problems.extend(without_effect(&written.options, &tables));
    // Without its type nobody knows which options the rule may have.
    if let Some(entry) = entry {
        problems.extend(of_other_types(&written.options, &tables, entry.name));
        tables.extend(RULE_TYPES.iter().map(|entry| entry.options));
        let named = |name: &str| is_of_elastalert(name) || is_named(&complete, name);
        problems.extend(unknown(&written.options, &tables, &named));
    }
    if let Some((key, _)) = written.options.entry("limit_execution") {
        let message =
            "`limit_execution` arrives with a later version, until then the rule runs at all hours";
        problems.push(Problem::warning("W0708", &key.span, message));
    }
    let properties = Properties::new(references::resolve(&complete));
    let mut builder = Builder {
        loader,
        properties,
        place: place.clone(),
        problems,
    };
    let rule = entry.and_then(|entry| builder.rule(path, entry));
    let mut problems = builder.problems;
    problems.sort_by_key(|problem| (problem.span.path() != path, problem.span.start));
    let failed = problems.iter().any(Problem::is_error);
    (rule.filter(|_| !failed), problems)
}

/// The rule's options, what it lacks from the configuration, then ElastAlert's defaults for what texts can print.
fn complete(loader: &Loader<'_>, path: &Path, own: &Mapping) -> Mapping {
    let mut complete = own.clone();
    for (key, value) in loader.service.properties.mapping().iter() {
        if key
            .as_str()
            .is_some_and(|name| complete.get(name).is_none())
        {
            complete.0.push((key.clone(), value.clone()));
        }
    }
    let nowhere = Span::nowhere();
    let mut default = |name: &str, data: Data| {
        if complete.get(name).is_none() {
            let value = Node {
                data,
                span: nowhere.clone(),
            };
            complete.0.push((Node::text(name, &nowhere), value));
        }
    };
    let text = |text: &str| Data::Str(text.to_owned());
    default("name", Data::Str(default_name(path)));
    default("timestamp_field", text("@timestamp"));
    default("timestamp_type", text("iso"));
    default("timestamp_format", text("%Y-%m-%dT%H:%M:%SZ"));
    default("filter", Data::Seq(Vec::new()));
    default("description", text(""));
    default("owner", text(""));
    default("category", text(""));
    default("priority", text("2"));
    default("use_local_time", Data::Bool(true));
    default("jinja_root_name", text("_data"));
    complete
}

/// Options that only rules of other types have.
fn of_other_types(options: &Mapping, tables: &[&[OptionSpec]], type_name: &str) -> Vec<Problem> {
    let has = |table: &[OptionSpec], name: &str| table.iter().any(|spec| spec.name == name);
    let mut problems = Vec::new();
    for (key, _) in options.iter() {
        let Some(name) = key.as_str() else { continue };
        if tables.iter().any(|table| has(table, name)) {
            continue;
        }
        let owners = RULE_TYPES.iter().filter(|entry| has(entry.options, name));
        let owners: Vec<&str> = owners.map(|entry| entry.name).collect();
        if !owners.is_empty() {
            let message = format!("`{name}` has no effect in a rule of type `{type_name}`");
            let help = format!("it is an option of {}", owners.join(", "));
            problems.push(Problem::warning("W0709", &key.span, message).help(help));
        }
    }
    problems
}

/// Whether the rule's texts name one of its options: people put their own there for that.
fn is_named(options: &Mapping, name: &str) -> bool {
    let named = |list: &str| {
        let items = options.get(list).map(Node::to_value);
        match items {
            Some(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(name)),
            Some(Value::Object(members)) => members.keys().any(|key| key == name),
            _ => false,
        }
    };
    let lists = [
        "alert_text_args",
        "alert_subject_args",
        "alert_text_kw",
        "include_rule_params_in_matches",
    ];
    let reference = format!("${name}$");
    lists.iter().any(|list| named(list))
        || options.iter().any(|(_, value)| mentions(value, &reference))
}

fn mentions(node: &Node, reference: &str) -> bool {
    match &node.data {
        Data::Str(text) => text == reference,
        Data::Seq(items) => items.iter().any(|item| mentions(item, reference)),
        Data::Map(map) => map.iter().any(|(_, value)| mentions(value, reference)),
        _ => false,
    }
}

struct Builder<'a> {
    loader: &'a Loader<'a>,
    properties: Properties,
    place: Span,
    problems: Vec<Problem>,
}

impl Builder<'_> {
    /// Builds what can be built, so that as many problems as possible are found; the caller drops a rule with errors.
    fn rule(&mut self, path: &Path, entry: &'static RuleTypeEntry) -> Option<Rule> {
        let service = self.loader.service;
        let time = TimeField::load(&self.properties)
            .map_err(|found| self.problems.extend(found))
            .ok();
        let query_key = QueryKey::new(&self.properties.texts("query_key"));
        if query_key.is_none() && self.properties.bool("use_terms_query") == Some(true) {
            let span = self.span("use_terms_query");
            self.problems.push(
                Problem::error(
                    "E0705",
                    &span,
                    "`use_terms_query` counts per `query_key`, and there is none",
                )
                .help("add `query_key`, or remove `use_terms_query`"),
            );
        }
        let filter = self.filter(entry);
        let aggregation = self.aggregation();
        let index = self.index();
        // A type is built from options that passed the tables only.
        if self.problems.iter().any(Problem::is_error) {
            return None;
        }
        let name = self.properties.text("name")?;
        let common = Common {
            name: name.clone(),
            span: self.place.clone(),
            query_key,
            time: time?,
            timeframe: self.properties.duration("timeframe"),
            buffer_time: self
                .properties
                .duration("buffer_time")
                .unwrap_or(service.buffer_time),
            run_every: service.run_every,
            working_directory: self.loader.working_directory.to_owned(),
            mapping: self.loader.mapping.clone(),
        };
        let kind = (entry.build)(&self.properties, &common)
            .map_err(|found| self.problems.extend(found))
            .ok()?;
        self.problems
            .extend((entry.advice)(&self.properties, &common));
        Some(Rule {
            file: path.to_owned(),
            index,
            filter: filter?,
            type_name: entry.name,
            kind,
            time: common.time,
            query_key: common.query_key,
            include: self
                .properties
                .get("include")
                .map(|_| self.properties.texts("include")),
            realert: self.realert(),
            exponential_realert: self.properties.duration("exponential_realert"),
            realert_key: self
                .properties
                .text("realert_key")
                .unwrap_or_else(|| name.clone()),
            aggregation,
            alert_time_limit: service.alert_time_limit,
            state_fingerprint: fingerprint(&self.properties, entry),
            name,
            properties: std::mem::take(&mut self.properties),
        })
    }

    fn span(&self, name: &str) -> Span {
        self.properties
            .get(name)
            .map_or(&self.place, |node| &node.span)
            .clone()
    }

    /// ElastAlert's default: a minute, but nothing where matches are collected anyway.
    fn realert(&self) -> Duration {
        let aggregates = self.properties.contains("aggregation");
        let default = if aggregates {
            Duration::ZERO
        } else {
            Duration::from_secs(60)
        };
        self.properties.duration("realert").unwrap_or(default)
    }

    fn index(&mut self) -> IndexPattern {
        let text = self.properties.text("index").unwrap_or_default();
        if self.properties.bool("use_strftime_index") != Some(true) {
            if text.contains("%Y") || text.contains("%m") {
                let problem = Problem::warning(
                    "W0707",
                    &self.span("index"),
                    "`%` stands for itself in this index",
                );
                self.problems
                    .push(problem.help("add `use_strftime_index: true` if a date is meant"));
            }
            return IndexPattern::new(text, IndexStyle::Plain);
        }
        for (token, meaning) in [
            ("%y", "a year of two digits"),
            ("%M", "minutes"),
            ("%D", "a whole date"),
        ] {
            if text.contains(token) {
                let message = format!("`{token}` in an index stands for {meaning}");
                self.problems.push(
                    Problem::warning("W0707", &self.span("index"), message)
                        .help("`%Y.%m.%d` is most common"),
                );
            }
        }
        IndexPattern::new(text, IndexStyle::Strftime)
    }

    fn aggregation(&mut self) -> Option<Aggregation> {
        let node = self.properties.get("aggregation")?.clone();
        let schedule = node
            .get("schedule")
            .filter(|schedule| python::is_truthy(&schedule.to_value()));
        let due = match schedule {
            Some(schedule) => Due::Schedule(self.schedule(schedule)?),
            None => Due::After(
                self.aggregation_period(node)
                    .filter(|after| !after.is_zero())?,
            ),
        };
        let max = self.properties.int("max_aggregation");
        let flag = |name: &str| self.properties.bool(name) == Some(true);
        Some(Aggregation {
            due,
            key: QueryKey::new(&self.properties.texts("aggregation_key")),
            by_match_time: flag("aggregate_by_match_time"),
            compare_with_match_time: flag("aggregation_alert_time_compared_with_timestamp_field"),
            max: max
                .and_then(|max| usize::try_from(max).ok())
                .unwrap_or(10_000),
        })
    }

    fn aggregation_period(&mut self, mut node: Node) -> Option<Duration> {
        // An empty `schedule` is as good as none, also among the units.
        if let Data::Map(units) = &mut node.data {
            units
                .0
                .retain(|(unit, _)| unit.as_str() != Some("schedule"));
        }
        let period = duration(&node);
        let options = Mapping(vec![(Node::text("aggregation", &node.span), node)]);
        let table = [opt("aggregation").duration()];
        self.problems
            .extend(check(&options, &self.place, &[&table]));
        period
    }

    fn schedule(&mut self, node: &Node) -> Option<Schedule> {
        let found = match node.as_str() {
            Some(text) => Schedule::parse(text),
            None => Err(format!("it takes text, found {}", node.kind_name())),
        };
        let wrong = |error| {
            Problem::error(
                "E0706",
                &node.span,
                format!("`aggregation.schedule` is no cron expression: {error}"),
            )
            .help("five fields: minute, hour, day, month, day of the week, such as \"*/5 * * * *\"")
        };
        found.map_err(|error| self.problems.push(wrong(error))).ok()
    }

    fn filter(&mut self, entry: &RuleTypeEntry) -> Option<Filter> {
        let mut clauses = self
            .properties
            .get("filter")
            .and_then(Node::as_seq)
            .unwrap_or_default()
            .to_vec();
        clauses.extend(self.list_clause(entry));
        Filter::load(&clauses, self.loader.mapping)
            .map_err(|found| self.problems.extend(found))
            .ok()
    }

    /// `filter_by_list`: the list of a blacklist or whitelist narrows the filter too.
    fn list_clause(&self, entry: &RuleTypeEntry) -> Option<Node> {
        if self.properties.bool("filter_by_list") == Some(false) {
            return None;
        }
        // What is wrong with the list is reported when the type is built.
        let list = types::list_entries(entry.name, &self.properties, self.loader.working_directory)
            .ok()?;
        let field = self.properties.texts("compare_key").join(",");
        if list.is_empty() || list.len() > MAX_LIST_IN_FILTER || field.is_empty() {
            return None;
        }
        let clauses: Vec<String> = list.iter().map(|entry| list_term(&field, entry)).collect();
        let query = match entry.name {
            "whitelist" => format!("NOT {}", clauses.join(" AND NOT ")),
            _ => clauses.join(" OR "),
        };
        let span = self.span(entry.name);
        let object = |name: &str, value: Node| Node {
            data: Data::Map(Mapping(vec![(Node::text(name, &span), value)])),
            span: span.clone(),
        };
        Some(object(
            "query_string",
            object("query", Node::text(query, &span)),
        ))
    }
}

/// `FIELD:"entry"`; between slashes it is a regular expression, as ElastAlert has it.
fn list_term(field: &str, entry: &str) -> String {
    if entry.starts_with('/') && entry.ends_with('/') {
        return format!("{field}:{entry}");
    }
    let escaped = entry.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{field}:\"{escaped}\"")
}

/// A hash over what a rule's state depends on. FNV-1a, because it must be the same in every version of the program.
fn fingerprint(properties: &Properties, entry: &RuleTypeEntry) -> u64 {
    let common = ["type", "filter", "query_key", "timeframe", "buffer_time"];
    let time = time_field::OPTIONS.iter().map(|spec| spec.name);
    let mut names: Vec<&str> = entry
        .options
        .iter()
        .map(|spec| spec.name)
        .chain(common)
        .chain(time)
        .collect();
    names.sort_unstable();
    names.dedup();
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for name in names {
        let value = properties.value(name).unwrap_or_default();
        for byte in format!("{name}={value}\n").bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}
