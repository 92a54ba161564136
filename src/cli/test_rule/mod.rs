//! `tripline test-rule`, also called as `elastalert-test-rule`: one rule over events, once.

use std::path::PathBuf;

/// The flags, by elastalert2's names.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The rule's file
    pub(super) file: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<i32> {
    anyhow::bail!("{}: not built yet", args.file.display())
}
