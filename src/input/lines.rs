//! Cuts a stream of bytes into lines, without copying them.
//!
//! A line ends with LF or CRLF. Blank lines and a byte order mark at the start are skipped; the last line needs no line end.
//! Lines over the limit are discarded as they come, so that no sender can make us hold more than the limit and one read.

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr_iter, memrchr};

/// How much of a line that is too long is kept to show what it was.
const SAMPLE: usize = 1024;

/// A line, or what is left of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A whole line without its end; never blank.
    Whole(Bytes),
    /// A line over the limit.
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// Its first bytes.
        sample: Bytes,
    },
}

/// The state of one stream: the line that has begun but not ended, and nothing else.
#[derive(Debug)]
pub struct Lines {
    limit: usize,
    /// The beginning of a line whose end has not come.
    torn: BytesMut,
    /// The line being discarded.
    discarding: Option<Discarded>,
    at_start: bool,
}

#[derive(Debug, Default)]
struct Discarded {
    length: usize,
    sample: BytesMut,
    /// Whether its last byte so far is a CR, which may belong to the line end.
    ends_in_cr: bool,
}

impl Discarded {
    fn add(&mut self, part: &[u8]) {
        self.length = self.length.saturating_add(part.len());
        let room = SAMPLE - self.sample.len();
        self.sample
            .extend_from_slice(part.get(..room).unwrap_or(part));
        if let Some(last) = part.last() {
            self.ends_in_cr = *last == b'\r';
        }
    }
}

impl Lines {
    /// For lines of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            torn: BytesMut::new(),
            discarding: None,
            at_start: true,
        }
    }

    /// Takes what was read and appends the lines that ended in it to `out`.
    pub fn push(&mut self, mut read: Bytes, out: &mut Vec<Line>) {
        if self.at_start && !read.is_empty() {
            // A mark torn over two reads stays and makes the first event invalid JSON; the first read of any real stream has 3 bytes.
            if read.starts_with(b"\xEF\xBB\xBF") {
                read.advance(3);
            }
            self.at_start = false;
        }
        let Some(last) = memrchr(b'\n', &read) else {
            self.keep(&read);
            return;
        };
        let rest = read.split_off(last + 1);
        let mut start = 0;
        for end in memchr_iter(b'\n', &read) {
            if start == 0 && (self.discarding.is_some() || !self.torn.is_empty()) {
                self.complete(&read.slice(..end), out);
            } else {
                self.emit(read.slice(start..end), out);
            }
            start = end + 1;
        }
        self.keep(&rest);
    }

    /// The stream has ended: what came after the last line end is a line, too.
    pub fn finish(&mut self, out: &mut Vec<Line>) {
        self.complete(&Bytes::new(), out);
    }

    /// Remembers the beginning of a line.
    fn keep(&mut self, part: &Bytes) {
        if let Some(discarded) = &mut self.discarding {
            discarded.add(part);
        } else if self.torn.len() + part.len() <= self.limit.saturating_add(1) {
            // One byte more than the limit: it may be the CR of the line end.
            self.torn.extend_from_slice(part);
        } else {
            let begun = std::mem::take(&mut self.torn);
            let mut discarded = Discarded::default();
            discarded.add(&begun);
            discarded.add(part);
            self.discarding = Some(discarded);
        }
    }

    /// Ends the line that was begun by earlier reads.
    fn complete(&mut self, end: &Bytes, out: &mut Vec<Line>) {
        self.keep(end);
        if let Some(mut line) = self.discarding.take() {
            if line.ends_in_cr {
                line.length -= 1;
                line.sample.truncate(line.length);
            }
            out.push(Line::TooLong {
                length: line.length,
                sample: line.sample.freeze(),
            });
            return;
        }
        let line = self.torn.split().freeze();
        self.emit(line, out);
    }

    fn emit(&self, mut line: Bytes, out: &mut Vec<Line>) {
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        if line.len() > self.limit {
            let sample = line.get(..SAMPLE).unwrap_or(&line);
            out.push(Line::TooLong {
                length: line.len(),
                sample: Bytes::copy_from_slice(sample),
            });
        } else if !line.iter().all(u8::is_ascii_whitespace) {
            out.push(Line::Whole(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(limit: usize, reads: &[&[u8]]) -> Vec<Line> {
        let mut lines = Lines::new(limit);
        let mut out = Vec::new();
        for read in reads {
            lines.push(Bytes::copy_from_slice(read), &mut out);
        }
        lines.finish(&mut out);
        out
    }

    fn whole(text: &'static str) -> Line {
        Line::Whole(Bytes::from_static(text.as_bytes()))
    }

    fn too_long(length: usize, sample: &'static str) -> Line {
        Line::TooLong {
            length,
            sample: Bytes::from_static(sample.as_bytes()),
        }
    }

    #[test]
    fn ends_and_blanks() {
        assert_eq!(
            cut(100, &[b"{1}\r\n\n \t\r\n{2}\n{3}"]),
            [whole("{1}"), whole("{2}"), whole("{3}")]
        );
    }

    #[test]
    fn torn_anywhere() {
        assert_eq!(
            cut(100, &[b"{", b"1", b"}\r", b"\n{2", b"}\n"]),
            [whole("{1}"), whole("{2}")]
        );
    }

    #[test]
    fn byte_order_mark() {
        assert_eq!(cut(100, &[b"\xEF\xBB\xBF{1}\n"]), [whole("{1}")]);
    }

    #[test]
    fn limit_counts_the_line_without_its_end() {
        assert_eq!(
            cut(4, &[b"1234\r\n12345\n"]),
            [whole("1234"), too_long(5, "12345")]
        );
        assert_eq!(cut(4, &[b"1234\r", b"\n1"]), [whole("1234"), whole("1")]);
    }

    #[test]
    fn discards_without_holding() {
        let mut lines = Lines::new(10);
        let mut out = Vec::new();
        for _ in 0..1000 {
            lines.push(Bytes::from_static(b"0123456789"), &mut out);
        }
        assert!(lines.torn.capacity() <= 64 && out.is_empty());
        lines.push(Bytes::from_static(b"x\n{}\n"), &mut out);
        let Some(Line::TooLong { length, sample }) = out.first() else {
            panic!("{out:?}");
        };
        assert_eq!((*length, sample.len()), (10_001, SAMPLE));
        assert_eq!(out.get(1), Some(&whole("{}")));
    }

    #[test]
    fn whole_lines_are_not_copied() {
        let read = Bytes::from_static(b"{1}\n{2}\n");
        let mut out = Vec::new();
        Lines::new(10).push(read.clone(), &mut out);
        let Some(Line::Whole(line)) = out.get(1) else {
            panic!("{out:?}");
        };
        assert_eq!(line.as_ptr(), read.slice(4..).as_ptr());
    }

    proptest! {
        /// However the stream is torn into reads, the same lines come out.
        #[test]
        fn the_same_for_every_tearing(text in "[ab\r\n]{0,60}", cuts in prop::collection::vec(0_usize..60, 0..8)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            cuts.insert(0, 0);
            cuts.push(text.len());
            let reads: Vec<&[u8]> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(cut(5, &reads), cut(5, &[text.as_bytes()]));
        }
    }
}
