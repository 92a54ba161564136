//! Why a filter picks an event or does not.

use super::mapping::{Field, Kind, Source};
use super::matcher::Place;
use super::plan::{ByEvent, Leaf, Names, Plan};
use super::values::{Path, Visit, flatten, leaves};
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
        let root = &self.root;
        if root.matched {
            let mut choices = Vec::new();
            root.choices(&mut choices);
            let told: Vec<String> = choices
                .iter()
                .take(MAX_TOLD)
                .map(|choice| match choice.found() {
                    Some(seen) => format!("{} (the event has {seen})", choice.wish()),
                    None => choice.wish(),
                })
                .collect();
            return if told.is_empty() {
                "The event matches: every clause is fulfilled.".to_owned()
            } else {
                format!(
                    "The event matches: every clause is fulfilled; of the alternatives, {}.",
                    told.join(", and ")
                )
            };
        }
        let deciding = root.deciding().unwrap_or(root);
        let seen = deciding.found();
        let reason = match (deciding.excluded(), seen) {
            (Some(inner), Some(seen)) => format!(
                "the filter excludes events where {}, and the event has {seen}",
                inner.wish()
            ),
            (Some(inner), None) => format!("the filter excludes events where {}", inner.wish()),
            (None, Some(seen)) => format!(
                "the filter asks that {}, but the event has {seen}",
                deciding.wish()
            ),
            (None, None) => format!("the filter asks that {}", deciding.wish()),
        };
        let more = match root.failing().count().saturating_sub(1) {
            _ if root.asks != ALL_OF => String::new(),
            0 => String::new(),
            1 => " Another clause fails, too.".to_owned(),
            more => format!(" {more} more clauses fail, too."),
        };
        format!("The event does not match: {reason}.{more}")
    }
}

impl Clue {
    /// The clause deepest down that alone made it fail; of several that all must hold, the first.
    fn deciding(&self) -> Option<&Self> {
        if self.matched {
            return None;
        }
        let mut failed = self.failing();
        match (failed.next(), failed.next()) {
            (Some(first), None) => first.deciding().or(Some(first)),
            (Some(first), Some(_)) if self.asks == ALL_OF => first.deciding().or(Some(first)),
            _ => Some(self),
        }
    }

    fn failing(&self) -> impl Iterator<Item = &Self> {
        self.parts.iter().filter(|part| !part.matched)
    }

    /// What must not be, if it is that.
    fn excluded(&self) -> Option<&Self> {
        self.parts.first().filter(|_| self.asks == NONE_OF)
    }

    /// The alternatives that were fulfilled, the first of each choice.
    fn choices<'c>(&'c self, into: &mut Vec<&'c Self>) {
        if !self.matched || self.asks == NONE_OF {
            return;
        }
        if self.asks == ALL_OF {
            self.parts.iter().for_each(|part| part.choices(into));
        } else if let Some(part) = self.parts.iter().find(|part| part.matched) {
            let known = into.len();
            part.choices(into);
            if into.len() == known {
                into.push(part);
            }
        }
    }

    /// What it asks for, in one phrase.
    pub fn wish(&self) -> String {
        let joined = |joint: &str| {
            let mut wishes: Vec<String> = self
                .parts
                .iter()
                .take(MAX_TOLD)
                .map(|part| {
                    let wish = part.wish();
                    // Where several things are joined in another way within, brackets tell them apart.
                    if part.parts.len() > 1 {
                        format!("({wish})")
                    } else {
                        wish
                    }
                })
                .collect();
            if self.parts.len() > MAX_TOLD {
                wishes.push(format!("{} more", self.parts.len() - MAX_TOLD));
            }
            wishes.join(joint)
        };
        match self.asks.as_str() {
            asks if self.parts.is_empty() => asks.to_owned(),
            ALL_OF => joined(" and "),
            ANY_OF => joined(" or "),
            NONE_OF => format!("not {}", joined(" or ")),
            asks => format!("{asks} {}", joined(", ")),
        }
    }

    /// What the event has where it looks, if it looks at one thing.
    fn found(&self) -> Option<&str> {
        if self.seen.is_some() {
            return self.seen.as_deref();
        }
        let mut parts = self.parts.iter().map(Self::found);
        let first = parts.next()??;
        parts.all(|part| part == Some(first)).then_some(first)
    }
}

const ALL_OF: &str = "all of";
const ANY_OF: &str = "any of";
const NONE_OF: &str = "none of";

/// How many of several clauses a sentence names.
const MAX_TOLD: usize = 3;

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
        Plan::AtLeast { count: 1, of } => many(ANY_OF.to_owned(), of),
        Plan::AtLeast { count, of } => many(format!("at least {count} of"), of),
        Plan::TermsSet(set) => many(
            format!("at least as many as {:?} says of", set.minimum.name),
            &set.of,
        ),
        Plan::Not(inner) => many(NONE_OF.to_owned(), std::slice::from_ref(inner)),
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
    let mut found: Option<(Clue, String)> = None;
    by_event.any(place, &|_| true, &mut |plan, inside| {
        let matched = plan.matches(inside);
        if found.is_none() || matched {
            found = Some((clue(plan, inside), name_of(inside)));
        }
        matched
    });
    let (name, path) = match &*by_event.names {
        Names::One { path, parent } => (path.as_str().to_owned(), Some((path, parent))),
        Names::Like(_) | Names::Below(_) if matched => {
            let name = found.as_ref().map(|(_, name)| name.clone());
            (name.unwrap_or_default(), None)
        }
        Names::Like(pattern) if &**pattern == "*" => ("any field".to_owned(), None),
        Names::Like(pattern) => (format!("any field {pattern}"), None),
        Names::Below(path) => (format!("any field {}.*", path.as_str()), None),
    };
    let missing = || {
        let plan = by_event.variants.first().map(|variant| &variant.main);
        plan.map(|plan| clue(plan, place))
    };
    let was_there = found.is_some();
    let nowhere = path.is_none() && !matched;
    // What the first of many fields has says nothing of why none passes.
    let found = found.map(|(clue, _)| clue).filter(|_| !nowhere);
    let inner = found.or_else(missing);
    let mut shown = inner.unwrap_or_else(|| Clue {
        matched,
        asks: "a value that passes".to_owned(),
        seen: None,
        parts: Vec::new(),
    });
    if nowhere {
        forget(&mut shown);
        shown.seen = Some("none like that".to_owned());
    }
    if let Some(rest) = shown.asks.strip_prefix(' ') {
        shown.asks = format!("{name} {rest}");
    } else if let Some((end, rest)) = shown
        .asks
        .split_once(' ')
        .filter(|(end, _)| shown.parts.is_empty() && is_sub_field(by_event, end))
    {
        // A sub-field calls itself by its end alone.
        let ends = name.strip_suffix(end).is_some_and(|n| n.ends_with('.'));
        shown.asks = if ends || nowhere {
            format!("{name} {rest}")
        } else {
            format!("{name}.{end} {rest}")
        };
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
        shown.seen = Some(text.unwrap_or_else(|| no_field(path, place)));
    }
    shown
}

fn is_sub_field(by_event: &ByEvent, end: &str) -> bool {
    let mut sub_fields = by_event.variants.iter().flat_map(|v| &v.sub_fields);
    sub_fields.any(|(name, _)| **name == *end)
}

/// Takes out what was seen.
fn forget(clue: &mut Clue) {
    clue.seen = None;
    clue.parts.iter_mut().for_each(forget);
}

/// The full name of the member that is being typed.
fn name_of(place: Place<'_>) -> String {
    let mut found = String::new();
    if let Some(wanted) = place.current.first() {
        leaves(place.object, &mut |name, member| {
            if !std::ptr::eq(member, *wanted) {
                return Visit::Continue;
            }
            name.clone_into(&mut found);
            Visit::Stop
        });
    }
    found
}

/// What to say where a field is not there: the value that stands where its object should, if one does.
fn no_field(path: &Path, place: Place<'_>) -> String {
    let above = path.as_str().rmatch_indices('.').find_map(|(at, _)| {
        let above = Path::new(path.as_str().get(..at)?);
        Some((above.as_str().to_owned(), member(&above, place)?))
    });
    match above {
        Some((above, value)) if !value.starts_with('{') => {
            format!("{NO_FIELD}, only {above} with {value}")
        }
        _ => NO_FIELD.to_owned(),
    }
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
