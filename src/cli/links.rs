//! `tripline links DIR`: symbolic links by which the binary is also `elastalert`, `elastalert-test-rule`, `elastalert-create-index`.

use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// The names the binary answers to beside its own.
const NAMES: [&str; 3] = [
    "elastalert",
    "elastalert-test-rule",
    "elastalert-create-index",
];

/// Makes the links; those that exist and point elsewhere are left alone unless `force`.
///
/// # Errors
/// A link could not be made.
pub(super) fn run(directory: &Path, force: bool) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("where this program is cannot be found out")?;
    std::fs::create_dir_all(directory)
        .with_context(|| format!("{} cannot be made", directory.display()))?;
    for name in NAMES {
        let link = directory.join(name);
        make(&program, &link, force)?;
        super::output::line(&format!("{} -> {}", link.display(), program.display()));
    }
    Ok(())
}

fn make(program: &PathBuf, link: &Path, force: bool) -> anyhow::Result<()> {
    match std::fs::read_link(link) {
        Ok(target) if target == *program => return Ok(()),
        Ok(_) if force => std::fs::remove_file(link)
            .with_context(|| format!("{} cannot be replaced", link.display()))?,
        Ok(target) => anyhow::bail!(
            "{} exists and points to {}; --force replaces it",
            link.display(),
            target.display()
        ),
        Err(_) if link.exists() => anyhow::bail!("{} exists and is no link", link.display()),
        Err(_) => {}
    }
    std::os::unix::fs::symlink(program, link)
        .with_context(|| format!("{} cannot be made", link.display()))
}
