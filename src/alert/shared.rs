//! What the texts of many rules share, made once.

use super::{OPTIONS, Preparation, Process, Template};
use crate::config::{Problem, Properties};
use std::collections::HashSet;
use std::sync::{Arc, LazyLock, OnceLock};

/// The template, and the preparation, of rules that say nothing of their texts.
#[derive(Debug, Default)]
pub struct SharedTexts {
    template: OnceLock<Arc<Template>>,
    preparation: OnceLock<Arc<Preparation>>,
}

impl SharedTexts {
    /// [`Template::new`], or one that is like it.
    ///
    /// # Errors
    /// What in the options cannot be used.
    pub fn template(
        &self,
        properties: &Properties,
        process: &Process,
    ) -> Result<Arc<Template>, Vec<Problem>> {
        let make = || Template::new(properties, process);
        one(&self.template, properties, make, Template::is_any_rules)
    }

    /// [`Preparation::new`], or one that is like it.
    ///
    /// # Errors
    /// What in the options cannot be used.
    pub fn preparation(
        &self,
        properties: &Properties,
        process: &Process,
    ) -> Result<Arc<Preparation>, Vec<Problem>> {
        let make = || Preparation::new(properties, process);
        one(
            &self.preparation,
            properties,
            make,
            Preparation::is_any_rules,
        )
    }
}

/// The one that is there, if the rule says nothing of its texts; else a new one, kept if it is that of any such rule.
fn one<T>(
    known: &OnceLock<Arc<T>>,
    properties: &Properties,
    make: impl FnOnce() -> Result<T, Vec<Problem>>,
    is_any_rules: fn(&T) -> bool,
) -> Result<Arc<T>, Vec<Problem>> {
    static NAMES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
        let options = OPTIONS.iter().copied().flatten();
        options.map(|option| option.name).collect()
    });
    if properties.has_own(|name| NAMES.contains(name)) {
        return make().map(Arc::new);
    }
    if let Some(known) = known.get() {
        return Ok(Arc::clone(known));
    }
    let made = Arc::new(make()?);
    if is_any_rules(&made) {
        return Ok(Arc::clone(known.get_or_init(|| made)));
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Mapping};

    fn properties(own: &[(&str, &str)], of_all: &[(&str, &str)]) -> Properties {
        Properties::new(Mapping::of_texts(own)).over(Arc::new(config::Alike {
            options: Mapping::of_texts(of_all),
            ..config::Alike::default()
        }))
    }

    /// Whether two rules get one template.
    #[track_caller]
    fn check(one: &[(&str, &str)], other: &[(&str, &str)], of_all: &[(&str, &str)], same: bool) {
        let process = Process {
            zone: jiff::tz::TimeZone::UTC,
            working_directory: "".into(),
            enhancements: &[],
        };
        let shared = SharedTexts::default();
        let template = |own| shared.template(&properties(own, of_all), &process).unwrap();
        assert_eq!(Arc::ptr_eq(&template(one), &template(other)), same);
    }

    #[test]
    fn rules_that_say_nothing_of_their_texts_share_them() {
        check(&[("name", "a")], &[("name", "b")], &[], true);
        let all = [("alert_text", "as configured")];
        check(&[("name", "a")], &[("name", "b")], &all, true);
        check(&[("alert_text", "a")], &[("alert_text", "a")], &all, false);
        let jinja = [
            ("alert_text_type", "alert_text_jinja"),
            ("alert_text", "{{ name }}"),
        ];
        check(&[("name", "a")], &[("name", "b")], &jinja, false);
    }
}
