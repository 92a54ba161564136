//! `command`: starts a program.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#command>. A list starts a program without a shell, so values of
//! events cannot become commands; a string is a line for the shell, where they can: loading warns.

use super::options::is_set;
use super::process::{Exit, Process, Program};
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::{Alert, BodyStyle, resolve};
use crate::config::{Data, Problem, Properties, opt};
use crate::event::Document;
use crate::event::dumps::Dumps;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "command",
    aliases: &[],
    doc: "Starts a program.",
    options: &[
        opt("command")
            .texts()
            .required()
            .doc("The program and its arguments; a string is run by /bin/sh. `%(field)s` and `{field}` are replaced by the first match's values."),
        opt("pipe_match_json")
            .bool()
            .default("false")
            .doc("Whether the program reads the matches, a JSON list on one line."),
        opt("pipe_alert_text")
            .bool()
            .default("false")
            .doc("Whether the program reads the alert's body."),
        opt("fail_on_non_zero_exit")
            .bool()
            .default("false")
            .doc("Whether the alert counts as sent only if the program ends with 0."),
    ],
    build,
};

/// What an argument says in place of a value the match does not have.
const MISSING: &str = "<MISSING VALUE>";

#[derive(Debug)]
struct Command {
    /// Before values are put in.
    program: Program,
    input: Input,
    exit: Exit,
    transport: Arc<dyn Transport>,
}

#[derive(Debug, Clone, Copy)]
enum Input {
    Nothing,
    Matches,
    Body,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let mut warnings = Vec::new();
    let program = match properties.get("command") {
        Some(node) if matches!(node.data, Data::Str(_)) => {
            let line = properties.text("command").unwrap_or_default();
            if line.contains(['%', '{']) {
                warnings.push(
                    Problem::warning(
                        "W0301",
                        &node.span,
                        "values of events go into this shell command unquoted: whoever writes the event can run commands",
                    )
                    .help("write the command as a list, then no shell looks at the values"),
                );
            }
            Program::Shell(line)
        }
        _ => Program::Direct(properties.texts("command")),
    };
    let input = if is_set(properties, "pipe_match_json") {
        Input::Matches
    } else if is_set(properties, "pipe_alert_text") {
        Input::Body
    } else {
        Input::Nothing
    };
    let command = Command {
        program,
        input,
        exit: if is_set(properties, "fail_on_non_zero_exit") {
            Exit::MustSucceed
        } else {
            Exit::Ignored
        },
        transport: Arc::clone(&build.transport),
    };
    Ok(Built {
        warnings,
        ..command.into()
    })
}

impl Command {
    fn resolved(&self, alert: &Alert<'_>) -> Result<Program, SendError> {
        let empty = Document::new();
        let first = alert.matches.first().unwrap_or(&empty);
        let put_in = |text: &String| resolve(text, first, MISSING);
        Ok(match &self.program {
            Program::Direct(arguments) => {
                Program::Direct(arguments.iter().map(put_in).collect::<Result<_, _>>()?)
            }
            Program::Shell(line) => Program::Shell(put_in(line)?),
        })
    }

    fn document(program: &Program) -> Document {
        Document::from_iter([
            ("type".to_owned(), json!("command")),
            ("command".to_owned(), Value::String(program.text())),
        ])
    }
}

impl Alerter for Command {
    fn info(&self) -> Document {
        Self::document(&self.program)
    }

    fn info_for(&self, alert: &Alert<'_>) -> Document {
        self.resolved(alert)
            .map_or_else(|_| self.info(), |program| Self::document(&program))
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let stdin = match self.input {
                Input::Nothing => None,
                Input::Matches => {
                    let matches = alert.matches.iter().cloned().map(Value::Object).collect();
                    let ascii = Dumps {
                        ascii: true,
                        ..Dumps::default()
                    };
                    Some(ascii.to_text(&Value::Array(matches)) + "\n")
                }
                Input::Body => Some(alert.body(BodyStyle::default())?),
            };
            let process = Process {
                command: self.resolved(alert)?,
                stdin: stdin.map(String::into_bytes),
                exit: self.exit,
            };
            Ok(self.transport.run(process).await?)
        })
    }
}
