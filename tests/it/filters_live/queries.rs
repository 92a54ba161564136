//! Random clauses of the query DSL with their options.

use super::fulltext::{fuzzy_options, matching, multi_match, query_string, simple_query_string};
use super::lucene;
use super::values::{date, field, number, scalar, text, word};
use crate::support::dice::Dice;
use serde_json::{Map, Value, json};

/// A filter list as in a rule.
pub fn filter(dice: &mut Dice) -> Value {
    let entries = (0..=dice.below(8) / 7).map(|_| {
        let clause = clause(dice, 2);
        if dice.percent(20) {
            json!({"query": clause})
        } else {
            clause
        }
    });
    Value::Array(entries.collect())
}

fn clause(dice: &mut Dice, depth: u32) -> Value {
    match dice.below(40) {
        0..=4 if depth > 0 => bool(dice, depth - 1),
        5 if depth > 0 => {
            let inner = clause(dice, depth - 1);
            match dice.below(5) {
                0 => json!({"constant_score": {"filter": inner, "boost": 2}}),
                1 => {
                    json!({"dis_max": {"queries": [inner, clause(dice, depth - 1)], "tie_breaker": 0.5}})
                }
                2 => {
                    json!({"boosting": {"positive": inner, "negative": clause(dice, depth - 1), "negative_boost": 0.5}})
                }
                3 => json!({"function_score": {"query": inner, "boost": 2}}),
                _ => json!({"constant_score": {"filter": [inner]}}),
            }
        }
        6 | 7 if depth > 0 => nested(dice, depth - 1),
        0..=9 => json!({"query_string": query_string(dice)}),
        10..=13 => json!({"query_string": {"query": lucene::query_string(dice)}}),
        14 | 15 => json!({"simple_query_string": simple_query_string(dice)}),
        16 | 17 => term(dice),
        18 => terms(dice),
        19..=21 => range(dice),
        22..=24 => matching(dice),
        25 | 26 => multi_match(dice),
        27 => json!({"wildcard": on_field(dice, "value", &["wildcard"], lucene::wildcard)}),
        28 => json!({"prefix": on_field(dice, "value", &[], |dice| {
            let word = word(dice);
            let length = dice.index(word.chars().count() + 1);
            word.chars().take(length).collect()
        })}),
        29 | 30 => regexp(dice),
        31 => fuzzy(dice),
        32 | 33 => json!({"exists": {"field": match dice.below(12) {
            0 => dice.pick(&["*u*", "_*", "*o", "_v*", "_i*", "_source", "_seq_no"]).to_owned(),
            _ => field_pattern(dice),
        }}}),
        34 => json!({"ids": {"values": [dice.below(40).to_string(), dice.below(60)]}}),
        35 => {
            json!({"terms_set": {field(dice): {"terms": [scalar(dice), word(dice), word(dice)], "minimum_should_match_field": dice.pick(&["status", "l", "lnull", "i", "msg"])}}})
        }
        36 => json!({dice.pick(&["match_all", "match_none"]): {}}),
        _ => term(dice),
    }
}

pub fn field_pattern(dice: &mut Dice) -> String {
    match dice.below(8) {
        0 => dice
            .pick(&[
                "*",
                "o.*",
                "*.keyword",
                "m*",
                "n.*",
                "*s",
                "i*",
                "geoip.*",
                "mess*.keyword",
                "r*",
                "r*.sub",
                "rn.*",
            ])
            .to_owned(),
        _ => field(dice).to_owned(),
    }
}

fn bool(dice: &mut Dice, depth: u32) -> Value {
    let mut parts = Map::new();
    for (name, chance) in [
        ("must", 40),
        ("filter", 30),
        ("should", 60),
        ("must_not", 30),
    ] {
        if !dice.percent(chance) {
            continue;
        }
        let clauses = if dice.percent(15) {
            clause(dice, depth)
        } else {
            let count = dice.below(if name == "should" { 5 } else { 3 });
            Value::Array((0..count).map(|_| clause(dice, depth)).collect())
        };
        parts.insert(name.to_owned(), clauses);
    }
    if dice.percent(35) {
        parts.insert("minimum_should_match".to_owned(), minimum(dice));
    }
    if dice.percent(4) {
        parts.insert("adjust_pure_negative".to_owned(), json!(dice.percent(50)));
    }
    json!({"bool": parts})
}

/// `minimum_should_match` in all its forms, some of them wrong.
pub fn minimum(dice: &mut Dice) -> Value {
    match dice.below(14) {
        0..=3 => json!(dice.below(4)),
        4 => json!(-1),
        5 => json!(-3),
        6 => json!("2"),
        _ => json!(dice.pick(&[
            "75%",
            "-25%",
            "50%",
            "100%",
            "-100%",
            "2<75%",
            "1<-1 3<50%",
            "3<2",
            " 2 ",
            "0",
            "-1",
            "1<50%",
            "2 < 50%",
            "150%",
            "33.3%",
            "x",
            "",
            "2<",
            "<2",
            "%",
            "1 2",
        ])),
    }
}

fn nested(dice: &mut Dice, depth: u32) -> Value {
    let path = dice.pick(&["n", "n", "n", "rn", "rn", "o", "items", "nothing"]);
    let inner = match dice.below(if path == "n" { 5 } else { 9 }) {
        5 | 6 => term_of(dice, "rn.x"),
        7 => json!({"exists": {"field": dice.pick(&["rn.y", "rn", "rn.*"])}}),
        0 => json!({"term": {"n.a": word(dice)}}),
        1 => json!({"range": {"n.v": {"gte": dice.below(5)}}}),
        2 => {
            json!({"bool": {"must": [{"match": {"n.t": text(dice)}}], "must_not": [{"term": {"n.v": dice.below(5)}}]}})
        }
        3 => {
            json!({"query_string": {"query": format!("n.a:{} OR n.v:{}", dice.pick(&["quick", "web*"]), dice.below(5))}})
        }
        _ => clause(dice, depth),
    };
    let mut body = json!({"path": path, "query": inner});
    if dice.percent(40) {
        body["ignore_unmapped"] = json!(dice.percent(80));
    }
    if dice.percent(20) {
        body["score_mode"] = json!("none");
    }
    json!({"nested": body})
}

/// A value of the kind the field takes, most of the time.
pub fn value(dice: &mut Dice, field: &str) -> Value {
    if dice.percent(20) {
        return scalar(dice);
    }
    match field {
        "status" | "bytes" | "l" | "i" | "s" | "b" | "ul" | "d" | "f" | "hf" | "sf" | "nums"
        | "n.v" | "items.v" | "lnull" | "ir" | "bad" | "geoip.latitude" => {
            let number = number(dice);
            if dice.percent(25) {
                json!(number.to_string())
            } else {
                number
            }
        }
        "ts" | "@timestamp" | "nanos" | "dr" => date(dice),
        "day" => json!(dice.pick(&[
            "2024-05-05",
            "2024-12-31",
            "2024-5-5",
            "2024",
            "now/d",
            "2024-05-05||+1d"
        ])),
        "clock" => json!(dice.pick(&[
            "05/May/2024:10:00:00 +0000",
            "2024-05-05",
            "05/May/2024:12:00:00 +0200"
        ])),
        "epoch" => json!(dice.pick(&["1714903200", "0", "2024-05-05", "1714903200.5"])),
        "ip" | "ipr" | "addr" | "geoip.ip" => json!(dice.pick(&[
            "10.0.0.1",
            "10.0.0.0/8",
            "10.1.2.3",
            "2001:db8::/32",
            "::ffff:10.0.0.1",
            "10.0.0.0/33",
            "10.0.0",
            "::1",
            "0.0.0.0/0",
            "10.0.0.1/24",
            "::/0",
        ])),
        "ok" | "flag" => [
            json!(true),
            json!(false),
            json!("true"),
            json!(""),
            json!("yes"),
            json!(1),
        ][dice.index(6)]
        .clone(),
        _ => json!(if dice.percent(70) {
            word(dice)
        } else {
            text(dice)
        }),
    }
}

fn term(dice: &mut Dice) -> Value {
    let name = field(dice);
    term_of(dice, name)
}

fn term_of(dice: &mut Dice, name: &str) -> Value {
    let value = value(dice, name);
    match dice.below(10) {
        0 => json!({"term": {name: {"value": value, "case_insensitive": dice.percent(80)}}}),
        1 => json!({"term": {name: {"value": value, "boost": 2, "_name": "x"}}}),
        2 => json!({"match": {name: value}}),
        _ => json!({"term": {name: value}}),
    }
}

fn terms(dice: &mut Dice) -> Value {
    let name = field(dice);
    let values: Vec<Value> = (0..dice.below(4)).map(|_| value(dice, name)).collect();
    let mut body = json!({name: values});
    if dice.percent(10) {
        body["boost"] = json!(2);
    }
    json!({"terms": body})
}

fn range(dice: &mut Dice) -> Value {
    let name = field(dice);
    let mut body = Map::new();
    for keys in [["gte", "gt", "from", "gte"], ["lte", "lt", "to", "lt"]] {
        if dice.percent(75) {
            let bound = if dice.percent(25) {
                json!(dice.pick(&[
                    "now",
                    "now-1d/d",
                    "now/M",
                    "now-1y/y",
                    "2024-05-05||/M",
                    "2024-05-05||+1M/d",
                    "2024-05-05||-1w/w",
                    "2024-05||/M",
                    "2024-05-05T10:00:00Z||-1h",
                    "2024-05-05||/y",
                    "2024-01-31||+1M",
                    "2024-05-05||/H",
                    "2024-05-05||x",
                    "now+",
                    "2024-02-30",
                    "2024-05-05T25:00",
                    "2024-05-05||/w",
                    "2024-05-05||/d+12h",
                    "2024-05-05T10:30:00Z||/h",
                    "2024-05-05||+1d+1d/d",
                    "2024-05||+1M/M",
                    "05/2024||/M",
                    "now/w",
                    "now-2y/M-1d",
                    "now+1y/y",
                    "2024-12-31T23:30:00||/d",
                    "2024||/y",
                ]))
            } else {
                value(dice, name)
            };
            body.insert(
                dice.pick(&keys).to_owned(),
                if dice.percent(3) { Value::Null } else { bound },
            );
        }
    }
    let mut set = |dice: &mut Dice, chance, name: &str, values: &[&str]| {
        if dice.percent(chance) {
            body.insert(name.to_owned(), json!(dice.pick(values)));
        }
    };
    set(
        dice,
        10,
        "format",
        &[
            "yyyy-MM-dd",
            "epoch_millis",
            "yyyy",
            "dd/MM/yyyy||yyyy",
            "strict_date_optional_time",
            "yyyy-MM-dd'T'HH:mm:ss",
            "basic_date",
            "epoch_second",
            "nope",
        ],
    );
    set(
        dice,
        18,
        "time_zone",
        &[
            "+02:00",
            "-05:00",
            "Europe/Berlin",
            "UTC",
            "Z",
            "America/New_York",
            "nowhere",
        ],
    );
    set(
        dice,
        4,
        "relation",
        &["within", "contains", "intersects", "INTERSECTS", "disjoint"],
    );
    if dice.percent(5) {
        body.insert("include_lower".to_owned(), json!(dice.percent(50)));
    }
    if dice.percent(5) {
        body.insert("include_upper".to_owned(), json!(dice.percent(50)));
    }
    json!({"range": {name: body}})
}

/// `{field: text}` or `{field: {key: text, options}}`.
fn on_field(dice: &mut Dice, key: &str, others: &[&str], text: fn(&mut Dice) -> String) -> Value {
    let (name, text) = (field(dice), text(dice));
    if dice.percent(40) {
        return json!({name: text});
    }
    let key = if dice.percent(20) {
        others.first().copied().unwrap_or(key)
    } else {
        key
    };
    let mut body = json!({key: text});
    if dice.percent(40) {
        body["case_insensitive"] = json!(dice.percent(85));
    }
    if dice.percent(5) {
        body["rewrite"] = json!(dice.pick(&[
            "constant_score",
            "scoring_boolean",
            "constant_score_boolean"
        ]));
    }
    json!({name: body})
}

fn regexp(dice: &mut Dice) -> Value {
    let mut body = on_field(dice, "value", &[], lucene::regexp);
    if let Some(options) = body
        .as_object_mut()
        .and_then(|fields| fields.values_mut().next()?.as_object_mut())
        && dice.percent(60)
    {
        let flags = dice.pick(&[
            "ALL",
            "NONE",
            "INTERVAL",
            "COMPLEMENT|INTERVAL",
            "INTERSECTION",
            "ANYSTRING",
            "EMPTY",
            "none",
            "BAD",
            "COMPLEMENT",
        ]);
        options.insert("flags".to_owned(), json!(flags));
    }
    json!({"regexp": body})
}

fn fuzzy(dice: &mut Dice) -> Value {
    let mut body = json!({"value": misspelt(dice)});
    fuzzy_options(dice, &mut body, "transpositions");
    let name = field(dice);
    json!({"fuzzy": {name: if dice.percent(40) { body["value"].clone() } else { body }}})
}

fn misspelt(dice: &mut Dice) -> String {
    let mut text: Vec<char> = word(dice).chars().collect();
    for _ in 0..dice.below(3) {
        let at = dice.index(text.len() + 1);
        match dice.below(3) {
            0 => text.insert(at, 'x'),
            1 if at < text.len() => {
                text.remove(at);
            }
            _ if at + 1 < text.len() => text.swap(at, at + 1),
            _ => {}
        }
    }
    text.into_iter().collect()
}
