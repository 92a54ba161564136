//! Events that rules keep and memory has no room for: `spill-N` holds those that came while journal N was written.
//!
//! A file begins with [`HEADER`]. An entry is a CRC-32 and an event, and begins at a multiple of [`UNIT`]. Entries are safe on disk before the records are that
//! name their places. Once a snapshot is in place that names few of a file's entries, what lies between them is given back to the file system, without
//! moving any; a file of which it names none is removed.

use super::journal::{JournalError, io_error, numbers, sync_directory};
use crate::event::RawEvent;
use crate::rule::{Place, Spill};
use crate::telemetry::{Allowed, Clock, Metrics, RateLimit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Places count in these, so that a file may have 64 GiB.
const UNIT: usize = 16;
/// How a file begins: what it is, and the format's version.
const HEADER: [u8; UNIT] = *b"TRPS\x01\0\0\0\0\0\0\0\0\0\0\0";
/// A file while it is written anew.
const UNFINISHED: &str = "spill.unfinished";
/// What is written at once.
const BUFFER: usize = 1 << 20;
/// What goes wrong is told once in this time.
const A_MINUTE: Duration = Duration::from_secs(60);
/// What file systems give back at once.
const BLOCK: u64 = 4096;

/// The files of one store.
#[derive(Debug)]
pub struct SpillFiles {
    directory: PathBuf,
    /// Bytes on disk at most.
    most: u64,
    metrics: Arc<Metrics>,
    clock: Clock,
    not_put: RateLimit,
    not_got: RateLimit,
    files: Mutex<Files>,
}

#[derive(Debug, Default)]
struct Files {
    /// The journal that is being written; `None`: its number is not to be written here.
    number: Option<u32>,
    /// Its file, once it has an entry.
    current: Option<Current>,
    /// Bytes on disk of each file before it, and of all.
    sealed: BTreeMap<u32, u64>,
    sealed_bytes: u64,
    /// The one of them that was read from last: the events of a window lie beside each other.
    last: Option<(u32, File)>,
    /// Whether there was no room for an event, though some may be given back, since the current journal began.
    was_full: bool,
}

/// The file that is being written.
#[derive(Debug)]
struct Current {
    path: PathBuf,
    file: File,
    /// How much of it is written.
    written: u64,
    /// What comes after that.
    buffer: Vec<u8>,
    /// Whether all of it is safe.
    is_safe: bool,
}

impl SpillFiles {
    /// The files that a store directory holds, which together may have `most` bytes. [`SpillFiles::begin`] comes next.
    ///
    /// # Errors
    /// The disk.
    pub fn open(
        directory: &Path,
        most: u64,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Result<Self, JournalError> {
        // What a crash left of a file that was being written anew.
        match fs::remove_file(directory.join(UNFINISHED)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error(directory)(error));
            }
            _ => {}
        }
        let mut files = Files::default();
        for number in numbers(directory, "spill")? {
            if let Ok(number) = u32::try_from(number) {
                let path = spill_path(directory, number);
                files.set_size(number, Some(size(&path).map_err(io_error(&path))?));
            }
        }
        Ok(Self {
            directory: directory.to_owned(),
            most,
            metrics,
            clock,
            not_put: RateLimit::new(1, A_MINUTE),
            not_got: RateLimit::new(1, A_MINUTE),
            files: Mutex::new(files),
        })
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events that come from now on belong to journal `number`, which has just begun. Those of before have been made safe.
    pub fn begin(&self, number: u64) {
        let mut files = self.files();
        if let (Some(number), Some(current)) = (files.number, files.current.take()) {
            files.set_size(number, Some(current.length()));
        }
        files.number = u32::try_from(number).ok();
        files.was_full = false;
        self.metrics.spilled(files.bytes());
    }

    /// Makes everything put so far safe on disk.
    ///
    /// # Errors
    /// The disk. It may be tried again.
    pub fn make_safe(&self) -> Result<(), JournalError> {
        let mut files = self.files();
        files.make_safe()?;
        self.metrics.spilled(files.bytes());
        Ok(())
    }

    /// How many bytes were put since [`SpillFiles::begin`].
    pub fn length(&self) -> u64 {
        self.files().current.as_ref().map_or(0, Current::length)
    }

    /// Whether there was no room for an event since [`SpillFiles::begin`], though some may be given back.
    pub fn was_full(&self) -> bool {
        self.files().was_full
    }

    /// Gives back what the files of journals before `number` hold, except for what is at `places`: in order, each once. The snapshot with which that
    /// journal begins must be in place, and name no others. What cannot be given back now is the next time.
    pub fn collect(&self, number: u64, places: &[Place]) {
        let sealed = self.files().sealed.clone();
        for (file, size) in sealed {
            if u64::from(file) >= number {
                continue;
            }
            let from = places.partition_point(|place| place.file < file);
            let to = places.partition_point(|place| place.file <= file);
            let places = places.get(from..to).unwrap_or_default();
            if let Err(error) = self.collect_file(file, size, places) {
                tracing::warn!(%error, "spilled events that no rule keeps any longer are still there");
            }
        }
        self.metrics.spilled(self.files().bytes());
    }

    fn collect_file(&self, file: u32, was: u64, places: &[Place]) -> Result<(), JournalError> {
        let path = spill_path(&self.directory, file);
        if places.is_empty() {
            match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(io_error(&path))?,
            }
            self.files().set_size(file, None);
            return Ok(());
        }
        if taken(places).saturating_mul(2) > was {
            return Ok(());
        }
        let unfinished = self.directory.join(UNFINISHED);
        copy(&path, &unfinished, places).map_err(io_error(&path))?;
        fs::rename(&unfinished, &path).map_err(io_error(&path))?;
        sync_directory(&self.directory)?;
        let size = size(&path).map_err(io_error(&path))?;
        self.files().set_size(file, Some(size));
        Ok(())
    }

    fn try_put(&self, event: &RawEvent) -> Result<Option<Place>, JournalError> {
        let entry = entry(event)?;
        let mut files = self.files();
        let bytes = files.bytes();
        let is_full = bytes + (entry.len() + UNIT) as u64 > self.most;
        files.was_full |= is_full && bytes > 0;
        let (Some(file), Ok(length), false) = (files.number, u32::try_from(entry.len()), is_full)
        else {
            return Ok(None);
        };
        if files.current.is_none() {
            files.current = Some(Current::create(&self.directory, file)?);
        }
        let Some(current) = &mut files.current else {
            return Ok(None);
        };
        let Ok(offset) = u32::try_from(current.length() / UNIT as u64) else {
            return Ok(None);
        };
        current.add(&entry);
        Ok(Some(Place {
            file,
            offset,
            length,
        }))
    }

    fn try_get(&self, place: Place) -> io::Result<RawEvent> {
        let mut files = self.files();
        let files = &mut *files;
        let mut entry = vec![0; usize::try_from(place.length).unwrap_or(usize::MAX)];
        match &mut files.current {
            Some(current) if files.number == Some(place.file) => {
                if end(place) > current.written {
                    current.write()?;
                }
                current.file.read_exact_at(&mut entry, begin(place))?;
            }
            _ => {
                let file = match &files.last {
                    Some((last, file)) if *last == place.file => file,
                    _ => {
                        let file = open(&spill_path(&self.directory, place.file))?;
                        &files.last.insert((place.file, file)).1
                    }
                };
                file.read_exact_at(&mut entry, begin(place))?;
            }
        }
        event(&entry)
    }
}

impl Spill for SpillFiles {
    fn put(&self, event: &RawEvent) -> Option<Place> {
        let put = self.try_put(event);
        put.unwrap_or_else(|error| {
            if let Some(Allowed { suppressed }) = self.not_put.allow(self.clock.now()) {
                tracing::error!(%error, suppressed, "an event that a rule keeps cannot be spilled to disk");
            }
            None
        })
    }

    fn get(&self, place: Place) -> Option<RawEvent> {
        let got = self.try_get(place);
        got.inspect_err(|error| {
            self.metrics.spilled_unreadable();
            if let Some(Allowed { suppressed }) = self.not_got.allow(self.clock.now()) {
                let path = spill_path(&self.directory, place.file);
                let (path, offset) = (path.display(), begin(place));
                tracing::error!(%path, offset, %error, suppressed, "an event that a rule keeps cannot be read: a match lacks it");
            }
        })
        .ok()
    }
}

impl Current {
    fn create(directory: &Path, number: u32) -> Result<Self, JournalError> {
        let path = spill_path(directory, number);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(io_error(&path))?;
        sync_directory(directory)?;
        Ok(Self {
            path,
            file,
            written: 0,
            buffer: HEADER.to_vec(),
            is_safe: false,
        })
    }

    fn length(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn add(&mut self, entry: &[u8]) {
        self.buffer.extend_from_slice(entry);
        // What was written before is of whole units.
        let padded = self.buffer.len().next_multiple_of(UNIT);
        self.buffer.resize(padded, 0);
        self.is_safe = false;
        if self.buffer.len() >= BUFFER {
            // What cannot be written now is tried again, and told of, before the commit.
            let _later = self.write();
        }
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.buffer, self.written)?;
        self.written = self.length();
        self.buffer.clear();
        Ok(())
    }

    fn make_safe(&mut self) -> Result<(), JournalError> {
        if !self.is_safe {
            let safe = self.write().and_then(|()| self.file.sync_data());
            safe.map_err(io_error(&self.path))?;
            self.is_safe = true;
        }
        Ok(())
    }
}

impl Files {
    fn bytes(&self) -> u64 {
        let current = self.current.as_ref().map_or(0, Current::length);
        self.sealed_bytes + current
    }

    fn make_safe(&mut self) -> Result<(), JournalError> {
        self.current.as_mut().map_or(Ok(()), Current::make_safe)
    }

    /// A file has this size now; none: it is gone.
    fn set_size(&mut self, file: u32, size: Option<u64>) {
        let was = match size {
            Some(size) => self.sealed.insert(file, size),
            None => self.sealed.remove(&file),
        };
        self.sealed_bytes = self.sealed_bytes.saturating_sub(was.unwrap_or(0)) + size.unwrap_or(0);
        self.last.take_if(|(last, _)| *last == file);
    }
}

fn spill_path(directory: &Path, number: u32) -> PathBuf {
    directory.join(format!("spill-{number:010}"))
}

/// How many bytes a file takes on disk.
fn size(path: &Path) -> io::Result<u64> {
    Ok(fs::metadata(path)?.blocks() * 512)
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Opens a file to read entries.
fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    let mut header = [0; HEADER.len()];
    file.read_exact_at(&mut header, 0)?;
    if header != HEADER {
        return Err(damaged("it is no file of this format"));
    }
    Ok(file)
}

fn begin(place: Place) -> u64 {
    u64::from(place.offset) * UNIT as u64
}

fn end(place: Place) -> u64 {
    begin(place) + u64::from(place.length)
}

/// What is written of an event after its checksum.
#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    index: Option<&'a str>,
    id: Option<&'a str>,
    #[serde(serialize_with = "crate::engine::in_one_piece")]
    json: &'a [u8],
}

fn entry(event: &RawEvent) -> Result<Vec<u8>, postcard::Error> {
    let meta = event.meta.as_deref();
    let entry = Entry {
        index: meta.and_then(|meta| meta.index.as_deref()),
        id: meta.and_then(|meta| meta.id.as_deref()),
        json: &event.bytes,
    };
    let mut written = Vec::with_capacity(event.bytes.len() + 64);
    written.extend_from_slice(&[0; 4]);
    let mut written = postcard::to_extend(&entry, written)?;
    if let Some((checksum, entry)) = written.split_first_chunk_mut() {
        *checksum = crc32fast::hash(entry).to_le_bytes();
    }
    Ok(written)
}

fn event(entry: &[u8]) -> io::Result<RawEvent> {
    let (checksum, entry) = entry
        .split_first_chunk()
        .ok_or_else(|| damaged("it is too short"))?;
    if crc32fast::hash(entry) != u32::from_le_bytes(*checksum) {
        return Err(damaged("its checksum does not fit"));
    }
    let entry: Entry<'_> = postcard::from_bytes(entry).map_err(|_| damaged("it is no event"))?;
    Ok(RawEvent::from_parts(entry.json, entry.index, entry.id))
}

/// How many bytes these places of one file take on disk, with their blocks.
fn taken(places: &[Place]) -> u64 {
    let (mut blocks, mut next) = (1, 1);
    for place in places {
        let (first, last) = (begin(*place) / BLOCK, end(*place) / BLOCK);
        blocks += (last + 1).saturating_sub(first.max(next));
        next = last + 1;
    }
    blocks * BLOCK
}

/// Copies what is at these places into a file that has holes everywhere else.
fn copy(from: &Path, to: &Path, places: &[Place]) -> io::Result<()> {
    let (from, to) = (open(from)?, File::create(to)?);
    to.write_all_at(&HEADER, 0)?;
    let mut entry = Vec::new();
    for place in places {
        entry.resize(usize::try_from(place.length).unwrap_or(usize::MAX), 0);
        from.read_exact_at(&mut entry, begin(*place))?;
        to.write_all_at(&entry, begin(*place))?;
    }
    to.sync_all()
}

#[cfg(test)]
mod tests;
