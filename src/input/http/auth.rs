//! Who may send: basic auth (RFC 7617) and bearer tokens (RFC 6750).

use crate::config::AuthConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::header::HeaderValue;
use subtle::ConstantTimeEq as _;

/// Whether the `Authorization` header's value lets its sender in. Takes the same time however much of a secret is right.
pub(super) fn allows(auth: &AuthConfig, authorization: Option<&HeaderValue>) -> bool {
    let Some(value) = authorization.and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("basic")
        && let Some((username, password)) = &auth.basic
        && let Ok(given) = BASE64.decode(credentials)
    {
        let wanted = format!("{username}:{password}");
        return given.ct_eq(wanted.as_bytes()).into();
    }
    if scheme.eq_ignore_ascii_case("bearer")
        && let Some(token) = &auth.bearer
    {
        return credentials.as_bytes().ct_eq(token.as_bytes()).into();
    }
    false
}

/// The values of `WWW-Authenticate` that say how to get in.
pub(super) fn challenges(auth: &AuthConfig) -> impl Iterator<Item = HeaderValue> {
    let basic = auth
        .basic
        .as_ref()
        .map(|_| HeaderValue::from_static("Basic realm=\"tripline\", charset=\"UTF-8\""));
    let bearer = auth
        .bearer
        .as_ref()
        .map(|_| HeaderValue::from_static("Bearer realm=\"tripline\""));
    basic.into_iter().chain(bearer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &'static str, allowed: bool) {
        let auth = AuthConfig {
            basic: Some(("logstash".to_owned(), "pass:wörd".to_owned())),
            bearer: Some("t0ken".to_owned()),
        };
        assert_eq!(
            allows(&auth, Some(&HeaderValue::from_static(header))),
            allowed
        );
    }

    #[test]
    fn basic() {
        check("Basic bG9nc3Rhc2g6cGFzczp3w7ZyZA==", true);
        check("basic  bG9nc3Rhc2g6cGFzczp3w7ZyZA==", true);
        check("Basic bG9nc3Rhc2g6cGFzcw==", false);
        check("Basic !", false);
        check("Basic", false);
    }

    #[test]
    fn bearer() {
        check("Bearer t0ken", true);
        check("Bearer t0ke", false);
        check("Bearer ", false);
        check("t0ken", false);
    }

    #[test]
    fn what_is_not_configured_lets_nobody_in() {
        let none = AuthConfig {
            basic: None,
            bearer: None,
        };
        assert!(!allows(&none, Some(&HeaderValue::from_static("Bearer "))));
        assert!(!allows(&none, None));
    }
}
