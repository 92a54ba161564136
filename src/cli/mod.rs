//! The commands. This is where everything is put together; nothing uses it.

pub mod args;
mod bench;
mod check;
mod clock;
pub mod create_index;
mod data;
mod exit;
mod explain;
mod field_mapping;
mod links;
mod log;
mod notices;
mod output;
mod rules;
mod run;
mod service;
mod silence;
mod state;
pub mod test_rule;
mod warm;

use crate::alert::Process;
use crate::alerter::World;
use crate::config::service::Sources;
use crate::config::{Problem, Service as Config, Severity, yaml_files};
use crate::event::json::parse_document;
use crate::filter::FilterEvent;
use crate::input::index_name::IndexName;
use anyhow::Context as _;
use clap::Parser;
use jiff::tz::TimeZone;
use rules::{Loaded, Loader};
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Applies ElastAlert rules in the stream: alerts within milliseconds of the event.
#[derive(Parser)]
#[command(
    name = "tripline",
    version,
    infer_long_args = true,
    max_term_width = 100
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Run the service; also called as `elastalert`, and the default
    Run(Box<run::Args>),
    /// Run one rule over events once; also called as `elastalert-test-rule`
    TestRule(Box<test_rule::Args>),
    /// Make the writeback indices; also called as `elastalert-create-index`
    CreateIndex(Box<create_index::Args>),
    /// Show the problems of configuration and rules
    Check {
        /// Rule files, or folders with rules [default: the configured rules folders]
        #[arg(value_name = "FILE|DIR")]
        paths: Vec<PathBuf>,
        /// Sample events to hold the rules against: a file, plain, gzip or zstd, or - for the standard input
        #[arg(long, value_name = "FILE")]
        data: Option<PathBuf>,
        /// The configuration file [default: config.yaml, else config.yml, else none]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Show why a rule's filter picks an event, or does not
    Explain {
        /// The rule's file
        rule: PathBuf,
        /// A file with events [default: the standard input]
        event: Option<PathBuf>,
        /// The configuration file [default: config.yaml, else config.yml, else none]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Show, set and end silences, with the service running or not
    Silence(Box<silence::Command>),
    /// Show what rules remember: counts, windows, silences and aggregations that wait
    State(Box<state::Command>),
    /// Fill what rules remember from the past, before they go live or while they run; nothing is alerted
    Warm(Box<warm::Command>),
    /// Measure how fast rules decide events
    Bench(Box<bench::Args>),
    /// Make links by which this program is also elastalert, elastalert-test-rule and elastalert-create-index
    Links {
        /// Where to
        directory: PathBuf,
        /// Replace links that point elsewhere
        #[arg(long)]
        force: bool,
    },
}

/// Runs the program; the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let line = match CommandLine::try_parse_from(args::normalise(arguments)) {
        Ok(line) => line,
        Err(error) => {
            // Help and version go to standard output and are no mistake.
            let code = if error.use_stderr() {
                exit::USAGE
            } else {
                exit::FINE
            };
            return error.print().map_or(exit::PROBLEMS, |()| code);
        }
    };
    crate::tls::install_provider();
    let result = match line.command {
        Command::Run(args) => start(&args),
        Command::TestRule(args) => test_rule::run(&args),
        Command::CreateIndex(args) => make_indices(&args),
        Command::Check {
            paths,
            data,
            config,
        } => check_rules(&paths, data.as_deref(), config.as_deref()),
        Command::Explain {
            rule,
            event,
            config,
        } => explain_rule(&rule, event.as_deref(), config.as_deref()),
        Command::Silence(command) => silence(*command),
        Command::State(command) => state(&command),
        Command::Warm(command) => warm(&command),
        Command::Bench(args) => bench::run(&args),
        Command::Links { directory, force } => links::run(&directory, force).map(|()| exit::FINE),
    };
    result.unwrap_or_else(|error| {
        eprintln!("tripline: {error:#}");
        exit::PROBLEMS
    })
}

/// Reads the configuration; its problems are returned.
fn load_config(path: Option<&Path>, expand: bool) -> anyhow::Result<(Config, Vec<Problem>)> {
    if let Some(path) = path {
        anyhow::ensure!(
            path.exists(),
            "{}: no such configuration file",
            path.display()
        );
    }
    let alerters = rules::alerter_options();
    let mut tables = vec![crate::rule::load::options::OPTIONS];
    tables.extend(crate::alert::OPTIONS);
    tables.extend(alerters);
    let sources = Sources {
        path,
        environment: &rules::environment,
        expand,
        rule_options: &tables,
        known: &crate::rule::load::options::is_named_by_user,
    };
    Ok(Config::load(&sources))
}

/// What rules and alerters need of the process.
fn process() -> anyhow::Result<Process> {
    Ok(Process {
        zone: TimeZone::system(),
        working_directory: std::env::current_dir()
            .context("the working directory cannot be found out")?,
        enhancements: crate::alert::enhancements::ENHANCEMENTS,
    })
}

fn start(args: &run::Args) -> anyhow::Result<i32> {
    let level = if args.es_debug {
        "info,tripline::writeback=debug"
    } else {
        "info"
    };
    log::start(args.log_format, level);
    let (config, problems) = load_config(args.config.as_deref(), true)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "tripline");
    match &config.file {
        Some(file) => tracing::info!(file = %file.display(), "configuration"),
        None => tracing::info!("configuration: none, defaults are used"),
    }
    report(&problems);
    let inputs = config.inputs(args.stdin);
    for (input, index) in inputs
        .iter()
        .filter_map(|input| Some((input.name(), input.index()?)))
    {
        IndexName::parse(index).with_context(|| format!("input {input}: index {index:?}"))?;
    }
    if args.patience.is_some() {
        tracing::info!(
            "--patience has no effect: events are evaluated without Elasticsearch, and what is written to it waits in the store until it answers"
        );
    }
    if problems.iter().any(Problem::is_error) {
        return Ok(exit::PROBLEMS);
    }
    let loader = loader(config.clone(), args.rule.clone(), args.debug)?;
    let loaded = loader.load(0);
    report_rules(&loaded);
    if let Some(period) = &args.silence {
        return silence::run(args, period, &config, &loaded);
    }
    if loaded.rules.rules.is_empty() {
        tracing::error!("no rule can run");
        return Ok(exit::PROBLEMS);
    }
    service::run(args, config, loader, loaded)
}

/// Logs problems, one line each: `tripline check` shows them with their lines.
fn report(problems: &[Problem]) {
    for problem in problems {
        match problem.severity {
            Severity::Note => tracing::info!("{problem}"),
            Severity::Warning => tracing::warn!("{problem}"),
            Severity::Error => tracing::error!("{problem}"),
        }
    }
}

/// Logs what was loaded.
fn report_rules(loaded: &Loaded) {
    report(&loaded.problems);
    let (rules, disabled, problems) = (
        loaded.rules.rules.len(),
        loaded.disabled.len(),
        loaded.problems.len(),
    );
    tracing::info!(rules, disabled, problems, "loaded");
    if loaded.show_disabled && disabled > 0 {
        let names: Vec<&str> = loaded
            .disabled
            .iter()
            .map(|rule| rule.name.as_str())
            .collect();
        tracing::info!("Disabled rules are: {names:?}");
    }
}

fn check_rules(
    paths: &[PathBuf],
    data: Option<&Path>,
    config: Option<&Path>,
) -> anyhow::Result<i32> {
    let (config, mut problems) = load_config(config, true)?;
    let subfolders = config.scan_subdirectories;
    let loader = loader(config, None, false)?;
    let mut files = Vec::new();
    for path in paths {
        match yaml_files(path, subfolders) {
            _ if !path.is_dir() => files.push(path.clone()),
            Ok(found) => files.extend(found),
            Err(problem) => problems.push(problem),
        }
    }
    let loaded = if paths.is_empty() {
        loader.load(0)
    } else {
        loader.load_files(&files)
    };
    problems.extend(loaded.problems);
    if let Some(path) = data {
        let mut documents = Vec::new();
        for (at, event) in data::read(path)?.iter().enumerate() {
            match parse_document(event) {
                Ok(document) => documents.push(document),
                Err(error) => output::line(&format!("event {at} of {}: {error}", path.display())),
            }
        }
        let sample = check::Sample::new(documents, clock::now());
        check::against_sample(&loaded.program, &loaded.outlets, &sample, &mut problems);
    }
    Ok(check::print(
        &problems,
        loaded.rules.rules.len(),
        loaded.disabled.len(),
    ))
}

fn silence(command: silence::Command) -> anyhow::Result<i32> {
    log::start(log::LogFormat::Text, "warn");
    let (config, problems) = load_config(command.config.as_deref(), true)?;
    report(&problems);
    command.run(&config, |name| {
        let loader = loader(config.clone(), None, false)?;
        let file = loader.find(Path::new(name));
        let loaded = if file.is_file() {
            loader.load_files(std::slice::from_ref(&file))
        } else {
            loader.load(0)
        };
        let mut rules = loaded.rules.rules.iter();
        let rule = rules.find(|rule| rule.name == name || *rule.file == *file);
        if rule.is_none() {
            report(&loaded.problems);
        }
        Ok(rule.cloned())
    })
}

fn state(command: &state::Command) -> anyhow::Result<i32> {
    log::start(log::LogFormat::Text, "warn");
    let (config, problems) = load_config(command.config.as_deref(), true)?;
    report(&problems);
    let loader = loader(config.clone(), None, false)?;
    command.run(&config, &loader)
}

fn warm(command: &warm::Command) -> anyhow::Result<i32> {
    log::start(log::LogFormat::Text, "warn");
    let (config, problems) = load_config(command.config.as_deref(), true)?;
    report(&problems);
    let loader = loader(config.clone(), None, false)?;
    command.run(&config, &loader)
}

fn explain_rule(rule: &Path, event: Option<&Path>, config: Option<&Path>) -> anyhow::Result<i32> {
    let (config, _) = load_config(config, true)?;
    // Also a rule that is switched off.
    let loaded = loader(config, None, false)?.load_to_test(rule);
    let Some(rule) = loaded.rules.rules.first() else {
        return Ok(check::print(&loaded.problems, 0, loaded.disabled.len()));
    };
    let mut code = exit::FINE;
    for (at, event) in data::read(event.unwrap_or(Path::new("-")))?
        .iter()
        .enumerate()
    {
        if at > 0 {
            output::line("");
        }
        let document = match parse_document(event) {
            Ok(document) => document,
            Err(error) => {
                output::line(&format!("event {at} cannot be read: {error}"));
                code = exit::PROBLEMS;
                continue;
            }
        };
        let event = FilterEvent {
            document: &document,
            index: None,
            id: None,
            now: clock::now(),
        };
        output::line(explain::render(&rule.filter, &event, check::colours()).trim_end());
    }
    Ok(code)
}

/// What loads the rules of a configuration.
fn loader(config: Config, only: Option<PathBuf>, debug: bool) -> anyhow::Result<Loader> {
    let transport = Arc::new(World::new(Box::new(std::io::stdout())));
    Ok(Loader {
        config: Arc::new(config),
        only,
        debug,
        process: process()?,
        transport,
    })
}

fn make_indices(args: &create_index::Args) -> anyhow::Result<i32> {
    log::start(log::LogFormat::Text, "warn");
    let (config, problems) = load_config(args.config.as_deref(), false)?;
    report(&problems);
    let configured = create_index::Configured {
        file: config.file.clone(),
        es: config.elasticsearch.clone(),
        writeback_index: Some(config.writeback_index.clone()),
        store: config.store,
    };
    let (stdin, mut stdout) = (std::io::stdin(), std::io::stdout());
    let mut input = stdin.lock();
    let mut terminal = create_index::Terminal {
        input: stdin.is_terminal().then_some(&mut input),
        output: &mut stdout,
        secret: create_index::secret_from_terminal,
    };
    Ok(i32::from(create_index::run(
        args,
        &configured,
        &mut terminal,
        &mut std::io::stderr(),
    )))
}
