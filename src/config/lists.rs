//! Lists kept in files of their own, which rules refer to with `!file PATH`.

use std::path::Path;

/// The lines of a list file without white space at their ends. An empty line is an empty entry.
///
/// # Errors
/// The file cannot be read as text.
pub fn read_list(path: &Path) -> std::io::Result<Vec<String>> {
    let text = std::fs::read_to_string(path)?;
    Ok(text
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect())
}
