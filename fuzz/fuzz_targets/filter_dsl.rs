//! A filter and an event, both JSON, on two lines.
#![no_main]

mod filter;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (query, document) = text.split_once('\n').unwrap_or((text, "{}"));
    if let Ok(query) = serde_json::from_str(query) {
        filter::run(&query, document);
    }
});
