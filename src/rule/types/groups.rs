//! The groups of the aggregation types: Elasticsearch's terms aggregations, one inside the other for a compound `query_key`.

use super::metric::{Accumulator, Contribution, MetricKind};
use super::source::elements;
use crate::event::Field;
use crate::rule::Key;
use hashbrown::HashMap;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// A group's values, outermost first. Empty for a rule without groups; shorter than the key for an outer group.
pub(super) type Path = Box<[Key]>;

/// A group's number while it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct GroupId(u32);

/// The group that all others are in.
const ROOT: GroupId = GroupId(0);

/// Groups one event is in at most: lists in several fields multiply.
const MAX_PATHS: usize = 1_000;

/// Which groups are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// `terms_size`: so many of each level, those with most events.
    pub(super) size: usize,
    /// `min_doc_count`.
    pub(super) min_doc_count: u64,
}

/// The groups that have events.
#[derive(Debug)]
pub(super) struct Groups {
    kind: MetricKind,
    limits: Limits,
    /// How many fields make a group.
    depth: usize,
    groups: Vec<Group>,
    free: Vec<GroupId>,
    ids: HashMap<(GroupId, Key), GroupId, foldhash::fast::RandomState>,
}

#[derive(Debug)]
struct Group {
    /// How many fields' values lead to it.
    level: usize,
    parent: GroupId,
    key: Key,
    /// Events that refer to it, those of the future included.
    references: u64,
    /// Events in the window.
    documents: u64,
    /// The metric; of innermost groups only.
    accumulator: Accumulator,
    /// The groups inside it that have events, in the order in which Elasticsearch answers: most events first, then by value.
    inner: BTreeSet<(Reverse<u64>, Key, GroupId)>,
}

/// The groups an event belongs to by the values of the key's fields. An event without one of the fields counts in the groups of the fields before that
/// one, as in Elasticsearch's nested aggregations: so paths may be shorter than the key. None when the first field is missing.
pub(super) fn paths(parts: &[Value]) -> Vec<Path> {
    let mut paths: Vec<Vec<Key>> = vec![Vec::new()];
    for (depth, part) in parts.iter().enumerate() {
        let elements = elements(Field::Value(part));
        if elements.is_empty() {
            if depth == 0 {
                return Vec::new();
            }
            break;
        }
        let longer = paths.iter().flat_map(|path| {
            elements.iter().map(|element| {
                let mut path = path.clone();
                path.push(Key::from(element));
                path
            })
        });
        paths = longer.take(MAX_PATHS).collect();
    }
    paths.into_iter().map(Vec::into_boxed_slice).collect()
}

impl Groups {
    pub(super) fn new(kind: MetricKind, depth: usize, limits: Limits) -> Self {
        let mut groups = Self {
            kind,
            limits,
            depth,
            groups: Vec::new(),
            free: Vec::new(),
            ids: HashMap::default(),
        };
        groups.create(ROOT, Key::All);
        groups
    }

    fn create(&mut self, parent: GroupId, key: Key) -> GroupId {
        let level = self.get(parent).map_or(0, |parent| parent.level + 1);
        let group = Group {
            level,
            parent,
            key,
            references: 0,
            documents: 0,
            accumulator: self.kind.accumulator(),
            inner: BTreeSet::new(),
        };
        if let Some(id) = self.free.pop()
            && let Some(slot) = self.get_mut(id)
        {
            *slot = group;
            return id;
        }
        let id = GroupId(u32::try_from(self.groups.len()).unwrap_or(u32::MAX));
        self.groups.push(group);
        id
    }

    fn get(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(usize::try_from(id.0).ok()?)
    }

    fn get_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        self.groups.get_mut(usize::try_from(id.0).ok()?)
    }

    /// The groups on the way to each of these, each once; they exist until they are released.
    pub(super) fn hold(&mut self, paths: &[Path]) -> Box<[GroupId]> {
        let mut ids = vec![ROOT];
        for path in paths {
            let mut id = ROOT;
            for key in path {
                let known = self.ids.get(&(id, key.clone())).copied();
                id = known.unwrap_or_else(|| {
                    let inner = self.create(id, key.clone());
                    self.ids.insert((id, key.clone()), inner);
                    inner
                });
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
        for id in &ids {
            if let Some(group) = self.get_mut(*id) {
                group.references += 1;
            }
        }
        ids.into_boxed_slice()
    }

    /// Gives up what [`Groups::hold`] gave.
    pub(super) fn release(&mut self, ids: &[GroupId]) {
        // Inner groups come after the ones they are in, and go first.
        for &id in ids.iter().rev() {
            let Some(group) = self.get_mut(id) else {
                continue;
            };
            group.references = group.references.saturating_sub(1);
            if group.references == 0 && id != ROOT {
                let name = (group.parent, std::mem::take(&mut group.key));
                self.ids.remove(&name);
                self.free.push(id);
            }
        }
    }

    /// An event comes into the window.
    pub(super) fn enter(&mut self, ids: &[GroupId], contribution: &Contribution) {
        for &id in ids {
            self.count(id, |documents| documents + 1);
            let depth = self.depth;
            if let Some(group) = self.get_mut(id).filter(|group| group.level == depth) {
                group.accumulator.add(contribution);
            }
        }
    }

    /// An event leaves the window.
    pub(super) fn leave(&mut self, ids: &[GroupId], contribution: &Contribution) {
        for &id in ids {
            self.count(id, |documents| documents.saturating_sub(1));
            let depth = self.depth;
            if let Some(group) = self.get_mut(id).filter(|group| group.level == depth) {
                group.accumulator.remove(contribution);
            }
        }
    }

    /// Changes a group's number of events, and its place among its neighbours.
    fn count(&mut self, id: GroupId, change: fn(u64) -> u64) {
        let Some(group) = self.get_mut(id) else {
            return;
        };
        let before = group.documents;
        group.documents = change(before);
        let (after, parent, key) = (group.documents, group.parent, group.key.clone());
        if id == ROOT {
            return;
        }
        if let Some(parent) = self.get_mut(parent) {
            parent.inner.remove(&(Reverse(before), key.clone(), id));
            if after > 0 {
                parent.inner.insert((Reverse(after), key, id));
            }
        }
    }

    /// The innermost groups that are looked at, in Elasticsearch's order. Without groups, the root.
    pub(super) fn looked_at(&self) -> Vec<GroupId> {
        let mut level = vec![ROOT];
        for _ in 0..self.depth {
            level = level.iter().flat_map(|&id| self.inner(id)).collect();
        }
        level
    }

    fn inner(&self, id: GroupId) -> impl Iterator<Item = GroupId> {
        let inner = self.get(id).into_iter().flat_map(|group| &group.inner);
        let min = self.limits.min_doc_count;
        inner
            .take(self.limits.size)
            .filter(move |(Reverse(documents), _, _)| *documents >= min)
            .map(|(_, _, id)| *id)
    }

    /// The innermost group at the end of a path, if it is looked at.
    pub(super) fn find(&self, path: &[Key]) -> Option<GroupId> {
        if path.len() != self.depth {
            return None;
        }
        let mut id = ROOT;
        for key in path {
            let inner = *self.ids.get(&(id, key.clone()))?;
            self.inner(id).find(|other| *other == inner)?;
            id = inner;
        }
        Some(id)
    }

    /// A group's values.
    pub(super) fn path(&self, id: GroupId) -> Path {
        let mut keys = Vec::new();
        let mut at = id;
        while at != ROOT
            && let Some(group) = self.get(at)
        {
            keys.push(group.key.clone());
            at = group.parent;
        }
        keys.reverse();
        keys.into_boxed_slice()
    }

    /// The paths that [`Groups::hold`] was given for these groups: all of an event are equally long.
    pub(super) fn paths_of(&self, ids: &[GroupId]) -> Vec<Path> {
        let level = |id: GroupId| self.get(id).map_or(0, |group| group.level);
        let longest = ids.iter().map(|id| level(*id)).max().unwrap_or(0);
        let ends = ids.iter().filter(|id| level(**id) == longest);
        ends.map(|id| self.path(*id)).collect()
    }

    /// How many events a group has in the window.
    pub(super) fn documents(&self, id: GroupId) -> u64 {
        self.get(id).map_or(0, |group| group.documents)
    }

    /// A group's metric.
    pub(super) fn value(&self, id: GroupId) -> Option<f64> {
        self.get(id)?.accumulator.value()
    }

    /// How many groups there are, without the root.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const EVENTS: [[Option<&str>; 2]; 6] = [
        [Some("a"), Some("x")],
        [Some("a"), Some("y")],
        [Some("b"), Some("x")],
        [Some("b"), None],
        [Some("b"), None],
        [None, Some("x")],
    ];

    fn event_paths(event: [Option<&str>; 2]) -> Vec<Path> {
        paths(&event.map(|value| json!(value)))
    }

    /// What is looked at of [`EVENTS`], before and after the one at a position has left.
    fn looked_at(size: usize, min_doc_count: u64, leaves: usize) -> [Vec<String>; 2] {
        let limits = Limits {
            size,
            min_doc_count,
        };
        let one = Contribution::Count(1);
        let mut groups = Groups::new(MetricKind::ValueCount, 2, limits);
        let held = EVENTS.map(|event| {
            let ids = groups.hold(&event_paths(event));
            groups.enter(&ids, &one);
            ids
        });
        let texts = |groups: &Groups| {
            let paths = groups.looked_at().into_iter().map(|id| groups.path(id));
            paths
                .map(|path| path.iter().map(Key::text).collect())
                .collect()
        };
        let before = texts(&groups);
        groups.leave(&held[leaves], &one);
        groups.release(&held[leaves]);
        [before, texts(&groups)]
    }

    #[test]
    fn outer_groups_count_events_without_the_inner_field() {
        assert_eq!(looked_at(1, 1, 0), [["bx"], ["bx"]]);
        assert_eq!(looked_at(1, 1, 2), [vec!["bx"], vec!["ax"]]);
        assert_eq!(
            looked_at(50, 1, 3),
            [["bx", "ax", "ay"], ["ax", "ay", "bx"]]
        );
        assert_eq!(looked_at(50, 2, 0), [[""; 0]; 2]);
    }

    #[test]
    fn paths_end_where_a_field_is_missing() {
        let lengths: [usize; 6] =
            EVENTS.map(|event| event_paths(event).iter().map(|path| path.len()).sum());
        assert_eq!(lengths, [2, 2, 2, 1, 1, 0]);
        assert_eq!(paths(&[]).len(), 1);
    }

    #[test]
    fn what_was_held_can_be_told_again() {
        let limits = Limits {
            size: 50,
            min_doc_count: 1,
        };
        let mut groups = Groups::new(MetricKind::ValueCount, 2, limits);
        for event in [json!([["a", "b"], ["x", "y"]]), json!([["a", "b"], null])] {
            let paths = paths(event.as_array().unwrap());
            let ids = groups.hold(&paths);
            assert_eq!(groups.paths_of(&ids), paths);
        }
    }
}
