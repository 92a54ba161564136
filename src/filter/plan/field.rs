//! Building plans on fields: by name, by pattern, on everything; known to the mapping or typed by the event.

use super::super::analysis::Analyzer;
use super::super::mapping::{Candidate, Field, Kind, Lookup, Mapping};
use super::super::values::Path;
use super::ranges::FieldError;
use super::words::Built;
use super::{ByEvent, Leaf, Names, Plan, Test, Variant};
use std::collections::HashSet;
use std::mem::discriminant;
use std::sync::{Arc, OnceLock};

/// What a name or pattern in a clause leads to.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Mapped(Arc<Field>),
    /// A member of that name, typed by the event.
    ByEvent(String),
    /// Every member whose name fits and that the mapping does not name.
    LikeByEvent(String),
}

/// What to build on each field.
pub(super) type Build<'b> = &'b dyn Fn(&Arc<Field>) -> Result<Built, FieldError>;

/// Where names are looked up.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) mapping: Arc<Mapping>,
    /// The nested object around the clause.
    pub(super) nested: Option<Arc<str>>,
    /// Whether the words of a text must stay clauses of their own, to be counted.
    pub(super) counts_words: bool,
}

impl Plan {
    pub(super) fn leaf(field: &Arc<Field>, test: Test) -> Self {
        match test {
            Test::Never(reason) => Self::None(reason),
            test => Self::Leaf(Box::new(Leaf {
                field: Arc::clone(field),
                test,
            })),
        }
    }
}

impl Scope {
    /// What a single name leads to.
    pub(super) fn target(&self, name: &str) -> Option<Target> {
        match self.mapping.lookup(name) {
            Lookup::Mapped(field) => Some(Target::Mapped(field)),
            Lookup::ByEvent => Some(Target::ByEvent(name.to_owned())),
            Lookup::Absent => None,
        }
    }

    /// What names and patterns lead to; each field once.
    pub(super) fn targets(&self, names: &[String], suffix: Option<&str>) -> Vec<Target> {
        let mut targets: Vec<Target> = Vec::new();
        let mut known = HashSet::new();
        let mut add = |target: Target| {
            let name = match &target {
                Target::Mapped(field) => field.name.to_string(),
                Target::ByEvent(name) | Target::LikeByEvent(name) => name.clone(),
            };
            if known.insert((discriminant(&target), name)) {
                targets.push(target);
            }
        };
        let with_suffix = |name: &str| {
            let name = format!("{name}{}", suffix?);
            match self.mapping.lookup(&name) {
                Lookup::Mapped(field) => Some(Target::Mapped(field)),
                Lookup::ByEvent if self.is_sub_field(&name) => Some(Target::ByEvent(name)),
                Lookup::ByEvent | Lookup::Absent => None,
            }
        };
        for name in names {
            if !name.contains('*') {
                match with_suffix(name).or_else(|| self.target(name)) {
                    // Objects have no values of their own.
                    Some(Target::Mapped(field))
                        if matches!(field.kind, Kind::Object | Kind::Disabled | Kind::Nested) => {}
                    Some(target) => add(target),
                    None => {}
                }
                continue;
            }
            for field in self
                .mapping
                .fields_like(name)
                .filter(|field| field.is_searched_by_all())
            {
                add(with_suffix(&field.name).unwrap_or_else(|| Target::Mapped(Arc::clone(field))));
            }
            if self.mapping.is_open() {
                add(Target::LikeByEvent(name.clone()));
            }
        }
        targets
    }

    /// Builds on a target. On fields typed by the event an error means that such a value never matches.
    pub(super) fn build(&self, target: &Target, build: Build<'_>) -> Result<Built, FieldError> {
        match target {
            Target::Mapped(field) => {
                let built = build(field)?;
                if field.nested == self.nested || field.name.starts_with('_') {
                    return Ok(built);
                }
                Ok(Built::Plan(Plan::None(
                    "the field belongs to another nested object",
                )))
            }
            Target::ByEvent(name) => self.by_event(&self.names(name), build),
            Target::LikeByEvent(pattern) => {
                self.by_event(&Names::Like(pattern.as_str().into()), build)
            }
        }
    }

    /// Any member below an object.
    pub(super) fn build_below(&self, object: &str, build: Build<'_>) -> Result<Built, FieldError> {
        self.by_event(&Names::Below(self.path(object)), build)
    }

    fn path(&self, name: &str) -> Path {
        let inside = self
            .nested
            .as_deref()
            .and_then(|nested| name.strip_prefix(nested)?.strip_prefix('.'));
        Path::new(inside.unwrap_or(name))
    }

    /// Whether a name that the mapping does not know may be a sub-field, such as `host.keyword` of a text `host`.
    pub(super) fn is_sub_field(&self, name: &str) -> bool {
        matches!(
            self.names(name),
            Names::One {
                parent: Some(_),
                ..
            }
        )
    }

    /// The analyzer of texts that the mapping does not know.
    pub(super) fn text_analyzer(&self) -> Option<&Arc<Analyzer>> {
        match &self.mapping.candidates().first()?.field.kind {
            Kind::Text(analyzer) => Some(analyzer),
            _ => None,
        }
    }

    fn names(&self, name: &str) -> Names {
        let parent = name.rsplit_once('.').and_then(|(parent, end)| {
            let is_sub_field =
                |candidate: &Candidate| candidate.sub_fields.iter().any(|(name, _)| **name == *end);
            let possible = self.mapping.candidates().iter().any(is_sub_field)
                && matches!(self.mapping.lookup(parent), Lookup::ByEvent);
            possible.then(|| (self.path(parent), Arc::from(end)))
        });
        Names::One {
            path: self.path(name),
            parent,
        }
    }

    fn by_event(&self, names: &Names, build: Build<'_>) -> Result<Built, FieldError> {
        let plan = |field: &Arc<Field>| match build(field) {
            Ok(built) => built.into_plan(),
            Err(_) => Plan::None("the clause does not work on values of this type"),
        };
        // A text without words drops out of the query, whatever else the field may hold.
        let is_text = matches!(names, Names::One { parent: None, .. });
        let drops_out = |candidate: &Candidate| {
            matches!(candidate.field.kind, Kind::Text(_))
                && matches!(build(&candidate.field), Ok(Built::NoWords))
        };
        if is_text && self.mapping.text_candidate().is_some_and(drops_out) {
            return Ok(Built::NoWords);
        }
        let variants = |plan: &dyn Fn(&Arc<Field>) -> Plan| -> Box<[Arc<Variant>]> {
            let looked_at = |end: &str| match names {
                Names::One { parent, .. } => {
                    parent.as_ref().is_some_and(|(_, wanted)| **wanted == *end)
                }
                Names::Like(_) | Names::Below(_) => true,
            };
            let variant = |candidate: &Candidate| Variant {
                main: plan(&candidate.field),
                sub_fields: candidate
                    .sub_fields
                    .iter()
                    .filter(|(end, _)| looked_at(end))
                    .map(|(end, field)| (Arc::clone(end), plan(field)))
                    .collect(),
            };
            let mut variants: Vec<Arc<Variant>> = Vec::new();
            for variant in self.mapping.candidates().iter().map(variant) {
                let same = variants.iter().find(|other| ***other == variant).cloned();
                variants.push(same.unwrap_or_else(|| Arc::new(variant)));
            }
            variants.into()
        };
        let by_event = |variants| {
            Plan::ByEvent(Arc::new(ByEvent {
                names: names.clone(),
                variants,
                mapping: Arc::clone(&self.mapping),
                pieces: OnceLock::new(),
            }))
        };
        if self.counts_words
            && is_text
            && let Some(candidate) = self.mapping.candidates().first()
            && let Ok(Built::Clauses(words)) = build(&candidate.field)
        {
            // A value of another type than text is compared as a whole, and stands in for every word.
            let word = |at: usize| {
                variants(&|field| match build(field) {
                    Ok(Built::Clauses(mut words)) if at < words.len() => {
                        words.swap_remove(at).1.into_plan()
                    }
                    _ => plan(field),
                })
            };
            let clauses = words
                .iter()
                .enumerate()
                .map(|(at, (occur, _))| (*occur, Built::Plan(by_event(word(at)))));
            return Ok(Built::Clauses(clauses.collect()));
        }
        let variants = variants(&plan);
        let possible = variants.iter().any(|variant| {
            let mut plans = variant
                .sub_fields
                .iter()
                .map(|(_, plan)| plan)
                .chain([&variant.main]);
            plans.any(|plan| !matches!(plan, Plan::None(_)))
        });
        if !possible {
            // Nothing can match: let the first reason speak.
            if let Some(candidate) = self.mapping.candidates().first() {
                build(&candidate.field)?;
            }
            return Ok(Built::Plan(Plan::None("no value of any type can match")));
        }
        Ok(Built::Plan(by_event(variants)))
    }
}
