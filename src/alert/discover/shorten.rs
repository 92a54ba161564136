//! Short links, which Kibana makes on request.

use super::{Discover, KIBANA_FIELD, url};
use crate::config::Properties;
use crate::event::Document;
use crate::rule::Rule;
use serde_json::{Value, json};

/// How Kibana is asked for a short link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shortener {
    /// Whether Kibana has the interface of 7.16.
    new: bool,
    login: Option<(String, String)>,
    verify_certs: bool,
}

/// A request to Kibana for a short link. Whoever sends the alert makes it, and hands the answer to [`ShortLink::apply`].
#[derive(Debug, Clone, PartialEq)]
pub struct ShortLink {
    /// Where to POST to.
    pub url: String,
    /// The JSON body.
    pub body: Value,
    /// Basic authentication.
    pub login: Option<(String, String)>,
    /// Whether the certificate is checked.
    pub verify_certs: bool,
    /// The member of the answer that holds the id.
    pub answer: &'static str,
    long: String,
    base: String,
    tenant: Option<String>,
}

impl ShortLink {
    /// Headers the request needs.
    pub const HEADERS: [(&str, &str); 2] = [("kbn-xsrf", "elastalert"), ("osd-xsrf", "elastalert")];

    /// Puts the short link in the place of the long one.
    pub fn apply(&self, matches: &mut [Document], id: &str) {
        let mut link = url::join(&url::join(&self.base, "goto/"), id);
        if let Some(tenant) = &self.tenant {
            link = url::with_parameter(&link, "security_tenant", tenant);
        }
        for matched in matches {
            if let Some(slot) = matched.get_mut(KIBANA_FIELD)
                && slot.as_str() == Some(&self.long)
            {
                *slot = Value::String(link.clone());
            }
        }
    }
}

impl Shortener {
    /// How the rule's links are shortened; `None`: they are not.
    pub(super) fn new(properties: &Properties) -> Option<Self> {
        if properties.bool("shorten_kibana_discover_url") != Some(true) {
            return None;
        }
        Some(Self {
            new: properties
                .text("kibana_discover_version")
                .is_none_or(|version| is_at_least_7_16(&version)),
            login: properties
                .text("kibana_username")
                .zip(properties.text("kibana_password")),
            verify_certs: properties.bool("kibana_verify_certs").unwrap_or(true),
        })
    }
}

impl Discover {
    /// Whether links are to be shortened.
    pub(in crate::alert) fn wants_short(&self) -> bool {
        self.shortener.is_some() && self.base.is_some()
    }

    /// The request for the short form of the link in a match.
    pub(in crate::alert) fn short(&self, rule: &Rule, matched: &Document) -> Option<ShortLink> {
        let (shortener, base) = (self.shortener.as_ref()?, self.base.as_ref()?);
        let (relative, link) = self.link(rule, matched).ok()?;
        if matched.get(self.product.field())?.as_str() != Some(&link) {
            return None;
        }
        let long = url::join("/", &relative);
        let (path, body, answer) = if shortener.new {
            let body = json!({"locatorId": "LEGACY_SHORT_URL_LOCATOR", "params": {"url": long}});
            ("api/short_url", body, "id")
        } else {
            ("api/shorten_url", json!({ "url": long }), "urlId")
        };
        let mut address = url::join(base, path);
        if let Some(tenant) = &self.tenant {
            address = url::with_parameter(&address, "security_tenant", tenant);
        }
        Some(ShortLink {
            url: address,
            body,
            login: shortener.login.clone(),
            verify_certs: shortener.verify_certs,
            answer,
            long: link,
            base: base.clone(),
            tenant: self.tenant.clone(),
        })
    }
}

fn is_at_least_7_16(version: &str) -> bool {
    let mut parts = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    (major, minor) >= (7, 16)
}
