//! The answers' bodies and headers.

use super::split::Unusable;
use crate::input::Receipt;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;

pub(super) type Answer = Response<Full<Bytes>>;

/// Whether a body came for the first time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arrived {
    New,
    Repeated,
}

/// What the sender is told about its events.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    accepted: usize,
    repeated: usize,
    rejected: Vec<ToldRejected<'a>>,
}

#[derive(Serialize)]
pub(super) struct ToldRejected<'a> {
    at: usize,
    reason: &'a str,
}

impl<'a> Told<'a> {
    pub(super) fn new(
        receipt: &'a Receipt,
        positions: &[usize],
        unusable: &'a [Unusable],
        arrived: Arrived,
    ) -> Self {
        let evaluated = receipt.rejected.iter().map(|(index, reason)| ToldRejected {
            at: positions.get(*index).copied().unwrap_or(*index),
            reason,
        });
        let before = unusable.iter().map(|event| ToldRejected {
            at: event.at,
            reason: &event.detail,
        });
        let mut rejected: Vec<_> = evaluated.chain(before).collect();
        rejected.sort_by_key(|event| event.at);
        let (accepted, repeated) = match arrived {
            Arrived::New => (receipt.accepted, 0),
            Arrived::Repeated => (0, receipt.accepted),
        };
        Self {
            accepted,
            repeated,
            rejected,
        }
    }
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    // These are plain structures and texts, which always serialise.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

pub(super) fn status(code: StatusCode, text: &str) -> Answer {
    json(code, &json!({"status": text}))
}

pub(super) fn error(status: StatusCode, text: &str) -> Answer {
    json(status, &json!({"error": text}))
}
