//! Methods of Python's types that minijinja's Python mode lacks.

use super::values::argument;
use crate::alert::wrap::expand_tabs;
use crate::event::format::{Argument, Arguments, Format};
use minijinja::value::{Kwargs, Rest, Value, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State};
use minijinja_contrib::pycompat;

/// Answers a method call on a value that has no such method of its own.
pub(super) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let own = match (value.kind(), value.as_str()) {
        (_, Some(text)) => string(text, method, args),
        (ValueKind::Seq, _) => list(value, method, args),
        (ValueKind::Map, _) if method == "copy" => Some(Ok(value.clone())),
        (ValueKind::Map, _) if args.is_empty() => super::objects::view(value, method).map(Ok),
        (ValueKind::Number, _) => number(value, method),
        _ => None,
    };
    own.unwrap_or_else(|| pycompat::unknown_method_callback(state, value, method, args))
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// Texts longer than this are not padded: the width may come from an event.
const MAX_WIDTH: usize = 10_000;

fn string(value: &str, method: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    Some(match method {
        "ljust" | "rjust" | "center" => justified(value, method, args),
        "zfill" => zfill(value, args),
        "partition" | "rpartition" => partition(value, method, args),
        "index" | "rindex" => index(value, method, args),
        "rsplit" => rsplit(value, args),
        "removeprefix" => from_args(args)
            .map(|(prefix,): (&str,)| Value::from(value.strip_prefix(prefix).unwrap_or(value))),
        "removesuffix" => from_args(args)
            .map(|(suffix,): (&str,)| Value::from(value.strip_suffix(suffix).unwrap_or(value))),
        "swapcase" => Ok(Value::from(swapped(value))),
        "casefold" => Ok(Value::from(value.to_lowercase())),
        "expandtabs" => Ok(Value::from(expand_tabs(value))),
        "isdecimal" => Ok(Value::from(
            !value.is_empty() && value.chars().all(|c| c.is_ascii_digit()),
        )),
        "istitle" => Ok(Value::from(
            value.chars().any(char::is_alphabetic) && title(value) == value,
        )),
        "title" => Ok(Value::from(title(value))),
        "join" => join(value, args),
        "format" => format(value, args),
        _ => return None,
    })
}

fn justified(value: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (width, fill): (usize, Option<&str>) = from_args(args)?;
    let fill = match fill {
        None => ' ',
        Some(fill) => {
            let mut chars = fill.chars();
            match (chars.next(), chars.next()) {
                (Some(fill), None) => fill,
                _ => return Err(invalid("the fill must be one character")),
            }
        }
    };
    if method == "center" {
        return centre(value, width, fill).map(Value::from);
    }
    let padding = padding(value, width, fill)?;
    Ok(Value::from(if method == "ljust" {
        format!("{value}{padding}")
    } else {
        format!("{padding}{value}")
    }))
}

fn padding(value: &str, width: usize, fill: char) -> Result<String, Error> {
    if width > MAX_WIDTH {
        return Err(invalid("widths beyond 10000 are not supported"));
    }
    let missing = width.saturating_sub(value.chars().count());
    Ok(std::iter::repeat_n(fill, missing).collect())
}

/// Python's `str.center`: an odd blank goes to the left when the width is odd.
pub(super) fn centre(value: &str, width: usize, fill: char) -> Result<String, Error> {
    let padding = padding(value, width, fill)?;
    let missing = padding.chars().count();
    let left = missing / 2 + (missing & width & 1);
    let side = |count| padding.chars().take(count).collect::<String>();
    Ok(format!("{}{value}{}", side(left), side(missing - left)))
}

fn zfill(value: &str, args: &[Value]) -> Result<Value, Error> {
    let (width,): (usize,) = from_args(args)?;
    let padding = padding(value, width, '0')?;
    let (sign, digits) = value.split_at(usize::from(value.starts_with(['+', '-'])));
    Ok(Value::from(format!("{sign}{padding}{digits}")))
}

fn partition(value: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (separator,): (&str,) = from_args(args)?;
    if separator.is_empty() {
        return Err(invalid("empty separator"));
    }
    let parts = if method == "partition" {
        value
            .split_once(separator)
            .map_or([value, "", ""], |(a, b)| [a, separator, b])
    } else {
        value
            .rsplit_once(separator)
            .map_or(["", "", value], |(a, b)| [a, separator, b])
    };
    Ok(Value::from(minijinja::value::Tuple::new(
        parts.map(Value::from).to_vec(),
    )))
}

fn index(value: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (what,): (&str,) = from_args(args)?;
    let at = if method == "index" {
        value.find(what)
    } else {
        value.rfind(what)
    };
    let before = at.and_then(|at| value.get(..at));
    let before = before.ok_or_else(|| invalid("substring not found"))?;
    Ok(Value::from(before.chars().count()))
}

fn rsplit(value: &str, args: &[Value]) -> Result<Value, Error> {
    let (separator, max): (Option<&str>, Option<i64>) = from_args(args)?;
    let limit = max
        .and_then(|max| usize::try_from(max).ok())
        .map_or(usize::MAX, |max| max.saturating_add(1));
    let mut parts: Vec<&str> = match separator {
        Some("") => return Err(invalid("empty separator")),
        Some(separator) => value.rsplitn(limit, separator).collect(),
        None => {
            let mut parts = Vec::new();
            let mut rest = value.trim_end();
            while !rest.is_empty() {
                match rest
                    .rfind(char::is_whitespace)
                    .filter(|_| parts.len() + 1 < limit)
                {
                    Some(at) => {
                        let (before, part) = rest.split_at(at);
                        parts.push(part.trim_start());
                        rest = before.trim_end();
                    }
                    None => {
                        parts.push(rest.trim_start());
                        rest = "";
                    }
                }
            }
            parts
        }
    };
    parts.reverse();
    Ok(parts.into_iter().map(Value::from).collect())
}

fn swapped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if c.is_uppercase() {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
    }
    out
}

/// Python's `str.title`: a capital after everything that is no letter.
fn title(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut inside = false;
    for c in value.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}

fn join(separator: &str, args: &[Value]) -> Result<Value, Error> {
    let (items,): (&Value,) = from_args(args)?;
    let mut parts = Vec::new();
    for item in items.try_iter()? {
        let part = item
            .as_str()
            .ok_or_else(|| invalid("join: every item must be text"))?;
        parts.push(part.to_owned());
    }
    Ok(Value::from(parts.join(separator)))
}

fn format(value: &str, args: &[Value]) -> Result<Value, Error> {
    struct Given {
        positional: Vec<Argument<'static>>,
        named: Kwargs,
    }
    impl Arguments for Given {
        fn positional(&self, index: usize) -> Option<Argument<'_>> {
            self.positional.get(index).cloned()
        }

        fn named(&self, name: &str) -> Option<Argument<'_>> {
            let value: Option<Value> = self.named.get(name).ok()?;
            value.map(|value| argument(&value))
        }
    }
    let (positional, named): (Rest<Value>, Kwargs) = from_args(args)?;
    let given = Given {
        positional: positional.iter().map(argument).collect(),
        named,
    };
    Format::new(value)
        .render(&given)
        .map(Value::from)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

fn list(value: &Value, method: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    match method {
        "copy" => Some(Ok(value.clone())),
        "index" => Some(from_args(args).and_then(|(what,): (&Value,)| {
            value
                .try_iter()?
                .position(|item| item == *what)
                .map(Value::from)
                .ok_or_else(|| invalid("the list has no such item"))
        })),
        "append" | "extend" | "insert" | "pop" | "remove" | "sort" | "reverse" | "clear" => {
            Some(Err(Error::new(
                ErrorKind::UnknownMethod,
                format!(
                    "lists cannot be changed with \"{method}\" here: build a new one, as in all + [item]"
                ),
            )))
        }
        _ => None,
    }
}

fn number(value: &Value, method: &str) -> Option<Result<Value, Error>> {
    match method {
        "is_integer" if !value.is_integer() => {
            let whole = f64::try_from(value.clone()).is_ok_and(|value| value.fract() == 0.0);
            Some(Ok(Value::from(whole)))
        }
        "is_integer" => Some(Ok(Value::from(true))),
        "bit_length" => {
            let bits = value.as_i64()?.unsigned_abs();
            Some(Ok(Value::from(u64::BITS - bits.leading_zeros())))
        }
        _ => None,
    }
}
