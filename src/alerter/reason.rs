//! Words for what went wrong, without secrets.

use std::error::Error;

/// An error with its causes, on one line.
pub(super) fn reason(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    one_line(&text)
}

/// Text from outside on one line, without control characters, cut at 300 characters.
pub(super) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(300)
        .collect()
}

/// Scheme, host and port of a URL: paths, queries and user names of webhooks are secrets.
pub(super) fn origin(url: &str) -> String {
    reqwest::Url::parse(url).map_or_else(
        |_| "(not a URL)".to_owned(),
        |url| match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{}://{host}:{port}", url.scheme()),
            (Some(host), None) => format!("{}://{host}", url.scheme()),
            (None, _) => format!("{}:", url.scheme()),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_shows_only_its_host() {
        assert_eq!(
            origin("https://user:pw@hooks.example.com:8443/services/T0/B0/secret?token=x"),
            "https://hooks.example.com:8443"
        );
        assert_eq!(origin("hooks.example.com/secret"), "(not a URL)");
        assert_eq!(origin("mailto:secret@example.com"), "mailto:");
    }

    #[test]
    fn answers_are_cut_to_a_line() {
        assert_eq!(one_line("no\r\n\tservice\0"), "no service");
        assert_eq!(one_line(&"x".repeat(1000)).len(), 300);
    }
}
