//! The configurations of `pipelines/` and the rules of `rules/`, as they ship.

use crate::process::{Home, repository, wait_for};
use crate::service::Service;
use std::fs::File;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

#[test]
fn the_demo_prints_alerts_and_a_table() {
    let directory = tempfile::tempdir().unwrap();
    let configuration = directory.path().join("config.yml");
    let text = std::fs::read_to_string(repository("pipelines/demo/config.yml"))
        .unwrap()
        .replace(
            "target/demo-state",
            directory.path().join("state").to_str().unwrap(),
        );
    std::fs::write(&configuration, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .args(["--config".as_ref(), configuration.as_os_str()])
        .arg("--stdin")
        .stdin(File::open(repository("pipelines/demo/waf.ndjson")).unwrap())
        .current_dir(repository(""))
        .output()
        .unwrap();
    let alerts = String::from_utf8(output.stdout).unwrap();
    let table = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{table}");
    for line in [
        "Alert for Attack to WWW.BLUECORE.NET at 2018-04-06T05:00:13Z:",
        "Alert for Admin paths from abroad, 203.0.113.66 at 2018-04-06T05:08:03Z:",
        "Alert for ASM: unexpected HTTP method, 203.0.113.66 at 2018-04-06T05:16:00Z:",
        "Alert for ASM: attack was let through, /Common/www.bluecore.net, 203.0.113.66 at 2018-04-06T05:13:00Z:",
    ] {
        assert!(alerts.contains(line), "no {line:?} in {alerts}");
    }
    assert!(table.contains("1000 events, 0 bad"), "{table}");
}

#[test]
fn the_demo_events_are_what_the_generator_writes() {
    let output = Command::new("python3")
        .arg(repository("pipelines/demo/generate.py"))
        .output()
        .unwrap();
    let events = std::fs::read(repository("pipelines/demo/waf.ndjson")).unwrap();
    assert!(output.stdout == events, "run pipelines/demo/generate.py");
}

#[test]
fn the_ready_rules_have_no_problems() {
    for folder in ["rules", "pipelines/demo/rules"] {
        let output = Command::new(env!("CARGO_BIN_EXE_tripline"))
            .args(["check", folder])
            .current_dir(repository(""))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "tripline check {folder}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn rsyslog_feeds_tripline() {
    let home = Home::with_inputs("[{tcp: {listen: \"127.0.0.1:0\", codec: json}}]");
    home.write(
        "rules/ssh.yaml",
        &format!(
            "name: ssh\nindex: syslog-*\ntype: any\nfilter: [{{query_string: {{query: 'program:sshd AND message:\"Failed password\"'}}}}]\n\
             alert: command\ncommand: [tee, -a, {:?}]\npipe_match_json: true\n",
            home.path("alerts")
        ),
    );
    let _process = home.start();
    let address = home.address("tcp");
    let (host, port) = address.rsplit_once(':').unwrap();
    // Freed before rsyslog takes it: rsyslog cannot say which port it was given.
    let receiver = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let shipped = std::fs::read_to_string(repository("pipelines/rsyslog/tripline.conf")).unwrap();
    let ours = shipped.replace(
        "target=\"127.0.0.1\" port=\"8556\"",
        &format!("target=\"{host}\" port=\"{port}\""),
    );
    assert_ne!(ours, shipped);
    home.write(
        "rsyslog.conf",
        &format!(
            "module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{}\")\nglobal(workDirectory=\"{}\")\n{ours}",
            receiver.port(),
            home.path("").display(),
        ),
    );
    let configuration = home.path("rsyslog.conf");
    let (_rsyslog, _) = Service::start("rsyslog", &[configuration.to_str().unwrap()]);
    let mut stream = wait_for("rsyslog to listen", || TcpStream::connect(receiver).ok());
    writeln!(
        stream,
        "<38>1 2018-04-06T05:07:14Z bastion sshd 4242 - - Failed password for \"root\" from 192.0.2.7 port 51000 ssh2"
    )
    .unwrap();
    let alert = wait_for("the alert", || home.alerts().pop());
    assert_eq!(alert["host"], "bastion");
    assert_eq!(alert["pid"], "4242");
    assert_eq!(alert["severity"], "info");
    assert_eq!(
        alert["message"],
        "Failed password for \"root\" from 192.0.2.7 port 51000 ssh2"
    );
}
