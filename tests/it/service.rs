//! The real servers of `tests/services`: those that `tests/run` started for all tests, and a test's own.

use crate::process::repository;
use std::process::Command;

/// What `tests/run` tells the tests about the servers it started.
#[track_caller]
pub fn shared(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: start this test with tests/run"))
}

/// A server of a test's own; stopped when dropped.
pub struct Service {
    name: &'static str,
    directory: tempfile::TempDir,
}

impl Service {
    /// Starts the server of a folder of `tests/services` and returns the lines it printed: where it listens.
    pub fn start(name: &'static str, arguments: &[&str]) -> (Self, Vec<String>) {
        let service = Self::absent(name);
        let lines = service.run("start", arguments);
        (service, lines)
    }

    /// The server, not started yet.
    pub fn absent(name: &'static str) -> Self {
        Self {
            name,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// Starts it where somebody waits for it, with the data it had when it was stopped.
    pub fn appear(&self, port: u16) -> Vec<String> {
        self.run("start", &[&port.to_string()])
    }

    /// Stops it.
    pub fn stop(&self) {
        self.run("stop", &[]);
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Vec<String> {
        let output = Command::new(repository(&format!("tests/services/{}/run.sh", self.name)))
            .arg(command)
            .args(arguments)
            .env("SERVICES_DIR", self.directory.path())
            .env("KEEP", "1")
            .env("HEAP", "320m")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{} {command}: {}",
            self.name,
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}
