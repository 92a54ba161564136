//! Events from files and pipes, for commands that look at events once: JSON lines, a JSON array, one object; plain, gzip or zstd.

use anyhow::Context as _;
use bytes::Bytes;
use serde_json::value::RawValue;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads all events of a file, or of the standard input (`-`).
///
/// # Errors
/// It cannot be read, cannot be decompressed, or is not JSON at all.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Bytes>> {
    let from_stdin = path == Path::new("-");
    let mut raw = Vec::new();
    if from_stdin {
        io::stdin().read_to_end(&mut raw)
    } else {
        File::open(path).and_then(|mut file| file.read_to_end(&mut raw))
    }
    .with_context(|| format!("{} cannot be read", path.display()))?;
    let text =
        decompress(raw).with_context(|| format!("{} cannot be decompressed", path.display()))?;
    split(&Bytes::from(text)).with_context(|| format!("{} is not JSON", path.display()))
}

/// Undoes gzip and zstd, told by their first bytes.
fn decompress(raw: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    match raw.get(..4) {
        Some([0x1f, 0x8b, ..]) => {
            flate2::read::MultiGzDecoder::new(raw.as_slice()).read_to_end(&mut text)?
        }
        Some([0x28, 0xb5, 0x2f, 0xfd]) => {
            zstd::Decoder::new(raw.as_slice())?.read_to_end(&mut text)?
        }
        _ => return Ok(raw),
    };
    Ok(text)
}

/// The events of a text, as slices of it. Lines that are no JSON are events too: whoever looks at them says what is wrong.
fn split(text: &Bytes) -> Result<Vec<Bytes>, serde_json::Error> {
    let body = text
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(text)
        .trim_ascii();
    if body.starts_with(b"[") {
        let elements: Vec<&RawValue> = serde_json::from_slice(body)?;
        return Ok(elements
            .into_iter()
            .map(|element| text.slice_ref(element.get().as_bytes()))
            .collect());
    }
    let ends = memchr::memchr_iter(b'\n', body).chain(std::iter::once(body.len()));
    let mut start = 0;
    let lines: Vec<&[u8]> = ends
        .map(|end| {
            let line = body.get(start..end).unwrap_or_default().trim_ascii();
            start = end + 1;
            line
        })
        .filter(|line| !line.is_empty())
        .collect();
    let slices = |lines: &[&[u8]]| lines.iter().map(|line| text.slice_ref(line)).collect();
    // One object over several lines is not JSON lines: its first line is no JSON by itself.
    let first = lines.first().copied().unwrap_or_default();
    if lines.len() > 1 && serde_json::from_slice::<&RawValue>(first).is_err() {
        let mut objects = Vec::new();
        for object in serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>() {
            match object {
                Ok(object) => objects.push(text.slice_ref(object.get().as_bytes())),
                // Broken lines among good ones, then: each is looked at alone.
                Err(_) if objects.is_empty() || first.ends_with(b"}") => {
                    return Ok(slices(&lines));
                }
                Err(error) => return Err(error),
            }
        }
        return Ok(objects);
    }
    Ok(slices(&lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let events = split(&Bytes::copy_from_slice(text.as_bytes())).unwrap();
        assert_eq!(
            events,
            expected
                .iter()
                .map(|event| event.as_bytes())
                .collect::<Vec<_>>(),
            "{text}"
        );
    }

    #[test]
    fn events_come_in_several_shapes() {
        check("{\"a\":1}\n\n{\"a\":2}\r\n", &["{\"a\":1}", "{\"a\":2}"]);
        check(
            "\u{feff}[{\"a\":1},\n {\"a\":2}]",
            &["{\"a\":1}", "{\"a\":2}"],
        );
        check("{\n \"a\": 1\n}\n", &["{\n \"a\": 1\n}"]);
        check(
            "{\n \"a\": 1\n}\n{\n \"a\": 2\n}",
            &["{\n \"a\": 1\n}", "{\n \"a\": 2\n}"],
        );
        check(
            "{\"a\":1}\nbroken\n{\"a\":2}",
            &["{\"a\":1}", "broken", "{\"a\":2}"],
        );
        check("broken}\n{\"a\":2}", &["broken}", "{\"a\":2}"]);
        check("", &[]);
    }

    #[test]
    fn compression_is_undone() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut gzip, b"{}\n").unwrap();
        assert_eq!(decompress(gzip.finish().unwrap()).unwrap(), b"{}\n");
        assert_eq!(
            decompress(zstd::encode_all(&b"{}\n"[..], 1).unwrap()).unwrap(),
            b"{}\n"
        );
    }
}
