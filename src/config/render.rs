//! Problems as people read them: the line, a caret, what to do.

use super::{Problem, Severity, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::ops::Range;

/// Whether output goes to a terminal that shows colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// Plain text.
    Off,
    /// With escape sequences.
    On,
}

/// The problem with its place shown; several lines, no line break at the end.
pub fn render(problem: &Problem, colours: Colours) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level
        .primary_title(problem.message.as_str())
        .id(problem.code);
    let mut group = Group::with_title(title);
    let path = problem.span.path().display().to_string();
    let mut elsewhere = None;
    if !problem.span.file.text().is_empty() {
        let mut snippet = Snippet::source(problem.span.file.text())
            .path(path.as_str())
            .annotation(AnnotationKind::Primary.span(first_line(&problem.span)));
        if let Some((span, label)) = problem.related.as_deref() {
            if span.file.path == problem.span.file.path {
                let annotation = AnnotationKind::Context
                    .span(first_line(span))
                    .label(label.as_str());
                snippet = snippet.annotation(annotation);
            } else {
                elsewhere = Some((span, label, span.path().display().to_string()));
            }
        }
        group = group.element(snippet);
    } else if !path.is_empty() {
        group = group.element(annotate_snippets::Origin::path(path.as_str()));
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let mut groups = vec![group];
    if let Some((span, label, path)) = &elsewhere {
        let snippet = Snippet::source(span.file.text())
            .path(path.as_str())
            .annotation(AnnotationKind::Primary.span(first_line(span)));
        groups
            .push(Group::with_title(Level::NOTE.secondary_title(label.as_str())).element(snippet));
    }
    let renderer = match colours {
        Colours::Off => Renderer::plain(),
        Colours::On => Renderer::styled(),
    };
    renderer.render(&groups)
}

/// The part of a span on its first line: a caret under a whole rule shows nothing.
fn first_line(span: &Span) -> Range<usize> {
    let text = span.file.text();
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(span.start);
    let end = boundary(span.end.max(start));
    let part = text.get(start..end).unwrap_or_default();
    start..start + part.find(['\n', '\r']).unwrap_or(part.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SourceFile;
    use std::path::Path;
    use std::sync::Arc;

    fn span(file: &Arc<SourceFile>, part: &str) -> Span {
        let start = file.text().find(part).unwrap();
        Span {
            file: Arc::clone(file),
            start,
            end: start + part.len(),
        }
    }

    fn file(path: &str, text: &str) -> Arc<SourceFile> {
        Arc::new(SourceFile::new(Path::new(path), text))
    }

    #[test]
    fn the_place_is_shown_with_a_caret() {
        let rule = file("rules/a.yaml", "name: x\nタイトル: 値\ntimeframe: 5m\n");
        let problem = Problem::error("E0601", &span(&rule, "5m"), "`timeframe` takes an object")
            .help("write {minutes: 5}");
        assert_eq!(
            render(&problem, Colours::Off),
            "error[E0601]: `timeframe` takes an object
 --> rules/a.yaml:3:12
  |
3 | timeframe: 5m
  |            ^^
  |
  = help: write {minutes: 5}"
        );
    }

    #[test]
    fn a_second_place_may_be_in_another_file() {
        let one = file("a.yaml", "name: x\n");
        let two = file("b.yaml", "type: any\nname: x\n");
        let problem = Problem::error("E0704", &span(&two, "x"), "two rules have this name")
            .related(&span(&one, "x"), "the other one is here");
        let text = render(&problem, Colours::Off);
        assert!(
            text.contains("--> b.yaml:2:7") && text.contains("--> a.yaml:1:7"),
            "{text}"
        );
    }

    #[test]
    fn odd_spans_do_no_harm() {
        let rule = file("a.yaml", "name: \u{1f600}\n");
        for (start, end) in [(0, 0), (7, 8), (0, 900), (900, 900), (11, 11), (5, 2)] {
            let span = Span {
                file: Arc::clone(&rule),
                start,
                end,
            };
            assert!(render(&Problem::error("E0101", &span, "x"), Colours::Off).contains("a.yaml"));
        }
        let nowhere = Problem::error("E0101", &Span::nowhere(), "x");
        assert_eq!(render(&nowhere, Colours::Off), "error[E0101]: x");
        let empty = file("a.yaml", "");
        assert!(
            render(
                &Problem::error("E0101", &Span::of_file(&empty), "x"),
                Colours::Off
            )
            .contains("a.yaml")
        );
    }
}
