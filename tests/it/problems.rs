//! `docs/problems.md` lists every code.

use std::collections::BTreeSet;
use std::path::Path;

/// The codes a text has where `before` precedes them: `E0103`, `W0111`, …; `E0419 – E0436` stands for all between.
fn codes(text: &str, before: &str) -> BTreeSet<String> {
    let code = |part: &str| {
        let code = part.get(..5)?;
        let digits = code.strip_prefix(['E', 'W', 'N'])?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| code.to_owned())
    };
    let mut found = BTreeSet::new();
    for part in text.split(before).skip(1) {
        let Some(first) = code(part) else { continue };
        let last = part
            .get(5..)
            .and_then(|rest| code(rest.strip_prefix(" – ")?));
        let number = |code: &str| code[1..].parse::<u32>().unwrap();
        for n in number(&first)..=last.as_deref().map_or(number(&first), number) {
            found.insert(format!("{}{n:04}", &first[..1]));
        }
    }
    found
}

fn sources(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(codes(&std::fs::read_to_string(&path).unwrap(), "\""));
        }
    }
}

#[test]
fn every_code_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut used = BTreeSet::new();
    sources(&root.join("src"), &mut used);
    let page = std::fs::read_to_string(root.join("docs/problems.md")).unwrap();
    let documented = codes(&page, "\n| ");
    let missing: Vec<&String> = used.difference(&documented).collect();
    assert!(
        used.len() > 30 && missing.is_empty(),
        "docs/problems.md lacks {missing:?}"
    );
}
