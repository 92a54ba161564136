//! Dynamic mapping: what becomes of a member that the mapping does not name.

use super::super::date::DateFormat;
use super::super::number::{double, whole, with_ascii_digits};
use super::super::values::{first, name_matches};
use super::{Field, Kind};
use crate::event::project::Item;
use serde_json::Value;
use std::sync::Arc;

/// What becomes of unknown members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// They become fields.
    Learn,
    /// They are not searchable.
    Ignore,
    /// They reject the document.
    Reject,
}

/// The rules by which unknown members become fields.
#[derive(Debug, Clone)]
pub(super) struct Dynamic {
    pub(super) policy: Policy,
    pub(super) date_formats: Vec<Arc<DateFormat>>,
    /// Whether they are Elasticsearch's own: their fields read epoch milliseconds, too.
    pub(super) default_formats: bool,
    pub(super) numeric_detection: bool,
    pub(super) templates: Vec<Template>,
    /// For the rules without a template and then for each template, one for each of `Detected`'s values.
    candidates: Vec<Candidate>,
}

/// A field that a member can become, and its sub-fields by the end of their names.
#[derive(Debug, Clone)]
pub(in crate::filter) struct Candidate {
    pub(in crate::filter) field: Arc<Field>,
    pub(in crate::filter) sub_fields: Vec<(Arc<str>, Arc<Field>)>,
}

impl Candidate {
    fn unsearchable() -> Self {
        let mut field = Field::object("", Policy::Ignore);
        field.kind = Kind::Disabled;
        Self {
            field: Arc::new(field),
            sub_fields: Vec::new(),
        }
    }
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detected {
    String,
    Long,
    Double,
    Boolean,
    /// By the date format of that number.
    Date(usize),
}

/// One of `dynamic_templates`.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub(super) mapping_type: Option<String>,
    pub(super) name_match: Option<Pattern>,
    pub(super) name_unmatch: Option<Pattern>,
    pub(super) path_match: Option<Pattern>,
    pub(super) path_unmatch: Option<Pattern>,
    /// The mapping it gives; `type` may be missing.
    pub(super) mapping: Value,
}

/// How a template picks names.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    Stars(String),
    Regex(regex::Regex),
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Stars(pattern) => name_matches(pattern, name),
            Self::Regex(regex) => regex.is_match(name),
        }
    }
}

impl Template {
    fn matches(&self, path: &str, detected: Detected) -> bool {
        self.matches_type(path, detected.name())
    }

    fn matches_type(&self, path: &str, type_name: &str) -> bool {
        let name = path.rsplit_once('.').map_or(path, |(_, name)| name);
        let fits = |pattern: &Option<Pattern>, text, otherwise| {
            pattern
                .as_ref()
                .map_or(otherwise, |pattern| pattern.matches(text))
        };
        self.mapping_type
            .as_deref()
            .is_none_or(|wanted| wanted == "*" || wanted == type_name)
            && fits(&self.name_match, name, true)
            && !fits(&self.name_unmatch, name, false)
            && fits(&self.path_match, path, true)
            && !fits(&self.path_unmatch, path, false)
    }
}

impl Detected {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Long => "long",
            Self::Double => "double",
            Self::Boolean => "boolean",
            Self::Date(_) => "date",
        }
    }

    fn slot(self) -> usize {
        match self {
            Self::String => 0,
            Self::Long => 1,
            Self::Double => 2,
            Self::Boolean => 3,
            Self::Date(format) => 4 + format,
        }
    }
}

impl Dynamic {
    /// Elasticsearch's defaults, candidates not yet made.
    pub(super) fn unprepared() -> Self {
        // Elasticsearch's `dynamic_date_formats`; a field found by the second reads those and epoch milliseconds.
        let formats = [
            "strict_date_optional_time",
            "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd",
        ];
        Self {
            policy: Policy::Learn,
            date_formats: formats
                .iter()
                .filter_map(|format| DateFormat::parse(format).ok())
                .map(Arc::new)
                .collect(),
            default_formats: true,
            numeric_detection: false,
            templates: Vec::new(),
            candidates: Vec::new(),
        }
    }

    /// Makes the candidates, once all rules are set.
    pub(super) fn prepare(&mut self, mut make: impl FnMut(&Value) -> Option<Candidate>) {
        let mut detected = vec![
            Detected::String,
            Detected::Long,
            Detected::Double,
            Detected::Boolean,
        ];
        detected.extend((0..self.date_formats.len()).map(Detected::Date));
        let empty = Value::Object(serde_json::Map::new());
        let mappings = std::iter::once(&empty).chain(self.templates.iter().map(|t| &t.mapping));
        let mut candidates = Vec::new();
        for mapping in mappings {
            for detected in &detected {
                let filled = self.fill(mapping, *detected);
                // A type that is not known was reported when the template was read.
                let mut candidate = make(&filled).unwrap_or_else(Candidate::unsearchable);
                if let (Detected::Date(at), None) = (*detected, mapping.get("type"))
                    && let Some(format) = self.date_formats.get(at)
                {
                    let format = DateFormat::clone(format);
                    let format = Arc::new(if self.default_formats {
                        format.with_epoch_millis()
                    } else {
                        format
                    });
                    candidate.field = Arc::new(Field {
                        kind: Kind::Date(format),
                        ..Field::clone(&candidate.field)
                    });
                }
                candidates.push(candidate);
            }
        }
        self.candidates = candidates;
    }

    /// A template's mapping with what it leaves out.
    fn fill(&self, mapping: &Value, detected: Detected) -> Value {
        let mut filled = mapping.as_object().cloned().unwrap_or_default();
        let name = match detected {
            Detected::String => "text",
            Detected::Long => "long",
            Detected::Double => "float",
            Detected::Boolean => "boolean",
            Detected::Date(_) => "date",
        };
        for value in filled.values_mut() {
            if let Value::String(text) = value
                && text.contains("{dynamic_type}")
            {
                *text = text.replace("{dynamic_type}", name);
            }
        }
        if !filled.contains_key("type") {
            filled.insert("type".to_owned(), name.into());
            if detected == Detected::String
                && !filled.contains_key("fields")
                && mapping.get("norms").is_none()
            {
                filled.insert(
                    "fields".to_owned(),
                    serde_json::json!({"keyword": {"type": "keyword", "ignore_above": 256}}),
                );
            }
        }
        Value::Object(filled)
    }

    /// Whether the template for an object of that name gives it the type of a value.
    pub(super) fn makes_a_value_of(&self, path: &str) -> bool {
        let template = self
            .templates
            .iter()
            .find(|template| template.matches_type(path, "object"));
        let kind = template.and_then(|template| template.mapping.get("type")?.as_str());
        kind.is_some_and(|kind| !["object", "nested", "{dynamic_type}"].contains(&kind))
    }

    /// Whether what a member becomes depends on its name.
    pub(super) fn goes_by_names(&self) -> bool {
        self.templates.iter().any(|template| {
            let all = |pattern: &Option<Pattern>| match pattern {
                None => true,
                Some(Pattern::Stars(stars)) => stars == "*",
                Some(Pattern::Regex(_)) => false,
            };
            !all(&template.name_match)
                || !all(&template.path_match)
                || template.name_unmatch.is_some()
                || template.path_unmatch.is_some()
        })
    }

    pub(super) fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// What a member becomes, by its first value; `None` for null, `[]` and objects.
    pub(super) fn candidate(&self, path: &str, member: &Value) -> Option<usize> {
        self.candidate_of(path, first(member)?)
    }

    /// What a member becomes whose first value this is.
    pub(super) fn candidate_of<'v>(&self, path: &str, first: impl Into<Item<'v>>) -> Option<usize> {
        let detected = self.detect(first)?;
        let template = self
            .templates
            .iter()
            .position(|template| template.matches(path, detected))
            .map_or(0, |at| at + 1);
        Some(template * (4 + self.date_formats.len()) + detected.slot())
    }

    /// Whether a candidate is what a text becomes that is found to be a date.
    pub(super) fn is_from_date(&self, candidate: usize) -> bool {
        candidate % (4 + self.date_formats.len()) >= 4
    }

    pub(super) fn detect<'v>(&self, value: impl Into<Item<'v>>) -> Option<Detected> {
        match value.into() {
            Item::Null | Item::Object(_) => None,
            Item::Bool(_) => Some(Detected::Boolean),
            Item::Number(number) if number.contains(['.', 'e', 'E']) => Some(Detected::Double),
            Item::Number(_) => Some(Detected::Long),
            Item::Text(text) => Some(self.detect_text(text)),
        }
    }

    fn detect_text(&self, text: &str) -> Detected {
        if self.numeric_detection {
            if with_ascii_digits(text).parse::<i64>().is_ok() {
                return Detected::Long;
            }
            if whole(text).is_ok() || double(text).is_some() {
                return Detected::Double;
            }
        }
        if !may_be_date(text) {
            return Detected::String;
        }
        self.date_formats
            .iter()
            .position(|format| format.reads(text))
            .map_or(Detected::String, Detected::Date)
    }
}

/// Whether a text has what all dates have that dynamic mapping finds.
pub(in crate::filter) fn may_be_date(text: &str) -> bool {
    text.contains([':', '-', '/'])
}
