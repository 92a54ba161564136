//! The match as a document: what alerts print and the writeback keeps.

use super::key::joined_text;
use super::{Match, MatchBody, QueryKey, Rule};
use crate::config::Node;
use crate::event::json::parse_document;
use crate::event::{Document, Field, RawEvent, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

impl Rule {
    /// A match as ElastAlert's alerts see it: the event reduced to `include`, `_id`, `_index` where it is known, compound keys,
    /// the time field written anew, and what the rule type adds. `None` for [`MatchBody::Forgotten`].
    pub fn match_document(&self, matched: &Match) -> Option<Document> {
        let mut document = match &matched.body {
            MatchBody::Event(event) => {
                let mut document = self.event_document(event);
                self.write_time(&mut document, Timestamp::to_text);
                document
            }
            MatchBody::Synthetic => Document::new(),
            MatchBody::Forgotten => return None,
        };
        if let Some(related) = &matched.related {
            let related = related.iter().map(|event| {
                let mut document = self.event_document(event);
                self.write_time(&mut document, Timestamp::isoformat);
                Value::Object(document)
            });
            document.insert("related_events".to_owned(), related.collect());
        }
        for (name, value) in &matched.added {
            document.insert(name.clone(), value.clone());
        }
        Some(document)
    }

    /// The event without what the type adds, its time still as it was written, except that a nested time is in Python's form.
    fn event_document(&self, event: &RawEvent) -> Document {
        let mut whole: Document = parse_document(&event.bytes).unwrap_or_default();
        let include = self.include.as_deref();
        let mut reduced = include.map(|include| Kept::new(self, include).reduce(&whole));
        let meta = event.meta.as_deref().cloned().unwrap_or_default();
        let id = meta.id.unwrap_or_else(|| content_id(&event.bytes));
        let only = || self.index.only().filter(|_| !whole.contains_key("_index"));
        let index = meta.index.as_deref().or_else(only);
        let mut added = vec![("_id".to_owned(), Value::from(id))];
        added.extend(index.map(|index| ("_index".to_owned(), Value::from(index))));
        whole.extend(added.iter().cloned());
        let query_key = self.query_key.clone().filter(QueryKey::is_compound);
        let aggregation_key = self.options.get("aggregation_key");
        let aggregation_key = aggregation_key.as_ref().and_then(listed_key);
        for key in [query_key, aggregation_key].into_iter().flatten() {
            let text = Value::from(compound_text(&key, &whole));
            whole.insert(key.name.clone(), text.clone());
            added.push((key.name, text));
        }
        if let Some(reduced) = &mut reduced {
            reduced.extend(added);
        }
        reduced.unwrap_or(whole)
    }

    /// Writes the time anew: as `top_level` where the field is a member of the document itself; a nested one stays an instant in
    /// ElastAlert, which JSON prints in Python's ISO form.
    fn write_time(&self, document: &mut Document, top_level: fn(Timestamp) -> String) {
        let path = &self.time.path;
        let Some(value) = path.get_some(document) else {
            return;
        };
        let Ok(time) = self.time.read(Field::Value(value)) else {
            return;
        };
        let text = if document.contains_key(path.as_str()) {
            top_level(time)
        } else {
            time.isoformat()
        };
        path.replace(document, Value::from(text));
    }
}

/// An event without an id gets one made of its content, so that the same event always has the same: twenty letters, as Elasticsearch's own ids have.
pub(super) fn content_id(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut id = URL_SAFE_NO_PAD.encode(digest);
    id.truncate(20);
    id
}

/// `aggregation_key`, when it is a list: ElastAlert then joins it even if it is of one field.
pub(super) fn listed_key(key: &Node) -> Option<QueryKey> {
    let fields: Vec<String> = key.as_seq()?.iter().map(Node::key_text).collect();
    QueryKey::new(&fields)
}

fn compound_text(key: &QueryKey, document: &Document) -> String {
    let parts = key.fields.iter().map(|path| path.get_some(document));
    joined_text(parts.map(|part| part.unwrap_or(&Value::Null)))
}

/// Which paths a match keeps: `include` as Elasticsearch's source filter takes it, and what a rule needs for itself.
struct Kept {
    patterns: Vec<String>,
}

impl Kept {
    fn new(rule: &Rule, include: &[String]) -> Self {
        let mut patterns = include.to_vec();
        let properties = rule.properties();
        for option in [
            "query_key",
            "aggregation_key",
            "compare_key",
            "top_count_keys",
        ] {
            patterns.extend(properties.texts(option));
        }
        patterns.push(rule.time.path.as_str().to_owned());
        let own_field = |pattern: &String| pattern.strip_suffix(".keyword").map(str::to_owned);
        let own_fields: Vec<String> = patterns.iter().filter_map(own_field).collect();
        patterns.extend(own_fields);
        Self { patterns }
    }

    fn reduce(&self, document: &Document) -> Document {
        self.members(document, "")
    }

    fn members(&self, document: &Document, prefix: &str) -> Document {
        let mut kept = Document::new();
        for (name, value) in document {
            let path = format!("{prefix}{name}");
            if self.patterns.iter().any(|pattern| glob(pattern, &path)) {
                kept.insert(name.clone(), value.clone());
            } else if let Some(value) = self.inside(value, &format!("{path}.")) {
                kept.insert(name.clone(), value);
            }
        }
        kept
    }

    fn inside(&self, value: &Value, prefix: &str) -> Option<Value> {
        match value {
            Value::Object(members) => {
                let kept = self.members(members, prefix);
                (!kept.is_empty()).then_some(Value::Object(kept))
            }
            Value::Array(items) => {
                let kept: Vec<Value> = items
                    .iter()
                    .filter_map(|item| self.inside(item, prefix))
                    .collect();
                (!kept.is_empty()).then_some(Value::Array(kept))
            }
            _ => None,
        }
    }
}

/// Whether a text is what a pattern with `*` stands for.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let Some((middle, last)) = rest.rsplit_once('*') else {
        return text.ends_with(rest);
    };
    for part in middle.split('*') {
        let Some(at) = text.find(part) else {
            return false;
        };
        text = text.get(at + part.len()..).unwrap_or_default();
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("*", "a.b", true),
            ("a.*", "a.b.c", true),
            ("a.*", "a", false),
            ("*_id", "user_id", true),
            ("a*b*c", "a.b.b.c", true),
            ("a*b*c", "abc.d", false),
            ("a*bc*c", "abc", false),
            ("a", "ab", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn objects_are_kept_as_far_as_something_in_them_is() {
        let kept = Kept {
            patterns: vec![
                "user".to_owned(),
                "geo.city".to_owned(),
                "list.id".to_owned(),
            ],
        };
        let document = serde_json::from_str(
            r#"{"user": {"a": 1}, "geo": {"city": "x", "ip": 1}, "other": {"user": 1}, "list": [{"id": 1, "n": 2}, 3], "geo.city": 2}"#,
        )
        .unwrap();
        assert_eq!(
            Value::Object(kept.reduce(&document)).to_string(),
            r#"{"user":{"a":1},"geo":{"city":"x"},"list":[{"id":1}],"geo.city":2}"#
        );
    }
}
