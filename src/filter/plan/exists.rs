//! `exists`: whether a field, an object or any field like a pattern has a value.

use super::super::mapping::{Field, Kind, Source};
use super::super::values::name_matches;
use super::compile::{Compiler, NOT_THERE, Strictness};
use super::field::Target;
use super::ranges::FieldError;
use super::words::Built;
use super::{Plan, Test};
use crate::config::Span;
use std::sync::Arc;

impl Compiler {
    pub(super) fn exists(&mut self, name: &str, span: &Span) -> Plan {
        if name == "*" {
            let error = FieldError::new("exists cannot ask for every field at once")
                .help("name a field, or leave the clause out");
            self.problem(span, &error, "E0206");
            return NOT_THERE;
        }
        if self.asks_for_field_names(name, span) {
            return NOT_THERE;
        }
        if name.contains('*') {
            let fields: Vec<Arc<Field>> = self.scope.mapping.fields_like(name).cloned().collect();
            let mut plans: Vec<Plan> = fields.iter().map(|field| self.exists_in(field)).collect();
            if self.scope.mapping.is_open() {
                let target = Target::LikeByEvent(name.to_owned());
                plans.push(
                    self.on_target(&target, Strictness::Lenient, span, &exists_on)
                        .into_plan(),
                );
            }
            return Plan::any(plans);
        }
        self.exists_named(name, span)
    }

    /// Whether a pattern takes in a field of the server's own that it does not let anyone ask for; that is an error.
    pub(super) fn asks_for_field_names(&mut self, name: &str, span: &Span) -> bool {
        let asks = name.contains('*') && name_matches(name, "_field_names");
        if asks {
            let error = FieldError::new(format!(
                "exists cannot ask for {name:?}, which takes in the server's own \"_field_names\""
            ))
            .help("write more of the name");
            self.problem(span, &error, "E0206");
        }
        asks
    }

    /// `exists` on exactly that name.
    pub(super) fn exists_named(&mut self, name: &str, span: &Span) -> Plan {
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
            None if name == "_source" => {
                let error =
                    FieldError::new("_source cannot be searched").help("name the field itself");
                self.problem(span, &error, "E0206");
                NOT_THERE
            }
            None => NOT_THERE,
        }
    }

    fn exists_in(&self, field: &Arc<Field>) -> Plan {
        if matches!(field.sources, Source::Id | Source::Index) {
            return Plan::All;
        }
        let foreign = |field: &Field| field.nested != self.scope.nested;
        if !matches!(field.kind, Kind::Object | Kind::Nested) {
            return match exists_on(field) {
                Ok(Built::Plan(plan)) if !foreign(field) => plan,
                _ => Plan::None("the field is not searchable"),
            };
        }
        let mut plans: Vec<Plan> = self
            .scope
            .mapping
            .fields_below(&field.name)
            .filter(|below| !foreign(below) && !matches!(below.kind, Kind::Object | Kind::Nested))
            .filter_map(|below| exists_on(below).ok())
            .map(Built::into_plan)
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
