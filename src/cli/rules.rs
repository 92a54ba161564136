//! Rules with their alerters: what the engine runs and what deliveries leave through.

use super::field_mapping::field_mappings;
use super::notices::mail_of;
use crate::alert::enhancements::Enhanced;
use crate::alert::{Alert, Preparation, Process, SharedTexts, TopCounts};
use crate::alerter::sending::Outlet;
use crate::alerter::short_links::ShortLinks;
use crate::alerter::{ALERTERS, Build, Exit, Transport, debug_exits, exits, exits_like};
use crate::config::service::Service as Config;
use crate::config::{OptionSpec, Problem, Properties, Span};
use crate::engine::{Prepare, Program, ProgramRule, Seen};
use crate::event::{Document, EventTime, WallTime};
use crate::filter::Mapping;
use crate::rule::load::{self, Disabled};
use crate::rule::{Rule, RuleSet};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The outlets by rule name.
#[derive(Debug, Clone, Default)]
pub(super) struct Outlets(HashTable<Arc<Outlet>>);

impl Outlets {
    fn hash(name: &str) -> u64 {
        FixedState::default().hash_one(name)
    }

    /// The outlet of a rule.
    pub(super) fn get(&self, rule: &str) -> Option<&Arc<Outlet>> {
        self.0
            .find(Self::hash(rule), |outlet| outlet.rule.name == rule)
    }

    /// Adds one, in the place of the rule's former one.
    pub(super) fn insert(&mut self, outlet: Arc<Outlet>) {
        let name = &outlet.rule.name;
        let same = |other: &Arc<Outlet>| other.rule.name == *name;
        let hash = |outlet: &Arc<Outlet>| Self::hash(&outlet.rule.name);
        match self.0.find_mut(Self::hash(name), same) {
            Some(known) => *known = outlet,
            None => _ = self.0.insert_unique(Self::hash(name), outlet, hash),
        }
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Outlet>> {
        self.0.iter()
    }
}

/// What was made of a rule beside itself.
struct Completed {
    /// `None`: it cannot run.
    entry: Option<(Arc<ProgramRule>, Arc<Outlet>)>,
    said: Option<Box<Said>>,
}

/// What is to be known of a rule beside that.
struct Said {
    problems: Vec<Problem>,
    /// The file with its template.
    template: Option<PathBuf>,
    /// See [`mail_of`].
    mail: Option<(String, Vec<String>)>,
}

impl Said {
    fn is_nothing(&self) -> bool {
        self.problems.is_empty() && self.template.is_none() && self.mail.is_none()
    }
}

/// Loads the rules, and loads them again.
#[derive(Clone)]
pub(super) struct Loader {
    /// The configuration.
    pub(super) config: Arc<Config>,
    /// `--rule`: only this file.
    pub(super) only: Option<PathBuf>,
    /// `--debug`: alerts are printed.
    pub(super) debug: bool,
    /// What texts depend on.
    pub(super) process: Process,
    /// What alerters reach the world through.
    pub(super) transport: Arc<dyn Transport>,
}

/// All that was loaded.
pub(super) struct Loaded {
    /// The rules, for deciding.
    pub(super) rules: Arc<RuleSet>,
    /// The rules, for the engine.
    pub(super) program: Arc<Program>,
    /// The rules, for deliveries.
    pub(super) outlets: Outlets,
    /// Rules with `is_enabled: false`.
    pub(super) disabled: Vec<Disabled>,
    /// Whether the log lists them (`show_disabled_rules`).
    pub(super) show_disabled: bool,
    /// Everything wrong or worth knowing.
    pub(super) problems: Vec<Problem>,
    /// Every file that was read or should have been: rules, imports, lists, templates.
    pub(super) files: Vec<Arc<Path>>,
}

/// The rules that run, to fall back on.
pub(super) struct Running {
    /// Counts reloads.
    pub(super) generation: u64,
    rules: Vec<(Arc<ProgramRule>, Arc<Outlet>)>,
}

impl Loaded {
    /// The rules, to fall back on when a later version of one cannot be loaded.
    pub(super) fn running(&self) -> Running {
        let rules = self.program.rules.iter().filter_map(|entry| {
            let outlet = self.outlets.get(&entry.rule.name)?;
            Some((Arc::clone(entry), Arc::clone(outlet)))
        });
        Running {
            generation: self.program.generation,
            rules: rules.collect(),
        }
    }

    /// Lets rules whose file is still there, but cannot be loaded any more, go on as they were. Their names.
    pub(super) fn keep_broken(&mut self, running: &Running) -> Vec<String> {
        let loaded = |file: &Path| {
            self.rules.rules.iter().any(|rule| *rule.file == *file)
                || self.disabled.iter().any(|rule| rule.file == file)
        };
        let kept: Vec<_> = running
            .rules
            .iter()
            .filter(|(entry, _)| self.files.contains(&entry.rule.file) && !loaded(&entry.rule.file))
            .filter(|(entry, _)| self.outlets.get(&entry.rule.name).is_none())
            .cloned()
            .collect();
        if kept.is_empty() {
            return Vec::new();
        }
        let generation = self.program.generation;
        let mut entries = self.program.rules.clone();
        for (entry, outlet) in &kept {
            entries.push(Arc::clone(entry));
            self.outlets.insert(Arc::clone(outlet));
        }
        let rules = entries
            .iter()
            .map(|entry| Arc::clone(&entry.rule))
            .collect();
        self.rules = Arc::new(RuleSet { generation, rules });
        let notices = self.program.notices.clone();
        self.program = Arc::new(Program::new(generation, entries).with_notices(notices));
        kept.into_iter()
            .map(|(entry, _)| entry.rule.name.clone())
            .collect()
    }
}

/// The environment, as configuration and rules see it.
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The options of every alerter.
pub(super) fn alerter_options() -> Vec<&'static [OptionSpec]> {
    ALERTERS.iter().map(|entry| entry.options).collect()
}

impl Loader {
    /// Loads the rules of the folders, or the one rule of `--rule`.
    pub(super) fn load(&self, generation: u64) -> Loaded {
        let loaded = self.read_completing(|loader, complete| match &self.only {
            Some(file) => loader.files_with(&[self.find(file)], complete),
            None => loader.folders(complete),
        });
        self.join(loaded, generation)
    }

    /// Loads these files.
    pub(super) fn load_files(&self, files: &[PathBuf]) -> Loaded {
        let loaded = self.read_completing(|loader, complete| loader.files_with(files, complete));
        self.join(loaded, 0)
    }

    /// Loads the rule of a file for a test: it may be switched off.
    pub(super) fn load_to_test(&self, file: &Path) -> Loaded {
        let file = self.find(file);
        let loaded = self.read_completing(|loader, complete| loader.to_test(&file, complete));
        let mut loaded = self.join(loaded, 0);
        // Nobody is told of the errors of a test.
        if let Some(program) = Arc::get_mut(&mut loaded.program) {
            program.notices = None;
        }
        loaded
    }

    /// Reads rules, each with its alerters.
    fn read_completing(
        &self,
        read: impl FnOnce(&load::Loader<'_>, load::Complete<'_, Completed>) -> load::Loaded<Completed>,
    ) -> load::Loaded<Completed> {
        let texts = SharedTexts::default();
        let complete = |rule: &_, options: &_| self.complete(rule, options, &texts);
        self.read(|loader| read(loader, &complete))
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&load::Loader<'_>) -> T) -> T {
        let mut service = (*self.config).clone();
        service.field_mappings = field_mappings(service.elasticsearch.clone());
        read(&load::Loader {
            service: &service,
            environment: &environment,
            working_directory: &self.process.working_directory,
            mapping: &Mapping::default(),
            text_options: crate::alert::OPTIONS,
            alerter_options: &alerter_options(),
        })
    }

    /// ElastAlert's `--rule` names a file in the rules folder; a path from here works as well.
    pub(super) fn find(&self, file: &Path) -> PathBuf {
        let in_folders = self
            .config
            .rules_folders
            .iter()
            .map(|folder| folder.join(file));
        std::iter::once(file.to_owned())
            .chain(in_folders)
            .find(|path| path.is_file())
            .unwrap_or_else(|| file.to_owned())
    }

    /// Gives a rule its alerters; a rule whose alerters cannot be made does not run.
    fn complete(&self, rule: &Arc<Rule>, options: &Properties, texts: &SharedTexts) -> Completed {
        let mut problems = Vec::new();
        let exits = self.outlet(rule, options, texts, &mut problems);
        let said = Said {
            template: self.template_file(options),
            mail: mail_of(options),
            problems,
        };
        let entry = exits.map(|(outlet, preparation)| {
            let outlet = Arc::new(outlet);
            let entry = Arc::new(ProgramRule {
                rule: Arc::clone(rule),
                alerters: outlet.exits.iter().map(Exit::facts).collect(),
                enhance_first: preparation.run_enhancements_first,
                match_in_root: preparation.include_match_in_root,
                prepare: Arc::new(Preparing {
                    preparation,
                    outlet: Arc::clone(&outlet),
                }),
            });
            (entry, outlet)
        });
        Completed {
            entry,
            said: (!said.is_nothing()).then(|| Box::new(said)),
        }
    }

    fn template_file(&self, options: &Properties) -> Option<PathBuf> {
        let template = options.text("jinja_template_path")?;
        Some(self.process.working_directory.join(template))
    }

    /// All rules that can run, in their order, and what is to be said about all.
    fn join(&self, loaded: load::Loaded<Completed>, generation: u64) -> Loaded {
        let (mut problems, mut files) = (loaded.problems, loaded.files);
        let mut mail = HashMap::new();
        for (file, options) in &loaded.broken {
            let (_, found) = exits(options, &self.build(options, file), &self.process);
            problems.extend(found.into_iter().filter(Problem::is_error));
            files.extend(self.template_file(options).map(Arc::from));
        }
        let count = loaded.rules.len();
        let (mut rules, mut program) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut outlets = Outlets::default();
        for (rule, completed) in loaded.rules.into_iter().zip(loaded.completed) {
            if let Some(said) = completed.said {
                files.extend(said.template.map(Arc::from));
                problems.extend(said.problems);
                mail.extend(said.mail.filter(|_| completed.entry.is_some()));
            }
            if let Some((entry, outlet)) = completed.entry {
                program.push(entry);
                outlets.insert(outlet);
                rules.push(rule);
            }
        }
        let broken = loaded.broken.iter();
        mail.extend(broken.filter_map(|(_, options)| mail_of(options)));
        let notices = self.notices(mail, &mut problems);
        let notices = notices.map(|(notices, outlet)| {
            outlets.insert(outlet);
            notices
        });
        let program = Program::new(generation, program).with_notices(notices);
        Loaded {
            rules: Arc::new(RuleSet { generation, rules }),
            program: Arc::new(program),
            outlets,
            disabled: loaded.disabled,
            show_disabled: self.config.show_disabled_rules,
            problems,
            files,
        }
    }

    /// What alerters are built with.
    pub(super) fn build(&self, options: &Properties, file: &Path) -> Build {
        let named = options.get("alert").or_else(|| options.get("type"));
        Build {
            span: named.map_or_else(Span::nowhere, |node| node.span.clone()),
            rule_file: file.into(),
            working_directory: self.process.working_directory.clone(),
            transport: Arc::clone(&self.transport),
        }
    }

    fn outlet(
        &self,
        rule: &Arc<Rule>,
        options: &Properties,
        texts: &SharedTexts,
        problems: &mut Vec<Problem>,
    ) -> Option<(Outlet, Arc<Preparation>)> {
        let build = self.build(options, &rule.file);
        let (mut exits, found) = exits_like(options, &build, &self.process, texts);
        let usable = !found.iter().any(Problem::is_error);
        problems.extend(found);
        let preparation = texts
            .preparation(options, &self.process)
            .map_err(|found| problems.extend(found))
            .ok()?;
        problems.extend(preparation.warnings.iter().cloned());
        let mut short_links = ShortLinks::new(&preparation, &self.transport);
        if self.debug {
            exits = debug_exits(&exits, &build);
            // Nobody is asked for anything.
            short_links = None;
        }
        usable.then(|| {
            (
                Outlet {
                    rule: Arc::clone(rule),
                    exits,
                    short_links,
                },
                preparation,
            )
        })
    }
}

/// A rule's steps before an alert.
pub(super) struct Preparing {
    pub(super) preparation: Arc<Preparation>,
    pub(super) outlet: Arc<Outlet>,
}

impl Prepare for Preparing {
    fn enhance(&self, matched: &mut Document) -> (bool, Vec<String>) {
        let (enhanced, errors) = self.preparation.enhance(matched);
        (enhanced == Enhanced::Kept, errors)
    }

    fn prepare(&self, rule: &Rule, matches: &mut Vec<Document>, seen: &Seen) -> Vec<String> {
        self.preparation
            .run(rule, matches, &SeenByRule(seen))
            .errors
    }

    fn alert_info(&self, rule: &Rule, matches: &[Document], now: WallTime) -> Document {
        let Some(exit) = self.outlet.exits.first() else {
            return Document::new();
        };
        exit.info(&Alert {
            id: "",
            rule,
            template: &exit.template,
            matches,
            time: now,
            now,
            ticket: None,
        })
    }
}

/// What a rule has seen lately, as what `top_count_keys` counts. All of it has passed the rule's filter.
struct SeenByRule<'a>(&'a Seen);

impl TopCounts for SeenByRule<'_> {
    fn visit(
        &self,
        _rule: &Rule,
        after: EventTime,
        until: EventTime,
        visitor: &mut dyn FnMut(&Document),
    ) {
        let around = self
            .0
            .iter()
            .filter(|(time, _)| *time > after && *time <= until);
        around.for_each(|(_, fields)| visitor(fields));
    }
}
