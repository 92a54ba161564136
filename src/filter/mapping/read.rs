//! Reading mappings: the JSON of Elasticsearch's mapping API, and Logstash's template.

use super::dynamic::{Candidate, Dynamic, Pattern, Policy, Template};
use super::types::is_true;
use super::{Field, Kind, Mapping, Reach, Source};
use crate::config::{Problem, Span};
use crate::filter::date::DateFormat;
use crate::filter::values::Path;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// How deep objects may nest in a mapping.
const MAX_DEPTH: usize = 64;

/// The index template of Logstash's elasticsearch output.
pub(super) fn logstash() -> Mapping {
    let template = json!({
        "dynamic_templates": [
            {"message_field": {
                "path_match": "message", "match_mapping_type": "string",
                "mapping": {"type": "text", "norms": false}}},
            {"string_fields": {
                "match": "*", "match_mapping_type": "string",
                "mapping": {"type": "text", "norms": false, "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}}}
        ],
        "properties": {
            "@timestamp": {"type": "date"},
            "@version": {"type": "keyword"},
            "geoip": {"dynamic": true, "properties": {
                "ip": {"type": "ip"},
                "location": {"type": "geo_point"},
                "latitude": {"type": "half_float"},
                "longitude": {"type": "half_float"}}}
        }
    });
    let mut reader = Reader::new(&Span::nowhere());
    reader.mapping(&template, &Value::Null)
}

pub(super) fn explicit(value: &Value, place: &Span) -> Result<Mapping, Vec<Problem>> {
    let mut reader = Reader::new(place);
    if !value.is_object() {
        reader.problem("a mapping is an object");
    }
    let inner = value.get("mappings").unwrap_or(value);
    let settings = value.get("settings").unwrap_or(&Value::Null);
    let settings = settings.get("index").unwrap_or(settings);
    let mapping = reader.mapping(inner, settings);
    if reader.problems.is_empty() {
        Ok(mapping)
    } else {
        Err(reader.problems)
    }
}

/// An index without a template.
pub(super) fn dynamic() -> Mapping {
    Reader::new(&Span::nowhere()).mapping(&Value::Null, &Value::Null)
}

/// A field from a template's mapping, without its place.
fn candidate(reader: &mut Reader, known: &Mapping, mapping: &Value) -> Option<Candidate> {
    let body = mapping.as_object()?;
    let typed = |field| Field {
        sources: Source::Current,
        ..field
    };
    let field = typed(reader.leaf(known, "", body)?);
    let mut sub_fields = Vec::new();
    for (end, body) in body
        .get("fields")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if let Some(field) = body
            .as_object()
            .and_then(|body| reader.leaf(known, end, body))
        {
            let field = Field {
                is_sub_field: true,
                ..typed(field)
            };
            sub_fields.push((Arc::from(end.as_str()), Arc::new(field)));
        }
    }
    Some(Candidate {
        field: Arc::new(field),
        sub_fields,
    })
}

impl Mapping {
    fn bare() -> Self {
        Self {
            fields: Arc::default(),
            dynamic: Arc::new(Dynamic::unprepared()),
            analyzers: Arc::default(),
            normalizers: Arc::default(),
            unmapped: super::Unmapped::ByEvent,
            copies: Arc::default(),
        }
    }
}

impl Field {
    pub(super) fn object(name: &str, policy: Policy) -> Self {
        Self {
            name: name.into(),
            kind: Kind::Object,
            sources: Source::Paths(vec![Path::new(name)]),
            nested: None,
            null_value: None,
            ignore_malformed: false,
            constant: None,
            has_positions: true,
            alias: false,
            is_sub_field: false,
            dynamic: policy,
            copy_to: Vec::new(),
            reach: Reach::Searchable,
            search_analyzer: None,
            quote_analyzer: None,
            included_in: Vec::new(),
        }
    }
}

/// Reads a mapping, remembering every problem.
pub(super) struct Reader {
    span: Span,
    problems: Vec<Problem>,
}

impl Reader {
    fn new(span: &Span) -> Self {
        Self {
            span: span.clone(),
            problems: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, message: impl Into<String>) {
        let problem = Problem::error("E0209", &self.span, message)
            .help("write the mapping as Elasticsearch's mapping API returns it; see docs/filters.md for the types");
        self.problems.push(problem);
    }

    fn mapping(&mut self, body: &Value, settings: &Value) -> Mapping {
        let mut mapping = Mapping::bare();
        self.analysis(
            &mut mapping,
            settings.get("analysis").unwrap_or(&Value::Null),
        );
        let mut dynamic = Dynamic::unprepared();
        dynamic.policy = policy(body.get("dynamic")).unwrap_or(Policy::Learn);
        if body.get("date_detection").is_some_and(|v| !is_true(v)) {
            dynamic.date_formats.clear();
        } else if let Some(Value::Array(formats)) = body.get("dynamic_date_formats") {
            let formats = formats.iter().filter_map(Value::as_str);
            dynamic.default_formats = false;
            dynamic.date_formats = formats.filter_map(|format| self.format(format)).collect();
        }
        dynamic.numeric_detection = body.get("numeric_detection").is_some_and(is_true);
        for template in body
            .get("dynamic_templates")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            dynamic.templates.extend(self.template(&mapping, template));
        }
        if let Some(properties) = body.get("properties").and_then(Value::as_object) {
            let policy = dynamic.policy;
            let top = Inside {
                policy,
                nested: None,
                included_in: Vec::new(),
            };
            self.properties(&mut mapping, properties, "", &top, 0);
        }
        self.aliases_and_copies(&mut mapping, dynamic.goes_by_names());
        let known = mapping.clone();
        // What is wrong with a template was said when it was read.
        let mut quiet = Self::new(&self.span);
        dynamic.prepare(|body| candidate(&mut quiet, &known, body));
        mapping.dynamic = Arc::new(dynamic);
        mapping
    }

    pub(super) fn format(&mut self, format: &str) -> Option<Arc<DateFormat>> {
        match DateFormat::parse(format) {
            Ok(format) => Some(Arc::new(format)),
            Err(reason) => {
                self.problem(format!("date format {format:?}: {reason}"));
                None
            }
        }
    }

    fn template(&mut self, mapping: &Mapping, template: &Value) -> Option<Template> {
        let Some(body) = template
            .as_object()
            .and_then(|object| object.values().next())
        else {
            self.problem(
                "an entry of \"dynamic_templates\" is an object {name: {match…, mapping}}",
            );
            return None;
        };
        if body.get("match_mapping_type").and_then(Value::as_str) == Some("object") {
            let kind = body.get("mapping").and_then(|mapping| mapping.get("type"));
            if kind.and_then(Value::as_str) == Some("nested") {
                self.problem("a dynamic template cannot make nested objects here: name them in \"properties\"");
            }
            return None;
        }
        let regex = body.get("match_pattern").and_then(Value::as_str) == Some("regex");
        let mut pattern = |key: &str| {
            let text = body.get(key)?.as_str()?;
            if !regex {
                return Some(Pattern::Stars(text.to_owned()));
            }
            match regex::Regex::new(&format!("^(?:{text})$")) {
                Ok(regex) => Some(Pattern::Regex(regex)),
                Err(error) => {
                    self.problem(format!("{key:?} of a dynamic template: {error}"));
                    None
                }
            }
        };
        let template = Template {
            name_match: pattern("match"),
            name_unmatch: pattern("unmatch"),
            path_match: pattern("path_match"),
            path_unmatch: pattern("path_unmatch"),
            mapping_type: body
                .get("match_mapping_type")
                .and_then(Value::as_str)
                .map(str::to_owned),
            mapping: body.get("mapping").cloned().unwrap_or(Value::Null),
        };
        if let Some(body) = template.mapping.as_object()
            && body.contains_key("type")
            && body.get("type").and_then(Value::as_str) != Some("{dynamic_type}")
        {
            candidate(self, mapping, &template.mapping);
        }
        Some(template)
    }

    fn properties(
        &mut self,
        mapping: &mut Mapping,
        properties: &Map<String, Value>,
        prefix: &str,
        inside: &Inside,
        depth: usize,
    ) {
        if depth > MAX_DEPTH {
            return self.problem("objects nest too deep in the mapping");
        }
        for (key, body) in properties {
            let name = if prefix.is_empty() {
                key.clone()
            } else {
                format!("{prefix}.{key}")
            };
            let Some(body) = body.as_object() else {
                self.problem(format!(
                    "field {name:?}: a field is an object with \"type\" or \"properties\""
                ));
                continue;
            };
            let kind = body.get("type").and_then(Value::as_str).unwrap_or("object");
            if !matches!(kind, "object" | "nested") {
                if let Some(field) = self.leaf(mapping, &name, body) {
                    self.add_leaf(mapping, field, body, inside);
                }
                continue;
            }
            let policy = policy(body.get("dynamic")).unwrap_or(inside.policy);
            let mut field = Field::object(&name, policy);
            field.nested.clone_from(&inside.nested);
            field.included_in.clone_from(&inside.included_in);
            if kind == "nested" {
                field.kind = Kind::Nested;
            } else if body.get("enabled").is_some_and(|v| !is_true(v)) {
                field.kind = Kind::Disabled;
            }
            field.sources = Source::Paths(vec![self::inside(&name, inside.nested.as_ref())]);
            let mut inner = Inside {
                policy,
                ..inside.clone()
            };
            if kind == "nested" {
                let set = |key| body.get(key).is_some_and(is_true);
                inner.nested = Some(Arc::clone(&field.name));
                if set("include_in_parent") {
                    inner.included_in.push(inside.nested.clone());
                } else {
                    inner.included_in.clear();
                }
                if set("include_in_root") {
                    inner.included_in.push(None);
                }
                // For members that the mapping does not name.
                field.included_in.clone_from(&inner.included_in);
            }
            Arc::make_mut(&mut mapping.fields).insert(name.clone(), Arc::new(field));
            if let Some(properties) = body.get("properties").and_then(Value::as_object) {
                self.properties(mapping, properties, &name, &inner, depth + 1);
            }
        }
    }

    fn add_leaf(
        &mut self,
        mapping: &mut Mapping,
        mut field: Field,
        body: &Map<String, Value>,
        inside: &Inside,
    ) {
        let name = Arc::clone(&field.name);
        field.sources = Source::Paths(vec![self::inside(&name, inside.nested.as_ref())]);
        field.nested.clone_from(&inside.nested);
        field.included_in.clone_from(&inside.included_in);
        for (end, sub) in body
            .get("fields")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let full = format!("{name}.{end}");
            let Some(mut sub) = sub
                .as_object()
                .and_then(|sub| self.leaf(mapping, &full, sub))
            else {
                continue;
            };
            sub.sources = field.sources.clone();
            sub.nested.clone_from(&inside.nested);
            sub.included_in.clone_from(&inside.included_in);
            sub.is_sub_field = true;
            Arc::make_mut(&mut mapping.fields).insert(full, Arc::new(sub));
        }
        if body.get("type").and_then(Value::as_str) == Some("search_as_you_type") {
            for end in ["_2gram", "_3gram", "_4gram", "_index_prefix"] {
                let full = format!("{name}.{end}");
                let words_in_a_row = Field {
                    name: full.as_str().into(),
                    kind: Kind::Geo,
                    reach: Reach::Unsupported,
                    is_sub_field: true,
                    ..field.clone()
                };
                Arc::make_mut(&mut mapping.fields).insert(full, Arc::new(words_in_a_row));
            }
        }
        Arc::make_mut(&mut mapping.fields).insert(name.to_string(), Arc::new(field));
    }

    /// Aliases become what they point to; copied values get a second source, with `by_names` only where fields are named.
    fn aliases_and_copies(&mut self, mapping: &mut Mapping, by_names: bool) {
        let fields: Vec<Arc<Field>> = mapping.fields.values().cloned().collect();
        for field in fields {
            for target in &field.copy_to {
                let Some(found) = Arc::make_mut(&mut mapping.fields).get_mut(target) else {
                    if let (Source::Paths(from), None, false) =
                        (&field.sources, &field.nested, field.alias || by_names)
                    {
                        let copies = Arc::make_mut(&mut mapping.copies);
                        let known = copies.entry(target.clone()).or_default();
                        known.extend(from.iter().cloned());
                        continue;
                    }
                    self.problem(format!(
                        "field {:?} points to {target:?}, which is not in the mapping",
                        field.name
                    ));
                    continue;
                };
                if field.alias {
                    let aliased = Field {
                        alias: true,
                        copy_to: Vec::new(),
                        ..Field::clone(found)
                    };
                    Arc::make_mut(&mut mapping.fields)
                        .insert(field.name.to_string(), Arc::new(aliased));
                } else if let (Source::Paths(to), Source::Paths(from)) =
                    (&mut Arc::make_mut(found).sources, &field.sources)
                {
                    to.extend(from.iter().cloned());
                }
            }
        }
    }
}

/// What holds for the fields of an object.
#[derive(Clone)]
struct Inside {
    /// For members that the mapping does not name.
    policy: Policy,
    nested: Option<Arc<str>>,
    included_in: Vec<Option<Arc<str>>>,
}

/// The path of a full name, from the nested object around it on.
pub(super) fn inside(name: &str, nested: Option<&Arc<str>>) -> Path {
    let inner = nested.and_then(|nested| name.strip_prefix(&**nested)?.strip_prefix('.'));
    Path::new(inner.unwrap_or(name))
}

fn policy(value: Option<&Value>) -> Option<Policy> {
    Some(match value? {
        Value::Bool(true) => Policy::Learn,
        Value::Bool(false) => Policy::Ignore,
        Value::String(text) => match text.as_str() {
            "true" => Policy::Learn,
            "false" => Policy::Ignore,
            "strict" => Policy::Reject,
            _ => return None,
        },
        _ => return None,
    })
}
