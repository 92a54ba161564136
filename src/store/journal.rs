//! The journal: one append-only file of group commits, and the snapshots that let it start anew.
//!
//! A file begins with [`MAGIC`], the format's version and the file's number. A frame is the payload's length, its CRC-32, and the payload: the
//! records of one group commit. A frame that is cut short or does not fit its checksum ends the file: it was never acknowledged.

use crate::engine::{Record, Snapshot, SnapshotError};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 4] = b"TRPJ";
/// The format of this version. In the first one every hit had its own event, in the second all kept events were in it; up to the third a tick
/// was one record, up to the fourth no event waited for its rule.
const VERSION: u16 = 5;
const HEADER: usize = 4 + 2 + 8;
/// Memory for frames that is kept after a commit that needed less.
const FRAME_KEPT: usize = 1 << 22;
/// No group commit is larger; a longer length is damage.
const LONGEST_FRAME: u32 = 1 << 30;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Records that cannot be written.
    #[error("records cannot be written: {0}")]
    Encode(#[from] postcard::Error),
    /// A file of a newer version of the program.
    #[error(
        "{path}: written in format {found}, which this version does not know (it knows {VERSION})"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u16,
    },
    /// A snapshot that cannot be used, and no older one with its journals.
    #[error("{path}: {source}")]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SnapshotError,
    },
}

/// The journal being written.
#[derive(Debug)]
pub struct Journal {
    directory: PathBuf,
    path: PathBuf,
    file: File,
    number: u64,
    /// Bytes of whole frames: where the next one goes.
    length: u64,
    frame: Vec<u8>,
}

/// What a store directory held.
#[derive(Debug)]
pub struct Recovered {
    /// How many records were put back.
    pub records: u64,
    /// Damage that was found, in words; what came after it in its file is lost.
    pub damage: Vec<String>,
    /// The damaged files, and how much of each is whole; of a snapshot nothing is.
    cuts: Vec<(PathBuf, u64)>,
    /// Whether nothing was there.
    pub is_new: bool,
    /// The number of the journal to begin.
    next: u64,
}

pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { path, source }
}

fn journal_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("journal-{number:010}"))
}

fn snapshot_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("snapshot-{number:010}"))
}

/// The numbers of the files `KIND-N`, ascending.
pub(super) fn numbers(directory: &Path, kind: &str) -> Result<Vec<u64>, JournalError> {
    let entries = fs::read_dir(directory).map_err(io_error(directory))?;
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(io_error(directory))?.file_name();
        let number: Option<u64> = name
            .to_str()
            .and_then(|name| name.strip_prefix(kind)?.strip_prefix('-')?.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes a directory's changes safe.
pub(super) fn sync_directory(directory: &Path) -> Result<(), JournalError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(io_error(directory))
}

/// Takes what a store directory held, in order.
pub trait Recovery {
    /// The newest usable snapshot; `None`: there is none.
    fn begin(&mut self, snapshot: Option<Snapshot>);

    /// A record that was journalled after it.
    fn record(&mut self, record: Record);
}

/// Reads what a store directory holds.
///
/// # Errors
/// The disk, or files of another version. Damage is no error: see [`Recovered::damage`].
pub fn recover(directory: &Path, into: &mut dyn Recovery) -> Result<Recovered, JournalError> {
    fs::create_dir_all(directory).map_err(io_error(directory))?;
    read_before(directory, u64::MAX, into)
}

/// Reads what a store directory held when journal `end` began, which may be in use. With that the snapshot is made with which it begins.
///
/// # Errors
/// As [`recover`].
pub fn read_before(
    directory: &Path,
    end: u64,
    into: &mut dyn Recovery,
) -> Result<Recovered, JournalError> {
    let (mut damage, mut cuts) = (Vec::new(), Vec::new());
    let mut snapshot = None;
    for number in numbers(directory, "snapshot")?.into_iter().rev() {
        let path = snapshot_path(directory, number);
        match read_snapshot(&path)? {
            Ok(found) => {
                snapshot = Some((number, found));
                break;
            }
            Err(source @ (SnapshotError::Newer { .. } | SnapshotError::Older { .. })) => {
                return Err(JournalError::Snapshot { path, source });
            }
            Err(source) => {
                damage.push(format!("{}: {source}", path.display()));
                cuts.push((path, 0));
            }
        }
    }
    let first = snapshot.as_ref().map_or(0, |(number, _)| *number);
    let mut is_new = snapshot.is_none() && damage.is_empty();
    into.begin(snapshot.map(|(_, snapshot)| snapshot));
    let mut records = 0;
    let mut next = first.max(1);
    for number in numbers(directory, "journal")?
        .into_iter()
        .filter(|number| (first..end).contains(number))
    {
        is_new = false;
        let path = journal_path(directory, number);
        let torn = read_journal(&path, &mut |record| {
            records += 1;
            into.record(record);
        })?;
        if let Some(torn) = torn {
            damage.push(torn.what);
            cuts.push((path, torn.at));
        }
        next = next.max(number + 1);
    }
    Ok(Recovered {
        records,
        damage,
        cuts,
        is_new,
        next,
    })
}

fn read_snapshot(path: &Path) -> Result<Result<Snapshot, SnapshotError>, JournalError> {
    let bytes = fs::read(path).map_err(io_error(path))?;
    let Some((checksum, rest)) = bytes.split_first_chunk() else {
        return Ok(Err(SnapshotError::Empty));
    };
    if crc32fast::hash(rest) != u32::from_le_bytes(*checksum) {
        return Ok(Err(SnapshotError::Checksum));
    }
    Ok(Snapshot::decode(rest))
}

/// The first damage in a journal.
struct Torn {
    /// In words.
    what: String,
    /// How many bytes before it are whole.
    at: u64,
}

/// Reads a journal to its end, or to the first damage.
fn read_journal(path: &Path, each: &mut dyn FnMut(Record)) -> Result<Option<Torn>, JournalError> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(io_error(path))?);
    let mut header = [0; HEADER];
    if file.read_exact(&mut header).is_err() || !header.starts_with(MAGIC) {
        let what = format!("{}: no journal's beginning", path.display());
        return Ok(Some(Torn { what, at: 0 }));
    }
    let [_, _, _, _, low, high, ..] = header;
    match u16::from_le_bytes([low, high]) {
        1..=VERSION => {}
        found => {
            return Err(JournalError::Newer {
                path: path.to_owned(),
                found,
            });
        }
    }
    let mut at = HEADER as u64;
    let mut payload = Vec::new();
    loop {
        let describe = |what: &str| {
            let path = path.display();
            let what = format!("{path}: {what} at byte {at}; what follows is left out");
            Some(Torn { what, at })
        };
        let mut head = [0; 8];
        match read_fully(&mut file, &mut head).map_err(io_error(path))? {
            0 => return Ok(None),
            8 => {}
            _ => return Ok(describe("a commit was cut short")),
        }
        let [l0, l1, l2, l3, c0, c1, c2, c3] = head;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        if length > LONGEST_FRAME {
            return Ok(describe("a commit has an impossible length"));
        }
        payload.clear();
        let read = file
            .by_ref()
            .take(u64::from(length))
            .read_to_end(&mut payload)
            .map_err(io_error(path))?;
        if read as u64 != u64::from(length) {
            return Ok(describe("a commit was cut short"));
        }
        if crc32fast::hash(&payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Ok(describe("a commit is damaged"));
        }
        match postcard::from_bytes::<Vec<Record>>(&payload) {
            Ok(records) => records.into_iter().for_each(&mut *each),
            Err(error) => return Ok(describe(&format!("a commit cannot be read ({error})"))),
        }
        at += 8 + u64::from(length);
    }
}

/// Reads until the buffer is full or the file ends.
fn read_fully(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Leaves so many bytes of a file; without any it goes.
fn cut(path: &Path, whole: u64) -> io::Result<()> {
    if whole == 0 {
        return fs::remove_file(path);
    }
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(whole)?;
    file.sync_all()
}

impl Journal {
    /// Begins a journal after what was recovered. Damage is cut off: who reads the files again meets what was recovered, whatever it makes of it.
    ///
    /// # Errors
    /// The disk.
    pub fn begin(directory: &Path, recovered: &Recovered) -> Result<Self, JournalError> {
        for (path, whole) in &recovered.cuts {
            cut(path, *whole).map_err(io_error(path))?;
        }
        Self::create(directory, recovered.next)
    }

    fn create(directory: &Path, number: u64) -> Result<Self, JournalError> {
        let path = journal_path(directory, number);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(io_error(&path))?;
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&number.to_le_bytes());
        file.write_all(&header)
            .and_then(|()| file.sync_data())
            .map_err(io_error(&path))?;
        sync_directory(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
            path,
            file,
            number,
            length: HEADER as u64,
            frame: Vec::new(),
        })
    }

    /// The number of its file, for [`write_snapshot`].
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Bytes written so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Writes one group commit. It is on disk when this returns, unless none of the records needs that: then it is with the operating
    /// system, which a crash of this program does not touch.
    ///
    /// # Errors
    /// The disk. Nothing of the commit counts then; the same commit may be tried again.
    pub fn commit(&mut self, records: &[Record]) -> Result<(), JournalError> {
        if records.is_empty() {
            return Ok(());
        }
        self.frame.clear();
        self.frame.extend_from_slice(&[0; 8]);
        self.frame = postcard::to_extend(records, std::mem::take(&mut self.frame))?;
        let payload = self.frame.get(8..).unwrap_or_default();
        let checksum = crc32fast::hash(payload).to_le_bytes();
        let length = u32::try_from(payload.len())
            .ok()
            .filter(|&length| length <= LONGEST_FRAME);
        let Some(length) = length else {
            // Too much for one frame: halves are as good, since their order stays.
            let (first, second) = records.split_at(records.len() / 2);
            if first.is_empty() {
                return Err(JournalError::Encode(postcard::Error::SerializeBufferFull));
            }
            self.commit(first)?;
            return self.commit(second);
        };
        for (slot, byte) in self
            .frame
            .iter_mut()
            .zip(length.to_le_bytes().into_iter().chain(checksum))
        {
            *slot = byte;
        }
        let safe = records.iter().any(Record::must_be_safe);
        let written = self
            .file
            .write_all(&self.frame)
            .and_then(|()| if safe { self.file.sync_data() } else { Ok(()) });
        if let Err(source) = written {
            // What may have been written of it must not stand before the next commit.
            let cut = self
                .file
                .set_len(self.length)
                .and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
            let source = cut.err().unwrap_or(source);
            return Err(JournalError::Io {
                path: self.path.clone(),
                source,
            });
        }
        self.length += self.frame.len() as u64;
        if self.frame.capacity() > FRAME_KEPT.max(4 * self.frame.len()) {
            self.frame = Vec::new();
        }
        Ok(())
    }

    /// Goes on in a new file. A snapshot taken now belongs to the number returned: [`write_snapshot`].
    ///
    /// # Errors
    /// The disk; the journal goes on in its old file then.
    pub fn rotate(&mut self) -> Result<u64, JournalError> {
        self.file.sync_data().map_err(io_error(&self.path))?;
        *self = Self::create(&self.directory, self.number + 1)?;
        Ok(self.number)
    }
}

/// Writes the snapshot with which journal `number` begins, and removes what it makes superfluous. The writeback documents of older
/// journals must be safe in their store before.
///
/// # Errors
/// The disk.
pub fn write_snapshot(directory: &Path, number: u64, snapshot: &[u8]) -> Result<(), JournalError> {
    let path = snapshot_path(directory, number);
    let unfinished = path.with_extension("unfinished");
    let mut file = File::create(&unfinished).map_err(io_error(&unfinished))?;
    file.write_all(&crc32fast::hash(snapshot).to_le_bytes())
        .and_then(|()| file.write_all(snapshot))
        .and_then(|()| file.sync_all())
        .map_err(io_error(&unfinished))?;
    fs::rename(&unfinished, &path).map_err(io_error(&path))?;
    sync_directory(directory)?;
    for old in numbers(directory, "journal")?
        .into_iter()
        .filter(|&old| old < number)
    {
        let path = journal_path(directory, old);
        fs::remove_file(&path).map_err(io_error(&path))?;
    }
    for old in numbers(directory, "snapshot")?
        .into_iter()
        .filter(|&old| old < number)
    {
        let path = snapshot_path(directory, old);
        fs::remove_file(&path).map_err(io_error(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::WallTime;
    use proptest::prelude::*;

    fn record(number: u64) -> Record {
        Record::Body {
            fingerprint: u128::from(number),
            now: WallTime(7),
        }
    }

    #[derive(Default)]
    struct Records(Vec<Record>);

    impl Recovery for Records {
        fn begin(&mut self, _snapshot: Option<Snapshot>) {}

        fn record(&mut self, record: Record) {
            self.0.push(record);
        }
    }

    fn read(directory: &Path) -> (Vec<Record>, Vec<String>) {
        let mut records = Records::default();
        let recovered = recover(directory, &mut records).unwrap();
        (records.0, recovered.damage)
    }

    fn begin(directory: &Path) -> Journal {
        let recovered = recover(directory, &mut Records::default()).unwrap();
        Journal::begin(directory, &recovered).unwrap()
    }

    #[test]
    fn commits_are_read_back_across_files() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = begin(directory.path());
        journal.commit(&[record(1), record(2)]).unwrap();
        journal.rotate().unwrap();
        journal.commit(&[record(3)]).unwrap();
        drop(journal);
        begin(directory.path()).commit(&[record(4)]).unwrap();
        assert_eq!(
            read(directory.path()),
            ((1..=4).map(record).collect(), Vec::new())
        );
    }

    #[test]
    fn a_newer_format_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        drop(begin(directory.path()));
        let path = journal_path(directory.path(), 1);
        let mut bytes = fs::read(&path).unwrap();
        bytes[4] = 9;
        fs::write(&path, bytes).unwrap();
        let error = recover(directory.path(), &mut Records::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains("format 9"), "{error}");
    }

    #[test]
    fn a_journal_of_the_first_format_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = begin(directory.path());
        journal.commit(&[record(1)]).unwrap();
        drop(journal);
        let path = journal_path(directory.path(), 1);
        let mut bytes = fs::read(&path).unwrap();
        bytes[4] = 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(read(directory.path()), (vec![record(1)], Vec::new()));
    }

    proptest! {
        #[test]
        fn a_torn_tail_is_cut_at_the_last_whole_commit(sizes in prop::collection::vec(1u64..5, 1..6), cut in any::<prop::sample::Index>(), flip in any::<bool>()) {
            let directory = tempfile::tempdir().unwrap();
            let mut journal = begin(directory.path());
            let mut ends = vec![(journal.length(), 0)];
            let mut written = 0;
            for size in sizes {
                let records: Vec<Record> = (written..written + size).map(record).collect();
                journal.commit(&records).unwrap();
                written += size;
                ends.push((journal.length(), written));
            }
            let path = journal_path(directory.path(), 1);
            let mut bytes = fs::read(&path).unwrap();
            let at = HEADER + cut.index(bytes.len() - HEADER);
            if flip {
                bytes[at] ^= 0x55;
            } else {
                bytes.truncate(at);
            }
            fs::write(&path, &bytes).unwrap();
            let whole = ends.iter().rev().find(|(end, _)| *end <= at as u64).unwrap().1;
            let (records, damage) = read(directory.path());
            prop_assert_eq!(records, (0..whole).map(record).collect::<Vec<_>>());
            prop_assert_eq!(damage.is_empty(), !flip && ends.iter().any(|(end, _)| *end == at as u64));
            // Who begins to write cuts it off; what was whole stays.
            begin(directory.path()).commit(&[record(written)]).unwrap();
            let expected: Vec<Record> = (0..whole).chain([written]).map(record).collect();
            prop_assert_eq!(read(directory.path()), (expected, Vec::new()));
        }
    }
}
