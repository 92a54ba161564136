//! Merge keys and duplicate keys: PyYAML's `flatten_mapping`, then Python's dict.

use crate::config::{Data, Mapping, Node, Problem, Span};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher as _;

/// More duplicates than this in one object are no slips: somebody put several rules into one file.
const MAX_SLIPS: usize = 4;

/// Adds what `<<` names: an object, or a list of objects of which earlier ones win.
pub(super) fn merge(
    value: Node,
    key: &Span,
    merged: &mut Vec<(Node, Node)>,
) -> Result<(), Box<Problem>> {
    match value.data {
        Data::Map(map) => merged.extend(map.0),
        Data::Seq(items) if items.iter().all(|item| item.as_map().is_some()) => {
            for item in items.into_iter().rev() {
                if let Data::Map(map) = item.data {
                    merged.extend(map.0);
                }
            }
        }
        _ => {
            let message = "`<<` takes an object or a list of objects to merge";
            return Err(Box::new(Problem::error("E0105", key, message)));
        }
    }
    Ok(())
}

/// One object of merged and own members: the first key stays, the last value wins. Keys written twice are most likely not meant.
pub(super) fn unique(
    merged: Vec<(Node, Node)>,
    own: Vec<(Node, Node)>,
    problems: &mut Vec<Problem>,
) -> Mapping {
    let mut out: Vec<(Node, Node)> = Vec::with_capacity(merged.len() + own.len());
    // By hash: where a key stands in `out`, and whether the object itself has it.
    let mut places: HashTable<(u64, usize, bool)> = HashTable::with_capacity(out.capacity());
    let mut twice = Vec::new();
    let inherited = merged.len();
    for (i, (key, value)) in merged.into_iter().chain(own).enumerate() {
        let Some(name) = equality(&key.data) else {
            out.push((key, value));
            continue;
        };
        let hash = FixedState::default().hash_one(&name);
        let same = |place: &(u64, usize, bool)| {
            let known = out.get(place.1);
            place.0 == hash
                && known.and_then(|(known, _)| equality(&known.data)).as_ref() == Some(&name)
        };
        match places.find_mut(hash, same) {
            Some((_, at, written)) => {
                let Some((first, slot)) = out.get_mut(*at) else {
                    continue;
                };
                if *written {
                    twice.push((first.span.clone(), key.clone()));
                }
                *written |= i >= inherited;
                first.span = key.span;
                *slot = value;
            }
            None => {
                places.insert_unique(hash, (hash, out.len(), i >= inherited), |place| place.0);
                out.push((key, value));
            }
        }
    }
    report(&twice, problems);
    Mapping(out)
}

fn report(twice: &[(Span, Node)], problems: &mut Vec<Problem>) {
    let warning = |first: &Span, key: &Node, message| {
        Problem::warning("W0111", &key.span, message).related(first, "first written here")
    };
    if let [(first, key), _, ..] = twice
        && twice.len() > MAX_SLIPS
    {
        let message = format!(
            "{} keys are written again in one object, the last ones count",
            twice.len()
        );
        problems
            .push(warning(first, key, message).help("a file holds one rule: are these several?"));
        return;
    }
    for (first, key) in twice {
        let name = key.key_text();
        let message = format!("the key `{name}` is written twice, the last one counts");
        problems.push(warning(first, key, message));
    }
}

/// What is the same for keys that are equal in Python.
#[derive(PartialEq, Eq, Hash)]
enum Equality<'a> {
    Text(&'a str),
    Other(String),
}

/// `None`: no key at all.
fn equality(data: &Data) -> Option<Equality<'_>> {
    match data {
        Data::Str(text) => Some(Equality::Text(text)),
        other => written(other).map(Equality::Other),
    }
}

/// A text that is the same for keys that are equal in Python.
fn written(data: &Data) -> Option<String> {
    Some(match data {
        Data::Null => "null".to_owned(),
        Data::Bool(b) => format!("n{}", u8::from(*b)),
        Data::Int(i) => format!("n{i}"),
        Data::BigInt(text) => format!("n{text}"),
        // PyYAML has one NaN object, and Python's dict looks at identity first.
        Data::Float(f) if f.is_nan() => "nan".to_owned(),
        // The full decimal form, so that 1e300 meets the integer it stands for; -0.0 is 0.
        Data::Float(f) => format!("n{}", if *f == 0.0 { 0.0 } else { *f }),
        Data::Str(text) => format!("s{text}"),
        Data::Time(text) => format!("t{text}"),
        Data::Bytes(bytes) => format!("b{bytes:?}"),
        Data::Seq(items) => {
            let parts: Option<Vec<String>> = items.iter().map(|item| written(&item.data)).collect();
            format!("l{:?}", parts?)
        }
        Data::Map(_) => return None,
    })
}
