//! Compares mails: envelopes, and messages byte for byte. Where elastalert2 writes a header that mail programs cannot read, headers are compared by
//! their decoded values.

use crate::mail_server::Received;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub(super) fn base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

/// Mails, in order.
pub(super) fn compare(expected: &Value, mails: &[Received]) -> Result<(), String> {
    let none = Vec::new();
    let recorded = expected["smtp"].as_array().unwrap_or(&none);
    if recorded.len() != mails.len() {
        return Err(format!(
            "{} mails, recorded: {}",
            mails.len(),
            recorded.len()
        ));
    }
    for (recorded, mail) in recorded.iter().zip(mails) {
        let envelope = json!([mail.from, mail.to, mail.tls, mail.user]);
        let recorded_envelope = json!([
            recorded["mail_from"],
            recorded["rcpt_to"],
            recorded["tls"],
            recorded["authenticated_as"]
        ]);
        if envelope != recorded_envelope {
            return Err(format!(
                "envelope {envelope}, recorded: {recorded_envelope}"
            ));
        }
        compare_message(recorded["raw"].as_str().unwrap(), &mail.message)?;
    }
    Ok(())
}

fn compare_message(recorded: &str, message: &str) -> Result<(), String> {
    let message = message.replace("\r\n", "\n");
    if without_boundary(&message) == without_boundary(recorded) {
        return Ok(());
    }
    if !has_unreadable_header(recorded) {
        return Err(format!("message\n{message}\nrecorded:\n{recorded}"));
    }
    let (headers, body) = split(&message);
    let (recorded_headers, recorded_body) = split(recorded);
    if body != recorded_body {
        return Err(format!("body\n{body}\nrecorded:\n{recorded_body}"));
    }
    // elastalert2 ends a header at a line break inside it, and the headers with it; the right thing is one line.
    let in_one_line = recorded_headers
        .iter()
        .fold(Vec::<String>::new(), |mut lines, line| {
            match lines.last_mut() {
                Some(last) if !line.contains(": ") => last.push_str(&format!(" {line}")),
                _ => lines.push(line.clone()),
            }
            lines
        });
    if headers != in_one_line {
        return Err(format!(
            "headers\n{headers:#?}\nrecorded:\n{in_one_line:#?}"
        ));
    }
    Ok(())
}

/// Whether a line break ended a header, or a sender's address was encoded together with the name.
fn has_unreadable_header(recorded: &str) -> bool {
    let headers = recorded.split("\n\n").next().unwrap_or_default();
    headers.lines().any(|line| {
        let is_broken = !line.starts_with(' ') && !line.contains(": ");
        is_broken || (line.starts_with("From: =?") && !line.contains('<'))
    })
}

/// Header lines, unfolded and decoded, and the rest with the boundary's digits taken out.
fn split(message: &str) -> (Vec<String>, String) {
    let (headers, body) = message.split_once("\n\n").unwrap();
    let headers: Vec<String> = headers
        .replace("\n ", " ")
        .lines()
        .map(|line| decode_words(&without_boundary(line)))
        .collect();
    (headers, without_boundary(body))
}

fn without_boundary(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("===============") {
        out += before;
        out += "===============";
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        if let Some(recorded) = rest.strip_prefix("BOUNDARY") {
            rest = recorded;
        }
    }
    out + rest
}

/// RFC 2047 words decoded; blanks between two words are dropped.
fn decode_words(line: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("=?utf-8?") {
        let (encoding, after) = after.split_once('?').unwrap();
        let (text, after) = after.split_once("?=").unwrap();
        if !before.trim().is_empty() {
            bytes.extend(before.bytes());
        }
        match encoding {
            "b" => bytes.extend(base64(text)),
            _ => bytes.extend(unquote(text)),
        }
        rest = after;
    }
    bytes.extend(rest.bytes());
    String::from_utf8(bytes).unwrap()
}

fn unquote(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'_' => b' ',
            b'=' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    out
}
