//! `alert_text_type: alert_text_jinja`: Jinja2 templates.
//!
//! minijinja does the work. What differs from Jinja2 on Python is mended here: values print as Python prints them ([`values`]), filters
//! and methods that are missing or differ are added ([`filters`], [`methods`]), and what only fails when a template runs is found when
//! it is loaded ([`check`]).

mod builtins;
mod check;
mod conversions;
mod filters;
mod methods;
mod objects;
mod pprint;
mod urlize;
mod values;

use super::TextError;
use crate::config::Properties;
use crate::event::Document;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error};
use std::sync::LazyLock;

/// Steps a rendering may take, about a second: a template loops over data that came from outside.
const FUEL: u64 = 5_000_000;

const NAME: &str = "template";

/// A template, compiled once.
#[derive(Debug)]
pub(crate) struct Jinja {
    environment: Environment<'static>,
    /// `jinja_root_name`: the name that holds all others.
    root: String,
    /// The rule's properties; a match lies over them.
    properties: Vec<(Value, Value)>,
}

/// Why a template cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// What is wrong.
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) help: Option<String>,
}

impl Jinja {
    /// Compiles a template.
    ///
    /// # Errors
    /// It is not well formed, or uses a filter or test that does not exist.
    pub(crate) fn new(
        source: &str,
        root: &str,
        properties: &Properties,
    ) -> Result<Self, Vec<Broken>> {
        static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);
        let mut environment = ENVIRONMENT.clone();
        let source = source.replace("\r\n", "\n").replace('\r', "\n");
        environment
            .add_template_owned(NAME, source.clone())
            .map_err(|error| {
                vec![Broken {
                    message: message(&error),
                    help: None,
                }]
            })?;
        let broken = check::check(&source, &environment);
        if !broken.is_empty() {
            return Err(broken);
        }
        Ok(Self {
            environment,
            root: root.to_owned(),
            properties: properties
                .iter()
                .map(|(key, node)| (key.key_text(), node))
                .filter(|(key, _)| !properties.is_secret(key))
                .map(|(key, node)| {
                    let value = values::of_option(&super::text::as_loaded(&key, node));
                    (key.into(), value)
                })
                .collect(),
        })
    }

    /// Renders the template for a match.
    ///
    /// # Errors
    /// What the template does with the match is not possible, or takes too long.
    pub(crate) fn render(&self, matched: &Document) -> Result<String, TextError> {
        let members = matched
            .iter()
            .map(|(key, value)| (Value::from(key.as_str()), values::of_json(value)));
        let names = Value::from_pairs(self.properties.iter().cloned().chain(members));
        let root = [(Value::from(self.root.as_str()), names.clone())];
        let context = minijinja::value::merge_maps([Value::from_pairs(root), names]);
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render(context))
            .map_err(|error| TextError(message(&error)))
    }
}

/// An error and its place, without the excerpt of the template.
fn message(error: &Error) -> String {
    let what = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.line() {
        Some(line) => format!("{what} (line {line} of the template)"),
        None => what,
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(|out, state, value| {
        let text = match state.auto_escape() {
            AutoEscape::Html if !value.is_safe() => filters::escaped(&values::text(value)),
            _ => values::text(value),
        };
        out.write_str(&text).map_err(|_| {
            Error::new(
                minijinja::ErrorKind::WriteFailure,
                "the text could not be written",
            )
        })
    });
    environment.set_unknown_method_callback(methods::call);
    filters::add(&mut environment);
    // It would print everything there is.
    environment.remove_global("debug");
    environment
}

#[cfg(test)]
mod tests;
