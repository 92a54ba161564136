//! `$NAME` and `${NAME}` in a file's text, as Python's `os.path.expandvars` puts them in.
//!
//! ElastAlert does this over the raw text, before YAML is read: comments, keys and quoted texts included, unset names left as they are,
//! no way to escape. Positions in the result are led back to the file's own text, so that messages show what the user sees.

use std::ops::Range;

/// Looks up an environment variable; many files are read at once.
pub type Environment<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// The environment of the process.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// A text after substitution, and the way back.
#[derive(Debug)]
pub(super) struct Expanded {
    /// The text with variables put in.
    pub(super) text: String,
    /// Every `$NAME` and `${NAME}` found, in order.
    pub(super) variables: Vec<Variable>,
}

/// One place where a variable is named.
#[derive(Debug)]
pub(super) struct Variable {
    /// The name.
    pub(super) name: String,
    /// Whether it is written `${NAME}`.
    pub(super) braces: bool,
    /// Where it stands in the file.
    pub(super) original: Range<usize>,
    /// Where it, or its value, stands in the result.
    pub(super) expanded: Range<usize>,
    /// Whether it is set, so that its value was put in.
    pub(super) is_set: bool,
}

/// Puts variables into a text.
pub(super) fn expand(text: &str, environment: Environment<'_>) -> Expanded {
    let mut out = String::with_capacity(text.len());
    let mut variables = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let start = text.len() - from.len();
        let Some((name, braces, length)) = variable(from) else {
            out.push('$');
            rest = from.get(1..).unwrap_or_default();
            continue;
        };
        let value = environment(name);
        let from_byte = out.len();
        out.push_str(
            value
                .as_deref()
                .unwrap_or(from.get(..length).unwrap_or_default()),
        );
        variables.push(Variable {
            name: name.to_owned(),
            braces,
            original: start..start + length,
            expanded: from_byte..out.len(),
            is_set: value.is_some(),
        });
        rest = from.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Expanded {
        text: out,
        variables,
    }
}

/// The variable a text that begins with `$` begins with: its name, whether in braces, its length.
fn variable(text: &str) -> Option<(&str, bool, usize)> {
    let body = text.strip_prefix('$')?;
    if let Some(inner) = body.strip_prefix('{') {
        let end = inner.find('}')?;
        return Some((inner.get(..end)?, true, end + 3));
    }
    let end = body
        .bytes()
        .position(|b| !(b.is_ascii_alphanumeric() || b == b'_'))
        .unwrap_or(body.len());
    (end > 0).then_some((body.get(..end)?, false, end + 1))
}

impl Expanded {
    /// The text as it is.
    pub(super) fn verbatim(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            variables: Vec::new(),
        }
    }

    /// Where a range of the result stands in the file. A range that touches a value covers the whole variable.
    pub(super) fn original(&self, range: Range<usize>) -> Range<usize> {
        let start = self.back(range.start, |variable| variable.start);
        let end = self.back(range.end, |variable| variable.end);
        start..end.max(start)
    }

    fn back(&self, at: usize, inside: impl Fn(&Range<usize>) -> usize) -> usize {
        // Variables stand in order, so the last one that begins before `at` decides.
        let before = self
            .variables
            .partition_point(|variable| variable.expanded.start < at);
        match before.checked_sub(1).and_then(|i| self.variables.get(i)) {
            None => at,
            Some(Variable {
                original,
                expanded,
                is_set,
                ..
            }) if at < expanded.end => {
                if *is_set {
                    inside(original)
                } else {
                    original.start + (at - expanded.start)
                }
            }
            Some(Variable {
                original, expanded, ..
            }) => original.end + (at - expanded.end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "FOO" => Some("value".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(expand(text, &environment).text, expected);
    }

    #[test]
    fn substitution_is_pythons() {
        for (text, expected) in [
            ("a $FOO b ${FOO}c", "a value b valuec"),
            ("# $FOO\n'${FOO}': $FOO", "# value\n'value': value"),
            ("$FOO_x $NO ${NO} ${FOO:-d}", "$FOO_x $NO ${NO} ${FOO:-d}"),
            ("$ FOO ${} %{+yyyy} $", "$ FOO ${} %{+yyyy} $"),
            (r"$$FOO \$FOO ${FOO", r"$value \value ${FOO"),
            ("[$EMPTY]$FOO.", "[]value."),
            ("ü$FOOé", "üvalueé"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn positions_lead_back() {
        let expanded = expand("k: ${FOO} x $EMPTY y", &environment);
        assert_eq!(expanded.text, "k: value x  y");
        assert_eq!(expanded.original(0..1), 0..1);
        assert_eq!(expanded.original(3..8), 3..9, "the value is the variable");
        assert_eq!(expanded.original(5..6), 3..9, "so is a part of it");
        assert_eq!(expanded.original(9..10), 10..11);
        assert_eq!(expanded.original(12..13), 19..20);
    }

    proptest! {
        #[test]
        fn every_range_stays_inside(text in "[a$\\{\\}FO: é\n]{0,40}", from in 0usize..60, length in 0usize..20) {
            let expanded = expand(&text, &environment);
            let from = from.min(expanded.text.len());
            let to = (from + length).min(expanded.text.len());
            let back = expanded.original(from..to);
            prop_assert!(back.start <= back.end && back.end <= text.len());
        }
    }
}
