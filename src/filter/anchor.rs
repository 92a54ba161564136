//! What an event must have for a filter to pick it.
//!
//! An *anchor* is a necessary condition: an event without any of its signs is not picked, whatever else is in it. Anchors say nothing about
//! events that do have a sign; those are for the matcher. What cannot be said this way (ranges, wildcards, negations) simply gives no anchor.

use super::analysis::Analyzer;
use super::literal::{self, Haystack};
use super::mapping::{Exact, Kind, Reading, Source, Whole, may_be_date};
use super::plan::{ByEvent, Leaf, Names, Plan, StringTest, Test};
use super::values::Path;
use crate::event::project::Item;
use indexmap::IndexSet;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, LazyLock};

/// Any of these signs must be there; none: no event is picked.
pub(super) type Anchor = Vec<Sign>;

/// A mark on a value of a member, or on the whole event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Sign {
    pub(super) place: Place,
    /// What is seen on one of the values there, lists opened.
    pub(super) mark: Mark,
}

/// Where a mark is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// The member with this full name, as [`super::Filter::fields`] gives it.
    Member(Arc<str>),
    /// The event's JSON text; only for marks that are a part of it.
    Event,
}

/// What can be told of a value without knowing what type its field has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Mark {
    /// It is written exactly like this.
    Text(Box<str>),
    /// A text field of the standard analyzer has this term.
    Word(Box<str>),
    /// A field of whole numbers or booleans reads this from it.
    Whole(i64),
    /// A field of fractions reads this from it.
    Fraction(FractionKey),
    /// Its text has this part, in capitals or not; see [`super::literal`].
    Part(Box<str>),
    /// Dynamic mapping may take it for a date.
    DateLike,
    /// It is not null.
    Present,
}

impl Mark {
    /// How much it says: the length of its text, 0 without one; nothing when it only says that there is a value.
    pub(super) fn weight(&self) -> Option<usize> {
        match self {
            Self::Text(text) | Self::Word(text) | Self::Part(text) => Some(text.len()),
            Self::Whole(_) | Self::Fraction(_) => Some(0),
            Self::DateLike | Self::Present => None,
        }
    }
}

/// A number rounded to 32 bits: equal wherever the number kept in 32 or 64 bits is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FractionKey(u64);

impl FractionKey {
    fn of(value: f64) -> Self {
        // Minus zero is zero.
        Self((Exact::Float.round(value) + 0.0).to_bits())
    }
}

/// The most ways to say what must be there that are kept where alternatives multiply.
const MOST: usize = 16;

/// What an event must have for the plan to match: it must have a sign of every anchor.
pub(super) fn anchors(plan: &Plan) -> Vec<Anchor> {
    of(plan, None)
}

/// `current` is the member that is being typed by its own value.
fn of(plan: &Plan, current: Option<&Place>) -> Vec<Anchor> {
    match plan {
        Plan::All | Plan::Not(_) | Plan::Nested { .. } => Vec::new(),
        Plan::None(_) => vec![Anchor::new()],
        Plan::Every(plans) => {
            let mut anchors: Vec<Anchor> =
                plans.iter().flat_map(|plan| of(plan, current)).collect();
            if anchors.iter().any(|anchor| !is_vague(anchor)) {
                anchors.retain(|anchor| !is_vague(anchor));
            }
            anchors
        }
        Plan::AtLeast { count, of: plans } => at_least(*count as usize, plans, current),
        // At least one, whatever the document says.
        Plan::TermsSet(set) => at_least(1, &set.of, current),
        Plan::Leaf(leaf) => on_leaf(leaf, current),
        Plan::ByEvent(by_event) => on_event(by_event),
    }
}

fn at_least(count: usize, plans: &[Plan], current: Option<&Place>) -> Vec<Anchor> {
    if count == 0 {
        return Vec::new();
    }
    let mut branches: Vec<Vec<Anchor>> = plans.iter().map(|plan| of(plan, current)).collect();
    let best = |branch: &Vec<Anchor>| {
        let anchors = branch.iter().map(|anchor| (is_vague(anchor), anchor.len()));
        anchors.min().unwrap_or((true, usize::MAX))
    };
    branches.sort_by_key(best);
    // So many cannot all fail.
    branches.truncate((branches.len() + 1).saturating_sub(count));
    any(branches, |sign| sign.mark.weight())
}

/// Whether an anchor may be there because of a sign that says little.
pub(super) fn is_vague(anchor: &Anchor) -> bool {
    anchor.iter().any(|sign| sign.mark.weight().is_none())
}

/// What must be there when any of several branches must hold. Long texts are taken for rare ones; what most branches have, events have too.
fn any<T: Clone + Eq + Hash>(
    mut branches: Vec<Vec<Vec<T>>>,
    weight: impl Fn(&T) -> Option<usize>,
) -> Vec<Vec<T>> {
    // These never hold.
    branches.retain(|branch| !branch.iter().any(Vec::is_empty));
    let ways = branches
        .iter()
        .fold(1_usize, |ways, branch| ways.saturating_mul(branch.len()));
    if ways == 0 {
        return Vec::new();
    }
    let mut shared: HashMap<T, usize> = HashMap::new();
    if ways > MOST {
        for mark in branches.iter().flatten().flatten() {
            *shared.entry(mark.clone()).or_default() += 1;
        }
    }
    let most = branches.len().div_ceil(2).max(2);
    let mut joint = vec![Vec::new()];
    for mut branch in branches {
        if ways > MOST {
            branch.sort_by_key(|marks| {
                let lightest = marks.iter().map(&weight).min().flatten();
                let common = |mark| shared.get(mark).is_some_and(|count| *count >= most);
                (
                    lightest.is_none(),
                    marks.iter().any(common),
                    marks.len(),
                    Reverse(lightest),
                )
            });
            branch.truncate(1);
        }
        if let [only] = &branch[..] {
            joint
                .iter_mut()
                .for_each(|one: &mut Vec<T>| one.extend_from_slice(only));
        } else {
            joint = joint
                .iter()
                .flat_map(|one| branch.iter().map(|other| [&one[..], other].concat()))
                .collect();
        }
    }
    for one in &mut joint {
        let different: IndexSet<T> = one.drain(..).collect();
        one.extend(different);
    }
    joint
}

fn on_leaf(leaf: &Leaf, current: Option<&Place>) -> Vec<Anchor> {
    if leaf.field.null_value.is_some() {
        return Vec::new();
    }
    let member = |path: &Path| Place::Member(path.as_str().into());
    let places: Vec<Place> = match (&leaf.field.sources, current) {
        (Source::Paths(paths), _) => paths.iter().map(member).collect(),
        (Source::Current, Some(place)) => vec![place.clone()],
        (Source::Current, None) | (Source::Id | Source::Index, _) => return Vec::new(),
    };
    let at_places = |marks: Vec<Mark>| {
        let signs = marks.into_iter().flat_map(|mark| {
            places.iter().map(move |place| Sign {
                place: place.clone(),
                mark: mark.clone(),
            })
        });
        signs.collect()
    };
    let marks = if places == [Place::Event] {
        marks_in_event(&leaf.field.kind, &leaf.test)
    } else {
        let marks = marks_for(&leaf.field.kind, &leaf.test);
        // If nothing else, there must be a value.
        if marks.is_empty() {
            vec![vec![Mark::Present]]
        } else {
            marks
        }
    };
    marks.into_iter().map(at_places).collect()
}

fn on_event(by_event: &ByEvent) -> Vec<Anchor> {
    let (place, parent, wanted_end) = match &*by_event.names {
        Names::One { path, parent } => (
            Place::Member(path.as_str().into()),
            parent
                .as_ref()
                .map(|(path, _)| Place::Member(path.as_str().into())),
            parent.as_ref().map(|(_, end)| &**end),
        ),
        Names::Like(_) | Names::Below(_) => (Place::Event, Some(Place::Event), None),
    };
    let mut anchors = on_variants(by_event, &place, parent.as_ref(), wanted_end);
    if let Names::Below(path) = &*by_event.names {
        // Whatever is below it, its own name is there.
        let names: Vec<String> = path.as_str().split('.').map(str::to_owned).collect();
        let part = literal::piece_of(&names, Haystack::Event);
        anchors.extend(part.map(|part| {
            vec![Sign {
                place: Place::Event,
                mark: Mark::Part(part),
            }]
        }));
    }
    anchors
}

/// What a member must have in a place for any variant to match there, or at its parent.
fn on_variants(
    by_event: &ByEvent,
    place: &Place,
    parent: Option<&Place>,
    wanted_end: Option<&str>,
) -> Vec<Anchor> {
    let mut branches = Vec::new();
    for (at, variant) in by_event.variants.iter().enumerate() {
        let mut branch = |plan: &Plan, place: &Place| {
            branches.push(match (plan, place) {
                (Plan::None(_), _) => vec![Anchor::new()],
                (_, Place::Member(_)) if by_event.mapping.is_date_candidate(at) => {
                    vec![vec![Sign {
                        place: place.clone(),
                        mark: Mark::DateLike,
                    }]]
                }
                (plan, place) => of(plan, Some(place)),
            });
        };
        branch(&variant.main, place);
        for (end, plan) in &variant.sub_fields {
            if let Some(parent) = parent
                && wanted_end.is_none_or(|wanted| wanted == &**end)
            {
                branch(plan, parent);
            }
        }
    }
    any(branches, |sign| sign.mark.weight())
}

/// Pieces of which a text must show one to pass what is asked of any member, in capitals or not; `None` when nothing can be said.
pub(super) fn pieces_in_texts(by_event: &ByEvent) -> Option<Box<[Box<str>]>> {
    let anywhere = Place::Event;
    let anchors = on_variants(by_event, &anywhere, Some(&anywhere), None);
    let pieces = |anchor: Anchor| -> Option<Box<[Box<str>]>> {
        let signs = anchor.into_iter().map(|sign| match sign {
            Sign {
                place: Place::Event,
                mark: Mark::Part(part),
            } => Some(part),
            _ => None,
        });
        signs.collect()
    };
    let said = anchors.into_iter().filter_map(pieces);
    said.min_by_key(|pieces| pieces.len())
}

/// What the text of an event must show for a test on any of its members to pass.
fn marks_in_event(kind: &Kind, test: &Test) -> Vec<Vec<Mark>> {
    match (kind, test) {
        (_, Test::Never(_)) => vec![Vec::new()],
        (kind, Test::AnyOf(tests)) => any(
            tests
                .iter()
                .map(|test| marks_in_event(kind, test))
                .collect(),
            Mark::weight,
        ),
        (Kind::Text(analyzer), Test::Phrase(phrase)) if analyzer.only_cuts() => {
            let terms = phrase.terms.iter().map(|(term, _)| term.to_string());
            let pieces = terms.filter_map(|term| literal::piece_of(&[term], Haystack::Event));
            pieces.map(|piece| vec![Mark::Part(piece)]).collect()
        }
        (kind, Test::Term(test)) if keeps_letters(kind) => parts(test, Haystack::Event),
        _ => Vec::new(),
    }
}

/// Whether the terms of a field are pieces of its texts, but for capitals.
fn keeps_letters(kind: &Kind) -> bool {
    match kind {
        Kind::Text(analyzer) => analyzer.only_cuts(),
        Kind::Keyword { normalizer, .. } => normalizer
            .as_ref()
            .is_none_or(|analyzer| analyzer.only_cuts()),
        _ => false,
    }
}

fn parts(test: &StringTest, haystack: Haystack) -> Vec<Vec<Mark>> {
    let pieces = literal::pieces(test, haystack).into_iter();
    pieces
        .map(|pieces| pieces.into_iter().map(Mark::Part).collect())
        .collect()
}

/// What a value must show to pass the test in a field of that type.
fn marks_for(kind: &Kind, test: &Test) -> Vec<Vec<Mark>> {
    match (kind, test) {
        (_, Test::Never(_)) => vec![Vec::new()],
        (kind, Test::AnyOf(tests)) => any(
            tests.iter().map(|test| marks_for(kind, test)).collect(),
            Mark::weight,
        ),
        (Kind::Text(analyzer), Test::Term(test)) if **analyzer == *STANDARD => match test {
            // Its terms have no capitals.
            StringTest::IsIgnoringCase(text) => {
                vec![vec![Mark::Word(text.to_ascii_lowercase().into())]]
            }
            test => texts(test, Mark::Word),
        },
        (kind, Test::Term(test)) if keeps_letters(kind) && !is_exact(kind) => {
            parts(test, Haystack::Value)
        }
        (Kind::Text(analyzer), Test::Phrase(phrase)) if **analyzer == *STANDARD => {
            let whole = phrase.terms.len() - usize::from(phrase.last_is_prefix);
            let words = phrase.terms.iter().take(whole);
            words
                .map(|(word, _)| vec![Mark::Word(word.clone())])
                .collect()
        }
        (Kind::Text(analyzer), Test::Phrase(phrase)) if analyzer.only_cuts() => {
            let terms = phrase.terms.iter().map(|(term, _)| term.to_string());
            let pieces = terms.filter_map(|term| literal::piece_of(&[term], Haystack::Value));
            pieces.map(|piece| vec![Mark::Part(piece)]).collect()
        }
        (
            Kind::Keyword {
                normalizer: None, ..
            },
            Test::Term(test),
        ) => texts(test, Mark::Text),
        (Kind::Whole { .. } | Kind::Boolean, Test::Whole { first, last }) if first == last => {
            vec![vec![Mark::Whole(*first)]]
        }
        (Kind::Whole { .. } | Kind::Boolean, Test::WholeOneOf(numbers)) => {
            vec![numbers.iter().copied().map(Mark::Whole).collect()]
        }
        // Other types keep steps or 16 bits, which rounding to 32 bits would tell apart.
        (Kind::Float(Exact::Double | Exact::Float), Test::Float(bounds))
            if bounds.0 == bounds.1 && bounds.0.includes =>
        {
            vec![vec![Mark::Fraction(FractionKey::of(bounds.0.value))]]
        }
        _ => Vec::new(),
    }
}

fn texts(test: &StringTest, mark: impl Fn(Box<str>) -> Mark) -> Vec<Vec<Mark>> {
    match test {
        StringTest::Is(text) => vec![vec![mark(text.clone())]],
        StringTest::IsOneOf(wanted) => vec![wanted.iter().cloned().map(mark).collect()],
        StringTest::IsIgnoringCase(_)
        | StringTest::StartsWith { .. }
        | StringTest::Wildcard(_)
        | StringTest::Regexp(_)
        | StringTest::Near(_)
        | StringTest::Between(_) => parts(test, Haystack::Value),
    }
}

/// Whether a value is compared as it is written.
fn is_exact(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Keyword {
            normalizer: None,
            ..
        }
    )
}

/// The analyzer whose terms are marks: that of nearly all texts.
pub(super) static STANDARD: LazyLock<Analyzer> = LazyLock::new(Analyzer::standard);

/// The whole number that a field can read from a scalar.
pub(super) fn whole_in(value: Item<'_>) -> Option<i64> {
    // Whatever a smaller type reads, `integer` reads the same; what `long` reads, they read the same if at all.
    let kind = |whole| Kind::Whole {
        whole,
        coerce: true,
    };
    [kind(Whole::Long), kind(Whole::Integer), Kind::Boolean]
        .iter()
        .find_map(|kind| match kind.read(value) {
            Ok(Reading::Whole(number)) => Some(number),
            Ok(Reading::Boolean(value)) => Some(value.into()),
            _ => None,
        })
}

/// The fraction that a field can read from a scalar.
pub(super) fn fraction_in(value: Item<'_>) -> Option<FractionKey> {
    match Kind::Float(Exact::Double).read(value) {
        Ok(Reading::Float(number)) => Some(FractionKey::of(number)),
        _ => None,
    }
}

/// Whether dynamic mapping may take a scalar for a date.
pub(super) fn is_date_like(value: Item<'_>) -> bool {
    matches!(value, Item::Text(text) if may_be_date(text))
}

#[cfg(test)]
mod tests {
    use super::super::tests::node;
    use super::*;
    use crate::filter::{Filter, Mapping};

    /// Shows anchors as `place=mark|place=mark`.
    #[track_caller]
    fn check(filter: &str, expected: &[&str]) {
        let filter = node(&serde_json::from_str(filter).unwrap());
        let filter = Filter::load(&[filter], &Mapping::dynamic()).unwrap();
        let shown: Vec<String> = anchors(&filter.plan)
            .iter()
            .map(|anchor| {
                let mut signs: Vec<String> = anchor
                    .iter()
                    .map(|sign| {
                        let place = match &sign.place {
                            Place::Member(name) => name,
                            Place::Event => "*",
                        };
                        match &sign.mark {
                            Mark::Text(text) => format!("{place}={text:?}"),
                            Mark::Word(word) => format!("{place}~{word}"),
                            Mark::Whole(number) => format!("{place}={number}"),
                            Mark::Fraction(_) => format!("{place}=fraction"),
                            Mark::Part(part) => format!("{place}*{part}"),
                            Mark::DateLike => format!("{place}=date"),
                            Mark::Present => format!("{place}=any"),
                        }
                    })
                    .collect();
                signs.sort();
                signs.join("|")
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_must_be_there() {
        check(r#"{"term": {"a": "x"}}"#, &["a~x"]);
        check(
            r#"{"term": {"a.keyword": "X y"}}"#,
            &["a.keyword~X y|a=\"X y\""],
        );
        check(r#"{"match_phrase": {"a": "X y"}}"#, &["a~x", "a~y"]);
        check(r#"{"match_phrase_prefix": {"a": "X y"}}"#, &["a~x"]);
        check(
            r#"{"bool": {"filter": [{"term": {"a": "x"}}, {"term": {"b": "y"}}], "must_not": {"term": {"c": "z"}}}}"#,
            &["a~x", "b~y"],
        );
        check(
            r#"{"bool": {"should": [{"term": {"a": "x"}}, {"term": {"b": "y"}}]}}"#,
            &["a~x|b~y"],
        );
        check(
            r#"{"bool": {"minimum_should_match": 2, "should": [{"range": {"c": {"gt": 1}}}, {"term": {"a": "x"}}, {"term": {"b": "y"}}]}}"#,
            &["a~x|b~y"],
        );
        check(
            r#"{"query_string": {"query": "a:(\"x y\" OR z)"}}"#,
            &["a~x|a~z", "a~y|a~z"],
        );
        check(
            r#"{"query_string": {"query": "a:(\"x xx\" OR \"y yy\" OR \"z zz\" OR \"u uu\" OR \"v vv\")"}}"#,
            &["a~uu|a~vv|a~xx|a~yy|a~zz"],
        );
        check(
            r#"{"query_string": {"query": "a:(\"user-1\" OR \"user-2\" OR \"user-3\" OR \"user-4\" OR \"user-5\")"}}"#,
            &["a~1|a~2|a~3|a~4|a~5"],
        );
        check(r#"{"term": {"a": true}}"#, &["a=1|a~true"]);
    }

    #[test]
    fn parts_of_texts() {
        check(r#"{"wildcard": {"a": "*Xyz*"}}"#, &["a*xyz"]);
        check(
            r#"{"query_string": {"query": "a.keyword:*\\\\Cmd.exe AND a.keyword:/.*abc/"}}"#,
            &["a*\\cmd.exe|a.keyword*\\cmd.exe", "a*abc|a.keyword*abc"],
        );
        check(
            r#"{"query_string": {"query": "*cmd\\/exec*"}}"#,
            &["**exec"],
        );
        check(
            r#"{"query_string": {"query": "exception"}}"#,
            &["**exception"],
        );
    }

    #[test]
    fn a_value_must_be_there() {
        check(r#"{"range": {"a": {"gte": 1}}}"#, &["a=any|a=date"]);
        check(r#"{"wildcard": {"a": "x*"}}"#, &["a=any"]);
        check(
            r#"{"bool": {"should": [{"term": {"a": "x"}}, {"prefix": {"a": "y"}}]}}"#,
            &["a=any|a~x"],
        );
        check(
            r#"{"bool": {"filter": [{"range": {"a": {"gte": 1}}}, {"term": {"b": "x"}}]}}"#,
            &["b~x"],
        );
        check(
            r#"{"exists": {"field": "abc.user"}}"#,
            &["**user|abc.user=any|abc.user=date"],
        );
    }

    #[test]
    fn nothing_that_must_be_there() {
        for filter in [
            r#"{"match_all": {}}"#,
            r#"{"query_string": {"query": "a*"}}"#,
            r#"{"query_string": {"query": "500"}}"#,
            r#"{"bool": {"must_not": {"term": {"a": "x"}}}}"#,
            r#"{"term": {"_index": "x"}}"#,
        ] {
            check(filter, &[]);
        }
    }
}
