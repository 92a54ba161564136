//! Keys: the value of `query_key`, by which windows, groups and silences are told apart.

use crate::event::{Field, FieldPath, Fields, python};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// `query_key`, `aggregation_key`: one field or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryKey {
    /// The fields, in the rule's order.
    pub fields: Vec<FieldPath>,
    /// The name under which a match carries the value: the field's own, or the names joined with `,`.
    pub name: String,
}

impl QueryKey {
    /// A key of these fields; `None` without any.
    pub fn new(fields: &[String]) -> Option<Self> {
        (!fields.is_empty()).then(|| Self {
            fields: fields.iter().map(FieldPath::new).collect(),
            name: fields.join(","),
        })
    }

    /// Whether it is made of several fields: matches then carry it as a member of its own.
    pub fn is_compound(&self) -> bool {
        self.fields.len() > 1
    }

    /// The key of an event whose fields begin with this key's.
    pub fn value(&self, fields: &dyn Fields) -> Key {
        if let [_] = self.fields.as_slice() {
            Key::of(fields.field(0))
        } else {
            let parts: Vec<Value> = (0..self.fields.len())
                .map(|position| fields.field(position).to_value())
                .collect();
            Key::Text(joined_text(&parts).into())
        }
    }
}

/// A compound key's text: its parts as Python prints them, joined with comma and blank.
pub(super) fn joined_text<'a>(parts: impl IntoIterator<Item = &'a Value>) -> String {
    let parts: Vec<String> = parts.into_iter().map(python::str).collect();
    parts.join(", ")
}

/// The value of a key, with Python's equality: `1`, `1.0` and `true` are one key, `"1"` is another. Lists and objects count by the
/// text Python prints for them, so the order in them matters; a missing field and a null are the same key.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub enum Key {
    /// The only key of a rule without `query_key`.
    #[default]
    All,
    /// Missing or null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number, as it was written.
    Number(Box<str>),
    /// Text, or the text of a list or an object.
    Text(Box<str>),
}

impl Key {
    /// The key a field's value is.
    pub fn of(field: Field<'_>) -> Self {
        match field.as_str() {
            Some(text) => Self::Text(text.into()),
            None => Self::from(&field.to_value()),
        }
    }

    /// The key a value is that Python compares as it is: lists element by element and objects without order, where [`Key::of`] goes by their text.
    pub(super) fn of_whole(value: &Value) -> Self {
        match value {
            Value::Array(_) | Value::Object(_) => Self::Text(python::repr(&plain(value)).into()),
            scalar => Self::from(scalar),
        }
    }

    /// As a member of a match.
    pub fn to_value(&self) -> Value {
        match self {
            Self::All => Value::from("all"),
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(text) => text.parse().map_or(Value::Null, Value::Number),
            Self::Text(text) => Value::from(&**text),
        }
    }

    /// As Python prints it.
    pub fn text(&self) -> String {
        python::str(&self.to_value())
    }

    fn rank(&self) -> u8 {
        match self {
            Self::All => 0,
            Self::Null => 1,
            Self::Bool(_) | Self::Number(_) => 2,
            Self::Text(_) => 3,
        }
    }

    fn identity(&self) -> Identity<'_> {
        match self {
            Self::All => Identity::All,
            Self::Null => Identity::Null,
            Self::Bool(value) => Identity::Int(i64::from(*value)),
            Self::Number(text) => number_identity(text),
            Self::Text(text) => Identity::Text(text),
        }
    }
}

impl From<&Value> for Key {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.as_str().into()),
            Value::String(text) => Self::Text(text.as_str().into()),
            Value::Array(_) | Value::Object(_) => Self::Text(python::repr(value).into()),
        }
    }
}

/// A value, written as all values that Python says are equal to it are.
fn plain(value: &Value) -> Value {
    match value {
        Value::Bool(value) => Value::from(i64::from(*value)),
        Value::Number(number) => match number_identity(number.as_str()) {
            Identity::Int(value) => Value::from(value),
            Identity::Big(text) => text.parse().map_or(Value::Null, Value::Number),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let members = members.into_iter();
            members
                .map(|(name, value)| (name.clone(), plain(value)))
                .collect()
        }
        Value::Null | Value::String(_) => value.clone(),
    }
}

/// What two equal keys have in common.
#[derive(PartialEq, Eq, Hash)]
enum Identity<'a> {
    All,
    Null,
    Int(i64),
    /// An integer beyond 64 bits, in decimal.
    Big(String),
    /// The bits of a float that is no integer.
    Float(u64),
    Text(&'a str),
}

fn number_identity(text: &str) -> Identity<'static> {
    if let Ok(value) = text.parse() {
        return Identity::Int(value);
    }
    let is_integer = text
        .parse::<Number>()
        .is_ok_and(|number| python::is_integer(&number));
    if is_integer {
        return Identity::Big(text.to_owned());
    }
    let value: f64 = text.parse().unwrap_or(f64::NAN);
    if value.fract() != 0.0 || !value.is_finite() {
        return Identity::Float(value.to_bits());
    }
    let decimal = format!("{value:.0}");
    match decimal.parse() {
        Ok(value) => Identity::Int(value),
        Err(_) => Identity::Big(decimal),
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => self.identity() == other.identity(),
        }
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// Null first, then numbers by value, then text: as Elasticsearch sorts the values of one field.
impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let number = |key: &Self| python::number_value(&key.to_value()).unwrap_or(f64::NAN);
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ if self == other => Ordering::Equal,
            _ if self.rank() == other.rank() => number(self)
                .total_cmp(&number(other))
                .then_with(|| self.text().cmp(&other.text())),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::DocumentFields;

    fn key(json: &str) -> Key {
        Key::of(Field::Json(json))
    }

    #[test]
    fn keys_are_equal_when_python_says_so() {
        assert!(key("1") == key("1.0") && key("1") == key("true") && key("0") == key("-0.0"));
        assert!(key("1e20") == key("100000000000000000000") && key("0.50") == key("5e-1"));
        assert!(
            key("1") != key("\"1\"") && key("null") != key("\"None\"") && key("1") != key("1.5")
        );
        assert!(key(r#"["a", "b"]"#) == key(r#""['a', 'b']""#));
        assert!(key(r#"["b", "a"]"#) != key(r#"["a", "b"]"#));
        assert!(Key::of(Field::Missing) == key("null"));
    }

    #[test]
    fn whole_values_are_equal_when_python_says_so() {
        let whole = |json: &str| Key::of_whole(&serde_json::from_str(json).unwrap());
        assert!(
            whole("[1, [true]]") == whole("[1.0, [1]]")
                && whole("[1e20]") == whole("[100000000000000000000]")
        );
        assert!(whole(r#"{"a": 1, "b": [0.50]}"#) == whole(r#"{"b": [5e-1], "a": true}"#));
        assert!(whole("[1, 2]") != whole("[2, 1]") && whole(r#"["1"]"#) != whole("[1]"));
        assert!(whole("1.0") == whole("1"));
    }

    #[test]
    fn compound_keys_join_what_python_prints() {
        let names = ["user", "n", "f", "l", "gone"].map(str::to_owned);
        let query_key = QueryKey::new(&names).unwrap();
        let document =
            serde_json::from_str(r#"{"user": "alice", "n": 1e-7, "f": true, "l": ["a"]}"#).unwrap();
        let fields = DocumentFields {
            document: &document,
            paths: &query_key.fields,
        };
        assert_eq!(
            query_key.value(&fields).text(),
            "alice, 1e-07, True, ['a'], None"
        );
        assert_eq!(query_key.name, "user,n,f,l,gone");
    }
}
