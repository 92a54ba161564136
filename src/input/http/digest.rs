//! From a body's bytes to its events: the part that costs time and waits for nothing.

use super::body::{self, DecodeError};
use super::repeat;
use super::split::{self, Content, Split};
use crate::input::dead_letter::Reason;
use bytes::Bytes;

/// A body may hold this many events; each costs us more memory than the two bytes it may have in the body.
const MAX_EVENTS: usize = 1_000_000;

/// What is to be done with a body, apart from its connection.
pub(super) struct Work {
    pub(super) content_type: Option<String>,
    pub(super) encoding: Option<String>,
    pub(super) max_body_size: usize,
    pub(super) max_event_size: usize,
}

/// A body cut into events.
pub(super) struct Digest {
    pub(super) fingerprint: u128,
    pub(super) split: Split,
}

impl Work {
    pub(super) fn digest(&self, raw: &Bytes) -> Result<Digest, String> {
        let content_type = self.content_type.as_deref();
        let decoded = body::decode(self.encoding.as_deref(), raw, self.max_body_size);
        let body = match decoded {
            Ok(body) => body,
            Err(DecodeError::TooLarge) => return Err(DecodeError::TooLarge.to_string()),
            // Any 4xx would make Logstash throw the batch away without a trace.
            Err(error) => {
                return Ok(Digest {
                    fingerprint: repeat::fingerprint(content_type.unwrap_or_default(), raw),
                    split: Split::unusable(Reason::Undecodable, error.to_string(), raw),
                });
            }
        };
        let split = split::split(
            Content::from_type(content_type),
            &body,
            self.max_event_size,
            MAX_EVENTS,
        );
        match split {
            Some(split) => Ok(Digest {
                fingerprint: repeat::fingerprint(content_type.unwrap_or_default(), &body),
                split,
            }),
            None => Err(format!("it holds more than {MAX_EVENTS} events")),
        }
    }
}
