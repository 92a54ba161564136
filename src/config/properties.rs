//! The options of a rule or alerter, looked up by name after the tables have checked them.

use super::{Data, Mapping, Node, duration};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Options by name. Reading one gives `None` when it is absent, null, or of another kind than asked for: the tables report the latter
/// before anything is built.
#[derive(Clone, Default)]
pub struct Properties {
    pub(super) own: Arc<Mapping>,
    /// What many rules have alike; their own go before it.
    pub(super) shared: Arc<Mapping>,
    /// The names of options that texts must not show.
    pub(super) secrets: Arc<[&'static str]>,
}

/// The names only: values may be secret.
impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|(name, _)| name.key_text()))
            .finish()
    }
}

impl Properties {
    /// Options from a checked mapping.
    pub fn new(map: Mapping) -> Self {
        Self {
            own: Arc::new(map),
            ..Self::default()
        }
    }

    /// The same over others, which many rules have alike.
    #[must_use]
    pub fn over(self, shared: Arc<Mapping>) -> Self {
        Self { shared, ..self }
    }

    /// The same, with the names of those that texts must not show.
    #[must_use]
    pub fn with_secrets(self, secrets: Arc<[&'static str]>) -> Self {
        Self { secrets, ..self }
    }

    /// Whether an option is one that texts must not show.
    pub fn is_secret(&self, name: &str) -> bool {
        self.secrets.contains(&name)
    }

    /// The members as they are.
    pub fn iter(&self) -> impl Iterator<Item = (&Node, &Node)> {
        let shared = self.shared.iter().filter(|(key, _)| {
            let own = key.as_str().and_then(|name| self.own.get(name));
            own.is_none()
        });
        self.own.iter().chain(shared)
    }

    /// Key and value of the option: the key's span is where it was written.
    pub fn entry(&self, name: &str) -> Option<(&Node, &Node)> {
        self.own.entry(name).or_else(|| self.shared.entry(name))
    }

    /// These options with others laid over them.
    #[must_use]
    pub fn overlaid(&self, over: &Mapping) -> Self {
        let mut own = Mapping::clone(&self.own);
        for (key, value) in over.iter() {
            own.set(key.clone(), value.clone());
        }
        Self {
            own: Arc::new(own),
            shared: Arc::clone(&self.shared),
            secrets: Arc::clone(&self.secrets),
        }
    }

    /// The node under a name, null included.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|(_, value)| value)
    }

    /// Whether the option is written, even as null.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Text; numbers and booleans count as their Python text.
    pub fn text(&self, name: &str) -> Option<String> {
        let node = self.get(name)?;
        match &node.data {
            Data::Null | Data::Seq(_) | Data::Map(_) => None,
            Data::Str(text) => Some(text.clone()),
            _ => Some(crate::event::python::str(&node.to_value())),
        }
    }

    /// A list of texts, or one text as a list of one. Absent: empty.
    pub fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name).map(|node| &node.data) {
            Some(Data::Seq(items)) => items.iter().map(Node::key_text).collect(),
            Some(_) => self.text(name).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// A boolean.
    pub fn bool(&self, name: &str) -> Option<bool> {
        match self.get(name)?.data {
            Data::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// An integer, perhaps written as `5.0`.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name)?.data {
            Data::Int(value) => Some(value),
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
            Data::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => Some(value as i64),
            _ => None,
        }
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.get(name)?.data {
            #[expect(
                clippy::cast_precision_loss,
                reason = "Python compares an int option with floats the same way"
            )]
            Data::Int(value) => Some(value as f64),
            Data::Float(value) => Some(value),
            _ => None,
        }
    }

    /// A duration such as `{minutes: 5}`.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        duration(self.get(name)?)
    }

    /// The option as JSON.
    pub fn value(&self, name: &str) -> Option<Value> {
        self.get(name)
            .filter(|node| !node.is_null())
            .map(Node::to_value)
    }
}
