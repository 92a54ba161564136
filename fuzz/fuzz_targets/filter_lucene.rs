//! A query in Lucene's syntax, read both ways.
#![no_main]

mod filter;

const DOCUMENT: &str = r#"{"message": "The quick brown fox", "n": 5, "a": {"b": ["x", null]}}"#;

libfuzzer_sys::fuzz_target!(|text: &str| {
    for clause in ["query_string", "simple_query_string"] {
        filter::run(&serde_json::json!({clause: {"query": text}}), DOCUMENT);
    }
});
