//! The configuration file: ElastAlert's flat `config.yml`, and what belongs to us beside it.

mod elasticsearch;
mod field_mapping;
mod inputs;
pub mod options;
mod reader;
#[cfg(test)]
mod tests;

pub use elasticsearch::{Credentials, EsConfig};
pub use field_mapping::FieldMappings;
pub use inputs::{
    AuthConfig, HttpConfig, InputConfig, ListenConfig, SourceConfig, StdinConfig, TcpConfig,
    TlsConfig,
};

use super::{
    Data, Environment, Mapping, Node, OptionSpec, Problem, Properties, SourceFile, Span, check,
    unknown, yaml,
};
use options::{DEAD_LETTER, ELASTICSEARCH, RETRY, SERVICE, STORE, WEB};
use reader::Reader;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What the configuration is read from.
pub struct Sources<'a> {
    /// `--config`; `None`: `config.yaml`, else `config.yml` in the working directory, else defaults.
    pub path: Option<&'a Path>,
    /// Environment variables: put into the text, and over some options.
    pub environment: Environment<'a>,
    /// Whether variables are put into the text. `elastalert-create-index` does not.
    pub expand: bool,
    /// The tables of everything a rule may have: each option may stand in the configuration as a default.
    pub rule_options: &'a [&'a [OptionSpec]],
    /// Options that are no one's yet, but known.
    pub known: &'a dyn Fn(&str) -> bool,
}

/// The service's configuration, complete.
#[derive(Debug, Clone)]
pub struct Service {
    /// The file it was read from.
    pub file: Option<PathBuf>,
    /// Every option written in it or set by the environment: rules take what they lack from here.
    pub properties: Properties,
    /// `rules_folder`.
    pub rules_folders: Vec<PathBuf>,
    /// `scan_subdirectories`.
    pub scan_subdirectories: bool,
    /// `run_every`: the tick.
    pub run_every: Duration,
    /// `buffer_time`.
    pub buffer_time: Duration,
    /// `alert_time_limit`.
    pub alert_time_limit: Duration,
    /// `writeback_index`.
    pub writeback_index: String,
    /// `replace_dots_in_field_names`.
    pub replace_dots_in_field_names: bool,
    /// `add_metadata_alert`.
    pub add_metadata_alert: bool,
    /// `notify_all_errors`.
    pub notify_all_errors: bool,
    /// `es_host` and what belongs to it; `None`: no Elasticsearch is used.
    pub elasticsearch: Option<EsConfig>,
    /// `inputs`, as configured: [`Service::inputs`] knows the defaults.
    pub inputs: Vec<InputConfig>,
    /// `store.path`.
    pub store: PathBuf,
    /// What else `store` says.
    pub store_limits: StoreLimits,
    /// `retry`.
    pub retry: RetryConfig,
    /// `statsd_host`; `None`: no gauges are sent.
    pub statsd_host: Option<String>,
    /// `statsd_instance_tag`.
    pub statsd_instance_tag: String,
    /// `show_disabled_rules`.
    pub show_disabled_rules: bool,
    /// `web.listen`.
    pub web: Option<SocketAddr>,
    /// `future_tolerance`.
    pub future_tolerance: Duration,
    /// `lateness`.
    pub lateness: Duration,
    /// `dead_letter`.
    pub dead_letter: DeadLetterConfig,
    /// What `mapping: elasticsearch` asks; nobody at first.
    pub field_mappings: FieldMappings,
}

/// How much the store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// How long documents are kept.
    pub keep: Duration,
    /// The size of all documents, in bytes.
    pub max_size: usize,
    /// The memory of the events that rules keep, in bytes.
    pub max_kept: usize,
    /// What the others of them may take on disk, in bytes.
    pub max_spilled: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(30 * 86_400),
            max_size: 1 << 30,
            max_kept: 512 << 20,
            max_spilled: 4 << 30,
        }
    }
}

/// `retry:`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryConfig {
    /// The wait after the first failure; each further one doubles it.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl RetryConfig {
    /// Without any wait a service that is down would be asked without end.
    const SHORTEST: Duration = Duration::from_millis(100);
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            longest: Duration::from_secs(300),
        }
    }
}

/// `dead_letter:`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterConfig {
    /// The folder.
    pub path: PathBuf,
    /// Its size, in bytes.
    pub max_size: usize,
}

/// Options the environment decides over the file, as in ElastAlert.
const FROM_ENVIRONMENT: [(&str, &str); 9] = [
    ("ES_HOST", "es_host"),
    ("ES_HOSTS", "es_hosts"),
    ("ES_PORT", "es_port"),
    ("ES_USERNAME", "es_username"),
    ("ES_PASSWORD", "es_password"),
    ("ES_API_KEY", "es_api_key"),
    ("ES_BEARER", "es_bearer"),
    ("ES_URL_PREFIX", "es_url_prefix"),
    ("ES_USE_SSL", "use_ssl"),
];

impl Service {
    /// Reads the configuration. What cannot be used is an error among the problems, and the default in the result.
    pub fn load(sources: &Sources<'_>) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let (path, root) = read_file(sources, &mut problems);
        let place = root
            .as_ref()
            .map_or_else(Span::nowhere, |node| node.span.clone());
        let mut mapping = Mapping::default();
        match root.map(|node| (node.span, node.data)) {
            None | Some((_, Data::Null)) => {}
            // A name without a value is as good as absent.
            Some((_, Data::Map(map))) => mapping
                .0
                .extend(map.0.into_iter().filter(|(_, value)| !value.is_null())),
            Some((span, data)) => {
                let kind = Node {
                    data,
                    span: span.clone(),
                }
                .kind_name();
                problems.push(Problem::error(
                    "E0107",
                    &span,
                    format!("a configuration is an object, found {kind}"),
                ));
            }
        }
        set_from_environment(&mut mapping, sources.environment);
        let mut tables = vec![SERVICE, ELASTICSEARCH];
        let wrong = check(|name| mapping.get(name), &place, &tables);
        let properties = Properties::new(reader::sound(&mapping, &wrong));
        problems.extend(wrong);
        problems.extend(super::without_effect(&mapping, &tables));
        tables.extend(sources.rule_options);
        problems.extend(unknown(&mapping, &tables, sources.known));
        let mut reader = Reader::checked(properties, place, &mut problems);
        let mut service = Self::read(&mut reader, path.as_deref(), sources.environment);
        service.properties = Properties::new(mapping);
        problems.sort_by_key(|problem| problem.span.start);
        (service, problems)
    }

    fn read(reader: &mut Reader<'_>, file: Option<&Path>, environment: Environment<'_>) -> Self {
        let duration = |reader: &Reader<'_>, name: &str, minutes: u64| {
            let default = Duration::from_secs(minutes * 60);
            reader.properties.duration(name).unwrap_or(default)
        };
        if reader
            .properties
            .text("rules_loader")
            .is_some_and(|loader| loader != "file")
        {
            let problem = Problem::error(
                "E0810",
                &reader.span("rules_loader"),
                "rules are loaded from files only",
            );
            reader.problem(problem.help("remove `rules_loader`: a Python class cannot be used"));
        }
        if reader.properties.duration("run_every") == Some(Duration::ZERO) {
            let span = reader.span("run_every");
            let problem = Problem::error(
                "E0811",
                &span,
                "`run_every` is nothing, so there would be no end of ticks",
            );
            reader.problem(problem.help("write run_every: {minutes: 1}"));
        }
        let mut folders: Vec<PathBuf> = reader
            .properties
            .texts("rules_folder")
            .iter()
            .map(PathBuf::from)
            .collect();
        if folders.is_empty() {
            folders.push(PathBuf::from("rules"));
        }
        let inputs = reader
            .properties
            .get("inputs")
            .and_then(Node::as_seq)
            .map(<[Node]>::to_vec);
        let store = reader.object("store", STORE, |store| {
            let limits = StoreLimits::default();
            let limits = StoreLimits {
                keep: store.properties.duration("keep").unwrap_or(limits.keep),
                max_size: store.size("max_size", limits.max_size),
                max_kept: store.size("max_kept", limits.max_kept),
                max_spilled: store.size("max_spilled", limits.max_spilled),
            };
            (store.path("path"), limits)
        });
        let (store, store_limits) = store.unwrap_or_default();
        let store = store.unwrap_or_else(|| default_store(file, environment));
        let retry = reader.object("retry", RETRY, |retry| {
            let defaults = RetryConfig::default();
            let wait = |name, default| retry.properties.duration(name).unwrap_or(default);
            let first = wait("first", defaults.first).max(RetryConfig::SHORTEST);
            RetryConfig {
                first,
                longest: wait("longest", defaults.longest).max(first),
            }
        });
        let buffer_time = duration(reader, "buffer_time", 15);
        let web = (Ipv4Addr::LOCALHOST, 8557).into();
        let dead_letter = reader.object("dead_letter", DEAD_LETTER, |reader| DeadLetterConfig {
            path: reader
                .path("path")
                .unwrap_or_else(|| store.join("dead-letter")),
            max_size: reader.size("max_size", DeadLetterConfig::MAX_SIZE),
        });
        Self {
            file: file.map(Path::to_owned),
            properties: Properties::default(),
            field_mappings: FieldMappings::default(),
            rules_folders: folders,
            scan_subdirectories: reader
                .properties
                .bool("scan_subdirectories")
                .unwrap_or(true),
            run_every: duration(reader, "run_every", 1),
            buffer_time,
            alert_time_limit: duration(reader, "alert_time_limit", 2 * 24 * 60),
            writeback_index: reader
                .properties
                .text("writeback_index")
                .unwrap_or_else(|| "elastalert_status".to_owned()),
            replace_dots_in_field_names: reader
                .properties
                .bool("replace_dots_in_field_names")
                .unwrap_or(false),
            add_metadata_alert: reader
                .properties
                .bool("add_metadata_alert")
                .unwrap_or(false),
            notify_all_errors: reader.properties.bool("notify_all_errors").unwrap_or(false),
            elasticsearch: elasticsearch::read(reader),
            inputs: reader.inputs(inputs.as_deref().unwrap_or_default()),
            web: reader.object("web", WEB, |reader| reader.address("listen", web)),
            future_tolerance: duration(reader, "future_tolerance", 5),
            lateness: reader
                .properties
                .duration("lateness")
                .unwrap_or(buffer_time),
            dead_letter: dead_letter.unwrap_or_else(|| DeadLetterConfig {
                path: store.join("dead-letter"),
                max_size: DeadLetterConfig::MAX_SIZE,
            }),
            store,
            store_limits,
            retry: retry.unwrap_or_default(),
            statsd_host: reader
                .properties
                .text("statsd_host")
                .filter(|host| !host.is_empty()),
            statsd_instance_tag: reader
                .properties
                .text("statsd_instance_tag")
                .unwrap_or_default(),
            show_disabled_rules: reader
                .properties
                .bool("show_disabled_rules")
                .unwrap_or(true),
        }
    }

    /// The inputs to open: the configured ones; without any, HTTP and TCP on loopback. `--stdin` adds the standard input, and
    /// is enough alone.
    pub fn inputs(&self, stdin: bool) -> Vec<InputConfig> {
        let mut inputs = self.inputs.clone();
        if stdin
            && !inputs
                .iter()
                .any(|input| matches!(input, InputConfig::Stdin(_)))
        {
            inputs.push(InputConfig::Stdin(StdinConfig {
                source: SourceConfig::named("stdin"),
            }));
        }
        if inputs.is_empty() {
            inputs.push(InputConfig::Http(HttpConfig::on(inputs::default_http())));
            inputs.push(InputConfig::Tcp(TcpConfig::on(inputs::default_tcp())));
        }
        inputs
    }
}

impl DeadLetterConfig {
    /// The default of `max_size`.
    const MAX_SIZE: usize = 100 << 20;
}

fn read_file(
    sources: &Sources<'_>,
    problems: &mut Vec<Problem>,
) -> (Option<PathBuf>, Option<Node>) {
    let path = sources.path.map(Path::to_owned).or_else(|| {
        ["config.yaml", "config.yml"]
            .iter()
            .map(PathBuf::from)
            .find(|path| path.is_file())
    });
    let Some(path) = path else {
        return (None, None);
    };
    let environment = sources.expand.then_some(sources.environment);
    let (node, found) = match super::read(&path) {
        Ok(file) => yaml::parse(&file, environment),
        Err(problem) => (None, vec![problem]),
    };
    problems.extend(found);
    (Some(path), node)
}

fn set_from_environment(mapping: &mut Mapping, environment: Environment<'_>) {
    for (variable, option) in FROM_ENVIRONMENT {
        let Some(value) = environment(variable) else {
            continue;
        };
        // Problems with it point at the variable.
        let file = SourceFile::new(PathBuf::from(format!("${variable}")), "");
        let span = Span::of_file(&Arc::new(file));
        let data = if option == "use_ssl" {
            let yes = ["true", "on", "ok", "y", "yes", "1"];
            Data::Bool(yes.contains(&value.to_lowercase().as_str()))
        } else {
            Data::Str(value)
        };
        mapping.set(Node::text(option, &span), Node { data, span });
    }
}

/// systemd's `$STATE_DIRECTORY` (the first, if there are several), else a folder beside the configuration file.
fn default_store(file: Option<&Path>, environment: Environment<'_>) -> PathBuf {
    let given = environment("STATE_DIRECTORY")
        .and_then(|paths| paths.split(':').next().map(str::to_owned))
        .filter(|path| !path.is_empty());
    match given {
        Some(path) => PathBuf::from(path),
        None => file
            .and_then(Path::parent)
            .unwrap_or(Path::new(""))
            .join("tripline-state"),
    }
}
