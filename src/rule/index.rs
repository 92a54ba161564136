//! `index`: which indices a rule looks at.

/// A comma-separated list of index patterns: names, `*`, `-excluded`; with `use_strftime_index` dates such as `%Y.%m.%d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexPattern {
    /// As written.
    pub text: String,
    patterns: Box<[Pattern]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    excludes: bool,
    parts: Box<[Part]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// These characters.
    Literal(String),
    /// So many digits.
    Digits(usize),
    /// Anything.
    Any,
}

/// How a pattern is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexStyle {
    /// Names and wildcards.
    Plain,
    /// `use_strftime_index`: with strftime's date parts.
    Strftime,
}

impl IndexPattern {
    /// Reads a rule's `index`.
    pub fn new(text: impl Into<String>, style: IndexStyle) -> Self {
        let text = text.into();
        let patterns = text
            .split(',')
            .map(str::trim)
            .filter(|pattern| !pattern.is_empty())
            .map(|pattern| Pattern::new(pattern, style))
            .collect();
        Self { text, patterns }
    }

    /// The index, when the pattern is the name of one: events that do not say where they go must go there.
    pub fn only(&self) -> Option<&str> {
        match &*self.patterns {
            [
                Pattern {
                    excludes: false,
                    parts,
                },
            ] => match &**parts {
                [Part::Literal(name)] => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// The pattern as Elasticsearch understands it: `*` where a date would stand.
    pub fn as_wildcards(&self) -> String {
        let patterns = self.patterns.iter().map(|pattern| {
            let mut text = if pattern.excludes { "-" } else { "" }.to_owned();
            for part in &pattern.parts {
                match part {
                    Part::Literal(literal) => text.push_str(literal),
                    Part::Digits(_) | Part::Any if text.ends_with('*') => {}
                    Part::Digits(_) | Part::Any => text.push('*'),
                }
            }
            text
        });
        patterns.collect::<Vec<_>>().join(",")
    }

    /// Whether the rule looks at an index. A `-` pattern takes away from what the patterns before it picked, as in Elasticsearch.
    pub fn matches(&self, index: &str) -> bool {
        let mut picked = self.patterns.is_empty();
        for pattern in &self.patterns {
            if picked == pattern.excludes && matches(&pattern.parts, index) {
                picked = !pattern.excludes;
            }
        }
        picked
    }
}

impl Pattern {
    fn new(text: &str, style: IndexStyle) -> Self {
        let (excludes, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, text),
        };
        // `cluster:index` searches another cluster; events do not say from which they would be.
        let name = name.rsplit_once(':').map_or(name, |(_, name)| name);
        let parts = match name {
            "_all" => [Part::Any].into(),
            _ => parts(name, style),
        };
        Self { excludes, parts }
    }
}

fn parts(name: &str, style: IndexStyle) -> Box<[Part]> {
    // `<logstash-{now/d}>`: date math in an index name.
    let (name, date_math) = match name
        .strip_prefix('<')
        .and_then(|name| name.strip_suffix('>'))
    {
        Some(name) => (name, true),
        None => (name, false),
    };
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut characters = name.chars();
    while let Some(c) = characters.next() {
        let part = match c {
            '*' => Part::Any,
            '{' if date_math => {
                skip_braces(&mut characters);
                Part::Any
            }
            '%' if style == IndexStyle::Strftime => match characters.next() {
                Some('Y' | 'G') => Part::Digits(4),
                Some('j') => Part::Digits(3),
                Some('y' | 'm' | 'd' | 'H' | 'I' | 'M' | 'S' | 'V' | 'U' | 'W' | 'g') => {
                    Part::Digits(2)
                }
                Some('u' | 'w') => Part::Digits(1),
                Some('%') | None => {
                    literal.push('%');
                    continue;
                }
                Some(_) => Part::Any,
            },
            other => {
                literal.push(other);
                continue;
            }
        };
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(part);
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    parts.into()
}

/// Skips to the end of `{now/d{yyyy.MM}}`, whose `{` is read already.
fn skip_braces(characters: &mut std::str::Chars<'_>) {
    let mut depth = 1;
    for c in characters.by_ref() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

fn matches(parts: &[Part], mut text: &str) -> bool {
    // Greedy with one point to come back to: the last `*`, and how far it had reached.
    let mut rest = parts;
    let mut retry: Option<(&[Part], &str)> = None;
    loop {
        let step = match rest.split_first() {
            Some((Part::Any, after)) => {
                retry = Some((after, text));
                rest = after;
                continue;
            }
            Some((Part::Literal(literal), after)) => text
                .strip_prefix(literal.as_str())
                .map(|text| (after, text)),
            Some((Part::Digits(count), after)) => text
                .split_at_checked(*count)
                .filter(|(digits, _)| digits.bytes().all(|b| b.is_ascii_digit()))
                .map(|(_, text)| (after, text)),
            None if text.is_empty() => return true,
            None => None,
        };
        match (step, &mut retry) {
            (Some((after, left)), _) => (rest, text) = (after, left),
            (None, Some((after, from))) => {
                let mut characters = from.chars();
                if characters.next().is_none() {
                    return false;
                }
                *from = characters.as_str();
                (rest, text) = (*after, *from);
            }
            (None, None) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, picked: &[&str], others: &[&str]) {
        for style in [IndexStyle::Plain, IndexStyle::Strftime] {
            if style == IndexStyle::Plain && pattern.contains('%') {
                continue;
            }
            let pattern = IndexPattern::new(pattern, style);
            assert!(
                picked.iter().all(|index| pattern.matches(index)),
                "{pattern:?}"
            );
            assert!(
                !others.iter().any(|index| pattern.matches(index)),
                "{pattern:?}"
            );
        }
    }

    #[test]
    fn patterns_pick_as_in_elasticsearch() {
        check("log-asm", &["log-asm"], &["log-asm-1", "log-as", ""]);
        check("log-*", &["log-", "log-asm-2018"], &["xlog-asm"]);
        check("*-asm-*", &["a-asm-b", "-asm-asm-"], &["a-asm"]);
        check("a*b*c", &["abc", "aXbYc", "abcbc"], &["abcb", "ac"]);
        check("a, b*", &["a", "b1"], &["c"]);
        check(
            "log-*,-log-dev*",
            &["log-prod"],
            &["log-dev", "log-dev-1", "x"],
        );
        check("log-*,-log-dev*,log-dev-1", &["log-dev-1"], &["log-dev-2"]);
        check("_all", &["x"], &[]);
        check("*", &["x", ""], &[]);
        check("", &["x"], &[]);
        check("eu:logs-*", &["logs-1"], &["eu-1"]);
        check(
            "<logs-{now/d{yyyy.MM}}-x>",
            &["logs-2018.04-x"],
            &["logs-2018.04"],
        );
        check(
            "logstash-%Y.%m.%d",
            &["logstash-2018.04.06"],
            &["logstash-2018.4.06", "logstash-2018.04.06.1"],
        );
        check("a-%Y%b*", &["a-2018Apr6"], &["a-18Apr"]);
    }

    #[test]
    fn dates_are_read_only_where_asked_for() {
        let plain = IndexPattern::new("a-%Y", IndexStyle::Plain);
        assert!(plain.matches("a-%Y") && !plain.matches("a-2018"));
    }
}
