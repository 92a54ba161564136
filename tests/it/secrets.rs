//! Passwords, tokens and addresses of webhooks reach no log, no error, no `--debug` output, no text and no writeback document.

use crate::process::{Home, PATIENCE, wait_for};
use crate::support::http::{Recorder, block_on};
use futures_util::future::{BoxFuture, ready};
use std::path::Path;
use std::sync::Arc;
use tripline::alert::enhancements::ENHANCEMENTS;
use tripline::alert::{Alert, BodyStyle, OPTIONS, Process};
use tripline::alerter::http::{Answer, HttpError, Request};
use tripline::alerter::process::{Process as Program, ProcessError};
use tripline::alerter::sending::{Outlet, attempt};
use tripline::alerter::smtp::{Mail, MailError};
use tripline::alerter::tcp::{Exchange, TcpError};
use tripline::alerter::{ALERTERS, AlerterEntry, Build, Transport, exits};
use tripline::config::service::options::{ELASTICSEARCH, SERVICE};
use tripline::config::{Kind, OptionSpec, Problem, Service, Sources, Span};
use tripline::engine::{AlertId, Delivery, Index, PendingAlert};
use tripline::event::{Document, WallTime};
use tripline::filter::Mapping;
use tripline::rule::Rule;
use tripline::rule::load::Loader;
use tripline::store::documents::{Documents, Forwarding};

/// What no one must see.
const MARKER: &str = "S3cr3tMarker";

/// Services that refuse everything and repeat what they were sent.
#[derive(Debug)]
struct Indiscreet;

impl Transport for Indiscreet {
    fn http(&self, request: Request) -> BoxFuture<'_, Result<Answer, HttpError>> {
        let body = format!(
            "bad: {} {:?} {:?}",
            request.url, request.headers, request.body
        );
        let answer = Answer {
            status: 500,
            body: body.into_bytes(),
        };
        Box::pin(ready(Ok(answer)))
    }

    fn mail(&self, _mail: Mail) -> BoxFuture<'_, Result<(), MailError>> {
        Box::pin(ready(Ok(())))
    }

    fn tcp(&self, exchange: Exchange) -> BoxFuture<'_, Result<Vec<Vec<u8>>, TcpError>> {
        let answers = exchange.steps.iter().map(|step| {
            let mut answer = b"ERROR\nmessage:".to_vec();
            answer.extend(step.send.iter().filter(|byte| **byte != 0));
            answer.extend(b"\n\n\0");
            answer
        });
        Box::pin(ready(Ok(answers.collect())))
    }

    fn host_name(&self) -> String {
        "here".to_owned()
    }

    fn run(&self, _process: Program) -> BoxFuture<'_, Result<(), ProcessError>> {
        Box::pin(ready(Ok(())))
    }

    fn print(&self, _text: &str) -> std::io::Result<()> {
        Ok(())
    }
}

/// A value for an option, in YAML; what is secret holds the marker.
fn value(option: &OptionSpec) -> String {
    let known = match option.name {
        "jira_account_file" => Some("account.yaml"),
        "stomp_hostport" => Some("\"61613\""),
        "gelf_type" => Some("http"),
        "gelf_endpoint" => Some("https://gelf.example.com"),
        "hive_connection" => {
            return format!("{{hive_host: https://hive.example.com, hive_apikey: {MARKER}-hive}}");
        }
        "indexer_connection" => {
            return format!(
                "{{es_host: search.example.com, indexer_alerts_name: a, es_username: u, es_password: {MARKER}-es}}"
            );
        }
        "sqs_queue_url" => Some("https://sqs.us-east-1.amazonaws.com/1/q"),
        "sns_topic_arn" => Some("arn:aws:sns:us-east-1:1:t"),
        "email_from_field" => Some("nobody"),
        _ => None,
    };
    if let Some(known) = known {
        return known.to_owned();
    }
    let text = match (option.secret, option.name) {
        (true, name) if name.contains("url") => {
            format!("https://{name}.example.com/{MARKER}-{name}").replace("_", "-")
        }
        (true, name) => format!("{MARKER}-{name}"),
        (false, name) if name.contains("url") => "https://service.example.com/api".to_owned(),
        (false, _) => "text".to_owned(),
    };
    of_kind(option.kind, &text)
}

fn of_kind(kind: Kind, text: &str) -> String {
    match kind {
        Kind::Str | Kind::Any => text.to_owned(),
        Kind::Bool => "true".to_owned(),
        Kind::Int | Kind::Number => "1".to_owned(),
        Kind::Duration => "{minutes: 1}".to_owned(),
        Kind::OneOf(values) => values[0].to_owned(),
        Kind::List(item) => format!("[{}]", of_kind(*item, text)),
        Kind::AnyOf(kinds) => of_kind(kinds[0], text),
        Kind::Map => format!("{{member: {text}}}"),
    }
}

/// A rule with this alerter: what it must have and what is secret, and a text that asks for the secrets.
fn rule(entry: &AlerterEntry) -> String {
    let used =
        |option: &&OptionSpec| option.required || option.secret || option.name == "gelf_endpoint";
    let mut rule = format!("name: r\nindex: logs\ntype: any\nalert: {}\n", entry.name);
    for option in entry.options.iter().filter(used) {
        rule.push_str(&format!("{}: {}\n", option.name, value(option)));
    }
    let secret = entry.options.iter().filter(|option| option.secret);
    let names: Vec<&str> = secret.map(|option| option.name).collect();
    let holders = vec!["{}"; names.len()].join(" ");
    rule.push_str(&format!(
        "alert_text: \"told {holders}\"\nalert_text_args: [{names}]\ninclude_rule_params_in_matches: [{names}]\n",
        names = names.join(", ")
    ));
    if let Some(name) = names.first() {
        rule.push_str(&format!("alert_subject: ${name}$\n"));
    }
    rule
}

/// Loads a rule file's text.
fn load(text: &str, directory: &Path) -> (Option<Arc<Rule>>, Vec<Problem>) {
    let tables: Vec<_> = ALERTERS.iter().map(|entry| entry.options).collect();
    let (service, _) = Service::load(&Sources {
        path: None,
        environment: &|_| None,
        expand: true,
        rule_options: &tables,
        known: &|_| true,
    });
    let path = directory.join("r.yaml");
    std::fs::write(&path, text).unwrap();
    std::fs::write(
        directory.join("account.yaml"),
        format!("user: u\npassword: {MARKER}-account\n"),
    )
    .unwrap();
    let loader = Loader {
        service: &service,
        environment: &|_| None,
        working_directory: directory,
        mapping: &Mapping::default(),
        text_options: OPTIONS,
        alerter_options: &tables,
    };
    let loaded = loader.files(&[path]);
    (loaded.rules.into_iter().next(), loaded.problems)
}

#[track_caller]
fn assert_hidden(what: &str, text: &str) {
    assert!(!text.contains(MARKER), "{what}: {text}");
    // Webhooks in the tests have hosts that are no secret, but say where they come from.
    assert!(!text.contains("S3cr3t"), "{what}: {text}");
}

#[test]
fn no_alerter_shows_its_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process {
        zone: jiff::tz::TimeZone::UTC,
        working_directory: directory.path().to_owned(),
        enhancements: ENHANCEMENTS,
    };
    let build = Build {
        span: Span::nowhere(),
        rule_file: directory.path().join("r.yaml"),
        working_directory: directory.path().to_owned(),
        transport: Arc::new(Indiscreet),
    };
    let mut failed = 0;
    for entry in ALERTERS {
        let text = rule(entry);
        let (rule, problems) = load(&text, directory.path());
        let rule = rule.unwrap_or_else(|| panic!("{text}\n{problems:?}"));
        let (exits, found) = exits(&rule.properties(), &build, &process);
        assert_eq!(exits.len(), 1, "{text}\n{found:?}");
        for problem in problems.iter().chain(&found) {
            assert_hidden(entry.name, &problem.to_string());
        }
        assert_hidden(entry.name, &format!("{exits:?} {rule:?}"));
        let matches = vec![Document::from_iter([("ip".to_owned(), "10.0.0.1".into())])];
        let alert = Alert {
            id: "1",
            rule: &rule,
            template: &exits[0].template,
            matches: &matches,
            time: WallTime(0),
            now: WallTime(0),
            ticket: None,
        };
        let info = serde_json::to_string(&exits[0].info(&alert)).unwrap();
        assert_hidden(entry.name, &info);
        for told in [alert.subject(""), alert.body(BodyStyle::default())] {
            assert_hidden(entry.name, &told.unwrap());
        }
        let outlet = Outlet {
            rule: Arc::clone(&rule),
            exits,
            short_links: None,
        };
        let delivery = Delivery {
            alert: Arc::new(PendingAlert {
                id: AlertId("1".into()),
                rule: "r".into(),
                matches,
                time: WallTime(0),
            }),
            alerter: 0,
            attempt: 1,
            ticket: None,
        };
        if let Err(error) = block_on(attempt(&delivery, Some(&outlet), WallTime(0))) {
            failed += 1;
            assert_hidden(entry.name, &error);
        }
    }
    // Those that speak HTTP, at least.
    assert!(failed > 35, "only {failed} failed");
}

#[test]
fn a_secret_of_the_wrong_kind_is_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let tables = ALERTERS.iter().map(|entry| entry.options);
    for option in tables.chain([SERVICE, ELASTICSEARCH]).flatten() {
        if !option.secret {
            continue;
        }
        for wrong in [
            format!("[[{MARKER}]]"),
            format!("{{a: {MARKER}}}"),
            MARKER.to_owned(),
        ] {
            let text = format!(
                "name: r\nindex: logs\ntype: any\nalert: debug\n{}: {wrong}\n",
                option.name
            );
            let (_, problems) = load(&text, directory.path());
            for problem in problems {
                assert_hidden(option.name, &problem.to_string());
            }
        }
    }
}

#[test]
fn the_running_program_shows_no_secret() {
    let server = Recorder::start(|request| {
        let said = format!("no: {} {:?}", request.path, request.text);
        (500, serde_json::Value::String(said))
    });
    let home = Home::new();
    let config = std::fs::read_to_string(home.path("config.yml")).unwrap();
    home.write(
        "config.yml",
        &format!("{config}es_password: {MARKER}-es\nnotify_all_errors: true\n"),
    );
    home.write(
        "rules/leak.yaml",
        &format!(
            "name: leak\nindex: logs\ntype: any\nrealert: {{minutes: 0}}\nalert: discord\n\
             discord_webhook_url: {}/{MARKER}-hook\nmatch_enhancements: []\n\
             include_rule_params_in_matches: [es_password, discord_webhook_url]\n\
             alert_text: \"{{0}} {{1}}\"\nalert_text_args: [es_password, discord_webhook_url]\n\
             alert_subject: $discord_webhook_url$\n",
            format_args!("http://127.0.0.1:{}", server.port)
        ),
    );
    let mut process = home.start();
    assert_eq!(home.post("any", "a", 1), 200);
    wait_for("a failure", || {
        home.logged().contains("alert not delivered").then_some(())
    });
    process.signal("TERM");
    assert_eq!(process.exit_within(PATIENCE).unwrap().code(), Some(0));
    assert_hidden("the log", &home.logged());
    let documents = Documents::open(&home.path("tripline-state"), Forwarding::Off).unwrap();
    let mut written = String::new();
    for index in Index::ALL {
        for stored in documents.newest(index).unwrap() {
            written.push_str(&stored.unwrap().json);
        }
    }
    assert!(written.contains("discord_webhook_url"), "{written}");
    assert_hidden("the documents", &written);

    let printed = std::fs::File::create(home.path("printed")).unwrap();
    let mut command = home.command();
    let mut process =
        crate::process::Process(command.arg("--debug").stdout(printed).spawn().unwrap());
    std::fs::remove_file(home.path("ready")).unwrap();
    home.ready();
    assert_eq!(home.post("any", "a", 2), 200);
    let printed = wait_for("the alert", || {
        let printed = std::fs::read_to_string(home.path("printed")).unwrap();
        printed.contains("client: a").then_some(printed)
    });
    process.signal("TERM");
    assert_eq!(process.exit_within(PATIENCE).unwrap().code(), Some(0));
    assert_hidden("--debug", &printed);
    assert_hidden("the log", &home.logged());
}
