//! A regular expression and a text, on two lines.
#![no_main]

mod filter;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (pattern, value) = text.split_once('\n').unwrap_or((text, "abc"));
    let document = serde_json::json!({"a": value}).to_string();
    let query = serde_json::json!({"regexp": {"a.keyword": {"value": pattern, "max_determinized_states": 1000}}});
    filter::run(&query, &document);
});
