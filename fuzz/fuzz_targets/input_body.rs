//! Any body in any encoding is taken apart without a panic and within its limits, and what is valid comes out valid.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tripline::input::fault::fault;
use tripline::input::http::body::decode;
use tripline::input::http::split::{Content, split};

const MAX_BODY: usize = 1 << 16;

fuzz_target!(|input: (u8, u8, Vec<u8>)| {
    let (content, encoding, body) = input;
    let encoding = [None, Some("gzip"), Some("deflate"), Some("zstd")][usize::from(encoding % 4)];
    let Ok(body) = decode(encoding, &Bytes::from(body), MAX_BODY) else {
        return;
    };
    assert!(encoding.is_none() || body.len() <= MAX_BODY);
    let contents = [Content::Json, Content::Lines, Content::Text, Content::Form];
    let content = contents[usize::from(content % 4)];
    let Some(split) = split(content, &body, 1024, 100) else {
        return;
    };
    assert_eq!(split.events.len(), split.positions.len());
    assert!(split.events.len() + split.unusable.len() <= 100);
    let valid = split.events.iter().all(|event| fault(&event.bytes).is_none());
    // An object that is valid as a whole is one event.
    if content == Content::Json && fault(&body).is_none() && body.len() <= 1024 {
        assert!(valid && split.events.len() == 1 && split.unusable.is_empty());
    }
});
