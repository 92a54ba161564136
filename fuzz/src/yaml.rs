//! The YAML loader: any text is read or refused with a problem that can be shown, and every place it names lies in the text.

use std::path::Path;
use std::sync::Arc;
use tripline::config::{Colours, Data, Environment, Node, Problem, SourceFile, Span, render, yaml};

/// A file with variables put in, and as it is.
pub fn reads(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let file = Arc::new(SourceFile::new(Path::new("rule.yaml"), text));
    let known: Environment<'_> = &|name| (name.len() < 4).then(|| format!("{name}: [1"));
    for environment in [None, Some(known)] {
        let (node, problems) = yaml::parse(&file, environment);
        assert!(node.is_some() || problems.iter().any(Problem::is_error));
        for problem in &problems {
            lies_in(&problem.span, &file);
            assert!(!render(problem, Colours::Off).is_empty());
        }
        if let Some(node) = &node {
            check(node, &file);
        }
    }
}

fn check(node: &Node, file: &SourceFile) {
    lies_in(&node.span, file);
    match &node.data {
        Data::Seq(items) => items.iter().for_each(|item| check(item, file)),
        Data::Map(members) => members.0.iter().for_each(|(key, value)| {
            check(key, file);
            check(value, file);
        }),
        _ => {}
    }
}

fn lies_in(span: &Span, file: &SourceFile) {
    assert!(
        file.text().get(span.start..span.end).is_some(),
        "{}..{} of {} bytes",
        span.start,
        span.end,
        file.text().len()
    );
}
