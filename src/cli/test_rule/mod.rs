//! `tripline test-rule`, also called as `elastalert-test-rule`: one rule over events, once.
//!
//! Follows <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#testing-your-rule>. The events come from a file or a pipe (`--data`),
//! else from the rule's index, which is read once. They go through the very engine the service runs; time is what the events say it is.
//! Nothing is written anywhere, and unless `--alert` is given nothing is sent.

mod console;
mod hits;
pub(super) mod range;
mod replay;
pub(super) mod source;
pub(super) mod timed;
mod written;

pub use source::Source;

use super::rules::{Loaded, Loader};
use super::{Command, CommandLine, args, data, exit, load_config};
use crate::alert::Process;
use crate::config::service::Service as Config;
use crate::config::{Colours, Problem, render};
use crate::event::dumps::Dumps;
use crate::event::{Document, WallTime};
use crate::rule::Rule;
use anyhow::Context as _;
use clap::Parser as _;
use console::{Console, Printing};
use range::Range;
use replay::Replay;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{IsTerminal as _, Write};
use std::path::PathBuf;
use std::sync::Arc;
use timed::Timed;
use written::Written;

/// Broken documents that are named each; more are counted.
const NAMED: usize = 20;

/// The flags, by elastalert2's names.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The rule's file: a path, or a file name in the rules folder
    #[arg(value_name = "rule")]
    file: PathBuf,
    /// Show only what is wrong with the rule; look at no events
    #[arg(long)]
    schema_only: bool,
    /// Look at the events of the previous N days
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    days: u32,
    /// Look at events after this time (YYYY-MM-DDTHH:MM:SS, or NOW)
    #[arg(long, value_name = "START")]
    start: Option<String>,
    /// Look at events up to this time (YYYY-MM-DDTHH:MM:SS, or NOW) [default: NOW]
    #[arg(long, value_name = "END")]
    end: Option<String>,
    /// Stop at the first error: exit 3 when a search failed, 4 when the rule could not be run over the events
    #[arg(long)]
    stop_error: bool,
    /// Print the results as one JSON object
    #[arg(long)]
    formatted_output: bool,
    /// Take the events from this file, or - for the standard input: JSON lines, a JSON array or one object, also .gz and .zst
    #[arg(long, value_name = "FILENAME")]
    data: Option<PathBuf>,
    /// With --data: take the events in the order they have, as the service would, instead of sorting them by time
    #[arg(long, requires = "data")]
    as_arrived: bool,
    /// Send the alerts instead of printing them
    #[arg(long)]
    alert: bool,
    /// Save the events found to this file, --max-query-size of them at most
    #[arg(long, value_name = "FILENAME", conflicts_with = "data")]
    save_json: Option<PathBuf>,
    /// Run over the events that --save-json saved
    #[arg(long, requires = "save_json")]
    use_downloaded: bool,
    /// How many events are saved or printed, and read at once
    #[arg(long, value_name = "MAX_QUERY_SIZE", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_query_size: u32,
    /// Show only how many events there are
    #[arg(long)]
    count_only: bool,
    /// The configuration file [default: config.yaml, else config.yml, else none]
    #[arg(long, value_name = "CONFIG")]
    config: Option<PathBuf>,
}

/// What a run depends on beside its arguments.
pub struct Environment {
    /// The time, where the arguments leave it open.
    pub now: WallTime,
    /// What texts depend on.
    pub process: Process,
    /// Where the rule's index is read from; `None`: the configured server.
    pub source: Option<Box<dyn Source>>,
    /// Standard output.
    pub output: Box<dyn Write + Send>,
    /// Standard error.
    pub errors: Box<dyn Write + Send>,
    /// Whether a person looks at standard error: then there are colours and a progress bar.
    pub is_terminal: bool,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Runs the command in the process's own environment.
pub(super) fn run(args: &Args) -> anyhow::Result<i32> {
    test(
        args,
        Environment {
            now: super::clock::now(),
            process: super::process()?,
            source: None,
            output: Box::new(std::io::stdout()),
            errors: Box::new(std::io::stderr()),
            is_terminal: std::io::stderr().is_terminal(),
        },
    )
}

/// Runs the command line of `elastalert-test-rule` (its first argument is the program's name) in an environment; the exit code.
///
/// # Errors
/// What the program would print before it exits with 1.
pub fn run_with(
    arguments: impl IntoIterator<Item = OsString>,
    mut environment: Environment,
) -> anyhow::Result<i32> {
    match CommandLine::try_parse_from(args::normalise(arguments)) {
        Ok(CommandLine {
            command: Command::TestRule(args),
        }) => test(&args, environment),
        Ok(_) => anyhow::bail!("another command"),
        Err(error) => {
            let (to, code) = if error.use_stderr() {
                (&mut environment.errors, exit::USAGE)
            } else {
                (&mut environment.output, exit::FINE)
            };
            write!(to, "{}", error.render())?;
            Ok(code)
        }
    }
}

fn test(args: &Args, environment: Environment) -> anyhow::Result<i32> {
    let range = Range::new(args, environment.now)?;
    let (config, problems) = load_config(args.config.as_deref(), true)?;
    let console = Arc::new(Console::new(
        environment.output,
        environment.errors,
        environment.is_terminal && !args.formatted_output,
    ));
    let loader = Loader {
        config: Arc::new(config),
        only: None,
        debug: !args.alert,
        process: environment.process,
        transport: Arc::new(Printing::new(Arc::clone(&console))),
    };
    let loaded = loader.load_to_test(&args.file);
    show(&console, &problems);
    show(&console, &loaded.problems);
    let is_wrong = problems
        .iter()
        .chain(&loaded.problems)
        .any(Problem::is_error);
    let Some(rule) = loaded.rules.rules.first().filter(|_| !is_wrong) else {
        console.finish();
        return Ok(exit::PROBLEMS);
    };
    let test = Test {
        args,
        range,
        config: &loader.config,
        loaded: &loaded,
        rule,
        zone: &loader.process.zone,
        console: &console,
        now: environment.now,
    };
    let mut formatted = Document::new();
    let code = if args.schema_only {
        exit::FINE
    } else {
        test.run(environment.source, &mut formatted)?
    };
    if args.formatted_output && code == exit::FINE {
        console.line(&Dumps::default().to_text(&Value::Object(formatted)));
    }
    console.finish();
    Ok(code)
}

/// Prints problems, each with its place in the file.
fn show(console: &Console, problems: &[Problem]) {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = if console.is_terminal() && !plain {
        Colours::On
    } else {
        Colours::Off
    };
    for problem in problems {
        console.error(&format!("{}\n", render(problem, colours)));
    }
}

/// One run.
struct Test<'a> {
    args: &'a Args,
    range: Range,
    config: &'a Config,
    loaded: &'a Loaded,
    rule: &'a Arc<Rule>,
    zone: &'a jiff::tz::TimeZone,
    console: &'a Arc<Console>,
    now: WallTime,
}

impl Test<'_> {
    fn run(
        &self,
        source: Option<Box<dyn Source>>,
        formatted: &mut Document,
    ) -> anyhow::Result<i32> {
        if !self.args.alert {
            self.console.info(
                "Note: In debug mode, alerts will be logged to console but NOT actually sent.",
            );
        }
        if let Some(path) = &self.args.data {
            if self.args.count_only {
                return Ok(exit::FINE);
            }
            if self.range.is_asked_for() {
                self.console.error(
                    "Note: --days, --start and --end choose events of an index: of --data all are looked at",
                );
            }
            return self.over_data(&data::read(path)?, formatted);
        }
        let source = match source {
            Some(source) => source,
            None => source::server(self.rule)?,
        };
        let hits = hits::Query {
            args: self.args,
            rule: self.rule,
            range: self.range,
            console: self.console,
        };
        let saved = match hits.show(source.as_ref(), formatted) {
            Ok(saved) => saved,
            Err(error) => {
                self.console
                    .error(&format!("Error running your filter:\n{error:#}"));
                if self.args.stop_error {
                    return Ok(exit::SEARCH_FAILED);
                }
                Vec::new()
            }
        };
        if let Some(path) = &self.args.save_json
            && !saved.is_empty()
        {
            hits::save(path, &saved)
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
        if self.args.count_only {
            return Ok(exit::FINE);
        }
        if self.args.use_downloaded {
            let documents = saved
                .iter()
                .map(|hit| hits::with_id(hit).to_string().into());
            return self.over_data(&documents.collect::<Vec<_>>(), formatted);
        }
        self.over_index(source.as_ref(), formatted)
    }

    /// Runs over documents from elsewhere.
    fn over_data(
        &self,
        documents: &[bytes::Bytes],
        formatted: &mut Document,
    ) -> anyhow::Result<i32> {
        let read = timed::read(self.rule, documents);
        for (number, error) in read.broken.iter().take(NAMED) {
            self.console
                .error(&format!("document {number} is left out: {error}"));
        }
        if let Some(more @ 1..) = read.broken.len().checked_sub(NAMED) {
            self.console.error(&format!("{more} more are left out"));
        }
        if let Some((number, error)) = &read.untimed {
            self.console.error(&format!(
                "All documents must have a timestamp and _id: document {number}: {error}"
            ));
        }
        if self.args.stop_error && (read.untimed.is_some() || !read.broken.is_empty()) {
            return Ok(exit::RUN_FAILED);
        }
        let mut timed = read.timed;
        if !self.args.as_arrived {
            timed.sort();
        }
        let (Some((first, last)), None) = (timed.bounds(), read.untimed) else {
            return Ok(exit::FINE);
        };
        let range = Range::of_data(first, last);
        let mut replay = self.replay(range, timed::Origin::Elsewhere)?;
        self.console.expect(timed.len());
        replay.events(&timed);
        let (written, errors) = replay.finish(range.end, self.now);
        self.conclude(&written, errors, formatted)
    }

    /// Runs over the rule's index.
    fn over_index(&self, source: &dyn Source, formatted: &mut Document) -> anyhow::Result<i32> {
        let range = self.range.for_run(self.rule);
        let request = source::request(self.rule, range, self.args.max_query_size);
        let mut replay = self.replay(range, timed::Origin::Index)?;
        let mut read = 0;
        let result = source.count(&request).and_then(|count| {
            self.console.expect(count);
            source.read(&request, &mut |hits| {
                read += hits.len();
                self.console.info(&format!(
                    "Queried rule {} from {} to {}: {read} / {count} hits",
                    self.rule.name,
                    range::shown(range.start, self.zone),
                    range::shown(range.end, self.zone),
                ));
                replay.events(&Timed::of_hits(self.rule, &hits));
                std::ops::ControlFlow::Continue(())
            })
        });
        if let Err(error) = result {
            let message = format!("Error running query: {error:#}");
            self.console.log("ERROR", &message);
            if self.args.stop_error {
                return Ok(exit::SEARCH_FAILED);
            }
            let data = json!({"rule": self.rule.name, "query": {"query": request.query}});
            let mut written = replay.abandon();
            written.failed(&message, &data, self.now);
            return self.conclude(&written, 1, formatted);
        }
        let (written, errors) = replay.finish(range.end, self.now);
        self.conclude(&written, errors, formatted)
    }

    fn replay(&self, range: Range, origin: timed::Origin) -> anyhow::Result<Replay> {
        Replay::new(
            self.loaded,
            self.config,
            Arc::clone(self.rule),
            replay::Setting {
                start: range.start,
                origin,
                alert: self.args.alert,
                console: Arc::clone(self.console),
            },
        )
    }

    /// Shows what would have been written.
    fn conclude(
        &self,
        written: &Written,
        errors: usize,
        formatted: &mut Document,
    ) -> anyhow::Result<i32> {
        self.console.end_progress();
        if self.args.formatted_output {
            formatted.insert("writeback".to_owned(), written.last_of_each());
        } else {
            self.console.line(&written.text());
        }
        Ok(if errors > 0 && self.args.stop_error {
            exit::RUN_FAILED
        } else {
            exit::FINE
        })
    }
}
