//! `tripline check`: what is wrong with the configuration and the rules, each problem with its place.

mod sample;
mod texts;

pub(super) use sample::Sample;

use super::rules::Outlets;
use super::{exit, output};
use crate::config::{Colours, Problem, Severity, render};
use crate::engine::Program;
use std::io::IsTerminal as _;

/// Colours on a terminal, unless `NO_COLOR` says otherwise.
pub(super) fn colours() -> Colours {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if std::io::stdout().is_terminal() && !plain {
        Colours::On
    } else {
        Colours::Off
    }
}

/// Prints the problems and what they come to; the exit code.
pub(super) fn print(problems: &[Problem], rules: usize, disabled: usize) -> i32 {
    output::line(&report(problems, rules, disabled, colours()));
    if problems.iter().any(Problem::is_error) {
        exit::PROBLEMS
    } else {
        exit::FINE
    }
}

/// Holds rules against sample events: adds what that tells to the problems, and prints how many events each rule matches.
pub(super) fn against_sample(
    program: &Program,
    outlets: &Outlets,
    sample: &Sample,
    problems: &mut Vec<Problem>,
) {
    for entry in &program.rules {
        let (mut found, line) = sample.hold_against(&entry.rule);
        if let Some(outlet) = outlets.get(&entry.rule.name) {
            texts::try_on(entry, &outlet.exits, sample, &mut found);
        }
        problems.extend(found);
        output::line(&line);
    }
    output::line("");
}

/// Each problem with an empty line after it, then a line that counts them.
fn report(problems: &[Problem], rules: usize, disabled: usize, colours: Colours) -> String {
    let shown: String = problems
        .iter()
        .map(|problem| render(problem, colours) + "\n\n")
        .collect();
    let count = |severity, what| {
        let of_it = |problem: &&Problem| problem.severity == severity;
        counted(problems.iter().filter(of_it).count(), what)
    };
    format!(
        "{shown}{} can run, {disabled} disabled; {}, {}, {}",
        counted(rules, "rule"),
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
        count(Severity::Note, "note"),
    )
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
    use std::path::Path;
    use std::sync::Arc;

    #[test]
    fn problems_are_shown_and_counted() {
        let text = "name: x\nnum_event: 1\ntimeframe: 5m\n";
        let file = Arc::new(SourceFile::new(Path::new("rules/a.yaml"), text));
        let span = |start, end| Span {
            file: Arc::clone(&file),
            start,
            end,
        };
        let problems = [
            Problem::warning("W0604", &span(8, 17), "unknown option `num_event`")
                .help("did you mean `num_events`?"),
            Problem::error(
                "E0601",
                &span(32, 34),
                "`timeframe` takes an object such as {minutes: 5}, found text `5m`",
            ),
        ];
        assert_eq!(
            report(&problems, 1, 0, Colours::Off),
            "warning[W0604]: unknown option `num_event`
 --> rules/a.yaml:2:1
  |
2 | num_event: 1
  | ^^^^^^^^^
  |
  = help: did you mean `num_events`?

error[E0601]: `timeframe` takes an object such as {minutes: 5}, found text `5m`
 --> rules/a.yaml:3:12
  |
3 | timeframe: 5m
  |            ^^

1 rule can run, 0 disabled; 1 error, 1 warning, 0 notes"
        );
    }
}
