//! What an event must have for a filter to pick it.
//!
//! An *anchor* is a necessary condition: an event without any of its signs is not picked, whatever else is in it. Anchors say nothing about
//! events that do have a sign; those are for the matcher. What cannot be said this way (ranges, wildcards, negations) simply gives no anchor.

use super::analysis::Analyzer;
use super::mapping::{Exact, Kind, Reading, Source, Whole, may_be_date};
use super::plan::{ByEvent, Leaf, Names, Plan, StringTest, Test};
use crate::event::project::Item;
use std::cmp::Reverse;
use std::sync::{Arc, LazyLock};

/// Any of these signs must be there; none: no event is picked.
pub(super) type Anchor = Vec<Sign>;

/// A mark on a value of a member.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Sign {
    /// The member's full name, as [`super::Filter::fields`] gives it.
    pub(super) place: Arc<str>,
    /// What is seen on one of its values, lists opened.
    pub(super) mark: Mark,
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
    /// Dynamic mapping may take it for a date.
    DateLike,
}

impl Mark {
    /// The length of its text, 0 without one.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Text(text) | Self::Word(text) => text.len(),
            Self::Whole(_) | Self::Fraction(_) | Self::DateLike => 0,
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
fn of(plan: &Plan, current: Option<&Arc<str>>) -> Vec<Anchor> {
    match plan {
        Plan::All | Plan::Not(_) | Plan::Nested { .. } => Vec::new(),
        Plan::None(_) => vec![Anchor::new()],
        Plan::Every(plans) => plans.iter().flat_map(|plan| of(plan, current)).collect(),
        Plan::AtLeast { count, of: plans } => at_least(*count, plans, current),
        // At least one, whatever the document says.
        Plan::TermsSet { of: plans, .. } => at_least(1, plans, current),
        Plan::Leaf(leaf) => on_leaf(leaf, current),
        Plan::ByEvent(by_event) => on_event(by_event),
    }
}

fn at_least(count: usize, plans: &[Plan], current: Option<&Arc<str>>) -> Vec<Anchor> {
    if count == 0 {
        return Vec::new();
    }
    let mut branches: Vec<Vec<Anchor>> = plans.iter().map(|plan| of(plan, current)).collect();
    branches.sort_by_key(|branch| branch.iter().map(Vec::len).min().unwrap_or(usize::MAX));
    // So many cannot all fail.
    branches.truncate((branches.len() + 1).saturating_sub(count));
    any(branches, |sign| sign.mark.length())
}

/// What must be there when any of several branches must hold. Long texts are taken for rare ones.
fn any<T: Clone>(mut branches: Vec<Vec<Vec<T>>>, length: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    // These never hold.
    branches.retain(|branch| !branch.iter().any(Vec::is_empty));
    let ways = branches
        .iter()
        .fold(1_usize, |ways, branch| ways.saturating_mul(branch.len()));
    if ways == 0 {
        return Vec::new();
    }
    let mut joint = vec![Vec::new()];
    for mut branch in branches {
        if ways > MOST {
            branch.sort_by_key(|marks| (marks.len(), Reverse(marks.iter().map(&length).min())));
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
    joint
}

fn on_leaf(leaf: &Leaf, current: Option<&Arc<str>>) -> Vec<Anchor> {
    if leaf.field.null_value.is_some() {
        return Vec::new();
    }
    let places: Vec<Arc<str>> = match (&leaf.field.sources, current) {
        (Source::Paths(paths), _) => paths.iter().map(|path| path.as_str().into()).collect(),
        (Source::Current, Some(place)) => vec![Arc::clone(place)],
        (Source::Current, None) | (Source::Id | Source::Index, _) => return Vec::new(),
    };
    let at_places = |marks: Vec<Mark>| {
        let signs = marks.into_iter().flat_map(|mark| {
            places.iter().map(move |place| Sign {
                place: Arc::clone(place),
                mark: mark.clone(),
            })
        });
        signs.collect()
    };
    let marks = marks_for(&leaf.field.kind, &leaf.test);
    marks.into_iter().map(at_places).collect()
}

fn on_event(by_event: &ByEvent) -> Vec<Anchor> {
    let Names::One { path, parent } = &by_event.names else {
        return Vec::new();
    };
    let place: Arc<str> = path.as_str().into();
    let parent = parent
        .as_ref()
        .map(|(path, end)| (Arc::<str>::from(path.as_str()), end));
    let mut branches = Vec::new();
    for (at, variant) in by_event.variants.iter().enumerate() {
        let mut branch = |plan: &Plan, place: &Arc<str>| {
            branches.push(match plan {
                Plan::None(_) => vec![Anchor::new()],
                _ if by_event.mapping.is_date_candidate(at) => vec![vec![Sign {
                    place: Arc::clone(place),
                    mark: Mark::DateLike,
                }]],
                plan => of(plan, Some(place)),
            });
        };
        branch(&variant.main, &place);
        if let Some((parent, end)) = &parent {
            for (_, plan) in variant.sub_fields.iter().filter(|(name, _)| name == *end) {
                branch(plan, parent);
            }
        }
    }
    any(branches, |sign| sign.mark.length())
}

/// What a value must show to pass the test in a field of that type.
fn marks_for(kind: &Kind, test: &Test) -> Vec<Vec<Mark>> {
    match (kind, test) {
        (_, Test::Never(_)) => vec![Vec::new()],
        (kind, Test::AnyOf(tests)) => any(
            tests.iter().map(|test| marks_for(kind, test)).collect(),
            Mark::length,
        ),
        (Kind::Text(analyzer), Test::Term(test)) if **analyzer == *STANDARD => match test {
            // Its terms have no capitals.
            StringTest::IsIgnoringCase(text) => {
                vec![vec![Mark::Word(text.to_ascii_lowercase().into())]]
            }
            test => texts(test, Mark::Word),
        },
        (Kind::Text(analyzer), Test::Phrase(phrase)) if **analyzer == *STANDARD => {
            let whole = phrase.terms.len() - usize::from(phrase.last_is_prefix);
            let words = phrase.terms.iter().take(whole);
            words
                .map(|(word, _)| vec![Mark::Word(word.clone())])
                .collect()
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
        (Kind::Float(Exact::Double | Exact::Float), Test::Float { lower, upper })
            if lower == upper && lower.includes =>
        {
            vec![vec![Mark::Fraction(FractionKey::of(lower.value))]]
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
        | StringTest::Wildcard { .. }
        | StringTest::Regexp { .. }
        | StringTest::Near { .. }
        | StringTest::Between { .. } => Vec::new(),
    }
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
                    .map(|sign| match &sign.mark {
                        Mark::Text(text) => format!("{}={text:?}", sign.place),
                        Mark::Word(word) => format!("{}~{word}", sign.place),
                        Mark::Whole(number) => format!("{}={number}", sign.place),
                        Mark::Fraction(_) => format!("{}=fraction", sign.place),
                        Mark::DateLike => format!("{}=date", sign.place),
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
        check(r#"{"term": {"a": true}}"#, &["a=1|a~true"]);
    }

    #[test]
    fn nothing_that_must_be_there() {
        for filter in [
            r#"{"match_all": {}}"#,
            r#"{"range": {"a": {"gte": 1}}}"#,
            r#"{"exists": {"field": "a"}}"#,
            r#"{"wildcard": {"a": "x*"}}"#,
            r#"{"query_string": {"query": "word"}}"#,
            r#"{"bool": {"must_not": {"term": {"a": "x"}}}}"#,
            r#"{"bool": {"should": [{"term": {"a": "x"}}, {"prefix": {"a": "y"}}]}}"#,
            r#"{"term": {"_index": "x"}}"#,
        ] {
            check(filter, &[]);
        }
    }
}
