//! Compares what was handed over with what was recorded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tripline::alerter::http::{Body, Request};
use tripline::alerter::process::{Process, Program};
use tripline::alerter::tcp::Exchange;
use tripline::alerter::tls::Verify;
use tripline::event::Document;

/// How sending ended, and what is written about it.
pub(super) fn outcome(
    expected: &Value,
    sent: u64,
    errors: &[String],
    info: Option<Document>,
) -> Result<(), String> {
    let should_fail = expected.get("errors").is_some();
    if should_fail && errors.is_empty() {
        return Err(format!("no error, but recorded: {}", expected["errors"]));
    }
    if !should_fail && !errors.is_empty() {
        return Err(format!("errors: {errors:?}"));
    }
    if expected["alerts_sent"].as_u64().unwrap_or(0) != sent {
        return Err(format!(
            "{sent} sent, recorded: {}",
            expected["alerts_sent"]
        ));
    }
    let Some(writeback) = expected.get("writeback") else {
        return Ok(());
    };
    if writeback["alert_sent"] != json!(sent > 0) {
        return Err(format!("alert_sent: recorded {}", writeback["alert_sent"]));
    }
    let info = Value::Object(info.unwrap_or_default());
    same(&writeback["alert_info"], &info, "alert_info")
}

/// Requests, in order.
pub(super) fn http(expected: &Value, requests: &[Request]) -> Result<(), String> {
    let none = Vec::new();
    let recorded = expected["http"].as_array().unwrap_or(&none);
    if recorded.len() != requests.len() {
        return Err(format!(
            "{} requests, recorded: {}\n{requests:?}",
            requests.len(),
            recorded.len()
        ));
    }
    for (recorded, request) in recorded.iter().zip(requests) {
        compare_request(recorded, request)?;
    }
    Ok(())
}

fn compare_request(recorded: &Value, request: &Request) -> Result<(), String> {
    let url = reqwest::Url::parse(&request.url).map_err(|error| error.to_string())?;
    let recorded_url = without_repeat(recorded["url"].as_str().unwrap());
    let recorded_url = reqwest::Url::parse(recorded_url).unwrap();
    if url != recorded_url {
        return Err(format!("url {url}, recorded: {recorded_url}"));
    }
    same(
        &recorded["method"],
        &json!(request.method.as_str()),
        "method",
    )?;
    compare_headers(recorded["headers"].as_object().unwrap(), request)?;
    compare_body(recorded, &request.body)?;
    let proxy = request.route.proxy.as_ref();
    let recorded_proxy = recorded["proxies"]["https"]
        .as_str()
        .filter(|url| !url.is_empty());
    if recorded_proxy != proxy.map(|proxy| proxy.url.as_str()) {
        return Err(format!(
            "proxy {proxy:?}, recorded: {}",
            recorded["proxies"]
        ));
    }
    if let Some(seconds) = recorded["timeout"].as_f64()
        && seconds != request.route.timeout.as_secs_f64()
    {
        return Err(format!(
            "timeout {:?}, recorded: {seconds}",
            request.route.timeout
        ));
    }
    let verify = match (&recorded["verify"], &request.route.verify) {
        (Value::Bool(true), Verify::System) | (Value::Bool(false), Verify::Nothing) => true,
        (Value::String(path), Verify::Bundle(bundle)) => bundle.ends_with(path),
        _ => false,
    };
    if !verify {
        return Err(format!(
            "{:?}, recorded: {}",
            request.route.verify, recorded["verify"]
        ));
    }
    Ok(())
}

/// elastalert2 signs DingTalk's URL anew for each alert without taking the old signature off.
fn without_repeat(url: &str) -> &str {
    let mut signatures = url.match_indices("&timestamp=");
    signatures.nth(1).map_or(url, |(second, _)| &url[..second])
}

/// Headers a client may add by itself.
const UNRECORDED: [&str; 6] = [
    "user-agent",
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "accept",
];

/// Headers that Twilio's own library adds.
const OF_TWILIOS_LIBRARY: [&str; 3] = ["x-twilio-client", "accept", "accept-charset"];

/// Headers that Tencent's own library adds.
const OF_TENCENTS_LIBRARY: [&str; 3] = ["x-tc-requestclient", "x-tc-traceid", "x-tc-language"];

fn compare_headers(recorded: &Map<String, Value>, request: &Request) -> Result<(), String> {
    let lower = |name: &str| name.to_ascii_lowercase();
    let mut ours: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (lower(name), value.clone()))
        .collect();
    if matches!(request.body, Body::Form(_)) && !ours.iter().any(|(name, _)| name == "content-type")
    {
        ours.push((
            "content-type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        ));
    }
    // A proxy's login belongs to the proxy, not into the request.
    if let Some((user, password)) = request
        .route
        .proxy
        .as_ref()
        .and_then(|proxy| proxy.login.as_ref())
    {
        let login = STANDARD.encode(format!("{user}:{password}"));
        ours.push(("proxy-authorization".to_owned(), format!("Basic {login}")));
    }
    for (name, value) in recorded {
        if request.url.contains("api.twilio.com")
            && OF_TWILIOS_LIBRARY.contains(&lower(name).as_str())
        {
            continue;
        }
        if request.url.contains("tencentcloudapi")
            && OF_TENCENTS_LIBRARY.contains(&lower(name).as_str())
        {
            continue;
        }
        let found = ours.iter().find(|(other, _)| *other == lower(name));
        // What is signed is the library's own JSON text.
        if let (Some((_, found)), Some(recorded)) = (found, value.as_str())
            && let Some((recorded, _)) = recorded.split_once(", Signature=")
        {
            let found = found.split_once(", Signature=").map(|(signed, _)| signed);
            same(&json!(recorded), &json!(found), name)?;
            continue;
        }
        if found.map(|(_, value)| value.as_str()) != value.as_str() {
            return Err(format!("header {name} {found:?}, recorded: {value}"));
        }
    }
    for (name, value) in &ours {
        let known = recorded.keys().any(|other| lower(other) == *name);
        if !known && !(UNRECORDED.contains(&name.as_str()) && (name != "accept" || value == "*/*"))
        {
            return Err(format!("header {name}: {value} was not recorded"));
        }
    }
    Ok(())
}

pub(super) fn compare_body(recorded: &Value, body: &Body) -> Result<(), String> {
    match (recorded["body_kind"].as_str().unwrap(), body) {
        ("json", Body::Json(value)) => {
            let mut value = value.clone();
            // Six hexadecimal digits by chance.
            if let Some(id) = value.get("case_soc_id").and_then(Value::as_str) {
                assert!(id.starts_with("SOC_") && id.len() == 10, "{id}");
                value["case_soc_id"] = recorded["body"]["case_soc_id"].clone();
            }
            let mut expected = recorded["body"].clone();
            inner_json(&mut expected);
            inner_json(&mut value);
            // TheHive's tags come from a set.
            if request_of_thehive(recorded) {
                for value in [&mut expected, &mut value] {
                    if let Some(Value::Array(tags)) = value.get_mut("tags") {
                        tags.sort_by_key(ToString::to_string);
                    }
                }
            }
            same(&expected, &value, "body")
        }
        ("form", Body::Form(pairs)) => {
            let mut pairs: Vec<Value> = pairs
                .iter()
                .map(|(name, value)| json!([name, value]))
                .collect();
            let mut expected = recorded["body"].as_array().unwrap().clone();
            pairs.sort_by_key(ToString::to_string);
            expected.sort_by_key(ToString::to_string);
            same(&Value::Array(expected), &Value::Array(pairs), "form")
        }
        ("none", Body::None) => Ok(()),
        (kind, body) => Err(format!("body {body:?}, recorded: {kind}")),
    }
}

/// GELF's `short_message` is JSON in a text, compared as JSON.
fn inner_json(body: &mut Value) {
    if let Some(text) = body.get("short_message").and_then(Value::as_str) {
        body["short_message"] = serde_json::from_str(text).unwrap();
    }
}

fn request_of_thehive(recorded: &Value) -> bool {
    recorded["url"].as_str().unwrap().ends_with("/api/alert")
}

/// Programs started, in order.
pub(super) fn commands(expected: &Value, processes: &[Process]) -> Result<(), String> {
    let none = Vec::new();
    let recorded = expected["commands"].as_array().unwrap_or(&none);
    if recorded.len() != processes.len() {
        return Err(format!(
            "{} programs, recorded: {}",
            processes.len(),
            recorded.len()
        ));
    }
    for (recorded, process) in recorded.iter().zip(processes) {
        let (arguments, shell) = match &process.command {
            Program::Direct(arguments) => (json!(arguments), false),
            Program::Shell(line) => (json!([line]), true),
        };
        same(&recorded["args"], &arguments, "args")?;
        same(&recorded["shell"], &json!(shell), "shell")?;
        let stdin = process
            .stdin
            .as_ref()
            .map(|bytes| String::from_utf8(bytes.clone()).unwrap());
        match recorded.get("stdin_json") {
            Some(expected) => {
                let text = stdin.ok_or("nothing on stdin")?;
                let value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
                same(expected, &value, "stdin_json")?;
            }
            None => same(&recorded["stdin"], &json!(stdin), "stdin")?,
        }
    }
    Ok(())
}

/// What was said over TCP, in order.
pub(super) fn tcp(expected: &Value, exchanges: &[Exchange]) -> Result<(), String> {
    let none = Vec::new();
    let recorded = expected["tcp"].as_array().unwrap_or(&none);
    let steps = exchanges.iter().flat_map(|exchange| &exchange.steps);
    let sent: Vec<&[u8]> = steps
        .map(|step| step.send.as_slice())
        .filter(|sent| !sent.starts_with(b"DISCONNECT"))
        .collect();
    if recorded.len() != sent.len() {
        return Err(format!(
            "{} messages, recorded: {}",
            sent.len(),
            recorded.len()
        ));
    }
    for (recorded, sent) in recorded.iter().zip(sent) {
        let body = match recorded["protocol"].as_str().unwrap() {
            "gelf-tcp" => sent.strip_suffix(b"\0").ok_or("no NUL at the end")?,
            "zabbix-sender" => {
                let body = sent.get(13..).ok_or("too short")?;
                let length = u32::try_from(body.len()).unwrap().to_le_bytes();
                if sent[..5] != *b"ZBXD\x01" || sent[5..9] != length || sent[9..13] != [0; 4] {
                    return Err(format!("header {:?}", &sent[..13]));
                }
                body
            }
            "stomp" => match compare_frame(recorded, sent)? {
                Some(body) => body,
                None => continue,
            },
            other => return Err(format!("{other} is not compared")),
        };
        let mut body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let mut expected = recorded["body"].clone();
        inner_json(&mut expected);
        inner_json(&mut body);
        // The cases' directory is not ours.
        if let Some(file) = expected.get("rule_file").and_then(Value::as_str) {
            let end = file.trim_start_matches("{{dir}}");
            if body["rule_file"]
                .as_str()
                .is_some_and(|file| file.ends_with(end))
            {
                expected["rule_file"] = body["rule_file"].clone();
            }
        }
        same(&expected, &body, "body")?;
    }
    Ok(())
}

/// A STOMP frame's command and the headers that matter; its body, if one was recorded.
fn compare_frame<'a>(recorded: &Value, frame: &'a [u8]) -> Result<Option<&'a [u8]>, String> {
    let frame = std::str::from_utf8(frame)
        .unwrap()
        .strip_suffix('\0')
        .unwrap();
    let (head, body) = frame.split_once("\n\n").unwrap();
    let (command, headers) = head.split_once('\n').unwrap();
    same(&recorded["command"], &json!(command), "command")?;
    for (name, value) in recorded["headers"].as_object().unwrap() {
        let line = format!("{name}:{}", value.as_str().unwrap());
        if !headers.lines().any(|header| header == line) {
            return Err(format!("{headers}\nrecorded: {line}"));
        }
    }
    Ok(recorded.get("body").map(|_| body.as_bytes()))
}

/// Equal as JSON: members in any order, numbers by value.
pub(super) fn same(expected: &Value, found: &Value, place: &str) -> Result<(), String> {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, expected) in a {
                let place = format!("{place}.{name}");
                let found = b
                    .get(name)
                    .ok_or_else(|| format!("{place} is missing, recorded: {expected}"))?;
                same(expected, found, &place)?;
            }
            match b.iter().find(|(name, _)| !a.contains_key(*name)) {
                Some((name, value)) => Err(format!("{place}.{name}: {value} was not recorded")),
                None => Ok(()),
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (expected, found)) in a.iter().zip(b).enumerate() {
                same(expected, found, &format!("{place}[{at}]"))?;
            }
            Ok(())
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            let close = (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
            if close {
                Ok(())
            } else {
                Err(format!("{place}: {b}, recorded: {a}"))
            }
        }
        (a, b) if a == b => Ok(()),
        (a, b) => Err(format!("{place}: {b}\nrecorded: {a}")),
    }
}
