//! What a run says: results on standard output, everything else on standard error, in the form of ElastAlert's log.

use crate::alerter::http::{Answer, HttpError, Request};
use crate::alerter::process::{Process, ProcessError};
use crate::alerter::smtp::{Mail, MailError};
use crate::alerter::tcp::{Exchange, TcpError};
use crate::alerter::{Transport, World};
use futures_util::future::BoxFuture;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt;
use std::io::{BufWriter, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many bytes of the log wait at most, when no person waits for them.
const BUFFER: usize = 64 * 1024;

/// The two streams, and a progress bar when a person looks.
pub(super) struct Console {
    streams: Mutex<Streams>,
    bar: Mutex<ProgressBar>,
    is_terminal: bool,
}

struct Streams {
    output: Box<dyn Write + Send>,
    errors: BufWriter<Box<dyn Write + Send>>,
}

impl Console {
    pub(super) fn new(
        output: Box<dyn Write + Send>,
        errors: Box<dyn Write + Send>,
        is_terminal: bool,
    ) -> Self {
        Self {
            streams: Mutex::new(Streams {
                output,
                errors: BufWriter::with_capacity(BUFFER, errors),
            }),
            bar: Mutex::new(ProgressBar::hidden()),
            is_terminal,
        }
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bar(&self) -> MutexGuard<'_, ProgressBar> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints a line of results.
    pub(super) fn line(&self, text: &str) {
        let mut streams = self.streams();
        // A reader that has gone away wants no more: the run ends soon by itself.
        let _gone = streams
            .errors
            .flush()
            .and_then(|()| writeln!(streams.output, "{text}"))
            .and_then(|()| streams.output.flush());
    }

    /// Prints a line on standard error.
    pub(super) fn error(&self, text: &str) {
        if self.is_terminal {
            self.bar().suspend(|| self.write(text, Flush::Now));
        } else {
            self.write(text, Flush::Later);
        }
    }

    fn write(&self, text: &str, flush: Flush) {
        let mut streams = self.streams();
        let written = writeln!(streams.errors, "{text}");
        // As above.
        let _gone = written.and_then(|()| match flush {
            Flush::Now => streams.errors.flush(),
            Flush::Later => Ok(()),
        });
    }

    /// A line of ElastAlert's log.
    pub(super) fn log(&self, level: &str, text: &str) {
        self.error(&format!("{level}:elastalert:{text}"));
    }

    /// A line of ElastAlert's log that is no complaint.
    pub(super) fn info(&self, text: &str) {
        self.log("INFO", text);
    }

    /// So many events will come.
    pub(super) fn expect(&self, events: u64) {
        if !self.is_terminal {
            return;
        }
        let bar = ProgressBar::with_draw_target(Some(events), ProgressDrawTarget::stderr());
        if let Ok(style) =
            ProgressStyle::with_template("{wide_bar} {human_pos} / {human_len} events, {eta} left")
        {
            bar.set_style(style);
        }
        *self.bar() = bar;
    }

    /// So many more events are done. A pipe gets what has been said so far.
    pub(super) fn advance(&self, events: u64) {
        if self.is_terminal {
            self.bar().inc(events);
        } else {
            // As above.
            let _gone = self.streams().errors.flush();
        }
    }

    /// The bar is no longer of interest.
    pub(super) fn end_progress(&self) {
        self.bar().finish_and_clear();
    }

    /// Everything is said.
    pub(super) fn finish(&self) {
        self.end_progress();
        // As above.
        let _gone = self.streams().errors.flush();
    }
}

#[derive(Clone, Copy)]
enum Flush {
    Now,
    Later,
}

/// The world for alerters, with what they print in the form of ElastAlert's log.
pub(super) struct Printing {
    world: World,
    console: Arc<Console>,
}

impl Printing {
    pub(super) fn new(console: Arc<Console>) -> Self {
        Self {
            world: World::new(Box::new(std::io::sink())),
            console,
        }
    }
}

impl fmt::Debug for Printing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Printing")
    }
}

impl Transport for Printing {
    fn http(&self, request: Request) -> BoxFuture<'_, Result<Answer, HttpError>> {
        self.world.http(request)
    }

    fn mail(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>> {
        self.world.mail(mail)
    }

    fn run(&self, process: Process) -> BoxFuture<'_, Result<(), ProcessError>> {
        self.world.run(process)
    }

    fn tcp(&self, exchange: Exchange) -> BoxFuture<'_, Result<Vec<Vec<u8>>, TcpError>> {
        self.world.tcp(exchange)
    }

    fn host_name(&self) -> String {
        self.world.host_name()
    }

    /// An alert's first line and the rest are two entries of ElastAlert's log.
    fn print(&self, text: &str) -> std::io::Result<()> {
        match text.split_once('\n') {
            Some((head, body)) if !body.is_empty() => {
                self.console.info(head);
                self.console.info(body);
            }
            _ => self.console.info(text),
        }
        Ok(())
    }
}
