//! `jira`: makes a ticket, or comments on the one that is there.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#jira>. Jira is asked for its fields and priorities when an alert
//! needs them, not when the rule is loaded: it may be away then.

mod fields;
mod search;

use super::http::{Body, Method, Request, Route};
use super::options::{filled, info, is_set, text_or};
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport};
use crate::alert::{Alert, ArgumentPath, BodyStyle, TextError};
use crate::config::{Problem, Properties, opt, process_environment, read_yaml};
use crate::engine::TicketUse;
use crate::event::{Document, python};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use search::Bump;
use serde_json::{Map, Value, json};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "jira",
    aliases: &[],
    doc: "Makes a ticket in Jira. Any other option `jira_NAME` sets the field of that name, blanks written `_`; a value `#field` is that field of the match.",
    options: &[
        opt("jira_server").required().doc("The URL of the server."),
        opt("jira_account_file")
            .required()
            .doc("A YAML file with `user` and `password`, or `apikey`, relative to the rule file."),
        opt("jira_project")
            .required()
            .doc("The key of the project."),
        opt("jira_issuetype")
            .required()
            .doc("The type of the ticket."),
        opt("jira_assignee").doc("Who it is assigned to."),
        opt("jira_component").texts().doc("Its components."),
        opt("jira_components").texts().doc("The same; wins."),
        opt("jira_description").doc("The first line of its description."),
        opt("jira_label").texts().doc("Its labels."),
        opt("jira_labels").texts().doc("The same; wins."),
        opt("jira_parent").doc("The ticket it is a part of."),
        opt("jira_priority")
            .number()
            .doc("Its priority: its place in Jira's list, from 0."),
        opt("jira_watchers").texts().doc("Who watches it."),
        opt("jira_bump_tickets").bool().default("false").doc(
            "Whether an alert is a comment on an older ticket of the same title, if there is one.",
        ),
        opt("jira_bump_only")
            .bool()
            .default("false")
            .doc("Whether no ticket is made when there is none."),
        opt("jira_ignore_in_title")
            .doc("A field of the match whose value does not count in titles."),
        opt("jira_max_age")
            .number()
            .default("30")
            .doc("How many days old tickets may be."),
        opt("jira_bump_in_statuses")
            .texts()
            .doc("The statuses of tickets to comment on."),
        opt("jira_bump_not_in_statuses")
            .texts()
            .doc("The statuses of other tickets."),
        opt("jira_bump_after_inactivity")
            .number()
            .default("0")
            .doc("For how many days a ticket must not have changed; before, nothing is sent."),
        opt("jira_transition_to").doc("The status a ticket goes to after a comment."),
    ],
    build,
};

/// How tickets are written.
const STYLE: BodyStyle = BodyStyle {
    table_width: 80,
    fence: Some(("{noformat}", "{noformat}")),
    summary: true,
    json: Some(("{code}", "{code}")),
};

struct Jira {
    server: String,
    authorization: String,
    project: String,
    /// The ticket's fields that are the same for all alerts.
    fixed: Map<String, Value>,
    /// Options that set other fields.
    fields: Vec<(String, Value)>,
    priority: Option<usize>,
    description: String,
    assignee: Option<String>,
    watchers: Vec<String>,
    bump: Option<Bump>,
    bump_only: bool,
    has_subject: bool,
    transport: Arc<dyn Transport>,
}

impl fmt::Debug for Jira {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jira")
    }
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let text = |name| text_or(properties, name, "");
    let either = |first, second| match properties.contains(first) {
        true => properties.texts(first),
        false => properties.texts(second),
    };
    let named = |names: Vec<String>| {
        names
            .into_iter()
            .map(|name| json!({"name": name}))
            .collect()
    };
    let project = text("jira_project");
    let mut fixed = Map::from_iter([
        ("project".to_owned(), json!({"key": project})),
        (
            "issuetype".to_owned(),
            json!({"name": text("jira_issuetype")}),
        ),
    ]);
    let components: Vec<Value> = named(either("jira_components", "jira_component"));
    let labels = either("jira_labels", "jira_label");
    for (member, value) in [
        (
            "parent",
            filled(properties, "jira_parent").map(|key| json!({"key": key})),
        ),
        (
            "components",
            (!components.is_empty()).then(|| json!(components)),
        ),
        ("labels", (!labels.is_empty()).then(|| json!(labels))),
    ] {
        fixed.extend(value.map(|value| (member.to_owned(), value)));
    }
    let is_ours = |name: &str| ENTRY.options.iter().any(|option| option.name == name);
    let options = properties.iter();
    let fields = options.filter_map(|(name, value)| {
        let name = name.as_str()?;
        let is_field = name.starts_with("jira_") && !is_ours(name);
        is_field.then(|| (name.to_owned(), value.to_value()))
    });
    let days = |name, default| {
        let days = properties.number(name).unwrap_or(default);
        Duration::try_from_secs_f64(days * 86_400.0).unwrap_or_default()
    };
    let bump = is_set(properties, "jira_bump_tickets").then(|| Bump {
        max_age: days("jira_max_age", 30.0),
        inactivity: days("jira_bump_after_inactivity", 0.0),
        in_statuses: properties.texts("jira_bump_in_statuses"),
        not_in_statuses: properties.texts("jira_bump_not_in_statuses"),
        ignore_in_title: properties.text("jira_ignore_in_title"),
        transition: filled(properties, "jira_transition_to"),
    });
    Ok(Jira {
        server: text("jira_server").trim_end_matches('/').to_owned(),
        authorization: authorization(properties, build)?,
        project,
        fixed,
        fields: fields.collect(),
        // A priority that is no place in the list is not in the list.
        priority: properties
            .contains("jira_priority")
            .then(|| properties.int("jira_priority"))
            .map(|place| {
                place
                    .and_then(|place| usize::try_from(place).ok())
                    .unwrap_or(usize::MAX)
            }),
        description: text("jira_description"),
        assignee: filled(properties, "jira_assignee"),
        watchers: properties.texts("jira_watchers"),
        bump,
        bump_only: is_set(properties, "jira_bump_only"),
        has_subject: properties.contains("alert_subject"),
        transport: Arc::clone(&build.transport),
    }
    .into())
}

/// `jira_account_file`: who makes the tickets.
fn authorization(properties: &Properties, build: &Build) -> Result<String, Vec<Problem>> {
    let path = text_or(properties, "jira_account_file", "");
    let path = build.rule_file.parent().unwrap_or(Path::new("")).join(path);
    let (account, problems) = read_yaml(path.as_path(), &process_environment);
    let text = |name| {
        let node = account.as_ref()?.get(name)?;
        (!node.is_null()).then(|| node.key_text())
    };
    match (text("apikey"), text("user").zip(text("password"))) {
        (Some(key), _) => Ok(format!("Bearer {key}")),
        (None, Some((user, password))) => Ok(format!(
            "Basic {}",
            STANDARD.encode(format!("{user}:{password}"))
        )),
        (None, None) => {
            let span = properties.get("jira_account_file");
            let span = span.map_or(&build.span, |node| &node.span);
            let message = format!("{} does not give a user and a password", path.display());
            let help = match problems.iter().find(|problem| problem.is_error()) {
                Some(problem) => problem.message.clone(),
                None => {
                    "write `user: NAME` and `password: SECRET`, or `apikey: KEY`, in it".to_owned()
                }
            };
            Err(vec![Problem::error("E0310", span, message).help(help)])
        }
    }
}

impl Jira {
    fn request(&self, method: Method, path: &str, body: Body) -> Request {
        Request {
            method,
            url: format!("{}/rest/{path}", self.server),
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body,
            route: Route::default(),
        }
        .header("Authorization", &self.authorization)
    }

    async fn get(&self, path: &str) -> Result<Value, SendError> {
        let request = self.request(Method::Get, path, Body::None);
        let answer = self.transport.deliver(request).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| SendError::Content(format!("Jira's answer is not JSON: {error}")))
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, SendError> {
        let request = self.request(Method::Post, path, Body::Json(body));
        let answer = self.transport.deliver(request).await?;
        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// The default title; a search leaves out what differs from alert to alert.
    fn title(&self, alert: &Alert<'_>, for_search: bool) -> Result<String, TextError> {
        let name = &alert.rule.name;
        let first = alert.matches.first();
        let key = match (&alert.rule.query_key, first) {
            (Some(key), Some(first)) => ArgumentPath::new(&key.name).get(first)?,
            _ => None,
        };
        let mut title = match key.filter(|key| python::is_truthy(key)) {
            Some(key) => format!("ElastAlert: {} matched {name}", python::str(&key)),
            None => format!("ElastAlert: {name}"),
        };
        let member = |name: &str| first?.get(name).filter(|value| python::is_truthy(value));
        if !for_search {
            if let Some(time) = member(alert.rule.time.path.as_str()) {
                let time = alert.template.times().pretty(time, Duration::ZERO);
                title.push_str(&format!(" - {time}"));
            }
            if let Some(count) = member("spike_count") {
                title.push_str(&format!(" - {}+ events", python::str(count)));
            }
        }
        Ok(title)
    }

    /// The fields of a new ticket.
    async fn issue(&self, alert: &Alert<'_>) -> Result<Map<String, Value>, SendError> {
        let mut issue = self.fixed.clone();
        if let Some(place) = self.priority {
            let priorities = self.get("api/2/priority").await?;
            match priorities
                .get(place)
                .and_then(|priority| priority.get("id"))
            {
                Some(id) => {
                    issue.insert("priority".to_owned(), json!({"id": id}));
                }
                None => tracing::warn!(
                    place,
                    "jira_priority is not in Jira's list, the ticket is made without it"
                ),
            }
        }
        if !self.fields.is_empty() {
            let known = self.get("api/2/field").await?;
            for (option, value) in &self.fields {
                let field = value.as_str().and_then(|text| text.strip_prefix('#'));
                let value = match (field, alert.matches.first()) {
                    (Some(field), Some(first)) => {
                        let found = ArgumentPath::new(field).get(first)?;
                        found.map_or(Value::Null, std::borrow::Cow::into_owned)
                    }
                    _ => value.clone(),
                };
                fields::set(&mut issue, &known, option, value)?;
            }
        }
        let title = alert.subject(&self.title(alert, false)?)?;
        let description = format!("{}\n{}", self.description, alert.body(STYLE)?);
        issue.insert("summary".to_owned(), json!(title));
        issue.insert("description".to_owned(), json!(description));
        Ok(issue)
    }

    /// Makes a ticket; its key, if Jira tells it.
    async fn create(&self, alert: &Alert<'_>) -> Result<Option<String>, SendError> {
        let issue = self.issue(alert).await?;
        let answer = self.post("api/2/issue", json!({"fields": issue})).await?;
        let key = answer.get("key").and_then(Value::as_str);
        if self.assignee.is_none() && self.watchers.is_empty() {
            return Ok(key.map(str::to_owned));
        }
        let key = key.ok_or_else(|| {
            SendError::Content("Jira does not say which ticket it has made".to_owned())
        })?;
        let about = self.get("api/2/serverInfo").await?;
        let cloud = about.get("deploymentType").and_then(Value::as_str) == Some("Cloud");
        if let Some(name) = &self.assignee {
            let member = if cloud { "accountId" } else { "name" };
            let body = json!({member: self.user(name, cloud).await?});
            let path = format!("api/latest/issue/{key}/assignee");
            let request = self.request(Method::Put, &path, Body::Json(body));
            self.transport.deliver(request).await?;
        }
        for name in &self.watchers {
            let user = self.user(name, cloud).await?;
            self.post(&format!("api/2/issue/{key}/watchers"), user)
                .await?;
        }
        Ok(Some(key.to_owned()))
    }

    /// How Jira calls a user: the cloud by a number, a server by the name.
    async fn user(&self, name: &str, cloud: bool) -> Result<Value, SendError> {
        if !cloud {
            return Ok(json!(name));
        }
        let query = utf8_percent_encode(name, NON_ALPHANUMERIC);
        let found = self
            .get(&format!("api/2/user/search?query={query}"))
            .await?;
        let id = found.get(0).and_then(|user| user.get("accountId")).cloned();
        id.ok_or_else(|| SendError::Content(format!("Jira has no user {name:?}")))
    }
}

impl Alerter for Jira {
    fn info(&self) -> Document {
        info("jira", [])
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move { self.deliver(alert).await.map(drop) })
    }

    fn ticket_use(&self) -> TicketUse {
        TicketUse::Makes
    }

    fn deliver<'a>(
        &'a self,
        alert: &'a Alert<'a>,
    ) -> BoxFuture<'a, Result<Option<String>, SendError>> {
        Box::pin(async move {
            let older = match &self.bump {
                Some(bump) => self.bumped(bump, alert).await?,
                None => None,
            };
            let key = match older {
                None if !self.bump_only => self.create(alert).await?,
                older => older,
            };
            Ok(key.map(|key| format!("{}/browse/{key}", self.server)))
        })
    }
}
