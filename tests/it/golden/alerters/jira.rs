//! Compares requests to Jira: what changes something, and searches. What else is read is the library's own affair.

use super::compare::{compare_body, same};
use serde_json::{Value, json};
use tripline::alerter::http::{Body, Method, Request};

/// Requests, in order.
pub(super) fn compare(expected: &Value, requests: &[Request]) -> Result<(), String> {
    let none = Vec::new();
    let recorded = expected["http"].as_array().unwrap_or(&none);
    let reads = |url: &str| jql(url).is_none();
    let recorded: Vec<&Value> = recorded
        .iter()
        .filter(|request| request["method"] != "GET" || !reads(request["url"].as_str().unwrap()))
        .collect();
    let requests: Vec<&Request> = requests
        .iter()
        .filter(|request| request.method != Method::Get || !reads(&request.url))
        .collect();
    if recorded.len() != requests.len() {
        return Err(format!("{requests:?}, recorded: {}", recorded.len()));
    }
    for (recorded, request) in recorded.into_iter().zip(requests) {
        let url = recorded["url"].as_str().unwrap();
        if let Some(query) = jql(url) {
            // elastalert2 leaves quotes in titles as they are, which breaks its search.
            let found = jql(&request.url).map(|query| query.replace("\\\"", "\""));
            same(&json!(query), &json!(found), "jql")?;
            continue;
        }
        same(&json!(url), &json!(request.url), "url")?;
        same(
            &recorded["method"],
            &json!(request.method.as_str()),
            "method",
        )?;
        for (name, value) in recorded["headers"].as_object().unwrap() {
            let mut headers = request.headers.iter();
            let found = headers.find(|(other, _)| other.eq_ignore_ascii_case(name));
            if ["authorization", "content-type"].contains(&name.to_lowercase().as_str()) {
                same(value, &json!(found.map(|(_, value)| value)), name)?;
            }
        }
        let mut body = request.body.clone();
        if let Body::Json(body) = &mut body {
            // The library sends a transition's id as a number.
            let id = body.pointer("/transition/id").and_then(Value::as_str);
            if let Some(id) = id.and_then(|id| id.parse::<u64>().ok()) {
                body["transition"]["id"] = json!(id);
            }
        }
        compare_body(recorded, &body)?;
    }
    Ok(())
}

/// The search in a URL.
fn jql(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).unwrap();
    let mut pairs = url.query_pairs();
    let (_, query) = pairs.find(|(name, _)| name == "jql")?;
    Some(query.into_owned())
}
