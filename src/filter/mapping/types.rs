//! Field types by their names in a mapping.

use super::dynamic::Policy;
use super::kind::{Exact, Whole};
use super::read::Reader;
use super::{Field, Kind, Mapping, Reach};
use crate::filter::analysis::{Analyzer, TokenFilter, Tokenizer};
use crate::filter::date::DateFormat;
use crate::filter::number::scalar_text;
use serde_json::{Map, Value};
use std::sync::Arc;

impl Reader {
    /// A field that is no object, without its place.
    pub(super) fn leaf(
        &mut self,
        mapping: &Mapping,
        name: &str,
        body: &Map<String, Value>,
    ) -> Option<Field> {
        let type_name = body.get("type").and_then(Value::as_str)?;
        let mut field = Field::object(name, Policy::Ignore);
        if type_name == "alias" {
            // Until all fields are known, where it points to stands where copies go.
            field.alias = true;
            let target = body.get("path").and_then(Value::as_str).unwrap_or_default();
            field.copy_to = vec![target.to_owned()];
            return Some(field);
        }
        field.kind = self.kind(mapping, name, type_name, body)?;
        field.reach = match type_name {
            "flat_object" | "flattened" => Reach::ByMembers,
            other if UNSUPPORTED.contains(&other) => Reach::Unsupported,
            _ => reach(&field.kind, body),
        };
        field.constant = body
            .get("value")
            .filter(|_| type_name == "constant_keyword")
            .and_then(|value| scalar_text(value.into()))
            .map(Into::into);
        let options = body.get("index_options").and_then(Value::as_str);
        field.has_positions = !matches!(options, Some("docs" | "freqs"));
        if let Kind::Keyword { normalizer, .. } = &field.kind
            && body.get("split_queries_on_whitespace").is_some_and(is_true)
        {
            let plain = || Analyzer::new(Tokenizer::Keyword, Vec::new());
            let analyzer = normalizer.as_deref().cloned().unwrap_or_else(plain);
            field.search_analyzer = Some(Arc::new(analyzer.at_blanks()));
        }
        if let Kind::Text(own) = &field.kind {
            let named = |key: &str| body.get(key).and_then(Value::as_str);
            let search = named("search_analyzer").or_else(|| {
                let default = mapping.analyzers.contains_key(DEFAULT_SEARCH);
                (default && named("analyzer").is_none()).then_some(DEFAULT_SEARCH)
            });
            let mut look_up = |wanted: Option<&str>| {
                let found = mapping.analyzer(wanted?);
                if found.is_none() {
                    self.unknown_analyzer(name, wanted.unwrap_or_default());
                }
                found.filter(|found| found != own)
            };
            field.search_analyzer = look_up(search);
            field.quote_analyzer = look_up(named("search_quote_analyzer"));
            if named("search_quote_analyzer").is_some() && field.quote_analyzer.is_none() {
                // The one that cuts documents up, whatever the other is.
                field.quote_analyzer = Some(Arc::clone(own));
            }
        }
        field.null_value = body.get("null_value").filter(|v| !v.is_null()).cloned();
        field.ignore_malformed = body.get("ignore_malformed").is_some_and(is_true);
        field.copy_to = match body.get("copy_to") {
            Some(Value::String(target)) => vec![target.clone()],
            Some(Value::Array(targets)) => targets
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        };
        Some(field)
    }

    fn unknown_analyzer(&mut self, name: &str, analyzer: &str) {
        self.problem(format!(
            "field {name:?}: analyzer {analyzer:?} is not known"
        ));
    }

    fn kind(
        &mut self,
        mapping: &Mapping,
        name: &str,
        type_name: &str,
        body: &Map<String, Value>,
    ) -> Option<Kind> {
        let coerce = body.get("coerce").is_none_or(is_true);
        let whole = |whole| Kind::Whole { whole, coerce };
        let range = |kind| Kind::Range(Arc::new(kind));
        Some(match type_name {
            "text" | "match_only_text" | "annotated_text" | "search_as_you_type" => {
                let named = body.get("analyzer").and_then(Value::as_str);
                let analyzer = match named {
                    Some(named) => mapping.analyzer(named),
                    None => mapping.analyzers.get("default").cloned(),
                };
                let analyzer = match (analyzer, named) {
                    (Some(analyzer), _) => analyzer,
                    (None, None) => Arc::new(Analyzer::standard()),
                    (None, Some(named)) => {
                        self.unknown_analyzer(name, named);
                        return None;
                    }
                };
                let gap = body.get("position_increment_gap").and_then(Value::as_u64);
                Kind::Text(match gap.and_then(|gap| u32::try_from(gap).ok()) {
                    Some(gap) if gap != analyzer.gap() => {
                        Arc::new(Analyzer::clone(&analyzer).with_gap(gap))
                    }
                    _ => analyzer,
                })
            }
            "keyword" | "constant_keyword" | "wildcard" | "version" => {
                let normalizer = match body.get("normalizer").and_then(Value::as_str) {
                    None => None,
                    Some("lowercase") => {
                        let lowercase = vec![TokenFilter::Lowercase];
                        Some(Arc::new(Analyzer::new(Tokenizer::Keyword, lowercase)))
                    }
                    Some(wanted) => match mapping.normalizers.get(wanted) {
                        Some(normalizer) => Some(Arc::clone(normalizer)),
                        None => {
                            self.problem(format!(
                                "field {name:?}: normalizer {wanted:?} is not known"
                            ));
                            return None;
                        }
                    },
                };
                let most = body.get("ignore_above").and_then(Value::as_u64);
                Kind::Keyword {
                    ignore_above: most.and_then(|most| usize::try_from(most).ok()),
                    normalizer,
                }
            }
            "long" => whole(Whole::Long),
            "unsigned_long" => Kind::UnsignedLong { coerce },
            "integer" => whole(Whole::Integer),
            "short" => whole(Whole::Short),
            "byte" => whole(Whole::Byte),
            "double" => Kind::Float(Exact::Double),
            "float" => Kind::Float(Exact::Float),
            "half_float" => Kind::Float(Exact::HalfFloat),
            "scaled_float" => match body.get("scaling_factor").and_then(Value::as_f64) {
                Some(factor) if factor > 0.0 => Kind::Float(Exact::Scaled(factor)),
                _ => {
                    self.problem(format!(
                        "field {name:?}: scaled_float needs a positive \"scaling_factor\""
                    ));
                    return None;
                }
            },
            "boolean" => Kind::Boolean,
            "date" | "date_nanos" => {
                let format = match body.get("format").and_then(Value::as_str) {
                    Some(format) => self.format(format)?,
                    None => Arc::new(DateFormat::default_field()),
                };
                if type_name == "date" {
                    Kind::Date(format)
                } else {
                    Kind::DateNanos(format)
                }
            }
            "ip" => Kind::Ip,
            "integer_range" => range(whole(Whole::Integer)),
            "long_range" => range(whole(Whole::Long)),
            "float_range" => range(Kind::Float(Exact::Float)),
            "double_range" => range(Kind::Float(Exact::Double)),
            "date_range" => {
                let format = match body.get("format").and_then(Value::as_str) {
                    Some(format) => self.format(format)?,
                    None => Arc::new(DateFormat::default_field()),
                };
                range(Kind::Date(format))
            }
            "ip_range" => range(Kind::Ip),
            "geo_point" | "geo_shape" | "point" | "shape" => Kind::Geo,
            "binary" => Kind::Binary,
            // Anything may stand in them.
            "flat_object" | "flattened" => Kind::Geo,
            other if UNSUPPORTED.contains(&other) => Kind::Geo,
            other => {
                self.problem(format!(
                    "field {name:?}: the type {other:?} is not supported"
                ));
                return None;
            }
        })
    }
}

/// Types of Elasticsearch and OpenSearch that a mapping may have beside those that are searched here: only clauses on such a field are refused.
const UNSUPPORTED: [&str; 22] = [
    "aggregate_metric_double",
    "completion",
    "counted_keyword",
    "dense_vector",
    "derived",
    "histogram",
    "icu_collation_keyword",
    "join",
    "knn_vector",
    "murmur3",
    "percolator",
    "rank_feature",
    "rank_features",
    "rank_vectors",
    "semantic",
    "semantic_text",
    "sparse_vector",
    "star_tree",
    "token_count",
    "tdigest",
    "xy_point",
    "xy_shape",
];

/// The analyzer of a mapping's settings for the queries on fields that name none.
const DEFAULT_SEARCH: &str = "default_search";

/// Who finds the values of a field, by `index`, `doc_values` and `store`.
fn reach(kind: &Kind, body: &Map<String, Value>) -> Reach {
    let set = |key: &str, default| body.get(key).map_or(default, is_true);
    let indexed = set("index", true);
    match kind {
        Kind::Binary if set("doc_values", false) || set("store", false) => Reach::OnlyThere,
        Kind::Binary => Reach::Nowhere,
        _ if indexed => Reach::Searchable,
        Kind::Text(_) => Reach::Nowhere,
        _ if !set("doc_values", true) => Reach::Nowhere,
        Kind::Range(_) => Reach::OnlyThere,
        // What is kept beside the index is searched in its place, only slower.
        _ => Reach::Searchable,
    }
}

/// Whether a parameter is set; texts count, too.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::String(text) => text == "true",
        _ => false,
    }
}
