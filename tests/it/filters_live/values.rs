//! Indices to ask about: mappings, documents, and the values both documents and queries draw from.

use crate::support::dice::Dice;
use serde_json::{Map, Value, json};

/// Names queries use: those that documents have, their sub-fields, and some that nothing has.
pub const FIELDS: &[&str] = &[
    "msg",
    "msg.keyword",
    "message",
    "message.keyword",
    "host",
    "host.keyword",
    "status",
    "bytes",
    "ok",
    "ts",
    "ts.keyword",
    "addr",
    "o",
    "o.a",
    "o.a.keyword",
    "o.deep.x",
    "dotted.key",
    "dotted.key.keyword",
    "list",
    "list.keyword",
    "nums",
    "mixed",
    "mixed.keyword",
    "items",
    "items.v",
    "long text",
    "long text.keyword",
    "geoip.ip",
    "geoip.latitude",
    "geoip.location",
    "@version",
    "@timestamp",
    "nothing",
    "nothing.keyword",
    // Only the explicit mapping gives these a type of its own.
    "t",
    "t.raw",
    "k",
    "k5",
    "kl",
    "knull",
    "l",
    "i",
    "s",
    "b",
    "ul",
    "d",
    "f",
    "hf",
    "sf",
    "flag",
    "day",
    "clock",
    "epoch",
    "nanos",
    "ip",
    "ten",
    "tws",
    "tsi",
    "tst",
    "tkw",
    "tcu",
    "n",
    "n.a",
    "n.v",
    "n.t",
    "other",
    "off",
    "off.x",
    "ir",
    "dr",
    "ipr",
    "copied",
    "lnull",
    "bad",
    "alias",
    // Only a random mapping has these.
    "r0",
    "r0.sub",
    "r1",
    "r1.sub",
    "r2",
    "r2.sub",
    "r3",
    "r3.sub",
    "r4",
    "r5",
    "r6",
    "r7",
    "r8",
    "r9",
    "ra",
    "ro.x",
    "ro.y",
    "ro.z",
    "ro.x.sub",
    "rn.x",
    "rn.y",
    "msg.raw",
    "host.t",
];

/// Of [`FIELDS`], one: names that only a random mapping has are for such rounds.
pub fn field(dice: &mut Dice) -> &'static str {
    dice.pick(FIELDS)
}

const WORDS: &[&str] = &[
    "quick",
    "Quick",
    "QUICK",
    "brown",
    "fox",
    "foxes",
    "running",
    "the",
    "and",
    "web",
    "web-01",
    "WEB-01",
    "web_02",
    "error",
    "ERROR",
    "a.b",
    "v1.2.3",
    "don't",
    "O'Neil",
    "C:\\Windows\\cmd.exe",
    "/var/log/x.log",
    "user@example.com",
    "日本語",
    "テスト",
    "éclair",
    "Éclair",
    "Straße",
    "İstanbul",
    "1.5",
    "200",
    "404",
    "0",
    "-3",
    "5",
    "5.0",
    "5.9",
    "1e3",
    "true",
    "false",
    "True",
    "2024-05-05",
    "2024-05-05T10:00:00Z",
    "2024/05/05",
    "2024/05/05 10:00:00",
    "2024",
    "05/May/2024:10:00:00 +0000",
    "10.0.0.1",
    "10.0.0.0/8",
    "192.168.1.7",
    "2001:db8::1",
    "2001:db8::/32",
    "::ffff:10.0.0.1",
    "a*b",
    "x?y",
    "x y",
    "foo (bar)",
    "key=value",
    "k:v",
    "-",
    "--flag",
    "&",
    "",
    "😀",
    "AND",
    "OR",
    "or",
    "null",
    "NULL",
    "abcdefg",
    "1714903200000",
    "1714903200",
    "x",
    "y",
    "GET /index.html HTTP/1.1",
    "a-b-c",
    "1,234.5",
    "50%",
    "#42",
    "$HOME",
    "a\tb",
    "line\nbreak",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "65504",
    "0x1F",
    "NaN",
    "Infinity",
    "1d",
    "+5",
    "👩‍💻",
    "🇩🇪🇫🇷",
    "1️⃣",
    "ภาษาไทย",
    "한국어 말",
    "ｶﾞｷﾞ",
    "カタカナ語",
    "नमस्ते",
    "שלום",
    "e\u{301}clair",
    "ﬁre",
    "ǅ",
    "ΟΔΟΣ",
    "σς",
    "a·b",
    "a_b_",
    "U.S.A.",
    "a:b",
    "1_000.5",
    "a\u{200d}b",
    "a\u{ad}b",
    "\u{feff}x",
    "x\u{3000}y",
    "…",
    "½",
    "٣٤",
];

/// A word or short text that documents use, too.
pub fn word(dice: &mut Dice) -> String {
    // Most of the time one of the first, so that queries meet documents.
    let most = if dice.percent(60) { 22 } else { WORDS.len() };
    dice.pick(&WORDS[..most]).to_owned()
}

/// A few words.
pub fn text(dice: &mut Dice) -> String {
    let words: Vec<String> = (0..=dice.below(5)).map(|_| word(dice)).collect();
    words.join(dice.pick(&[" ", " ", " ", ", ", "  ", "-"]))
}

/// A number as it may stand in JSON.
pub fn number(dice: &mut Dice) -> Value {
    let text = dice.pick(&[
        "0",
        "1",
        "-1",
        "5",
        "5.5",
        "5.9",
        "-3",
        "200",
        "404",
        "500",
        "1e3",
        "1.5",
        "0.1",
        "100.25",
        "3.25",
        "127",
        "128",
        "-128",
        "32767",
        "65504",
        "65520",
        "2147483647",
        "2147483648",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "1.0",
        "5.0",
        "-0.0",
        "1714903200000",
        "1e40",
        "16777217",
        "35.6895",
        "0.001",
        "99999",
    ]);
    serde_json::from_str(text).unwrap()
}

/// A date, or what might be taken for one.
pub fn date(dice: &mut Dice) -> Value {
    let text = dice.pick(&[
        "2024-05-05",
        "2024-05-05T10:00:00Z",
        "2024-05-05T10:00:00.123Z",
        "2024-05-05T12:00:00+02:00",
        "2024-05-05T10:00:00.123456789Z",
        "2024-05-05T10",
        "2024-05-05T10:00",
        "2024-05",
        "2024",
        "2023-12-31T23:59:59.999Z",
        "2024-02-29",
        "1969-12-31",
        "2024-05-06",
        "2024-12-01T00:00:00-05:00",
        "1714903200000",
    ]);
    match text {
        "1714903200000" if dice.percent(50) => json!(1_714_903_200_000_i64),
        text => json!(text),
    }
}

/// Any scalar.
pub fn scalar(dice: &mut Dice) -> Value {
    match dice.below(12) {
        0..=4 => json!(word(dice)),
        5 => json!(text(dice)),
        6 | 7 => number(dice),
        8 => date(dice),
        9 => json!(dice.percent(50)),
        10 => json!(dice.pick(&[
            "10.0.0.1",
            "10.1.2.3",
            "192.168.1.7",
            "2001:db8::1",
            "::1",
            "::ffff:10.0.0.1"
        ])),
        _ => {
            let number = number(dice);
            json!(number.to_string())
        }
    }
}

/// One value, a list, null, or nothing at all.
fn put(
    dice: &mut Dice,
    document: &mut Map<String, Value>,
    name: &str,
    value: fn(&mut Dice) -> Value,
) {
    let value = match dice.below(20) {
        0..=5 => return,
        6 => Value::Null,
        7 => json!([]),
        8 => json!([null, value(dice)]),
        9 | 10 => json!([value(dice), value(dice)]),
        11 => json!([[value(dice)], value(dice), [null]]),
        _ => value(dice),
    };
    document.insert(name.to_owned(), value);
}

fn address(dice: &mut Dice) -> Value {
    json!(dice.pick(&[
        "10.0.0.1",
        "10.1.2.3",
        "192.168.1.7",
        "2001:db8::1",
        "::1",
        "::ffff:10.0.0.1",
        "172.16.0.255",
        "0.0.0.0"
    ]))
}

/// A document of an index without properties of its own.
pub fn document(dice: &mut Dice) -> Map<String, Value> {
    let mut document = Map::new();
    let d = &mut document;
    put(dice, d, "msg", |dice| json!(text(dice)));
    put(dice, d, "message", |dice| json!(text(dice)));
    put(dice, d, "host", |dice| json!(word(dice)));
    put(dice, d, "status", |dice| {
        json!([200, 404, 500, 5, 0][dice.index(5)])
    });
    put(dice, d, "bytes", |dice| {
        json!([1.5, 0.1, 100.25, 5.0, -3.5][dice.index(5)])
    });
    put(dice, d, "ok", |dice| json!(dice.percent(50)));
    put(dice, d, "ts", date);
    put(dice, d, "@timestamp", date);
    put(dice, d, "@version", |_| json!("1"));
    put(dice, d, "addr", address);
    put(dice, d, "list", |dice| json!([word(dice), text(dice)]));
    put(dice, d, "nums", |dice| {
        json!([dice.below(10), dice.below(500)])
    });
    put(dice, d, "long text", |dice| {
        let long = ["x", "quick ", "é", "😀"][dice.index(4)];
        json!(long.repeat(40 + dice.index(240)))
    });
    if dice.percent(25) {
        put(dice, d, "mixed", scalar);
    }
    if dice.percent(50) {
        let mut object = Map::new();
        put(dice, &mut object, "a", |dice| json!(word(dice)));
        put(dice, &mut object, "deep", |dice| json!({"x": word(dice)}));
        d.insert("o".to_owned(), Value::Object(object));
    } else {
        put(dice, d, "o.a", |dice| json!(word(dice)));
        put(dice, d, "o.deep.x", |dice| json!(word(dice)));
    }
    match dice.below(3) {
        0 => put(dice, d, "dotted.key", |dice| json!(word(dice))),
        1 => {
            d.insert("dotted".to_owned(), json!({"key": word(dice)}));
        }
        _ => {}
    }
    put(
        dice,
        d,
        "items",
        |dice| json!({"v": dice.below(5), "w": word(dice)}),
    );
    if dice.percent(40) {
        let mut geo = Map::new();
        put(dice, &mut geo, "ip", address);
        put(dice, &mut geo, "latitude", |dice| {
            json!([35.6895, 1.5, -3.25][dice.index(3)])
        });
        // Whether a point is well formed is not checked here: there are no geographic clauses.
        geo.insert("location".to_owned(), json!({"lat": 1.5, "lon": 2.5}));
        d.insert("geoip".to_owned(), Value::Object(geo));
    }
    document
}

/// A document of the index of [`explicit`].
pub fn typed_document(dice: &mut Dice) -> Map<String, Value> {
    let mut document = document(dice);
    let d = &mut document;
    for name in ["t", "ten", "tws", "tsi", "tst", "tkw", "tcu"] {
        put(dice, d, name, |dice| json!(text(dice)));
    }
    for name in ["k", "k5", "kl", "knull", "other"] {
        put(dice, d, name, |dice| json!(word(dice)));
    }
    put(dice, d, "l", |dice| {
        json!([200, 404, 5, -1, i64::MAX, 9_007_199_254_740_993_i64, 0][dice.index(7)])
    });
    put(dice, d, "lnull", |dice| json!(dice.below(3)));
    put(dice, d, "i", |dice| {
        [
            json!(5),
            json!("5.9"),
            json!(-3),
            json!(2_147_483_647),
            json!(200),
        ][dice.index(5)]
        .clone()
    });
    put(dice, d, "s", |dice| json!([5, 32767, -3][dice.index(3)]));
    put(dice, d, "b", |dice| json!([5, 127, -128][dice.index(3)]));
    put(dice, d, "ul", |dice| {
        json!([5, 200, u64::MAX, 1 << 63][dice.index(4)])
    });
    for name in ["d", "f", "hf", "sf"] {
        put(dice, d, name, |dice| {
            json!([1.5, 0.1, 100.25, 5.0, -3.5, 35.6895, 3.25][dice.index(7)])
        });
    }
    put(dice, d, "flag", |dice| {
        json!(["true", "false", ""][dice.index(3)])
    });
    put(dice, d, "day", |dice| {
        json!(dice.pick(&["2024-05-05", "2024-12-31", "1999-01-01"]))
    });
    put(dice, d, "clock", |dice| {
        json!(dice.pick(&[
            "05/May/2024:10:00:00 +0000",
            "05/May/2024:12:00:00 +0200",
            "31/Dec/2023:23:59:59 +0000"
        ]))
    });
    put(dice, d, "epoch", |dice| {
        json!([1_714_903_200_i64, 0, 1_700_000_000][dice.index(3)])
    });
    put(dice, d, "nanos", date);
    put(dice, d, "ip", address);
    put(
        dice,
        d,
        "n",
        |dice| json!({"a": word(dice), "v": dice.below(5), "t": text(dice)}),
    );
    put(dice, d, "off", |dice| json!({"x": word(dice)}));
    put(
        dice,
        d,
        "ir",
        |dice| json!({"gte": dice.below(5), "lt": 5 + dice.below(500)}),
    );
    put(
        dice,
        d,
        "dr",
        |_| json!({"gte": "2024-05-01", "lte": "2024-05-31"}),
    );
    put(dice, d, "ipr", |_| json!("10.0.0.0/8"));
    put(dice, d, "bad", scalar);
    document
}

/// A mapping with a field of every type, and its analysis settings.
pub fn explicit() -> (Value, Value) {
    let keyword = json!({"type": "keyword"});
    let mapping = json!({"properties": {
        "t": {"type": "text", "fields": {"raw": keyword}},
        "ten": {"type": "text", "analyzer": "english"}, "tws": {"type": "text", "analyzer": "whitespace"},
        "tsi": {"type": "text", "analyzer": "simple"}, "tst": {"type": "text", "analyzer": "stop"},
        "tkw": {"type": "text", "analyzer": "keyword"}, "tcu": {"type": "text", "analyzer": "shout", "search_analyzer": "shout"},
        "k": keyword, "k5": {"type": "keyword", "ignore_above": 5}, "kl": {"type": "keyword", "normalizer": "small"},
        "knull": {"type": "keyword", "null_value": "NULL"}, "lnull": {"type": "long", "null_value": -1},
        "l": {"type": "long"}, "i": {"type": "integer"}, "s": {"type": "short"}, "b": {"type": "byte"}, "ul": {"type": "unsigned_long"},
        "d": {"type": "double"}, "f": {"type": "float"}, "hf": {"type": "half_float"}, "sf": {"type": "scaled_float", "scaling_factor": 100},
        "flag": {"type": "boolean"}, "day": {"type": "date", "format": "yyyy-MM-dd"}, "clock": {"type": "date", "format": "dd/MMM/yyyy:HH:mm:ss Z"},
        "epoch": {"type": "date", "format": "epoch_second"}, "nanos": {"type": "date_nanos"}, "ip": {"type": "ip"},
        "n": {"type": "nested", "properties": {"a": keyword, "v": {"type": "long"}, "t": {"type": "text"}}},
        "other": {"type": "keyword", "copy_to": "copied"}, "copied": {"type": "text"}, "alias": {"type": "alias", "path": "k"},
        "off": {"type": "object", "enabled": false}, "ir": {"type": "integer_range"}, "dr": {"type": "date_range"}, "ipr": {"type": "ip_range"},
        "bad": {"type": "long", "ignore_malformed": true}
    }});
    let analysis = json!({"analysis": {
        "normalizer": {"small": {"type": "custom", "filter": ["lowercase"]}},
        "analyzer": {"shout": {"type": "custom", "tokenizer": "whitespace", "filter": ["uppercase"]}}
    }});
    (mapping, analysis)
}
