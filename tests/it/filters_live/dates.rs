//! Dates in every format that has a name, and texts that may be such dates.

use crate::support::dice::Dice;
use serde_json::{Map, Value, json};

const FIELDS: usize = 30;

const NAMES: &[&str] = &[
    "date_optional_time",
    "basic_date",
    "basic_date_time",
    "basic_date_time_no_millis",
    "basic_ordinal_date",
    "basic_ordinal_date_time",
    "basic_ordinal_date_time_no_millis",
    "basic_time",
    "basic_time_no_millis",
    "basic_t_time",
    "basic_t_time_no_millis",
    "basic_week_date",
    "basic_week_date_time",
    "basic_week_date_time_no_millis",
    "date",
    "date_hour",
    "date_hour_minute",
    "date_hour_minute_second",
    "date_hour_minute_second_fraction",
    "date_hour_minute_second_millis",
    "date_time",
    "date_time_no_millis",
    "hour",
    "hour_minute",
    "hour_minute_second",
    "hour_minute_second_fraction",
    "hour_minute_second_millis",
    "ordinal_date",
    "ordinal_date_time",
    "ordinal_date_time_no_millis",
    "time",
    "time_no_millis",
    "t_time",
    "t_time_no_millis",
    "week_date",
    "week_date_time",
    "week_date_time_no_millis",
    "weekyear",
    "weekyear_week",
    "weekyear_week_day",
    "year",
    "year_month",
    "year_month_day",
];

/// Formats without a strict kind, and patterns.
const OTHERS: &[&str] = &[
    "epoch_millis",
    "epoch_second",
    "yyyy-MM-dd",
    "yyyy/MM/dd HH:mm:ss",
    "uuuu-MM-dd'T'HH:mm:ss.SSSXXX",
    "dd/MMM/yyyy:HH:mm:ss Z",
    "yyyyMMdd",
    "y-M-d",
    "yyyy-MM-dd HH:mm:ss,SSS",
    "YYYY-'W'ww",
];

fn format(dice: &mut Dice) -> String {
    if dice.percent(15) {
        return dice.pick(OTHERS).to_owned();
    }
    let name = dice.pick(NAMES);
    let has_strict = !name.starts_with("basic_") || name.starts_with("basic_week");
    let strict = has_strict && dice.percent(35);
    format!("{}{name}", if strict { "strict_" } else { "" })
}

fn name(at: usize) -> String {
    format!("date{at}")
}

/// A date field for each of some formats.
pub fn mapping(dice: &mut Dice) -> Value {
    let field = |dice: &mut Dice| json!({"type": "date", "format": format(dice)});
    let fields = (0..FIELDS).map(|at| (name(at), field(dice)));
    json!({"properties": Value::Object(fields.collect())})
}

/// A text that may be a date.
fn text(dice: &mut Dice) -> String {
    let year = dice.pick(&[
        "2024", "2024", "2024", "1969", "0001", "0000", "-0001", "24", "12024", "+12024", "-12024",
        "999999", "2020", "2026", "20240",
    ]);
    let month = dice.pick(&["05", "12", "2", "11", "13"]);
    let day = dice.pick(&["05", "31", "29", "5", "30"]);
    let week = dice.pick(&["W18", "W01", "W1", "W53", "W54", "W00", "W60"]);
    let weekday = dice.pick(&["1", "7", "3", "0", "8"]);
    let of_year = dice.pick(&["126", "001", "366", "5", "000", "367"]);
    let date = match dice.below(10) {
        0 => year.to_owned(),
        1 => format!("{year}-{month}"),
        2 => format!("{year}{}{}", "05", "05"),
        3 => format!("{year}-{week}-{weekday}"),
        4 => format!("{year}-{week}"),
        5 => format!("{year}{week}{weekday}"),
        6 => format!("{year}-{of_year}"),
        7 => format!("{year}{of_year}"),
        _ => format!("{year}-{month}-{day}"),
    };
    let (hour, minute, second) = (
        dice.pick(&["10", "00", "23", "9", "24"]),
        dice.pick(&["00", "59", "5", "60"]),
        dice.pick(&["00", "59", "7"]),
    );
    let fraction = dice.pick(&["", "", ".1", ".123", ".123456789", ",5", ".1234567890"]);
    let zone = dice.pick(&["Z", "Z", "+02:00", "-0500", "+01", "", "z", "UTC", "+2:00"]);
    let time = match dice.below(5) {
        0 => hour.to_owned(),
        1 => format!("{hour}:{minute}"),
        2 => format!("{hour}{minute}{second}{fraction}{zone}"),
        3 => format!("{hour}:{minute}:{second}"),
        _ => format!("{hour}:{minute}:{second}{fraction}{zone}"),
    };
    match dice.below(8) {
        0 => time,
        1 => format!("T{time}"),
        2 => format!("{date} {time}"),
        3 | 4 => date,
        _ => format!("{date}T{time}"),
    }
}

/// A document with a date or two, if that is what they are.
pub fn document(dice: &mut Dice) -> Map<String, Value> {
    let count = 1 + dice.below(5) / 4;
    let field = |dice: &mut Dice| (name(dice.index(FIELDS)), json!(text(dice)));
    (0..count).map(|_| field(dice)).collect()
}

/// A filter on dates.
pub fn filter(dice: &mut Dice) -> Value {
    let name = name(dice.index(FIELDS));
    if dice.percent(20) {
        return json!([{"term": {name: text(dice)}}]);
    }
    let mut body = Map::new();
    for keys in [["gte", "gt"], ["lte", "lt"]] {
        if dice.percent(70) {
            let math = dice.pick(&["", "", "", "||/M", "||+1d", "||/w"]);
            body.insert(
                dice.pick(&keys).to_owned(),
                json!(format!("{}{math}", text(dice))),
            );
        }
    }
    if dice.percent(50) {
        body.insert("format".to_owned(), json!(format(dice)));
    }
    if dice.percent(10) {
        body.insert("time_zone".to_owned(), json!("+02:00"));
    }
    json!([{"range": {name: body}}])
}
