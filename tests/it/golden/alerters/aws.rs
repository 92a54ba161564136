//! Compares calls of Amazon's services: everything but the signature.

use super::compare::{compare_body, same};
use serde_json::{Value, json};
use tripline::alerter::http::{Body, Request};

/// Calls, in order.
pub(super) fn compare(recorded: &[Value], requests: &[Request]) -> Result<(), String> {
    if recorded.len() != requests.len() {
        return Err(format!("{} calls", requests.len()));
    }
    for (recorded, request) in recorded.iter().zip(requests) {
        same(&recorded["url"], &json!(request.url), "url")?;
        same(
            &recorded["method"],
            &json!(request.method.as_str()),
            "method",
        )?;
        compare_scope(recorded, request)?;
        for (name, value) in recorded["headers"].as_object().unwrap() {
            same(value, &json!(header(request, name)), name)?;
        }
        let mut recorded = recorded.clone();
        if let Some(pairs) = recorded["body"].as_array_mut() {
            // The library writes an absent list as an empty value.
            pairs.retain(|pair| pair[1] != json!(""));
        }
        let mut body = request.body.clone();
        message_body(&mut recorded["body"]);
        if let Body::Json(body) = &mut body {
            message_body(body);
        }
        compare_body(&recorded, &body)?;
    }
    Ok(())
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let mut headers = request.headers.iter();
    let found = headers.find(|(other, _)| other.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// Key, region and service, from `Credential=KEY/DAY/REGION/SERVICE/aws4_request`.
fn compare_scope(recorded: &Value, request: &Request) -> Result<(), String> {
    let authorization = header(request, "authorization").ok_or("not signed")?;
    let scope = authorization
        .strip_prefix("AWS4-HMAC-SHA256 Credential=")
        .and_then(|rest| rest.split(',').next())
        .ok_or(authorization)?;
    let parts: Vec<&str> = scope.split('/').collect();
    let [key, _, region, service, "aws4_request"] = parts.as_slice() else {
        return Err(format!("scope {scope}"));
    };
    same(&recorded["credential"], &json!(key), "credential")?;
    same(&recorded["region"], &json!(region), "region")?;
    same(&recorded["service"], &json!(service), "service")
}

/// A queue's message is JSON in a text, compared as JSON.
fn message_body(body: &mut Value) {
    if let Some(text) = body.get("MessageBody").and_then(Value::as_str) {
        body["MessageBody"] = serde_json::from_str(text).unwrap();
    }
}
