//! The groups of the aggregation types: Elasticsearch's terms aggregations, one inside the other for a compound `query_key`.

use super::keyed::{Keyed, Slot};
use super::metric::{Accumulator, Contribution, MetricKind};
use super::source::elements;
use crate::event::Field;
use crate::rule::Key;
use crate::rule::blocks::Blocks;
use hashbrown::{Equivalent, HashMap};
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Reverse;

/// A group's values, outermost first. Empty for a rule without groups; shorter than the key for an outer group.
pub(super) type Path = Box<[Key]>;

/// A group, while it exists.
pub(super) type GroupId = Slot;

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
    depth: u32,
    groups: Keyed<Group, Name>,
    /// The group that all others are in.
    root: GroupId,
}

/// What tells a group apart.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Name {
    parent: GroupId,
    key: Key,
}

/// A [`Name`] that is looked for.
#[derive(Hash)]
struct Sought<'a> {
    parent: GroupId,
    key: &'a Key,
}

impl Equivalent<Name> for Sought<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        self.parent == name.parent && self.key == &name.key
    }
}

/// There may be millions: counts are of events of one window, of which there are fewer than fit into memory with 32 bits.
#[derive(Debug)]
struct Group {
    /// How many fields' values lead to it.
    level: u32,
    /// Events that refer to it, those of the future included.
    references: u32,
    /// Events in the window.
    documents: u32,
    /// The metric; of innermost groups only.
    accumulator: Accumulator,
    /// The groups inside it that have events, in the order in which Elasticsearch answers: most events first, then by value.
    inner: Option<Box<Blocks<GroupId>>>,
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
                // Exactly as long as it gets: cutting it down would leave holes in memory between the keys that stay.
                let mut longer = Vec::with_capacity(parts.len());
                longer.extend_from_slice(path);
                longer.push(Key::from(element));
                longer
            })
        });
        paths = longer.take(MAX_PATHS).collect();
    }
    paths.into_iter().map(Vec::into_boxed_slice).collect()
}

impl Groups {
    pub(super) fn new(kind: MetricKind, depth: usize, limits: Limits) -> Self {
        let mut groups = Keyed::default();
        let name = Name {
            parent: Slot::FIRST,
            key: Key::All,
        };
        let root = groups.add_new(name, Group::new(kind, 0));
        Self {
            kind,
            limits,
            depth: u32::try_from(depth).unwrap_or(u32::MAX),
            groups,
            root,
        }
    }

    /// Changes which groups are looked at.
    pub(super) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    fn get(&self, id: GroupId) -> Option<&Group> {
        self.groups.peek(id).map(|(_, group)| group)
    }

    /// The group one is in; `None` for the root.
    fn parent(&self, id: GroupId) -> Option<GroupId> {
        let name = self.groups.key(id).filter(|_| id != self.root)?;
        Some(name.parent)
    }

    fn inside(&self, parent: GroupId, key: &Key) -> Option<GroupId> {
        self.groups.find(&Sought { parent, key })
    }

    /// The groups at the ends of these paths; they and those around them exist until they are released.
    pub(super) fn hold(&mut self, paths: &[Path]) -> Box<[GroupId]> {
        let mut ends = Vec::with_capacity(paths.len());
        for path in paths {
            let mut id = self.root;
            for (level, key) in (1..).zip(path) {
                id = self.inside(id, key).unwrap_or_else(|| {
                    let name = Name {
                        parent: id,
                        key: key.clone(),
                    };
                    self.groups.add_new(name, Group::new(self.kind, level))
                });
            }
            if !ends.contains(&id) {
                ends.push(id);
            }
        }
        for id in self.with_those_around(&ends) {
            if let Some(group) = self.groups.cell(id) {
                group.references += 1;
            }
        }
        ends.into_boxed_slice()
    }

    /// Groups that are equally far inside, and those they are in, each once and before the ones around it.
    fn with_those_around(&self, ends: &[GroupId]) -> Vec<GroupId> {
        let mut found = ends.to_vec();
        let mut level = 0..found.len();
        while !level.is_empty() {
            let end = level.end;
            for at in level {
                let parent = found.get(at).and_then(|id| self.parent(*id));
                let is_known = |parent| found.iter().skip(end).any(|known| *known == parent);
                if let Some(parent) = parent
                    && !is_known(parent)
                {
                    found.push(parent);
                }
            }
            level = end..found.len();
        }
        found
    }

    /// Gives up what [`Groups::hold`] gave.
    pub(super) fn release(&mut self, ends: &[GroupId]) {
        for id in self.with_those_around(ends) {
            let Some(group) = self.groups.cell(id) else {
                continue;
            };
            group.references = group.references.saturating_sub(1);
            if group.references == 0 && id != self.root {
                self.groups.remove(id);
            }
        }
    }

    /// An event comes into the window.
    pub(super) fn enter(&mut self, ends: &[GroupId], contribution: &Contribution) {
        for id in self.with_those_around(ends) {
            self.count(id, |documents| documents + 1);
            let depth = self.depth;
            if let Some(group) = self.groups.cell(id).filter(|group| group.level == depth) {
                group.accumulator.add(contribution);
            }
        }
    }

    /// An event leaves the window.
    pub(super) fn leave(&mut self, ends: &[GroupId], contribution: &Contribution) {
        for id in self.with_those_around(ends) {
            self.count(id, |documents| documents.saturating_sub(1));
            let depth = self.depth;
            if let Some(group) = self.groups.cell(id).filter(|group| group.level == depth) {
                group.accumulator.remove(contribution);
            }
        }
    }

    /// Many events come into the window of groups that nothing was in: each group finds its place among its neighbours once.
    pub(super) fn enter_first<'e>(
        &mut self,
        events: impl Iterator<Item = (&'e [GroupId], Cow<'e, Contribution>)>,
    ) {
        let depth = self.depth;
        for (ends, contribution) in events {
            for id in self.with_those_around(ends) {
                let Some(group) = self.groups.cell(id) else {
                    continue;
                };
                group.documents += 1;
                if group.level == depth {
                    group.accumulator.add(&contribution);
                }
            }
        }
        let mut inside: HashMap<GroupId, Vec<GroupId>, foldhash::fast::RandomState> =
            HashMap::default();
        for id in self.groups.slots() {
            if let Some(parent) = self.parent(id).filter(|_| self.documents(id) > 0) {
                inside.entry(parent).or_default().push(id);
            }
        }
        for (parent, mut ids) in inside {
            ids.sort_by(|one, other| self.place(*one).cmp(&self.place(*other)));
            if let Some(group) = self.groups.cell(parent) {
                group.inner = Some(Box::new(ids.into_iter().collect()));
            }
        }
    }

    /// A group's place among its neighbours.
    fn place(&self, id: GroupId) -> Option<(Reverse<u32>, &Key, GroupId)> {
        let (name, group) = self.groups.peek(id)?;
        Some((Reverse(group.documents), &name.key, id))
    }

    /// Changes a group's number of events, and its place among its neighbours.
    fn count(&mut self, id: GroupId, change: fn(u32) -> u32) {
        let before = self.documents(id);
        let after = change(before);
        let around = self.parent(id).and_then(|parent| self.groups.cell(parent));
        let mut inner = around.map(|group| group.inner.take().unwrap_or_default());
        let is_before = |groups: &Self, other: GroupId| groups.place(other) < groups.place(id);
        if let Some(inner) = inner.as_mut().filter(|_| before > 0) {
            inner.remove(|other| is_before(self, *other));
        }
        if let Some(group) = self.groups.cell(id) {
            group.documents = after;
        }
        if let Some(inner) = inner.as_mut().filter(|_| after > 0) {
            inner.insert(id, |other| is_before(self, *other));
        }
        if let Some(parent) = self.parent(id)
            && let Some(around) = self.groups.cell(parent)
        {
            around.inner = inner.filter(|inner| inner.len() > 0);
        }
    }

    /// The innermost groups that are looked at, in Elasticsearch's order. Without groups, the root.
    pub(super) fn looked_at(&self) -> Vec<GroupId> {
        let mut level = vec![self.root];
        for _ in 0..self.depth {
            level = level.iter().flat_map(|&id| self.inner(id)).collect();
        }
        level
    }

    fn inner(&self, id: GroupId) -> impl Iterator<Item = GroupId> {
        let inner = self.get(id).and_then(|group| group.inner.as_deref());
        let inner = inner.into_iter().flat_map(Blocks::iter);
        let min = self.limits.min_doc_count;
        inner
            .take(self.limits.size)
            .copied()
            .filter(move |id| u64::from(self.documents(*id)) >= min)
    }

    /// Whether a group is among those of the group around it that are looked at.
    fn is_looked_at(&self, parent: GroupId, id: GroupId) -> bool {
        let documents = self.documents(id);
        let Some(last) = self.limits.size.checked_sub(1) else {
            return false;
        };
        let inner = self.get(parent).and_then(|group| group.inner.as_deref());
        let last = inner.and_then(|inner| inner.get(last));
        documents > 0
            && u64::from(documents) >= self.limits.min_doc_count
            && last.is_none_or(|last| self.place(id) <= self.place(*last))
    }

    /// The innermost group at the end of a path, if it is looked at.
    pub(super) fn find(&self, path: &[Key]) -> Option<GroupId> {
        if u32::try_from(path.len()) != Ok(self.depth) {
            return None;
        }
        let mut id = self.root;
        for key in path {
            id = self
                .inside(id, key)
                .filter(|inner| self.is_looked_at(id, *inner))?;
        }
        Some(id)
    }

    /// Sorts groups that are equally far inside as [`Groups::looked_at`] has them.
    pub(super) fn sort(&self, ids: &mut [GroupId]) {
        if ids.len() < 2 {
            return;
        }
        ids.sort_by_cached_key(|id| {
            let mut places = Vec::new();
            let mut at = Some(*id);
            while let Some(id) = at {
                places.extend(self.place(id));
                at = self.parent(id);
            }
            places.reverse();
            places
        });
    }

    /// A group's values.
    pub(super) fn path(&self, id: GroupId) -> Path {
        let mut keys = Vec::new();
        let mut at = id;
        while at != self.root
            && let Some(name) = self.groups.key(at)
        {
            keys.push(name.key.clone());
            at = name.parent;
        }
        keys.reverse();
        keys.into_boxed_slice()
    }

    /// How many events a group has in the window.
    pub(super) fn documents(&self, id: GroupId) -> u32 {
        self.get(id).map_or(0, |group| group.documents)
    }

    /// A group's metric.
    pub(super) fn value(&self, id: GroupId) -> Option<f64> {
        self.get(id)?.accumulator.value()
    }

    /// How many groups there are, without the root.
    pub(super) fn len(&self) -> usize {
        self.groups.len().saturating_sub(1)
    }
}

impl Group {
    fn new(kind: MetricKind, level: u32) -> Self {
        Self {
            level,
            references: 0,
            documents: 0,
            accumulator: kind.accumulator(),
            inner: None,
        }
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
            let ends = groups.hold(&paths);
            let held: Vec<Path> = ends.iter().map(|id| groups.path(*id)).collect();
            assert_eq!(held, paths);
            groups.release(&ends);
            assert_eq!(groups.len(), 0);
        }
    }
}
