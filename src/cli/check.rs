//! `tripline check`: what is wrong with the configuration and the rules, each problem with its place.

use super::exit;
use crate::config::{Colours, Problem, Severity, render, yaml_files};
use std::io::{self, Write};
use std::path::PathBuf;

/// The flags of `tripline check`.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// The configuration file [default: config.yaml, else config.yml, else none]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Rule files, or folders with rules [default: the configured rules folders]
    #[arg(value_name = "FILE|DIR")]
    pub paths: Vec<PathBuf>,
}

/// What was looked at, and found.
#[derive(Debug, Default)]
pub struct Found {
    /// Rules that can run.
    pub rules: usize,
    /// Rules that are switched off.
    pub disabled: usize,
    /// Everything wrong or worth knowing.
    pub problems: Vec<Problem>,
}

/// The rule files a command line names; folders are searched as `rules_folder` is.
///
/// # Errors
/// A folder cannot be read.
pub fn files(paths: &[PathBuf], subfolders: bool) -> Result<Vec<PathBuf>, Vec<Problem>> {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        match yaml_files(path, subfolders) {
            Ok(found) => files.extend(found),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(files)
    } else {
        Err(problems)
    }
}

/// Prints the problems and what they come to; the exit code.
///
/// # Errors
/// The output cannot be written.
pub fn report(found: &Found, colours: Colours, out: &mut dyn Write) -> io::Result<i32> {
    for problem in &found.problems {
        writeln!(out, "{}\n", render(problem, colours))?;
    }
    let count = |severity| {
        found
            .problems
            .iter()
            .filter(|problem| problem.severity == severity)
            .count()
    };
    let errors = count(Severity::Error);
    writeln!(
        out,
        "{} can run, {} disabled; {}, {}, {}",
        counted(found.rules, "rule"),
        found.disabled,
        counted(errors, "error"),
        counted(count(Severity::Warning), "warning"),
        counted(count(Severity::Note), "note"),
    )?;
    Ok(if errors == 0 {
        exit::FINE
    } else {
        exit::PROBLEMS
    })
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SourceFile, Span};
    use std::sync::Arc;

    fn printed(found: &Found) -> (String, i32) {
        let mut out = Vec::new();
        let code = report(found, Colours::Off, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), code)
    }

    #[test]
    fn problems_are_shown_and_counted() {
        let file = Arc::new(SourceFile {
            path: "rules/a.yaml".into(),
            text: "name: x\nnum_event: 1\ntimeframe: 5m\n".to_owned(),
        });
        let span = |start, end| Span {
            file: Arc::clone(&file),
            start,
            end,
        };
        let found = Found {
            rules: 1,
            disabled: 0,
            problems: vec![
                Problem::warning("W0204", &span(8, 17), "unknown option `num_event`")
                    .help("did you mean `num_events`?"),
                Problem::error(
                    "E0201",
                    &span(32, 34),
                    "`timeframe` takes an object such as {minutes: 5}, found text `5m`",
                ),
            ],
        };
        let (text, code) = printed(&found);
        assert_eq!(
            text,
            "warning[W0204]: unknown option `num_event`
 --> rules/a.yaml:2:1
  |
2 | num_event: 1
  | ^^^^^^^^^
  |
  = help: did you mean `num_events`?

error[E0201]: `timeframe` takes an object such as {minutes: 5}, found text `5m`
 --> rules/a.yaml:3:12
  |
3 | timeframe: 5m
  |            ^^

1 rule can run, 0 disabled; 1 error, 1 warning, 0 notes
"
        );
        assert_eq!(code, exit::PROBLEMS);
    }

    #[test]
    fn warnings_alone_are_fine() {
        let found = Found {
            problems: vec![Problem::warning("W0204", &Span::nowhere(), "x")],
            ..Found::default()
        };
        assert_eq!(printed(&found).1, exit::FINE);
    }
}
