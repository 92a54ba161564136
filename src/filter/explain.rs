//! Why a filter picks an event or does not.

use super::mapping::{Field, Kind, Source};
use super::matcher::Place;
use super::plan::{ByEvent, Leaf, Names, Plan};
use super::values::{Path, Visit, flatten};
use serde_json::Value;

/// The clause tree of a filter as one event met it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The outermost clause.
    pub root: Clue,
}

/// One clause and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clue {
    /// Whether the event fulfils it.
    pub matched: bool,
    /// What it asks for: `response >= 500`, `all of`.
    pub asks: String,
    /// What the event has there, if it looks at one field.
    pub seen: Option<String>,
    /// The clauses in it.
    pub parts: Vec<Clue>,
}

/// The longest value shown.
const MAX_SHOWN: usize = 120;

impl Explanation {
    /// Whether the filter picks the event.
    pub fn matched(&self) -> bool {
        self.root.matched
    }

    /// The clause deepest down that alone made the filter fail; `None` when there is no single one.
    pub fn deciding(&self) -> Option<&Clue> {
        self.root.deciding()
    }

    /// One sentence on what decided it.
    pub fn sentence(&self) -> String {
        let Some(deciding) = self.root.deciding() else {
            return if self.root.matched {
                "The event matches: every clause is fulfilled.".to_owned()
            } else {
                format!("The event does not match: {} failed.", self.root.asks)
            };
        };
        let seen = match &deciding.seen {
            Some(seen) => format!(", but the event has {seen}"),
            None => String::new(),
        };
        format!(
            "The event does not match: the filter asks that {}{seen}.",
            deciding.asks
        )
    }
}

impl Clue {
    /// The clause deepest down that alone made it fail.
    fn deciding(&self) -> Option<&Self> {
        if self.matched {
            return None;
        }
        let mut failed = self.parts.iter().filter(|part| !part.matched);
        match (failed.next(), failed.next()) {
            (Some(first), None) => first.deciding().or(Some(first)),
            (Some(first), Some(_)) if self.asks == ALL_OF => first.deciding().or(Some(first)),
            _ => Some(self),
        }
    }
}

const ALL_OF: &str = "all of";

pub(super) fn explain(plan: &Plan, place: Place<'_>) -> Explanation {
    Explanation {
        root: clue(plan, place),
    }
}

fn clue(plan: &Plan, place: Place<'_>) -> Clue {
    let matched = plan.matches(place);
    let many = |asks: String, of: &[Plan]| Clue {
        matched,
        asks,
        seen: None,
        parts: of.iter().map(|plan| clue(plan, place)).collect(),
    };
    let plain = |asks: String| Clue {
        matched,
        asks,
        seen: None,
        parts: Vec::new(),
    };
    match plan {
        Plan::All => plain("every event".to_owned()),
        Plan::None(reason) => plain(format!("nothing ({reason})")),
        Plan::Every(of) => many(ALL_OF.to_owned(), of),
        Plan::AtLeast { count: 1, of } => many("any of".to_owned(), of),
        Plan::AtLeast { count, of } => many(format!("at least {count} of"), of),
        Plan::TermsSet { minimum, of } => many(
            format!("at least as many as {:?} says of", minimum.name),
            of,
        ),
        Plan::Not(inner) => many("none of".to_owned(), std::slice::from_ref(inner)),
        Plan::Nested { path, inner } => many(
            format!("an element of {} with", path.as_str()),
            std::slice::from_ref(inner),
        ),
        Plan::Leaf(leaf) => on_field(leaf, place, matched),
        Plan::ByEvent(by_event) => on_member(by_event, place, matched),
    }
}

fn on_field(leaf: &Leaf, place: Place<'_>, matched: bool) -> Clue {
    Clue {
        matched,
        asks: format!("{} {}", leaf.field.name, leaf.test),
        seen: Some(seen(&leaf.field, place)),
        parts: Vec::new(),
    }
}

/// A field typed by the event: the plan for what it turned out to be, or for text where there is nothing.
fn on_member(by_event: &ByEvent, place: Place<'_>, matched: bool) -> Clue {
    let (name, path) = match &by_event.names {
        Names::One { path, parent } => (path.as_str(), Some((path, parent))),
        Names::Like(pattern) => (&**pattern, None),
        Names::Below(path) => (path.as_str(), None),
    };
    let mut found = None;
    by_event.any(place, &|_| true, &mut |plan, place| {
        let matched = plan.matches(place);
        if found.is_none() || matched {
            found = Some(clue(plan, place));
        }
        matched
    });
    let missing = || {
        let plan = by_event.variants.first().map(|variant| &variant.main);
        plan.map(|plan| clue(plan, place))
    };
    let was_there = found.is_some();
    let inner = if path.is_some() {
        found.or_else(missing)
    } else {
        found
    };
    let mut shown = inner.unwrap_or_else(|| Clue {
        matched,
        asks: "a value that passes".to_owned(),
        seen: None,
        parts: Vec::new(),
    });
    if let Some(rest) = shown.asks.strip_prefix(' ') {
        shown.asks = format!("{name} {rest}");
    } else if let Some((_, rest)) = shown.asks.split_once(' ').filter(|(end, _)| {
        shown.parts.is_empty() && name.strip_suffix(end).is_some_and(|n| n.ends_with('.'))
    }) {
        // A sub-field calls itself by its end alone.
        shown.asks = format!("{name} {rest}");
    } else if shown.parts.is_empty() {
        shown.asks = format!("{name}: {}", shown.asks);
    } else {
        for part in &mut shown.parts {
            part.asks = format!("{name}{}", part.asks);
        }
    }
    shown.matched = matched;
    if let (Some((path, parent)), false) = (path, was_there) {
        let mut text = member(path, place);
        if text.is_none()
            && let Some((parent, _)) = parent
        {
            text = member(parent, place);
        }
        shown.seen = Some(text.unwrap_or_else(|| NO_FIELD.to_owned()));
    }
    shown
}

const NO_FIELD: &str = "no such field";

fn member(path: &Path, place: Place<'_>) -> Option<String> {
    let mut found = Vec::new();
    path.members(place.object, &mut |member| {
        found.push(member);
        Visit::Continue
    });
    (!found.is_empty()).then(|| shown(&found))
}

fn seen(field: &Field, place: Place<'_>) -> String {
    let mut values: Vec<&Value> = Vec::new();
    match &field.sources {
        Source::Paths(paths) => {
            for path in paths {
                path.members(place.object, &mut |member| {
                    values.push(member);
                    Visit::Continue
                });
            }
        }
        Source::Current => values.extend(place.current),
        Source::Id => return place.event.id.unwrap_or("no id").to_owned(),
        Source::Index => return place.event.index.unwrap_or("no index").to_owned(),
    }
    if values.is_empty() {
        return NO_FIELD.to_owned();
    }
    let mut text = shown(&values);
    if let Kind::Text(analyzer) = &field.kind {
        let mut terms = Vec::new();
        for value in &values {
            flatten(value, &mut |value| match value {
                Value::String(text) => analyzer.each(text, &mut |term, _| {
                    terms.push(term.to_owned());
                    if terms.len() < 20 {
                        Visit::Continue
                    } else {
                        Visit::Stop
                    }
                }),
                _ => Visit::Continue,
            });
        }
        text.push_str(&format!(" (terms: {})", cut(&terms.join(", "))));
    }
    text
}

fn shown(values: &[&Value]) -> String {
    let texts: Vec<String> = values.iter().map(|value| cut(&value.to_string())).collect();
    texts.join(" and ")
}

fn cut(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
