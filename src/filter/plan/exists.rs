//! `exists`: whether a field, an object or any field like a pattern has a value.

use super::super::mapping::{Field, Kind};
use super::super::values::name_matches;
use super::compile::{Compiler, NOT_THERE, Strictness};
use super::field::{Target, reached};
use super::ranges::FieldError;
use super::words::Built;
use super::{Plan, Test};
use crate::config::Span;
use std::sync::Arc;

/// What `exists` says of a field that every index has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    /// Every document has it.
    Always,
    /// It is an error to ask.
    Refused,
}

/// The fields that every index of OpenSearch has and `exists` finds or refuses, by asking one.
const SERVERS_FIELDS: [(&str, Has); 9] = [
    ("_data_stream_timestamp", Has::Refused),
    ("_feature", Has::Refused),
    ("_field_names", Has::Refused),
    ("_id", Has::Always),
    ("_index", Has::Always),
    ("_nested_path", Has::Refused),
    ("_seq_no", Has::Always),
    ("_source", Has::Refused),
    ("_version", Has::Always),
];

/// Whether a pattern fits a field that every index has.
pub(super) fn is_servers_field(pattern: &str) -> bool {
    servers_fields_like(pattern).next().is_some()
}

fn servers_fields_like(pattern: &str) -> impl Iterator<Item = (&'static str, Has)> {
    SERVERS_FIELDS
        .into_iter()
        .filter(move |(name, _)| name_matches(pattern, name))
}

impl Compiler {
    pub(super) fn exists(&mut self, name: &str, span: &Span) -> Plan {
        if !name.contains('*') {
            return self.exists_named(name, span);
        }
        if let Some(plan) = self.servers_fields(name, span) {
            return plan;
        }
        let fields: Vec<Arc<Field>> = self.scope.mapping.fields_like(name).cloned().collect();
        let mut plans: Vec<Plan> = fields.iter().map(|field| self.exists_in(field)).collect();
        if self.scope.mapping.is_open() {
            let target = Target::LikeByEvent {
                pattern: name.to_owned(),
                end: None,
            };
            plans.push(
                self.on_target(&target, Strictness::Lenient, span, &exists_on)
                    .into_plan(),
            );
        }
        Plan::any(plans)
    }

    /// What `exists` says where a name or pattern takes in a field of the server's own.
    fn servers_fields(&mut self, name: &str, span: &Span) -> Option<Plan> {
        if self.asks_for_servers_fields(name, span) {
            return Some(NOT_THERE);
        }
        let mut found = servers_fields_like(name);
        found
            .any(|(_, has)| has == Has::Always)
            .then_some(Plan::All)
    }

    /// Whether a name or pattern takes in a field of the server's own that it does not let anyone ask for; that is an error.
    pub(super) fn asks_for_servers_fields(&mut self, name: &str, span: &Span) -> bool {
        let refused = servers_fields_like(name).find(|(_, has)| *has == Has::Refused);
        if let Some((own, _)) = refused {
            let error = FieldError::new(if name == "*" {
                "exists cannot ask for every field at once".to_owned()
            } else {
                format!("exists cannot ask for {name:?}, which takes in the server's own {own:?}")
            })
            .help("write more of the name");
            self.problem(span, &error, "E0206");
        }
        refused.is_some()
    }

    /// `exists` on exactly that name.
    pub(super) fn exists_named(&mut self, name: &str, span: &Span) -> Plan {
        if let Some(plan) = self.servers_fields(name, span) {
            return plan;
        }
        match self.scope.target(name) {
            Some(Target::Mapped(field)) => self.exists_in(&field),
            Some(target) => {
                let itself = self
                    .on_target(&target, Strictness::Lenient, span, &exists_on)
                    .into_plan();
                let below = self
                    .scope
                    .build_below(name, &exists_on)
                    .map(Built::into_plan);
                Plan::any(std::iter::once(itself).chain(below).collect())
            }
            None => NOT_THERE,
        }
    }

    fn exists_in(&self, field: &Arc<Field>) -> Plan {
        if field.is_servers_own() {
            return Plan::All;
        }
        let here = |field: &Arc<Field>| {
            let field = field.seen_from(self.scope.nested.as_ref())?;
            let built = reached(&field, exists_on(&field)).ok()?;
            Some(built.into_plan())
        };
        if !matches!(field.kind, Kind::Object | Kind::Nested) {
            return here(field).unwrap_or(Plan::None("the field is not searchable"));
        }
        let mut plans: Vec<Plan> = self
            .scope
            .mapping
            .fields_below(&field.name)
            .filter(|below| !matches!(below.kind, Kind::Object | Kind::Nested))
            .filter_map(here)
            .collect();
        if self.scope.mapping.is_open() && field.kind == Kind::Object {
            plans.extend(
                self.scope
                    .build_below(&field.name, &exists_on)
                    .map(Built::into_plan),
            );
        }
        Plan::any(plans)
    }
}

fn exists_on(field: &Arc<Field>) -> Result<Built, FieldError> {
    Ok(Built::Plan(match field.kind {
        Kind::Disabled | Kind::Object | Kind::Nested => Plan::None("the field is an object"),
        _ => Plan::leaf(field, Test::Exists),
    }))
}
