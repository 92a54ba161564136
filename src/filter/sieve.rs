//! Which of many filters could pick an event, found by what the event has instead of asking each.

use super::anchor::{
    Anchor, FractionKey, Mark, STANDARD, Sign, anchors, fraction_in, is_date_like, whole_in,
};
use super::number::scalar_text;
use super::values::Visit;
use super::{Filter, ProjectedEvent};
use crate::event::project::Item;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::hash::Hash;
use std::sync::Arc;

/// Finds the filters that could pick an event.
///
/// Each filter stands under the values of one of its necessary conditions: the one that it shares with the fewest others. A filter without any
/// is always a candidate.
#[derive(Debug)]
pub(super) struct Sieve {
    places: Vec<Place>,
    always: Candidates,
}

/// Numbers of filters, in order.
#[derive(Debug, Clone, Default)]
pub struct Candidates {
    /// Bit `n % 64` of word `n / 64`.
    words: Vec<u64>,
}

type Table<K> = HashMap<K, Vec<usize>, FixedState>;

/// The filters that ask for values of one member.
#[derive(Debug)]
struct Place {
    /// The member's values in a projection.
    slot: usize,
    texts: Table<Box<str>>,
    words: Table<Box<str>>,
    wholes: Table<i64>,
    fractions: Table<FractionKey>,
    date_like: Vec<usize>,
}

impl Sieve {
    /// For these filters, numbered in their order. `slots` tells where in a projection the values of a name are.
    pub(super) fn of<'f>(
        filters: impl IntoIterator<Item = &'f Filter>,
        slots: &mut dyn FnMut(&str) -> usize,
    ) -> Self {
        let anchors: Vec<Vec<Anchor>> = filters
            .into_iter()
            .map(|filter| anchors(&filter.plan))
            .collect();
        let mut shared: HashMap<&Sign, usize, FixedState> = HashMap::default();
        for sign in anchors.iter().flatten().flatten() {
            *shared.entry(sign).or_default() += 1;
        }
        let crowd = |anchor: &Anchor| -> usize {
            let counts = anchor.iter().filter_map(|sign| shared.get(sign));
            counts.sum()
        };
        let mut places: HashMap<Arc<str>, Place, FixedState> = HashMap::default();
        let mut always = Candidates::default();
        for (filter, anchors) in anchors.iter().enumerate() {
            // Of words that as many ask for the longest are the rarest.
            let shortest = |anchor: &Anchor| anchor.iter().map(|sign| sign.mark.length()).min();
            let best = anchors
                .iter()
                .min_by_key(|anchor| (crowd(anchor), Reverse(shortest(anchor))));
            let Some(best) = best else {
                always.insert(filter);
                continue;
            };
            for Sign { place, mark } in best {
                places
                    .entry(Arc::clone(place))
                    .or_insert_with(|| Place::new(slots(place)))
                    .insert(mark, filter);
            }
        }
        Self {
            places: places.into_values().collect(),
            always,
        }
    }

    /// Puts into `found` the filters that could pick an event, and nothing else. All others do not pick it, whatever its index, its id and
    /// the time.
    pub(super) fn sift(&self, event: &ProjectedEvent<'_>, found: &mut Candidates) {
        found.words.clone_from(&self.always.words);
        for place in &self.places {
            for item in event.projected.items(place.slot) {
                place.look(item, found);
            }
        }
    }
}

impl Place {
    fn new(slot: usize) -> Self {
        Self {
            slot,
            texts: Table::default(),
            words: Table::default(),
            wholes: Table::default(),
            fractions: Table::default(),
            date_like: Vec::new(),
        }
    }

    fn insert(&mut self, mark: &Mark, filter: usize) {
        match mark {
            Mark::Text(text) => self.texts.entry_ref(text).or_default().push(filter),
            Mark::Word(word) => self.words.entry_ref(word).or_default().push(filter),
            Mark::Whole(number) => self.wholes.entry(*number).or_default().push(filter),
            Mark::Fraction(key) => self.fractions.entry(*key).or_default().push(filter),
            Mark::DateLike => self.date_like.push(filter),
        }
    }

    /// Looks at a value for every mark that somebody asks for.
    fn look(&self, value: Item<'_>, found: &mut Candidates) {
        if !(self.texts.is_empty() && self.words.is_empty())
            && let Some(text) = scalar_text(value)
        {
            found.insert_all(self.texts.get(text));
            if !self.words.is_empty() {
                STANDARD.each(text, &mut |word, _| {
                    found.insert_all(self.words.get(word));
                    Visit::Continue
                });
            }
        }
        found.insert_from(&self.wholes, || whole_in(value));
        found.insert_from(&self.fractions, || fraction_in(value));
        if !self.date_like.is_empty() && is_date_like(value) {
            found.insert_all(Some(&self.date_like));
        }
    }
}

impl Candidates {
    /// Whether a filter is among them.
    pub fn contains(&self, filter: usize) -> bool {
        let word = self.words.get(filter / 64);
        word.is_some_and(|word| word & (1 << (filter % 64)) != 0)
    }

    /// Their numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = usize::try_from(rest.trailing_zeros()).ok()?;
                (bit < 64).then(|| {
                    rest &= rest - 1;
                    at * 64 + bit
                })
            })
        })
    }

    fn insert(&mut self, filter: usize) {
        let at = filter / 64;
        if self.words.len() <= at {
            self.words.resize(at + 1, 0);
        }
        if let Some(word) = self.words.get_mut(at) {
            *word |= 1 << (filter % 64);
        }
    }

    fn insert_all(&mut self, filters: Option<&Vec<usize>>) {
        for &filter in filters.into_iter().flatten() {
            self.insert(filter);
        }
    }

    fn insert_from<K: Hash + Eq>(&mut self, table: &Table<K>, key: impl FnOnce() -> Option<K>) {
        if !table.is_empty()
            && let Some(key) = key()
        {
            self.insert_all(table.get(&key));
        }
    }
}

/// Whether a document has a sign of an anchor.
#[cfg(test)]
pub(super) fn has_sign(anchor: &Anchor, document: &crate::event::Document) -> bool {
    use crate::event::project::{Projection, Projector};
    let mut found = Candidates::default();
    for sign in anchor {
        let mut place = Place::new(0);
        place.insert(&sign.mark, 0);
        let projector = Projector::new(Vec::new(), &[sign.place.to_string()]);
        let mut projection = Projection::default();
        let event = projector.project_document(document, &mut projection);
        event.items(0).for_each(|item| place.look(item, &mut found));
    }
    found.contains(0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::node;
    use super::*;
    use crate::event::project::Projection;
    use crate::filter::{Mapping, Program};

    #[track_caller]
    fn check(filters: &[&str], document: &str, expected: &[usize]) {
        let filters: Vec<Filter> = filters
            .iter()
            .map(|filter| {
                let filter = node(&serde_json::from_str(filter).unwrap());
                Filter::load(&[filter], &Mapping::dynamic()).unwrap()
            })
            .collect();
        let mut found = Candidates::default();
        let program = Program::new(&filters.iter().collect::<Vec<_>>(), &[], Vec::new());
        let mut projection = Projection::default();
        let event = ProjectedEvent {
            projected: program
                .project(document.as_bytes(), &mut projection)
                .unwrap(),
            bytes: document.as_bytes(),
            index: None,
            id: None,
            now: crate::event::WallTime(0),
        };
        program.sift(&event, &mut found);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{document}");
    }

    #[test]
    fn candidates_are_found_by_their_values() {
        let filters = &[
            r#"{"query_string": {"query": "host:\"web 01\" AND code:500"}}"#,
            r#"{"query_string": {"query": "host:\"web 02\" AND NOT code:500"}}"#,
            r#"{"terms": {"host.keyword": ["web 03", "web 01"]}}"#,
            r#"{"bool": {"should": [{"term": {"code": 404}}, {"match": {"level": "Error Fatal"}}]}}"#,
            r#"{"range": {"code": {"gte": 600}}}"#,
            r#"{"term": {"ratio": 0.5}}"#,
            r#"{"term": {"blocked": true}}"#,
            r#"{"match_none": {}}"#,
        ];
        check(filters, r#"{"host": "web 01", "code": 200}"#, &[0, 2, 4]);
        check(filters, r#"{"host": ["db", "WEB-02"]}"#, &[1, 4]);
        check(filters, r#"{"code": "404"}"#, &[3, 4]);
        check(filters, r#"{"code": [1, 404.5]}"#, &[3, 4]);
        check(filters, r#"{"level": "a fatal one"}"#, &[3, 4]);
        check(filters, r#"{"ratio": 5e-1, "blocked": "true"}"#, &[4, 5, 6]);
        check(filters, r#"{"x": "web 01"}"#, &[4]);
    }

    #[test]
    fn more_candidates_than_a_word_has_bits() {
        let filters: Vec<String> = (0..200)
            .map(|at| format!(r#"{{"term": {{"a": "x{}"}}}}"#, at % 100))
            .collect();
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        check(&filters, r#"{"a": "x63 x64 x"}"#, &[63, 64, 163, 164]);
    }
}
