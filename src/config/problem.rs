//! Problems found in files, with the place they were found at.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, LazyLock, OnceLock};

/// A file's text as it was read, to show the lines a problem is about.
pub struct SourceFile {
    /// The path as the user would write it.
    pub path: Arc<Path>,
    text: OnceLock<String>,
}

impl SourceFile {
    /// A file with this text.
    pub fn new(path: impl Into<Arc<Path>>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: OnceLock::from(text.into()),
        }
    }

    /// A file whose text was let go of: it is read once more when somebody wants to see a place in it.
    pub fn again(path: Arc<Path>) -> Self {
        Self {
            path,
            text: OnceLock::new(),
        }
    }

    /// The text before environment variables were put in: what the user sees in an editor. Empty when the file can be read no more.
    pub fn text(&self) -> &str {
        let read = || super::file::text(&self.path).unwrap_or_default();
        self.text.get_or_init(read)
    }
}

/// Without the text: passwords may stand in it.
impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

/// A range of bytes in a file's own text.
#[derive(Debug, Clone)]
pub struct Span {
    /// The file.
    pub file: Arc<SourceFile>,
    /// First byte.
    pub start: usize,
    /// One past the last byte; never less than `start`.
    pub end: usize,
}

impl Span {
    /// The span of a whole file, for problems that have no better place.
    pub fn of_file(file: &Arc<SourceFile>) -> Self {
        Self {
            file: Arc::clone(file),
            start: 0,
            end: 0,
        }
    }

    /// A span in no file: for values made by the program itself.
    pub fn nowhere() -> Self {
        static NOWHERE: LazyLock<Arc<SourceFile>> =
            LazyLock::new(|| Arc::new(SourceFile::new(Path::new(""), "")));
        Self::of_file(&NOWHERE)
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Line and column of the start, both counted from 1; the column counts characters.
    pub fn line_column(&self) -> (usize, usize) {
        let text = self.file.text();
        let mut start = self.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let (before, _) = text.split_at(start);
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        (line, column)
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is lost.
    Note,
    /// Accepted, but most likely not what was meant.
    Warning,
    /// The rule or configuration cannot be used.
    Error,
}

/// Something wrong in a file, in words that help to mend it.
#[derive(Debug, Clone)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Stable code such as `E0103`, listed in `docs/problems.md`.
    pub code: &'static str,
    /// Where.
    pub span: Span,
    /// What was found and what is allowed; lower case, no full stop.
    pub message: String,
    /// What to do about it, if there is something to say.
    pub help: Option<String>,
    /// A second place that belongs to it (`first defined here`).
    pub related: Option<Box<(Span, String)>>,
}

impl Problem {
    /// An error at `span`.
    pub fn error(code: &'static str, span: &Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            span: span.clone(),
            message: message.into(),
            help: None,
            related: None,
        }
    }

    /// A warning at `span`.
    pub fn warning(code: &'static str, span: &Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, span, message)
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a second place.
    #[must_use]
    pub fn related(mut self, span: &Span, label: impl Into<String>) -> Self {
        self.related = Some(Box::new((span.clone(), label.into())));
        self
    }

    /// Whether the file can still be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// One line, for logs: `rules/a.yaml:3:7: error[E0103]: message (help)`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        if !self.span.path().as_os_str().is_empty() {
            let (line, column) = self.span.line_column();
            write!(f, "{}:{line}:{column}: ", self.span.path().display())?;
        }
        write!(f, "{severity}[{}]: {}", self.code, self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}
