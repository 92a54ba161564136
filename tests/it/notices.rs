//! `notify_email`, `notify_alert`, `notify_all_errors`: people are told of errors.

use crate::mail_server::{Behaviour, MailServer, Received};
use crate::process::{Home, wait_for};
use std::path::Path;
use tokio::runtime::Runtime;

/// A home whose errors are told by mail, to a server of its own, and by a command.
fn home(server: &MailServer, options: &str) -> Home {
    let home = Home::new();
    let config = std::fs::read_to_string(home.path("config.yml")).unwrap();
    let told = home.path("told");
    home.write(
        "config.yml",
        &format!(
            "{config}notify_email: [ops@example.com]\nnotify_alert: command\ncommand: [tee, -a, {told:?}]\npipe_match_json: true\n\
             smtp_host: 127.0.0.1\nsmtp_port: {}\nfrom_addr: watch@example.com\n{options}",
            server.port
        ),
    );
    home
}

fn rule(home: &Home, options: &str) {
    home.write(
        "rules/bad.yaml",
        &format!(
            "name: bad\nindex: logs\ntype: any\nrealert: {{minutes: 0}}\nalert: command\ncommand: [\"false\"]\nfail_on_non_zero_exit: true\n\
             notify_email: owner@example.com\n{options}"
        ),
    );
}

fn mail(server: &MailServer) -> Received {
    wait_for("a mail", || server.take().into_iter().next())
}

#[test]
fn every_error_is_told_when_that_is_wanted() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(MailServer::start(Behaviour::default()));
    let home = home(&server, "notify_all_errors: true\n");
    rule(&home, "");
    let _process = home.start();
    assert_eq!(home.post("any", "a", 1), 200);
    let mail = mail(&server);
    assert_eq!(mail.from, "watch@example.com");
    // The rule's own addresses are for failures of the rule itself.
    assert_eq!(mail.to, ["ops@example.com"]);
    assert!(
        mail.message
            .contains("Subject: ElastAlert notification\r\n"),
        "{}",
        mail.message
    );
    let told = wait_for("the command", || home.matches("told").first().cloned());
    let message = told["message"].as_str().unwrap();
    assert!(
        message.starts_with("Error while running alert command: "),
        "{message}"
    );
    assert_eq!(told["rule"], "bad");
    let time = told["timestamp"].as_str().unwrap();
    assert!(time.ends_with("+00:00"), "{time}");
}

#[test]
fn a_rule_that_cannot_be_loaded_any_more_is_told() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(MailServer::start(Behaviour::default()));
    let home = home(&server, "");
    rule(&home, "");
    let _process = home.start();
    // An error of a delivery is not told, since only failures of rules are asked for.
    assert_eq!(home.post("any", "a", 1), 200);
    wait_for("the failure", || {
        home.logged().contains("alert not delivered").then_some(())
    });
    rule(&home, "filter: nonsense\n");
    let mail = mail(&server);
    assert_eq!(mail.to, ["ops@example.com", "owner@example.com"]);
    let message = &mail.message;
    assert!(
        message.contains("Subject: Uncaught exception in ElastAlert - bad\r\n"),
        "{message}"
    );
    let told = wait_for("the command", || home.matches("told").first().cloned());
    let said = told["message"].as_str().unwrap();
    assert!(said.starts_with("Could not load rule bad: "), "{said}");
    assert!(Path::new(&home.path("told")).exists());
}
