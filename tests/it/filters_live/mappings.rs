//! Random mappings, and documents for them.

use super::values::{FIELDS, date, number, scalar, text, word};
use crate::support::dice::Dice;
use serde_json::{Map, Value, json};

/// The names of its fields at the top; [`FIELDS`] has more below them.
const NAMES: &[&str] = &[
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "ro", "rn",
];

/// A mapping and its analysis settings.
pub fn mapping(dice: &mut Dice) -> (Value, Value) {
    let mut properties = Map::new();
    for name in NAMES {
        if dice.percent(85) {
            let field = match *name {
                "ro" => object(dice, "object"),
                "rn" => object(dice, "nested"),
                _ => field(dice, true),
            };
            properties.insert((*name).to_owned(), field);
        }
    }
    let known = |properties: &Map<String, Value>, path: &str| {
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        properties.get(name).is_some_and(|field| {
            let parts = ["fields", "properties"].map(|key| !field[key][rest].is_null());
            rest.is_empty() || parts.contains(&true)
        })
    };
    let path = dice.pick(&["r0", "r1", "r1.sub", "ro.x", "rn.x"]);
    if known(&properties, path) {
        properties.insert("ra".to_owned(), json!({"type": "alias", "path": path}));
    }
    for (from, to) in [
        ("r1", "r0"),
        ("r4", "r3"),
        ("r5", "ro.x"),
        ("r6", "copied"),
        ("r7", "copied"),
    ] {
        let to_new = to == "copied";
        if dice.percent(20) && (to_new || known(&properties, to)) && properties.contains_key(from) {
            properties[from]["copy_to"] = json!(to);
        }
    }
    let mut mapping = json!({"properties": properties});
    if dice.percent(40) {
        mapping["dynamic"] = [json!(true), json!(false), json!("true")][dice.index(3)].clone();
    }
    if dice.percent(25) {
        mapping["date_detection"] = json!(dice.percent(30));
    }
    if dice.percent(30) {
        mapping["numeric_detection"] = json!(dice.percent(80));
    }
    if dice.percent(20) {
        let formats = [
            "yyyy-MM-dd",
            "yyyy/MM/dd||MM/yyyy",
            "strict_date_hour",
            "epoch_millis",
        ];
        mapping["dynamic_date_formats"] = json!([formats[dice.index(4)], formats[dice.index(4)]]);
    }
    if dice.percent(50) {
        let templates: Vec<Value> = (0..=dice.below(3)).map(|at| template(dice, at)).collect();
        mapping["dynamic_templates"] = json!(templates);
        // We refuse to guess what they make of a copy.
        for name in ["r6", "r7"] {
            if let Some(field) = mapping["properties"].get_mut(name) {
                field.as_object_mut().unwrap().remove("copy_to");
            }
        }
    }
    let analysis = json!({"analysis": {
        "normalizer": {
            "small": {"type": "custom", "filter": ["lowercase"]},
            "large": {"type": "custom", "filter": ["uppercase"]}
        },
        "analyzer": {
            "shout": {"type": "custom", "tokenizer": "whitespace", "filter": ["uppercase"]},
            "stems": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "stop", "porter_stem"]},
            "letters": {"type": "custom", "tokenizer": "letter", "filter": ["lowercase"]},
            "raw": {"type": "custom", "tokenizer": "standard"}
        }
    }});
    (mapping, analysis)
}

fn template(dice: &mut Dice, at: u64) -> Value {
    let mut body = Map::new();
    let mut set = |dice: &mut Dice, chance, key: &str, values: &[&str]| {
        if dice.percent(chance) {
            body.insert(key.to_owned(), json!(dice.pick(values)));
        }
    };
    set(dice, 50, "match", &["*", "m*", "*s", "host", "x", "a"]);
    set(dice, 15, "unmatch", &["m*", "*t"]);
    set(dice, 25, "path_match", &["o.*", "*.x", "m*"]);
    set(dice, 10, "path_unmatch", &["o.deep.*"]);
    let kinds = ["string", "long", "double", "boolean", "date", "*"];
    body.insert("match_mapping_type".to_owned(), json!(dice.pick(&kinds)));
    let mapping = match dice.below(5) {
        0 => json!({"type": "{dynamic_type}"}),
        1 => json!({"type": "keyword"}),
        2 => json!({"type": "text", "fields": {"raw": {"type": "keyword"}}}),
        3 => {
            json!({"type": "keyword", "ignore_above": 5, "fields": {"t": {"type": "text", "analyzer": "english"}}})
        }
        _ => json!({}),
    };
    body.insert("mapping".to_owned(), mapping);
    json!({format!("t{at}"): body})
}

fn object(dice: &mut Dice, kind: &str) -> Value {
    let mut properties = Map::new();
    for name in ["x", "y"] {
        if dice.percent(80) {
            properties.insert(name.to_owned(), field(dice, true));
        }
    }
    let mut body = json!({"type": kind, "properties": properties});
    for key in ["include_in_parent", "include_in_root"] {
        if kind == "nested" && dice.percent(25) {
            body[key] = json!(true);
        }
    }
    if dice.percent(40) {
        body["dynamic"] = [json!(true), json!(false), json!("strict")][dice.index(3)].clone();
    }
    body
}

fn field(dice: &mut Dice, has_parts: bool) -> Value {
    let mut set = Map::new();
    let mut put = |dice: &mut Dice, chance, key: &str, value: Value| {
        if dice.percent(chance) {
            set.insert(key.to_owned(), value);
        }
    };
    let kind = match dice.below(if has_parts { 14 } else { 13 }) {
        0..=2 => {
            let names = [
                "standard",
                "simple",
                "whitespace",
                "keyword",
                "stop",
                "english",
                "shout",
                "stems",
                "letters",
                "raw",
            ];
            let name = dice.pick(&names);
            put(dice, 70, "analyzer", json!(name));
            let name = dice.pick(&names);
            put(dice, 20, "search_analyzer", json!(name));
            let name = dice.pick(&names);
            put(dice, 10, "search_quote_analyzer", json!(name));
            "text"
        }
        3..=5 => {
            let length = dice.below(12);
            put(dice, 30, "ignore_above", json!(length));
            let name = dice.pick(&["small", "large", "lowercase"]);
            put(dice, 40, "normalizer", json!(name));
            let value = word(dice);
            put(dice, 30, "null_value", json!(value));
            "keyword"
        }
        6..=8 => {
            put(dice, 25, "null_value", json!(5));
            let coerce = dice.percent(30);
            put(dice, 35, "ignore_malformed", json!(true));
            let kind = dice.below(8);
            if matches!(kind, 1..=3 | 7) {
                put(dice, 25, "coerce", json!(coerce));
            }
            match kind {
                0 => {
                    put(dice, 100, "scaling_factor", json!(10));
                    "scaled_float"
                }
                1 => "integer",
                2 => "short",
                3 => "byte",
                4 => "double",
                5 => "float",
                6 => "half_float",
                _ => "long",
            }
        }
        9 => {
            put(dice, 30, "null_value", json!(true));
            "boolean"
        }
        10 | 11 => {
            let formats = [
                "yyyy-MM-dd",
                "strict_date_optional_time||epoch_millis",
                "epoch_second",
                "yyyy-MM-dd HH:mm:ss||yyyy-MM-dd'T'HH:mm||yyyy",
                "basic_date_time_no_millis||date",
                "dd/MM/yyyy",
                "epoch_millis||yyyy-MM",
            ];
            let format = dice.pick(&formats);
            put(dice, 60, "format", json!(format));
            put(dice, 35, "ignore_malformed", json!(true));
            dice.pick(&["date", "date", "date_nanos"])
        }
        12 => {
            put(dice, 30, "null_value", json!("10.0.0.1"));
            put(dice, 35, "ignore_malformed", json!(true));
            "ip"
        }
        _ => dice.pick(&[
            "integer_range",
            "long_range",
            "double_range",
            "date_range",
            "ip_range",
            "binary",
        ]),
    };
    put(dice, 8, "index", json!(false));
    if kind != "text" {
        put(dice, 12, "doc_values", json!(kind == "binary"));
    }
    if kind == "binary" {
        set.remove("index");
    }
    if has_parts && dice.percent(30) && !kind.ends_with("_range") {
        let sub = field(dice, false);
        set.insert("fields".to_owned(), json!({"sub": sub}));
    }
    set.insert("type".to_owned(), json!(kind));
    Value::Object(set)
}

/// A document for a mapping: most values fit.
pub fn document(dice: &mut Dice, mapping: &Value) -> Map<String, Value> {
    let mut document = Map::new();
    for (name, field) in mapping["properties"].as_object().unwrap() {
        if dice.percent(55) && field["type"] != "alias" {
            document.insert(name.clone(), value(dice, field));
        }
    }
    for _ in 0..=dice.below(3) {
        // Fields that the mapping may not name.
        let name = dice.pick(FIELDS);
        if dice.percent(60) && !name.starts_with('r') && !name.starts_with('_') {
            document.insert(name.to_owned(), scalar(dice));
        }
    }
    document
}

fn value(dice: &mut Dice, field: &Value) -> Value {
    match dice.below(14) {
        0 => Value::Null,
        1 => json!([one(dice, field), null, one(dice, field)]),
        2 => json!([[one(dice, field)], []]),
        3 if dice.percent(60) => scalar(dice),
        _ => one(dice, field),
    }
}

fn one(dice: &mut Dice, field: &Value) -> Value {
    if let Some(properties) = field["properties"].as_object() {
        let mut object = Map::new();
        for (name, field) in properties {
            if dice.percent(70) {
                object.insert(name.clone(), value(dice, field));
            }
        }
        if dice.percent(15) {
            object.insert("z".to_owned(), scalar(dice));
        }
        return Value::Object(object);
    }
    match field["type"].as_str().unwrap() {
        "binary" => json!(dice.pick(&["YWI=", "AAECAw=="])),
        "text" => json!(text(dice)),
        "keyword" => json!(word(dice)),
        "boolean" => [json!(true), json!(false), json!("true"), json!("")][dice.index(4)].clone(),
        "date" | "date_nanos" => match dice.below(4) {
            0 => json!(dice.pick(&[
                "05/05/2024",
                "20240505T100000Z",
                "2024-05",
                "2024-05-05 10:00:00",
                "2024-05-05T10:00"
            ])),
            1 => json!([1_714_903_200_i64, 1_714_903_200_000, 0, -1, 2024][dice.index(5)]),
            _ => date(dice),
        },
        "ip" => json!(dice.pick(&[
            "10.0.0.1",
            "10.1.2.3",
            "::1",
            "2001:db8::1",
            "::ffff:10.0.0.1"
        ])),
        "ip_range" => match dice.below(2) {
            0 => json!(dice.pick(&["10.0.0.0/8", "2001:db8::/32", "10.0.0.1/32"])),
            _ => json!({"gte": "10.0.0.0", "lt": "10.0.0.9"}),
        },
        "date_range" => json!({"gte": "2024-05-01", "lt": "2024-06-01"}),
        "integer_range" | "long_range" => json!({"gte": dice.below(6), "lte": 5 + dice.below(500)}),
        "double_range" => json!({"gt": 0.5, "lte": 5.5}),
        _ => {
            let small = [
                json!(0),
                json!(5),
                json!("5"),
                json!(5.9),
                json!(-3),
                json!(127),
                json!(1.5),
            ];
            if dice.percent(80) {
                small[dice.index(small.len())].clone()
            } else {
                number(dice)
            }
        }
    }
}
