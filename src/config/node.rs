//! A YAML document as PyYAML's FullLoader would build it, with the place of every value.

use super::problem::Span;
use serde_json::{Map, Number, Value};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    /// The value.
    pub data: Data,
    /// Where it stands in the file.
    pub span: Span,
}

/// What a YAML value is after PyYAML's resolver.
#[derive(Debug, Clone)]
pub enum Data {
    /// `null`, `~`, nothing.
    Null,
    /// `true`, `yes`, `on`, …
    Bool(bool),
    /// An integer that fits.
    Int(i64),
    /// An integer of any size, decimal.
    BigInt(String),
    /// A float; may be infinite or NaN.
    Float(f64),
    /// Text.
    Str(String),
    /// A date or date-time, in the text form Python's `str()` gives it.
    Time(String),
    /// `!!binary`.
    Bytes(Vec<u8>),
    /// A list.
    Seq(Vec<Node>),
    /// An object, merge keys applied, in order.
    Map(Mapping),
}

/// The members of an object in order; keys are unique by Python's equality.
#[derive(Debug, Clone, Default)]
pub struct Mapping(pub Vec<(Node, Node)>);

impl Mapping {
    /// Options with texts as values, from nowhere.
    #[cfg(test)]
    pub(crate) fn of_texts(options: &[(&str, &str)]) -> Self {
        let node = |text: &str| Node::text(text, &Span::nowhere());
        let options = options.iter();
        Self(
            options
                .map(|(name, value)| (node(name), node(value)))
                .collect(),
        )
    }

    /// The value under a text key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Key and value under a text key: the key's span is where an option was written.
    pub fn entry(&self, key: &str) -> Option<(&Node, &Node)> {
        self.0
            .iter()
            .find(|(k, _)| k.as_str() == Some(key))
            .map(|(k, v)| (k, v))
    }

    /// Sets a text key, in place if it is there, else at the end.
    pub fn set(&mut self, key: Node, value: Node) {
        match self
            .0
            .iter_mut()
            .find(|(k, _)| k.as_str().is_some() && k.as_str() == key.as_str())
        {
            Some(slot) => *slot = (key, value),
            None => self.0.push((key, value)),
        }
    }

    /// Members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Node, &Node)> {
        self.0.iter().map(|(k, v)| (k, v))
    }
}

impl Node {
    /// A text made by the program, at the place of what it came from.
    pub fn text(text: impl Into<String>, span: &Span) -> Self {
        Self {
            data: Data::Str(text.into()),
            span: span.clone(),
        }
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub fn as_map(&self) -> Option<&Mapping> {
        match &self.data {
            Data::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_seq(&self) -> Option<&[Node]> {
        match &self.data {
            Data::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The member of an object, if this is one and has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key)
    }

    /// Whether a text in it, at any depth, is one that is looked for. Keys do not count.
    pub fn has_text(&self, is_it: &dyn Fn(&str) -> bool) -> bool {
        match &self.data {
            Data::Str(text) => is_it(text),
            Data::Seq(items) => items.iter().any(|item| item.has_text(is_it)),
            Data::Map(map) => map.iter().any(|(_, value)| value.has_text(is_it)),
            _ => false,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    /// What kind of value it is, in words for messages: `a list`, `text`, `a number`.
    pub fn kind_name(&self) -> &'static str {
        match &self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "a boolean",
            Data::Int(_) | Data::BigInt(_) => "an integer",
            Data::Float(_) => "a number",
            Data::Str(_) => "text",
            Data::Time(_) => "a date",
            Data::Bytes(_) => "binary data",
            Data::Seq(_) => "a list",
            Data::Map(_) => "an object",
        }
    }

    /// The same as JSON. Dates become text, keys become text as Python's `str()` gives them; NaN and infinities become null.
    pub fn to_value(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(b) => Value::Bool(*b),
            Data::Int(i) => Value::Number((*i).into()),
            Data::BigInt(text) => text.parse::<Number>().map_or(Value::Null, Value::Number),
            Data::Float(f) => Number::from_f64(*f).map_or(Value::Null, Value::Number),
            Data::Str(text) | Data::Time(text) => Value::String(text.clone()),
            Data::Bytes(bytes) => Value::String(String::from_utf8_lossy(bytes).into_owned()),
            Data::Seq(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Data::Map(map) => Value::Object(
                map.iter()
                    .map(|(k, v)| (k.key_text(), v.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// Whether both are keys of the same text.
    pub fn is_same_key(&self, other: &Self) -> bool {
        match (self.as_str(), other.as_str()) {
            (Some(one), Some(other)) => one == other,
            _ => self.key_text() == other.key_text(),
        }
    }

    /// The text of a key.
    pub fn key_text(&self) -> String {
        match &self.data {
            Data::Str(text) => text.clone(),
            _ => crate::event::python::str(&self.to_value()),
        }
    }
}
