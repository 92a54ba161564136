//! `docs/options.md` is written from the option tables. `UPDATE=1` rewrites it.

use std::fmt::Write as _;
use std::path::Path;
use tripline::alerter::ALERTERS;
use tripline::config::OptionSpec;
use tripline::config::service::options::{ELASTICSEARCH, SERVICE};
use tripline::rule::types::RULE_TYPES;
use tripline::rule::{load, time_field};

const HEAD: &str = "# Options

Written from the program's own tables; `tripline check` compares files with the same. Names and meanings are ElastAlert's where it has the
option. Every option of a rule may stand in the configuration file too, as a default for all rules.
";

fn section(text: &mut String, title: &str, doc: &str, tables: &[&[OptionSpec]]) {
    write!(text, "\n{title}\n\n").unwrap();
    if !doc.is_empty() {
        write!(text, "{doc}\n\n").unwrap();
    }
    text.push_str("| option | takes | default | |\n|---|---|---|---|\n");
    for option in tables.iter().copied().flatten() {
        let default = match (option.required, option.default) {
            (true, _) => "*required*".to_owned(),
            (false, Some(default)) => format!("`{default}`"),
            (false, None) => String::new(),
        };
        let doc = match option.no_effect {
            Some(why) => format!("No effect: {why}. {}", option.doc),
            None => option.doc.to_owned(),
        };
        let row = format!(
            "| `{}` | {} | {default} | {} |\n",
            option.name,
            option.kind,
            doc.replace('|', "\\|")
        );
        text.push_str(&row);
    }
}

fn page() -> String {
    let mut text = HEAD.to_owned();
    section(&mut text, "## The service", "", &[SERVICE]);
    section(&mut text, "## Elasticsearch", "", &[ELASTICSEARCH]);
    section(
        &mut text,
        "## Every rule",
        "",
        &[load::options::OPTIONS, time_field::OPTIONS],
    );
    section(&mut text, "## Texts", "", tripline::alert::OPTIONS);
    text.push_str("\n## Rule types\n");
    for entry in RULE_TYPES {
        section(
            &mut text,
            &format!("### {}", entry.name),
            entry.doc,
            &[entry.options],
        );
    }
    text.push_str("\n## Alerters\n");
    for entry in ALERTERS {
        section(
            &mut text,
            &format!("### {}", entry.name),
            entry.doc,
            &[entry.options],
        );
    }
    text
}

#[test]
fn the_page_of_options_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/options.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/options.md is out of date: run this test with UPDATE=1"
    );
}

/// Every option of every table.
fn all() -> impl Iterator<Item = &'static OptionSpec> {
    let of_rules = [
        SERVICE,
        ELASTICSEARCH,
        load::options::OPTIONS,
        time_field::OPTIONS,
    ];
    let of_types = RULE_TYPES.iter().map(|entry| entry.options);
    let of_alerters = ALERTERS.iter().map(|entry| entry.options);
    let of_texts = tripline::alert::OPTIONS.iter().copied();
    of_rules
        .into_iter()
        .chain(of_types)
        .chain(of_alerters)
        .chain(of_texts)
        .flatten()
}

#[test]
fn every_option_says_what_it_does() {
    let silent: Vec<&str> = all()
        .filter(|option| option.doc.is_empty())
        .map(|option| option.name)
        .collect();
    assert!(silent.is_empty(), "without a doc: {silent:?}");
}
