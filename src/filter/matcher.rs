//! Deciding a plan for one event.

use super::FilterEvent;
use super::anchor::pieces_in_texts;
use super::literal::{may_become_ascii, shows};
use super::mapping::{Field, Kind, Reading, Source};
use super::phrase;
use super::plan::{ByEvent, Leaf, Names, Plan, Test};
use super::values::{Path, Visit, flatten, leaves, name_matches};
use crate::event::WallTime;
use crate::event::project::Item;
use serde_json::{Map, Value};

/// Where a plan looks.
#[derive(Clone, Copy)]
pub(super) struct Place<'e> {
    pub(super) event: &'e FilterEvent<'e>,
    /// The document, or an element of a nested object.
    pub(super) object: &'e Map<String, Value>,
    /// The members that are being typed by their own value.
    pub(super) current: &'e [&'e Value],
}

impl<'e> Place<'e> {
    pub(super) fn of(event: &'e FilterEvent<'e>) -> Self {
        Self {
            event,
            object: event.document,
            current: &[],
        }
    }
}

impl Plan {
    /// Whether the event fulfils it.
    pub(super) fn matches(&self, place: Place<'_>) -> bool {
        match self {
            Self::All => true,
            Self::None(_) => false,
            Self::Every(of) => of.iter().all(|plan| plan.matches(place)),
            Self::AtLeast { count, of } => at_least(*count as usize, of, place),
            Self::Not(inner) => !inner.matches(place),
            Self::Leaf(leaf) => leaf.matches(place),
            Self::ByEvent(by_event) => {
                let may_pass = |member: &Value| by_event.may_pass(member);
                by_event.any(place, &may_pass, &mut |plan, place| plan.matches(place))
            }
            Self::Nested { path, inner } => {
                path.values(place.object, &mut |element| match element {
                    Value::Object(object) if inner.matches(Place { object, ..place }) => {
                        Visit::Stop
                    }
                    _ => Visit::Continue,
                }) == Visit::Stop
            }
            Self::TermsSet(set) => {
                // Of several numbers the least counts; a document without one does not match.
                let mut wanted: Option<i64> = None;
                each_reading(&set.minimum, place, &mut |reading| {
                    if let Some(number) = reading.count() {
                        wanted = Some(wanted.map_or(number, |least| least.min(number)));
                    }
                    Visit::Continue
                });
                wanted.is_some_and(|count| {
                    at_least(
                        usize::try_from(count.max(1)).unwrap_or(usize::MAX),
                        &set.of,
                        place,
                    )
                })
            }
        }
    }
}

fn at_least(count: usize, of: &[Plan], place: Place<'_>) -> bool {
    let mut missing = count;
    for (at, plan) in of.iter().enumerate() {
        if missing == 0 {
            return true;
        }
        if missing > of.len() - at {
            return false;
        }
        missing -= usize::from(plan.matches(place));
    }
    missing == 0
}

impl Leaf {
    fn matches(&self, place: Place<'_>) -> bool {
        passes(&self.field, &self.test, place.event.now, &|visit| {
            each_item(&self.field, place, visit)
        })
    }
}

/// Shows the values of a field until told to stop.
pub(super) type ShowItems<'i> = &'i dyn Fn(&mut dyn FnMut(Item<'_>) -> Visit) -> Visit;

/// Whether the values of a field pass a test.
pub(super) fn passes(field: &Field, test: &Test, now: WallTime, items: ShowItems<'_>) -> bool {
    let each = |visit: &mut dyn FnMut(&Reading<'_>) -> Visit| {
        items(&mut |item| match read(field, item) {
            Some(reading) => visit(&reading),
            None => Visit::Continue,
        })
    };
    match (&field.kind, test) {
        (Kind::Text(analyzer), Test::Phrase(wanted)) => {
            let mut search = phrase::Search::new(wanted);
            each(&mut |reading| match reading {
                Reading::Text(text) => search.add(text, analyzer),
                _ => Visit::Continue,
            });
            search.found()
        }
        (Kind::Text(_), Test::AnyOf(tests)) => {
            tests.iter().any(|test| passes(field, test, now, items))
        }
        (Kind::Text(analyzer), Test::Term(wanted)) => {
            each(&mut |reading| match reading {
                Reading::Text(text) => {
                    analyzer.each(text, &mut |term, _| stop_if(wanted.passes(term)))
                }
                _ => Visit::Continue,
            }) == Visit::Stop
        }
        (_, test) => each(&mut |reading| stop_if(test.passes(reading, now))) == Visit::Stop,
    }
}

/// What a value becomes in a field; nothing when it does not fit.
fn read<'i>(field: &'i Field, item: Item<'i>) -> Option<Reading<'i>> {
    let item = match (item, &field.null_value) {
        (Item::Null, stand_in) => Item::from(stand_in.as_ref()?),
        (item, _) => item,
    };
    match (field.kind.read(item), item, &field.null_value) {
        // An empty text in a number field is a null.
        (Ok(Reading::Nothing), Item::Text(""), Some(stand_in)) => {
            let reading = field.kind.read(stand_in).ok();
            reading.filter(|reading| *reading != Reading::Nothing)
        }
        (Ok(Reading::Nothing) | Err(_), _, _) => None,
        (Ok(reading), _, _) => Some(reading),
    }
}

fn stop_if(found: bool) -> Visit {
    if found { Visit::Stop } else { Visit::Continue }
}

/// Shows what a field's values become, bad ones left out.
pub(super) fn each_reading(
    field: &Field,
    place: Place<'_>,
    visit: &mut dyn FnMut(&Reading<'_>) -> Visit,
) -> Visit {
    each_item(field, place, &mut |item| match read(field, item) {
        Some(reading) => visit(&reading),
        None => Visit::Continue,
    })
}

fn each_item(field: &Field, place: Place<'_>, visit: &mut dyn FnMut(Item<'_>) -> Visit) -> Visit {
    let mut show = |value: &Value| visit(value.into());
    match &field.sources {
        Source::Paths(paths) => {
            for path in paths {
                if path.values(place.object, &mut show) == Visit::Stop {
                    return Visit::Stop;
                }
            }
            Visit::Continue
        }
        Source::Current => {
            for member in place.current {
                if flatten(member, &mut show) == Visit::Stop {
                    return Visit::Stop;
                }
            }
            Visit::Continue
        }
        Source::Id => visit_text(place.event.id, visit),
        Source::Index => visit_text(place.event.index, visit),
    }
}

/// Shows what is known of an event beside its document.
pub(super) fn visit_text(text: Option<&str>, visit: &mut dyn FnMut(Item<'_>) -> Visit) -> Visit {
    text.map_or(Visit::Continue, |text| visit(Item::Text(text)))
}

impl ByEvent {
    /// Whether any plan for what the event's members turn out to be passes a check. Of many members only those are looked at that `may_pass`.
    pub(super) fn any(
        &self,
        place: Place<'_>,
        may_pass: &dyn Fn(&Value) -> bool,
        check: &mut dyn FnMut(&Plan, Place<'_>) -> bool,
    ) -> bool {
        match &*self.names {
            Names::One { path, parent } => {
                let itself = self.member(path, place, &mut |variant, place| {
                    check(&variant.main, place)
                });
                itself
                    || parent.as_ref().is_some_and(|(path, end)| {
                        self.member(path, place, &mut |variant, place| {
                            variant
                                .sub_fields
                                .iter()
                                .any(|(name, plan)| name == end && check(plan, place))
                        })
                    })
            }
            Names::Like(pattern) => {
                self.scan(place, may_pass, &|name| name_matches(pattern, name), check)
            }
            Names::Below(path) => self.scan(place, may_pass, &|name| is_below(path, name), check),
        }
    }

    /// Whether one of many members may pass, as far as that can be told without knowing its type and cutting its text into terms.
    fn may_pass(&self, member: &Value) -> bool {
        let Value::String(text) = member else {
            return true;
        };
        let pieces = self.pieces.get_or_init(|| pieces_in_texts(self));
        let Some(pieces) = pieces else {
            return true;
        };
        let text = text.as_bytes();
        pieces.iter().any(|piece| shows(text, piece)) || may_become_ascii(text)
    }

    fn member(
        &self,
        path: &Path,
        place: Place<'_>,
        check: &mut dyn FnMut(&super::plan::Variant, Place<'_>) -> bool,
    ) -> bool {
        let mut first: Option<&Value> = None;
        let mut more: Vec<&Value> = Vec::new();
        path.members(place.object, &mut |member| {
            match first {
                None => first = Some(member),
                Some(_) => more.push(member),
            }
            Visit::Continue
        });
        let Some(first) = first else {
            return false;
        };
        let candidate = std::iter::once(first)
            .chain(more.iter().copied())
            .find_map(|member| self.mapping.candidate(path.as_str(), member));
        let Some(variant) = candidate.and_then(|at| self.variants.get(at)) else {
            return false;
        };
        if more.is_empty() {
            return check(
                variant,
                Place {
                    current: &[first],
                    ..place
                },
            );
        }
        more.insert(0, first);
        check(
            variant,
            Place {
                current: &more,
                ..place
            },
        )
    }

    fn scan(
        &self,
        place: Place<'_>,
        may_pass: &dyn Fn(&Value) -> bool,
        wanted: &dyn Fn(&str) -> bool,
        check: &mut dyn FnMut(&Plan, Place<'_>) -> bool,
    ) -> bool {
        leaves(place.object, &mut |name, member| {
            if !may_pass(member) {
                return Visit::Continue;
            }
            stop_if(self.any_of_leaf(name, member, place, wanted, check))
        }) == Visit::Stop
    }

    /// The same for one of many members, which has this full name.
    fn any_of_leaf(
        &self,
        name: &str,
        member: &Value,
        place: Place<'_>,
        wanted: &dyn Fn(&str) -> bool,
        check: &mut dyn FnMut(&Plan, Place<'_>) -> bool,
    ) -> bool {
        let variant = self
            .mapping
            .leaves_open(name)
            .then(|| self.mapping.candidate(name, member))
            .flatten()
            .and_then(|at| self.variants.get(at));
        let Some(variant) = variant else {
            return false;
        };
        let place = Place {
            current: &[member],
            ..place
        };
        if wanted(name) && check(&variant.main, place) {
            return true;
        }
        variant
            .sub_fields
            .iter()
            .any(|(end, plan)| wanted(&format!("{name}.{end}")) && check(plan, place))
    }

    /// Whether a member of this full name passes, if members of many names are looked at.
    pub(super) fn picks_leaf(&self, name: &str, member: &Value, place: Place<'_>) -> bool {
        let wanted: &dyn Fn(&str) -> bool = match &*self.names {
            Names::One { .. } => return false,
            Names::Like(pattern) => &|name| name_matches(pattern, name),
            Names::Below(path) => &|name| is_below(path, name),
        };
        self.any_of_leaf(name, member, place, wanted, &mut |plan, place| {
            plan.matches(place)
        })
    }
}

/// Whether a full name is one of something in an object.
fn is_below(object: &Path, name: &str) -> bool {
    let rest = name.strip_prefix(object.as_str());
    rest.is_some_and(|rest| rest.starts_with('.'))
}
