//! A tripline of its own for a test: a folder with configuration and rules, and the program running over it.

use serde_json::Value;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything here takes on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `look` finds something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, &mut look).unwrap_or_else(|| panic!("waited {PATIENCE:?} for {what}"))
}

/// Looks until something is found or the time is over.
pub fn within<T>(time: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A folder with `config.yml` and an empty rules folder.
pub struct Home {
    directory: tempfile::TempDir,
}

impl Home {
    /// With one HTTP input, on any port.
    pub fn new() -> Self {
        Self::with_inputs("[{http: {listen: \"127.0.0.1:0\"}}]")
    }

    /// With these inputs.
    pub fn with_inputs(inputs: &str) -> Self {
        Self::configured(&format!(
            "run_every: {{seconds: 1}}\n\
             buffer_time: {{minutes: 15}}\n\
             writeback_index: elastalert_status\n\
             web: {{listen: \"127.0.0.1:0\"}}\n\
             inputs: {inputs}\n"
        ))
    }

    /// With one HTTP input, and these limits of the store.
    pub fn with_store(store: &str) -> Self {
        Self::with_inputs(&format!(
            "[{{http: {{listen: \"127.0.0.1:0\"}}}}]\nstore: {store}"
        ))
    }

    /// With this configuration; `RULES` in it is the path of the rules folder.
    pub fn configured(configuration: &str) -> Self {
        let home = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(home.path("rules")).unwrap();
        let rules = home.path("rules");
        let rules = rules.to_str().unwrap();
        let configuration = if configuration.contains("RULES") {
            configuration.replace("RULES", rules)
        } else {
            format!("rules_folder: {rules}\n{configuration}")
        };
        home.write("config.yml", &configuration);
        home
    }

    /// One of the program's other commands, with this folder's configuration.
    pub fn tool(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
        command
            .arg(name)
            .args(arguments)
            .arg("--config")
            .arg(self.path("config.yml"))
            .current_dir(self.path(""));
        command
    }

    /// What a command prints that goes well.
    #[track_caller]
    pub fn says(&self, name: &str, arguments: &[&str]) -> String {
        let output = self.tool(name, arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Adds a rule of type `any` over the events with this `kind`, one alert per `client` and hour. An alert is a line of `alerts`.
    pub fn add_rule(&self, kind: &str) {
        let alerts = self.path("alerts");
        self.write(
            &format!("rules/{kind}.yaml"),
            &format!(
                "name: {kind}\nindex: logs\ntype: any\nfilter: [{{term: {{kind: {kind}}}}}]\nquery_key: client\n\
                 realert: {{hours: 1}}\nalert: command\ncommand: [tee, -a, {alerts:?}]\npipe_match_json: true\n",
            ),
        );
    }

    /// The matches that alerts were sent for, in order.
    pub fn alerts(&self) -> Vec<Value> {
        self.matches("alerts")
    }

    /// The matches that a command with `pipe_match_json` has appended to a file.
    pub fn matches(&self, file: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(file)).unwrap_or_default();
        serde_json::Deserializer::from_str(&text)
            .into_iter::<Vec<Value>>()
            // The last line may be half written.
            .map_while(Result::ok)
            .flatten()
            .collect()
    }

    /// The clients that alerts of [`Home::add_rule`] were sent for, in order.
    pub fn alerted(&self) -> Vec<String> {
        self.alerts()
            .iter()
            .map(|matched| matched["client"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits for the alert of a client.
    #[track_caller]
    pub fn wait_for_alert(&self, client: &str) {
        wait_for(&format!("the alert of {client}"), || {
            self.alerted().iter().any(|one| one == client).then_some(())
        });
    }

    /// The program, not yet started, with this folder's configuration.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
        command
            .arg("run")
            .args(["--config".as_ref(), self.path("config.yml").as_os_str()])
            .args(["--ready-file".as_ref(), self.path("ready").as_os_str()])
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.log());
        command
    }

    /// Where the program logs; shown when a test fails.
    fn log(&self) -> File {
        let mut options = File::options();
        options.create(true).append(true);
        options.open(self.path("log")).unwrap()
    }

    /// What the program has logged.
    pub fn logged(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The program, started and ready.
    pub fn start(&self) -> Process {
        let process = self.spawn();
        self.ready();
        process
    }

    /// The program, started.
    pub fn spawn(&self) -> Process {
        // Left by the one before.
        drop(std::fs::remove_file(self.path("ready")));
        Process(self.command().spawn().unwrap())
    }

    /// What the ready file says, once it is there.
    #[track_caller]
    pub fn ready(&self) -> Value {
        wait_for("the ready file", || {
            serde_json::from_slice(&std::fs::read(self.path("ready")).ok()?).ok()
        })
    }

    /// The address of an input, once it listens.
    #[track_caller]
    pub fn address(&self, input: &str) -> String {
        self.ready()["inputs"][input].as_str().unwrap().to_owned()
    }

    /// Sends one event and returns the status of the answer. `number` makes the body unlike others.
    pub fn post(&self, kind: &str, client: &str, number: usize) -> u16 {
        let body = format!(
            r#"{{"@timestamp":"2018-04-06T05:07:14Z","kind":"{kind}","client":"{client}","number":{number}}}"#
        );
        let (status, _) = post(&self.address("http"), JSON, body.as_bytes()).unwrap();
        status
    }

    /// The value of a metric with these labels, as written at `/metrics` of the HTTP input; 0 when it is not there.
    pub fn metric(&self, name_and_labels: &str) -> f64 {
        let (_, page) = get(&self.web(), "/metrics").unwrap();
        page.lines()
            .find_map(|line| line.strip_prefix(name_and_labels)?.trim().parse().ok())
            .unwrap_or(0.0)
    }

    /// The address of metrics and health.
    pub fn web(&self) -> String {
        self.ready()["web"].as_str().unwrap().to_owned()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.logged();
            let from = log.len().saturating_sub(8000);
            println!("the end of the log: {}", log.get(from..).unwrap_or(&log));
        }
    }
}

/// The content type of events.
pub const JSON: &str = "application/json";

/// Sends a body on a connection of its own. The status, and the JSON of the answer.
pub fn post(address: &str, content_type: &str, body: &[u8]) -> std::io::Result<(u16, Value)> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: tripline\r\nContent-Type: {content_type}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (status, text) = exchange(address, &[head.as_bytes(), body].concat())?;
    Ok((status, serde_json::from_str(&text).unwrap_or_default()))
}

/// Fetches a page. The status, and its text.
pub fn get(address: &str, path: &str) -> std::io::Result<(u16, String)> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: tripline\r\nConnection: close\r\n\r\n");
    exchange(address, request.as_bytes())
}

/// Sends a request as it is, with `Connection: close` in it. The status and the body of the answer.
pub fn exchange(address: &str, request: &[u8]) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status =
        status.ok_or_else(|| std::io::Error::other(format!("no HTTP answer: {answer:?}")))?;
    Ok((status, body.to_owned()))
}

/// A running program; killed when dropped.
pub struct Process(pub Child);

impl Process {
    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        signal(self.0.id(), name);
    }

    /// How it exited, if it does in time.
    pub fn exit_within(&mut self, time: Duration) -> Option<ExitStatus> {
        within(time, || self.0.try_wait().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have exited already; then there is nothing to kill.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Sends a signal by its name.
pub fn signal(process: u32, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), process.to_string()])
        .status()
        .unwrap();
    assert!(status.success(), "kill -{name} {process}");
}

/// A path of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
