//! `--es_debug_trace`: requests as curl commands in a file, to be tried by hand. Credentials are not in it.

use reqwest::Method;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Appends requests to a file.
#[derive(Debug)]
pub struct Trace(Mutex<File>);

impl Trace {
    /// Opens the file.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self(Mutex::new(file)))
    }

    pub(super) fn write(&self, method: &Method, host: &str, path: &str, body: Option<&str>) {
        let mut command = format!("curl -X {method} '{host}{path}'");
        if let Some(body) = body {
            command.push_str(" -H 'Content-Type: application/json' --data-binary '");
            command.push_str(&body.replace('\'', r"'\''"));
            command.push('\'');
        }
        command.push('\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(command.as_bytes()) {
            tracing::warn!(%error, "a request could not be traced");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_command_for_the_shell() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trace");
        Trace::open(&path).unwrap().write(
            &Method::POST,
            "http://h:9200",
            "/_bulk",
            Some("{\"a\":\"it's\"}\n"),
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "curl -X POST 'http://h:9200/_bulk' -H 'Content-Type: application/json' --data-binary '{\"a\":\"it'\\''s\"}\n'\n"
        );
    }
}
