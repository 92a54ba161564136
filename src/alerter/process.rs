//! Starting programs.

use super::reason::one_line;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

/// How long a program may take to read its input, and to end if its exit code counts.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A program to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// What is started.
    pub command: Program,
    /// What it reads on its standard input; `None`: nothing. It never gets ours, which may carry events.
    pub stdin: Option<Vec<u8>>,
    /// Whether its end is waited for.
    pub exit: Exit,
}

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A file and its arguments, as they are.
    Direct(Vec<String>),
    /// A line for `/bin/sh -c`.
    Shell(String),
}

impl Program {
    /// The arguments joined by blanks, for people.
    pub fn text(&self) -> String {
        match self {
            Self::Direct(arguments) => arguments.join(" "),
            Self::Shell(line) => line.clone(),
        }
    }
}

/// Whether a program's end is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It runs on by itself.
    Ignored,
    /// It must end, and with 0.
    MustSucceed,
}

/// Why a program did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program's file.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It did not read or end in time; it was stopped.
    #[error("{program} did not end within {} s", TIMEOUT.as_secs())]
    Timeout {
        /// The program's file.
        program: String,
    },
    /// It ended with something else than 0.
    #[error("{program} ended with {status}")]
    Failed {
        /// The program's file.
        program: String,
        /// `exit status: 3`, `signal: 9 (SIGKILL)`.
        status: String,
    },
}

/// Starts a program and gives it its input.
///
/// # Errors
/// It cannot be started, hangs, or fails where that counts.
pub async fn run(process: &Process) -> Result<(), ProcessError> {
    let (program, mut command) = match &process.command {
        Program::Direct(arguments) => {
            let (file, rest) = arguments
                .split_first()
                .map_or(("", [].as_slice()), |(file, rest)| (file.as_str(), rest));
            let mut command = Command::new(file);
            command.args(rest);
            (one_line(file), command)
        }
        Program::Shell(line) => {
            let mut command = Command::new("/bin/sh");
            command.arg("-c").arg(line);
            ("the shell command".to_owned(), command)
        }
    };
    command.stdin(if process.stdin.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    });
    let mut child = command.spawn().map_err(|source| ProcessError::Start {
        program: program.clone(),
        source,
    })?;
    let work = async {
        if let (Some(input), Some(mut pipe)) = (&process.stdin, child.stdin.take()) {
            // A program may end without having read everything; only its exit code says whether that was an error.
            let _broken_pipe = pipe.write_all(input).await;
        }
        match process.exit {
            // The runtime collects the exit codes of children nobody waits for.
            Exit::Ignored => Ok(None),
            Exit::MustSucceed => child.wait().await.map(Some),
        }
    };
    match timeout(TIMEOUT, work).await {
        Ok(Ok(status)) => match status {
            Some(status) if !status.success() => Err(ProcessError::Failed {
                program,
                status: status.to_string(),
            }),
            _ => Ok(()),
        },
        Ok(Err(source)) => Err(ProcessError::Start { program, source }),
        Err(_) => {
            if let Err(error) = child.start_kill() {
                tracing::warn!(%program, %error, "cannot stop a program that took too long");
            }
            Err(ProcessError::Timeout { program })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str, stdin: Option<&str>) -> Process {
        Process {
            command: Program::Shell(line.to_owned()),
            stdin: stdin.map(|text| text.as_bytes().to_vec()),
            exit: Exit::MustSucceed,
        }
    }

    #[tokio::test]
    async fn input_arrives_and_exit_codes_count() {
        run(&shell(
            "read line && test \"$line\" = hello",
            Some("hello\n"),
        ))
        .await
        .unwrap();
        let error = run(&shell("exit 3", None)).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the shell command ended with exit status: 3"
        );
    }

    #[tokio::test]
    async fn input_nobody_reads_is_no_error() {
        let input = "x".repeat(1 << 20);
        run(&shell("exec 0<&-; exit 0", Some(&input)))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn arguments_are_not_interpreted() {
        let process = Process {
            command: Program::Direct(
                [
                    "/bin/sh",
                    "-c",
                    "test \"$1\" = '$(exit 1); x'",
                    "sh",
                    "$(exit 1); x",
                ]
                .map(str::to_owned)
                .to_vec(),
            ),
            stdin: None,
            exit: Exit::MustSucceed,
        };
        run(&process).await.unwrap();
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error() {
        let process = Process {
            command: Program::Direct(vec!["/nonexistent/x".to_owned()]),
            stdin: None,
            exit: Exit::Ignored,
        };
        let error = run(&process).await.unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot start /nonexistent/x: ")
        );
    }
}
