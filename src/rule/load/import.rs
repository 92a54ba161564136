//! Rule files and what they import.

use crate::config::{Data, Environment, Mapping, Node, Problem, Span, read_yaml};
use std::path::Path;
use std::sync::Arc;

/// A rule's options as written, imports included.
pub(super) struct Written {
    /// The options.
    pub(super) options: Mapping,
    /// Where problems without a better place are shown: the whole rule.
    pub(super) place: Span,
}

/// Reads a rule file with its imports. `files` gets every file read; `None` comes with an error.
///
/// A file's own options win over imported ones, later imports over earlier ones; `filter` lists add up, the imported clauses first.
pub(super) fn read(
    path: &Arc<Path>,
    environment: Environment<'_>,
    problems: &mut Vec<Problem>,
    files: &mut Vec<Arc<Path>>,
) -> Option<Written> {
    let mut reader = Reader {
        root: path,
        environment,
        problems,
        files,
        chain: vec![Arc::clone(path)],
        options: Mapping::default(),
    };
    let node = reader.file(path)?;
    let place = Span {
        end: node.span.start,
        ..node.span.clone()
    };
    reader.merge(path, node)?;
    Some(Written {
        options: reader.options,
        place,
    })
}

struct Reader<'a> {
    root: &'a Path,
    environment: Environment<'a>,
    problems: &'a mut Vec<Problem>,
    files: &'a mut Vec<Arc<Path>>,
    /// The files that are being read, each imported by the one before.
    chain: Vec<Arc<Path>>,
    /// What was found so far: it wins over what comes later.
    options: Mapping,
}

impl Reader<'_> {
    fn file(&mut self, path: &Arc<Path>) -> Option<Node> {
        self.files.push(Arc::clone(path));
        let (node, problems) = read_yaml(Arc::clone(path), self.environment);
        self.problems.extend(problems);
        let node = node?;
        if node.as_map().is_none() {
            let message = format!("a rule is an object, found {}", node.kind_name());
            self.problems
                .push(Problem::error("E0107", &node.span, message));
            return None;
        }
        Some(node)
    }

    fn merge(&mut self, path: &Path, node: Node) -> Option<()> {
        let Data::Map(mut loaded) = node.data else {
            return None;
        };
        let imports = take(&mut loaded, "import");
        for (key, value) in loaded.0 {
            match self
                .options
                .0
                .iter_mut()
                .find(|(known, _)| known.is_same_key(&key))
            {
                None => self.options.0.push((key, value)),
                Some((_, known)) if key.as_str() == Some("filter") => add_clauses(known, value),
                Some(_) => {}
            }
        }
        let paths = match imports {
            None => Vec::new(),
            Some(node) => self.paths(&node)?,
        };
        // The last import is looked at first, so it wins over the ones before it.
        for import in paths.iter().rev() {
            self.import(path, import)?;
        }
        Some(())
    }

    fn paths(&mut self, imports: &Node) -> Option<Vec<Node>> {
        match &imports.data {
            Data::Str(_) => Some(vec![imports.clone()]),
            Data::Seq(items) if items.iter().all(|item| item.as_str().is_some()) => {
                Some(items.clone())
            }
            _ => {
                let message = format!(
                    "`import` takes a path or a list of paths, found {}",
                    imports.kind_name()
                );
                self.problems
                    .push(Problem::error("E0701", &imports.span, message));
                None
            }
        }
    }

    fn import(&mut self, from: &Path, import: &Node) -> Option<()> {
        let written = Path::new(import.as_str()?);
        let beside = |file: &Path| file.parent().unwrap_or(Path::new("")).join(written);
        // ElastAlert looks beside the rule, also for what an imported file imports; beside that file is what most people expect.
        let candidates = [beside(self.root), beside(from)];
        let found = candidates.iter().find(|path| crate::config::is_file(path));
        let Some(path) = found.map(|path| Arc::from(path.as_path())) else {
            let tried = candidates
                .first()
                .map(|path| path.display().to_string())
                .unwrap_or_default();
            self.problems.push(
                Problem::error(
                    "E0702",
                    &import.span,
                    format!("the imported file {tried} does not exist"),
                )
                .help("imports are looked for beside the rule"),
            );
            return None;
        };
        if self.chain.contains(&path) {
            let message = format!("{} imports itself", path.display());
            self.problems.push(
                Problem::error("E0703", &import.span, message).help("remove one of the imports"),
            );
            return None;
        }
        let node = self.file(&path)?;
        self.chain.push(Arc::clone(&path));
        self.merge(&path, node)?;
        self.chain.pop();
        Some(())
    }
}

fn take(options: &mut Mapping, name: &str) -> Option<Node> {
    let at = options
        .0
        .iter()
        .position(|(key, _)| key.as_str() == Some(name))?;
    Some(options.0.remove(at).1)
}

/// Puts imported clauses before the ones there are. What is no list is reported when the options are checked.
fn add_clauses(known: &mut Node, imported: Node) {
    if let (Data::Seq(clauses), Data::Seq(mut all)) = (&mut known.data, imported.data) {
        all.append(clauses);
        *clauses = all;
    }
}
