//! Servers that are absent, go, and come back: alerts do not wait for OpenSearch, nothing is lost, nothing is sent twice.

use crate::process::{Home, PATIENCE, Process, wait_for};
use crate::service::Service;
use crate::support::http::{block_on, request};
use crate::support::server::free_port;
use serde_json::Value;
use std::path::Path;
use tripline::engine::Index;
use tripline::store::documents::{Documents, Forwarding};

const INPUTS: &str = "run_every: {seconds: 1}\ninputs: [{http: {listen: \"127.0.0.1:0\"}}]\nweb: {listen: \"127.0.0.1:0\"}\n";

fn stop(mut process: Process) {
    process.signal("TERM");
    assert_eq!(process.exit_within(PATIENCE).unwrap().code(), Some(0));
}

/// The documents of an index of the embedded store; no process may use it.
fn documents(home: &Home, index: Index) -> Vec<Value> {
    let documents = Documents::open(&home.path("tripline-state"), Forwarding::Off).unwrap();
    let newest_first = documents.newest(index).unwrap();
    newest_first
        .map(|stored| serde_json::from_str(&stored.unwrap().json).unwrap())
        .collect()
}

/// How many documents a server has for a query; none while it is absent or has no such index.
fn count(url: &str, query: &str) -> u64 {
    block_on(async {
        tripline::tls::install_provider();
        let client = reqwest::Client::new();
        let refreshed = client.post(format!("{url}/_refresh")).send().await;
        if refreshed.is_err() {
            return 0;
        }
        let (_, answer) = request("GET", &format!("{url}/{query}"), None).await;
        answer["count"].as_u64().unwrap_or(0)
    })
}

#[test]
fn documents_wait_for_the_search_server_and_alerts_do_not() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let home = Home::configured(&format!("es_host: 127.0.0.1\nes_port: {port}\n{INPUTS}"));
    home.add_rule("probe");
    let process = home.start();
    let mut clients = 0;
    let mut alerted = |count: usize| {
        for _ in 0..count {
            clients += 1;
            let client = format!("192.0.2.{clients}");
            assert_eq!(home.post("probe", &client, clients), 200);
            home.wait_for_alert(&client);
        }
        clients
    };
    let arrived = |expected: usize| {
        for (index, query) in [
            ("elastalert_status", "_count?q=alert_sent:true"),
            ("elastalert_status_silence", "_count"),
        ] {
            wait_for(&format!("{expected} documents in {index}"), || {
                let found = count(&format!("{url}/{index}"), query);
                assert!(found <= expected as u64, "{found} documents in {index}");
                (found == expected as u64).then_some(())
            });
        }
    };

    alerted(3);
    let server = Service::absent("opensearch");
    server.appear(port);
    let expected = alerted(2);
    arrived(expected);
    server.stop();
    alerted(5);
    server.appear(port);
    let expected = alerted(1);
    arrived(expected);
    stop(process);
    arrived(expected);
    assert_eq!(home.alerted().len(), expected);
}

/// A rule with a mail and a command; nobody listens at the port of its mails.
fn mail_and_command(home: &Home, smtp_port: u16) {
    home.write(
        "rules/both.yaml",
        &format!(
            "name: both\nindex: logs\ntype: any\nrealert: {{minutes: 0}}\nalert: [email, command]\n\
             email: soc@example.com\nsmtp_host: 127.0.0.1\nsmtp_port: {smtp_port}\n\
             command: [tee, -a, {:?}]\npipe_match_json: true\n",
            home.path("alerts")
        ),
    );
}

fn mails(mailbox: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(mailbox).unwrap();
    let mails = serde_json::Deserializer::from_str(&text).into_iter();
    mails.map_while(Result::ok).collect()
}

#[test]
fn a_mail_is_sent_when_its_server_is_back_and_the_command_is_not_repeated() {
    let port = free_port();
    let home = Home::configured(INPUTS);
    mail_and_command(&home, port);
    let mut process = home.start();
    for number in 1..=2 {
        assert_eq!(home.post("probe", "192.0.2.1", number), 200);
    }
    wait_for("both commands", || (home.alerts().len() == 2).then_some(()));
    wait_for("both failures", || {
        (home.logged().matches("will retry").count() == 2).then_some(())
    });
    // The retries outlive a crash.
    process.signal("KILL");
    process.exit_within(PATIENCE).unwrap();
    let process = home.start();
    let server = Service::absent("smtp");
    let lines = server.appear(port);
    let mailbox = Path::new(&lines[1]);
    wait_for("both mails", || (mails(mailbox).len() == 2).then_some(()));
    assert_eq!(home.post("probe", "192.0.2.1", 3), 200);
    wait_for("the third mail", || {
        (mails(mailbox).len() == 3).then_some(())
    });
    stop(process);

    let number = |mail: &Value| {
        let text = mail["parts"][0]["text"].as_str().unwrap();
        let line = text.lines().find(|line| line.starts_with("number: "));
        line.unwrap().to_owned()
    };
    let mut told: Vec<String> = mails(mailbox).iter().map(number).collect();
    told.sort();
    assert_eq!(told, ["number: 1", "number: 2", "number: 3"]);
    assert_eq!(home.alerts().len(), 3);
    let alerts = documents(&home, Index::Alerts);
    assert_eq!(alerts.len(), 3);
    assert!(
        alerts.iter().all(|alert| alert["alert_sent"] == true),
        "{alerts:?}"
    );
    let errors = documents(&home, Index::Error);
    // At least one for each of the two; more when the server takes its time.
    assert!(errors.len() >= 2, "{errors:?}");
    let message = errors[0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("Error while running alert email: "),
        "{message}"
    );
}

#[test]
fn an_alert_that_cannot_be_sent_within_alert_time_limit_is_given_up() {
    let home = Home::configured(&format!("alert_time_limit: {{seconds: 2}}\n{INPUTS}"));
    home.write(
        "rules/mail.yaml",
        &format!(
            "name: mail\nindex: logs\ntype: any\nrealert: {{minutes: 0}}\nalert: email\n\
             email: soc@example.com\nsmtp_host: 127.0.0.1\nsmtp_port: {}\n",
            free_port()
        ),
    );
    home.add_rule("probe");
    let process = home.start();
    assert_eq!(home.post("probe", "192.0.2.1", 1), 200);
    home.wait_for_alert("192.0.2.1");
    wait_for("the end of patience", || {
        home.logged().contains("given up").then_some(())
    });
    // Nothing is left to be tried at the next start.
    stop(process);
    let process = home.start();
    assert!(home.logged().contains("undelivered=0"), "{}", home.logged());
    stop(process);
    let alerts = documents(&home, Index::Alerts);
    let given_up: Vec<&Value> = alerts
        .iter()
        .filter(|alert| alert["rule_name"] == "mail")
        .collect();
    assert_eq!(given_up.len(), 1);
    assert_eq!(given_up[0]["alert_sent"], false);
    let errors = documents(&home, Index::Error);
    let reason = given_up[0]["alert_exception"].as_str().unwrap();
    for error in &errors {
        assert_eq!(error["data"]["rule"], "mail");
        let message = error["message"].as_str().unwrap();
        assert!(message.ends_with(reason), "{errors:?}");
    }
    let last = errors[0]["message"].as_str().unwrap();
    assert!(last.contains("is given up: "), "{last}");
}
