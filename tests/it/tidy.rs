//! The rules of the house that a compiler does not check: who may use whom, sizes, names, links.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules each module may use, in the order an event travels. `cli` puts all together.
#[rustfmt::skip]
const MAY_USE: &[(&str, &[&str])] = &[
    ("cli", &["*"]),
    ("config", &["event"]),
    ("input", &["config", "event", "telemetry", "tls"]),
    ("event", &[]),
    ("filter", &["config", "event"]),
    ("rule", &["config", "event", "filter"]),
    ("engine", &["event", "rule"]),
    ("store", &["engine", "event", "rule", "telemetry"]),
    ("alert", &["config", "event", "rule"]),
    ("alerter", &["alert", "config", "engine", "event", "rule", "telemetry", "tls"]),
    ("writeback", &["config", "engine", "event", "store", "telemetry", "tls"]),
    ("web", &["config", "engine", "event", "store", "telemetry", "tls"]),
    ("telemetry", &["event"]),
    ("tls", &[]),
];

/// Modules that know no clock, no network, no files and no chance, and what they would know them by.
const PURE: &[&str] = &["event", "filter", "rule", "engine"];
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "hyper",
    "axum",
    "lettre",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "std::fs",
    "std::env",
    "File::open",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "rand",
];

/// Files of more lines, tests not counted, with the reason.
const LONG: &[(&str, &str)] = &[];
const LINES: usize = 600;

/// Names that say nothing.
const NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc"];
/// Second ones that are no second half: ElastAlert numbers them itself.
const NUMBERED: &[&str] = &["post2"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files under a path of the repository, sorted; not what is built, recorded or hidden.
fn files(under: &str, endings: &[&str]) -> Vec<PathBuf> {
    fn walk(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !["target", "golden", "data", ".git"].contains(&name) {
                    walk(&path, endings, found);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(under), endings, &mut found);
    found.sort();
    found
}

/// A path as it is written in the repository.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// The lines of a source file that run in the product: no tests, no comments. With their numbers.
fn product_lines(path: &Path) -> Vec<(usize, String)> {
    if path.file_stem().is_some_and(|stem| stem == "tests")
        || path.components().any(|part| part.as_os_str() == "tests")
    {
        return Vec::new();
    }
    let text = fs::read_to_string(path).unwrap();
    let tests = text
        .lines()
        .zip(text.lines().skip(1))
        .position(|(line, next)| {
            line == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{')
        });
    text.lines()
        .enumerate()
        .take(tests.unwrap_or(usize::MAX))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line.to_owned()))
        .collect()
}

/// The module of `src` a file belongs to.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str();
    first.to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The modules of this crate that a text names (`crate::a`, `crate::{a, b::c}`), each with the offset where.
fn used_modules(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, it) in text.match_indices("crate::") {
        let rest = &text[at + it.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push((at, first_word(rest)));
            continue;
        };
        let mut depth = 0;
        let names = group.split(|c: char| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth < 0 || (c == ',' && depth == 0)
        });
        // Ends at what follows the closing brace, or at the comma before it.
        let inside = names
            .map(|name| first_word(name.trim()))
            .take_while(|name| !name.is_empty());
        found.extend(inside.map(|name| (at, name)));
    }
    found
}

/// Whether a line names this: `rand::x` names `rand`, `operand::x` does not.
fn names(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}

fn first_word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// Fails with a line per finding.
#[track_caller]
fn none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn modules_use_only_what_lies_below_them() {
    let mut findings = Vec::new();
    for path in files("src", &[".rs"]) {
        let module = module(&path);
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            findings.push(format!("{}: {module} is not in MAY_USE", shown(&path)));
            continue;
        };
        let lines = product_lines(&path);
        let text: String = lines
            .iter()
            .flat_map(|(_, line)| [line.as_str(), "\n"])
            .collect();
        for (at, used) in used_modules(&text) {
            let fine = used == module || allowed.contains(&"*") || allowed.contains(&used.as_str());
            if !fine {
                let (number, _) = lines[text[..at].matches('\n').count()];
                findings.push(format!(
                    "{}:{number}: {module} must not use {used}",
                    shown(&path)
                ));
            }
        }
    }
    none(&findings);
}

#[test]
fn the_pure_modules_touch_nothing_outside() {
    let mut findings = Vec::new();
    for path in PURE
        .iter()
        .flat_map(|name| files(&format!("src/{name}"), &[".rs"]))
    {
        for (number, line) in product_lines(&path) {
            for word in IMPURE.iter().filter(|word| names(&line, word)) {
                findings.push(format!("{}:{number}: names {word}", shown(&path)));
            }
        }
    }
    none(&findings);
}

#[test]
fn files_are_rooms_not_halls() {
    let mut findings = Vec::new();
    for path in files("src", &[".rs"]) {
        let lines = product_lines(&path).last().map_or(0, |(number, _)| *number);
        match (
            lines > LINES,
            LONG.iter().any(|(name, _)| *name == shown(&path)),
        ) {
            (true, false) => findings.push(format!(
                "{}: {lines} lines; split it by concept",
                shown(&path)
            )),
            (false, true) => findings.push(format!(
                "{}: {lines} lines; take it out of LONG",
                shown(&path)
            )),
            _ => {}
        }
    }
    none(&findings);
}

#[test]
fn file_names_say_what_is_inside() {
    let mut findings = Vec::new();
    for path in files("src", &[".rs"])
        .iter()
        .chain(&files("tests/it", &[".rs"]))
    {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let first = stem.trim_end_matches(|c: char| c.is_ascii_digit());
        let second = first != stem && path.with_file_name(first).with_extension("rs").exists();
        if NAMES.contains(&stem) || (second && !NUMBERED.contains(&stem)) {
            findings.push(format!("{}: a name that says nothing", shown(path)));
        }
    }
    none(&findings);
}

#[test]
fn registries_are_sorted() {
    let alerters: Vec<_> = tripline::alerter::ALERTERS
        .iter()
        .map(|entry| entry.name)
        .collect();
    assert!(alerters.is_sorted(), "{alerters:?}");
    let types: Vec<_> = tripline::rule::types::RULE_TYPES
        .iter()
        .map(|entry| entry.name)
        .collect();
    assert!(types.is_sorted(), "{types:?}");
}

#[test]
fn the_map_names_every_room() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let modules: BTreeSet<String> = files("src", &[".rs"])
        .iter()
        .map(|path| module(path))
        .collect();
    let findings: Vec<_> = modules
        .iter()
        .filter(|module| !["lib", "main"].contains(&module.as_str()))
        .filter(|module| {
            !map.contains(&format!("### `src/{module}/`"))
                && !map.contains(&format!("### `src/{module}.rs`"))
        })
        .map(|module| format!("ARCHITECTURE.md has no heading for {module}"))
        .collect();
    none(&findings);
}

/// The targets of a page's links, without their anchors; what leads out of the repository is left out.
fn links(page: &str) -> Vec<String> {
    page.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .map(|target| target.split('#').next().unwrap().to_owned())
        .filter(|target| !target.is_empty())
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let mut findings = Vec::new();
    for page in files("", &[".md"]) {
        for target in links(&fs::read_to_string(&page).unwrap()) {
            if !page.parent().unwrap().join(&target).exists() {
                findings.push(format!("{}: {target} does not exist", shown(&page)));
            }
        }
    }
    none(&findings);
}

#[test]
fn every_page_is_in_the_index() {
    let index = fs::read_to_string(root().join("docs/README.md")).unwrap();
    let listed = links(&index);
    let findings: Vec<_> = files("docs", &[".md"])
        .iter()
        .map(|page| {
            page.strip_prefix(root().join("docs"))
                .unwrap()
                .display()
                .to_string()
        })
        .filter(|page| page != "README.md" && !listed.contains(page))
        .map(|page| format!("docs/README.md does not lead to {page}"))
        .collect();
    none(&findings);
}

#[test]
fn the_commands_of_the_pages_name_files_that_exist() {
    let folders = [
        "benches/",
        "packaging/",
        "pipelines/",
        "rules/",
        "tests/",
        ".ci/",
    ];
    let mut findings = Vec::new();
    for page in files("", &[".md"]) {
        let text = fs::read_to_string(&page).unwrap();
        let blocks = text
            .split("```sh\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next());
        for word in blocks.flat_map(str::split_whitespace) {
            let named = folders.iter().any(|folder| word.starts_with(folder));
            if named && !root().join(word).exists() {
                findings.push(format!("{}: {word} does not exist", shown(&page)));
            }
        }
    }
    none(&findings);
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    // In two halves, so that this file does not find itself.
    let machine = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let endings = [
        ".rs", ".md", ".toml", ".yml", ".yaml", ".sh", ".py", ".conf", ".service", "run",
    ];
    let mut findings = Vec::new();
    for path in files("", &endings) {
        let text = fs::read_to_string(&path).unwrap();
        for (index, line) in text.lines().enumerate() {
            if machine.iter().any(|place| line.contains(place)) {
                findings.push(format!("{}:{}: {line}", shown(&path), index + 1));
            }
        }
    }
    none(&findings);
}

#[test]
fn lines_are_read_as_they_should_be() {
    let modules = |text: &str| -> Vec<String> {
        used_modules(text)
            .into_iter()
            .map(|(_, name)| name)
            .collect()
    };
    assert_eq!(
        modules("use crate::event::{A, b};\nuse std::x::{c, d};"),
        ["event"]
    );
    assert_eq!(
        modules("use crate::{\n    event::{A, b},\n    rule,\n};\nfn f(a, b)"),
        ["event", "rule"]
    );
    assert_eq!(
        modules("use crate::{event, rule};\nfn f(a, b)"),
        ["event", "rule"]
    );
    assert_eq!(
        modules("x: crate::filter::Filter, y: crate::rule::Rule"),
        ["filter", "rule"]
    );
    assert!(names("let x = rand::random();", "rand") && !names("operand::X", "rand"));
    assert_eq!(
        links("a [b](c.md#d) [e](https://f) [g](../h)"),
        ["c.md", "../h"]
    );
}
