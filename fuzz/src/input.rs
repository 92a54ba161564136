//! Inputs: bodies and streams are taken apart without a panic and within their limits, and what is valid comes out valid.

use bytes::Bytes;
use tripline::input::fault::fault;
use tripline::input::http::body::decode;
use tripline::input::http::split::{Content, split};
use tripline::input::lines::{Line, Lines};

const MAX_BODY: usize = 1 << 16;
const LIMIT: usize = 16;

/// A body, behind a byte each for the kind of its content and its encoding.
pub fn body(input: &[u8]) {
    let [content, encoding, body @ ..] = input else {
        return;
    };
    let encoding = [None, Some("gzip"), Some("deflate"), Some("zstd")][usize::from(encoding % 4)];
    let Ok(body) = decode(encoding, &Bytes::copy_from_slice(body), MAX_BODY) else {
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
    let valid = split
        .events
        .iter()
        .all(|event| fault(&event.bytes).is_none());
    // An object that is valid as a whole is one event.
    if content == Content::Json && fault(&body).is_none() && body.len() <= 1024 {
        assert!(valid && split.events.len() == 1 && split.unusable.is_empty());
    }
}

fn cut(reads: impl Iterator<Item = Bytes>) -> Vec<Line> {
    let mut lines = Lines::new(LIMIT);
    let mut out = Vec::new();
    for read in reads {
        lines.push(read, &mut out);
    }
    lines.finish(&mut out);
    out
}

/// Lines come out the same however the stream is torn into reads, and none is over the limit. The first byte is the size of the reads.
pub fn lines(input: &[u8]) {
    let [size, stream @ ..] = input else {
        return;
    };
    let stream = Bytes::copy_from_slice(stream);
    let whole = cut(std::iter::once(stream.clone()));
    for line in &whole {
        if let Line::Whole(bytes) = line {
            assert!(bytes.len() <= LIMIT && !bytes.contains(&b'\n'));
        }
    }
    // A byte order mark torn over two reads is not recognised as one.
    let size = usize::from(*size).max(3);
    let torn = cut(stream.chunks(size).map(|read| stream.slice_ref(read)));
    assert_eq!(torn, whole);
}
