//! From a body's bytes to its events: the part that costs time and waits for nothing.

use super::body::{self, DecodeError};
use super::repeat;
use super::split::{self, Content, Split, Unusable};
use crate::event::RawEvent;
use crate::input::dead_letter::Reason;
use bytes::Bytes;
use std::sync::Arc;

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
    pub(super) events: Vec<RawEvent>,
    /// The position in the body of each of `events`.
    pub(super) positions: Vec<usize>,
    pub(super) unusable: Arc<[Unusable]>,
}

impl Digest {
    fn new(fingerprint: u128, split: Split) -> Self {
        Self {
            fingerprint,
            events: split.events,
            positions: split.positions,
            unusable: split.unusable.into(),
        }
    }
}

impl Work {
    pub(super) fn digest(&self, raw: &Bytes) -> Result<Digest, String> {
        let content_type = self.content_type.as_deref();
        let fingerprint = |body| repeat::fingerprint(content_type.unwrap_or_default(), body);
        let decoded = body::decode(self.encoding.as_deref(), raw, self.max_body_size);
        let body = match decoded {
            Ok(body) => body,
            Err(error @ DecodeError::TooLarge) => return Err(error.to_string()),
            // Any 4xx would make Logstash throw the batch away without a trace.
            Err(error) => {
                let split = Split::unusable(Reason::Undecodable, error.to_string(), raw);
                return Ok(Digest::new(fingerprint(raw), split));
            }
        };
        let content = Content::from_type(content_type);
        let split = split::split(content, &body, self.max_event_size, MAX_EVENTS)
            .ok_or_else(|| format!("it holds more than {MAX_EVENTS} events"))?;
        Ok(Digest::new(fingerprint(&body), split))
    }
}
