//! `new_term`: a match when a field has a value that was never seen before.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#new-term>. ElastAlert asks the index for the values of the last `terms_window_size`; here events of
//! that time are learnt from before the rule goes live. A value that was seen is known from then on, until it has not been seen for `terms_window_size`:
//! the running service lets go of such values at its start, as ElastAlert's baseline at a start does, and once a day. From then on such a value counts as
//! unknown; its memory is given back little by little.

use super::keyed::{Keyed, PER_EVENT, PER_TICK, sweep_cost};
use super::source::{self, elements};
use crate::config::{Data, Kind, Node, Problem, Properties, TEXTS, opt};
use crate::event::{Document, EventTime, Field, FieldPath, python};
use crate::rule::{
    Built, Common, Hit, Key, LOOKED_AT, Learning, Match, Observed, Part, QueryKey, RuleState,
    RuleType, RuleTypeEntry, Sample, StateSize, Verdict, Wanted, WindowView, saved,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

pub(super) const ENTRY: RuleTypeEntry = RuleTypeEntry {
    name: "new_term",
    doc: "Matches when a field has a value that was never seen before.",
    options: &[
        opt("fields")
            .names_fields()
            .kind(Kind::AnyOf(&[Kind::Str, Kind::List(&TEXTS)]))
            .doc("The fields to watch; a list inside the list is a combination of fields. Default: query_key."),
        opt("terms_window_size")
            .duration()
            .default("30 days")
            .doc("How far back events are learnt from before the rule goes live, and how long a value is known after it was last seen."),
        opt("alert_on_missing_field").judges()
            .bool()
            .default("false")
            .doc("Whether events without the field match, every time."),
        opt("window_step_size")
            .duration()
            .no_effect("the events to learn from are read in one go")
            .doc("How much of the past one query asks for."),
        opt("use_keyword_postfix")
            .bool()
            .default("true")
            .doc("Whether .keyword is put behind the field's name when an index is asked for known values."),
        source::TERMS_QUERY,
        source::TERMS_SIZE,
        source::MIN_DOC_COUNT,
    ],
    build,
    advice: super::no_advice,
};

/// Combinations learnt from one event at most: lists in several fields multiply.
const MAX_COMBINATIONS: usize = 10_000;

/// What is watched: a field, or a combination of fields.
#[derive(Debug)]
struct Term {
    /// How many of the rule's fields belong to it.
    width: usize,
    /// What a match says: the name, or the names.
    label: Value,
    /// The event's compound `query_key`: parts are missing by name, never by value.
    joined: Option<QueryKey>,
}

#[derive(Debug)]
struct Settings {
    terms: Vec<Term>,
    fields: Vec<FieldPath>,
    window: Duration,
    /// `use_keyword_postfix`.
    keyword: bool,
    alert_on_missing_field: bool,
    /// `use_terms_query`: the name of the one field, and of the time field.
    terms_query: Option<(String, String)>,
}

#[derive(Debug)]
struct NewTerm(Arc<Settings>);

fn build(properties: &Properties, common: &Common) -> Built {
    let mut terms = Vec::new();
    let mut fields = Vec::new();
    match (properties.get("fields"), &common.query_key) {
        (Some(node), _) => {
            let entries = node.as_seq().unwrap_or(std::slice::from_ref(node));
            for entry in entries {
                let names = names(entry);
                let label = if entry.as_seq().is_some() {
                    Value::from(names.clone())
                } else {
                    Value::from(entry.key_text())
                };
                terms.push(Term {
                    width: names.len(),
                    label,
                    joined: None,
                });
                fields.extend(names.iter().map(FieldPath::new));
            }
        }
        (None, Some(query_key)) => {
            terms.push(Term {
                width: query_key.fields.len(),
                label: Value::from(query_key.name.as_str()),
                joined: query_key.is_compound().then(|| query_key.clone()),
            });
            fields.clone_from(&query_key.fields);
        }
        (None, None) => {}
    }
    if terms.is_empty() || terms.iter().any(|term| term.width == 0) {
        let message = "new_term needs fields, or query_key: what is watched for new values";
        return Err(vec![Problem::error("E0426", &common.span, message)]);
    }
    let terms_query = match properties.bool("use_terms_query") {
        Some(true) => Some(terms_query(&terms, common)?),
        _ => None,
    };
    let month = Duration::from_secs(30 * 86_400);
    Ok(Arc::new(NewTerm(Arc::new(Settings {
        terms,
        fields,
        window: properties.duration("terms_window_size").unwrap_or(month),
        keyword: properties.bool("use_keyword_postfix").unwrap_or(true),
        alert_on_missing_field: properties.bool("alert_on_missing_field").unwrap_or(false),
        terms_query,
    }))))
}

fn names(entry: &Node) -> Vec<String> {
    match &entry.data {
        Data::Seq(names) => names.iter().map(Node::key_text).collect(),
        _ => vec![entry.key_text()],
    }
}

fn terms_query(terms: &[Term], common: &Common) -> Result<(String, String), Vec<Problem>> {
    let name = common.query_key.as_ref().map(|key| key.name.as_str());
    match terms {
        [term] if term.label.is_string() && term.label.as_str() == name => Ok((
            name.unwrap_or_default().to_owned(),
            common.time.path.as_str().to_owned(),
        )),
        _ => {
            let message = "use_terms_query needs query_key, and no other field in fields";
            Err(vec![Problem::error("E0427", &common.span, message)])
        }
    }
}

impl RuleType for NewTerm {
    fn fields(&self) -> &[FieldPath] {
        &self.0.fields
    }

    fn sample(&self, event: &Observed<'_>) -> Verdict {
        let values: Vec<Value> = (0..self.0.fields.len())
            .map(|position| event.fields.field(position).to_value())
            .collect();
        if !self.0.alert_on_missing_field && values.iter().all(Value::is_null) && !self.has_joined()
        {
            return Verdict::Nothing;
        }
        Verdict::Sample(Sample {
            key: Key::All,
            values,
        })
    }

    fn learning(&self) -> Option<Learning> {
        let mut end = 0;
        let terms = self.0.terms.iter().filter_map(|term| {
            let start = end;
            end += term.width;
            // ElastAlert asks for a field named like the whole key, and learns nothing.
            term.joined.is_none().then_some(start..end)
        });
        Some(Learning {
            window: self.0.window,
            terms: terms.collect(),
            keyword: self.0.keyword,
        })
    }

    fn state(&self) -> Box<dyn RuleState> {
        Box::new(State {
            known: self.0.terms.iter().map(|_| Known::default()).collect(),
            settings: Arc::clone(&self.0),
        })
    }

    fn is_tuple(&self, member: &str, value: &Value) -> bool {
        matches!(member, "new_field" | "missing_field")
            && value.is_array()
            && self.0.terms.iter().any(|term| term.label == *value)
    }
}

impl NewTerm {
    fn has_joined(&self) -> bool {
        self.0.terms.iter().any(|term| term.joined.is_some())
    }
}

/// A value, or a combination of values.
type Seen = Box<[Key]>;

/// Values, or combinations of values, that were seen, and when last.
#[derive(Default)]
struct Known {
    values: Keyed<EventTime, Seen>,
    /// Values not seen since then count as unknown.
    oldest: Option<EventTime>,
}

struct State {
    settings: Arc<Settings>,
    /// By term.
    known: Vec<Known>,
}

impl Term {
    /// The value of an event: `None` without one. A combination needs all its parts.
    fn value(&self, parts: &[Value]) -> Option<Box<[Key]>> {
        if self.joined.is_some() {
            let text = crate::rule::key::joined_text(parts);
            return Some([Key::Text(text.into())].into());
        }
        parts
            .iter()
            .all(python::is_truthy)
            .then(|| parts.iter().map(Key::of_whole).collect())
    }

    /// The values an aggregation in Elasticsearch finds in an event: every combination of the lists' elements.
    fn learnt(&self, parts: &[Value]) -> Vec<Box<[Key]>> {
        // ElastAlert asks for a field named like the whole key, and learns nothing.
        if self.joined.is_some() {
            return Vec::new();
        }
        let mut combinations: Vec<Vec<Key>> = vec![Vec::new()];
        for part in parts {
            let elements = elements(Field::Value(part));
            combinations = combinations
                .iter()
                .flat_map(|start| {
                    elements.iter().map(move |element| {
                        let mut longer = Vec::with_capacity(parts.len());
                        longer.extend_from_slice(start);
                        longer.push(Key::from(element));
                        longer
                    })
                })
                .take(MAX_COMBINATIONS)
                .collect();
        }
        combinations
            .into_iter()
            .map(Vec::into_boxed_slice)
            .collect()
    }
}

impl State {
    /// Gives memory of values back that were let go of.
    fn sweep(&mut self, count: usize) {
        for known in &mut self.known {
            known.sweep(count);
        }
    }

    /// Each term, what is known of it, and its part of an event's values.
    fn each_term<'a>(
        settings: &'a Settings,
        known: &'a mut [Known],
        values: &'a [Value],
    ) -> impl Iterator<Item = (&'a Term, &'a mut Known, &'a [Value])> {
        let mut rest = values;
        settings.terms.iter().zip(known).map(move |(term, known)| {
            let (parts, others) = rest.split_at(term.width.min(rest.len()));
            rest = others;
            (term, known, parts)
        })
    }
}

impl Known {
    /// Notes that a value was seen; whether it is new.
    fn see(&mut self, value: Seen, time: EventTime) -> bool {
        // A value that comes late is new once, not as often as it comes.
        let time = self.oldest.map_or(time, |oldest| time.max(oldest));
        let Some(slot) = self.values.find(&value) else {
            self.values.add_new(value, time);
            return true;
        };
        let is_forgotten = self.is_forgotten();
        let Some(seen) = self.values.cell(slot) else {
            return true;
        };
        let is_new = is_forgotten(*seen);
        *seen = time.max(*seen);
        is_new
    }

    fn is_forgotten(&self) -> impl Fn(EventTime) -> bool + use<> {
        let oldest = self.oldest;
        move |seen| oldest.is_some_and(|oldest| seen < oldest)
    }

    /// Lets go of values that were not seen since a time.
    fn forget(&mut self, oldest: EventTime) {
        self.oldest = self.oldest.max(Some(oldest));
    }

    /// Removes values that were let go of, looking at a few.
    fn sweep(&mut self, count: usize) {
        if self.oldest.is_none() {
            return;
        }
        let is_forgotten = self.is_forgotten();
        for slot in self.values.stale(count, |seen| is_forgotten(*seen)) {
            self.values.remove(slot);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&Seen, EventTime)> {
        let is_forgotten = self.is_forgotten();
        let values = self.values.iter().map(|(value, seen)| (value, *seen));
        values.filter(move |(_, seen)| !is_forgotten(*seen))
    }

    fn of(values: impl IntoIterator<Item = (Seen, EventTime)>) -> Self {
        let mut known = Self::default();
        for (value, seen) in values {
            known.see(value, seen);
        }
        known
    }
}

/// Saved as a map, without what was let go of.
impl Serialize for Known {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values: Vec<(&Seen, EventTime)> = self.iter().collect();
        values.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of(Vec::<(Seen, EventTime)>::deserialize(
            deserializer,
        )?))
    }
}

impl RuleState for State {
    fn add(&mut self, hit: &Hit, now: EventTime, _: &mut Part, out: &mut Vec<Match>) -> bool {
        if let (Some((field, time)), [value], [known]) = (
            &self.settings.terms_query,
            hit.sample.values.as_slice(),
            self.known.as_mut_slice(),
        ) {
            for value in elements(Field::Value(value)) {
                if known.see([Key::from(&value)].into(), hit.time) {
                    let mut document = source::time_document(time, now);
                    document.insert("new_field".to_owned(), Value::from(field.as_str()));
                    document.insert(field.clone(), value);
                    out.push(Match::synthetic(document));
                }
            }
            return true;
        }
        // A later match of the same event still says what an earlier one did.
        let mut added = Document::new();
        let terms = Self::each_term(&self.settings, &mut self.known, &hit.sample.values);
        for (term, known, parts) in terms {
            let what = match term.value(parts).map(|value| known.see(value, hit.time)) {
                Some(true) => "new_field",
                None if self.settings.alert_on_missing_field => "missing_field",
                Some(false) | None => continue,
            };
            added.insert(what.to_owned(), term.label.clone());
            out.push(Match::of_event(hit.event.as_ref(), added.clone()));
        }
        self.sweep(PER_EVENT);
        true
    }

    fn tick(&mut self, _: EventTime, part: &mut Part, _: &mut Vec<Match>) {
        for known in &self.known {
            part.spend(sweep_cost(known.values.len()));
        }
        self.sweep(PER_TICK);
    }

    fn learn(&mut self, hit: &Hit, start: EventTime) {
        if hit.time >= start || hit.time < start.minus(self.settings.window) {
            return;
        }
        for (term, known, parts) in
            Self::each_term(&self.settings, &mut self.known, &hit.sample.values)
        {
            for value in term.learnt(parts) {
                known.see(value, hit.time);
            }
        }
    }

    fn forget(&mut self, now: EventTime) {
        let oldest = now.minus(self.settings.window);
        for known in &mut self.known {
            known.forget(oldest);
        }
    }

    fn save(&self) -> Vec<u8> {
        saved::save(2, &self.known)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        let known: Vec<Known> = saved::load(2, saved)?;
        if known.len() != self.known.len() {
            return Err("the saved state is about other fields".to_owned());
        }
        self.known = known;
        Ok(())
    }

    fn absorb(&mut self, saved: &[u8]) -> Result<(), String> {
        let before = std::mem::take(&mut self.known);
        self.known = before.iter().map(|_| Known::default()).collect();
        let loaded = self.load(saved);
        if loaded.is_err() {
            self.known = before;
            return loaded;
        }
        for (known, before) in self.known.iter_mut().zip(before) {
            for (value, time) in before.iter() {
                known.see(value.clone(), time);
            }
        }
        Ok(())
    }

    fn views(&self, wanted: &Wanted<'_>) -> Vec<WindowView> {
        let window = self.settings.window;
        let terms = self.settings.terms.iter().zip(&self.known);
        let views = terms.map(|(term, known)| {
            let name = match &term.label {
                Value::Array(names) => names.iter().map(python::str).collect::<Vec<_>>().join(", "),
                name => python::str(name),
            };
            // One value: a combination is written with comma and blank.
            if let Some(wanted) = wanted.key {
                let mut seen = known.iter().filter(|(value, _)| {
                    let parts: Vec<String> = value.iter().map(Key::text).collect();
                    parts.join(", ") == wanted
                });
                let (says, seen) = match seen.next() {
                    Some((_, seen)) => (format!("known of {name}"), Some(seen)),
                    None => (format!("not known of {name}: it matches"), None),
                };
                let key = Key::Text(wanted.into());
                return WindowView {
                    newest: seen,
                    expires: seen.map(|seen| seen.plus(window)),
                    distance: seen.is_none().then_some(0.0),
                    ..WindowView::new(&key, usize::from(seen.is_some()), says)
                };
            }
            let count = known.values.len();
            let times = known.iter().map(|(_, seen)| seen);
            let times: Vec<EventTime> = times.take(LOOKED_AT).collect();
            WindowView {
                oldest: times.iter().min().copied(),
                newest: times.iter().max().copied(),
                ..WindowView::new(
                    &Key::All,
                    count,
                    format!("{count} values of {name} are known; another matches"),
                )
            }
        });
        views.collect()
    }

    fn judge_like(&mut self, empty: &dyn RuleState) {
        if let Some(empty) = empty.as_type::<Self>() {
            self.settings = Arc::clone(&empty.settings);
        }
    }

    fn size(&self) -> StateSize {
        super::size(self.known.iter().map(|known| known.values.len()).sum(), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_let_go_of_is_new_once_more_and_leaves_little_by_little() {
        let value = |n: i64| Seen::from([Key::from(&n.into())]);
        let mut known = Known::of((0..100).map(|n| (value(n), EventTime(n))));
        known.forget(EventTime(50));
        assert!(!known.see(value(50), EventTime(101)) && known.see(value(49), EventTime(101)));
        // Late ones are new once, too.
        assert!(known.see(value(48), EventTime(3)) && !known.see(value(48), EventTime(4)));
        assert!(known.see(value(200), EventTime(3)) && !known.see(value(200), EventTime(4)));
        assert_eq!((known.values.len(), known.iter().count()), (101, 53));
        known.sweep(60);
        known.sweep(60);
        assert_eq!((known.values.len(), known.iter().count()), (53, 53));
    }
}
