//! What Jinja2 finds when it compiles a template and minijinja only when it runs: unknown filters and tests, and `%` after a text.

use super::Broken;
use minijinja::{Environment, context};

/// Reads through a template's tags.
pub(super) fn check(source: &str, environment: &Environment<'_>) -> Vec<Broken> {
    let mut broken = Vec::new();
    for tag in tags(source) {
        let tokens = tokens(tag.inside);
        for (at, token) in tokens.iter().enumerate() {
            let previous = at.checked_sub(1).and_then(|at| tokens.get(at));
            let next = tokens.get(at + 1);
            let line = || line_of(source, tag.start);
            match (previous, token, next) {
                (_, Token::Symbol('|'), Some(Token::Word(name))) => {
                    check_name(environment, "filter", name, line(), &mut broken);
                }
                (None, Token::Word("filter"), Some(Token::Word(name))) if tag.block => {
                    check_name(environment, "filter", name, line(), &mut broken);
                }
                (_, Token::Word("is"), Some(Token::Word("not"))) => {
                    if let Some(Token::Word(name)) = tokens.get(at + 2) {
                        check_name(environment, "test", name, line(), &mut broken);
                    }
                }
                (_, Token::Word("is"), Some(Token::Word(name))) => {
                    check_name(environment, "test", name, line(), &mut broken);
                }
                (Some(Token::Text(text)), Token::Symbol('%'), _) => broken.push(Broken {
                    message: format!(
                        "% after a text is not supported (line {} of the template)",
                        line()
                    ),
                    help: Some(format!("write it with the filter: {text}|format(…)")),
                }),
                _ => {}
            }
        }
    }
    broken
}

fn check_name(
    environment: &Environment<'_>,
    what: &'static str,
    name: &str,
    line: usize,
    broken: &mut Vec<Broken>,
) {
    // The names that are keywords of Jinja are tests all the same.
    if matches!(name, "none" | "true" | "false" | "in") {
        return;
    }
    let known = environment
        .compile_expression(if what == "filter" {
            "name is filter"
        } else {
            "name is test"
        })
        .and_then(|expression| expression.eval(context! { name }))
        .is_ok_and(|known| known.is_true());
    if !known {
        broken.push(Broken {
            message: format!("there is no {what} named \"{name}\" (line {line} of the template)"),
            help: None,
        });
    }
}

struct Tag<'a> {
    /// Between the delimiters.
    inside: &'a str,
    /// Where it starts, in bytes.
    start: usize,
    /// `{% … %}`, not `{{ … }}`.
    block: bool,
}

/// The tags of a template that has been compiled, and so is well formed; comments and raw parts left out.
fn tags(source: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    let mut at = 0;
    let mut raw = false;
    while let Some(open) = find(source, at, "{") {
        let rest = source.get(open..).unwrap_or_default();
        let block = rest.starts_with("{%");
        if rest.starts_with("{#") && !raw {
            at = find(source, open, "#}").map_or(source.len(), |end| end + 2);
        } else if block || (rest.starts_with("{{") && !raw) {
            let start = open + 2;
            let end = tag_end(source, start, if block { "%}" } else { "}}" });
            let inside = source
                .get(start..end)
                .unwrap_or_default()
                .trim_matches(['-', '+']);
            match (block, inside.trim()) {
                (true, "raw") => raw = true,
                (true, "endraw") => raw = false,
                _ if raw => {}
                _ => tags.push(Tag {
                    inside,
                    start: open,
                    block,
                }),
            }
            at = if raw && block && inside.trim() != "raw" {
                open + 2
            } else {
                (end + 2).min(source.len())
            };
        } else {
            at = open + 1;
        }
    }
    tags
}

fn find(source: &str, from: usize, what: &str) -> Option<usize> {
    source.get(from..)?.find(what).map(|at| from + at)
}

/// Where a tag's closing delimiter stands: outside of texts.
fn tag_end(source: &str, start: usize, close: &str) -> usize {
    let rest = source.get(start..).unwrap_or_default();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        if matches!(c, '"' | '\'') {
            skip_text(&mut chars, c);
        } else if rest.get(at..).is_some_and(|rest| rest.starts_with(close)) {
            return start + at;
        }
    }
    source.len()
}

fn skip_text(chars: &mut std::str::CharIndices<'_>, quote: char) -> Option<usize> {
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[derive(Debug, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    Text(&'a str),
    Symbol(char),
}

fn tokens(inside: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        if matches!(c, '"' | '\'') {
            let end = skip_text(&mut chars, c).unwrap_or(inside.len());
            tokens.extend(inside.get(at..end).map(Token::Text));
        } else if c.is_alphanumeric() || c == '_' {
            let rest = inside.get(at..).unwrap_or_default();
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let word = rest.get(..end).unwrap_or_default();
            for _ in word.chars().skip(1) {
                chars.next();
            }
            tokens.push(Token::Word(word));
        } else if !c.is_whitespace() {
            tokens.push(Token::Symbol(c));
        }
    }
    tokens
}

fn line_of(source: &str, at: usize) -> usize {
    source
        .bytes()
        .take(at)
        .filter(|&byte| byte == b'\n')
        .count()
        + 1
}
