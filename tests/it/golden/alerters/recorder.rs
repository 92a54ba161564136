//! Stands between alerters and the world: writes down what they hand over, and answers as the case says.

use crate::mail_server::{Behaviour, MailServer, Received};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tripline::alerter::Transport;
use tripline::alerter::http::{Answer, HttpError, Method, Request};
use tripline::alerter::process::{Exit, Process, ProcessError, Program};
use tripline::alerter::smtp::{Mail, MailError, Mailer, Server};
use tripline::alerter::tcp::{Exchange, Step, TcpError};

/// Mail servers in place of those the recorded rules point at.
pub(super) struct Servers {
    /// The port in the rules, and the server that stands for it.
    by_port: Vec<(u16, MailServer)>,
}

impl Servers {
    pub(super) async fn start() -> Self {
        let login = ("mailer".to_owned(), "not-a-real-secret".to_owned());
        let mut by_port = Vec::new();
        for (port, behaviour) in [
            (18725, Behaviour::default()),
            (
                18726,
                Behaviour {
                    tls: true,
                    ..Behaviour::default()
                },
            ),
            (
                18727,
                Behaviour {
                    starttls: true,
                    ..Behaviour::default()
                },
            ),
            (
                18728,
                Behaviour {
                    login: Some(login),
                    ..Behaviour::default()
                },
            ),
        ] {
            by_port.push((port, MailServer::start(behaviour).await));
        }
        Self { by_port }
    }

    /// The mails that came, by server.
    pub(super) fn take(&self) -> Vec<Received> {
        self.by_port
            .iter()
            .flat_map(|(_, server)| server.take())
            .collect()
    }

    pub(super) fn forget(&self) {
        drop(self.take());
    }

    fn port(&self, port: u16) -> u16 {
        let server = self.by_port.iter().find(|(recorded, _)| *recorded == port);
        server.map_or(port, |(_, server)| server.port)
    }
}

/// Writes down what alerters hand over.
pub(super) struct Recorder {
    servers: Arc<Servers>,
    mailer: Mailer,
    responses: Mutex<Vec<Value>>,
    exit_code: i64,
    requests: Mutex<Vec<Request>>,
    processes: Mutex<Vec<Process>>,
    exchanges: Mutex<Vec<Exchange>>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder")
    }
}

impl Recorder {
    pub(super) fn new(case: &Value, servers: Arc<Servers>) -> Self {
        Self {
            servers,
            mailer: Mailer::default(),
            responses: Mutex::new(case["responses"].as_array().cloned().unwrap_or_default()),
            exit_code: case["command_exit_code"].as_i64().unwrap_or(0),
            requests: Mutex::default(),
            processes: Mutex::default(),
            exchanges: Mutex::default(),
        }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) fn processes(&self) -> Vec<Process> {
        self.processes.lock().unwrap().clone()
    }

    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap().clone()
    }

    fn answer(&self, request: &Request) -> Result<Answer, HttpError> {
        let line = format!("{} {}", request.method.as_str(), request.url);
        let mut responses = self.responses.lock().unwrap();
        let found = responses
            .iter()
            .position(|response| line.contains(response["match"].as_str().unwrap()));
        let Some(at) = found else {
            return Ok(usual(request));
        };
        let response = responses[at].clone();
        if response["once"] == json!(true) {
            responses.remove(at);
        }
        if let Some(text) = response["exception"].as_str() {
            return Err(HttpError::NoAnswer {
                method: request.method.as_str(),
                origin: String::new(),
                reason: text.to_owned(),
            });
        }
        let body = response["text"].as_str().map_or_else(
            || response.get("json").unwrap_or(&json!({})).to_string(),
            str::to_owned,
        );
        Ok(Answer {
            status: u16::try_from(response["status"].as_u64().unwrap_or(200)).unwrap(),
            body: body.into_bytes(),
        })
    }
}

/// What the services answer by default.
fn usual(request: &Request) -> Answer {
    let url = &request.url;
    let path = url.split('?').next().unwrap();
    let is_get = request.method == Method::Get;
    if url.contains("jira") {
        return of_jira(is_get, path);
    }
    let (status, body) = if url.contains("opsgenie") {
        (202, json!({}))
    } else if path.contains("manage/cases/add") {
        (200, json!({"status": "success", "data": {"case_id": 42}}))
    } else if url.contains("tencentcloudapi") {
        (
            200,
            json!({"Response": {"SendStatusSet": [{"Code": "Ok", "Message": "send success"}], "RequestId": "r"}}),
        )
    } else if path.contains("short_url") {
        (200, json!({"id": "abc123"}))
    } else if path.contains("shorten_url") {
        (200, json!({"urlId": "abc123"}))
    } else {
        (200, json!({}))
    };
    Answer {
        status,
        body: body.to_string().into_bytes(),
    }
}

/// A field of the recorded Jira; `kind` has the type of an array's items after a blank.
fn field(id: &str, name: &str, kind: &str, custom: Option<&str>) -> Value {
    let custom = custom.map(|kind| format!("com.atlassian.jira.plugin.system.{kind}"));
    let (kind, items) = kind.split_once(' ').unwrap_or((kind, ""));
    let schema = json!({"type": kind, "items": items, "custom": custom});
    json!({"id": id, "name": name, "schema": schema})
}

fn of_jira(is_get: bool, path: &str) -> Answer {
    let ticket = json!({"id": "5001", "key": "SEC-77", "self": "https://jira.example.com/rest/api/2/issue/5001"});
    let (status, body) = if path.contains("/serverInfo") {
        (
            200,
            json!({"version": "1001.0.0", "deploymentType": "Cloud"}),
        )
    } else if path.ends_with("/priority") {
        let named = [
            (100, "Highest"),
            (101, "High"),
            (102, "Medium"),
            (103, "Low"),
        ];
        let one = |(id, name): (u64, &str)| json!({"id": id.to_string(), "name": name});
        (200, json!(named.map(one)))
    } else if path.ends_with("/field") {
        (
            200,
            json!([
                field("summary", "Summary", "string", None),
                field("duedate", "Due date", "date", None),
                field(
                    "customfield_10001",
                    "Arbitrary Text",
                    "string",
                    Some("customfieldtypes:textfield")
                ),
                field("customfield_10002", "Story Points", "number", None),
                field(
                    "customfield_10003",
                    "Teams",
                    "array string",
                    Some("customfieldtypes:multiselect")
                ),
                field("customfield_10004", "Choice", "option", None),
                field("customfield_10005", "Numbers", "array number", None),
                field("customfield_10006", "Choices", "array option", None),
                field(
                    "customfield_10007",
                    "Radio",
                    "string",
                    Some("customfieldtypes:radiobuttons")
                ),
                field("reporter", "Reporter", "user", None),
                field("fixVersions", "Fix Version/s", "array version", None),
            ]),
        )
    } else if path.contains("/search/jql") {
        (200, json!({"issues": []}))
    } else if path.ends_with("/transitions") && is_get {
        (
            200,
            json!({"transitions": [{"id": "11", "name": "To Do"}, {"id": "31", "name": "In Progress"}]}),
        )
    } else if path.ends_with("/issue") {
        (201, ticket)
    } else if path.contains("/user") {
        (200, json!([{"accountId": "acc-1", "name": "someone"}]))
    } else {
        (200, json!({}))
    };
    Answer {
        status,
        body: body.to_string().into_bytes(),
    }
}

impl Transport for Recorder {
    fn http(&self, request: Request) -> BoxFuture<'_, Result<Answer, HttpError>> {
        let answer = self.answer(&request);
        self.requests.lock().unwrap().push(request);
        Box::pin(std::future::ready(answer))
    }

    fn mail(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>> {
        Box::pin(async move {
            let server = Server {
                port: self.servers.port(mail.server.port),
                ..(*mail.server).clone()
            };
            let mail = Mail {
                server: Arc::new(server),
                ..mail
            };
            self.mailer.send(&mail).await
        })
    }

    fn tcp(&self, exchange: Exchange) -> BoxFuture<'_, Result<Vec<Vec<u8>>, TcpError>> {
        let answer = |step: &Step| match step.send.split(|&b| b == b'\n').next() {
            Some(b"STOMP") => b"CONNECTED\nversion:1.1\n\n\0".to_vec(),
            Some(b"SEND") => b"RECEIPT\nreceipt-id:alert\n\n\0".to_vec(),
            _ => Vec::new(),
        };
        let answers = exchange.steps.iter().map(answer).collect();
        self.exchanges.lock().unwrap().push(exchange);
        Box::pin(std::future::ready(Ok(answers)))
    }

    fn host_name(&self) -> String {
        "oracle-host".to_owned()
    }

    fn run(&self, process: Process) -> BoxFuture<'_, Result<(), ProcessError>> {
        let program = match &process.command {
            Program::Direct(arguments) => arguments.first().cloned().unwrap_or_default(),
            Program::Shell(_) => "/bin/sh".to_owned(),
        };
        let result = if program.contains("missing") {
            Err(ProcessError::Start {
                program,
                source: std::io::ErrorKind::NotFound.into(),
            })
        } else if self.exit_code != 0 && process.exit == Exit::MustSucceed {
            Err(ProcessError::Failed {
                program,
                status: format!("exit status: {}", self.exit_code),
            })
        } else {
            Ok(())
        };
        self.processes.lock().unwrap().push(process);
        Box::pin(std::future::ready(result))
    }

    fn print(&self, _text: &str) -> std::io::Result<()> {
        Ok(())
    }
}
