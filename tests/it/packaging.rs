//! The unit files of `packaging/`, and what they rely on: readiness, SIGTERM, SIGHUP, and the state after a crash.

use crate::process::{Home, PATIENCE, Process, repository, signal, wait_for};
use crate::service;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The systemd unit, with the program's path of this build.
fn systemd_unit() -> String {
    std::fs::read_to_string(repository("packaging/systemd/tripline.service"))
        .unwrap()
        .replace("/usr/bin/tripline", env!("CARGO_BIN_EXE_tripline"))
}

#[test]
fn systemd_is_told_when_events_are_taken() {
    let home = Home::new();
    home.add_rule("probe");
    let socket = UnixDatagram::bind(home.path("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let _process = Process(
        home.command()
            .env("NOTIFY_SOCKET", home.path("notify"))
            .spawn()
            .unwrap(),
    );
    let mut message = [0; 4096];
    loop {
        let length = socket.recv(&mut message).unwrap();
        let text = std::str::from_utf8(&message[..length]).unwrap();
        if text.lines().any(|line| line == "READY=1") {
            break;
        }
    }
    assert!(
        home.path("ready").exists(),
        "READY=1 came before the ready file"
    );
    assert_eq!(home.post("probe", "192.0.2.1", 0), 200);
}

#[test]
fn the_systemd_unit_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let unit = directory.path().join("tripline.service");
    std::fs::write(&unit, systemd_unit()).unwrap();
    let Ok(output) = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&unit)
        .output()
    else {
        println!("no systemd-analyze here: the unit is not verified");
        return;
    };
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(
        !complaints.contains("tripline.service"),
        "systemd-analyze verify: {complaints}"
    );
}

#[test]
fn sigterm_drains_and_exits_0() {
    let home = Home::new();
    home.add_rule("probe");
    let mut process = home.start();
    for number in 0..20 {
        assert_eq!(
            home.post("probe", &format!("192.0.2.{number}"), number),
            200
        );
    }
    process.signal("TERM");
    let status = process
        .exit_within(Duration::from_secs(5))
        .expect("did not exit within the 5 s it promises");
    assert_eq!(status.code(), Some(0));

    // What was acknowledged and not yet sent is sent after the next start.
    let _again = home.start();
    for number in 0..20 {
        home.wait_for_alert(&format!("192.0.2.{number}"));
    }
}

#[test]
fn sigterm_ends_it_while_its_inputs_are_silent() {
    let home = Home::new();
    home.add_rule("probe");
    let child = home.command().arg("--stdin").stdin(Stdio::piped()).spawn();
    let mut process = Process(child.unwrap());
    let mut pipe = process.0.stdin.take().unwrap();
    let mut connection = TcpStream::connect(home.address("http")).unwrap();
    write!(connection, "POST / HTTP/1.1\r\n").unwrap();
    writeln!(
        pipe,
        r#"{{"@timestamp":"2018-04-06T05:07:14Z","kind":"probe","client":"192.0.2.1"}}"#
    )
    .unwrap();
    home.wait_for_alert("192.0.2.1");
    process.signal("TERM");
    let status = process
        .exit_within(Duration::from_secs(5))
        .expect("did not exit within the 5 s it promises");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn sighup_reloads_the_rules() {
    let home = Home::new();
    home.add_rule("probe");
    let mut process = home.start();
    home.write("rules/broken.yaml", "name: broken\ntype: [\n");
    home.write("rules/probe.yaml", "name: probe\ntype: any\nfilter: [\n");
    home.add_rule("scan");
    process.signal("HUP");
    // Nothing says when the reload is done; until then an event of the new rule trips nothing.
    let mut number = 0;
    wait_for("an alert of the new rule", || {
        number += 1;
        assert_eq!(home.post("scan", "192.0.2.2", number), 200);
        home.alerted()
            .contains(&"192.0.2.2".to_owned())
            .then_some(())
    });
    // The rule that was there before goes on as it was, though its file cannot be read any more.
    assert_eq!(home.post("probe", "192.0.2.3", 0), 200);
    home.wait_for_alert("192.0.2.3");
    assert!(process.exit_within(Duration::ZERO).is_none());
}

/// A supervisord that runs `packaging/supervisord/tripline.conf` over a test's folder.
struct Supervisor {
    programs: PathBuf,
    configuration: PathBuf,
    _daemon: Process,
}

impl Supervisor {
    fn start(home: &Home) -> Self {
        let programs = PathBuf::from(service::shared("TRIPLINE_TEST_SUPERVISOR"));
        let place = home.path("");
        let place = place.to_str().unwrap();
        let unit = std::fs::read_to_string(repository("packaging/supervisord/tripline.conf"))
            .unwrap()
            .replace("/usr/bin/tripline", env!("CARGO_BIN_EXE_tripline"))
            .replace(
                "/etc/tripline/config.yml",
                &format!("{place}config.yml --ready-file {place}ready"),
            )
            .replace("/var/lib/tripline", &format!("{place}state"))
            .replace("/var/log/tripline/", place)
            .replace("user=tripline\n", "");
        std::fs::create_dir(home.path("state")).unwrap();
        home.write("unit.conf", &unit);
        home.write(
            "supervisord.conf",
            &format!(
                "[supervisord]\nnodaemon=true\nlogfile={place}supervisord.log\npidfile={place}supervisord.pid\n\
                 [unix_http_server]\nfile={place}supervisor.sock\n\
                 [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
                 [supervisorctl]\nserverurl=unix://{place}supervisor.sock\n\
                 [include]\nfiles={place}unit.conf\n"
            ),
        );
        let configuration = home.path("supervisord.conf");
        let daemon = Command::new(programs.join("supervisord"))
            .arg("-c")
            .arg(&configuration)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            programs,
            configuration,
            _daemon: Process(daemon),
        }
    }

    fn control(&self, arguments: &[&str]) -> String {
        let output = Command::new(self.programs.join("supervisorctl"))
            .arg("-c")
            .arg(&self.configuration)
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The process id of tripline.
    fn process(&self) -> Option<u32> {
        self.control(&["pid", "tripline"])
            .parse()
            .ok()
            .filter(|id| *id != 0)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // supervisord is killed after this; tripline must not outlive it.
        self.control(&["stop", "tripline"]);
    }
}

#[test]
fn supervisor_restarts_a_crash_into_the_same_state() {
    let home = Home::new();
    home.add_rule("probe");
    let supervisor = Supervisor::start(&home);
    assert_eq!(home.post("probe", "192.0.2.1", 0), 200);
    home.wait_for_alert("192.0.2.1");
    let first = wait_for("the process id", || supervisor.process());

    std::fs::remove_file(home.path("ready")).unwrap();
    signal(first, "KILL");
    home.ready();
    let second = wait_for("the process id", || supervisor.process());
    assert_ne!(first, second);

    // The silence of the first client was kept, so only the second is new.
    assert_eq!(home.post("probe", "192.0.2.1", 1), 200);
    assert_eq!(home.post("probe", "192.0.2.2", 2), 200);
    home.wait_for_alert("192.0.2.2");
    assert_eq!(home.alerted(), ["192.0.2.1", "192.0.2.2"]);

    // The words of the unit for stopping and reloading.
    assert_eq!(
        supervisor.control(&["signal", "HUP", "tripline"]),
        "tripline: signalled"
    );
    assert_eq!(
        supervisor.control(&["stop", "tripline"]),
        "tripline: stopped"
    );
    let status = supervisor.control(&["status", "tripline"]);
    assert!(status.contains("STOPPED"), "{status}");
}
