//! Random queries in Lucene's syntax, right, odd and broken.

use super::queries::value;
use super::values::{FIELDS, word};
use crate::support::dice::Dice;
use serde_json::Value;

const RESERVED: [&str; 30] = [
    "\\", "\"", "/", "(", ")", "[", "]", "{", "}", ":", "^", "~", "*", "?", "+", "-", "!", "&",
    "|", "=", ">", "<", " ", "\t", "\n", "\u{3000}", "&&", "||", "'", "@",
];

/// A query of `query_string`.
pub fn query_string(dice: &mut Dice) -> String {
    let mut text = clauses(dice, 2);
    if dice.percent(12) {
        text = spoilt(dice, &text);
    }
    text
}

/// A query of `simple_query_string`.
pub fn simple(dice: &mut Dice) -> String {
    let mut text = String::new();
    for at in 0..=dice.below(4) {
        if at > 0 {
            text.push_str(dice.pick(&[" ", " ", "  ", " | ", " + ", "|", "+", " -", " AND "]));
        }
        if dice.percent(15) {
            text.push_str(dice.pick(&["-", "+", "--", "- ", "|"]));
        }
        let part = match dice.below(9) {
            0 => format!(
                "\"{} {}\"{}",
                word(dice),
                word(dice),
                dice.pick(&["", "~1", "~3", "~", "~x"])
            ),
            1 => format!("{}*", word(dice)),
            2 => format!(
                "{}~{}",
                word(dice),
                dice.pick(&["", "1", "2", "3", "0", "x"])
            ),
            3 => format!(
                "({} {} {})",
                word(dice),
                dice.pick(&["|", "+", ""]),
                word(dice)
            ),
            4 => raw(dice),
            5 => dice
                .pick(&["*", "()", "\"\"", "(", ")", "\"", "\\", "~1", "a\\"])
                .to_owned(),
            _ => word(dice),
        };
        text.push_str(&part);
    }
    if dice.percent(12) {
        text = spoilt(dice, &text);
    }
    text
}

fn clauses(dice: &mut Dice, depth: u32) -> String {
    let mut text = String::new();
    for at in 0..=dice.below(4) {
        if at > 0 {
            text.push_str(dice.pick(&[
                " ",
                " ",
                " AND ",
                " AND ",
                " OR ",
                " OR ",
                " && ",
                " || ",
                " and ",
                " or ",
                "  ",
                " NOT ",
                "\t",
                " AND NOT ",
                " OR NOT ",
                "&&",
            ]));
        }
        if dice.percent(15) {
            text.push_str(dice.pick(&["+", "-", "!", "NOT ", "- ", "not ", "+ "]));
        }
        text.push_str(&clause(dice, depth));
    }
    text
}

fn clause(dice: &mut Dice, depth: u32) -> String {
    let mut text = String::new();
    if dice.percent(25) {
        return fitting(dice);
    }
    if dice.percent(65) {
        text = match dice.below(20) {
            0 => "_exists_:".to_owned(),
            1 => "*:".to_owned(),
            2 => format!(
                "{}\\*:",
                dice.pick(FIELDS).chars().take(1).collect::<String>()
            ),
            3 => dice
                .pick(&["_id:", "_index:", "_type:", "o.\\*:", "n.\\*:"])
                .to_owned(),
            _ => {
                let name = dice.pick(FIELDS).replace(' ', "\\ ");
                format!(
                    "{name}{}",
                    dice.pick(&[":", ":", ":", ":", ": ", " :", " : "])
                )
            }
        };
        if text == "_exists_:" {
            if dice.percent(20) {
                return text + dice.pick(&["o\\*", "\\*.keyword", "r\\*", "\\*o", "\\*u\\*"]);
            }
            return text + &dice.pick(FIELDS).replace(' ', "\\ ");
        }
    }
    text.push_str(&match dice.below(22) {
        0 if depth > 0 => format!("({})", clauses(dice, depth - 1)),
        1 if depth > 0 => format!("({})^2", clauses(dice, depth - 1)),
        0..=2 => format!(
            "({} {} {})",
            raw(dice),
            dice.pick(&["AND", "OR", "", "&&", "and"]),
            raw(dice)
        ),
        3 | 4 => format!("\"{}\"", phrase(dice)),
        5 => format!(
            "\"{}\"~{}",
            phrase(dice),
            dice.pick(&[
                "0", "1", "2", "5", "2.7", "100", "", "x", "1e2", "NaN", "0&&"
            ])
        ),
        6 | 7 => wildcard(dice),
        8 => format!(
            "{}~{}",
            raw(dice),
            dice.pick(&[
                "", "0", "1", "2", "0.5", "0.8", "3", "1.5", "AUTO", "1e0", "-0.5"
            ])
        ),
        9 => format!("/{}/", regexp(dice).replace('/', "\\/")),
        10 | 11 => range(dice),
        12 => format!(
            "{}{}",
            dice.pick(&[">", ">=", "<", "<=", "> ", ">= "]),
            bound(dice)
        ),
        13 => "*".to_owned(),
        14 => word(dice),
        15 => format!(
            "{}^{}",
            raw(dice),
            dice.pick(&["2", "0.5", "0", "-1", "x", "1e2", ""])
        ),
        _ => raw(dice),
    });
    text
}

/// A field and values of its kind.
fn fitting(dice: &mut Dice) -> String {
    let name = dice.pick(FIELDS);
    let mut value = || match value(dice, name) {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let (first, second) = (value(), value());
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let name = name.replace(' ', "\\ ");
    match dice.below(6) {
        0 => format!("{name}:[{} TO {}]", quoted(&first), quoted(&second)),
        1 => format!(
            "{name}:{{{} TO {}]",
            escaped(dice, &first),
            escaped(dice, &second)
        ),
        2 => format!("{name}:{}", quoted(&first)),
        3 => format!("{name}:({} OR {})", escaped(dice, &first), quoted(&second)),
        4 => format!(
            "{name}:{}{}",
            dice.pick(&[">", ">=", "<", "<="]),
            escaped(dice, &first)
        ),
        _ => format!("{name}:{}", escaped(dice, &first)),
    }
}

/// A word with everything special escaped, mostly.
fn raw(dice: &mut Dice) -> String {
    let text = word(dice);
    if dice.percent(92) {
        escaped(dice, &text)
    } else {
        text
    }
}

fn escaped(dice: &mut Dice, text: &str) -> String {
    let all = dice.percent(50);
    let mut out = String::new();
    for c in text.chars() {
        if "\\\"/()[]{}:^~*?+-!&|=<> \t".contains(c) || (c.is_ascii_punctuation() && all) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn phrase(dice: &mut Dice) -> String {
    let mut words: Vec<String> = (0..=dice.below(3)).map(|_| word(dice)).collect();
    if dice.percent(15) {
        words.push(
            dice.pick(&["*", "w?b", "we*", "-", "AND", "and the"])
                .to_owned(),
        );
    }
    words
        .join(dice.pick(&[" ", " ", "  ", "-", "."]))
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
}

/// A pattern made of a word by putting wildcards in.
pub fn wildcard(dice: &mut Dice) -> String {
    let mut text: Vec<char> = word(dice).chars().collect();
    for _ in 0..=dice.below(2) {
        let at = dice.index(text.len() + 1);
        match dice.below(4) {
            0 => text.insert(at, '?'),
            1 => text.truncate(at),
            _ if at < text.len() && dice.percent(50) => text[at] = '?',
            _ => {}
        }
        let at = dice.index(text.len() + 1);
        text.insert(at, '*');
    }
    let text: String = text.into_iter().collect();
    if dice.percent(85) {
        text.replace('\\', "\\\\")
            .replace(' ', "\\ ")
            .replace(':', "\\:")
            .replace('/', "\\/")
    } else {
        text
    }
}

/// A regular expression in Lucene's syntax, mostly one that matches some of the words.
pub fn regexp(dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..=dice.below(3) {
        let literal = word(dice);
        let part = match dice.below(24) {
            0..=3 => literal,
            4 | 5 => literal.chars().take(3).collect::<String>() + ".*",
            6 => format!(".*{}", literal.chars().skip(1).collect::<String>()),
            7 => dice
                .pick(&[
                    "[a-z]+",
                    "[^a-z]*",
                    "[A-Z]",
                    "[0-9]{1,3}",
                    "[a-zA-Z0-9_.-]+",
                    "[\\]a]",
                    "[a-]",
                    "[^]",
                    "[]",
                    "[z-a]",
                ])
                .to_owned(),
            8 => dice
                .pick(&["<1-500>", "<001-500>", "<5-1>", "<a-b>", "<1-500", "<->"])
                .to_owned(),
            9 => format!("~({literal})"),
            10 => format!("~{literal}"),
            11 => format!("({literal}|{})", word(dice)),
            12 => format!("{literal}&.*"),
            13 => format!("\"{literal}\""),
            14 => dice
                .pick(&["@", "#", "@&~(quick)", "~@", "()", "(|a)", "&", "|"])
                .to_owned(),
            15 => dice
                .pick(&[
                    "\\d+", "\\w+", "\\s", "\\S+", "\\D", "\\W", "\\b", "\\x41", "\\n", "\\.",
                    "\\\\", "\\é",
                ])
                .to_owned(),
            16 => dice
                .pick(&[
                    "^",
                    "$",
                    "^quick$",
                    "(?i)quick",
                    "(?:a)",
                    "a{2}",
                    "a{,3}",
                    "a{2,}",
                    "a{3,2}",
                    "a{",
                    "a}",
                    "a**",
                    "*a",
                    "+",
                    "?",
                ])
                .to_owned(),
            17 => format!("{}?", literal),
            18 => format!("({literal})*"),
            19 => format!("[{}]+", literal.replace(['[', ']'], "")),
            20 => dice
                .pick(&["(", ")", "[", "]", "{", "\\", "\"", "<", ">", "~"])
                .to_owned(),
            _ => ".*".to_owned(),
        };
        text.push_str(&part);
    }
    text
}

fn range(dice: &mut Dice) -> String {
    let (open, close) = (dice.pick(&["[", "[", "{"]), dice.pick(&["]", "]", "}"]));
    let to = dice.pick(&[" TO ", " TO ", " TO ", "  TO ", " to ", " "]);
    format!("{open}{}{to}{}{close}", bound(dice), bound(dice))
}

fn bound(dice: &mut Dice) -> String {
    let text = match dice.below(8) {
        0 => return "*".to_owned(),
        1..=4 => dice
            .pick(&[
                "0",
                "1",
                "5",
                "5.5",
                "-3",
                "200",
                "404",
                "500",
                "1e3",
                "2024-05-05",
                "2024-05",
                "2024",
                "now",
                "now-1d/d",
                "2024-05-05||/M",
                "2024-05-05T10:00:00Z",
                "1714903200000",
                "10.0.0.1",
                "10.0.0.255",
                "a",
                "m",
                "z",
                "M",
                "true",
                "false",
                "\"2024-05-05 10:00\"",
            ])
            .to_owned(),
        _ => word(dice),
    };
    match dice.below(6) {
        0 => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        1 => text,
        _ => escaped(dice, &text),
    }
}

/// The text with a few characters put in, taken out or doubled.
pub fn spoilt(dice: &mut Dice, text: &str) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for _ in 0..=dice.below(2) {
        let at = dice.index(text.len() + 1);
        if dice.percent(30) && at < text.len() {
            text.remove(at);
        } else {
            let piece = dice.pick(&RESERVED);
            text.splice(at..at, piece.chars());
        }
    }
    text.into_iter().collect()
}
