//! Standard output, for results.

use std::io::{self, Write as _};

/// Prints a line. A reader that has gone away (`| head`) ends the program quietly, as it does for other tools.
pub(super) fn line(text: &str) {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    if written.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        std::process::exit(super::exit::FINE);
    }
}
