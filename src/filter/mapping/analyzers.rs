//! Analyzers and normalizers that a mapping's settings define.

use super::Mapping;
use super::read::Reader;
use crate::filter::analysis::{Analyzer, TokenFilter, Tokenizer};
use serde_json::Value;
use std::sync::Arc;

impl Reader {
    pub(super) fn analysis(&mut self, mapping: &mut Mapping, analysis: &Value) {
        let entries = |key: &str| {
            analysis
                .get(key)
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
        };
        for (name, body) in entries("analyzer") {
            if let Some(analyzer) = self.analyzer(name, body) {
                Arc::make_mut(&mut mapping.analyzers).insert(name.clone(), Arc::new(analyzer));
            }
        }
        for (name, body) in entries("normalizer") {
            if let Some(filters) = self.filters(name, body) {
                let normalizer = Analyzer::new(Tokenizer::Keyword, filters);
                Arc::make_mut(&mut mapping.normalizers).insert(name.clone(), Arc::new(normalizer));
            }
        }
    }

    fn analyzer(&mut self, name: &str, body: &Value) -> Option<Analyzer> {
        let kind = body.get("type").and_then(Value::as_str).unwrap_or("custom");
        if kind != "custom" {
            let plain = body
                .as_object()
                .is_some_and(|body| body.keys().all(|key| key == "type"));
            let analyzer = Analyzer::named(kind).filter(|_| plain);
            if analyzer.is_none() {
                self.problem(format!(
                    "analyzer {name:?}: the type {kind:?} with these settings is not supported"
                ));
            }
            return analyzer;
        }
        let tokenizer = match body.get("tokenizer").and_then(Value::as_str) {
            Some("standard") => Tokenizer::Standard,
            Some("keyword") => Tokenizer::Keyword,
            Some("whitespace") => Tokenizer::Whitespace,
            Some("letter") => Tokenizer::Letter,
            other => {
                self.problem(format!(
                    "analyzer {name:?}: the tokenizer {:?} is not supported",
                    other.unwrap_or("")
                ));
                return None;
            }
        };
        Some(Analyzer::new(tokenizer, self.filters(name, body)?))
    }

    fn filters(&mut self, name: &str, body: &Value) -> Option<Vec<TokenFilter>> {
        if body
            .get("char_filter")
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty())
        {
            self.problem(format!(
                "analyzer {name:?}: character filters are not supported"
            ));
            return None;
        }
        let names = match body.get("filter") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let mut filters = Vec::new();
        for filter in names {
            filters.push(match filter {
                "lowercase" => TokenFilter::Lowercase,
                "uppercase" => TokenFilter::Uppercase,
                "stop" => TokenFilter::EnglishStop,
                "porter_stem" => TokenFilter::PorterStem,
                other => {
                    self.problem(format!(
                        "analyzer {name:?}: the filter {other:?} is not supported"
                    ));
                    return None;
                }
            });
        }
        Some(filters)
    }
}
