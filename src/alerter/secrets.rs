//! What must not be shown of an alerter: passwords, tokens, the addresses of webhooks.
//!
//! elastalert2 writes some of them into `alert_info`. Here they are masked wherever something leaves for the log, an error or the writeback.

use super::reason::origin;
use crate::config::{OptionSpec, Properties};
use crate::event::Document;
use serde_json::Value;

/// What stands for a secret.
const MASK: &str = "***";
/// Shorter texts are not looked for inside others: they would be found anywhere.
const SHORTEST: usize = 4;

/// The secrets of an alerter: the values of its options that are marked so.
#[derive(Clone, Default)]
pub struct Secrets {
    names: Box<[&'static str]>,
    values: Box<[String]>,
}

/// How many there are.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.values.len())
    }
}

impl Secrets {
    pub(super) fn of(properties: &Properties, options: &[OptionSpec]) -> Self {
        let names: Box<[_]> = options
            .iter()
            .filter(|option| option.secret)
            .map(|option| option.name)
            .collect();
        let mut values = Vec::new();
        for name in &names {
            collect(&properties.value(name).unwrap_or_default(), &mut values);
        }
        // Of two secrets that begin alike the longer one is looked for first.
        values.sort_by_key(|value: &String| std::cmp::Reverse(value.len()));
        values.dedup();
        Self {
            names,
            values: values.into(),
        }
    }

    /// A document without secrets: of the addresses of webhooks the host is left.
    pub(super) fn mask_document(&self, document: Document) -> Document {
        document
            .into_iter()
            .map(|(name, value)| {
                let all = self.names.contains(&name.as_str());
                let value = self.mask_value(value, all);
                (name, value)
            })
            .collect()
    }

    fn mask_value(&self, value: Value, all: bool) -> Value {
        match value {
            Value::String(text) if all || self.values.contains(&text) => Value::String(mask(&text)),
            Value::String(text) if self.is_in(&text) && text.contains("://") => {
                Value::String(mask(&text))
            }
            Value::String(text) => Value::String(self.mask_text(text)),
            Value::Number(_) if all => Value::String(MASK.to_owned()),
            Value::Array(items) => {
                let items = items.into_iter();
                Value::Array(items.map(|item| self.mask_value(item, all)).collect())
            }
            Value::Object(members) => Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name, self.mask_value(value, all)))
                    .collect(),
            ),
            other => other,
        }
    }

    /// A text without secrets.
    pub(super) fn mask_text(&self, text: String) -> String {
        let long = self.values.iter().filter(|value| value.len() >= SHORTEST);
        long.fold(text, |mut text, secret| {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), &mask(secret));
            }
            // What a service answers is cut, perhaps in the middle of a secret.
            let part = (SHORTEST..secret.len()).rev().find_map(|length| {
                let part = secret.get(..length)?;
                text.ends_with(part).then_some(part)
            });
            if let Some(part) = part.filter(|part| mask(part) != *part) {
                text.truncate(text.len() - part.len());
                text.push_str(MASK);
            }
            text
        })
    }

    fn is_in(&self, text: &str) -> bool {
        let mut values = self.values.iter();
        values.any(|value| value.len() >= SHORTEST && text.contains(value.as_str()))
    }
}

/// The texts in an option's value. A host alone is no secret.
fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.is_empty() || mask(text) == *text => {}
        Value::String(text) => {
            found.push(text.clone());
            found.extend(parts(text));
        }
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => members
            .iter()
            // How a service is reached, beside what it is reached with.
            .filter(|(name, _)| !name.ends_with("_host") && !name.ends_with("_port"))
            .for_each(|(_, value)| collect(value, found)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// What of a URL a service may repeat alone: its path with and without the query, what is long in it, the password.
fn parts(url: &str) -> Vec<String> {
    /// Shorter ones are words such as `services`.
    const SHORTEST_SEGMENT: usize = 9;
    let Ok(url) = reqwest::Url::parse(url) else {
        return Vec::new();
    };
    let path = url.path().trim_matches('/');
    let segments = path.split('/').filter(|one| one.len() >= SHORTEST_SEGMENT);
    let query: Vec<String> = url.query_pairs().map(|(_, value)| value.into()).collect();
    let parts = [Some(path), url.query(), url.password()];
    parts
        .into_iter()
        .flatten()
        .chain(segments)
        .chain(query.iter().map(String::as_str))
        .filter(|part| part.len() >= SHORTEST)
        .map(str::to_owned)
        .collect()
}

/// What is shown of a secret: of a URL its host.
fn mask(secret: &str) -> String {
    if secret.is_empty() {
        return String::new();
    }
    let origin = origin(secret);
    match origin.contains("://") {
        true if secret.trim_end_matches('/') == origin => secret.to_owned(),
        true => format!("{origin}/{MASK}"),
        false => MASK.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Kind, Mapping, Node, Span, opt};
    use serde_json::json;

    fn secrets() -> Secrets {
        let node = |text: &str| Node::text(text, &Span::nowhere());
        let options = Mapping(vec![
            (
                node("hook"),
                node("https://hooks.example.com/services/T0/secret"),
            ),
            (node("token"), node("abcd1234")),
            (node("pin"), node("7")),
            (node("host"), node("https://hive.example.com")),
            (node("open"), node("open")),
        ]);
        let table = [
            opt("hook").kind(Kind::Str).secret(),
            opt("token").secret(),
            opt("pin").secret(),
            opt("host").secret(),
            opt("open"),
        ];
        Secrets::of(&Properties::new(options), &table)
    }

    #[test]
    fn documents_show_hosts_and_nothing_else() {
        let info = json!({
            "type": "x",
            "hook": ["https://hooks.example.com/services/T0/secret"],
            "also": "https://hooks.example.com/services/T0/secret",
            "api": "https://api.example.com/bot/abcd1234/send?sign=x",
            "pin": 7,
            "line": "key=abcd1234;",
            "host": "https://hive.example.com",
            "open": "open 7",
        });
        let masked = secrets().mask_document(info.as_object().unwrap().clone());
        assert_eq!(
            Value::Object(masked),
            json!({
                "type": "x",
                "hook": ["https://hooks.example.com/***"],
                "also": "https://hooks.example.com/***",
                "api": "https://api.example.com/***",
                "pin": "***",
                "line": "key=***;",
                "host": "https://hive.example.com",
                "open": "open 7",
            })
        );
    }

    #[test]
    fn texts_lose_secrets_wherever_they_stand() {
        let text = "no route to https://hooks.example.com/services/T0/secret (abcd1234)".to_owned();
        assert_eq!(
            secrets().mask_text(text),
            "no route to https://hooks.example.com/*** (***)"
        );
        assert_eq!(
            secrets().mask_text("no POST /services/T0/secret here".to_owned()),
            "no POST /*** here"
        );
        for cut in [
            "answered abcd1",
            "answered https://hooks.example.com/services/T",
        ] {
            assert_eq!(secrets().mask_text(cut.to_owned()), "answered ***");
        }
    }
}
