//! Links that open Kibana's or OpenSearch Dashboards' Discover page with the events around a match
//! (`elastalert.kibana_discover`, `elastalert.opensearch_discover`).

mod filters;
mod options;
mod rison;
mod shorten;
mod url;

pub(super) use options::OPTIONS;
pub use shorten::ShortLink;

use super::lookup::ArgumentPath;
use crate::config::{Problem, Properties};
use crate::event::{Document, Timestamp};
use crate::rule::Rule;
use serde_json::{Value, json};
use shorten::Shortener;
use std::time::Duration;

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
                warnings.push(Problem::warning("W0903", &span, message));
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
            shortener: if kibana {
                Shortener::new(properties)
            } else {
                None
            },
            base,
            filter: filters::filter_of(properties),
            keys: keys.iter().map(|key| ArgumentPath::new(key)).collect(),
        })
    }

    /// Adds the link to a match.
    pub(super) fn add(&self, rule: &Rule, matched: &mut Document) -> Result<(), String> {
        let (_, link) = self.link(rule, matched)?;
        matched.insert(self.product.field().to_owned(), Value::String(link));
        Ok(())
    }

    /// The link of a match, relative to its program and whole.
    fn link(&self, rule: &Rule, matched: &Document) -> Result<(String, String), String> {
        let time = rule
            .match_time(matched)
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
        Ok((relative, link))
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
}
