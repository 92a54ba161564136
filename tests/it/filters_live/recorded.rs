//! Recorded filters with something changed in them: other values, fields, clauses, characters.

use super::{FILTERS, Round, lucene};
use crate::golden::cases;
use crate::golden::filters::mapping;
use crate::support::dice::Dice;
use serde_json::{Map, Value, json};

/// The recorded indices and what was asked of them.
pub struct Files(Vec<Value>);

impl Files {
    pub fn read() -> Self {
        let files = cases("filters").into_iter().map(|case| case.value);
        // Their `now` is long past.
        Self(
            files
                .filter(|file| file["now"].is_null() && file["docs"].is_array())
                .collect(),
        )
    }

    /// An index of the recorded ones, and changed filters for it.
    pub fn changed(&mut self, dice: &mut Dice) -> Round {
        let file = &self.0[dice.index(self.0.len())];
        let filters: Vec<&Value> = file["cases"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|case| !case["tags"].is_array())
            .map(|case| &case["filter"])
            .collect();
        let mut pool = Pool::default();
        filters.iter().for_each(|filter| pool.collect(filter));
        let changed = (0..FILTERS).map(|_| {
            let mut filter = filters[dice.index(filters.len())].clone();
            for _ in 0..=dice.below(3) {
                pool.change(&mut filter, dice);
            }
            if dice.percent(10) {
                let other = filters[dice.index(filters.len())];
                let kind = dice.pick(&["should", "must", "must_not", "filter"]);
                filter = json!([{"bool": {kind: [filter[0], other[0]]}}]);
            }
            filter
        });
        let filters = changed
            .filter(|filter| filter.is_array() && !depends_on_others(filter))
            .collect();
        let create = match &file["mapping"] {
            Value::String(name) if name == "dynamic" => json!({}),
            Value::String(_) => json!({"mappings": logstash_template()}),
            explicit if file["settings"].is_object() => {
                json!({"mappings": explicit, "settings": file["settings"]})
            }
            explicit => json!({"mappings": explicit}),
        };
        Round {
            kind: file["name"].as_str().unwrap().to_owned(),
            create,
            mapping: mapping(file),
            documents: file["docs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|d| d.as_object().unwrap().clone())
                .collect(),
            filters,
            apart: false,
        }
    }
}

/// Whether a filter asks for what other documents decide, or names the recorded index.
fn depends_on_others(filter: &Value) -> bool {
    let text = filter.to_string();
    [
        "max_expansions",
        "top_terms",
        "min_score",
        "_index",
        "common",
        "cutoff_frequency",
        "now",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// What can be put in another's place.
#[derive(Default)]
struct Pool {
    keys: Vec<String>,
    scalars: Vec<Value>,
    clauses: Vec<Value>,
}

impl Pool {
    fn collect(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(members) => {
                self.clauses.push(value.clone());
                for (key, value) in members {
                    self.keys.push(key.clone());
                    self.collect(value);
                }
            }
            scalar => self.scalars.push(scalar.clone()),
        }
    }

    /// Goes to a random place and changes what is there.
    fn change(&self, value: &mut Value, dice: &mut Dice) {
        match value {
            Value::Array(items) if !items.is_empty() => {
                let at = dice.index(items.len());
                self.change(&mut items[at], dice);
            }
            Value::Object(members) if !members.is_empty() => {
                let key = members
                    .keys()
                    .nth(dice.index(members.len()))
                    .unwrap()
                    .clone();
                match dice.below(12) {
                    0 => *members = renamed(members, &key, &self.keys[dice.index(self.keys.len())]),
                    1 => {
                        members.remove(&key);
                    }
                    2 => *value = self.clauses[dice.index(self.clauses.len())].clone(),
                    _ => self.change(&mut members[&key], dice),
                }
            }
            Value::String(text) if dice.percent(50) => *text = lucene::spoilt(dice, text),
            place => *place = self.scalars[dice.index(self.scalars.len())].clone(),
        }
    }
}

/// The same members with one of another name.
fn renamed(members: &Map<String, Value>, key: &str, name: &str) -> Map<String, Value> {
    members
        .iter()
        .map(|(old, value)| {
            (
                if old == key { name } else { old }.to_owned(),
                value.clone(),
            )
        })
        .collect()
}

/// The template of Logstash's elasticsearch output.
pub fn logstash_template() -> Value {
    let text = json!({"type": "text", "norms": false});
    let mut with_keyword = text.clone();
    with_keyword["fields"] = json!({"keyword": {"type": "keyword", "ignore_above": 256}});
    json!({
        "dynamic_templates": [
            {"message_field": {"path_match": "message", "match_mapping_type": "string", "mapping": text}},
            {"string_fields": {"match": "*", "match_mapping_type": "string", "mapping": with_keyword}}
        ],
        "properties": {
            "@timestamp": {"type": "date"},
            "@version": {"type": "keyword"},
            "geoip": {"dynamic": true, "properties": {
                "ip": {"type": "ip"}, "location": {"type": "geo_point"},
                "latitude": {"type": "half_float"}, "longitude": {"type": "half_float"}}}
        }
    })
}
