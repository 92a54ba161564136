//! Cuts a request's body into events, without looking into them.
//!
//! A JSON array is cut at the commas between its elements and lines at their ends, so one broken event does not take the
//! others with it; whether each is valid JSON is found out when it is evaluated.

use crate::event::RawEvent;
use crate::input::brackets::after_brackets;
use crate::input::dead_letter::Reason;
use crate::input::fault::{after_string, fault};
use bytes::Bytes;
use percent_encoding::percent_decode;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// How much of an event that is too long is kept to show what it was.
const SAMPLE: usize = 1024;

/// What the sender says the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// One object, an array of objects, or several of them after one another.
    Json,
    /// One object per line.
    Lines,
    /// JSON if it is, else a message per line.
    Text,
    /// One event, its fields URL-encoded.
    Form,
}

impl Content {
    /// From the `Content-Type` header. What is unknown, or missing, is tried as JSON.
    pub fn from_type(content_type: Option<&str>) -> Self {
        let content_type = content_type.unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/jsonlines" => Self::Lines,
            "text/plain" => Self::Text,
            "application/x-www-form-urlencoded" => Self::Form,
            _ => Self::Json,
        }
    }
}

/// An event that the body held but that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// Its position among the body's events.
    pub at: usize,
    /// The kind of reason.
    pub reason: Reason,
    /// The reason in words.
    pub detail: String,
    /// What came, or its beginning.
    pub event: Bytes,
}

/// A body cut into events.
#[derive(Debug, Default)]
pub struct Split {
    /// The events.
    pub events: Vec<RawEvent>,
    /// The position among all that the body held, of each of `events`.
    pub positions: Vec<usize>,
    /// The others.
    pub unusable: Vec<Unusable>,
}

impl Split {
    /// A body that holds nothing but one event that cannot be used.
    pub(super) fn unusable(reason: Reason, detail: String, body: &Bytes) -> Self {
        let mut split = Self::default();
        split.reject(reason, detail, sample(body, body));
        split
    }

    fn push(&mut self, bytes: Bytes) {
        self.positions.push(self.next());
        self.events.push(RawEvent { bytes, meta: None });
    }

    fn reject(&mut self, reason: Reason, detail: String, event: Bytes) {
        let at = self.next();
        self.unusable.push(Unusable {
            at,
            reason,
            detail,
            event,
        });
    }

    fn next(&self) -> usize {
        self.events.len() + self.unusable.len()
    }
}

/// Cuts `body` into events of at most `max_event_size` bytes; `None` if there are more than `max_events`.
pub fn split(
    content: Content,
    body: &Bytes,
    max_event_size: usize,
    max_events: usize,
) -> Option<Split> {
    let body = match body.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => body.slice_ref(rest),
        None => body.clone(),
    };
    let mut splitter = Splitter {
        body: &body,
        max_event_size,
        max_events,
        split: Split::default(),
    };
    let looks_like_json = matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
    match content {
        Content::Json => splitter.json(),
        Content::Lines => splitter.lines(),
        // `curl -d '{…}'` says that it sends a form; a real form never has a bare bracket.
        Content::Form if looks_like_json => splitter.json(),
        Content::Form => splitter.form(),
        Content::Text if looks_like_json && is_json(&body) => splitter.json(),
        Content::Text => splitter.text(),
    }
    (splitter.split.next() <= max_events).then_some(splitter.split)
}

/// Whether the text is one JSON object or array.
fn is_json(text: &[u8]) -> bool {
    !matches!(fault(text), Some((Reason::NotJson | Reason::NotUtf8, _)))
}

struct Splitter<'a> {
    body: &'a Bytes,
    max_event_size: usize,
    max_events: usize,
    split: Split,
}

impl<'a> Splitter<'a> {
    fn json(&mut self) {
        let body: &'a [u8] = self.body;
        let mut rest = body.trim_ascii_start();
        if is_first_of_lines(rest) {
            return self.lines();
        }
        while let Some(first) = rest.first()
            && !self.is_full()
        {
            rest = match first {
                b'[' => self.elements(rest),
                b'{' => {
                    let (object, after) = value(rest);
                    self.event(object);
                    after
                }
                _ => {
                    self.event(rest);
                    return;
                }
            }
            .trim_ascii_start();
        }
    }

    /// Takes the elements of an array, given what begins with its bracket, and returns what follows the array.
    fn elements(&mut self, array: &'a [u8]) -> &'a [u8] {
        let mut rest = array.get(1..).unwrap_or_default().trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b"]") {
            return after;
        }
        loop {
            let (element, after) = element(rest);
            self.event(element);
            match after.split_first() {
                Some((b',', after)) if !self.is_full() => rest = after.trim_ascii_start(),
                Some((_, after)) => return after,
                None => return after,
            }
        }
    }

    fn lines(&mut self) {
        let body: &'a [u8] = self.body;
        for line in body.split(|byte| *byte == b'\n') {
            if self.is_full() {
                return;
            }
            if !line.trim_ascii().is_empty() {
                self.event(line);
            }
        }
    }

    fn text(&mut self) {
        let body: &'a [u8] = self.body;
        for line in body.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii_end();
            if self.is_full() {
                return;
            }
            if line.is_empty() {
                continue;
            }
            let is_event = line.first() == Some(&b'{') && fault(line).is_none();
            match std::str::from_utf8(line) {
                Ok(_) if is_event => self.event(line),
                Ok(message) if line.len() <= self.max_event_size => {
                    let event = json!({ "message": message }).to_string();
                    self.split.push(Bytes::from(event));
                }
                _ => self.event(line),
            }
        }
    }

    fn form(&mut self) {
        let body: &'a [u8] = self.body;
        let mut fields = Map::new();
        for pair in body.trim_ascii().split(|byte| *byte == b'&') {
            if pair.is_empty() {
                continue;
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let key = decoded(halves.next().unwrap_or_default());
            let value = decoded(halves.next().unwrap_or_default());
            let (Ok(key), Ok(value)) = (String::from_utf8(key), String::from_utf8(value)) else {
                let detail = "not UTF-8: in the form's fields".to_owned();
                let sample = sample(self.body, body);
                self.split.reject(Reason::NotUtf8, detail, sample);
                return;
            };
            add_field(&mut fields, key, value);
        }
        if fields.is_empty() {
            return;
        }
        if self.body.len() > self.max_event_size {
            return self.event(body);
        }
        let event = Value::Object(fields).to_string();
        self.split.push(Bytes::from(event));
    }

    /// Whether there are too many events already.
    fn is_full(&self) -> bool {
        self.split.next() > self.max_events
    }

    /// Takes one event if it can be one.
    fn event(&mut self, bytes: &'a [u8]) {
        let bytes = bytes.trim_ascii();
        if bytes.len() > self.max_event_size {
            let detail = format!(
                "{} bytes are more than max_event_size ({})",
                bytes.len(),
                self.max_event_size
            );
            let sample = sample(self.body, bytes);
            return self.split.reject(Reason::TooLong, detail, sample);
        }
        if bytes.first() == Some(&b'{') {
            return self.split.push(self.body.slice_ref(bytes));
        }
        if let Some((reason, detail)) = fault(bytes) {
            let event = self.body.slice_ref(bytes);
            self.split.reject(reason, detail, event);
        }
    }
}

fn sample(body: &Bytes, bytes: &[u8]) -> Bytes {
    body.slice_ref(bytes.get(..SAMPLE).unwrap_or(bytes))
}

/// A repeated field becomes a list, as it would in a document.
fn add_field(fields: &mut Map<String, Value>, key: String, value: String) {
    match fields.get_mut(&key) {
        None => {
            fields.insert(key, Value::String(value));
        }
        Some(Value::Array(values)) => values.push(Value::String(value)),
        Some(first) => *first = Value::Array(vec![first.take(), Value::String(value)]),
    }
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Cow<'_, [u8]> = if text.contains(&b'+') {
        let with_spaces = text
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte });
        Cow::Owned(with_spaces.collect())
    } else {
        Cow::Borrowed(text)
    };
    percent_decode(&spaced).collect()
}

/// Whether the text has more than one line, and the first one is an object of its own: then each line is looked at alone, so
/// that a broken one cannot swallow those after it.
fn is_first_of_lines(text: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'\n', text) else {
        return false;
    };
    let (line, rest) = text.split_at(end);
    let (object, after) = value(line);
    object.first() == Some(&b'{')
        && object.last() == Some(&b'}')
        && after.trim_ascii().is_empty()
        && !rest.trim_ascii().is_empty()
}

/// Cuts off an array's first element: all up to the next comma or the closing bracket.
fn element(text: &[u8]) -> (&[u8], &[u8]) {
    let mut rest = text;
    loop {
        let (part, after) = value(rest);
        if part.is_empty() {
            return text.split_at(text.len() - rest.len());
        }
        rest = after;
    }
}

/// Cuts off the first value: an object or array with what it holds, or anything else up to the next comma or closing bracket.
/// What does not end goes to the end of the text.
fn value(text: &[u8]) -> (&[u8], &[u8]) {
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'{' | b'[' => {
                let after = after_brackets(rest);
                return text.split_at(text.len() - after.len());
            }
            b'}' | b']' | b',' => break,
            b'"' => after_string(after),
            _ => after,
        };
    }
    text.split_at(text.len() - rest.len())
}

#[cfg(test)]
#[path = "split/tests.rs"]
mod tests;
