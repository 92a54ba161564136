//! `opsgenie`: creates an alert.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#opsgenie>. Texts may hold members of the first match: `{ip}`, `{user[name]}`.

use super::http::{Request, Route};
use super::options::{Formatted, text_or};
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport, title};
use crate::alert::{Alert, BodyStyle, TextError};
use crate::config::{Kind, Node, Problem, Properties, opt};
use crate::event::format::{Argument, Arguments, Format};
use crate::event::{Document, FieldPath, python};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const TEXTS: Kind = Kind::List(&Kind::Str);

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "opsgenie",
    aliases: &[],
    doc: "Creates an alert in OpsGenie.",
    options: &[
        opt("opsgenie_key").required().secret().doc("The API key."),
        opt("opsgenie_addr").default("https://api.opsgenie.com/v2/alerts").doc("The URL of the API."),
        opt("opsgenie_message").doc("The alert's message."),
        opt("opsgenie_subject").doc("The alert's message with `{0}` and so on for `opsgenie_subject_args`; without either, `ElastAlert: NAME`."),
        opt("opsgenie_subject_args").kind(TEXTS).doc("Fields for `opsgenie_subject`."),
        opt("opsgenie_description").default("the alert's body").doc("The alert's description."),
        opt("opsgenie_account").doc("The user the alert is created for."),
        opt("opsgenie_recipients").kind(TEXTS).doc("Users who get the alert."),
        opt("opsgenie_recipients_args").kind(Kind::Map).doc("Placeholders in `opsgenie_recipients` and their fields."),
        opt("opsgenie_default_recipients").kind(TEXTS).doc("Users who get the alert when no recipient can be made."),
        opt("opsgenie_default_receipients").kind(TEXTS).doc("Old spelling of `opsgenie_default_recipients`."),
        opt("opsgenie_teams").kind(TEXTS).doc("Teams that get the alert."),
        opt("opsgenie_teams_args").kind(Kind::Map).doc("Placeholders in `opsgenie_teams` and their fields."),
        opt("opsgenie_default_teams").kind(TEXTS).doc("Teams that get the alert when no team can be made."),
        opt("opsgenie_tags").kind(TEXTS).doc("Tags, beside `ElastAlert` and the rule's name."),
        opt("opsgenie_alias").doc("Names the alert: OpsGenie joins alerts of one alias."),
        opt("opsgenie_entity").doc("What the alert is about."),
        opt("opsgenie_source").default("ElastAlert").doc("Where the alert comes from."),
        opt("opsgenie_priority").doc("`P1` to `P5`."),
        opt("opsgenie_details").kind(Kind::Map).doc("Details: a text, or `field: NAME`."),
        opt("opsgenie_proxy").doc("A proxy for https."),
    ],
    build,
};

const MISSING: &str = "<MISSING VALUE>";

#[derive(Debug)]
struct OpsGenie {
    key: String,
    url: String,
    message: Option<String>,
    subject: Option<Formatted>,
    description: Option<String>,
    account: Option<String>,
    recipients: Responders,
    teams: Responders,
    tags: Vec<String>,
    alias: Option<String>,
    entity: Option<String>,
    source: String,
    priority: Option<String>,
    details: Vec<(String, Detail)>,
    route: Route,
    transport: Arc<dyn Transport>,
}

#[derive(Debug)]
enum Detail {
    Text(String),
    Field(FieldPath),
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let text = |name: &str| properties.text(name);
    let mut default_recipients = properties.texts("opsgenie_default_recipients");
    if default_recipients.is_empty() {
        default_recipients = properties.texts("opsgenie_default_receipients");
    }
    let details = properties.get("opsgenie_details").and_then(Node::as_map);
    let details = details.into_iter().flat_map(|map| map.iter());
    let address = text_or(
        properties,
        "opsgenie_addr",
        "https://api.opsgenie.com/v2/alerts",
    );
    Ok(OpsGenie {
        key: text_or(properties, "opsgenie_key", ""),
        url: address,
        message: text("opsgenie_message"),
        subject: Formatted::read(properties, "opsgenie_subject"),
        description: text("opsgenie_description"),
        account: text("opsgenie_account"),
        recipients: Responders::read(properties, "opsgenie_recipients", default_recipients),
        teams: Responders::read(
            properties,
            "opsgenie_teams",
            properties.texts("opsgenie_default_teams"),
        ),
        tags: properties.texts("opsgenie_tags"),
        alias: text("opsgenie_alias"),
        entity: text("opsgenie_entity"),
        source: text_or(properties, "opsgenie_source", "ElastAlert"),
        priority: text("opsgenie_priority"),
        details: details
            .filter_map(|(name, node)| Some((name.key_text(), detail(node)?)))
            .collect(),
        route: Route::read(properties, "opsgenie", build),
        transport: Arc::clone(&build.transport),
    }
    .into())
}

fn detail(node: &Node) -> Option<Detail> {
    match node.as_str() {
        // Environment variables in it have been put in when the file was read.
        Some(text) => Some(Detail::Text(text.to_owned())),
        None => Some(Detail::Field(FieldPath::new(node.get("field")?.key_text()))),
    }
}

/// Users or teams.
#[derive(Debug)]
struct Responders {
    names: Vec<String>,
    /// Placeholders and their fields.
    fields: Vec<(String, FieldPath)>,
    defaults: Vec<String>,
}

impl Responders {
    /// Without the option itself defaults do not count.
    fn read(properties: &Properties, option: &str, mut defaults: Vec<String>) -> Self {
        if properties.get(option).is_none() {
            defaults.clear();
        }
        let fields = properties
            .get(&format!("{option}_args"))
            .and_then(Node::as_map);
        let fields = fields.into_iter().flat_map(|map| map.iter());
        Self {
            names: properties.texts(option),
            fields: fields
                .map(|(name, path)| (name.key_text(), FieldPath::new(path.key_text())))
                .collect(),
            defaults,
        }
    }

    /// The names with the match's values; those with a placeholder that has none are left out. If that leaves nobody, the defaults, or the
    /// names as they are.
    fn names(&self, first: &Document) -> Vec<String> {
        let values: Vec<(String, Argument<'_>)> = self
            .fields
            .iter()
            .filter_map(|(name, path)| {
                let value = path.get(first).filter(|value| python::is_truthy(value))?;
                Some((name.clone(), Argument::value(value)))
            })
            .collect();
        let render = |name: &String| Format::new(name).render(values.as_slice()).ok();
        let names: Vec<String> = self.names.iter().filter_map(render).collect();
        match (names.is_empty(), self.defaults.is_empty()) {
            (false, _) => names,
            (true, false) => self.defaults.clone(),
            (true, true) => self.names.clone(),
        }
    }
}

/// The first match's members by name.
struct Members<'a>(&'a Document);

impl Arguments for Members<'_> {
    fn positional(&self, _index: usize) -> Option<Argument<'_>> {
        None
    }

    fn named(&self, name: &str) -> Option<Argument<'_>> {
        self.0.get(name).map(Argument::value)
    }
}

impl OpsGenie {
    fn request(&self, alert: &Alert<'_>) -> Result<Request, SendError> {
        let none = Document::new();
        let first = alert.matches.first().unwrap_or(&none);
        let fill = |text: &String| -> Result<String, SendError> {
            let text = Format::new(text).render(&Members(first));
            Ok(text.map_err(TextError::from)?)
        };
        let fill_option = |text: &Option<String>| text.as_ref().map(fill).transpose();
        let message = match (&self.message, &self.subject) {
            (Some(message), _) => fill(message)?,
            (None, Some(subject)) => subject.render(alert, MISSING)?,
            (None, None) => title::with_query_key("ElastAlert", alert),
        };
        let description = match &self.description {
            Some(description) => fill(description)?,
            None => alert.body(BodyStyle {
                summary: false,
                ..BodyStyle::default()
            })?,
        };
        let mut tags = self.tags.iter().map(fill).collect::<Result<Vec<_>, _>>()?;
        tags.extend(["ElastAlert".to_owned(), alert.rule.name.clone()]);
        let mut body = Map::from_iter([
            ("message".to_owned(), json!(message)),
            ("description".to_owned(), json!(description)),
            ("tags".to_owned(), json!(tags)),
            ("source".to_owned(), json!(fill(&self.source)?)),
        ]);
        let mut optional = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        optional("user", self.account.as_ref().map(|account| json!(account)));
        let users = self.recipients.names(first).into_iter();
        let users: Vec<Value> = users
            .map(|name| json!({"username": name, "type": "user"}))
            .collect();
        optional("responders", (!users.is_empty()).then(|| json!(users)));
        let teams = self.teams.names(first).into_iter();
        let teams: Vec<Value> = teams
            .map(|name| json!({"name": name, "type": "team"}))
            .collect();
        optional("teams", (!teams.is_empty()).then(|| json!(teams)));
        optional("entity", fill_option(&self.entity)?.map(Value::String));
        optional("alias", fill_option(&self.alias)?.map(Value::String));
        optional("priority", self.priority(fill_option(&self.priority)?));
        optional("details", self.details(first));
        let request = Request::post(&fill(&self.url)?, Value::Object(body), &self.route);
        Ok(request.header("Authorization", format!("GenieKey {}", self.key)))
    }

    /// Null when the rule has none; left out when OpsGenie would not take it.
    fn priority(&self, priority: Option<String>) -> Option<Value> {
        match priority {
            None => Some(Value::Null),
            Some(priority) if ["P1", "P2", "P3", "P4", "P5"].contains(&priority.as_str()) => {
                Some(Value::String(priority))
            }
            Some(priority) => {
                tracing::warn!(%priority, "opsgenie_priority is not P1 to P5, the alert is sent without it");
                None
            }
        }
    }

    fn details(&self, first: &Document) -> Option<Value> {
        let details: Map<String, Value> = self
            .details
            .iter()
            .filter_map(|(name, detail)| {
                let text = match detail {
                    Detail::Text(text) => text.clone(),
                    Detail::Field(path) => python::str(path.get_some(first)?),
                };
                Some((name.clone(), Value::String(text)))
            })
            .collect();
        (!details.is_empty()).then_some(Value::Object(details))
    }
}

impl Alerter for OpsGenie {
    fn info(&self) -> Document {
        let mut info = Document::from_iter([("type".to_owned(), json!("opsgenie"))]);
        let mut optional = |name: &str, value: Value| {
            if python::is_truthy(&value) {
                info.insert(name.to_owned(), value);
            }
        };
        optional("recipients", json!(self.recipients.names));
        optional("account", json!(self.account));
        optional("teams", json!(self.teams.names));
        info
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            self.transport.deliver(self.request(alert)?).await?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mapping;

    #[track_caller]
    fn check(options: &[(&str, &str)], expected: &[&str]) {
        let properties = Properties::new(Mapping::of_texts(options));
        let defaults = properties.texts("default");
        let names = Responders::read(&properties, "names", defaults).names(&Document::new());
        assert_eq!(names, expected);
    }

    #[test]
    fn defaults_stand_for_names_that_cannot_be_made() {
        check(&[("names", "bob"), ("default", "x")], &["bob"]);
        check(&[("names", "{user}"), ("default", "x")], &["x"]);
        check(&[("names", "{user}")], &["{user}"]);
        check(&[("default", "x")], &[]);
    }
}
