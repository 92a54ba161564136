//! Links that open Kibana's or OpenSearch Dashboards' Discover page with the events around a match
//! (`elastalert.kibana_discover`, `elastalert.opensearch_discover`).

mod rison;
mod url;

use super::lookup::ArgumentPath;
use super::times::match_time;
use crate::config::{Kind, OptionSpec, Problem, Properties, opt};
use crate::event::dumps::Dumps;
use crate::event::{Document, Timestamp, python};
use crate::rule::Rule;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const OPTIONS: &[OptionSpec] = &[
    opt("generate_kibana_discover_url")
        .bool()
        .default("false")
        .doc("Add kibana_discover_url to the first match of an alert."),
    opt("kibana_discover_app_url")
        .doc("Address of Kibana's Discover page, or relative to kibana_url."),
    opt("kibana_discover_version")
        .kind(Kind::AnyOf(&[Kind::Str, Kind::Number]))
        .doc("Kibana's version; chooses how links are shortened."),
    opt("kibana_discover_index_pattern_id").doc("Id of the index pattern or data view."),
    opt("kibana_discover_columns")
        .kind(Kind::List(&Kind::Str))
        .default("_source")
        .doc("The columns shown."),
    opt("kibana_discover_from_timedelta")
        .duration()
        .default("timeframe, else 10 minutes")
        .doc("How far before the match the page begins."),
    opt("kibana_discover_to_timedelta")
        .duration()
        .default("timeframe, else 10 minutes")
        .doc("How far behind the match the page ends."),
    opt("kibana_url").doc("Where Kibana is; ends with a slash."),
    opt("kibana_username").doc("User for shortening links."),
    opt("kibana_password")
        .secret()
        .doc("Password for shortening links."),
    opt("kibana_verify_certs")
        .bool()
        .default("true")
        .doc("Check Kibana's certificate when shortening links."),
    opt("kibana_discover_security_tenant").doc("Added to the link as security_tenant."),
    opt("shorten_kibana_discover_url")
        .bool()
        .default("false")
        .doc("Let Kibana shorten the link."),
    opt("generate_opensearch_discover_url")
        .bool()
        .default("false")
        .doc("Add opensearch_discover_url to the first match of an alert."),
    opt("opensearch_discover_app_url")
        .doc("Address of OpenSearch Dashboards' Discover page, or relative to opensearch_url."),
    opt("opensearch_discover_version")
        .kind(Kind::AnyOf(&[Kind::Str, Kind::Number]))
        .doc("The version of OpenSearch Dashboards; the link is the same for all."),
    opt("opensearch_discover_index_pattern_id").doc("Id of the index pattern."),
    opt("opensearch_discover_columns")
        .kind(Kind::List(&Kind::Str))
        .default("_source")
        .doc("The columns shown."),
    opt("opensearch_discover_from_timedelta")
        .duration()
        .default("timeframe, else 10 minutes")
        .doc("How far before the match the page begins."),
    opt("opensearch_discover_to_timedelta")
        .duration()
        .default("timeframe, else 10 minutes")
        .doc("How far behind the match the page ends."),
    opt("opensearch_url").doc("Where OpenSearch Dashboards is; ends with a slash."),
];

/// Which of the two programs a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Product {
    Kibana,
    OpenSearch,
}

impl Product {
    const fn name(self) -> &'static str {
        match self {
            Self::Kibana => "kibana",
            Self::OpenSearch => "opensearch",
        }
    }

    /// The member of the match that holds the link.
    const fn field(self) -> &'static str {
        match self {
            Self::Kibana => KIBANA_FIELD,
            Self::OpenSearch => "opensearch_discover_url",
        }
    }
}

const KIBANA_FIELD: &str = "kibana_discover_url";

/// A rule's link, for one of the two programs.
#[derive(Debug)]
pub(super) struct Discover {
    product: Product,
    app_url: String,
    index: String,
    columns: Vec<String>,
    before: Duration,
    after: Duration,
    /// Where the program is: the link is relative to it.
    base: Option<String>,
    tenant: Option<String>,
    shortener: Option<Shortener>,
    /// The rule's own filter, and the same as the program shows it.
    filter: Option<Value>,
    /// The rule's `query_key`.
    keys: Vec<ArgumentPath>,
}

/// How Kibana is asked for a short link.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shortener {
    /// Whether Kibana has the interface of 7.16.
    new: bool,
    username: Option<String>,
    password: Option<String>,
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

/// The rule's links, Kibana's first, and why one it asks for cannot be made.
pub(super) fn load(properties: &Properties) -> (Vec<Discover>, Vec<Problem>) {
    let mut links = Vec::new();
    let mut warnings = Vec::new();
    for product in [Product::Kibana, Product::OpenSearch] {
        let switch = format!("generate_{}_discover_url", product.name());
        if properties.bool(&switch) != Some(true) {
            continue;
        }
        match Discover::load(product, properties) {
            Ok(link) => links.push(link),
            Err(missing) => {
                let message = format!("{switch} needs {missing}: alerts will have no link");
                let span = super::text::span(properties, &switch);
                warnings.push(Problem::warning("W0503", &span, message));
            }
        }
    }
    (links, warnings)
}

impl Discover {
    fn load(product: Product, properties: &Properties) -> Result<Self, String> {
        let option = |suffix: &str| format!("{}_discover_{suffix}", product.name());
        let text = |name: String| {
            properties
                .text(&name)
                .filter(|text| !text.is_empty())
                .ok_or(name)
        };
        let around = |suffix: &str| {
            properties
                .duration(&option(suffix))
                .or_else(|| properties.duration("timeframe"))
                .unwrap_or(Duration::from_secs(600))
        };
        let columns = properties.texts(&option("columns"));
        let kibana = product == Product::Kibana;
        let shorten = kibana && properties.bool("shorten_kibana_discover_url") == Some(true);
        let base = properties.text(&format!("{}_url", product.name()));
        let keys = properties.texts("query_key");
        Ok(Self {
            product,
            app_url: text(option("app_url"))?,
            index: text(option("index_pattern_id"))?,
            columns: if columns.is_empty() {
                vec!["_source".to_owned()]
            } else {
                columns
            },
            before: around("from_timedelta"),
            after: around("to_timedelta"),
            tenant: if kibana {
                properties.text("kibana_discover_security_tenant")
            } else {
                None
            },
            shortener: (shorten && base.is_some()).then(|| Shortener {
                new: properties
                    .text("kibana_discover_version")
                    .is_none_or(|version| is_at_least_7_16(&version)),
                username: properties.text("kibana_username"),
                password: properties.text("kibana_password"),
                verify_certs: properties.bool("kibana_verify_certs").unwrap_or(true),
            }),
            base,
            filter: filter_of(properties),
            keys: keys.iter().map(|key| ArgumentPath::new(key)).collect(),
        })
    }

    /// Adds the link to a match. Gives the request for its short form, if the rule wants that.
    pub(super) fn add(
        &self,
        rule: &Rule,
        matched: &mut Document,
    ) -> Result<Option<ShortLink>, String> {
        let time = match_time(rule, matched)
            .ok_or_else(|| format!("no link: the match has no time in {}", rule.time.path))?;
        let relative = self.relative(time, matched);
        let link = match &self.base {
            Some(base) => url::join(base, &relative),
            None => relative.clone(),
        };
        let link = match &self.tenant {
            Some(tenant) => url::with_parameter(&link, "security_tenant", tenant),
            None => link,
        };
        let short = self.short(&relative, &link);
        matched.insert(self.product.field().to_owned(), Value::String(link));
        Ok(short)
    }

    fn short(&self, relative: &str, link: &str) -> Option<ShortLink> {
        let (shortener, base) = (self.shortener.as_ref()?, self.base.as_ref()?);
        let long = url::join("/", relative);
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
            login: shortener.username.clone().zip(shortener.password.clone()),
            verify_certs: shortener.verify_certs,
            answer,
            long: link.to_owned(),
            base: base.clone(),
            tenant: self.tenant.clone(),
        })
    }

    fn relative(&self, time: Timestamp, matched: &Document) -> String {
        let at = |micros| Timestamp { micros, ..time }.to_text();
        let global = json!({
            "filters": [],
            "refreshInterval": {"pause": true, "value": 0},
            "time": {
                "from": at(time.event_time().minus(self.before).0),
                "to": at(time.event_time().plus(self.after).0),
            },
        });
        let filters: Vec<Value> = self
            .filter
            .as_ref()
            .map(|filter| self.rule_filter(filter))
            .into_iter()
            .chain(self.keys.iter().map(|key| self.key_filter(key, matched)))
            .collect();
        let quoted = |value: &Value| url::quote(&rison::encode(value));
        match self.product {
            Product::Kibana => {
                let app = json!({
                    "columns": self.columns,
                    "filters": filters,
                    "index": self.index,
                    "interval": "auto",
                });
                format!(
                    "{}?_g={}&_a={}",
                    self.app_url,
                    quoted(&global),
                    quoted(&app)
                )
            }
            Product::OpenSearch => {
                let app = json!({
                    "discover": {"columns": self.columns, "isDirty": false, "sort": []},
                    "metadata": {"indexPattern": self.index, "view": "discover"},
                });
                let query = json!({
                    "filters": filters,
                    "query": {"language": "lucene", "query": ""},
                });
                format!(
                    "{}?_g={}&_a={}&_q={}",
                    self.app_url,
                    quoted(&global),
                    quoted(&app),
                    quoted(&query)
                )
            }
        }
    }

    /// The rule's filter as the program shows it.
    fn rule_filter(&self, filter: &Value) -> Value {
        let must = json!({ "must": filter });
        let (key, shown) = match self.product {
            Product::Kibana => ("bool", must.clone()),
            Product::OpenSearch => ("query", json!({ "bool": must })),
        };
        let mut out = json!({
            "$state": {"store": "appState"},
            "meta": {
                "alias": "filter",
                "disabled": false,
                "index": self.index,
                "key": key,
                "negate": false,
                "type": "custom",
                "value": COMPACT.to_text(&shown),
            },
        });
        if let Some(members) = out.as_object_mut() {
            members.insert(key.to_owned(), if key == "bool" { must } else { shown });
        }
        out
    }

    /// A filter for the match's own value of a query key.
    fn key_filter(&self, key: &ArgumentPath, matched: &Document) -> Value {
        let value = key.get(matched).ok().flatten();
        let value = match self.product {
            Product::Kibana => value.and_then(|value| normalised(&value)),
            Product::OpenSearch => value.map(std::borrow::Cow::into_owned),
        };
        let key = key.as_str();
        let Some(value) = value else {
            let mut meta = json!({
                "alias": null,
                "disabled": false,
                "index": self.index,
                "key": key,
                "negate": true,
                "type": "exists",
                "value": "exists",
            });
            if self.product == Product::OpenSearch
                && let Some(members) = meta.as_object_mut()
            {
                members.insert("view".to_owned(), "discover".into());
            }
            return json!({"$state": {"store": "appState"}, "exists": {"field": key}, "meta": meta});
        };
        let phrase = json!({"query": value, "type": "phrase"});
        json!({
            "$state": {"store": "appState"},
            "meta": {
                "alias": null,
                "disabled": false,
                "index": self.index,
                "key": key,
                "negate": false,
                "params": phrase,
                "type": "phrase",
                "value": python::str(&value),
            },
            "query": {"match": {key: phrase}},
        })
    }
}

const COMPACT: Dumps = Dumps {
    indent: None,
    sort_keys: false,
    ascii: true,
    compact: true,
};

/// The rule's filter entries, those inside `query` taken out of it; `None` when there are none.
fn filter_of(properties: &Properties) -> Option<Value> {
    let entries = properties.get("filter")?.as_seq()?;
    let entries: Vec<Value> = entries
        .iter()
        .map(|entry| entry.get("query").unwrap_or(entry).to_value())
        .collect();
    (!entries.is_empty()).then_some(Value::Array(entries))
}

/// What Kibana's links take for a value: empty ones are absent, a list with one value is that value.
fn normalised(value: &Value) -> Option<Value> {
    let is_empty = |value: &Value| value.is_null() || value.as_str() == Some("");
    if is_empty(value) {
        return None;
    }
    let Some(items) = value.as_array() else {
        return Some(value.clone());
    };
    let full: Vec<&Value> = items.iter().filter(|item| !is_empty(item)).collect();
    match full.as_slice() {
        [] => None,
        [one] => Some((*one).clone()),
        _ => Some(value.clone()),
    }
}

fn is_at_least_7_16(version: &str) -> bool {
    let mut parts = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    (major, minor) >= (7, 16)
}
