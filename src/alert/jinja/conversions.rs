//! Filters that make something else of a value: numbers, JSON, formatted text, addresses.

use super::filters::{Given, invalid};
use super::values::{argument, pairs, text, to_json};
use crate::event::dumps::Dumps;
use crate::event::format::Argument;
use crate::event::format::percent::{self, Operand};
use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Error, ErrorKind};

pub(super) fn int(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let given = Given::new(given, kwargs);
    let default = given.value(0, "default")?.unwrap_or_else(|| Value::from(0));
    let base = given.get(1, "base")?.unwrap_or(10_u32);
    if value.is_integer() {
        return Ok(value.clone());
    }
    defined(value)?;
    let integer = value
        .as_str()
        .and_then(|text| parse_integer(text, base))
        .map(Value::from);
    let whole = || as_float(value).filter(|float| float.is_finite()).map(whole);
    Ok(integer.or_else(whole).unwrap_or(default))
}

/// Python's `int(text, base)`.
fn parse_integer(text: &str, base: u32) -> Option<i128> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let prefix = match base {
        2 => "0b",
        8 => "0o",
        16 => "0x",
        _ => "",
    };
    let digits = digits.to_ascii_lowercase();
    let digits = digits.strip_prefix(prefix).unwrap_or(&digits);
    if !(2..=36).contains(&base) || digits.starts_with(['+', '-']) {
        return None;
    }
    i128::from_str_radix(&format!("{sign}{}", digits.replace('_', "")), base).ok()
}

pub(super) fn float(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let default = Given::new(given, kwargs).value(0, "default")?;
    defined(value)?;
    Ok(as_float(value)
        .map(Value::from)
        .or(default)
        .unwrap_or_else(|| Value::from(0.0)))
}

fn defined(value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::new(
            ErrorKind::UndefinedError,
            "an undefined value is no number",
        ));
    }
    Ok(())
}

/// `round`: the directed methods always give a float.
pub(super) fn round(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let given = Given::new(given, kwargs);
    let precision = given.get(0, "precision")?;
    let method = given.value(1, "method")?.map(|method| text(&method));
    let number = match value.kind() {
        ValueKind::Bool => Value::from(i64::from(value.is_true())),
        _ => value.clone(),
    };
    let directed = method.as_deref().is_some_and(|method| method != "common");
    let number = match f64::try_from(number.clone()) {
        Ok(float) if directed => Value::from(float),
        _ => number,
    };
    let none = Kwargs::from_iter(std::iter::empty::<(&str, Value)>());
    minijinja::filters::round(number, precision, method.as_deref(), none)
}

pub(super) fn abs(value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Bool => Ok(Value::from(i64::from(value.is_true()))),
        _ => minijinja::filters::abs(value),
    }
}

fn as_float(value: &Value) -> Option<f64> {
    match (value.kind(), value.as_str()) {
        (_, Some(text)) => text.trim().replace('_', "").parse().ok(),
        (ValueKind::Bool, _) => Some(f64::from(u8::from(value.is_true()))),
        _ => f64::try_from(value.clone()).ok(),
    }
}

/// A float without its fraction, as an integer.
fn whole(value: f64) -> Value {
    let digits = format!("{:.0}", value.trunc());
    digits
        .parse::<i128>()
        .map_or_else(|_| Value::from(digits), Value::from)
}

pub(super) fn dictsort(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let given = Given::new(given, kwargs);
    let names = ["case_sensitive", "by", "reverse"];
    let mut named = Vec::new();
    for (position, name) in names.into_iter().enumerate() {
        if let Some(value) = given.value(position, name)? {
            named.push((name, value));
        }
    }
    minijinja::filters::dictsort(value, Kwargs::from_iter(named))
}

/// `jinja2.utils.htmlsafe_json_dumps`.
pub(super) fn tojson(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let indent = Given::new(given, kwargs).value(0, "indent")?;
    let indent = indent
        .filter(|indent| !indent.is_none())
        .map(usize::try_from)
        .transpose()?;
    if value.is_undefined() {
        return Err(Error::new(
            ErrorKind::UndefinedError,
            "tojson: the value is undefined",
        ));
    }
    let dumps = Dumps {
        indent,
        sort_keys: true,
        ascii: true,
        compact: false,
    };
    let json = dumps.to_text(&to_json(value));
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\'' => out.push_str("\\u0027"),
            c => out.push(c),
        }
    }
    Ok(Value::from_safe_string(out))
}

/// `%` formatting: `{{ "%05d"|format(n) }}`.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands them over")]
pub(super) fn format(
    pattern: &Value,
    values: Rest<Value>,
    kwargs: Kwargs,
) -> Result<String, Error> {
    let pattern = text(pattern);
    let names: Vec<&str> = kwargs.args().collect();
    let found = if names.is_empty() {
        let values: Vec<Argument<'_>> = values.iter().map(argument).collect();
        percent::format(&pattern, &Operand::Values(&values))
    } else {
        let get = |key: &str| kwargs.get::<Option<Value>>(key).ok()?.map(|v| argument(&v));
        percent::format(&pattern, &Operand::Mapping(&get))
    };
    found.map_err(|error| invalid(error.to_string()))
}

pub(super) fn filesizeformat(
    value: &Value,
    given: Rest<Value>,
    kwargs: Kwargs,
) -> Result<String, Error> {
    let binary = Given::new(given, kwargs).get(0, "binary")?.unwrap_or(false);
    let bytes = as_float(value).ok_or_else(|| invalid("filesizeformat: not a number"))?;
    let (base, units) = if binary {
        (
            1024.0,
            ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"],
        )
    } else {
        (1000.0, ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"])
    };
    if bytes == 1.0 {
        return Ok("1 Byte".to_owned());
    }
    if bytes < base {
        return Ok(format!("{:.0} Bytes", bytes.trunc()));
    }
    let mut amount = bytes / base;
    let mut units = units.iter().peekable();
    while let Some(unit) = units.next() {
        if amount < base || units.peek().is_none() {
            return Ok(format!("{amount:.1} {unit}"));
        }
        amount /= base;
    }
    Err(invalid("filesizeformat: not a number"))
}

/// A text is encoded as part of a path; the members of an object, or pairs, as a form.
pub(super) fn urlencode(value: &Value) -> Result<String, Error> {
    use minijinja::filters::urlencode as encode;
    let form = |(key, item): (Value, Value)| -> Result<String, Error> {
        let part = |value: &Value| -> Result<String, Error> {
            let path = encode(&Value::from(text(value)))?;
            Ok(path.replace('/', "%2F").replace("%20", "+"))
        };
        Ok(format!("{}={}", part(&key)?, part(&item)?))
    };
    let parameters: Vec<String> = match value.kind() {
        ValueKind::Map => pairs(value).map(form).collect::<Result<_, _>>()?,
        ValueKind::Seq | ValueKind::Iterable => value
            .try_iter()?
            .map(|pair| form((pair.get_item_by_index(0)?, pair.get_item_by_index(1)?)))
            .collect::<Result<_, _>>()?,
        _ => return encode(&Value::from(text(value))),
    };
    Ok(parameters.join("&"))
}
