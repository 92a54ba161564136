//! Command lines as Python's argparse reads them, on top of clap.
//!
//! Long options may be shortened while unambiguous (clap's `infer_long_args`), and underscores and dashes in their names are the same.

use std::ffi::OsString;
use std::path::Path;

/// The programs the binary can be called as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `tripline`, with subcommands.
    Tripline,
    /// `elastalert`: `tripline run`.
    ElastAlert,
    /// `elastalert-test-rule`: `tripline test-rule`.
    TestRule,
    /// `elastalert-create-index`: `tripline create-index`.
    CreateIndex,
}

impl Program {
    /// The program named by `argv[0]`.
    pub fn of(argv0: &Path) -> Self {
        match argv0.file_stem().and_then(|name| name.to_str()) {
            Some("elastalert") => Self::ElastAlert,
            Some("elastalert-test-rule") => Self::TestRule,
            Some("elastalert-create-index") => Self::CreateIndex,
            _ => Self::Tripline,
        }
    }

    /// The subcommand it stands for.
    fn subcommand(self) -> Option<&'static str> {
        match self {
            Self::Tripline => None,
            Self::ElastAlert => Some("run"),
            Self::TestRule => Some("test-rule"),
            Self::CreateIndex => Some("create-index"),
        }
    }
}

/// The command line as clap is to see it: the subcommand in its place, option names with dashes.
pub fn normalise(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args = args.into_iter();
    let argv0 = args.next().unwrap_or_else(|| "tripline".into());
    let program = Program::of(Path::new(&argv0));
    let mut rest: Vec<OsString> = args.map(dashed).collect();
    let first = rest.first().and_then(|arg| arg.to_str());
    let subcommand = match program.subcommand() {
        Some(subcommand) => Some(subcommand),
        None if first.is_none_or(|arg| {
            arg.starts_with('-') && !matches!(arg, "-h" | "--help" | "-V" | "--version")
        }) =>
        {
            Some("run")
        }
        None => None,
    };
    if let Some(subcommand) = subcommand {
        rest.insert(0, subcommand.into());
    }
    rest.insert(0, "tripline".into());
    rest
}

/// `--silence_qk_value=a_b` as `--silence-qk-value=a_b`.
fn dashed(arg: OsString) -> OsString {
    let Some(text) = arg.to_str().filter(|text| text.starts_with("--")) else {
        return arg;
    };
    let (name, value) = text.split_at(text.find('=').unwrap_or(text.len()));
    if name.contains('_') {
        format!("{}{value}", name.replace('_', "-")).into()
    } else {
        arg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(args: &[&str], expected: &[&str]) {
        let normalised = normalise(args.iter().map(OsString::from));
        assert_eq!(
            normalised,
            expected.iter().map(OsString::from).collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_name_of_the_program_chooses_the_command() {
        check(
            &["/usr/bin/elastalert", "--silence_qk_value=a_b"],
            &["tripline", "run", "--silence-qk-value=a_b"],
        );
        check(
            &["elastalert-test-rule", "r_1.yaml", "--stop_error"],
            &["tripline", "test-rule", "r_1.yaml", "--stop-error"],
        );
        check(&["tripline"], &["tripline", "run"]);
        check(&["tripline", "--stdin"], &["tripline", "run", "--stdin"]);
        check(
            &["tripline", "check", "rules"],
            &["tripline", "check", "rules"],
        );
        check(&["tripline", "--version"], &["tripline", "--version"]);
    }
}
