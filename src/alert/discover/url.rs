//! Building addresses: percent encoding, joining, parameters.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What Python's `quote` leaves as it is.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~')
    .remove(b'/');

/// Form encoding also encodes the slash.
const FORM: &AsciiSet = &QUOTED.add(b'/');

pub(super) fn quote(text: &str) -> String {
    utf8_percent_encode(text, QUOTED).to_string()
}

fn form_quote(text: &str) -> String {
    utf8_percent_encode(text, FORM)
        .to_string()
        .replace("%20", "+")
}

fn form_unquote(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

/// Adds a parameter to the query part, which stands before `#`; the other parameters are written anew in form encoding.
pub(super) fn with_parameter(url: &str, name: &str, value: &str) -> String {
    let (address, fragment) = match url.split_once('#') {
        Some((address, fragment)) => (address, format!("#{fragment}")),
        None => (url, String::new()),
    };
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let mut parameters: Vec<String> = query
        .split('&')
        .filter_map(|parameter| {
            // Python's parse_qsl drops parameters without a value.
            let (name, value) = parameter.split_once('=')?;
            let (name, value) = (form_unquote(name), form_unquote(value));
            (!value.is_empty()).then(|| format!("{}={}", form_quote(&name), form_quote(&value)))
        })
        .collect();
    parameters.push(format!("{}={}", form_quote(name), form_quote(value)));
    format!("{path}?{}{fragment}", parameters.join("&"))
}

/// Resolves a reference against a base address (RFC 3986, section 5.2).
pub(super) fn join(base: &str, reference: &str) -> String {
    if has_scheme(reference) || base.is_empty() {
        return reference.to_owned();
    }
    let (scheme, rest) = base.split_once(':').unwrap_or(("", base));
    if let Some(after) = reference.strip_prefix("//") {
        return format!("{scheme}://{after}");
    }
    let (authority, base_path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            (format!("{scheme}://{authority}"), path)
        }
        None => (String::new(), base),
    };
    let base_path = base_path.split(['?', '#']).next().unwrap_or_default();
    let end = reference.find(['?', '#']).unwrap_or(reference.len());
    let (path, after) = reference.split_at(end);
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        let folder = base_path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder}/{path}")
    };
    format!("{authority}{}{after}", without_dots(&path))
}

fn has_scheme(url: &str) -> bool {
    url.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

/// Takes `.` and `..` out of an absolute path.
fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    parts.pop();
                }
                if last {
                    parts.push("");
                }
            }
            segment => parts.push(segment),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_joined() {
        let base = "https://base.example.com/x/y?q#f";
        for (reference, expected) in [
            (
                "app/discover#/?_g=a:b",
                "https://base.example.com/x/app/discover#/?_g=a:b",
            ),
            ("/app?x", "https://base.example.com/app?x"),
            ("https://k/app", "https://k/app"),
            ("//k/app", "https://k/app"),
            ("../a/./b/..", "https://base.example.com/a/"),
        ] {
            assert_eq!(join(base, reference), expected);
        }
        assert_eq!(join("https://k", "app"), "https://k/app");
        assert_eq!(join("/", "app#/"), "/app#/");
        assert_eq!(join("/", "https://k/app"), "https://k/app");
    }

    #[test]
    fn parameters_stand_before_the_fragment() {
        assert_eq!(
            with_parameter("https://k/app?x=1 2&y=#/d?z", "tenant", "ten ant/é"),
            "https://k/app?x=1+2&tenant=ten+ant%2F%C3%A9#/d?z"
        );
        assert_eq!(
            with_parameter("https://k/app", "t", "1"),
            "https://k/app?t=1"
        );
    }
}
