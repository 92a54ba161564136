//! What a rule sees of an event before anything is known to match: just the fields it asked for.

use super::{Document, FieldPath};
use serde_json::Value;
use std::borrow::Cow;

/// One field of an event, looked up as [`FieldPath`] does.
#[derive(Debug, Clone, Copy)]
pub enum Field<'a> {
    /// Not there, or null: the same for ElastAlert.
    Missing,
    /// Its JSON text, as it stands in the event.
    Json(&'a str),
    /// Its value, where the event has been parsed already.
    Value(&'a Value),
}

impl<'a> Field<'a> {
    /// Whether there is a value other than null.
    pub fn is_some(self) -> bool {
        !matches!(self, Field::Missing)
    }

    /// The text, if it is text; borrowed when it has no escapes.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        match self {
            Field::Missing => None,
            Field::Value(value) => value.as_str().map(Cow::Borrowed),
            Field::Json(json) if json.starts_with('"') => super::json::text_value(json).ok(),
            Field::Json(_) => None,
        }
    }

    /// The value; null when missing.
    pub fn to_value(self) -> Value {
        match self {
            Field::Missing => Value::Null,
            Field::Value(value) => value.clone(),
            Field::Json(json) => super::json::value(json).unwrap_or(Value::Null),
        }
    }
}

/// The fields a rule asked for, in the order it asked.
pub trait Fields {
    /// The field asked for at `position`; `Missing` past the end.
    fn field(&self, position: usize) -> Field<'_>;
}

/// Fields of a document that has been parsed.
#[derive(Debug)]
pub struct DocumentFields<'a> {
    /// The document.
    pub document: &'a Document,
    /// The paths asked for.
    pub paths: &'a [FieldPath],
}

impl Fields for DocumentFields<'_> {
    fn field(&self, position: usize) -> Field<'_> {
        self.paths
            .get(position)
            .and_then(|path| path.get_some(self.document))
            .map_or(Field::Missing, Field::Value)
    }
}
