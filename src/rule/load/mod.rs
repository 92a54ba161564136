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
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::collections::HashSet;
use std::hash::BuildHasher as _;
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

/// What else is made of a rule while its options are at hand; on all processors.
pub type Complete<'a, T> = &'a (dyn Fn(&Arc<Rule>, &Properties) -> T + Sync);

/// Rules, and what is to be said about them.
#[derive(Debug)]
pub struct Loaded<T = ()> {
    /// The rules that can run, in the order of their files' names.
    pub rules: Vec<Arc<Rule>>,
    /// What was made of each.
    pub completed: Vec<T>,
    /// Rules with `is_enabled: false`.
    pub disabled: Vec<Disabled>,
    /// Everything wrong or worth knowing; a rule with an error is not among the rules.
    pub problems: Vec<Problem>,
    /// The files of rules that cannot run, with their options: what else is wrong with those can still be said.
    pub broken: Vec<(PathBuf, Properties)>,
    /// Every file that was read or should have been: rules, imports, lists.
    pub files: Vec<Arc<Path>>,
}

impl<T> Default for Loaded<T> {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            completed: Vec::new(),
            disabled: Vec::new(),
            problems: Vec::new(),
            broken: Vec::new(),
            files: Vec::new(),
        }
    }
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
    pub fn folders<T: Send>(&self, complete: Complete<'_, T>) -> Loaded<T> {
        let (mut files, mut problems) = (Vec::new(), Vec::new());
        for folder in &self.service.rules_folders {
            match yaml_files(folder, self.service.scan_subdirectories) {
                Ok(found) => files.extend(found),
                Err(problem) => problems.push(problem),
            }
        }
        let mut loaded = self.files_with(&files, complete);
        problems.append(&mut loaded.problems);
        loaded.problems = problems;
        loaded
    }

    /// Loads rule files, whatever their names end in.
    pub fn files(&self, files: &[PathBuf]) -> Loaded {
        self.files_with(files, &|_, _| ())
    }

    /// The same, and makes something of each rule.
    pub fn files_with<T: Send>(&self, files: &[PathBuf], complete: Complete<'_, T>) -> Loaded<T> {
        self.each(files, SwitchedOff::Disabled, complete)
    }

    /// Loads one rule file, also when `is_enabled` says that it is not to run.
    pub fn to_test<T: Send>(&self, file: &Path, complete: Complete<'_, T>) -> Loaded<T> {
        self.each(&[file.to_owned()], SwitchedOff::Loaded, complete)
    }

    /// A rule that no event reaches, for alerts of the program itself: with these options beside those of the configuration.
    /// `None`: an option is wrong, which the problems say.
    pub fn of_the_program(&self, options: crate::config::Mapping) -> (Option<Rule>, Vec<Problem>) {
        let place = options.0.first().map(|(_, value)| value.span.clone());
        let written = import::Written {
            options,
            place: place.unwrap_or_else(Span::nowhere),
        };
        let file = self.service.file.as_deref().unwrap_or(Path::new("")).into();
        let (rule, mut problems) = build::build(self, &file, written, &build::ForAll::of(self));
        problems.retain(Problem::is_error);
        (rule.ok().map(|(rule, _)| rule), problems)
    }

    /// Loads files on all processors; what is said of them is in the files' order all the same.
    fn each<T: Send>(
        &self,
        files: &[PathBuf],
        switched_off: SwitchedOff,
        complete: Complete<'_, T>,
    ) -> Loaded<T> {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let part = files.len().div_ceil(threads).max(1);
        let common = build::ForAll::of(self);
        let load = |files: &[PathBuf]| -> (Vec<FromFile<T>>, Vec<Arc<Path>>) {
            let mut read = Vec::with_capacity(files.len());
            let loaded = files
                .iter()
                .map(|file| {
                    let (content, problems) = self.file(file, switched_off, &common, &mut read);
                    let content = match content {
                        Content::Rule((rule, properties)) => {
                            let completed = complete(&rule, &properties);
                            Content::Rule((rule, completed))
                        }
                        Content::Broken(properties) => Content::Broken(properties),
                        Content::Disabled(name) => Content::Disabled(name),
                        Content::Nothing => Content::Nothing,
                    };
                    FromFile { content, problems }
                })
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
        let mut loaded = Loaded {
            rules: Vec::with_capacity(files.len()),
            completed: Vec::with_capacity(files.len()),
            files: Vec::with_capacity(files.len()),
            ..Loaded::default()
        };
        let mut names = HashTable::new();
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
        files: &mut Vec<Arc<Path>>,
    ) -> (Content<Properties>, Vec<Problem>) {
        let path: Arc<Path> = path.into();
        let mut problems = Vec::new();
        let Some(written) = import::read(&path, self.environment, &mut problems, files) else {
            return (Content::Nothing, problems);
        };
        let lists = types::list_files(&written.options, self.working_directory);
        files.extend(lists.into_iter().map(Arc::from));
        let name = disabled(&written.options, &path);
        if let Some(name) = name.filter(|_| switched_off == SwitchedOff::Disabled) {
            return (Content::Disabled(name), problems);
        }
        let (rule, found) = build::build(self, &path, written, common);
        problems.extend(found);
        let content = match rule {
            Ok((mut rule, properties)) => {
                if switched_off == SwitchedOff::Loaded {
                    // A test runs at any hour, as elastalert-test-rule does.
                    rule.hours = None;
                }
                Content::Rule((Arc::new(rule), properties))
            }
            Err(options) => Content::Broken(options),
        };
        (content, problems)
    }
}

/// What was read from a rule file.
struct FromFile<T> {
    content: Content<T>,
    problems: Vec<Problem>,
}

/// What a rule file holds.
enum Content<T> {
    Rule((Arc<Rule>, T)),
    /// A rule that cannot run.
    Broken(Properties),
    /// A rule that is switched off, by name.
    Disabled(String),
    /// It cannot be read.
    Nothing,
}

impl<T> Loaded<T> {
    /// Adds what a file holds; `names` are the places of the rules so far in the list, by name.
    fn add(&mut self, path: &Path, from_file: FromFile<T>, names: &mut HashTable<usize>) {
        self.problems.extend(from_file.problems);
        let (rule, completed) = match from_file.content {
            Content::Rule(rule) => rule,
            Content::Broken(options) => return self.broken.push((path.to_owned(), options)),
            Content::Disabled(name) => {
                let file = path.to_owned();
                return self.disabled.push(Disabled { name, file });
            }
            Content::Nothing => return,
        };
        let hashes = FixedState::default();
        let name_of = |at: &usize| self.rules.get(*at).map_or("", |rule| rule.name.as_str());
        let hash = |at: &usize| hashes.hash_one(name_of(at));
        let own = hashes.hash_one(rule.name.as_str());
        let entry = names.entry(own, |at| name_of(at) == rule.name, hash);
        if let Entry::Occupied(known) = &entry
            && let Some(other) = self.rules.get(*known.get())
        {
            let message = format!("two rules are called `{}`", rule.name);
            let problem = Problem::error("E0704", &name_place(&rule), message)
                .related(&name_place(other), "the other one is here, and runs")
                .help("give it another `name`");
            self.problems.push(problem);
            return;
        }
        entry.insert(self.rules.len());
        self.rules.push(rule);
        self.completed.push(completed);
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
