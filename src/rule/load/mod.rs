//! From rule files to rules: what ElastAlert's loader makes of them, with every problem reported at once.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html>. Differences: a rule with an error is left out, the others run; a
//! misspelt option gets a warning; a default in the configuration counts for `realert` and durations too.

mod build;
mod field_mapping;
mod fingerprint;
mod import;
mod known;
mod list_filter;
pub mod options;
mod references;
mod rule_type;
#[cfg(test)]
mod tests;

pub use fingerprint::Edit;

use super::{Rule, types};
use crate::config::{
    Environment, Node, OptionSpec, Problem, Properties, Service, Span, yaml_files,
};
use crate::event::python;
use crate::filter::Mapping;
use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What rules are loaded with.
#[derive(Clone, Copy)]
pub struct Loader<'a> {
    /// The configuration: rules take from it what they lack.
    pub service: &'a Service,
    /// Environment variables.
    pub environment: Environment<'a>,
    /// The directory that `!file` lists are relative to.
    pub working_directory: &'a Path,
    /// How fields are typed.
    pub mapping: &'a Mapping,
    /// Options of any rule's texts, checked with the rule's own.
    pub text_options: &'a [&'a [OptionSpec]],
    /// Options of all alerters; an alerter checks its own.
    pub alerter_options: &'a [&'a [OptionSpec]],
}

/// Rules, and what is to be said about them.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The rules that can run, in the order of their files' names.
    pub rules: Vec<Arc<Rule>>,
    /// Rules with `is_enabled: false`.
    pub disabled: Vec<Disabled>,
    /// Everything wrong or worth knowing; a rule with an error is not among the rules.
    pub problems: Vec<Problem>,
    /// The files of rules that cannot run, with their options: what else is wrong with those can still be said.
    pub broken: Vec<(PathBuf, Properties)>,
    /// Every file that was read or should have been: rules, imports, lists.
    pub files: Vec<PathBuf>,
}

/// A rule that is switched off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
}

/// What becomes of rules with `is_enabled: false`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SwitchedOff {
    Disabled,
    Loaded,
}

impl Loader<'_> {
    /// Loads the rules of the configured folders.
    pub fn folders(&self) -> Loaded {
        let (mut files, mut problems) = (Vec::new(), Vec::new());
        for folder in &self.service.rules_folders {
            match yaml_files(folder, self.service.scan_subdirectories) {
                Ok(found) => files.extend(found),
                Err(problem) => problems.push(problem),
            }
        }
        let mut loaded = self.files(&files);
        problems.append(&mut loaded.problems);
        loaded.problems = problems;
        loaded
    }

    /// Loads rule files, whatever their names end in.
    pub fn files(&self, files: &[PathBuf]) -> Loaded {
        self.each(files, SwitchedOff::Disabled)
    }

    /// Loads one rule file, also when `is_enabled` says that it is not to run.
    pub fn to_test(&self, file: &Path) -> Loaded {
        self.each(&[file.to_owned()], SwitchedOff::Loaded)
    }

    /// A rule that no event reaches, for alerts of the program itself: with these options beside those of the configuration.
    /// `None`: an option is wrong, which the problems say.
    pub fn of_the_program(&self, options: crate::config::Mapping) -> (Option<Rule>, Vec<Problem>) {
        let place = options.0.first().map(|(_, value)| value.span.clone());
        let written = import::Written {
            options,
            place: place.unwrap_or_else(Span::nowhere),
        };
        let file = self.service.file.clone().unwrap_or_default();
        let (rule, mut problems) = build::build(self, &file, &written, &build::ForAll::of(self));
        problems.retain(Problem::is_error);
        (rule.ok(), problems)
    }

    /// Loads files on all processors; what is said of them is in the files' order all the same.
    fn each(&self, files: &[PathBuf], switched_off: SwitchedOff) -> Loaded {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let part = files.len().div_ceil(threads).max(1);
        let common = build::ForAll::of(self);
        let load = |files: &[PathBuf]| -> (Vec<FromFile>, Vec<PathBuf>) {
            let mut read = Vec::with_capacity(files.len());
            let loaded = files
                .iter()
                .map(|file| self.file(file, switched_off, &common, &mut read))
                .collect();
            (loaded, read)
        };
        let parts = std::thread::scope(|scope| {
            let mut parts = files.chunks(part);
            let first = parts.next().unwrap_or_default();
            let others: Vec<_> = parts.map(|part| scope.spawn(|| load(part))).collect();
            let mut done = vec![load(first)];
            for other in others {
                let other = other.join();
                done.push(other.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            done
        });
        let mut loaded = Loaded::default();
        let mut names = HashMap::new();
        let mut paths = files.iter();
        for (from_files, read) in parts {
            loaded.files.extend(read);
            for (from_file, path) in from_files.into_iter().zip(&mut paths) {
                loaded.add(path, from_file, &mut names);
            }
        }
        // A default in the configuration, or an import, is wrong once, not once per rule.
        let mut seen = HashSet::new();
        loaded.problems.retain(|problem| {
            let place = (problem.span.path().to_owned(), problem.span.start);
            seen.insert((place, problem.message.clone()))
        });
        loaded
    }

    /// Loads a file; `files` gets every file that is read for it or should be.
    fn file(
        &self,
        path: &Path,
        switched_off: SwitchedOff,
        common: &build::ForAll,
        files: &mut Vec<PathBuf>,
    ) -> FromFile {
        let mut problems = Vec::new();
        let mut content = Content::Nothing;
        if let Some(written) = import::read(path, self.environment, &mut problems, files) {
            files.extend(types::list_files(&written.options, self.working_directory));
            let name = disabled(&written.options, path);
            content = match name.filter(|_| switched_off == SwitchedOff::Disabled) {
                Some(name) => Content::Disabled(name),
                None => {
                    let (rule, found) = build::build(self, path, &written, common);
                    problems.extend(found);
                    match rule {
                        // A test runs at any hour, as elastalert-test-rule does.
                        Ok(rule) if switched_off == SwitchedOff::Loaded => {
                            Content::Rule(Arc::new(Rule {
                                hours: None,
                                ..rule
                            }))
                        }
                        Ok(rule) => Content::Rule(Arc::new(rule)),
                        Err(options) => Content::Broken(options),
                    }
                }
            };
        }
        FromFile { content, problems }
    }
}

/// What was read from a rule file.
struct FromFile {
    content: Content,
    problems: Vec<Problem>,
}

/// What a rule file holds.
enum Content {
    Rule(Arc<Rule>),
    /// A rule that cannot run.
    Broken(Properties),
    /// A rule that is switched off, by name.
    Disabled(String),
    /// It cannot be read.
    Nothing,
}

impl Loaded {
    /// Adds what a file holds; `names` are those of the rules so far, with their places in the list.
    fn add(&mut self, path: &Path, from_file: FromFile, names: &mut HashMap<String, usize>) {
        self.problems.extend(from_file.problems);
        let rule = match from_file.content {
            Content::Rule(rule) => rule,
            Content::Broken(options) => return self.broken.push((path.to_owned(), options)),
            Content::Disabled(name) => {
                let file = path.to_owned();
                return self.disabled.push(Disabled { name, file });
            }
            Content::Nothing => return,
        };
        let known = names.get(&rule.name).and_then(|at| self.rules.get(*at));
        if let Some(other) = known {
            let message = format!("two rules are called `{}`", rule.name);
            let problem = Problem::error("E0704", &name_place(&rule), message)
                .related(&name_place(other), "the other one is here, and runs")
                .help("give it another `name`");
            self.problems.push(problem);
            return;
        }
        names.insert(rule.name.clone(), self.rules.len());
        self.rules.push(rule);
    }
}

/// Where a rule's name is written, else its type.
fn name_place(rule: &Rule) -> Span {
    let written = |name| {
        let node = rule.options.get(name);
        node.map(|node| node.span)
            .filter(|span| !span.path().as_os_str().is_empty())
    };
    written("name")
        .or_else(|| written("type"))
        .unwrap_or_else(Span::nowhere)
}

/// The name of a rule that is switched off, by Python's idea of truth.
fn disabled(options: &crate::config::Mapping, path: &Path) -> Option<String> {
    let enabled = options.get("is_enabled")?;
    if python::is_truthy(&enabled.to_value()) {
        return None;
    }
    let name = options.get("name").map(Node::key_text);
    Some(name.unwrap_or_else(|| default_name(path)))
}

/// The name of a rule that has none: its file's path without the ending.
fn default_name(path: &Path) -> String {
    path.with_extension("").display().to_string()
}
