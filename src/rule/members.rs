//! Members that ElastAlert adds to every event before the rule's type sees it (`process_hits` in `elastalert.py`): `_id`, `_index`, and keys of several
//! fields joined, under the name that matches carry them by. An `aggregation_key` that is a list of one field puts that field's text in its place.

use super::key::joined_text;
use super::match_document::content_id;
use super::{Learning, Match, Observed, QueryKey, RuleState, RuleType, Verdict};
use crate::event::{Document, Field, FieldPath, Fields};
use crate::filter::Filter;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// A type some of whose fields are such members.
#[derive(Debug)]
struct WithMembers {
    kind: Arc<dyn RuleType>,
    /// The type's fields, and behind them those that joined keys are made of.
    fields: Vec<FieldPath>,
    /// By position in the type's fields.
    members: Vec<(usize, Member)>,
    /// Where events go that do not say.
    index: Option<Box<str>>,
}

#[derive(Debug)]
enum Member {
    /// A field of the event itself.
    Field(usize),
    Id,
    /// Where the event has a member of that name itself, for when nobody says.
    Index(usize),
    Joined(Vec<Member>),
}

/// The type, shown these members where it asks for them. `keys` are those that ElastAlert joins; `index` is where events go that do not say.
pub(super) fn show(
    kind: Arc<dyn RuleType>,
    keys: &[&QueryKey],
    index: Option<&str>,
) -> Arc<dyn RuleType> {
    let keys = if kind.asks_the_index() { &[] } else { keys };
    let mut fields = kind.fields().to_vec();
    let mut members = Vec::new();
    for (position, path) in kind.fields().iter().enumerate() {
        let named = keys.iter().filter(|key| path.is_within(&key.name));
        let member = match named.max_by_key(|key| key.name.len()) {
            Some(key) => {
                let parts = key.fields.iter();
                Some(Member::Joined(
                    parts.map(|part| Member::of(part, &mut fields)).collect(),
                ))
            }
            None => Member::of_document(path, position),
        };
        members.extend(member.map(|member| (position, member)));
    }
    if members.is_empty() {
        return kind;
    }
    Arc::new(WithMembers {
        kind,
        fields,
        members,
        index: index.map(Into::into),
    })
}

impl Member {
    /// What the sender or the input tells of a document.
    fn of_document(path: &FieldPath, position: usize) -> Option<Self> {
        if path.is_within("_id") {
            Some(Self::Id)
        } else if path.is_within("_index") {
            Some(Self::Index(position))
        } else {
            None
        }
    }

    /// A part of a joined key; adds the field it is, if it is one.
    fn of(path: &FieldPath, fields: &mut Vec<FieldPath>) -> Self {
        let position = fields.len();
        fields.push(path.clone());
        Self::of_document(path, position).unwrap_or(Self::Field(position))
    }

    /// `only` is where events go that do not say.
    fn value(&self, event: &Observed<'_>, only: Option<&str>) -> Value {
        match self {
            Self::Field(position) => event.fields.field(*position).to_value(),
            Self::Id => event
                .id
                .map_or_else(|| Value::from(content_id(event.bytes)), Value::from),
            Self::Index(position) => {
                let own = event.fields.field(*position).to_value();
                match event.index.or(only.filter(|_| own.is_null())) {
                    Some(index) => Value::from(index),
                    None => own,
                }
            }
            Self::Joined(parts) => {
                let parts: Vec<Value> = parts.iter().map(|part| part.value(event, only)).collect();
                Value::from(joined_text(&parts))
            }
        }
    }
}

/// The event's fields, with members in the place of some.
struct Shown<'a> {
    fields: &'a dyn Fields,
    members: Vec<(usize, Value)>,
}

impl Fields for Shown<'_> {
    fn field(&self, position: usize) -> Field<'_> {
        let mut members = self.members.iter();
        match members.find(|(place, _)| *place == position) {
            Some((_, Value::Null)) => Field::Missing,
            Some((_, value)) => Field::Value(value),
            None => self.fields.field(position),
        }
    }
}

impl RuleType for WithMembers {
    fn fields(&self) -> &[FieldPath] {
        &self.fields
    }

    fn sample(&self, event: &Observed<'_>) -> Verdict {
        let members = self.members.iter();
        let fields = Shown {
            fields: event.fields,
            members: members
                .map(|(position, member)| (*position, member.value(event, self.index.as_deref())))
                .collect(),
        };
        self.kind.sample(&Observed {
            fields: &fields,
            ..*event
        })
    }

    fn asks_the_index(&self) -> bool {
        self.kind.asks_the_index()
    }

    fn inner_filter(&self) -> Option<&Filter> {
        self.kind.inner_filter()
    }

    fn state(&self) -> Box<dyn RuleState> {
        self.kind.state()
    }

    fn keeps_events(&self) -> bool {
        self.kind.keeps_events()
    }

    fn learning(&self) -> Option<Learning> {
        self.kind.learning()
    }

    fn horizon(&self) -> Option<Duration> {
        self.kind.horizon()
    }

    fn is_certain(&self, matched: &Match) -> bool {
        self.kind.is_certain(matched)
    }

    fn text(&self, matched: &Document, times: &dyn Fn(&Value, Duration) -> String) -> String {
        self.kind.text(matched, times)
    }

    fn judgement_changes_memory(&self) -> bool {
        self.kind.judgement_changes_memory()
    }

    fn is_tuple(&self, member: &str, value: &Value) -> bool {
        self.kind.is_tuple(member, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::DocumentFields;
    use crate::rule::types::tests::build;

    /// What the type takes from an event in index `logs` with id `e1`: its key and values, as JSON.
    #[track_caller]
    fn sampled(rule: &str, keys: &[&[&str]], event: &str) -> String {
        let names = |fields: &&[&str]| fields.iter().map(|name| (*name).to_owned()).collect();
        let keys: Vec<Vec<String>> = keys.iter().map(names).collect();
        let keys: Vec<QueryKey> = keys.iter().filter_map(|key| QueryKey::new(key)).collect();
        let keys: Vec<&QueryKey> = keys.iter().collect();
        let kind = show(build(rule).unwrap(), &keys, Some("only"));
        let document = serde_json::from_str(event).unwrap();
        let fields = DocumentFields {
            document: &document,
            paths: kind.fields(),
        };
        let verdict = kind.sample(&Observed {
            fields: &fields,
            inner: true,
            index: Some("logs"),
            id: Some("e1"),
            bytes: event.as_bytes(),
        });
        let Verdict::Sample(sample) = verdict else {
            return "nothing".to_owned();
        };
        format!("{} {}", sample.key.to_value(), Value::from(sample.values))
    }

    #[test]
    fn id_and_index_are_members_of_the_event() {
        let flatline = "type: flatline\nthreshold: 1\ntimeframe: {minutes: 1}\nquery_key: ";
        let event = r#"{"user": 5, "_id": "own"}"#;
        for (query_key, expected) in [
            ("_index", r#""logs""#),
            ("_index.keyword", r#""logs""#),
            ("_id", r#""e1""#),
            ("[_index, user, _id]", r#""logs, 5, e1""#),
            ("user", "5"),
        ] {
            let rule = format!("{flatline}{query_key}");
            assert_eq!(sampled(&rule, &[], event), format!("{expected} []"));
        }
        let counts = format!("{flatline}_index\nuse_terms_query: true");
        assert_eq!(sampled(&counts, &[], event), r#""all" ["logs"]"#);
    }

    #[test]
    fn an_event_that_does_not_say_goes_to_the_only_index() {
        let rule = "type: flatline\nthreshold: 1\ntimeframe: {minutes: 1}\nquery_key: _index";
        let kind = show(build(rule).unwrap(), &[], Some("only"));
        let verdict = kind.sample(&Observed {
            fields: &DocumentFields {
                document: &Document::new(),
                paths: kind.fields(),
            },
            inner: true,
            index: None,
            id: None,
            bytes: b"{}",
        });
        let Verdict::Sample(sample) = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(sample.key.to_value(), "only");
    }

    #[test]
    fn an_event_without_an_id_has_the_one_that_its_match_will_show() {
        let event = Observed {
            fields: &DocumentFields {
                document: &Document::new(),
                paths: &[],
            },
            inner: true,
            index: None,
            id: None,
            bytes: b"{}",
        };
        assert_eq!(Member::Id.value(&event, None), content_id(b"{}").as_str());
        assert_eq!(Member::Index(0).value(&event, None), Value::Null);
    }

    #[test]
    fn joined_keys_are_members_too() {
        let change = "type: change\nquery_key: k\nignore_null: false\ncompare_key: ";
        let event = r#"{"k": 1, "user": 0.50, "host": {"name": "web"}, "a.b": "own"}"#;
        for (compared, keys, expected) in [
            (
                "\"user,host.name\"",
                &[&["user", "host.name"][..]][..],
                r#"["0.5, web"]"#,
            ),
            // A list of one field puts its text in its place.
            ("user", &[&["user"]], r#"["0.5"]"#),
            (
                "[gone, host.name.keyword]",
                &[&["gone"], &["host.name"]],
                r#"["None","web"]"#,
            ),
            ("user", &[&["host.name", "user"]], "[0.50]"),
            ("\"user,host.name\"", &[], "[null]"),
        ] {
            let rule = format!("{change}{compared}");
            assert_eq!(sampled(&rule, keys, event), format!("1 {expected}"));
        }
    }

    #[test]
    fn an_index_does_not_know_joined_keys() {
        let metric = "type: metric_aggregation\nmetric_agg_type: max\nmax_threshold: 1\nmetric_agg_key: user";
        let sample = |keys: &[&[&str]]| sampled(metric, keys, r#"{"user": 5}"#);
        assert_eq!(sample(&[&["user"]]), sample(&[]));
    }
}
