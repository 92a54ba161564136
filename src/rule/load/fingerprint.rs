//! Whether an edited rule keeps its state.

use crate::config::Properties;
use crate::rule::fnv::Fnv;
use crate::rule::types::RULE_TYPES;
use crate::rule::{Rule, RuleTypeEntry, time_field};
use std::collections::{BTreeSet, HashMap};
use std::io::Write as _;
use std::sync::LazyLock;

/// What a rule's state depends on, beside the options of its type and of its clock.
const COMMON: [&str; 5] = ["type", "filter", "query_key", "timeframe", "buffer_time"];

/// Options that came when there were stores already: a rule without them means what it meant before.
const LATER: [&str; 1] = ["cardinality_sketch"];

/// By rule type: the options that shape what a rule remembers.
static SHAPING: LazyLock<HashMap<&'static str, BTreeSet<&'static str>>> = LazyLock::new(|| {
    let types = RULE_TYPES.iter();
    types.map(|entry| (entry.name, shaping(entry))).collect()
});

fn shaping(entry: &RuleTypeEntry) -> BTreeSet<&'static str> {
    let of_type = entry.options.iter();
    of_type
        .filter(|spec| !spec.judges && spec.no_effect.is_none())
        .chain(time_field::OPTIONS)
        .map(|spec| spec.name)
        .chain(COMMON)
        .collect()
}

/// A hash over what a rule's state depends on.
pub(super) fn of(properties: &Properties, entry: &RuleTypeEntry) -> u64 {
    let mut hash = Fnv::default();
    let mut text = Vec::new();
    for name in SHAPING.get(entry.name).into_iter().flatten() {
        let value = properties.value(name);
        if value.is_none() && LATER.contains(name) {
            continue;
        }
        text.clear();
        let _infallible = write!(text, "{name}=");
        let _infallible = serde_json::to_writer(&mut text, &value.unwrap_or_default());
        text.push(b'\n');
        hash.write(&text);
    }
    hash.value()
}

/// How a rule differs from its version before.
#[derive(Debug, PartialEq, Eq)]
pub enum Edit {
    /// Not at all, as far as its options go.
    None,
    /// In these options, none of which its type reads.
    Words(Vec<String>),
    /// In these options; what it remembers means the same, and is judged otherwise.
    Judgement(Vec<String>),
    /// In these options, and what it remembers depends on them.
    Shape(Vec<String>),
}

impl Edit {
    /// Whether this option was edited.
    pub fn names(&self, option: &str) -> bool {
        match self {
            Self::None => false,
            Self::Words(edited) | Self::Judgement(edited) | Self::Shape(edited) => {
                edited.iter().any(|name| name == option)
            }
        }
    }
}

impl Rule {
    /// How this rule differs from its version before.
    pub fn edit_since(&self, before: &Rule) -> Edit {
        let (now, then) = (self.properties(), before.properties());
        let names: BTreeSet<String> = [&now, &then]
            .iter()
            .flat_map(|properties| properties.iter())
            .map(|(name, _)| name.key_text())
            .collect();
        let mut edited: Vec<String> = names
            .into_iter()
            // A file may be moved.
            .filter(|name| name != "rule_file")
            .filter(|name| now.value(name) != then.value(name))
            .collect();
        let entry = RULE_TYPES.iter().find(|entry| entry.name == self.type_name);
        if self.state_fingerprint == before.state_fingerprint {
            let mut of_type = entry.into_iter().flat_map(|entry| entry.options);
            return if edited.is_empty() {
                Edit::None
            } else if of_type.any(|spec| edited.iter().any(|name| name == spec.name)) {
                Edit::Judgement(edited)
            } else {
                Edit::Words(edited)
            };
        }
        let shaping = SHAPING.get(self.type_name);
        edited.retain(|name| shaping.is_some_and(|names| names.contains(name.as_str())));
        Edit::Shape(edited)
    }
}
