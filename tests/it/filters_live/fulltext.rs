//! Random clauses of the query DSL on words, with their options.

use super::lucene;
use super::queries::{field_pattern, minimum, value};
use super::values::{field, scalar, text};
use crate::support::dice::Dice;
use serde_json::{Value, json};

pub fn fuzzy_options(dice: &mut Dice, body: &mut Value, transpositions: &str) {
    if dice.percent(50) {
        body["fuzziness"] = [
            json!(0),
            json!(1),
            json!(2),
            json!("AUTO"),
            json!("auto:2,4"),
            json!("1"),
            json!(3),
            json!("AUTO:5"),
            json!(1.5),
            json!("x"),
        ][dice.index(10)]
        .clone();
    }
    if dice.percent(25) {
        body["prefix_length"] = json!(dice.below(4));
    }
    if dice.percent(15) {
        body[transpositions] = json!(dice.percent(50));
    }
}

fn words_options(dice: &mut Dice, body: &mut Value) {
    if dice.percent(30) {
        body["operator"] = json!(dice.pick(&["and", "or", "AND", "OR", "xor"]));
    }
    if dice.percent(25) {
        body["minimum_should_match"] = minimum(dice);
    }
    if dice.percent(30) {
        fuzzy_options(dice, body, "fuzzy_transpositions");
    }
}

pub fn matching(dice: &mut Dice) -> Value {
    let kind = dice.pick(&[
        "match",
        "match",
        "match",
        "match_phrase",
        "match_phrase",
        "match_phrase_prefix",
        "match_bool_prefix",
    ]);
    let name = field(dice);
    let query = if dice.percent(70) {
        json!(text(dice))
    } else {
        value(dice, name)
    };
    if dice.percent(40) {
        return json!({kind: {name: query}});
    }
    let mut body = json!({"query": query});
    match kind {
        "match_phrase" | "match_phrase_prefix" => {
            if dice.percent(60) {
                body["slop"] = json!([0, 1, 2, 5, 100][dice.index(5)]);
            }
        }
        _ => words_options(dice, &mut body),
    }
    if dice.percent(15) {
        body["zero_terms_query"] = json!(dice.pick(&["all", "none", "ALL", "x"]));
    }
    if dice.percent(10) {
        body["analyzer"] = json!(dice.pick(&[
            "standard",
            "whitespace",
            "keyword",
            "simple",
            "stop",
            "english",
            "nope"
        ]));
    }
    if dice.percent(20) {
        body["lenient"] = json!(dice.percent(80));
    }
    json!({kind: {name: body}})
}

fn fields(dice: &mut Dice) -> Value {
    let names = (0..=dice.below(3)).map(|_| {
        let name = field_pattern(dice);
        json!(if dice.percent(15) {
            format!("{name}^2")
        } else {
            name
        })
    });
    Value::Array(names.collect())
}

pub fn multi_match(dice: &mut Dice) -> Value {
    let query = if dice.percent(80) {
        json!(text(dice))
    } else {
        scalar(dice)
    };
    let mut body = json!({"query": query});
    if dice.percent(90) {
        body["fields"] = fields(dice);
    }
    if dice.percent(80) {
        body["type"] = json!(dice.pick(&[
            "best_fields",
            "most_fields",
            "cross_fields",
            "phrase",
            "phrase_prefix",
            "bool_prefix",
            "x"
        ]));
    }
    words_options(dice, &mut body);
    if dice.percent(50) {
        body["lenient"] = json!(dice.percent(80));
    }
    if dice.percent(10) {
        body["zero_terms_query"] = json!(dice.pick(&["all", "none"]));
    }
    if dice.percent(10) {
        body["slop"] = json!(dice.below(4));
    }
    if dice.percent(8) {
        body["analyzer"] = json!(dice.pick(&["standard", "whitespace", "keyword"]));
    }
    if dice.percent(5) {
        body["tie_breaker"] = json!(0.3);
    }
    json!({"multi_match": body})
}

pub fn query_string(dice: &mut Dice) -> Value {
    let mut body = json!({"query": lucene::query_string(dice)});
    match dice.below(5) {
        0 => body["default_field"] = json!(field_pattern(dice)),
        1 => body["fields"] = fields(dice),
        _ => {}
    }
    if dice.percent(30) {
        body["default_operator"] = json!(dice.pick(&["and", "OR", "AND"]));
    }
    if dice.percent(35) {
        body["lenient"] = json!(dice.percent(80));
    }
    if dice.percent(20) {
        body["analyze_wildcard"] = json!(true);
    }
    if dice.percent(10) {
        body["allow_leading_wildcard"] = json!(false);
    }
    if dice.percent(15) {
        body["type"] = json!(dice.pick(&[
            "best_fields",
            "most_fields",
            "cross_fields",
            "phrase",
            "phrase_prefix",
            "bool_prefix"
        ]));
    }
    if dice.percent(12) {
        body["minimum_should_match"] = minimum(dice);
    }
    if dice.percent(8) {
        body["phrase_slop"] = json!(dice.below(4));
    }
    if dice.percent(8) {
        body["quote_field_suffix"] = json!(dice.pick(&[".keyword", ".raw"]));
    }
    if dice.percent(6) {
        body["time_zone"] = json!(dice.pick(&["+02:00", "Europe/Berlin"]));
    }
    if dice.percent(8) {
        body["fuzziness"] = json!(dice.pick(&["AUTO", "1", "AUTO:1,3"]));
    }
    if dice.percent(5) {
        body["fuzzy_prefix_length"] = json!(dice.below(3));
    }
    if dice.percent(6) {
        body["analyzer"] = json!(dice.pick(&["standard", "whitespace", "keyword"]));
    }
    if dice.percent(4) {
        body["quote_analyzer"] = json!(dice.pick(&["standard", "whitespace", "keyword"]));
    }
    if dice.percent(6) {
        body["fuzzy_transpositions"] = json!(dice.percent(50));
    }
    if dice.percent(6) {
        body["enable_position_increments"] = json!(dice.percent(50));
    }
    if dice.percent(4) {
        body["auto_generate_synonyms_phrase_query"] = json!(false);
    }
    body
}

pub fn simple_query_string(dice: &mut Dice) -> Value {
    let mut body = json!({"query": lucene::simple(dice)});
    if dice.percent(65) {
        body["fields"] = fields(dice);
    }
    if dice.percent(35) {
        body["default_operator"] = json!(dice.pick(&["and", "or", "AND"]));
    }
    if dice.percent(30) {
        body["flags"] = json!(dice.pick(&[
            "ALL",
            "NONE",
            "AND|OR",
            "PREFIX",
            "PHRASE|NOT",
            "OR|AND|PREFIX",
            "WHITESPACE",
            "ESCAPE|FUZZY",
            "NEAR|SLOP",
            "PRECEDENCE",
            "FUZZY|OR|NOT",
            "PHRASE|SLOP|AND",
            "or|and",
            "",
            "x",
        ]));
        if dice.percent(15) {
            body["flags"] = json!([-1, 0, 3, 255][dice.index(4)]);
        }
    }
    if dice.percent(40) {
        body["lenient"] = json!(dice.percent(80));
    }
    if dice.percent(20) {
        body["minimum_should_match"] = minimum(dice);
    }
    if dice.percent(20) {
        body["analyze_wildcard"] = json!(true);
    }
    if dice.percent(8) {
        body["quote_field_suffix"] = json!(".keyword");
    }
    if dice.percent(6) {
        body["analyzer"] = json!(dice.pick(&["standard", "whitespace", "keyword"]));
    }
    if dice.percent(10) {
        body["fuzzy_prefix_length"] = json!(dice.below(3));
    }
    if dice.percent(10) {
        body["fuzzy_transpositions"] = json!(dice.percent(50));
    }
    body
}
