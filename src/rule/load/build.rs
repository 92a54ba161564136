//! From a rule's options to the rule.

use super::import::Written;
use super::options::{OF_SERVICE, OPTIONS};
use super::{
    Loader, default_name, field_mapping, fingerprint, known, list_filter, references, rule_type,
};
use crate::config::service::options::{ELASTICSEARCH, SERVICE};
use crate::config::{
    Alike, Data, Mapping, Node, OptionSpec, Packed, Problem, Properties, Span, check, duration,
    opt, without_effect,
};
use crate::event::python;
use crate::filter::{self, Filter, Mapping as FieldTypes};
use crate::rule::match_document::listed_key;
use crate::rule::members;
use crate::rule::time_field::{self, TimeField};
use crate::rule::types::RULE_TYPES;
use crate::rule::{
    Aggregation, Common, Counted, Due, Hours, IndexPattern, IndexStyle, Outside, QueryKey, Rule,
    RuleTypeEntry, Schedule,
};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Builds a rule, and gives its options with it. One that cannot run comes with an error, and its options.
pub(super) fn build(
    loader: &Loader<'_>,
    path: &Arc<Path>,
    written: Written,
    common: &ForAll,
) -> (Result<(Rule, Properties), Properties>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut options = written.options;
    add_name(path, &mut options, &common.alike.options);
    let complete = Properties::new(options).over(Arc::clone(&common.alike));
    let written_type = complete.own().get("type");
    let place = written_type.map_or(written.place, |node| node.span.clone());
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
    problems.extend(compare(&complete, &place, &tables));
    tables.extend([SERVICE, ELASTICSEARCH]);
    tables.extend(loader.alerter_options);
    problems.extend(without_effect(complete.own(), &tables));
    if let Some(entry) = entry {
        problems.extend(known::check(&complete, &tables, entry));
    }
    let is_text = |name: &str| {
        let tables = loader.text_options.iter().copied();
        tables.flatten().any(|option| option.name == name)
    };
    let properties = references::resolve(complete, &common.referring, is_text);
    let mut builder = Builder {
        loader,
        common,
        properties,
        place,
        problems,
    };
    let rule = entry.and_then(|entry| builder.rule(path, entry));
    let Builder {
        mut problems,
        properties,
        ..
    } = builder;
    problems.sort_by_key(|problem| (problem.span.path() != &**path, problem.span.start));
    let failed = problems.iter().any(Problem::is_error);
    match rule.filter(|_| !failed) {
        Some(rule) => (Ok((rule, properties)), problems),
        None => (Err(properties), problems),
    }
}

/// What is the same for all rules of a load.
pub(super) struct ForAll {
    /// What rules lack: from the configuration, then ElastAlert's defaults for what texts can print. The options of alerters and of the service that hold
    /// secrets: whoever gets alerts need not know them.
    alike: Arc<Alike>,
    /// Of the defaults those that stand for other options.
    referring: Vec<(Node, Node)>,
    /// What their filters have alike.
    filters: Arc<filter::Shared>,
    clocks: Once<TimeField>,
    indices: Once<IndexPattern>,
}

/// Values of which many rules have the same, each kept once.
struct Once<T>(Mutex<Vec<Arc<T>>>);

impl<T: PartialEq> Once<T> {
    /// Looking through more of them costs more than it saves.
    const MOST: usize = 64;

    fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn one(&self, value: T) -> Arc<T> {
        // Nothing is left half done by a thread that panics.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.iter().find(|known| ***known == value) {
            return Arc::clone(same);
        }
        let value = Arc::new(value);
        if known.len() < Self::MOST {
            known.push(Arc::clone(&value));
        }
        value
    }
}

impl ForAll {
    pub(super) fn of(loader: &Loader<'_>) -> Self {
        let tables = [SERVICE, ELASTICSEARCH].into_iter();
        let tables = tables.chain(loader.text_options.iter().copied());
        let tables = tables.chain(loader.alerter_options.iter().copied());
        let types = RULE_TYPES.iter();
        let others = types.clone().map(|entry| entry.options);
        let others = others.chain([OPTIONS, time_field::OPTIONS]);
        let names = others.chain(tables.clone()).flatten();
        let names = names.map(|option| option.name);
        let words = WORDS
            .into_iter()
            .chain(types.map(|entry| entry.name))
            .chain(names);
        let secrets = tables.flatten().filter(|option| option.secret);
        let configured = loader.service.properties.iter();
        let mut defaults: Vec<(Node, Node)> = configured
            .filter(|(key, _)| key.as_str().is_some())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let nowhere = Span::nowhere();
        let text = |text: &str| Data::Str(text.to_owned());
        for (name, data) in [
            ("timestamp_field", text("@timestamp")),
            ("timestamp_type", text("iso")),
            ("timestamp_format", text("%Y-%m-%dT%H:%M:%SZ")),
            ("filter", Data::Seq(Vec::new())),
            ("description", text("")),
            ("owner", text("")),
            ("category", text("")),
            ("priority", text("2")),
            ("use_local_time", Data::Bool(true)),
            ("jinja_root_name", text("_data")),
        ] {
            if !loader.service.properties.contains(name) {
                let span = nowhere.clone();
                defaults.push((Node::text(name, &nowhere), Node { data, span }));
            }
        }
        let referring = defaults.iter();
        let referring = referring.filter(|(_, value)| references::are_in(value));
        Self {
            referring: referring.cloned().collect(),
            alike: Arc::new(Alike {
                options: Mapping(defaults),
                secrets: secrets.map(|option| option.name).collect(),
                words: words.collect(),
            }),
            filters: Arc::default(),
            clocks: Once::new(),
            indices: Once::new(),
        }
    }
}

/// What rules write beside the names of options and rule types.
const WORDS: [&str; 12] = [
    "bool",
    "days",
    "debug",
    "hours",
    "minutes",
    "must",
    "must_not",
    "query",
    "query_string",
    "seconds",
    "term",
    "terms",
];

/// Compares options with the tables they have to suit.
fn compare(options: &Properties, place: &Span, tables: &[&[OptionSpec]]) -> Vec<Problem> {
    let members = options.iter();
    let by_name = members.filter_map(|(key, value)| Some((key.as_str()?, value)));
    let by_name: HashMap<&str, &Node, FixedState> = by_name.collect();
    let named = |name: &str| by_name.get(name).copied();
    let own = |name: &str| named(name).and_then(|_| options.own().get(name));
    let mut problems = check(named, place, tables);
    problems.extend(check(own, place, &[OF_SERVICE, ELASTICSEARCH]));
    problems
}

/// A rule without a name is called after its file.
fn add_name(path: &Path, own: &mut Mapping, defaults: &Mapping) {
    if own.get("name").is_none() && defaults.get("name").is_none() {
        let nowhere = Span::nowhere();
        let name = Node::text(default_name(path), &nowhere);
        own.0.push((Node::text("name", &nowhere), name));
    }
}

/// What ElastAlert works out for the rule beside its options: texts can print it.
fn worked_out(
    properties: &Properties,
    path: &Path,
    realert: Duration,
    list_clause: Option<Node>,
) -> Mapping {
    let nowhere = Span::nowhere();
    let node = |data| Node {
        data,
        span: nowhere.clone(),
    };
    let text = |text: &str| Node::text(text, &nowhere);
    let duration = |duration: Duration| {
        let seconds = node(Data::Float(duration.as_secs_f64()));
        node(Data::Map(Mapping(vec![(text("seconds"), seconds)])))
    };
    let worked_out = [
        ("rule_file", text(&path.display().to_string())),
        ("realert", duration(realert)),
        ("aggregation", duration(Duration::ZERO)),
    ];
    let mut changed: Vec<(Node, Node)> = worked_out
        .into_iter()
        .filter(|(name, _)| !properties.contains(name))
        .map(|(name, value)| (text(name), value))
        .collect();
    if let (Some(clause), Some(filter)) = (list_clause, properties.get("filter")) {
        let mut clauses = filter.as_seq().unwrap_or_default().to_vec();
        clauses.push(clause);
        let whole = Node {
            data: Data::Seq(clauses),
            span: filter.span.clone(),
        };
        changed.push((text("filter"), whole));
    }
    Mapping(changed)
}

struct Builder<'a> {
    loader: &'a Loader<'a>,
    common: &'a ForAll,
    properties: Properties,
    place: Span,
    problems: Vec<Problem>,
}

impl Builder<'_> {
    /// Adds problems at places that nothing was said about yet: what the tables found is not to be told again in a type's words.
    fn add_new(&mut self, found: Vec<Problem>) {
        for problem in found {
            let place = |other: &Problem| (other.span.path().to_owned(), other.span.start);
            if !self
                .problems
                .iter()
                .any(|other| other.is_error() && place(other) == place(&problem))
            {
                self.problems.push(problem);
            }
        }
    }

    /// Builds what can be built, so that as many problems as possible are found; the caller drops a rule with errors.
    fn rule(&mut self, path: &Arc<Path>, entry: &'static RuleTypeEntry) -> Option<Rule> {
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
        let timeframe = self.properties.duration("timeframe");
        if self.properties.bool("scan_entire_timeframe") == Some(true)
            && timeframe.is_none_or(|timeframe| timeframe.is_zero())
        {
            let span = self.span("scan_entire_timeframe");
            let message = "`scan_entire_timeframe` needs a `timeframe`";
            self.problems.push(
                Problem::error("E0708", &span, message)
                    .help("remove `scan_entire_timeframe`: it has no effect here"),
            );
        }
        let aggregation = self.aggregation();
        let hours = self.hours();
        let index = self.index();
        let mapping = field_mapping::read(self.loader, &self.properties, &index.as_wildcards())
            .unwrap_or_else(|found| {
                self.problems.extend(found);
                self.loader.mapping.clone()
            });
        let directory = self.loader.working_directory;
        let list_clause = list_filter::clause(entry, &self.properties, directory);
        let filter = self.filter(list_clause.as_ref(), &mapping);
        let name = self.properties.text("name")?;
        let common = Common {
            name: name.clone(),
            span: self.place.clone(),
            query_key,
            time: time?,
            timeframe,
            buffer_time: self
                .properties
                .duration("buffer_time")
                .unwrap_or(service.buffer_time),
            run_every: service.run_every,
            working_directory: self.loader.working_directory.to_owned(),
            mapping,
            filters: Arc::clone(&self.common.filters),
        };
        let kind = (entry.build)(&self.properties, &common);
        let kind = kind.map_err(|found| self.add_new(found)).ok()?;
        let compound = common.query_key.as_ref().filter(|key| key.is_compound());
        let listed = self.properties.get("aggregation_key").and_then(listed_key);
        let joined: Vec<&QueryKey> = compound.into_iter().chain(&listed).collect();
        let kind = members::show(kind, &joined, index.only());
        self.problems
            .extend((entry.advice)(&self.properties, &common));
        let realert = self.realert();
        let filter = filter?;
        let state_fingerprint = fingerprint::of(&self.properties, entry);
        let worked_out = worked_out(&self.properties, path, realert, list_clause);
        let properties = &self.properties;
        let include = properties.get("include");
        let rule = Rule {
            file: Arc::clone(path),
            index: self.common.indices.one(index),
            filter,
            type_name: entry.name,
            kind,
            time: self.common.clocks.one(common.time),
            query_key: common.query_key,
            include: include.map(|_| properties.texts("include").into()),
            realert,
            exponential_realert: properties.duration("exponential_realert"),
            realert_key: properties.text("realert_key").map(Into::into),
            counted: Counted::of(properties, aggregation.as_ref()).map(Box::new),
            aggregation: aggregation.map(Box::new),
            hours,
            alert_time_limit: service.alert_time_limit,
            state_fingerprint,
            name,
            options: Packed::default(),
        };
        self.properties.lay_over(worked_out);
        Some(Rule {
            options: Packed::new(&self.properties),
            ..rule
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
            Some(schedule) => Due::Schedule(self.schedule("aggregation.schedule", schedule)?),
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
            .extend(check(|name| options.get(name), &self.place, &[&table]));
        period
    }

    fn hours(&mut self) -> Option<Hours> {
        let is_set = |node: &&Node| python::is_truthy(&node.to_value());
        let node = self.properties.get("limit_execution").filter(is_set)?;
        let node = node.clone();
        let coverage = self.properties.get("limit_execution_coverage");
        let outside = match coverage.filter(is_set) {
            Some(_) => Outside::Ignored,
            None => Outside::Wait,
        };
        let schedule = self.schedule("limit_execution", &node)?;
        Some(Hours { schedule, outside })
    }

    fn schedule(&mut self, option: &str, node: &Node) -> Option<Schedule> {
        let found = match node.as_str() {
            Some(text) => Schedule::parse(text),
            None => Err(format!("it takes text, found {}", node.kind_name())),
        };
        let wrong = |error| {
            Problem::error(
                "E0706",
                &node.span,
                format!("`{option}` is no cron expression: {error}"),
            )
            .help("five fields: minute, hour, day, month, day of the week, such as \"*/5 * * * *\"")
        };
        found.map_err(|error| self.problems.push(wrong(error))).ok()
    }

    fn filter(&mut self, list_clause: Option<&Node>, mapping: &FieldTypes) -> Option<Filter> {
        let mut clauses = self
            .properties
            .get("filter")
            .and_then(Node::as_seq)
            .unwrap_or_default()
            .to_vec();
        clauses.extend(list_clause.cloned());
        let written = self.properties.get("filter").and_then(Node::as_seq);
        let hints = filter::hints(written.unwrap_or_default(), mapping);
        match Filter::load(&clauses, mapping) {
            Ok(mut filter) => {
                self.problems.extend(hints);
                filter.share(&self.common.filters);
                Some(filter)
            }
            Err(found) => {
                self.problems.extend(found);
                None
            }
        }
    }
}
