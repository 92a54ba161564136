//! Reading files: the one place where rules and configuration touch the disk.

use super::{Environment, Node, Problem, SourceFile, Span, yaml};
use std::path::Path;
use std::sync::Arc;

/// Reads a text file.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub fn read(path: &Path) -> Result<Arc<SourceFile>, Problem> {
    let nowhere = || {
        Span::of_file(&Arc::new(SourceFile {
            path: path.to_owned(),
            text: String::new(),
        }))
    };
    let bytes = std::fs::read(path)
        .map_err(|error| Problem::error("E0101", &nowhere(), format!("cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Problem::error(
            "E0102",
            &nowhere(),
            format!("not UTF-8 text: byte {at} belongs to no character"),
        )
        .help("save the file as UTF-8")
    })?;
    Ok(Arc::new(SourceFile {
        path: path.to_owned(),
        text,
    }))
}

/// Reads a YAML file as ElastAlert does: variables put in, then PyYAML's `FullLoader`.
pub fn read_yaml(path: &Path, environment: Environment<'_>) -> (Option<Node>, Vec<Problem>) {
    match read(path) {
        Ok(file) => yaml::parse(&file, Some(environment)),
        Err(problem) => (None, vec![problem]),
    }
}
