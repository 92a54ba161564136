//! Which of many filters could pick an event, found by what the event has instead of asking each.

use super::ProjectedEvent;
use super::anchor::{
    Anchor, FractionKey, Mark, Place, STANDARD, Sign, fraction_in, is_date_like, is_vague, whole_in,
};
use super::literal::{may_become_ascii, may_hide_ascii};
use super::number::scalar_text;
use super::pieces::Pieces;
use super::values::Visit;
use crate::event::project::Item;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::hash::Hash;
use std::sync::Arc;

/// Finds the filters that could pick an event.
///
/// Each filter stands under the values of one of its necessary conditions: the one that it shares with the fewest others. A filter without any
/// is always a candidate. Where many filters share another condition that is looked up as easily (a country, say), that must hold, too: of fifty rules for
/// one site those for other countries are left out without a look at each.
#[derive(Debug)]
pub(super) struct Sieve {
    /// By slot of a projection.
    members: Vec<Option<Box<Member>>>,
    /// Parts of the event's text.
    event: Option<Parts>,
    always: Candidates,
    /// How many words of candidates there are. Behind them stand as many for the second conditions, if any filter has one.
    words: usize,
}

/// From how many filters on that ask the same of a member it is looked for as their second condition.
const MANY: usize = 64;

/// What was found in an event. Kept and used again.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The filters that could pick it.
    pub(super) filters: Candidates,
    /// The numbers of the parts that its text has, and where.
    places: Vec<(usize, usize)>,
    /// Whether any part may be anywhere in it: letters may hide in its text, or it has more parts than are noted.
    pub(super) anywhere: bool,
}

/// How many places of parts are noted of an event.
const MOST_PLACES: usize = 1 << 16;

/// Numbers of filters, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Candidates {
    /// Bit `n % 64` of word `n / 64`.
    words: Vec<u64>,
}

type Table<K, N = Numbers> = HashMap<K, N, FixedState>;

/// Numbers of filters that stand under one value.
#[derive(Debug)]
enum Numbers {
    Few(Vec<usize>),
    /// Words of candidates, from one on.
    Many(usize, Box<[u64]>),
}

/// The filters that ask for values of one member.
#[derive(Debug, Default)]
struct Member {
    texts: Table<Box<str>>,
    words: Table<Box<str>>,
    wholes: Table<i64>,
    fractions: Table<FractionKey>,
    date_like: Numbers,
    present: Numbers,
    parts: Option<Parts>,
}

/// What is asked of a member, while the sieve is made.
struct Asked {
    slot: usize,
    member: Member,
    parts: Table<Box<str>, Vec<usize>>,
}

/// The filters that ask for parts of a text.
type Parts = Pieces<Vec<usize>>;

impl Sieve {
    /// For filters with these anchors, numbered in their order. `slots` tells where in a projection the values of a name are.
    pub(super) fn of(anchors: &[Vec<Anchor>], slots: &mut dyn FnMut(&str) -> usize) -> Self {
        let mut shared: HashMap<&Sign, usize, FixedState> = HashMap::default();
        for sign in anchors.iter().flatten().flatten() {
            *shared.entry(sign).or_default() += 1;
        }
        let crowd = |anchor: &Anchor| -> usize {
            let counts = anchor.iter().filter_map(|sign| shared.get(sign));
            counts.sum()
        };
        let mut members: HashMap<Arc<str>, Asked, FixedState> = HashMap::default();
        let mut event: Table<Box<str>, Vec<usize>> = Table::default();
        let mut always = Candidates::default();
        let words = anchors.len().div_ceil(64);
        // Where the second conditions begin, and those of filters that have none.
        let (behind, mut without) = (words * 64, Vec::new());
        for (filter, anchors) in anchors.iter().enumerate() {
            // Of words that as many ask for the longest are the rarest.
            let shortest = |anchor: &Anchor| anchor.iter().map(|sign| sign.mark.weight()).min();
            let best = anchors
                .iter()
                .min_by_key(|anchor| (is_vague(anchor), crowd(anchor), Reverse(shortest(anchor))));
            let Some(best) = best else {
                always.insert(filter);
                without.push(behind + filter);
                continue;
            };
            let mut stand_under = |sign: &Sign, number: usize| match (&sign.place, &sign.mark) {
                (Place::Event, Mark::Part(part)) => {
                    event.entry_ref(part).or_default().push(number);
                }
                // Nothing else is looked for in an event's text.
                (Place::Event, _) => always.insert(number),
                (Place::Member(name), mark) => {
                    let asked = members.entry(Arc::clone(name)).or_insert_with(|| Asked {
                        slot: slots(name),
                        member: Member::default(),
                        parts: Table::default(),
                    });
                    match mark {
                        Mark::Part(part) => {
                            asked.parts.entry_ref(part).or_default().push(number);
                        }
                        mark => asked.member.insert(mark, number),
                    }
                }
            };
            best.iter().for_each(|sign| stand_under(sign, filter));
            let others = anchors.iter().filter(|anchor| *anchor != best);
            let seconds = others.filter(|anchor| {
                let is_looked_up = |sign: &Sign| !matches!(sign.mark, Mark::Part(_));
                let is_shared = |sign: &Sign| shared.get(sign).is_some_and(|count| *count >= MANY);
                !is_vague(anchor)
                    && anchor
                        .iter()
                        .all(|sign| is_looked_up(sign) && is_shared(sign))
            });
            match seconds.max_by_key(|anchor| crowd(anchor)) {
                Some(second) => second
                    .iter()
                    .for_each(|sign| stand_under(sign, behind + filter)),
                None => without.push(behind + filter),
            }
        }
        let mut by_slot: Vec<Option<Box<Member>>> = Vec::new();
        for Asked {
            slot,
            mut member,
            parts,
        } in members.into_values()
        {
            member.parts = parts_of(parts, &mut always);
            member.pack();
            by_slot.resize_with(by_slot.len().max(slot + 1), || None);
            if let Some(place) = by_slot.get_mut(slot) {
                *place = Some(Box::new(member));
            }
        }
        let event = parts_of(event, &mut always);
        if without.len() < anchors.len() {
            always.insert_each(&without);
            always.words.resize(2 * words, 0);
        } else {
            always.words.resize(words, 0);
        }
        Self {
            members: by_slot,
            event,
            always,
            words,
        }
    }

    /// The filters that are always candidates.
    pub(super) fn always(&self) -> impl Iterator<Item = usize> {
        let after = |filter: &usize| self.always.next(filter + 1);
        let all = std::iter::successors(self.always.next(0), after);
        all.take_while(|filter| *filter < self.words * 64)
    }

    /// Puts into `found` the filters that could pick an event, and nothing else. All others do not pick it, whatever its index, its id and
    /// the time.
    pub(super) fn sift(&self, event: &ProjectedEvent<'_>, found: &mut Found) {
        let Found {
            filters,
            places,
            anywhere,
        } = found;
        filters.words.clone_from(&self.always.words);
        for slot in event.projected.found() {
            if let Some(Some(member)) = self.members.get(slot) {
                let items = event.projected.items(slot);
                items.for_each(|item| member.look(item, filters));
            }
        }
        places.clear();
        *anywhere = false;
        if let Some(parts) = &self.event {
            let leaves = event.projected.leaves();
            let text = leaves.map_or(event.bytes, |leaves| leaves.text().as_bytes());
            let may_hide = may_hide_ascii(text);
            *anywhere = may_hide;
            look_for(parts, text, may_hide, filters, &mut |part, at| {
                if places.len() < MOST_PLACES {
                    places.push((part, at));
                } else {
                    *anywhere = true;
                }
            });
        }
        filters.narrow(self.words);
    }

    /// Where in an event's text there are parts by which it was found that a filter could pick it, unless they may be anywhere; `None`: it is always a
    /// candidate.
    pub(super) fn places<'f>(
        &'f self,
        filter: usize,
        found: &'f Found,
    ) -> Option<impl Iterator<Item = usize> + 'f> {
        let parts = self.event.as_ref()?;
        let asks = move |part: usize| {
            let filters = parts.get(part);
            filters.is_some_and(|filters| filters.contains(&filter))
        };
        let places = found.places.iter();
        let places = places.filter_map(move |&(part, at)| asks(part).then_some(at));
        (!self.always.contains(filter)).then_some(places)
    }
}

/// A search for these; filters whose parts cannot be searched for are always candidates.
fn parts_of(parts: Table<Box<str>, Vec<usize>>, always: &mut Candidates) -> Option<Parts> {
    if parts.is_empty() {
        return None;
    }
    let (parts, others) = Pieces::of(parts);
    others
        .iter()
        .for_each(|filters| always.insert_each(filters));
    Some(parts)
}

/// Looks for parts in a text, and tells where they are; where letters may hide, any could be there.
fn look_for(
    parts: &Parts,
    text: &[u8],
    may_hide: bool,
    found: &mut Candidates,
    tell: &mut impl FnMut(usize, usize),
) {
    if may_hide {
        parts.all().for_each(|filters| found.insert_each(filters));
    } else {
        parts.each_in(text, &mut |part, at| {
            found.insert_each(parts.get(part).map_or(&[], Vec::as_slice));
            tell(part, at);
        });
    }
}

impl Member {
    fn insert(&mut self, mark: &Mark, filter: usize) {
        match mark {
            Mark::Text(text) => self.texts.entry_ref(text).or_default().push(filter),
            Mark::Word(word) => self.words.entry_ref(word).or_default().push(filter),
            Mark::Whole(number) => self.wholes.entry(*number).or_default().push(filter),
            Mark::Fraction(key) => self.fractions.entry(*key).or_default().push(filter),
            Mark::DateLike => self.date_like.push(filter),
            Mark::Present | Mark::Part(_) => self.present.push(filter),
        }
    }

    /// The lists of filters are complete.
    fn pack(&mut self) {
        let texts = self.texts.values_mut().chain(self.words.values_mut());
        let numbers = self.wholes.values_mut().chain(self.fractions.values_mut());
        let others = [&mut self.date_like, &mut self.present];
        texts.chain(numbers).chain(others).for_each(Numbers::pack);
    }

    /// Looks at a value for every mark that somebody asks for.
    fn look(&self, value: Item<'_>, found: &mut Candidates) {
        if value == Item::Null {
            return;
        }
        found.insert_all(Some(&self.present));
        if !(self.texts.is_empty() && self.words.is_empty() && self.parts.is_none())
            && let Some(text) = scalar_text(value)
        {
            found.insert_all(self.texts.get(text));
            if !self.words.is_empty() {
                STANDARD.each(text, &mut |word, _| {
                    found.insert_all(self.words.get(word));
                    Visit::Continue
                });
            }
            if let Some(parts) = &self.parts {
                let text = text.as_bytes();
                look_for(parts, text, may_become_ascii(text), found, &mut |_, _| ());
            }
        }
        found.insert_from(&self.wholes, || whole_in(value));
        found.insert_from(&self.fractions, || fraction_in(value));
        if !self.date_like.is_empty() && is_date_like(value) {
            found.insert_all(Some(&self.date_like));
        }
    }
}

impl Default for Numbers {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Numbers {
    fn push(&mut self, filter: usize) {
        if let Self::Few(filters) = self {
            filters.push(filter);
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Few(filters) if filters.is_empty())
    }

    /// Takes the shorter way to all of them, none of which comes any more.
    fn pack(&mut self) {
        let Self::Few(filters) = self else {
            return;
        };
        let mut all = Candidates::default();
        all.insert_each(filters);
        let from = all.words.iter().position(|word| *word != 0);
        let words = all
            .words
            .get(from.unwrap_or_default()..)
            .unwrap_or_default();
        if filters.len() > words.len() {
            *self = Self::Many(from.unwrap_or_default(), words.into());
        }
    }
}

impl Candidates {
    /// Whether a filter is among them.
    pub(super) fn contains(&self, filter: usize) -> bool {
        let word = self.words.get(filter / 64);
        word.is_some_and(|word| word & (1 << (filter % 64)) != 0)
    }

    /// The first number from this on.
    pub(super) fn next(&self, from: usize) -> Option<usize> {
        let (first, offset) = (from / 64, from % 64);
        let words = self.words.iter().enumerate().skip(first);
        for (at, &word) in words {
            let word = if at == first {
                word >> offset << offset
            } else {
                word
            };
            if word != 0 {
                return Some(at * 64 + word.trailing_zeros() as usize);
            }
        }
        None
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

    fn insert_each(&mut self, filters: &[usize]) {
        filters.iter().for_each(|filter| self.insert(*filter));
    }

    fn insert_all(&mut self, filters: Option<&Numbers>) {
        match filters {
            None => {}
            Some(Numbers::Few(filters)) => self.insert_each(filters),
            Some(Numbers::Many(from, words)) => {
                let here = self.words.iter_mut().skip(*from);
                here.zip(words).for_each(|(word, more)| *word |= more);
            }
        }
    }

    /// Leaves out those whose second condition is not there, and the second conditions.
    fn narrow(&mut self, words: usize) {
        if let Some((filters, seconds)) = self.words.split_at_mut_checked(words)
            && !seconds.is_empty()
        {
            let both = filters.iter_mut().zip(seconds);
            both.for_each(|(word, second)| *word &= *second);
            self.words.truncate(words);
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
    let mut names = Vec::new();
    let sieve = Sieve::of(&[vec![anchor.clone()]], &mut |name| {
        names.push(name.to_owned());
        names.len() - 1
    });
    let text = serde_json::Value::Object(document.clone()).to_string();
    let projector = Projector::new(Vec::new(), &names);
    let mut projection = Projection::default();
    let event = ProjectedEvent {
        projected: projector.project_document(document, &mut projection),
        bytes: text.as_bytes(),
        index: None,
        id: None,
        now: crate::event::WallTime(0),
    };
    let mut found = Found::default();
    sieve.sift(&event, &mut found);
    found.filters.contains(0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::node;
    use super::*;
    use crate::event::project::Projection;
    use crate::filter::{Filter, Mapping, Memory, Program};

    #[track_caller]
    fn check(filters: &[&str], document: &str, expected: &[usize]) {
        let filters: Vec<Filter> = filters
            .iter()
            .map(|filter| {
                let filter = node(&serde_json::from_str(filter).unwrap());
                Filter::load(&[filter], &Mapping::dynamic()).unwrap()
            })
            .collect();
        let mut memory = Memory::default();
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
        program.sift(&event, &mut memory);
        let mut found = Vec::new();
        while let Some(filter) = program.candidate(found.last().map_or(0, |last| last + 1), &memory)
        {
            found.push(filter);
        }
        assert_eq!(found, expected, "{document}");
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
        check(filters, r#"{"host": ["db", "WEB-02"]}"#, &[1]);
        check(filters, r#"{"code": "404"}"#, &[3, 4]);
        check(filters, r#"{"code": [1, 404.5]}"#, &[3, 4]);
        check(filters, r#"{"level": "a fatal one"}"#, &[3]);
        check(filters, r#"{"ratio": 5e-1, "blocked": "true"}"#, &[5, 6]);
        check(filters, r#"{"x": "web 01"}"#, &[]);
    }

    #[test]
    fn what_many_ask_beside_must_be_there_too() {
        let filters: Vec<String> = ["JP", "US"]
            .iter()
            .flat_map(|country| (0..MANY).map(move |host| (country, host)))
            .map(|(country, host)| {
                let query = format!("host:web{host} AND country:{country}");
                format!(r#"{{"query_string": {{"query": "{query}"}}}}"#)
            })
            .chain([r#"{"term": {"host": "web3"}}"#.to_owned()])
            .collect();
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        let alone = 2 * MANY;
        for (document, expected) in [
            (r#"{"host": "web3", "country": "JP"}"#, vec![3, alone]),
            (
                r#"{"host": "web4", "country": ["x", "us"]}"#,
                vec![MANY + 4],
            ),
            (
                r#"{"host": "web3 web4", "country": ["JP", "US"]}"#,
                vec![3, 4, MANY + 3, MANY + 4, alone],
            ),
            (r#"{"host": "web3"}"#, vec![alone]),
            (r#"{"country": "JP"}"#, vec![]),
        ] {
            check(&filters, document, &expected);
        }
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
