//! Reads a request's body and undoes its compression, never holding more than `max_body_size`.

use bytes::{Bytes, BytesMut};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How much of a body nobody wants is read all the same: a client that is still writing would meet a reset instead of our
/// answer, and would come back for ever instead of being told what is wrong.
const DISCARD_LIMIT: usize = 256 * 1024 * 1024;

/// zstd frames may ask for a window of 2 to this power, 64 MiB.
const ZSTD_WINDOW_LOG: u32 = 26;

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("it is larger than max_body_size")]
    TooLarge,
    /// Too many large bodies are being read already.
    #[error("too many large bodies at once")]
    Busy,
    /// The client has gone, or has been silent in the middle of the body for too long. Nobody is there to be answered.
    #[error("its sender has gone")]
    Gone,
}

/// What is allowed to a body while it is read.
pub(super) struct Limits<'a> {
    /// Its size.
    pub(super) max_size: usize,
    /// How long it may pause.
    pub(super) pause: Duration,
    /// What it needs a permit of when it is larger than [`HEAVY`], so that memory is bounded by the number of permits and not
    /// by the number of connections.
    pub(super) heavy: &'a Arc<Semaphore>,
    /// How long it may wait for the permit.
    pub(super) patience: Duration,
}

/// A body in memory.
pub(super) struct Read {
    pub(super) bytes: Bytes,
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// Bodies up to this size need no permit.
const HEAVY: usize = 1024 * 1024;

/// Reads all of the body.
pub(super) async fn read(body: &mut Incoming, limits: &Limits<'_>) -> Result<Read, ReadError> {
    if body.size_hint().lower() > limits.max_size as u64 {
        return Err(ReadError::TooLarge);
    }
    // What the sender announces of it is got at once, as far as it needs no permit.
    let announced = usize::try_from(body.size_hint().lower()).map_or(HEAVY, |size| size.min(HEAVY));
    let mut permit = None;
    let mut whole = Bytes::new();
    let mut parts = BytesMut::new();
    while let Some(data) = next(body, limits.pause).await? {
        let size = parts.len() + whole.len() + data.len();
        if size > limits.max_size {
            return Err(ReadError::TooLarge);
        }
        if size > HEAVY && permit.is_none() {
            permit = Some(limits.permit().await?);
        }
        // Most bodies come in one piece, which needs no copy.
        if whole.is_empty() && parts.is_empty() {
            whole = data;
        } else {
            if parts.is_empty() {
                parts.reserve(announced.max(size));
            }
            parts.extend_from_slice(&std::mem::take(&mut whole));
            parts.extend_from_slice(&data);
        }
    }
    let bytes = if parts.is_empty() {
        whole
    } else {
        parts.freeze()
    };
    Ok(Read { bytes, permit })
}

impl Limits<'_> {
    /// A permit to hold much memory.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, ReadError> {
        match timeout(self.patience, Arc::clone(self.heavy).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(ReadError::Busy),
        }
    }
}

/// Reads on without keeping anything.
pub(super) async fn discard(body: &mut Incoming, pause: Duration) {
    let mut discarded = 0;
    while discarded < DISCARD_LIMIT
        && let Ok(Some(data)) = next(body, pause).await
    {
        discarded += data.len();
    }
}

async fn next(body: &mut Incoming, pause: Duration) -> Result<Option<Bytes>, ReadError> {
    loop {
        match timeout(pause, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                // What is no data are trailers, which nobody asked for.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) | Err(_) => return Err(ReadError::Gone),
        }
    }
}

/// Why a body's compression could not be undone.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// More than the limit came out of it.
    #[error("it is larger than max_body_size once decompressed")]
    TooLarge,
    /// `Content-Encoding` names something that is not known.
    #[error("content-encoding {0:?} is not supported; supported are gzip, zstd, deflate")]
    Unsupported(String),
    /// Not what `Content-Encoding` says, or cut short.
    #[error("not valid {encoding}: {source}")]
    Invalid {
        /// The encoding.
        encoding: &'static str,
        /// What is wrong.
        source: io::Error,
    },
}

/// Undoes a `Content-Encoding`, as long as no more than `max_size` bytes come out.
///
/// # Errors
/// More bytes come out, the encoding is not known, or the bytes are not valid in it.
pub fn decode(encoding: Option<&str>, body: &Bytes, max_size: usize) -> Result<Bytes, DecodeError> {
    let name = encoding.unwrap_or_default().trim().to_ascii_lowercase();
    let bytes: &[u8] = body;
    let (encoding, decoded) = match name.as_str() {
        "" | "identity" => return Ok(body.clone()),
        _ if body.is_empty() => return Ok(body.clone()),
        "gzip" | "x-gzip" => ("gzip", capped(MultiGzDecoder::new(bytes), max_size)),
        // RFC 9110 says zlib; some senders leave its wrapping away.
        "deflate" if is_zlib(bytes) => ("deflate", capped(ZlibDecoder::new(bytes), max_size)),
        "deflate" => ("deflate", capped(DeflateDecoder::new(bytes), max_size)),
        "zstd" => (
            "zstd",
            zstd_decoder(bytes).and_then(|decoder| capped(decoder, max_size)),
        ),
        _ => return Err(DecodeError::Unsupported(name)),
    };
    decoded
        .map_err(|source| DecodeError::Invalid { encoding, source })?
        .ok_or(DecodeError::TooLarge)
}

fn zstd_decoder(bytes: &[u8]) -> io::Result<impl io::Read> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

/// A zlib stream begins with its method and a check of its first two bytes (RFC 1950).
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [method, flags, ..]
        if method & 0x0F == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31))
}

/// All that comes out, or `None` when it is more than the limit.
fn capped(decoder: impl io::Read, max_size: usize) -> io::Result<Option<Bytes>> {
    let mut decoded = Vec::new();
    decoder
        .take((max_size as u64).saturating_add(1))
        .read_to_end(&mut decoded)?;
    Ok((decoded.len() <= max_size).then(|| Bytes::from(decoded)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use std::io::Write as _;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[track_caller]
    fn check(encoding: &str, body: Vec<u8>, wanted: &str) {
        let decoded = decode(Some(encoding), &Bytes::from(body), 100);
        let text = match decoded {
            Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(text, wanted);
    }

    #[test]
    fn decodes() {
        let text = b"{\"a\":1}";
        check("gzip", gzip(text), "{\"a\":1}");
        check(
            "GZIP",
            [gzip(b"{\"a\":"), gzip(b"1}")].concat(),
            "{\"a\":1}",
        );
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(text).unwrap();
        check("deflate", zlib.finish().unwrap(), "{\"a\":1}");
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(text).unwrap();
        check("deflate", raw.finish().unwrap(), "{\"a\":1}");
        check(
            "zstd",
            zstd::encode_all(text.as_slice(), 3).unwrap(),
            "{\"a\":1}",
        );
        check("identity", text.to_vec(), "{\"a\":1}");
        check("gzip", Vec::new(), "");
    }

    #[test]
    fn stops_at_the_limit() {
        let large = vec![b' '; 10_000_000];
        check("identity", vec![b'x'; 100], &"x".repeat(100));
        check(
            "gzip",
            gzip(&large),
            "it is larger than max_body_size once decompressed",
        );
        check(
            "zstd",
            zstd::encode_all(large.as_slice(), 3).unwrap(),
            "it is larger than max_body_size once decompressed",
        );
        check("gzip", gzip(&[b'x'; 100]), &"x".repeat(100));
        check(
            "gzip",
            gzip(&[b'x'; 101]),
            "it is larger than max_body_size once decompressed",
        );
    }

    #[test]
    fn says_what_is_wrong() {
        check(
            "gzip",
            b"{\"a\":1,\"b\":2}".to_vec(),
            "not valid gzip: invalid gzip header",
        );
        let mut short = gzip(b"{\"a\":1}");
        short.truncate(12);
        assert!(decode(Some("gzip"), &Bytes::from(short), 100).is_err());
        check(
            "br",
            b"x".to_vec(),
            "content-encoding \"br\" is not supported; supported are gzip, zstd, deflate",
        );
    }
}
