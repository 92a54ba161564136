//! Hints on `query_string`.

use super::super::lucene::{Item, Leaf, Syntax, parse};
use super::{Hints, within};
use crate::config::Node;

impl Hints<'_> {
    pub(super) fn query_string(&mut self, body: &Node) {
        let node = body.get("query").unwrap_or(body);
        let Some(text) = node.as_str() else { return };
        self.eaten_backslashes(node);
        self.backslashes(text, node);
        if let Ok(items) = parse(text) {
            self.items(&items, node);
        }
    }

    fn items(&mut self, items: &[Item], node: &Node) {
        for item in items {
            match &item.syntax {
                Syntax::Group(items) => self.items(items, node),
                Syntax::Leaf { field, leaf } => self.leaf(field.as_deref(), leaf, node),
            }
        }
    }

    fn leaf(&mut self, field: Option<&str>, leaf: &Leaf, node: &Node) {
        if let Some(name) = field.filter(|name| looks_like_value(name)) {
            let message = format!("`{name}` before the colon is taken for a field");
            let help = format!("escape the colon, `{name}\\:…`, or put the value in quotes");
            self.add("W0225", &within(node, &format!("{name}:")), message, help);
        }
        match leaf {
            Leaf::Phrase { text, .. } if text.contains('*') => {
                let message = format!("`*` in quotes is no wildcard: \"{text}\"");
                let help = "leave the quotes out, with a backslash before each blank and special character";
                self.add("W0224", &within(node, text), message, help);
            }
            Leaf::Words(text) => {
                let operators = ["and", "or", "not"];
                let found = text.split(' ').find(|word| operators.contains(word));
                // In a longer text of a field they may well be words.
                if let Some(word) = found.filter(|word| field.is_none() && text == word) {
                    let message = format!("`{word}` in small letters is a word to search for");
                    let help = format!("write {}", word.to_uppercase());
                    self.add("W0229", &within(node, &format!(" {word} ")), message, help);
                }
            }
            Leaf::Regexp(pattern) => {
                self.pattern_of_regexp(field.unwrap_or("any field"), pattern, node);
            }
            _ => {}
        }
    }

    /// In double quotes YAML reads `\/` as `/`, which begins a regular expression.
    fn eaten_backslashes(&mut self, node: &Node) {
        let span = &node.span;
        let written = span
            .file
            .text()
            .get(span.start..span.end)
            .unwrap_or_default();
        let mut chars = written.chars();
        if chars.next() != Some('"') {
            return;
        }
        while let Some(c) = chars.next() {
            if c == '\\' && chars.next() == Some('/') {
                let message = "YAML takes the backslash of `\\/` in double quotes for itself: the query holds just `/`, which begins a regular expression";
                let help = "put the query in single quotes, where a backslash stays";
                self.add("W0225", &within(node, "\\/"), message.to_owned(), help);
                return;
            }
        }
    }

    /// A single backslash before a letter or digit: most likely of a Windows path.
    fn backslashes(&mut self, text: &str, node: &Node) {
        let mut rest = text.char_indices();
        let mut in_regexp = false;
        while let Some((at, c)) = rest.next() {
            match c {
                '/' => in_regexp = !in_regexp,
                '\\' => {
                    let Some((_, next)) = rest.next() else { return };
                    let is_unit = next == 'u' && text.get(at + 2..at + 6).is_some_and(is_hex);
                    if in_regexp || !next.is_alphanumeric() || is_unit {
                        continue;
                    }
                    let message = format!("`\\{next}` is read as `{next}`: the backslash is lost");
                    let help = "write two for each that is meant, as in `C\\:\\\\Windows`";
                    let around: String = text
                        .get(at..)
                        .unwrap_or_default()
                        .chars()
                        .take(12)
                        .collect();
                    self.add("W0225", &within(node, &around), message, help);
                    return;
                }
                _ => {}
            }
        }
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Drive letters, schemes of addresses, hours: what stands before a colon in values.
fn looks_like_value(name: &str) -> bool {
    ["http", "https", "ftp", "C", "D"].contains(&name) || name.bytes().all(|b| b.is_ascii_digit())
}
