//! Hints on clauses that compare terms.

use super::super::regexp;
use super::{Hints, only_member};
use crate::config::Node;
use serde_json::Value;

impl Hints<'_> {
    /// `term` and `terms` are not analysed, texts are.
    pub(super) fn exact(&mut self, body: &Node) {
        let Some(map) = body.as_map() else { return };
        for (field, value) in map.iter() {
            let name = field.key_text();
            if !self.is_text(&name) {
                continue;
            }
            let values: Vec<&Node> = match value.as_seq() {
                Some(items) => items.iter().collect(),
                None => vec![value.get("value").unwrap_or(value)],
            };
            let ignores_case = value.get("case_insensitive").is_some();
            for value in values {
                let Some(text) = value.as_str().filter(|text| !self.is_date(text)) else {
                    continue;
                };
                let terms = self.terms(text);
                let wanted = if ignores_case {
                    text.to_lowercase()
                } else {
                    text.to_owned()
                };
                if terms.len() == 1 && terms.contains(&wanted) {
                    continue;
                }
                let why = if terms.len() == 1 {
                    format!("its terms are in small letters, like {:?}", terms.concat())
                } else if terms.is_empty() {
                    "its terms are words, and there is none in this".to_owned()
                } else {
                    format!("its terms are single words, like {}", terms.join(", "))
                };
                let message = format!("{text:?} is no term of the text field `{name}`: {why}");
                self.add("W0220", &value.span, message, other_form(&name));
            }
        }
    }

    /// Patterns on texts are compared with single small words.
    pub(super) fn pattern(&mut self, clause: &str, body: &Node) {
        let Some((field, value)) = only_member(body) else {
            return;
        };
        let name = field.key_text();
        let ignores_case = value.get("case_insensitive").is_some();
        let inner = [clause, "value"].iter().find_map(|key| value.get(key));
        let value = inner.unwrap_or(value);
        let Some(text) = value.as_str().filter(|_| self.is_text(&name)) else {
            return;
        };
        let why = if text.chars().any(char::is_whitespace) {
            "holds a blank, but the terms of a text are single words"
        } else if !ignores_case && text.chars().any(char::is_uppercase) {
            "has capitals, but the terms of a text are in small letters"
        } else {
            return;
        };
        let message = format!("the pattern {text:?} on the text field `{name}` {why}");
        self.add("W0220", &value.span, message, other_form(&name));
    }

    /// `match` and its kin know no wildcards.
    pub(super) fn analysed(&mut self, clause: &str, body: &Node) {
        let Some((field, value)) = only_member(body) else {
            return;
        };
        let name = field.key_text();
        let value = value.get("query").unwrap_or(value);
        if let Some(text) = value.as_str().filter(|text| text.contains('*')) {
            let pattern = text.split_whitespace().find(|word| word.contains('*'));
            let message = format!("a `*` in `{clause}` is no wildcard");
            let help = format!(
                "use `wildcard`, or `query_string: {{query: '{name}:{}'}}`",
                pattern.unwrap_or("…")
            );
            self.add("W0224", &value.span, message, help);
        }
    }

    pub(super) fn regexp(&mut self, body: &Node) {
        let Some((field, value)) = only_member(body) else {
            return;
        };
        let value = value.get("value").unwrap_or(value);
        if let Some(pattern) = value.as_str() {
            self.pattern_of_regexp(&field.key_text(), pattern, value);
        }
    }

    /// What looks like another language of regular expressions.
    pub(super) fn pattern_of_regexp(&mut self, field: &str, pattern: &str, place: &Node) {
        if let Some(error) = regexp::compile(pattern, regexp::Options::default()).err() {
            // An error where the clause is strict; a lenient query just never matches.
            let message = format!("the regular expression {pattern:?} never matches: {error}");
            let help = "mend the pattern; Lucene's regular expressions are not PCRE";
            self.add("W0227", &super::within(place, pattern), message, help);
            return;
        }
        let (what, help) = if pattern.starts_with('^') || ends_in_anchor(pattern) {
            (
                "`^` and `$` are ordinary characters",
                "remove them: the whole value must match anyway; begin or end with `.*` where it need not",
            )
        } else if ["(?:", "(?i)", "(?=", "(?!", "(?<"]
            .iter()
            .any(|start| pattern.contains(start))
        {
            (
                "`(?` is an optional bracket",
                "groups are just `(…)`; for capitals use `case_insensitive: true`; there is no look-around",
            )
        } else if [".*?", ".+?"].iter().any(|lazy| pattern.contains(lazy)) {
            ("there are no lazy repetitions", "remove the `?`")
        } else {
            return;
        };
        let message = format!("in the regular expression {pattern:?} on `{field}`, {what}");
        self.add("W0227", &super::within(place, pattern), message, help);
    }

    /// Whether dynamic mapping takes a text for a date.
    fn is_date(&self, text: &str) -> bool {
        let candidate = self.mapping.candidate("", &Value::from(text));
        candidate.is_some_and(|candidate| self.mapping.is_date_candidate(candidate))
    }

    fn terms(&self, text: &str) -> Vec<String> {
        let analyzer = self.mapping.analyzer("standard");
        let tokens = analyzer.map(|analyzer| analyzer.tokens(text));
        tokens
            .into_iter()
            .flatten()
            .map(|token| token.text)
            .collect()
    }
}

fn ends_in_anchor(pattern: &str) -> bool {
    pattern.ends_with('$') && !pattern.ends_with("\\$")
}

fn other_form(name: &str) -> String {
    format!(
        "use `{name}.keyword` for the whole value or `match` for words; if `{name}` is a keyword in your index, say so with `mapping`"
    )
}
