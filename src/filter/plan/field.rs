//! Building plans on fields: by name, by pattern, on everything; known to the mapping or typed by the event.

use super::super::analysis::Analyzer;
use super::super::mapping::{Candidate, Field, Kind, Lookup, Mapping, Reach, Source};
use super::super::values::{Path, name_matches};
use super::compile::{NOT_THERE, wildcard};
use super::ranges::{FieldError, any_of};
use super::several::any;
use super::words::Built;
use super::{ByEvent, Leaf, Names, Plan, StringTest, Test, Variant};
use std::collections::HashSet;
use std::mem::discriminant;
use std::sync::{Arc, OnceLock};

/// What a name or pattern in a clause leads to.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Mapped(Arc<Field>),
    /// A name that stands for nothing. Among several it counts as one that does not match.
    Unmapped(String),
    /// A member of that name, typed by the event; or its sub-field with that end, if it has one.
    ByEvent {
        name: String,
        end: End,
    },
    /// Every member whose name fits and that the mapping does not name.
    LikeByEvent {
        pattern: String,
        end: End,
    },
}

/// The end of a sub-field's name.
type End = Option<Arc<str>>;

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
        let test = match field.sources {
            Source::Index => with_stars(test),
            _ => test,
        };
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
            Lookup::ByEvent => Some(Target::ByEvent {
                name: name.to_owned(),
                end: None,
            }),
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
                Target::Unmapped(name)
                | Target::ByEvent { name, .. }
                | Target::LikeByEvent { pattern: name, .. } => name.clone(),
            };
            if known.insert((discriminant(&target), name)) {
                targets.push(target);
            }
        };
        let with_suffix = |name: &str| {
            let name = format!("{name}{}", suffix?);
            match self.mapping.lookup(&name) {
                Lookup::Mapped(field) => Some(Target::Mapped(field)),
                Lookup::ByEvent | Lookup::Absent => None,
            }
        };
        let end: End = suffix.and_then(|suffix| Some(suffix.strip_prefix('.')?.into()));
        for name in names {
            if !name.contains('*') {
                add(match with_suffix(name).or_else(|| self.target(name)) {
                    // Objects have no values of their own.
                    Some(Target::Mapped(field))
                        if matches!(field.kind, Kind::Object | Kind::Disabled | Kind::Nested) =>
                    {
                        Target::Unmapped(name.clone())
                    }
                    Some(Target::ByEvent { name, .. }) => Target::ByEvent {
                        name,
                        end: end.clone(),
                    },
                    Some(target) => target,
                    None => Target::Unmapped(name.clone()),
                });
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
                add(Target::LikeByEvent {
                    pattern: name.clone(),
                    end: end.clone(),
                });
            }
        }
        targets
    }

    /// Builds on a target. On fields typed by the event an error means that such a value never matches.
    pub(super) fn build(&self, target: &Target, build: Build<'_>) -> Result<Built, FieldError> {
        match target {
            Target::Mapped(field) => match field.seen_from(self.nested.as_ref()) {
                Some(field) => reached(&field, build(&field)),
                None => {
                    build(field)?;
                    Ok(Built::Plan(Plan::None(
                        "the field belongs to another nested object",
                    )))
                }
            },
            Target::Unmapped(_) => Ok(Built::Plan(NOT_THERE)),
            Target::ByEvent { name, end } => {
                let built = self.by_event(&self.names(name), end.as_deref(), build)?;
                self.with_copies(built, &|copied| copied == name, end.as_deref(), build)
            }
            Target::LikeByEvent { pattern, end } => {
                let names = Names::Like(pattern.as_str().into());
                let built = self.by_event(&names, end.as_deref(), build)?;
                let wanted = |copied: &str| name_matches(pattern, copied);
                self.with_copies(built, &wanted, end.as_deref(), build)
            }
        }
    }

    /// The same, or what a copied value fulfils in a field of a wanted name that the mapping does not name.
    fn with_copies(
        &self,
        built: Built,
        wanted: &dyn Fn(&str) -> bool,
        end: Option<&str>,
        build: Build<'_>,
    ) -> Result<Built, FieldError> {
        let mut of = vec![built];
        for (target, sources) in self.mapping.copies() {
            let ends: HashSet<&Arc<str>> = self
                .mapping
                .candidates()
                .iter()
                .flat_map(|candidate| &candidate.sub_fields)
                .map(|(end, _)| end)
                .collect();
            let ends = ends
                .into_iter()
                .filter(|end| wanted(&format!("{target}.{end}")));
            let mut parents: Vec<Option<&Arc<str>>> = ends.map(Some).collect();
            parents.sort();
            parents.extend(wanted(target).then_some(None));
            for (source, sub_field) in sources.iter().flat_map(|source| {
                let pair = move |end: &Option<&Arc<str>>| (source, end.cloned());
                parents.iter().map(pair)
            }) {
                let names = match sub_field {
                    None => Names::One {
                        path: source.clone(),
                        parent: None,
                    },
                    // Below the source itself there is nothing.
                    Some(end) => Names::One {
                        path: Path::new(&format!("{}.{end}", source.as_str())),
                        parent: Some((source.clone(), end)),
                    },
                };
                of.push(self.by_event(&names, end, build)?);
            }
        }
        Ok(any(of))
    }

    /// Any member below an object.
    pub(super) fn build_below(&self, object: &str, build: Build<'_>) -> Result<Built, FieldError> {
        self.by_event(&Names::Below(self.path(object)), None, build)
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

    /// Builds on members typed by the event, with `end` on their sub-fields of that name where they have one.
    fn by_event(
        &self,
        names: &Names,
        end: Option<&str>,
        build: Build<'_>,
    ) -> Result<Built, FieldError> {
        let build = |field: &Arc<Field>| reached(field, build(field));
        let main = |candidate: &Candidate| -> Arc<Field> {
            let mut sub_fields = candidate.sub_fields.iter();
            let sub_field = sub_fields.find(|(name, _)| end == Some(&**name));
            Arc::clone(sub_field.map_or(&candidate.field, |(_, field)| field))
        };
        let plan = |field: &Arc<Field>| match build(field) {
            Ok(built) => built.into_plan(),
            Err(_) => Plan::None("the clause does not work on values of this type"),
        };
        // A text without words drops out of the query, whatever else the field may hold.
        let is_text = matches!(names, Names::One { parent: None, .. });
        let drops_out = |candidate: &Candidate| {
            let field = main(candidate);
            matches!(field.kind, Kind::Text(_)) && matches!(build(&field), Ok(Built::NoWords))
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
                main: plan(&main(candidate)),
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
                names: Arc::new(names.clone()),
                variants,
                mapping: Arc::clone(&self.mapping),
                pieces: OnceLock::new(),
            }))
        };
        if self.counts_words
            && is_text
            && let Some(candidate) = self.mapping.candidates().first()
            && let Ok(Built::Clauses(words)) = build(&main(candidate))
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
                build(&main(candidate))?;
            }
            return Ok(Built::Plan(Plan::None("no value of any type can match")));
        }
        Ok(Built::Plan(by_event(variants)))
    }
}

/// A test on the name of an index: a `*` in what is looked for stands for any run of characters, and nothing else has a meaning.
fn with_stars(test: Test) -> Test {
    let like = |name: &str, ignore_case| {
        let pattern = name.replace('\\', r"\\").replace('?', r"\?");
        Test::Term(wildcard(&pattern, ignore_case))
    };
    match test {
        Test::Term(StringTest::Is(name)) if name.contains('*') => like(&name, false),
        Test::Term(StringTest::IsIgnoringCase(name)) if name.contains('*') => like(&name, true),
        Test::Term(StringTest::StartsWith { start, ignore_case }) if start.contains('*') => {
            like(&format!("{start}*"), ignore_case)
        }
        Test::Term(StringTest::IsOneOf(names)) if names.iter().any(|name| name.contains('*')) => {
            let mut names: Vec<&str> = names.iter().map(|name| &**name).collect();
            names.sort_unstable();
            any_of(names.into_iter().map(|name| like(name, false)).collect())
        }
        test => test,
    }
}

/// What was built on a field whose mapping says what its one value is in every document.
fn settled(field: &Field, built: Built) -> Built {
    let Some(value) = &field.constant else {
        return built;
    };
    match built {
        Built::Plan(Plan::Leaf(leaf)) => Built::Plan(match &leaf.test {
            Test::Exists => Plan::All,
            Test::Term(test) if test.passes(value) => Plan::All,
            Test::Term(_) => Plan::None("the field has another value in every document"),
            _ => Plan::Leaf(leaf),
        }),
        Built::Clauses(clauses) => Built::Clauses(
            clauses
                .into_iter()
                .map(|(occur, built)| (occur, settled(field, built)))
                .collect(),
        ),
        built => built,
    }
}

/// What was built on a field as far as the field can be searched.
pub(super) fn reached(
    field: &Field,
    built: Result<Built, FieldError>,
) -> Result<Built, FieldError> {
    let built = match (field.reach, built) {
        (Reach::Unsupported, Err(_)) => {
            return Err(FieldError::new(
                "the mapping gives the field a type that only exists works on here",
            )
            .help("name another field; docs/filters.md lists the types"));
        }
        (Reach::ByMembers, Err(_)) => {
            let name = &field.name;
            return Err(FieldError::new(
                "the mapping keeps the members of the object as they are, not the object itself",
            )
            .help(format!("name the member, such as {name}.id")));
        }
        (_, built) => settled(field, built?),
    };
    let asks_if_there =
        matches!(&built, Built::Plan(Plan::Leaf(leaf)) if leaf.test == Test::Exists);
    match field.reach {
        Reach::Searchable => Ok(built),
        _ if matches!(built, Built::NoWords) => Ok(built),
        Reach::Unsupported | Reach::ByMembers => Ok(built),
        Reach::OnlyThere if asks_if_there => Ok(built),
        Reach::Nowhere if asks_if_there => Ok(Built::Plan(Plan::None("the field is not indexed"))),
        Reach::OnlyThere | Reach::Nowhere => Err(FieldError::new(
            "the mapping says that the field is not indexed, so that it cannot be searched",
        )
        .help("take \"index\": false out of the mapping, or name another field")),
    }
}
