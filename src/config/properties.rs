//! The options of a rule or alerter, looked up by name after the tables have checked them.

use super::{Data, Mapping, Node, duration};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Options by name. Reading one gives `None` when it is absent, null, or of another kind than asked for: the tables report the latter
/// before anything is built.
#[derive(Clone, Default)]
pub struct Properties {
    pub(super) own: Arc<Mapping>,
    pub(super) alike: Arc<Alike>,
}

/// What many rules have alike.
#[derive(Default)]
pub struct Alike {
    /// Options; a rule's own go before them.
    pub options: Mapping,
    /// The names of options that texts must not show.
    pub secrets: Vec<&'static str>,
    /// Words that many of them write.
    pub words: Words,
}

/// Words, each with a number.
#[derive(Default)]
pub struct Words {
    list: Vec<&'static str>,
    numbers: HashMap<&'static str, usize, FixedState>,
}

impl FromIterator<&'static str> for Words {
    fn from_iter<I: IntoIterator<Item = &'static str>>(words: I) -> Self {
        let mut all = Self::default();
        for word in words {
            let next = all.list.len();
            if *all.numbers.entry(word).or_insert(next) == next {
                all.list.push(word);
            }
        }
        all
    }
}

impl Words {
    pub(super) fn word(&self, number: usize) -> Option<&'static str> {
        self.list.get(number).copied()
    }

    pub(super) fn number(&self, word: &str) -> Option<usize> {
        self.numbers.get(word).copied()
    }
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

    /// The same over what many rules have alike.
    #[must_use]
    pub fn over(self, alike: Arc<Alike>) -> Self {
        Self { alike, ..self }
    }

    /// Whether an option is one that texts must not show.
    pub fn is_secret(&self, name: &str) -> bool {
        self.alike.secrets.contains(&name)
    }

    /// Those that it does not have alike with others.
    pub fn own(&self) -> &Mapping {
        &self.own
    }

    /// The members as they are.
    pub fn iter(&self) -> impl Iterator<Item = (&Node, &Node)> {
        let shared = self.alike.options.iter().filter(|(key, _)| {
            let own = key.as_str().and_then(|name| self.own.get(name));
            own.is_none()
        });
        self.own.iter().chain(shared)
    }

    /// Key and value of the option: the key's span is where it was written.
    pub fn entry(&self, name: &str) -> Option<(&Node, &Node)> {
        let shared = || self.alike.options.entry(name);
        self.own.entry(name).or_else(shared)
    }

    /// These options with others laid over them.
    #[must_use]
    pub fn overlaid(&self, over: &Mapping) -> Self {
        let mut overlaid = self.clone();
        overlaid.lay_over(over.clone());
        overlaid
    }

    /// Lays others over these options.
    pub fn lay_over(&mut self, over: Mapping) {
        let own = self.own_mut();
        for (key, value) in over.0 {
            own.set(key, value);
        }
    }

    /// Those that it does not have alike with others, to be changed.
    pub fn own_mut(&mut self) -> &mut Mapping {
        Arc::make_mut(&mut self.own)
    }

    /// Whether one of these options is the rule's own, and not what it has alike with others.
    pub fn has_own(&self, is_it: impl Fn(&str) -> bool) -> bool {
        let mut own = self.own.iter();
        own.any(|(key, _)| key.as_str().is_some_and(&is_it))
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
