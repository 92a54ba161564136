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
            if let Some(analyzer) = self.analyzer(analysis, name, body) {
                Arc::make_mut(&mut mapping.analyzers).insert(name.clone(), Arc::new(analyzer));
            }
        }
        for (name, body) in entries("normalizer") {
            if let Some(filters) = self.filters(analysis, name, body) {
                let normalizer = Analyzer::new(Tokenizer::Keyword, filters);
                Arc::make_mut(&mut mapping.normalizers).insert(name.clone(), Arc::new(normalizer));
            }
        }
    }

    fn analyzer(&mut self, analysis: &Value, name: &str, body: &Value) -> Option<Analyzer> {
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
        let tokenizer = body.get("tokenizer").and_then(Value::as_str);
        let tokenizer = match tokenizer.and_then(|wanted| meaning(analysis, "tokenizer", wanted)) {
            Some("standard") => Tokenizer::Standard,
            Some("keyword") => Tokenizer::Keyword,
            Some("whitespace") => Tokenizer::Whitespace,
            Some("letter") => Tokenizer::Letter,
            other => {
                let shown = other.or(tokenizer).unwrap_or("");
                self.problem(format!(
                    "analyzer {name:?}: the tokenizer {shown:?} is not supported"
                ));
                return None;
            }
        };
        let analyzer = Analyzer::new(tokenizer, self.filters(analysis, name, body)?);
        let gap = body.get("position_increment_gap").and_then(Value::as_u64);
        Some(match gap.and_then(|gap| u32::try_from(gap).ok()) {
            Some(gap) => analyzer.with_gap(gap),
            None => analyzer,
        })
    }

    fn filters(&mut self, analysis: &Value, name: &str, body: &Value) -> Option<Vec<TokenFilter>> {
        let names_some = |names: &Value| match names {
            Value::Array(names) => !names.is_empty(),
            names => !names.is_null(),
        };
        if body.get("char_filter").is_some_and(names_some) {
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
            filters.push(match meaning(analysis, "filter", filter) {
                Some("lowercase") => TokenFilter::Lowercase,
                Some("uppercase") => TokenFilter::Uppercase,
                Some("stop") => TokenFilter::EnglishStop,
                Some("porter_stem") => TokenFilter::PorterStem,
                _ => {
                    self.problem(format!(
                        "analyzer {name:?}: the filter {filter:?} is not supported"
                    ));
                    return None;
                }
            });
        }
        Some(filters)
    }
}

/// The built-in tokenizer or filter that a name stands for: what the settings define under it, if that has no settings of its own.
fn meaning<'a>(analysis: &'a Value, part: &str, name: &'a str) -> Option<&'a str> {
    let Some(own) = analysis.get(part).and_then(|parts| parts.get(name)) else {
        return Some(name);
    };
    let plain = own.as_object()?.keys().all(|key| key == "type");
    own.get("type").and_then(Value::as_str).filter(|_| plain)
}
