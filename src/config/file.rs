//! Reading files: the one place where rules and configuration touch the disk.

use super::{Environment, Node, Problem, SourceFile, Span, yaml};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads a text file.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub fn read(path: &Path) -> Result<Arc<SourceFile>, Problem> {
    read_shared(&path.into())
}

fn read_shared(path: &Arc<Path>) -> Result<Arc<SourceFile>, Problem> {
    let nowhere = || Span::of_file(&Arc::new(SourceFile::new(Arc::clone(path), "")));
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
    Ok(Arc::new(SourceFile::new(Arc::clone(path), text)))
}

/// The text of a file that was read before.
pub(super) fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Reads a YAML file as ElastAlert does: variables put in, then PyYAML's `FullLoader`.
pub fn read_yaml(
    path: impl Into<Arc<Path>>,
    environment: Environment<'_>,
) -> (Option<Node>, Vec<Problem>) {
    match read_shared(&path.into()) {
        Ok(file) => yaml::parse(&file, Some(environment)),
        Err(problem) => (None, vec![problem]),
    }
}

/// Whether there is such a file.
pub fn is_file(path: &Path) -> bool {
    path.is_file()
}

/// The rule files of a folder, sorted: those whose names end in `.yaml` or `.yml`. Of subfolders those are passed over that begin with
/// `..`: Kubernetes keeps the former contents of a mounted folder there.
///
/// # Errors
/// The folder cannot be read.
pub fn yaml_files(folder: &Path, subfolders: bool) -> Result<Vec<PathBuf>, Problem> {
    let mut found = Vec::new();
    walk(folder, subfolders, &mut HashSet::new(), &mut found).map_err(|error| {
        let span = Span::of_file(&Arc::new(SourceFile::new(folder, "")));
        Problem::error(
            "E0108",
            &span,
            format!("the folder cannot be read: {error}"),
        )
        .help("`rules_folder` names it; relative paths start at the working directory")
    })?;
    found.sort();
    Ok(found)
}

fn walk(
    folder: &Path,
    subfolders: bool,
    seen: &mut HashSet<PathBuf>,
    found: &mut Vec<PathBuf>,
) -> std::io::Result<()> {
    // Links may lead in a circle.
    if !seen.insert(folder.canonicalize()?) {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        // Only of a link it has to be asked what it leads to.
        let known = entry.file_type().ok().filter(|kind| !kind.is_symlink());
        let is_file = known.map_or_else(|| path.is_file(), |kind| kind.is_file());
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if is_file {
            if name.ends_with(".yaml") || name.ends_with(".yml") {
                found.push(path);
            }
        } else if subfolders && path.is_dir() && !name.starts_with("..") {
            walk(&path, subfolders, seen, found)?;
        }
    }
    Ok(())
}
