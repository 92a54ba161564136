//! Filters of Jinja2 that minijinja lacks, or that print values.

use super::values::{pairs, text, to_json};
use crate::alert::wrap::{Wrap, wrap};
use crate::event::dumps::Dumps;
use crate::event::format::Argument;
use crate::event::format::percent::{self, Operand};
use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};
use std::borrow::Cow;

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("e", escape);
    environment.add_filter("escape", escape);
    environment.add_filter("forceescape", |value: &Value| escaped(&text(value)));
    environment.add_filter("string", |value: &Value| text(value));
    environment.add_filter("join", join);
    environment.add_filter("center", center);
    environment.add_filter("truncate", truncate);
    environment.add_filter("tojson", tojson);
    environment.add_filter("format", format);
    environment.add_filter("pprint", super::pprint::pprint);
    environment.add_filter("filesizeformat", filesizeformat);
    environment.add_filter("xmlattr", xmlattr);
    environment.add_filter("wordcount", minijinja_contrib::filters::wordcount);
    environment.add_filter("wordwrap", wordwrap);
    environment.add_filter("striptags", minijinja_contrib::filters::striptags);
    environment.add_function("cycler", minijinja_contrib::globals::cycler);
    environment.add_function("joiner", minijinja_contrib::globals::joiner);
}

fn invalid(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// A filter's parameters, each given by position or by name.
struct Given {
    positional: Rest<Value>,
    named: Kwargs,
}

impl Given {
    fn new(positional: Rest<Value>, named: Kwargs) -> Self {
        Self { positional, named }
    }

    /// The parameter at a position, or of that name; `None` when neither is given.
    fn value(&self, position: usize, name: &str) -> Result<Option<Value>, Error> {
        match self.positional.get(position) {
            Some(value) => Ok(Some(value.clone())),
            None => self.named.get(name),
        }
    }

    fn get<T>(&self, position: usize, name: &str) -> Result<Option<T>, Error>
    where
        T: TryFrom<Value, Error = Error>,
    {
        self.value(position, name)?.map(T::try_from).transpose()
    }

    fn text(&self, position: usize, name: &str) -> Result<Option<String>, Error> {
        Ok(self.value(position, name)?.map(|value| text(&value)))
    }
}

fn escape(value: &Value) -> Value {
    if value.is_safe() {
        value.clone()
    } else {
        escaped(&text(value))
    }
}

/// `markupsafe.escape`.
fn escaped(text: &str) -> Value {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            c => out.push(c),
        }
    }
    Value::from_safe_string(out)
}

fn join(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let given = Given::new(given, kwargs);
    let separator = given.text(0, "d")?.unwrap_or_default();
    let attribute = given.value(1, "attribute")?;
    let mut parts = Vec::new();
    for item in value.try_iter()? {
        parts.push(match &attribute {
            Some(path) => text(&minijinja::filters::attr(&item, path)?),
            None => text(&item),
        });
    }
    Ok(parts.join(&separator))
}

fn center(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let width = Given::new(given, kwargs).get(0, "width")?.unwrap_or(80);
    super::methods::centre(&text(value), width, ' ')
}

fn truncate(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let given = Given::new(given, kwargs);
    let length = given.get(0, "length")?.unwrap_or(255_usize);
    let killwords = given.get(1, "killwords")?.unwrap_or(false);
    let end = given.text(2, "end")?.unwrap_or_else(|| "...".to_owned());
    let leeway = given.get(3, "leeway")?.unwrap_or(5_usize);
    let value = text(value);
    let room = length
        .checked_sub(end.chars().count())
        .ok_or_else(|| invalid("truncate: the length is less than that of the end"))?;
    if value.chars().count() <= length.saturating_add(leeway) {
        return Ok(value);
    }
    let kept: String = value.chars().take(room).collect();
    let kept = match kept.rsplit_once(' ') {
        Some((words, _)) if !killwords => words,
        _ => &kept,
    };
    Ok(format!("{kept}{end}"))
}

fn wordwrap(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let given = Given::new(given, kwargs);
    let how = Wrap {
        width: given.get(0, "width")?.unwrap_or(79),
        long_words: given.get(1, "break_long_words")?.unwrap_or(true),
        hyphens: given.get(3, "break_on_hyphens")?.unwrap_or(true),
    };
    let between = given
        .text(2, "wrapstring")?
        .unwrap_or_else(|| "\n".to_owned());
    let lines: Vec<String> = text(value)
        .lines()
        .map(|line| wrap(line, how).join(&between))
        .collect();
    Ok(lines.join(&between))
}

/// `jinja2.utils.htmlsafe_json_dumps`.
fn tojson(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
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
fn format(pattern: &Value, values: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
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

pub(super) fn argument<'a>(value: &Value) -> Argument<'a> {
    Argument::Value(Cow::Owned(to_json(value)))
}

fn filesizeformat(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let binary = Given::new(given, kwargs).get(0, "binary")?.unwrap_or(false);
    let bytes = match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => f64::try_from(value.clone()).ok(),
    };
    let bytes = bytes.ok_or_else(|| invalid("filesizeformat: not a number"))?;
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

fn xmlattr(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let autospace = Given::new(given, kwargs)
        .get(0, "autospace")?
        .unwrap_or(true);
    let mut parts = Vec::new();
    for (key, item) in pairs(value) {
        if matches!(item.kind(), ValueKind::None | ValueKind::Undefined) {
            continue;
        }
        let key = text(&key);
        if key.contains([' ', '\t', '\n', '\r', '/', '>', '=']) {
            return Err(invalid(format!("xmlattr: invalid attribute name {key:?}")));
        }
        parts.push(format!("{key}=\"{}\"", text(&escaped(&text(&item)))));
    }
    let mut out = parts.join(" ");
    if autospace && !out.is_empty() {
        out.insert(0, ' ');
    }
    Ok(Value::from_safe_string(out))
}
