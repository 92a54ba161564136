//! The options of a rule that runs, in little room.
//!
//! As [`Node`]s the options of a rule take some three kilobytes, and hardly any of them is looked at again before the rule is loaded anew. Packed they are
//! a run of bytes: for each node what it is, where it stands as the distance from the node before, and its value; words that many rules write are numbers.
//! The text of the file is not kept: it is read again if somebody wants to see a place.

use super::properties::Words;
use super::{Alike, Data, Mapping, Node, Properties, SourceFile, Span};
use serde_json::Value;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Options that are unpacked where somebody asks for them, places and all. Finding one takes well below a microsecond, unpacking all a few.
#[derive(Clone, Default)]
pub struct Packed {
    /// Each member with its length before it.
    bytes: Box<[u8]>,
    /// The files that the places are in.
    files: Box<[Arc<Path>]>,
    /// See [`Properties`].
    alike: Arc<Alike>,
}

/// The names only: values may be secret.
impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.unpack().fmt(f)
    }
}

impl Packed {
    /// Packs options. What they share with those of other rules stays shared.
    pub fn new(options: &Properties) -> Self {
        let mut packer = Packer {
            bytes: Vec::new(),
            files: Vec::new(),
            words: &options.alike.words,
            before: Before::default(),
        };
        let mut bytes = Vec::new();
        for (key, value) in options.own.iter() {
            packer.before = Before::default();
            packer.node(key);
            packer.node(value);
            put_number(&mut bytes, packer.bytes.len());
            bytes.append(&mut packer.bytes);
        }
        Self {
            bytes: bytes.into(),
            files: packer.files.into(),
            alike: Arc::clone(&options.alike),
        }
    }

    /// All of them.
    pub fn unpack(&self) -> Properties {
        let files = self.files.iter().map(again).collect::<Vec<_>>();
        let own = self.members().filter_map(|member| member.nodes(&files));
        Properties::new(Mapping(own.collect())).over(Arc::clone(&self.alike))
    }

    /// The node under a name, null included.
    pub fn get(&self, name: &str) -> Option<Node> {
        let own = self.members().find_map(|mut member| {
            let head = member.head()?;
            (head.is_text() && member.text(&head)? == name).then_some(member)
        });
        match own {
            Some(mut member) => {
                let files = self.files.iter().map(again).collect::<Vec<_>>();
                member.node(&files)
            }
            None => self.alike.options.get(name).cloned(),
        }
    }

    /// The option as JSON; `None` when absent or null.
    pub fn value(&self, name: &str) -> Option<Value> {
        let node = self.get(name).filter(|node| !node.is_null());
        node.map(|node| node.to_value())
    }

    /// Whether an option is one that texts must not show.
    pub fn is_secret(&self, name: &str) -> bool {
        self.alike.secrets.contains(&name)
    }

    fn members(&self) -> impl Iterator<Item = Unpacker<'_>> {
        let mut rest = Unpacker {
            bytes: &self.bytes,
            paths: &self.files,
            words: &self.alike.words,
            before: Before::default(),
        };
        std::iter::from_fn(move || {
            let length = rest.length()?;
            Some(Unpacker {
                bytes: rest.take(length)?,
                ..rest
            })
        })
    }
}

fn again(path: &Arc<Path>) -> Arc<SourceFile> {
    Arc::new(SourceFile::again(Arc::clone(path)))
}

/// The place of the node before, from which the next is counted.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    file: usize,
    start: usize,
}

/// What a node is: the lower bits of its first byte.
mod kind {
    pub(super) const NULL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const INT: u8 = 3;
    pub(super) const BIG_INT: u8 = 4;
    pub(super) const FLOAT: u8 = 5;
    /// A float without a fraction.
    pub(super) const WHOLE: u8 = 6;
    pub(super) const TEXT: u8 = 7;
    /// A text as long as its place.
    pub(super) const WRITTEN: u8 = 8;
    /// The same, with a quote before and behind it.
    pub(super) const QUOTED: u8 = 9;
    pub(super) const TIME: u8 = 10;
    pub(super) const BYTES: u8 = 11;
    pub(super) const SEQ: u8 = 12;
    pub(super) const MAP: u8 = 13;
    /// Added where the node stands in another file than the one before it.
    pub(super) const OTHER_FILE: u8 = 0x80;
}

/// How a text is kept: the lower bits of the number before it.
mod text {
    /// Its bytes follow, as many as the upper bits say.
    pub(super) const BYTES: usize = 0;
    /// The word of that number.
    pub(super) const WORD: usize = 1;
    /// The path of the file of that number.
    pub(super) const PATH: usize = 2;
}

struct Packer<'a> {
    bytes: Vec<u8>,
    files: Vec<Arc<Path>>,
    words: &'a Words,
    before: Before,
}

impl Packer<'_> {
    fn node(&mut self, node: &Node) {
        let Span { file, start, end } = &node.span;
        let known = self.files.iter().position(|known| *known == file.path);
        let at = known.unwrap_or_else(|| {
            self.files.push(Arc::clone(&file.path));
            self.files.len() - 1
        });
        let length = end.saturating_sub(*start);
        let kind = kind_of(&node.data, length);
        if at == self.before.file {
            self.bytes.push(kind);
        } else {
            self.bytes.push(kind | kind::OTHER_FILE);
            self.number(at);
        }
        self.number(zigzag(start.wrapping_sub(self.before.start).cast_signed()));
        if !matches!(kind, kind::WRITTEN | kind::QUOTED) {
            self.number(length);
        }
        self.before = Before {
            file: at,
            start: *start,
        };
        match &node.data {
            Data::Null | Data::Bool(_) => {}
            Data::Int(value) => self.bytes.extend(value.to_le_bytes()),
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole")]
            Data::Float(value) if kind == kind::WHOLE => {
                self.bytes.extend((*value as i32).to_le_bytes());
            }
            Data::Float(value) => self.bytes.extend(value.to_le_bytes()),
            Data::Str(text) => self.text(text),
            Data::BigInt(text) | Data::Time(text) => self.block(text.as_bytes()),
            Data::Bytes(bytes) => self.block(bytes),
            Data::Seq(items) => {
                self.number(items.len());
                items.iter().for_each(|item| self.node(item));
            }
            Data::Map(map) => {
                self.number(map.0.len());
                for (key, value) in map.iter() {
                    self.node(key);
                    self.node(value);
                }
            }
        }
    }

    fn number(&mut self, number: usize) {
        put_number(&mut self.bytes, number);
    }

    fn text(&mut self, text: &str) {
        let path = |path: &Arc<Path>| path.to_str() == Some(text);
        if let Some(word) = self.words.number(text) {
            self.number(word << 2 | text::WORD);
        } else if let Some(path) = self.files.iter().position(path) {
            self.number(path << 2 | text::PATH);
        } else {
            self.number(text.len() << 2 | text::BYTES);
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }

    fn block(&mut self, block: &[u8]) {
        self.number(block.len());
        self.bytes.extend_from_slice(block);
    }
}

fn kind_of(data: &Data, length: usize) -> u8 {
    match data {
        Data::Null => kind::NULL,
        Data::Bool(false) => kind::FALSE,
        Data::Bool(true) => kind::TRUE,
        Data::Int(_) => kind::INT,
        Data::BigInt(_) => kind::BIG_INT,
        Data::Float(value) if is_whole(*value) => kind::WHOLE,
        Data::Float(_) => kind::FLOAT,
        Data::Str(text) if text.len() == length => kind::WRITTEN,
        Data::Str(text) if text.len() + 2 == length => kind::QUOTED,
        Data::Str(_) => kind::TEXT,
        Data::Time(_) => kind::TIME,
        Data::Bytes(_) => kind::BYTES,
        Data::Seq(_) => kind::SEQ,
        Data::Map(_) => kind::MAP,
    }
}

/// Whether a float is a whole number of 32 bits, and not minus zero.
fn is_whole(value: f64) -> bool {
    #[expect(clippy::cast_possible_truncation, reason = "compared with what it was")]
    let whole = f64::from(value as i32);
    whole.to_bits() == value.to_bits()
}

/// The sign in the lowest bit.
fn zigzag(distance: isize) -> usize {
    ((distance << 1) ^ (distance >> (isize::BITS - 1))).cast_unsigned()
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn put_number(bytes: &mut Vec<u8>, mut number: usize) {
    while let high @ 1.. = number >> 7 {
        bytes.push(0x80 | low_bits(number));
        number = high;
    }
    bytes.push(low_bits(number));
}

fn low_bits(number: usize) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

/// What stands before a node's value.
struct Head {
    kind: u8,
    file: usize,
    start: usize,
    /// `None`: its text says how long it is.
    length: Option<usize>,
}

impl Head {
    fn is_text(&self) -> bool {
        matches!(self.kind, kind::TEXT | kind::WRITTEN | kind::QUOTED)
    }
}

/// Reads what [`Packer`] wrote.
#[derive(Clone, Copy)]
struct Unpacker<'a> {
    bytes: &'a [u8],
    paths: &'a [Arc<Path>],
    words: &'a Words,
    before: Before,
}

impl<'a> Unpacker<'a> {
    fn nodes(mut self, files: &[Arc<SourceFile>]) -> Option<(Node, Node)> {
        Some((self.node(files)?, self.node(files)?))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn length(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn block(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn string(&mut self) -> Option<String> {
        String::from_utf8(self.block()?.to_vec()).ok()
    }

    /// The text behind a head that says that there is one.
    fn text(&mut self, head: &Head) -> Option<&'a str> {
        debug_assert!(head.is_text());
        let number = self.length()?;
        match number & 3 {
            text::WORD => self.words.word(number >> 2),
            text::PATH => self.paths.get(number >> 2)?.to_str(),
            _ => std::str::from_utf8(self.take(number >> 2)?).ok(),
        }
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn head(&mut self) -> Option<Head> {
        let first = self.byte()?;
        if first & kind::OTHER_FILE != 0 {
            self.before.file = self.length()?;
        }
        let zigzag = self.length()?;
        let distance = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        self.before.start = self.before.start.wrapping_add_signed(distance);
        let kind = first & !kind::OTHER_FILE;
        let length = match kind {
            kind::WRITTEN | kind::QUOTED => None,
            _ => Some(self.length()?),
        };
        Some(Head {
            kind,
            file: self.before.file,
            start: self.before.start,
            length,
        })
    }

    fn node(&mut self, files: &[Arc<SourceFile>]) -> Option<Node> {
        let head = self.head()?;
        let data = match head.kind {
            kind::NULL => Data::Null,
            kind::FALSE => Data::Bool(false),
            kind::TRUE => Data::Bool(true),
            kind::INT => Data::Int(i64::from_le_bytes(self.array()?)),
            kind::BIG_INT => Data::BigInt(self.string()?),
            kind::FLOAT => Data::Float(f64::from_le_bytes(self.array()?)),
            kind::WHOLE => Data::Float(i32::from_le_bytes(self.array()?).into()),
            kind::TEXT | kind::WRITTEN | kind::QUOTED => Data::Str(self.text(&head)?.to_owned()),
            kind::TIME => Data::Time(self.string()?),
            kind::BYTES => Data::Bytes(self.block()?.to_vec()),
            kind::SEQ => {
                let count = self.length()?;
                let items = (0..count).map(|_| self.node(files));
                Data::Seq(items.collect::<Option<_>>()?)
            }
            kind::MAP => {
                let count = self.length()?;
                let members = (0..count).map(|_| Some((self.node(files)?, self.node(files)?)));
                Data::Map(Mapping(members.collect::<Option<_>>()?))
            }
            _ => return None,
        };
        let length = match (head.length, &data) {
            (Some(length), _) => length,
            (None, Data::Str(text)) => text.len() + if head.kind == kind::QUOTED { 2 } else { 0 },
            (None, _) => 0,
        };
        let span = Span {
            file: Arc::clone(files.get(head.file)?),
            start: head.start,
            end: head.start.checked_add(length)?,
        };
        Some(Node { data, span })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml;

    fn options(name: &str, text: &str) -> Mapping {
        let file = Arc::new(SourceFile::new(Path::new(name), text));
        let home = |name: &str| (name == "HOME").then(|| "/root".to_owned());
        let (node, problems) = yaml::parse(&file, Some(&home));
        assert!(problems.iter().all(|problem| !problem.is_error()));
        node.unwrap().as_map().unwrap().clone()
    }

    const TEXT: &str = r#"
name: web
"type": 'any'
double: "a\nb"
single: 'it''s'
block: |
  one
  two
folded: long
  text
path: $HOME/x
list: [1, -2, 0x10, 99999999999999999999, 1.5, .nan, ~, yes, no]
when: 2001-01-01
map: {a: {b: [{c: é}, [], {}]}, 3: three}
bytes: !!binary aGVsbG8=
empty: ""
float: -3.0
zero: -0.0
large: 1e300
again: &x {q: 1}
alias: *x
"#;

    #[test]
    fn unpacked_is_what_was_packed() {
        let mut own = options("a.yaml", TEXT);
        own.0.extend(options("b.yaml", "imported: [x, \"y\"]").0);
        own.0.push((
            Node::text("made", &Span::nowhere()),
            Node::text("here", &Span::nowhere()),
        ));
        own.0.extend(options("d.yaml", "itself: d.yaml").0);
        let alike = Alike {
            options: options("c.yaml", "name: no\nowner: me"),
            secrets: vec!["owner"],
            words: ["any", "name", "seconds", "type"].into_iter().collect(),
        };
        let expected = Properties::new(own).over(Arc::new(alike));
        let packed = Packed::new(&expected);
        let unpacked = packed.unpack();
        let shown = |properties: &Properties| {
            let members = properties.iter();
            members
                .map(|(key, value)| format!("{key:?}: {value:?}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(&unpacked), shown(&expected));
        for (key, value) in expected.iter() {
            let Some(name) = key.as_str() else { continue };
            assert_eq!(
                format!("{:?}", packed.get(name)),
                format!("{:?}", Some(value)),
                "{name}"
            );
            assert_eq!(packed.value(name), expected.value(name));
        }
        assert!(packed.get("nothing").is_none());
        assert!(packed.is_secret("owner") && unpacked.is_secret("owner"));
        assert!(!packed.is_secret("name"));
    }

    #[test]
    fn words_are_numbers() {
        let word = "a_word_that_is_written_by_every_rule";
        let alike = Arc::new(Alike {
            words: [word].into_iter().collect(),
            ..Alike::default()
        });
        let own = options("a.yaml", &format!("{word}: '{word}'\nother: {word}\n"));
        let packed = Packed::new(&Properties::new(own).over(alike));
        assert!(packed.bytes.len() < 30, "{} bytes", packed.bytes.len());
        assert_eq!(packed.get(word).unwrap().as_str(), Some(word));
        assert_eq!(packed.get("other").unwrap().as_str(), Some(word));
    }

    #[test]
    fn places_are_shown_in_the_file_as_it_is_now() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        let text = "one: 1\ntwo: 2\n";
        std::fs::write(&path, text).unwrap();
        let packed = Packed::new(&Properties::new(options(path.to_str().unwrap(), text)));
        let two = packed.get("two").unwrap();
        assert_eq!(two.span.line_column(), (2, 6));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(packed.get("two").unwrap().span.line_column(), (1, 1));
    }
}
