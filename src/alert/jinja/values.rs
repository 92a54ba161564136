//! Values on their way into a template and out of it.

use crate::config::{Data, Node, duration};
use crate::event::format::Argument;
use crate::event::python;
use crate::event::time::duration_text;
use minijinja::value::{Object, Value, ValueKind};
use serde_json::Number;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A JSON value. Integers beyond 128 bits become text: they print, but cannot be computed with.
pub(super) fn of_json(value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::from(()),
        Json::Bool(b) => Value::from(*b),
        Json::Number(number) if python::is_integer(number) => of_integer(number.as_str()),
        Json::Number(number) => Value::from(number.as_str().parse::<f64>().unwrap_or(f64::NAN)),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(of_json).collect(),
        Json::Object(members) => Value::from_pairs(
            members
                .iter()
                .map(|(key, value)| (key.as_str(), of_json(value))),
        ),
    }
}

fn of_integer(text: &str) -> Value {
    if let Ok(small) = text.parse::<i64>() {
        return Value::from(small);
    }
    text.parse::<i128>()
        .map_or_else(|_| Value::from(text), Value::from)
}

/// An option of the rule.
pub(super) fn of_option(node: &Node) -> Value {
    match &node.data {
        Data::Map(members) if !members.0.is_empty() => duration(node).map_or_else(
            || of_json(&node.to_value()),
            |duration| Value::from_object(TimeDelta(duration)),
        ),
        _ => of_json(&node.to_value()),
    }
}

/// A duration as Python's `timedelta`.
#[derive(Debug)]
struct TimeDelta(Duration);

impl Object for TimeDelta {
    fn repr(self: &Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.0.is_zero()
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let seconds = self.0.as_secs();
        match key.as_str()? {
            "days" => Some(Value::from(seconds / 86_400)),
            "seconds" => Some(Value::from(seconds % 86_400)),
            "microseconds" => Some(Value::from(self.0.subsec_micros())),
            _ => None,
        }
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut minijinja::State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, minijinja::Error> {
        if method == "total_seconds" {
            return Ok(Value::from(self.0.as_secs_f64()));
        }
        Err(minijinja::Error::from(minijinja::ErrorKind::UnknownMethod))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration_text(self.0))
    }
}

/// Python's `str(value)`; nothing for an undefined value.
pub(super) fn text(value: &Value) -> String {
    match (value.kind(), value.as_str()) {
        (_, Some(text)) => text.to_owned(),
        (ValueKind::Undefined, _) => String::new(),
        _ => {
            let mut out = String::new();
            write_repr(value, &mut out);
            out
        }
    }
}

/// Python's `repr(value)`.
pub(super) fn repr(value: &Value) -> String {
    let mut out = String::new();
    write_repr(value, &mut out);
    out
}

fn write_repr(value: &Value, out: &mut String) {
    if super::objects::write_repr(value, out) {
        return;
    }
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::Number if !value.is_integer() => {
            out.push_str(
                &f64::try_from(value.clone())
                    .map_or_else(|_| value.to_string(), python::float_text),
            );
        }
        ValueKind::String => match value.as_str() {
            Some(text) => out.push_str(&python::repr(&serde_json::Value::from(text))),
            None => out.push_str(&value.to_string()),
        },
        // An iterable is a slice of a list.
        ValueKind::Seq | ValueKind::Iterable => {
            let is_tuple = value.is_tuple() || is_group(value);
            let (open, close) = if is_tuple {
                ("(", if value.len() == Some(1) { ",)" } else { ")" })
            } else {
                ("[", "]")
            };
            out.push_str(open);
            for (at, item) in value.try_iter().into_iter().flatten().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_repr(&item, out);
            }
            out.push_str(close);
        }
        ValueKind::Map => {
            out.push('{');
            for (at, (key, item)) in pairs(value).enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_repr(&key, out);
                out.push_str(": ");
                write_repr(&item, out);
            }
            out.push('}');
        }
        _ => out.push_str(&value.to_string()),
    }
}

/// Whether a list is one of what `groupby` gives.
fn is_group(value: &Value) -> bool {
    let named = |name| value.get_attr(name).is_ok_and(|part| !part.is_undefined());
    value.kind() == ValueKind::Seq && named("list")
}

/// The members of a map, in order.
pub(super) fn pairs(value: &Value) -> impl Iterator<Item = (Value, Value)> {
    value
        .as_object()
        .and_then(|object| object.try_iter_pairs())
        .into_iter()
        .flatten()
}

/// The value as JSON, for the functions that work on it; what JSON has no form for becomes its text.
pub(super) fn to_json(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value.kind() {
        ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number if value.is_integer() => number(&value.to_string()),
        ValueKind::Number => number(
            &f64::try_from(value.clone()).map_or_else(|_| value.to_string(), python::float_text),
        ),
        ValueKind::Seq | ValueKind::Iterable => value
            .try_iter()
            .into_iter()
            .flatten()
            .map(|item| to_json(&item))
            .collect(),
        ValueKind::Map => pairs(value)
            .map(|(key, item)| (text(&key), to_json(&item)))
            .collect(),
        _ => Json::String(text(value)),
    }
}

fn number(text: &str) -> serde_json::Value {
    text.parse::<Number>()
        .map_or_else(|_| serde_json::Value::from(text), serde_json::Value::Number)
}

/// The value for Python's formatting languages.
pub(super) fn argument<'a>(value: &Value) -> Argument<'a> {
    Argument::Value(Cow::Owned(to_json(value)))
}
