//! `docs/alerters.md` lists every alerter with its options as the tables have them. `UPDATE=1` rewrites the list.

use std::fmt::Write as _;
use std::path::Path;
use tripline::alerter::ALERTERS;
use tripline::config::Kind;

/// What stands before the list.
const MARK: &str = "alerter_docs -->\n";

#[test]
fn alerter_docs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alerters.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (prose, found) = page.split_once(MARK).unwrap();
    let expected = list();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, format!("{prose}{MARK}{expected}")).unwrap();
    } else {
        assert!(
            found == expected,
            "docs/alerters.md is out of date: run this test with UPDATE=1"
        );
    }
}

fn list() -> String {
    let mut out = String::new();
    for entry in ALERTERS {
        let _infallible = writeln!(out, "\n## {}\n\n{}", entry.name, entry.doc);
        if entry.options.is_empty() {
            continue;
        }
        out.push_str("\n| option | takes | default | what it is for |\n|---|---|---|---|\n");
        for option in entry.options {
            let default = match (option.required, option.default) {
                (true, _) => "**required**",
                (false, default) => default.unwrap_or(""),
            };
            let name = option.name;
            let (takes, doc) = (words(option.kind), option.doc);
            let _infallible = writeln!(out, "| `{name}` | {takes} | {default} | {doc} |");
        }
    }
    out
}

/// A kind of value in words.
fn words(kind: Kind) -> String {
    match kind {
        Kind::Str => "text".to_owned(),
        Kind::Bool => "true or false".to_owned(),
        Kind::Int => "a whole number".to_owned(),
        Kind::Number => "a number".to_owned(),
        Kind::Duration => "a duration".to_owned(),
        Kind::OneOf(values) => values
            .iter()
            .map(|value| format!("`{value}`"))
            .collect::<Vec<_>>()
            .join(", "),
        Kind::List(kind) => format!("a list: {}", words(*kind)),
        Kind::AnyOf(kinds) => kinds
            .iter()
            .map(|kind| words(*kind))
            .collect::<Vec<_>>()
            .join(", or "),
        Kind::Map => "an object".to_owned(),
        Kind::Any => "anything".to_owned(),
    }
}
