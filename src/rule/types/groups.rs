//! The groups of the aggregation types: Elasticsearch's terms aggregations, one inside the other for a compound `query_key`.

use super::metric::{Accumulator, Contribution, MetricKind};
use super::source::elements;
use crate::event::Field;
use crate::rule::Key;
use hashbrown::HashMap;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// A group's values, outermost first. Empty for a rule without groups.
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

/// The groups an event belongs to by the values of the key's fields. None when one of the fields is missing.
pub(super) fn paths(parts: &[Value]) -> Vec<Path> {
    let mut paths: Vec<Vec<Key>> = vec![Vec::new()];
    for part in parts {
        let elements = elements(Field::Value(part));
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

    /// The group at the end of a path, if it is looked at.
    pub(super) fn find(&self, path: &[Key]) -> Option<GroupId> {
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

    /// Whether a group is an innermost one.
    pub(super) fn is_innermost(&self, id: GroupId) -> bool {
        self.get(id).is_some_and(|group| group.level == self.depth)
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
