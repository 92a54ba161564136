//! Filters of Jinja2 that minijinja lacks, or that print values.

use super::urlize::Links;
use super::values::{pairs, text};
use super::{builtins, conversions};
use crate::alert::wrap::{Wrap, wrap};
use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};
use std::borrow::Cow;

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("e", escape);
    environment.add_filter("escape", escape);
    environment.add_filter("forceescape", |value: &Value| {
        Value::from_safe_string(escaped(&text(value)))
    });
    environment.add_filter("string", |value: &Value| text(value));
    environment.add_filter("join", join);
    environment.add_filter("center", center);
    environment.add_filter("truncate", truncate);
    builtins::add(environment);
    environment.add_filter("tojson", conversions::tojson);
    environment.add_filter("format", conversions::format);
    environment.add_filter("pprint", super::pprint::pprint);
    environment.add_filter("filesizeformat", conversions::filesizeformat);
    environment.add_filter("xmlattr", xmlattr);
    environment.add_filter("wordwrap", wordwrap);
    environment.add_filter("striptags", minijinja_contrib::filters::striptags);
    environment.add_filter("urlize", urlize);
    environment.add_filter("urlencode", conversions::urlencode);
    environment.add_filter("indent", indent);
    environment.add_filter("int", conversions::int);
    environment.add_filter("float", conversions::float);
    environment.add_filter("dictsort", conversions::dictsort);
    environment.add_filter("round", conversions::round);
    environment.add_filter("abs", conversions::abs);
    environment.add_filter("attr", attr);
    environment.add_test("lower", |value: &Value| {
        let text = text(value);
        text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase)
    });
    environment.add_test("upper", |value: &Value| {
        let text = text(value);
        text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase)
    });
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
    environment.add_test("iterable", |value: &Value| {
        !value.is_none() && value.try_iter().is_ok()
    });
    environment.add_test("sequence", |value: &Value| {
        use ValueKind::{Map, Seq, String, Undefined};
        matches!(value.kind(), Undefined | String | Seq | Map)
    });
    environment.add_function("cycler", |items: Rest<Value>| {
        minijinja_contrib::globals::cycler(items.0)
    });
    environment.add_function("range", super::objects::range);
    environment.add_function("joiner", minijinja_contrib::globals::joiner);
}

pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// A filter's parameters, each given by position or by name.
pub(super) struct Given {
    positional: Rest<Value>,
    named: Kwargs,
}

impl Given {
    pub(super) fn new(positional: Rest<Value>, named: Kwargs) -> Self {
        Self { positional, named }
    }

    /// The parameter at a position, or of that name; `None` when neither is given.
    pub(super) fn value(&self, position: usize, name: &str) -> Result<Option<Value>, Error> {
        match self.positional.get(position) {
            Some(value) => Ok(Some(value.clone())),
            None => self.named.get(name),
        }
    }

    pub(super) fn get<T>(&self, position: usize, name: &str) -> Result<Option<T>, Error>
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
        Value::from_safe_string(escaped(&text(value)))
    }
}

/// `markupsafe.escape`.
pub(super) fn escaped(text: &str) -> String {
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
    out
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

/// Attributes are not members: of what JSON knows nothing has any.
fn attr(value: &Value, name: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Plain => value.get_item(name),
        _ => Ok(Value::UNDEFINED),
    }
}

fn truncate(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let given = Given::new(given, kwargs);
    let length = given.get(0, "length")?.unwrap_or(255_usize);
    let killwords = given.get(1, "killwords")?.unwrap_or(false);
    let end = given.text(2, "end")?.unwrap_or_else(|| "...".to_owned());
    let leeway = given.get(3, "leeway")?.unwrap_or(5_usize);
    let room = length
        .checked_sub(end.chars().count())
        .ok_or_else(|| invalid("truncate: the length is less than that of the end"))?;
    // A list or an object has a length too, but cannot be cut.
    let short = |count: usize| count <= length.saturating_add(leeway);
    let Some(long) = value.as_str() else {
        return match value.len() {
            Some(count) if short(count) => Ok(value.clone()),
            _ if value.is_undefined() => Ok(value.clone()),
            _ => Err(invalid("truncate: the value is no text")),
        };
    };
    if short(long.chars().count()) {
        return Ok(value.clone());
    }
    let kept: String = long.chars().take(room).collect();
    let kept = match kept.rsplit_once(' ') {
        Some((words, _)) if !killwords => words,
        _ => &kept,
    };
    Ok(Value::from(format!("{kept}{end}")))
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

fn urlize(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let given = Given::new(given, kwargs);
    let nofollow = given.get(1, "nofollow")?.unwrap_or(false);
    let rel = given.text(3, "rel")?.unwrap_or_default();
    // Jinja2 gives the words of `rel` in alphabetical order.
    let mut rel: Vec<&str> = rel.split_whitespace().chain(["noopener"]).collect();
    if nofollow {
        rel.push("nofollow");
    }
    rel.sort_unstable();
    rel.dedup();
    let mut attributes = format!(" rel=\"{}\"", escaped(&rel.join(" ")));
    if let Some(target) = given.text(2, "target")? {
        attributes.push_str(&format!(" target=\"{}\"", escaped(&target)));
    }
    let links = Links {
        limit: given.get(0, "trim_url_limit")?,
        attributes,
    };
    let linked = super::urlize::urlize(&text(&escape(value)), &links);
    Ok(Value::from_safe_string(linked))
}

fn indent(value: &Value, given: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let given = Given::new(given, kwargs);
    let width = given.value(0, "width")?.unwrap_or_else(|| Value::from(4));
    let first = given.get(1, "first")?.unwrap_or(false);
    let blank = given.get(2, "blank")?.unwrap_or(false);
    let indention = match width.as_str() {
        Some(text) => text.to_owned(),
        None => super::methods::centre("", usize::try_from(width)?, ' ')?,
    };
    let mut out = String::new();
    for (at, line) in text(value).split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let indented = if at == 0 {
            first
        } else {
            blank || !line.is_empty()
        };
        if indented {
            out.push_str(&indention);
        }
        out.push_str(line);
    }
    Ok(out)
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
        parts.push(format!("{key}=\"{}\"", escaped(&text(&item))));
    }
    let mut out = parts.join(" ");
    if autospace && !out.is_empty() {
        out.insert(0, ' ');
    }
    Ok(Value::from_safe_string(out))
}
