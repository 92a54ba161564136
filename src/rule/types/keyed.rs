//! What states keep per key.
//!
//! A million keys are no reason for a pause: the cells lie in chunks that are never moved, the table that finds them is divided into many that grow
//! one at a time, and stale cells are removed a few at a time.

use crate::rule::{Key, LOOKED_AT, Wanted};
use foldhash::fast::RandomState;
use hashbrown::{Equivalent, HashTable};
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::hash::{BuildHasher as _, Hash};

/// Cells that lie together.
const CHUNK: usize = 1024;
/// With more keys than this the table is divided.
const UNDIVIDED: usize = 4096;
/// How many tables it is divided into.
const TABLES: usize = 256;

/// Where a key's cell is, as long as the key is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Slot(u32);

impl Slot {
    /// That of the first key, until it is removed.
    pub(super) const FIRST: Self = Self(0);

    pub(super) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// The slot at a place.
    pub(super) fn at(place: usize) -> Self {
        Self(u32::try_from(place).unwrap_or(u32::MAX))
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry<K, C> {
    key: K,
    /// Grows with every key: ticks visit the keys in this order, as ElastAlert visits those of its dictionaries.
    born: u64,
    cell: C,
}

/// Entries that lie together, with gaps where keys were removed.
type Chunk<K, C> = Vec<Option<Entry<K, C>>>;

/// Cells by key: every table of a rule type that grows with its keys or values is one of these.
#[derive(Debug)]
pub(super) struct Keyed<C, K = Key> {
    chunks: Vec<Chunk<K, C>>,
    /// Slots that can be used again.
    free: Vec<Slot>,
    /// One table, or [`TABLES`].
    tables: Vec<HashTable<Slot>>,
    hasher: RandomState,
    born: u64,
    length: usize,
    /// Where the next stale cell is looked for.
    sweep: usize,
}

impl<C, K> Default for Keyed<C, K> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
            tables: vec![HashTable::new()],
            hasher: RandomState::default(),
            born: 0,
            length: 0,
            sweep: 0,
        }
    }
}

impl<C, K: Hash + Eq> Keyed<C, K> {
    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    fn entry(&self, slot: Slot) -> Option<&Entry<K, C>> {
        let slot = slot.index();
        self.chunks.get(slot / CHUNK)?.get(slot % CHUNK)?.as_ref()
    }

    fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The key in a slot.
    pub(super) fn key(&self, slot: Slot) -> Option<&K> {
        self.entry(slot).map(|entry| &entry.key)
    }

    /// The key in a slot, and its cell, to look at.
    pub(super) fn peek(&self, slot: Slot) -> Option<(&K, &C)> {
        self.entry(slot).map(|entry| (&entry.key, &entry.cell))
    }

    /// The cell in a slot.
    pub(super) fn cell(&mut self, slot: Slot) -> Option<&mut C> {
        self.key_and_cell(slot).map(|(_, cell)| cell)
    }

    /// The key in a slot, and its cell.
    pub(super) fn key_and_cell(&mut self, slot: Slot) -> Option<(&K, &mut C)> {
        let slot = slot.index();
        let entry = self.chunks.get_mut(slot / CHUNK)?.get_mut(slot % CHUNK)?;
        entry.as_mut().map(|entry| (&entry.key, &mut entry.cell))
    }

    /// A key's slot, if it is known.
    pub(super) fn find<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<Slot> {
        self.find_hashed(self.hash(key), key)
    }

    fn find_hashed<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q) -> Option<Slot> {
        let table = self.tables.get(table(hash, self.tables.len()))?;
        let is_it = |slot: &Slot| self.key(*slot).is_some_and(|other| key.equivalent(other));
        table.find(hash, is_it).copied()
    }

    /// A key's slot; one that is not known gets the cell that is made.
    pub(super) fn find_or_add(&mut self, key: &K, make: impl FnOnce() -> C) -> Slot
    where
        K: Clone,
    {
        let hash = self.hash(key);
        match self.find_hashed(hash, key) {
            Some(slot) => slot,
            None => self.add_hashed(hash, key.clone(), make()),
        }
    }

    /// Adds a key that is not known.
    pub(super) fn add_new(&mut self, key: K, cell: C) -> Slot {
        let hash = self.hash(&key);
        self.add_hashed(hash, key, cell)
    }

    fn add_hashed(&mut self, hash: u64, key: K, cell: C) -> Slot {
        let born = self.born;
        self.born += 1;
        self.add(hash, Entry { key, born, cell })
    }

    /// Writes a known key as it comes now: `1` may come as `true`. It counts as the youngest key from now on.
    pub(super) fn rename(&mut self, slot: Slot, key: &K)
    where
        K: Clone,
    {
        let at = slot.index();
        let entry = self
            .chunks
            .get_mut(at / CHUNK)
            .and_then(|chunk| chunk.get_mut(at % CHUNK));
        if let Some(Some(entry)) = entry {
            entry.key = key.clone();
            entry.born = self.born;
            self.born += 1;
        }
    }

    fn add(&mut self, hash: u64, entry: Entry<K, C>) -> Slot {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => self.new_slot(),
        };
        let at = slot.index();
        let place = self
            .chunks
            .get_mut(at / CHUNK)
            .and_then(|chunk| chunk.get_mut(at % CHUNK));
        if let Some(place) = place {
            *place = Some(entry);
        }
        self.length += 1;
        if self.tables.len() == 1 && self.length > UNDIVIDED {
            self.divide();
        }
        let number = table(hash, self.tables.len());
        let Self {
            chunks,
            tables,
            hasher,
            ..
        } = self;
        if let Some(table) = tables.get_mut(number) {
            table.insert_unique(hash, slot, |slot| hash_in(chunks, hasher, *slot));
        }
        slot
    }

    fn new_slot(&mut self) -> Slot {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            // The first chunk grows: most rules have few keys.
            let first = self.chunks.is_empty();
            self.chunks
                .push(Vec::with_capacity(if first { 1 } else { CHUNK }));
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        let within = self.chunks.last_mut().map_or(0, |chunk| {
            chunk.push(None);
            chunk.len() - 1
        });
        Slot::at(before + within)
    }

    fn divide(&mut self) {
        let known: Vec<Slot> = self.tables.drain(..).flatten().collect();
        self.tables.resize_with(TABLES, HashTable::new);
        let Self {
            chunks,
            tables,
            hasher,
            ..
        } = self;
        for slot in known {
            let hash = hash_in(chunks, hasher, slot);
            if let Some(table) = tables.get_mut(table(hash, TABLES)) {
                table.insert_unique(hash, slot, |slot| hash_in(chunks, hasher, *slot));
            }
        }
    }

    /// Removes a key and its cell.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<(K, C)> {
        let at = slot.index();
        let entry = self
            .chunks
            .get_mut(at / CHUNK)?
            .get_mut(at % CHUNK)?
            .take()?;
        let hash = self.hash(&entry.key);
        let number = table(hash, self.tables.len());
        let table = self.tables.get_mut(number)?;
        if let Ok(found) = table.find_entry(hash, |other| *other == slot) {
            found.remove();
        }
        self.free.push(slot);
        self.length -= 1;
        Some((entry.key, entry.cell))
    }

    /// How many slots there are, with and without a key.
    pub(super) fn slots_in_all(&self) -> usize {
        let before = self.chunks.len().saturating_sub(1) * CHUNK;
        before + self.chunks.last().map_or(0, Vec::len)
    }

    /// When the key in a slot came, among all keys: ticks look at the older ones first.
    pub(super) fn age(&self, slot: Slot) -> Option<u64> {
        self.entry(slot).map(|entry| entry.born)
    }

    /// The slots of all keys, in no order.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.tables.iter().flatten().copied()
    }

    /// Cells and their keys, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &C)> {
        let entries = self.chunks.iter().flatten().flatten();
        entries.map(|entry| (&entry.key, &entry.cell))
    }

    /// Every slot with its cell, in no order.
    pub(super) fn slots_and_cells(&mut self) -> impl Iterator<Item = (Slot, &mut C)> {
        self.slots_keys_and_cells()
            .map(|(slot, _, cell)| (slot, cell))
    }

    /// Every slot with its key and cell, in no order.
    pub(super) fn slots_keys_and_cells(&mut self) -> impl Iterator<Item = (Slot, &K, &mut C)> {
        let entries = self.chunks.iter_mut().flatten().enumerate();
        entries.filter_map(|(at, entry)| {
            let slot = Slot::at(at);
            let entry = entry.as_mut()?;
            Some((slot, &entry.key, &mut entry.cell))
        })
    }

    /// Looks at the next `count` cells, round and round, and gives back the slots of those that are stale, which the caller removes.
    pub(super) fn stale(
        &mut self,
        count: usize,
        mut is_stale: impl FnMut(&mut C) -> bool,
    ) -> Vec<Slot> {
        let mut found = Vec::new();
        for _ in 0..count.min(self.length) {
            let at = Slot::at(self.sweep);
            if self.sweep / CHUNK >= self.chunks.len() {
                self.sweep = 0;
                continue;
            }
            self.sweep += 1;
            if self.cell(at).is_some_and(&mut is_stale) {
                found.push(at);
            }
        }
        found
    }
}

impl<C> Keyed<C> {
    /// The cells that somebody wants to see, and their keys.
    pub(super) fn wanted(&self, wanted: &Wanted<'_>) -> Vec<(&Key, &C)> {
        if wanted.key.is_none() {
            return self.iter().take(LOOKED_AT).collect();
        }
        let keys = wanted.keys();
        let found = keys.iter().filter_map(|key| self.entry(self.find(key)?));
        found.map(|entry| (&entry.key, &entry.cell)).collect()
    }
}

/// Cells looked at per event.
pub(super) const PER_EVENT: usize = 4;
/// Cells looked at per tick.
pub(super) const PER_TICK: usize = 4096;

/// What looking at them costs in steps of a tick, with so many keys.
pub(super) fn sweep_cost(keys: usize) -> u64 {
    u64::try_from(keys.min(PER_TICK) / 4).unwrap_or(u64::MAX)
}

fn table(hash: u64, tables: usize) -> usize {
    // The table's own choice is by other bits.
    if tables == 1 {
        0
    } else {
        usize::from(hash.to_le_bytes()[5]) % tables
    }
}

fn hash_in<C, K: Hash>(chunks: &[Chunk<K, C>], hasher: &RandomState, slot: Slot) -> u64 {
    let at = slot.index();
    let entry = chunks
        .get(at / CHUNK)
        .and_then(|chunk| chunk.get(at % CHUNK));
    entry
        .and_then(Option::as_ref)
        .map_or(0, |entry| hasher.hash_one(&entry.key))
}

/// Saved with its gaps: what is swept when is the same after loading.
#[derive(Serialize, Deserialize)]
struct Saved<E, F> {
    entries: E,
    free: F,
    born: u64,
    sweep: usize,
}

impl<C: Serialize, K: Serialize> Serialize for Keyed<C, K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Entries one after the other, whatever chunks they are in.
        struct Entries<'a, C, K>(&'a [Chunk<K, C>]);
        impl<C: Serialize, K: Serialize> Serialize for Entries<'_, C, K> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let length = self.0.iter().map(Vec::len).sum();
                let mut sequence = serializer.serialize_seq(Some(length))?;
                for entry in self.0.iter().flatten() {
                    sequence.serialize_element(entry)?;
                }
                sequence.end()
            }
        }
        let saved = Saved {
            entries: Entries(&self.chunks),
            free: &self.free,
            born: self.born,
            sweep: self.sweep,
        };
        saved.serialize(serializer)
    }
}

impl<'de, C, K> Deserialize<'de> for Keyed<C, K>
where
    C: Deserialize<'de>,
    K: Deserialize<'de> + Hash + Eq,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let saved = Saved::<Chunk<K, C>, Vec<Slot>>::deserialize(deserializer)?;
        let damaged = |what| Err(serde::de::Error::custom(what));
        let mut keyed = Self::default();
        for entry in saved.entries {
            match entry {
                Some(entry) => {
                    let hash = keyed.hash(&entry.key);
                    if keyed.find_hashed(hash, &entry.key).is_some() {
                        return damaged("a key stands twice");
                    }
                    keyed.add(hash, entry);
                }
                None => {
                    keyed.new_slot();
                }
            }
        }
        let is_free = |slot: &Slot| {
            let chunk = keyed.chunks.get(slot.index() / CHUNK);
            chunk
                .and_then(|chunk| chunk.get(slot.index() % CHUNK))
                .is_some_and(Option::is_none)
        };
        let slots: usize = keyed.chunks.iter().map(Vec::len).sum();
        if !saved.free.iter().all(is_free) || saved.free.len() + keyed.length != slots {
            return damaged("a free place is taken");
        }
        (keyed.free, keyed.born, keyed.sweep) = (saved.free, saved.born, saved.sweep);
        Ok(keyed)
    }
}
